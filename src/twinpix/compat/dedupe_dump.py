"""The deduplication script for Nutch dumps: list or copy one image of each group, with its duplicates."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any

import twinpix
from twinpix import outputs, sources
from twinpix.act import actions
from twinpix.act.actions import Scope
from twinpix.act.steps import Plan, Step
from twinpix.encoding.options import FAST_METHOD
from twinpix.errors import UsageError
from twinpix.model import Member, Report, Unique
from twinpix.progress import Progress
from twinpix.report.json import dumps
from twinpix.usecases.encode import encode_files

EXACT, NEAR = "pixels", FAST_METHOD


def check(dump: str, folder: str) -> None:
    """Raise `UsageError` if the dump is not a folder, `RefusedError` if files cannot be copied to `folder`."""
    sources.require([dump])
    if not os.path.isdir(dump):
        raise UsageError(f"{dump} is not a folder")
    if folder:
        scope = Scope([os.path.abspath(dump)], [])
        for to in (folder, duplicates_folder(folder)):
            actions.make("copy", {"to": to}).prepare(scope, apply=False)


def duplicates_folder(folder: str) -> str:
    """Return the folder for the duplicates of the images that are copied to `folder`."""
    return f"{folder}_duplicates"


def find(dump: str, *, exact: bool, progress: Progress) -> Report:
    """Find groups of images with identical pixels (`exact`) or of copies; hidden folders are scanned too."""
    return twinpix.find([os.path.abspath(dump)], method=EXACT if exact else NEAR, hidden=True, progress=progress)


def count_kept(found: Report) -> int:
    """Return the number of images without the duplicates."""
    return found.counts.images - sum(len(group.members) - 1 for group in found.groups)


_ROW = {"location", "hash", "duplicates"}


def _is_list(file: IO[bytes]) -> bool:
    """True if the file is a JSON list of rows with exactly the fields that this module writes."""
    try:
        rows = json.load(file)
    except (ValueError, RecursionError):
        return False
    return isinstance(rows, list) and all(isinstance(row, dict) and set(row) == _ROW for row in rows)


LIST = outputs.Kind("list of dedupe-dump", _is_list)


def write(found: Report, path: str, progress: Progress, *, force: bool = False) -> None:
    """Write a JSON list of the kept images: location, hash, and the same of their duplicates."""
    names = [
        *(member.path for group in found.groups for member in group.members),
        *(each.path for each in found.unique or ()),
    ]
    (prints,) = encode_files(names, [found.spec], progress=progress).values()  # from the store
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
    """Plan to copy the keeper of each group and every image that is in no group.

    With `duplicates`, the duplicates are copied to `duplicates_folder(folder)`.
    """
    kept = _copies(found, folder)
    if not duplicates:
        return kept
    more = _duplicates(found, duplicates_folder(folder))
    return replace(kept, units=[*kept.units, *more.units], skipped=[*kept.skipped, *more.skipped])


def _copies(found: Report, folder: str) -> Plan:
    return twinpix.plan(found, actions.make("copy", {"to": folder}), sidecars=False, whole=False)


def _duplicates(found: Report, folder: str) -> Plan:
    """Plan to copy the duplicates, each to a folder with the name of its keeper."""
    (dump,) = found.roots
    pairs = [
        (member, group.keeper) for group in found.groups for member in group.members if member.path != group.keeper
    ]
    repeated = {member.path: os.path.relpath(keeper, dump) for member, keeper in pairs}
    plan = _copies(replace(found, groups=[], unique=[_unique(member) for member, _ in pairs]), folder)

    def below_keeper(step: Step) -> Step:
        tree = os.path.relpath(step.target, folder)
        return step._replace(target=os.path.join(folder, repeated[step.path], tree))

    units = [unit._replace(steps=list(map(below_keeper, unit.steps)), reason="duplicate") for unit in plan.units]
    return replace(plan, units=units)


def _unique(member: Member) -> Unique:
    return Unique(member.path, member.size, member.mtime_ns, member.digest, member.root)
