"""Undo the steps of a journal, and repair the step at which a run was killed."""

import contextlib
import os
from collections.abc import Callable

from twinpix.act import actions, filesystem, journal
from twinpix.act.actions.base import Linking, LostError
from twinpix.act.locate import Seeker
from twinpix.act.lock import acting_once
from twinpix.act.outcome import STOPPED, Outcome, defer_interrupts, kind_of, reason_of
from twinpix.act.steps import Skipped, Step
from twinpix.errors import ReportError, SkipKind, StepError
from twinpix.paths import is_within_any
from twinpix.progress import Progress, ProgressLike, progress_of
from twinpix.text import printable

_UNREAD = "cannot be read: its step is not undone"
CompleteUnit = Callable[[journal.JournalRun, list[int], actions.Action, journal.Journal], list[Skipped]]
"""Does the steps with these numbers, which a killed run did not reach, and returns the files that were left alone."""


def undo(path: str, progress: ProgressLike = None) -> Outcome:
    """Undo the steps of a journal, the last one first. May be called again: steps that were undone are skipped.

    Args:
        path: Path of a journal that `apply`, or `resolve --move URL`, wrote.
        progress: As for `find`.

    Returns:
        The number of restored files, and the files that were left alone with the reason: changed since, or another file
        has their name.

    Raises:
        UsageError: There is no journal at `path`.
        ReportError: The file cannot be read, is no journal, names files outside the folders of its report, or could
            have been written by another user.
        RefusedError: Another run is changing files.
        OutputError: The journal cannot be written; no file was changed.

    Example:
        >>> plan = twinpix.plan(twinpix.find("photos", store=None), "move:to=duplicates")
        >>> with twinpix.acting():
        ...     _ = twinpix.apply(plan, "report.journal.jsonl")
        >>> twinpix.undo("report.journal.jsonl").done, sorted(os.listdir("photos"))
        (1, ['beach.jpg', 'beach.png', 'forest.png'])
    """
    progress = progress_of(progress)
    path = os.path.realpath(path)
    if _is_of_objects(path):
        from twinpix.act.objects.undo import undo_objects

        return undo_objects(path, progress)
    with acting_once():
        record = journal.read(path)
        require_near(record)
        outcome = Outcome(path, skipped=recover_journal(record))
        outcome.skipped += [
            Skipped(path, f"line {number} {_UNREAD}", 0, True, SkipKind.UNREADABLE)
            for number in _unreadable_lines(record)
        ]
        log = journal.Journal(path)
        try:
            with (
                progress.stage("undo", sum(len(session.steps) for session in record.sessions)),
                defer_interrupts() as asked,
            ):
                for session in reversed(record.sessions):
                    _undo_session(session, outcome, log, progress, asked)
            log.sync()
        except journal.WriteError as error:  # the files themselves show which steps were undone
            outcome.stopped = outcome.stopped or reason_of(error)
        finally:
            log.close()
    return outcome


def _is_of_objects(path: str) -> bool:
    """True for a journal of objects of a store, which has its own package."""
    if not os.path.isfile(path) or journal.is_one(path):
        return False
    from twinpix import journals  # most journals are of files, and undo loads few modules

    return journals.is_one(path, journals.OBJECTS)


def require_near(record: journal.Record) -> None:
    """Raise `ReportError` if a journal names files outside the folders of its report."""
    for session in record.sessions:
        if session.roots and actions.make(session.action, session.options).on == "discards":
            roots, near = set(session.roots), set(map(os.path.dirname, session.roots))
            for step in session.steps.values():
                folder = os.path.dirname(
                    step.path
                )  # of a companion file: beside an image, or in a folder beside its folder
                if not is_within_any(step.path, roots) and not near & {folder, os.path.dirname(folder)}:
                    raise ReportError(
                        f"the journal {record.path} is not used: it names {printable(step.path)}, which is outside "
                        "of the folders of its report. Nothing was changed"
                    )


def _unreadable_lines(record: journal.Record) -> list[int]:
    """Return the unreadable lines, without the last line of a run that was killed while it wrote the journal."""
    numbers = list(record.unread)
    for session in record.sessions:
        if session.ready or session.done or len(session.unread) > 1:
            numbers += session.unread
    return numbers


