"""The image in colour stays, not a grey copy."""

from dataclasses import dataclass
from typing import ClassVar

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Colour:
    """Colours that were taken away cannot be got back; where no member has any, none is preferred."""

    looks: ClassVar[bool] = True

    def key(self, member: Member) -> bool:
        return "grey" in member.altered

    def reason(self, member: Member, other: Member) -> str:
        return "in colour"
