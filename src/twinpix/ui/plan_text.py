"""A plan, and what was done of it, in words and as JSON."""

import os
import shlex
from collections import defaultdict
from collections.abc import Iterator

from twinpix.act import actions
from twinpix.act.outcome import Outcome
from twinpix.act.planning.plan import INSTEAD_IN_STORES, INSTEAD_OF_CHANGING
from twinpix.act.steps import Plan, Skipped, Unit
from twinpix.errors import SkipKind
from twinpix.model import can_change, in_container, is_remote
from twinpix.report.json import dumps
from twinpix.report.text import how
from twinpix.text import bytes_text, plural, printable
from twinpix.ui.outcome_text import as_argument, left_alone, shorten_path
from twinpix.ui.program import program


def lines(plan: Plan) -> Iterator[str]:
    """Yield the plan: keepers with reasons, duplicates with relations, files left alone, and a summary."""
    action, here = actions.of(plan), f"{os.getcwd()}{os.sep}"
    if action.on == "kept":
        for unit in plan.units:
            yield from _unit(unit, plan, action, here)
    else:
        yield from _groups(plan, action, here)
    for left in _listed_skips(plan):
        if action.on == "kept" or not left.group:
            yield f"left  {shorten_path(left.path, here)}: {printable(left.reason)}"
    if others := sum(left.kind is SkipKind.OTHER_BYTES for left in plan.skipped):
        what = "is" if others == 1 else "are"
        yield f"{plural(others, 'duplicate')} {what} not byte-identical to the keeper: use --move or --trash for those"
    if held := sum(left.kind is SkipKind.WITH_COMPANION for left in plan.skipped):
        what = "stays because of its companion files" if held == 1 else "stay because of their companion files"
        yield f"{plural(held, 'duplicate')} {what}: use --sidecars all for both, --sidecars keep for the image alone"
    yield from _inside_archives(plan, action)
    yield from _in_stores(plan, action)
    yield from _warn_of_files_not_copied(plan)
    yield _sum(plan, action)


def _groups(plan: Plan, action: actions.Action, here: str) -> Iterator[str]:
    verb = action.verb
    rows: dict[int, list[str]] = defaultdict(list)
    for stay in (stay for stay in plan.kept if not stay.companion):
        rows[stay.group].append(f"  {'keep':{len(verb)}}  {shorten_path(stay.path, here)}  ({printable(stay.reason)})")
    untouched = set(rows)
    for unit in plan.units:
        rows[unit.group] += _unit(unit, plan, action, here)
        untouched.discard(unit.group)
    for left in _listed_skips(plan):
        rows[left.group].append(f"  {'left':{len(verb)}}  {shorten_path(left.path, here)}: {printable(left.reason)}")
        untouched.discard(left.group)
    for number in sorted(rows.keys() - untouched - {0}):
        yield f"Group {number}"
        yield from rows[number]
        yield ""


def _listed_skips(plan: Plan) -> list[Skipped]:
    """Return the files left alone for individual reasons; the reasons of the others are stated once."""
    once = (SkipKind.OTHER_BYTES, SkipKind.IN_CONTAINER, SkipKind.IN_STORE)
    return [left for left in plan.skipped if left.kind not in once and can_change(left.path)]


def _inside_archives(plan: Plan, action: actions.Action) -> Iterator[str]:
    """Yield how many images are left alone because they, or their keepers, are inside archives."""
    inside = [left for left in plan.skipped if in_container(left.path)]
    changed = {stay.group for stay in plan.kept}
    if action.on == "kept":
        lost = sum(left.kind is SkipKind.NOT_COPIED for left in inside)
        if represented := len(inside) - lost:
            yield f"{_are_inside(represented, 'image')}; another image of the same group is copied"
        if lost:
            yield f"{_are_inside(lost, 'image')} and not copied: copy the archives too"
        return
    if duplicates := sum(left.group in changed for left in inside):
        yield f"{_are_inside(duplicates, 'duplicate')}; twinpix never changes archives"
    if keepers := len(inside) - duplicates:
        what = "is left unchanged: its keeper is" if keepers == 1 else "are left unchanged: their keepers are"
        where = "an archive" if keepers == 1 else "archives"
        yield f"{plural(keepers, 'group')} {what} inside {where} (--keep chooses other keepers)"
    if inside:
        yield INSTEAD_OF_CHANGING


