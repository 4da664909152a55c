"""From a report to a plan: which file stays, which goes where, and which is left alone and why. Reads only."""

import os
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from twinpix import actions, files, plugins
from twinpix.actions import Action, Scope
from twinpix.actions.base import is_within
from twinpix.errors import StepError
from twinpix.machine import no_garbage_collection
from twinpix.model import Facts, Group, Left, Member, Plan, Report, Stays, Step, Unit
from twinpix.pipeline.companions import Folders
from twinpix.pipeline.deciding import decide_again
from twinpix.pipeline.trusting import Places, absolute, require_sound, scope_of
from twinpix.report import printable
from twinpix.report.text import how


def plan(
    report: Report,
    action: str | Action,
    *,
    keep: str | None = None,
    stricter: int | None = None,
    sidecars: bool = True,
    choices: Mapping[int, Collection[str]] | None = None,
    dealt_with: Collection[str] = (),
    source: str = "",
) -> Plan:
    """What `action` (`"move:to=DIR"`, `"trash"`) would do with the images of a report.

    `keep` and `stricter` decide anew from the report's distances. `choices` names by a group's number the
    paths that stay; with it, groups that it does not name are left as they are. What belongs to an image
    goes with it unless `sidecars` is False. `dealt_with` are paths that an earlier run has acted on.
    Raises `ReportError` for a report that cannot be trusted, `RefusedError` when the action cannot be done.
    """
    with no_garbage_collection():
        require_sound(report)
        scope, act = scope_of(report), actions.make(action) if isinstance(action, str) else action
        act.prepare(scope, apply=False)
        if keep is not None or stricter is not None:
            report = decide_again(report, keep, stricter)
        planner = _Planner(report, scope, act, sidecars, frozenset(dealt_with))
        if act.on == "kept":
            planner.keep_all(choices)
        else:
            planner.discard(choices)
        units = planner.units()
    return Plan(
        action=plugins.name_of(act),
        options=actions.options_of(act),
        report=source,
        roots=scope.roots,
        references=scope.references,
        stays=planner.stays,
        units=units,
        left=planner.left,
        already=planner.already,
    )


class _Item(NamedTuple):
    """A file that is to be acted on."""

    path: str  # absolute
    group: int
    how: str
    facts: Facts
    digest: str
    keeper: str
    root: int


