"""Rows of Arrow and Feather tables with a column of images, and data sets that Hugging Face `datasets` saved."""

import json
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, ClassVar, NamedTuple

from twinpix.errors import ImageError
from twinpix.model import is_remote
from twinpix.sources import columns
from twinpix.sources.base import Entry, refuse_bomb
from twinpix.sources.columns import Table, TableSource
from twinpix.sources.storage import Status, open_file
from twinpix.versions import UNKNOWN

_TABLES = 64  # files whose schema and positions a process keeps
_MAGIC, _FEATHER_1 = b"ARROW1", b"FEA1"
_SCHEMA, _BATCH = 1, 3  # kinds of messages
_PLAIN_SIZE = 8  # bytes of the size before each compressed buffer
_LARGEST_STATE = 16 << 20  # bytes of a file that lists the files of a data set
_CUT = "not an Arrow file or stream, or its end is missing; copy or download it again"


@dataclass(frozen=True)
class Arrow(TableSource):
    """Rows of tables in the Arrow IPC formats: files (Feather), and streams, which Hugging Face `datasets` writes.

    Images are bytes, or structs `{bytes, path}`; `column` names another column. A file of a saved data set that its
    `state.json` does not list is a cache of that library: it has no members. Uncompressed local files are mapped into
    memory. The formats: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset({".arrow", ".feather", ".ipc"})
    kind: ClassVar[str] = "Arrow table"

    def table(self, path: str, status: Status) -> Table:
        return _table(path, status.version, status.size, status.modified_ns)

    def entries(self, path: str) -> Iterator[Entry]:
        if _is_cache(path):
            return
        yield from super().entries(path)

    def copy_rows(self, path: str, table: Table, kept: Callable[[int], Any], out: BinaryIO) -> None:
        import pyarrow as pa

        is_file = isinstance(table, _File)
        new = pa.ipc.new_file if is_file else pa.ipc.new_stream
        options = pa.ipc.IpcWriteOptions(compression=_codec(path) or None, use_threads=False)
        with _opened(path) as file, (pa.ipc.open_file if is_file else pa.ipc.open_stream)(file) as reader:
            batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else iter(reader)
            with new(out, reader.schema, options=options) as writer:
                for block, batch in enumerate(batches):
                    rows = batch.filter(kept(block))
                    if len(rows) or not len(batch):
                        writer.write_batch(rows)

    def write(self, path: str, members: Mapping[str, bytes], rows: int = 2) -> None:
        """Write a row for each member, `rows` of them in a record batch: a stream as `.arrow`, otherwise a file."""
        import pyarrow as pa

        table = columns.example(list(members.items()))
        new = pa.ipc.new_stream if path.endswith(".arrow") else pa.ipc.new_file
        with open(path, "xb") as file, new(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=rows)


class _Message(NamedTuple):
    """A message of a file or stream."""

    kind: int
    offset: int  # in the file
    size: int  # bytes, of the message and its body
    rows: int = 0  # of a record batch
    codec: str = ""  # of a record batch: lz4 or zstd; "" if it is not compressed
    plain: int = 0  # bytes of the body when it is decompressed


class _File(Table):
    """A table in the file format."""

    def __init__(self, path: str, key: tuple[Any, ...], schema: Any, batches: Sequence[_Message]) -> None:
        self.path, self.batches = path, batches
        super().__init__(key, schema, [batch.rows for batch in batches])

    def decode(self, block: int, column: str) -> Iterator[Any]:
        import pyarrow as pa

        _refuse_bomb(self.batches[block])
        with _opened(self.path, self.version) as file, pa.ipc.open_file(file, options=_options(self, column)) as reader:
            yield _checked(reader.get_batch(block).column(0))


class _Stream(Table):
    """A table in the streaming format; `head` has the messages before the first record batch."""

    def __init__(self, path: str, key: tuple[Any, ...], head: bytes, batches: Sequence[_Message]) -> None:
        import pyarrow as pa

        self.path, self.head, self.batches = path, head, batches
        schema = pa.ipc.read_schema(pa.BufferReader(head))
        self.with_dictionaries = any("dictionary" in str(kind) for kind in schema.types)
        super().__init__(key, schema, [batch.rows for batch in batches])

    def decode(self, block: int, column: str) -> Iterator[Any]:
        import pyarrow as pa

        message = self.batches[block]
        _refuse_bomb(message)
        with _opened(self.path, self.version) as file:
            file.seek(message.offset)
            data = file.read_buffer(message.size)
        if message.codec or self.with_dictionaries:
            # pyarrow decompresses all columns of a single message, with threads, which a forked process would lack.
            source = pa.BufferReader(self.head + data.to_pybytes())
            with pa.ipc.open_stream(source, options=_options(self, column)) as reader:
                yield _checked(reader.read_next_batch().column(0))
        else:
            batch = pa.ipc.read_record_batch(pa.ipc.read_message(pa.BufferReader(data)), self.schema)
            yield _checked(batch.column(self.columns.index(column)))


@contextmanager
def _opened(path: str, version: bytes = UNKNOWN) -> Iterator[Any]:
    """Open a file for pyarrow: a local one in mapped memory, which remains mapped while a part of it is in use."""
    import pyarrow as pa

    if is_remote(path):
        with open_file(path, version) as file:
            yield pa.PythonFile(file, "r")
    else:
        with pa.memory_map(path) as mapped:
            yield mapped


def _options(table: Table, column: str) -> Any:
    """Return the options to read one column, without threads, which a forked process would lack."""
    import pyarrow as pa

    return pa.ipc.IpcReadOptions(use_threads=False, included_fields=[table.columns.index(column)])


def _checked(array: Any) -> Any:
    """Return an array; raises an error if it has offsets beyond its end: reading these would end the process."""
    array.validate(full=True)
    return array


@lru_cache(maxsize=_TABLES)
def _table(path: str, version: bytes, size: int, modified_ns: int) -> Table:
    """Return the table of a file, read again after the file was written to."""
    import pyarrow as pa

    key = (path, version, size, modified_ns)
    try:
        with open_file(path, version) as file:
            first = file.read(len(_MAGIC))
            if first.startswith(_FEATHER_1):
                raise ImageError("read", "Feather version 1 is not supported; write it again with pyarrow.feather")
            if first != _MAGIC:
                return _Stream(path, key, *_parts(file, size))
            batches = list(_batches(file, size))
        with _opened(path, version) as file, pa.ipc.open_file(file) as reader:
            return _File(path, key, reader.schema, batches)
    except (struct.error, pa.ArrowException):
        raise ImageError("read", _CUT) from None


def _refuse_bomb(message: _Message) -> None:
    """Raise `ImageError` for a record batch that may be a decompression bomb."""
    if message.codec:
        refuse_bomb(message.size, message.plain, "a record batch of the table")


def _batches(file: BinaryIO, size: int) -> Iterator[_Message]:
    """Return the record batches of a file.

    The file ends with a footer, which has the positions of the batches, its size, and the magic bytes. Raises
    `ImageError` or `struct.error`.
    """
    file.seek(max(0, size - 10))
    length, magic = struct.unpack("<i6s", file.read(10))
    if magic != _MAGIC or not 0 < length <= size - 18:
        raise ImageError("read", _CUT)
    file.seek(size - 10 - length)
    footer = _Flatbuffer(file.read(length))
    at = footer.follow(footer.field(footer.number("<I", 0), 3))
    for number in range(footer.number("<I", at) if at else 0):
        block = at + 4 + 24 * number  # the position, the size of the message and that of its body
        message = _message(file, footer.number("<q", block), size - 10 - length)
        if message is None or message.kind != _BATCH:
            raise ImageError("read", _CUT)
        yield message


def _parts(file: BinaryIO, size: int) -> tuple[bytes, list[_Message]]:
    """Return the messages before the first record batch of a stream, and the record batches.

    Raises `ImageError` if a part or the end mark is missing: then rows may be missing; or `struct.error`.
    """
    messages: list[_Message] = []
    at = 0
    while message := _message(file, at, size):
        messages.append(message)
        at += message.size
    if not messages or messages[0].kind != _SCHEMA:
        raise ImageError("read", _CUT)
    before = next((each.offset for each in messages if each.kind == _BATCH), at)
    file.seek(0)
    return file.read(before), [each for each in messages if each.kind == _BATCH]


def _message(file: BinaryIO, at: int, stop: int) -> _Message | None:
    """Return the message at a position of a file, without reading its body; None for an end mark.

    Raises `ImageError` if it would end behind `stop`, or `struct.error`.
    """
    file.seek(at)
    prefix = file.read(8)
    if prefix[:4] == bytes(4):  # the end mark before Arrow 0.15
        return None
    mark, size = struct.unpack("<ii", prefix)
    begin = at + 8
    if mark != -1:  # before Arrow 0.15 a message began with its size
        begin, size = at + 4, mark
    if not size:
        return None
    if size < 0 or begin + size > stop:
        raise ImageError("read", _CUT)
    file.seek(begin)
    kind, body, rows, codec, buffers = _header(_Flatbuffer(file.read(size)))
    end = begin + size + body
    if body < 0 or rows < 0 or end > stop:
        raise ImageError("read", _CUT)
    plain = _plain_size(file, begin + size, body, buffers) if codec else body
    return _Message(kind, at, end - at, rows, codec, plain)


def _plain_size(file: BinaryIO, body_at: int, body: int, buffers: Sequence[tuple[int, int]]) -> int:
    """Return the bytes that the body of a compressed message has when it is decompressed."""
    plain = 0
    for offset, length in buffers:
        if length > _PLAIN_SIZE and 0 <= offset <= body - length:
            file.seek(body_at + offset)
            plain += max(length, struct.unpack("<q", file.read(_PLAIN_SIZE))[0])  # -1: it is not compressed
    return plain


def _header(data: "_Flatbuffer") -> tuple[int, int, int, str, list[tuple[int, int]]]:
    """Return the kind of a message, the size of its body, and of a record batch rows, compression and buffers.

    The tables are those of https://github.com/apache/arrow/blob/main/format/Message.fbs and `File.fbs`. pyarrow
    returns the rows only after it has read or decompressed the body.
    """
    message = data.number("<I", 0)
    kind_at, header_at, body_at = (data.field(message, index) for index in (1, 2, 3))
    kind, body = data.number("<B", kind_at) if kind_at else 0, data.number("<q", body_at) if body_at else 0
    if kind != _BATCH or not header_at:
        return kind, body, 0, "", []
    batch = data.follow(header_at)
    rows_at = data.field(batch, 0)
    compression = data.follow(data.field(batch, 3))
    codec_at = data.field(compression, 0) if compression else 0
    codec = "zstd" if codec_at and data.number("<b", codec_at) else "lz4"
    rows = data.number("<q", rows_at) if rows_at else 0
    if not compression:
        return kind, body, rows, "", []
    buffers_at = data.follow(data.field(batch, 2))  # a vector of pairs: place in the body, bytes
    count = data.number("<I", buffers_at) if buffers_at else 0
    places = [buffers_at + 4 + 16 * number for number in range(min(count, len(data.data) // 16))]
    return kind, body, rows, codec, [(data.number("<q", at), data.number("<q", at + 8)) for at in places]


class _Flatbuffer:
    """Tables of numbers at positions in bytes (https://flatbuffers.dev/internals/); raises `struct.error`."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def number(self, form: str, at: int) -> int:
        """Return the number at a position."""
        if at < 0:
            raise struct.error
        value: int = struct.unpack_from(form, self.data, at)[0]
        return value

    def field(self, table: int, index: int) -> int:
        """Return the position of a field of a table; 0 if the table does not have it."""
        fields, at = table - self.number("<i", table), 4 + 2 * index
        offset = self.number("<H", fields + at) if at < self.number("<H", fields) else 0
        return table + offset if offset else 0

    def follow(self, at: int) -> int:
        """Return the position that the offset at a position leads to; 0 for 0."""
        return at + self.number("<I", at) if at else 0


def _codec(path: str) -> str:
    """Return the compression of the first record batch of a file or stream; "" for none."""
    with open_file(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        at = 8 if file.read(len(_MAGIC)) == _MAGIC else 0  # the magic bytes are padded to 8
        while at < size and (message := _message(file, at, size)):
            if message.kind == _BATCH:
                return message.codec
            at += message.size
    return ""


def _is_cache(path: str) -> bool:
    """True for a file in the folder of a saved data set that is no part of the data set."""
    state = os.path.join(os.path.dirname(path), "state.json")
    if is_remote(path) or not os.path.isfile(state):
        return False
    try:
        with open_file(state) as file:
            files = json.loads(file.read(_LARGEST_STATE))["_data_files"]
        return os.path.basename(path) not in [each["filename"] for each in files]
    except (ImageError, OSError, ValueError, KeyError, TypeError):
        return False
