"""Where images come from: folders, single files, lists of names."""

from twinpix.sources.base import Listing, read, require
from twinpix.sources.filelist import names_from
from twinpix.sources.folder import named, scan

__all__ = ["Listing", "named", "names_from", "read", "require", "scan"]
