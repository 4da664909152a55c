"""Pairs that come in any order, given back in order: in memory while they are few, else through files.

Files hold a range of first rows each, chosen so that about as many pairs fall into each; one is read and
put in order at a time. Nothing is left of them when the search is over, however it ends.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix.errors import OutputError, system_reason
from twinpix.search.base import Pairs

HELD = 1 << 23
"""Pairs that are held in memory, of about 12 bytes each."""

_FILES = 128
_FEW = 200_000  # pairs that numpy sorts before a compiled kernel is worth its start


class Ordered:
    """The pairs of some blocks, sorted by `i` then `j`; `close` it, or use it in a `with`.

    `i` and `j` are int64, distances as in the blocks. Raises `OutputError` when the disk cannot hold them.
    """

    def __init__(self, blocks: Iterable[Pairs], kind: type[np.generic]) -> None:
        self._kind = kind
        self._held: list[NDArray[Any]] = []
        self._waiting = 0
        self._files: list[Path] = []
        self._edges = np.empty(0, np.int64)
        self._stack = ExitStack()
        self.total = 0
        try:
            for block in blocks:
                self._add(block)
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
        if not self._files:
            yield _sorted(self._take())
            return
        self._spill()
        for file in self._files:
            if file.exists():
                rows = np.fromfile(file, self._record)
                file.unlink()
                yield _sorted(rows)

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
        try:
            if not self._files:
                self._begin()
            for rows in self._held:
                self._append(rows)
        except OSError as error:
            raise OutputError(
                f"no room for the pairs in {tempfile.gettempdir()} ({system_reason(error)}): "
                "take a smaller radius, or name another folder in TMPDIR"
            ) from None
        self._held, self._waiting = [], 0

    def _begin(self) -> None:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="twinpix-")))
        some = np.concatenate([rows["i"][:: max(1, len(rows) // 4096)] for rows in self._held])
        self._edges = np.unique(np.quantile(some, np.linspace(0, 1, _FILES + 1)[1:-1]).astype(np.int64))
        self._files = [folder / f"{number}.pairs" for number in range(len(self._edges) + 1)]

    def _append(self, rows: NDArray[Any]) -> None:
        number = np.searchsorted(self._edges, rows["i"], side="right")
        order = np.argsort(number, kind="stable")
        rows, ends = rows[order], np.searchsorted(number[order], np.arange(len(self._files) + 1))
        for file, start, stop in zip(self._files, ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            if stop > start:
                with file.open("ab") as out:
                    out.write(rows[start:stop].tobytes())  # tofile loses what a full disk refuses at the end


def _sorted(rows: NDArray[Any]) -> Pairs:
    i, j, distance = rows["i"], rows["j"], rows["distance"]
    if len(rows) <= _FEW:
        order = np.lexsort((j, i))
    else:
        from twinpix.search import _kernels

        order = _kernels.order_of(np.ascontiguousarray(i), np.ascontiguousarray(j))
    return i[order].astype(np.int64), j[order].astype(np.int64), np.ascontiguousarray(distance[order])
