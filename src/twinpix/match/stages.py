"""Verified matches: the candidate pairs of each method, the cheapest first, are verified on the pixels."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.encoding.methods import MatchSettings
from twinpix.fingerprints import Fingerprint
from twinpix.match.candidates import Ends, Proposal
from twinpix.match.classes import Nodes
from twinpix.match.join import Said, best_of_each, match
from twinpix.match.leaders import Rank
from twinpix.match.schedule import covered
from twinpix.match.verifier import Verifier, guess_of_turn, guesses_of, pair_of, turned
from twinpix.model import UNKNOWN, Bytes2D, Matches
from twinpix.progress import Shares
from twinpix.search import Search

_CANDIDATES = 100  # by its keypoints

Doubt = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
"""Returns whether pairs of contents are to be verified."""

Sides = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Nodes that are compared with each other, and nodes that are compared only with the first ones."""


class Tier(NamedTuple):
    """A method that proposes candidate pairs, with its radius."""

    name: str
    method: Fingerprint
    codes: Bytes2D  # (nodes, turns, bytes)
    radius: float
    rows: Sides  # of the nodes that it compares

    @property
    def by_distance(self) -> bool:
        """True if the codes have distances and orientations."""
        return self.method.metric is not None


def tiers_of(settings: MatchSettings, codes: Bytes2D, every: Sides, plain: NDArray[np.bool_]) -> list[Tier]:
    """Return the methods that propose pairs: those of a cascade with measured radii, else the method itself.

    For a hash, nodes with too little texture (`plain`) are all alike; their keypoints, if any, are not.
    """
    return [
        Tier(
            stage.name,
            stage.method,
            codes[..., stage.code],
            stage.method.radii["normal"] if stage.name else settings.radius.value,
            every if stage.method.proposes else detailed(every, plain),
        )
        for stage in settings.method.stages()
    ]


def detailed(sides: Sides, plain: NDArray[np.bool_]) -> Sides:
    """Return the nodes that a hash can distinguish: those that are not `plain`, `(nodes,)`."""
    first, second = sides
    return first[~plain[first]], second[~plain[second]]


def verified(
    first: Sequence[int], tiers: Sequence[Tier], engine: str, eye: Verifier, rank: Rank | None = None
) -> tuple[Matches, Said]:
    """Return the matches among the pairs that the tiers propose, and the remarks about the searches.

    `first` is the representative content of each node. With a `rank`, only pairs that decide the keeper are verified.
    """
    said = Said([], [])
    # A hash gives no transform: pairs that quick verification does not decide wait for a method that gives one.
    proposed = ((_proposed(tier, engine, eye, said), tier is not tiers[-1] and tier.by_distance) for tier in tiers)
    by_codes = tiers[0].by_distance and not tiers[0].name
    found = covered(proposed, first, eye, rank, by_codes=by_codes)
    pairs = sorted(found)
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    in_bits = by_codes and tiers[0].method.unit == "bits"
    gaps = np.array([UNKNOWN if (gap := found[pair]) is None else gap for pair in pairs])
    kind = np.int32 if in_bits else np.float32
    return Matches.between(ends, gaps.astype(kind)), said


def unlike_equals(nodes: Nodes, eye: Verifier, doubtful: Doubt | None = None) -> set[int]:
    """Return contents whose code equals another's, but whose pixels differ; only `doubtful` pairs are verified."""
    order, starts = nodes.contents()
    sizes = np.diff(starts)
    pairs = []
    for node in np.flatnonzero((sizes > 1) & ~nodes.guarded).tolist():
        head, *others = order[starts[node] : starts[node + 1]].tolist()
        pairs += [(head, other) for other in others]
    if doubtful is not None:
        ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        pairs = [tuple(pair) for pair in ends[doubtful(ends[:, 0], ends[:, 1])].tolist()]
    eye.look([pair_of(a, b, guess_of_turn(0)) for a, b in pairs])
    return {b for a, b in pairs if not ((look := eye.of(a, b)) and look.same)}


def _proposed(tier: Tier, engine: str, eye: Verifier, said: Said) -> list[Proposal]:
    rows, total = tier.rows, sum(map(len, tier.rows))
    with eye.session.progress.stage("compare", total):
        inverted = bool(tier.name) and tier.method.unit == "bits"
        tell = Shares(eye.session.progress, total, (2 if len(rows[1]) else 1) + inverted)
        if tier.method.proposes:
            return _by_points(tier, tell)
        made, begun = Search(engine, tell), time.monotonic()
        found = match(tier.method.comparable(tier.codes), *rows, tier.radius, made)
        negatives = _negatives(tier, made) if inverted else []
        said.of(made, time.monotonic() - begun)
    ends = zip(found.i.tolist(), found.j.tolist(), found.distance.tolist(), found.turn.tolist(), strict=True)
    alike = [Proposal(i, j, None if tier.name else gap, guess_of_turn(turn), tier.name) for i, j, gap, turn in ends]
    known = {one.ends for one in alike} if negatives else ()
    return alike + [Proposal(*ends, None, guess_of_turn(0), tier.name) for ends in negatives if ends not in known]


def _negatives(tier: Tier, search: Search) -> list[Ends]:
    """Return pairs of which one may be the negative of the other: their hashes differ in nearly all bits."""
    first, every = tier.rows[0], np.concatenate(tier.rows)
    if not len(first):
        return []
    i, j, _ = search.join(tier.codes[first, 0], ~tier.codes[every, 0], tier.radius)
    ends = np.sort(np.column_stack([first[i], every[j]]), axis=1)
    return [(a, b) for a, b in np.unique(ends, axis=0).tolist() if a != b]


def _by_points(tier: Tier, tell: Shares) -> list[Proposal]:
    every = np.concatenate(tier.rows)
    found = tier.method.candidates(tier.codes[every, 0], len(tier.rows[0]), tell)
    best = best_of_each(found.i, found.j, found.votes, _CANDIDATES)
    i, j = found.i[best], found.j[best]
    guesses = guesses_of(found.transforms[best], found.sizes[i], found.sizes[j])
    ends = zip(every[i].tolist(), every[j].tolist(), guesses, strict=True)
    return [
        Proposal(i, j, None, guess, tier.name, True) if i < j else Proposal(j, i, None, turned(guess), tier.name, True)
        for i, j, guess in ends
    ]
