"""Move the objects of a plan: each is checked, copied, checked again, and only then deleted."""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

from twinpix.act.objects import reading, recovery
from twinpix.act.objects.companions import number_url
from twinpix.act.objects.journal import ObjectJournal
from twinpix.act.objects.keepers import Keepers
from twinpix.act.objects.steps import ObjectPlan, ObjectStep, ObjectUnit
from twinpix.act.objects.transfer import Transfer
from twinpix.act.outcome import STOPPED, Outcome, defer_interrupts
from twinpix.act.steps import Skipped
from twinpix.errors import SkipKind, StepError, system_reason
from twinpix.progress import ProgressLike, progress_of
from twinpix.sources import storage

_FAILURES = 2 * storage.REQUESTS
"""Units in a row that fail because of the store, after which a run ends: each of them takes seconds."""


def move_objects(plan: ObjectPlan, journal: ObjectJournal, progress: ProgressLike = None) -> Outcome:
    """Move the objects of a plan; all steps are in the journal, on the disk, before the first change.

    An object whose bytes or keeper have changed is left alone, and nothing is overwritten. Of a unit all objects are
    moved or none. Several groups are processed at once, because each request waits for the store.

    Raises `OutputError` if the journal cannot be written; nothing was changed.
    """
    outcome = Outcome(journal.path, skipped=list(plan.skipped))
    if not plan.units:
        return outcome
    groups: dict[int, list[ObjectUnit]] = defaultdict(list)
    for unit in journal.begin(plan.units):
        groups[unit.group].append(unit)
    with progress_of(progress).stage("move", len(plan.units)), defer_interrupts() as asked:
        run = _Run(journal, outcome, asked)
        for count in storage.ahead(run.group, list(groups.values())):
            progress_of(progress).advance(count)
    return outcome


class _Run:
    """One run; its methods are called in several threads, each for other groups."""

    def __init__(self, journal: ObjectJournal, outcome: Outcome, asked: Callable[[], bool]) -> None:
        self._journal, self._outcome, self._asked = journal, outcome, asked
        self._keepers = Keepers()
        self._reserved = {step.target for step in journal.steps.values()}  # by all steps: threads do not share a name
        self._lock = threading.Lock()
        self._failures = 0  # units in a row that failed because of the store

    def group(self, units: Sequence[ObjectUnit]) -> int:
        """Move the units of a group, one after the other; returns their number."""
        for unit in units:
            if self._asked():
                self._outcome.stopped = self._outcome.stopped or STOPPED
            if self._outcome.stopped:
                break
            self._unit(unit)
        return len(units)

    def _unit(self, unit: ObjectUnit) -> None:
        transfers: list[tuple[ObjectStep, Transfer]] = []
        try:
            for step in unit.steps:
                transfer = Transfer(step.source, step.target, step.size, step.digest)
                self._require_keeper(step, transfer)
                transfers.append((step, transfer))
            for step, transfer in transfers:
                self._copy(step, transfer)
            for step, transfer in transfers:
                self._require_keeper(step, transfer)
                transfer.delete()
        except StepError as error:
            self._give_up(unit, transfers, error)
            return
        except OSError as error:  # of the journal
            why = f"the journal could not be written: {system_reason(error)}"
            self._outcome.stopped = f"stopped, because {why}; run the same command to continue"
            self._give_up(unit, transfers, StepError(why, SkipKind.SYSTEM))
            return
        self._note_done(unit)

    def _require_keeper(self, step: ObjectStep, transfer: Transfer) -> None:
        """Raise `StepError` unless the source has the bytes of the report, and the keeper is there."""
        seen = transfer.seen or transfer.read()
        if step.keeper:
            self._keepers.require(step.keeper, step.keeper_digest, step.source, seen)

    def _copy(self, step: ObjectStep, transfer: Transfer) -> None:
        transfer.target = self._free_target(step.target)
        self._journal.note(step.number, "copying", target=transfer.target)
        transfer.copy()
        self._journal.note(step.number, "copied")

    def _free_target(self, planned: str) -> str:
        """Return the planned target, or a free one with a number that no other step has; raises `StepError`."""
        target, number = planned, 1
        while reading.is_taken(target):
            with self._lock:
                while target in self._reserved:
                    number += 1
                    target = number_url(planned, number)
                self._reserved.add(target)
        return target

    def _note_done(self, unit: ObjectUnit) -> None:
        with self._lock:
            self._failures = 0
            self._outcome.done += len(unit.steps)
            self._outcome.bytes += sum(step.size for step in unit.steps)
        try:
            for step in unit.steps:
                self._journal.note(step.number, "done")
        except OSError as error:  # the objects are moved, and the next run notes it
            why = system_reason(error)
            self._outcome.stopped = f"stopped, because the journal could not be written: {why}; run the same command"

    def _give_up(self, unit: ObjectUnit, transfers: Sequence[tuple[ObjectStep, Transfer]], error: StepError) -> None:
        """Restore the state before a unit as far as that is proven to be safe, and record the reason."""
        why = str(error)
        try:
            if any(transfer.deleted for _, transfer in transfers):
                steps = [self._journal.steps[step.number] for step in unit.steps]
                why += "".join(f"; {row.reason}" for row in recovery.move_back(steps, self._journal, why))
            else:
                why += self._drop_copies(transfers, why)
        except OSError as second:  # of the journal
            why += f"; the journal could not be written: {system_reason(second)}; the next run repairs this"
            self._outcome.stopped = self._outcome.stopped or f"stopped: {why}"
        self._outcome.skipped.append(Skipped(unit.steps[0].source, why, unit.group, True, error.kind))
        with self._lock:
            self._failures += error.kind is SkipKind.SYSTEM
            if self._failures >= _FAILURES:
                self._outcome.stopped = self._outcome.stopped or f"stopped after {_FAILURES} failures in a row"

    def _drop_copies(self, transfers: Sequence[tuple[ObjectStep, Transfer]], why: str) -> str:
        """Remove the copies of a unit of which nothing was deleted; returns the words about those that stay."""
        words = ""
        for step, transfer in transfers:
            if step.number not in self._journal.states:
                continue
            try:
                transfer.drop_copy()
            except StepError as error:
                words += f"; a copy of it is at {transfer.target} ({error}); the next run examines it"
                if error.kind is SkipKind.DENIED:
                    self._outcome.stopped = (
                        f"stopped, because the store does not permit to delete objects; a copy is at {transfer.target}"
                    )
                continue
            self._journal.note(step.number, "failed", why=why)
        return words
