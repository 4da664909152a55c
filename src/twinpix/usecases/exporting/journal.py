"""The journal of an export: a header, and two JSON lines for each file, before and after it gets its name."""

import contextlib
import importlib
import json
import os
import secrets
from collections.abc import Iterator
from typing import NamedTuple

from twinpix.errors import OutputError, RefusedError, system_reason

NAME = "twinpix-export.jsonl"
_FORMAT = "twinpix.export/1"
_BEGIN = f'{{"format": "{_FORMAT}"'.encode()
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Line(NamedTuple):
    """A written file."""

    state: str  # `made`: complete under its temporary name; `done`: under its final name
    source: str
    version: str  # of the source, in hexadecimal digits
    target: str  # below the target, with `/`
    bytes: int
    kept: int  # members; 0 if nothing was left out, and the members were not counted
    left_out: int  # images
    digest: str  # xxh3-128 of the file
    choice: str  # what identifies the members that were planned to be left out


class Journal:
    """An open journal, which one process writes at a time."""

    def __init__(self, path: str, handle: int) -> None:
        self.path, self._handle = path, handle
        self.id = ""
        self.lines: dict[str, Line] = {}  # the last one of each target

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: str, target: str, report: str, digest: str) -> Iterator["Journal"]:
        """Create the journal, or continue that of an earlier run on the same report.

        Raises `RefusedError` for a file that is no such journal, and while another process writes it; `OutputError`.
        """
        version = importlib.import_module("twinpix").__version__  # the package imports nothing of its own by itself
        try:
            handle = os.open(path, _FLAGS, 0o666)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {system_reason(error)}") from None
        try:
            _lock(handle, path)
            made = cls(path, handle)
            if not made._read(digest):
                os.ftruncate(handle, 0)
                made.id = secrets.token_hex(8)
                header = {"format": _FORMAT, "version": version, "id": made.id, "target": target}
                made._write(json.dumps({**header, "report": report, "digest": digest}))
            yield made
        finally:
            os.close(handle)

    def append(self, line: Line) -> None:
        """Write a line to the disk; raises `OSError`."""
        self._write(json.dumps(line._asdict()))
        self.lines[line.target] = line

    def _write(self, text: str) -> None:
        data = text.encode() + b"\n"
        while data:
            data = data[os.write(self._handle, data) :]
        os.fsync(self._handle)

    def _read(self, digest: str) -> bool:
        """Read the lines of earlier runs; False if there is no complete header."""
        with open(os.dup(self._handle), "rb") as file:
            file.seek(0)
            data = file.read()
        head, end, rest = data.partition(b"\n")
        if not end and (head.startswith(_BEGIN) or _BEGIN.startswith(head)):
            return False
        try:
            header = json.loads(head)
            if header["format"] != _FORMAT:
                raise ValueError
            self.id, of = str(header["id"]), header["digest"]
            if not self.id.isalnum():
                raise ValueError
        except (ValueError, TypeError, KeyError):
            raise RefusedError(f"{self.path} is not the journal of an export: choose another folder") from None
        if of != digest:
            what = "another report, or of this one before it was written again"
            raise RefusedError(f"{self.path} is the journal of an export of {what}: choose another folder")
        for text in rest.split(b"\n"):
            with contextlib.suppress(ValueError, TypeError):  # the last line may be incomplete after a kill
                line = Line(**json.loads(text))
                self.lines[line.target] = line
        if rest and not rest.endswith(b"\n"):
            self._write("")
        return True


def _lock(handle: int, path: str) -> None:
    if os.name == "nt":
        return
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RefusedError(f"another export writes {path} now: wait until it ends") from None
    except OSError:  # the file system has no locks
        return
