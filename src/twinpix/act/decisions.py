"""What a user decided about copies, by content: it holds for renamed files, later reports and other machines.

A decision is about a pair of contents: the image that is kept, and another one of its group. It is in the file of the
pairs that are not duplicates, which `find` reads, and on the disk when a method returns. Every change is a batch that
can be taken back, also after a restart.
"""

import json
import math
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple

from twinpix.errors import UsageError, system_reason
from twinpix.model import Group, Report, locate
from twinpix.store import Store

SCHEMA = "twinpix.decisions/1"
_DIGEST = 16  # bytes
_MOST = 1_000_000  # pairs of one group that are marked; every run of `find` reads all
_BUSY_SECONDS = 30.0  # to wait for another process that writes the file
_TABLES = """
CREATE TABLE IF NOT EXISTS decisions(
    keeper BLOB, other BLOB, verdict TEXT, path BLOB, at INTEGER, PRIMARY KEY(keeper, other)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches(number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER, what TEXT);
CREATE TABLE IF NOT EXISTS changes(
    batch INTEGER, kind TEXT, a BLOB, b BLOB, verdict TEXT, path BLOB, at INTEGER);
CREATE INDEX IF NOT EXISTS changes_of_batch ON changes(batch);
CREATE TEMP TABLE wanted(digest BLOB PRIMARY KEY) WITHOUT ROWID;
"""


class Verdict(StrEnum):
    """What becomes of an image that is not the keeper of its group."""

    DISCARD = "discard"  # a redundant copy
    BOTH = "both"  # a copy that is kept too
    APART = "apart"  # no copy of the keeper
    LATER = "later"  # to be decided later


Known = Mapping[bytes, Mapping[bytes, tuple[Verdict, tuple[str, ...]]]]
"""Verdicts on other contents, and the paths that tell files with equal bytes apart, by keeper."""

_SETTLED = frozenset({Verdict.DISCARD, Verdict.BOTH, Verdict.APART})
_APART = frozenset({Verdict.BOTH, Verdict.APART})


class File(NamedTuple):
    """An image of a group, as a decision sees it."""

    digest: bytes
    path: str  # absolute, or a URI


class Choice(NamedTuple):
    """The decision about the contents of a group.

    `paths` tells files with equal bytes apart: it has the path of the keeper, and of the contents of which some files
    are kept and some discarded those of the kept ones.
    """

    keeper: bytes  # digest
    paths: tuple[str, ...]
    others: Mapping[bytes, Verdict]  # by digest; that of the keeper stands for further files with its bytes


