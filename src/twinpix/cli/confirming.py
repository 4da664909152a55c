"""Ask for confirmation of an irreversible action: by typing a word on a terminal, elsewhere by `--yes`."""

import sys
from enum import Enum
from typing import TYPE_CHECKING

from twinpix.errors import RefusedError

if TYPE_CHECKING:
    from twinpix.act.actions import Action
    from twinpix.act.steps import Plan


class DialogueEnd(Enum):
    """How a dialogue ended."""

    ALL_DECIDED = "the user has decided the last group"
    USER_QUIT = "the user quit before the last group"
    INPUT_ENDED = "the input ended before the last group"


def confirm(plan: "Plan", action: "Action", end: DialogueEnd, *, yes: bool, how_to_continue: str = "") -> bool:
    """Return whether a plan is to be carried out; the end of the input never means yes.

    `yes` is consent given beforehand, `how_to_continue` what a user is told who stopped. Raises `RefusedError` if there
    is no terminal to ask on.
    """
    if not plan.units:
        return True  # nothing to do
    if end is DialogueEnd.INPUT_ENDED:
        raise RefusedError(f"{end.value}: nothing was done{how_to_continue}")
    if yes:
        return True
    if action.permanent:
        return _ask_for_the_verb(plan, action)
    return end is DialogueEnd.ALL_DECIDED or _ask("carry out this plan? [y/N] ") in ("y", "yes")


def _ask_for_the_verb(plan: "Plan", action: "Action") -> bool:
    """Return whether the user types the name of the action."""
    from twinpix.text import bytes_text, plural

    what = f"{plural(len(plan.steps), 'file')} ({bytes_text(plan.bytes)}) would be {action.done} permanently"
    if sys.stdin is None or not sys.stdin.isatty():
        raise RefusedError(
            f"{what}, and there is no terminal to confirm it: nothing was done. Add --yes to skip the question"
        )
    return _ask(f"{what}: there is no undo. Type {action.verb} to continue: ") == action.verb


def _ask(prompt: str) -> str:
    """Ask on stderr, since stdout may be read by a program; returns "" at the end of the input."""
    sys.stdout.flush()
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line:
        sys.stderr.write("\n")
    return line.strip().lower()
