"""From codes to accepted pairs of nodes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.model import Matches, numbers
from twinpix.search import PATIENCE, Search


def match(
    codes: NDArray[Any], first: NDArray[np.int64], second: NDArray[np.int64], radius: float, search: Search
) -> Matches:
    """Pairs within the radius among the rows `first`, and of a row in `first` with one in `second`.

    `codes` is `(n, turns, width)`, of bits or floats; with eight turns the distance is the least over the orientations.
    """
    return Matches.joined([_within(codes, first, radius, search), _between(codes, first, second, radius, search)])


class Said(NamedTuple):
    """What is to be said of the searches of a run."""

    notes: list[str]  # for everybody
    searches: list[str]  # what compared the codes, and why

    def of(self, search: Search, seconds: float) -> None:
        """Note what there is to be said of a search that took so long."""
        self.notes.extend(notes_of(search, seconds))
        self.searches.extend(how.in_words() for how in search.hows)


def notes_of(search: Search, seconds: float) -> list[str]:
    """What to say of searches that took so long: of one that may have missed pairs always, else where it took long."""
    return [str(how) for how in search.hows if not how.exact or (search.spec == "auto" and seconds > PATIENCE)]


def _within(codes: NDArray[Any], rows: NDArray[np.int64], radius: float, search: Search) -> Matches:
    if len(rows) < 2:
        return Matches.none()
    if codes.shape[1] == 1:
        i, j, distance = search.self_join(codes[rows, 0], radius)
        return Matches(rows[i], rows[j], distance, np.zeros(len(i), np.int8))
    return _oriented(codes, rows, rows, radius, search)


def _between(
    codes: NDArray[Any], first: NDArray[np.int64], second: NDArray[np.int64], radius: float, search: Search
) -> Matches:
    if not len(first) or not len(second):
        return Matches.none()
    return _oriented(codes, first, second, radius, search)


def _oriented(
    codes: NDArray[Any], first: NDArray[np.int64], second: NDArray[np.int64], radius: float, search: Search
) -> Matches:
    """Each picture of `first` as it is against each of `second` in every orientation: the nearest counts."""
    turns = codes.shape[1]
    oriented = codes if len(second) == len(codes) else codes[second]  # a copy of eight orientations fills the memory
    gallery = oriented.reshape(len(second) * turns, -1)
    i, at, distance = search.join(codes[first, 0], gallery, radius, own=turns if first is second else 0)
    a, b, turn = first[i], second[at // turns], (at % turns).astype(np.int8)
    other = a != b
    a, b, distance, turn = a[other], b[other], distance[other], turn[other]
    low, high = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((turn, distance, high, low))
    low, high, distance, turn = low[order], high[order], distance[order], turn[order]
    nearest = np.ones(len(low), dtype=bool)
    nearest[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    return Matches(low[nearest], high[nearest], distance[nearest], turn[nearest])


class Neighbours:
    """The matches as an adjacency list, both ways, in compressed rows."""

    def __init__(self, matches: Matches, n: int) -> None:
        ends = np.concatenate([matches.i, matches.j])
        others = np.concatenate([matches.j, matches.i])
        order = np.lexsort((others, ends))
        self._others = others[order]
        self._match = np.concatenate([np.arange(len(matches))] * 2)[order] if len(matches) else order
        self._starts = np.searchsorted(ends[order], np.arange(n + 1))
        self._matches = matches

    def has_any(self) -> NDArray[np.bool_]:
        """`(n,)`: which nodes have a match at all."""
        return np.diff(self._starts) > 0

    def get(self, node: int, default: Sequence[int] = ()) -> Sequence[int]:
        row: list[int] = self._others[self._starts[node] : self._starts[node + 1]].tolist()
        return row or default

    def edges(self, node: int) -> list[tuple[int, float, int]]:
        """`(other, distance, turn)` of each match of a node, by other."""
        span = slice(int(self._starts[node]), int(self._starts[node + 1]))
        at = self._match[span]
        others, turns = self._others[span].tolist(), self._matches.turn[at].tolist()
        return list(zip(others, numbers(self._matches.distance[at]), turns, strict=True))