def _undo_session(
    session: journal.JournalRun,
    outcome: Outcome,
    log: journal.Journal,
    progress: Progress,
    asked: Callable[[], bool],
) -> None:
    action = actions.make(session.action, session.options)
    for number in session.doubtful - session.done - session.undone:
        if _took_place(session.steps[number], action):
            session.done.add(number)
    done = session.done - session.undone
    seeker = Seeker(session)
    for number in sorted(session.steps, reverse=True):
        if asked():
            outcome.stopped = STOPPED
            return
        progress.advance()
        if number in done and _take_back(session, number, action, log, outcome.skipped, seeker):
            outcome.done += 1
            outcome.bytes += session.steps[number].facts.size
            outcome.copies += action.on == "kept"
    for folder in reversed(session.folders):
        with contextlib.suppress(OSError):  # another program has created a file there
            os.rmdir(folder)


def _took_place(step: Step, action: actions.Action) -> bool:
    """True if the files show that a step was completed, though its journal has an error of the operating system.

    The error may have been one of writing the journal. Repairs an incomplete step.
    """
    with contextlib.suppress(StepError, OSError):
        return action.recover(step) and os.path.lexists(step.target or step.path)
    return False


def recover_journal(record: journal.Record, complete: CompleteUnit | None = None) -> list[Skipped]:
    """Repair what a killed run left incomplete, in the files and in its journal.

    Afterwards every file is at its old path or at its target, and all files of a unit are at one place. A unit of an
    action without undo is passed to `complete`; without that function it stays incomplete. Returns the files that could
    not be repaired.
    """
    left: list[Skipped] = []
    log = journal.Journal(record.path)
    try:
        for session in record.sessions:
            if not session.ended:
                _recover_session(session, complete, log, left)
    finally:
        log.close()
    return left


def _recover_session(
    session: journal.JournalRun, complete: CompleteUnit | None, log: journal.Journal, left: list[Skipped]
) -> None:
    action = actions.make(session.action, session.options)
    settled = True
    known = session.done | session.failed | session.undone
    for number, step in session.steps.items():
        if number not in known:
            try:
                if action.recover(step):
                    log.note_soon(done=number)
                    session.done.add(number)
            except (StepError, OSError) as error:
                left.append(Skipped(step.path, reason_of(error), 0, True, kind_of(error)))
                settled = settled and not isinstance(error, OSError)
    for unit in session.units:
        done = session.done.intersection(unit) - session.undone
        if not done or len(done) == len(unit):
            continue
        if not action.permanent:
            for number in sorted(done, reverse=True):
                _take_back(session, number, action, log, left)
        elif complete:
            left += complete(session, sorted(set(unit) - done), action, log)
    if settled:  # else the next run tries again
        log.note_soon(end="recovered")
        session.ended = "recovered"


def _take_back(
    session: journal.JournalRun,
    number: int,
    action: actions.Action,
    log: journal.Journal,
    left: list[Skipped],
    seeker: Seeker | None = None,
) -> bool:
    """Undo one step and record that; a step that cannot be undone is left."""
    step = session.steps[number]
    try:
        filesystem.restore_name(step.path, step.target, step.staged)  # finishes an undo that was killed
        if step.target:
            filesystem.restore_name(step.target, "", filesystem.beside(step.staged, step.target))
        back = action.undo(step)
    except (StepError, OSError) as error:
        if number not in session.done:
            return False
        if reason := _by_other_bytes(step, action, error, seeker or Seeker(session)):
            left.append(Skipped(step.path, reason, 0, True, kind_of(error)))
            return False
        back = True
    log.note_soon(undone=number)
    session.undone.add(number)
    return back


def _by_other_bytes(step: Step, action: actions.Action, error: Exception, seeker: Seeker) -> str:
    """Replace a link by a file from another one with its bytes; returns "" or the reason of a failure."""
    why = reason_of(error)
    if isinstance(error, LostError) and isinstance(action, Linking):
        found = seeker.find(step)
        if not found:
            where = ", ".join(map(printable, seeker.folders)) or "its report's folders, which no longer exist"
            return f"{why}; no file with its bytes is found in {where}: restore the keeper, then run undo again"
        try:
            action.put_back(step, found)
        except (StepError, OSError) as second:
            return f"{why}; its bytes are at {printable(found)}, but {reason_of(second)}"
        return ""
    if step.target and not os.path.lexists(step.target) and (found := seeker.find(step)):
        return f"{why}; a file with its bytes is {printable(found)}"
    return why
