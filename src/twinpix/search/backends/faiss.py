"""Approximate search by faiss: bit keys, cells of vectors, or graphs; exact with `index=flat`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from math import comb, isqrt
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.errors import UsageError
from twinpix.search.ann.persistence import ready
from twinpix.search.ann.rerank import (
    Candidates,
    Kind,
    Neighbours,
    beam_seconds,
    blocks_of,
    by_neighbours,
    by_radius,
    check_options,
    kind_of,
    rows_of,
)
from twinpix.search.base import Plan

_KINDS = {"hamming": ("multihash", "flat", "hnsw"), "cosine": ("ivf", "flat", "hnsw")}  # the default first
_RECALL = 0.95  # minimum expected recall of the chosen keys, averaged over the distances up to the radius
_SKEW = 10  # ratio of the size of a hash bucket to its size for uniformly distributed codes
_LOOKUP, _MET = 3e-7, 6e-8  # seconds per key lookup, per code in its bucket
_KEPT = 7e-7  # seconds to insert a code under one key
_PRODUCT, _SCANNED = 2e-11, 2e-10  # seconds per multiplication: in a matrix product, in the scan of a cell
_ROUNDS, _PER_CELL = 6, 50  # k-means iterations; training codes per cell


@dataclass(frozen=True, slots=True)
class Faiss:
    """One of faiss's indexes (auto: `multihash` for binary codes, `ivf` for vectors).

    `bits` and `flips` are options of `multihash`: the bits of a key, and how many of them may differ (0 and -1: chosen
    for the radius). `nlist` and `nprobe` are options of `ivf`: the number of cells (0: by the number of codes), and how
    many of them are searched. `m`, `ef_construction`, `ef` and `k` are options of `hnsw`. With more than one thread its
    graph depends on the order in which threads insert codes, so a few pairs may differ between runs.
    """

    metrics: ClassVar[tuple[str, ...]] = ("hamming", "cosine")
    exact: ClassVar[bool] = False
    library: ClassVar[str] = "faiss"
    package: ClassVar[str] = "faiss-cpu"

    index: Literal["auto", "flat", "multihash", "ivf", "hnsw"] = "auto"
    bits: int = 0
    flips: int = -1
    nlist: int = 0
    nprobe: int = 16  # 8 takes two thirds of the time for a recall 0.01 lower
    m: int = 16
    ef_construction: int = 64
    ef: int = 64
    k: int = 8  # neighbours per query in the first round
    threads: int = field(default=0, metadata={"where": True})  # 0: one per core
    path: str = field(default="", metadata={"where": True})  # the folder where the index is saved

    def __post_init__(self) -> None:
        check_options(self, bits=0, flips=-1, nlist=0, nprobe=1, m=2, ef_construction=1, ef=1, k=1)
        if self.bits > 32:
            raise ValueError(f"bits is at most 32, not {self.bits}")

    def plan(self, queries: NDArray[Any], gallery: NDArray[Any] | None, radius: float) -> Plan:
        kind = kind_of(self, queries)
        name = _KINDS[kind.metric][0] if self.index == "auto" else self.index
        if name not in _KINDS[kind.metric]:
            raise UsageError(
                f"faiss:index={name} does not compare by {kind.metric} distance; these do: "
                f"{', '.join(_KINDS[kind.metric])}"
            )
        counts = rows_of(queries, gallery)
        index = _INDEXES[name](self, kind, counts[1], radius)
        candidates = by_neighbours(self.k) if name == "hnsw" else by_radius
        blocks = blocks_of(self, index, candidates, ready, queries, gallery, radius)
        return Plan(name == "flat", index.seconds(*counts), index.how(), blocks)


class _Index(ABC):
    """Base class of the indexes. The number of OpenMP threads of faiss is limited during each call only."""

    name: ClassVar[str]

    def __init__(self, options: Faiss, kind: Kind, count: int, radius: float) -> None:
        self._options, self._kind, self._radius = options, kind, radius
        self._count = count  # number of codes, equal ones included
        self._index: Any = None

    @abstractmethod
    def how(self) -> str:
        """Return a description of the method for the user."""

    @abstractmethod
    def seconds(self, queries: int, gallery: int) -> float:
        """Return the estimated duration of a search."""

    @abstractmethod
    def _make(self, count: int, sample: Callable[[int], NDArray[Any]]) -> Any:
        """Return a new, empty faiss index, trained on a sample if necessary."""

    def _search_options(self) -> dict[str, int]:
        """Return the search parameters, by their names in faiss; they are not saved with the index."""
        return {}

    def _ready(self, index: Any) -> None:
        for name, value in self._search_options().items():
            setattr(index, name, value)
        self._index = index

    def build_options(self, count: int) -> dict[str, int | str]:
        return {"index": self.name}

    def start(self, count: int, sample: Callable[[int], NDArray[Any]]) -> None:
        with _limit_threads(self._kind.threads):
            self._ready(self._make(count, sample))

    def add(self, codes: NDArray[Any], first: int) -> None:
        with _limit_threads(self._kind.threads):
            self._index.add(codes)

    def save(self, place: str) -> None:
        import faiss

        (faiss.write_index_binary if self._kind.metric == "hamming" else faiss.write_index)(self._index, place)

    def load(self, place: str) -> None:
        import faiss

        self._ready((faiss.read_index_binary if self._kind.metric == "hamming" else faiss.read_index)(place))

    def close(self) -> None:
        self._index = None

    def within(self, queries: NDArray[Any], radius: float) -> Candidates:
        # faiss returns Hamming distances below the limit, or inner products above it
        limit = int(min(radius, self._kind.width)) + 1 if self._kind.metric == "hamming" else 1 - radius
        with _limit_threads(self._kind.threads):
            ends, _, rows = self._index.range_search(queries, limit)
        return np.repeat(np.arange(len(queries)), np.diff(ends.astype(np.int64))), rows


class _Flat(_Index):
    name = "flat"

    def how(self) -> str:
        return "every code compared with every other"

    def seconds(self, queries: int, gallery: int) -> float:
        each = self._kind.width / 64 * 6e-10 if self._kind.metric == "hamming" else self._kind.width * _PRODUCT
        return queries * gallery * each / self._kind.threads

    def _make(self, count: int, sample: Callable[[int], NDArray[Any]]) -> Any:
        import faiss

        return (faiss.IndexBinaryFlat if self._kind.metric == "hamming" else faiss.IndexFlatIP)(self._kind.width)


class _Multihash(_Index):
    name = "multihash"

    def __init__(self, options: Faiss, kind: Kind, count: int, radius: float) -> None:
        super().__init__(options, kind, count, radius)
        self._keys = keys_for(kind.width, int(radius), count, min(options.bits, kind.width), options.flips)

    def how(self) -> str:
        flips = f", {self._keys.flips} of which may differ" if self._keys.flips else ""
        return f"{self._keys.number} keys of {self._keys.bits} bits{flips}"

    def seconds(self, queries: int, gallery: int) -> float:
        return gallery * self._keys.number * _KEPT + queries * self._keys.seconds(gallery) / self._kind.threads

    def build_options(self, count: int) -> dict[str, int | str]:
        return {"index": self.name, "bits": self._keys.bits}

    def _make(self, count: int, sample: Callable[[int], NDArray[Any]]) -> Any:
        import faiss

        return faiss.IndexBinaryMultiHash(self._kind.width, self._keys.number, self._keys.bits)

    def _search_options(self) -> dict[str, int]:
        return {"nflip": self._keys.flips}


class _Ivf(_Index):
    name = "ivf"

    def how(self) -> str:
        cells = self._cells(self._count)
        return f"{min(self._options.nprobe, cells)} of {cells} cells"

    def seconds(self, queries: int, gallery: int) -> float:
        cells = self._cells(gallery)
        products = cells * (min(gallery, cells * _PER_CELL) * _ROUNDS + gallery + queries) * _PRODUCT
        scanned = queries * gallery * min(1.0, self._options.nprobe / cells) * _SCANNED
        return (products + scanned) * self._kind.width / self._kind.threads

    def build_options(self, count: int) -> dict[str, int | str]:
        return {"index": self.name, "nlist": self._cells(count)}

    def _cells(self, count: int) -> int:
        """Return the number of cells; with 4 √n cells, finding the cells costs about as much as scanning them."""
        return min(self._options.nlist, count) or max(1, min(4 * isqrt(count), count // _PER_CELL))

    def _make(self, count: int, sample: Callable[[int], NDArray[Any]]) -> Any:
        import faiss

        cells = self._cells(count)
        index = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(self._kind.width), self._kind.width, cells, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.niter, index.cp.seed = _ROUNDS, 1
        index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, _PER_CELL  # 1: no warning
        index.train(sample(cells * _PER_CELL))
        return index

    def _search_options(self) -> dict[str, int]:
        return {"nprobe": self._options.nprobe}


class _Graph(_Index):
    name = "hnsw"

    def how(self) -> str:
        return f"a graph of {self._options.m} links a code, {self._options.ef} candidates"

    def build_options(self, count: int) -> dict[str, int | str]:
        return {"index": self.name, "m": self._options.m, "ef_construction": self._options.ef_construction}

    def seconds(self, queries: int, gallery: int) -> float:
        return beam_seconds(queries, gallery, self._kind, self._options.ef_construction, self._options.ef)

    def _make(self, count: int, sample: Callable[[int], NDArray[Any]]) -> Any:
        import faiss

        index: Any
        if self._kind.metric == "hamming":
            index = faiss.IndexBinaryHNSW(self._kind.width, self._options.m)
        else:
            index = faiss.IndexHNSWFlat(self._kind.width, self._options.m, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self._options.ef_construction
        return index

    def nearest(self, queries: NDArray[Any], k: int) -> Neighbours:
        self._index.hnsw.efSearch = max(self._options.ef, k)
        with _limit_threads(self._kind.threads):
            found, rows = self._index.search(queries, k)
        return rows, found if self._kind.metric == "hamming" else 1 - found


_INDEXES = {kind.name: kind for kind in (_Flat, _Multihash, _Ivf, _Graph)}


class Keys(NamedTuple):
    """`number` keys of `bits` bits each; a lookup tries all keys with up to `flips` bits flipped."""

    number: int
    bits: int
    flips: int

    def recall(self, width: int, radius: int) -> float:
        """Return the expected recall, averaged over the distances 0 to `radius`.

        The positions of the differing bits are assumed to be random; a pair is found if it matches in one key.
        """
        return sum(1 - (1 - self._share(width, distance)) ** self.number for distance in range(radius + 1)) / (
            radius + 1
        )

    def _share(self, width: int, distance: int) -> float:
        """Return the probability that a pair at a Hamming distance differs in at most `flips` bits of a key."""
        few = sum(
            comb(self.bits, n) * comb(width - self.bits, distance - n) for n in range(min(self.flips, distance) + 1)
        )
        return float(few / comb(width, distance))

    def seconds(self, gallery: int) -> float:
        """Return the estimated seconds per query on one thread."""
        looked_up: int = sum(comb(self.bits, n) for n in range(self.flips + 1))
        return self.number * looked_up * (_LOOKUP + _SKEW * gallery / (1 << self.bits) * _MET)


@cache
def keys_for(width: int, radius: int, count: int, bits: int, flips: int) -> Keys:
    """Return the fastest keys with an expected recall of at least `_RECALL`, else those with the highest recall.

    `bits` and `flips` are fixed if given; 0 and -1 leave them free.
    """
    radius = min(radius, width)
    tried = [
        Keys(width // b, b, f)
        for b in ([bits] if bits else range(min(width, 8), min(width, 24) + 1))
        for f in ([min(flips, b)] if flips >= 0 else range(min(b, 3)))
    ]
    enough = [keys for keys in tried if keys.recall(width, radius) >= _RECALL]
    if enough:
        return min(enough, key=lambda keys: keys.seconds(count))
    return max(tried, key=lambda keys: (keys.recall(width, radius), -keys.seconds(count)))


@contextmanager
def _limit_threads(threads: int) -> Iterator[None]:
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
