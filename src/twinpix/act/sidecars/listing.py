"""The files of a folder by the images that their names, and the text of data files, refer to."""

import json
import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from twinpix.act.sidecars import kinds as kinds
from twinpix.act.sidecars.kinds import key, stem_of

READ = 1 << 23  # bytes of a data file in which an image name is searched


class Listing(NamedTuple):
    """The files of a folder by the keys of their stems, and the names of its sub-folders."""

    images: dict[str, list[str]]
    masks: dict[str, list[str]]  # by the stems of the images that they may belong to
    sidecars: dict[str, list[str]]  # companion files, by the stems and names of images
    data: dict[str, list[str]]
    others: dict[str, list[str]]  # by stem and by name: files other than images that may have a companion file
    folders: list[str]
    annotations: list[str]  # sub-folders with names of annotation folders

    @property
    def has_companions(self) -> bool:
        return bool(self.sidecars or self.data or self.masks)


def listing_of(folder: str) -> Listing:
    try:
        with os.scandir(folder) as entries:
            names = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries if _may_hold(entry))
    except OSError:
        names = []  # a folder that cannot be listed has no files that could be moved
    return listing_from(names)


def listing_from(names: Iterable[tuple[str, bool]]) -> Listing:
    """Return the listing of a folder with these names, each with True for a folder."""
    found = Listing({}, {}, {}, {}, {}, [], [])
    for name, is_folder in names:
        if is_folder:
            found.folders.append(name)
            if kinds.is_annotations(key(name)):
                found.annotations.append(name)
        else:
            _note(found, name)
    return found


def _may_hold(entry: os.DirEntry[str]) -> bool:
    """Return False for pipes, devices and sockets, and for links to them: reading them may never end.

    Links that lead nowhere or to themselves are kept: they are files that can be moved.
    """
    path = entry.path
    return os.path.isdir(path) or os.path.isfile(path) or not os.path.exists(path)


def _note(found: Listing, name: str) -> None:
    known = key(name)
    stem = stem_of(known)
    suffix = known[len(stem) :]
    if kinds.is_image(suffix):
        found.images.setdefault(stem, []).append(name)
        if whole := kinds.mask_of(stem, beside=False):
            found.masks.setdefault(whole, []).append(name)
    elif suffix in kinds.DATA:
        for base in dict.fromkeys((stem, *kinds.names_in_data(known))):
            found.data.setdefault(base, []).append(name)
    elif suffix in kinds.COMPANIONS:
        for base in kinds.bases(known):
            found.sidecars.setdefault(base, []).append(name)
    if suffix in kinds.OTHER_OWNERS:
        for base in (stem, known):
            found.others.setdefault(base, []).append(name)


def names_in(path: str) -> frozenset[str]:
    """Return the file names, in the form of `key`, that the text of a data file has as complete values."""
    try:
        with open(path, "rb") as file:
            return names_in_text(file.read(READ))
    except OSError:
        return frozenset()


def names_in_text(data: bytes) -> frozenset[str]:
    """Return the file names, in the form of `key`, that the text of a data file has as complete values."""
    text = data.decode("utf-8", "replace")
    values = re.findall(r'"((?:[^"\\]|\\.){1,400})"', text) + re.findall(r">\s*([^<>]{1,400}?)\s*<", text)
    return frozenset(key(re.split(r"[\\/]", _unescape(value))[-1]) for value in values)


def _unescape(value: str) -> str:
    if "\\" in value:
        try:
            return str(json.loads(f'"{value}"'))
        except ValueError:
            return value
    return value
