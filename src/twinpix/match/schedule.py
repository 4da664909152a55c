"""Which candidate pairs are verified: all of them, or only those that decide the keeper.

A thousand copies of one image make half a million pairs, of which a thousand decide: those with the keeper. So the
best image of each neighbourhood is compared with the others, the images that it matches are assigned to it, and the
procedure is repeated with the remaining ones, as in the linking rule `star`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Protocol

from twinpix.match.candidates import Candidate, CandidatePairs, Ends
from twinpix.match.leaders import LeaderClusters, Rank
from twinpix.match.verifier import Verifier
from twinpix.model import ClassId, ContentId

_ROUNDS = 4  # rounds in which transitive candidates are verified
_WORTH, _COVERED = 60, 0.2  # pairs that are verified together, and the share of them that must match to continue
_CROWD = 64  # largest number of matches of one image whose pairs are all verified


class Schedule(Protocol):
    """Verifies candidate pairs."""

    def add(self, proposed: Sequence[Candidate], *, quick: bool = False) -> None:
        """Verify pairs; in quick mode, undecided ones are left open."""

    def join(self) -> bool:
        """Verify pairs via a third image; returns True if some match."""


def verify_scheduled(
    stages: Iterable[tuple[Sequence[Candidate], bool]],
    first: Sequence[ContentId],
    verifier: Verifier,
    rank: Rank | None,
    *,
    by_codes: bool,
) -> dict[Ends, float | None]:
    """Verify the candidate pairs stage by stage; return the matches with their distances.

    `first` is the representative content of each class; `by_codes`: distances are those of the codes. Without a `rank`,
    every pair is verified.
    """
    pairs = CandidatePairs(first, verifier, by_codes=by_codes)
    schedule: Schedule = AllPairs(pairs) if rank is None else ByLeaders(pairs, rank)
    for proposed, quick in stages:
        schedule.add(pairs.unverified(proposed), quick=quick)
    schedule.add(pairs.take_undecided())
    for _ in range(_ROUNDS):
        if not schedule.join():
            break
    return pairs.found


class AllPairs:
    """Verifies every pair."""

    def __init__(self, pairs: CandidatePairs) -> None:
        self._pairs = pairs

    def add(self, proposed: Sequence[Candidate], *, quick: bool = False) -> None:
        self._pairs.verify(proposed, quick=quick)

    def join(self) -> bool:
        near: dict[ClassId, set[ClassId]] = defaultdict(set)
        for i, j in self._pairs.found:
            near[i].add(j)
            near[j].add(i)
        joined: dict[Ends, Candidate] = {}
        for middle, others in sorted(near.items()):
            for i, j in combinations(sorted(others)[:_CROWD], 2):
                if (i, j) not in self._pairs.found and (i, j) not in joined:
                    joined[i, j] = self._pairs.link_via(i, middle, j)
        return bool(self._pairs.verify(list(joined.values())))


class ByLeaders:
    """Verifies the pairs of possible keepers with their candidates."""

    def __init__(self, pairs: CandidatePairs, rank: Rank) -> None:
        self._pairs = pairs
        self._clusters = LeaderClusters(rank, self._link_strength)

    def add(self, proposed: Sequence[Candidate], *, quick: bool = False) -> None:
        self._clusters.propose(proposed)
        self._cover(quick=quick)

    def join(self) -> bool:
        """Verify classes with the leaders of their candidates.

        Each class without a leader is tried; some followers of each leader are tried with better leaders, and all of
        them once one has matched.
        """
        clusters, count = self._clusters, len(self._pairs.found)
        tried = {clusters.take(*ends): ends for ends in [*clusters.via_pairs(), *clusters.follower_pairs()]}
        links = [tried[one] for one in self._pairs.verify(list(tried))]
        joined = self._close(
            (leader, middle, outer) for outer, middle in links if (leader := clusters.leader_of(middle)) is not None
        )
        owned = [(leader, member, old) for leader, member in joined if (old := clusters.leader_of(member)) is not None]
        for better, _, worse in owned:
            clusters.note_merge(better, worse)
        joined += self._close(owned)
        self._claim(clusters.in_order(*ends) for ends in joined)
        self._cover()
        return len(self._pairs.found) > count

    def _cover(self, *, quick: bool = False) -> None:
        depth, clusters = 0, self._clusters
        while edges := list(clusters.edges(depth)):
            ends_of = {clusters.take(*ends): ends for ends in edges}
            matching = self._pairs.verify(list(ends_of), quick=quick)
            self._claim(ends_of[one] for one in matching)
            # A matching class with another leader may connect that leader to this one.
            clusters.propose([one for one in matching if clusters.leader_of(ends_of[one][1]) != ends_of[one][0]])
            covers = len(edges) < _WORTH or len(matching) > _COVERED * len(edges)
            depth = 0 if covers else 2 * depth + 1

    def _claim(self, pairs: Iterable[Ends]) -> None:
        """Assign classes to leaders; the former followers of each are assigned to its leader if they match it."""
        handed: dict[Candidate, Ends] = {}
        for leader, member in pairs:
            for orphan in self._clusters.claim(leader, member):
                handed[self._pairs.link_via(leader, member, orphan)] = leader, orphan
        if handed:
            self._claim(handed[one] for one in self._pairs.verify(list(handed)))

    def _close(self, chains: Iterable[tuple[ClassId, ClassId, ClassId]]) -> list[Ends]:
        """Verify the ends of chains of three matching classes, with the transform via the best middle class."""
        closing: dict[Ends, Candidate] = {}
        for first, middle, last in chains:
            one = self._pairs.link_via(first, middle, last)
            if (first, last) not in closing or _is_surer(one, closing[first, last]):
                closing[first, last] = one
        found = set(self._pairs.verify(list(closing.values())))
        return [ends for ends, one in closing.items() if one in found]

    def _link_strength(self, leader: ClassId, middle: ClassId) -> float:
        """Return how well a follower connects classes to its leader: their agreement, times the shares that overlap."""
        verdict = self._pairs.verdict_of(leader, middle)
        of_leader, of_middle = verdict.overlap
        return verdict.agrees * of_leader * of_middle**2


def _is_surer(one: Candidate, other: Candidate) -> bool:
    if not one.via or not other.via:
        return bool(one.via)
    return (one.via.alike, one.via.agrees) > (other.via.alike, other.via.agrees)
