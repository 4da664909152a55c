"""Functions on paths as text: containment, validity, and free names."""

import os
from collections.abc import Callable, Collection, Iterator

_LONGEST_NAME = 255  # bytes


def above(path: str) -> Iterator[str]:
    """Yield an absolute path and then its parent folders, the nearest first."""
    yield path
    while (folder := os.path.dirname(path)) != path:
        yield folder
        path = folder


def is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def is_within_any(path: str, folders: Collection[str]) -> bool:
    """True if `is_within` holds for one of the folders; takes the same time for any number of folders."""
    return any(folder in folders for folder in above(path))


def is_name(path: str) -> bool:
    """True if the text can be a path of a file system."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:  # a lone surrogate that does not encode a byte
        return False


def free_name(path: str, is_taken: Callable[[str], bool] = os.path.lexists) -> str:
    """Return the path, or the first free one with a number: `a.jpg`, `a (2).jpg`, `a (3).jpg`."""
    name, number = path, 1
    while is_taken(name):
        number += 1
        name = number_name(path, number)
    return name


def number_name(path: str, number: int) -> str:
    """Return a path with a number in its name, which is shortened to 255 bytes, the limit of file systems."""
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    end = f" ({number}){suffix}"
    while len(stem) > 1 and len(os.fsencode(stem + end)) > _LONGEST_NAME:
        stem = stem[:-1]
    return os.path.join(folder, stem + end)
