"""NGT: a graph of neighbours, entered through a tree; approximate."""

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from twinpix.search.ann.rerank import Kind, Neighbours, check_options, graph_plan
from twinpix.search.base import Plan


@dataclass(frozen=True, slots=True)
class Ngt:
    """A graph of at least `edges` edges a code; `search_edges` are followed, to `epsilon` beyond what was found."""

    metrics: ClassVar[tuple[str, ...]] = ("hamming", "cosine")
    library: ClassVar[str] = "ngtpy"
    package: ClassVar[str] = "ngt"

    edges: int = 10
    search_edges: int = 40
    epsilon: float = 0.2  # 0.1 misses one pair of bits in ten
    k: int = 8  # neighbours asked for at first
    threads: int = field(default=0, metadata={"where": True})  # 0: one a core
    path: str = field(default="", metadata={"where": True})  # a folder in which the index is kept

    def __post_init__(self) -> None:
        check_options(self, edges=2, search_edges=1, epsilon=0, k=1)

    def plan(self, queries: NDArray[Any], gallery: NDArray[Any] | None, radius: float) -> Plan:
        how = f"a graph of {self.edges} edges a code, epsilon {self.epsilon:g}"
        return graph_plan(self, _Index, how, (200, 200), queries, gallery, radius)


class _Index:
    """The library keeps an index in a folder: until it is saved, in one for the time of the search."""

    def __init__(self, options: Ngt, kind: Kind) -> None:
        self._options, self._kind = options, kind
        self._folder = tempfile.TemporaryDirectory(prefix="twinpix-ngt-")
        self._graph: Any = None
        self._pool = ThreadPoolExecutor(kind.threads)

    def built(self, count: int) -> dict[str, int | str]:
        return {"edges": self._options.edges}

    def start(self, count: int, sample: Callable[[int], NDArray[Any]]) -> None:
        import ngtpy

        place, bits = str(Path(self._folder.name) / "index"), self._kind.metric == "hamming"
        ngtpy.create(
            path=place,
            dimension=self._kind.width // 8 if bits else self._kind.width,
            edge_size_for_creation=self._options.edges,
            edge_size_for_search=self._options.search_edges,
            object_type="Byte" if bits else "Float",
            distance_type="Hamming" if bits else "Normalized Cosine",
        )
        self._graph = ngtpy.Index(place, log_disabled=True)

    def add(self, codes: NDArray[Any], first: int) -> None:
        self._graph.batch_insert(codes, self._kind.threads)

    def save(self, place: str) -> None:
        self._graph.save()
        Path(place).mkdir()
        for file in (Path(self._folder.name) / "index").iterdir():
            shutil.copyfile(file, Path(place) / file.name)

    def load(self, place: str) -> None:
        import ngtpy

        self._graph = ngtpy.Index(place, read_only=True, log_disabled=True)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        if self._graph is not None:
            self._graph.close()
        self._folder.cleanup()

    def nearest(self, queries: NDArray[Any], k: int) -> Neighbours:
        rows, distances = np.full((len(queries), k), -1), np.zeros((len(queries), k))

        def one(row: int) -> None:
            options = self._options
            found = self._graph.search(queries[row], size=k, epsilon=options.epsilon, edge_size=options.search_edges)
            if found:
                rows[row, : len(found)], distances[row, : len(found)] = zip(*found, strict=True)

        list(self._pool.map(one, range(len(queries))))
        return rows, distances
