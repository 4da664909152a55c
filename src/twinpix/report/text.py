"""The report as text: each group with its keeper, how the others differ, and what failed."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from twinpix.model import DistanceUnit, Group, Match, Member, Report, can_change, in_container, is_remote
from twinpix.outputs import Kind
from twinpix.report.base import describe_difference, describe_low_detail
from twinpix.text import bytes_text, plural, printable

_SIZE = rb"[\d.]+ (?:bytes?|kB|MB|GB|TB)"
_FIRST_LINE = re.compile(  # the complete first line, since other text files may begin with `12 images (`
    rb"Group \d+: [\d,]+ images?, " + _SIZE + rb" to reclaim\n"
    rb"|[\d,]+ images? \(" + _SIZE + rb"\): (?:no duplicates\n|[\d,]+ groups? of (?:copies|the same picture), )"
    rb"|Similar scenes, not copies:\n  "
)
_MAX_LISTED = 10  # failures that are listed; the JSON report lists all


@dataclass(frozen=True, slots=True)
class Text:
    """Groups, then a summary; a row wider than `width` columns (0: no limit) has its path on a separate line."""

    width: int = 0

    kind: ClassVar[Kind] = Kind("text report of twinpix", lambda file: _FIRST_LINE.match(file.read(256)) is not None)
    suffixes: ClassVar[tuple[str, ...]] = (".txt",)
    syntax: ClassVar[str] = ""

    def parts(self, report: Report) -> Iterator[str]:
        for group in report.groups:
            yield _group(group, report.unit, self.width, report.ids) + "\n"
        if report.similar:
            yield _scenes(report) + "\n"
        yield summary(report)


def summary(report: Report) -> str:
    """Summarise a report in a few lines."""
    c, bound = report.counts, _count_bound(report)
    found = f"{plural(c.groups, 'group')} of copies, {plural(c.discards + bound, 'duplicate')}"
    if c.discards or not bound:
        found += f", {bytes_text(c.bytes_reclaimable)} to reclaim"
    lines = [f"{plural(c.images, 'image')} ({bytes_text(c.bytes)}): {found if c.groups else 'no duplicates'}"]
    if bound:
        which = "they, or their keepers, are" if bound > 1 else "it, or its keeper, is"
        if c.discards:
            which = f"{bound} of them, or their keepers, are" if bound > 1 else "1 of them, or its keeper, is"
        lines.append(f"{which} in an archive or store, where no image is changed in place")
        if any(in_container(member.path) for group in report.groups for member in group.redundant):
            lines.append("resolve --export writes archives and tables again without duplicates, --list lists these")
        if any(is_remote(member.path) for group in report.groups for member in group.redundant):
            lines.append(
                "resolve --move URL, as s3://bucket/duplicates, moves objects within their store (not of web servers); "
                "--list lists these"
            )
    if report.table and report.groups:
        lines.append("resolve --export writes the table again without the rows of duplicates")
    if report.guarded:
        lines.append(
            f"{plural(c.guarded, 'image')} with too little texture for a hash (blank, flat or a smooth gradient): "
            + describe_low_detail(report.guarded[0].by_keypoints)
        )
    if c.damaged:
        lines.append(
            f"{plural(c.damaged, 'image')} damaged: compared by the readable part, kept only if no intact copy exists"
        )
    if c.links:
        lines.append(f"{plural(c.links, 'further name')} of files already counted (hard or symbolic links)")
    if c.other_files:
        lines.append(f"{plural(c.other_files, 'other file')} (not images)")
    if report.similar:
        lines.append(f"{plural(len(report.similar), 'pair')} of one scene that are not copies: not grouped")
    if report.unverified:
        lines.append(f"{plural(len(report.unverified), 'pair')} could not be verified and are not joined:")
        lines += [
            f"  {printable(pair.a)}  {printable(pair.b)}: {printable(pair.reason)}"
            for pair in report.unverified[:_MAX_LISTED]
        ]
        if len(report.unverified) > _MAX_LISTED:
            lines.append(f"  … and {len(report.unverified) - _MAX_LISTED} more; the JSON report (-o) lists them all")
    lines += map(printable, report.notes)
    if report.failures:
        by_stage = Counter(failure.stage for failure in report.failures)
        stages = ", ".join(f"{count} at {printable(stage)}" for stage, count in sorted(by_stage.items()))
        lines.append(f"{plural(c.failures, 'file')} could not be used ({stages}):")
        lines += [f"  {printable(f.path)}: {printable(f.error)}" for f in report.failures[:_MAX_LISTED]]
        if len(report.failures) > _MAX_LISTED:
            lines.append(f"  … and {len(report.failures) - _MAX_LISTED} more; the JSON report (-o) lists them all")
    return "\n".join(lines) + "\n"


def _count_bound(report: Report) -> int:
    """Return how many duplicates no action changes, because they or their keepers are inside archives."""
    pairs = [(group.keeper, member) for group in report.groups for member in group.members]
    return sum(
        not (can_change(keeper) and can_change(member.path))
        for keeper, member in pairs
        if member.path != keeper and not member.reference
    )


def _group(group: Group, unit: DistanceUnit, width: int, ids: Mapping[str, str]) -> str:
    pairs = group.to_keeper
    head = f"Group {group.id}: {plural(len(group.members), 'image')}, {bytes_text(group.bytes_reclaimable)} to reclaim"
    rows = [_row(group.members[0], "keep", group.reason, ids)]
    rows += [
        _row(member, "stay" if group.stays(member) else "", how(pairs.get(member.path), unit), ids)
        for member in group.members[1:]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join([head, *(_wrap_row(_pad_cells(row, widths), width) for row in rows)]) + "\n"


def _wrap_row(cells: list[str], width: int) -> str:
    """Return a row, with its path on a separate line if the row would be wider than the terminal."""
    line = "  ".join(["", *cells])
    if not width or len(line) <= width:
        return line
    return f"{'  '.join(['', *cells[:-1]]).rstrip()}\n        {cells[-1]}"


def _scenes(report: Report) -> str:
    """List the pairs of one scene that are not copies."""
    lines = ["Similar scenes, not copies:"]
    lines += [f"  {_named(pair.a, report.ids)}  {_named(pair.b, report.ids)}" for pair in report.similar[:_MAX_LISTED]]
    if len(report.similar) > _MAX_LISTED:
        lines.append(f"  … and {len(report.similar) - _MAX_LISTED} more; the JSON report (-o) lists them all")
    return "\n".join(lines) + "\n"


def how(pair: Match | None, unit: DistanceUnit) -> str:
    """Return in words how a member differs from the keeper; `pair` is None for a transitive match."""
    return "matched via a third image" if pair is None else describe_difference(pair, unit)


def _row(member: Member, role: str, how: str, ids: Mapping[str, str]) -> tuple[str, str, str, str, str]:
    what = f"{how}, damaged" if member.damaged else how
    if member.traits and member.traits.fault and not member.damaged:
        what += f", {member.traits.fault}"
    if member.frames > 1:
        what += f", {member.frames} {'pages' if member.format == 'TIFF' else 'frames'}"
    if member.traits and member.traits.video:
        what += ", with a video"
    what, size = printable(what), f"{member.width}×{member.height}"
    return role or "·", size, bytes_text(member.size), what, _named(member.path, ids)


def _named(path: str, ids: Mapping[str, str]) -> str:
    """Return the path of an image and its id, unless the path is made of the id (`memory://ID`)."""
    id = ids.get(path, "")
    return printable(path) + (f"  (id {printable(id)})" if id and path != f"memory://{id}" else "")


def _pad_cells(row: tuple[str, ...], widths: list[int]) -> list[str]:
    role, size, weight, how, path = row
    return [role.ljust(widths[0]), size.rjust(widths[1]), weight.rjust(widths[2]), how.ljust(widths[3]), path]
