"""Which pairs that a hash finds near are verified on the pixels, and which of them are one picture.

A hash tells no two filled forms of one design apart, and no two cards of one game. So pairs of pages, and pairs whose
light differs in many places, are candidates for verification. The others are believed: a library of re-encoded and
resized photos costs no more than its hashes.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.fingerprints import Fingerprint
from twinpix.imaging.evidence import LAYOUT, differing_share, layout_of
from twinpix.model import UNKNOWN, Matches
from twinpix.pipeline.alterations import Looking
from twinpix.pipeline.covering import covered
from twinpix.pipeline.gathering import Images
from twinpix.pipeline.hubs import Rank
from twinpix.pipeline.matching import best_of_each
from twinpix.pipeline.nodes import Nodes
from twinpix.pipeline.sight import Proposal
from twinpix.pipeline.verifying import Verifier, guess_of_turn

_READ_AT_ONCE = 512  # contents whose pixels are looked at together: of 17 kB each
_COMPARED_AT_ONCE = 1 << 14  # pairs: of 1 kB each
_DIFFERS = 0.1  # of the places: of 57 false pairs of 120 photos' copies 51 differ in more, of the true ones a fifth
_NEAREST = 8  # candidates of an image that are looked at; the others only where most of these were copies


class Shown(NamedTuple):
    """What the pixels of contents show, as far as candidates are told by it."""

    known: NDArray[np.bool_]  # (contents,)
    printed: NDArray[np.bool_]  # (contents,): pages
    layout: NDArray[np.uint8]  # (contents, LAYOUT): light of places

    def unlike(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which pairs of contents, each laid upright on the other, are two pages or differ in many places."""
        out = self.printed[a] & self.printed[b]
        rest = np.flatnonzero(~out & self.known[a] & self.known[b])
        for at in range(0, len(rest), _COMPARED_AT_ONCE):
            some = rest[at : at + _COMPARED_AT_ONCE]
            out[some] = differing_share(self.layout[a[some]], self.layout[b[some]]) > _DIFFERS
        return out


def shown(images: Images, nodes: Nodes, matches: Matches, look: Looking) -> Shown:
    """What the contents show that match another."""
    sizes = np.bincount(nodes.of, minlength=len(nodes.codes))
    linked = sizes > 1
    linked[matches.i] = linked[matches.j] = True
    wanted = np.flatnonzero((linked & ~nodes.guarded)[nodes.of]).tolist()
    count = len(images.contents)
    out = Shown(np.zeros(count, dtype=bool), np.zeros(count, dtype=bool), np.zeros((count, LAYOUT), dtype=np.uint8))
    for at in range(0, len(wanted), _READ_AT_ONCE):
        for number, evidence in look(wanted[at : at + _READ_AT_ONCE]).items():
            out.known[number], out.printed[number], out.layout[number] = True, evidence.printed, layout_of(evidence)
    return out


def candidates(nodes: Nodes, matches: Matches, pixels: Shown, method: Fingerprint) -> NDArray[np.bool_]:
    """Which matches are to be verified."""
    first = np.array(nodes.first(), dtype=np.int64)
    i, j = first[matches.i], first[matches.j]
    if method.metric != "hamming":  # a network is asked for what no hash finds
        return pixels.printed[i] & pixels.printed[j]
    upright = matches.turn == 0
    out = pixels.printed[i] & pixels.printed[j]
    out[upright] = pixels.unlike(i[upright], j[upright])
    return out


def verified(
    nodes: Nodes, matches: Matches, which: NDArray[np.bool_], eye: Verifier, rank: Rank | None
) -> tuple[Matches, int]:
    """The matches without those of `which` that verification does not find to be one picture.

    A verified pair keeps the distance of its codes. Comes with the number of pairs that were not looked at, since the
    nearer ones of an image were no copies: they are no matches.
    """
    if not which.any():
        return matches, 0
    first, asked = nodes.first(), matches.where(which)
    near = np.zeros(len(asked), dtype=bool)
    near[best_of_each(asked.i, asked.j, -asked.distance, _NEAREST)] = True
    farther, left = _proposals(asked.where(~near)), 0

    def tiers() -> Iterator[tuple[list[Proposal], bool]]:
        nonlocal left
        yield _proposals(asked.where(near)), False
        crowded = _crowded(eye)
        wanted = [one for one in farther if not {first[one.i], first[one.j]} & crowded]
        left = len(farther) - len(wanted)
        yield wanted, False

    found = covered(tiers(), first, eye, rank, by_codes=True)
    ends = sorted(found)
    turns = dict(zip(zip(asked.i.tolist(), asked.j.tolist(), strict=True), asked.turn.tolist(), strict=True))
    gaps: NDArray[Any] = np.array([UNKNOWN if (gap := found[pair]) is None else gap for pair in ends])
    pairs = Matches.between(np.array(ends, dtype=np.int64).reshape(-1, 2), gaps.astype(matches.distance.dtype))
    pairs = replace(pairs, turn=np.array([turns.get(pair, 0) for pair in ends], dtype=np.int8))
    return _sorted(Matches.joined([matches.where(~which), pairs])), left


def _proposals(matches: Matches) -> list[Proposal]:
    rows = matches.i.tolist(), matches.j.tolist(), matches.distance.tolist(), matches.turn.tolist()
    return [Proposal(i, j, gap, guess_of_turn(turn), "") for i, j, gap, turn in zip(*rows, strict=True)]


def _crowded(eye: Verifier) -> set[int]:
    """The contents that most looks found to be others: windows of one program all look alike."""
    looked, failed = Counter[int](), Counter[int]()
    for pair, seen in eye.seen.items():
        looked.update(pair)
        failed.update(pair * (not seen.look.same))
    return {content for content, count in failed.items() if 2 * count > looked[content]}


def _sorted(matches: Matches) -> Matches:
    order = np.lexsort((matches.j, matches.i))
    return Matches(matches.i[order], matches.j[order], matches.distance[order], matches.turn[order])
