"""One run of an action: with the lock, a journal, and the results of earlier runs on the same report."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from twinpix import owners
from twinpix.act import filesystem, journal
from twinpix.act.actions import Action
from twinpix.act.checks import Checks
from twinpix.act.lock import acting
from twinpix.act.outcome import kind_of, reason_of
from twinpix.act.steps import Skipped, Step
from twinpix.act.undo import recover_journal, require_near
from twinpix.errors import ReportError, StepError


class ActionRun(NamedTuple):
    """The journal of a run of an action, and what the run needs from earlier runs on the same report."""

    journal: str  # path of the journal; "" for a dry run
    dealt_with: dict[str, Step]  # processed files, by path
    unrepaired: list[Skipped]  # files of a killed run that could not be repaired


@contextlib.contextmanager
def open_run(
    report: str, action: str, options: Mapping[str, str], *, path: str | None = None, apply: bool
) -> Iterator[ActionRun]:
    """Prepare a run of an action on a report; with `apply`, hold the lock, and repair what a killed run left.

    `path` is that of the journal; by default it is beside the report or, if other users could write there, in the
    user's own folder. Raises `RefusedError` while another run changes files, `ReportError` for a journal that is
    invalid, that another user could have written, or that is unfinished and of another report.
    """
    with acting(report) if apply else contextlib.nullcontext():
        known = dict.fromkeys([*journals_of(report), *([path] if path and os.path.lexists(path) else [])])
        for name in known:
            _require_plain(name)
        records = [journal.read(name) for name in known]
        opened = [record for record in records if record.is_open]
        for record in opened if apply else ():
            _require_of(record, report)
            require_near(record)
        left = [row for record in opened if apply for row in recover_journal(record, _complete_unit)]
        done: dict[str, Step] = {}
        for record in records:
            done |= find_dealt_with(record, action, options)
        yield ActionRun(path or (_default_journal(report, records) if apply else ""), done, left)


def _require_plain(path: str) -> None:
    """Raise `ReportError` for a link: it may lead to the journal of another run."""
    if os.path.islink(path):
        raise ReportError(
            f"the journal {path} is a symbolic link, which twinpix never creates: remove it, then run this again"
        )


def _require_of(record: journal.Record, report: str) -> None:
    """Raise `ReportError` if an interrupted run was on another report than this one."""
    digest = journal.report_digest(report)
    if any(session.digest not in ("", digest) for session in record.sessions if not session.ended):
        raise ReportError(
            f"{record.path} is the journal of a run that was stopped in the middle, on another report than {report} is "
            f"now: undo that run first, or move the journal elsewhere"
        )


def _complete_unit(
    killed: journal.JournalRun, numbers: list[int], action: Action, log: journal.Journal
) -> list[Skipped]:
    """Do the steps of a unit that a killed run did not reach, after all checks of a new run.

    Returns the files of steps that could not be done.
    """
    checks = Checks(action, killed.kept.values())
    steps = [killed.steps[number] for number in numbers]
    try:
        checks.begin(steps)
        for step in steps:
            action.do(step, checks.guard(step))
            log.note_soon(done=step.number)
            killed.done.add(step.number)
    except (StepError, OSError) as error:
        why = f"{reason_of(error)}; what belongs with it was {action.done} by a run that was killed"
        return [Skipped(step.path, why, 0, True, kind_of(error)) for step in steps if step.number not in killed.done]
    finally:
        checks.end()
    return []


def mend(stem: str) -> list[Skipped]:
    """Repair what killed runs left whose journals `new_journal` has named; returns what could not be repaired.

    Raises `RefusedError` while another run changes files.
    """
    left: list[Skipped] = []
    with acting():
        for path in _journals(stem):
            _require_plain(path)
            if journal.is_one(path):  # else it is another program's file
                record = journal.read(path)
                require_near(record)
                left += recover_journal(record, _complete_unit) if record.is_open else []
    return left


def _default_journal(report: str, records: list[journal.Record]) -> str:
    """Return the journal of a killed run, to be continued, else a new one beside the report."""
    for record in records:
        if record.was_open:
            return record.path
    return new_journal(_stem(report))


def new_journal(stem: str) -> str:
    """Return the name of a new journal, numbered if the plain name exists.

    It is beside `stem`, or in the user's own folder if other users could write there.
    """
    if not _is_private(os.path.dirname(stem)):
        stem = _own_stem(stem)
        with contextlib.suppress(OSError):  # reported when the journal cannot be created
            os.makedirs(os.path.dirname(stem), mode=0o700, exist_ok=True)
    name, number = f"{stem}.journal.jsonl", 1
    while os.path.lexists(name):
        number += 1
        name = f"{stem}.journal-{number}.jsonl"
    return name


def _is_private(folder: str) -> bool:
    """True if a new file in a folder can be protected from other users, which not every file system offers."""
    name = os.path.join(folder, f".twinpix-{secrets.token_hex(8)}")
    try:
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return not os.path.isdir(folder)  # a folder that does not exist yet; in any other no file can be created
    try:
        return not owners.stranger(os.fstat(handle))
    finally:
        os.close(handle)
        os.unlink(name)


def _own_stem(stem: str) -> str:
    """Return where journals are that cannot be beside `stem`."""
    import hashlib

    import platformdirs

    folder = os.path.join(platformdirs.user_state_dir("twinpix", appauthor=False), "journals")
    mark = hashlib.blake2b(os.fsencode(stem), digest_size=8).hexdigest()
    return os.path.join(folder, f"{os.path.basename(stem)[:100]}-{mark}")


def _stem(report: str) -> str:
    return os.path.splitext(os.path.abspath(report))[0]


def journals_of(report: str) -> list[str]:
    """Return the journals beside a report, the oldest first."""
    return _journals(_stem(report))


def _journals(stem: str) -> list[str]:
    return [*_journals_at(stem), *_journals_at(_own_stem(stem))]


def _journals_at(stem: str) -> list[str]:
    folder, name = os.path.split(stem)
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    pattern = re.compile(re.escape(name) + r"\.journal(-[0-9]+)?\.jsonl")
    found = filter(pattern.fullmatch, names)
    return [os.path.join(folder, other) for other in sorted(found, key=lambda other: (len(other), other))]


def find_dealt_with(record: journal.Record, action: str, options: Mapping[str, str]) -> dict[str, Step]:
    """Return what the runs of a journal have processed in the same way, or removed, and not undone."""
    done: dict[str, Step] = {}
    for session in record.sessions:
        steps = (session.steps[number] for number in session.done - session.undone)
        same = (session.action, session.options) == (action, options)
        done.update((step.path, step) for step in steps if (same and _lasts(step)) or not os.path.lexists(step.path))
    return done


def acted_on(report: str) -> set[str]:
    """Return the absolute paths of the files that runs on a report have moved, replaced or deleted, and not undone.

    Raises `ReportError` for a journal that is invalid, or that another user could have written.
    """
    paths = set[str]()
    for record in map(journal.read, journals_of(report)):
        for run in record.sessions:
            if run.action != "copy":
                paths.update(run.steps[number].path for number in run.done - run.undone)
    return paths


def _lasts(step: Step) -> bool:
    """False if a target is no longer complete: a copy that its user removed is made again."""
    try:
        return not step.target or filesystem.facts_at(step.target).size == step.facts.size
    except StepError:
        return False
