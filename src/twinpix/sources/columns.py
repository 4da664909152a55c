"""Sources of tables: the rows of a column with encoded images, decoded in pieces that a process keeps for a while.

The Arrow format and its types: https://arrow.apache.org/docs/format/Columnar.html. The struct `{bytes, path}` and the
schema metadata `huggingface`: https://huggingface.co/docs/datasets/image_dataset.
"""

import io
import json
import re
import threading
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import product
from typing import Any, BinaryIO, ClassVar, NamedTuple, cast
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from twinpix.errors import ImageError, system_reason
from twinpix.formats import HEAD, sniff
from twinpix.sources.base import MAX_BYTES, Content, Entry, Source
from twinpix.sources.storage import Status, process_key, status_of
from twinpix.versions import UNKNOWN, version_of

CACHE_BYTES = 64 << 20  # of decoded rows that a process keeps
PIECE_BYTES = 16 << 20  # of decoded rows that are decoded at once
PIECE_ROWS = 256  # rows that are decoded at once: equal values, stored once, may be much larger when decoded
_SCANS = 8  # blocks that a process decodes in turn: each has an open file
_TRIED = 16  # values of a column whose first bytes are compared with those of image formats
_NAMED = 12  # columns that an error lists
_LONGEST_SHOWN = 60  # characters of the name of a column in an error

_NAME = re.compile("row=(0|[1-9][0-9]{0,17})(?:&column=([^&#]+))?")
_ESCAPED = re.compile(r"[%&#/\\\x00-\x1f\x7f]")  # characters of a column's name that have a meaning in a URI or path


class Piece(NamedTuple):
    """Consecutive rows of a column, decoded."""

    first: int  # row of the table
    values: Any  # `pyarrow.Array` of bytes
    paths: Any = None  # `pyarrow.Array` of the texts in the field `path` of a struct

    def __contains__(self, row: object) -> bool:
        return isinstance(row, int) and self.first <= row < self.first + len(self.values)


class Table(ABC):
    """The columns of one version of a file, and its rows in blocks: each can be decoded without the others.

    It holds no open file, so that it is the same in a forked process.
    """

    def __init__(self, key: tuple[Any, ...], schema: Any, rows: Sequence[int]) -> None:
        self.key, self.schema = key, schema
        self.starts = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]).tolist()  # first rows, number of rows

    @property
    def version(self) -> bytes:
        """The version of the file."""
        version: bytes = self.key[1]
        return version

    @property
    def columns(self) -> list[str]:
        """The names of all columns."""
        return [field.name for field in self.schema]

    @abstractmethod
    def decode(self, block: int, column: str) -> Iterator[Any]:
        """Decode a column of a block: yield arrays of consecutive rows, each of about `PIECE_BYTES` if possible."""

    def block_bytes(self, block: int, column: str) -> int:
        """Return the bytes of memory that decoding a column of a block may take beside its pieces; 0 if few."""
        return 0

    def pieces(self, block: int, column: str) -> Iterator[Piece]:
        """Decode a column of a block."""
        first = self.starts[block]
        for array in self.decode(block, column):
            piece = _piece(first, array)
            first += len(piece.values)
            yield piece

    @cached_property
    def images(self) -> list[str]:
        """The columns with images; raises `ImageError` if there is none.

        Columns that the library `datasets` declares as images in the schema; if there is none, the columns of bytes
        one of whose first values has the first bytes of an image; if there is none, those without values.
        """
        candidates = [field.name for field in self.schema if has_bytes(field.type)]
        declared = [name for name in _declared(self.schema) if name in candidates]
        if declared:
            return declared
        found = {name: self._has_images(name) for name in candidates}
        chosen = [name for name in candidates if found[name]] or [name for name in candidates if found[name] is None]
        if not chosen:
            raise ImageError("read", f"no column with images; {self.in_words()}")
        return chosen

    def _has_images(self, column: str) -> bool | None:
        """True if one of the first values of a column begins like an image; None if the column has no values."""
        tried = 0
        for value in self._values(column):
            if sniff(_bytes(value, HEAD)):
                return True
            tried += 1
            if tried >= _TRIED:
                return False
        return False if tried else None

    def _values(self, column: str) -> Iterator[Any]:
        """Yield the values of a column, without nulls; of a block that may be a decompression bomb none."""
        for block in range(len(self.starts) - 1):
            try:
                for piece in self.pieces(block, column):
                    yield from (value for value in piece.values if value.is_valid)
            except ImageError:
                continue

    def require(self, column: str) -> str:
        """Return `column` if it is a column of bytes; raises `ImageError`."""
        types = {field.name: field.type for field in self.schema}
        if column not in types:
            raise ImageError("read", f"no such column: {column}; {self.in_words()}")
        if not has_bytes(types[column]):
            text = str(types[column]) in ("string", "large_string", "string_view")
            what = "text" if text else f"values of the type {types[column]}"
            raise ImageError("read", f"column {column} contains {what}, not images; {self.in_words()}")
        return column

    def in_words(self) -> str:
        """Return which columns the table has, with their types."""
        fields = list(self.schema)
        named = [f"{_short(field.name)} ({_type_name(field.type)})" for field in fields[: _NAMED + 1]]
        if len(fields) > _NAMED:
            named[_NAMED:] = [f"and {len(fields) - _NAMED} more"]
        return f"it has the columns {', '.join(named)}" if named else "it has no columns"


