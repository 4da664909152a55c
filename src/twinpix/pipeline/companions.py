"""What belongs to an image: its sidecars, and the other half of a pair of camera RAW and JPEG."""

import os
from functools import cache
from typing import NamedTuple

from twinpix.imaging import IMAGE_SUFFIXES, claims_raw

SIDECARS = frozenset({".xmp", ".json", ".txt", ".xml", ".csv", ".yaml", ".yml"})
FOLDERS = ("annotations", "labels", "annots")


class Companions(NamedTuple):
    """The files that belong to an image, absolute and sorted."""

    sidecars: dict[str, list[str]]  # each with the other images that it may belong to
    pair: list[str]  # images of the same stem, of which some are RAW and some are not


class Folders:
    """Looks for companions; each folder is listed once."""

    def __init__(self) -> None:
        self._listing, self._beside, self._folders = cache(_listing), cache(_annotations), cache(_folders)

    def of(self, image: str) -> Companions:
        """What belongs to an image."""
        at = image.rfind(os.sep) + 1
        folder, name = image[:at], image[at:]
        stem = _stem(name)
        here, beside = self._listing(folder), self._beside(folder)
        if (
            not beside
            and stem not in here.sidecars
            and name not in here.sidecars
            and len(here.images.get(stem, ())) < 2
        ):
            return _ALONE
        twins = self._images(folder, stem) - {image}
        found: dict[str, list[str]] = {}
        for place in (folder, *beside):
            listing = self._listing(place)
            images = [folder] if place == folder else self._around(place)
            for start in dict.fromkeys((stem, name)):  # photo.xmp, photo.jpg.xmp
                owners = {owner for where in images for owner in self._claiming(where, start)} - {image}
                for side in listing.sidecars.get(start, ()):
                    found[place + side] = sorted(owners)
        return Companions(dict(sorted(found.items())), sorted(x for x in twins if claims_raw(x) != claims_raw(name)))

    def _images(self, folder: str, stem: str) -> set[str]:
        return {folder + name for name in self._listing(folder).images.get(stem, ())}

    def _claiming(self, folder: str, start: str) -> set[str]:
        """The images of a folder that a sidecar whose name starts so may belong to."""
        whole = {folder + start} if start in self._listing(folder).images.get(_stem(start), ()) else set()
        return self._images(folder, start) | whole

    def _around(self, annotations: str) -> list[str]:
        """The folders whose annotations may lie in a folder: the one above it, and those beside it."""
        above = _above(annotations)
        return [above, *self._folders(above)]


class _Listing(NamedTuple):
    """The files of a folder by the start of their names, up to the last point."""

    images: dict[str, list[str]]
    sidecars: dict[str, list[str]]


_ALONE = Companions({}, [])


def _listing(folder: str) -> _Listing:
    found = _Listing({}, {})
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return found  # what cannot be listed holds nothing that could be moved
    for name in names:
        stem = _stem(name)
        suffix = name[len(stem) :].lower()
        if suffix in SIDECARS:
            found.sidecars.setdefault(stem, []).append(name)
        elif suffix in IMAGE_SUFFIXES:
            found.images.setdefault(stem, []).append(name)
    return found


def _stem(name: str) -> str:
    """A name up to its last point; one without a suffix is its own stem."""
    at = name.rfind(".")
    return name[:at] if at > 0 else name


def _annotations(folder: str) -> list[str]:
    """The folders of annotations in a folder of images and beside it; like all here with a separator at the end."""
    places = (above + name + os.sep for above in (folder, _above(folder)) for name in FOLDERS)
    return [place for place in places if place != folder and os.path.isdir(place)]


def _folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path + os.sep for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _above(folder: str) -> str:
    return os.path.dirname(folder.rstrip(os.sep)).rstrip(os.sep) + os.sep
