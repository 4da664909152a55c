"""Keep the image with the most frames or pages; a video in the file counts as one."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Frames:
    """A still of an animation or motion photo, or the first page of a document, is incomplete."""

    def key(self, member: Member) -> int:
        return -member.frames - _has_video(member)

    def reason(self, member: Member, other: Member) -> str:
        if _has_video(member) and member.frames == other.frames:
            return "holds a video"
        return f"most frames or pages ({member.frames})"


def _has_video(member: Member) -> bool:
    return member.traits is not None and member.traits.video
