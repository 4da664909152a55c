"""The groups of a report in a SQLite file, from which the page gets a part at a time, filtered and in any order."""

import contextlib
import json
import os
import posixpath
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import Any, NamedTuple

from twinpix.model import IDENTICAL, Group, Match, Member, Traits, is_uri
from twinpix.report import to_plain
from twinpix.text import printable

_TABLES = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE groups(
    id INTEGER PRIMARY KEY, keeper INTEGER, reason TEXT, members INTEGER, bytes INTEGER, certainty REAL,
    newest INTEGER, path TEXT, warned INTEGER, state TEXT NOT NULL DEFAULT '', acted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE images(
    number INTEGER PRIMARY KEY, grp INTEGER, path BLOB, name TEXT, folder TEXT, digest BLOB,
    bytes INTEGER, width INTEGER, height INTEGER, mtime_ns INTEGER, format TEXT, stays INTEGER, relation TEXT,
    distance REAL, agrees REAL, points INTEGER, tier TEXT, detail TEXT, warning TEXT, traits TEXT,
    acted INTEGER NOT NULL DEFAULT 0);
"""
_INDEXES = """
CREATE INDEX images_of_group ON images(grp);
CREATE INDEX groups_by_bytes ON groups(bytes DESC, id);
CREATE INDEX groups_by_certainty ON groups(certainty, id);
CREATE INDEX groups_by_date ON groups(newest DESC, id);
CREATE INDEX groups_by_path ON groups(path, id);
"""
_STATE = "CASE WHEN acted THEN 'acted' ELSE state END"  # of a group
_SELECT = "SELECT number, grp, path, digest FROM images"  # the columns of `Image`

ORDERS = {
    "bytes": "bytes DESC, id",
    "certainty": "certainty, id",
    "date": "newest DESC, id",
    "path": "path, id",
    "number": "id",
}
"""The orders of groups, as the page names them: most bytes, least certain, newest image, path of the keeper, number."""

UNVERIFIED = 0.5
"""Certainty of a copy that was matched by a hash alone, or via a third image: below each verified one."""

_CHOICES = 500  # values of a filter that the page offers
_FIRST_BATCH, _BATCH = 200, 2000  # groups that are written at once; the first ones are shown early
_BUSY_SECONDS = 60.0  # to wait while groups are written

PAGE = 200  # most groups that one request returns


@dataclass(frozen=True, slots=True)
class Filter:
    """Which groups are shown; an empty text or None does not filter.

    Attributes:
        text: Part of a path of one of the images, in any case.
        relations: Relations to the keeper, of which one image has one.
        formats: Formats, of which one image has one.
        folder: Folder of at least one image.
        other_folder: Folder of at least one further image.
        min_bytes: Bytes to reclaim at least.
        min_size: Bytes of the largest image at least.
        certainty: Certainty of the group at most, 0 to 1.
        state: `undecided`, `decided` (and no file is acted on), `later` or `acted`.
        warned: Only groups of which an image has a warning.
    """

    text: str = ""
    relations: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    folder: str = ""
    other_folder: str = ""
    min_bytes: int = 0
    min_size: int = 0
    certainty: float | None = None
    state: str = ""
    warned: bool = False


class Image(NamedTuple):
    """What the server needs of an image to read it."""

    number: int
    group: int
    path: str
    digest: bytes


class Index:
    """The index of a report; each thread may use it. Reading it takes memory for one page only."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._db = self._connect()

    @classmethod
    def build(cls, groups: Iterable[Group], path: str, head: str = "") -> None:
        """Write the groups of a report to a new file, from which others can read meanwhile; `head` is kept with them.

        The orders of groups are right when `complete` is true.
        """
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA journal_mode=WAL")  # readers do not wait
            db.execute("PRAGMA synchronous=OFF")  # it is made again from the report
            db.executescript(_TABLES)
            numbers, rest, size = count(1), iter(groups), _FIRST_BATCH
            while some := [_rows(group, numbers) for group in islice(rest, size)]:
                with db:
                    images = (row for _, rows in some for row in rows)
                    db.executemany(f"INSERT INTO images VALUES({','.join('?' * 20)}, 0)", images)
                    db.executemany(f"INSERT INTO groups VALUES({','.join('?' * 9)}, '', 0)", (row for row, _ in some))
                    db.execute("INSERT OR IGNORE INTO facts VALUES('head', ?)", [head])
                size = _BATCH
            with db:
                db.execute("INSERT OR IGNORE INTO facts VALUES('head', ?)", [head])
            db.executescript(_INDEXES)
            with db:
                db.execute("INSERT INTO facts VALUES('complete', '')")

    @property
    def head(self) -> str | None:
        """What `build` was given; None while there is no group to be shown."""
        return self._fact("head")

    @property
    def complete(self) -> bool:
        """Whether all groups are there."""
        return self._fact("complete") is not None

    def _fact(self, name: str) -> str | None:
        try:
            row = self._db.execute("SELECT value FROM facts WHERE name=?", [name]).fetchone()
        except sqlite3.OperationalError:  # no table yet
            return None
        return str(row[0]) if row else None

    def close(self) -> None:
        self._db.close()

    def count(self, chosen: Filter) -> tuple[int, int, int]:
        """Return the number of groups that a filter leaves, their images, and the bytes to reclaim."""
        where, values = _where(chosen)
        row = self._db.execute(f"SELECT count(*), total(members), total(bytes) FROM groups {where}", values).fetchone()
        return int(row[0]), int(row[1]), int(row[2])

    def groups(self, chosen: Filter, order: str, start: int, number: int) -> list[dict[str, Any]]:
        """Return a part of the groups, each with its first images; `order` is one of `ORDERS`."""
        where, values = _where(chosen)
        rows = self._db.execute(
            f"SELECT id, keeper, members, bytes, certainty, {_STATE} FROM groups {where} "
            f"ORDER BY {ORDERS[order]} LIMIT ? OFFSET ?",
            [*values, max(0, min(number, PAGE)), max(0, start)],
        ).fetchall()
        names = ("id", "keeper", "members", "bytes", "certainty", "state")
        groups = [dict(zip(names, row, strict=True)) for row in rows]
        for group in groups:
            group["images"] = self._images(group["id"], 4)
        return groups

    def place_of(self, group: int, chosen: Filter, order: str) -> int | None:
        """Return the place of a group among the filtered ones; None if the filter leaves it out."""
        where, values = _where(chosen)
        numbers = self._db.execute(f"SELECT id FROM groups {where} ORDER BY {ORDERS[order]}", values)
        return next((at for at, (number,) in enumerate(numbers) if number == group), None)

    def group(self, number: int) -> dict[str, Any] | None:
        """Return a group with all its images; None if there is none of this number."""
        row = self._db.execute(
            f"SELECT id, keeper, reason, members, bytes, certainty, {_STATE} FROM groups WHERE id=?", [number]
        ).fetchone()
        if row is None:
            return None
        names = ("id", "keeper", "reason", "members", "bytes", "certainty", "state")
        return {**dict(zip(names, row, strict=True)), "images": self._images(number, -1)}

    def image(self, number: int) -> Image | None:
        """Return an image by its number; None if there is none."""
        row = self._db.execute(f"{_SELECT} WHERE number=?", [number]).fetchone()
        return _image(row) if row else None

    def images_of(self, group: int) -> list[Image]:
        return [_image(row) for row in self._db.execute(f"{_SELECT} WHERE grp=? ORDER BY number", [group])]

    def by_group(self) -> Iterator[tuple[int, list[Image]]]:
        """Yield the number of each group and its images, the keeper of the report first."""
        group, images = 0, list[Image]()
        for row in self._db.execute(f"{_SELECT} ORDER BY grp, number"):
            image = _image(row)
            if image.group != group and images:
                yield group, images
                images = []
            group = image.group
            images.append(image)
        if images:
            yield group, images

    def ids(self, chosen: Filter, order: str = "number") -> list[int]:
        """Return the numbers of the groups that a filter leaves."""
        where, values = _where(chosen)
        rows = self._db.execute(f"SELECT id FROM groups {where} ORDER BY {ORDERS[order]}", values)
        return [number for (number,) in rows]

    def set_states(self, states: Mapping[int, str], *, only: bool = False) -> None:
        """Note the state of groups: `decided`, `later`, or "" for undecided; with `only`, all others are undecided."""
        with self._db:
            if only:
                self._db.execute("UPDATE groups SET state='' WHERE state != ''")
            self._db.executemany("UPDATE groups SET state=? WHERE id=?", [(word, at) for at, word in states.items()])

    def set_acted(self, images: Iterable[int]) -> None:
        """Note which images are moved, replaced or deleted, by their numbers; all others are not."""
        with self._db:
            self._db.execute("UPDATE images SET acted=0 WHERE acted")
            self._db.executemany("UPDATE images SET acted=1 WHERE number=?", ((number,) for number in images))
            self._db.execute("UPDATE groups SET acted=0 WHERE acted")
            self._db.execute("UPDATE groups SET acted=1 WHERE id IN (SELECT grp FROM images WHERE acted)")

    def states(self) -> dict[str, int]:
        """Return the number of groups in each state."""
        return dict(self._db.execute(f"SELECT {_STATE}, count(*) FROM groups GROUP BY 1").fetchall())

    def choices(self) -> dict[str, list[str]]:
        """Return the values that filters can have: relations, formats and folders of the images."""
        found = {}
        for name, column in (("relations", "relation"), ("formats", "format"), ("folders", "folder")):
            rows = self._db.execute(
                f"SELECT {column}, count(*) AS number FROM images WHERE {column} != '' "
                f"GROUP BY {column} ORDER BY number DESC, {column} LIMIT {_CHOICES}"
            )
            found[name] = [value for value, _ in rows]
        return found

    def _images(self, group: int, most: int) -> list[dict[str, Any]]:
        names = (
            "number", "name", "bytes", "width", "height", "mtime_ns", "format", "stays", "relation", "distance",
            "agrees", "points", "tier", "detail", "warning", "traits", "acted",
        )  # fmt: skip
        rows = self._db.execute(
            f"SELECT {', '.join(names)} FROM images WHERE grp=? ORDER BY number LIMIT ?", [group, most]
        )
        images = [dict(zip(names, row, strict=True)) for row in rows]
        for image in images:
            image["traits"] = json.loads(image["traits"])
        return images

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, check_same_thread=False)
        db.create_function("folded", 1, lambda text: str(text).casefold(), deterministic=True)
        return db


