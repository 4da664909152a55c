"""`twinpix undo`."""

import sys
from typing import Annotated

import typer

import twinpix


def undo(
    journal: Annotated[str, typer.Argument(metavar="JOURNAL", help="The journal that resolve --apply named.")],
) -> int:
    """Put back what a run of resolve moved, trashed, linked or copied; times and modes too.

    A file that was changed since, or whose name is taken by now, is left where it is. May be run twice.
    """
    from twinpix.progress.terminal import progress
    from twinpix.text import bytes_text, plural
    from twinpix.ui import plan_text

    outcome = twinpix.undo(journal, progress())
    if outcome.done:
        copies, back = outcome.copies, outcome.done - outcome.copies
        told = [f"put back {plural(back, 'file')}"] if back else []
        told += [f"removed {plural(copies, 'copy', 'copies')}"] if copies else []
        print(f"{', '.join(told)}, {bytes_text(outcome.bytes)}")
    elif not outcome.left and not outcome.stopped:
        print("nothing to put back")
    sys.stdout.writelines(f"{line}\n" for line in plan_text.left_alone(outcome.left))
    if outcome.stopped:
        print(outcome.stopped)
    return plan_text.exit_code(outcome)
