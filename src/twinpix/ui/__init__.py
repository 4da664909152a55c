"""Pictures of results: duplicates side by side, distances, curves, and one page of all groups."""

from twinpix.ui.curve import precision_recall
from twinpix.ui.duplicates import plot_duplicates
from twinpix.ui.explain import explanation, write_explanation
from twinpix.ui.figure import has_window, save, show
from twinpix.ui.histogram import distance_histogram
from twinpix.ui.page import write_page
from twinpix.ui.sheet import group_sheet

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
