"""Keep an image rather than a copy with less than two fifths of its side."""

from dataclasses import dataclass
from typing import ClassVar

from twinpix.model import Alteration, Member


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A copy with less than two fifths of the side is not kept for its metadata."""

    reads_pixels: ClassVar[bool] = True

    def key(self, member: Member) -> bool:
        return Alteration.THUMBNAIL in member.altered

    def reason(self, member: Member, other: Member) -> str:
        return f"far larger image ({member.width}×{member.height})"
