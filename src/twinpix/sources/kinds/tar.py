"""Tar archives, uncompressed or compressed with gzip, bzip2, xz or zstd."""

import io
import os
import posixpath
import tarfile
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, ClassVar, NamedTuple

from twinpix.errors import ImageError
from twinpix.model import is_remote
from twinpix.sources import fetched
from twinpix.sources.base import BOMB_BYTES, Content, Entry, Source, refuse_bomb
from twinpix.sources.compression import compressor, decompressor
from twinpix.sources.positional import Part, PositionalFile, temporary_file
from twinpix.sources.storage import Status, open_file, process_key, read_head, read_image, status_of
from twinpix.versions import UNKNOWN, version_of

LARGEST_RATIO = 1000
"""Bytes that one byte of an archive may decompress to: text reaches about 20, an attack with zeros 1030 and more."""

SPARE_BYTES = 1 << 30
"""Bytes that any archive may decompress to in addition: a small archive of similar files has a high ratio."""

_INDEXES = 32  # indexes of uncompressed archives that a process keeps; each takes about 3 MB for 10,000 members
_OPEN = 4  # uncompressed archives that a process keeps open
_SPOOLS = 4  # decompressed archives that a process keeps, as temporary files
_LONGEST_HEADER = 16 << 20  # bytes; tarfile reads an extended header into memory, and a damaged one may be longer
_CHUNK = 1 << 20  # bytes that are decompressed at once
_COPIED = 4 << 20  # bytes that are copied at once
_BUFFER = 256 << 10  # bytes; a member that is not larger is read by one request
_SIGNED_64 = (1 << 63) - 1

