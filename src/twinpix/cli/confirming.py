"""Ask before what cannot be taken back: on a terminal a word is typed, elsewhere `--yes` stands for it."""

import sys
from enum import Enum
from typing import TYPE_CHECKING

from twinpix.errors import RefusedError

if TYPE_CHECKING:
    from twinpix.act.actions import Action
    from twinpix.model import Plan


class Left(Enum):
    """How a dialogue ended."""

    decided = "after the last group"
    quit = "its user quit before the last group"
    closed = "the input ended before the last group"


def agreed(plan: "Plan", action: "Action", left: Left, *, yes: bool, kept: str = "") -> bool:
    """Whether a plan is to be carried out; the end of the input is never a yes.

    `yes` is what the user has said beforehand, `kept` where the choices of a dialogue are. Raises `RefusedError`
    where nobody can be asked.
    """
    if not plan.units:
        return True  # there is nothing to do
    if left is Left.closed:
        goes_on = f"; what was chosen is in {kept}, the same command goes on from there" if kept else ""
        raise RefusedError(f"{left.value}: nothing was done{goes_on}")
    if yes:
        return True
    if action.permanent:
        return _typed(plan, action)
    return left is Left.decided or _asked("do that now? [y/N] ") in ("y", "yes")


def _typed(plan: "Plan", action: "Action") -> bool:
    """Whether a user types the action's name."""
    from twinpix.text import bytes_text, plural

    what = f"{plural(len(plan.steps), 'file')} ({bytes_text(plan.bytes)}) would be {action.done} for good"
    if sys.stdin is None or not sys.stdin.isatty():
        raise RefusedError(f"{what}, and nobody can be asked here: nothing was done. With --yes it is done unasked")
    return _asked(f"{what}: there is no undo. Type {action.verb} to go on: ") == action.verb


def _asked(prompt: str) -> str:
    """A line, on stderr since stdout may be read by a program; "" at the end of the input."""
    sys.stdout.flush()
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line:
        sys.stderr.write("\n")
    return line.strip().lower()
