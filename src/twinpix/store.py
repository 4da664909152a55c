"""Stored results of earlier runs, in SQLite: version -> digest, (digest, spec) -> code or failure.

One table has the digest of each version of an image (see `twinpix.versions`), another the code of each digest, a third
the digests of each size, a fourth the verdict of each verified pair of digests, a fifth the members of each version of
an archive or table. Rows are written during the run, so a
killed run loses the results of a few seconds; several processes may use one store. A damaged store is renamed and a new
one is created. A store has no executable code and no pickled objects.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from twinpix import owners
from twinpix.errors import StoreError, system_reason
from twinpix.versions import UNKNOWN, version_of_file

T = TypeVar("T")

_LAYOUT = 4
_OF_FILES = 3  # the layout that identified files by five numbers of the file system
_OURS = 0x74777078  # "twpx": marks a database as a store of twinpix
# Error codes of SQLite that concern the machine (no space, no permission, another process) and not the file.
_OF_THE_MACHINE = frozenset(
    {
        *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
        *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_AUTH),
    }
)
_SQLITE, _HEADER, _MARK = (
    b"SQLite format 3\0",
    100,
    slice(68, 72),
)  # start and size of a database header; application id
_WRITTEN_AS, _WRITABLE = 18, 2  # byte of the header, and the largest value with which SQLite writes to the file
_FLUSH_SECONDS = 2.0
_CACHE_KB = 16_000  # of pages in memory: the versions of 100,000 files take 5 MB
_PATIENCE = 30.0  # seconds to wait for another process
_CHUNK = 20_000
_TABLES = (
    "versions(version BLOB PRIMARY KEY, digest BLOB) WITHOUT ROWID",
    "specs(id INTEGER PRIMARY KEY, spec TEXT UNIQUE)",
    "results(digest BLOB, spec INTEGER, code BLOB, width INTEGER, height INTEGER, format TEXT, damaged INTEGER,"
    " information INTEGER, pixels BLOB, stage TEXT, error TEXT, decoder TEXT, traits TEXT,"
    " PRIMARY KEY(digest, spec)) WITHOUT ROWID",
    "sizes(size INTEGER, digest BLOB, PRIMARY KEY(size, digest)) WITHOUT ROWID",
    "looks(key BLOB PRIMARY KEY, look TEXT) WITHOUT ROWID",
)
_COLUMNS_OF_RESULT = "code, width, height, format, damaged, information, pixels, stage, error, decoder, traits"
NOT_AN_IMAGE = b""


class Result(NamedTuple):
    """The result of one content under one spec: a code and facts about the image, or a failure.

    The fields are the columns of the table `results`, in their order. The column of `detail_score` keeps the name that
    it was made with, `information`: another name would need a migration of every store.
    """

    code: bytes | None
    width: int = 0
    height: int = 0
    format: str = ""
    damaged: bool = False
    detail_score: int = 0  # number of low frequencies above the noise
    pixels: bytes | None = None
    stage: str = ""
    error: str = ""
    decoder: str = ""  # name and version of the optional library that decoded it, if any
    traits: str = ""  # `imaging.traits` as text


class Rows(NamedTuple):
    """Rows of a store, by table; those of `results` are a digest, a spec and the fields of a `Result`."""

    versions: list[tuple[bytes, bytes]]
    results: list[tuple[object, ...]]
    sizes: list[tuple[int, bytes]]
    verdicts: list[tuple[bytes, str]]
    listings: list[tuple[bytes, bytes]]


class Info(NamedTuple):
    """The contents of a store, counted."""

    path: str
    bytes: int
    files: int
    codes: int
    failures: int
    specs: dict[str, int]
    verdicts: int  # verified pairs
    exclusions: int  # pairs that the user marked as not duplicates
    decisions: int  # pairs of a keeper and another image that the user decided


def default_path() -> Path:
    """Return the path of the store in the cache folder of the platform."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("twinpix", appauthor=False)) / "store.sqlite"


_FAULTS = (sqlite3.DatabaseError, UnicodeDecodeError)
"""Exceptions of reading and writing a database; the second if a message of SQLite quotes damaged text."""


def _is_damage(error: sqlite3.DatabaseError | UnicodeDecodeError) -> bool:
    """True if an error concerns the content of the file, rather than the machine or the program."""
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.NotSupportedError):
        return False
    return getattr(error, "sqlite_errorcode", 0) & 0xFF not in _OF_THE_MACHINE


