"""Open files that several threads, and forked processes, read at any position."""

import io
import os
import tempfile
import threading
import weakref
from typing import Any, BinaryIO

from twinpix.errors import ImageError, system_reason


class PositionalFile:
    """An open file that several threads read at once; closed with its last reference."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._lock = file, threading.Lock()
        # Not `__del__`: an error that refers to this object would form a cycle, in which Python may free `file` first.
        self.close = weakref.finalize(self, file.close)
        self._descriptor = _descriptor(file) if hasattr(os, "pread") else -1
        try:
            self.size = file.seek(0, os.SEEK_END)
        except Exception as error:  # noqa: BLE001 - each library of a store has its own errors
            self.close()
            raise ImageError("read", f"the file has no random access: {reason_of(error)}") from None

    @property
    def is_local(self) -> bool:
        """True if a read of a few bytes takes microseconds."""
        return self._descriptor >= 0

    def read(self, size: int, offset: int) -> bytes:
        """Return at most `size` bytes; no bytes at the end of the file; raises `ImageError`."""
        try:
            if self._descriptor >= 0:
                return os.pread(self._descriptor, size, offset)
            with self._lock:
                self._file.seek(offset)
                return self._file.read(size)
        except OSError as error:
            raise ImageError("read", reason_of(error), lasting=False) from None

    def append(self, data: bytes) -> None:
        """Write to the end of a temporary file; raises `ImageError`."""
        self.size += len(data)
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            where = tempfile.gettempdir()
            why = f"the archive cannot be decompressed into {where}: {system_reason(error)}"
            raise ImageError("read", f"{why}; set TMPDIR to a folder with more free space", lasting=False) from None


def _descriptor(file: BinaryIO) -> int:
    """Return the number of an open file of the file system; -1 for an object of a store."""
    try:
        return file.fileno()
    except OSError:
        return -1


class Part(io.RawIOBase):
    """A file object with a position of its own."""

    def __init__(self, file: PositionalFile, offset: int) -> None:
        super().__init__()
        self._file, self._offset = file, offset

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._offset = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._offset, os.SEEK_END: self._file.size}[whence]
        return self._offset

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer), self._offset)
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)


def temporary_file() -> BinaryIO:
    try:
        file: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `PositionalFile`
    except OSError as error:
        why = f"the archive cannot be decompressed into a temporary file: {system_reason(error)}"
        raise ImageError("read", f"{why}; set TMPDIR to a folder that can be written to", lasting=False) from None
    out: BinaryIO = file
    return out


def reason_of(error: Exception) -> str:
    """Return an error in words, without the path or URL of the file."""
    return system_reason(error) if isinstance(error, OSError) and error.errno else type(error).__name__
