"""What a listing holds, and how one file is read."""

import os
import stat
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from twinpix.errors import ImageError, UsageError, system_reason
from twinpix.formats import HEAD, sniff
from twinpix.model import Failure, Files, Stamp

MAX_BYTES = 2 << 30  # a larger file is not read into memory
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_READ_BYTES = 64 << 20  # at once
_COARSE_NS, _FINE_NS = 2_100_000_000, 50_000_000  # how long two writes may share one time stamp


class Listing(NamedTuple):
    """The files found, and what was met on the way."""

    refs: Files
    failures: list[Failure]
    other_files: int
    links: int  # further names of a file already listed
    folder_links: int  # symbolic links to folders that were not followed
    left_out: int = 0  # files and folders that the user chose to leave out
    libraries: int = 0  # of other programs, that were not entered
    symlinks: Mapping[str, list[str]] = MappingProxyType({})  # names of symbolic links to a file listed, by its name


def require(names: Iterable[str]) -> None:
    """Raise `UsageError` for the first of these paths that is not there."""
    for name in names:
        if not os.path.lexists(name):
            raise UsageError(f"no such file or folder: {name}")


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp of a file; numbers that fit SQLite's 64 bits."""
    mask = (1 << 63) - 1
    return Stamp(status.st_dev & mask, status.st_ino & mask, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def special_kind(mode: int) -> str:
    """What a thing that is no regular file is called."""
    for test, name in (
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISDIR, "a folder"),
    ):
        if test(mode):
            return name
    return "no regular file"


class Content(NamedTuple):
    """A file's bytes as they were at one stamp; `data` is None when the file is no image."""

    data: bytes | None
    stamp: Stamp
    settled: bool  # old enough that a later write must show in the stamp


def read(uri: str) -> Content:
    """Read a file once, whole, unless its first bytes say that it is no image.

    Raises `ImageError` when it cannot be read, is no regular file, is empty, is too large, or changed
    while it was read; no more is read than a little beyond the size that it had at first.
    """
    try:
        handle = os.open(uri, _FLAGS)
    except OSError as error:
        raise ImageError("read", system_reason(error)) from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("read", f"{special_kind(status.st_mode)}, not a regular file")
        stamp, settled = stamp_of(status), _settled(status)
        head = os.read(handle, HEAD)
        if sniff(head, uri) is None:
            if not head and sniff(b"\0", uri):
                raise ImageError("read", "the file is empty")
            return Content(None, stamp, settled)
        if stamp.size > MAX_BYTES:
            raise ImageError("read", f"larger than {MAX_BYTES >> 30} GiB")
        parts, left = [head], stamp.size - len(head)
        while part := os.read(handle, max(1 << 16, min(left, _READ_BYTES))):
            parts.append(part)
            left -= len(part)
            if left < 0:  # another program may write as fast as it is read
                raise ImageError("read", "grew while it was read; run again")
        if stamp_of(os.fstat(handle)) != stamp:
            raise ImageError("read", "changed while it was read; run again")
        return Content(b"".join(parts), stamp, settled)
    except OSError as error:
        raise ImageError("read", system_reason(error)) from None
    finally:
        os.close(handle)


def _settled(status: os.stat_result) -> bool:
    """False while the file's time stamp is so fresh that another write could leave it the same."""
    newest = max(status.st_mtime_ns, status.st_ctime_ns)
    window = _COARSE_NS if status.st_mtime_ns % 1_000_000_000 == 0 else _FINE_NS
    return time.time_ns() - newest > window
