"""Rows of Parquet tables with a column of images."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, ClassVar

from twinpix.errors import ImageError
from twinpix.model import is_remote
from twinpix.sources import columns
from twinpix.sources.base import may_be_bomb, refuse_bomb
from twinpix.sources.columns import Table, TableSource, first_line, leaves
from twinpix.sources.pages import page_sizes
from twinpix.sources.storage import Status, open_file

_TABLES = 64  # files whose metadata a process keeps
_BUFFER, _REMOTE_BUFFER = 1 << 20, 8 << 20  # bytes that are read at once from a file, and from an object of a store


@dataclass(frozen=True)
class Parquet(TableSource):
    """Rows of Parquet tables; only the column with the images is read.

    Its values are bytes, or structs `{bytes, path}`, which Hugging Face `datasets` writes. `column` names another one.
    The format: https://parquet.apache.org/docs/file-format/.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset({".parquet", ".pq"})
    kind: ClassVar[str] = "Parquet table"

    def table(self, path: str, status: Status) -> Table:
        return _table(path, status.version, status.size, status.modified_ns)

    def copy_rows(self, path: str, table: Table, kept: Callable[[int], Any], out: BinaryIO) -> None:
        import pyarrow.parquet as pq

        with open_file(path) as file:
            reader = pq.ParquetFile(file, pre_buffer=False)
            with pq.ParquetWriter(out, reader.schema_arrow, **_layout(reader.metadata)) as writer:
                for block in range(reader.num_row_groups):
                    group = reader.read_row_group(block, use_threads=False)
                    rows = group.filter(kept(block))
                    if len(rows) or not len(group):
                        writer.write_table(rows, row_group_size=max(1, len(rows)))
                known = reader.schema_arrow.metadata or {}
                more = {key: value for key, value in (reader.metadata.metadata or {}).items() if key not in known}
                more.pop(b"ARROW:schema", None)  # the writer adds its own
                writer.add_key_value_metadata(more)

    def write(self, path: str, members: Mapping[str, bytes], rows: int = 2) -> None:
        """Write a row for each member, `rows` of them in a row group."""
        import pyarrow.parquet as pq

        with open(path, "xb") as file:
            pq.write_table(columns.example(list(members.items())), file, row_group_size=rows)


def _layout(metadata: Any) -> dict[str, Any]:
    """Return the options of a writer for the compression, dictionaries and version of a file."""
    groups = (metadata.row_group(block) for block in range(min(1, metadata.num_row_groups)))
    chunks = [group.column(at) for group in groups for at in range(group.num_columns)]
    codecs = {"UNCOMPRESSED": "NONE"}
    return {
        "compression": {c.path_in_schema: codecs.get(c.compression, c.compression) for c in chunks} or "NONE",
        "use_dictionary": [c.path_in_schema for c in chunks if any("DICTIONARY" in each for each in c.encodings)],
        "version": metadata.format_version if metadata.format_version in ("1.0", "2.4", "2.6") else "2.6",
    }


class _Parquet(Table):
    def __init__(self, path: str, key: tuple[Any, ...], metadata: Any, schema: Any) -> None:
        self.path, self.metadata = path, metadata
        super().__init__(key, schema, [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)])

    def block_bytes(self, block: int, column: str) -> int:
        """A page is decompressed as a whole, and may hold all rows of its row group."""
        chunks, _ = self._chunks(block, column)
        return sum(chunk.total_uncompressed_size for chunk in chunks)

    def _chunks(self, block: int, column: str) -> tuple[list[Any], list[str]]:
        """Return the chunks of a column in a row group, and their names."""
        parts = leaves(column, self.schema.types[self.columns.index(column)])
        group = self.metadata.row_group(block)
        chunks = [group.column(at) for at in range(group.num_columns)]
        return [chunk for chunk in chunks if chunk.path_in_schema in parts], parts

    def decode(self, block: int, column: str) -> Iterator[Any]:
        import pyarrow.parquet as pq

        group = self.metadata.row_group(block)
        chunks, parts = self._chunks(block, column)
        size = sum(chunk.total_uncompressed_size for chunk in chunks)
        rows = max(1, min(columns.PIECE_ROWS, columns.PIECE_BYTES * group.num_rows // max(size, 1)))
        with open_file(self.path, self.version) as file:
            for chunk in chunks:
                if may_be_bomb(chunk.total_compressed_size, chunk.total_uncompressed_size):
                    _refuse_bombs(file, chunk)
            # The buffer limits the memory: without one, pyarrow reads the column of the row group at once.
            buffer = _REMOTE_BUFFER if is_remote(self.path) else _BUFFER
            reader = pq.ParquetFile(file, metadata=self.metadata, buffer_size=buffer, pre_buffer=False)
            # Threads of pyarrow would not exist in a forked process.
            for batch in reader.iter_batches(rows, row_groups=[block], columns=parts, use_threads=False):
                yield batch.column(batch.schema.names.index(column))


def _refuse_bombs(file: BinaryIO, chunk: Any) -> None:
    """Raise `ImageError` if a page of a column may be a decompression bomb: pyarrow decompresses a page as a whole."""
    starts = [chunk.data_page_offset]
    if chunk.dictionary_page_offset:  # absent or 0
        starts.append(chunk.dictionary_page_offset)
    for packed, plain in page_sizes(file, min(starts), chunk.total_compressed_size):
        refuse_bomb(packed, plain, "a page of the table")


@lru_cache(maxsize=_TABLES)
def _table(path: str, version: bytes, size: int, modified_ns: int) -> _Parquet:
    """Return the table of a file, read again after the file was written to."""
    import pyarrow.parquet as pq

    with open_file(path, version) as file:
        try:
            reader = pq.ParquetFile(file, pre_buffer=False)
            return _Parquet(path, (path, version, size, modified_ns), reader.metadata, reader.schema_arrow)
        except (ValueError, OSError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            cut = "magic bytes" in str(error) or "size is" in str(error)
            what = "not a Parquet file, or its end is missing" if cut else f"it cannot be read: {first_line(error)}"
            raise ImageError("read", f"{what}; copy or download it again") from None
