"""Range joins: choose a back end, sort its pairs, and estimate the recall of an approximate search."""

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from twinpix import plugins
from twinpix.errors import UsageError
from twinpix.search.base import (
    AT_ONCE,
    FARTHEST,
    Backend,
    OnProgress,
    Pairs,
    Plan,
    Workers,
    kind_of_distances,
    metric_of,
    no_pairs,
    no_progress,
)
from twinpix.search.external_sort import Ordered

Blocks = Generator[Pairs, None, None]
"""Sorted pairs in blocks. `close()` ends the iteration early and frees its resources."""

SMALL = 150_000_000
"""Up to this many 64-bit word comparisons numpy is faster than a compiled kernel, whose compilation takes time."""

WORTH_SENDING = 5.0
"""Seconds. A shorter exact search takes less time here than sending its codes to other machines and loading there."""

PATIENCE = 60.0
"""Seconds. If an exact search would take longer, `auto` names an approximate search that would be faster."""

_RECALL_ROWS = 200  # rows that are also searched exactly, to estimate the recall of an approximate search
_APPROXIMATE = "faiss"  # for both metrics the fastest back end with a recall above 0.95 (docs/search.md)
_REMOVED = ("hnsw", "ngt", "usearch")  # back ends of earlier versions


@dataclass(slots=True)
class How:
    """The search that ran: its back end, its method and the reason; for an approximate one also its sampled recall."""

    backend: str
    exact: bool
    why: str
    sampled: int = 0  # pairs that an exact search of the sampled rows found
    found: int = 0  # how many of them the approximate search found too

    def __str__(self) -> str:
        return f"search: {self.in_words()}"

    def in_words(self) -> str:
        """Return the text of `str()` without the prefix `search: `."""
        if self.exact:
            return f"{self.backend}, exact: {self.why}"
        if not self.sampled:
            return f"{self.backend}, approximate: {self.why}; its recall is not known: a sample has no pairs"
        share = f"{self.found:,} of {self.sampled:,} pairs of a sample found (recall {self.found / self.sampled:.3f})"
        return f"{self.backend}, approximate: {self.why}; {share}"


class Search:
    """Joins with the back end `spec`; `auto` chooses an exact back end by metric and number of comparisons.

    `on_progress` receives the fraction of the join that is done; an exception from it ends the join. `hows` records
    the searches that ran. A join raises `TooManyError` when it finds more than `most` pairs. With `workers` on other
    machines, long exact Hamming joins run there.
    """

    def __init__(
        self,
        spec: str = "auto",
        on_progress: OnProgress = no_progress,
        most: float = math.inf,
        workers: Workers | None = None,
    ) -> None:
        self.spec, self.hows = spec, list[How]()
        self._on_progress, self._most = on_progress, most
        self._workers = workers

    def self_join(self, codes: NDArray[Any], radius: float) -> Pairs:
        """Return the pairs of the function `self_join`."""
        with closing(self._order(check_codes(codes, radius), None, radius)) as found:
            return found.arrays()

    def join(self, queries: NDArray[Any], gallery: NDArray[Any], radius: float, own: int = 0) -> Pairs:
        """Return the pairs of the function `join`.

        If the gallery has `own` rows for each query (0: none), pairs of a query with its own rows do not count in the
        recall estimate.
        """
        with closing(self._order(*check_both(queries, gallery, radius), radius, own)) as found:
            return found.arrays()

    def self_join_blocks(self, codes: NDArray[Any], radius: float) -> Blocks:
        """Return the blocks of the function `self_join_blocks`."""
        return self._blocks(check_codes(codes, radius), None, radius)

    def join_blocks(self, queries: NDArray[Any], gallery: NDArray[Any], radius: float) -> Blocks:
        """Return the pairs of `join`, in the same order, in blocks of bounded size."""
        return self._blocks(*check_both(queries, gallery, radius), radius)

    def _blocks(self, queries: NDArray[Any], gallery: NDArray[Any] | None, radius: float) -> Blocks:
        """Yield the sorted pairs of codes that the caller has checked: errors are raised at its call, not here."""
        with closing(self._order(queries, gallery, radius)) as found:
            yield from found.blocks()

    def _order(self, queries: NDArray[Any], gallery: NDArray[Any] | None, radius: float, own: int = 0) -> Ordered:
        radius = limit(queries, radius)
        kind = kind_of_distances(queries)
        if not len(queries) or (gallery is not None and not len(gallery)):
            return Ordered([no_pairs(kind)], kind)
        plan, how = choose(self.spec, queries, gallery, radius)
        if self._workers is not None and plan.blocks_on is not None and plan.seconds > WORTH_SENDING:
            plan = plan._replace(blocks=partial(plan.blocks_on, self._workers))
        self.hows.append(how)
        last = _LastProgress(self._on_progress)
        with closing(cast(Any, plan.blocks(last))) as blocks:
            if plan.exact:
                return Ordered(last.again(blocks), kind, self._most)
            sample = _Sample(queries, gallery, radius, own)
            found = Ordered(sample.watch(last.again(blocks)), kind, self._most)
        how.sampled, how.found = len(sample.pairs), sample.found
        return found


