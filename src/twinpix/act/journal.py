"""The journal of an action, as in databases: each step is written to disk, as a line of JSON, before it is done.

    {"journal": "twinpix.journal/1", "action": ..., "options": ..., "report": ..., "created": ...,
     "digest": of the report's bytes, "roots": [path, ...]}   a session begins
    {"keep": [path, facts, digest], "group": number in the report, "reason": why it is kept}
                                       is kept by an action without undo: a run that continues checks it again
    {"unit": [[number, path, target, facts, digest, keeper, staged], ...],   all steps are done, or none
     "group": number in the report, "relation": to the keeper, "distance": from it,
     "reason": why the keeper is kept, or why the image is copied}   why they are done, if known
    {"target": number, "to": path}     the target existed by then: this one is used
    {"folder": path}                   is about to be created
    {"done": number} {"failed": number, "why": ..., "system": true for an error of the system} {"undone": number}
    {"ready": true}                    everything is on disk, the first step may be done
    {"end": "done" | "stopped" | "recovered"}   how the session ended

A file has several sessions if a run was killed and started again; steps are numbered through all of them.

A journal decides what undo does, so it is read only if no other user could have written it. Journals of older versions
have no digest and no roots.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from twinpix import owners, paths
from twinpix.act.steps import Facts, Kept, Step, Unit
from twinpix.errors import OutputError, ReportError, UsageError, system_reason

SCHEMA = "twinpix.journal/1"
_GIVE_A_JOURNAL = "Give the file that apply wrote; resolve --apply prints its name"
_OLD_SYSTEM = "could not be dealt with"  # how `why` begins in journals without "system"
_FIRST_BYTES = b'{"journal":"' + SCHEMA.encode() + b'"'
_STAGED_NAME = re.compile(r"\.twinpix-[0-9a-f]+-[0-9]+")
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, StopIteration, RecursionError)
_AHEAD = 4096  # lines that are written together


class Why(NamedTuple):
    """Why a file was changed; journals of older versions do not have it."""

    group: int  # number in the report; 0: none, or unknown
    relation: str  # to the keeper; "" for a transitive match, or unknown
    distance: float | None  # from the keeper
    reason: str = ""  # why the keeper is kept, or why the image is copied; "" if unknown


@dataclass(slots=True)
class JournalRun:
    """One run of an action, as far as it came."""

    action: str
    options: dict[str, str]  # of the action
    report: str
    created: str
    digest: str = ""  # of the report; "" in journals of older versions, and without a report
    roots: list[str] = field(default_factory=list)  # absolute; its steps' files are in these folders or next to them
    steps: dict[int, Step] = field(default_factory=dict)
    units: list[list[int]] = field(default_factory=list)  # numbers of steps
    why: dict[int, Why] = field(default_factory=dict)  # of each step
    kept: dict[str, Kept] = field(default_factory=dict)  # by path
    folders: list[str] = field(default_factory=list)
    done: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    undone: set[int] = field(default_factory=set)
    doubtful: set[int] = field(default_factory=set)  # of `failed`, those with an error of the operating system
    unread: list[int] = field(default_factory=list)  # numbers of unreadable lines
    ready: bool = False  # steps may have been done
    ended: str = ""  # done, stopped, or recovered after it was killed


@dataclass(slots=True)
class Record:
    """The sessions of a journal; `unread` are the numbers of unreadable lines before the first session."""

    path: str
    sessions: list[JournalRun]
    unread: list[int]

    @property
    def is_open(self) -> bool:
        """True if a run was killed and is not repaired yet."""
        return not all(session.ended for session in self.sessions)

    @property
    def was_open(self) -> bool:
        """True if the last run was killed, repaired or not."""
        return not self.sessions or self.sessions[-1].ended not in ("done", "stopped")

    @property
    def free_number(self) -> int:
        """The first unused step number."""
        return max((number for session in self.sessions for number in session.steps), default=-1) + 1


class WriteError(OSError):
    """A line of a journal could not be written; it is kept, and written before the next one."""


class Journal:
    """A journal that is being written; every line is passed to the operating system before the call returns.

    Lines that cannot be written are kept and precede the next line, so the file is complete and in order as soon as
    writing works.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._pending = b""  # not written yet
        try:
            self._handle = _open(path)
        except OSError as error:
            why = system_reason(error)
            raise OutputError(f"cannot write the journal {path}: {why}; choose another path for the journal") from None
        if why := owners.stranger(os.fstat(self._handle)):
            os.close(self._handle)
            raise _untrusted_error(path, why)
        if size := os.fstat(self._handle).st_size:
            os.lseek(self._handle, size - 1, os.SEEK_SET)
            if os.read(self._handle, 1) != b"\n":
                os.write(self._handle, b"\n")  # after an incomplete line

    def begin(
        self,
        action: str,
        options: Mapping[str, str],
        report: str,
        units: Iterable[Unit],
        kept: Iterable[Kept] = (),
        *,
        roots: Sequence[str] = (),
    ) -> None:
        """Write a session and all its steps, flushed to disk."""
        created = datetime.now(UTC).isoformat(timespec="seconds")
        head = {"journal": SCHEMA, "action": action, "options": dict(options), "report": report, "created": created}
        head |= {"digest": report_digest(report) if report else "", "roots": list(roots)}
        lines = [_line(head), *(_line(_kept(each)) for each in kept)]
        for unit in units:
            lines.append(_line({"unit": [_row(step) for step in unit.steps], **_why(unit)}))
            if len(lines) >= _AHEAD:
                self._write(b"".join(lines))
                lines.clear()
        self._write(b"".join(lines))
        self.sync()
        self.note(ready=True)

    def note(self, **entry: Any) -> None:
        """Write one line; raises `WriteError` if that is impossible now."""
        self._write(_line(entry))

    def note_done(self, number: int) -> None:
        self._write(b'{"done":%d}\n' % number)

    def note_soon(self, **entry: Any) -> None:
        """Write one line, now or as soon as writing works: it describes a change that is already done."""
        with contextlib.suppress(WriteError):
            self.note(**entry)

    def sync(self) -> None:
        """Flush everything to disk; raises `WriteError` if that is impossible now."""
        self._write(b"")
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise WriteError(error.errno, error.strerror) from None

    def close(self) -> None:
        os.close(self._handle)

    def _write(self, data: bytes) -> None:
        data = self._pending + data
        try:
            while data:
                data = data[os.write(self._handle, data) :]
        except OSError as error:
            raise WriteError(error.errno, error.strerror) from None
        finally:
            self._pending = data


