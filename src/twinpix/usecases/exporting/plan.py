"""The plan of an export: which files are written, and what is left out of each. Reads files and changes none."""

import contextlib
import hashlib
import json
import os
import posixpath
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from twinpix.errors import ImageError, RefusedError, UsageError, system_reason
from twinpix.formats import claims_image, suffix
from twinpix.model import Relation, Report, is_remote
from twinpix.sources.base import Source
from twinpix.sources.redundant import Left, Places, Redundant, redundant_images
from twinpix.sources.storage import status_of
from twinpix.sources.uris import container, expand, uri_of
from twinpix.usecases.exporting.saved import describe, saved_sets
from twinpix.usecases.exporting.shards import ExportPlan, Sample, Shard, key_of
from twinpix.usecases.exporting.tables import NamedRows, named_rows, samples_of_rows

NONE_NAMED = (
    "--export writes archives and tables again, and the report names none; "
    "use --move, --copy-kept, --list or another action"
)


def plan_export(
    report: Report, target: str | os.PathLike[str], *, only: Collection[Relation] = (), source: str = ""
) -> ExportPlan:
    """Plan the containers that a report names, and its table of locations, without the redundant images.

    Reads files and changes none.

    Args:
        report: A report of `find`.
        target: Folder, or URL of a folder in a store, for the new containers.
        only: Relations to the keeper; redundant images with other relations stay. Empty: all.
        source: Path of the report, for the journal.

    Raises:
        UsageError: The report names no container and no table, the table cannot be read, a relation is unknown, or the
            target is named like a file that is written.
        RefusedError: Two files would get one target, a source would be its own target, or the rows of the table name
            other images than in `find`.
    """
    images, left = redundant_images(report, only)
    place = Places(report.base)
    table = named_rows(report, place)
    counted = _count_images(report, place, table)
    if not counted.images and not table.path:
        if counted.references:
            raise UsageError("all archives and tables of the report are references, which are not exported")
        raise UsageError(NONE_NAMED)
    goes: dict[str, list[Redundant]] = defaultdict(list)
    for image in images:
        if file := place.container(image.path):
            goes[file].append(image)
    unreadable: list[Left] = []
    sets = saved_sets(counted.images, unreadable)
    counted.images.update((file, 0) for each in sets for file in each.files if file not in counted.images)
    names = _relative_names(
        [*counted.images, *filter(None, [table.path])], {file for each in sets if each.in_dict for file in each.files}
    )
    plan = ExportPlan(
        os.fspath(target) if is_remote(os.fspath(target)) else os.path.abspath(os.fspath(target)),
        os.path.abspath(source) if source else "",
        _report_digest(report, source),
        [],
        left,
        unreadable,
        not_exported=counted.plain,
        references=counted.references,
        relative=table.relative,
        descriptions=list(describe(sets, names)),
    )
    tally = Counter[str]()
    for file in sorted(names, key=names.__getitem__):
        try:
            status = status_of(file)
            if file == table.path:
                samples, count = samples_of_rows(table, images), counted.in_table
            else:
                made = container(file)
                if made is None:
                    raise ImageError("read", "its name is not that of an archive or table")
                redundant, count = goes.get(file, []), counted.images[file]
                known = counted.named.get(file, set())
                samples = _samples(made, file, redundant, known, report, tally) if redundant else ()
        except ImageError as error:
            plan.unreadable.append(Left(file, f"is not exported: {error.reason}"))
            continue
        column = table.column if file == table.path else ""
        plan.shards.append(Shard(file, names[file], status.size, status.version, count, samples, column))
    _require_folder(plan)
    _require_free_targets(plan)
    return replace(
        plan,
        with_sample=tally["with_sample"],
        linked=tally["linked"],
        same_name=tally["same_name"],
        unnamed=tally["unnamed"],
    )


class _Counted(NamedTuple):
    """The images of a report."""

    images: dict[str, int]  # number in each container that is exported
    named: Mapping[str, set[str]]  # of each container
    in_table: int  # number that the table of locations names
    plain: int  # number in no container and no table
    references: int  # number of containers of references


def _count_images(report: Report, place: Places, table: NamedRows) -> _Counted:
    """Count the images of each container; one that only rows of the table of locations name is not exported."""
    seen: dict[str, set[str]] = defaultdict(set)
    plain, as_references, in_table = set[str](), set[str](), set[str]()
    named: list[tuple[str, bool]] = [
        *((member.path, member.reference) for group in report.groups for member in group.members),
        *((image.path, image.root < 0) for image in report.unique or ()),
        *((image.path, False) for image in report.guarded),
        *((image.path, False) for image in report.failures),
        *((path, False) for path in report.damaged),
    ]
    reference_files = {
        place.container(name) or place.of(name) for given in report.references for name in _expand(report.base, given)
    }
    for name, reference in named:
        file, at = place.container(name), place.of(name)
        if at in table.rows:
            in_table.add(at)
        if file:
            seen[file].add(at)
            if reference:
                as_references.add(file)
        elif container(at) is not None:
            seen[at]  # a container that could not be listed
        elif at not in table.rows:
            plain.add(at)
    by_rows = {file for file, images in seen.items() if images and images <= table.rows.keys()}
    for root in report.roots:
        for name in _expand(report.base, root):
            at = place.of(name)
            if (is_remote(at) or os.path.isfile(at)) and container(at) is not None and "*" not in at:
                seen[at]
                by_rows.discard(at)
    folders = {file.rstrip("/" + os.sep) for file in reference_files}
    references = {file for file in seen if file in as_references or _is_below(file, folders)}
    left_out = references | by_rows | {table.path}
    counts = {file: len(images) for file, images in seen.items() if file not in left_out}
    return _Counted(counts, seen, len(in_table), len(plain), len(references))


