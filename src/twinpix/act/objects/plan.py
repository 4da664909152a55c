"""From a report to a plan that moves objects within their store. Only reads."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import get_args

from twinpix.act.emptied import IN_EMPTIED, is_in_emptied
from twinpix.act.objects import changes, keepers, reading
from twinpix.act.objects.companions import ObjectFiles, ObjectFolders, ObjectNames, problem_of, tops_of
from twinpix.act.objects.steps import KeptImage, ObjectPlan, ObjectStep, ObjectUnit
from twinpix.act.planning.bundles import Bundler, Sidecars
from twinpix.act.planning.targets import Item
from twinpix.act.steps import Facts, Skipped
from twinpix.errors import ImageError, RefusedError, SkipKind, StepError, UsageError
from twinpix.model import Relation, Report, in_container, is_remote
from twinpix.sources import storage
from twinpix.sources.credentials import forget, private_url, show_url
from twinpix.sources.redundant import Redundant, redundant_images
from twinpix.text import printable

NONE_NAMED = "--move URL moves objects of a store, and the report names none that can go"
_WITH_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs"})  # schemes of stores that create no bucket by a copy


def plan_objects(
    report: Report,
    target: str,
    *,
    only: Collection[Relation] = (),
    sidecars: Sidecars = "same",
    source: str = "",
    moved: Mapping[str, ObjectStep] | None = None,
) -> ObjectPlan:
    """Plan to move the redundant images of a report that are objects of a store. Reads and changes nothing.

    Args:
        report: A report of `find`.
        target: URL of a folder in the same store, outside of the scanned folders.
        only: Relations to the keeper; redundant images with other relations stay. Empty: all.
        sidecars: Companion objects: "same", "all" or "keep", as for files.
        source: Path of the report, for the journal.
        moved: Steps of earlier runs, by URL; these images are not planned again.

    Raises:
        UsageError: The report names no object, the target cannot be written, or a relation is unknown.
        RefusedError: The target is in a scanned folder.
    """
    target = checked_target(target)
    if sidecars not in get_args(Sidecars):
        raise UsageError(f"sidecars is one of {', '.join(get_args(Sidecars))}, not {sidecars!r}", field="sidecars")
    images, left = redundant_images(report, only)
    named = [image.uri for image in images]
    if not any(map(is_remote, named)) and not any(is_remote(row.path) for row in left):
        raise UsageError(f"{NONE_NAMED}: use --move DIR for files, --export TARGET for archives and tables")
    tops, references = tops_of(report, report.roots), tops_of(report, report.references)
    scanned = [folder for folder, whole in (*tops.items(), *references.items()) if whole]
    _require_outside(target, scanned)
    planner = _Planner(report, target, images, tops, sidecars)
    planner.skipped += [Skipped(row.path, row.reason, row.group, kind=SkipKind.PARTLY_COMPARED) for row in left]
    units = planner.units(moved or {})
    for unit in units:
        _require_outside(unit.steps[0].target, scanned)
    return ObjectPlan(
        target=target,
        report=os.path.abspath(source) if source else "",
        roots=list(tops),
        kept=planner.kept(units),
        units=units,
        skipped=planner.skipped,
        already=planner.already,
        distance_unit=report.unit,
    )


def checked_target(url: str) -> str:
    """Return the URL of a target folder without a final slash; raises `UsageError` unless its store can be written."""
    target = show_url(url)
    if private_url(target) != target:
        forget(target)
        raise UsageError(f"{target}: user, password and query are not used; set those of the store's library instead")
    target = target.rstrip("/")
    scheme, _, rest = target.partition("://")
    instead = "name a folder of the store that has the images, such as s3://bucket/duplicates"
    if not rest or any(mark in target for mark in "*?#"):
        raise UsageError(f"{target or url} names no folder of a store: {instead}")
    try:
        if not changes.can_copy(target) or scheme == "memory":
            raise UsageError(
                f"nothing can be moved in {scheme}://, which is only read: {instead}, or --list FILE to list duplicates"
            )
        bucket = f"{scheme}://{rest.partition('/')[0]}"
        try:
            exists = scheme not in _WITH_BUCKETS or storage.object_now(bucket) is not None
        except ImageError:  # rights for single folders do not allow that
            exists = True
    except ImageError as error:
        raise UsageError(f"{target} cannot be used: {error.reason}") from None
    if not exists:
        raise UsageError(f"there is no bucket {bucket}: create it, or check the URL")
    return target


def _require_outside(target: str, folders: Sequence[str]) -> None:
    """Raise `RefusedError` for a target in which the next `find` would find the moved images again."""
    for folder in folders:
        if f"{target}/".startswith(f"{folder}/"):
            raise RefusedError(
                f"{target} is inside {folder}, which was scanned: the next find would find the moved images again. "
                "Name a folder outside of it, such as one of another bucket of the store"
            )


class _Planner:
    def __init__(
        self, report: Report, target: str, images: Sequence[Redundant], tops: Mapping[str, bool], sidecars: Sidecars
    ) -> None:
        self._report, self._target, self._images, self._sidecars = report, target, images, sidecars
        self._members = {member.path for group in report.groups for member in group.members}
        self._members |= {image.path for image in report.unique or ()}
        self._names = ObjectNames(target, tops)
        references = tops_of(report, report.references)
        self._references = tuple(f"{folder}/" for folder, whole in references.items() if whole)
        self._files = ObjectFiles()
        self._versions: dict[str, str] = {}
        self.skipped: list[Skipped] = []
        self.already = 0

    def units(self, moved: Mapping[str, ObjectStep]) -> list[ObjectUnit]:
        """Return each image with its companion objects, in the order of the report."""
        items = self._items(moved)
        kept = {image.group: image.keeper for image in self._images}
        digests = {image.group: image.keeper_digest for image in self._images}
        out: list[ObjectUnit] = []
        for together in self._bundles(items, kept):
            first, steps = together[0], list[ObjectStep]()
            targets = self._targets([item.path for item in together])
            for item, place in zip(together, targets, strict=True):
                keeper = item.keeper if not item.companion or item.keeper != kept[item.group] else ""
                equal = item.digest if item.companion else digests[item.group]
                facts = (item.facts.size, item.digest, self._version(item.path))
                step = ObjectStep(len(steps), len(out), item.path, place, *facts, keeper, equal if keeper else "")
                steps.append(step._replace(companion=item.companion))
            out.append(ObjectUnit(first.group, steps, first.match))
        return out

    def _targets(self, urls: Sequence[str]) -> list[str]:
        try:
            return self._names.of(urls)
        except StepError as error:
            raise RefusedError(f"{self._target} cannot be listed: {error}") from None

    def kept(self, units: Sequence[ObjectUnit]) -> list[KeptImage]:
        """Return the keepers of the groups of which an image is moved or left."""
        used = {unit.group for unit in units} | {row.group for row in self.skipped}
        return [KeptImage(group.id, group.keeper, group.reason) for group in self._report.groups if group.id in used]

    # -- which objects

    def _items(self, moved: Mapping[str, ObjectStep]) -> dict[str, Item]:
        """Return the images that may go; the others are counted or left alone with the reason."""
        possible = [image for image in self._images if self._is_possible(image)]
        answers = storage.ahead(lambda image: _look(image, moved.get(image.uri)), possible)
        faults = self._faults_of_keepers(possible)
        items: dict[str, Item] = {}
        for image, answer in zip(possible, answers, strict=True):
            if answer is None:
                self.already += 1
            elif isinstance(answer, StepError):
                self.skipped.append(Skipped(image.uri, str(answer), image.group, True, answer.kind))
            elif fault := faults[image.group]:
                why = f"the keeper, {printable(image.keeper)}, {fault}: no object of this group is moved"
                self.skipped.append(Skipped(image.uri, why, image.group, True, SkipKind.KEEPER))
            elif is_in_emptied(image.keeper) and not is_in_emptied(image.uri):
                why = f"the keeper {IN_EMPTIED}"
                self.skipped.append(Skipped(image.uri, why, image.group, kind=SkipKind.KEEPER_EMPTIED))
            else:
                self._versions[image.uri] = answer.version.hex()
                facts = Facts(-1, 0, answer.size, answer.modified_ns, 0, 0, 0, 0)
                items[image.uri] = Item(
                    image.uri, image.group, image.match, facts, image.digest, image.keeper, image.root
                )
        return items

    def _is_possible(self, image: Redundant) -> bool:
        """True for an object of the store of the target; the others are left, with what to use for them."""
        if in_container(image.uri):
            why = "is inside an archive or table: use --export TARGET"
            self.skipped.append(Skipped(image.uri, why, image.group, kind=SkipKind.IN_CONTAINER))
        elif not is_remote(image.uri):
            self.skipped.append(Skipped(image.uri, "is a file: use --move DIR", image.group, kind=SkipKind.IS_FILE))
        elif not _is_in_store(image.uri, self._target):
            why = f"is in another store than {self._target}: use --move with a URL of its store"
            self.skipped.append(Skipped(image.uri, why, image.group, kind=SkipKind.IN_STORE))
        elif not self._names.is_inside(image.uri):
            self.skipped.append(
                Skipped(image.uri, "is outside the scanned folders", image.group, True, SkipKind.OUTSIDE)
            )
        else:
            return True
        return False

    def _faults_of_keepers(self, images: Sequence[Redundant]) -> dict[int, str]:
        """Return why the keeper of a group cannot be relied on; "" if it is there."""
        wanted = {image.group: image.keeper for image in images}
        found = storage.ahead(_fault_of_keeper, list(wanted.values()))
        return dict(zip(wanted, found, strict=True))

    # -- companion objects

    def _bundles(self, items: dict[str, Item], kept: Mapping[int, str]) -> Iterator[list[Item]]:
        folders = ObjectFolders(list(self._names.tops))
        self._leave_unlisted(items, folders)
        if self._sidecars == "keep":
            for url, item in items.items():
                if owners := folders.owners_of_mask(url):
                    why = f"belongs to {printable(owners[0])}"
                    self.skipped.append(Skipped(url, why, item.group, kind=SkipKind.COMPANION))
                else:
                    yield [item]
            return
        paths = {group: [] if in_container(keeper) else [keeper] for group, keeper in kept.items()}
        bundler = Bundler(
            items,
            paths,
            folders,
            self._may_go,
            lambda other, item, seen: _half(other, items),
            self._sidecars == "all",
            self.skipped,
            files=self._files,
        )
        yield from bundler.bundles()

    def _may_go(self, companion: str) -> bool:
        """True for a companion object in the scanned folders that is not an image of the report."""
        inside = self._names.is_inside(companion) and not companion.startswith(self._references)
        return inside and companion not in self._members

    def _leave_unlisted(self, items: dict[str, Item], folders: ObjectFolders) -> None:
        for url, item in list(items.items()):
            if why := problem_of(url, folders, self._names, alone=self._sidecars == "keep"):
                del items[url]
                self.skipped.append(Skipped(url, why, item.group, kind=SkipKind.WITH_COMPANION))

    def _version(self, url: str) -> str:
        """Return the version of an object when it was planned."""
        if url not in self._versions:
            seen = reading.look(url)
            self._versions[url] = seen.version.hex() if seen else ""
        return self._versions[url]


def _look(image: Redundant, step: ObjectStep | None) -> "reading.Seen | StepError | None":
    """Return the status of an object; None if an earlier run has moved it, and the error if it cannot be moved."""
    try:
        seen = reading.look(image.uri)
        if seen is None and step is not None and step.digest == image.digest:
            return None
        seen = seen and reading.require(image.uri)
    except StepError as error:
        return error
    if seen is None:
        return StepError("no longer exists", SkipKind.GONE)
    if seen.size != image.size:
        return StepError("was changed since it was scanned", SkipKind.CHANGED)
    return seen


def _fault_of_keeper(keeper: str) -> str:
    try:
        keepers.version_now(keeper)
    except StepError as error:
        return str(error)
    return ""


def _is_in_store(url: str, target: str) -> bool:
    """True if two URLs are of one store, as the buckets of S3 are."""
    try:
        return reading.store_of(url) is reading.store_of(target)
    except StepError:
        return False


def _half(other: str, items: Mapping[str, Item]) -> Item:
    """Return the other file of a RAW and JPEG pair, which must be a redundant image too."""
    if other in items:
        return items[other]
    raise StepError(f"the other file of its pair, {printable(other.rpartition('/')[2])}, stays", SkipKind.WITH_PAIR)
