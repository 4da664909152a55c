"""Load the images of a listing: readable files, their distinct contents, and pixel digests of some of them."""

from array import array
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix import fingerprints
from twinpix.encoding.content_table import ContentTable, File
from twinpix.encoding.encoder import Encoder
from twinpix.encoding.session import Session
from twinpix.model import ContentId, Failure, FileRow, Refs


class Images(NamedTuple):
    """The readable image files and their distinct contents."""

    refs: Refs
    content: NDArray[np.int64]  # (files,): number of each file's content
    contents: ContentTable
    failures: list[Failure]  # files that were read, but not decoded or encoded
    other_files: int  # number of files that are not images
    undecoded: Mapping[bytes, list[FileRow]] = MappingProxyType(
        {}
    )  # by digest: rows in the listing of the files whose content is in `failures`

    def without_small(self, pixels: int) -> "tuple[Images, int]":
        """Return the images of at least `pixels` (width times height), and the number of files left out."""
        contents = self.contents
        width, height = contents.column("width").astype(np.int64), contents.column("height").astype(np.int64)
        keeps = (width * height >= pixels)[self.content] if len(contents) else np.ones(0, dtype=bool)
        if keeps.all():
            return self, 0
        rows = np.flatnonzero(keeps)
        kept, content = np.unique(self.content[rows], return_inverse=True)
        return self._replace(refs=self.refs.take(rows), content=content, contents=contents.take(kept.tolist())), int(
            len(keeps) - len(rows)
        )

    def first(self) -> NDArray[np.int64]:
        """Return `(contents,)`: the first file of each content."""
        first: NDArray[np.int64] = np.unique(self.content, return_index=True)[1]
        return first

    def of_each(self) -> list[File]:
        """Return the first file of each content, with its digest and size."""
        rows = self.first()
        files = zip(self.contents.numbers(), rows.tolist(), self.refs.sizes[rows].tolist(), strict=True)
        return [File(self.refs.uris[row], self.contents.digest(number), size) for number, row, size in files]

    def in_order(self, numbers: Iterable[ContentId]) -> tuple[list[ContentId], NDArray[np.int64]]:
        """Return these contents in the order of their first files, in which they are read, and these files."""
        first, unique = self.first(), sorted(set(numbers))
        chosen = sorted(unique, key=first.__getitem__)
        return chosen, first[chosen] if chosen else np.empty(0, np.int64)

    def files_where(self, which: NDArray[np.bool_]) -> list[FileRow]:
        """Return the files whose content is marked in `which`, `(contents,)`."""
        return [FileRow(file) for file in np.flatnonzero(which[self.content]).tolist()]

    def content_of(self, file: FileRow) -> ContentId:
        """Return the content of a file."""
        return ContentId(int(self.content[file]))


def gather(refs: Refs, encoder: Encoder) -> Images:
    """Encode the files and return those that are images, with their contents.

    Contents are numbered in the order of their digests: pairs, groups and relations then do not depend on names.
    """
    digests = encoder.encode(refs)
    failed = {failure.path for failure in encoder.failures}
    rows, failures, other_files = array("q"), list[Failure](), 0
    distinct: set[bytes] = set()
    undecoded: dict[bytes, list[FileRow]] = {}
    for row, digest in enumerate(digests):
        if not digest:
            other_files += refs.uris[row] not in failed
            continue
        result = encoder.result(digest)
        if result.code is None:
            failures.append(Failure(refs.uris[row], result.stage, result.error))
            undecoded.setdefault(digest, []).append(FileRow(row))
            continue
        distinct.add(digest)
        rows.append(row)
    contents = ContentTable()
    number = {digest: contents.add(digest, encoder.take(digest)) for digest in sorted(distinct)}
    content = np.fromiter((number[digests[row]] for row in rows), dtype=np.int64, count=len(rows))
    return Images(refs.take(np.array(rows, dtype=np.int64)), content, contents, failures, other_files, undecoded)


def digest_pixels(session: Session, images: Images, numbers: Iterable[ContentId]) -> None:
    """Compute the digests of these contents' pixels at full size, except those that are known or damaged."""
    contents, damaged = images.contents, images.contents.column("damaged")
    chosen = [number for number in numbers if contents.pixels(number) is None and not damaged[number]]
    if not chosen:
        return
    encoder = Encoder(session, [fingerprints.make("pixels")])
    chosen, rows = images.in_order(chosen)
    digests = encoder.encode(images.refs.take(rows))
    for number, digest in zip(chosen, digests, strict=True):
        if digest == contents.digest(number):  # else the file has changed: leave its pixels unknown
            contents.set_pixels(number, encoder.result(digest).code)