def _expand(base: str, name: str) -> list[str]:
    """Return the files of a name with ranges, unless a file has this name."""
    if is_remote(name) or not os.path.lexists(os.path.join(base, name)):
        return expand(name)
    return [name]


def _is_below(file: str, folders: Collection[str]) -> bool:
    while file:
        if file in folders:
            return True
        above = posixpath.dirname(file) if is_remote(file) else os.path.dirname(file)
        if above == file:
            return False
        file = above
    return False


def _samples(
    source: Source,
    file: str,
    redundant: Iterable[Redundant],
    images: Collection[str],
    report: Report,
    tally: Counter[str],
) -> tuple[Sample, ...]:
    """Return what is left out of a container; counts the redundant images that stay.

    A sample goes as a whole, and only if all its images in the report are redundant. If the report does not list the
    images in no group, a member with the name of an image counts as one of the report.
    """
    entries = list(source.entries(file))
    twice = Counter(entry.name for entry in entries)
    linked = source.linked(file)
    going = {image.uri: image for image in redundant}
    members: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        members[key_of(entry.name, rows=source.rows)].append(entry.name)
    out = []
    for names in members.values():
        uris = {name: uri_of(source, file, name) for name in names}
        mine = [going[uri] for uri in uris.values() if uri in going]
        if not mine:
            continue
        known = {name for name, uri in uris.items() if uri in images or (report.unique is None and claims_image(name))}
        if any(twice[name] > 1 for name in names):
            tally["same_name"] += len(mine)
        elif any(uris[name] not in going for name in known):
            tally["with_sample"] += len(mine)
        elif any(name in linked for name in names):
            tally["linked"] += len(mine)
        else:
            tally["unnamed"] += sum(claims_image(name) and name not in known for name in names)
            out.append(Sample(tuple(names), tuple(mine)))
    return tuple(out)


def _relative_names(files: list[str], in_splits: Collection[str] = ()) -> dict[str, str]:
    """Return the path of each container from the common folder of all of them, with `/`; those of stores by their own.

    Those `in_splits` are in folders whose names are needed too. Raises `RefusedError` if two have the same.
    """
    names: dict[str, str] = {}
    for group in ([f for f in files if not is_remote(f)], [f for f in files if is_remote(f)]):
        # A URL as an absolute path, since `commonpath` shortens `//`; without its query.
        paths = {f: "/" + f.partition("?")[0].replace("://", "/") if is_remote(f) else f for f in group}
        try:
            folders = [os.path.dirname(path) for path in paths.values()]
            folders += [os.path.dirname(os.path.dirname(paths[f])) for f in group if f in in_splits]
            top = os.path.commonpath(folders) if folders else ""
            names |= {file: os.path.relpath(path, top).replace(os.sep, "/") for file, path in paths.items()}
        except ValueError:  # on several drives
            names |= {file: os.path.basename(path) for file, path in paths.items()}
    by_name: dict[str, str] = {}
    for file, name in names.items():
        if (other := by_name.setdefault(name, file)) != file:
            raise RefusedError(
                f"{other} and {file} would both be written to {name} in the target: export them with two reports"
            )
    return names


def _require_folder(plan: ExportPlan) -> None:
    """Raise `UsageError` for a target with the suffix of a file that is to be written: it would become a folder."""
    target = plan.target.rstrip("/")
    end = suffix(target)
    if end and not os.path.isdir(target) and any(suffix(shard.target) == end for shard in plan.shards):
        name = target.rpartition("/" if is_remote(target) else os.sep)[2]
        raise UsageError(
            f"--export writes files into a folder, and {name} is named like one of them; name a folder, such as "
            f"{name[: -len(end)]}"
        )


def _require_free_targets(plan: ExportPlan) -> None:
    """Raise `RefusedError` if a source would be a target."""
    if is_remote(plan.target):
        sources = {shard.source for shard in plan.shards}
        for shard in plan.shards:
            if f"{plan.target.rstrip('/')}/{shard.target}" in sources:
                raise RefusedError(_is_a_source(plan.target, shard.target))
        return
    real = {os.path.realpath(shard.source) for shard in plan.shards if not is_remote(shard.source)}
    for shard in plan.shards:
        at = os.path.join(plan.target, *shard.target.split("/"))
        same = os.path.realpath(at) in real
        with contextlib.suppress(OSError):
            same = same or os.path.samefile(at, shard.source)
        if same:
            raise RefusedError(_is_a_source(plan.target, shard.target))


def _is_a_source(target: str, name: str) -> str:
    return f"{target} has the source {name}, which is never replaced: choose another folder for the export"


def _report_digest(report: Report, source: str) -> str:
    if source:
        try:
            with open(source, "rb") as file:
                return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        except OSError as error:
            raise UsageError(f"cannot read the report {source}: {system_reason(error)}") from None
    text = json.dumps(report.to_dict(), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
