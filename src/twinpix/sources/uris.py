"""URIs of images: paths, members of containers, rows of tables, and objects of stores.

photos/1.jpg                          a path
zip://holiday/1.jpg::photos.zip       a member; the file after `::` is a path or a URL
part-0.parquet#row=17                 a row; the file before `#` is a path or a URL
s3://bucket/photos/1.jpg              an object of a store
"""

import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import BinaryIO, NamedTuple

from twinpix import plugins
from twinpix.errors import ImageError, UsageError
from twinpix.formats import claims_image, suffix
from twinpix.model import in_container, is_remote, row_of
from twinpix.sources import fetched, storage
from twinpix.sources.base import Content, Source
from twinpix.sources.credentials import show_url
from twinpix.sources.files import read_file

_RANGE = re.compile(r"\{(\d{1,18})\.\.(\d{1,18})\}", re.ASCII)  # of numbers that are lengths of a sequence
_LONGEST_RANGE = 1_000_000  # files; a longer range is a typing error


class Member(NamedTuple):
    """A member of a container, with the source that reads it."""

    source: Source
    path: str  # or URL, of the container
    name: str  # in the container

    def read(self) -> Content:
        """Read the member; raises `ImageError` as `Source.read` does, and if its file was written to meanwhile."""
        with storage.unchanged(self.path):
            return self.source.read(self.path, self.name)


def member_of(uri: str) -> Member | None:
    """Return the member of a container that a URI names; None for a path, and for the URL of an object.

    Both names may contain `::`: the longest member name for which the container is a file is used.
    """
    if not in_container(uri):
        return None
    if row := row_of(uri):
        return _row_of(uri, row)
    scheme, _, rest = uri.partition("://")
    if not plugins.exists("sources", scheme):
        raise ImageError("read", f"no source is called {scheme}; there are: {', '.join(plugins.names('sources'))}")
    parts = rest.split("::")
    for cut in range(len(parts) - 1, 0, -1):
        path = "::".join(parts[cut:])
        if is_remote(path) or os.path.isfile(path):
            return Member(_source(scheme), path, "::".join(parts[:cut]))
    return Member(_source(scheme), parts[-1], "::".join(parts[:-1]))


def _row_of(uri: str, row: str) -> Member | None:
    """Return the row that a URI names; None if it is the path of a file with such a name."""
    path = uri[: -len(row) - 1]
    source = container(path)
    if source is None or not source.rows:
        if os.path.lexists(uri):
            return None
        raise ImageError("read", f"{os.path.basename(path)} is not a table with images")
    return Member(source, path, row)


def uri_of(source: Source, path: str, name: str) -> str:
    """Return the URI of a member of a container."""
    return f"{path}#{name}" if source.rows else f"{plugins.name_of(source)}://{name}::{path}"


def container(path: str) -> Source | None:
    """Return the source that lists the members of this file; None if its suffix is not that of a container.

    Sources of other packages are looked up only for a suffix of no image format and of no source of twinpix, since the
    first listing of the installed packages takes about 40 ms.
    """
    if is_remote(path):
        path = path.partition("?")[0]
    if not suffix(path):
        return None
    if source := _first_for(path, plugins.own("sources")):
        return source
    return None if claims_image(path) else _first_for(path, plugins.names("sources"))


def member_form(path: str) -> str:
    """Return how a member of this container is named, such as `zip://MEMBER::photos.zip`; "" for any other file."""
    source = container(path) if os.path.isfile(path) else None
    return uri_of(source, path, "row=NUMBER" if source.rows else "MEMBER") if source else ""


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
    path = member.path if member else uri
    return "" if is_remote(path) or os.path.isfile(path) else "; check the path"


def read(uri: str) -> Content:
    """Read an image completely, once, unless its first bytes are not those of an image.

    Raises `ImageError` if it cannot be read, is empty, is too large, or changed while it was read.
    """
    if in_store(uri):
        return fetched.kept(uri) or _fetch(uri)
    member = member_of(uri)
    return member.read() if member else read_file(uri)


