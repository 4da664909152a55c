"""Files that name images: lists of paths, and tables with a column of paths or URLs."""

import csv
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from twinpix.errors import ImageError, UsageError, system_reason
from twinpix.formats import suffix
from twinpix.model import Failure, is_uri
from twinpix.sources import storage
from twinpix.sources.credentials import show_url
from twinpix.text import plural

_MOST_BYTES = 1 << 30  # largest list: ten million names of a hundred bytes
_LONGEST_NAME = 1 << 16  # bytes; no system has longer names
_MOST_EMPTY = 1 << 20  # bytes of line breaks or NUL without a name
_READ_BYTES = 1 << 20  # at once


_USUAL = ("url", "path", "file_name", "filename", "file", "image", "image_path", "image_url", "location", "uri")
"""Columns of locations, in the order in which they are looked for."""


@dataclass(frozen=True, slots=True)
class Locations:
    """The images that a table names."""

    names: list[str] = field(default_factory=list)  # paths and URLs, each once, in the order of the table
    ids: dict[str, str] = field(default_factory=dict)  # by name, of the first row that has it
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_locations(path: str, column: str = "", id: str = "") -> Locations:
    """Read a table of images: the paths or URLs in `column`, and the ids in the column `id` if it is given.

    Without `column`, it is the first of the usual names (url, path, file_name, ...). A relative path begins at the
    folder of the table. Raises `UsageError` if the table cannot be read or has no such column.
    """
    found, rows = Locations(), 0
    known, again, same = set[str](), 0, 0
    folder = path.rpartition("/")[0] if is_uri(path) else os.path.dirname(path)
    for row, (location, key) in enumerate(_rows(path, column, id)):
        rows += 1
        if not location:
            found.failures.append(Failure(f"{path}#row={row}", "list", "the row names no image"))
            continue
        name = _locate(folder, show_url(location))
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
    return found


def _locate(folder: str, name: str) -> str:
    if is_uri(name) or os.path.isabs(name) or not folder:
        return name
    return f"{folder}/{name}" if is_uri(folder) else os.path.join(folder, name)


def _rows(path: str, column: str, id: str) -> Iterator[tuple[str, str]]:
    """Yield the location and the id of each row."""
    end = suffix(path)
    try:
        if end in (".csv", ".tsv"):
            with storage.open_file(path) as file:
                lines = (line.decode("utf-8-sig" if first else "utf-8") for first, line in _numbered(file))
                rows = csv.DictReader(lines, delimiter="\t" if end == ".tsv" else ",")
                wanted, key = _columns(path, rows.fieldnames or (), column, id)
                for row in rows:
                    yield row.get(wanted) or "", row.get(key) or "" if key else ""
        elif end in (".jsonl", ".ndjson"):
            yield from _rows_of_json(path, column, id)
        elif end in (".parquet", ".pq", ".arrow", ".feather"):
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


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Yield each line with whether it is the first one, which may begin with a byte order mark."""
    for number, line in enumerate(lines):
        yield not number, line


def _rows_of_json(path: str, column: str, id: str) -> Iterator[tuple[str, str]]:
    import msgspec

    wanted, key = "", ""
    with storage.open_file(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = msgspec.json.decode(line)
            except msgspec.DecodeError as error:
                raise UsageError(f"line {number} of {path} is no JSON: {error}") from None
            if not isinstance(row, dict):
                raise UsageError(f"line {number} of {path} is no JSON object")
            if not wanted:
                wanted, key = _columns(path, list(row), column, id)
            yield _text(row.get(wanted)), _text(row.get(key)) if key else ""


def _rows_of_arrow(path: str, end: str, column: str, id: str) -> Iterator[tuple[str, str]]:
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
                    yield _text(location), _text(value)
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
