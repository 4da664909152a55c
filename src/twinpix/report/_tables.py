"""Tables of a report in Arrow: one of images, with a row for each image, and one of matches.

Columns are built as lists of up to `_ROWS` values, and each list becomes an Arrow array of the type that the schema
states. The rows of a report are read once, so that a sequence that makes its rows on access is not held in memory.
"""

import importlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import IO, Any, Literal, NamedTuple, TypeVar

from twinpix.errors import UsageError
from twinpix.machine import no_garbage_collection
from twinpix.model import Failure, Group, Match, Member, Report, Unique, Unverified
from twinpix.outputs import Kind

Table = Literal["images", "matches"]
Columns = dict[str, list[Any]]
Row = TypeVar("Row")

SCHEMA = "twinpix.table/1"
KEY = b"twinpix"  # of the metadata of an Arrow schema
MARK = b'{"schema": "twinpix.table/'  # first bytes of that metadata
_ROWS = 1 << 17  # rows of one batch: a row group of Parquet with a few million values
_LARGEST = 64 << 20  # bytes of the metadata of a file that are searched for the mark


class Column(NamedTuple):
    """A column of a table."""

    name: str
    type: Literal["string", "int64", "float64", "bool"]
    description: str
    required: bool = False  # no row lacks a value


IMAGES = (
    Column(
        *("uri", "string"),
        "Path as the user named it, relative to `base` in the metadata, or a URI; bytes that are not UTF-8 are written "
        "as `\\udcff`",
        required=True,
    ),
    Column("id", "string", "Id that a table of locations or a program gave the image; null without one"),
    Column("root", "string", "PATH or reference folder below which the image was found; null if unknown"),
    Column("digest", "string", "xxh3-128 of the file in hexadecimal digits"),
    Column("format", "string", "Format by content, as JPEG; null for an image in no group"),
    Column("width", "int64", "Pixels; null for an image in no group, or that cannot be decoded"),
    Column("height", "int64", "Pixels; null for an image in no group, or that cannot be decoded"),
    Column("bytes", "int64", "Size of the file"),
    Column("modified_ns", "int64", "Time of the last change, nanoseconds since 1970; 0 if the source has no time"),
    Column("group", "int64", "Number of the group; null for an image in no group"),
    Column(
        *("role", "string"),
        "keeper, discard (a copy of the keeper), kept (a copy in a reference folder), unique, guarded or failed",
        required=True,
    ),
    Column("protected", "bool", "A member of a group that no action removes; false for one that may be removed"),
    Column("keeper", "string", "URI of the keeper of the group, in the row of the keeper too"),
    Column("distance", "float64", "Distance from the keeper, in the unit of the metadata; null for a transitive match"),
    Column("relation", "string", "How the image differs from the keeper; null for a transitive match"),
    Column("detail", "string", "The relation with its parameters, if the pair was verified"),
    Column(
        "agreement", "float64", "Share of the overlap with the keeper that agrees, 0 to 1, if the pair was verified"
    ),
    Column("tier", "string", "Method that proposed the pair, if there are several"),
    Column("reason", "string", "Why the keeper is kept, why a hash does not compare a guarded image, or the error"),
    Column("damaged", "bool", "A part of the image is missing; null for a failed image of which nothing is known"),
    Column("frames", "int64", "Frames or pages; null for an image in no group"),
    Column("stage", "string", "Stage that failed: list, read, decode, code or verify; also of a member of a group"),
    Column("error", "string", "Why that stage failed"),
)
"""The columns of the table of images."""

MATCHES = (
    Column(
        *("kind", "string"),
        "match (of two members of a group), similar (one scene, not copies) or unverified (could not be compared)",
        required=True,
    ),
    Column("group", "int64", "Number of the group; null for a pair that is not grouped"),
    Column("a", "string", "URI of an image", required=True),
    Column("b", "string", "URI of the other image", required=True),
    Column("distance", "float64", "Distance of the codes; null if the pair does not match by its codes"),
    Column("unit", "string", "Unit of the distance: bits, cosine or share", required=True),
    Column("relation", "string", "What b is of a; null for an unverified pair"),
    Column("detail", "string", "The relation with its parameters, if the pair was verified"),
    Column("back", "string", "The detail from b to a"),
    Column("tier", "string", "Method that proposed the pair, if there are several"),
    Column("agreement", "float64", "Share of the overlap that agrees, 0 to 1; null if the pair was not verified"),
    Column("points", "int64", "Number of inlier keypoints; 0 if a transform decided without them"),
    Column("same_code", "bool", "Whether the codes are equal"),
    Column("border_a", "bool", "Whether a has a border that b lacks"),
    Column("border_b", "bool", "Whether b has a border that a lacks"),
    Column("verified", "bool", "Whether the pair was verified on the pixels", required=True),
    Column("reason", "string", "Why an unverified pair could not be compared"),
)
"""The columns of the table of matches."""

