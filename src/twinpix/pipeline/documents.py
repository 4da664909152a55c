"""Pairs of pages that a hash proposes are verified: no hash tells two filled forms of one design apart.

Only pairs of which both images are printed pages are decoded again, so that photos cost nothing.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix.model import UNKNOWN, Matches
from twinpix.pipeline.alterations import Looking
from twinpix.pipeline.covering import covered
from twinpix.pipeline.gathering import Images
from twinpix.pipeline.hubs import Rank
from twinpix.pipeline.nodes import Nodes
from twinpix.pipeline.sight import Proposal
from twinpix.pipeline.verifying import Verifier, guess_of_turn

_READ_AT_ONCE = 512  # contents whose pixels are looked at together: of 17 kB each


def printed(images: Images, nodes: Nodes, matches: Matches, look: Looking) -> NDArray[np.bool_]:
    """Which contents `(n,)` are printed pages, of those that match another."""
    sizes = np.bincount(nodes.of, minlength=len(nodes.codes))
    linked = sizes > 1
    linked[matches.i] = linked[matches.j] = True
    wanted = np.flatnonzero((linked & ~nodes.guarded)[nodes.of]).tolist()
    out = np.zeros(len(images.contents), dtype=bool)
    for at in range(0, len(wanted), _READ_AT_ONCE):
        for number, evidence in look(wanted[at : at + _READ_AT_ONCE]).items():
            out[number] = evidence.printed
    return out


def verified(nodes: Nodes, matches: Matches, pages: NDArray[np.bool_], eye: Verifier, rank: Rank | None) -> Matches:
    """The matches without those of two pages that verification does not find to be the same page.

    `pages` says of each content whether it is one. A pair of pages keeps the distance of its codes.
    """
    first = nodes.first()
    page = pages[first]
    both = page[matches.i] & page[matches.j]
    if not both.any():
        return matches
    columns = zip(
        *(column[both].tolist() for column in (matches.i, matches.j, matches.distance, matches.turn)), strict=True
    )
    proposed = [Proposal(i, j, gap, guess_of_turn(turn), "") for i, j, gap, turn in columns]
    turns = {one.ends: turn for one, turn in zip(proposed, matches.turn[both].tolist(), strict=True)}
    found = covered([(proposed, False)], first, eye, rank, by_codes=True)
    ends = sorted(found)
    gaps: NDArray[Any] = np.array([UNKNOWN if (gap := found[pair]) is None else gap for pair in ends])
    pairs = Matches.between(np.array(ends, dtype=np.int64).reshape(-1, 2), gaps.astype(matches.distance.dtype))
    pairs = replace(pairs, turn=np.array([turns.get(pair, 0) for pair in ends], dtype=np.int8))
    return _sorted(Matches.joined([_where(matches, ~both), pairs]))


def _where(matches: Matches, which: NDArray[np.bool_]) -> Matches:
    return Matches(matches.i[which], matches.j[which], matches.distance[which], matches.turn[which])


def _sorted(matches: Matches) -> Matches:
    order = np.lexsort((matches.j, matches.i))
    return Matches(matches.i[order], matches.j[order], matches.distance[order], matches.turn[order])
