"""From codes to accepted pairs of classes."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.fingerprints import Fingerprint
from twinpix.model import Bytes2D, Matches, numbers, numbers_or_none
from twinpix.search import PATIENCE, Search


def match(
    codes: NDArray[Any], first: NDArray[np.int64], second: NDArray[np.int64], radius: float, search: Search
) -> Matches:
    """Return pairs within the radius among the rows `first`, and of a row in `first` with one in `second`.

    `codes` is `(n, orientations, width)`, bits or floats; the distance is the minimum over 1 or 8 orientations.
    """
    return Matches.concatenate(
        [_within(codes, first, radius, search), _join_between(codes, first, second, radius, search)]
    )


def join_between(
    codes: NDArray[Any], rows: NDArray[np.int64], others: NDArray[np.int64], radius: float, search: Search
) -> Matches:
    """Return pairs within the radius of one of `rows` and one of `others`, each once, in any order."""
    if not len(rows) or not len(others):
        return Matches.none()
    found = _join_orientations(codes, rows, others, radius, search)
    if codes.shape[1] > 1:  # every orientation of both sides
        return _nearest(Matches.concatenate([found, _join_orientations(codes, others, rows, radius, search)]))
    mine, theirs = (np.isin(np.arange(len(codes)), some) for some in (rows, others))
    once = (found.i < found.j) | ~(mine[found.j] & theirs[found.i])  # every pair of rows on both sides occurs twice
    found = found.where(once)
    return Matches(np.minimum(found.i, found.j), np.maximum(found.i, found.j), found.distance, found.turn)


def best_of_each(i: NDArray[Any], j: NDArray[Any], score: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Return the indices of the pairs that are among the best `count` of one of their images, ascending.

    A thousand windows of one program are half a million similar pairs; copies of one are the most similar.
    """
    kept = np.zeros(len(i), dtype=bool)
    ends, pairs = np.concatenate([i, j]), np.tile(np.arange(len(i)), 2)
    order = np.lexsort((pairs, -score[pairs], ends))
    starts = np.searchsorted(ends[order], ends[order])
    kept[pairs[order[np.arange(len(order)) - starts < count]]] = True
    return np.flatnonzero(kept)


def nearest(
    method: Fingerprint, code: Bytes2D, gallery: Bytes2D, radius: float, search: Search
) -> dict[int, tuple[float, int]]:
    """Return the rows of a gallery `(n, orientations, bytes)` within the radius of one code `(bytes,)`.

    Each has its distance in the nearest orientation, and the number of that orientation.
    """
    turns = gallery.shape[1]
    rows = method.comparable(gallery).reshape(len(gallery) * turns, -1)
    _, at, distance = search.join(method.comparable(code[None]), rows, radius)
    near: dict[int, tuple[float, int]] = {}
    for place, gap in zip(at.tolist(), numbers(distance), strict=True):
        row, turn = divmod(place, turns)
        near[row] = min(near.get(row, (gap, turn)), (gap, turn))
    return near


class SearchNotes(NamedTuple):
    """The notes of a run about its searches."""

    notes: list[str]  # for the user
    searches: list[str]  # the search back ends that ran, and why

    def of(self, search: Search, seconds: float) -> None:
        """Add the notes about a search that took this many seconds."""
        self.notes.extend(notes_of(search, seconds))
        self.searches.extend(how.in_words() for how in search.hows)


def notes_of(search: Search, seconds: float) -> list[str]:
    """Return the notes about searches: always if one may have missed pairs, else if it took long."""
    return [str(how) for how in search.hows if not how.exact or (search.spec == "auto" and seconds > PATIENCE)]


def _within(codes: NDArray[Any], rows: NDArray[np.int64], radius: float, search: Search) -> Matches:
    if len(rows) < 2:
        return Matches.none()
    if codes.shape[1] == 1:
        with closing(search.self_join_blocks(codes[rows, 0], radius)) as blocks:
            i, j, distance = _columns((rows[i], rows[j], distance) for i, j, distance in blocks)
        return Matches(i, j, distance, np.zeros(len(i), np.int8))
    return _nearest_orientations(codes, rows, rows, radius, search)


def _join_between(
    codes: NDArray[Any], first: NDArray[np.int64], second: NDArray[np.int64], radius: float, search: Search
) -> Matches:
    if not len(first) or not len(second):
        return Matches.none()
    return _nearest_orientations(codes, first, second, radius, search)


