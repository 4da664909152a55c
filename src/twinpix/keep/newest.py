"""The file that was changed last stays."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Newest:
    """By modification time."""

    def key(self, member: Member) -> int:
        return -member.mtime_ns

    def reason(self, member: Member, other: Member) -> str:
        return "newest file"
