"""Shared by commands that find and act in one run; their journal is beside the target folder."""

import os
import sys
from collections.abc import Callable, Sequence

import twinpix
from twinpix.act.lock import acting
from twinpix.act.steps import Plan
from twinpix.errors import Exit, OutputError, system_reason
from twinpix.text import printable
from twinpix.ui import outcome_text, plan_text


def say(line: str) -> None:
    """Print a line on stderr, after everything printed before."""
    sys.stdout.flush()
    print(f"twinpix: {line}", file=sys.stderr)


def say_rows(what: str, rows: Sequence[str], shown: int | None = None) -> None:
    """Print a heading and the first `shown` of some lines; nothing if there are none."""
    if rows:
        more = [f"… and {len(rows) - shown:,} more"] if shown is not None and len(rows) > shown else []
        say("\n  ".join([what, *rows[:shown], *more]))


def mend(folder: str) -> None:
    """Repair what killed runs left in a target folder, so that the following run finds complete files."""
    from twinpix.act import session

    for row in session.mend(folder):
        say(f"left by a run that was killed: {printable(row.path)} {row.reason}")


def carry_out(folder: str, make: Callable[[], Plan]) -> Exit:
    """Make and apply a plan, with a journal beside the target folder, and print the result."""
    from twinpix.progress.terminal import progress

    with acting():
        plan = make()
        sys.stdout.flush()
        journal = _journal(folder) if plan.units else ""
        outcome = twinpix.apply(plan, journal, progress())
    sys.stdout.writelines(f"{line}\n" for line in plan_text.result(plan, outcome))
    if journal:
        print(f"journal: {outcome_text.shorten_path(journal)}")
    return outcome_text.exit_code(outcome)


def _journal(folder: str) -> str:
    """Return the name of a new journal in an existing folder."""
    from twinpix.act import session

    above = os.path.dirname(folder)
    try:
        os.makedirs(above, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {above}: {system_reason(error)}") from None
    return session.new_journal(folder)
