"""Classes of contents that search need not distinguish: equal codes, or equal pixels without usable codes."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.encoding.content_table import ContentTable
from twinpix.fingerprints import LOW_DETAIL_BELOW, Fingerprint, width_of
from twinpix.model import Bytes2D, ContentId

_CODES_PER_BLOCK = 4096  # codes that are compared together


class CodeClasses(NamedTuple):
    """Classes of contents, on which search and linking work, so that a thousand equal images are one class."""

    of: NDArray[np.int64]  # the class of each content
    codes: Bytes2D  # (classes, orientations, bytes)
    guarded: NDArray[np.bool_]  # (classes,): matched by identity only
    origin: NDArray[
        np.int64
    ]  # (classes,): classes with one origin have equal codes, but the user marked contents of them as not duplicates

    def contents(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return `order` and `starts`: class `n` has the contents `order[starts[n]:starts[n + 1]]`, ascending."""
        order = np.argsort(self.of, kind="stable")
        return order, np.searchsorted(self.of[order], np.arange(len(self.codes) + 1))

    def first(self) -> list[ContentId]:
        """Return the representative content of each class."""
        order, starts = self.contents()
        return [ContentId(number) for number in order[starts[:-1]].tolist()]


def code_classes_of(
    contents: ContentTable, method: Fingerprint, guard: bool, excluded: Collection[int] = ()
) -> CodeClasses:
    """Return one class for each distinct code, or, for contents with too little texture, for each distinct image.

    Each content in `excluded`, those of excluded pairs, has a class of its own.
    """
    codes = contents.codes(width_of(method))
    low = is_low_detail(contents) if guard and not method.by_equality else np.zeros(len(codes), dtype=bool)
    of = _number_codes(codes)
    distinct = int(of.max(initial=-1)) + 1
    plain = [ContentId(number) for number in np.flatnonzero(low).tolist()]
    firsts = _first_of_equals([contents.pixels(number) for number in plain])
    for number, at in zip(plain, firsts, strict=True):
        of[number] = distinct + at  # either all contents of a class are guarded, or none
    origin = of.copy()
    alone = np.array(sorted(excluded), dtype=np.int64)
    of[alone] = of.max(initial=-1) + 1 + np.arange(len(alone))
    used, of = np.unique(of, return_inverse=True)
    of = of.reshape(-1).astype(np.int64)
    members = np.zeros(len(used), dtype=np.int64)
    members[of[::-1]] = np.arange(len(codes))[::-1]
    every = len(used) == len(codes) and bool((np.diff(members) > 0).all())
    own = codes if every else codes[members]  # a second copy of eight orientations would fill the memory
    return CodeClasses(of, own, low[members], origin[members])


def is_low_detail(contents: ContentTable) -> NDArray[np.bool_]:
    """Return which contents have too little texture for a hash."""
    low: NDArray[np.bool_] = contents.column("detail_score") < LOW_DETAIL_BELOW
    return low


def _number_codes(codes: Bytes2D) -> NDArray[np.int64]:
    """Return `(n,)`: equal codes have one number, in the order of first occurrence. Does not copy the codes."""
    items = _as_items(np.ascontiguousarray(codes.reshape(len(codes), codes.shape[1] * codes.shape[2])))
    order = np.argsort(items, kind="stable")
    new = np.ones(len(items), dtype=bool)
    for at in range(1, len(items), _CODES_PER_BLOCK):
        some = order[at - 1 : at + _CODES_PER_BLOCK]
        new[at : at + _CODES_PER_BLOCK] = items[some[1:]] != items[some[:-1]]
    firsts = order[new]
    numbers = np.empty(len(items), dtype=np.int64)
    numbers[order] = np.argsort(np.argsort(firsts))[np.cumsum(new) - 1]
    return numbers


def _as_items(rows: Bytes2D) -> NDArray[np.void]:
    """Return each row as one value that compares by its bytes."""
    if not rows.size:
        return np.empty(0, dtype="V1")
    return rows.view(f"V{rows.shape[1]}")[:, 0]


def _first_of_equals(values: Sequence[bytes | None]) -> list[int]:
    """Return for each value the index of the first equal one; None equals nothing."""
    first: dict[bytes, int] = {}
    return [at if value is None else first.setdefault(value, at) for at, value in enumerate(values)]
