"""Choose the keepers of a report again, by other rules or within a smaller radius, from its distances."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from twinpix import keep, linking
from twinpix.act.validate import sound_places
from twinpix.errors import UsageError
from twinpix.linking.base import Kind, is_allowed
from twinpix.model import (
    ClassId,
    Counts,
    FileRow,
    Group,
    Match,
    Member,
    Report,
    Unique,
    format_distance,
    relate_to_keeper,
)


def decide_again(report: Report, rules: str | None = None, stricter: float | None = None) -> Report:
    """Link and order the images of a report again; no image is read, so no group can grow.

    `stricter` is a radius, at most that of the report. Raises `UsageError` for a larger one and for unknown rules,
    `ReportError` for a report that cannot be trusted.
    """
    radius = report.radius if stricter is None else stricter
    if not 0 <= radius <= report.radius:
        most, given = format_distance(report.radius), format_distance(radius)
        raise UsageError(f"stricter is a radius between 0 and the report's, {most}, not {given}", field="stricter")
    radius = int(radius) if report.unit == "bits" else float(radius)  # bits are whole: the lower one counts
    sound_places(report)
    chain = keep.make_chain(report.keep or keep.DEFAULT if rules is None else rules)
    files = _Files(report, radius)
    alone = [replace(member, altered=()) for member in files.members]  # linked by the order of metadata alone
    order = sorted(files.rows(), key=lambda file: chain.key(alone[file]))
    graph = linking.Graph(
        files.class_of, files.kinds, files.near, lambda a, b: is_allowed(a, b, cross=report.cross), order
    )
    linker = linking.make(report.link)
    chosen = [
        files.best_first(group, chain, chains=linking.chains(linker), cross=report.cross)
        for group in linker.groups(graph)
    ]
    found = sorted(chosen, key=lambda group: files.members[group[0]].path)
    groups = [files.group(number, group, chain) for number, group in enumerate(found, start=1)]
    return replace(
        report,
        radius=radius,
        keep=report.keep if rules is None else rules,
        groups=groups,
        unique=None if report.unique is None else [*report.unique, *files.uniques(found)],
        counts=_counts(report.counts, groups),
    )


def as_decided(report: Report, kept: Mapping[int, Sequence[str]]) -> Report:
    """Return a report in which groups are as a user decided: `kept` has the paths to keep by the number of the group.

    The first path is the keeper. The others become images in no group, as do all of a group without paths.
    """
    sound_places(report)
    groups, alone = list[Group](), list[Member]()
    for group in report.groups:
        paths = kept.get(group.id)
        if paths is None:
            groups.append(group)
            continue
        stay = set(paths)
        others = [member for member in group.members if paths and member.path not in stay]
        keeper = [member for member in group.members if others and member.path == paths[0]]
        alone += [member for member in group.members if member not in keeper and member not in others]
        if others:
            names = {member.path for member in (*keeper, *others)}
            matches = list(_of_keeper(paths[0], (match for match in group.matches if {match.a, match.b} <= names)))
            members = relate_to_keeper(paths[0], [*keeper, *others], matches)
            groups.append(Group(group.id, paths[0], "your decision", members, matches, rule="decision"))
    return replace(
        report,
        groups=groups,
        unique=None if report.unique is None else [*report.unique, *map(_unique, alone)],
        counts=_counts(report.counts, groups),
    )


def _of_keeper(keeper: str, matches: Iterable[Match]) -> Iterator[Match]:
    """Yield matches, those of the keeper first and with the keeper as their first image."""
    for match in sorted(matches, key=lambda match: (keeper not in (match.a, match.b), match.a, match.b)):
        yield match.swap_images() if match.b == keeper else match


def _unique(member: Member) -> Unique:
    return Unique(member.path, member.size, member.mtime_ns, member.digest, member.root)


def _counts(counts: Counts, groups: list[Group]) -> Counts:
    return replace(
        counts,
        groups=len(groups),
        unique=counts.images - sum(member.width > 0 for group in groups for member in group.members),  # decoded
        discards=sum(len(group.discards) for group in groups),
        bytes_reclaimable=sum(group.bytes_reclaimable for group in groups),
    )


class _Files:
    """The members of all groups in a row, as linking rules take them; a class has the number of its first file.

    A report lists files of one code as pairs with the first of them (`same_code`), so they are one class here, as they
    were in the run. With the radius of the report all its matches count, within a smaller one those with a known
    distance.
    """

    def __init__(self, report: Report, radius: float) -> None:
        self.members: list[Member] = []
        self.class_of: list[ClassId] = []
        self.near: dict[ClassId, list[ClassId]] = {}
        self.pairs: dict[str, list[Match]] = defaultdict(list)
        for group in report.groups:
            self._add(group, radius if radius < report.radius else math.inf)
        self.kinds: list[Kind] = [(member.root if report.cross else 0, member.reference) for member in self.members]

    def rows(self) -> list[FileRow]:
        """Return the number of each member."""
        return [FileRow(row) for row in range(len(self.members))]

    def _add(self, group: Group, radius: float) -> None:
        start = len(self.members)
        place = {member.path: FileRow(start + at) for at, member in enumerate(group.members)}
        self.members += group.members
        equal: dict[str, ClassId] = {}  # of a large group not all pairs are listed, but equal files are known
        self.class_of += [equal.setdefault(member.digest, ClassId(place[member.path])) for member in group.members]
        near = [match for match in group.matches if (math.inf if match.distance is None else match.distance) <= radius]
        for match in near:
            if match.same_code:
                a, b = self._first(place[match.a]), self._first(place[match.b])
                self.class_of[max(a, b)] = min(a, b)
        for file in self.rows()[start:]:
            self.class_of[file] = self._first(file)
        links: dict[ClassId, set[ClassId]] = defaultdict(set)
        for match in near:
            a, b = self.class_of[place[match.a]], self.class_of[place[match.b]]
            self.pairs[match.a].append(match)
            if a != b:
                links[a].add(b)
                links[b].add(a)
        self.near.update((class_, sorted(others)) for class_, others in links.items())

    def _first(self, file: FileRow) -> ClassId:
        """Return the class of a file, from the trees that equal codes form."""
        while (class_ := self.class_of[file]) != ClassId(file):
            file = FileRow(class_)
        return class_

    def best_first(self, files: list[FileRow], chain: keep.Chain, *, chains: bool, cross: bool) -> list[FileRow]:
        """Return the files of a group, the first the best of those that match all others."""
        ordered = sorted(files, key=lambda file: chain.key(self.members[file]))
        head = next((file for file in ordered if chains or self._matches_all(file, files, cross)), files[0])
        return [head, *(file for file in ordered if file != head)]

    def _matches_all(self, file: FileRow, files: list[FileRow], cross: bool) -> bool:
        near = {self.class_of[file], *self.near.get(self.class_of[file], ())}
        return all(
            other == file
            or (self.class_of[other] in near and is_allowed(self.kinds[file], self.kinds[other], cross=cross))
            for other in files
        )

    def group(self, number: int, files: list[FileRow], chain: keep.Chain) -> Group:
        keeper, *others = (self.members[file] for file in files)
        others.sort(key=chain.key)
        names = {keeper.path, *(member.path for member in others)}
        rule, reason = chain.explain(keeper, others)
        matches = list(self._matches(keeper.path, names))
        return Group(
            number, keeper.path, reason, relate_to_keeper(keeper.path, [keeper, *others], matches), matches, rule=rule
        )

    def _matches(self, keeper: str, names: set[str]) -> Iterator[Match]:
        """Return the pairs among these files, with those of the keeper first."""
        return _of_keeper(keeper, (match for name in names for match in self.pairs[name] if match.b in names))

    def uniques(self, groups: Iterable[list[FileRow]]) -> Iterator[Unique]:
        """Return the files that are no longer in a group."""
        grouped = {file for group in groups for file in group}
        for file in self.rows():
            member = self.members[file]
            if file not in grouped and not member.reference:
                yield _unique(member)