def _fetch(uri: str) -> Content:
    member = member_of(uri)
    content = member.read() if member else storage.read_object(uri)
    fetched.keep(uri, content)
    return content


def read_each(uris: Iterable[str]) -> Iterator[Content | ImageError]:
    """Read images, in their order: those of stores several at once, all others when they are asked for.

    The members of one container in a store are read one after the other, so that one request reads several of them.
    """
    uris = list(uris)
    if not any(map(in_store, uris)):
        yield from map(_read_or_error, uris)
        return
    files = [file_of(uri) for uri in uris]
    parts: dict[str, list[str]] = {}
    for file, uri in zip(files, uris, strict=True):
        parts.setdefault(file, []).append(uri)
    answers = storage.ahead(_read_all, list(parts.values()))
    contents: dict[str, Iterator[Content | ImageError]] = {}
    for file in files:
        if file not in contents:
            contents[file] = iter(next(answers))
        yield next(contents[file])


def _read_all(uris: list[str]) -> list[Content | ImageError]:
    return [_read_or_error(uri) for uri in uris]


def _read_or_error(uri: str) -> Content | ImageError:
    try:
        return read(uri)
    except ImageError as error:
        return error


def in_store(uri: str) -> bool:
    """True for an object of a store, and for a member of one."""
    return is_remote(file_of(uri))


def file_of(uri: str) -> str:
    """Return the file or object that has the bytes of an image: of a member or row its container."""
    return container_of(uri) if in_container(uri) else uri


def container_of(uri: str) -> str:
    """Return the file of a member or row, from the text of its URI alone."""
    if row := row_of(uri):
        return uri[: -len(row) - 1]
    rest = uri.partition("://")[2].split("::")
    at = next((at for at, part in enumerate(rest) if at and is_remote(part)), len(rest) - 1)
    return "::".join(rest[at:])


def open_uri(uri: str) -> BinaryIO:
    """Open an image for random access; raises `OSError` or `ImageError`."""
    if is_remote(uri):
        return storage.open_file(uri)
    member = member_of(uri)
    if member is None:
        return open(uri, "rb")
    storage.status_of(member.path)
    return member.source.open(member.path, member.name)


def require(names: Iterable[str]) -> None:
    """Raise `UsageError` for the first of these paths, URIs and ranges that does not exist."""
    for name in names:
        if in_container(name):
            try:
                read(name)
            except ImageError as error:
                raise UsageError(f"cannot read {name}: {error.reason}") from None
        elif is_remote(name):
            scheme = name.partition("://")[0]
            if plugins.exists("sources", scheme):
                raise UsageError(f"{name} names no file; a member is named {scheme}://MEMBER::FILE")
        elif not any(os.path.lexists(path) for path in expand(name)):
            raise UsageError(f"{name}: no such file or folder; check the path")


def expand(name: str) -> list[str]:
    """Return the files of a name with ranges, `{000..099}`, as webdataset writes them; of any other name, the name.

    The numbers have as many digits as the first one. A file whose name has the braces is not a range.
    """
    name = show_url(name)
    if not _RANGE.search(name) or (not is_remote(name) and os.path.lexists(name)):
        return [name]
    names = [""]
    at = 0
    for found in _RANGE.finditer(name):
        first, last = found.groups()
        numbers = range(int(first), int(last) + 1)
        if len(names) * len(numbers) > _LONGEST_RANGE:
            raise UsageError(f"{name}: more than {_LONGEST_RANGE:,} files; check the range")
        texts = [str(number).zfill(len(first)) for number in numbers]
        names = [f"{made}{name[at : found.start()]}{text}" for made in names for text in texts]
        at = found.end()
    return [made + name[at:] for made in names]


def _first_for(path: str, names: Iterable[str]) -> Source | None:
    """Return the first of these sources whose files have the suffix of this path."""
    lower = os.path.basename(path).lower()
    for name in names:
        if any(lower.endswith(end) for end in plugins.load("sources", name).suffixes):
            return _source(name)
    return None


@cache
def _source(name: str) -> Source:
    """Return a source; made once, since reading the types of its options takes longer than reading a member."""
    made: Source = plugins.build("sources", name, {})
    return made
