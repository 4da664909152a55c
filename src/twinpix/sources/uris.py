"""URIs of images: paths of files, and members of containers as `zip://MEMBER::FILE`."""

import os
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from twinpix import plugins
from twinpix.errors import ImageError, UsageError
from twinpix.formats import claims_image, suffix
from twinpix.model import is_uri
from twinpix.sources.base import Content, Source
from twinpix.sources.files import read_file, regular, require_unchanged


class Member(NamedTuple):
    """A member of a container, with the source that reads it."""

    source: Source
    path: str  # of the container
    name: str  # in the container

    def read(self) -> Content:
        """Read the member; raises `ImageError` as `Source.read` does, and if its file was written to meanwhile."""
        before = regular(self.path)
        content = self.source.read(self.path, self.name)
        require_unchanged(before, regular(self.path))
        return content


def member_of(uri: str) -> Member | None:
    """Return the member of a container that a URI names; None for a path.

    Both names may contain `::`: the longest member name for which the container is a file is used.
    """
    if not is_uri(uri):
        return None
    scheme, _, rest = uri.partition("://")
    if not plugins.exists("sources", scheme):
        raise ImageError("read", f"no source is called {scheme}; there are: {', '.join(plugins.names('sources'))}")
    parts = rest.split("::")
    for cut in range(len(parts) - 1, 0, -1):
        path = "::".join(parts[cut:])
        if os.path.isfile(path):
            return Member(_source(scheme), path, "::".join(parts[:cut]))
    return Member(_source(scheme), parts[-1], "::".join(parts[:-1]))


def uri_of(source: Source, path: str, name: str) -> str:
    """Return the URI of a member of a container."""
    return f"{plugins.name_of(source)}://{name}::{path}"


def container(path: str) -> Source | None:
    """Return the source that lists the members of this file; None if its suffix is not that of a container.

    Sources of other packages are looked up only for a suffix of no image format and of no source of twinpix, since the
    first listing of the installed packages takes about 40 ms.
    """
    end = suffix(path)
    if not end:
        return None
    if source := _first_with(end, plugins.own("sources")):
        return source
    return None if claims_image(path) else _first_with(end, plugins.names("sources"))


def member_form(path: str) -> str:
    """Return how a member of this container is named, such as `zip://MEMBER::photos.zip`; "" for any other file."""
    source = container(path) if os.path.isfile(path) else None
    return uri_of(source, path, "MEMBER") if source else ""


def explain_no_image(path: str) -> str:
    """Return that this file is not an image, and what to name instead."""
    form = member_form(path)
    return f"not an image; an image in an archive is named {form}" if form else "not an image; name an image file"


def path_advice(uri: str) -> str:
    """Return `; check the path` if there is no such file, else "": the end of a message about an unreadable image."""
    try:
        member = member_of(uri)
    except ImageError:  # its message lists the known sources
        return ""
    return "" if os.path.isfile(member.path if member else uri) else "; check the path"


def read(uri: str) -> Content:
    """Read an image completely, once, unless its first bytes are not those of an image.

    Raises `ImageError` if it cannot be read, is empty, is too large, or changed while it was read.
    """
    member = member_of(uri)
    return member.read() if member else read_file(uri)


def open_uri(uri: str) -> BinaryIO:
    """Open an image for random access; raises `OSError` or `ImageError`."""
    member = member_of(uri)
    if member is None:
        return open(uri, "rb")
    regular(member.path)
    return member.source.open(member.path, member.name)


def require(names: Iterable[str]) -> None:
    """Raise `UsageError` for the first of these paths and URIs that does not exist."""
    for name in names:
        if is_uri(name):
            try:
                read(name)
            except ImageError as error:
                raise UsageError(f"cannot read {name}: {error.reason}") from None
        elif not os.path.lexists(name):
            raise UsageError(f"{name}: no such file or folder; check the path")


def _first_with(end: str, names: Iterable[str]) -> Source | None:
    """Return the first of these sources whose files have this suffix."""
    return next((_source(name) for name in names if end in plugins.load("sources", name).suffixes), None)


def _source(name: str) -> Source:
    made: Source = plugins.build("sources", name, {})
    return made
