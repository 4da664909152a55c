"""Recognise image formats by the first bytes of a file."""

import re
from pathlib import PurePath

HEAD = 512  # number of bytes that `sniff` needs

_MAGIC: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (kind, re.compile(pattern, re.DOTALL))
    for kind, pattern in (
        ("JPEG", rb"\xff\xd8\xff"),
        ("PNG", rb"\x89PNG\r\n\x1a\n"),
        ("GIF", rb"GIF8[79]a"),
        ("WEBP", rb"RIFF....WEBP"),
        ("TIFF", rb"II\*\0|MM\0\*|II\+\0|MM\0\+"),
        (
            "BMP",
            rb"BM.{4}\0\0\0\0.{4}[\x0c\x28\x38\x40\x6c\x7c\x10]\0\0\0|BM.{12}[\x28\x34\x38\x40\x6c\x7c\x10]\0\0\0",
        ),
        ("AVIF", rb"....ftyp(?:avi[fs]|(?:mif1|msf1).{4,40}avi[fs])"),
        ("HEIF", rb"....ftyp(?:hei[cxms]|hev[cx]|mif1|msf1|heif)"),
        ("RAW", rb"....ftypcrx |FUJIFILMCCD-RAW|IIR[OS]|IIU\0|MMOR"),
        ("JXL", rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"),
        ("JPEG2000", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
        ("ICO", rb"\0\0[\x01\x02]\0[\x01-\x40]\0...\0[\0\x01]\0"),
        ("ICNS", rb"icns"),
        ("PSD", rb"8BPS\0\x01"),
        ("PPM", rb"P[1-6](?:\s|#)+[\s\d#]|P[7fF]\n|Pf\n|PF\n"),
        ("QOI", rb"qoif"),
        ("DDS", rb"DDS \x7c\0\0\0"),
        ("SGI", rb"\x01\xda[\0\x01][\x01\x02]\0[\x01-\x03]"),
        ("SUN", rb"\x59\xa6\x6a\x95"),
        ("XBM", rb"\s*#define[ \t]+\S*_width[ \t]+\d+"),
        ("XPM", rb"/\* XPM \*/"),
    )
)

# Many RAW files are TIFF files whose first image is a thumbnail, so the suffix decides.
RAW_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "iiq", "kdc", "mef", "mos", "mrw", "nef", "nrw"),
        *("orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw", "x3f"),
    )
)
IMAGE_SUFFIXES = RAW_SUFFIXES | frozenset(
    f".{name}"
    for name in (
        *("apng", "avif", "avifs", "bmp", "bw", "cur", "dcx", "dds", "dib", "flc", "fli", "gif", "heic", "heics"),
        *("heif", "heifs", "hif", "icb", "icns", "ico", "im", "j2c", "j2k", "jfif", "jif", "jp2", "jpc", "jpe"),
        *("jpeg", "jpf", "jpg", "jpx", "jxl", "mpo", "msp", "pbm", "pcx", "pfm", "pgm", "png", "pnm", "ppm", "psd"),
        *("qoi", "ras", "rgb", "rgba", "sgi", "tga", "tif", "tiff", "vda", "vst", "webp", "xbm", "xpm"),
    )
)


def suffix(name: str) -> str:
    """Return the lower-case suffix of a path, which may have undecodable bytes."""
    return PurePath(name).suffix.lower()


def claims_image(name: str) -> bool:
    """True if a file's name has the suffix of an image format."""
    return suffix(name) in IMAGE_SUFFIXES


def claims_raw(name: str) -> bool:
    """True if a file's name has the suffix of a camera's RAW format."""
    return suffix(name) in RAW_SUFFIXES


def sniff(head: bytes, name: str = "") -> str | None:
    """Return the format that the first bytes identify, or None.

    `name` is used only to distinguish a camera's RAW file from a TIFF, and for formats without a signature (TGA, PCX):
    then the result is `"?"`.
    """
    kind = next((kind for kind, pattern in _MAGIC if pattern.match(head)), None)
    if kind in ("TIFF", None) and suffix(name) in RAW_SUFFIXES and head:
        return "RAW"
    return kind or ("?" if head and claims_image(name) else None)
