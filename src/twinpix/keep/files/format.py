"""Keep the better format: camera RAW, then lossless, then lossy."""

from dataclasses import dataclass

from twinpix.model import Member

_LOSSLESS = frozenset({"PNG", "TIFF", "BMP", "PPM", "PSD", "QOI", "TGA", "SGI", "DIB"})
_MODERN = frozenset({"HEIF", "AVIF", "JXL", "JPEG2000"})


@dataclass(frozen=True, slots=True)
class Format:
    """RAW, lossless, HEIC/AVIF/JPEG XL, JPEG, WebP, anything else."""

    def key(self, member: Member) -> int:
        if member.format == "RAW":
            return 0
        if member.format in _LOSSLESS:
            return 1
        if member.format in _MODERN:
            return 2
        return {"JPEG": 3, "MPO": 3, "WEBP": 4}.get(member.format, 5)

    def reason(self, member: Member, other: Member) -> str:
        return f"best format ({member.format})"