_COLUMNS: dict[Table, tuple[Column, ...]] = {"images": IMAGES, "matches": MATCHES}


# -- tables of Python libraries --------------------------------------------------------------------------


def to_arrow(report: Report, table: Table = "images") -> Any:
    """Return a table of a report as `pyarrow.Table`; raises `UsageError` without pyarrow."""
    schema, batches = open_table(report, table, "a table of Arrow")
    with no_garbage_collection():
        return _pyarrow("a table of Arrow").Table.from_batches(batches, schema)


def to_pandas(report: Report) -> Any:
    """Return the images as `pandas.DataFrame`; raises `UsageError` without pyarrow or pandas.

    Whole numbers and truth values have the nullable types of pandas: as float64, times in nanoseconds would be rounded.
    """
    pandas = _library("pandas", "to_pandas", "pandas")
    pa = _pyarrow("to_pandas")
    nullable = {pa.int64(): pandas.Int64Dtype(), pa.bool_(): pandas.BooleanDtype()}
    return to_arrow(report).to_pandas(types_mapper=nullable.get)


def to_polars(report: Report) -> Any:
    """Return the images as `polars.DataFrame`; raises `UsageError` without pyarrow or polars."""
    polars = _library("polars", "to_polars", "polars")
    _pyarrow("to_polars")
    return polars.from_arrow(to_arrow(report))


def _pyarrow(what: str) -> Any:
    return _library("pyarrow", what, "'twinpix[tables]'")


