"""List the files below folders, and single files, each file once."""

import os
import stat
from collections.abc import Iterator, Sequence

from twinpix.imaging.sniff import claims_image
from twinpix.model import Failure, ImageRef
from twinpix.sources.base import Listing, reason, special_kind, stamp_of

# Folders in which other programs keep thumbnails and waste.
SKIPPED = frozenset(
    {"@eaDir", "__MACOSX", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
)


def scan(
    paths: Sequence[str],
    references: Sequence[str] = (),
    *,
    recursive: bool = True,
    hidden: bool = False,
    follow_links: bool = False,
) -> Listing:
    """List every file below `paths` and `references`, sorted by path; a file with several names once.

    Hidden and service folders are skipped unless `hidden`; symbolic links to folders are not followed
    unless `follow_links`, and then no folder is entered twice.
    """
    walker = _Walker(recursive, hidden, follow_links)
    for root, path in enumerate([*references, *paths]):
        walker.add(path, root - len(references), reference=root < len(references))
    return walker.result()


class _Walker:
    def __init__(self, recursive: bool, hidden: bool, follow_links: bool) -> None:
        self.recursive, self.hidden, self.follow_links = recursive, hidden, follow_links
        self.listing = Listing()
        self.entered: set[tuple[int, int]] = set()
        self.found: dict[int, dict[int | str, ImageRef]] = {}  # by device, by inode
        self.devices: dict[int, int] = {}  # one object a number, not one a file

    def add(self, path: str, root: int, *, reference: bool) -> None:
        try:
            status = os.stat(path)
        except OSError as error:
            self.listing.failures.append(Failure(path, "list", reason(error)))
            return
        if stat.S_ISDIR(status.st_mode):
            self._folder(path, status, root, reference)
        else:
            self._file(path, status, root, reference, os.path.islink(path), given=True)

    def _folder(self, path: str, status: os.stat_result, root: int, reference: bool) -> None:
        pending = [(path, status)]
        while pending:
            folder, status = pending.pop()
            key = (status.st_dev, status.st_ino)
            if key in self.entered and status.st_ino:
                continue
            self.entered.add(key)
            for entry in self._entries(folder):
                pending.extend(self._entry(entry, root, reference))

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                yield from entries
        except OSError as error:
            self.listing.failures.append(Failure(folder, "list", reason(error)))

    def _entry(self, entry: os.DirEntry[str], root: int, reference: bool) -> Iterator[tuple[str, os.stat_result]]:
        """Note a file; yield a folder to enter."""
        if not self.hidden and (entry.name.startswith(".") or entry.name in SKIPPED):
            return
        try:
            link = entry.is_symlink()
            folder = entry.is_dir(follow_symlinks=True)
            if folder and link and not self.follow_links:
                self.listing.folder_links += 1
            elif folder:
                if self.recursive:
                    yield entry.path, os.stat(entry.path)
            else:
                status = os.stat(entry.path) if link or os.name == "nt" else entry.stat()
                self._file(entry.path, status, root, reference, link)
        except OSError as error:
            if claims_image(entry.name):
                self.listing.failures.append(Failure(entry.path, "list", reason(error)))
            else:
                self.listing.other_files += 1

    def _file(
        self, path: str, status: os.stat_result, root: int, reference: bool, link: bool, given: bool = False
    ) -> None:
        if not stat.S_ISREG(status.st_mode):
            if given or claims_image(path):
                why = f"{special_kind(status.st_mode)}, not a regular file"
                self.listing.failures.append(Failure(path, "list", why))
            else:
                self.listing.other_files += 1
            return
        stamp = stamp_of(status)
        stamp = stamp._replace(device=self.devices.setdefault(stamp.device, stamp.device))
        ref = ImageRef(path, stamp, root, reference, link)
        found = self.found.setdefault(status.st_dev, {})
        other = found.setdefault(status.st_ino or path, ref)
        if other is not ref:
            self.listing.links += os.path.abspath(other.uri) != os.path.abspath(path)
            found[status.st_ino or path] = min(ref, other, key=_first_name)

    def result(self) -> Listing:
        self.listing.refs = sorted((r for found in self.found.values() for r in found.values()), key=lambda r: r.uri)
        self.listing.failures.sort(key=lambda failure: failure.path)
        return self.listing


def _first_name(ref: ImageRef) -> tuple[bool, bool, int, str]:
    """Of several names of one file, a reference's counts first, then a real name before a link's."""
    return not ref.reference, ref.link, ref.root, ref.uri
