"""Tables of locations: which rows are left out of an export, and the comparison of a written table with its source."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from csv import Error as CsvError
from itertools import zip_longest
from typing import BinaryIO, NamedTuple

from twinpix.errors import ImageError, UsageError
from twinpix.formats import suffix
from twinpix.model import Report
from twinpix.sources.lists import copy_without_rows, named_by, rows_of
from twinpix.sources.redundant import Places, Redundant
from twinpix.usecases.exporting.shards import Sample


class NamedRows(NamedTuple):
    """The table of locations of a report: the images that its rows name."""

    path: str = ""  # absolute, or a URL; "" without a table
    column: str = ""
    rows: Mapping[str, list[int]] = {}  # by the absolute path or URI of the image
    relative: bool = False  # whether a row has a relative path


def named_rows(report: Report, place: Places) -> NamedRows:
    """Return the rows of the table of a report by their images; no rows without a table.

    Raises `UsageError` if the table cannot be read, `RefusedError` if its rows name other images than in `find`.
    """
    if report.table is None:
        return NamedRows()
    path = place.of(report.table.path)
    named, relative = named_by(report.table, path)
    rows: dict[str, list[int]] = {}
    for name, numbers in named.items():
        rows.setdefault(place.of(name), []).extend(numbers)  # two names may be one path
    return NamedRows(path, report.table.column, rows, relative)


def samples_of_rows(table: NamedRows, redundant: Iterable[Redundant]) -> tuple[Sample, ...]:
    """Return the rows that are left out: all that name a redundant image, by their numbers."""
    going = [(sorted(table.rows[image.uri]), image) for image in redundant if image.uri in table.rows]
    return tuple(Sample(tuple(map(str, rows)), (image,)) for rows, image in sorted(going, key=lambda each: each[0]))


def copy_table(path: str, drop: Collection[str], out: BinaryIO) -> None:
    """Write a table of locations without these rows; raises `ImageError`, or `OSError` if `out` cannot be written."""
    with _as_image_errors():
        copy_without_rows(path, set(map(int, drop)), out)


def verify_table(path: str, made: str, column: str, drop: Collection[str]) -> int:
    """Return the number of rows of a written table; raises `ImageError` if they are not those of its source."""
    going, count = set(map(int, drop)), 0
    with _as_image_errors():
        before = (row for number, row in enumerate(rows_of(path, column)) if number not in going)
        for old, new in zip_longest(before, rows_of(made, column, end=suffix(path))):
            if old != new:
                raise ImageError("write", "the written table has other rows than planned; nothing was exported of it")
            count += 1
    return count


@contextmanager
def _as_image_errors() -> Iterator[None]:
    try:
        yield
    except (UsageError, CsvError, UnicodeDecodeError) as error:
        raise ImageError("read", str(error)) from None
