"""Files that name images: lists of paths, and tables with a column of paths or URLs."""

import csv
import os
import stat
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import IO, Any, BinaryIO, NamedTuple

from twinpix.errors import ImageError, RefusedError, UsageError, system_reason
from twinpix.formats import suffix
from twinpix.model import Failure, LocationTable, is_uri
from twinpix.sources import storage
from twinpix.sources.columns import TableSource
from twinpix.sources.credentials import show_url
from twinpix.sources.uris import container
from twinpix.text import plural

_MOST_BYTES = 1 << 30  # largest list: ten million names of a hundred bytes
_LONGEST_NAME = 1 << 16  # bytes; no system has longer names
_MOST_EMPTY = 1 << 20  # bytes of line breaks or NUL without a name
_READ_BYTES = 1 << 20  # at once


_CSV, _JSON, _ARROW = (".csv", ".tsv"), (".jsonl", ".ndjson"), (".parquet", ".pq", ".arrow", ".feather")

_USUAL = ("url", "path", "file_name", "filename", "file", "image", "image_path", "image_url", "location", "uri")
"""Columns of locations, in the order in which they are looked for."""


@dataclass(frozen=True, slots=True)
class Locations:
    """The images that a table names."""

    names: list[str] = field(default_factory=list)  # paths and URLs, each once, in the order of the table
    ids: dict[str, str] = field(default_factory=dict)  # by name, of the first row that has it
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    table: LocationTable | None = None


class Row(NamedTuple):
    """A row of a table of locations."""

    location: str  # as in the table; "" if it names no image
    id: str
    column: str  # that has the location, the same in all rows


def read_locations(path: str, column: str = "", id: str = "") -> Locations:
    """Read a table of images: the paths or URLs in `column`, and the ids in the column `id` if it is given.

    Without `column`, it is the first of the usual names (url, path, file_name, ...). A relative path begins at the
    folder of the table. Raises `UsageError` if the table cannot be read or has no such column.
    """
    import xxhash

    found = Locations()
    known, again, same = set[str](), 0, 0
    digest = xxhash.xxh3_128()
    for number, (location, key, chosen) in enumerate(rows_of(path, column, id)):
        column = chosen
        digest.update(_as_bytes(location))
        if not location:
            found.failures.append(Failure(f"{path}#row={number}", "list", "the row names no image"))
            continue
        name = locate_from(path, location)
        if name in found.ids:
            again += 1
            continue
        same += bool(id) and key in known
        known.add(key)
        found.names.append(name)
        found.ids[name] = key
    if again:
        found.notes.append(f"{path}: {plural(again, 'row')} with the image of an earlier row")
    if same:
        found.notes.append(f"{path}: {plural(same, 'row')} with the {id} of an earlier row")
    if not id:
        found.ids.clear()
    return replace(found, table=LocationTable(path, column, digest.hexdigest()))


def named_by(table: LocationTable, path: str) -> tuple[dict[str, list[int]], bool]:
    """Return the rows that name each image of a table that `find` has read, and whether one has a relative path.

    `path` is where the table is now. Raises `UsageError` if it cannot be read, `RefusedError` if its rows name other
    images than `find` has read.
    """
    import xxhash

    out, digest, relative = defaultdict[str, list[int]](list), xxhash.xxh3_128(), False
    for number, row in enumerate(rows_of(path, table.column)):
        digest.update(_as_bytes(row.location))
        if row.location:
            relative |= _is_relative(row.location)
            out[locate_from(table.path, row.location)].append(number)
    if digest.hexdigest() != table.digest:
        what = f"the column {table.column} has other values than find has read"
        raise RefusedError(f"{path}: {what}: restore the table, or run find again")
    return out, relative


def _as_bytes(location: str) -> bytes:
    """Return a location as the digest of `LocationTable` has it."""
    return location.encode("utf-8", "surrogatepass") + b"\0"