@dataclass
class _Planner:
    report: Report
    scope: Scope
    action: Action
    sidecars: bool
    dealt_with: frozenset[str]
    stays: list[Stays] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    already: int = 0
    items: dict[str, _Item] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = Places(self.report)
        self.folders = Folders()
        self._inodes: dict[tuple[int, ...], str] = {}
        self._real: dict[str, bool] = {}
        self._references = [folder.rstrip(os.sep) + os.sep for folder in self.scope.references]

    # -- which files

    def discard(self, choices: Mapping[int, Collection[str]] | None) -> None:
        """Take up the members that go, of groups whose keeper is as it was."""
        chosen = [(group, self._kept(group, choices)) for group in self.report.groups]
        known = [(group, self._keepers(group, kept)) for group, kept in chosen if kept]
        for group, keepers in known:
            if keepers:
                self._discard(group, keepers)

    def _kept(self, group: Group, choices: Mapping[int, Collection[str]] | None) -> list[Member]:
        """The members that stay, the keeper first; none when the group is left as it is."""
        if choices is None:
            return [member for member in group.members if member.path == group.keeper]
        names = choices.get(group.id, ())
        return sorted((m for m in group.members if m.path in names), key=lambda m: m.path != group.keeper)

    def _keepers(self, group: Group, kept: Sequence[Member]) -> list[Stays]:
        """What stays of a group, when all of it is as it was."""
        out = []
        for member in kept:
            path = self.places.of(member.path)
            try:
                facts = self._facts(member, path)
            except StepError as error:
                why = f"the one that stays, {printable(member.path)}, {error}: nothing of this group goes"
                self.left.append(Left(path, why, group.id, refused=True))
                return []
            reason = group.reason if member.path == group.keeper else "chosen"
            out.append(Stays(group.id, path, reason, facts, member.digest))
            self._inodes[facts[:2]] = path
        self.stays += out
        return out

    def _facts(self, member: Member, path: str) -> Facts:
        """The facts of a file that is as the report says."""
        facts = files.look(os.path.realpath(path) if member.link else path)
        if (facts.size, facts.mtime_ns) != (member.size, member.mtime_ns):
            raise StepError("was changed since it was scanned")
        return facts

    def _discard(self, group: Group, keepers: list[Stays]) -> None:
        hows = {match.b: match for match in group.matches if match.a == group.keeper}
        names = {stays.path for stays in keepers}
        for member in group.members:
            path = self.places.of(member.path)
            if path in names:
                continue
            try:
                self._take(group.id, member, path, how(hows.get(member.path)), keepers)
            except StepError as error:
                refused = not isinstance(error, _ByRuleError)
                self.left.append(Left(path, str(error), group.id, refused=refused))

    def _take(self, group: int, member: Member, path: str, told: str, keepers: Sequence[Stays]) -> None:
        if member.protected or path.startswith(tuple(self._references)):
            raise _ByRuleError("is reached through a symbolic link" if member.link else "lies in a reference folder")
        equal = [stays for stays in keepers if stays.digest == member.digest]
        keeper = (equal or keepers)[0]
        if path in self.dealt_with and not (self.action.leaves and os.path.lexists(path)):
            self.already += 1
        else:
            facts = self._facts(member, path)
            if self.action.identical and not equal:
                raise _ByRuleError(
                    "is not the same bytes as what stays: a link would lose it (--move and --trash take it)"
                )
            other = self._inodes.setdefault(facts[:2], path)
            if other != path:
                raise StepError(f"is another name of {printable(other)}")
            self._require_inside(path)
            self.items[path] = _Item(path, group, told, facts, member.digest, keeper.path, member.root)

    def _require_inside(self, path: str) -> None:
        """Raise `StepError` when a symbolic link leads out of the scanned folders by now."""
        folder = os.path.dirname(path)
        if folder not in self._real:
            real = os.path.realpath(folder)
            self._real[folder] = any(is_within(real, os.path.realpath(_folder_of(root))) for root in self.scope.roots)
        if not self._real[folder]:
            raise StepError("lies behind a symbolic link that leads out of the scanned folders")

    def keep_all(self, choices: Mapping[int, Collection[str]] | None) -> None:
        """Take up what stays of each group, and every image that is in none; what is a reference stays there."""
        for group in self.report.groups:
            for member in self._kept(group, choices):
                if not member.reference:
                    self._keep(member.path, member.size, member.mtime_ns, member.digest, member.root, group.id)
        for image in self.report.unique:
            self._keep(image.path, image.size, image.mtime_ns, image.digest, image.root, 0)

    def _keep(self, name: str, size: int, mtime_ns: int, digest: str, root: int, group: int) -> None:
        path = self.places.of(name)
        if path in self.dealt_with:
            self.already += 1
            return
        try:
            facts = files.look(os.path.realpath(path))
            if (facts.size, facts.mtime_ns) != (size, mtime_ns):
                raise StepError("was changed since it was scanned")
            self.items[path] = _Item(path, group, "", facts, digest, "", root)
        except StepError as error:
            self.left.append(Left(path, str(error), group, refused=True))

    # -- what goes together, and where

    def units(self) -> list[Unit]:
        """Each image with what belongs to it, in the report's order."""
        names = _Names(self.report, self.scope, self.action)
        out: list[Unit] = []
        number, seen = 0, set[str]()
        for item in list(self.items.values()):
            if item.path in seen or item.path not in self.items:
                continue
            together = self._together(item)
            seen.update(part.path for part in together)
            targets = names.of(together)
            steps = []
            for part, target in zip(together, targets, strict=True):
                steps.append(Step(number, part.path, target, part.facts, part.digest, part.keeper))
                number += 1
            if steps:
                out.append(Unit(item.group, item.how, steps))
        return out

    def _together(self, item: _Item) -> list[_Item]:
        """An image, the other half of its pair, and their sidecars; nothing when the pair cannot go whole."""
        if not (self.sidecars and self.action.sidecars):
            return [item]
        companions = self.folders.of(item.path)
        images = [item]
        for other in companions.pair:
            if other in self.items:
                images.append(self.items[other])
            elif self.action.on == "discards":
                self._leave(item, f"its other half, {printable(os.path.basename(other))}, stays")
                return []
        sides: dict[str, _Item] = {}
        going = {image.path for image in images}
        for image in images:
            for side, owners in self.folders.of(image.path).sidecars.items():
                if self.action.on == "discards" and any(owner not in going for owner in owners):
                    continue
                try:
                    facts = files.look(side)
                except StepError as error:
                    if not os.path.islink(side):
                        self._leave(item, f"its sidecar {printable(os.path.basename(side))} {error}")
                        return []
                    continue  # a link to a sidecar elsewhere belongs to that
                if side not in self.items:
                    sides[side] = item._replace(path=side, facts=facts, digest="", how="")
        return [*images, *sides.values()]

    def _leave(self, item: _Item, why: str) -> None:
        self.left.append(Left(item.path, why, item.group))


