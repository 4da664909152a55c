"""usearch: layers of graphs that lead to near neighbours, held in few bytes; approximate."""

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from twinpix.search.ann.rerank import Kind, Neighbours, check_options, graph_plan
from twinpix.search.base import Plan


@dataclass(frozen=True, slots=True)
class Usearch:
    """A graph of `connectivity` links a code; `expansion_search` candidates are kept while one is asked for.

    With more than one thread the graph depends on which of them is first, and so may a few pairs.
    """

    metrics: ClassVar[tuple[str, ...]] = ("hamming", "cosine")
    library: ClassVar[str] = "usearch"
    package: ClassVar[str] = "usearch"

    connectivity: int = 16
    expansion_add: int = 64
    expansion_search: int = 64
    k: int = 8  # neighbours asked for at first
    threads: int = field(default=0, metadata={"where": True})  # 0: one a core
    path: str = field(default="", metadata={"where": True})  # a folder in which the index is kept

    def __post_init__(self) -> None:
        check_options(self, connectivity=2, expansion_add=1, expansion_search=1, k=1)

    def plan(self, queries: NDArray[Any], gallery: NDArray[Any] | None, radius: float) -> Plan:
        how = f"a graph of {self.connectivity} links a code, {self.expansion_search} candidates"
        return graph_plan(self, _Index, how, (self.expansion_add, self.expansion_search), queries, gallery, radius)


def _load_cpp_library() -> None:
    """Load the system's C++ library first.

    usearch brings its own inside its module. Where that is the first in a process, NGT and onnxruntime, when they are
    loaded later, take parts of it for parts of theirs, and fail or crash.
    """
    import ctypes

    with suppress(OSError):
        ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL)


class _Index:
    def __init__(self, options: Usearch, kind: Kind) -> None:
        if sys.platform == "linux":
            _load_cpp_library()
        from usearch.index import Index

        self._options, self._kind = options, kind
        bits = kind.metric == "hamming"
        self._graph = Index(
            ndim=kind.width,
            metric="hamming" if bits else "ip",  # of length 1: as the cosine
            dtype="b1" if bits else "f16",
            connectivity=options.connectivity,
            expansion_add=options.expansion_add,
            expansion_search=options.expansion_search,
            enable_key_lookups=False,
        )

    def built(self, count: int) -> dict[str, int | str]:
        return {"connectivity": self._options.connectivity, "expansion_add": self._options.expansion_add}

    def start(self, count: int, sample: Callable[[int], NDArray[Any]]) -> None:
        pass

    def add(self, codes: NDArray[Any], first: int) -> None:
        self._graph.add(np.arange(first, first + len(codes)), codes, threads=self._kind.threads)

    def save(self, place: str) -> None:
        self._graph.save(place)

    def load(self, place: str) -> None:
        self._graph.load(place)

    def close(self) -> None:
        self._graph.reset()

    def nearest(self, queries: NDArray[Any], k: int) -> Neighbours:
        self._graph.expansion_search = max(self._options.expansion_search, k)
        found = self._graph.search(queries, k, threads=self._kind.threads)
        rows = np.asarray(found.keys).astype(np.int64).reshape(len(queries), k)
        counts = np.asarray(found.counts).reshape(-1, 1) if len(queries) > 1 else np.array([[len(found)]])
        return np.where(np.arange(k) < counts, rows, -1), np.asarray(found.distances).reshape(len(queries), k)
