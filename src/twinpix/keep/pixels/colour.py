"""Keep the image in colour, not its grey copy."""

from dataclasses import dataclass
from typing import ClassVar

from twinpix.model import Alteration, Member


@dataclass(frozen=True, slots=True)
class Colour:
    """Removed colours cannot be restored; if no member has colours, none is preferred."""

    reads_pixels: ClassVar[bool] = True

    def key(self, member: Member) -> bool:
        return Alteration.GREY in member.altered

    def reason(self, member: Member, other: Member) -> str:
        return "in colour"
