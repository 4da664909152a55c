"""A drawn folder, and calls of imgdupes on it: what `bench/record_imgdupes.py` records and the tests compare with.

Files are uncompressed PNGs written here, so that their sizes are the same everywhere.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from drawings import draw

FOLDER, LIST = "drawn", "list of files.txt"
SORTS = ("filesize", "filepath", "imagesize", "width", "height")
_BLOCK = 65_535  # bytes in a stored block of deflate

# Name, kind of image, its number, size; `L` is grey, `+` has a spot, `#` has a stamp.
_FILES: tuple[tuple[str, str, int, tuple[int, int], str], ...] = (
    ("harbour.png", "landscape", 3, (320, 240), ""),
    ("harbour small.png", "landscape", 3, (160, 120), ""),
    ("a harbour.PNG", "landscape", 3, (240, 180), ""),
    ("sub folder/harbour.png", "landscape", 3, (320, 240), "L"),
    ("harbour stamped.png", "landscape", 3, (300, 200), "#"),
    ("sub folder/deeper/harbour wide.png", "landscape", 3, (400, 120), ""),
    ("table 1.png", "table", 8, (200, 150), ""),
    ("table 2.png", "table", 8, (200, 150), "+"),
    ("table 3.png", "table", 8, (150, 200), ""),
    ("sub folder/table 0.png", "table", 8, (200, 150), ""),
    ("table stamped.png", "table", 8, (200, 150), "#"),
    ("street.png", "street", 12, (256, 256), ""),
    ("Street copy.png", "street", 12, (256, 256), "+"),
    ("sub folder/street tall.png", "street", 12, (120, 300), ""),
    ("portrait.png", "portrait", 5, (120, 160), ""),
    ("portrait (large).png", "portrait", 5, (240, 320), ""),
    ("sub folder/b.png", "scene", 21, (180, 130), ""),
    ("sub folder/a.png", "scene", 21, (180, 130), ""),
    ("alone.png", "scene", 40, (180, 130), ""),
    ("chart.png", "chart", 41, (180, 130), ""),
    ("sub folder/alone.png", "texture", 42, (160, 160), ""),
)


class Case(NamedTuple):
    """Arguments after the program's name, and the input."""

    arguments: tuple[str, ...]
    typed: str = ""

    @property
    def key(self) -> str:
        return " ".join(self.arguments) + (f" < {self.typed!r}" if self.typed else "")


def draw_folder(top: Path) -> None:
    """Draw `drawn/` below `top`, and a list of some of its files."""
    for name, kind, number, size, change in _FILES:
        image = draw(kind, number, (320, 240)).resize(size, Image.Resampling.LANCZOS)
        if change == "+":
            image.putpixel((size[0] // 2, size[1] // 2), (255, 0, 255))
        elif change == "#":
            image.paste((20, 20, 20), (0, 0, size[0] // 3, size[1] // 4))
        path = top / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored_png(image.convert("L") if change == "L" else image))
    names = [f"{FOLDER}/{file[0]}" for file in _FILES]
    (top / LIST).write_text("\n".join(names[9:0:-1]) + "\n")


def stored_png(image: Image.Image) -> bytes:
    """A PNG without compression: the same image gives the same bytes with any zlib."""
    pixels = np.asarray(image)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    blocks = (
        struct.pack("<BHH", number == len(parts), len(part), len(part) ^ 0xFFFF) + part
        for number, part in enumerate(parts, start=1)
    )
    data = b"\x78\x01" + b"".join(blocks) + struct.pack(">I", zlib.adler32(rows))
    colour = 2 if pixels.ndim == 3 else 0
    head = struct.pack(">IIBBBBB", image.width, image.height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def cases() -> list[Case]:
    """The calls; none changes the files."""
    out = [
        Case((FOLDER, "phash", "4", "--no-cache")),
        Case((f"./{FOLDER}/", "phash", "4", "--no-cache")),
        Case((f"{FOLDER}/sub folder/deeper", "phash", "4", "-m", "--no-cache")),
        Case(("-T", LIST, "phash", "4", "--no-cache")),
        Case(("-m", "--files-from", LIST, "--sort", "filepath", "dhash", "6", "--no-cache")),
    ]
    hashes = "ahash 4", "ahash 8", "phash 0", "phash 7", "phash 8", "phash 14", "dhash 4", "whash 4", "whash 11"
    out += [_of(*text.split(), "-m") for text in hashes]
    out += [
        _of(name, distance, "--hash-bits", bits)
        for name in ("ahash", "phash", "dhash", "whash")
        for bits, distance in (("81", "10"), ("144", "16"), ("256", "24"))
        if name != "whash" or bits == "256"
    ]
    out.append(_of("phash", "10", "--hash-bits", "100"))
    out.append(_of("phash", "10", "--hash-bits", "120"))
    out += [_of("phash", "8", "--sort", sort, *order) for sort in SORTS for order in ((), ("--reverse",))]
    out += [_of("phash", "8", "--sort", "none"), _of("phash", "8", "--faiss-flat")]
    out += [_of("phash", "8", "--sameline", *more) for more in ((), ("-m",), ("--reverse", "--sort", "width"))]
    for query in ("table 2.png", "alone.png", "sub folder/street tall.png"):
        out.append(_of("phash", "8", "--query", f"{FOLDER}/{query}"))
        out.append(_of("phash", "8", "--query", f"{FOLDER}/{query}", "--sameline", "-m"))
    out.append(Case((f"{FOLDER}/sub folder/deeper", "phash", "4", "--query", f"{FOLDER}/table 1.png", "--no-cache")))
    out += [_of("phash", "8", "-d", "-N", "--dry-run", *more) for more in ((), ("--sort", "height"), ("--reverse",))]
    out.append(_of("phash", "8", "-dN", "--dry-run", "--query", f"{FOLDER}/table 2.png"))
    typed = "all\n1\nx\n2,9\n\n2, 1\nA\n2\n1,2,3,4,5,6,7,8\n"
    out.append(Case(_of("phash", "8", "-d", "--dry-run", "--no-subdir-warning").arguments, typed))
    out.append(Case((FOLDER, "phash", "4", "-dm", "--no-cache")))
    out.append(Case(("phash", "4")))
    out.append(Case((FOLDER, "nohash", "4")))
    out.append(Case((FOLDER, "phash", "four")))
    return out


def _of(*arguments: str) -> Case:
    return Case(("-r", FOLDER, *arguments, "--no-cache"))


def shape(case: Case, printed: str) -> str:
    """The output as compared: with `--sort none`, the order of imgdupes differs from run to run."""
    if "none" not in case.arguments:
        return printed
    sets = ["\n".join(sorted(part.splitlines())) for part in printed.split("\n\n")]
    return "\n\n".join(sorted(sets))