def _library(name: str, what: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UsageError(f"{what} needs {name}: pip install {package}") from None


# -- table files -----------------------------------------------------------------------------------------


def require_pyarrow(format: str) -> None:
    """Raise `UsageError` if a report cannot be written in this format because pyarrow is missing."""
    _pyarrow(f"the report format {format}")


def open_table(report: Report, table: Table, what: str) -> tuple[Any, Iterator[Any]]:
    """Return the Arrow schema of a table, and its record batches; `what` needs pyarrow, in the words of an error."""
    pa = _pyarrow(what)
    schema = _schema(pa, report, table)
    columns = _image_columns(report) if table == "images" else _match_columns(report)
    return schema, (_batch(pa, schema, *part) for part in columns)


class Parts(io.RawIOBase):
    """A file that collects what a library writes, until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def take(self) -> list[bytes]:
        """Return what was written since the last call."""
        parts, self._parts = self._parts, []
        return parts


def written(report: Report, table: Table, what: str, new_writer: Callable[[Parts, Any], Any]) -> Iterator[bytes]:
    """Yield the bytes of a table that a writer of pyarrow, made for a file and a schema, writes batch by batch."""
    schema, batches = open_table(report, table, what)
    out = Parts()
    with new_writer(out, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield from out.take()
    yield from out.take()


def table_kind(name: str, schema_of: Callable[[IO[bytes]], tuple[bytes, Callable[[], Any]]]) -> Kind:
    """Return a kind of output that is recognised by the metadata of its schema.

    The metadata name the columns, because libraries copy metadata to the tables that users derive: a table with another
    column is a file of the user. `schema_of` returns the bytes of a file that hold its schema (b"" if it has none), and
    a function that decodes them by pyarrow.
    """

    def is_ours(file: IO[bytes]) -> bool:
        data, decode = schema_of(file)
        if MARK not in data:
            return False
        try:
            schema = decode()
            known = json.loads(schema.metadata[KEY])
            return bool(known["columns"] == schema.names)
        except ImportError:
            return True  # without pyarrow no table is written that could replace it
        except (OSError, ValueError, LookupError, TypeError, RuntimeError):
            return False  # damaged

    return Kind(name, is_ours)


def part_of(file: IO[bytes], start: int, length: int) -> bytes:
    """Return bytes of a file; b"" for more than the metadata of a table of twinpix."""
    if not 0 <= length <= _LARGEST:
        return b""
    file.seek(start)
    return file.read(length)


# -- schema ----------------------------------------------------------------------------------------------


def _schema(pa: Any, report: Report, table: Table) -> Any:
    columns = _COLUMNS[table]
    fields = [
        pa.field(
            *(each.name, getattr(pa, "bool_" if each.type == "bool" else each.type)()),
            nullable=not each.required,
            metadata={"description": each.description},
        )
        for each in columns
    ]
    facts = {
        "schema": SCHEMA,
        "table": table,
        "columns": [each.name for each in columns],
        "created": report.created,
        "base": report.base,
        "spec": report.spec,
        "radius": report.radius,
        "unit": report.unit,
        "verified": report.verified,
        "counts": asdict(report.counts),
    }
    return pa.schema(fields, metadata={KEY: json.dumps(facts).encode()})


def _batch(pa: Any, schema: Any, rows: int, columns: Columns) -> Any:
    """Return a record batch; columns that are not given are null."""
    arrays = [
        _array(pa, columns[each.name], each.type) if each.name in columns else pa.nulls(rows, each.type)
        for each in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(pa: Any, values: list[Any], type: Any) -> Any:
    try:
        return pa.array(values, type)
    except UnicodeEncodeError:  # undecodable bytes of names, which Python represents by lone surrogates
        return pa.array([value and value.encode("utf-8", "backslashreplace").decode() for value in values], type)


def _batched(rows: Iterable[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    for row in rows:
        part.append(row)
        if len(part) == _ROWS:
            yield part
            part = []
    if part:
        yield part


# -- images ----------------------------------------------------------------------------------------------


def _image_columns(report: Report) -> Iterator[tuple[int, Columns]]:
    """Yield the number of rows and the columns of each batch: members by group, images in no group, then the others.

    An image that is in several lists of the report has one row: as a member of a group, else as a failure, else as a
    low-detail image.
    """
    facts = _Facts(report)
    for members in _batched(_members(report.groups)):
        yield len(members), facts.of_members(members)
    for unique in _batched(report.unique or ()):
        yield len(unique), facts.of_unique(unique)
    for paths in _batched(list(facts.left)):
        yield len(paths), facts.of_others(paths)


def _members(groups: Iterable[Group]) -> Iterator[tuple[Group, Member, Match | None]]:
    """Yield each member with its group and its match with the keeper."""
    for group in groups:
        pairs = group.to_keeper
        for member in group.members:
            yield group, member, pairs.get(member.path)


class _Facts:
    """What the lists of a report say about an image, by its path."""

    def __init__(self, report: Report) -> None:
        self._failures: dict[str, list[Failure]] = {}
        for failure in report.failures:
            self._failures.setdefault(failure.path, []).append(failure)
        self._guarded = {guarded.path: guarded.reason for guarded in report.guarded}
        self._damaged = frozenset(report.damaged)
        self._ids = report.ids
        self._root = _Roots(report)
        self.left = dict.fromkeys([*self._failures, *self._guarded])
        """The paths of failures and low-detail images that have no row yet."""

    def of_members(self, rows: list[tuple[Group, Member, Match | None]]) -> Columns:
        pairs = [pair for _, _, pair in rows]
        return {
            **self._of_paths([member.path for _, member, _ in rows]),
            "root": [self._root.of(member.path, member.root, member.reference) for _, member, _ in rows],
            "digest": [member.digest for _, member, _ in rows],
            "format": [member.format or None for _, member, _ in rows],
            "width": [member.width or None for _, member, _ in rows],
            "height": [member.height or None for _, member, _ in rows],
            "bytes": [member.size for _, member, _ in rows],
            "modified_ns": [member.mtime_ns for _, member, _ in rows],
            "group": [group.id for group, _, _ in rows],
            "role": [_role(group, member) for group, member, _ in rows],
            "protected": [member.path == group.keeper or group.stays(member) for group, member, _ in rows],
            "keeper": [group.keeper for group, _, _ in rows],
            "distance": [member.distance for _, member, _ in rows],
            "relation": [member.relation for _, member, _ in rows],
            "detail": [pair.detail or None if pair else None for pair in pairs],
            "agreement": [pair.agrees if pair else None for pair in pairs],
            "tier": [pair.tier or None if pair else None for pair in pairs],
            "reason": [group.reason if member.path == group.keeper else None for group, member, _ in rows],
            "damaged": [member.damaged for _, member, _ in rows],
            "frames": [member.frames for _, member, _ in rows],
        }

    def of_unique(self, rows: list[Unique]) -> Columns:
        return {
            **self._of_paths([row.path for row in rows]),
            "root": [self._root.of(row.path, row.root, False) for row in rows],
            "digest": [row.digest for row in rows],
            "bytes": [row.size for row in rows],
            "modified_ns": [row.mtime_ns for row in rows],
            "damaged": [row.path in self._damaged for row in rows],
        }

    def of_others(self, paths: list[str]) -> Columns:
        """Return the columns of images of which the report lists only the path."""
        known = [True if path in self._damaged else None if path in self._failures else False for path in paths]
        return {**self._of_paths(paths), "damaged": known}

    def _of_paths(self, paths: list[str]) -> Columns:
        """Return the columns of images in no group that depend on the path alone."""
        for path in paths:
            self.left.pop(path, None)
        failures, guarded = self._failures, self._guarded
        stages, errors = ([_joined(failures.get(path), part) for path in paths] for part in ("stage", "error"))
        return {
            "uri": paths,
            "id": [self._ids.get(path) for path in paths],
            "role": ["failed" if path in failures else "guarded" if path in guarded else "unique" for path in paths],
            "reason": [error or guarded.get(path) for path, error in zip(paths, errors, strict=True)],
            "stage": stages,
            "error": errors,
        }


def _joined(failures: list[Failure] | None, part: str) -> str | None:
    return "; ".join(getattr(failure, part) for failure in failures) if failures else None


def _role(group: Group, member: Member) -> str:
    if member.path == group.keeper:
        return "keeper"
    return "kept" if member.reference else "discard"


class _Roots:
    """The PATH or the reference folder of an image, by its number."""

    def __init__(self, report: Report) -> None:
        self._roots, self._references, self._known = report.roots, report.references, frozenset(report.roots)

    def of(self, uri: str, number: int, reference: bool) -> str | None:
        """Return the folder, or None if the report does not say it.

        References have negative numbers. All files of a list have one number, that of the first of their folders, so
        the folder of such a file is looked up.
        """
        if reference:
            return self._references[number] if -len(self._references) <= number < 0 else None
        if not 0 <= number < len(self._roots):
            return None
        root, location = self._roots[number], uri.rpartition("::")[2]
        if number == len(self._roots) - 1 or location.startswith(root):
            return root
        folder = os.path.dirname(location) or os.curdir
        return folder if folder in self._known else root


# -- matches ---------------------------------------------------------------------------------------------


def _match_columns(report: Report) -> Iterator[tuple[int, Columns]]:
    for matches in _batched(_matches(report)):
        yield len(matches), _of_matches(matches, report.unit)
    for pairs in _batched(report.unverified):
        yield len(pairs), _of_unverified(pairs, report.unit)


def _matches(report: Report) -> Iterator[tuple[int | None, Match]]:
    """Yield each match with the number of its group; None for images of one scene."""
    for group in report.groups:
        for match in group.matches:
            yield group.id, match
    for match in report.similar:
        yield None, match


def _of_matches(rows: list[tuple[int | None, Match]], unit: str) -> Columns:
    matches = [match for _, match in rows]
    return {
        "kind": ["similar" if group is None else "match" for group, _ in rows],
        "group": [group for group, _ in rows],
        "a": [match.a for match in matches],
        "b": [match.b for match in matches],
        "distance": [match.distance for match in matches],
        "unit": [unit] * len(rows),
        "relation": [match.relation for match in matches],
        "detail": [match.detail or None for match in matches],
        "back": [match.back or None for match in matches],
        "tier": [match.tier or None for match in matches],
        "agreement": [match.agrees for match in matches],
        "points": [match.points for match in matches],
        "same_code": [match.same_code for match in matches],
        "border_a": [match.borders[0] for match in matches],
        "border_b": [match.borders[1] for match in matches],
        "verified": [match.agrees is not None for match in matches],
    }


def _of_unverified(pairs: list[Unverified], unit: str) -> Columns:
    return {
        "kind": ["unverified"] * len(pairs),
        "a": [pair.a for pair in pairs],
        "b": [pair.b for pair in pairs],
        "unit": [unit] * len(pairs),
        "verified": [False] * len(pairs),
        "reason": [pair.reason for pair in pairs],
    }
