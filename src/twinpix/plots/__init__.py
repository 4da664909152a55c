"""Pictures of results: duplicates side by side, distances, curves, and one page of all groups."""

from twinpix.plots.curve import precision_recall
from twinpix.plots.duplicates import plot_duplicates
from twinpix.plots.explain import explanation, write_explanation
from twinpix.plots.figure import has_window, save, show
from twinpix.plots.histogram import distance_histogram
from twinpix.plots.page import write_page
from twinpix.plots.sheet import group_sheet

__all__ = [
    "distance_histogram",
    "explanation",
    "group_sheet",
    "has_window",
    "plot_duplicates",
    "precision_recall",
    "save",
    "show",
    "write_explanation",
    "write_page",
]
