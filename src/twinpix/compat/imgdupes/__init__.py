"""imgdupes' command line: its options, its output and its file names, over twinpix's own pipeline."""

from twinpix.compat.imgdupes.options import Options
from twinpix.compat.imgdupes.running import run

__all__ = ["Options", "run"]
