"""hnswlib: layers of graphs that lead to near neighbours; approximate."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from twinpix.search.ann.rerank import Kind, Neighbours, check_options, graph_plan
from twinpix.search.base import Plan


@dataclass(frozen=True, slots=True)
class Hnsw:
    """A graph of `m` links a code; `ef` candidates are kept while one is asked for, at least as many as neighbours.

    With more than one thread the graph depends on which of them is first, and so may a few pairs.
    """

    metrics: ClassVar[tuple[str, ...]] = ("hamming", "cosine")
    library: ClassVar[str] = "hnswlib"
    package: ClassVar[str] = "hnswlib"

    m: int = 16
    ef_construction: int = 64
    ef: int = 64
    k: int = 8  # neighbours asked for at first
    threads: int = field(default=0, metadata={"where": True})  # 0: one a core
    path: str = field(default="", metadata={"where": True})  # a folder in which the index is kept

    def __post_init__(self) -> None:
        check_options(self, m=2, ef_construction=1, ef=1, k=1)

    def plan(self, queries: NDArray[Any], gallery: NDArray[Any] | None, radius: float) -> Plan:
        how = f"a graph of {self.m} links a code, {self.ef} candidates"
        return graph_plan(self, _Index, how, (self.ef_construction, self.ef), queries, gallery, radius)


class _Index:
    """Bits as numbers 0 and 1: squared L2 is the Hamming distance there, which the library does not have."""

    def __init__(self, options: Hnsw, kind: Kind) -> None:
        import hnswlib

        self._options, self._kind, self._count = options, kind, 0
        self._graph = hnswlib.Index(space="l2" if kind.metric == "hamming" else "ip", dim=kind.width)

    def built(self, count: int) -> dict[str, int | str]:
        return {"m": self._options.m, "ef_construction": self._options.ef_construction}

    def start(self, count: int, sample: Callable[[int], NDArray[Any]]) -> None:
        self._graph.init_index(
            max_elements=count, M=self._options.m, ef_construction=self._options.ef_construction, random_seed=1
        )

    def add(self, codes: NDArray[Any], first: int) -> None:
        self._graph.add_items(self._numbers(codes), np.arange(first, first + len(codes)), self._kind.threads)

    def save(self, place: str) -> None:
        self._graph.save_index(place)
        if Path(place).stat().st_size != self._graph.index_file_size():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # it does not look whether it could write

    def load(self, place: str) -> None:
        self._graph.load_index(place)

    def close(self) -> None:
        pass

    def nearest(self, queries: NDArray[Any], k: int) -> Neighbours:
        self._graph.set_ef(max(self._options.ef, k))
        numbers = self._numbers(queries)
        try:
            rows, distances = self._graph.knn_query(numbers, k=k, num_threads=self._kind.threads)
        except RuntimeError:  # from one of them fewer are within reach
            each = [self._within_reach(row[None], k) for row in numbers]
            return np.concatenate([rows for rows, _ in each]), np.concatenate([distances for _, distances in each])
        return rows.astype(np.int64), distances

    def _within_reach(self, query: NDArray[Any], k: int) -> Neighbours:
        rows, distances, wanted = np.full((1, k), -1), np.zeros((1, k), np.float32), k
        while True:
            try:
                rows[:, :wanted], distances[:, :wanted] = self._graph.knn_query(query, k=wanted, num_threads=1)
            except RuntimeError:
                if wanted == 1:  # one is always within reach: something else is wrong
                    raise
                wanted //= 2
            else:
                return rows, distances

    def _numbers(self, codes: NDArray[Any]) -> NDArray[Any]:
        return np.unpackbits(codes, axis=1).astype(np.float32) if self._kind.metric == "hamming" else codes