class Decisions:
    """The decisions in the file of a store; each thread may use it."""

    def __init__(self, path: str) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
        self._db.execute("PRAGMA synchronous=FULL")
        with self._db:
            self._db.executescript(_TABLES)
            self._db.execute("CREATE TABLE IF NOT EXISTS apart(a BLOB, b BLOB, PRIMARY KEY(a, b)) WITHOUT ROWID")

    @classmethod
    def of(cls, store: Store) -> "Decisions":
        """Open the decisions beside the pairs that are not duplicates; in memory for a store without a file."""
        return cls(str(store.exclusions_file or ":memory:"))

    def close(self) -> None:
        self._db.close()

    def all(self) -> Known:
        """Return all decisions: the verdicts on other images, and the paths that are kept, by keeper."""
        with self._lock:
            rows = self._db.execute("SELECT keeper, other, verdict, path FROM decisions").fetchall()
        return _by_keeper(rows)

    def among(self, digests: Sequence[bytes]) -> Choice | None:
        """Return the decision about a group with these contents, the keeper of the report first; None if undecided."""
        with self._lock, self._db:
            self._want(digests)
            rows = self._db.execute(
                "SELECT keeper, other, verdict, path FROM decisions "
                "WHERE keeper IN (SELECT * FROM wanted) AND other IN (SELECT * FROM wanted)"
            ).fetchall()
        return choice_of(digests, _by_keeper(rows))

    def decide(self, choices: Iterable[tuple[Sequence[bytes], Choice]], what: str) -> int:
        """Store the decisions about groups, each with the digests of its images, as one batch; returns its number.

        Earlier decisions among the images of a group are replaced. Raises `UsageError` if too many pairs would have to
        be marked as not duplicates; then nothing is stored.
        """
        now = time.time_ns()
        with self._lock, self._db:
            batch = self._begin(what, now)
            for digests, choice in choices:
                self._forget(batch, set(digests))
                self._remember(batch, digests, choice, now)
        return batch

    def clear(self, groups: Iterable[Sequence[bytes]], what: str) -> int:
        """Make groups undecided again, as one batch."""
        with self._lock, self._db:
            batch = self._begin(what, time.time_ns())
            for digests in groups:
                self._forget(batch, set(digests))
        return batch

    def excluded(self, batch: int) -> int:
        """Return how many pairs a batch marked, so that `find` does not group them."""
        query = "SELECT count(*) FROM changes WHERE batch=? AND kind='excluded'"
        with self._lock:
            return int(self._db.execute(query, [batch]).fetchone()[0])

    def last(self) -> tuple[int, str] | None:
        """Return the number of the last batch that can be taken back, and what it was."""
        with self._lock:
            row = self._db.execute("SELECT number, what FROM batches ORDER BY number DESC LIMIT 1").fetchone()
        return (int(row[0]), str(row[1])) if row else None

    def take_back(self) -> set[bytes]:
        """Undo the last batch; returns the contents that it concerned, none if there is no batch."""
        with self._lock, self._db:
            last = self.last()
            if last is None:
                return set()
            rows = self._db.execute(
                "SELECT kind, a, b, verdict, path, at FROM changes WHERE batch=? ORDER BY rowid DESC", [last[0]]
            ).fetchall()
            for kind, a, b, *rest in rows:
                self._revert(kind, a, b, rest)
            self._db.execute("DELETE FROM changes WHERE batch=?", [last[0]])
            self._db.execute("DELETE FROM batches WHERE number=?", [last[0]])
        return {digest for _, a, b, *_ in rows for digest in (a, b)}

    def export(self) -> Iterator[str]:
        """Yield the decisions as JSON Lines; digests identify the images, so they hold on every machine."""
        yield f'{{"schema": "{SCHEMA}"}}\n'
        with self._lock:
            rows = self._db.execute(
                "SELECT keeper, other, verdict, at FROM decisions ORDER BY keeper, other"
            ).fetchall()
        for keeper, other, verdict, at in rows:
            row = {"keeper": keeper.hex(), "other": other.hex(), "verdict": verdict, "at": at}
            yield json.dumps(row) + "\n"

    def merge(self, path: str) -> int:
        """Add the decisions of a file that `export` wrote; of two about one pair the later one counts.

        Returns the number of decisions that were added or changed. Raises `UsageError` for another file.
        """
        try:
            with open(path, encoding="utf-8") as file:
                rows = list(_read(file))
        except OSError as error:
            raise UsageError(f"cannot read {path}: {system_reason(error)}") from None
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{path} holds no decisions of schema {SCHEMA}: give an export of review") from None
        changed = 0
        with self._lock, self._db:
            batch = self._begin("import", time.time_ns())
            for keeper, other, verdict, at in rows:
                known = self._db.execute(
                    "SELECT at FROM decisions WHERE (keeper=? AND other=?) OR (keeper=? AND other=?)",
                    [keeper, other, other, keeper],
                ).fetchone()
                if known is None or known[0] < at:
                    self._forget(batch, {keeper, other}, own=keeper == other)
                    self._put(batch, keeper, other, verdict, (), at)
                    changed += 1
        return changed

    # -- one batch: each change of a table has a row that can be reverted -----------------------------------

    def _begin(self, what: str, now: int) -> int:
        number = self._db.execute("INSERT INTO batches(at, what) VALUES(?,?)", [now, what]).lastrowid
        assert number is not None
        return number

    def _remember(self, batch: int, digests: Sequence[bytes], choice: Choice, now: int) -> None:
        apart = {digest for digest, verdict in choice.others.items() if verdict == Verdict.APART}
        both = {digest for digest, verdict in choice.others.items() if verdict == Verdict.BOTH} - {choice.keeper}
        rest = set(digests) - apart
        count = math.comb(len(apart), 2) + len(apart) * len(rest) + math.comb(len(both), 2)
        if count > _MOST:
            raise UsageError(f"{count:,} pairs are more than can be remembered ({_MOST:,})")
        for other, verdict in choice.others.items():
            self._put(batch, choice.keeper, other, verdict, choice.paths, now)
        pairs = {*combinations(sorted(apart), 2), *((a, b) for a in apart for b in rest), *combinations(both, 2)}
        for a, b in pairs:
            self._exclude(batch, a, b)

    def _put(self, batch: int, keeper: bytes, other: bytes, verdict: Verdict, paths: Sequence[str], now: int) -> None:
        raw = "\0".join(paths).encode("utf-8", "surrogatepass")
        self._db.execute("INSERT OR REPLACE INTO decisions VALUES(?,?,?,?,?)", [keeper, other, verdict, raw, now])
        self._note(batch, "decided", keeper, other)
        if verdict in _APART:
            self._exclude(batch, keeper, other)

    def _exclude(self, batch: int, a: bytes, b: bytes) -> None:
        """Mark a pair, so that `find` does not group it; files with equal bytes are copies in any case."""
        if a == b:
            return
        pair = [min(a, b), max(a, b)]
        if self._db.execute("INSERT OR IGNORE INTO apart VALUES(?,?)", pair).rowcount:
            self._note(batch, "excluded", *pair)

    def _forget(self, batch: int, digests: Collection[bytes], *, own: bool = True) -> None:
        """Delete the decisions among some contents; without `own` those about files with equal bytes stay."""
        self._want(digests)
        rows = self._db.execute(
            "SELECT keeper, other, verdict, path, at FROM decisions "
            "WHERE keeper IN (SELECT * FROM wanted) AND other IN (SELECT * FROM wanted)"
        ).fetchall()
        for keeper, other, *rest in rows:
            if keeper == other and not own:
                continue
            self._db.execute("DELETE FROM decisions WHERE keeper=? AND other=?", [keeper, other])
            self._note(batch, "dropped", keeper, other, rest)
        apart = self._db.execute(
            "SELECT a, b FROM apart WHERE a IN (SELECT * FROM wanted) AND b IN (SELECT * FROM wanted)"
        )
        for a, b in apart.fetchall():
            self._db.execute("DELETE FROM apart WHERE a=? AND b=?", [a, b])
            self._note(batch, "included", a, b)

    def _want(self, digests: Collection[bytes]) -> None:
        """Set the contents that the following queries are about, of which a group may have any number."""
        self._db.execute("DELETE FROM wanted")
        self._db.executemany("INSERT OR IGNORE INTO wanted VALUES(?)", ((digest,) for digest in digests))

    def _note(self, batch: int, kind: str, a: bytes, b: bytes, rest: Sequence[object] = (None, None, None)) -> None:
        self._db.execute("INSERT INTO changes VALUES(?,?,?,?,?,?,?)", [batch, kind, a, b, *rest])

    def _revert(self, kind: str, a: bytes, b: bytes, rest: Sequence[object]) -> None:
        if kind == "decided":
            self._db.execute("DELETE FROM decisions WHERE keeper=? AND other=?", [a, b])
        elif kind == "dropped":
            self._db.execute("INSERT OR REPLACE INTO decisions VALUES(?,?,?,?,?)", [a, b, *rest])
        elif kind == "excluded":
            self._db.execute("DELETE FROM apart WHERE a=? AND b=?", [a, b])
        else:
            self._db.execute("INSERT OR IGNORE INTO apart VALUES(?,?)", [a, b])


