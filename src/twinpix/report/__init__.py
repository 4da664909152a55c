"""Reports read and written: `json` is the contract, the others are for people and spreadsheets."""

from twinpix.report.base import (
    Writer,
    apart,
    bytes_text,
    differs,
    format_of,
    matched_only,
    plural,
    printable,
    save,
    writer,
)
from twinpix.report.json import plain, read

__all__ = [
    "Writer",
    "apart",
    "bytes_text",
    "differs",
    "format_of",
    "matched_only",
    "plain",
    "plural",
    "printable",
    "read",
    "save",
    "writer",
]