def self_join(
    codes: NDArray[Any], radius: float, backend: str = "auto", on_progress: OnProgress = no_progress
) -> Pairs:
    """Return all pairs of codes with a distance of at most `radius`.

    `codes` is `(n, bytes)` uint8, compared by Hamming distance, or `(n, d)` floats, compared by cosine distance
    (1 - cosine, rounded to four decimals; the vectors need not have unit length). Returns arrays `i, j, distance` with
    `i < j`, sorted by `i` then `j`; the radius is inclusive. `on_progress` receives the fraction done and may raise to
    cancel the search. Raises `ValueError` for codes of another dtype or shape, vectors that are not finite or all
    zero, or a negative radius.
    """
    return Search(backend, on_progress).self_join(codes, radius)


def join(
    queries: NDArray[Any],
    gallery: NDArray[Any],
    radius: float,
    backend: str = "auto",
    on_progress: OnProgress = no_progress,
) -> Pairs:
    """Return all pairs of a query and a gallery code with a distance of at most `radius`; see `self_join`."""
    return Search(backend, on_progress).join(queries, gallery, radius)


def self_join_blocks(
    codes: NDArray[Any], radius: float, backend: str = "auto", on_progress: OnProgress = no_progress
) -> Blocks:
    """Return the pairs of `self_join`, in the same order, in blocks of bounded size.

    Pairs that do not fit in memory are kept in temporary files. Raises `OutputError` when the disk is full.
    """
    return Search(backend, on_progress).self_join_blocks(codes, radius)


def check(spec: str, metric: str) -> None:
    """Raise `UsageError` for a back end that does not exist, is not installed or does not support `metric`."""
    if spec != "auto":
        from twinpix.search.ann.rerank import require

        require(_make_backend(spec, metric))


def choose(spec: str, queries: NDArray[Any], gallery: NDArray[Any] | None, radius: float) -> tuple[Plan, How]:
    """Return the plan of the back end `spec`; `auto` chooses one by metric and number of comparisons.

    Raises `UsageError` for a back end that does not exist, does not support the metric or cannot run.
    """
    metric = metric_of(queries)
    if spec != "auto":
        backend = _make_backend(spec, metric)
        plan = backend.plan(queries, gallery, radius)
        return plan, How(plugins.describe(backend), plan.exact, plan.how)
    rows = len(queries) if gallery is None else len(gallery)
    words = len(queries) * rows * queries.shape[1] // (16 if gallery is None else 8)
    name = "cosine" if metric == "cosine" else "oracle" if words <= SMALL else "banded"
    plan = _make_backend(name, metric).plan(queries, gallery, radius)
    how = How(name, True, f"{plan.how}, about {_time(plan.seconds)}")
    if plan.seconds > PATIENCE:
        how.why += _faster_note(queries, gallery, radius, plan.seconds)
    return plan, how


def _faster_note(queries: NDArray[Any], gallery: NDArray[Any] | None, radius: float, seconds: float) -> str:
    """Return a note that names a faster approximate search, or "" if none is faster.

    `auto` never runs an approximate search: the user must request it.
    """
    from twinpix.search.ann.rerank import is_there

    other = _make_backend(_APPROXIMATE, metric_of(queries))
    if not is_there(cast(Any, other).library):
        return " (pip install 'twinpix[search]' for an approximate search, which may be faster)"
    needed = other.plan(queries, gallery, radius).seconds
    if needed >= seconds:
        return ""
    return f" (the approximate search {plugins.describe(other)} would take about {_time(needed)}, and may miss pairs)"


