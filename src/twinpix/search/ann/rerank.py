"""Range join with an approximate index: query in blocks, then compute the exact distances of the candidates.

The index holds the distinct codes of the gallery, in an order that depends only on the codes. Candidates whose distance
by the library exceeds the radius plus a tolerance are dropped; the distances of the others are computed exactly. If the
farthest neighbour of a query is still within the radius, the query is repeated with twice as many neighbours.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from math import log2
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import xxhash
from numpy.typing import NDArray

from twinpix.errors import UsageError
from twinpix.machine import cores
from twinpix.search.base import OnProgress, Pairs, cosine_distances, kind_of_distances, metric_of, unit, words
from twinpix.search.external_sort import Ordered
from twinpix.search.unique import collapse_by_digest, equals, expand_pairs

_ASKED = 1 << 13  # maximum queries per batch
_FOUND = 1 << 21  # target for the maximum number of candidates per batch
_NUMBERS = 1 << 22  # components per block of exact distances
_MOST = 1 << 20  # maximum value of any option
EDGE = {"hamming": 0.0, "cosine": 1e-3}
"""Bound on the error of a library's distances; it is added to the radius before candidates are dropped."""

RowIndices64 = NDArray[np.int64]
Candidates = tuple[RowIndices64, RowIndices64]  # rows of the queries, rows of the index
Neighbours = tuple[NDArray[Any], NDArray[Any]]  # `(n, k)` rows of the index (-1: no neighbour), and `(n, k)` distances


class Kind(NamedTuple):
    """Metric and width of the indexed codes, and the number of threads."""

    metric: str
    width: int  # bits, or components
    threads: int


class Options(Protocol):
    """The attributes of a back end that uses a library."""

    library: ClassVar[str]  # module name
    package: ClassVar[str]  # distribution name for pip

    @property
    def threads(self) -> int: ...  # 0: one per core

    @property
    def path(self) -> str: ...  # the folder where the index is saved; "": it is not saved


class LibraryIndex(Protocol):
    """A library's index of codes: packed bits as uint8 rows, or unit vectors as float32 rows.

    A `RuntimeError`, `ValueError` or `MemoryError` of a method becomes a `UsageError`.
    """

    def build_options(self, count: int) -> dict[str, int | str]:
        """Return the options that determine the index of `count` codes; a saved index is reused only if they match."""

    def start(self, count: int, sample: Callable[[int], NDArray[Any]]) -> None:
        """Create an empty index for `count` codes; `sample(n)` returns `n` random ones of them, or all."""

    def add(self, codes: NDArray[Any], first: int) -> None:
        """Add codes as the rows from `first` on."""

    def save(self, place: str) -> None:
        """Write the index to the file `place`."""

    def load(self, place: str) -> None:
        """Load the file that `save` wrote, instead of `start` and `add`."""

    def close(self) -> None:
        """Free the index."""


class Nearest(LibraryIndex, Protocol):
    """An index with k-nearest-neighbour search."""

    def nearest(self, queries: NDArray[Any], k: int) -> Neighbours:
        """Return the `k` nearest rows of the index for each query, nearest first."""


class Within(LibraryIndex, Protocol):
    """An index with range search."""

    def within(self, queries: NDArray[Any], radius: float) -> Candidates:
        """Return candidate pairs for the radius, in bits or in cosine distance."""


# -- libraries and options -----------------------------------------------------------------------------


def is_there(library: str) -> bool:
    """True if the module is installed."""
    return find_spec(library) is not None


def require(backend: Any) -> None:
    """Raise `UsageError` if a back end needs a library that is not installed."""
    if hasattr(backend, "library") and not is_there(backend.library):
        raise UsageError(f"{backend.package} is not installed: pip install 'twinpix[search]'")


