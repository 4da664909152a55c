"""`twinpix plot`."""

from pathlib import Path
from typing import Annotated

import typer

from twinpix.errors import Exit, OutputError, UsageError

_FIRST = 50  # groups that are drawn when nobody said how many


def plot(
    report: Annotated[str, typer.Argument(metavar="REPORT", help="A JSON report of find.")],
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="One page of all groups, with filters.")
    ] = None,
    sheet: Annotated[
        str | None, typer.Option("--sheet", metavar="DIR", help="A picture of each group, group-00001.png and on.")
    ] = None,
    group: Annotated[
        list[int] | None, typer.Option("--group", metavar="N", help="Only this group's sheet; may be repeated.")
    ] = None,
    histogram: Annotated[
        str | None, typer.Option("--histogram", metavar="FILE", help="Distances of all matches (.png, .svg, .pdf).")
    ] = None,
) -> int:
    """Draw a report: a page of all groups, a sheet for each group, a histogram of the distances.

    With no option, the histogram and the sheets of the first 50 groups are drawn beside the report.
    """
    from twinpix import plots
    from twinpix import report as reports

    found = reports.read(report)
    if not (html or sheet or histogram):
        stem = str(Path(report).with_suffix(""))
        sheet, histogram = f"{stem}-sheets", f"{stem}-histogram.png"
        if len(found.groups) > _FIRST and not group:
            group = [each.id for each in found.groups[:_FIRST]]
            print(f"the first {_FIRST} of {len(found.groups):,} groups; --html FILE shows them all")
    if html:
        plots.write_page(found, html)
        print(f"page: {html}")
    if histogram:
        plots.save(plots.distance_histogram(found), histogram)
        print(f"histogram: {histogram}")
    if sheet:
        known = {each.id: each for each in found.groups}
        for number in group or ():
            if number not in known:
                raise UsageError(f"{report} has no group {number}")
        chosen = [known[number] for number in sorted(set(group or known))]
        names = {each.id: Path(sheet) / f"group-{each.id:05}.png" for each in chosen}
        for name in names.values():
            if name.exists():
                raise OutputError(f"{name} is there already: name another folder")
        Path(sheet).mkdir(parents=True, exist_ok=True)
        for each in chosen:
            plots.save(plots.group_sheet(each, found.base), names[each.id])
        print(f"{reports.plural(len(chosen), 'sheet')}: {sheet}")
    return Exit.DONE
