"""Keep the file with the shortest path."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Shortest:
    """Characters of the path."""

    def key(self, member: Member) -> int:
        return len(member.path)

    def reason(self, member: Member, other: Member) -> str:
        return "shortest path"
