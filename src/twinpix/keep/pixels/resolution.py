"""Keep the image with the most pixels."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Resolution:
    """Width times height."""

    def key(self, member: Member) -> int:
        return -member.pixels

    def reason(self, member: Member, other: Member) -> str:
        return f"largest image ({member.width}×{member.height})"