def _nearest_orientations(
    codes: NDArray[Any], first: NDArray[np.int64], second: NDArray[np.int64], radius: float, search: Search
) -> Matches:
    """Compare each row of `first` in one orientation with each of `second` in all; the nearest one counts."""
    return _nearest(_join_orientations(codes, first, second, radius, search, own=first is second))


def _join_orientations(
    codes: NDArray[Any],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    radius: float,
    search: Search,
    *,
    own: bool = False,
) -> Matches:
    """Compare each row of `first` in one orientation with each of `second` in all; `own`: both are the same rows."""
    turns = codes.shape[1]
    every = len(second) == len(codes) and bool((second == np.arange(len(codes))).all())
    oriented = codes if every else codes[second]  # a copy of eight orientations would fill the memory
    gallery = oriented.reshape(len(second) * turns, -1)
    i, at, distance = search.join(codes[first, 0], gallery, radius, own=turns if own else 0)
    a, b, turn = first[i].astype(np.int32), second[at // turns].astype(np.int32), (at % turns).astype(np.int8)
    del i, at
    other = a != b
    return Matches(a[other], b[other], distance[other], turn[other])


def _nearest(found: Matches) -> Matches:
    """Return each pair once, in its nearest orientation, sorted by `i`, then `j`."""
    low, high = np.minimum(found.i, found.j), np.maximum(found.i, found.j)
    distance, turn = found.distance, found.turn
    order = np.lexsort((turn, distance, high, low))
    low, high, distance, turn = low[order], high[order], distance[order], turn[order]
    nearest = np.ones(len(low), dtype=bool)
    nearest[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    return Matches(low[nearest], high[nearest], distance[nearest], turn[nearest])


def _columns(parts: Iterable[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]) -> list[NDArray[Any]]:
    """Concatenate blocks of pairs to columns, with at most one block in memory twice."""
    columns: list[list[NDArray[Any]]] = [[], [], []]
    for i, j, distance in parts:
        for column, values in zip(columns, (i.astype(np.int32), j.astype(np.int32), distance), strict=True):
            column.append(values)
    out = []
    while columns:
        out.append(np.concatenate(columns.pop(0)))
    return out


class Neighbours:
    """The graph of the matches as an adjacency list in both directions: its nodes are classes.

    It takes 4 bytes for each match in addition.
    """

    def __init__(self, matches: Matches, n: int) -> None:
        self._matches = matches = _sort_pairs(matches)
        rows = np.arange(n + 1)
        # `ahead`: the matches in which a node is first, which are contiguous; `behind`: those in which it is second.
        self._ahead = np.searchsorted(matches.i, rows)
        self._back = np.argsort(matches.j, kind="stable").astype(np.int32)
        self._behind = np.concatenate([[0], np.cumsum(np.bincount(matches.j, minlength=n))])

    def has_any(self) -> NDArray[np.bool_]:
        """Return `(n,)`: which nodes have a match."""
        return (np.diff(self._ahead) > 0) | (np.diff(self._behind) > 0)

    def row(self, node: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Return the nodes that match a node, ascending, and the indices of these matches."""
        behind = self._back[self._behind[node] : self._behind[node + 1]]
        ahead = slice(self._ahead[node], self._ahead[node + 1])
        others = np.concatenate([self._matches.i[behind], self._matches.j[ahead]])
        return others, np.concatenate([behind, np.arange(ahead.start, ahead.stop)])

    def get(self, node: int, default: Sequence[int] = ()) -> Sequence[int]:
        row: list[int] = self.row(node)[0].tolist()
        return row or default

    def edges(self, node: int) -> list[tuple[int, float | None, int]]:
        """Return `(other, distance, turn)` of each match of a node, by other."""
        return self.edges_to(*self.row(node))

    def edges_to(self, others: NDArray[np.int32], at: NDArray[Any]) -> list[tuple[int, float | None, int]]:
        """Return the same for some of the matches of a row."""
        turns = self._matches.turn[at].tolist()
        return list(zip(others.tolist(), numbers_or_none(self._matches.distance[at]), turns, strict=True))


def _sort_pairs(matches: Matches) -> Matches:
    """Return the matches sorted by `i`, then `j`."""
    i, j = matches.i, matches.j
    if bool(((i[1:] > i[:-1]) | ((i[1:] == i[:-1]) & (j[1:] > j[:-1]))).all()):
        return matches
    order = np.lexsort((j, i))
    return Matches(i[order], j[order], matches.distance[order], matches.turn[order])
