"""Apply a plan: check the files of each unit, write the journal, and do the steps."""

import errno
import os
import secrets
from collections.abc import Callable, Iterator, Sequence

from twinpix import paths
from twinpix.act import actions, filesystem, journal
from twinpix.act.actions import Scope
from twinpix.act.checks import Checks
from twinpix.act.lock import acting_once
from twinpix.act.outcome import STOPPED, Outcome, defer_interrupts, kind_of, reason_of
from twinpix.act.steps import Plan, Skipped, Step, Unit
from twinpix.errors import OutputError, StepError, system_reason
from twinpix.progress import Progress, ProgressLike, progress_of
from twinpix.text import printable

_HOPELESS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE})


def apply(plan: Plan, path: str, progress: ProgressLike = None) -> Outcome:
    """Apply a plan, while no other run changes files.

    It holds the lock of `acting`: that of the caller inside `with acting()`, else one of its own. Make the plan inside
    too if another run may change the same files in between: what was changed meanwhile is left alone.

    The journal has every step on disk before the first step. Each file and its keeper are checked immediately before
    the step, and a changed file is left alone. Either all files of a unit (an image and its companion files) are
    changed or none. Nothing is overwritten.

    Args:
        plan: A plan of `twinpix.plan`.
        path: Path of the journal, from which `undo` reverses the steps. An existing journal is continued.
        progress: As for `find`.

    Returns:
        The number of changed files, and the files that were left alone with the reason.

    Raises:
        RefusedError: The action is impossible, or another run is changing files; no file was changed.
        OutputError: The journal cannot be written; no file was changed.
        ReportError: `path` is a file that is no journal, or that another user could have written; no file was changed.

    Example:
        >>> plan = twinpix.plan(twinpix.find("photos", store=None), "move:to=duplicates")
        >>> with twinpix.acting():
        ...     outcome = twinpix.apply(plan, "report.journal.jsonl")
        >>> outcome.done, os.listdir("duplicates")
        (1, ['beach.jpg'])
    """
    progress = progress_of(progress)
    if not plan.units:
        return Outcome("", skipped=list(plan.skipped))
    with acting_once():
        return _apply(plan, path, progress)


def _apply(plan: Plan, path: str, progress: Progress) -> Outcome:
    run = _Run(plan, Outcome(path, skipped=list(plan.skipped)))
    run.action.prepare(Scope(plan.roots, plan.references), apply=True)
    first = journal.read(path).free_number if os.path.lexists(path) else 0
    units = list(_number_steps(plan.units, first))
    log = journal.Journal(path)
    try:
        _begin(plan, units, log, run.action)
        with progress.stage(run.action.verb, len(units)), defer_interrupts() as asked:
            run.all(units, log, progress, asked)
        if not run.unsettled:  # else the session remains open: the next run examines the files again
            log.note_soon(end="stopped" if run.outcome.stopped else "done")
        log.sync()
    except journal.WriteError as error:
        run.outcome.stopped = (
            run.outcome.stopped or f"{reason_of(error)}: the next run examines the files and repairs this"
        )
    finally:
        log.close()
    return run.outcome


def _begin(plan: Plan, units: Sequence[Unit], log: journal.Journal, action: actions.Action) -> None:
    kept = plan.kept if action.permanent else ()
    try:
        log.begin(plan.action, plan.options, plan.report, units, kept, roots=plan.roots)
    except journal.WriteError as error:
        why = f"cannot write the journal {log.path}: {system_reason(error)}"
        raise OutputError(f"{why}; nothing was done. Free some space, or choose another path for the journal") from None


def _number_steps(units: Sequence[Unit], first: int) -> Iterator[Unit]:
    """Yield the units with numbered steps, each with its own temporary name."""
    token = secrets.token_hex(4)
    number = first
    for unit in units:
        steps = []
        for step in unit.steps:
            staged = os.path.join(os.path.dirname(step.path), f".twinpix-{token}-{number}")
            steps.append(step._replace(number=number, staged=staged))
            number += 1
        yield unit._replace(steps=steps)


