"""Which of the proposed pairs are looked at: all of them, or only those that decide what stays.

A thousand copies of one picture make half a million pairs, of which a thousand decide: those with the copy that
stays. So the best of each neighbourhood is compared with the others, what it matches is its own, and what is left
goes on among itself, as the linking rule `star` does it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from twinpix.model import DIGITS
from twinpix.pipeline.verifying import Guess, Joined, Pair, Verifier, guess_of, pair_of, through
from twinpix.verify import Look

Rank = Callable[[Collection[int]], Mapping[int, Any]]
"""Of nodes, what sorts them from the best to keep downwards."""

Ends = tuple[int, int]

_JOINTS = 3  # pictures through which a third is tried
_ROUNDS = 4  # in which pairs are looked at that a third picture joins
_WORTH, _COVERING = 60, 0.2  # pairs looked at together, and the share of them that must match to go on so
_CROWD = 64  # pictures that one matches, of which all pairs are looked at


class Proposal(NamedTuple):
    """A pair of nodes `i < j` that a method proposes."""

    i: int
    j: int
    distance: float | None  # of the codes; None where the pixels say how far two pictures are apart
    guess: Guess
    tier: str  # the method, where there are several
    exact: bool = False  # whether the guess is as exact as points make it
    joined: Joined | None = None

    @property
    def ends(self) -> Ends:
        return self.i, self.j


class Covering:
    """Looks at proposed pairs; `found` are those that are one picture, and how far apart they are.

    `first` is the content that stands for each node; without a `rank`, every pair is looked at.
    """

    def __init__(self, first: Sequence[int], eye: Verifier, rank: Rank | None) -> None:
        self.found: dict[Ends, float] = {}
        self._first, self._eye, self._rank = first, eye, rank
        self._ranks: dict[int, Any] = {}
        self._settled: set[Ends] = set()
        self._open: dict[int, dict[int, Proposal]] = defaultdict(dict)  # both ways
        self._later: dict[Ends, Proposal] = {}  # what was not clear at a glance
        self._hub: dict[int, int] = {}  # of each node that matches a better one, that one, which has none itself
        self._own: dict[int, set[int]] = defaultdict(set)  # of each hub, the nodes that it is the hub of
        self._bridged: set[Ends] = set()  # hubs, the better one first, of which one's own matches the other

    def add(self, proposed: Iterable[Proposal], *, glance: bool = False) -> None:
        """Look at what is proposed; at a glance, leave open what is not clear."""
        fresh = [one for one in proposed if one.ends not in self._settled]
        if self._rank is None:
            self._look(fresh, glance=glance)
            return
        for one in fresh:
            self._later.pop(one.ends, None)
            self._open[one.i][one.j] = self._open[one.j][one.i] = one
        unknown = {end for one in fresh for end in one.ends} - self._ranks.keys()
        self._ranks.update(self._rank(unknown))
        self._cover(glance=glance)

    def close(self) -> None:
        """Look at what was left open, and at what a third picture joins."""
        left = [one for _, one in sorted(self._later.items()) if one.ends not in self._settled]
        self._later.clear()
        self.add(left)
        for _ in range(_ROUNDS):
            if not (self._join_all() if self._rank is None else self._join_hubs()):
                return

    def _look(self, proposed: Sequence[Proposal], *, glance: bool = False) -> None:
        for tier in sorted({one.tier for one in proposed}):
            pairs = [self._pair(one) for one in proposed if one.tier == tier]
            self._eye.look(pairs, tier, glance=glance)
        for one in proposed:
            seen = self._eye.of(self._first[one.i], self._first[one.j])
            if glance and seen is None:
                self._later[one.ends] = one
                continue
            self._settled.add(one.ends)
            if seen and seen.same:
                self.found[one.ends] = apart(seen) if one.distance is None else one.distance

    def _pair(self, one: Proposal) -> Pair:
        return pair_of(self._first[one.i], self._first[one.j], one.guess, exact=one.exact, joined=one.joined)

    # -- hubs

    def _cover(self, *, glance: bool = False) -> None:
        covers = True
        while edges := list(self._edges(every=not covers)):
            self._look([one for *_, one in edges], glance=glance)
            matching = [(hub, other) for hub, other, one in edges if one.ends in self.found]
            self._claim(matching)
            for hub, other, one in edges:
                if one.ends not in self.found or self._hub.get(other) == hub:
                    del self._open[hub][other], self._open[other][hub]
            covers = len(edges) < _WORTH or len(matching) > _COVERING * len(edges)

    def _edges(self, *, every: bool) -> Iterator[tuple[int, int, Proposal]]:
        """The pairs to look at next: of each free node that is the best of its free neighbours, with them.

        Where that leads to little, since pictures look alike and are no copies, `every` pair of free nodes.
        """
        free = [node for node in self._open if node not in self._hub]
        for node in sorted(free, key=self._key):
            near = {other: one for other, one in self._open[node].items() if other not in self._hub}
            worse = {other: one for other, one in near.items() if self._key(node) < self._key(other)}
            if every or len(worse) == len(near):
                yield from ((node, other, one) for other, one in sorted(worse.items()))

    def _key(self, node: int) -> tuple[Any, int]:
        return self._ranks[node], node

    def _claim(self, pairs: Iterable[Ends]) -> None:
        """Make nodes a hub's own, and with each, where they match, those that were the node's."""
        handed: list[tuple[int, int, Proposal]] = []
        for hub, other in pairs:
            old = self._hub.get(other)
            if hub in self._hub or (old is not None and not self._is_better(hub, old)):
                continue
            if old is not None:
                self._own[old].remove(other)
            self._hub[other] = hub
            self._own[hub].add(other)
            for orphan in sorted(self._own.pop(other, ())):
                del self._hub[orphan]
                handed.append((hub, orphan, self._through(hub, other, orphan)))
        self._look([one for _, _, one in handed if one.ends not in self.found])
        if handed:
            self._claim((hub, orphan) for hub, orphan, one in handed if one.ends in self.found)

    def _join_hubs(self) -> bool:
        """Try nodes against the hubs of those that they may match; True when some did.

        Each node that no hub has is tried; of those of a hub some, against better hubs, and all once one did match.
        """
        count = len(self.found)
        tried: dict[Ends, tuple[int, int, Proposal]] = {}
        for node, joint in [*self._joints_of_free(), *self._bridges()]:
            one = self._open[node].pop(joint)
            self._open[joint].pop(node, None)
            tried[one.ends] = node, joint, one
        self._look([one for _, _, one in tried.values()])
        links = [(node, joint) for node, joint, one in tried.values() if one.ends in self.found]
        joined = self._close((self._hub[joint], joint, node) for node, joint in links)
        self._bridged |= {(hub, self._hub[node]) for hub, node in joined if node in self._hub}
        joined += self._close((hub, node, self._hub[node]) for hub, node in joined if node in self._hub)
        ends = (sorted(pair, key=self._key) for pair in joined)
        self._claim((better, worse) for better, worse in ends)
        self._cover()
        return len(self.found) > count

    def _joints_of_free(self) -> Iterator[Ends]:
        """Each node that no hub has, with some that it may match and that a hub has."""
        for node in sorted(self._open):
            if node not in self._hub:
                joints = [other for other in self._open[node] if self._hub.get(other, node) != node]
                yield from ((node, joint) for joint in sorted(joints, key=self._shows)[:_JOINTS])

    def _bridges(self) -> Iterator[Ends]:
        """Of each hub some of its own, with those that they may match and that a better hub has."""
        for hub in sorted(self._own):
            every, some = list[Ends](), list[Ends]()
            for node in sorted(self._own[hub]):
                others = [other for other in self._open[node] if self._is_better(self._hub.get(other, hub), hub)]
                joints = [(node, joint) for joint in sorted(others, key=self._shows)[:_JOINTS]]
                every += [ends for ends in joints if (self._hub[ends[1]], hub) in self._bridged]
                some += [ends for ends in joints if (self._hub[ends[1]], hub) not in self._bridged]
            yield from every
            yield from sorted(some, key=lambda ends: (self._shows(ends[0])[0] + self._shows(ends[1])[0], ends))[
                :_JOINTS
            ]

    def _is_better(self, hub: int, other: int) -> bool:
        return hub != other and self._key(hub) < self._key(other)

    def _close(self, chains: Iterable[tuple[int, int, int]]) -> list[Ends]:
        """The first and the last of chains of three that match, looked at as the surest of the middle ones says."""
        closing: dict[Ends, Proposal] = {}
        for first, middle, last in chains:
            one = self._through(first, middle, last)
            if (first, last) not in closing or _surer(one, closing[first, last]):
                closing[first, last] = one
        self._look([one for one in closing.values() if one.ends not in self.found])
        return [ends for ends, one in closing.items() if one.ends in self.found]

    def _shows(self, joint: int) -> tuple[float, int]:
        """What sorts joints: the more of its hub that agrees one shows, and the less beside, the sooner."""
        seen = self._seen(self._hub[joint], joint)
        of_hub, of_joint = seen.overlap
        return -seen.agrees * of_hub * of_joint**2, joint

    # -- pairs that a third picture joins

    def _join_all(self) -> bool:
        near: dict[int, set[int]] = defaultdict(set)
        for i, j in self.found:
            near[i].add(j)
            near[j].add(i)
        joined: dict[Ends, Proposal] = {}
        for middle, others in sorted(near.items()):
            for i, j in combinations(sorted(others)[:_CROWD], 2):
                if (i, j) not in self.found and (i, j) not in joined:
                    joined[i, j] = self._through(i, middle, j)
        count = len(self.found)
        self._look(list(joined.values()))
        return len(self.found) > count

    def _through(self, a: int, middle: int, b: int) -> Proposal:
        """The pair of two nodes that both match a third, as that says they lie."""
        if a > b:
            a, b = b, a
        first, second = self._seen(a, middle), self._seen(middle, b)
        joined = Joined(min(first.agrees, second.agrees), guess_of(first), first.alike or second.alike)
        guess = through(guess_of(first), guess_of(second))
        tier = self._eye.tier_of(self._first[a], self._first[middle])
        return Proposal(a, b, None, guess, tier, exact=True, joined=joined)

    def _seen(self, a: int, b: int) -> Look:
        look = self._eye.of(self._first[a], self._first[b])
        assert look is not None
        return look


def _surer(one: Proposal, other: Proposal) -> bool:
    if not one.joined or not other.joined:
        return bool(one.joined)
    return (one.joined.alike, one.joined.agrees) > (other.joined.alike, other.joined.agrees)


def apart(look: Look) -> float:
    """The share of what two pictures have in common on which they differ."""
    return round(1 - look.agrees, DIGITS)
