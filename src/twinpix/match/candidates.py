"""Candidate pairs of nodes that are verified: proposed pairs, verified pairs, and pairs via a third node."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from twinpix.match.verifier import Guess, Joined, Verifier, guess_of, pair_of, through
from twinpix.model import DIGITS
from twinpix.verify import Look

Ends = tuple[int, int]


class Proposal(NamedTuple):
    """A candidate pair of nodes `i < j` that a method proposes."""

    i: int
    j: int
    distance: float | None  # of the codes; None if the codes have no distance
    guess: Guess
    tier: str  # the method that proposed the pair, if there are several
    exact: bool = False  # whether the transform is as exact as keypoints make it
    joined: Joined | None = None
    before: Guess = ()  # transform of an earlier tier, with which the pair was not decided

    @property
    def ends(self) -> Ends:
        return self.i, self.j


class Sight:
    """Verifies candidate pairs of nodes; `found` has the verified matches and their distances.

    `first` is the representative content of each node. With `by_codes`, distances are those of the codes, and None for
    transitive matches; else they are the share of the overlap that differs.
    """

    def __init__(self, first: Sequence[int], eye: Verifier, *, by_codes: bool) -> None:
        self.found: dict[Ends, float | None] = {}
        self._first, self._eye, self._by_codes = first, eye, by_codes
        self._settled: set[Ends] = set()
        self._later: dict[Ends, Proposal] = {}  # pairs that quick verification did not decide

    def fresh(self, proposed: Iterable[Proposal]) -> list[Proposal]:
        """Return the pairs that are not verified yet; undecided ones with the transform of their earlier tier."""
        out = []
        for one in proposed:
            if one.ends not in self._settled:
                earlier = self._later.pop(one.ends, None)
                out.append(one if earlier is None else one._replace(before=earlier.guess))
        return out

    def look(self, proposed: Sequence[Proposal], *, glance: bool = False) -> list[Proposal]:
        """Verify pairs that are no known matches; returns all that match, verified now or before."""
        wanted = [one for one in proposed if one.ends not in self.found]
        for tier in sorted({one.tier for one in wanted}):
            pairs = [
                pair_of(self._first[one.i], self._first[one.j], one.guess, one.exact, one.joined, one.before)
                for one in wanted
                if one.tier == tier
            ]
            self._eye.look(pairs, tier, glance=glance)
        for one in wanted:
            seen = self._eye.of(self._first[one.i], self._first[one.j])
            if glance and seen is None:
                self._later[one.ends] = one
                continue
            self._settled.add(one.ends)
            if seen and seen.same:
                self.found[one.ends] = one.distance if self._by_codes else apart(seen)
        return [one for one in proposed if one.ends in self.found]

    def left_open(self) -> list[Proposal]:
        """Return the pairs that quick verification did not decide, and forget them."""
        left = [one for _, one in sorted(self._later.items())]
        self._later.clear()
        return left

    def seen(self, a: int, b: int) -> Look:
        """Return the result of a verified pair of nodes."""
        look = self._eye.of(self._first[a], self._first[b])
        assert look is not None
        return look

    def through(self, a: int, middle: int, b: int) -> Proposal:
        """Return the candidate pair of two nodes that both match a third, with the transform via the third."""
        if a > b:
            a, b = b, a
        first, second = self.seen(a, middle), self.seen(middle, b)
        joined = Joined(min(first.agrees, second.agrees), guess_of(first), first.alike or second.alike)
        guess = through(guess_of(first), guess_of(second))
        tier = self._eye.tier_of(self._first[a], self._first[middle])
        return Proposal(a, b, None, guess, tier, exact=True, joined=joined)


def apart(look: Look) -> float:
    """Return the share of the overlap that differs."""
    return round(1 - look.agrees, DIGITS)
