"""remove_duplicates.py's command line: data sets, encodings in files, what is near and where it goes."""

from twinpix.compat.remove_duplicates.checking import check
from twinpix.compat.remove_duplicates.coding import Coded, coded
from twinpix.compat.remove_duplicates.encodings import write
from twinpix.compat.remove_duplicates.grouping import Found, found
from twinpix.compat.remove_duplicates.options import Options
from twinpix.compat.remove_duplicates.showing import show

__all__ = ["Coded", "Found", "Options", "check", "coded", "found", "show", "write"]
