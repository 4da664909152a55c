"""Show images in a terminal: tile them into one image, and encode it in the graphics protocol of the terminal."""

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Unpack

from twinpix.ui.inline.protocols import PROTOCOLS, Protocol, detect, encode
from twinpix.ui.inline.tiling import INTERPOLATIONS, Tiling, check, parse_size, tile

__all__ = [
    "INTERPOLATIONS",
    "PROTOCOLS",
    "Protocol",
    "Tiling",
    "check",
    "detect",
    "encode",
    "parse_size",
    "show",
    "tile",
]


def show(
    paths: Sequence[str],
    stream: BinaryIO,
    environment: Mapping[str, str] | None = None,
    width: int = 0,
    **tiling: Unpack[Tiling],
) -> None:
    """Tile images and show them in the terminal of `stream`, which is `width` columns wide (0: detected)."""
    environment = os.environ if environment is None else environment
    protocol = detect(environment)
    stream.write(encode(tile(paths, **tiling), protocol, width or shutil.get_terminal_size().columns, environment))
    stream.flush()
