"""Keep the file with the latest modification time."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Newest:
    """By modification time."""

    def key(self, member: Member) -> int:
        return -member.mtime_ns

    def reason(self, member: Member, other: Member) -> str:
        return "newest file"