@dataclass(frozen=True)
class TableSource(Source):
    """A kind of table; a subclass gives the `Table` of a file."""

    rows: ClassVar[bool] = True
    kind: ClassVar[str]
    """What such a file is, in words: "Parquet table"."""

    column: str = ""

    @abstractmethod
    def table(self, path: str, status: Status) -> Table:
        """Return the table of a file with this status; raises `ImageError` or an error of pyarrow."""

    def of_column(self, column: str) -> "TableSource":
        return replace(self, column=column) if column else self

    def entries(self, path: str) -> Iterator[Entry]:
        status = status_of(path)
        with self._errors():
            table = self.table(path, status)
            listed = self._columns(table)
            _require_distinct(listed)
            plain = len(listed) == 1 and self._is_found(table, listed)
        lost: list[str] = []
        for block, column in product(range(len(table.starts) - 1), listed):
            try:
                with self._errors():
                    for piece in table.pieces(block, column):
                        yield from _entries(piece, "" if plain else f"&column={_escaped(column)}", status)
            except ImageError as error:
                if not error.lasting:
                    raise
                # Other blocks can be decoded.
                lost.append(f"{error.reason}; {_rows_in_words(*table.starts[block : block + 2])} left out")
        _release_memory()
        if lost:
            more = f", and {len(lost) - 1:,} other parts" if len(lost) > 1 else ""
            raise ImageError("read", f"{lost[0]}{more}")

    def read(self, path: str, name: str) -> Content:
        status = status_of(path)
        with self._errors():
            table = self.table(path, status)
            row, column = self._place(table, name)
            piece = _window(process_key()).piece(table, column, row)
            value = piece.values[row - piece.first]
            if not value.is_valid:
                raise ImageError("read", _missing(piece, row - piece.first))
            size = len(value.as_buffer())
            file_name = (piece.paths[row - piece.first].as_py() or "") if piece.paths is not None else ""
            version = _version(status, name, size)
            if not size:
                raise ImageError("read", "the row has no bytes")
            if sniff(_bytes(value, HEAD), file_name) is None:
                return Content(None, version, status.settled)
            if size > MAX_BYTES:
                raise ImageError("read", f"larger than {MAX_BYTES >> 30} GiB")
            return Content(_bytes(value, size), version, status.settled)

    def copy_without(self, path: str, drop: Collection[str], out: BinaryIO) -> None:
        with self._errors():
            table = self.table(path, status_of(path))
            rows = [self._place(table, name)[0] for name in drop]
        self.copy_without_rows(path, rows, out)

    def count_rows(self, path: str) -> int:
        """Return the number of rows of the table `path`, which may have no images; raises `ImageError`."""
        with self._errors():
            rows: int = self.table(path, status_of(path)).starts[-1]
            return rows

    def copy_without_rows(self, path: str, drop: Collection[int], out: BinaryIO) -> None:
        """Write the table `path` again as `copy_without` does, without the rows `drop`; it may have no images."""
        with self._errors():
            table = self.table(path, status_of(path))
            rows = np.unique(np.fromiter(drop, np.int64))
            try:
                self.copy_rows(path, table, partial(_kept_rows, table, rows), cast("BinaryIO", _Out(out)))
            except _OutError as error:
                raise error.reason from None  # it is not an error of the table

    def copy_rows(self, path: str, table: Table, kept: Callable[[int], Any], out: BinaryIO) -> None:
        """Write the table of a file again; `kept` returns the mask of the rows of a block that stay."""
        raise ImageError("write", f"a {self.kind} cannot be written again")

    def _columns(self, table: Table) -> list[str]:
        return [table.require(self.column)] if self.column else table.images

    def _is_found(self, table: Table, listed: list[str]) -> bool:
        """True if these are the columns with images without the option `column`: then URIs need not name it."""
        try:
            return table.images == listed
        except ImageError:
            return False

    def _place(self, table: Table, name: str) -> tuple[int, str]:
        """Return the row and the column of a member's name; raises `ImageError`."""
        found = _NAME.fullmatch(name)
        if found is None:
            raise ImageError("read", "no such row; a row is named row=NUMBER, from row=0")
        row, column = int(found[1]), unquote(found[2] or "")
        if row >= table.starts[-1]:
            raise ImageError("read", f"no such row; the table has {table.starts[-1]:,}, numbered from 0")
        if column:
            return row, table.require(column)
        columns = self._columns(table)
        if len(columns) > 1:
            forms = " or ".join(f"row={row}&column={_escaped(each)}" for each in columns)
            raise ImageError("read", f"several columns with images: name one as {forms}")
        return row, columns[0]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Convert all errors of pyarrow and of files to `ImageError`."""
        try:
            yield
        except ImageError:
            raise
        except ImportError:
            why = f"the {self.kind} needs pyarrow; install twinpix[tables]"
            raise ImageError("read", why, lasting=False) from None
        except MemoryError:
            why = f"not enough memory to decode this part of the {self.kind}"
            raise ImageError("read", why, lasting=False) from None
        except Exception as error:  # noqa: BLE001 - pyarrow and the libraries of stores have their own errors
            if isinstance(error, OSError) and error.errno:
                raise ImageError("read", system_reason(error)) from None
            raise ImageError("read", f"the {self.kind} is damaged: {first_line(error)}") from None


class _OutError(Exception):
    """An error of the file that is written, with its reason."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _Out(io.RawIOBase):
    """The file that a table is written to, for pyarrow: it has a position and is not closed with the writer."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file, self._at = file, 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        try:
            self._file.write(view)
        except OSError as error:
            raise _OutError(error) from None
        self._at += len(view)
        return len(view)


def _kept_rows(table: Table, rows: NDArray[np.int64], block: int) -> Any:
    """Return the mask `(n,)` of the rows of a block that are not in `rows`."""
    import pyarrow as pa

    start, stop = table.starts[block : block + 2]
    mask = np.ones(stop - start, np.bool_)
    mask[rows[(rows >= start) & (rows < stop)] - start] = False
    return pa.array(mask)


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or its class if it has none."""
    return (str(error).splitlines() or [""])[0].strip().rstrip(".") or type(error).__name__


