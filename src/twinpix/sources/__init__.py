"""Sources of images: folders, single files, lists of names, archives."""

from twinpix.sources.base import Content, Listing
from twinpix.sources.filelist import names_from
from twinpix.sources.listing import named, scan
from twinpix.sources.uris import opened, read, require

__all__ = ["Content", "Listing", "named", "names_from", "opened", "read", "require", "scan"]
