"""Who has whom, where of each neighbourhood the best is to stay. Nothing is looked at here."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from twinpix.match.candidates import Ends, Proposal

Rank = Callable[[Collection[int]], Mapping[int, Any]]
"""Of nodes, what sorts them from the best to keep downwards."""

_JOINTS = 3  # pictures through which a third is tried


class Hubs:
    """Nodes, what is proposed of them, and of each that matches a better one, its hub: one that has none itself.

    `shows` says of a hub and a node of its own how good a joint the node is: the more, the better.
    """

    def __init__(self, rank: Rank, shows: Callable[[int, int], float]) -> None:
        self._rank, self._shows = rank, shows
        self._ranks: dict[int, Any] = {}
        self._open: dict[int, dict[int, Proposal]] = defaultdict(dict)  # both ways
        self._hub: dict[int, int] = {}
        self._own: dict[int, set[int]] = defaultdict(set)
        self._bridged: set[Ends] = set()  # hubs, the better one first, of which one's own matches the other

    def propose(self, proposed: Collection[Proposal]) -> None:
        """Note pairs to look at; what was noted of one before and not looked at is kept as its other guess."""
        for one in proposed:
            earlier = self._open[one.i].get(one.j)
            if earlier is not None and not one.before and earlier.guess != one.guess:
                one = one._replace(before=earlier.guess)
            self._open[one.i][one.j] = self._open[one.j][one.i] = one
        unknown = {end for one in proposed for end in one.ends} - self._ranks.keys()
        if unknown:
            self._ranks.update(self._rank(unknown))

    def take(self, a: int, b: int) -> Proposal:
        """What is proposed of two nodes, and no more after this."""
        self._open[b].pop(a)
        return self._open[a].pop(b)

    def hub_of(self, node: int) -> int | None:
        """The hub that has a node."""
        return self._hub.get(node)

    def in_order(self, a: int, b: int) -> Ends:
        """The better of two nodes, and the other."""
        return (a, b) if self._key(a) < self._key(b) else (b, a)

    def claim(self, hub: int, node: int) -> list[int]:
        """Give a node to a hub, unless it has a better one; returns those that were the node's own, now free."""
        old = self._hub.get(node)
        if hub in self._hub or (old is not None and not self._is_better(hub, old)):
            return []
        if old is not None:
            self._own[old].remove(node)
        self._hub[node] = hub
        self._own[hub].add(node)
        orphans = sorted(self._own.pop(node, ()))
        for orphan in orphans:
            del self._hub[orphan]
        return orphans

    def bridge(self, better: int, worse: int) -> None:
        """Note that one of a hub's own matches a better hub: the others may be tried too."""
        self._bridged.add((better, worse))

    def edges(self, depth: int) -> Iterator[Ends]:
        """The pairs to look at next: of each free node that is the best of its free neighbours, with them.

        Where that leads to little, since the best look like others and are no copies: of each than which no more than
        `depth` are better.
        """
        free = [node for node in self._open if node not in self._hub]
        for node in sorted(free, key=self._key):
            near = [other for other in self._open[node] if other not in self._hub]
            worse = [other for other in near if self._is_better(node, other)]
            if len(near) - len(worse) <= depth:
                yield from ((node, other) for other in sorted(worse))

    def joints(self) -> Iterator[Ends]:
        """Each node that no hub has, with some that it may match and that a hub has."""
        for node in sorted(self._open):
            if node not in self._hub:
                joints = [other for other in self._open[node] if self._hub.get(other, node) != node]
                yield from ((node, joint) for joint in self._likeliest(joints))

    def bridges(self) -> Iterator[Ends]:
        """Of each hub some of its own, with those that they may match and that a better hub has.

        Of a hub of which one did match, all of its own.
        """
        for hub in sorted(self._own):
            every, some = list[Ends](), list[Ends]()
            for node in sorted(self._own[hub]):
                others = [other for other in self._open[node] if self._is_better(self._hub.get(other, hub), hub)]
                for joint in self._likeliest(others):
                    bridged = (self._hub[joint], hub) in self._bridged
                    (every if bridged else some).append((node, joint))
            some.sort(key=lambda ends: (-self._worth(ends[0]) - self._worth(ends[1]), ends))
            yield from every
            yield from some[:_JOINTS]

    def _likeliest(self, joints: Collection[int]) -> list[int]:
        """The best joints of the hubs that have most of them: a banner joins a picture with a few of each other one."""
        of_hub = Counter(self._hub[joint] for joint in joints)
        return sorted(joints, key=lambda joint: (-self._worth(joint) * of_hub[self._hub[joint]], joint))[:_JOINTS]

    def _key(self, node: int) -> tuple[Any, int]:
        return self._ranks[node], node

    def _is_better(self, node: int, other: int) -> bool:
        return node != other and self._key(node) < self._key(other)

    def _worth(self, joint: int) -> float:
        return self._shows(self._hub[joint], joint)
