"""Undo the moves of a journal of objects: copy back, check the copy, delete the moved object."""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

from twinpix.act.lock import acting_once
from twinpix.act.objects import reading, recovery
from twinpix.act.objects.journal import RESTORING, ObjectJournal, opened, require_exists, require_near
from twinpix.act.objects.reading import Seen
from twinpix.act.objects.steps import ObjectStep
from twinpix.act.objects.transfer import Transfer
from twinpix.act.outcome import STOPPED, Outcome, defer_interrupts
from twinpix.act.steps import Skipped
from twinpix.errors import SkipKind, StepError, system_reason
from twinpix.progress import ProgressLike, progress_of
from twinpix.sources import storage


def undo_objects(path: str, progress: ProgressLike = None) -> Outcome:
    """Move the objects of a journal back. May be called again: steps that were undone are skipped.

    An object that was changed since, or whose old name another one has, is left where it is.
    """
    require_exists(path)
    with acting_once(), opened(path) as journal:
        require_near(journal)
        restoring = [number for number, state in journal.states.items() if state in RESTORING]
        outcome = Outcome(path, skipped=recovery.recover(journal))
        for number in restoring:
            if journal.states[number] == "undone":
                _count(outcome, journal.steps[number])
        outcome.skipped += [
            Skipped(path, f"line {number} cannot be read: its step is not undone", 0, True, SkipKind.UNREADABLE)
            for number in journal.unread
        ]
        steps: dict[str, list[ObjectStep]] = defaultdict(list)  # by old URL: the steps of one follow each other
        for number in sorted(journal.states, reverse=True):
            if journal.states[number] == "done":
                steps[journal.steps[number].source].append(journal.steps[number])
        with progress_of(progress).stage("undo", sum(map(len, steps.values()))), defer_interrupts() as asked:
            run = _Undo(journal, outcome, asked)
            for count in storage.ahead(run.all, list(steps.values())):
                progress_of(progress).advance(count)
    return outcome


class _Undo:
    """One undo; its methods are called in several threads, each for objects of other names."""

    def __init__(self, journal: ObjectJournal, outcome: Outcome, asked: Callable[[], bool]) -> None:
        self._journal, self._outcome, self._asked = journal, outcome, asked
        self._lock = threading.Lock()

    def all(self, steps: Sequence[ObjectStep]) -> int:
        """Undo steps, one after the other; returns their number."""
        for step in steps:
            self._step(step)
        return len(steps)

    def _step(self, step: ObjectStep) -> None:
        """Undo one step, or record why it is left."""
        if self._asked():
            self._outcome.stopped = self._outcome.stopped or STOPPED
        if self._outcome.stopped:
            return
        try:
            restored = self._take_back(step)
            self._journal.note(step.number, "undone")
        except StepError as error:
            self._outcome.skipped.append(Skipped(step.source, str(error), 0, True, error.kind))
            return
        except OSError as error:  # of the journal; the objects show what was done
            self._outcome.stopped = f"the journal could not be written: {system_reason(error)}; run undo again"
            return
        if restored:
            with self._lock:
                _count(self._outcome, step)

    def _take_back(self, step: ObjectStep) -> bool:
        """Move an object back; False if it is there. Raises `StepError` if it is left, `OSError` of the journal."""
        back = Transfer(step.target, step.source, step.size, step.digest)
        here, there = reading.look(step.source), reading.look(step.target)
        if there is None:
            _require_restored(step, here)
            return False
        if here is not None:
            raise StepError(f"another object has its name; it is left at {step.target}", SkipKind.NAME_TAKEN)
        try:
            back.read()
        except StepError as error:
            why = "was changed since" if error.kind is SkipKind.CHANGED else f"cannot be read: {error}"
            raise StepError(f"{why}; it is left at {step.target}", error.kind) from None
        self._copy_back(step, back)
        try:
            back.delete()
        except StepError as error:
            raise StepError(f"{error}; it is at {step.target} too; run undo again", error.kind) from None
        return True

    def _copy_back(self, step: ObjectStep, back: Transfer) -> None:
        self._journal.note(step.number, "restoring")
        try:
            back.copy()
        except StepError as error:
            raise StepError(f"{error}; it is left at {step.target}; run undo again", error.kind) from None
        self._journal.note(step.number, "restored")


def _require_restored(step: ObjectStep, here: Seen | None) -> None:
    """Raise `StepError` unless an object that is not at its target is at its old place, with its bytes."""
    if here is None:
        raise StepError(f"is neither at its place nor at {step.target}", SkipKind.GONE)
    if here.size != step.size or reading.sums_of(step.source, here.size).digest != step.digest:
        why = f"another object has its name, and it is not at {step.target} any more"
        raise StepError(why, SkipKind.NAME_TAKEN)


def _count(outcome: Outcome, step: ObjectStep) -> None:
    outcome.done += 1
    outcome.objects += 1
    outcome.bytes += step.size
