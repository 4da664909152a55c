"""Pairs that come in any order, given back in order: in memory while they are few, else through files.

Files hold a range of first rows each, chosen so that about as many pairs fall into each of what there is then. What
comes later may lie otherwise: a file that has become too large to put in order at once is divided again. Nothing is
left of them when the search is over, however it ends.
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
"""Pairs that are held in memory, of about 12 bytes each."""

_PARTS = 64  # at most, that about as many pairs fall into
_READ = 1 << 20  # pairs that are read together from a file that is too large
_LOOKED_AT = 4096  # of its pairs, to see how they lie
_FEW = 200_000  # pairs that numpy sorts before a compiled kernel is worth its start


class TooManyError(Exception):
    """A search has more pairs than whoever asked for it can use."""


class Ordered:
    """The pairs of some blocks, sorted by `i` then `j`; `close` it, or use it in a `with`.

    `i` and `j` are int64, distances as in the blocks. Raises `OutputError` when the disk cannot hold them,
    `TooManyError` as soon as there are more than `most`.
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
        """Give up what is held, in memory and on the disk."""
        self._held.clear()
        self._stack.close()

    def blocks(self) -> Iterator[Pairs]:
        """The pairs in order, once; each block ends where a row's pairs end."""
        if self._files is None:
            yield _sorted(self._take())
            return
        self._spill()
        yield from self._files.in_order()

    def arrays(self) -> Pairs:
        """All of them."""
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
        """Append what is held to the files."""
        with _room():
            if self._files is None:
                folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="twinpix-")))
                some = np.concatenate([rows["i"][:: max(1, len(rows) // _LOOKED_AT)] for rows in self._held])
                self._files = _Files(folder / "pairs", some, _PARTS, self._record)
            for rows in self._held:
                self._files.append(rows)
        self._held, self._waiting = [], 0


class _Files:
    """Files in a new folder, each of a range of first rows; `some` of these say which are about so many parts."""

    def __init__(self, folder: Path, some: NDArray[np.int32], parts: int, record: np.dtype[Any]) -> None:
        folder.mkdir()
        edges = np.quantile(some, np.linspace(0, 1, parts + 1)[1:-1], method="lower").astype(np.int64)
        # Each edge is a row that there is, in a file of its own: so every other file is smaller than the whole.
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
                    out.write(rows[start:stop].tobytes())  # tofile loses what a full disk refuses at the end

    def in_order(self) -> Iterator[Pairs]:
        """What they hold, which is then gone."""
        ranges = zip(self._paths, [-1, *self._edges.tolist()], [*self._edges.tolist(), 1 << 31], strict=True)
        for path, first, after in ranges:
            if not path.exists():
                continue
            if after - first > 1 and path.stat().st_size > HELD * self._record.itemsize:
                yield from self._divided(path).in_order()
            else:
                rows = np.fromfile(path, self._record)
                path.unlink()
                yield _sorted(rows)

    def _divided(self, path: Path) -> "_Files":
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
        """First rows of pairs that are drawn evenly from a file."""
        out = []
        for at in np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(np.int64).tolist():
            file.seek(at * self._record.itemsize)
            out.append(np.frombuffer(file.read(self._record.itemsize), self._record)["i"])
        return np.concatenate(out)


@contextmanager
def _room() -> Iterator[None]:
    """Says what it means when pairs cannot be written."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"no room for the pairs in {tempfile.gettempdir()} ({system_reason(error)}): "
            "take a smaller radius, or name another folder in TMPDIR"
        ) from None


def _sorted(rows: NDArray[Any]) -> Pairs:
    i, j, distance = rows["i"], rows["j"], rows["distance"]
    if len(rows) <= _FEW:
        order = np.lexsort((j, i))
    else:
        from twinpix.search.kernels import hamming

        order = hamming.order_of(np.ascontiguousarray(i), np.ascontiguousarray(j))
    return i[order].astype(np.int64), j[order].astype(np.int64), np.ascontiguousarray(distance[order])
