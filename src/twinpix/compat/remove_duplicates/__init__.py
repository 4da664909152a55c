"""The command line of remove_duplicates.py: data sets, files of encodings, duplicates and their target folder."""

from twinpix.compat.remove_duplicates.checks import check
from twinpix.compat.remove_duplicates.codes import Encoded, encode
from twinpix.compat.remove_duplicates.display import show
from twinpix.compat.remove_duplicates.encodings import write
from twinpix.compat.remove_duplicates.grouping import Duplicates, find_duplicates
from twinpix.compat.remove_duplicates.options import Options

__all__ = ["Duplicates", "Encoded", "Options", "check", "encode", "find_duplicates", "show", "write"]
