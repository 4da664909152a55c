"""`export`: archives and tables written again without their redundant images; the sources are only read.

`plan_export` decides which members of which containers are left out. `write_export` checks each of these images and its
keeper, writes each container under a temporary name, checks it, renames it, and notes it in a journal, so that a run
that was stopped at any instant is continued by the next one.
"""

import contextlib
import hashlib
import json
import os
import posixpath
import shutil
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO, NamedTuple, cast, get_args

from twinpix.errors import ImageError, RefusedError, StoppedError, UsageError, system_reason
from twinpix.formats import claims_image
from twinpix.model import (
    Relation,
    Report,
    explain_partly_compared,
    is_remote,
    is_uri,
    row_of,
)
from twinpix.progress import ProgressLike, progress_of
from twinpix.sources import read
from twinpix.sources.base import Entry, Source
from twinpix.sources.bit_rot import DAMAGED, differ_in_part, may_be_damaged
from twinpix.sources.storage import open_file, status_of, unchanged
from twinpix.sources.uris import container, container_of, expand, uri_of
from twinpix.text import plural
from twinpix.usecases.exporting.journal import Journal, Line
from twinpix.usecases.exporting.targets import Folder, Output, Store, Target
from twinpix.versions import UNKNOWN

CHANGED = "changed since find; run find again"
NONE_NAMED = (
    "--export writes archives and tables again, and the report names none; use --move, --copy-kept or another action"
)
_COPIED = 4 << 20  # bytes that are copied at once
_COMPARED = 3  # members of each written container that are compared with those of its source


class Redundant(NamedTuple):
    """An image that may go, because it is a copy of a keeper."""

    path: str  # as in the report
    uri: str  # absolute path, or URI with the absolute path of its container
    digest: str
    keeper: str  # absolute, as `uri`
    keeper_digest: str


class Left(NamedTuple):
    """An image that stays in the export, or a container that is not written, with the reason."""

    path: str
    reason: str


