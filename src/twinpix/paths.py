"""Paths as text: which contains which, which can exist, and free names."""

import os
from collections.abc import Callable, Collection, Iterator

_LONGEST_NAME = 255  # bytes


def above(path: str) -> Iterator[str]:
    """An absolute path, and the folders that it lies in, from the nearest on."""
    yield path
    while (folder := os.path.dirname(path)) != path:
        yield folder
        path = folder


def is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def is_within_any(path: str, folders: Collection[str]) -> bool:
    """`is_within` one of them, of which there may be as many as there are images."""
    return any(folder in folders for folder in above(path))


def is_name(path: str) -> bool:
    """True when a file system can take this text for a path."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte
        return False


def free_name(path: str, is_taken: Callable[[str], bool] = os.path.lexists) -> str:
    """The path itself, or with the first number that makes it free: `a.jpg`, `a (2).jpg`, `a (3).jpg`."""
    name, number = path, 1
    while is_taken(name):
        number += 1
        name = number_name(path, number)
    return name


def number_name(path: str, number: int) -> str:
    """A path with a number, its name shortened where it would be longer than file systems take."""
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    end = f" ({number}){suffix}"
    while len(stem) > 1 and len(os.fsencode(stem + end)) > _LONGEST_NAME:
        stem = stem[:-1]
    return os.path.join(folder, stem + end)
