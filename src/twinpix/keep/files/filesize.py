"""Keep the largest file: of equal images, the least compressed."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class FileSize:
    """Bytes."""

    def key(self, member: Member) -> int:
        return -member.size

    def reason(self, member: Member, other: Member) -> str:
        return "largest file"
