"""Read and write reports: `json` is complete and readable again, the others are for people and other programs."""

from twinpix.report._tables import to_arrow, to_pandas, to_polars
from twinpix.report.base import (
    Writer,
    describe_difference,
    describe_distance,
    describe_low_detail,
    format_of,
    is_binary,
    save,
    writer,
)
from twinpix.report.json import read, read_in_parts, to_plain

__all__ = [
    "Writer",
    "describe_difference",
    "describe_distance",
    "describe_low_detail",
    "format_of",
    "is_binary",
    "read",
    "read_in_parts",
    "save",
    "to_arrow",
    "to_pandas",
    "to_plain",
    "to_polars",
    "writer",
]
