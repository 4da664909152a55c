"""The image with the camera's EXIF stays: maker, model, or when it was taken."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Camera:
    """Chat programs and web sites take EXIF off."""

    def key(self, member: Member) -> tuple[bool, bool]:
        traits = member.traits
        return (True, True) if traits is None else (not traits.camera, not traits.captured)

    def reason(self, member: Member, other: Member) -> str:
        if member.traits and other.traits and bool(member.traits.camera) == bool(other.traits.camera):
            return "says when it was taken (EXIF)"
        return "has the camera's EXIF"
