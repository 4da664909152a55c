"""Sources of images: folders, single files, lists of names, archives."""

from twinpix.sources.base import Content, Listing
from twinpix.sources.filelist import names_from
from twinpix.sources.listing import list_named, scan
from twinpix.sources.uris import member_form, open_uri, read, require

__all__ = ["Content", "Listing", "list_named", "member_form", "names_from", "open_uri", "read", "require", "scan"]
