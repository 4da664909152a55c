"""A work folder: the results of a run as Parquet files, from which any machine continues the run.

Each file is a part with rows of one step, named by that step and by a digest of what its rows are results of: the same
rows have the same name, whichever run made them. A part is complete or not there. The rows are those of `Store`, so a
run with more images adds parts and does only what they have in addition.
"""

import contextlib
import hashlib
import io
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

from twinpix import owners
from twinpix.errors import ImageError, UsageError, system_reason
from twinpix.model import is_remote
from twinpix.rename import rename_new
from twinpix.sources import storage
from twinpix.store import Result, Rows, Store

MARK = "twinpix-work.json"
"""The file that marks a folder as a work folder."""

_LAYOUT = 1
_SUFFIX, _TEMPORARY = ".parquet", ".twinpix-part-"
_ROWS = 20_000  # of a part, at most; with the codes of keypoints these take 60 MB
# Between two parts: so long, or this share of the run until then, whichever is longer. With 5 s, a run of a minute that
# was killed did up to 16 % of its work again.
_SECONDS, _SHARE = 1.5, 0.02


class _Step(NamedTuple):
    """A table of the store: the step of `find` that fills it, its columns, and how many of them are its key."""

    name: str
    columns: tuple[str, ...]
    keys: int


_STEPS = (
    _Step("version", ("version", "digest"), 1),
    _Step("fingerprint", ("digest", "spec", *Result._fields), 2),
    _Step("size", ("size", "digest"), 2),
    _Step("verify", ("key", "verdict"), 1),
    _Step("list", ("key", "entries"), 1),
)
"""In the order of the fields of `Rows`."""


