"""Pictures drawn in a terminal: images tiled into one, written the way the terminal at hand can show it."""

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
    """Draw images, tiled, on the terminal behind `stream`, which is `width` columns wide; 0 finds out."""
    environment = os.environ if environment is None else environment
    protocol = detect(environment)
    stream.write(encode(tile(paths, **tiling), protocol, width or shutil.get_terminal_size().columns, environment))
    stream.flush()
