"""Keep the unedited image: not framed, captioned, watermarked, blurred or enlarged."""

from dataclasses import dataclass
from typing import ClassVar

from twinpix.model import Member

_WORDS = ("padded", "overlaid", "blurred", "enlarged")


@dataclass(frozen=True, slots=True)
class Unaltered:
    """Edits are detected by the relations within the group and the pixels."""

    reads_pixels: ClassVar[bool] = True

    def key(self, member: Member) -> bool:
        return bool(member.altered) and any(word in member.altered for word in _WORDS)

    def reason(self, member: Member, other: Member) -> str:
        words = " and ".join(word for word in _WORDS if word in other.altered)
        return f"unedited (the next best is {words})" if words else "edited as the others are"
