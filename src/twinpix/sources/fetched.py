"""Images, archives and tables of stores that this run has fetched, kept on the disk: most are needed repeatedly."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from twinpix import machine
from twinpix.errors import ImageError
from twinpix.sources import copies, storage
from twinpix.sources.base import Content

LARGEST = 2 << 30  # bytes of all kept images and archives; what does not fit is fetched again
_SPARE = 1 << 30  # bytes that stay free on the disk
_PREFIX = "twinpix-fetched-"
_HEAD = 18  # bytes before those of the image: its version, whether it is settled, whether it is an image


class _Kept:
    """The bytes in the folder as far as this process knows."""

    process = 0
    bytes = 0


_locks: dict[int, threading.Lock] = {}  # of a process: no fork waits for a thread of its parent


@contextmanager
def keep_fetched() -> Iterator[None]:
    """Keep images of stores until the end of the block, for this process and its workers."""
    if copies.folder():
        yield  # an outer block keeps them
        return
    _remove_leftovers()
    try:
        machine.shared[copies.FOLDER] = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
    except OSError:  # no folder for temporary files: images are fetched again
        yield
        return
    _Kept.process = 0  # of an earlier folder of this process the bytes do not count
    try:
        yield
    finally:
        shutil.rmtree(machine.shared.pop(copies.FOLDER), ignore_errors=True)


def kept(uri: str) -> Content | None:
    """Return an image that was fetched before, None if it is not kept."""
    if not copies.folder():
        return None
    try:
        with open(copies.path_of(uri), "rb") as file:
            head, data = file.read(_HEAD), file.read()
    except OSError:
        return None
    return Content(data if head[17] else None, head[:16], bool(head[16])) if len(head) == _HEAD else None


def keep(uri: str, content: Content) -> None:
    """Keep a fetched image, unless the space is used up."""
    if not copies.folder():
        return
    data = content.data or b""
    with suppress(OSError):
        if not _reserve(len(data), LARGEST):
            return
        path = copies.path_of(uri)
        with open(f"{path}.{os.getpid()}", "xb") as file:
            file.write(content.version + bytes([content.settled, content.data is not None]))
            file.write(data)
        os.replace(f"{path}.{os.getpid()}", path)


def copy_of(url: str, version: bytes, size: int) -> str:
    """Return the path of a copy of an object of a store, which is fetched completely unless this run has done so.

    Returns "" if there is no space for it, or the store does not answer. Archives are listed before images are read, so
    they use half of the space at most.
    """
    if not copies.folder():
        return ""
    path = copies.path_of_object(url, version)
    if os.path.exists(path):
        return path
    try:
        if not _reserve(size, LARGEST // 2):
            return ""
    except OSError:  # the folder was removed
        return ""
    part = f"{path}.{os.getpid()}"
    try:
        storage.download(url, part, size)
        os.replace(part, path)
    except (ImageError, OSError):
        _release(size)
        with suppress(OSError):
            os.unlink(part)
        return ""
    return path


def _reserve(size: int, most: int) -> bool:
    """Count bytes that are about to be written; False if there would be more than `most`. Raises `OSError`."""
    with _locks.setdefault(os.getpid(), threading.Lock()):
        if _Kept.process != os.getpid():  # a new worker: others have written before it
            _Kept.process = os.getpid()
            with os.scandir(copies.folder()) as entries:
                _Kept.bytes = sum(entry.stat().st_size for entry in entries)
        if _Kept.bytes + size > most or shutil.disk_usage(copies.folder()).free <= size + _SPARE:
            return False
        _Kept.bytes += size
        return True


def _release(size: int) -> None:
    """Count bytes that were not written."""
    with _locks.setdefault(os.getpid(), threading.Lock()):
        _Kept.bytes -= size


def _remove_leftovers() -> None:
    """Remove the folders of runs of this user that were killed."""
    if not hasattr(os, "getuid"):
        return
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            process = entry.name.removeprefix(_PREFIX).partition("-")[0]
            if not entry.name.startswith(_PREFIX) or not process.isdecimal():
                continue
            if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.getuid():
                try:
                    os.kill(int(process), 0)
                except ProcessLookupError:
                    shutil.rmtree(entry.path, ignore_errors=True)
                except OSError:
                    continue
