"""Read images as imagededup does: the first frame as RGB, without EXIF orientation and alpha."""

import logging
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinpix.errors import ImageError
from twinpix.imaging import Picture, decode
from twinpix.sources import read
from twinpix.text import printable

IMG_FORMATS = ("JPEG", "PNG", "BMP", "MPO", "PPM", "TIFF", "GIF", "WEBP")
_log = logging.getLogger("twinpix.compat.imagededup")


def load_image(
    image_file: Any,
    target_size: tuple[int, int] | None = None,
    grayscale: bool = False,
    img_formats: Any = IMG_FORMATS,
) -> NDArray[np.uint8] | None:
    """Read an image file as an array `(rows, columns, 3)`; None, with a warning in the log, if it cannot be read."""
    name = os.fspath(image_file)
    try:
        data = read(name).data
        if data is None:
            raise ImageError("read", "not an image")
        picture = decode(data, "reference", name)
        if picture.format not in img_formats or picture.damaged:
            raise ImageError("decode", "truncated" if picture.damaged else f"{picture.format} is not read here")
    except ImageError as error:
        invalid(name, error.reason)
        return None
    return preprocess_image(_rgb(picture.image), target_size=target_size, grayscale=grayscale)


def invalid(name: str, reason: str) -> None:
    """Log why a file has no encoding."""
    _log.warning("Invalid image file %s:\n%s", printable(name), reason)


def preprocess_image(
    image: Any, target_size: tuple[int, int] | None = None, grayscale: bool = False
) -> NDArray[np.uint8]:
    """Resize with a Lanczos filter, then convert to grey, if requested; raises `ValueError` if it is not an image."""
    if isinstance(image, np.ndarray):
        try:
            image = Image.fromarray(image.astype(np.uint8))
        except TypeError:
            raise ValueError(f"Received image array with shape: {image.shape}, which is no image") from None
    elif not isinstance(image, Image.Image):
        raise ValueError("Input is expected to be a numpy array or a pillow object!")
    if target_size:
        image = image.resize(target_size, Image.Resampling.LANCZOS)
    return np.asarray(image.convert("L") if grayscale else image, dtype=np.uint8)


def check_image_array_hash(image_arr: NDArray[Any]) -> None:
    """Raise `AssertionError` or `ValueError` for an array that is not a grey or RGB image."""
    shape = image_arr.shape
    if len(shape) == 3:
        _check_3_dim(shape)
    elif len(shape) != 2:
        _raise_wrong_dim_value_error(shape)


def expand_image_array_cnn(image_arr: NDArray[Any]) -> NDArray[Any]:
    """Repeat the channel of a grey array three times; RGB is unchanged. Raises like `check_image_array_hash`."""
    check_image_array_hash(image_arr)
    return _add_third_dim(image_arr) if image_arr.ndim == 2 else image_arr


def _check_3_dim(image_arr_shape: tuple[int, ...]) -> None:
    if image_arr_shape[2] != 3:
        raise AssertionError(
            f"Received image array with shape: {image_arr_shape}, expected image array shape is (x, y, 3)"
        )


def _add_third_dim(image_arr_2dim: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(image_arr_2dim[..., None], 3, axis=2)


def _raise_wrong_dim_value_error(image_arr_shape: tuple[int, ...]) -> None:
    raise ValueError(
        f"Received image array with shape: {image_arr_shape}, expected number of image array dimensions are 3 for "
        "rgb image and 2 for grayscale image!"
    )


def picture_of(image_array: NDArray[Any]) -> Picture:
    """Convert an array to the `Picture` that fingerprints are computed from."""
    image = Image.fromarray(np.asarray(image_array).astype(np.uint8))
    return Picture(image, image.width, image.height, "", "reference", b"")


def _rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGBA").convert("RGB")
