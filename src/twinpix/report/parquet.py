"""A Parquet table with one row for each image, for pandas, polars, DuckDB, Spark and data set loaders."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, ClassVar

from twinpix.model import Report
from twinpix.outputs import Kind
from twinpix.report import _tables

_MAGIC = b"PAR1"
_END = 8  # bytes behind the footer: its length, and the magic bytes


def _schema_of(file: IO[bytes]) -> tuple[bytes, Callable[[], Any]]:
    """Return the footer of a file, which holds its schema, and a function that decodes it."""
    begins = file.read(len(_MAGIC)) == _MAGIC
    size = file.seek(0, io.SEEK_END)
    if not begins or size < len(_MAGIC) + _END:
        return b"", dict
    end = _tables.part_of(file, size - _END, _END)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != _MAGIC or length > size - _END - len(_MAGIC):
        return b"", dict
    footer = _tables.part_of(file, size - _END - length, length)

    def decode() -> Any:
        import pyarrow.parquet

        return pyarrow.parquet.read_schema(io.BytesIO(_MAGIC + footer + end))

    return footer, decode


@dataclass(frozen=True, slots=True)
class Parquet:
    """`table` is `images`, or `matches` for one row for each match.

    Needs pyarrow.
    """

    table: _tables.Table = "images"

    kind: ClassVar[Kind] = _tables.table_kind("Parquet table of twinpix", _schema_of)
    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)
    binary: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _tables.require_pyarrow("parquet")

    def parts(self, report: Report) -> Iterator[bytes]:
        import pyarrow.parquet

        return _tables.written(report, self.table, "the report format parquet", pyarrow.parquet.ParquetWriter)
