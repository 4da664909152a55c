"""The command line of imgdupes (options, output, file names), with twinpix's functions behind it."""

from twinpix.compat.imgdupes.command import run
from twinpix.compat.imgdupes.options import Options

__all__ = ["Options", "run"]