def _make_backend(spec: str, metric: str) -> Backend:
    name, _ = plugins.parse(spec)
    if name in _REMOVED and not plugins.exists("search", name):
        raise UsageError(
            f"the search back end {name} was removed: use faiss:index=hnsw, or auto, which is exact and usually faster"
        )
    backend = cast(Backend, plugins.make("search", spec))
    if metric not in backend.metrics:
        able = [name for name in plugins.names("search") if metric in plugins.load("search", name).metrics]
        raise UsageError(f"{spec} does not compare by {metric} distance; these do: {', '.join(able)}")
    return backend


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class _LastProgress:
    """Repeats the last progress value for every block, so that a callback can cancel while equal codes are expanded.

    Equal codes can give very many blocks at the end of a search, after the last progress value.
    """

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress, self._share = on_progress, 0.0

    def __call__(self, share: float) -> None:
        self._share = share
        self._on_progress(share)

    def again(self, blocks: Iterator[Pairs]) -> Iterator[Pairs]:
        for block in blocks:
            yield block
            self._on_progress(self._share)


class _Sample:
    """Estimates recall: searches evenly sampled rows exactly, and counts how many of those pairs the search finds."""

    def __init__(self, queries: NDArray[Any], gallery: NDArray[Any] | None, radius: float, own: int) -> None:
        self._own = own
        self._rows = np.unique(np.linspace(0, len(queries) - 1, _RECALL_ROWS).astype(np.int64))
        self._self = gallery is None
        exact = Search("cosine" if metric_of(queries) == "cosine" else "banded")
        i, j, _ = exact.join(queries[self._rows], queries if gallery is None else gallery, radius)
        self.pairs = self._keys(self._rows[i], j)
        self.found = 0

    def watch(self, blocks: Iterator[Pairs]) -> Iterator[Pairs]:
        for block in blocks:
            i, j, _ = block
            mine = np.isin(i, self._rows) | (np.isin(j, self._rows) if self._self else False)
            self.found += int(np.isin(self._keys(i[mine], j[mine]), self.pairs).sum())
            yield block

    def _keys(self, i: NDArray[Any], j: NDArray[Any]) -> NDArray[np.int64]:
        """Return each pair as one int64; for a self-join unordered and without pairs of a row with itself."""
        low, high = i.astype(np.int64), j.astype(np.int64)
        if self._self:
            low, high = np.minimum(low, high), np.maximum(low, high)
        if self._self or self._own:
            other = low != high // (self._own or 1)
            low, high = low[other], high[other]
        return np.unique((low << 32) | high)


def check_both(queries: NDArray[Any], gallery: NDArray[Any], radius: float) -> tuple[NDArray[Any], NDArray[Any]]:
    queries, gallery = check_codes(queries, radius), check_codes(gallery, radius)
    if metric_of(queries) != metric_of(gallery):
        raise ValueError("queries and gallery are both bits, or both floats")
    if queries.shape[1] != gallery.shape[1]:
        unit = "bytes" if queries.dtype == np.uint8 else "numbers"
        raise ValueError(f"queries of {queries.shape[1]} {unit}, gallery of {gallery.shape[1]}: widths must agree")
    return queries, gallery


def limit(codes: NDArray[Any], radius: float) -> float:
    """Return the radius for back ends: an integer for Hamming, at most `FARTHEST` for cosine."""
    return int(radius) if metric_of(codes) == "hamming" else float(min(radius, FARTHEST))


def check_codes(codes: NDArray[Any], radius: float) -> NDArray[Any]:
    codes = np.asarray(codes)
    floats = np.issubdtype(codes.dtype, np.floating) and codes.dtype.itemsize <= 8
    if (codes.dtype != np.uint8 and not floats) or codes.ndim != 2 or codes.shape[1] == 0:
        raise ValueError(
            f"codes must be (n, bytes) uint8 or (n, d) floats of at most 64 bits, not {codes.shape} {codes.dtype}"
        )
    if len(codes) >= 2**31:
        raise ValueError(f"{len(codes):,} codes are too many: no more than {2**31 - 1:,} are compared at once")
    if not 0 <= radius < np.inf:
        raise ValueError(f"the radius must not be negative, and is finite; it is {radius}")
    if not floats and radius % 1:
        raise ValueError(f"the radius of bits is a whole number, not {radius}")
    for at in range(0, len(codes) if floats else 0, AT_ONCE):
        some = codes[at : at + AT_ONCE]
        if not np.isfinite(some).all():
            raise ValueError("codes must be finite numbers")
        if not some.any(axis=1).all():
            raise ValueError("a code of zeros has no direction")
    return codes