def version_of(backend: Options) -> str:
    """Return the version of the back end's library; "unknown" if its package is not installed under that name."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(backend.package)
    except PackageNotFoundError:  # the module is from another package
        return "unknown"


def check_options(backend: Options, **least: float) -> None:
    """Raise `ValueError` for an option below its minimum or above `_MOST`."""
    for name, bound in {"threads": 0, **least}.items():
        value = getattr(backend, name)
        if not bound <= value <= _MOST:
            raise ValueError(f"{name} is between {bound:g} and {_MOST:,}, not {value:g}")


def rows_of(queries: NDArray[Any], gallery: NDArray[Any] | None) -> tuple[int, int]:
    """Return the number of queries and of gallery codes."""
    return len(queries), len(queries if gallery is None else gallery)


def kind_of(backend: Options, codes: NDArray[Any]) -> Kind:
    """Return the `Kind` of an index of these codes. Raises `UsageError` if the back end's library is not installed."""
    require(backend)
    metric = metric_of(codes)
    return Kind(metric, codes.shape[1] * (8 if metric == "hamming" else 1), backend.threads or cores())


def ask(package: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a library function; convert its `MemoryError`, `RuntimeError` and `ValueError` to a `UsageError`."""
    try:
        return function(*arguments)
    except MemoryError:
        why = "there is not enough memory"
    except (RuntimeError, ValueError) as error:
        why = str(error).strip().rpartition("\n")[2].rpartition(": ")[2][:200] or type(error).__name__
    raise UsageError(f"{package} cannot do this: {why}; take other options or another back end (see twinpix methods)")


def beam_seconds(queries: int, gallery: int, kind: Kind, built: int, asked: int) -> float:
    """Return the estimated seconds of an HNSW graph with `built` candidates at construction and `asked` per query.

    For each candidate some codes are compared, each with a cache miss.
    """
    numbers = kind.width / 64 if kind.metric == "hamming" else kind.width
    of_candidate = 15 * (1e-7 + numbers * 2e-10) * log2(gallery + 2) / 16
    return of_candidate * (gallery * built + queries * asked) / kind.threads


# -- the join ------------------------------------------------------------------------------------------


class DistinctCodes:
    """The distinct codes of one side of a join, sorted by their digests."""

    def __init__(self, codes: NDArray[Any]) -> None:
        self.metric = metric_of(codes)
        self.kind = kind_of_distances(codes)
        self.width = codes.shape[1] * (8 if self.metric == "hamming" else 1)  # bits, or components
        self._codes = codes
        unique, self.equal = collapse_by_digest(codes)
        self._rows = self.equal.order[self.equal.starts[:-1]]
        self.digest = xxhash.xxh3_128_hexdigest(unique.data)

    def __len__(self) -> int:
        return len(self._rows)

    def codes(self, at: slice | RowIndices64) -> NDArray[Any]:
        """Return codes in the form for libraries: uint8 bits, or float32 unit vectors."""
        codes = self._read_codes(at)
        return codes if self.metric == "hamming" else unit(codes)

    def sample(self, count: int) -> NDArray[Any]:
        """Return `count` random codes, or all: the order of the digests is random."""
        return self.codes(slice(0, count))

    def distances_to(self, other: "DistinctCodes", mine: RowIndices64, theirs: RowIndices64) -> NDArray[Any]:
        """Return the exact distances of pairs, computed in blocks to limit the memory."""
        out = np.empty(len(mine), self.kind)
        step = max(1, _NUMBERS // self._codes.shape[1])
        for at in range(0, len(mine), step):
            some = slice(at, at + step)
            a, b = self._read_codes(mine[some]), other._read_codes(theirs[some])
            if self.metric == "hamming":
                out[some] = np.bitwise_count(words(a) ^ words(b)).sum(axis=1, dtype=np.int32)
            else:
                out[some] = cosine_distances(a, b)
        return out

    def _read_codes(self, at: slice | RowIndices64) -> NDArray[Any]:
        return np.asarray(self._codes[self._rows[at]])


def blocks_of(
    backend: Options,
    index: LibraryIndex,
    candidates: Callable[..., Iterator[Pairs]],
    ready: Callable[[LibraryIndex, DistinctCodes, Options, OnProgress], None],
    queries: NDArray[Any],
    gallery: NDArray[Any] | None,
    radius: float,
) -> Callable[[OnProgress], Iterator[Pairs]]:
    """Return `Plan.blocks`. `ready` builds or loads the index; `candidates` is `by_radius` or `by_neighbours(k)`.

    Building the index is the first half of the progress, the queries are the second.
    """

    def blocks(on_progress: OnProgress) -> Iterator[Pairs]:
        left = DistinctCodes(queries)
        right = left if gallery is None else DistinctCodes(gallery)
        with closing(index):
            ready(index, right, backend, lambda share: on_progress(share / 2))
            found = candidates(index, left, right, radius, backend.package, lambda share: on_progress(0.5 + share / 2))
            if gallery is None:
                yield from _once(found, left)
                yield from equals(left.equal, left.kind)
            else:
                for pairs in found:
                    yield from expand_pairs(pairs, left.equal, right.equal, half=False)

    return blocks


def _once(found: Iterator[Pairs], side: DistinctCodes) -> Iterator[Pairs]:
    """Yield each pair of a self-join once: an approximate index may find it from one code, from the other or both."""
    low_first = ((np.minimum(i, j)[i != j], np.maximum(i, j)[i != j], distance[i != j]) for i, j, distance in found)
    with Ordered(low_first, side.kind) as ordered:
        for i, j, distance in ordered.blocks():
            new = np.ones(len(i), dtype=bool)
            new[1:] = (i[1:] != i[:-1]) | (j[1:] != j[:-1])
            yield from expand_pairs((i[new], j[new], distance[new]), side.equal, side.equal, half=True)


def by_radius(
    index: Within, left: DistinctCodes, right: DistinctCodes, radius: float, package: str, on_progress: OnProgress
) -> Iterator[Pairs]:
    """Yield the pairs of a code of `left` and a code of `right` within the radius.

    The batch size is adapted so that a batch has about `_FOUND` candidates at most.
    """
    edge = radius + EDGE[left.metric]
    start, step = 0, 64
    while start < len(left):
        stop = min(start + step, len(left))
        i, j = ask(package, index.within, left.codes(slice(start, stop)), edge)
        yield _exact(left, right, i + start, j, radius)
        step = max(1, min(2 * step, _ASKED, (stop - start) * _FOUND // max(len(i), 1)))
        start = stop
        on_progress(start / len(left))


def by_neighbours(k: int) -> Callable[..., Iterator[Pairs]]:
    """Return a function like `by_radius` for an index with k-nearest-neighbour search.

    It requests `k` neighbours first, then twice as many while the farthest one is within the radius.
    """
    return partial(_by_neighbours, k)


def _by_neighbours(
    k: int,
    index: Nearest,
    left: DistinctCodes,
    right: DistinctCodes,
    radius: float,
    package: str,
    on_progress: OnProgress,
) -> Iterator[Pairs]:
    for start in range(0, len(left), _ASKED):
        waiting = np.arange(start, min(start + _ASKED, len(left)))
        wanted = min(k, len(right))
        while len(waiting):
            step, again = max(1, _FOUND // wanted), []
            for at in range(0, len(waiting), step):
                rows = waiting[at : at + step]
                found, distance = ask(package, index.nearest, left.codes(rows), wanted)
                near = (found >= 0) & (distance <= radius + EDGE[left.metric])
                more = near[:, -1] & (wanted < len(right))
                again.append(rows[more])
                of, column = np.nonzero(near & ~more[:, None])
                yield _exact(left, right, rows[of], found[of, column].astype(np.int64), radius)
            waiting = np.concatenate(again)
            wanted = min(2 * wanted, len(right))
        on_progress(min(1.0, (start + _ASKED) / len(left)))


def _exact(left: DistinctCodes, right: DistinctCodes, i: RowIndices64, j: RowIndices64, radius: float) -> Pairs:
    """Return the pairs that are within the radius, with their exact distances."""
    distance = left.distances_to(right, i, j)
    kept = distance <= np.float32(radius)
    return i[kept], j[kept], distance[kept]
