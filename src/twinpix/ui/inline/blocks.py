"""Draw an image as coloured text: two pixels per character, the upper half block and its background."""

from collections.abc import Callable, Iterable
from itertools import groupby

import numpy as np
from PIL import Image

_UPPER_HALF = "\u2580"


def blocks(image: Image.Image, columns: int, every_colour: bool) -> bytes:
    """Return an image as text of at most `columns` columns.

    With `every_colour` it has 24-bit colours, else the 216 colours of the cube of a 256-colour terminal.
    """
    width = min(image.width, max(1, columns))
    height = max(1, round(image.height * width / image.width))
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    code = _direct if every_colour else _cube
    rows: list[list[list[int]]] = np.asarray(image).tolist()
    lines = (zip(*rows[top : top + 2], strict=True) for top in range(0, height, 2))
    return "".join(_line(line, code) for line in lines).encode()


def _line(pairs: Iterable[tuple[list[int], ...]], code: Callable[[list[int]], str]) -> str:
    out = []
    for pair, same in groupby(pairs):
        behind = f"48;{code(pair[1])}" if len(pair) > 1 else "49"  # below the last row: the default background
        out.append(f"\x1b[38;{code(pair[0])};{behind}m" + _UPPER_HALF * sum(1 for _ in same))
    return "".join(out) + "\x1b[0m\n"


def _direct(colour: list[int]) -> str:
    return "2;" + ";".join(map(str, colour))


def _cube(colour: list[int]) -> str:
    """Return the nearest colour of the cube of 216 colours, whose levels are 0, 95, 135, 175, 215, 255."""
    red, green, blue = (int(value >= 48) if value < 115 else (value - 35) // 40 for value in colour)
    return f"5;{16 + 36 * red + 6 * green + blue}"
