"""Read and write reports: `json` is complete and readable again, the others are for people and spreadsheets."""

from twinpix.report.base import (
    Writer,
    describe_difference,
    describe_distance,
    describe_low_detail,
    format_of,
    save,
    writer,
)
from twinpix.report.json import read, to_plain

__all__ = [
    "Writer",
    "describe_difference",
    "describe_distance",
    "describe_low_detail",
    "format_of",
    "read",
    "save",
    "to_plain",
    "writer",
]
