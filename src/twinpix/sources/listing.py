"""List the images below folders, single files and the members of containers, each file once."""

import contextlib
import errno
import os
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from twinpix import mounts, plugins
from twinpix.errors import ImageError, system_reason
from twinpix.formats import claims_image
from twinpix.managed import in_library, is_library
from twinpix.model import Failure, Refs, is_remote, is_uri, sort_key
from twinpix.sources import fetched, storage
from twinpix.sources.base import Entry, Listing, Listings, Source
from twinpix.sources.credentials import show_url
from twinpix.sources.files import file_version, regular, special_kind
from twinpix.sources.filters import Filter
from twinpix.sources.names import further_names, symlinks
from twinpix.sources.uris import Member, container, expand, member_of, uri_of
from twinpix.versions import UNKNOWN, version_of

# Folders in which other programs keep thumbnails and deleted files.
SKIPPED = frozenset(
    {
        *("@eaDir", "__MACOSX", "#recycle", "@Recycle", "$RECYCLE.BIN", "#snapshot", "@Recently-Snapshot"),
        *("System Volume Information", "lost+found"),
    }
)


def scan(
    paths: Sequence[str],
    references: Sequence[str] = (),
    listed: Sequence[str] = (),
    *,
    recursive: bool = True,
    hidden: bool = False,
    follow_links: bool = False,
    exclude: Sequence[str] = (),
    min_size: int = 0,
    column: str = "",
    listings: Listings | None = None,
    on_progress: Callable[[int], object] = lambda count: None,
) -> Listing:
    """List the files below `paths`, `references` and `listed`, sorted by path; a file with several names once.

    A file's root is the number of its path in `paths`, `len(paths)` for all of `listed`, and negative for references.
    Hidden and service folders are skipped unless `hidden`. Symbolic links to folders are followed only with
    `follow_links`, after all real folders, so that no folder is entered twice and a file is listed by its real name.
    Libraries of other programs (Apple Photos, Lightroom's previews) are entered only if a path names one or is in one.
    Files with members (archives, tables) are entered if a path names one, or a folder that has no images beside them: a
    data set in shards. A path may be the URL of an object or folder of a store, with `*`, and may have ranges
    (`uris.expand`). Files and folders that `exclude` matches (see `Filter`) and files of fewer bytes than `min_size`
    are left out. `column` is the column of images of all tables;
    `listings` are those of earlier runs. `on_progress` is called with the number of files in
    each folder.
    """
    walker = _Walker(recursive, hidden, follow_links, on_progress, Filter.of(exclude, min_size), column, listings)
    names = [_Name(path, number - len(references), True) for number, path in enumerate(references)]
    names += [_Name(path, number, False) for number, path in enumerate(paths)]
    walker.add_each([*names, *(_Name(path, len(paths), False) for path in listed)])
    walker.follow()
    walker.enter_shards()
    storage.end_thread()
    return walker.result()


def list_named(paths: Sequence[str]) -> Listing:
    """List these files, one row for each name in the given order, links included; folders are failures."""
    walker = _Walker(False, True, False, lambda count: None, Filter())
    for path in paths:
        walker.add_file(path)
    storage.end_thread()
    return Listing(walker.columns(), walker.failures, 0, 0, 0)


_SIGNED_64 = (1 << 63) - 1
_LISTED = "listing 1"  # raised if a source lists other members, or `Entry` has other fields
_LEADS_NOWHERE = (errno.ENOENT, errno.ELOOP)  # errors for a broken link, and for a file removed meanwhile


class _Folder(NamedTuple):
    """A folder to enter; `link` if a symbolic link leads there."""

    path: str
    status: os.stat_result
    root: int
    reference: bool
    link: bool


class _Name(NamedTuple):
    """A path or URL to list."""

    path: str
    root: int
    reference: bool


class _Answer(NamedTuple):
    """What a store says of a URL, asked for in a thread."""

    error: str = ""
    status: storage.Status | None = None  # of one object
    objects: Sequence[tuple[str, storage.Status]] = ()  # of a folder or pattern
    source: Source | None = None  # of a container
    entries: Sequence[Entry] = ()  # of a container


