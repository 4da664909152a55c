"""Figures: one style for all plots, matplotlib loaded at first use, files written completely or not at all."""

import io
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from twinpix import outputs
from twinpix.errors import UsageError
from twinpix.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours for every kind of colour vision: M. Okabe, K. Ito, https://jfly.uni-koeln.de/color/
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
KEPT = "#009E73"
FORMATS = ("png", "svg", "pdf", "jpg", "webp")


def new(width: float, height: float) -> "Figure":
    """Return an empty figure, with its size in inches; raises `UsageError` if matplotlib is not installed."""
    require_library()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def require_library() -> None:
    """Raise `UsageError` if matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise UsageError("plots need an optional library: pip install 'twinpix[plot]'") from None


def format_of(name: str) -> str:
    """Return the format of a file's suffix; raises `UsageError` for an unknown one."""
    form = os.path.splitext(name)[1].lower().lstrip(".")
    if form not in FORMATS:
        raise UsageError(f"plots are written as {', '.join(FORMATS)}, not to {name}")
    return form


def plain(axes: "Axes") -> None:
    """Style a chart: no frame, light grid lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd")
    axes.set_axisbelow(True)


def require(path: str, *, force: bool = False) -> None:
    """Raise the errors of `save` before the figure is computed."""
    require_library()
    format_of(path)
    outputs.require(path, outputs.DRAWING, force=force)


def save(figure: "Figure", path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write a figure in the format of its suffix.

    Raises `UsageError` for an unknown suffix, and for a file that twinpix did not draw unless `force` is given.
    """
    name = os.fspath(path)
    form = format_of(name)
    from matplotlib import rc_context

    out = io.BytesIO()
    marks = _marks(form)
    with rc_context({"svg.hashsalt": "twinpix"}), warnings.catch_warnings():  # deterministic files
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # drawn as a box
        figure.savefig(out, format=form, dpi=110, **marks)
    outputs.write(name, [out.getvalue()], outputs.DRAWING, force=force)


def _marks(form: str) -> dict[str, Any]:
    """Return the options of saving a figure: metadata with the program, without the time."""
    mark = outputs.MARK.decode()
    marks: dict[str, dict[str, Any]] = {
        "svg": {"metadata": {"Date": None, "Creator": mark}},
        "pdf": {"metadata": {"CreationDate": None, "Creator": mark}},
        "png": {"metadata": {"Software": mark}},
        "jpg": {"pil_kwargs": {"comment": mark}},
        "webp": {"pil_kwargs": {"exif": exif_mark()}},
    }
    return marks[form]


def exif_mark() -> bytes:
    """Return EXIF data with one tag, Software."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0131] = outputs.MARK.decode()
    return exif.tobytes()


def show(figure: "Figure") -> None:
    """Show a figure in a notebook, or in a window until it is closed."""
    from matplotlib import pyplot

    shown = pyplot.figure()
    manager = shown.canvas.manager
    if manager is None:
        return
    figure.set_canvas(manager.canvas)
    manager.canvas.figure = figure
    pyplot.show()


def has_window() -> bool:
    """True if there is a display and a window library."""
    if not (sys.platform in ("win32", "darwin") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
        return False
    try:
        from matplotlib import pyplot

        tried = pyplot.figure()
    except ImportError:  # the library of the requested back end is missing
        return False
    pyplot.close(tried)
    return getattr(tried.canvas, "required_interactive_framework", None) is not None


def shorten(text: str, width: int) -> str:
    """Shorten a text to this many characters by removing its middle."""
    text = printable(text)
    if len(text) <= width:
        return text
    left = (width - 1) // 2
    return f"{text[:left]}…{text[len(text) - (width - 1 - left) :]}"
