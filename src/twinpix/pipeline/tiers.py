"""Matches by pixels: what each method proposes, the cheapest first, is looked at again."""

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix import fingerprints, search
from twinpix.fingerprints import Fingerprint
from twinpix.fingerprints.cascade import Cascade
from twinpix.fingerprints.local import MIRROR, unpacked
from twinpix.model import DIGITS, Bytes2D, Matches
from twinpix.pipeline.matching import Said, match
from twinpix.pipeline.nodes import Nodes
from twinpix.pipeline.progress import Shares
from twinpix.pipeline.verifying import Guess, Pair, Verifier, guess_of, guess_of_turn, guesses_of, through, turned
from twinpix.search import Search
from twinpix.verify import Look

Sides = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Nodes that are compared with each other, and nodes that only these are compared with."""


_ROUNDS = 2  # in which pairs are looked at that a third picture joins
_CROWD = 64  # pictures that one matches, of which all pairs are looked at


class Tier(NamedTuple):
    """A method that proposes pairs, and how far apart they may be for it."""

    name: str
    method: Fingerprint
    codes: Bytes2D  # (nodes, turns, bytes)
    radius: float


class Proposal(NamedTuple):
    """A pair of nodes `i < j` that a method proposes."""

    i: int
    j: int
    distance: float
    guess: Guess


def tiers_of(method: Fingerprint, codes: Bytes2D, radius: float) -> list[Tier]:
    """The methods that propose pairs: those of a cascade as measured, else the method itself at the radius."""
    if isinstance(method, Cascade):
        return [
            Tier(tier.name, tier.method, codes[..., tier.code], tier.method.radii["normal"]) for tier in method.tiers
        ]
    return [Tier("", method, codes, radius)]


def verified(
    first: Sequence[int], tiers: Sequence[Tier], rows: Sides, engine: str, eye: Verifier
) -> tuple[Matches, Said]:
    """The pairs that a tier proposes, and that are one picture: of the nodes `rows`.

    `first` is the content that stands for each node. Comes with what is to be said of the searches.
    """
    settled: set[tuple[int, int]] = set()
    left: dict[tuple[int, int], Proposal] = {}
    found: dict[tuple[int, int], float] = {}
    said = Said([], [])

    def look(tier: Tier, proposed: Sequence[Proposal], *, glance: bool = False) -> None:
        eye.look([_pair(first[one.i], first[one.j], one.guess) for one in proposed], tier.name, glance=glance)
        for one in proposed:
            seen = eye.of(first[one.i], first[one.j])
            if glance and seen is None:
                left[one[:2]] = one
                continue
            settled.add(one[:2])
            if seen and seen.same:
                by_share = tier.name or fingerprints.by_pixels(tier.method)
                found[one[:2]] = apart(seen) if by_share else one.distance

    for tier in tiers:
        fresh = [one for one in _proposed(tier, rows, engine, eye, said) if one[:2] not in settled]
        # A hash says little of how two pictures lie: what is not clear at a glance waits for a method that says more.
        look(tier, fresh, glance=tier is not tiers[-1] and tier.method.metric == "hamming")
    look(tiers[0], [one for pair, one in sorted(left.items()) if pair not in settled])
    for _ in range(_ROUNDS):
        look(tiers[-1], _closing(first, found, eye))
    pairs = sorted(found)
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    in_bits = tiers[0].method.metric == "hamming" and not tiers[0].name
    gaps = np.array([found[pair] for pair in pairs], dtype=np.int32 if in_bits else np.float32)
    return Matches(ends[:, 0], ends[:, 1], gaps, np.zeros(len(pairs), np.int8)), said


def _closing(first: Sequence[int], found: Collection[tuple[int, int]], eye: Verifier) -> list[Proposal]:
    """Pairs that both match a third picture, which says how they lie on each other."""
    near: dict[int, set[int]] = defaultdict(set)
    for i, j in found:
        near[i].add(j)
        near[j].add(i)
    out: dict[tuple[int, int], Proposal] = {}
    for middle, others in sorted(near.items()):
        for i, j in combinations(sorted(others)[:_CROWD], 2):
            if (i, j) in found or (i, j) in out:
                continue
            out[i, j] = Proposal(i, j, 0.0, through(_seen(first, i, middle, eye), _seen(first, middle, j, eye)))
    return list(out.values())


def _seen(first: Sequence[int], i: int, j: int, eye: Verifier) -> Guess:
    """How two nodes that match were seen to lie."""
    look = eye.of(first[i], first[j])
    assert look is not None
    return guess_of(look)


def unlike_equals(nodes: Nodes, eye: Verifier) -> set[int]:
    """Contents whose code equals that of another's, and whose pixels do not agree."""
    order, starts = nodes.contents()
    sizes = np.diff(starts)
    pairs = []
    for node in np.flatnonzero((sizes > 1) & ~nodes.guarded).tolist():
        head, *others = order[starts[node] : starts[node + 1]].tolist()
        pairs += [(head, other) for other in others]
    eye.look([_pair(a, b, guess_of_turn(0)) for a, b in pairs])
    return {b for a, b in pairs if not ((look := eye.of(a, b)) and look.same)}


def apart(look: Look) -> float:
    """The share of what two pictures have in common on which they differ."""
    return round(1 - look.agrees, DIGITS)


def _pair(a: int, b: int, guess: Guess) -> Pair:
    """A pair of contents, the smaller number first."""
    return Pair(a, b, guess) if a < b else Pair(b, a, turned(guess))


def _proposed(tier: Tier, rows: Sides, engine: str, eye: Verifier, said: Said) -> list[Proposal]:
    total = sum(map(len, rows))
    with eye.progress.stage("compare", total):
        tell = Shares(eye.progress, total, 2 if len(rows[1]) else 1)
        if tier.method.metric == "points":
            return _by_points(tier, rows, tell)
        made, begun = Search(engine, tell), time.monotonic()
        found = match(fingerprints.comparable(tier.method, tier.codes), *rows, tier.radius, made)
        said.of(made, time.monotonic() - begun)
    columns = found.i.tolist(), found.j.tolist(), found.distance.tolist(), map(guess_of_turn, found.turn.tolist())
    return list(map(Proposal, *columns))


def _by_points(tier: Tier, rows: Sides, tell: Shares) -> list[Proposal]:
    every = np.concatenate(rows)
    sets = unpacked(tier.codes[every, 0])
    points = np.column_stack([sets.place, sets.size, sets.angle]).astype(np.float32)
    found = search.alike((sets.starts, sets.codes, points, sets.sides), int(MIRROR), of=len(rows[0]), tell=tell)
    guesses = guesses_of(found.change, sets.sides[found.i], sets.sides[found.j])
    ends = zip(every[found.i].tolist(), every[found.j].tolist(), guesses, strict=True)
    return [Proposal(i, j, 0.0, guess) if i < j else Proposal(j, i, 0.0, turned(guess)) for i, j, guess in ends]