class _ByRuleError(StepError):
    """A file that is left alone as it should be, not because something went wrong."""


class _Names:
    """Where files go: each at its place in the tree, under a name that no other has, on any file system."""

    def __init__(self, report: Report, scope: Scope, action: Action) -> None:
        self._action = action
        roots = dict.fromkeys(scope.roots)
        self._several = len(roots) > 1
        self._roots: dict[str, str] = {}
        for root in roots:
            name = os.path.basename(root) or "root"
            self._roots[root] = files.free_name(name, lambda n: n in self._roots.values()) if self._several else ""
        self._taken: set[str] = set()
        self._by_folder: dict[str, str] = {}
        self._given = [absolute(report, root) for root in report.roots]

    def of(self, items: Sequence[_Item]) -> list[str]:
        """The targets of files that belong together: if they must be numbered, by one number."""
        plain = [self._action.target(self._tree(item)) for item in items]
        if not plain or not plain[0]:
            return plain
        number, targets = 1, plain
        while any(_key(target) in self._taken or os.path.lexists(target) for target in targets):
            number += 1
            targets = [_numbered(target, number) for target in plain]
        self._taken.update(map(_key, targets))
        return targets

    def _tree(self, item: _Item) -> str:
        folder, name = os.path.split(item.path)
        if folder not in self._by_folder:
            self._by_folder[folder] = self._place(folder, item)
        return os.path.join(self._by_folder[folder], name)

    def _place(self, folder: str, item: _Item) -> str:
        own = self._given[item.root : item.root + 1] if item.root >= 0 else []
        for root in (*own, *sorted(self._roots, key=len, reverse=True)):
            top = _folder_of(root)
            if is_within(folder, top):
                way = os.path.relpath(folder, top)
                above = self._roots[root] if os.path.isdir(root) else ""
                return os.path.normpath(os.path.join(above, way)) if (above or way != os.curdir) else ""
        return ""


def _numbered(path: str, number: int) -> str:
    stem, suffix = os.path.splitext(path)
    return f"{stem} ({number}){suffix}"


def _key(path: str) -> str:
    """Two names with one key may be one name on some file system."""
    return unicodedata.normalize("NFC", path).casefold() if not path.isascii() else path.lower()


def _folder_of(root: str) -> str:
    return root if os.path.isdir(root) else os.path.dirname(root)
