"""Output for people: duplicates side by side, histograms, curves, the page of all groups, and plans in words."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
_MODULES = {
    "curve": ("precision_recall",),
    "duplicates": ("plot_duplicates",),
    "explain": (
        "explanation",
        "write_explanation",
    ),
    "figure": (
        "has_window",
        "save",
        "show",
    ),
    "histogram": ("distance_histogram",),
    "page": ("write_page",),
    "sheet": ("group_sheet",),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}

if not TYPE_CHECKING:  # a checker would take any name for one of the package

    def __getattr__(name: str) -> Any:
        """Load a name at its first use, because most need libraries that compare or draw images."""
        if name not in _PLACES:
            raise AttributeError(f"module 'twinpix.ui' has no attribute {name!r}")
        return getattr(importlib.import_module(f"twinpix.ui.{_PLACES[name]}"), name)
