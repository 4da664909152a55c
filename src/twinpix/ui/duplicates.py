"""An image with its duplicates below it, as imagededup draws them."""

import math
import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from twinpix.ui import figure
from twinpix.ui.thumbnails import Missing, load_thumbnail

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 5


def plot_duplicates(image_dir: Any, duplicate_map: Any, filename: Any, outfile: Any = None) -> None:
    """Draw an image of a map and its duplicates, with scores if the map has them; show or save the figure.

    Accepts maps that were read from JSON. Raises `AssertionError` if the folder does not exist or there are no
    duplicates, `ValueError` for an empty map or a name that is no key.
    """
    check_arguments(image_dir, duplicate_map, filename)
    drawn = draw(os.fspath(image_dir), str(filename), [_pair(item) for item in duplicate_map[filename]])
    if outfile:
        figure.save(drawn, outfile)
    else:
        figure.show(drawn)


def check_arguments(image_dir: Any, duplicate_map: Any, filename: Any) -> None:
    """Check the arguments of `plot_duplicates`; raises its errors."""
    if not os.path.isdir(image_dir):
        raise AssertionError(
            "Provided image directory does not exist! Please provide the image directory where all files are present!"
        )
    if not duplicate_map or filename not in duplicate_map:
        raise ValueError("Please provide a valid filename present as a key in the duplicate_map!")
    if not duplicate_map[filename]:
        raise AssertionError("Provided filename has no duplicates!")


def draw(
    folder: str, filename: str, duplicates: Sequence[tuple[str, str]], size: tuple[float, float] | None = None
) -> "Figure":
    """Return the figure: the image on top, its duplicates, pairs of name and score, in rows below.

    `size` is the width and height in inches; by default as large as the images need.
    """
    columns = min(_COLUMNS, max(2, len(duplicates)))
    rows = math.ceil(len(duplicates) / columns)
    out = figure.new(*(size or (2.4 * columns, 3.2 + 2.4 * rows)))
    grid = out.add_gridspec(rows + 1, columns, height_ratios=[1.4, *[1.0] * rows])
    top = out.add_subplot(grid[0, :])
    _cell(top, os.path.join(folder, filename), f"Original image: {figure.shorten(filename, 22 * columns)}", 640)
    for at, (name, score) in enumerate(duplicates):
        title = figure.shorten(name, 26 - len(score)) + (f" ({score})" if score else "")
        _cell(out.add_subplot(grid[1 + at // columns, at % columns]), os.path.join(folder, name), title, 320)
    return out


def _pair(item: Any) -> tuple[str, str]:
    if not isinstance(item, tuple | list):
        return str(item), ""
    name, score = item
    return str(name), f"{score:.3f}" if isinstance(score, Real) and not isinstance(score, Integral) else str(score)


def _cell(axes: "Axes", path: str, title: str, side: int) -> None:
    image = load_thumbnail(path, side)
    if isinstance(image, Missing):
        axes.text(0.5, 0.5, f"cannot be shown:\n{image.reason}", ha="center", va="center", wrap=True, color="#666666")
    else:
        axes.imshow(image)
    axes.set_title(title.replace("$", r"\$"), fontsize=9)
    axes.set_axis_off()
