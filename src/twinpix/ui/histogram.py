"""Histogram of the distances of the matches of a report."""

from typing import TYPE_CHECKING

import numpy as np

from twinpix.model import Report, format_distance
from twinpix.text import plural
from twinpix.ui import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BARS = 64
_UNITS = {"bits": "distance in bits", "cosine": "cosine distance", "share": "share that differs"}


def distance_histogram(report: Report) -> "Figure":
    """Draw the matches of a report by distance, stacked by relation, with the radius marked."""
    by_relation: dict[str, list[float]] = {}
    for group in report.groups:
        for match in group.matches:
            if match.distance is not None:
                by_relation.setdefault(match.relation, []).append(match.distance)
    names = sorted(by_relation, key=lambda name: (-len(by_relation[name]), name))
    out = figure.new(8, 4.5)
    axes = out.add_subplot()
    figure.plain(axes)
    bits = report.unit == "bits"
    unit = 1 if bits else max(report.radius, 0.01) / _BARS  # bins of whole numbers
    step = max(unit, -(-(report.radius + unit) // (_BARS * unit)) * unit if bits else unit)
    edges = np.arange(0, report.radius + unit + step, step) - unit / 2
    colours = [figure.COLOURS[at % len(figure.COLOURS)] for at in range(len(names))]
    if names:
        axes.hist([by_relation[name] for name in names], bins=edges.tolist(), stacked=True, color=colours, label=names)
    axes.axvline(report.radius + unit / 2, color="black", linestyle="--", linewidth=1)
    axes.annotate(
        f"radius {format_distance(report.radius)} ",
        (report.radius + unit / 2, 0.97),
        xycoords=("data", "axes fraction"),
        ha="right",
        va="top",
    )
    axes.set_xlim(-(unit + step) / 2, report.radius + unit + step / 2)
    axes.set_xlabel(f"{_UNITS[report.unit]} ({report.spec})")
    axes.set_ylabel("pairs")
    axes.set_title(plural(sum(map(len, by_relation.values())), "match", "matches"), loc="left")
    if names:
        axes.legend(frameon=False, loc="upper center", ncols=min(4, len(names)), bbox_to_anchor=(0.5, -0.16))
    return out
