"""External sort of pairs: in memory while they fit, else a bucket sort with temporary files.

Each file holds the pairs of one range of first rows. The ranges are quantiles of the pairs known when the files are
created, so that the files have about equal sizes. Later pairs may have another distribution: a file that is too large
to sort in memory is partitioned again. The files are removed when the search ends, also after an error.
"""

import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from twinpix.errors import OutputError, system_reason
from twinpix.search.base import Pairs

HELD = 1 << 23
"""The maximum number of pairs in memory, about 12 bytes each."""

_PARTS = 64  # maximum number of quantile ranges
_READ = 1 << 20  # pairs per read when a file is partitioned again
_SAMPLED_PAIRS = 4096  # pairs sampled to estimate the quantiles
_FEW = 200_000  # up to this many pairs numpy sorts faster than a compiled kernel, whose compilation takes time


class TooManyError(Exception):
    """Raised when a search finds more pairs than the caller's limit."""


class Ordered:
    """Sorts the pairs of blocks by `i` then `j`. Call `close`, or use it in a `with` statement.

    `i` and `j` are int64; distances have the dtype `kind`. Raises `OutputError` when the disk is full, and
    `TooManyError` as soon as there are more than `most` pairs.
    """

    def __init__(self, blocks: Iterable[Pairs], kind: type[np.generic], most: float = math.inf) -> None:
        self._kind = kind
        self._held: list[NDArray[Any]] = []
        self._waiting = 0
        self._files: _Files | None = None
        self._stack = ExitStack()
        self.total = 0
        try:
            for block in blocks:
                self._add(block)
                if self.total > most:
                    raise TooManyError
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Ordered":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the memory and delete the temporary files."""
        self._held.clear()
        self._stack.close()

    def blocks(self) -> Iterator[Pairs]:
        """Yield the sorted pairs, once. All pairs of one row `i` are in one block."""
        if self._files is None:
            yield _sort(self._take())
            return
        self._spill()
        yield from self._files.in_order()

    def arrays(self) -> Pairs:
        """Return all sorted pairs as three arrays."""
        i, j = np.empty(self.total, np.int64), np.empty(self.total, np.int64)
        distance = np.empty(self.total, self._kind)
        at = 0
        for block in self.blocks():
            to = slice(at, at + len(block[0]))
            i[to], j[to], distance[to] = block
            at = to.stop
        return i, j, distance

    @property
    def _record(self) -> np.dtype[Any]:
        return np.dtype([("i", np.int32), ("j", np.int32), ("distance", self._kind)])

    def _add(self, block: Pairs) -> None:
        rows = np.empty(len(block[0]), self._record)
        rows["i"], rows["j"], rows["distance"] = block
        self._held.append(rows)
        self._waiting += len(rows)
        self.total += len(rows)
        if self._waiting > HELD:
            self._spill()

    def _take(self) -> NDArray[Any]:
        rows = np.concatenate([np.empty(0, self._record), *self._held])
        self._held, self._waiting = [], 0
        return rows

    def _spill(self) -> None:
        """Move the pairs in memory to the files."""
        with _room():
            if self._files is None:
                folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="twinpix-")))
                some = np.concatenate([rows["i"][:: max(1, len(rows) // _SAMPLED_PAIRS)] for rows in self._held])
                self._files = _Files(folder / "pairs", some, _PARTS, self._record)
            for rows in self._held:
                self._files.append(rows)
        self._held, self._waiting = [], 0


class _Files:
    """Files in a new folder, one for each range of first rows.

    The ranges are about `parts` quantiles of `some`, a sample of first rows.
    """

    def __init__(self, folder: Path, some: NDArray[np.int32], parts: int, record: np.dtype[Any]) -> None:
        folder.mkdir()
        edges = np.quantile(some, np.linspace(0, 1, parts + 1)[1:-1], method="lower").astype(np.int64)
        # Each edge is an existing row and gets a file of its own, so every other file is smaller than the whole.
        # Partitioning a file again therefore always terminates.
        self._edges = np.unique([edges, edges + 1])
        self._paths = [folder / f"{number}.pairs" for number in range(len(self._edges) + 1)]
        self._record = record

    def append(self, rows: NDArray[Any]) -> None:
        number = np.searchsorted(self._edges, rows["i"], side="right")
        order = np.argsort(number, kind="stable")
        rows, ends = rows[order], np.searchsorted(number[order], np.arange(len(self._paths) + 1))
        for path, start, stop in zip(self._paths, ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            if stop > start:
                with path.open("ab") as out:
                    out.write(rows[start:stop].tobytes())  # `tofile` may lose the error of a full disk

    def in_order(self) -> Iterator[Pairs]:
        """Yield the sorted pairs of each file and delete the file."""
        ranges = zip(self._paths, [-1, *self._edges.tolist()], [*self._edges.tolist(), 1 << 31], strict=True)
        for path, first, after in ranges:
            if not path.exists():
                continue
            if after - first > 1 and path.stat().st_size > HELD * self._record.itemsize:
                yield from self._divide(path).in_order()
            else:
                rows = np.fromfile(path, self._record)
                path.unlink()
                yield _sort(rows)

    def _divide(self, path: Path) -> "_Files":
        with _room():
            count = path.stat().st_size // self._record.itemsize
            with path.open("rb") as file:
                some = self._some(file, count)
                parts = _Files(path.with_suffix(""), some, min(_PARTS, 2 + 2 * count // HELD), self._record)
                file.seek(0)
                while data := file.read(_READ * self._record.itemsize):
                    parts.append(np.frombuffer(data, self._record))
            path.unlink()
        return parts

    def _some(self, file: BinaryIO, count: int) -> NDArray[np.int32]:
        """Return the first rows of pairs sampled at equal distances from a file."""
        out = []
        for at in np.linspace(0, count - 1, min(count, _SAMPLED_PAIRS)).astype(np.int64).tolist():
            file.seek(at * self._record.itemsize)
            out.append(np.frombuffer(file.read(self._record.itemsize), self._record)["i"])
        return np.concatenate(out)


@contextmanager
def _room() -> Iterator[None]:
    """Convert an `OSError` of the temporary files to an `OutputError`."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"no room for the pairs in {tempfile.gettempdir()} ({system_reason(error)}): "
            "take a smaller radius, or name another folder in TMPDIR"
        ) from None


def _sort(rows: NDArray[Any]) -> Pairs:
    i, j, distance = rows["i"], rows["j"], rows["distance"]
    if len(rows) <= _FEW:
        order = np.lexsort((j, i))
    else:
        from twinpix.search.kernels import hamming

        order = hamming.order_of(np.ascontiguousarray(i), np.ascontiguousarray(j))
    return i[order].astype(np.int64), j[order].astype(np.int64), np.ascontiguousarray(distance[order])
