"""`dedupe`: a data set or data frame without the copies among its images."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from twinpix.encoding.options import Options
from twinpix.errors import ImageError, UsageError
from twinpix.progress import ProgressLike
from twinpix.sources import read
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
    library = type(data).__module__.partition(".")[0]
    if library not in ("datasets", "pandas", "polars", "pyarrow"):
        raise UsageError(
            f"data is a datasets.Dataset, a pandas or polars data frame, or an Arrow table, not {type(data).__name__}"
        )
    images = ((row, _image(value)) for row, value in enumerate(_values(data, library, column)))
    report = find(images, options, progress=progress, **changes)
    drop = {int(report.ids[member.path]) for group in report.groups for member in group.redundant}
    kept: _Data = _select(data, library, drop)
    return kept


def _values(data: Any, library: str, column: str) -> Iterable[Any]:
    """Return the values of the column of images, without decoding them."""
    names = list(data.columns) if library in ("pandas", "polars") else list(data.column_names)
    if column not in names:
        raise UsageError(f"there is no column {column!r}; there are: {', '.join(map(str, names))}", field="column")
    if library == "datasets":
        import datasets

        if isinstance(data.features[column], datasets.Image):
            data = data.cast_column(column, datasets.Image(decode=False))
        return (row[column] for row in data.select_columns([column]))
    if library == "pyarrow":
        return _of_arrow(data[column])
    values: Iterable[Any] = data[column]
    return values


def _of_arrow(values: Any) -> Iterator[Any]:
    for chunk in values.chunks:
        for value in chunk:
            yield value.as_py()


def _image(value: Any) -> Any:
    """Return the image of a row as bytes, Pillow image or array; None if it has none or it cannot be read."""
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if not isinstance(value, str):
        return value
    try:
        return read(value).data
    except ImageError:  # the row stays
        return None


def _select(data: Any, library: str, drop: set[int]) -> Any:
    """Return the table without these rows."""
    keep = [row for row in range(len(data)) if row not in drop]
    if library == "datasets":
        return data.select(keep)
    if library == "pandas":
        return data.iloc[keep]
    if library == "polars":
        return data[keep]
    return data.take(keep)