class _Run:
    """The application of one plan."""

    def __init__(self, plan: Plan, outcome: Outcome) -> None:
        self.outcome = outcome
        self.action = actions.of(plan)
        self._checks = Checks(self.action, plan.kept)
        self._folders: set[str] = set()
        self.unsettled: set[int] = set()  # numbers of steps that were interrupted

    def all(self, units: Sequence[Unit], log: journal.Journal, progress: Progress, asked: Callable[[], bool]) -> None:
        for unit in units:
            self._unit(unit, log)
            progress.advance()
            if asked():
                self.outcome.stopped = STOPPED
            if self.outcome.stopped:
                return

    def _unit(self, unit: Unit, log: journal.Journal) -> None:
        done: list[Step] = []
        try:
            self._checks.begin(unit.steps)
            for step in unit.steps:
                self._step(step, log, done)
        except (StepError, OSError) as error:
            self._give_up(unit, done, error, log)
            return
        finally:
            self._checks.end()
        self.outcome.done += len(done)
        self.outcome.bytes += sum(step.facts.size for step in done)

    def _step(self, step: Step, log: journal.Journal, done: list[Step]) -> None:
        """Do a step, under another target name if that one exists by now; append it to `done` if it was completed."""
        while True:
            try:
                self._make_folder(step.target, log)
                self.action.do(step, self._checks.guard(step))
            except FileExistsError:
                if not step.target or not os.path.lexists(step.target):
                    raise
                step = step._replace(target=paths.free_name(step.target))
                log.note(target=step.number, to=step.target)
                log.sync()
            except (StepError, OSError) as error:
                if self._took_place(step, error):
                    done.append(step)
                    log.note_soon(done=step.number)
                raise
            else:
                done.append(step)
                log.note_done(step.number)
                return

    def _took_place(self, step: Step, error: Exception) -> bool:
        """Repair an interrupted step after an error; returns True if the files show that it was completed.

        Network file systems may report an error for an operation that they have done.
        """
        try:
            if not self.action.recover(step):
                return False
        except (StepError, OSError):
            self.unsettled.add(step.number)
            return False
        return os.path.lexists(step.target) if step.target else not isinstance(error, FileNotFoundError)

    def _make_folder(self, target: str, log: journal.Journal) -> None:
        folder = os.path.dirname(target)
        if folder and folder not in self._folders:
            for made in filesystem.make_folders(folder):
                log.note(folder=made)
            self._folders.add(folder)

    def _give_up(self, unit: Unit, done: Sequence[Step], error: Exception, log: journal.Journal) -> None:
        """Undo the steps of a unit that were done, and record the reason."""
        why = reason_of(error)
        for step in reversed(done):
            try:
                self.action.undo(step)
                log.note_soon(undone=step.number)
            except (StepError, OSError) as second:
                why += f"; {printable(os.path.basename(step.path))} could not be restored: {reason_of(second)}"
                self.outcome.done += 1
                self.outcome.bytes += step.facts.size
        for step in unit.steps[len(done) :]:
            if step.number not in self.unsettled:
                log.note_soon(failed=step.number, why=why, system=_is_of_system(error))
            elif os.path.lexists(step.staged + filesystem.OLD):
                at = printable(step.staged + filesystem.OLD)
                why += f"; its previous bytes are at {at}; the next run repairs this"
        self.outcome.skipped.append(Skipped(unit.steps[0].path, why, unit.group, True, kind_of(error)))
        if isinstance(error, journal.WriteError) or (isinstance(error, OSError) and error.errno in _HOPELESS):
            self.outcome.stopped = f"{why}: stopped at the first file that could not be {self.action.done}"


def _is_of_system(error: Exception) -> bool:
    """True for an error of the operating system, after which the step may nevertheless be complete."""
    return isinstance(error, OSError) and not isinstance(error, journal.WriteError)
