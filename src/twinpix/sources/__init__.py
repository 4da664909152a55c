"""Sources of images: folders, single files, lists of names, archives."""

from twinpix.sources.base import Content, Listing
from twinpix.sources.listing import list_named, scan
from twinpix.sources.lists import names_from
from twinpix.sources.uris import explain_no_image, member_form, open_uri, path_advice, read, read_each, require

__all__ = [
    "Content",
    "Listing",
    "explain_no_image",
    "list_named",
    "member_form",
    "names_from",
    "open_uri",
    "path_advice",
    "read",
    "read_each",
    "require",
    "scan",
]
