"""The join by an approximate index: blocks of queries, neighbours until they are too far, the exact check.

A library's index holds the different codes of the gallery, in an order that depends on nothing but the codes.
It is asked for candidates; by its word on their distances only those far beyond the radius are left out, and what
remains is computed exactly. A query whose furthest candidate is not beyond the radius is asked again for twice as
many.
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
from twinpix.search.unique import digested, equals, expanded

_ASKED = 1 << 13  # queries that are asked together
_FOUND = 1 << 21  # candidates that they should find, at most
_NUMBERS = 1 << 22  # of pairs whose distances are computed together
_MOST = 1 << 20  # of any option
EDGE = {"hamming": 0.0, "cosine": 1e-3}
"""By so much a library's distances may be wrong: candidates that far beyond the radius are looked at as well."""

Rows = NDArray[np.int64]
Candidates = tuple[Rows, Rows]  # rows of the queries asked, rows of the index
Neighbours = tuple[NDArray[Any], NDArray[Any]]  # `(n, k)` rows of the index, -1 where it finds no more; distances


class Kind(NamedTuple):
    """What is indexed, and with how many threads."""

    metric: str
    width: int  # bits, or numbers
    threads: int


class Options(Protocol):
    """What a back end that uses a library has."""

    library: ClassVar[str]  # the module
    package: ClassVar[str]  # what pip calls it

    @property
    def threads(self) -> int: ...  # 0: one a core

    @property
    def path(self) -> str: ...  # the folder in which the index is kept; "": it is not


class Index(Protocol):
    """A library's index of codes: uint8 rows of bits, or float32 rows of length 1.

    A `RuntimeError`, `ValueError` or `MemoryError` of a method becomes a `UsageError`.
    """

    def built(self, count: int) -> dict[str, int | str]:
        """By which options an index of so many codes is built: with others it is another."""

    def start(self, count: int, sample: Callable[[int], NDArray[Any]]) -> None:
        """Begin an index of so many codes; `sample(n)` gives `n` of them by chance, or all."""

    def add(self, codes: NDArray[Any], first: int) -> None:
        """Take up codes as the rows from `first` on."""

    def save(self, place: str) -> None:
        """Write the index as a file of that name."""

    def load(self, place: str) -> None:
        """Take up what `save` wrote, instead of `start` and `add`."""

    def close(self) -> None:
        """Free the index."""


class Nearest(Index, Protocol):
    """One that finds so many neighbours."""

    def nearest(self, queries: NDArray[Any], k: int) -> Neighbours:
        """Rows of the index, nearest first."""


class Within(Index, Protocol):
    """One that finds what lies within a radius."""

    def within(self, queries: NDArray[Any], radius: float) -> Candidates:
        """Pairs that may lie within the radius, in bits or in cosine distance."""


# -- libraries and options -----------------------------------------------------------------------------


def is_there(library: str) -> bool:
    """True when the module is installed."""
    return find_spec(library) is not None


def require(backend: Any) -> None:
    """Raise `UsageError` when a back end needs a library that is not installed."""
    if hasattr(backend, "library") and not is_there(backend.library):
        raise UsageError(f"{backend.package} is not installed: pip install 'twinpix[search]'")


def version_of(backend: Options) -> str:
    """Of the back end's library."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(backend.package)
    except PackageNotFoundError:  # the module comes with another package
        return "unknown"


def check_options(backend: Options, **least: float) -> None:
    """Raise `ValueError` for an option below its least value, or far above any use."""
    for name, bound in {"threads": 0, **least}.items():
        value = getattr(backend, name)
        if not bound <= value <= _MOST:
            raise ValueError(f"{name} is between {bound:g} and {_MOST:,}, not {value:g}")


def rows_of(queries: NDArray[Any], gallery: NDArray[Any] | None) -> tuple[int, int]:
    """How many codes are asked for, and in how many."""
    return len(queries), len(queries if gallery is None else gallery)


def kind_of(backend: Options, codes: NDArray[Any]) -> Kind:
    """What an index of such codes is of; raises `UsageError` when the back end's library is not installed."""
    require(backend)
    metric = metric_of(codes)
    return Kind(metric, codes.shape[1] * (8 if metric == "hamming" else 1), backend.threads or cores())


