"""The image with the most frames or pages stays."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Frames:
    """A still of an animation, or the first page of a document, is less than the whole."""

    def key(self, member: Member) -> int:
        return -member.frames

    def reason(self, member: Member, other: Member) -> str:
        return f"most frames or pages ({member.frames})"
