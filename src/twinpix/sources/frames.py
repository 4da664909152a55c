"""Tables in the memory of a Python program: Hugging Face data sets, pandas and polars data frames, Arrow tables."""

from collections.abc import Iterable, Iterator
from typing import Any

from twinpix.errors import ImageError, UsageError
from twinpix.sources.uris import read

_LIBRARIES = ("datasets", "pandas", "polars", "pyarrow")
_DEFAULT_COLUMN = "image"  # as Hugging Face data sets of images name it


def is_frame(data: object) -> bool:
    return type(data).__module__.partition(".")[0] in _LIBRARIES


def pairs_of(data: Any, column: str = "", id: str = "") -> Iterator[tuple[Any, Any]]:
    """Yield an id and an image for each row: the number of the row, or the value of the column `id`.

    Raises `UsageError` for another kind of data, such as a dictionary of data sets, and if there is no such column.
    """
    if not is_frame(data):
        raise UsageError(
            f"data is a datasets.Dataset, a pandas or polars data frame, or an Arrow table, not {type(data).__name__}"
        )
    if isinstance(data, dict):  # datasets.DatasetDict
        raise UsageError(
            f"data has the splits {', '.join(map(str, data))}: give one of them, or find in the saved folder"
        )
    library = type(data).__module__.partition(".")[0]
    images = _values(data, library, column or _DEFAULT_COLUMN)
    ids = _values(data, library, id) if id else range(len(data))
    return ((name, _image(value)) for name, value in zip(ids, images, strict=True))


def without_rows(data: Any, drop: set[int]) -> Any:
    """Return the table without these rows, as a table of the same kind."""
    library = type(data).__module__.partition(".")[0]
    keep = [row for row in range(len(data)) if row not in drop]
    if library == "datasets":
        return data.select(keep)
    if library == "pandas":
        return data.iloc[keep]
    if library == "polars":
        return data[keep]
    return data.take(keep)


def _values(data: Any, library: str, column: str) -> Iterable[Any]:
    """Return the values of a column, of images without decoding them."""
    names = list(data.columns) if library in ("pandas", "polars") else list(data.column_names)
    if column not in names:
        raise UsageError(f"there is no column {column!r}; there are: {', '.join(map(str, names))}", field="column")
    if library == "datasets":
        import datasets

        if isinstance(data.features[column], datasets.Image):
            data = data.cast_column(column, datasets.Image(decode=False))
        return (row[column] for row in data.select_columns([column]))
    if library == "pyarrow":
        return (value.as_py() for chunk in data[column].chunks for value in chunk)
    values: Iterable[Any] = data[column]
    return values


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