def decided(files: Sequence[File], keeper: int, verdicts: Mapping[int, Verdict]) -> Choice:
    """Return the decision about a group from those about its files, by their indices; without one: discarded."""
    kept = files[keeper]
    by_content: dict[bytes, list[int]] = defaultdict(list)
    for at, file in enumerate(files):
        if at != keeper:
            by_content[file.digest].append(at)
    others, paths = dict[bytes, Verdict](), [kept.path]
    for digest, places in by_content.items():
        stay = [at for at in places if verdicts.get(at, Verdict.DISCARD) != Verdict.DISCARD]
        others[digest] = verdicts[stay[0]] if stay else Verdict.DISCARD
        if stay and len(stay) < len(places):
            paths += [files[at].path for at in stay]
    return Choice(kept.digest, tuple(paths), others)


def files_of(choice: Choice, files: Sequence[File]) -> tuple[int, dict[int, Verdict]]:
    """Return the index of the keeper of a decided group, and the verdicts on the other files by their indices.

    Of files with equal bytes that have other names now, the first is the keeper, and all are kept if one was.
    """
    place = {file.path: at for at, file in enumerate(files)}
    named = {place[path] for path in choice.paths if path in place}
    same = [at for at, file in enumerate(files) if file.digest == choice.keeper]
    first = place.get(choice.paths[0]) if choice.paths else None
    keeper = first if first in same else same[0]
    chosen = {files[at].digest for at in named if at != keeper}
    verdicts = {}
    for at, file in enumerate(files):
        if at != keeper:
            left = file.digest in chosen and at not in named
            verdicts[at] = Verdict.DISCARD if left else choice.others[file.digest]
    return keeper, verdicts


