"""Keep the image with the camera's EXIF: maker, model or capture date."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Camera:
    """Chat programs and web sites remove EXIF."""

    def key(self, member: Member) -> tuple[bool, bool]:
        traits = member.traits
        return (True, True) if traits is None else (not traits.camera, not traits.captured)

    def reason(self, member: Member, other: Member) -> str:
        if member.traits and other.traits and bool(member.traits.camera) == bool(other.traits.camera):
            return "has its capture date (EXIF)"
        return "has the camera's EXIF"
