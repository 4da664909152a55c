"""Encode an image as DEC sixels: https://vt100.net/docs/vt3xx-gp/chapter14.html"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def sixel(image: Image.Image) -> bytes:
    """Return an image of at most 255 colours as sixels: bands of six rows, with a line for each colour of a band."""
    reduced = image.quantize(255)
    pixels = np.asarray(reduced)
    palette = np.asarray(reduced.getpalette(), np.int64).reshape(-1, 3) * 100 + 127
    colours = "".join(f"#{number};2;{r};{g};{b}" for number, (r, g, b) in enumerate((palette // 255).tolist()))
    head = f'\x1bP0;1q"1;1;{image.width};{image.height}{colours}'.encode()
    return head + b"-".join(_band(pixels[top : top + 6]) for top in range(0, image.height, 6)) + b"\x1b\\\n"


def _band(pixels: NDArray[np.uint8]) -> bytes:
    colours, lines_of = np.unique(pixels, return_inverse=True)
    columns = np.arange(1, 1 + pixels.shape[1])
    lines = np.zeros((len(colours), 1 + pixels.shape[1]), np.int16)
    lines[:, 0] = -1 - colours.astype(np.int16)  # negative: start of a line of this colour
    for bit, row in enumerate(lines_of.reshape(pixels.shape)):
        lines[row, columns] |= 1 << bit
    flat = lines.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=0))
    values, counts = flat[starts].astype(np.int64), np.diff(starts, append=flat.size)
    ends = np.append(values[1:] < 0, True)
    tokens = np.where(values < 0, values, counts * 64 + values)[(values != 0) | ~ends]
    return b"".join(map(_token, tokens.tolist()))[1:]


@cache
def _token(run: int) -> bytes:
    """Return the start of a line of colour -1 - `run` or, from 0 on, `run` // 64 times the six pixels `run` % 64."""
    if run < 0:
        return b"$#%d" % (-1 - run)
    count, bits = divmod(run, 64)
    return bytes([63 + bits]) * count if count < 4 else b"!%d%c" % (count, 63 + bits)
