"""Keep the image with all its colours, not the copy reduced to a palette."""

from dataclasses import dataclass

from twinpix.model import Member

_BITS = 1.5  # bits per pixel: drawings of few colours compress to far less, reduced photos to more
_UNCOMPRESSED = frozenset(
    {"BMP", "DIB", "PPM", "TGA", "SGI", "PCX", "SUN", "ICO"}
)  # uncompressed: the size is no evidence
_MANY = 128  # colours: drawings have fewer


@dataclass(frozen=True, slots=True)
class Palette:
    """A drawing of few colours is not reduced, and better than its JPEG; it is recognised by its compression ratio."""

    def key(self, member: Member) -> bool:
        traits = member.traits
        if traits is None or not traits.palette:
            return False
        if member.format in _UNCOMPRESSED:
            return traits.palette >= _MANY and traits.colour is not False  # one hue: no evidence
        return 8 * member.size > _BITS * member.pixels

    def reason(self, member: Member, other: Member) -> str:
        return f"all colours (the next best has {other.traits.palette if other.traits else 0})"
