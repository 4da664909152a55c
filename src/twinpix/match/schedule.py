"""Which candidate pairs are verified: all of them, or only those that decide the keeper.

A thousand copies of one image make half a million pairs, of which a thousand decide: those with the keeper. So the
best image of each neighbourhood is compared with the others, the images that it matches are assigned to it, and the
procedure is repeated with the remaining ones, as in the linking rule `star`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Protocol

from twinpix.match.candidates import Ends, Proposal, Sight
from twinpix.match.leaders import Hubs, Rank
from twinpix.match.verifier import Verifier

_ROUNDS = 4  # in which transitive pairs are verified
_WORTH, _COVERING = 60, 0.2  # pairs that are verified together, and the share of them that must match to continue
_CROWD = 64  # images matched by one image, of which all pairs are verified


class Covering(Protocol):
    """Verifies candidate pairs."""

    def add(self, proposed: Sequence[Proposal], *, glance: bool = False) -> None:
        """Verify pairs; in quick mode, undecided ones are left open."""

    def join(self) -> bool:
        """Verify pairs via a third image; returns True if some match."""


def covered(
    tiers: Iterable[tuple[Sequence[Proposal], bool]],
    first: Sequence[int],
    eye: Verifier,
    rank: Rank | None,
    *,
    by_codes: bool,
) -> dict[Ends, float | None]:
    """Return the verified matches among the candidate pairs, tier by tier, with their distances.

    `first` is the representative content of each node; `by_codes`: distances are those of the codes. Without a `rank`,
    every pair is verified.
    """
    sight = Sight(first, eye, by_codes=by_codes)
    covering: Covering = Every(sight) if rank is None else Best(sight, rank)
    for proposed, glance in tiers:
        covering.add(sight.fresh(proposed), glance=glance)
    covering.add(sight.left_open())
    for _ in range(_ROUNDS):
        if not covering.join():
            break
    return sight.found


class Every:
    """Verifies every pair."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def add(self, proposed: Sequence[Proposal], *, glance: bool = False) -> None:
        self._sight.look(proposed, glance=glance)

    def join(self) -> bool:
        near: dict[int, set[int]] = defaultdict(set)
        for i, j in self._sight.found:
            near[i].add(j)
            near[j].add(i)
        joined: dict[Ends, Proposal] = {}
        for middle, others in sorted(near.items()):
            for i, j in combinations(sorted(others)[:_CROWD], 2):
                if (i, j) not in self._sight.found and (i, j) not in joined:
                    joined[i, j] = self._sight.through(i, middle, j)
        return bool(self._sight.look(list(joined.values())))


class Best:
    """Verifies the pairs of possible keepers with their candidates."""

    def __init__(self, sight: Sight, rank: Rank) -> None:
        self._sight = sight
        self._hubs = Hubs(rank, self._shows)

    def add(self, proposed: Sequence[Proposal], *, glance: bool = False) -> None:
        self._hubs.propose(proposed)
        self._cover(glance=glance)

    def join(self) -> bool:
        """Try nodes against the hubs of their candidates.

        Each node without a hub is tried; of a hub, some nodes are tried against better hubs, and all once one matched.
        """
        hubs, count = self._hubs, len(self._sight.found)
        tried = {hubs.take(*ends): ends for ends in [*hubs.joints(), *hubs.bridges()]}
        links = [tried[one] for one in self._sight.look(list(tried))]
        joined = self._close((hub, joint, node) for node, joint in links if (hub := hubs.hub_of(joint)) is not None)
        owned = [(hub, node, old) for hub, node in joined if (old := hubs.hub_of(node)) is not None]
        for better, _, worse in owned:
            hubs.bridge(better, worse)
        joined += self._close(owned)
        self._claim(hubs.in_order(*ends) for ends in joined)
        self._cover()
        return len(self._sight.found) > count

    def _cover(self, *, glance: bool = False) -> None:
        depth, hubs = 0, self._hubs
        while edges := list(hubs.edges(depth)):
            looked = {hubs.take(*ends): ends for ends in edges}
            matching = self._sight.look(list(looked), glance=glance)
            self._claim(looked[one] for one in matching)
            # A match that has another hub may connect that hub to this one.
            hubs.propose([one for one in matching if hubs.hub_of(looked[one][1]) != looked[one][0]])
            covers = len(edges) < _WORTH or len(matching) > _COVERING * len(edges)
            depth = 0 if covers else 2 * depth + 1

    def _claim(self, pairs: Iterable[Ends]) -> None:
        """Assign nodes to a hub, and with each of them the nodes that were assigned to it, if they match."""
        handed: dict[Proposal, Ends] = {}
        for hub, node in pairs:
            for orphan in self._hubs.claim(hub, node):
                handed[self._sight.through(hub, node, orphan)] = hub, orphan
        if handed:
            self._claim(handed[one] for one in self._sight.look(list(handed)))

    def _close(self, chains: Iterable[tuple[int, int, int]]) -> list[Ends]:
        """Verify the ends of chains of three matches, with the transform via the best middle one."""
        closing: dict[Ends, Proposal] = {}
        for first, middle, last in chains:
            one = self._sight.through(first, middle, last)
            if (first, last) not in closing or _surer(one, closing[first, last]):
                closing[first, last] = one
        found = set(self._sight.look(list(closing.values())))
        return [ends for ends, one in closing.items() if one in found]

    def _shows(self, hub: int, joint: int) -> float:
        """Return how well a node connects others to its hub: more of the hub that agrees, and less beside it."""
        seen = self._sight.seen(hub, joint)
        of_hub, of_joint = seen.overlap
        return seen.agrees * of_hub * of_joint**2


def _surer(one: Proposal, other: Proposal) -> bool:
    if not one.joined or not other.joined:
        return bool(one.joined)
    return (one.joined.alike, one.joined.agrees) > (other.joined.alike, other.joined.agrees)