def has_bytes(kind: Any) -> bool:
    """True for a type of bytes, and for a struct with a field `bytes` of such a type."""
    return _is_binary(kind) or (_field(kind, "bytes") is not None and _is_binary(_field(kind, "bytes")))


def leaves(name: str, kind: Any) -> list[str]:
    """Return the parts of a column that are decoded, as paths with dots."""
    return [name] if _is_binary(kind) else [f"{name}.{part}" for part in ("bytes", "path") if _field(kind, part)]


def example(members: Sequence[tuple[str, bytes]]) -> Any:
    """Return a `pyarrow.Table` as `datasets` writes it, without its metadata: a column `image` of `{bytes, path}`."""
    import pyarrow as pa

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": data, "path": name} for name, data in members]
    return pa.table({"image": pa.array(rows, kind), "label": pa.array(range(len(rows)), pa.int64())})


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    is_view = getattr(pa.types, "is_binary_view", lambda kind: False)  # since pyarrow 16
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, is_view)
    return any(test(kind) for test in tests)


def _field(kind: Any, name: str) -> Any:
    """Return the type of a field of a struct; None if there is no such field, or for any other type."""
    import pyarrow as pa

    if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
        return None
    return kind.field(kind.get_field_index(name)).type


def _type_name(kind: Any) -> str:
    text = str(kind)
    return text.partition("<")[0] if len(text) > 40 else text


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}…"


