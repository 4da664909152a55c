"""Functions on paths and URLs as text: containment, validity, free names, and URLs without credentials."""

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping

_LONGEST_NAME = 255  # bytes
_WITH_QUERY = frozenset({"http", "https"})
_DIGEST = re.compile("digest=[0-9a-f]{16}")


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


_PRIVATE: dict[str, str] = {}  # URLs with user, password and query, by the form that is shown


def show_url(url: str) -> str:
    """Return a URL as it is shown and stored: without user and password, and with a digest for its query.

    A query may be a signature that grants access. `private_url` returns the complete URL, in this process only. A URL
    of a file of this machine (`file://`) becomes a path.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    if scheme == "file":
        from urllib.request import url2pathname  # it imports http, which takes 20 ms

        return url2pathname(rest.removeprefix("localhost"))
    host, slash, path = rest.partition("/")
    path, question, query = path.partition("?") if scheme in _WITH_QUERY else (path, "", "")
    shown = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    if question and not _DIGEST.fullmatch(query):
        shown += f"?digest={hashlib.blake2b(query.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
    elif question:
        shown += f"?{query}"
    if shown != url:
        _PRIVATE[shown] = url
    return shown


def private_url(url: str) -> str:
    """Return the complete URL of one that `show_url` returned in this process."""
    return _PRIVATE.get(url, url)


def private_urls(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return all complete URLs, after adding those of another process."""
    _PRIVATE.update(more or {})
    return _PRIVATE


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
