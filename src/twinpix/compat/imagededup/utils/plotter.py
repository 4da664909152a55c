"""Plot an image and its duplicates."""

from typing import Any

from twinpix.evaluation.maps import Map


def _validate_args(image_dir: Any, duplicate_map: Map, filename: str) -> None:
    from twinpix.plots.duplicates import check_arguments

    check_arguments(image_dir, duplicate_map, filename)


def plot_duplicates(image_dir: Any, duplicate_map: Map, filename: str, outfile: str | None = None) -> None:
    """Draw `filename` and its duplicates below it, with scores where the map has them; show or save it.

    Raises `AssertionError` without such a folder or without duplicates, `ValueError` for a name that is no key.
    """
    from twinpix import plots

    plots.plot_duplicates(image_dir, duplicate_map, filename, outfile)
