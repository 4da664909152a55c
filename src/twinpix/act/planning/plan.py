"""From a report to a plan: keepers, duplicates with targets, and files left alone with the reason. Only reads."""

import contextlib
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from twinpix import plugins
from twinpix.act import actions, filesystem
from twinpix.act.actions import Action, Scope
from twinpix.act.emptied import IN_EMPTIED, is_in_emptied
from twinpix.act.planning.bundles import Bundler, Sidecars
from twinpix.act.planning.leftovers import find_uncopied
from twinpix.act.planning.own_outputs import is_output
from twinpix.act.planning.targets import Item, Names, folder_of
from twinpix.act.regroup import decide_again
from twinpix.act.sidecars.folders import Folders
from twinpix.act.sidecars.kinds import PICTURES, is_annotations, key
from twinpix.act.steps import Facts, Kept, Plan, Skipped, Step, Unit
from twinpix.act.validate import Places, absolute, scope_of, sound_places
from twinpix.errors import ReportError, SkipKind, StepError, UsageError
from twinpix.formats import claims_image
from twinpix.machine import no_garbage_collection
from twinpix.managed import IN_LIBRARY, in_library
from twinpix.model import Group, Match, Member, Relation, Report, Unique, can_change, explain_partly_compared, is_remote
from twinpix.paths import above, is_within_any
from twinpix.sources.bit_rot import DAMAGED, differ_in_part, may_be_damaged
from twinpix.text import printable


def plan(
    report: Report,
    action: str | Action,
    *,
    keep: str | None = None,
    stricter: float | None = None,
    sidecars: Sidecars | bool = "same",
    only: Collection[Relation] = (),
    choices: Mapping[int, Sequence[str]] | None = None,
    dealt_with: Mapping[str, Step] | None = None,
    source: str = "",
    by_stem: bool = False,
    whole: bool = True,
) -> Plan:
    """Plan an action on the duplicates of a report. Reads files and changes none of them.

    Args:
        report: A report of `find`.
        action: An action with its options: "move:to=DIR", "copy:to=DIR", "trash", "delete", "hardlink", "symlink" or
            "reflink".
        keep: Keep rules that choose the keepers again; those of the report if None.
        stricter: A smaller radius in the unit of the report, from 0 to its radius; groups are formed again within it.
        sidecars: Companion files (XMP and others). "same" or True: moved with their image if the keeper has files with
            the same bytes, else both are kept; "all": always moved with it; "keep" or False: never moved.
        only: Relations to the keeper; duplicates with other relations are left alone. Empty: all.
        choices: Paths to keep, by the number of the group; the first path is the keeper. Groups without an entry are
            left alone.
        dealt_with: Steps of an earlier run by path; these files are not planned again.
        source: Path of the report, for the journal.
        by_stem: Also treat `.txt`, `.json` and other annotations with the stem of an image as its companion files.
        whole: If keepers are copied, also copy images that could not be read, and list all other files in `skipped`.

    Returns:
        The plan: units of steps, files that are kept, and files that are left alone with the reason.

    Raises:
        ReportError: The report is inconsistent, outdated, or names files outside its folders.
        RefusedError: The action is impossible, e.g. its folder cannot be written.
        UsageError: The action or an option is unknown.

    Example:
        >>> report = twinpix.find("photos", store=None)
        >>> plan = twinpix.plan(report, "move:to=duplicates", only=["re-encoded"])
        >>> [(os.path.basename(step.path), os.path.relpath(step.target)) for step in plan.steps]
        [('beach.jpg', 'duplicates/beach.jpg')]
    """
    _check_options(only, sidecars)
    with no_garbage_collection():
        if keep is not None or stricter is not None:
            report = decide_again(report, keep, stricter)
        places = sound_places(report)
        scope, act = scope_of(report), actions.make(action) if isinstance(action, str) else action
        act.prepare(scope, apply=False)
        mode = sidecars if isinstance(sidecars, str) else "same" if sidecars else "keep"
        planner = _Planner(
            report, places, scope, act, mode, dealt_with or {}, source, Folders(by_stem=by_stem), frozenset(only)
        )
        if act.on == "kept":
            planner.keep_all(choices)
            if whole:
                planner.keep_unread()
        else:
            planner.discard(choices)
        units = planner.units()
        if act.on == "kept" and whole:
            steps = [step for unit in units for step in unit.steps]
            own = os.path.abspath(source) if source else ""
            done = planner.find_unchanged().union(skip.path for skip in planner.skipped)
            planner.skipped += find_uncopied(
                scope, steps, planner.spare, done, own, planner.folders, set(places.values())
            )
    return Plan(
        action=plugins.name_of(act),
        options=actions.options_of(act),
        report=source,
        roots=scope.roots,
        references=scope.references,
        kept=planner.kept,
        units=units,
        skipped=planner.skipped,
        already=planner.already,
        distance_unit=report.unit,
    )


