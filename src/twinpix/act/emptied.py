"""Folders that are emptied automatically: trashes, snapshots that expire, old versions, thumbnails, caches.

An image in such a folder is never the keeper of one outside.
"""

import re
from functools import lru_cache

# In lower case. Windows; Synology; QNAP; macOS; Nextcloud; Syncthing; Dropbox; thumbnails of desktops and phones.
_NAMES = frozenset(
    {
        *("$recycle.bin", "recycler", "#recycle", "@recycle", ".trash", ".trashes", "files_trashbin"),
        *("#snapshot", ".snapshot", ".snapshots", "@recently-snapshot", ".zfs", ".stversions", "files_versions"),
        *("@eadir", ".@__thumb", "__macosx", ".thumbnails", ".thumbs", ".dropbox.cache", ".cache"),
    }
)
_TRASH = re.compile(r"/(\.trash-[0-9]+|trash/files)/")  # of the FreeDesktop.org Trash specification
_REMEMBERED = 1 << 16  # names of folders
IN_EMPTIED = "is in a trash, snapshot or cache folder, which may be emptied"


def is_in_emptied(path: str) -> bool:
    """True for a file below a folder that is emptied automatically, by the names in its path."""
    return _is_emptied(path.replace("\\", "/").rpartition("/")[0])


@lru_cache(_REMEMBERED)
def _is_emptied(folder: str) -> bool:
    place = f"{folder.lower()}/"
    return not _NAMES.isdisjoint(place.split("/")) or _TRASH.search(place) is not None
