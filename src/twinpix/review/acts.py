"""The acts of the page: a plan of the decided groups, its application and undo, each as `resolve` and `undo` do them.

One act runs at a time, in a thread of its own; the page asks for its progress.
"""

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import twinpix
from twinpix import report as reports
from twinpix.act import actions, session
from twinpix.act.steps import Plan
from twinpix.errors import TwinpixError
from twinpix.progress import Progress
from twinpix.review.sitting import Sitting
from twinpix.text import printable
from twinpix.ui import outcome_text, plan_text

ACTIONS = ("move", "trash", "copy", "hardlink", "symlink", "reflink", "delete")
"""Actions that the page offers, the reversible ones that need nothing else first."""

_LINES = 400  # of a plan or a result that the page shows


@dataclass
class Task(Progress):
    """An act that runs, or has ended: what the page shows of it."""

    what: str
    doing: str = ""
    total: int = 0
    done: int = 0
    lines: list[str] = field(default_factory=list)
    more: int = 0  # lines that are not shown
    error: str = ""
    ended: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    def start(self, stage: str, total: int) -> None:
        self.doing, self.total, self.done = stage, total, 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps

    def note(self, text: str) -> None:
        self.lines.append(text)

    def show(self, lines: list[str]) -> None:
        self.lines += lines[:_LINES]
        self.more += max(0, len(lines) - _LINES)

    def as_plain(self) -> dict[str, Any]:
        return {
            name: getattr(self, name)
            for name in ("what", "doing", "total", "done", "lines", "more", "error", "ended", "facts")
        }


class Acts:
    """Runs the acts of a sitting."""

    def __init__(self, sitting: Sitting) -> None:
        self._sitting = sitting
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.task: Task | None = None

    def plan(self, action: str, folder: str, sidecars: str) -> bool:
        """Begin to plan an action on the decided groups; False if another act runs."""
        return self._begin("plan", lambda task: self._plan(task, action, folder, sidecars))

    def apply(self, action: str, folder: str, sidecars: str, confirmed: str) -> bool:
        """Begin to carry out an action on the decided groups."""
        return self._begin("apply", lambda task: self._apply(task, action, folder, sidecars, confirmed))

    def undo(self, journal: str) -> bool:
        """Begin to undo a journal of this report."""
        return self._begin("undo", lambda task: self._undo(task, journal))

    def journals(self) -> list[dict[str, Any]]:
        """Return the journals of this report, the last one first."""
        names = session.journals_of(self._sitting.path)
        return [{"name": os.path.basename(name), "shown": printable(name)} for name in reversed(names)]

    def wait(self) -> None:
        """Wait until the act that runs has ended: files are never left in the middle of a step."""
        if self._thread is not None:
            self._thread.join()

    def _begin(self, what: str, work: Callable[[Task], None]) -> bool:
        with self._lock:
            if self.task is not None and not self.task.ended:
                return False
            self.task = task = Task(what)
            self._thread = threading.Thread(target=_run, args=(work, task))
            self._thread.start()
            return True

    def _plan(self, task: Task, action: str, folder: str, sidecars: str) -> None:
        act = _action(action, folder)
        with session.open_run(self._sitting.path, action, actions.options_of(act), apply=False) as run:
            plan = self._make(act, sidecars, run)
        task.show(list(plan_text.lines(plan)))
        task.facts = {**_facts(plan, act), "free": _free_bytes(folder) if folder else None}

    def _apply(self, task: Task, action: str, folder: str, sidecars: str, confirmed: str) -> None:
        act = _action(action, folder)
        with session.open_run(self._sitting.path, action, actions.options_of(act), apply=True) as run:
            plan = self._make(act, sidecars, run)
            if act.permanent and confirmed != f"delete {len(plan.steps)}":
                task.error = f"nothing was deleted: type “delete {len(plan.steps)}” to confirm"
                return
            try:
                outcome = twinpix.apply(plan, run.journal, task)
            finally:
                self._sitting.note_acts()
            outcome.skipped += run.unrepaired
        task.show(list(plan_text.result(plan, outcome)))
        task.facts = {"done": outcome.done, "bytes": outcome.bytes, "journal": os.path.basename(outcome.journal)}

    def _make(self, act: actions.Action, sidecars: str, run: session.ActionRun) -> Plan:
        return twinpix.plan(
            reports.read(self._sitting.path),
            act,
            sidecars=sidecars,  # type: ignore[arg-type]  # `plan` checks it
            choices=self._kept(),
            dealt_with=run.dealt_with,
            source=self._sitting.path,
        )

    def _kept(self) -> dict[int, list[str]]:
        self._sitting.wait()
        return self._sitting.kept()

    def _undo(self, task: Task, journal: str) -> None:
        path = next((name for name in session.journals_of(self._sitting.path) if os.path.basename(name) == journal), "")
        if not path:
            task.error = "this report has no such journal"
            return
        try:
            outcome = twinpix.undo(path, task)
        finally:
            self._sitting.note_acts()
        task.show(list(outcome_text.undone(outcome)))
        task.facts = {"done": outcome.done, "bytes": outcome.bytes}


def _run(work: Callable[[Task], None], task: Task) -> None:
    try:
        work(task)
    except (TwinpixError, OSError) as error:
        task.error = printable(str(error))
    finally:
        task.ended = True


def _action(name: str, folder: str) -> actions.Action:
    """Return an action; raises `UsageError` for an unknown one, and for one without its folder."""
    return actions.make(name, {"to": folder} if folder else {})


def _facts(plan: Plan, act: actions.Action) -> dict[str, Any]:
    """Return the numbers of a plan."""
    return {
        "files": len(plan.steps),
        "bytes": plan.bytes,
        "permanent": act.permanent,
        "skipped": len(plan.skipped),
        "groups": len({unit.group for unit in plan.units}),
    }


def _free_bytes(folder: str) -> int | None:
    """Return the free space where a folder is or will be; None if it is unknown."""
    place = os.path.abspath(folder)
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None
