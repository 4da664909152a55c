"""`twinpix plot`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twinpix.cli import common
from twinpix.errors import Exit, OutputError, UsageError

if TYPE_CHECKING:
    from twinpix.model import Group, Report

_FIRST = 50  # groups that are drawn by default


def plot(
    report: Annotated[str, typer.Argument(metavar="REPORT", help="A JSON report of find.")],
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="One page of all groups, with filters.")
    ] = None,
    sheet: Annotated[
        str | None,
        typer.Option("--sheet", metavar="DIR", help="Draw an image of each group to DIR: group-00001.png, ..."),
    ] = None,
    group: Annotated[
        list[int] | None, typer.Option("--group", metavar="N", help="Only this group's sheet; may be repeated.")
    ] = None,
    histogram: Annotated[
        str | None, typer.Option("--histogram", metavar="FILE", help="Distances of all matches (.png, .svg, .pdf).")
    ] = None,
    force: common.ForceOption = False,
) -> int:
    """Draw a report: a page of all groups, a sheet for each group, a histogram of the distances.

    With no option, the histogram and the sheets of the first 50 groups are drawn beside the report.
    """
    from twinpix import report as reports
    from twinpix import ui
    from twinpix.act.validate import sound_places
    from twinpix.text import plural

    found = reports.read(report)
    sound_places(found)  # images outside the report's folders are not drawn
    if not (html or sheet or histogram):
        stem = str(Path(report).with_suffix(""))
        sheet, histogram = f"{stem}-sheets", f"{stem}-histogram.png"
        if len(found.groups) > _FIRST and not group:
            group = [each.id for each in found.groups[:_FIRST]]
            print(f"the first {_FIRST} of {len(found.groups):,} groups; --html FILE shows them all")
    if group and not sheet:
        raise UsageError("--group chooses sheets: give --sheet DIR too")
    _require(html, histogram, sheet, force=force)
    sheets = _sheets(found, sheet, group) if sheet else []
    if html:
        ui.write_page(found, html, force=force)
        print(f"page: {html}")
    if histogram:
        ui.save(ui.distance_histogram(found), histogram, force=force)
        print(f"histogram: {histogram}")
    if sheet:
        Path(sheet).mkdir(parents=True, exist_ok=True)
        for each, path in sheets:
            ui.save(ui.group_sheet(each, found.unit, found.base), path)
        print(f"{plural(len(sheets), 'sheet')}: {sheet}")
    return Exit.DONE


def _require(html: str | None, histogram: str | None, sheet: str | None, *, force: bool) -> None:
    """Raise before the work what would be raised after it."""
    from twinpix import outputs
    from twinpix.ui import figure

    if html:
        outputs.require(html, outputs.PAGE, force=force)
    if histogram:
        figure.require(histogram, force=force)
    if sheet:
        figure.require_library()
    if sheet and Path(sheet).exists() and not Path(sheet).is_dir():
        raise OutputError(f"{sheet} is no folder: name another one")


def _sheets(found: "Report", folder: str, asked: list[int] | None) -> "list[tuple[Group, Path]]":
    """Return the groups to draw, by default all, each with its new file."""
    known = {each.id: each for each in found.groups}
    for number in asked or ():
        if number not in known:
            which = f"its groups are numbered {min(known)} to {max(known)}" if known else "it has none at all"
            raise UsageError(f"the report has no group {number}: {which}")
    chosen = [(known[number], Path(folder) / f"group-{number:05}.png") for number in sorted(set(asked or known))]
    for _, path in chosen:
        if path.exists():
            raise OutputError(f"{path} already exists: name another folder")
    return chosen
