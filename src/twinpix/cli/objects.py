"""`resolve --move URL`: what it prints, and its exit codes."""

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, cast

from twinpix.act.objects.move import move_objects
from twinpix.act.objects.plan import plan_objects
from twinpix.act.objects.session import open_run
from twinpix.act.validate import sound_places
from twinpix.cli import common
from twinpix.errors import Exit
from twinpix.model import Relation, Report
from twinpix.progress.terminal import progress
from twinpix.ui import objects_text, outcome_text

if TYPE_CHECKING:
    from twinpix.act.planning.bundles import Sidecars


def move(
    report: Report,
    target: str,
    only: Collection[Relation],
    sidecars: str,
    *,
    source: str,
    journal: str | None,
    apply: bool,
    as_json: bool,
) -> int:
    """Print the plan to move objects within their store, and with `apply` carry it out."""
    sound_places(report)
    with open_run(report, source, target, path=journal, apply=apply) as run:
        plan = plan_objects(
            report, target, only=only, sidecars=cast("Sidecars", sidecars), source=source, moved=run.moved
        )
        common.print_plan([] if as_json else objects_text.lines(plan), apply=apply)
        if run.journal is None:
            if as_json:
                print(objects_text.as_json(plan), end="")
            elif plan.units:
                print("nothing was changed; add --apply to carry out the plan")
            return Exit.DONE
        outcome = move_objects(plan, run.journal, progress())
        outcome.skipped += run.unrepaired
    if as_json:
        print(objects_text.as_json(plan, outcome), end="")
    else:
        sys.stdout.writelines(f"{line}\n" for line in objects_text.result(plan, outcome))
    return outcome_text.exit_code(outcome)
