"""Leader clustering over candidate pairs: the best class of each neighbourhood leads it.

Bookkeeping only; verification happens in `schedule`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from twinpix.match.candidates import Candidate, Ends
from twinpix.model import ClassId

Rank = Callable[[Collection[ClassId]], Mapping[ClassId, Any]]
"""Maps classes to keys that sort the best ones first."""

_MIDDLES = 3  # middle images that are tried for a transitive match of a class


class LeaderClusters:
    """The pending candidates, and the leader of each class that matches a better one; a leader follows no class.

    `shows` returns for a leader and one of its followers how well the follower connects other classes to the leader.
    """

    def __init__(self, rank: Rank, shows: Callable[[ClassId, ClassId], float]) -> None:
        self._rank, self._shows = rank, shows
        self._ranks: dict[ClassId, Any] = {}
        self._open: dict[ClassId, dict[ClassId, Candidate]] = defaultdict(dict)  # in both directions
        self._leader: dict[ClassId, ClassId] = {}
        self._followers: dict[ClassId, set[ClassId]] = defaultdict(set)
        self._merged: set[Ends] = set()  # pairs of leaders, the better one first; a follower of one matches the other

    def propose(self, proposed: Collection[Candidate]) -> None:
        """Add pairs to verify; the transform of an earlier, unverified candidate is kept as the second one."""
        for one in proposed:
            earlier = self._open[one.i].get(one.j)
            if earlier is not None and not one.before and earlier.guess != one.guess:
                one = one._replace(before=earlier.guess)
            self._open[one.i][one.j] = self._open[one.j][one.i] = one
        unknown = {end for one in proposed for end in one.ends} - self._ranks.keys()
        if unknown:
            self._ranks.update(self._rank(unknown))

    def take(self, a: ClassId, b: ClassId) -> Candidate:
        """Return the candidate of two classes, and remove it."""
        self._open[b].pop(a)
        return self._open[a].pop(b)

    def leader_of(self, class_: ClassId) -> ClassId | None:
        """Return the leader of a class; None if it follows no class."""
        return self._leader.get(class_)

    def in_order(self, a: ClassId, b: ClassId) -> Ends:
        """Return the better of two classes, and the other."""
        return (a, b) if self._key(a) < self._key(b) else (b, a)

    def claim(self, leader: ClassId, member: ClassId) -> list[ClassId]:
        """Assign a class to a leader, unless it has a better one; return the class's own followers, now free."""
        old = self._leader.get(member)
        if leader in self._leader or (old is not None and not self._is_better(leader, old)):
            return []
        if old is not None:
            self._followers[old].remove(member)
        self._leader[member] = leader
        self._followers[leader].add(member)
        orphans = sorted(self._followers.pop(member, ()))
        for orphan in orphans:
            del self._leader[orphan]
        return orphans

    def note_merge(self, better: ClassId, worse: ClassId) -> None:
        """Record that a follower of one leader matches a better leader, so that the other followers are tried too."""
        self._merged.add((better, worse))

    def edges(self, depth: int) -> Iterator[Ends]:
        """Yield the pairs to verify next: each free class with at most `depth` better free neighbours, with worse ones.

        A class is free if it has no leader; neighbours are its candidates. `depth` is above 0 if few pairs match,
        because the best classes are similar to others without being copies.
        """
        free = [class_ for class_ in self._open if class_ not in self._leader]
        for class_ in sorted(free, key=self._key):
            near = [other for other in self._open[class_] if other not in self._leader]
            worse = [other for other in near if self._is_better(class_, other)]
            if len(near) - len(worse) <= depth:
                yield from ((class_, other) for other in sorted(worse))

    def via_pairs(self) -> Iterator[Ends]:
        """Yield pairs of a class without a leader and a middle class, a candidate of it that follows another class."""
        for class_ in sorted(self._open):
            if class_ not in self._leader:
                middles = [other for other in self._open[class_] if self._leader.get(other, class_) != class_]
                yield from ((class_, middle) for middle in self._likeliest(middles))

    def follower_pairs(self) -> Iterator[Ends]:
        """Yield pairs of a follower and a candidate of it that follows a better leader.

        They are limited to some for each leader, except those between leaders that `note_merge` has recorded.
        """
        for leader in sorted(self._followers):
            every, some = list[Ends](), list[Ends]()
            for follower in sorted(self._followers[leader]):
                others = [
                    other for other in self._open[follower] if self._is_better(self._leader.get(other, leader), leader)
                ]
                for middle in self._likeliest(others):
                    merged = (self._leader[middle], leader) in self._merged
                    (every if merged else some).append((follower, middle))
            some.sort(key=lambda ends: (-self._worth(ends[0]) - self._worth(ends[1]), ends))
            yield from every
            yield from some[:_MIDDLES]

    def _likeliest(self, middles: Collection[ClassId]) -> list[ClassId]:
        """Return the best middle classes, preferring leaders with many of them.

        A banner that many images share connects a class with only a few followers of each leader.
        """
        of_leader = Counter(self._leader[middle] for middle in middles)
        return sorted(middles, key=lambda middle: (-self._worth(middle) * of_leader[self._leader[middle]], middle))[
            :_MIDDLES
        ]

    def _key(self, class_: ClassId) -> tuple[Any, ClassId]:
        return self._ranks[class_], class_

    def _is_better(self, first: ClassId, second: ClassId) -> bool:
        return first != second and self._key(first) < self._key(second)

    def _worth(self, middle: ClassId) -> float:
        return self._shows(self._leader[middle], middle)
