"""`resolve --export` and `resolve --list`: what they print, and their exit codes."""

import os
import sys
from collections.abc import Collection

from twinpix import outputs
from twinpix.act.validate import sound_places
from twinpix.cli import common
from twinpix.errors import Exit
from twinpix.model import Relation, Report
from twinpix.progress.terminal import progress
from twinpix.sources.redundant import list_redundant
from twinpix.ui import export_text
from twinpix.usecases.exporting.plan import plan_export
from twinpix.usecases.exporting.write import write_export


def export(report: Report, target: str, only: Collection[Relation], *, source: str, apply: bool, as_json: bool) -> int:
    """Print the plan of an export, and with `apply` carry it out."""
    sound_places(report)
    plan = plan_export(report, target, only=only, source=source)
    common.print_plan([] if as_json else export_text.lines(plan), apply=apply)
    if not apply:
        if as_json:
            print(export_text.as_json(plan), end="")
        else:
            print(f"nothing was written; add --apply to write the {export_text.noun(plan)}")
        return Exit.DONE
    done = write_export(plan, progress=progress())
    if as_json:
        print(export_text.as_json(plan, done), end="")
    else:
        sys.stdout.writelines(f"{line}\n" for line in export_text.result(plan, done))
    return Exit.REFUSED if plan.unreadable or done.left or done.stopped else Exit.DONE


def write_list(report: Report, path: str, only: Collection[Relation], *, null: bool, force: bool) -> int:
    """Write the redundant images that may go to a file, or to the standard output for `-`."""
    sound_places(report)
    end = b"\0" if null else b"\n"
    parts = [os.fsencode(name) + end for name in list_redundant(report, only)]
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.writelines(parts)
        sys.stdout.buffer.flush()
    else:
        outputs.write(path, parts, outputs.UNMARKED, force=force)
    return Exit.DONE
