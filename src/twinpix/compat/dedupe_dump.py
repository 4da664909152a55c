"""The deduplication script for Nutch dumps: every image of a dump once, and where its duplicates are."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any

import twinpix
from twinpix import outputs, sources
from twinpix.act import actions
from twinpix.act.actions import Scope
from twinpix.encoding.options import DEFAULT_METHOD
from twinpix.errors import UsageError
from twinpix.model import Member, Plan, Report, Step, Unique
from twinpix.progress import Progress
from twinpix.report.json import dumps
from twinpix.usecases.encode import encode_files

EXACT, NEAR = "pixels", DEFAULT_METHOD


def check(dump: str, folder: str) -> None:
    """Raise `UsageError` when there is no such dump, `RefusedError` when nothing can be copied to the folder."""
    sources.require([dump])
    if not os.path.isdir(dump):
        raise UsageError(f"{dump} is not a folder")
    if folder:
        scope = Scope([os.path.abspath(dump)], [])
        for to in (folder, beside(folder)):
            actions.make("copy", {"to": to}).prepare(scope, apply=False)


def beside(folder: str) -> str:
    """The folder for the duplicates of what is copied to a folder."""
    return f"{folder}_duplicates"


def find(dump: str, *, exact: bool, progress: Progress) -> Report:
    """The groups of images with identical pixels, or that are the same picture; hidden folders are looked into."""
    return twinpix.find([os.path.abspath(dump)], method=EXACT if exact else NEAR, hidden=True, progress=progress)


def kept(found: Report) -> int:
    """How many images are left, with one of each group."""
    return found.counts.images - sum(len(group.members) - 1 for group in found.groups)


_ROW = {"location", "hash", "duplicates"}


def _is_list(file: IO[bytes]) -> bool:
    """True for JSON rows of exactly the fields that this module writes."""
    try:
        rows = json.load(file)
    except (ValueError, RecursionError):
        return False
    return isinstance(rows, list) and all(isinstance(row, dict) and set(row) == _ROW for row in rows)


LIST = outputs.Kind("list of dedupe-dump", _is_list)


def write(found: Report, path: str, progress: Progress, *, force: bool = False) -> None:
    """Write a list of what stays, each with the method's hash, its location, and the same of its duplicates."""
    names = [
        *(member.path for group in found.groups for member in group.members),
        *(each.path for each in found.unique or ()),
    ]
    (prints,) = encode_files(names, [found.spec], progress=progress).values()  # codes that the store holds
    hashes = {uri: code.tobytes().hex() for uri, code in zip(prints.refs.uris, prints.codes, strict=True)}
    rows = sorted(_rows(found, hashes), key=lambda row: str(row["location"]))
    outputs.write(path, [dumps(rows).encode()], LIST, force=force)


def _rows(found: Report, hashes: dict[str, str]) -> Iterator[dict[str, Any]]:
    def row(path: str) -> dict[str, Any]:
        return {"location": path, "hash": hashes.get(path, "")}

    for group in found.groups:
        others = [row(member.path) for member in group.members if member.path != group.keeper]
        yield row(group.keeper) | {"duplicates": others}
    for image in found.unique or ():
        yield row(image.path) | {"duplicates": []}


def plan(found: Report, folder: str, *, duplicates: bool) -> Plan:
    """A plan to copy one of each group, and every image that is in none; and `duplicates` to the folder beside."""
    kept = _copies(found, folder)
    if not duplicates:
        return kept
    more = _repeats(found, beside(folder))
    return replace(kept, units=[*kept.units, *more.units], skipped=[*kept.skipped, *more.skipped])


def _copies(found: Report, folder: str) -> Plan:
    return twinpix.plan(found, actions.make("copy", {"to": folder}), sidecars=False, whole=False)


def _repeats(found: Report, folder: str) -> Plan:
    """The duplicates, in a folder for each image that they repeat."""
    (dump,) = found.roots
    pairs = [
        (member, group.keeper) for group in found.groups for member in group.members if member.path != group.keeper
    ]
    repeated = {member.path: os.path.relpath(keeper, dump) for member, keeper in pairs}
    plan = _copies(replace(found, groups=[], unique=[_unique(member) for member, _ in pairs]), folder)

    def placed(step: Step) -> Step:
        tree = os.path.relpath(step.target, folder)
        return step._replace(target=os.path.join(folder, repeated[step.path], tree))

    units = [unit._replace(steps=list(map(placed, unit.steps)), reason="duplicate") for unit in plan.units]
    return replace(plan, units=units)


def _unique(member: Member) -> Unique:
    return Unique(member.path, member.size, member.mtime_ns, member.digest, member.root)
