"""References to listed images."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, NewType, overload

import numpy as np
from numpy.typing import NDArray

_SCHEME = re.compile("[a-z][a-z0-9_+.-]*://")
_ROW = re.compile("#row=[0-9]+(?:&[a-z]+=[^&#]*)*$")


def is_uri(name: str) -> bool:
    """True for the URI of an image that is no file: `zip://MEMBER::FILE`, `FILE#row=17`, `s3://BUCKET/KEY`."""
    return _SCHEME.match(name) is not None or row_of(name) != ""


def is_remote(name: str) -> bool:
    """True for the URL of an object in a store, such as `s3://BUCKET/KEY`; False for a path and a member."""
    return _SCHEME.match(name) is not None and "::" not in name and not row_of(name)


def in_container(name: str) -> bool:
    """True for a member of an archive and a row of a table; False for a path and for an object of a store."""
    return is_uri(name) and not is_remote(name)


def row_of(name: str) -> str:
    """Return the end of the URI of a row of a table, `row=17` of `a.parquet#row=17`; "" for any other name."""
    found = _ROW.search(name)
    return found.group()[1:] if found else ""


def sort_key(name: str) -> str:
    """Return a sort key of a path or URI: of the rows of a table their numbers count, so that row 9 precedes row 10."""
    row = row_of(name)
    if not row:
        return name
    number, column = row.removeprefix("row=").partition("&")[::2]
    return f"{name[: -len(row)]}{number:0>20}&{column}"


def can_change(location: str) -> bool:
    """True for an image that an action can move, remove, link or replace: one that is a file of its own.

    Actions work on paths (`act/filesystem.py`); sources only read the members of their containers.
    """
    return not is_uri(location)


def locate(base: str, name: str) -> str:
    """Return where the image of a report can be read: its path from the folder `base`, or its URI."""
    return name if is_uri(name) else os.path.join(base, name)  # noqa: PTH118 - a text, as given


def file_name(location: str) -> str:
    """Return the file name of an image, without its folders: `1.jpg` of `a/1.jpg`, `a\\1.jpg` and `zip://a/1.jpg::b.zip`.

    The text alone is read, so the last `::` of a URI is taken as the one before the file of the container.
    """
    path = location
    if _SCHEME.match(location):
        rest = location.partition("://")[2]
        path = rest.rpartition("::")[0] or rest
    return path.replace("\\", "/").rpartition("/")[2]


FileRow = NewType("FileRow", int)
"""The number of a listed image: its row in `Refs`."""
ContentId = NewType("ContentId", int)
"""The number of a distinct content: its row in the content table."""
ClassId = NewType("ClassId", int)
"""The number of a class of contents that search need not distinguish: a node of the graph of matches."""


class Ref(NamedTuple):
    """The location of one image, and its version, which shows whether it changed since it was listed."""

    uri: str  # a path as the user wrote it, or the URI of a member of a container
    version: bytes  # 16 bytes, see `twinpix.versions`
    size: int  # bytes
    modified_ns: int = 0  # since 1970; 0 if its source has no time
    root: int = 0  # index of the PATH argument that it was found below
    reference: bool = False  # below --reference: read-only, never removed
    link: bool = False  # reached through a symbolic link: never removed


class Refs(Sequence[Ref]):
    """Listed images in columns; each `Ref` is created on access, since millions of objects would fill the memory.

    `uris` are texts, `versions` `(n, 16)` uint8; `sizes` and `times` `(n,)` int64 (bytes, nanoseconds since 1970);
    `roots`, `references` and `links` `(n,)` with the fields of `Ref` of that meaning.
    """

    __slots__ = ("links", "references", "roots", "sizes", "times", "uris", "versions")

    def __init__(
        self,
        uris: Sequence[str],
        versions: NDArray[np.uint8],
        sizes: NDArray[np.int64],
        times: NDArray[np.int64],
        roots: NDArray[np.int32],
        references: NDArray[np.bool_],
        links: NDArray[np.bool_],
    ) -> None:
        self.uris, self.versions, self.sizes, self.times = uris, versions, sizes, times
        self.roots, self.references, self.links = roots, references, links

    def __len__(self) -> int:
        return len(self.uris)

    @overload
    def __getitem__(self, index: int) -> Ref: ...

    @overload
    def __getitem__(self, index: slice) -> "Refs": ...

    def __getitem__(self, index: int | slice) -> "Ref | Refs":
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        return Ref(
            self.uris[index],
            self.versions[index].tobytes(),
            int(self.sizes[index]),
            int(self.times[index]),
            int(self.roots[index]),
            bool(self.references[index]),
            bool(self.links[index]),
        )

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "Refs":
        """Return these images, in this order."""
        at = np.asarray(rows, dtype=np.int64)
        uris = [self.uris[row] for row in at.tolist()]
        return Refs(
            uris,
            *(self.versions[at], self.sizes[at], self.times[at]),
            *(self.roots[at], self.references[at], self.links[at]),
        )

    def with_roots(self, roots: NDArray[np.int32]) -> "Refs":
        """Return the same images with other values of `roots`."""
        return Refs(self.uris, self.versions, self.sizes, self.times, roots, self.references, self.links)


@dataclass(frozen=True, slots=True)
class Failure:
    """One image that could not be processed.

    Attributes:
        path: Path.
        stage: Stage that failed: list, read, decode, code or verify.
        error: Reason.
    """

    path: str
    stage: str
    error: str
