"""Keep the unedited image: not framed, captioned, watermarked, blurred or enlarged."""

from dataclasses import dataclass
from typing import ClassVar

from twinpix.model import Alteration, Member

_EDITS = (Alteration.PADDED, Alteration.OVERLAID, Alteration.BLURRED, Alteration.ENLARGED)


@dataclass(frozen=True, slots=True)
class Unaltered:
    """Edits are detected by the relations within the group and the pixels."""

    reads_pixels: ClassVar[bool] = True

    def key(self, member: Member) -> bool:
        return any(edit in member.altered for edit in _EDITS)

    def reason(self, member: Member, other: Member) -> str:
        words = " and ".join(edit for edit in _EDITS if edit in other.altered)
        return f"unedited (the next best is {words})" if words else "edited as the others are"
