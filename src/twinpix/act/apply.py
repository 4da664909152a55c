"""Carry out a plan: check, write down, act, one unit after the other."""

import contextlib
import errno
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from twinpix import paths
from twinpix.act import actions, filesystem, journal
from twinpix.act.actions import Scope
from twinpix.act.checks import Checks
from twinpix.errors import OutputError, StepError, system_reason
from twinpix.model import Left, Plan, Step, Unit
from twinpix.progress import Progress, ProgressLike, progress_of
from twinpix.text import printable

_HOPELESS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE})


STOPPED = "stopped by Ctrl-C"


@dataclass(slots=True)
class Outcome:
    """What was done, and what was not."""

    journal: str
    done: int = 0  # files
    bytes: int = 0
    left: list[Left] = field(default_factory=list)
    stopped: str = ""  # why it did not go to its end
    copies: int = 0  # of `done`, files that undo has removed, being copies


def apply(plan: Plan, path: str, progress: ProgressLike = None) -> Outcome:
    """Carry out a plan, with a journal at `path`; to be called while `acting`.

    Every step is in the journal and on the disk before the first is taken. Each file, and what stays of its
    group, is looked at and read again in the moment before; one that changed is left alone. What belongs
    together goes whole or not at all. Raises `RefusedError` when nothing can be done, before anything is.
    """
    progress = progress_of(progress)
    if not plan.units:
        return Outcome("", left=list(plan.left))
    run = _Run(plan, Outcome(path, left=list(plan.left)))
    run.action.prepare(Scope(plan.roots, plan.references), apply=True)
    first = journal.read(path).free_number if os.path.lexists(path) else 0
    units = list(_signed(plan.units, first))
    log = journal.Journal(path)
    try:
        _begin(plan, units, log, run.action)
        with progress.stage(run.action.verb, len(units)), patient() as asked:
            run.all(units, log, progress, asked)
        if not run.unsettled:  # else the session stays open: the next run looks at the files again
            log.note_soon(end="stopped" if run.outcome.stopped else "done")
        log.sync()
    except journal.WriteError as error:
        run.outcome.stopped = run.outcome.stopped or f"{reason_of(error)}: the next run looks at the files and mends it"
    finally:
        log.close()
    return run.outcome


def _begin(plan: Plan, units: Sequence[Unit], log: journal.Journal, action: actions.Action) -> None:
    stays = plan.stays if action.permanent else ()
    try:
        log.begin(plan.action, plan.options, plan.report, units, stays, roots=plan.roots)
    except journal.WriteError as error:
        why = f"cannot write the journal {log.path}: {system_reason(error)}"
        raise OutputError(f"{why}; nothing was done. Make room, or name another with --journal") from None


def _signed(units: Sequence[Unit], first: int) -> Iterator[Unit]:
    """The units as a journal has them: steps numbered through it, each with names of its own to be set aside."""
    token = secrets.token_hex(4)
    number = first
    for unit in units:
        steps = []
        for step in unit.steps:
            aside = os.path.join(os.path.dirname(step.path), f".twinpix-{token}-{number}")
            steps.append(step._replace(number=number, aside=aside))
            number += 1
        yield unit._replace(steps=steps)


@contextlib.contextmanager
def patient() -> Iterator[Callable[[], bool]]:
    """While this lasts Ctrl-C does not break off an act in the middle; what is given says whether it was asked for."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


class _Run:
    """A plan on its way."""

    def __init__(self, plan: Plan, outcome: Outcome) -> None:
        self.outcome = outcome
        self.action = actions.of(plan)
        self._checks = Checks(self.action, plan.stays)
        self._folders: set[str] = set()
        self.unsettled: set[int] = set()  # numbers of steps that are half done

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
        """Act, under another number if the name is taken by now; what was acted on is in `done`, even with an error."""
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
                log.done(step.number)
                return

    def _took_place(self, step: Step, error: Exception) -> bool:
        """After an error: mend what is half done of a step; True when the files say that it went to its end.

        Network file systems answer with an error to what they have done.
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
        """Take back what was done of a unit, and say why."""
        why = reason_of(error)
        for step in reversed(done):
            try:
                self.action.undo(step)
                log.note_soon(undone=step.number)
            except (StepError, OSError) as second:
                why += f"; {printable(os.path.basename(step.path))} could not be put back: {reason_of(second)}"
                self.outcome.done += 1
                self.outcome.bytes += step.facts.size
        for step in unit.steps[len(done) :]:
            if step.number not in self.unsettled:
                log.note_soon(failed=step.number, why=why, system=_is_of_system(error))
            elif os.path.lexists(step.aside + filesystem.ASIDE):
                why += f"; its old bytes are at {printable(step.aside + filesystem.ASIDE)}, which the next run mends"
        self.outcome.left.append(Left(unit.steps[0].path, why, unit.group, refused=True))
        if isinstance(error, journal.WriteError) or (isinstance(error, OSError) and error.errno in _HOPELESS):
            self.outcome.stopped = f"{why}: stopped at the first file that could not be {self.action.done}"


def reason_of(error: Exception) -> str:
    """Why a file is left alone."""
    if isinstance(error, journal.WriteError):
        return f"the journal could not be written: {system_reason(error)}"
    if isinstance(error, OSError):
        return f"could not be dealt with: {system_reason(error)}"
    return str(error)


def _is_of_system(error: Exception) -> bool:
    """True where the system gave an error for a file, which may hide that the step went to its end."""
    return isinstance(error, OSError) and not isinstance(error, journal.WriteError)
