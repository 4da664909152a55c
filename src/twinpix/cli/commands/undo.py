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
    from twinpix.ui import outcome_text

    outcome = twinpix.undo(journal, progress())
    sys.stdout.writelines(f"{line}\n" for line in outcome_text.undone(outcome))
    return outcome_text.exit_code(outcome)
