"""A plan to move objects of a store, and what was done of it, in words and as JSON."""

import shlex
from collections import defaultdict
from collections.abc import Iterator

from twinpix.act.objects.steps import ObjectPlan, ObjectUnit
from twinpix.act.outcome import Outcome
from twinpix.errors import SkipKind
from twinpix.report.json import dumps
from twinpix.report.text import how
from twinpix.text import bytes_text, plural, printable
from twinpix.ui.outcome_text import as_argument, left_alone
from twinpix.ui.program import program

_COUNTED = {
    SkipKind.IS_FILE: ("is a file: use --move DIR", "are files: use --move DIR"),
    SkipKind.IN_CONTAINER: (
        "is inside an archive or table: use --export TARGET",
        "are inside archives or tables: use --export TARGET",
    ),
}
"""Why images are left that are counted, not listed: one, and several."""


def lines(plan: ObjectPlan) -> Iterator[str]:
    """Yield the plan: keepers, objects with their targets, what is left and why, and a summary."""
    rows: dict[int, list[str]] = defaultdict(list)
    for unit in plan.units:
        rows[unit.group] += _unit(unit, plan)
    for left in plan.skipped:
        if left.kind not in _COUNTED:
            rows[left.group].append(f"  left  {printable(left.path)}: {printable(left.reason)}")
    for kept in plan.kept:
        if rows.get(kept.group):
            rows[kept.group].insert(0, f"  keep  {printable(kept.path)}  ({printable(kept.reason)})")
    for number in sorted(rows):
        yield f"Group {number}"
        yield from rows[number]
        yield ""
    for kind, (one, several) in _COUNTED.items():
        if count := sum(left.kind is kind for left in plan.skipped):
            yield f"{plural(count, 'duplicate')} {one if count == 1 else several}"
    yield _sum(plan)


def _unit(unit: ObjectUnit, plan: ObjectPlan) -> Iterator[str]:
    first, *others = unit.steps
    details = f"{bytes_text(first.size)}, {printable(how(unit.match, plan.distance_unit))}"
    yield f"  move  {printable(first.source)}  ({details})  -> {printable(first.target)}"
    for step in others:
        yield f"        with {printable(step.source)}"


def _sum(plan: ObjectPlan) -> str:
    parts = [f"{plural(len(plan.steps), 'object')} to move, {bytes_text(plan.bytes)}"]
    if others := sum(step.companion for step in plan.steps):
        images, companions = plural(len(plan.steps) - others, "image"), plural(others, "companion object")
        parts[0] += f" ({images} and {companions})"
    if plan.already:
        parts.append(f"{plural(plan.already, 'image')} moved before")
    if plan.skipped:
        parts.append(f"{plural(len(plan.skipped), 'image')} left alone")
    return "; ".join(parts)


def result(plan: ObjectPlan, outcome: Outcome) -> Iterator[str]:
    """Yield what was moved, what was left alone and why, and how to undo it."""
    moved = f"{plural(outcome.done, 'object')} moved, {bytes_text(outcome.bytes)}"
    yield moved if outcome.done else "nothing was done"
    yield from left_alone(outcome.skipped[len(plan.skipped) :])
    if outcome.stopped:
        yield outcome.stopped
    if outcome.done:
        yield f"to undo: {program()} undo {shlex.quote(as_argument(outcome.journal))}"


def as_json(plan: ObjectPlan, outcome: Outcome | None = None) -> str:
    """Return a plan, and the result of it, as JSON; the keys are those of the plan of an action on files."""
    value = {
        "action": "move",
        "options": {"to": plan.target},
        "files": len(plan.steps),
        "bytes": plan.bytes,
        "dealt_with_before": plan.already,
        "keep": [kept._asdict() for kept in plan.kept],
        "units": [
            {
                "group": unit.group,
                "how": how(unit.match, plan.distance_unit),
                "relation": unit.match.relation if unit.match else None,
                "distance": unit.match.distance if unit.match else None,
                "files": [{"path": step.source, "size": step.size, "target": step.target} for step in unit.steps],
            }
            for unit in plan.units
        ],
        "left": [left._asdict() for left in (outcome or plan).skipped],
    }
    if outcome is not None:
        done = {"files": outcome.done, "bytes": outcome.bytes, "stopped": outcome.stopped, "journal": outcome.journal}
        value["done"] = done
    return dumps(value)
