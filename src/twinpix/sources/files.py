"""Read one file of the file system."""

import os
import stat
import time

from twinpix.errors import ImageError, system_reason
from twinpix.formats import HEAD, sniff
from twinpix.sources.base import MAX_BYTES, Content
from twinpix.versions import version_of_file

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_READ_BYTES = 64 << 20  # at once
_COARSE_NS, _FINE_NS = 2_100_000_000, 50_000_000  # times within which two writes may have the same time stamp


def file_version(status: os.stat_result) -> bytes:
    """Return the version of a file, from its device, inode, size, modification time and change time."""
    return version_of_file(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def is_settled(status: os.stat_result) -> bool:
    """False if the file's time stamp is so recent that another write could leave it unchanged."""
    newest = max(status.st_mtime_ns, status.st_ctime_ns)
    window = _COARSE_NS if status.st_mtime_ns % 1_000_000_000 == 0 else _FINE_NS
    return time.time_ns() - newest > window


def special_kind(mode: int) -> str:
    """Return the kind of something that is not a regular file, in words."""
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


def regular(path: str) -> os.stat_result:
    """Return the status of a regular file; raises `ImageError` for anything else: opening a named pipe would wait."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise ImageError("read", system_reason(error)) from None
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("read", f"{special_kind(status.st_mode)}, not a regular file")
    return status


def require_unchanged(before: os.stat_result, now: os.stat_result) -> None:
    """Raise `ImageError` if a file was written to between two readings of its status."""
    if (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (now.st_size, now.st_mtime_ns, now.st_ctime_ns):
        raise ImageError("read", "changed while it was read; run again")


def read_file(path: str) -> Content:
    """Read a file completely, once, unless its first bytes are not those of an image.

    Raises `ImageError` if it cannot be read, is not a regular file, is empty, is too large, or changed while it was
    read. A file that grows meanwhile is read only a little beyond its first size.
    """
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        raise ImageError("read", system_reason(error)) from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("read", f"{special_kind(status.st_mode)}, not a regular file")
        settled = is_settled(status)
        head = os.read(handle, HEAD)
        if sniff(head, path) is None:
            if not head and sniff(b"\0", path):
                raise ImageError("read", "the file is empty")
            return Content(None, file_version(status), settled)
        if status.st_size > MAX_BYTES:
            raise ImageError("read", f"larger than {MAX_BYTES >> 30} GiB")
        parts, left = [head], status.st_size - len(head)
        while part := os.read(handle, max(1 << 16, min(left, _READ_BYTES))):
            parts.append(part)
            left -= len(part)
            if left < 0:  # another program may write as fast as it is read
                raise ImageError("read", "grew while it was read; run again")
        require_unchanged(status, os.fstat(handle))
        return Content(b"".join(parts), file_version(status), settled)
    except OSError as error:
        raise ImageError("read", system_reason(error)) from None
    finally:
        os.close(handle)
