"""Keep the file that the other was converted from: the JPEG of a PNG with its pixels, the HEIC of an exported JPEG."""

from dataclasses import dataclass

from twinpix.model import Alteration, Member


@dataclass(frozen=True, slots=True)
class Original:
    """A conversion adds no information and often loses metadata."""

    def key(self, member: Member) -> bool:
        return Alteration.CONVERTED in member.altered

    def reason(self, member: Member, other: Member) -> str:
        return f"the original file (the {other.format or 'other'} was converted from it)"
