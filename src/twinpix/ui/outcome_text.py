"""What an action or undo left alone, in words, and its exit code. `undo` needs no more of this package."""

import os
from collections.abc import Iterator

from twinpix.act.outcome import STOPPED, Outcome
from twinpix.act.steps import Skipped
from twinpix.errors import Exit, SkipKind
from twinpix.text import bytes_text, plural, printable

_MAX_LISTED = 20  # files left alone that are listed after an action


def shorten_path(path: str, here: str = "") -> str:
    """Return the shortest form of a path from the working folder."""
    return printable(path.removeprefix(here or f"{os.getcwd()}{os.sep}"))


def as_argument(path: str) -> str:
    """Return a path as an argument of a command."""
    name = shorten_path(path)
    return os.path.join(os.curdir, name) if name.startswith("-") else name


def left_alone(rows: list[Skipped]) -> Iterator[str]:
    for row in rows[:_MAX_LISTED]:
        yield f"left  {shorten_path(row.path)}: {printable(row.reason)}"
    if len(rows) > _MAX_LISTED:
        yield f"… and {len(rows) - _MAX_LISTED:,} more"


def undone(outcome: Outcome) -> Iterator[str]:
    """Yield what an undo has restored, what it left alone, and why it ended early."""
    if outcome.done:
        copies, back = outcome.copies, outcome.done - outcome.copies - outcome.objects
        summary = [f"restored {plural(back, 'file')}"] if back else []
        summary += [f"restored {plural(outcome.objects, 'object')}"] if outcome.objects else []
        summary += [f"removed {plural(copies, 'copy', 'copies')}"] if copies else []
        yield f"{', '.join(summary)}, {bytes_text(outcome.bytes)}"
    elif not outcome.skipped and not outcome.stopped:
        yield "nothing to restore"
    yield from left_alone(outcome.skipped)
    if outcome.stopped:
        yield outcome.stopped


def exit_code(outcome: Outcome) -> Exit:
    if outcome.stopped == STOPPED:
        return Exit.INTERRUPTED
    if outcome.stopped or any(left.refused for left in outcome.skipped):
        return Exit.REFUSED
    uncopied = any(left.kind is SkipKind.NOT_COPIED for left in outcome.skipped)
    return Exit.SOME_FAILED if uncopied else Exit.DONE
