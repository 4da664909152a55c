"""The image with all its colours stays, not one reduced to a palette."""

from dataclasses import dataclass

from twinpix.model import Member

_BITS = 1.5  # a pixel: drawings of few colours compress to far less, reduced photos to more
_UNCOMPRESSED = frozenset({"BMP", "DIB", "PPM", "TGA", "SGI", "PCX", "SUN", "ICO"})  # here the size tells nothing
_MANY = 128  # colours, that drawings do not have


@dataclass(frozen=True, slots=True)
class Palette:
    """A drawing of few colours is not reduced, and better than its JPEG: it is told by how well it compresses."""

    def key(self, member: Member) -> bool:
        traits = member.traits
        if traits is None or not traits.palette:
            return False
        if member.format in _UNCOMPRESSED:
            return traits.palette >= _MANY and traits.colour is not False  # of one tone: nothing tells
        return 8 * member.size > _BITS * member.pixels

    def reason(self, member: Member, other: Member) -> str:
        return f"all colours (the next best has {other.traits.palette if other.traits else 0})"
