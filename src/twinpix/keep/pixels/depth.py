"""Keep the image with the most bits per channel."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Depth:
    """16 bits have more levels than 8."""

    def key(self, member: Member) -> int:
        return -member.traits.depth if member.traits else -8

    def reason(self, member: Member, other: Member) -> str:
        return f"most bits a channel ({member.traits.depth if member.traits else 8})"