def _in_stores(plan: Plan, action: actions.Action) -> Iterator[str]:
    """Yield how many images are left alone because they, or their keepers, are objects of a store."""
    objects = [left for left in plan.skipped if is_remote(left.path)]
    changed = {stay.group for stay in plan.kept}
    if action.on == "kept":
        lost = sum(left.kind is SkipKind.NOT_COPIED for left in objects)
        if represented := len(objects) - lost:
            yield f"{_are_objects(represented, 'image')}; another image of the same group is copied"
        if lost:
            yield f"{_are_objects(lost, 'image')} and not copied: copy {'it' if lost == 1 else 'them'} too"
        return
    if duplicates := sum(left.group in changed for left in objects):
        yield _are_objects(duplicates, "duplicate")
    if keepers := len(objects) - duplicates:
        what = "is left unchanged: its keeper is an object" if keepers == 1 else "are left unchanged: their keepers are"
        yield f"{plural(keepers, 'group')} {what}{'' if keepers == 1 else ' objects'} of a store"
    if objects:
        yield INSTEAD_IN_STORES


def _are_objects(count: int, what: str) -> str:
    return f"{plural(count, what)} {'is an object' if count == 1 else 'are objects'} of a store"


def _are_inside(count: int, what: str) -> str:
    return f"{plural(count, what)} {'is inside an archive' if count == 1 else 'are inside archives'}"


def _unit(unit: Unit, plan: Plan, action: actions.Action, here: str) -> Iterator[str]:
    first, *others = unit.steps
    verb, size, words = action.verb, bytes_text(first.facts.size), _how(unit, plan, action)
    details = f"{size}, {printable(words)}" if words else size
    where = f"  -> {shorten_path(first.target, here)}" if first.target else ""
    yield f"  {verb:4}  {shorten_path(first.path, here)}  ({details}){where}"
    for step in others:
        yield f"  {'':{max(4, len(verb))}}  with {shorten_path(step.path, here)}"


def _how(unit: Unit, plan: Plan, action: actions.Action) -> str:
    """Return how a duplicate differs from the keeper, or why an image that is no keeper is copied."""
    if action.on == "kept" or not unit.group:
        return unit.reason
    return how(unit.match, plan.distance_unit)


def _warn_of_files_not_copied(plan: Plan) -> Iterator[str]:
    if count := sum(left.kind is SkipKind.NOT_COPIED for left in plan.skipped):
        what, each = ("is", "it") if count == 1 else ("are", "them")
        yield f"{plural(count, 'file')} {what} not copied: check {each} before you remove the scanned folders"


def _sum(plan: Plan, action: actions.Action) -> str:
    count, size = len(plan.steps), bytes_text(plan.bytes)
    what = plural(count, "file") + (f" ({_parts(plan)})" if _parts(plan) else "")
    parts = [f"{what} to {action.verb}, {size}" + (" to free" if action.frees and count else "")]
    if plan.already:
        parts.append(f"{plural(plan.already, 'image')} processed before")
    if plan.skipped:
        parts.append(f"{plural(len(plan.skipped), 'file')} left alone")
    return "; ".join(parts)


def _parts(plan: Plan) -> str:
    """Return the number of images and of companion files; "" if all are images."""
    others = sum(unit.companions for unit in plan.units)
    images = len(plan.steps) - others
    return f"{plural(images, 'image')} and {plural(others, 'companion file')}" if others else ""


def result(plan: Plan, outcome: Outcome) -> Iterator[str]:
    """Yield what was done, what was left alone and why, and how to undo it."""
    action = actions.of(plan)
    parts = f" ({_parts(plan)})" if outcome.done == len(plan.steps) and _parts(plan) else ""
    summary = f"{plural(outcome.done, 'file')} {action.done}{parts}, {bytes_text(outcome.bytes)}"
    yield summary if outcome.done else "nothing was done"
    yield from left_alone(outcome.skipped[len(plan.skipped) :])
    yield from _warn_of_files_not_copied(plan)
    if outcome.stopped:
        yield outcome.stopped
    if outcome.done and not action.permanent:
        yield f"to undo: {program()} undo {shlex.quote(as_argument(outcome.journal))}"


def as_json(plan: Plan, outcome: Outcome | None = None) -> str:
    """Return a plan, and the result of applying it, as JSON; paths are absolute."""
    action = actions.of(plan)
    value = {
        "action": plan.action,
        "options": plan.options,
        "files": len(plan.steps),
        "bytes": plan.bytes,
        "dealt_with_before": plan.already,
        "keep": [{"group": stay.group, "path": stay.path, "reason": stay.reason} for stay in plan.kept],
        "units": [
            {
                "group": unit.group,
                "how": _how(unit, plan, action),
                "relation": unit.match.relation if unit.match else None,
                "distance": unit.match.distance if unit.match else None,
                "files": [{"path": step.path, "size": step.facts.size, "target": step.target} for step in unit.steps],
            }
            for unit in plan.units
        ],
        "left": [left._asdict() for left in (outcome or plan).skipped],
    }
    if outcome is not None:
        done = {"files": outcome.done, "bytes": outcome.bytes, "stopped": outcome.stopped, "journal": outcome.journal}
        value["done"] = done
    return dumps(value)
