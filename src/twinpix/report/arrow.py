"""An Arrow IPC file (Feather) with one row for each image, which libraries map into memory without a copy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, ClassVar

from twinpix.model import Report
from twinpix.outputs import Kind
from twinpix.report import _tables

_MAGIC = b"ARROW1\0\0"
_CONTINUES = b"\xff\xff\xff\xff"  # precedes the length of a message


def _schema_of(file: IO[bytes]) -> tuple[bytes, Callable[[], Any]]:
    """Return the first message of a file, which is its schema, and a function that decodes it."""
    head = file.read(len(_MAGIC) + 8)
    if not head.startswith(_MAGIC + _CONTINUES) or len(head) < len(_MAGIC) + 8:
        return b"", dict
    message = _tables.part_of(file, len(head), int.from_bytes(head[-4:], "little"))

    def decode() -> Any:
        import pyarrow

        return pyarrow.ipc.read_schema(pyarrow.py_buffer(head[len(_MAGIC) :] + message))

    return message, decode


@dataclass(frozen=True, slots=True)
class Arrow:
    """`table` is `images`, or `matches` for one row for each match.

    Needs pyarrow. The file is not compressed.
    """

    table: _tables.Table = "images"

    kind: ClassVar[Kind] = _tables.table_kind("Arrow table of twinpix", _schema_of)
    suffixes: ClassVar[tuple[str, ...]] = (".arrow", ".feather")
    binary: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _tables.require_pyarrow("arrow")

    def parts(self, report: Report) -> Iterator[bytes]:
        import pyarrow

        return _tables.written(report, self.table, "the report format arrow", pyarrow.ipc.new_file)
