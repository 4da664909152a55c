"""Figures: one look for all plots, the library loaded when the first is drawn, files written whole or not at all."""

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

# Colours that stay apart for every kind of colour vision: M. Okabe, K. Ito, https://jfly.uni-koeln.de/color/
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
KEPT = "#009E73"
FORMATS = ("png", "svg", "pdf", "jpg", "webp")


def new(width: float, height: float) -> "Figure":
    """An empty figure of so many inches; raises `UsageError` when the plotting library is not installed."""
    require_library()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def require_library() -> None:
    """Raise `UsageError` when the plotting library is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise UsageError("plots need an optional library: pip install 'twinpix[plot]'") from None


def format_of(name: str) -> str:
    """The format that a file's suffix names; raises `UsageError` for another one."""
    form = os.path.splitext(name)[1].lower().lstrip(".")
    if form not in FORMATS:
        raise UsageError(f"plots are written as {', '.join(FORMATS)}, not to {name}")
    return form


def plain(axes: "Axes") -> None:
    """The look of a chart: no box around it, quiet lines behind it."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd")
    axes.set_axisbelow(True)


def require(path: str, *, force: bool = False) -> None:
    """Raise before the work what `save` would raise after it."""
    require_library()
    format_of(path)
    outputs.require(path, outputs.PICTURE, force=force)


def save(figure: "Figure", path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write a figure in the format that its suffix names.

    Raises `UsageError` for a suffix of no format, and for a file that twinpix did not draw unless `force` is given.
    """
    name = os.fspath(path)
    form = format_of(name)
    from matplotlib import rc_context

    out = io.BytesIO()
    marks = _marks(form)
    with rc_context({"svg.hashsalt": "twinpix"}), warnings.catch_warnings():  # the same figure, the same file
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a box stands for it
        figure.savefig(out, format=form, dpi=110, **marks)
    outputs.write(name, [out.getvalue()], outputs.PICTURE, force=force)


def _marks(form: str) -> dict[str, Any]:
    """Options of saving a figure: metadata that says who drew it, and not when."""
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
    """EXIF data of one tag, Software: who drew the picture."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0131] = outputs.MARK.decode()
    return exif.tobytes()


def show(figure: "Figure") -> None:
    """Show a figure in a window, or where a notebook shows figures; in a window until it is closed."""
    from matplotlib import pyplot

    shown = pyplot.figure()
    manager = shown.canvas.manager
    if manager is None:
        return
    figure.set_canvas(manager.canvas)
    manager.canvas.figure = figure
    pyplot.show()


def has_window() -> bool:
    """True when there is a display, and a library that draws windows on it."""
    if not (sys.platform in ("win32", "darwin") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
        return False
    try:
        from matplotlib import pyplot

        tried = pyplot.figure()
    except ImportError:  # the library of the back end that was asked for is missing
        return False
    pyplot.close(tried)
    return getattr(tried.canvas, "required_interactive_framework", None) is not None


def shortened(text: str, width: int) -> str:
    """A text of at most so many characters, its middle left out."""
    text = printable(text)
    if len(text) <= width:
        return text
    left = (width - 1) // 2
    return f"{text[:left]}…{text[len(text) - (width - 1 - left) :]}"