def _check_options(only: Collection[str], sidecars: str | bool) -> None:
    """Raise `UsageError` for a word that is no relation of duplicates, or no treatment of companion files."""
    if isinstance(only, str):
        raise UsageError(f"only is a list of relations, not the text {only!r}", field="only")
    relations = [name for name in get_args(Relation) if name != "similar-scene"]
    for name in only:
        if name not in relations:
            raise UsageError(f"no relation is called {name!r}; there are: {', '.join(relations)}")
    if isinstance(sidecars, str) and sidecars not in get_args(Sidecars):
        raise UsageError(f"sidecars is one of {', '.join(get_args(Sidecars))}, not {sidecars!r}", field="sidecars")


INSTEAD_OF_CHANGING = "--export writes archives again without their duplicates, --list lists these"
INSTEAD_IN_STORES = (
    "--move URL, such as --move s3://bucket/duplicates, moves objects within their store (not of web servers), "
    "and --list lists these"
)
_IN_STORE = f"is an object of a store: {INSTEAD_IN_STORES}"
_IN_CONTAINER = f"is inside an archive; twinpix never changes archives: {INSTEAD_OF_CHANGING}"
_INSTEAD = "another image of its group is copied"
_NOT_FROM_CONTAINER = "is not copied"
_ARCHIVE = ("inside an archive", SkipKind.IN_CONTAINER)
_UNREAD = "could not be read as an image"
_IN_NO_GROUP = "in no group"
_OTHER_BYTES = "has other bytes than the keeper, so a link would lose them"


def _place_of(image: str) -> tuple[str, SkipKind]:
    """Return where an image is that is no file of its own."""
    return ("an object of a store", SkipKind.IN_STORE) if is_remote(image) else _ARCHIVE


def _require_file(path: str) -> None:
    """Raise for an image that is no file of its own."""
    if not can_change(path):
        kind = _place_of(path)[1]
        raise _ByRuleError(_IN_STORE if kind is SkipKind.IN_STORE else _IN_CONTAINER, kind)


def _facts_of(path: str, *, behind_link: bool) -> Facts:
    """Return the facts of a file; raises `StepError` if there is none."""
    _require_file(path)
    return filesystem.facts_at(os.path.realpath(path) if behind_link else path)


