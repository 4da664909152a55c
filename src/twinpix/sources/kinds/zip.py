"""Zip archives."""

import zipfile
import zlib
from calendar import timegm
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from twinpix.errors import ImageError, system_reason
from twinpix.model import is_remote
from twinpix.sources.base import Content, Entry, Source
from twinpix.sources.storage import Status, open_file, process_key, read_image, status_of
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
                data = read_image(file, name, info.file_size)  # no more than the size in the archive's table
        except OSError as error:
            raise ImageError("read", system_reason(error)) from None
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise ImageError("read", f"the member is damaged or compressed in an unknown way: {error}") from None
        return Content(data, _version(info, status), status.settled)

    def write(self, path: str, members: Mapping[str, bytes]) -> None:
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)


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
    return zipfile.ZipFile(open_file(path) if is_remote(path) else path)  # it closes only what it opened


def _version(info: zipfile.ZipInfo, status: Status) -> bytes:
    whole = status.version
    return whole if whole == UNKNOWN else version_of(whole, info.filename, info.header_offset, info.CRC, info.file_size)
