"""What belongs to an image: its sidecars, and the other half of a pair of camera RAW and JPEG."""

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from twinpix.imaging import claims_image, claims_raw

SIDECARS = frozenset({".xmp", ".json", ".txt", ".xml", ".csv", ".yaml", ".yml"})
FOLDERS = ("annotations", "labels", "annots")


class Companions(NamedTuple):
    """The files that belong to an image, absolute and sorted."""

    sidecars: dict[str, list[str]]  # each with the other images that it may belong to
    pair: list[str]  # images of the same stem, of which some are RAW and some are not


class Folders:
    """Looks for companions; each folder is listed once."""

    def __init__(self) -> None:
        self._listing = cache(_listing)

    def of(self, image: str) -> Companions:
        """What belongs to an image."""
        folder, name = os.path.split(image)
        stem = os.path.splitext(name)[0]
        twins = self._images(folder, stem) - {image}
        found: dict[str, list[str]] = {}
        for place in (folder, *self._beside(folder)):
            listing = self._listing(place)
            others = twins if place == folder else self._around(place, stem) - {image}
            for side in listing.sidecars.get(stem, ()):  # photo.xmp
                found[os.path.join(place, side)] = sorted(others)
            for side in listing.sidecars.get(name, ()):  # photo.jpg.xmp
                found[os.path.join(place, side)] = []
        return Companions(dict(sorted(found.items())), sorted(x for x in twins if claims_raw(x) != claims_raw(name)))

    def _images(self, folder: str, stem: str) -> set[str]:
        return {os.path.join(folder, name) for name in self._listing(folder).images.get(stem, ())}

    def _beside(self, folder: str) -> Iterator[str]:
        """The folders of annotations in an image's folder and beside it."""
        for above in (folder, os.path.dirname(folder)):
            names = self._listing(above).folders
            yield from (os.path.join(above, name) for name in names if name in FOLDERS)

    def _around(self, annotations: str, stem: str) -> set[str]:
        """The images whose annotations may lie in a folder."""
        above = os.path.dirname(annotations)
        folders = [above, *(os.path.join(above, name) for name in self._listing(above).folders)]
        return set().union(*(self._images(folder, stem) for folder in folders))


class _Listing(NamedTuple):
    images: dict[str, list[str]]  # by stem
    sidecars: dict[str, list[str]]
    folders: list[str]


def _listing(folder: str) -> _Listing:
    found = _Listing(defaultdict(list), defaultdict(list), [])
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError:
        return found  # what cannot be listed holds nothing that could be moved
    for entry in entries:
        stem, suffix = os.path.splitext(entry.name)
        if entry.is_dir(follow_symlinks=False):
            found.folders.append(entry.name)
        elif suffix.lower() in SIDECARS:
            found.sidecars[stem].append(entry.name)
        elif claims_image(entry.name):
            found.images[stem].append(entry.name)
    return found