def _where(chosen: Filter) -> tuple[str, list[Any]]:
    """Return a condition on groups and its values."""
    parts, values = list[str](), list[Any]()

    def of_images(condition: str, *given: Any) -> None:
        parts.append(f"id IN (SELECT grp FROM images WHERE {condition})")
        values.extend(given)

    if chosen.text:
        of_images("instr(folded(name), ?)", chosen.text.casefold())
    for column, wanted in (("relation", chosen.relations), ("format", chosen.formats)):
        if wanted:
            of_images(f"{column} IN ({','.join('?' * len(wanted))})", *wanted)
    folders = [folder for folder in (chosen.folder, chosen.other_folder) if folder]
    for folder in folders:
        of_images("folder = ? OR substr(folder, 1, ?) = ?", folder, len(folder) + 1, _inside(folder))
    if chosen.min_bytes:
        parts.append("bytes >= ?")
        values.append(chosen.min_bytes)
    if chosen.min_size:
        of_images("bytes >= ?", chosen.min_size)
    if chosen.certainty is not None:
        parts.append("certainty <= ?")
        values.append(chosen.certainty)
    if chosen.state:
        parts.append(f"{_STATE} = ?")
        values.append("" if chosen.state == "undecided" else chosen.state)
    if chosen.warned:
        parts.append("warned")
    return (f"WHERE {' AND '.join(f'({part})' for part in parts)}" if parts else "", values)


