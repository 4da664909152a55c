"""`dedupe`: a data set or data frame without the copies among its images."""

from typing import Any, TypeVar

from twinpix.encoding.options import Options
from twinpix.progress import ProgressLike
from twinpix.sources.frames import pairs_of, without_rows
from twinpix.usecases.find import find

_Data = TypeVar("_Data")


def dedupe(
    data: _Data, column: str = "image", options: Options | None = None, *, progress: ProgressLike = None, **changes: Any
) -> _Data:
    """Return the rows of a table without those whose image is a copy of the image of another row.

    Of each group of copies the row stays whose image the keep rules prefer. Rows whose image cannot be read stay.

    Args:
        data: A `datasets.Dataset`, a pandas or polars data frame, or an Arrow table.
        column: Name of the column of images: bytes of image files, the dictionaries `{bytes, path}` of Hugging Face,
            Pillow images, arrays `(rows, columns[, 3 or 4])` of uint8, or paths.
        options: Options of the run; the default ones if None.
        progress: True for a display on stderr, a function of (stage, done, total), or tqdm.
        **changes: Fields of `Options` that replace those in `options`.

    Returns:
        The remaining rows in their order, as a table of the same kind.

    Raises:
        UsageError: The type of `data` is unknown, or it has no such column.

    Example:
        >>> import pyarrow
        >>> names = ["photos/beach.png", "photos/beach.jpg", "photos/forest.jpg"]
        >>> twinpix.dedupe(pyarrow.table({"image": names}), store=None)["image"].to_pylist()
        ['photos/beach.png', 'photos/forest.jpg']
    """
    report = find(pairs_of(data, column), options, progress=progress, **changes)
    drop = {int(report.ids[member.path]) for group in report.groups for member in group.redundant}
    kept: _Data = without_rows(data, drop)
    return kept
