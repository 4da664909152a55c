"""An image far smaller than an unedited one goes."""

from dataclasses import dataclass
from typing import ClassVar

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """Less than two fifths of the side of another: its metadata does not make up for that."""

    looks: ClassVar[bool] = True

    def key(self, member: Member) -> bool:
        return "thumbnail" in member.altered

    def reason(self, member: Member, other: Member) -> str:
        return f"far larger picture ({member.width}×{member.height})"
