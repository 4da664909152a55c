"""The matches of dense clusters, without all their pairs: each image with its representative.

Thousands of frames of a fixed camera match in a number of pairs that grows with its square: 12,000 have 72 million.
The linking rule `star` needs only those of each representative: the best free image takes all free images that it
matches (leader clustering). So the best free images are searched for block by block, and the images that they take are
excluded from the search. The pairs that a report lists are searched for afterwards, group by group; the others are only
counted.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.match.join import join_between
from twinpix.model import Matches
from twinpix.search import Search

MATCHES_LISTED = 10_000  # of one group, in the report
MOST = 1 << 23
"""Largest number of pairs, of about 40 bytes with derived data; above it, only those of representatives are kept."""

_FIRST, _ROWS = 16, 1 << 16  # images that are searched for together: at first, and at most
_MAX_BLOCK_PAIRS = 1 << 22  # pairs that a block may have


class Clusters(NamedTuple):
    """The pairs of representatives, and the pairs of each group that a report lists."""

    matches: Matches
    left_out: dict[int, int]  # for each representative, the number of pairs of its group that `matches` lacks


Without = Callable[[Matches], Matches]
"""A filter of matches."""


def clusters(
    codes: NDArray[Any],
    order: Sequence[int],
    radius: float,
    engine: str,
    listed: int,
    without: Without = lambda matches: matches,
    extra: Matches | None = None,
) -> Clusters:
    """Return the matches that `star` needs, of codes `(n, orientations, width)`.

    `order` has the classes to compare, the best one first. Of each group at least `listed` pairs are kept, if there are
    as many, in that order. `extra` are matches that the search does not find.
    """
    search = _PairSearch(codes, radius, engine, without, extra or Matches.none())
    place = np.full(len(codes), -1, np.int64)
    place[np.array(order, dtype=np.int64)] = np.arange(len(order))
    parts, left_out = list[Matches](), dict[int, int]()
    for leader, found in _stars(search, place, np.array(order, dtype=np.int64)):
        parts.append(found)
        others = np.where(found.i == leader, found.j, found.i)
        others = others[np.argsort(place[others])].astype(np.int64)
        among, rest = _pairs_of_members(search, place, others, listed)
        parts.append(among)
        if rest:
            left_out[leader] = rest
    return Clusters(Matches.concatenate([part for part in parts if len(part)] or [Matches.none()]), left_out)


class _PairSearch:
    """Finds the pairs of some rows with others."""

    def __init__(self, codes: NDArray[Any], radius: float, engine: str, without: Without, extra: Matches) -> None:
        self._codes, self._radius, self._engine = codes, radius, engine
        self._without, self._extra = without, extra

    def between(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> Matches:
        """Return the pairs of one of `rows` with one of `others`, each once."""
        found = join_between(self._codes, rows, others, self._radius, Search(self._engine))
        if len(self._extra):
            mine, theirs = (np.isin(np.arange(len(self._codes)), some) for some in (rows, others))
            i, j = self._extra.i, self._extra.j
            kept = (mine[i] & theirs[j]) | (mine[j] & theirs[i])
            found = Matches.concatenate([found, self._extra.where(kept)])
        return self._without(found)


def _stars(search: _PairSearch, place: NDArray[np.int64], order: NDArray[np.int64]) -> Iterator[tuple[int, Matches]]:
    """Yield each representative that takes any image, the best first, with its pairs."""
    free = np.zeros(len(place), dtype=bool)
    free[order] = True
    at, count = 0, _FIRST
    while at < len(order):
        block = order[at:][free[order[at:]]][:count]
        if not len(block):
            return
        found = search.between(block, np.flatnonzero(free))
        for leader, pairs in _by_leader(found, block, place):
            if free[leader]:
                free[leader] = False
                others = np.where(pairs.i == leader, pairs.j, pairs.i)
                kept = free[others]
                free[others] = False
                if kept.any():
                    yield leader, pairs.where(kept)
        free[block] = False
        at = int(place[block[-1]]) + 1
        dense = len(found) / len(block)
        count = int(min(_ROWS, 2 * count, max(1, _MAX_BLOCK_PAIRS / max(dense, 1))))


def _by_leader(found: Matches, block: NDArray[np.int64], place: NDArray[np.int64]) -> Iterator[tuple[int, Matches]]:
    """Yield the classes of a block that have pairs, the best first, with the pairs in which each is the better one."""
    better = np.where(place[found.i] < place[found.j], found.i, found.j)
    ranks = place[better]
    by_rank = np.argsort(ranks, kind="stable")
    for leader in block.tolist():
        start, stop = np.searchsorted(ranks, (place[leader], place[leader] + 1), sorter=by_rank)
        if stop > start:
            yield leader, found.where(by_rank[start:stop])


def _pairs_of_members(
    search: _PairSearch, place: NDArray[np.int64], others: NDArray[np.int64], listed: int
) -> tuple[Matches, int]:
    """Return pairs of the members of a group, at least `listed` if there are as many, and the number of the others."""
    parts, kept, rest = list[Matches](), 0, 0
    rows = max(1, _MAX_BLOCK_PAIRS // max(1, len(others)))
    for at in range(0, len(others) - 1, rows):
        found = search.between(others[at : at + rows], others[at:])
        if kept < listed:
            first = np.minimum(place[found.i], place[found.j])
            found = found.where(np.argsort(first, kind="stable"))
            ends = (
                np.flatnonzero(np.diff(np.sort(first))) + 1
            )  # all pairs of a row are listed, because they have another order
            enough = ends[ends >= listed - kept]
            stop = int(enough[0]) if len(enough) else len(found)
            parts.append(found.where(np.arange(stop)))
            kept, rest = kept + stop, rest + len(found) - stop
        else:
            rest += len(found)
    return Matches.concatenate(parts or [Matches.none()]), rest