class WorkFolder:
    """The work folder of a run, a folder or the URL of one in a store.

    If it cannot be written during the run, the run continues without it, with a remark in the notes of the store.
    """

    def __init__(self, location: str, store: Store) -> None:
        self._location, self._store = location.rstrip("/"), store
        self._rows: dict[str, list[tuple[Any, ...]]] = {step.name: [] for step in _STEPS}
        self._begun = self._written = time.monotonic()
        self._works = True

    def load(self) -> None:
        """Add the parts of earlier runs to the store, except those that it has.

        Raises `UsageError` if the folder cannot be made or read, is not empty and no work folder, or needs a library.
        """
        try:
            import pyarrow  # noqa: F401 - its absence is an error before the work
        except ImportError:
            raise UsageError("a work folder needs pyarrow; install twinpix[tables]", field="work") from None
        known, names = self._store.parts(), self._names()
        for name in sorted(names):
            step = next((step for step in _STEPS if name.startswith(f"{step.name}-")), None)
            if step is None or not name.endswith(_SUFFIX) or f"{self._location}/{name}" in known:
                continue
            try:
                rows = _of_step(step, _rows_of(self._read(name), step))
            except (ImageError, OSError, ValueError) as error:
                why = system_reason(error) if isinstance(error, OSError) else str(error)
                self._store.notes.append(f"{name} of the work folder is not used, its work is done again: {why}")
                continue
            self._store.add_part(f"{self._location}/{name}", rows)

    def add(self, rows: Rows) -> None:
        """Add rows that this run has made; writes a part if enough time has passed, or there are many."""
        for step, some in zip(_STEPS, _lists(rows), strict=True):
            self._rows[step.name] += some
        now = time.monotonic()
        wait = max(_SECONDS, _SHARE * (now - self._begun))
        if now - self._written > wait or max(map(len, self._rows.values())) > _ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are in no part yet."""
        self._written = time.monotonic()
        for step in _STEPS:
            rows, self._rows[step.name] = self._rows[step.name], []
            if rows and self._works:
                self._write(step, rows)

    def _write(self, step: _Step, rows: Sequence[tuple[Any, ...]]) -> None:
        unique = {row[: step.keys]: row for row in rows}  # the last result of a key counts, as in the store
        ordered = [unique[key] for key in sorted(unique)]
        try:
            self._put(f"{step.name}-{_digest(step, ordered)}{_SUFFIX}", _parquet(step, ordered))
        except (ImageError, OSError) as error:
            self._works = False
            why = error.reason if isinstance(error, ImageError) else system_reason(error)
            self._store.notes.append(f"the work folder cannot be written ({why}): this run continues without it")

    # -- files -----------------------------------------------------------------------------------------

    def _names(self) -> list[str]:
        """Return the names in the folder, which is made if it is not there; raises `UsageError`."""
        try:
            if is_remote(self._location):
                names = [name for name, is_folder in storage.names_in_folder(self._location) if not is_folder]
            else:
                os.makedirs(self._location, exist_ok=True)
                if why := owners.stranger(os.stat(self._location)):
                    raise UsageError(f"the work folder {self._location} is not used: {why}", field="work")
                names = os.listdir(self._location)
            if MARK in names:
                self._require_layout()
            elif any(not name.startswith(_TEMPORARY) for name in names):
                raise UsageError(
                    f"{self._location} is not empty and no work folder of twinpix: name another one", field="work"
                )
            else:
                self._put(MARK, json.dumps({"layout": _LAYOUT}).encode())
        except (ImageError, OSError) as error:
            why = error.reason if isinstance(error, ImageError) else system_reason(error)
            raise UsageError(f"the work folder {self._location} cannot be used: {why}", field="work") from None
        return names

    def _require_layout(self) -> None:
        try:
            layout = json.loads(self._read(MARK))["layout"]
        except (ValueError, KeyError, TypeError):
            layout = None
        if layout != _LAYOUT:
            raise UsageError(
                f"the work folder {self._location} is of another version of twinpix: name another one", field="work"
            )

    def _read(self, name: str) -> bytes:
        with storage.open_file(f"{self._location}/{name}") as file:
            return file.read()

    def _put(self, name: str, data: bytes) -> None:
        """Write a file as a whole, unless it is there: its name says what it has."""
        if is_remote(self._location):
            with _temporary(data, None) as path:
                storage.upload(path, f"{self._location}/{name}")
            return
        target = os.path.join(self._location, name)
        with _temporary(data, self._location) as path, contextlib.suppress(FileExistsError):
            rename_new(path, target)


@contextlib.contextmanager
def _temporary(data: bytes, folder: str | None) -> Iterator[str]:
    """Yield the path of a new file with this data, which is removed if it is still there at the end."""
    number, path = tempfile.mkstemp(prefix=_TEMPORARY, dir=folder)
    try:
        with open(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


# -- parts ---------------------------------------------------------------------------------------------


def _digest(step: _Step, rows: Sequence[tuple[Any, ...]]) -> str:
    """Return a digest of the keys of rows: the versions, contents and pairs that they are results of."""
    out = hashlib.blake2b(f"{_LAYOUT} {step.name}".encode(), digest_size=16)
    for row in rows:
        for value in row[: step.keys]:
            data = value if isinstance(value, bytes) else str(value).encode()
            out.update(len(data).to_bytes(4, "little") + data)
    return out.hexdigest()


def _parquet(step: _Step, rows: Sequence[tuple[Any, ...]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: pa.array([row[at] for row in rows]) for at, name in enumerate(step.columns)}
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, compression="zstd")
    return out.getvalue()


def _rows_of(data: bytes, step: _Step) -> list[tuple[Any, ...]]:
    """Return the rows of a part; raises `ValueError` if it is damaged or has other columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(str(error).splitlines()[0]) from None
    if tuple(table.column_names) != step.columns:
        raise ValueError("it has other columns")
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    if not all(_is_row(step, row) for row in rows):
        raise ValueError("it has other values")
    return rows


def _is_row(step: _Step, row: tuple[Any, ...]) -> bool:
    """True if a row has the types that the store writes."""
    if step.name == "fingerprint":
        digest, spec, code, width, height, form, damaged, score, pixels, *texts = row
        blobs = all(value is None or isinstance(value, bytes) for value in (code, pixels))
        numbers = all(isinstance(value, int) and value >= 0 for value in (width, height, score, damaged))
        return isinstance(digest, bytes) and blobs and numbers and all(isinstance(t, str) for t in (spec, form, *texts))
    kinds = {"version": (bytes, bytes), "size": (int, bytes), "verify": (bytes, str), "list": (bytes, bytes)}
    return all(isinstance(value, kind) for value, kind in zip(row, kinds[step.name], strict=True))


def _of_step(step: _Step, rows: list[tuple[Any, ...]]) -> Rows:
    """Return the rows of one step as those of a store."""
    out = Rows([], [], [], [], [])
    _lists(out)[_STEPS.index(step)].extend(rows)
    return out


def _lists(rows: Rows) -> tuple[list[tuple[Any, ...]], ...]:
    """Return the lists of rows, whose columns the type checker no longer knows."""
    return cast(tuple[list[tuple[Any, ...]], ...], tuple(rows))