def locate_from(table: str, location: str) -> str:
    """Return the path or URL of the image that a row of a table names; a relative one begins at its folder."""
    name = show_url(location)
    folder = table.rpartition("/")[0] if is_uri(table) else os.path.dirname(table)
    if not folder or not _is_relative(name):
        return name
    return f"{folder}/{name}" if is_uri(folder) else os.path.join(folder, name)


def _is_relative(location: str) -> bool:
    return not is_uri(location) and not os.path.isabs(location)


def rows_of(path: str, column: str = "", id: str = "", *, end: str = "") -> Iterator[Row]:
    """Yield all rows of a table of locations; `end` is the suffix of its format, if that is not the one of its name.

    Raises `UsageError` if the table cannot be read or has no such column.
    """
    end = end or suffix(path)
    try:
        if end in _CSV or end in _JSON:
            with storage.open_file(path) as file:
                yield from _rows_of_text(path, file, end, column, id)
        elif end in _ARROW:
            yield from _rows_of_arrow(path, end, column, id)
        else:
            raise UsageError(f"{path} is no table: .csv, .tsv, .jsonl, .parquet, .arrow or .feather")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{path} is no CSV file: {error}") from None
    except ImageError as error:
        raise UsageError(f"cannot read the table {path}: {error.reason}") from None
    except OSError as error:
        raise UsageError(f"cannot read the table {path}: {system_reason(error)}") from None


def copy_without_rows(path: str, rows: Collection[int], out: BinaryIO) -> None:
    """Write a table of locations again to `out`, without these rows, numbered from 0 as `rows_of` yields them.

    Of a text the other records are the same bytes, also the header and empty lines; Parquet and Arrow are written as
    by `Source.copy_without`. Raises `ImageError` or `csv.Error` if it cannot be read, `OSError` if `out` cannot be
    written.
    """
    end = suffix(path)
    if end in _ARROW:
        source = container(path)
        assert isinstance(source, TableSource)
        source.copy_without_rows(path, rows, out)
        return
    number = -1 if end in _CSV else 0  # the header is no row
    with storage.open_file(path) as file:
        for text, is_row in _records_of_csv(file, end) if end in _CSV else _records_of_json(file):
            if not is_row or number not in rows:
                out.write(text)
            number += bool(is_row)


def _rows_of_text(path: str, file: BinaryIO, end: str, column: str, id: str) -> Iterator[Row]:
    if end in _JSON:
        yield from _rows_of_json(path, file, column, id)
        return
    records = (fields for _, fields in _records_of_csv(file, end))
    names = next(records, [])
    wanted, key = _columns(path, names, column, id)
    place = {name: at for at, name in enumerate(names)}  # of columns with one name the last one
    for fields in filter(None, records):
        location, its_id = (fields[at] if at < len(fields) else "" for at in (place[wanted], place[key or wanted]))
        yield Row(location, its_id if key else "", wanted)


def _records_of_csv(file: BinaryIO, end: str) -> Iterator[tuple[bytes, list[str]]]:
    """Yield each record of a CSV file as its bytes, of one or several lines, and its fields: none for an empty line."""
    lines = list[bytes]()

    def decoded() -> Iterator[str]:
        for number, line in enumerate(file):
            lines.append(line)
            yield line.decode("utf-8" if number else "utf-8-sig")  # a byte order mark

    for fields in csv.reader(decoded(), delimiter="\t" if end == ".tsv" else ","):
        yield b"".join(lines), fields
        lines.clear()


