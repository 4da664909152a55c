"""Read and write reports: `json` is complete and readable again, the others are for people and spreadsheets."""

from twinpix.report.base import Writer, apart, differs, format_of, matched_only, save, writer
from twinpix.report.json import plain, read

__all__ = [
    "Writer",
    "apart",
    "differs",
    "format_of",
    "matched_only",
    "plain",
    "read",
    "save",
    "writer",
]
