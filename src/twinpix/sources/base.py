"""The interface of a source of images, and the type of a listing."""

import io
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import BinaryIO, ClassVar, NamedTuple, Protocol

from twinpix.errors import ImageError
from twinpix.model import Failure, LocationTable, Refs

MAX_BYTES = 2 << 30  # a larger image is not read into memory

BOMB_BYTES = 256 << 20
"""Bytes of an image that are decompressed whatever its compressed size: they fit in memory several times."""

BOMB_RATIO = 20
"""Bytes that a compressed byte of a larger image may stand for: zeros are compressed 21 times by Snappy, 240 times by
LZ4 and 1,030 times by deflate, an uncompressed photo 2 times."""


def may_be_bomb(packed: int, size: int) -> bool:
    """True for `size` bytes that are compressed to `packed` bytes, if images seldom are.

    Otherwise an archive of 2 MB would make each process that reads it use 2 GiB of memory, several times.
    """
    return size > BOMB_BYTES and size > BOMB_RATIO * packed


def refuse_bomb(packed: int, size: int, what: str) -> None:
    """Raise `ImageError` if `packed` bytes that are decompressed to `size` bytes may be a decompression bomb."""
    if may_be_bomb(packed, size):
        why = f"{what} decompresses from {packed:,} to {size:,} bytes and may be a decompression bomb"
        raise ImageError("read", f"{why}; if you trust it, decompress it and name the file")


class Listing(NamedTuple):
    """The images and other files that were found, and the counts of those left out."""

    refs: Refs
    failures: list[Failure]
    other_files: int
    links: int  # further names (links) of a listed file
    folder_links: int  # symbolic links to folders that were not followed
    left_out: int = 0  # excluded files and folders
    libraries: int = 0  # of other programs, not entered
    symlinks: Mapping[str, list[str]] = MappingProxyType({})  # symbolic links to a listed file, by its name
    ids: Mapping[str, str] = MappingProxyType({})  # by URI, if a table gave them
    located: Sequence[str] = ()  # the images that a table named
    notes: Sequence[str] = ()
    table: LocationTable | None = None


class Content(NamedTuple):
    """The bytes of an image at one version; `data` is None if they are not an image."""

    data: bytes | None
    version: bytes
    settled: bool  # False while a later write may not change the version


class Entry(NamedTuple):
    """One member of a container, as `Source.entries` lists it."""

    name: str  # path in the container, with "/" between folders
    version: bytes  # see `twinpix.versions`
    size: int  # bytes
    modified_ns: int = 0  # since 1970; 0 if the container has no time
    error: str = ""  # why it cannot be read; "" if it can


class Listings(Protocol):
    """Stored listings of archives and tables; `Store` is one."""

    def listing(self, key: bytes) -> bytes | None:
        """Return what was stored under this key, None if nothing was."""

    def put_listing(self, key: bytes, entries: bytes) -> None:
        """Store a listing."""


class Source(ABC):
    """A kind of file that contains images as members: an archive, a table.

    A subclass is a frozen dataclass in a module of `twinpix.sources.kinds`. The module's name is the scheme of the
    members' URIs: `zip://holiday/1.jpg::photos.zip` is the member `holiday/1.jpg` of the file `photos.zip`
    (https://filesystem-spec.readthedocs.io/en/latest/features.html#url-chaining). Members are only read: no action
    moves or removes them (`model.can_change`).

    A file is a path or the URL of an object in a store: `storage.status_of` and `storage.open_file` take both.
    """

    suffixes: ClassVar[frozenset[str]]
    """Lower-case suffixes, each with its dot, of the files that are listed as such a container, as `.zip`, `.tar.gz`.

    A source of another package is not looked up for a suffix of an image format (`formats.IMAGE_SUFFIXES`).
    """

    rows: ClassVar[bool] = False
    """True if members are rows: their names are `row=NUMBER`, or `row=NUMBER&column=NAME`, their URIs `FILE#row=17`."""

    def of_column(self, column: str) -> "Source":
        """Return this source with another column of images; itself if it has no columns."""
        return self

    @abstractmethod
    def entries(self, path: str) -> Iterator[Entry]:
        """List the members of the file `path`, without folders.

        Of several members with one name the last one counts, as for programs that unpack them; each of the others is
        an entry with an `error`. Raises `ImageError` if the file cannot be read, is not a container of this kind, or
        is only the first half of one (an interrupted copy).
        """

    @abstractmethod
    def read(self, path: str, name: str) -> Content:
        """Read the member `name` of the file `path`; `data` is None if its first bytes are not those of an image.

        Raises `ImageError` if it does not exist ("no such" is a part of that error), cannot be read or is larger than
        `MAX_BYTES`.
        """

    @abstractmethod
    def write(self, path: str, members: Mapping[str, bytes]) -> None:
        """Write a new file with these members; used by the tests of all sources.

        Raises `OSError`; `FileExistsError` if the file exists.
        """

    def open(self, path: str, name: str) -> BinaryIO:
        """Open a member for random access."""
        return io.BytesIO(self.read(path, name).data or b"")

    def linked(self, path: str) -> frozenset[str]:
        """Return the names of the members of the file `path` that its links lead to; raises `ImageError`.

        Such a member stays when the file is written again, because a link without its target cannot be read.
        """
        return frozenset()

    def copy_without(self, path: str, drop: Collection[str], out: BinaryIO) -> None:
        """Write the file `path` again to `out`, without the members `drop`, by their names in `entries`.

        All else is kept: the bytes and headers of the other members, their order, folders, links, comments, the
        compression; of a table its schema, metadata, row groups and compression. `out` is written once, from its
        beginning to its end, and `path` is read only. Of a table a row goes if one of its names is in `drop`.

        Raises `ImageError` if the file cannot be read, is incomplete, or has no such member, if several members have
        one of these names, or if a link in the file leads to one of them; `OSError` if `out` cannot be written.
        """
        raise ImageError("write", "a file of this kind cannot be written again without some of its images")
