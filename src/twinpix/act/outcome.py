"""The result of `apply` or `undo`, the reasons why they leave files alone, and how Ctrl-C stops them."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from twinpix.act.journal import WriteError
from twinpix.act.steps import Skipped
from twinpix.errors import SkipKind, StepError, system_reason

STOPPED = "stopped by Ctrl-C"


@dataclass(slots=True)
class Outcome:
    """The result of `apply` or `undo`.

    Attributes:
        journal: Path of the journal; "" if there was nothing to do.
        done: Number of files.
        bytes: Their size.
        skipped: Files that were left alone, with the reason.
        stopped: Why the run ended early; "" if it did not.
        copies: Of `done`, the copies that undo removed.
        objects: Of `done`, the objects of a store that undo moved back.

    Example:
        >>> plan = twinpix.plan(twinpix.find("photos", store=None), "move:to=duplicates")
        >>> with twinpix.acting():
        ...     outcome = twinpix.apply(plan, "report.journal.jsonl")
        >>> outcome.done, outcome.bytes > 0, outcome.skipped, outcome.stopped
        (1, True, [], '')
    """

    journal: str
    done: int = 0
    bytes: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    stopped: str = ""
    copies: int = 0
    objects: int = 0


@contextlib.contextmanager
def defer_interrupts() -> Iterator[Callable[[], bool]]:
    """Defer Ctrl-C, so that it does not interrupt a step; yields a function that returns whether it was pressed."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def reason_of(error: Exception) -> str:
    """Return in words why a file is left alone."""
    if isinstance(error, WriteError):
        return f"the journal could not be written: {system_reason(error)}"
    if isinstance(error, OSError):
        return f"could not be processed: {system_reason(error)}"
    return str(error)


def kind_of(error: Exception) -> SkipKind:
    """Return why a file is left alone, for programs."""
    return error.kind if isinstance(error, StepError) else SkipKind.SYSTEM
