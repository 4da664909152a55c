"""Two files of one size that differ in one part only: one of them is a damaged copy of the other.

A disk that lost a sector keeps the size of the file, and decoders continue after it. If neither file shows the damage
itself, it is unknown which of the two is intact.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from twinpix.errors import ImageError
from twinpix.model import Group, Match, Member
from twinpix.sources.uris import open_uri

DAMAGED = "one of the two is damaged"

_BLOCK = 512  # bytes of a disk sector
_CHUNK = 1 << 20  # bytes that are read at once
_SAMPLES, _SAMPLE = 15, 64  # places, and bytes at each, that are compared before a large file is read completely
_MOST = 2 / 3  # share of blocks: files that differ in more are not damaged copies
_CHECKED = ("PNG",)  # formats whose decoder verifies a checksum of all pixels (Adler-32 of the deflate stream)


def may_be_damaged(a: Member, b: Member, match: Match | None) -> bool:
    """True if two files are worth reading: of one size, other bytes, shown as the same image, and not damaged."""
    if match is not None and match.identical:
        return False
    checked = a.format in _CHECKED and b.format in _CHECKED  # then both are intact, and one was edited
    return a.size == b.size > 0 and a.digest != b.digest and not (a.damaged or b.damaged or checked)


def differ_in_part(a: str, b: str, size: int) -> bool:
    """True if at least a third of the blocks of two files of `size` bytes are equal; False if unreadable."""
    try:
        with open_uri(a) as first, open_uri(b) as second:
            if size > 2 * _CHUNK and not _are_like(first, second, size):
                return False
            first.seek(0)
            second.seek(0)
            blocks = -(-size // _BLOCK)  # a file of a single block that differs does so everywhere
            return 0 < _other_blocks(first, second) <= min(blocks - 1, max(1, _MOST * size / _BLOCK))
    except (OSError, ImageError):
        return False


def _are_like(first: BinaryIO, second: BinaryIO, size: int) -> bool:
    """False for large files that differ nearly everywhere, which need not be read to the end."""
    equal = 0
    for number in range(1, _SAMPLES + 1):
        for file in (first, second):
            file.seek(size * number // (_SAMPLES + 1))
        equal += first.read(_SAMPLE) == second.read(_SAMPLE)
    return equal > _SAMPLES // 4


def _other_blocks(first: BinaryIO, second: BinaryIO) -> int:
    """Return the number of different blocks; all of them if one file is longer."""
    other = 0
    while (x := first.read(_CHUNK)) and (y := second.read(_CHUNK)):
        if x != y:
            values = (np.frombuffer(part, np.uint8, min(len(x), len(y))) for part in (x, y))
            other += len(np.unique(np.flatnonzero(np.not_equal(*values)) // _BLOCK))
    return other


def mark_damaged_pairs(groups: Sequence[Group]) -> list[Group]:
    """Return the groups, with a remark in the matches with the keeper that differ in one part only."""
    return [_with_damage(group) for group in groups]


def _with_damage(group: Group) -> Group:
    sizes = Counter(member.size for member in group.members)
    keeper = next(member for member in group.members if member.path == group.keeper)
    if sizes[keeper.size] < 2:
        return group
    members = {member.path: member for member in group.members}
    matches = [
        _match(match, keeper, members[match.b if match.a == keeper.path else match.a]) for match in group.matches
    ]
    return group if matches == group.matches else replace(group, matches=matches)


def _match(match: Match, keeper: Member, other: Member) -> Match:
    if keeper.path not in (match.a, match.b) or not may_be_damaged(keeper, other, match):
        return match
    if not differ_in_part(keeper.path, other.path, keeper.size):
        return match
    return replace(match, detail=f"{match.relation}; {DAMAGED}" if not match.detail else f"{match.detail}; {DAMAGED}")
