"""The journal of an export: a header, and two JSON lines for each file, before and after it gets its name."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from twinpix import journals

NAME = "twinpix-export.jsonl"
_KIND = journals.Kind("twinpix.export/1", "an export", "choose another folder")


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

    def __init__(self, file: journals.JournalFile) -> None:
        self._file, self.path, self.id = file, file.path, str(file.header["id"])
        self.lines: dict[str, Line] = {}  # the last one of each target
        for values in file.lines:
            with contextlib.suppress(TypeError):
                line = Line(**values)
                self.lines[line.target] = line

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: str, target: str, report: str, digest: str) -> Iterator["Journal"]:
        """Create the journal, or continue that of an earlier run on the same report.

        Raises `RefusedError` for a file that is no such journal, and while another process writes it; `OutputError`.
        """
        header = {"target": target, "report": report, "digest": digest}
        with journals.opened(path, _KIND, header, same="digest") as file:
            yield cls(file)

    def append(self, line: Line) -> None:
        """Write a line to the disk; raises `OSError`."""
        self._file.append(line._asdict())
        self.lines[line.target] = line
