"""How far apart the matches of a report are."""

from typing import TYPE_CHECKING

import numpy as np

from twinpix.model import Report
from twinpix.plots import figure
from twinpix.report import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BARS = 64


def distance_histogram(report: Report) -> "Figure":
    """The matches of a report by distance, stacked by relation, with the radius marked."""
    by_relation: dict[str, list[int]] = {}
    for group in report.groups:
        for match in group.matches:
            by_relation.setdefault(match.relation, []).append(match.distance)
    names = sorted(by_relation, key=lambda name: (-len(by_relation[name]), name))
    out = figure.new(8, 4.5)
    axes = out.add_subplot()
    figure.plain(axes)
    step = max(1, -(-(report.radius + 1) // _BARS))
    edges = np.arange(0, report.radius + 1 + step, step) - 0.5
    colours = [figure.COLOURS[at % len(figure.COLOURS)] for at in range(len(names))]
    if names:
        axes.hist([by_relation[name] for name in names], bins=edges.tolist(), stacked=True, color=colours, label=names)
    axes.axvline(report.radius + 0.5, color="black", linestyle="--", linewidth=1)
    axes.annotate(
        f"radius {report.radius} ",
        (report.radius + 0.5, 0.97),
        xycoords=("data", "axes fraction"),
        ha="right",
        va="top",
    )
    axes.set_xlim(-0.5 - step / 2, report.radius + 1 + step / 2)
    axes.set_xlabel(f"distance in bits ({report.spec})")
    axes.set_ylabel("pairs")
    axes.set_title(plural(sum(map(len, by_relation.values())), "match", "matches"), loc="left")
    if names:
        axes.legend(frameon=False, loc="upper center", ncols=min(4, len(names)), bbox_to_anchor=(0.5, -0.16))
    return out
