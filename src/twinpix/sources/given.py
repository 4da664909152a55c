"""Images that a Python program gives with ids: bytes, Pillow images and arrays.

They are written to a temporary archive, because worker processes read them, some of them twice.
"""

import io
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from twinpix.errors import ImageError, OutputError, system_reason
from twinpix.formats import claims_image, suffix
from twinpix.model import Failure
from twinpix.sources.frames import is_frame, pairs_of

_NO_TIME = (1980, 1, 1, 0, 0, 0)  # of a member of a zip archive
_PNG_MODES = frozenset({"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"})
_ARRAYS = frozenset({"bool", "uint8", "uint16"})


@dataclass(frozen=True, slots=True)
class Given:
    """Images in a temporary archive."""

    path: str
    names: dict[str, str] = field(default_factory=dict)  # by URI in the archive, as in a report: `memory://ID`
    ids: dict[str, str] = field(default_factory=dict)  # by name in a report
    failures: list[Failure] = field(default_factory=list)


def split_kinds(paths: Any, column: str = "", id: str = "") -> tuple[Any, Iterable[tuple[Any, Any]] | None]:
    """Return paths and None, or nothing and the pairs of an id and an image; an iterator is looked into.

    Of a table in memory the pairs are those of its rows, see `frames`.
    """
    if is_frame(paths):
        return (), pairs_of(paths, column, id)
    if isinstance(paths, str | bytes | os.PathLike) or not isinstance(paths, Iterable):
        return paths, None
    items: Iterable[Any] = paths
    if isinstance(paths, list | tuple):
        first = list(paths[:1])
    else:
        rest = iter(paths)
        first = list(islice(rest, 1))
        items = chain(first, rest)
    return ((), items) if first and _is_pair(first[0]) else (items, None)


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2


@contextmanager
def write_given(images: Iterable[tuple[Any, Any]]) -> Iterator[Given]:
    """Write pairs of an id and an image to a temporary archive, which is removed at the end.

    An image is bytes of an image file, a Pillow image, or an array of bool, uint8 or uint16 with the shape
    `(rows, columns)`, `(rows, columns, 3)` or `(rows, columns, 4)`. Anything else, and a second image with one id, is a
    failure. Raises `OutputError` if the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="twinpix-") as folder:
        given = Given(os.path.join(folder, "images.zip"))
        try:
            with zipfile.ZipFile(given.path, "w") as archive:
                for number, (id, image) in enumerate(images):
                    # The suffix of an id such as `1.tga` names a format without a signature.
                    end = suffix(str(id)) if claims_image(str(id)) else ""
                    _add(given, archive, f"{number:09}{end}", str(id), image)
        except OSError as error:
            raise OutputError(f"cannot write images to {folder}: {system_reason(error)}; set TMPDIR") from None
        yield given


def _add(given: Given, archive: zipfile.ZipFile, member: str, id: str, image: Any) -> None:
    name = f"memory://{id}"
    try:
        if name in given.ids:
            raise ImageError("read", "an earlier image has the same id")
        data = _encode(image)
    except ImageError as error:
        given.failures.append(Failure(name, error.stage, error.reason))
        return
    archive.writestr(zipfile.ZipInfo(member, _NO_TIME), data)
    given.names[f"zip://{member}::{given.path}"] = name
    given.ids[name] = id


def _encode(image: Any) -> bytes:
    """Return the bytes of an image file with exactly these pixels; raises `ImageError`."""
    if isinstance(image, bytes | bytearray | memoryview):
        if not image:
            raise ImageError("read", "the image has no bytes")
        return bytes(image)
    import numpy as np
    from PIL import Image

    if isinstance(image, np.ndarray):
        if image.dtype.name not in _ARRAYS:
            raise ImageError("read", f"an array of {image.dtype.name}; an image is bool, uint8 or uint16")
        try:
            image = Image.fromarray(np.ascontiguousarray(image))
        except (TypeError, ValueError):
            raise ImageError("read", f"an array of shape {image.shape} is no image") from None
    if not isinstance(image, Image.Image):
        what = "no image" if image is None else f"{type(image).__name__}"
        raise ImageError("read", f"{what}; an image is bytes, a Pillow image or an array")
    out = io.BytesIO()
    try:
        if image.mode in _PNG_MODES:
            image.save(out, "PNG", compress_level=0)
        else:
            image.save(out, "TIFF")
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError("read", f"Pillow cannot write it: {error}") from None
    return out.getvalue()
