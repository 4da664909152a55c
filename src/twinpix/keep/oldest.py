"""The file that was changed longest ago stays."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Oldest:
    """By modification time."""

    def key(self, member: Member) -> int:
        return member.mtime_ns

    def reason(self, member: Member) -> str:
        return "oldest file"
