"""Where an export is written to: a folder, or a folder of a store. No file is ever replaced."""

import contextlib
import errno
import hashlib
import io
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from twinpix.errors import ImageError, OutputError, system_reason
from twinpix.rename import rename_new
from twinpix.sources import storage
from twinpix.usecases.exporting.journal import NAME

_READ = 4 << 20  # bytes at once
_FLUSHED = 64 << 20  # bytes after which the disk begins to write
_FULL = (errno.ENOSPC, errno.EDQUOT)
_RESERVED = 0o600  # see `twinpix.rename`


class Output(io.RawIOBase):
    """A new file; counts its bytes and computes their digest."""

    def __init__(self, handle: int) -> None:
        import xxhash

        super().__init__()
        self._handle, self._hash, self.size = handle, xxhash.xxh3_128(), 0
        self._threads = ThreadPoolExecutor(1)
        self._flush: Future[None] | None = None
        self._flushed = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        """Write all bytes."""
        view = memoryview(data).cast("B")
        self._hash.update(view)
        left = view
        while left:
            left = left[os.write(self._handle, left) :]
        self.size += len(view)
        if self.size - self._flushed >= _FLUSHED and (self._flush is None or self._flush.done()):
            # The disk writes while the next bytes are copied; an error is raised by `sync`.
            self._flush, self._flushed = self._threads.submit(os.fsync, self._handle), self.size
        return len(view)

    def sync(self) -> None:
        """Flush the file to the disk."""
        if self._flush is not None:
            self._flush.result()
        os.fsync(self._handle)

    def end(self) -> None:
        """Wait for the disk, before the file is closed."""
        self._threads.shutdown()


class Target(ABC):
    """A place for new files. A temporary file is always on this machine."""

    root: str

    @abstractmethod
    def prepare(self) -> None:
        """Make the folder; raises `OutputError`."""

    @abstractmethod
    def journal(self, report: str, digest: str) -> str:
        """Return the path of the journal."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Return the size of a file; None if there is none of that name, not even a folder or link."""

    @abstractmethod
    def digest(self, name: str) -> str:
        """Return the digest of a file."""

    @abstractmethod
    def temporary(self, name: str, run: str) -> str:
        """Return the path of the temporary file of a run, after making its folder."""

    @abstractmethod
    def finish(self, temporary: str, name: str) -> None:
        """Give a complete file its name; raises `FileExistsError`."""

    def drop_reserved(self, name: str) -> bool:
        """Remove the empty file that reserved a name for a rename that was killed; True if there was one."""
        return False

    def free(self) -> int | None:
        """Return the free space in bytes; None if it is unknown."""
        return None

    def clean(self, name: str, run: str) -> None:
        """Remove the temporary file that a killed run left for this name."""
        self.discard(self._temporary(name, run))

    @abstractmethod
    def _temporary(self, name: str, run: str) -> str: ...

    @contextlib.contextmanager
    def create(self, temporary: str) -> Iterator[Output]:
        """Create a temporary file."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        handle = os.open(temporary, flags, 0o666)
        out = Output(handle)
        try:
            yield out
        finally:
            out.end()
            os.close(handle)

    def discard(self, temporary: str) -> None:
        """Remove a temporary file, if there is one."""
        with contextlib.suppress(OSError):
            os.unlink(temporary)

    def is_full(self, error: OSError) -> bool:
        """True for the error of a full disk."""
        return error.errno in _FULL


class Folder(Target):
    """A folder of a file system."""

    def __init__(self, root: str) -> None:
        self.root = root

    def prepare(self) -> None:
        try:
            os.makedirs(self.root, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {self.root}: {system_reason(error)}") from None

    def journal(self, report: str, digest: str) -> str:
        return os.path.join(self.root, NAME)

    def size(self, name: str) -> int | None:
        try:
            return os.lstat(self._path(name)).st_size
        except FileNotFoundError:
            return None

    def digest(self, name: str) -> str:
        import xxhash

        state = xxhash.xxh3_128()
        with contextlib.closing(storage.open_file(self._path(name))) as file:
            while data := file.read(_READ):
                state.update(data)
        return state.hexdigest()

    def temporary(self, name: str, run: str) -> str:
        path = self._temporary(name, run)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def finish(self, temporary: str, name: str) -> None:
        path = self._path(name)
        rename_new(temporary, path)
        if os.name == "posix":
            with contextlib.suppress(OSError):
                handle = os.open(os.path.dirname(path), os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def drop_reserved(self, name: str) -> bool:
        status = os.lstat(self._path(name))
        if status.st_size or status.st_mode & 0o777 != _RESERVED:
            return False
        os.unlink(self._path(name))
        return True

    def free(self) -> int | None:
        return shutil.disk_usage(self.root).free

    def _path(self, name: str) -> str:
        return os.path.join(self.root, *name.split("/"))

    def _temporary(self, name: str, run: str) -> str:
        return os.path.join(os.path.dirname(self._path(name)), _temporary_name(name, run))


class Store(Target):
    """A folder of a store. A file is made on this machine, and uploaded when it is complete.

    The journal is on this machine, beside the report, because an object cannot be appended to.
    """

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    def prepare(self) -> None:
        try:
            storage.file_system(self.root)
        except ImageError as error:
            raise OutputError(f"cannot write {self.root}: {error.reason}") from None

    def journal(self, report: str, digest: str) -> str:
        ident = hashlib.blake2b(f"{self.root}\0{digest}".encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
        stem = os.path.splitext(report)[0] if report else os.path.join(os.getcwd(), "twinpix")
        return f"{stem}.export-{ident}.jsonl"

    def size(self, name: str) -> int | None:
        return storage.size_of_object(f"{self.root}/{name}")

    def digest(self, name: str) -> str:
        import xxhash

        state = xxhash.xxh3_128()
        with contextlib.closing(storage.open_file(f"{self.root}/{name}")) as file:
            while data := file.read(_READ):
                state.update(data)
        return state.hexdigest()

    def temporary(self, name: str, run: str) -> str:
        return self._temporary(name, run)

    def finish(self, temporary: str, name: str) -> None:
        if self.size(name) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        storage.upload(temporary, f"{self.root}/{name}")

    def free(self) -> int | None:
        return None

    def _temporary(self, name: str, run: str) -> str:
        return os.path.join(tempfile.gettempdir(), _temporary_name(name, run))


def _temporary_name(name: str, run: str) -> str:
    """Return a name that only this run of an export gives, with the suffixes that the source of the file looks for."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f".twinpix-{run}-{digest}.part"
