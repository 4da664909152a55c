"""The journal of moved objects: a header, all steps of a run, and a line before and after each change.

    {"format": "twinpix.objects/1", "version": ..., "id": ..., "target": URL, "report": path, "digest": of the report,
     "roots": scanned URLs}
    {"number": 0, "unit": 0, "source": URL, "target": URL, "size": ..., "digest": ..., "version": ..., "keeper": ...,
     "keeper_digest": ..., "companion": false}   all steps of a run, before its first change
    {"step": 0, "state": "copying", "target": URL}   the name is free, and the copy is made next
    {"step": 0, "state": "copied"}                   the copy is checked, and the object is deleted next
    {"step": 0, "state": "done"}                     the object is at its target only
    {"step": 0, "state": "failed", "why": ...}       the object is at its old place, and no copy is left
    {"step": 0, "state": "restoring"}, "restored", "undone"   the same in the other direction

URLs have no credentials. What a killed run left is found out from the store, not from the journal alone.
"""

import contextlib
import hashlib
import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal, get_args

from twinpix import journals, owners
from twinpix.act.journal import report_digest
from twinpix.act.objects.steps import ObjectStep, ObjectUnit
from twinpix.errors import OutputError, ReportError, UsageError, system_reason
from twinpix.sources.credentials import show_url

State = Literal["copying", "copied", "done", "failed", "restoring", "restored", "undone"]
RESTORING: frozenset[State] = frozenset({"restoring", "restored"})
OPEN: frozenset[State] = frozenset({"copying", "copied", *RESTORING})
"""States in which a run or an undo was killed, or could not find out what the store has done."""


class ObjectJournal:
    """The steps of all runs of a journal with their states.

    Attributes:
        path: Its path.
        steps: The steps by number, each with its last target.
        states: The last state of each step that was begun.
        unread: The numbers of lines that cannot be read.
    """

    def __init__(self, file: journals.JournalFile) -> None:
        self._file, self.path, self.unread = file, file.path, list(file.unread)
        self._lock = threading.Lock()
        self.steps: dict[int, ObjectStep] = {}
        self.states: dict[int, State] = {}
        for number, line in enumerate(file.lines, 2):
            try:
                self._take(line)
            except (TypeError, KeyError, ValueError):
                self.unread.append(number)

    def _take(self, line: dict[str, object]) -> None:
        if "number" in line:
            step = ObjectStep(**line)  # type: ignore[arg-type]
            self.steps[int(step.number)] = step
            return
        number = int(str(line["step"]))
        step = self.steps[number]
        if line["state"] not in get_args(State):
            raise ValueError
        self.states[number] = line["state"]  # type: ignore[assignment]
        if target := line.get("target"):
            self.steps[number] = step._replace(target=str(target))

    @property
    def target(self) -> str:
        return str(self._file.header.get("target", ""))

    @property
    def roots(self) -> list[str]:
        return [str(root) for root in self._file.header.get("roots", ())]

    def units(self) -> list[list[ObjectStep]]:
        """Return the steps of each unit, in their order."""
        found: dict[int, list[ObjectStep]] = defaultdict(list)
        for number in sorted(self.steps):
            found[self.steps[number].unit].append(self.steps[number])
        return list(found.values())

    def moved(self) -> dict[str, ObjectStep]:
        """Return the steps of the images that are at their targets, by their old URLs."""
        return {step.source: step for number, step in self.steps.items() if self.states.get(number) == "done"}

    def begin(self, units: Iterable[ObjectUnit]) -> list[ObjectUnit]:
        """Write all steps of a run to the disk; returns them with new numbers. Raises `OutputError`."""
        number = max(self.steps, default=-1) + 1
        unit_number = max((step.unit for step in self.steps.values()), default=-1) + 1
        out = []
        for unit in units:
            steps = []
            for step in unit.steps:
                steps.append(step._replace(number=number, unit=unit_number))
                number += 1
            out.append(unit._replace(steps=steps))
            unit_number += 1
        new = [step for unit in out for step in unit.steps]
        try:
            self._file.append(*(step._asdict() for step in new))
        except OSError as error:
            why = f"cannot write the journal {self.path}: {system_reason(error)}"
            raise OutputError(f"{why}; nothing was done. Choose another path by --journal") from None
        self.steps |= {step.number: step for step in new}
        return out

    def note(self, number: int, state: State, **values: str) -> None:
        """Write the state of a step to the disk; raises `OSError`."""
        with self._lock:
            self._file.append({"step": number, "state": state, **values})
            self.states[number] = state
            if target := values.get("target"):
                self.steps[number] = self.steps[number]._replace(target=target)


def default_path(report: str, target: str) -> str:
    """Return the path of the journal of a report and a target, beside the report."""
    digest = report_digest(report)
    ident = hashlib.blake2b(f"{target}\0{digest}".encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    stem = os.path.splitext(os.path.abspath(report))[0]
    return f"{stem}.objects-{ident}.jsonl"


@contextlib.contextmanager
def opened(path: str, *, report: str = "", target: str = "", roots: Iterable[str] = ()) -> Iterator[ObjectJournal]:
    """Open a journal to write to it; with a target it is created, or continues earlier runs on the same report.

    Raises `RefusedError` while another run writes it, and for a file that is no such journal; `ReportError` if another
    user could have written it; `OutputError`.
    """
    header = None
    if target:
        header = {
            "target": target,
            "report": report,
            "digest": report_digest(report),
            "roots": [show_url(root) for root in roots],
        }
    with journals.opened(path, journals.OBJECTS, header, same="digest") as file:
        if why := owners.stranger(os.fstat(file.handle)):
            raise ReportError(
                f"the journal {path} is not used: {why}, and who writes a journal decides which objects are moved. "
                "Choose another path by --journal"
            )
        yield ObjectJournal(file)


def read(path: str) -> ObjectJournal | None:
    """Read a journal; None if there is none. Raises `RefusedError`, `OutputError`."""
    file = journals.read(path, journals.OBJECTS)
    return ObjectJournal(file) if file is not None else None


def require_near(journal: ObjectJournal) -> None:
    """Raise `ReportError` if a journal names objects outside the folders of its report and its target."""
    for step in journal.steps.values():
        for url, folders in ((step.source, journal.roots), (step.target, [journal.target])):
            if not any(url == folder or url.startswith(folder.rstrip("/") + "/") for folder in folders):
                raise ReportError(
                    f"the journal {journal.path} is not used: it names {url}, which is outside of the folders of its "
                    "report. Nothing was changed"
                )


def require_exists(path: str) -> None:
    """Raise `UsageError` if there is no journal."""
    if not os.path.lexists(path):
        raise UsageError(f"{path}: no such journal; resolve --apply prints its name")
