"""Keep the image with a GPS position."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Place:
    """GPS in EXIF; many programs remove it when an image is shared."""

    def key(self, member: Member) -> bool:
        return not (member.traits is not None and member.traits.gps)

    def reason(self, member: Member, other: Member) -> str:
        return "has its GPS position"