@dataclass
class _Planner:
    report: Report
    places: dict[str, str]
    scope: Scope
    action: Action
    sidecars: Sidecars
    dealt_with: Mapping[str, Step]
    source: str
    folders: Folders
    only: frozenset[Relation]
    kept: list[Kept] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    already: int = 0
    items: dict[str, Item] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._inodes: dict[tuple[int, ...], str] = {}
        self._real: dict[str, bool] = {}
        self._references = tuple(folder.rstrip(os.sep) + os.sep for folder in self.scope.references)
        self._tops = frozenset(os.path.realpath(folder_of(root)) for root in self.scope.roots)
        self._beside = frozenset(os.path.dirname(os.path.realpath(root)) for root in self.scope.roots)
        self._mirrored = frozenset((os.path.dirname(os.path.dirname(top)), os.path.basename(top)) for top in self._tops)
        self._read_only = frozenset(map(os.path.realpath, self.scope.references))
        self._named = frozenset(self.places.values())
        self.spare = set[str]()  # duplicates of copied files
        self._relied = set[str]()  # files of pairs that are kept, although their other file was planned

    # -- which files

    def discard(self, choices: Mapping[int, Sequence[str]] | None) -> None:
        """Add the duplicates of groups whose keeper is unchanged."""
        chosen = [(group, self._members_to_keep(group, choices)) for group in self.report.groups]
        known = [(group, self._keepers(group, kept)) for group, kept in chosen if kept]
        for group, keepers in known:
            if keepers:
                self._discard(group, keepers)

    def _members_to_keep(self, group: Group, choices: Mapping[int, Sequence[str]] | None) -> list[Member]:
        """Return the members to keep, the keeper first; none if the group is left alone."""
        if choices is None:
            return [member for member in group.members if member.path == group.keeper]
        members = {member.path: member for member in group.members}
        return [members[name] for name in choices.get(group.id, ()) if name in members]

    def _keepers(self, group: Group, kept: Sequence[Member]) -> list[Kept]:
        """Return the members of a group that are kept, if all of them are unchanged."""
        out = []
        for member in kept:
            path = self.places[member.path]
            if not can_change(path):
                where, kind = _place_of(path)
                why = f"the keeper, {printable(member.path)}, is {where}: no file of this group is changed"
                self.skipped.append(Skipped(path, why, group.id, kind=kind))
                return []
            try:
                facts = self._facts(member, path)
            except StepError as error:
                why = f"the keeper, {printable(member.path)}, {error}: no file of this group is changed"
                self.skipped.append(Skipped(path, why, group.id, refused=True, kind=SkipKind.KEEPER))
                return []
            out.append(Kept(group.id, path, _why_kept(group, member), facts, member.digest))
            self._inodes[facts[:2]] = path
        self.kept += out
        return out

    def _facts(self, member: Member, path: str) -> Facts:
        """Return the facts of a file that is unchanged since the report."""
        facts = _facts_of(path, behind_link=member.link)
        if not _is_as_scanned(facts, member):
            raise StepError("was changed since it was scanned", SkipKind.CHANGED)
        return facts

    def _discard(self, group: Group, keepers: list[Kept]) -> None:
        names = {keeper.path for keeper in keepers}
        keeper = next(member for member in group.members if self.places[member.path] == keepers[0].path)
        hows = _matches_with(group, keeper)
        for member in group.members:
            path = self.places[member.path]
            if path in names:
                continue
            try:
                match = hows.get(member.path)
                self._check_pair(keeper, member, match)
                if is_in_emptied(keepers[0].path) and not is_in_emptied(path):
                    raise _ByRuleError(f"the keeper {IN_EMPTIED}", SkipKind.KEEPER_EMPTIED)
                self._take(group.id, member, path, match, keepers)
            except StepError as error:
                refused = not isinstance(error, _ByRuleError)
                self.skipped.append(Skipped(path, str(error), group.id, refused, error.kind))

    def _check_pair(self, keeper: Member, member: Member, match: Match | None) -> None:
        """Raise for a duplicate that was not requested, or that the keeper may not replace."""
        self._check_relation(match)
        if why := explain_partly_compared(member, keeper, match):
            raise _ByRuleError(why, SkipKind.PARTLY_COMPARED)
        first, second = self.places[keeper.path], self.places[member.path]
        if may_be_damaged(keeper, member, match) and differ_in_part(first, second, member.size):
            self._facts(member, second)  # a file that was edited since it was scanned is not called damaged
            why = f"has the size of the keeper and differs from it in one part: {DAMAGED}"
            raise _ByRuleError(why, SkipKind.MAYBE_DAMAGED)

    def _check_relation(self, match: Match | None) -> None:
        """Raise for a duplicate whose relation to the keeper was not requested."""
        if self.only and (match is None or match.relation not in self.only):
            relation = "related to the keeper only via a third image" if match is None else match.relation
            why = f"is {relation}: only {', '.join(sorted(self.only))} was requested"
            raise _ByRuleError(why, SkipKind.RELATION)

    def _take(self, group: int, member: Member, path: str, match: Match | None, keepers: Sequence[Kept]) -> None:
        _require_file(path)
        if in_library(path):
            if member.protected:
                raise _ByRuleError(IN_LIBRARY, SkipKind.IN_LIBRARY)
            raise StepError(IN_LIBRARY, SkipKind.IN_LIBRARY)  # the report is old, or was edited
        if member.link and member.protected:
            raise _ByRuleError("is reached through a symbolic link", SkipKind.BEHIND_LINK)
        if member.protected or path.startswith(self._references):
            raise _ByRuleError("is in a reference folder", SkipKind.IN_REFERENCE)
        equal = next((keeper for keeper in keepers if keeper.digest == member.digest), None)
        keeper = equal or keepers[0]
        if self._was_dealt_with(path, member) and not (self.action.leaves and os.path.lexists(path)):
            self.already += 1
        else:
            facts = self._facts(member, path)
            if self.action.identical and not equal:
                raise _ByRuleError(_OTHER_BYTES, SkipKind.OTHER_BYTES)
            other = self._inodes.setdefault(facts[:2], path)
            if other != path:
                raise StepError(f"is another name of {printable(other)}", SkipKind.SAME_FILE)
            if not self._is_inside(path):
                why = "is behind a symbolic link that leads out of the scanned folders"
                raise StepError(why, SkipKind.OUTSIDE)
            self._require_no_links(member, path)
            self.items[path] = Item(path, group, match, facts, member.digest, keeper.path, member.root, keeper.reason)

    def _require_no_links(self, member: Member, path: str) -> None:
        """Raise for a file that is moved while symbolic links lead to it, which twinpix may have made."""
        if not self.action.leaves:
            return
        for name in self.report.symlinks.get(member.path, ()):
            link = absolute(self.report.base, name)
            if os.path.islink(link) and os.path.realpath(link) == os.path.realpath(path):
                why = f"the symbolic link {printable(name)} leads to it and would be broken"
                raise _ByRuleError(why, SkipKind.LINKED_TO)

    def _was_dealt_with(self, path: str, file: Member | Unique) -> bool:
        """True if an earlier run has processed exactly this file: cameras reuse their file names."""
        step = self.dealt_with.get(path)
        return step is not None and step.digest == file.digest

    def find_unchanged(self) -> set[str]:
        """Return the processed files that are still as they were then."""
        return {path for path, step in self.dealt_with.items() if _is_as_in(path, step)}

    def _is_inside(self, path: str) -> bool:
        """True for a file in the scanned folders and in no reference, after resolving symbolic links."""
        folder = path[: path.rfind(os.sep) + 1]
        if folder not in self._real:
            real = os.path.realpath(folder)
            read_only = is_within_any(real, self._read_only) or in_library(real)
            self._real[folder] = is_within_any(real, self._tops) and not read_only
        return self._real[folder] and path not in self.scope.references

    def keep_all(self, choices: Mapping[int, Sequence[str]] | None) -> None:
        """Add the keepers of each group, and every image in no group; references are not copied."""
        if self.report.unique is None:
            raise ReportError("the report does not name the images that are in no group: run find again")
        for group in self.report.groups:
            if kept := self._members_to_keep(group, choices):
                self._keep_group(group, kept)
        for image in self.report.unique:
            if can_change(path := self.places[image.path]):
                self._keep(image, 0, _IN_NO_GROUP)
            else:
                self._leave_inside(path, 0, represented=False)

    def _keep_group(self, group: Group, kept: Sequence[Member]) -> None:
        """Add the keepers of a group, and the duplicates that they do not represent.

        These were compared in part only, or not requested. If a keeper has changed or is inside an archive, add the
        next best image.
        """
        inside = list[Member]()

        def keep(member: Member, why: str) -> bool:
            if can_change(self.places[member.path]):
                return self._keep(member, group.id, why)
            if not member.reference:
                inside.append(member)
            return False

        copied = [member for member in kept if keep(member, _why_kept(group, member))]
        for member in group.members:
            if member in kept:
                continue
            why = self._why_not_represented(group, copied[0], member) if copied else "in the place of the keeper"
            if not why:
                self.spare.add(self.places[member.path])
            elif keep(member, why) and not copied:
                copied.append(member)
        for member in inside:
            chosen = len(kept) > 1 and member in kept
            found = copied and not chosen and not self._why_not_represented(group, copied[0], member)
            self._leave_inside(self.places[member.path], group.id, represented=bool(found))

    def _why_not_represented(self, group: Group, keeper: Member, member: Member) -> str:
        """Return why one image does not represent another one of its group; "" if it does."""
        try:
            self._check_pair(keeper, member, _matches_with(group, keeper).get(member.path))
        except StepError as error:
            return str(error)
        return ""

    def keep_unread(self) -> None:
        """Add the images that could not be read, because they are the user's files all the same."""
        places = Places(self.report)
        for name in dict.fromkeys(failure.path for failure in self.report.failures):
            path = places.of(name)
            if not path or path in self.items or path in self.spare:
                continue
            if path.startswith(self._references) or not os.path.isfile(path):
                continue
            if (step := self.dealt_with.get(path)) and _is_as_in(path, step):
                self.already += 1
                continue
            with contextlib.suppress(StepError):
                self.items[path] = Item(path, 0, None, filesystem.facts_at(os.path.realpath(path)), "", "", -1, _UNREAD)

    def _keep(self, image: Member | Unique, group: int, why: str) -> bool:
        """Add an image that is a file, to be copied; False if it has changed.

        References are not copied; images in a library of another program are, because reading changes nothing.
        """
        path = self.places[image.path]
        dealt_with = self._was_dealt_with(path, image)
        if dealt_with and not os.path.lexists(path):
            self.already += 1
            return True
        try:
            facts = _facts_of(path, behind_link=True)
            if not _is_as_scanned(facts, image):
                raise StepError("was changed since it was scanned", SkipKind.CHANGED)
        except StepError as error:
            self.skipped.append(Skipped(path, str(error), group, True, error.kind))
            return False
        if dealt_with:
            self.already += 1
        elif not (isinstance(image, Member) and image.reference) or in_library(path):
            self.items[path] = Item(path, group, None, facts, image.digest, "", image.root, why)
        return True

    def _leave_inside(self, path: str, group: int, *, represented: bool) -> None:
        """Leave a member of an archive alone; if no copied image represents it, it counts as not copied."""
        where, kind = _place_of(path)
        why = f"is {where}: {_INSTEAD}" if represented else f"{_NOT_FROM_CONTAINER}: it is {where}"
        kind = kind if represented else SkipKind.NOT_COPIED
        self.skipped.append(Skipped(path, why, group, kind=kind))

    # -- bundles and targets

    def units(self) -> list[Unit]:
        """Return each image with its files, in the order of the report."""
        names = Names(self.report, self.scope, self.action)
        out: list[Unit] = []
        steps: list[Step] = []
        for together in self._bundles():
            for part, target in zip(together, names.of(together), strict=True):
                steps.append(Step(len(steps), part.path, target, part.facts, part.digest, part.keeper))
            first = together[0]
            companions = sum(item.companion for item in together)
            own = steps[len(steps) - len(together) :]
            out.append(Unit(first.group, own, first.match, first.reason, companions))
        gone = {step.path for step in steps}
        self.kept = [kept for kept in self.kept if self.action.on == "kept" or kept.path not in gone]
        return out

    def _bundles(self) -> Iterator[list[Item]]:
        """Return the files that are moved, bundled."""
        if self.sidecars == "keep" and self.action.on == "discards" and self.action.sidecars:
            self._leave_masks()
        if self.sidecars == "keep" or not self.action.sidecars:
            yield from ([item] for item in self.items.values())
        elif self.action.on == "kept":
            yield from self._copies()
        else:
            paths: dict[int, list[str]] = defaultdict(list)
            for kept in self.kept:
                paths[kept.group].append(kept.path)
            every = self.sidecars == "all"
            bundler = Bundler(self.items, paths, self.folders, self._may_go, self._half, every, self.skipped)
            yield from bundler.bundles()
            self.kept += bundler.kept_companions.values()

    def _leave_masks(self) -> None:
        """Treat masks, thumbnails and the like as companion files, though they are images."""
        for path, item in list(self.items.items()):
            if owners := self.folders.owners_of_mask(path):
                del self.items[path]
                why = f"belongs to {printable(owners[0])}"
                self.skipped.append(Skipped(path, why, item.group, kind=SkipKind.COMPANION))

    def _copies(self) -> Iterator[list[Item]]:
        """Return the images that are copied, each with its files; all are copied, because nothing is lost by that."""
        seen = set[str]()
        for item in self.items.values():
            if item.path in seen:
                continue
            companions = self.folders.of(item.path)
            paths = [path for path in companions.sidecars if path not in self.items and self._may_go(path)]
            images = [item, *(self.items[other] for other in companions.pair if other in self.items)]
            try:
                files = [
                    item._replace(
                        path=path, facts=filesystem.facts_at(path), digest="", match=None, reason="", companion=True
                    )
                    for path in paths
                ]
            except StepError as error:
                self.skipped.append(Skipped(item.path, str(error), item.group, kind=error.kind))
                continue
            together = [part for part in (*images, *files) if part.path not in seen]
            seen.update(part.path for part in together)
            yield together

    def _half(self, other: str, item: Item, seen: Collection[str]) -> Item:
        """Return the other file of a RAW and JPEG pair, if it may be moved: a member, or a copy of a kept one."""
        if other in self.items:
            return self.items[other]
        twin = os.path.splitext(item.keeper)[0] + os.path.splitext(other)[1]
        free = other not in self._named and other not in self._relied and self._is_inside(other)
        with contextlib.suppress(StepError):
            mine, its = filesystem.facts_at(other), filesystem.facts_at(twin)
            free = free and mine[:2] != its[:2] and self._inodes.setdefault(mine[:2], other) == other
            free = free and twin not in self.items and twin not in seen and mine.size == its.size
            if free and filesystem.digest_of(twin, its) == (digest := filesystem.digest_of(other, mine)):
                self._relied.add(twin)
                self.kept.append(Kept(item.group, twin, "other half", its, digest))
                return item._replace(path=other, facts=mine, digest=digest, keeper=twin, match=None)
        why = f"the other file of its pair, {printable(os.path.basename(other))}, stays"
        raise StepError(why, SkipKind.WITH_PAIR)

    def _may_go(self, companion: str) -> bool:
        """True for a companion file in the scanned folders that is not an image of the report."""
        plain = os.path.isfile(companion) and not os.path.islink(companion)
        is_one = claims_image(companion) or os.path.splitext(companion)[1].lower() in PICTURES
        known = companion in self._named and not is_one  # an image under the name of another kind of file
        return (
            plain and not known and companion != self.source and self._is_near(companion) and not is_output(companion)
        )

    def _is_near(self, companion: str) -> bool:
        """True for a companion file that may be moved: in the scanned folders, or in annotations beside one of them."""
        if self.action.on == "kept" or self._is_inside(companion):
            return True
        folder = os.path.dirname(companion)
        real = os.path.realpath(folder)
        if os.path.islink(folder) or in_library(real) or is_within_any(real, self._read_only):
            return False
        return any(self._is_beside(place) for place in above(real))

    def _is_beside(self, place: str) -> bool:
        """True for `labels` beside a scanned folder, and for `labels/train` if `images/train` was scanned."""
        parent, name = os.path.split(place)
        if is_annotations(key(name)) and parent in self._beside:
            return True
        return is_annotations(key(os.path.basename(parent))) and (os.path.dirname(parent), name) in self._mirrored


def _why_kept(group: Group, member: Member) -> str:
    """Return why a member of a group is kept."""
    return group.reason if member.path == group.keeper else "chosen"


def _matches_with(group: Group, member: Member) -> dict[str, Match]:
    """Return the matches of a member with others of its group, by their paths."""
    first = member.path
    return {match.b if match.a == first else match.a: match for match in group.matches if first in (match.a, match.b)}


def _is_as_scanned(facts: Facts, image: Member | Unique) -> bool:
    """True for a file with the size and time that the report names.

    The times are compared as 64-bit floating-point numbers, which differ by 256 ns: programs such as jq 1.6 and node
    know no other numbers, so they round the nanoseconds of a report that they write again. The digest of the file is
    compared immediately before its step.
    """
    return facts.size == image.size and float(facts.mtime_ns) == float(image.mtime_ns)


def _is_as_in(path: str, step: Step) -> bool:
    """True for a file with the size and time that it had when it was processed."""
    try:
        now = filesystem.facts_at(os.path.realpath(path))
    except StepError:
        return False
    return (now.size, now.mtime_ns) == (step.facts.size, step.facts.mtime_ns)


class _ByRuleError(StepError):
    """A file that is left alone as planned, not because of an error."""