def _records_of_json(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield each line of JSON Lines, and its text: none for an empty line."""
    for line in file:
        yield line, line.strip()


def _rows_of_json(path: str, file: BinaryIO, column: str, id: str) -> Iterator[Row]:
    import msgspec

    wanted, key = "", ""
    for number, (line, text) in enumerate(_records_of_json(file), 1):
        if not text:
            continue
        try:
            row = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise UsageError(f"line {number} of {path} is no JSON: {error}") from None
        if not isinstance(row, dict):
            raise UsageError(f"line {number} of {path} is no JSON object")
        if not wanted:
            wanted, key = _columns(path, list(row), column, id)
        yield Row(_text(row.get(wanted)), _text(row.get(key)) if key else "", wanted)


def _rows_of_arrow(path: str, end: str, column: str, id: str) -> Iterator[Row]:
    try:
        from pyarrow import feather, parquet
    except ImportError:
        raise UsageError(f"{path} needs pyarrow; install twinpix[tables]") from None
    import pyarrow

    with storage.open_file(path) as file:
        try:
            if end in (".parquet", ".pq"):
                table = parquet.ParquetFile(file)
                wanted, key = _columns(path, table.schema_arrow.names, column, id)
                batches = table.iter_batches(columns=[wanted, key] if key else [wanted], use_threads=False)
            else:
                whole = feather.read_table(file, use_threads=False)
                wanted, key = _columns(path, whole.column_names, column, id)
                batches = whole.to_batches(max_chunksize=10_000)
            for batch in batches:
                keys = batch[key].to_pylist() if key else [""] * len(batch)
                for location, value in zip(batch[wanted].to_pylist(), keys, strict=True):
                    yield Row(_text(location), _text(value), wanted)
        except pyarrow.ArrowException as error:
            raise UsageError(f"{path} cannot be read: {error}") from None


def _columns(path: str, names: Iterable[str], column: str, id: str) -> tuple[str, str]:
    """Return the columns of the locations and the ids; raises `UsageError` if there is none of that name."""
    names = list(names)
    wanted = column or next((name for name in _USUAL if name in names), "")
    for name in filter(None, (wanted, id)):
        if name not in names:
            raise UsageError(f"{path} has no column {name}; it has: {', '.join(names)}")
    if not wanted:
        raise UsageError(f"which column of {path} names the images? It has: {', '.join(names)}", field="column")
    return wanted, id


def _text(value: Any) -> str:
    return "" if value is None else str(value)


# -- lists of paths --------------------------------------------------------------------------------------


def names_from(path: str) -> list[str]:
    """Return the names in the file `path`, or on standard input for `-`, without empty lines.

    Raises `UsageError` if the list cannot be read, is an endless device, has a line that is too long for a name, has
    more than 1 MB of line ends without a name, or is longer than 1 GB.
    """
    try:
        if path == "-":
            data = _read_bounded(sys.stdin.buffer, "on standard input")
        else:
            with open(path, "rb") as file:
                data = _read_bounded(file, path)
    except OSError as error:
        raise UsageError(f"cannot read the list {path}: {system_reason(error)}") from None
    parts = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [os.fsdecode(part) for part in parts if part]


def _read_bounded(file: IO[bytes], name: str) -> bytes:
    """Read the list; raises `UsageError` as soon as the data cannot be a list of names."""
    if _is_endless(file):
        raise UsageError(f"{name} is a device, not a list of file names")
    parts, size, empty, tail = list[bytes](), 0, 0, 0
    while part := file.read(_READ_BYTES):
        parts.append(part)
        size += len(part)
        lines = part.replace(b"\n", b"\0").split(b"\0")
        longest = max(tail + len(lines[0]), *map(len, lines))
        tail = len(lines[-1]) if len(lines) > 1 else longest
        empty = 0 if any(lines) else empty + len(part)
        if longest > _LONGEST_NAME:
            raise UsageError(
                f"the list {name} has a line of more than {_LONGEST_NAME >> 10} kB, which is no file name: "
                "give one name a line, or separate them by NUL"
            )
        if empty > _MOST_EMPTY:
            raise UsageError(f"the list {name} has no names, only line ends or NUL, in {_MOST_EMPTY >> 20} MB")
        if size > _MOST_BYTES:
            raise UsageError(f"the list {name} is longer than {_MOST_BYTES >> 30} GB: divide it")
    return b"".join(parts)


def _is_endless(file: IO[bytes]) -> bool:
    """True for a device that is neither a terminal nor the null device."""
    try:
        status = os.fstat(file.fileno())
    except (OSError, AttributeError):  # a replacement of standard input
        return False
    if not stat.S_ISCHR(status.st_mode) or file.isatty():
        return False
    return not os.path.samestat(status, os.stat(os.devnull))
