"""Matches by pixels: what each method proposes, the cheapest first, is looked at again."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix import fingerprints, search
from twinpix.fingerprints import Fingerprint
from twinpix.fingerprints.cascade import Cascade
from twinpix.fingerprints.local import MIRROR, unpacked
from twinpix.model import DIGITS, Bytes2D, Matches
from twinpix.pipeline.matching import match, notes_of
from twinpix.pipeline.nodes import Nodes
from twinpix.pipeline.progress import Shares
from twinpix.pipeline.verifying import Guess, Pair, Verifier, guess_of_turn, guesses_of, turned
from twinpix.search import Search
from twinpix.verify import Look

Sides = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Nodes that are compared with each other, and nodes that only these are compared with."""


class Tier(NamedTuple):
    """A method that proposes pairs, and how far apart they may be for it."""

    name: str
    method: Fingerprint
    codes: Bytes2D  # (nodes, turns, bytes)
    radius: float


class Proposed(NamedTuple):
    """Pairs of nodes `i < j` that one method proposes."""

    i: list[int]
    j: list[int]
    distance: list[float]
    guesses: list[Guess]


def tiers_of(method: Fingerprint, codes: Bytes2D, radius: float) -> list[Tier]:
    """The methods that propose pairs: those of a cascade at their loosest, else the method itself at the radius."""
    if isinstance(method, Cascade):
        return [
            Tier(tier.name, tier.method, codes[..., tier.code], tier.method.radii["loose"]) for tier in method.tiers
        ]
    return [Tier("", method, codes, radius)]


def verified(
    first: Sequence[int], tiers: Sequence[Tier], rows: Sides, engine: str, eye: Verifier
) -> tuple[Matches, list[str]]:
    """The pairs that a tier proposes, and that are one picture: of the nodes `rows`.

    `first` is the content that stands for each node. Comes with what is to be said of the searches.
    """
    known: set[tuple[int, int]] = set()
    found: list[tuple[int, int, float]] = []
    notes: list[str] = []
    for tier in tiers:
        proposed = _proposed(tier, rows, engine, eye, notes)
        fresh = [pair for pair in zip(*proposed, strict=True) if pair[:2] not in known]
        eye.look([_pair(first[i], first[j], guess) for i, j, _, guess in fresh], tier.name)
        for i, j, distance, _ in fresh:
            known.add((i, j))
            if (look := eye.of(first[i], first[j])) and look.same:
                found.append((i, j, apart(look) if tier.name or fingerprints.by_pixels(tier.method) else distance))
    found.sort()
    ends = np.array([pair[:2] for pair in found], dtype=np.int64).reshape(-1, 2)
    in_bits = tiers[0].method.metric == "hamming" and not tiers[0].name
    gaps = np.array([pair[2] for pair in found], dtype=np.int32 if in_bits else np.float32)
    return Matches(ends[:, 0], ends[:, 1], gaps, np.zeros(len(found), np.int8)), notes


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


def _proposed(tier: Tier, rows: Sides, engine: str, eye: Verifier, notes: list[str]) -> Proposed:
    total = sum(map(len, rows))
    with eye.progress.stage("compare", total):
        tell = Shares(eye.progress, total, 2 if len(rows[1]) else 1)
        if tier.method.metric == "points":
            return _by_points(tier, rows, tell)
        made, begun = Search(engine, tell), time.monotonic()
        found = match(fingerprints.comparable(tier.method, tier.codes), *rows, tier.radius, made)
        notes += notes_of(made, time.monotonic() - begun)
    guesses = [guess_of_turn(turn) for turn in found.turn.tolist()]
    return Proposed(found.i.tolist(), found.j.tolist(), found.distance.tolist(), guesses)


def _by_points(tier: Tier, rows: Sides, tell: Shares) -> Proposed:
    every = np.concatenate(rows)
    sets = unpacked(tier.codes[every, 0])
    points = np.column_stack([sets.place, sets.size, sets.angle]).astype(np.float32)
    found = search.alike((sets.starts, sets.codes, points, sets.sides), int(MIRROR), of=len(rows[0]), tell=tell)
    guesses = guesses_of(found.change, sets.sides[found.i], sets.sides[found.j])
    i, j = every[found.i].tolist(), every[found.j].tolist()
    swapped = [a > b for a, b in zip(i, j, strict=True)]
    return Proposed(
        [min(pair) for pair in zip(i, j, strict=True)],
        [max(pair) for pair in zip(i, j, strict=True)],
        [0.0] * len(i),
        [turned(guess) if swap else guess for guess, swap in zip(guesses, swapped, strict=True)],
    )
