"""Plot an image and its duplicates."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twinpix.evaluation.maps import Map


def plot_duplicates(image_dir: Any, duplicate_map: Map, filename: str, outfile: str | None = None) -> None:
    """Draw `filename` with its duplicates below it, and their scores if the map has them; show or save the figure.

    The figure has the size of matplotlib's `figure.figsize` if the program changed it. Maps loaded from JSON are
    accepted. Raises `AssertionError` if the folder does not exist or there are no duplicates, `ValueError` if the map
    is not a mapping or lacks the name, `UsageError` if `outfile` is a file that twinpix did not draw.
    """
    folder = _validate_args(image_dir=image_dir, duplicate_map=duplicate_map, filename=filename)
    found = duplicate_map[filename]
    if not found:
        raise AssertionError("Provided filename has no duplicates!")
    scores = isinstance(found[0], tuple | list)
    _plot_images(image_dir=folder, orig=filename, image_list=found, scores=scores, outfile=outfile)


def _validate_args(image_dir: Any, duplicate_map: Any, filename: Any) -> Path:
    """Return the folder as a path; raises the errors of `plot_duplicates`."""
    folder = Path(os.fspath(image_dir))
    if not folder.is_dir():
        raise AssertionError(
            "Provided image directory does not exist! Please provide the image directory where all files are present!"
        )
    if not isinstance(duplicate_map, Mapping):
        raise ValueError("Please provide a valid Duplicate map!")
    if filename not in duplicate_map:
        raise ValueError("Please provide a valid filename present as a key in the duplicate_map!")
    return folder


def _plot_images(
    image_dir: Path, orig: str, image_list: Sequence[Any], scores: bool = False, outfile: str | None = None
) -> None:
    from twinpix.ui import duplicates, figure

    pairs = [(item[0], _score(item[1])) if scores else (str(item), "") for item in image_list]
    drawn = duplicates.draw(str(image_dir), orig, pairs, _chosen_size())
    if outfile:
        figure.save(drawn, outfile)
    else:
        figure.show(drawn)


def _formatter(val: Any) -> Any:
    """Format a cosine with three decimals; return a distance unchanged."""
    return f"{val:.3f}" if isinstance(val, np.float32) else val


def _score(value: Any) -> str:
    return str(_formatter(np.float32(value) if isinstance(value, float) else value))


def _chosen_size() -> tuple[float, float] | None:
    """Return the figure size in inches that the program set; None if it is matplotlib's default."""
    try:
        from matplotlib import rcParams, rcParamsDefault
    except ImportError:
        return None  # an error is raised when the figure is drawn
    width, height = rcParams["figure.figsize"]
    return None if [width, height] == list(rcParamsDefault["figure.figsize"]) else (width, height)
