"""Zip archives."""

import os
import zipfile
import zlib
from calendar import timegm
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from twinpix.errors import ImageError, system_reason
from twinpix.formats import HEAD, sniff
from twinpix.sources.base import MAX_BYTES, Content, Entry, Source
from twinpix.sources.files import file_version, is_settled
from twinpix.versions import UNKNOWN, version_of

_OPEN = 4  # archives that a process keeps open: the table of a large one takes long to read
_ENCRYPTED = 1  # the bit of a member's flags


@dataclass(frozen=True)
class Zip(Source):
    """Members of zip archives, which are read and never unpacked to a path.

    Of several members with one name the last one counts, as for programs that unpack them. The format is that of
    https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset({".zip", ".cbz"})

    def entries(self, path: str) -> Iterator[Entry]:
        archive, status = _archive(path)
        for info in archive.infolist():
            if info.is_dir():
                continue
            if archive.getinfo(info.filename) is not info:
                yield Entry(info.filename, UNKNOWN, 0, error="a later member of the archive has the same name")
            else:
                modified = timegm((*info.date_time, 0, 0, 0)) if info.date_time[1] and info.date_time[2] else 0
                yield Entry(info.filename, _version(info, status), info.file_size, modified * 1_000_000_000)

    def read(self, path: str, name: str) -> Content:
        archive, status = _archive(path)
        try:
            info = archive.getinfo(name)
        except KeyError:
            raise ImageError("read", "the archive has no such member; check its name") from None
        if info.flag_bits & _ENCRYPTED:
            raise ImageError("read", "the member is encrypted")
        try:
            with archive.open(info) as file:
                head = file.read(HEAD)
                if sniff(head, name) is None:
                    if not head and sniff(b"\0", name):
                        raise ImageError("read", "the file is empty")
                    return Content(None, _version(info, status), is_settled(status))
                if info.file_size > MAX_BYTES:
                    raise ImageError("read", f"larger than {MAX_BYTES >> 30} GiB")
                data = head + file.read()  # no more than the size in the archive's table
        except OSError as error:
            raise ImageError("read", system_reason(error)) from None
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise ImageError("read", f"the member is damaged or compressed in an unknown way: {error}") from None
        return Content(data, _version(info, status), is_settled(status))

    def write(self, path: str, members: Mapping[str, bytes]) -> None:
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)


def _archive(path: str) -> tuple[zipfile.ZipFile, os.stat_result]:
    """Return the open archive and its status; raises `ImageError` if it cannot be opened."""
    try:
        status = os.stat(path)
        return _open(path, os.getpid(), status.st_mtime_ns, status.st_size, status.st_ino), status
    except OSError as error:
        raise ImageError("read", system_reason(error)) from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        known = "not a zip file" in str(error)
        what = "not a zip archive, or its end is missing" if known else f"the zip archive cannot be read: {error}"
        raise ImageError("read", f"{what}; copy or download it again") from None


@lru_cache(maxsize=_OPEN)
def _open(path: str, process: int, modified_ns: int, size: int, inode: int) -> zipfile.ZipFile:
    """Return the archive at `path`, reopened after it was written to.

    Each process opens its own: a forked one shares the position in the file with its parent.
    """
    return zipfile.ZipFile(path)


def _version(info: zipfile.ZipInfo, status: os.stat_result) -> bytes:
    whole = file_version(status)
    return whole if whole == UNKNOWN else version_of(whole, info.filename, info.header_offset, info.CRC, info.file_size)