def ask(package: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a library; what goes wrong in it becomes a `UsageError`."""
    try:
        return function(*arguments)
    except MemoryError:
        why = "there is not enough memory"
    except (RuntimeError, ValueError) as error:
        why = str(error).strip().rpartition("\n")[2].rpartition(": ")[2][:200] or type(error).__name__
    raise UsageError(f"{package} cannot do this: {why}; take other options or another back end (see twinpix methods)")


def beam_seconds(queries: int, gallery: int, kind: Kind, built: int, asked: int) -> float:
    """Reckoned seconds of a graph: so many candidates are kept while it is built, and while it is asked.

    For each of them some codes are looked at, which are in no cache.
    """
    numbers = kind.width / 64 if kind.metric == "hamming" else kind.width
    look = 15 * (1e-7 + numbers * 2e-10) * log2(gallery + 2) / 16
    return look * (gallery * built + queries * asked) / kind.threads


# -- the join ------------------------------------------------------------------------------------------


class Side:
    """The different codes of one side of a join, in the order of their digests."""

    def __init__(self, codes: NDArray[Any]) -> None:
        self.metric = metric_of(codes)
        self.kind = kind_of_distances(codes)
        self.width = codes.shape[1] * (8 if self.metric == "hamming" else 1)  # bits, or numbers
        self._codes = codes
        unique, self.equal = digested(codes)
        self._rows = self.equal.order[self.equal.starts[:-1]]
        self.digest = xxhash.xxh3_128_hexdigest(unique.data)

    def __len__(self) -> int:
        return len(self._rows)

    def codes(self, at: slice | Rows) -> NDArray[Any]:
        """Codes as libraries take them."""
        codes = self._given(at)
        return codes if self.metric == "hamming" else unit(codes)

    def sample(self, count: int) -> NDArray[Any]:
        """So many codes, or all there are: the order of digests is one of chance."""
        return self.codes(slice(0, count))

    def apart(self, other: "Side", mine: Rows, theirs: Rows) -> NDArray[Any]:
        """The exact distances of pairs; no more are computed at once than fit into memory."""
        out = np.empty(len(mine), self.kind)
        step = max(1, _NUMBERS // self._codes.shape[1])
        for at in range(0, len(mine), step):
            some = slice(at, at + step)
            a, b = self._given(mine[some]), other._given(theirs[some])
            if self.metric == "hamming":
                out[some] = np.bitwise_count(words(a) ^ words(b)).sum(axis=1, dtype=np.int32)
            else:
                out[some] = cosine_distances(a, b)
        return out

    def _given(self, at: slice | Rows) -> NDArray[Any]:
        return np.asarray(self._codes[self._rows[at]])


def blocks_of(
    backend: Options,
    index: Index,
    candidates: Callable[..., Iterator[Pairs]],
    ready: Callable[[Index, Side, Options, OnProgress], None],
    queries: NDArray[Any],
    gallery: NDArray[Any] | None,
    radius: float,
) -> Callable[[OnProgress], Iterator[Pairs]]:
    """The blocks of a plan; `ready` builds or loads the index, `candidates` is `by_radius`, or `by_neighbours(k)`.

    Of the progress, building the index is the first half and the queries are the second.
    """

    def blocks(on_progress: OnProgress) -> Iterator[Pairs]:
        left = Side(queries)
        right = left if gallery is None else Side(gallery)
        with closing(index):
            ready(index, right, backend, lambda share: on_progress(share / 2))
            found = candidates(index, left, right, radius, backend.package, lambda share: on_progress(0.5 + share / 2))
            if gallery is None:
                yield from _once(found, left)
                yield from equals(left.equal, left.kind)
            else:
                for pairs in found:
                    yield from expanded(pairs, left.equal, right.equal, half=False)

    return blocks


def _once(found: Iterator[Pairs], side: Side) -> Iterator[Pairs]:
    """The pairs of a self-join, each once: a graph may lead from the one code to the other, back, or both ways."""
    low_first = ((np.minimum(i, j)[i != j], np.maximum(i, j)[i != j], apart[i != j]) for i, j, apart in found)
    with Ordered(low_first, side.kind) as ordered:
        for i, j, apart in ordered.blocks():
            new = np.ones(len(i), dtype=bool)
            new[1:] = (i[1:] != i[:-1]) | (j[1:] != j[:-1])
            yield from expanded((i[new], j[new], apart[new]), side.equal, side.equal, half=True)


def by_radius(
    index: Within, left: Side, right: Side, radius: float, package: str, on_progress: OnProgress
) -> Iterator[Pairs]:
    """Pairs of a code of `left` and one of `right` within the radius.

    As many codes are asked for together as find about as many candidates as may be held.
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
    """As `by_radius`, with an index that gives so many neighbours: first `k`, then more of them where they are near."""
    return partial(_by_neighbours, k)


def _by_neighbours(
    k: int, index: Nearest, left: Side, right: Side, radius: float, package: str, on_progress: OnProgress
) -> Iterator[Pairs]:
    for start in range(0, len(left), _ASKED):
        waiting = np.arange(start, min(start + _ASKED, len(left)))
        wanted = min(k, len(right))
        while len(waiting):
            step, again = max(1, _FOUND // wanted), []
            for at in range(0, len(waiting), step):
                rows = waiting[at : at + step]
                found, apart = ask(package, index.nearest, left.codes(rows), wanted)
                near = (found >= 0) & (apart <= radius + EDGE[left.metric])
                more = near[:, -1] & (wanted < len(right))
                again.append(rows[more])
                of, column = np.nonzero(near & ~more[:, None])
                yield _exact(left, right, rows[of], found[of, column].astype(np.int64), radius)
            waiting = np.concatenate(again)
            wanted = min(2 * wanted, len(right))
        on_progress(min(1.0, (start + _ASKED) / len(left)))


def _exact(left: Side, right: Side, i: Rows, j: Rows, radius: float) -> Pairs:
    """Those that are within the radius."""
    apart = left.apart(right, i, j)
    kept = apart <= np.float32(radius)
    return i[kept], j[kept], apart[kept]