def _inside(folder: str) -> str:
    return folder + ("/" if "/" in folder or os.sep == "/" else os.sep)


def _rows(group: Group, numbers: Iterator[int]) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """Return the row of a group and those of its images, the keeper first."""
    matches = group.to_keeper
    removable = {member.path for member in group.discards}
    images: list[tuple[Any, ...]] = []
    keeper, certainty, warned = 0, 1.0, False
    for member in group.members:
        match = matches.get(member.path)
        keeps = member.path == group.keeper
        warning = "damaged" if member.damaged else (member.traits.fault if member.traits else "")
        number = next(numbers)
        keeper = number if keeps else keeper
        certainty = certainty if keeps else min(certainty, _certainty(member, match))
        warned = warned or bool(warning)
        images.append((
            number, group.id, _raw(member.path), printable(member.path), printable(_folder(member.path)),
            bytes.fromhex(member.digest), member.size, member.width, member.height, member.mtime_ns, member.format,
            not keeps and member.path not in removable, "" if keeps else (member.relation or "via-third"),
            member.distance, match.agrees if match else None, match.points if match else 0,
            match.tier if match else "", match.detail if match else "", warning,
            _facts(member.traits, member.frames, member.reference),
        ))  # fmt: skip
    newest = max(member.mtime_ns for member in group.members)
    size = group.bytes_reclaimable
    name = printable(group.keeper)
    return (group.id, keeper, group.reason, len(images), size, certainty, newest, name, warned), images


def _certainty(member: Member, match: Match | None) -> float:
    """Return how certainly an image is a copy of the keeper: 1 for equal pixels, else the share that agrees."""
    if member.relation in IDENTICAL:
        return 1.0
    return match.agrees if match is not None and match.agrees is not None else UNVERIFIED


@lru_cache(maxsize=4096)
def _facts(traits: Traits | None, frames: int, reference: bool) -> str:
    """Return as JSON the facts about an image that differ from the usual ones."""
    more = {"frames": frames, "reference": reference}
    usual = {"frames": 1, "reference": False}
    facts = to_plain(traits) if traits else {}
    return json.dumps({**facts, **{name: value for name, value in more.items() if value != usual[name]}})


def _folder(path: str) -> str:
    return posixpath.dirname(path) if is_uri(path) else os.path.dirname(path)


def _raw(path: str) -> bytes:
    """Return a path as bytes: a name of this system may have bytes that are no text, which SQLite does not store."""
    return path.encode("utf-8", "surrogatepass")


def _image(row: Sequence[Any]) -> Image:
    number, group, path, digest = row
    return Image(number, group, path.decode("utf-8", "surrogatepass"), digest)