def _open(path: str) -> int:
    """Open a new file that only its user can write, or an existing one; never the target of a link."""
    flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)


def _untrusted_error(path: str, why: str) -> ReportError:
    return ReportError(
        f"the journal {path} is not used: {why}, and who writes a journal decides which files are moved or removed. "
        "If it is yours, copy it to a folder that only you can write and undo with the copy; else remove it"
    )


def report_digest(report: str) -> str:
    """Return what identifies a report, even against a forged one; "" if it cannot be read."""
    import hashlib

    try:
        with open(report, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""


def _why(unit: Unit) -> dict[str, Any]:
    """Return the group of an image, its relation to the keeper, and the reason in words, as far as known."""
    why: dict[str, Any] = {"group": unit.group} if unit.group else {}
    if unit.match:
        why |= {"relation": unit.match.relation, "distance": unit.match.distance}
    if unit.reason:
        why["reason"] = unit.reason
    return why


def _kept(kept: Kept) -> dict[str, Any]:
    """Return a file that is kept, with its group and the reason in words."""
    row: dict[str, Any] = {"keep": [kept.path, list(kept.facts), kept.digest]}
    return row | {"group": kept.group, "reason": kept.reason}


def _row(step: Step) -> list[Any]:
    return [step.number, step.path, step.target, list(step.facts), step.digest, step.keeper, step.staged]


def _line(entry: object) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n"


def read(path: str) -> Record:
    """Read a journal; unreadable lines are recorded and skipped.

    Raises `UsageError` if it does not exist, `ReportError` if it cannot be read, is no journal, or another user could
    have written it. An empty file is the journal of a run that was killed before it planned anything.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise ReportError(f"{path} is no journal: it is no regular file. {_GIVE_A_JOURNAL}")
    found = Record(path, [], [])
    cut = 0  # incomplete first lines of killed runs
    try:
        with open(path, "rb") as file:
            if why := owners.stranger(os.fstat(file.fileno())):
                raise _untrusted_error(path, why)
            for number, line in enumerate(file, start=1):
                if number == cut + 1 and not line.startswith(_FIRST_BYTES):
                    if not _FIRST_BYTES.startswith(line.rstrip()):
                        raise ReportError(f"{path} is no journal of schema {SCHEMA}. {_GIVE_A_JOURNAL}")
                    cut += 1
                if not _take(found.sessions, line):
                    (found.sessions[-1].unread if found.sessions else found.unread).append(number)
    except FileNotFoundError:
        raise UsageError(f"there is no journal {path}. Check the path: the run that wrote it printed it") from None
    except OSError as error:
        raise ReportError(f"cannot read the journal {path}: {system_reason(error)}") from None
    return found


def is_one(path: str) -> bool:
    """True for a journal, complete or not, and for a file that cannot be read."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            line = file.readline(len(_FIRST_BYTES))
        return line.startswith(_FIRST_BYTES) or _FIRST_BYTES.startswith(line.rstrip())
    except OSError:
        return True


def _take(sessions: list[JournalRun], line: bytes) -> bool:
    """Process one line; False if it is unreadable."""
    try:
        entry = json.loads(line)
        if line.endswith(b"\n"):
            _note(sessions, entry)
            return True
    except _UNREADABLE:
        return False
    return False


def _note(sessions: list[JournalRun], entry: dict[str, Any]) -> None:
    """Process one line."""
    if "journal" in entry:
        options = {str(key): str(value) for key, value in entry["options"].items()}
        action, report, created = str(entry["action"]), str(entry["report"]), str(entry["created"])
        roots = [_path(root) for root in entry.get("roots", [])]
        sessions.append(JournalRun(action, options, report, created, str(entry.get("digest", "")), roots))
    elif "unit" in entry:
        steps = [_step(row) for row in entry["unit"]]
        sessions[-1].steps.update((step.number, step) for step in steps)
        sessions[-1].units.append([step.number for step in steps])
        group, relation, reason = entry.get("group", 0), entry.get("relation", ""), entry.get("reason", "")
        why = Why(int(group), str(relation), entry.get("distance"), str(reason))
        sessions[-1].why.update((step.number, why) for step in steps)
    elif "keep" in entry:
        path, facts, digest = entry["keep"]
        group, reason = int(entry.get("group", 0)), str(entry.get("reason", ""))
        sessions[-1].kept[_path(path)] = Kept(group, path, reason, _facts(facts), str(digest))
    elif "target" in entry:
        number = entry["target"]
        sessions[-1].steps[number] = sessions[-1].steps[number]._replace(target=_path(entry["to"]))
    elif "folder" in entry:
        sessions[-1].folders.append(_path(entry["folder"]))
    elif "ready" in entry:
        sessions[-1].ready = True
    elif "end" in entry:
        sessions[-1].ended = str(entry["end"])
    else:
        kind = next(key for key in ("done", "failed", "undone") if key in entry)
        number = entry[kind]
        session = next(session for session in reversed(sessions) if number in session.steps)
        getattr(session, kind).add(number)
        if kind == "failed" and entry.get("system", str(entry.get("why", "")).startswith(_OLD_SYSTEM)):
            session.doubtful.add(number)


def _step(row: list[Any]) -> Step:
    number, path, target, facts, digest, keeper, staged = row
    for text in (path, *(text for text in (target, keeper) if text != "")):
        _path(text)
    beside = os.path.dirname(staged) == os.path.dirname(path) and _STAGED_NAME.fullmatch(os.path.basename(staged))
    if not beside or not isinstance(digest, str):  # a file with such a name is renamed and removed
        raise ValueError(row)
    return Step(int(number), path, target, _facts(facts), digest, keeper, staged)


def _path(text: Any) -> str:
    """Return an absolute path that a file can have; raises `ValueError` for anything else."""
    if not isinstance(text, str) or not paths.is_name(text) or not os.path.isabs(text):
        raise ValueError(text)
    return text


def _facts(row: list[Any]) -> Facts:
    """Return facts that a file can have; raises `ValueError` for others."""
    facts = Facts(*map(int, row))
    times = max(abs(facts.mtime_ns), abs(facts.atime_ns))
    if not (0 <= facts.mode <= 0o7777 and 0 <= min(facts.uid, facts.gid) <= max(facts.uid, facts.gid) < 1 << 32):
        raise ValueError(row)
    if times >= 1 << 63:
        raise ValueError(row)
    return facts
