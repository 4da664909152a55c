"""Recognise libraries of other programs: their files are listed in a database and must not be changed."""

import os
from functools import lru_cache

# In lower case. Apple Photos, iPhoto and Aperture, Photo Booth, and their migrated forms; Lightroom's previews, data
# and library; Capture One's catalogues; iMovie and Final Cut.
_SUFFIXES = (
    *(".photoslibrary", ".aplibrary", ".photolibrary", ".photoboothlibrary"),
    *(".migratedphotolibrary", ".migratedaplibrary", ".migratedaperturelibrary"),
    *(".lrdata", ".lrcat-data", ".lrlibrary"),
    *(".cocatalog", ".imovielibrary", ".fcpbundle"),
)
IN_LIBRARY = "is in a library of another program, whose files are never changed"
_REMEMBERED = 1 << 16  # folders


def is_library(name: str) -> bool:
    """True if a folder has the name of a library."""
    return name.lower().endswith(_SUFFIXES)


def in_library(path: str) -> bool:
    """True for a library and every path in it, symbolic links resolved."""
    return _is_named_so(path) or _is_really(os.path.abspath(os.path.dirname(path)))


@lru_cache(_REMEMBERED)
def _is_really(folder: str) -> bool:
    return _is_named_so(os.path.realpath(folder))


def _is_named_so(path: str) -> bool:
    return any(is_library(part) for part in path.replace("\\", "/").split("/"))