def _head(path: Path) -> bytes:
    """Return the header of a database; fewer bytes, or none, if the file is shorter."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(_HEADER)


def _files_of_before(db: sqlite3.Connection) -> list[tuple[bytes, bytes]]:
    """Return the versions and digests of the files in a store of the previous layout."""
    columns = "device, inode, size, mtime, ctime, digest"
    return [(version_of_file(*stamp), digest) for *stamp, digest in db.execute(f"SELECT {columns} FROM files")]


def _is_row(code: object, width: object, height: object, form: object) -> bool:
    sizes = all(isinstance(size, int) and size >= 0 for size in (width, height))
    return sizes and isinstance(form, str) and (code is None or isinstance(code, bytes))


def exclusions_path() -> Path:
    """Return the file of the pairs marked as not duplicates, for the default store.

    It is in the data folder of the platform: a cache folder may be emptied, and these pairs cannot be computed again.
    """
    import platformdirs

    return Path(platformdirs.user_data_dir("twinpix", appauthor=False)) / "not-duplicates.sqlite"


class Store:
    """An open store; with `path` None it is in memory only.

    If a store fails during a run, the run continues in memory, with a remark in `notes`. Raises `StoreError` if `path`
    is another kind of file, or no store can be created there.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.notes: list[str] = []
        self.on_write: Callable[[Rows], None] = lambda rows: None  # called with the rows of this run that were written
        self._pending = Rows([], [], [], [], [])
        self._flushed = time.monotonic()
        self._anew = False  # whether a new one was created in this run, which happens once at most
        self._db = self._open()

    # -- reading

    def digests(self, versions: NDArray[np.uint8]) -> list[bytes | None]:
        """Return for each version, a row of `(n, 16)`, the digest of its bytes, `NOT_AN_IMAGE`, or None if unknown."""
        return self._try(lambda: self._digests(versions))

    def results(self, digests: Iterable[bytes], spec: str) -> dict[bytes, Result]:
        """Return the results of these contents under `spec`."""
        wanted = sorted(digests)  # in the order of the table: a page of it is read once
        return self._try(lambda: self._read_results(wanted, spec))

    def digests_of_sizes(self, sizes: Iterable[int], specs: Iterable[str]) -> list[tuple[int, bytes]]:
        """Return the contents of these sizes in bytes that have a result under each spec, with their sizes."""
        wanted, names = list(sizes), list(specs)
        return self._try(lambda: self._digests_of_sizes(wanted, names))

    def verdicts(self, keys: Iterable[bytes]) -> dict[bytes, str]:
        """Return the stored verdicts of pairs of contents."""
        wanted = list(keys)
        return self._try(lambda: self._read_verdicts(wanted))

    # -- writing

    def put_version(self, version: bytes, digest: bytes) -> None:
        """Store the digest of a version's bytes, unless the version is unknown."""
        if version != UNKNOWN:
            self._pending.versions.append((version, digest))
            self._flush_if_due()

    def put_result(self, digest: bytes, spec: str, result: Result) -> None:
        """Store the result of a content under a spec."""
        self._pending.results.append((digest, spec, *result))
        self._flush_if_due()

    def put_size(self, size: int, digest: bytes) -> None:
        """Store the size of a content in bytes."""
        self._pending.sizes.append((size, digest))
        self._flush_if_due()

    def put_verdict(self, key: bytes, verdict: str) -> None:
        """Store the verdict of a pair of contents."""
        self._pending.verdicts.append((key, verdict))
        self._flush_if_due()

    def listing(self, key: bytes) -> bytes | None:
        """Return the stored listing of an archive or table; `sources.listing` makes its key and its bytes."""
        query = "SELECT entries FROM listings WHERE key=?"
        row = self._try(lambda: self._db.execute(query, (key,)).fetchone())
        return row[0] if row and isinstance(row[0], bytes) else None

    def put_listing(self, key: bytes, entries: bytes) -> None:
        """Store the listing of one version of an archive or table."""
        self._pending.listings.append((key, entries))
        self.flush()

    def put_exclusions(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Store pairs of contents that the user marked as not duplicates."""
        rows = list(pairs)
        self._try(lambda: self._put_exclusions(rows))

    def exclusions(self) -> list[tuple[bytes, bytes]]:
        """Return the pairs that the user marked as not duplicates."""
        return self._try(lambda: list(self._db.execute(f"SELECT a, b FROM {self._exclusions} ORDER BY a, b")))

    @property
    def exclusions_file(self) -> Path | None:
        """The file of the excluded pairs and other decisions; None if they are in memory only."""
        return exclusions_path() if self._exclusions.startswith("exclusions.") else self.path

    def flush(self) -> None:
        """Write pending rows."""
        self._flushed = time.monotonic()
        rows = self._pending
        if any(rows):
            self._try(lambda: self._write(rows))
            self._pending = Rows([], [], [], [], [])
            self.on_write(rows)

    def parts(self) -> set[str]:
        """Return the names of the parts of other stores that `add_part` has added."""
        return self._try(self._parts_added)

    def add_part(self, name: str, rows: Rows) -> None:
        """Add rows that another run has written, and note the name of their part."""
        self._try(lambda: self._write(rows, part=name))

    def close(self) -> None:
        """Write pending rows and close the file."""
        try:
            self.flush()
        finally:
            self._db.close()

    def info(self) -> Info:
        """Count what the store contains."""
        return self._try(self._info)

    def clear(self, *, exclusions: bool = False) -> None:
        """Delete all codes and verdicts, for all processes that use the store; with `exclusions` all decisions too."""
        self._try(lambda: self._clear(exclusions))

    # -- private

    def _open(self) -> sqlite3.Connection:
        try:
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                if self._is_foreign(self.path):
                    raise StoreError(
                        f"{self.path} is no twinpix store and is not changed. Remove it, or choose another file"
                    )
                if why := self._stranger(self.path):
                    raise StoreError(f"the store {self.path} is not used: {why}. Choose another file for the store")
                if len(head := _head(self.path)) == _HEADER and head[_WRITTEN_AS] > _WRITABLE:
                    return self._begin_anew("its header says that it cannot be written")
            return self._connect()
        except _FAULTS as error:
            if _is_damage(error):
                return self._begin_anew(error)
            raise StoreError(f"cannot use the store {self.path}: {error}") from None
        except OSError as error:
            raise StoreError(f"cannot make the store {self.path}: {system_reason(error)}") from None

    def _is_foreign(self, path: Path) -> bool:
        """True for a file without the application id of a store, unless it is empty or the default store."""
        if not path.exists() or path == default_path():
            return False
        if not path.is_file():
            return True
        head = _head(path)
        return bool(head) and not (head.startswith(_SQLITE) and head[_MARK] == _OURS.to_bytes(4, "big"))

    @staticmethod
    def _stranger(path: Path) -> str:
        """Return why another user could have written the store; "" if none could."""
        return owners.stranger(path.stat()) if path.exists() else ""

    def _connect(self) -> sqlite3.Connection:
        """Open or create the database; waits while another process does the same."""
        patience = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._connect_now()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > patience:
                    raise
            time.sleep(0.02)

    def _connect_now(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path or ":memory:", timeout=_PATIENCE, isolation_level="DEFERRED")
        try:
            db.execute("PRAGMA temp_store=MEMORY")
            db.execute(f"PRAGMA cache_size=-{_CACHE_KB}")
            if db.execute("PRAGMA application_id").fetchone()[0] != _OURS:
                db.execute("PRAGMA synchronous=OFF")  # the store is still empty
                db.execute(f"PRAGMA application_id={_OURS}")  # in the file itself, before there is a write-ahead log
            db.execute("PRAGMA journal_mode=WAL")
            if db.execute("PRAGMA user_version").fetchone()[0] != _LAYOUT:
                self._change_layout(db)
            db.execute("CREATE TABLE IF NOT EXISTS apart(a BLOB, b BLOB, PRIMARY KEY(a, b)) WITHOUT ROWID")
            db.execute("CREATE TABLE IF NOT EXISTS listings(key BLOB PRIMARY KEY, entries BLOB) WITHOUT ROWID")
            self._attach_exclusions(db)
            db.execute("PRAGMA synchronous=NORMAL")
        except (sqlite3.Error, UnicodeDecodeError):
            db.close()
            raise
        return db

    def _change_layout(self, db: sqlite3.Connection) -> None:
        """Create the tables of this layout, filled from those of the previous layout if there are any."""
        db.execute("BEGIN IMMEDIATE")  # only one of several processes finds the old layout
        with db:
            layout = db.execute("PRAGMA user_version").fetchone()[0]
            if layout == _LAYOUT:
                return
            if layout not in (0, _OF_FILES):
                self.notes.append(
                    f"the store {self.path} was made by another version of twinpix: images are read anew; "
                    "what was marked as not duplicates is kept"
                )
                for table in ("specs", "results", "sizes"):
                    db.execute(f"DROP TABLE IF EXISTS {table}")
            for table in _TABLES:
                db.execute(f"CREATE TABLE IF NOT EXISTS {table}")
            if layout == _OF_FILES:
                db.executemany("INSERT OR REPLACE INTO versions VALUES(?,?)", _files_of_before(db))
                db.execute("INSERT OR IGNORE INTO sizes SELECT size, digest FROM files WHERE length(digest) > 0")
            db.execute("DROP TABLE IF EXISTS files")
            db.execute(f"PRAGMA user_version={_LAYOUT}")

    def _attach_exclusions(self, db: sqlite3.Connection) -> None:
        """Store excluded pairs outside the cache folder; move those that an earlier version stored in it."""
        self._exclusions = "main.apart"
        if self.path != default_path():
            return
        place = exclusions_path()
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.exists() and (why := owners.stranger(place.stat())):
                raise OSError(None, why)
            db.execute("ATTACH DATABASE ? AS exclusions", (str(place),))
            db.execute(f"PRAGMA exclusions.application_id={_OURS}")
            db.execute("CREATE TABLE IF NOT EXISTS exclusions.apart(a BLOB, b BLOB, PRIMARY KEY(a, b)) WITHOUT ROWID")
            with db:
                db.execute("INSERT OR IGNORE INTO exclusions.apart SELECT a, b FROM main.apart")
            with db:  # a second transaction, so that a crash in between loses no pair
                db.execute("DELETE FROM main.apart")
            self._exclusions = "exclusions.apart"
        except (OSError, *_FAULTS) as error:
            why = system_reason(error) if isinstance(error, OSError) else str(error)
            self.notes.append(f"{place}, which pairs are not duplicates, cannot be used ({why}): it is left as it is")

    def _parts(self) -> list[Path]:
        return [Path(f"{self.path}{end}") for end in ("", "-wal", "-shm")] if self.path else []

    def _begin_anew(self, error: Exception | str) -> sqlite3.Connection:
        """Rename a damaged store and create a new one."""
        self._anew = True
        renamed = Path(f"{self.path}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
        try:
            for part in self._parts():
                if part.exists():
                    part.rename(f"{renamed}{str(part)[len(str(self.path)) :]}")
            self.notes.append(f"the store was damaged ({error}); it was renamed to {renamed} and a new one was created")
            return self._connect()
        except (OSError, sqlite3.Error) as second:
            raise StoreError(f"the store {self.path} is damaged and cannot be set aside: {second}") from None

    def _try(self, work: Callable[[], T]) -> T:
        """Run a function on the database: on a new one if it is damaged, in memory if it cannot be used."""
        try:
            return work()
        except _FAULTS as error:
            if self.path is None:
                raise
            self._db.close()
            if _is_damage(error) and not self._anew:
                self._db = self._begin_anew(error)
            else:
                self.notes.append(f"the store {self.path} cannot be used now ({error}); this run continues without it")
                self.path = None
                self._db = self._connect()
        return work()

    def _info(self) -> Info:
        count = self._db.execute
        specs = dict(count("SELECT spec, (SELECT count(*) FROM results WHERE spec = id) FROM specs ORDER BY spec"))
        size = sum(part.stat().st_size for part in self._parts() if part.exists())
        files = count("SELECT count(*) FROM versions").fetchone()[0]
        codes = count("SELECT count(*) FROM results WHERE code IS NOT NULL").fetchone()[0]
        failures = count("SELECT count(*) FROM results WHERE code IS NULL").fetchone()[0]
        verdicts, exclusions = (
            count(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("looks", self._exclusions)
        )
        decided = [table for table in self._decisions() if table.endswith(".decisions")]
        decisions = count(f"SELECT count(*) FROM {decided[0]}").fetchone()[0] if decided else 0
        name = str(self.path or "(in memory)")
        return Info(name, size, files, codes, failures, specs, verdicts, exclusions, decisions)

    def _decisions(self) -> list[str]:
        """Return the tables of decisions, which are made when the user decides for the first time."""
        schema = self._exclusions.split(".")[0]
        query = f"SELECT name FROM {schema}.sqlite_master WHERE name IN ('decisions', 'batches', 'changes')"
        return [f"{schema}.{name}" for (name,) in self._db.execute(query)]

    def _put_exclusions(self, rows: list[tuple[bytes, bytes]]) -> None:
        with self._db:
            self._db.executemany(f"INSERT OR IGNORE INTO {self._exclusions} VALUES(?,?)", rows)

    def _parts_added(self) -> set[str]:
        query = "SELECT 1 FROM main.sqlite_master WHERE name = 'parts'"  # made when the first part is added
        known = self._db.execute("SELECT name FROM parts") if self._db.execute(query).fetchone() else ()
        return {str(name) for (name,) in known}

    def _clear(self, exclusions: bool) -> None:
        tables = ["versions", "results", "sizes", "looks", "listings"]
        tables += [self._exclusions, *self._decisions()] if exclusions else []
        with self._db:  # specs keep their numbers: another process may be about to write under one
            for table in tables:
                self._db.execute(f"DELETE FROM {table}")
            self._db.execute("DROP TABLE IF EXISTS parts")
        self._db.execute("VACUUM")

    def _digests(self, versions: NDArray[np.uint8]) -> list[bytes | None]:
        out: list[bytes | None] = []
        db = self._db
        db.execute("CREATE TEMP TABLE IF NOT EXISTS asked(n INTEGER PRIMARY KEY, version BLOB)")
        query = "SELECT v.digest FROM asked a LEFT JOIN versions v ON v.version=a.version ORDER BY a.n"
        for start in range(0, len(versions), _CHUNK):
            db.execute("DELETE FROM asked")
            rows = ((n, version.tobytes()) for n, version in enumerate(versions[start : start + _CHUNK]))
            db.executemany("INSERT INTO asked VALUES(?,?)", rows)
            out += [row[0] for row in db.execute(query)]
        db.rollback()
        return out

    def _read_results(self, digests: list[bytes], spec: str) -> dict[bytes, Result]:
        number = self._number_of(spec)
        out: dict[bytes, Result] = {}
        for start in range(0, len(digests), 500):
            part = digests[start : start + 500]
            marks = ",".join("?" * len(part))
            query = f"SELECT digest, {_COLUMNS_OF_RESULT} FROM results WHERE spec=? AND digest IN ({marks})"
            for digest, code, w, h, form, damaged, *rest in self._db.execute(query, (number, *part)):
                if not _is_row(code, w, h, form):
                    raise sqlite3.DatabaseError("a row of it holds what twinpix does not write")
                out[digest] = Result(code, w, h, sys.intern(form), bool(damaged), *rest)
        return out

    def _digests_of_sizes(self, sizes: list[int], specs: list[str]) -> list[tuple[int, bytes]]:
        out: list[tuple[int, bytes]] = []
        known = "".join(
            f" AND EXISTS (SELECT 1 FROM results r WHERE r.digest=s.digest AND r.spec={self._number_of(spec)})"
            for spec in specs
        )
        for start in range(0, len(sizes), 500):
            part = sizes[start : start + 500]
            marks = ",".join("?" * len(part))
            out += self._db.execute(f"SELECT size, digest FROM sizes s WHERE size IN ({marks}){known}", part)
        return out

    def _read_verdicts(self, keys: list[bytes]) -> dict[bytes, str]:
        out: dict[bytes, str] = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            out |= dict(self._db.execute(f"SELECT key, look FROM looks WHERE key IN ({marks})", part))
        return out

    def _number_of(self, spec: str) -> int:
        self._db.execute("INSERT OR IGNORE INTO specs(spec) VALUES(?)", (spec,))
        self._db.commit()
        return int(self._db.execute("SELECT id FROM specs WHERE spec=?", (spec,)).fetchone()[0])

    def _write(self, rows: Rows, part: str = "") -> None:
        numbers = {spec: self._number_of(spec) for spec in {str(row[1]) for row in rows.results}}
        results = [(row[0], numbers[str(row[1])], *row[2:]) for row in rows.results]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO versions VALUES(?,?)", rows.versions)
            self._db.executemany(
                f"INSERT OR REPLACE INTO results VALUES({','.join('?' * (2 + len(Result._fields)))})", results
            )
            self._db.executemany("INSERT OR IGNORE INTO sizes VALUES(?,?)", rows.sizes)
            self._db.executemany("INSERT OR REPLACE INTO looks VALUES(?,?)", rows.verdicts)
            self._db.executemany("INSERT OR REPLACE INTO listings VALUES(?,?)", rows.listings)
            if part:
                self._db.execute("CREATE TABLE IF NOT EXISTS parts(name TEXT PRIMARY KEY) WITHOUT ROWID")
                self._db.execute("INSERT OR IGNORE INTO parts VALUES(?)", (part,))

    def _flush_if_due(self) -> None:
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()