def _declared(schema: Any) -> list[str]:
    """Return the columns that the metadata of the library `datasets` declares as images."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return [
            name for name, feature in features.items() if isinstance(feature, dict) and feature.get("_type") == "Image"
        ]
    except (KeyError, ValueError, TypeError, AttributeError):
        return []


def _piece(first: int, array: Any) -> Piece:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_struct(array.type):
        return Piece(first, array)
    path = _field(array.type, "path")
    paths = pc.struct_field(array, "path") if path is not None and "string" in str(path) else None
    return Piece(first, pc.struct_field(array, "bytes"), paths)


def _entries(piece: Piece, column: str, status: Status) -> Iterator[Entry]:
    """List the rows of a piece; `column` is the end of their names."""
    for at, size in enumerate(_sizes(piece.values)):
        name = f"row={piece.first + at}{column}"
        if size is None:
            yield Entry(name, UNKNOWN, 0, error=_missing(piece, at))
        else:
            yield Entry(name, _version(status, name, size), size, status.modified_ns)


def _sizes(values: Any) -> list[int | None]:
    """Return the sizes in bytes of the values of an array, without reading them; None for null."""
    import pyarrow.compute as pc

    if str(values.type) != "binary_view":
        sizes: list[int | None] = pc.binary_length(values).to_pylist()
        return sizes
    # `binary_length` does not take views: 16 bytes each, which begin with the size.
    views = np.frombuffer(values.buffers()[1], np.int32).reshape(-1, 4)[values.offset : values.offset + len(values), 0]
    return [size if valid else None for size, valid in zip(views.tolist(), values.is_valid().to_pylist(), strict=True)]


def _missing(piece: Piece, at: int) -> str:
    """Return why a row of a piece has no image."""
    if piece.paths is not None and piece.paths[at].as_py():
        return "the row names a file by its path and has no bytes"
    return "the row has no image"


def _bytes(value: Any, size: int) -> bytes:
    """Return the first bytes of a value, at most `size`."""
    return bytes(value.as_buffer()[:size])


def _require_distinct(names: list[str]) -> None:
    """Raise `ImageError` if several columns have one name: pyarrow reads the first of them only."""
    for name in sorted(set(names)):
        if names.count(name) > 1:
            raise ImageError("read", f"{names.count(name)} columns are called {name}; rename them")


def _rows_in_words(first: int, stop: int) -> str:
    return f"row {first:,} is" if stop - first == 1 else f"rows {first:,} to {stop - 1:,} are"


def _escaped(column: str) -> str:
    return _ESCAPED.sub(lambda found: quote(found[0], safe=""), column)


def _version(status: Status, name: str, size: int) -> bytes:
    return status.version if status.version == UNKNOWN else version_of(status.version, name, size)


def _release_memory() -> None:
    """Give free memory of pyarrow back to the system: worker processes are forked next."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


# -- decoded rows ------------------------------------------------------------------------------------------


class _Scan:
    """A block that is decoded from its start, piece by piece."""

    def __init__(self, table: Table, block: int, column: str) -> None:
        self.pieces, self.next = table.pieces(block, column), table.starts[block]
        self.bytes = table.block_bytes(block, column)


class _Window:
    """The pieces that a process has decoded last, and the blocks that it decodes.

    Images are read almost in the order of their rows, by several threads if the file is in a store. A piece that is no
    longer kept is decoded again, with all pieces of its block before it.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.kept: OrderedDict[tuple[Any, ...], Piece] = OrderedDict()
        self.bytes = 0
        self.scans: OrderedDict[tuple[Any, ...], _Scan] = OrderedDict()

    def piece(self, table: Table, column: str, row: int) -> Piece:
        """Return the piece with this row of a column."""
        with self.lock:
            for key, piece in reversed(self.kept.items()):
                if row in piece and key[:2] == (table.key, column):
                    self.kept.move_to_end(key)
                    return piece
            return self._decoded(table, column, row)

    def _decoded(self, table: Table, column: str, row: int) -> Piece:
        block = bisect_right(table.starts, row) - 1
        key = (table.key, column, block)
        scan = self.scans.pop(key, None)
        if scan is None or scan.next > row:
            scan = _Scan(table, block, column)
        for piece in scan.pieces:
            scan.next = piece.first + len(piece.values)
            self._keep((table.key, column, piece.first), piece)
            if row in piece:
                if scan.next < table.starts[block + 1]:
                    self.scans[key] = scan
                    while len(self.scans) > 1 and (len(self.scans) > _SCANS or self._scanned > CACHE_BYTES):
                        self.scans.popitem(last=False)
                return piece
        raise ImageError("read", "the table has fewer rows than it declares")

    @property
    def _scanned(self) -> int:
        return sum(scan.bytes for scan in self.scans.values())

    def _keep(self, key: tuple[Any, ...], piece: Piece) -> None:
        if key in self.kept:
            self.bytes -= self.kept.pop(key).values.nbytes
        self.kept[key] = piece
        self.bytes += piece.values.nbytes
        while self.bytes > CACHE_BYTES and len(self.kept) > 1:
            _, old = self.kept.popitem(last=False)
            self.bytes -= old.values.nbytes


@lru_cache(maxsize=1)
def _window(process: tuple[int, int]) -> _Window:
    """Return the window of this process: a forked one shares the positions in open files with its parent."""
    return _Window()