def kept_of(choice: Choice, files: Sequence[File]) -> list[int]:
    """Return the indices of the files that a decision keeps, the keeper first."""
    keeper, verdicts = files_of(choice, files)
    return [keeper, *(at for at, verdict in verdicts.items() if verdict != Verdict.DISCARD)]


def files_in(group: Group, base: str) -> list[File]:
    return [File(bytes.fromhex(member.digest), locate(base, member.path)) for member in group.members]


def kept_by(decisions: Decisions, report: Report) -> dict[int, list[str]]:
    """Return the paths to keep of each decided group, the keeper first; none for one to be decided later."""
    known = decisions.all()
    out: dict[int, list[str]] = {}
    for group in report.groups if known else ():
        files = files_in(group, report.base)
        choice = choice_of([file.digest for file in files], known)
        if choice is not None:
            settled = state_of(choice) == "decided"
            out[group.id] = [group.members[at].path for at in kept_of(choice, files)] if settled else []
    return out


def choice_of(digests: Sequence[bytes], found: Known) -> Choice | None:
    """Return the decision about a group with these contents; None unless it settles every image, or is `later`.

    If an earlier decision does not know one of the images, because it is new, the group is undecided.
    """
    counts = Counter(digests)
    for keeper in dict.fromkeys(digests):
        known = found.get(keeper)
        if known is None:
            continue
        others = [digest for digest in counts if digest != keeper or counts[keeper] > 1]
        if all(digest in known for digest in others):
            paths = next((paths for _, paths in known.values() if paths), ())
            return Choice(keeper, paths, {digest: known[digest][0] for digest in others})
    return None


def state_of(choice: Choice | None) -> str:
    """Return the state of a group for the index: "", `decided` or `later`."""
    if choice is None:
        return ""
    return "decided" if set(choice.others.values()) <= _SETTLED else "later"


def _read(lines: Iterable[str]) -> Iterator[tuple[bytes, bytes, Verdict, int]]:
    """Yield the rows of an export; raises `ValueError`, `KeyError` or `TypeError` for anything else."""
    lines = iter(lines)
    if json.loads(next(lines, "null"))["schema"] != SCHEMA:
        raise ValueError("schema")
    for line in lines:
        row = json.loads(line)
        keeper, other = bytes.fromhex(row["keeper"]), bytes.fromhex(row["other"])
        if len(keeper) != _DIGEST or len(other) != _DIGEST:
            raise ValueError("digest")
        yield keeper, other, Verdict(row["verdict"]), int(row["at"])


def _by_keeper(rows: Iterable[tuple[bytes, bytes, str, bytes | None]]) -> Known:
    found: dict[bytes, dict[bytes, tuple[Verdict, tuple[str, ...]]]] = defaultdict(dict)
    for keeper, other, verdict, raw in rows:
        text = (raw or b"").decode("utf-8", "surrogatepass")
        found[keeper][other] = (Verdict(verdict), tuple(text.split("\0")) if text else ())
    return found
