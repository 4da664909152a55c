"""Show each group of duplicates as an image."""

import os
from collections.abc import Iterator

from twinpix import paths, ui
from twinpix.model import Report


def show(report: Report, folder: str) -> Iterator[str]:
    """Show each group in a window until it is closed; without a display, write image files and yield their paths.

    The files are written to `folder`, or to a numbered folder if it exists.
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
