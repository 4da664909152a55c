"""`twinpix undo`."""

import sys
from typing import Annotated

import typer

import twinpix


def undo(
    journal: Annotated[str, typer.Argument(metavar="JOURNAL", help="The journal that resolve --apply printed.")],
) -> int:
    """Undo a run of resolve: restore files that it moved, trashed or linked, with times and modes, and remove copies.

    Objects of a store are moved back. What was changed since, or whose name another file or object has now, is left
    where it is. May be run again.
    """
    from twinpix.progress.terminal import progress
    from twinpix.text import bytes_text, plural
    from twinpix.ui import outcome_text

    outcome = twinpix.undo(journal, progress())
    if outcome.done:
        copies, back = outcome.copies, outcome.done - outcome.copies - outcome.objects
        summary = [f"restored {plural(back, 'file')}"] if back else []
        summary += [f"restored {plural(outcome.objects, 'object')}"] if outcome.objects else []
        summary += [f"removed {plural(copies, 'copy', 'copies')}"] if copies else []
        print(f"{', '.join(summary)}, {bytes_text(outcome.bytes)}")
    elif not outcome.skipped and not outcome.stopped:
        print("nothing to restore")
    sys.stdout.writelines(f"{line}\n" for line in outcome_text.left_alone(outcome.skipped))
    if outcome.stopped:
        print(outcome.stopped)
    return outcome_text.exit_code(outcome)
