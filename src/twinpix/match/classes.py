"""Contents that no search need tell apart: equal codes, or equal pixels where codes mean nothing."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.encoding.content_table import Contents
from twinpix.fingerprints import INFORMATION_FLOOR, Fingerprint, width_of
from twinpix.model import Bytes2D

_AT_ONCE = 4096  # codes that are compared together


class Nodes(NamedTuple):
    """What the search and the linking work on, so that a thousand equal pictures are one and no quadratic bucket."""

    of: NDArray[np.int64]  # the node of each content
    codes: Bytes2D  # (nodes, turns, bytes)
    guarded: NDArray[np.bool_]  # (nodes,): matched by identity alone
    origin: NDArray[np.int64]  # (nodes,): nodes of one origin would be one, had nobody said that they are apart

    def contents(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`order` and `starts`: node `n` holds the contents `order[starts[n]:starts[n + 1]]`, ascending."""
        order = np.argsort(self.of, kind="stable")
        return order, np.searchsorted(self.of[order], np.arange(len(self.codes) + 1))

    def first(self) -> list[int]:
        """The content that stands for each node."""
        order, starts = self.contents()
        first: list[int] = order[starts[:-1]].tolist()
        return first


def nodes_of(contents: Contents, method: Fingerprint, guard: bool, apart: Collection[int] = ()) -> Nodes:
    """One node for each distinct code, or, of contents with too little detail, for each distinct picture.

    Each content in `apart` has a node of its own.
    """
    codes = contents.codes(width_of(method))
    low = is_low(contents) if guard and not method.by_equality else np.zeros(len(codes), dtype=bool)
    of = _numbered(codes)
    distinct = int(of.max(initial=-1)) + 1
    plain = np.flatnonzero(low).tolist()
    firsts = _first_of_equals([contents.pixels(number) for number in plain])
    for number, at in zip(plain, firsts, strict=True):
        of[number] = distinct + at  # all of a node are guarded, or none
    origin = of.copy()
    alone = np.array(sorted(apart), dtype=np.int64)
    of[alone] = of.max(initial=-1) + 1 + np.arange(len(alone))
    used, of = np.unique(of, return_inverse=True)
    of = of.reshape(-1).astype(np.int64)
    members = np.zeros(len(used), dtype=np.int64)
    members[of[::-1]] = np.arange(len(codes))[::-1]
    every = len(used) == len(codes) and bool((np.diff(members) > 0).all())
    own = codes if every else codes[members]  # a second copy of eight orientations would fill the memory
    return Nodes(of, own, low[members], origin[members])


def is_low(contents: Contents) -> NDArray[np.bool_]:
    """Which contents have too little detail for a hash to mean anything."""
    low: NDArray[np.bool_] = contents.column("information") < INFORMATION_FLOOR
    return low


def _numbered(codes: Bytes2D) -> NDArray[np.int64]:
    """`(n,)`: equal codes have one number, counted in the order of their firsts. No copy of the codes is made."""
    items = _as_items(np.ascontiguousarray(codes.reshape(len(codes), codes.shape[1] * codes.shape[2])))
    order = np.argsort(items, kind="stable")
    new = np.ones(len(items), dtype=bool)
    for at in range(1, len(items), _AT_ONCE):
        some = order[at - 1 : at + _AT_ONCE]
        new[at : at + _AT_ONCE] = items[some[1:]] != items[some[:-1]]
    firsts = order[new]
    numbers = np.empty(len(items), dtype=np.int64)
    numbers[order] = np.argsort(np.argsort(firsts))[np.cumsum(new) - 1]
    return numbers


def _as_items(rows: Bytes2D) -> NDArray[np.void]:
    """Each row as one value that compares by its bytes."""
    if not rows.size:
        return np.empty(0, dtype="V1")
    return rows.view(f"V{rows.shape[1]}")[:, 0]


def _first_of_equals(values: Sequence[bytes | None]) -> list[int]:
    """For each value the place of the first that equals it; unknown ones equal nothing."""
    first: dict[bytes, int] = {}
    return [at if value is None else first.setdefault(value, at) for at, value in enumerate(values)]
