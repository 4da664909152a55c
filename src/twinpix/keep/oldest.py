"""The image that was taken, or the file that was changed, longest ago stays."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Oldest:
    """By the date in EXIF, where there is one: copying a file changes the file's date. Then by modification time."""

    def key(self, member: Member) -> tuple[bool, str, int]:
        captured = member.traits.captured if member.traits else ""
        return not captured, captured, member.mtime_ns

    def reason(self, member: Member, other: Member) -> str:
        captured = member.traits.captured if member.traits else ""
        if captured != (other.traits.captured if other.traits else ""):
            return f"taken first ({captured[:10]})"
        return "oldest file"
