"""The picture with the most pixels stays."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Resolution:
    """Width times height."""

    def key(self, member: Member) -> int:
        return -member.pixels

    def reason(self, member: Member, other: Member) -> str:
        return f"largest picture ({member.width}×{member.height})"
