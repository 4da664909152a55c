"""Keep the image with transparency, not the copy composited on a background."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Alpha:
    """Only transparency of at least one pixel counts."""

    def key(self, member: Member) -> bool:
        return not (member.traits is not None and member.traits.alpha)

    def reason(self, member: Member, other: Member) -> str:
        return "with its transparency"
