"""Repair what a killed run left: each unit is then at its targets only, or at its old places only."""

from collections.abc import Sequence

from twinpix.act.objects import reading
from twinpix.act.objects.journal import OPEN, RESTORING, ObjectJournal
from twinpix.act.objects.steps import ObjectStep
from twinpix.act.objects.transfer import Transfer
from twinpix.act.steps import Skipped
from twinpix.errors import SkipKind, StepError


def recover(journal: ObjectJournal) -> list[Skipped]:
    """Repair all units at which a run or an undo was killed; returns the objects for which that is impossible now."""
    left: list[Skipped] = []
    for steps in journal.units():
        if any(journal.states.get(step.number) in OPEN for step in steps):
            left += _recover_unit(steps, journal)
    return left


def _recover_unit(steps: Sequence[ObjectStep], journal: ObjectJournal) -> list[Skipped]:
    """Note a unit as done if it is moved as a whole, else move it back."""
    try:
        if all(_is_moved(step, journal) for step in steps):
            for step in steps:
                if journal.states.get(step.number) != "done":
                    journal.note(step.number, "done")
            return []
    except StepError as error:
        return [Skipped(steps[0].source, f"cannot be examined after a stopped run: {error}", 0, True, error.kind)]
    return move_back(steps, journal, "the run was stopped")


def _is_moved(step: ObjectStep, journal: ObjectJournal) -> bool:
    """True if an object is at its target only; raises `StepError`."""
    if journal.states.get(step.number) == "done":
        return True
    return step.number in journal.states and reading.look(step.source) is None and _holds(step.target, step)


def move_back(steps: Sequence[ObjectStep], journal: ObjectJournal, why: str) -> list[Skipped]:
    """Move the objects of an incomplete unit back to their old places; returns those for which that is impossible."""
    left: list[Skipped] = []
    for step in reversed(steps):
        state = journal.states.get(step.number)
        if state != "done" and state not in OPEN:
            continue
        try:
            rest = _drop_copy(step) if reading.look(step.source) is not None else _restore(step)
        except StepError as error:
            reason = f"{error}; a copy of it may be at {step.target}; the next run repairs this"
            left.append(Skipped(step.source, reason, 0, True, error.kind))
            continue
        if rest:
            left.append(Skipped(step.source, rest, 0, True, SkipKind.CHANGED))
        if state in RESTORING:
            journal.note(step.number, "undone")
        else:
            journal.note(step.number, "failed", why=why)
    return left


def _drop_copy(step: ObjectStep) -> str:
    """Remove the copy of an object that is at its old place; returns what to report. Raises `StepError`."""
    if reading.look(step.target) is None:
        return ""
    transfer = Transfer(step.source, step.target, step.size, step.digest)
    try:
        transfer.read()
    except StepError as error:
        if error.kind is not SkipKind.CHANGED:
            raise
        return f"was changed during a run that was stopped; its earlier bytes are at {step.target}"
    if not _holds(step.target, step):
        return ""  # another program's object
    transfer.adopt()
    transfer.drop_copy()
    return ""


def _restore(step: ObjectStep) -> str:
    """Move an object back from its target; returns what to report. Raises `StepError`."""
    if not _holds(step.target, step):
        return f"is neither at its place nor, unchanged, at {step.target}"
    back = Transfer(step.target, step.source, step.size, step.digest)
    back.read()
    back.copy()
    back.delete()
    return ""


def _holds(url: str, step: ObjectStep) -> bool:
    """True if an object has the bytes of the step; raises `StepError`."""
    seen = reading.look(url)
    return seen is not None and seen.size == step.size and reading.sums_of(url, seen.size).digest == step.digest