class Sample(NamedTuple):
    """Members of a container that are left out together: those of one webdataset key, or a row of a table."""

    names: tuple[str, ...]
    images: tuple[Redundant, ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """A container that is written again.

    Attributes:
        source: Absolute path, or URL.
        target: Path below the target, with `/`.
        size: Bytes of the source.
        version: Version of the source when it was planned.
        images: Number of images of the report in it.
        samples: What is left out.
    """

    source: str
    target: str
    size: int
    version: bytes
    images: int
    samples: tuple[Sample, ...] = ()

    @property
    def left_out(self) -> int:
        """The number of images that are left out."""
        return sum(len(sample.images) for sample in self.samples)

    @property
    def names(self) -> set[str]:
        """All members that are left out."""
        return {name for sample in self.samples for name in sample.names}

    @property
    def digest(self) -> str:
        """What identifies the choice of the members that are left out."""
        return _digest_of_names(self.names)


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What an export writes.

    Attributes:
        target: Absolute path of a folder, or URL of one in a store.
        report: Path of the report; "" if it was not read from a file.
        digest: What identifies the report.
        shards: The containers, by target.
        left: Redundant images that stay, with the reasons.
        unreadable: Containers that cannot be read, with the reasons.
        with_sample: Redundant images that stay because another image of their sample stays.
        linked: Redundant images that stay because a link in their container leads to a member of their sample.
        same_name: Redundant images that stay because several members of their container have one name.
        unnamed: Images that are left out with their sample although the report does not name them.
        not_exported: Images of the report that are files or objects of their own.
        references: Containers of references, which are not exported.
    """

    target: str
    report: str
    digest: str
    shards: list[Shard]
    left: list[Left] = field(default_factory=list)
    unreadable: list[Left] = field(default_factory=list)
    with_sample: int = 0
    linked: int = 0
    same_name: int = 0
    unnamed: int = 0
    not_exported: int = 0
    references: int = 0

    @property
    def left_out(self) -> int:
        """The number of images that are left out."""
        return sum(shard.left_out for shard in self.shards)

    @property
    def bytes(self) -> int:
        """The size of all sources."""
        return sum(shard.size for shard in self.shards)


@dataclass(slots=True)
class Exported:
    """The result of an export.

    Attributes:
        journal: Path of the journal.
        written: The lines of the journal of the containers that this run wrote.
        already: The number of containers that an earlier run wrote.
        left: Images that stayed and containers that were not written, with the reasons; without those of the plan.
        stopped: Why the run ended early; "" if it did not.
    """

    journal: str
    written: list[Line] = field(default_factory=list)
    already: int = 0
    left: list[Left] = field(default_factory=list)
    stopped: str = ""


# -- which images may go -------------------------------------------------------------------------------


def redundant_images(report: Report, only: Collection[Relation] = ()) -> tuple[list[Redundant], list[Left]]:
    """Return the images that may go, and the redundant ones that stay, with the reasons.

    `only`: relations to the keeper; images with others stay. Raises `UsageError` for an unknown one.
    """
    _check_relations(only)
    place = _Places(report.base)
    out, left = list[Redundant](), list[Left]()
    for group in report.groups:
        keeper = next(member for member in group.members if member.path == group.keeper)
        to_keeper = group.to_keeper
        at = place.of(keeper.path)
        for member in group.redundant:
            uri, match = place.of(member.path), to_keeper.get(member.path)
            if only and (match is None or match.relation not in only):
                continue
            if why := explain_partly_compared(member, keeper, match):
                left.append(Left(member.path, why))
            elif may_be_damaged(keeper, member, match) and differ_in_part(at, uri, member.size):
                left.append(Left(member.path, f"differs from the keeper in one part: {DAMAGED}"))
            else:
                out.append(Redundant(member.path, uri, member.digest, at, keeper.digest))
    return out, left


def list_redundant(report: Report, only: Collection[Relation] = ()) -> list[str]:
    """Return the images that may go: their ids if the report has ids, else their URIs, and their paths.

    Paths are as in the report if its base is the current folder, else absolute. Raises `UsageError`.
    """
    images, _ = redundant_images(report, only)
    here = os.path.realpath(report.base) == os.path.realpath(os.curdir)
    return [report.ids.get(image.path) or (image.path if here else image.uri) for image in images]


def _check_relations(only: Collection[str]) -> None:
    relations = [name for name in get_args(Relation) if name != "similar-scene"]
    for name in only:
        if name not in relations:
            raise UsageError(f"no relation is called {name!r}; there are: {', '.join(relations)}")


class _Places:
    """Absolute paths and URIs of the images of a report."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._files: dict[str, str] = {}

    def of(self, name: str) -> str:
        """Return the absolute path of a file, or the URI of a member with the absolute path of its container."""
        if is_remote(name):
            return name
        if not is_uri(name):
            return self._absolute(name)
        file = self._container(name)
        return (
            f"{self._absolute(file)}{name[len(file) :]}" if row_of(name) else name[: -len(file)] + self._absolute(file)
        )

    def container(self, name: str) -> str:
        """Return the absolute path or URL of the container of an image; "" for a file or object of its own."""
        if is_uri(name) and not is_remote(name):
            return self._absolute(self._container(name))
        return ""

    def _container(self, name: str) -> str:
        """Return the container as the report names it: its name, and that of the member, may contain `::`."""
        parts = name.partition("://")[2].split("::")
        if not row_of(name) and len(parts) > 2:
            for cut in range(len(parts) - 1, 0, -1):
                if os.path.isfile(self._absolute(file := "::".join(parts[cut:]))):
                    return file
        return container_of(name)

    def _absolute(self, path: str) -> str:
        if (known := self._files.get(path)) is None:
            known = path if is_remote(path) else os.path.normpath(os.path.join(self._base, path))
            self._files[path] = known
        return known


# -- plan ----------------------------------------------------------------------------------------------


def plan_export(
    report: Report, target: str | os.PathLike[str], *, only: Collection[Relation] = (), source: str = ""
) -> ExportPlan:
    """Plan the containers that a report names, without their redundant images. Reads files and changes none.

    Args:
        report: A report of `find`.
        target: Folder, or URL of a folder in a store, for the new containers.
        only: Relations to the keeper; redundant images with other relations stay. Empty: all.
        source: Path of the report, for the journal.

    Raises:
        UsageError: The report names no container, or a relation is unknown.
        RefusedError: Two containers would get one target, or a source would be its own target.
    """
    images, left = redundant_images(report, only)
    place = _Places(report.base)
    counts, plain, references, others = _count_images(report, place)
    if not counts:
        if references:
            raise UsageError("all archives and tables of the report are references, which are not exported")
        raise UsageError(NONE_NAMED)
    goes: dict[str, list[Redundant]] = defaultdict(list)
    for image in images:
        if file := place.container(image.path):
            goes[file].append(image)
    names = _relative_names(list(counts))
    plan = ExportPlan(
        os.fspath(target) if is_remote(os.fspath(target)) else os.path.abspath(os.fspath(target)),
        os.path.abspath(source) if source else "",
        _report_digest(report, source),
        [],
        left,
        not_exported=plain,
        references=references,
    )
    tally = Counter[str]()
    for file in sorted(counts, key=lambda file: names[file]):
        made = container(file)
        try:
            if made is None:
                raise ImageError("read", "its name is not that of an archive or table")
            status = status_of(file)
            redundant = goes.get(file, [])
            samples = _samples(made, file, redundant, others.get(file, set()), report, tally) if redundant else ()
        except ImageError as error:
            plan.unreadable.append(Left(file, f"is not exported: {error.reason}"))
            continue
        plan.shards.append(Shard(file, names[file], status.size, status.version, counts[file], samples))
    _require_free_targets(plan)
    return replace(
        plan,
        with_sample=tally["with_sample"],
        linked=tally["linked"],
        same_name=tally["same_name"],
        unnamed=tally["unnamed"],
    )


def _count_images(report: Report, place: _Places) -> tuple[dict[str, int], int, int, dict[str, set[str]]]:
    """Return the images of each container, and of none; the containers of references; all images, by container."""
    seen: dict[str, set[str]] = defaultdict(set)
    plain, as_references = set[str](), set[str]()
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
        file = place.container(name)
        if not file:
            at = place.of(name)
            if container(at) is None:
                plain.add(at)
            else:
                seen[at]  # a container that could not be listed
        else:
            seen[file].add(place.of(name))
            if reference:
                as_references.add(file)
    for root in report.roots:
        for name in _expand(report.base, root):
            at = place.of(name)
            if (is_remote(at) or os.path.isfile(at)) and container(at) is not None and "*" not in at:
                seen[at]
    folders = {file.rstrip("/" + os.sep) for file in reference_files}
    references = {file for file in seen if file in as_references or _is_below(file, folders)}
    counts = {file: len(images) for file, images in seen.items() if file not in references}
    return counts, len(plain), len(references), seen


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


def key_of(name: str, *, rows: bool = False) -> str:
    """Return the key of the sample of a member: as in webdataset, its path up to the first dot of the file name.

    A file name that has no dot, or begins with one, is a sample by itself. Of a table it is the row.
    """
    if rows:
        return name.partition("&")[0]
    at = name.rfind("/") + 1
    stem, dot, _ = name[at:].partition(".")
    return name[:at] + stem if stem and dot else f"{name}/"  # no key ends with a slash


def _relative_names(files: list[str]) -> dict[str, str]:
    """Return the path of each container from the common folder of all of them, with `/`; those of stores by their own.

    Raises `RefusedError` if two have the same.
    """
    names: dict[str, str] = {}
    for group in ([f for f in files if not is_remote(f)], [f for f in files if is_remote(f)]):
        # A URL as an absolute path, since `commonpath` shortens `//`; without its query.
        paths = {f: "/" + f.partition("?")[0].replace("://", "/") if is_remote(f) else f for f in group}
        try:
            top = os.path.commonpath([os.path.dirname(path) for path in paths.values()]) if paths else ""
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


def _digest_of_names(names: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(names):
        digest.update(name.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


# -- checks --------------------------------------------------------------------------------------------


class _Checks:
    """Digests of the images that are left out and of their keepers, compared with those of the report.

    The images of one file are read together, when the first of them is needed, because a compressed archive is
    decompressed as a whole. Later the version of the file shows whether it has changed.
    """

    def __init__(self, shards: Iterable[Shard]) -> None:
        self._needed: dict[str, dict[str, str]] = defaultdict(dict)
        for image in (image for shard in shards for sample in shard.samples for image in sample.images):
            self._needed[_file_of(image.uri)][image.uri] = image.digest
            self._needed[_file_of(image.keeper)][image.keeper] = image.keeper_digest
        self._known: dict[str, tuple[bytes, dict[str, str]]] = {}

    def reason(self, image: Redundant) -> str:
        """Return why an image must stay; "" if it and its keeper are as in the report."""
        if why := self._reason(image.uri):
            return why
        return f"its keeper, {image.keeper}, {why}" if (why := self._reason(image.keeper)) else ""

    def _reason(self, uri: str) -> str:
        file = _file_of(uri)
        try:
            now = status_of(file).version
        except ImageError as error:
            return error.reason
        known = self._known.get(file)
        if known is None or now == UNKNOWN or known[0] != now:
            try:
                with unchanged(file):
                    known = now, _compare(file, self._needed[file])
            except ImageError as error:  # written to meanwhile
                return error.reason
            self._known[file] = known
        return known[1][uri]


def _compare(file: str, digests: Mapping[str, str]) -> dict[str, str]:
    """Return for each image of a file, which may be the file itself, why it is not as in the report; "" if it is."""
    import xxhash

    source = container(file)
    reasons: dict[str, str] = {}
    for uri, digest in digests.items():
        try:
            data = (read(uri) if source is None or uri == file else source.read(file, _name_in(uri, file))).data
        except ImageError as error:
            reasons[uri] = f"{error.reason}; run find again"
            continue
        same = data is not None and xxhash.xxh3_128_hexdigest(data) == digest
        reasons[uri] = "" if same else CHANGED
    return reasons


def _name_in(uri: str, file: str) -> str:
    """Return the name of a member in its container."""
    return uri[len(file) + 1 :] if row_of(uri) else uri.partition("://")[2][: -len(file) - 2]


def _file_of(uri: str) -> str:
    return container_of(uri) if is_uri(uri) and not is_remote(uri) else uri


# -- write ---------------------------------------------------------------------------------------------


def write_export(plan: ExportPlan, *, progress: ProgressLike = None) -> Exported:
    """Write the containers of a plan to its target; the sources are only read, and no file is replaced.

    Images that changed since `find`, or whose keeper did, stay. Containers that an earlier run on the same report
    wrote are skipped.

    Raises:
        RefusedError: Another export writes there, the target has the journal of another report, or the disk is full.
        OutputError: The target cannot be written.
        StoppedError: The user stopped the run; the next one continues it.
    """
    shown = progress_of(progress)
    target: Target = Store(plan.target) if is_remote(plan.target) else Folder(plan.target)
    target.prepare()
    with Journal.open(target.journal(plan.report, plan.digest), plan.target, plan.report, plan.digest) as journal:
        done = Exported(journal.path)
        todo = [shard for shard in plan.shards if not _is_done(shard, journal, target, done)]
        _require_space(target, todo)
        checks = _Checks(todo)
        try:
            with shown.stage("export", len(todo)):
                for shard in todo:
                    _write_shard(shard, journal, target, checks, done)
                    if done.stopped:
                        break
                    shown.advance()
        except KeyboardInterrupt:
            complete = plural(len(done.written) + done.already, "file is", "files are")
            raise StoppedError(
                f"stopped; {complete} complete in {plan.target}; run the same command to continue"
            ) from None
    return done


def _is_done(shard: Shard, journal: Journal, target: Target, done: Exported) -> bool:
    """True for a container that an earlier run wrote, or whose name another file has; removes what a kill left."""
    target.clean(shard.target, journal.id)
    line = journal.lines.get(shard.target)
    try:
        size = target.size(shard.target)
        mine = line is not None and (line.version, line.choice) == (shard.version.hex(), shard.digest)
        if size is None:
            return False
        if line is not None and mine and line.state == "made" and target.drop_reserved(shard.target):
            return False
        if line is not None and mine and size == line.bytes:
            if line.state == "done":
                done.already += 1
                return True
            if target.digest(shard.target) == line.digest:  # killed between the rename and the line after it
                journal.append(line._replace(state="done"))
                done.already += 1
                return True
    except (OSError, ImageError) as error:
        reason = error.reason if isinstance(error, ImageError) else system_reason(error)
        done.left.append(Left(shard.source, f"is not exported: its target cannot be used: {reason}"))
        return True
    changed = "it is of an earlier export with other options or of an older version of the archive"
    what = changed if line is not None else "it is not of an export of this report"
    done.left.append(Left(shard.source, f"is not exported: {shard.target} exists in the target, and {what}"))
    return True


def _require_space(target: Target, shards: Iterable[Shard]) -> None:
    need, free = sum(shard.size for shard in shards), target.free()
    if free is not None and need > free:
        raise RefusedError(
            f"the export needs up to {need:,} bytes, and {target.root} has {free:,} bytes free: nothing was written"
        )


def _write_shard(shard: Shard, journal: Journal, target: Target, checks: _Checks, done: Exported) -> None:
    """Write one container, or note why not."""
    temporary = ""
    try:
        if status_of(shard.source).version != shard.version:
            raise ImageError("read", CHANGED)
        drop, left_out = set[str](), 0
        for sample in shard.samples:
            reasons = [(image, checks.reason(image)) for image in sample.images]
            if any(why for _, why in reasons):
                done.left += [Left(image.path, f"stays: {why}") for image, why in reasons if why]
            else:
                drop.update(sample.names)
                left_out += len(sample.images)
        temporary = target.temporary(shard.target, journal.id)
        with target.create(temporary) as out, unchanged(shard.source):
            _copy(shard.source, drop, out)
            out.sync()
        if status_of(shard.source).version != shard.version:
            raise ImageError("read", CHANGED)
        kept = _verify(shard.source, temporary, drop, out.size)
        line = Line(
            "made", shard.source, shard.version.hex(), shard.target, out.size, kept, left_out, out.digest, shard.digest
        )
        journal.append(line)
        target.finish(temporary, shard.target)
        journal.append(line := line._replace(state="done"))
        done.written.append(line)
    except FileExistsError:
        done.left.append(Left(shard.source, f"is not exported: {shard.target} exists in the target"))
    except ImageError as error:
        done.left.append(Left(shard.source, f"is not exported: {error.reason}"))
    except OSError as error:
        done.left.append(
            Left(shard.source, f"is not exported: {shard.target} cannot be written: {system_reason(error)}")
        )
        if target.is_full(error):
            done.stopped = f"stopped, because {target.root} is full; run the same command to continue"
    finally:
        if temporary:
            target.discard(temporary)


def _copy(path: str, drop: Collection[str], out: Output) -> None:
    """Write a container without these members; one from which nothing is left out is copied byte by byte."""
    source = container(path)
    assert source is not None
    if drop:
        source.copy_without(path, drop, cast("BinaryIO", out))
        return
    with contextlib.closing(open_file(path)) as file:
        shutil.copyfileobj(file, out, _COPIED)


def _verify(path: str, made: str, drop: Collection[str], size: int) -> int:
    """Compare a written container with its source; return the number of its members, 0 if nothing was left out.

    Raises `ImageError` unless its members are those of the source without `drop`, in their order.
    """
    if os.path.getsize(made) != size:
        raise ImageError("write", "the written file has another size than was written; check the disk")
    if not drop:
        if size != status_of(path).size:
            raise ImageError("read", CHANGED)
        return 0
    source = container(path)
    assert source is not None
    rows = {key_of(name, rows=True) for name in drop} if source.rows else set[str]()
    kept = [
        entry
        for entry in source.entries(path)
        if (key_of(entry.name, rows=True) not in rows if source.rows else entry.name not in drop)
    ]
    found = list(source.entries(made))

    def facts(entry: Entry) -> tuple[str, int, bool]:  # the numbers of rows change
        return "" if source.rows else entry.name, entry.size, bool(entry.error)

    if [facts(entry) for entry in kept] != [facts(entry) for entry in found]:
        raise ImageError("write", "the written file has other members than planned; nothing was exported of it")
    sound = [pair for pair in zip(kept, found, strict=True) if not pair[0].error]
    for old, new in sound[:: max(1, len(sound) // (_COMPARED - 1) - 1)][:_COMPARED]:
        try:
            before = source.read(path, old.name).data
        except ImageError:  # it was unreadable before
            continue
        if source.read(made, new.name).data != before:
            raise ImageError("write", f"{new.name} has other bytes in the written file; check the disk")
    return len(found)
