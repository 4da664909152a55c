"""Zip archives."""

import lzma
import os
import posixpath
import stat
import struct
import zipfile
import zlib
from calendar import timegm
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import BinaryIO, ClassVar, NamedTuple

from twinpix.errors import ImageError, system_reason
from twinpix.model import is_remote
from twinpix.sources.base import Content, Entry, Source, refuse_bomb
from twinpix.sources.storage import Status, open_file, process_key, read_image, status_of
from twinpix.text import plural
from twinpix.versions import UNKNOWN, version_of

_OPEN = 4  # archives that a process keeps open: the table of a large one takes long to read

# Errors of zipfile and of the decompressors, beside `OSError` without a number, which bz2 raises.
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, struct.error, ValueError)

_FIRST_TIME = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 1  # the bit of a member's flags
_COPIED = 4 << 20  # bytes that are copied at once


@dataclass(frozen=True)
class Zip(Source):
    """Members of zip archives, which are read and never unpacked to a path.

    Of several members with one name the last one counts, as for programs that unpack them. The format is that of
    https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset({".zip", ".cbz"})

    def entries(self, path: str) -> Iterator[Entry]:
        archive, status = _archive(path)
        count = len(archive.infolist())
        for info in archive.infolist():
            if info.is_dir():
                continue
            if archive.getinfo(info.filename) is not info:
                yield Entry(info.filename, UNKNOWN, 0, error="a later member of the archive has the same name")
            else:
                yield Entry(info.filename, _version(info, status), info.file_size, _modified_ns(info))
        if (declared := _declared(archive)) != count % (_FULL16 + 1):
            why = f"its directory lists {plural(count, 'member')}, and its end says {declared:,}"
            raise ImageError("read", f"the zip archive is damaged: {why}; copy or download it again")

    def read(self, path: str, name: str) -> Content:
        archive, status = _archive(path)
        try:
            info = archive.getinfo(name)
        except KeyError:
            raise ImageError("read", "the archive has no such member; check its name") from None
        if info.flag_bits & _ENCRYPTED:
            raise ImageError("read", "the member is encrypted")
        refuse_bomb(info.compress_size, info.file_size, "the member")
        try:
            with archive.open(info) as file:
                data = read_image(file, name, info.file_size)  # no more than the size in the archive's table
        except MemoryError:  # LZMA: a member names the size of its dictionary
            raise ImageError("read", "not enough memory to decompress the member", lasting=False) from None
        except (*_DAMAGED, OSError) as error:
            if isinstance(error, OSError) and error.errno:
                raise ImageError("read", system_reason(error)) from None
            raise ImageError("read", f"the member is damaged or compressed in an unknown way: {error}") from None
        return Content(data, _version(info, status), status.settled)

    def write(self, path: str, members: Mapping[str, bytes]) -> None:
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)

    def linked(self, path: str) -> frozenset[str]:
        archive, _ = _archive(path)
        targets = {_target_of(archive, info) for info in archive.infolist() if _is_link(info)}
        if not targets:
            return frozenset()
        return frozenset(name for name in archive.namelist() if posixpath.normpath(name) in targets)

    def copy_without(self, path: str, drop: Collection[str], out: BinaryIO) -> None:
        archive, _ = _archive(path)
        if both := sorted(set(drop) & self.linked(path)):
            raise ImageError("write", f"a link in the archive leads to {both[0]}, so this member cannot be left out")
        with closing(open_file(path)) as file:
            _copy_without(file, archive, drop, out)


def _is_link(info: zipfile.ZipInfo) -> bool:
    return info.create_system == _LINK_SYSTEM and stat.S_ISLNK(info.external_attr >> 16)


def _target_of(archive: zipfile.ZipFile, link: zipfile.ZipInfo) -> str:
    """Return the normalised name that a symbolic link leads to; "" if it cannot be read."""
    if link.file_size > _LONGEST_TARGET or link.flag_bits & _ENCRYPTED:
        return ""
    try:
        target = archive.read(link).decode("utf-8", "surrogateescape")
    except (*_DAMAGED, OSError):
        return ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(link.filename), target))


def _archive(path: str) -> tuple[zipfile.ZipFile, Status]:
    """Return the open archive and its status; raises `ImageError` if it cannot be opened."""
    status = status_of(path)
    try:
        return _open(path, process_key(), status.version, status.size, status.modified_ns), status
    except OSError as error:
        raise ImageError("read", system_reason(error)) from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        known = "not a zip file" in str(error)
        what = "not a zip archive, or its end is missing" if known else f"the zip archive cannot be read: {error}"
        raise ImageError("read", f"{what}; copy or download it again") from None


@lru_cache(maxsize=_OPEN)
def _open(path: str, process: tuple[int, int], version: bytes, size: int, modified_ns: int) -> zipfile.ZipFile:
    """Return the archive at `path`, reopened after it was written to."""
    return zipfile.ZipFile(open_file(path, version) if is_remote(path) else path)  # it closes only what it opened


def _declared(archive: zipfile.ZipFile) -> int:
    """Return the number of members that the end of an archive names, of which large archives have the last 16 bits."""
    file = archive.fp
    assert file is not None
    end_at = file.seek(0, os.SEEK_END) - _END_SIZE - len(archive.comment)
    file.seek(max(0, end_at))
    end = file.read(_END_SIZE)
    total: int = struct.unpack_from("<H", end, 10)[0]
    return len(archive.infolist()) % (_FULL16 + 1) if total == _FULL16 else total


def _modified_ns(info: zipfile.ZipInfo) -> int:
    """Return the time of a member; 0 for none, and for the first time of the format, which programs write for none."""
    month, day = info.date_time[1:3]
    if info.date_time <= _FIRST_TIME or not day or not 1 <= month <= 12:  # the format has room for month 15
        return 0
    return timegm((*info.date_time, 0, 0, 0)) * 1_000_000_000


def _version(info: zipfile.ZipInfo, status: Status) -> bytes:
    whole = status.version
    return whole if whole == UNKNOWN else version_of(whole, info.filename, info.header_offset, info.CRC, info.file_size)


# -- an archive without some of its members ------------------------------------------------------------

_END, _END64, _LOCATOR64, _ENTRY, _LOCAL = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2", b"PK\3\4"
_END_SIZE, _END64_SIZE, _LOCATOR64_SIZE, _ENTRY_SIZE, _LOCAL_SIZE = 22, 56, 20, 46, 30  # bytes without variable parts
_ZIP64 = 1  # the number of the extra field with 64-bit values
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF  # the value is in a 64-bit field
_LINK_SYSTEM = 3  # Unix: the upper 16 bits of the external attributes are the mode of a file
_LONGEST_TARGET = 4096  # bytes of a symbolic link


class _Record(NamedTuple):
    """An entry of the central directory, as it is in the file."""

    data: bytearray
    place: int  # where `data` has the offset of the local header
    width: int  # bytes of this offset, 4 or 8
    offset: int  # of the local header, as stored


class _Tail(NamedTuple):
    """The end of an archive: the central directory, what follows it, and where the numbers to change are."""

    records: list[_Record]
    rest: bytes  # of the directory, behind its entries
    end64: bytearray  # the ZIP64 end record and its locator; empty if there are none
    end: bytearray  # the end record with the comment
    start: int  # of the directory in the file
    shift: int  # bytes before the archive, which no offset counts


def _tail(file: BinaryIO) -> _Tail:
    """Read the end of an archive; raises `ImageError` for one that cannot be written again."""
    size = file.seek(0, os.SEEK_END)
    file.seek(at := max(0, size - _END_SIZE - _FULL16))
    last = file.read()
    place = last.rfind(_END)
    if last[-_END_SIZE:-18] == _END and last[-2:] == b"\0\0":
        place = len(last) - _END_SIZE
    if place < 0 or len(last) - place < _END_SIZE:
        raise _unwritable("its end is missing")
    end, end_at = bytearray(last[place:]), at + place
    disk, first, here, total, length, offset = struct.unpack_from("<4H2L", end, 4)
    end64, directory_end = bytearray(), end_at
    if end_at >= _LOCATOR64_SIZE:
        file.seek(end_at - _LOCATOR64_SIZE)
        locator = file.read(_LOCATOR64_SIZE)
        if locator.startswith(_LOCATOR64):
            directory_end = end_at - _LOCATOR64_SIZE - _END64_SIZE
            file.seek(max(0, directory_end))
            end64 = bytearray(file.read(_END64_SIZE) + locator)
            if not end64.startswith(_END64):
                raise _unwritable("its ZIP64 end record has further fields")
            disk, first, here, total, length, offset = struct.unpack_from("<2L4Q", end64, 16)
    if disk or first or here != total:
        raise _unwritable("it has several parts")
    start = directory_end - length
    shift = start - offset
    if start < 0 or shift < 0:
        raise _unwritable("its directory has a wrong place")
    file.seek(start)
    directory = file.read(length)
    records, at = [], 0
    for _ in range(total):
        records.append(record := _record(directory, at))
        at += len(record.data)
    return _Tail(records, directory[at:], end64, end, start, shift)


def _record(directory: bytes, at: int) -> _Record:
    if directory[at : at + 4] != _ENTRY or len(directory) < at + _ENTRY_SIZE:
        raise _unwritable("its directory is damaged")
    name, extra, comment, disk = struct.unpack_from("<4H", directory, at + 28)
    packed, plain = struct.unpack_from("<2L", directory, at + 20)
    (offset,) = struct.unpack_from("<L", directory, at + 42)
    data = bytearray(directory[at : at + _ENTRY_SIZE + name + extra + comment])
    if disk not in (0, _FULL16):
        raise _unwritable("it has several parts")
    if offset != _FULL32:
        return _Record(data, 42, 4, offset)
    place, stop = _ENTRY_SIZE + name, _ENTRY_SIZE + name + extra
    while place + 4 <= stop:
        kind, length = struct.unpack_from("<2H", data, place)
        if kind == _ZIP64:
            place += 4 + 8 * ((plain == _FULL32) + (packed == _FULL32))
            if place + 8 > stop:
                break
            return _Record(data, place, 8, struct.unpack_from("<Q", data, place)[0])
        place += 4 + length
    raise _unwritable("an entry has no place")


def _copy_without(file: BinaryIO, archive: zipfile.ZipFile, drop: Collection[str], out: BinaryIO) -> None:
    """Write an archive without these members: all other bytes are copied, and only offsets and totals change."""
    infos, tail = archive.infolist(), _tail(file)
    starts = [record.offset + tail.shift for record in tail.records]
    if starts != [info.header_offset for info in infos]:
        raise _unwritable("its directory can be read in two ways")
    names = Counter(info.filename for info in infos)
    for name in drop:
        if names[name] != 1:
            why = "has no such member" if not names[name] else "has several members of this name"
            raise ImageError("write", f"the archive {why}: {name}")
    order = sorted(range(len(infos)), key=starts.__getitem__)
    ends = {a: starts[b] for a, b in pairwise(order)} | ({order[-1]: tail.start} if order else {})
    for row in order:
        file.seek(starts[row])
        head = file.read(_LOCAL_SIZE)
        least = _LOCAL_SIZE + infos[row].compress_size
        if not head.startswith(_LOCAL) or len(head) < _LOCAL_SIZE:
            raise _unwritable("a local header is missing")
        if starts[row] + least + sum(struct.unpack_from("<2H", head, 26)) > ends[row]:
            raise _unwritable("its members overlap")
    removed = at = written = gone = 0  # bytes that were removed before the current place; the place; bytes in `out`
    directory: dict[int, bytearray] = {}
    for row in order:
        written += _copy(file, at, starts[row], out)
        if infos[row].filename in drop:
            removed, gone = removed + ends[row] - starts[row], gone + 1
            at = ends[row]
            continue
        record = tail.records[row]
        struct.pack_into("<Q" if record.width == 8 else "<L", record.data, record.place, record.offset - removed)
        directory[row], at = record.data, starts[row]
    written += _copy(file, at, tail.start, out)
    entries = b"".join(directory[row] for row in sorted(directory)) + tail.rest
    offset, count = written - tail.shift, len(directory)
    _set_totals(tail, count, len(entries), offset)
    out.write(entries + tail.end64 + tail.end)


def _set_totals(tail: _Tail, count: int, length: int, offset: int) -> None:
    """Set the number of entries, and the length and place of the directory; values with ZIP64 fields stay there."""
    if tail.end64:
        struct.pack_into("<4Q", tail.end64, 24, count, count, length, offset)
        struct.pack_into("<Q", tail.end64, _END64_SIZE + 8, offset + length)
    for place, form, full, value in (
        (8, "<H", _FULL16, count),
        (10, "<H", _FULL16, count),
        (12, "<L", _FULL32, length),
        (16, "<L", _FULL32, offset),
    ):
        if not (tail.end64 and struct.unpack_from(form, tail.end, place)[0] == full):
            struct.pack_into(form, tail.end, place, value)


def _copy(file: BinaryIO, start: int, end: int, out: BinaryIO) -> int:
    """Copy these bytes; return their number."""
    file.seek(start)
    left = end - start
    while left > 0:
        data = file.read(min(_COPIED, left))
        if not data:
            raise ImageError("read", "the file ends before its last member; copy or download it again")
        out.write(data)
        left -= len(data)
    return end - start


def _unwritable(why: str) -> ImageError:
    return ImageError("write", f"the zip archive cannot be written again without some of its members: {why}")
