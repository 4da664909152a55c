"""Pairs of nodes that are looked at: what was proposed, what was found, and what a third node says of two."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from twinpix.match.verifier import Guess, Joined, Verifier, guess_of, pair_of, through
from twinpix.model import DIGITS
from twinpix.verify import Look

Ends = tuple[int, int]


class Proposal(NamedTuple):
    """A pair of nodes `i < j` that a method proposes."""

    i: int
    j: int
    distance: float | None  # of the codes; None where they say nothing of the pair
    guess: Guess
    tier: str  # the method, where there are several
    exact: bool = False  # whether the guess is as exact as points make it
    joined: Joined | None = None
    before: Guess = ()  # of an earlier tier, on which the pair was not clear at a glance

    @property
    def ends(self) -> Ends:
        return self.i, self.j


class Sight:
    """Looks at pairs of nodes; `found` are those that are one picture, and how far apart they are.

    `first` is the content that stands for each node. Distances are those of the codes, where `by_codes`, and None for
    pairs that only a third node joins; else the share of what two images have in common that differs.
    """

    def __init__(self, first: Sequence[int], eye: Verifier, *, by_codes: bool) -> None:
        self.found: dict[Ends, float | None] = {}
        self._first, self._eye, self._by_codes = first, eye, by_codes
        self._settled: set[Ends] = set()
        self._later: dict[Ends, Proposal] = {}  # what was not clear at a glance

    def fresh(self, proposed: Iterable[Proposal]) -> list[Proposal]:
        """Those that were not looked at; what was not clear at a glance is theirs from now on, with its guess."""
        out = []
        for one in proposed:
            if one.ends not in self._settled:
                earlier = self._later.pop(one.ends, None)
                out.append(one if earlier is None else one._replace(before=earlier.guess))
        return out

    def look(self, proposed: Sequence[Proposal], *, glance: bool = False) -> list[Proposal]:
        """Look at pairs of which it is not known that they are one; returns those that are, found now or before."""
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
        """What was not clear at a glance, for the last time."""
        left = [one for _, one in sorted(self._later.items())]
        self._later.clear()
        return left

    def seen(self, a: int, b: int) -> Look:
        """What was seen of two nodes that were looked at."""
        look = self._eye.of(self._first[a], self._first[b])
        assert look is not None
        return look

    def through(self, a: int, middle: int, b: int) -> Proposal:
        """The pair of two nodes that both match a third, as that says they lie."""
        if a > b:
            a, b = b, a
        first, second = self.seen(a, middle), self.seen(middle, b)
        joined = Joined(min(first.agrees, second.agrees), guess_of(first), first.alike or second.alike)
        guess = through(guess_of(first), guess_of(second))
        tier = self._eye.tier_of(self._first[a], self._first[middle])
        return Proposal(a, b, None, guess, tier, exact=True, joined=joined)


def apart(look: Look) -> float:
    """The share of what two pictures have in common on which they differ."""
    return round(1 - look.agrees, DIGITS)