class _Walker:
    def __init__(
        self,
        recursive: bool,
        hidden: bool,
        follow_links: bool,
        on_progress: Callable[[int], object],
        filter: Filter,
        column: str = "",
        listings: Listings | None = None,
    ) -> None:
        self.recursive, self.hidden, self.follow_links, self.on_progress = recursive, hidden, follow_links, on_progress
        self.filter, self.column, self.listings = filter, column, listings
        self.entered: set[tuple[int, int]] = set()
        self.entered_urls: set[str] = set()
        self.linked: list[_Folder] = []  # to be entered after all real folders
        self.failures: list[Failure] = []
        self.other_files = self.folder_links = self.left_out = self.libraries = 0
        # The files found, in columns.
        self.uris: list[str] = []
        self.versions, self.sizes, self.times = bytearray(), array("q"), array("q")
        self.roots, self.references, self.links = array("i"), bytearray(), bytearray()
        self.inodes = array("q")  # device, inode, size, modification time, change time: equal for all names of a file
        self.fleeting = mounts.fleeting_devices()  # devices on which another file may get the version of a removed one
        self.shards: dict[tuple[int, bool], list[str]] = {}  # containers in folders, by root and reference
        self.with_images: set[tuple[int, bool]] = set()  # roots with an image that is a file
        self.with_rows = False  # whether a table was listed
        self.members_of: tuple[Source, str] | None = None  # the last container of a member that was named
        self.members: dict[str, Entry] = {}  # its members by name

    def add_each(self, names: Sequence[_Name]) -> None:
        """Add what each name stands for: a file, a folder, a member, the URL of an object, or a range of these.

        Objects of stores are asked for together, since the answer to each takes long.
        """
        named = [each._replace(path=path) for each in names for path in expand(each.path)]
        answers = iter(self._ask_each([each.path for each in named if is_remote(each.path)]))
        for path, root, reference in named:
            if is_remote(path):
                self._add_answer(path, next(answers), root, reference)
            else:
                self._add(path, root, reference)

    def _add(self, path: str, root: int, reference: bool) -> None:
        if is_uri(path) and not os.path.lexists(path):
            self._member(path, root, reference)
            return
        try:
            status = os.stat(path)
        except OSError as error:
            self.failures.append(Failure(path, "list", system_reason(error)))
            return
        if stat.S_ISDIR(status.st_mode):
            self._enter(_Folder(path, status, root, reference, link=False))
        elif stat.S_ISREG(status.st_mode) and (source := container(path)):
            self._members(source, path, status, root, reference)
        else:
            self._file(path, status, root, reference, os.path.islink(path), given=True)

    def add_file(self, path: str) -> None:
        """Add one file under this name."""
        path = show_url(path)
        if is_remote(path):
            self._add_object(path, 0, False)
            return
        if is_uri(path) and not os.path.lexists(path):
            self._member(path, 0, False)
            return
        try:
            self._file(path, os.stat(path), 0, False, os.path.islink(path), given=True)
        except OSError as error:
            self.failures.append(Failure(path, "list", system_reason(error)))

    def columns(self) -> Refs:
        """Return the files found, one row per name, in the order found."""
        return Refs(
            self.uris,
            np.frombuffer(self.versions, dtype=np.uint8).reshape(-1, len(UNKNOWN)),
            np.frombuffer(self.sizes, dtype=np.int64),
            np.frombuffer(self.times, dtype=np.int64),
            np.frombuffer(self.roots, dtype=np.int32),
            np.frombuffer(self.references, dtype=np.bool_),
            np.frombuffer(self.links, dtype=np.bool_),
        )

    def follow(self) -> None:
        """Enter the folders behind links, in the order of their names."""
        while self.linked:
            self.linked.sort(key=lambda folder: folder.path, reverse=True)
            self._enter(self.linked.pop())

    def enter_shards(self) -> None:
        """Enter the containers of each root that has no images beside them."""
        for (root, reference), paths in sorted(self.shards.items()):
            if (root, reference) not in self.with_images:
                self.add_each([_Name(path, root, reference) for path in sorted(paths)])

    # -- stores ----------------------------------------------------------------------------------------

    def _ask_each(self, urls: Sequence[str]) -> list[_Answer]:
        """Ask stores for objects and folders, and then for the members of containers that no earlier run has listed."""
        answers = list(storage.ahead(self._ask, urls))
        for at, answer in enumerate(answers):
            if answer.source is not None and answer.status is not None:
                known = self._known(answer.source, answer.status)
                answers[at] = answer if known is None else answer._replace(entries=known, status=None)
        wanted = [at for at, answer in enumerate(answers) if answer.source is not None and answer.status is not None]
        listed = storage.ahead(self._ask_members, [(urls[at], answers[at]) for at in wanted])
        for at, answer in zip(wanted, listed, strict=True):
            answers[at] = answer
            if not answer.error and answer.source is not None and answer.status is not None:
                self._remember(answer.source, answer.status, answer.entries)
        return answers

    def _ask(self, url: str) -> _Answer:
        """Ask a store for an object, or all objects below a folder."""
        try:
            found = storage.list_objects(url)
            if not isinstance(found, storage.Status):
                return _Answer(objects=found)
            return _Answer(status=found, source=container(url))
        except ImageError as error:
            return _Answer(error.reason)

    def _ask_members(self, shard: tuple[str, _Answer]) -> _Answer:
        """List the members of a container in a store; of an incomplete one those before the error."""
        url, answer = shard
        assert answer.source is not None
        entries: list[Entry] = []
        if answer.status is not None:  # its members are read next: one request instead of one for each of them
            fetched.copy_of(url, answer.status.version, answer.status.size)
        try:
            entries.extend(answer.source.of_column(self.column).entries(url))
        except ImageError as error:
            return answer._replace(entries=entries, error=error.reason)
        return answer._replace(entries=entries)

    def _known(self, source: Source, status: storage.Status) -> list[Entry] | None:
        """Return the members of a container as an earlier run has listed this version of it; None if none has."""
        if self.listings is None or status.version == UNKNOWN:
            return None
        data = self.listings.listing(self._key(source, status))
        if data is None:
            return None
        import msgspec

        try:
            return msgspec.msgpack.decode(data, type=list[Entry])
        except msgspec.MsgspecError:  # of another version of twinpix, or damaged
            return None

    def _remember(self, source: Source, status: storage.Status, entries: Sequence[Entry]) -> None:
        """Store the complete listing of a version of a container."""
        if self.listings is None or status.version == UNKNOWN or not status.settled or not entries:
            return
        import msgspec

        with contextlib.suppress(UnicodeEncodeError):  # a name with undecodable bytes
            self.listings.put_listing(self._key(source, status), msgspec.msgpack.encode(entries))

    def _key(self, source: Source, status: storage.Status) -> bytes:
        return version_of(_LISTED, plugins.name_of(source), self.column, status.version)

    def _add_answer(self, url: str, answer: _Answer, root: int, reference: bool) -> None:
        if answer.source is not None:
            if url not in self.entered_urls:
                self.entered_urls.add(url)
                self._note_members(answer.source, url, answer.entries, -1, root, reference)
        elif answer.status is not None:
            self._note_object(url, answer.status, root, reference)
        self._add_objects(url, answer.objects, root, reference)
        if answer.error:
            self.failures.append(Failure(url, "list", answer.error))

    def _add_objects(self, url: str, found: Sequence[tuple[str, storage.Status]], root: int, reference: bool) -> None:
        before = len(self.uris)
        for each, status in found:
            inside = each[len(url.partition("*")[0].rstrip("/")) :]
            if self._is_listed(url.rstrip("/"), inside):
                self._note_kind(each.partition("?")[0], root, reference)
                self._note_object(each, status, root, reference)
        self.on_progress(len(self.uris) - before)

    def _add_object(self, url: str, root: int, reference: bool) -> None:
        try:
            self._note_object(url, storage.status_of(url), root, reference)
        except ImageError as error:
            self.failures.append(Failure(url, "list", error.reason))

    def _note_object(self, url: str, status: storage.Status, root: int, reference: bool) -> None:
        if status.size < self.filter.min_size:
            self.left_out += 1
            return
        self._note(url, status.version, status.size, status.modified_ns, root, reference, False)
        self.inodes.extend((0, 0, status.size, status.modified_ns, 0))

    # -- folders and files -----------------------------------------------------------------------------

    def _enter(self, folder: _Folder) -> None:
        pending = [folder]
        while pending:
            folder = pending.pop()
            key = (folder.status.st_dev, folder.status.st_ino)
            if key in self.entered and folder.status.st_ino:
                continue
            self.entered.add(key)
            before = len(self.uris)
            for entry in self._entries(folder.path):
                self._entry(entry, folder, pending)
            self.on_progress(len(self.uris) - before)

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                yield from entries
        except OSError as error:
            self.failures.append(Failure(folder, "list", system_reason(error)))

    def _entry(self, entry: os.DirEntry[str], parent: _Folder, pending: list[_Folder]) -> None:
        """Add a file, or a folder to enter."""
        if not self.hidden and (entry.name.startswith(".") or entry.name in SKIPPED):
            return
        if self.filter.leaves_out(entry.path):
            self.left_out += 1
            return
        try:
            link = entry.is_symlink()
            if not entry.is_dir(follow_symlinks=True):
                status = os.stat(entry.path) if link or os.name == "nt" else entry.stat()
                self._file(entry.path, status, parent.root, parent.reference, link or parent.link)
            elif link and not self.follow_links:
                self.folder_links += 1
            elif self.recursive and (is_library(entry.name) or (link and in_library(f"{entry.path}{os.sep}"))):
                self.libraries += 1
            elif self.recursive:
                folder = parent._replace(path=entry.path, status=os.stat(entry.path), link=link or parent.link)
                (self.linked if link else pending).append(folder)
        except OSError as error:
            if claims_image(entry.name) or error.errno not in _LEADS_NOWHERE:  # it may be a folder of images
                self.failures.append(Failure(entry.path, "list", system_reason(error)))
            else:
                self.other_files += 1

    def _file(
        self, path: str, status: os.stat_result, root: int, reference: bool, link: bool, given: bool = False
    ) -> None:
        if not stat.S_ISREG(status.st_mode):
            if given or claims_image(path):
                why = f"{special_kind(status.st_mode)}, not a regular file"
                self.failures.append(Failure(path, "list", why))
            else:
                self.other_files += 1
            return
        if status.st_size < self.filter.min_size or (given and self.filter.leaves_out(path)):
            self.left_out += 1
            return
        if (root, reference) not in self.with_images:
            self._note_kind(path, root, reference)
        version = UNKNOWN if status.st_dev in self.fleeting else file_version(status)
        self._note(path, version, status.st_size, status.st_mtime_ns, root, reference, link)
        device, inode = status.st_dev & _SIGNED_64, status.st_ino & _SIGNED_64
        self.inodes.extend((device, inode, status.st_size, status.st_mtime_ns, status.st_ctime_ns))

    def _note_kind(self, path: str, root: int, reference: bool) -> None:
        """Note whether a file is an image or may be a shard of a data set."""
        if claims_image(path):
            self.with_images.add((root, reference))
        elif container(path) is not None:
            self.shards.setdefault((root, reference), []).append(path)

    def _members(self, source: Source, path: str, status: os.stat_result, root: int, reference: bool) -> None:
        """Add the members of a container like those of a folder, once even if the container has several names."""
        key = (status.st_dev, status.st_ino)
        if key in self.entered and status.st_ino:
            return
        self.entered.add(key)
        if self.filter.leaves_out(path):
            self.left_out += 1
            return
        self._list_members(source, path, status.st_dev, root, reference)

    def _list_members(self, source: Source, path: str, device: int, root: int, reference: bool) -> None:
        """Add the members of a file."""
        try:
            status = storage.status_of(path)
            entries = self._known(source, status)
            if entries is not None:
                self._note_members(source, path, entries, device, root, reference)
                return
            listed: list[Entry] = []
            found = source.of_column(self.column).entries(path)
            self._note_members(source, path, _noting(found, listed), device, root, reference)
            self._remember(source, status, listed)
        except ImageError as error:
            self.failures.append(Failure(path, "list", error.reason))

    def _note_members(
        self, source: Source, path: str, entries: Iterable[Entry], device: int, root: int, reference: bool
    ) -> None:
        """Add members of a container; raises the errors of `entries`, after the members before them."""
        before = len(self.uris)
        self.with_rows |= source.rows
        try:
            for entry in entries:
                if source.rows or self._is_listed(path, entry.name):
                    self._entry_of(entry, uri_of(source, path, entry.name), device, root, reference)
        finally:
            self.on_progress(len(self.uris) - before)

    def _is_listed(self, path: str, member: str) -> bool:
        """True for a member that would be listed if it were a file in a folder `path`; excluded members are counted."""
        *folders, name = [part for part in member.split("/") if part not in ("", os.curdir, os.pardir)] or [""]
        if folders and not self.recursive:
            return False
        if not self.hidden and any(part.startswith(".") or part in SKIPPED for part in (*folders, name)):
            return False
        for part in (*folders, name):  # a pattern for a folder excludes what is in it
            path = f"{path}{os.sep}{part}"
            if self.filter.leaves_out(path):
                self.left_out += 1
                return False
        return True

    def _entry_of(self, entry: Entry, uri: str, device: int, root: int, reference: bool) -> None:
        if entry.error:
            self.failures.append(Failure(uri, "list", entry.error))
            return
        if entry.size < self.filter.min_size:
            self.left_out += 1
            return
        version = UNKNOWN if device in self.fleeting else entry.version
        self._note(uri, version, entry.size, entry.modified_ns, root, reference, False)
        self.inodes.extend((0, 0, entry.size, entry.modified_ns, 0))

    def _member(self, uri: str, root: int, reference: bool) -> None:
        """Add one member of a container."""
        try:
            member = member_of(uri)
            assert member is not None
            # Before its source opens it: opening a named pipe would wait.
            device = -1 if is_remote(member.path) else regular(member.path).st_dev
            if (entry := self._named(member)) is None:
                self.failures.append(Failure(uri, "list", "there is no such member"))
                return
            self.with_rows |= member.source.rows
            self._entry_of(entry, uri, device, root, reference)
        except ImageError as error:
            self.failures.append(Failure(uri, "list", error.reason))

    def _named(self, member: Member) -> Entry | None:
        """Return the entry of a member, None if there is none; members of one container are listed only once."""
        key = member.source, member.path
        if self.members_of != key:
            self.members_of, self.members = None, {}
            for entry in member.source.entries(member.path):
                if not entry.error or entry.name not in self.members:
                    self.members[entry.name] = entry
            self.members_of = key
        return self.members.get(member.name)

    def _note(
        self, uri: str, version: bytes, size: int, modified_ns: int, root: int, reference: bool, link: bool
    ) -> None:
        """Add a row."""
        self.uris.append(uri)
        self.versions += version
        self.sizes.append(size)
        self.times.append(modified_ns)
        self.roots.append(root)
        self.references.append(reference)
        self.links.append(link)

    def result(self) -> Listing:
        n, found = len(self.uris), self.columns()
        better, links = further_names(found, np.frombuffer(self.inodes, dtype=np.int64).reshape(-1, 5))
        left_out = better.keys()
        # Rows of a table in the order of their numbers: each row group is decoded only once.
        order = [sort_key(uri) for uri in self.uris] if self.with_rows else self.uris
        rows = sorted(set(range(n)) - left_out if better else range(n), key=order.__getitem__)
        return Listing(
            found.take(rows),
            sorted(self.failures, key=lambda failure: failure.path),
            self.other_files,
            links,
            self.folder_links,
            self.left_out,
            self.libraries,
            symlinks(found, better),
        )


def _noting(entries: Iterable[Entry], into: list[Entry]) -> Iterator[Entry]:
    """Yield entries, and add each to a list."""
    for entry in entries:
        into.append(entry)
        yield entry