_SIGNATURES = (
    (b"\x1f\x8b", "gz"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    *((bytes([number]) + b"\x2a\x4d\x18", "zst") for number in range(0x50, 0x60)),  # a skippable frame, of pzstd
)
_ENDS_EARLY = "the archive ends in the middle; copy or download it again"

# Errors of tarfile for damaged headers.
_DAMAGED = (tarfile.TarError, ValueError, OverflowError, IndexError, TypeError, EOFError, RecursionError, MemoryError)

_locks: dict[tuple[int, str], threading.Lock] = {}  # of a file in a process: no fork waits for a thread of its parent


@dataclass(frozen=True)
class Tar(Source):
    """Regular members of tar archives, which are read and never unpacked to a path.

    Of several members with one name the last one counts, as for programs that unpack them. Links are further names of
    other members and are not listed. The format is that of
    https://www.gnu.org/software/tar/manual/html_node/Standard.html with the extensions of GNU tar and pax.

    The first bytes decide whether an archive is compressed. An uncompressed one is indexed by its headers, and a member
    is one range of its bytes. A compressed one is decompressed as a whole into a temporary file, once in a process and
    the processes that are forked from it.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset({".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz"})

    def entries(self, path: str) -> Iterator[Entry]:
        index, _, status = _archive(path)
        for member in index.members:
            if index.last[member.name] is not member:
                yield Entry(member.name, UNKNOWN, 0, error="a later member of the archive has the same name")
            elif member.error:
                yield Entry(member.name, UNKNOWN, 0, error=member.error)
            else:
                yield Entry(member.name, _version(member, status), member.size, member.modified_ns)
        if index.error:
            raise ImageError("read", f"{index.error}; complete members before this point: {len(index.members):,}")

    def read(self, path: str, name: str) -> Content:
        index, file, status = _archive(path)
        member = index.last.get(name)
        if member is None:
            raise ImageError("read", f"the archive has no such member; {index.error or 'check its name'}")
        if member.error:
            raise ImageError("read", member.error)
        if member.size > BOMB_BYTES:
            refuse_bomb(status.size, file.size, "the archive")
        part = io.BufferedReader(Part(file, member.offset), max(1, min(_BUFFER, member.size)))
        return Content(read_image(part, name, member.size), _version(member, status), status.settled)

    def write(self, path: str, members: Mapping[str, bytes]) -> None:
        with (
            open(path, "xb") as file,
            closing(compressor(path.rpartition(".")[2].lower(), file)) as out,
            tarfile.open(fileobj=out, mode="w|") as archive,
        ):
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))

    def linked(self, path: str) -> frozenset[str]:
        index, _, _ = _archive(path)
        if not index.targets:
            return frozenset()
        return frozenset(name for name in index.last if posixpath.normpath(name) in index.targets)

    def copy_without(self, path: str, drop: Collection[str], out: BinaryIO) -> None:
        index, file, status = _archive(path)
        if index.error:
            raise ImageError("read", index.error)
        spans = _spans_of(index, drop)
        if both := sorted(set(drop) & self.linked(path)):
            raise ImageError("write", f"a link in the archive leads to {both[0]}, so this member cannot be left out")
        kind = _compression(path, status.version, status.size, status.modified_ns)
        packed = compressor(kind, out)
        at = 0
        for start, end in [*spans, (file.size, file.size)]:
            while at < start:
                data = file.read(min(_COPIED, start - at), at)
                if not data:
                    raise ImageError("read", _ENDS_EARLY)
                packed.write(data)
                at += len(data)
            at = end
        if packed is not out:
            packed.close()


# -- archives ------------------------------------------------------------------------------------------


class _Member(NamedTuple):
    """A regular member, and where it is in the uncompressed archive."""

    name: str
    offset: int  # of its first byte
    size: int  # bytes
    modified_ns: int
    start: int  # of its headers, with the extended ones
    end: int  # of its blocks
    error: str = ""  # why it cannot be read; "" if it can


class _Index(NamedTuple):
    """The complete regular members of an archive."""

    members: list[_Member]  # in the order of the archive
    last: dict[str, _Member]  # the last member of each name
    error: str  # why the archive may have further members; "" if its end was reached
    targets: frozenset[str]  # normalised names that links lead to


def _archive(path: str) -> tuple[_Index, PositionalFile, Status]:
    """Return the index of an archive, the uncompressed archive, and the status of the file; raises `ImageError`."""
    status = status_of(path)
    key = path, status.version, status.size, status.modified_ns
    with _locks.setdefault(
        (os.getpid(), path), threading.Lock()
    ):  # threads that read members of a store need one index
        if _compression(*key):
            return *_decompressed(*key), status
        return _index(*key), _open(process_key(), *key), status


@lru_cache(maxsize=1024)
def _compression(path: str, version: bytes, size: int, modified_ns: int) -> str:
    """Return the suffix of the compression of a file, such as `gz`; "" if it is not compressed."""
    head = read_head(path, tarfile.BLOCKSIZE)
    if _is_header(head):  # of an uncompressed archive, whose first name may begin with one of the signatures
        return ""
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), "")


@lru_cache(maxsize=_OPEN)
def _open(process: tuple[int, int], path: str, version: bytes, size: int, modified_ns: int) -> PositionalFile:
    """Return an uncompressed archive, opened by this process, and reopened after it was written to."""
    return PositionalFile(open_file(path, version))


@lru_cache(maxsize=_INDEXES)
def _index(path: str, version: bytes, size: int, modified_ns: int) -> _Index:
    """Return the index of an uncompressed archive; it holds no open file, so forked processes use it too."""
    return _index_of(_open(process_key(), path, version, size, modified_ns))


@lru_cache(maxsize=_SPOOLS)
def _decompressed(path: str, version: bytes, size: int, modified_ns: int) -> tuple[_Index, PositionalFile]:
    """Decompress an archive into a temporary file without a name; return its index and this file.

    One in a store is fetched as a whole, once in a run if there is space for a copy (`fetched.LARGEST`): of many
    archives this process keeps only a few decompressed. Forked processes use the file of their parent, since `os.pread`
    does not depend on the position in it. There is no fork on systems without `os.pread`. Raises `ImageError`, also for
    a decompression bomb.
    """
    spool = PositionalFile(temporary_file())
    if is_remote(path):
        fetched.copy_of(path, version, size)
    with closing(PositionalFile(open_file(path, version))) as source:
        error = _decompress(_compression(path, version, size, modified_ns), source, spool)
    return _index_of(spool, error), spool


def _decompress(kind: str, source: PositionalFile, spool: PositionalFile) -> str:
    """Decompress a file into another one; return why it is incomplete, or "" if it is complete."""
    limit = LARGEST_RATIO * source.size + SPARE_BYTES
    stream, errors = decompressor(kind, io.BufferedReader(Part(source, 0), _CHUNK))
    try:
        while chunk := stream.read1(_CHUNK):  # unlike `read`, it returns the bytes before a damaged part
            if spool.size + len(chunk) > limit:
                why = f"the archive decompresses to more than {limit:,} bytes and may be a decompression bomb"
                raise ImageError("read", f"{why}; if you trust it, decompress it and name the .tar file")
            spool.append(chunk)
    except EOFError:
        return _ENDS_EARLY
    except errors as reason:
        return f"the archive is damaged ({reason}); copy or download it again"
    return ""


def _index_of(file: PositionalFile, error: str = "") -> _Index:
    """Return the index of an uncompressed archive; `error` says why it is known to be incomplete.

    Raises `ImageError` if it does not begin with the header of a member, or with the end of an empty archive.
    """
    members: list[_Member] = []
    targets = set[str]()
    headers = _Headers(Part(file, 0))
    start = at = 0  # of an archive, and of the header of its next member
    try:
        while start >= 0:
            at = headers.seek(_plain_members(file, start, members))
            # A name does not depend on the user's locale.
            with tarfile.open(fileobj=headers, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
                while (info := archive.next()) is not None:
                    if archive.offset <= at or info.size < 0:  # tarfile would read the same headers for ever
                        raise tarfile.ReadError("negative size")
                    at = archive.offset
                    if info.isreg():
                        if (at if info.issparse() else info.offset_data + info.size) > file.size:
                            raise EOFError
                        members.append(_member(info, at))
                    elif info.islnk() or info.issym():
                        targets.add(_target_of(info))
                    archive.members.clear()  # type: ignore[attr-defined]  # else 1 kB for each member
            start = _after_end(file, at)
    except _DAMAGED as reason:
        if not at:
            raise ImageError("read", error or f"not a tar archive ({reason}); copy or download it again") from None
        cut = isinstance(reason, EOFError) or headers.tell() >= file.size
        error = error or (_ENDS_EARLY if cut else f"the archive is damaged at byte {at:,}; copy or download it again")
    return _Index(members, {member.name: member for member in members}, error, frozenset(targets))


def _plain_members(file: PositionalFile, at: int, members: list[_Member]) -> int:
    """Append the members from `at` to the first one that only tarfile can read; return where that one begins.

    It is eight times as fast as tarfile for the members of most archives: regular files and folders with names of at
    most 100 bytes, and without extended headers. Each of them is as tarfile would read it. Any other header is left to
    tarfile: damaged ones, the end of the archive, links, and global headers, which hold for all members behind them.
    """
    while file.is_local:
        block = file.read(tarfile.BLOCKSIZE, at)
        kind = block[156:157]
        # Of the numbers only octal digits, and no prefix of the name.
        if len(block) < tarfile.BLOCKSIZE or block[100:156].translate(None, b"01234567 \0") or block[345]:
            break
        try:
            size, mtime, checksum = (
                int(part.partition(b"\0")[0].strip() or b"0", 8)
                for part in (block[124:136], block[136:148], block[148:156])
            )
        except ValueError:
            break
        name = block[:100].partition(b"\0")[0].decode("utf-8", "surrogateescape")
        data = at + tarfile.BLOCKSIZE
        if not name or checksum != sum(block) - sum(block[148:156]) + 256 or block[257:262] != b"ustar":
            break
        if kind == b"5":
            at = data
            continue
        end = data + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        if kind not in (b"0", b"\0") or name.endswith("/") or data + size > file.size:
            break
        members.append(_Member(name, data, size, mtime * 1_000_000_000, at, end))
        at = end
    return at


def _target_of(link: tarfile.TarInfo) -> str:
    """Return the normalised name that a link leads to: a hard link from the top of the archive, others from theirs."""
    folder = "" if link.islnk() else posixpath.dirname(link.name)
    return posixpath.normpath(posixpath.join(folder, link.linkname))


def _spans_of(index: _Index, drop: Collection[str]) -> list[tuple[int, int]]:
    """Return the bytes of these members, in the order of the archive; raises `ImageError` if a name is not unique."""
    names = Counter(member.name for member in index.members)
    for name in drop:
        if names[name] != 1:
            why = "has no such member" if not names[name] else "has several members of this name"
            raise ImageError("write", f"the archive {why}: {name}")
    return [(member.start, member.end) for member in index.members if member.name in drop]


def _after_end(file: PositionalFile, at: int) -> int:
    """Return where an archive begins that was appended to the one that ends at `at`; -1 if there is none.

    GNU tar lists the members of an appended archive with `--ignore-zeros` only. Raises `EOFError` or `ReadError` if
    there is no end marker, which is a block of zeros, at `at`.
    """
    data = file.read(_CHUNK, at)
    if len(data) < tarfile.BLOCKSIZE:
        raise EOFError
    blocks = (len(data) - len(data.lstrip(b"\0"))) // tarfile.BLOCKSIZE
    if not blocks:
        raise tarfile.ReadError("no header")
    at += blocks * tarfile.BLOCKSIZE
    return at if _is_header(file.read(tarfile.BLOCKSIZE, at)) else -1


def _is_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except _DAMAGED:
        return False
    return True


def _member(info: tarfile.TarInfo, end: int) -> _Member:
    if info.issparse():
        why = "the member is stored as a sparse file"
        return _Member(info.name, info.offset_data, 0, 0, info.offset, end, why)
    try:
        modified = int(info.mtime * 1_000_000_000)
    except (ValueError, OverflowError):  # not a number, or infinite
        modified = 0
    modified = modified if 0 < modified <= _SIGNED_64 else 0
    return _Member(info.name, info.offset_data, info.size, modified, info.offset, end)


def _version(member: _Member, status: Status) -> bytes:
    whole = status.version
    return whole if whole == UNKNOWN else version_of(whole, member.name, member.offset, member.size)


class _Headers(io.BufferedReader):
    """The file from which tarfile reads headers."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _LONGEST_HEADER:
            raise tarfile.ReadError("the size of an extended header is not plausible")
        return super().read(size)
