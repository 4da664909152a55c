"""Keep the image with the earliest capture date, or the file with the earliest modification time."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Oldest:
    """The EXIF date comes first, because copying a file changes its modification time. Unknown times come last."""

    def key(self, member: Member) -> tuple[bool, str, bool, int]:
        captured = member.traits.captured if member.traits else ""
        return not captured, captured, not member.mtime_ns, member.mtime_ns

    def reason(self, member: Member, other: Member) -> str:
        captured = member.traits.captured if member.traits else ""
        if captured != (other.traits.captured if other.traits else ""):
            return f"taken first ({captured[:10]})"
        return "oldest file"
