"""A journal as a file of JSON lines: the first line is its header, and each line is on the disk before the next change.

One process writes a journal at a time. A line that a killed process left incomplete is removed by the next one.
"""

import contextlib
import importlib
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from twinpix.errors import OutputError, RefusedError, system_reason

_FLAGS = os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_HEAD = 4096  # bytes that are read to recognise a journal


class Kind(NamedTuple):
    """What a journal is for: its format, and how messages name it."""

    format: str
    what: str  # an export
    advice: str  # what to do if the file is another one
    mode: int = 0o666  # permissions of a new file, before the umask

    @property
    def begin(self) -> bytes:
        """The first bytes of each journal of this kind."""
        return f'{{"format": "{self.format}"'.encode()


OBJECTS = Kind("twinpix.objects/1", "a run that moves objects", "choose another journal by --journal FILE", mode=0o600)
"""Journals of objects that were moved in their store; `undo` recognises them."""


class JournalFile:
    """An open journal.

    Attributes:
        path: Its path.
        header: The values of its first line: the format, the version of twinpix, an id, and those given to `opened`.
        lines: The lines of earlier runs.
        unread: The numbers of lines that cannot be read.
    """

    def __init__(self, path: str, handle: int, kind: Kind) -> None:
        self.path, self.handle, self._kind, self._size = path, handle, kind, 0
        self.header: dict[str, Any] = {}
        self.lines: list[dict[str, Any]] = []
        self.unread: list[int] = []

    def append(self, *lines: Mapping[str, Any]) -> None:
        """Write lines to the disk; raises `OSError`, and then none of them is in the file."""
        size = os.fstat(self.handle).st_size
        try:
            self._write("".join(f"{json.dumps(line)}\n" for line in lines))
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self.handle, size)
            raise

    def _write(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(self.handle, data) :]
        os.fsync(self.handle)

    def _begin(self, header: Mapping[str, Any]) -> None:
        version = importlib.import_module("twinpix").__version__  # the package imports nothing of its own by itself
        os.ftruncate(self.handle, 0)
        self.header = {"format": self._kind.format, "version": version, "id": secrets.token_hex(8), **header}
        self.append(self.header)

    def _read(self) -> bool:
        """Read the lines of earlier runs; False if there is no complete header. Raises `RefusedError`."""
        if not stat.S_ISREG(os.fstat(self.handle).st_mode):  # reading a named pipe would wait
            raise RefusedError(f"{self.path} is no regular file: {self._kind.advice}")
        with open(os.dup(self.handle), "rb") as file:
            file.seek(0)
            data = file.read()
        head, end, rest = data.partition(b"\n")
        if not end and (head.startswith(self._kind.begin) or self._kind.begin.startswith(head)):
            return False
        try:
            self.header = json.loads(head)
            if self.header["format"] != self._kind.format or not str(self.header["id"]).isalnum():
                raise ValueError
        except (ValueError, TypeError, KeyError):
            raise RefusedError(f"{self.path} is not the journal of {self._kind.what}: {self._kind.advice}") from None
        whole, _, torn = rest.rpartition(b"\n")
        self._size = len(data) - len(torn)
        for number, text in enumerate(whole.split(b"\n") if whole else (), 2):
            try:
                line = json.loads(text)
            except ValueError:
                line = None
            if isinstance(line, dict):
                self.lines.append(line)
            else:
                self.unread.append(number)
        return True

    def _require(self, header: Mapping[str, Any], same: str) -> None:
        if self.header.get(same) != header[same]:
            what = "another report, or of this one before it was written again"
            raise RefusedError(f"{self.path} is the journal of {self._kind.what} of {what}: {self._kind.advice}")


@contextlib.contextmanager
def opened(path: str, kind: Kind, header: Mapping[str, Any] | None = None, *, same: str = "") -> Iterator[JournalFile]:
    """Open a journal to write to it, and create it if `header` is given.

    `same` names the value of the header that must be that of an earlier run. Raises `RefusedError` for a file that is
    no such journal, and while another process writes it; `OutputError`.
    """
    try:
        handle = os.open(path, os.O_RDWR | _FLAGS | (os.O_CREAT if header is not None else 0), kind.mode)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {system_reason(error)}") from None
    try:
        _lock(handle, path, kind)
        made = JournalFile(path, handle, kind)
        if made._read():
            if header is not None and same:
                made._require(header, same)
            os.ftruncate(handle, made._size)
        elif header is not None:
            try:
                made._begin(header)
            except OSError as error:
                raise OutputError(f"cannot write {path}: {system_reason(error)}") from None
        yield made
    finally:
        os.close(handle)


def read(path: str, kind: Kind) -> JournalFile | None:
    """Read a journal that another process may be writing; None if there is none.

    Raises `RefusedError`, `OutputError`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"cannot read {path}: {system_reason(error)}") from None
    try:
        made = JournalFile(path, handle, kind)
        return made if made._read() else None
    finally:
        os.close(handle)


def is_one(path: str, kind: Kind) -> bool:
    """True for a journal of this kind, by its first bytes."""
    try:
        if not os.path.isfile(path):  # opening a named pipe would wait
            return False
        with open(path, "rb") as file:
            return file.read(_HEAD).startswith(kind.begin)
    except OSError:
        return False


def _lock(handle: int, path: str, kind: Kind) -> None:
    if os.name == "nt":
        return
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        another = kind.what.partition(" ")[2]
        raise RefusedError(f"another {another} writes {path} now: wait until it ends") from None
    except OSError:  # the file system has no locks
        return
