"""Each group of duplicates as a picture."""

import os
from collections.abc import Iterator

from twinpix import paths, ui
from twinpix.model import Report


def show(report: Report, folder: str) -> Iterator[str]:
    """Show each group in a window until it is closed; without a display write it as a file, whose name is yielded.

    The files lie in `folder`, or in one with a number when that is there.
    """
    if not report.groups:
        return
    if ui.has_window():
        for group in report.groups:
            ui.show(ui.group_sheet(group, report.unit, report.base))
        return
    folder = paths.free_name(folder)
    os.makedirs(folder)
    for group in report.groups:
        path = os.path.join(folder, f"group-{group.id:05}.png")
        ui.save(ui.group_sheet(group, report.unit, report.base), path)
        yield path
