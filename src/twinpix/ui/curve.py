"""Precision against recall over all radii."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twinpix.model import format_distance
from twinpix.ui import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


def precision_recall(
    curves: Mapping[str, tuple[Floats, Floats]],
    marked: Mapping[str, int] | None = None,
    steps: Mapping[str, float] | None = None,
) -> "Figure":
    """Draw a line for each method from its precision and recall `(radii,)`; `marked` has an index to mark on each.

    The radius there is the index, times the step of the method in `steps` if that is not 1.
    """
    out = figure.new(7, 5.5)
    axes = out.add_subplot()
    figure.plain(axes)
    for at, (name, (precision, recall)) in enumerate(curves.items()):
        colour, style = figure.COLOURS[at % 8], ("-", "--", ":", "-.")[at // 8 % 4]
        radius = (marked or {}).get(name)
        label = name if radius is None else f"{name}, radius {format_distance(radius * (steps or {}).get(name, 1))}"
        axes.plot(recall, precision, color=colour, linestyle=style, linewidth=2, label=label)
        if radius is not None:
            axes.plot(recall[radius], precision[radius], "o", color=colour, markersize=8, markeredgecolor="white")
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("recall: found copies / all copies")
    axes.set_ylabel("precision: found copies / all found pairs")
    axes.legend(frameon=False, loc="lower left")
    return out
