"""Convert all exceptions of decoders to `ImageError` and suppress their warnings."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from twinpix.errors import ImageError
from twinpix.imaging.limits import MAX_PIXELS
from twinpix.machine import lacks_memory

T = TypeVar("T")


def convert_exceptions(work: Callable[[], T]) -> T:
    """Run a decoder and convert every exception to an `ImageError` with a reason."""
    try:
        return work()
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("decode", "not an image that can be read") from None
    except Image.DecompressionBombError:
        raise ImageError("decode", f"its pixels are more than the limit of {MAX_PIXELS // 10**6} million") from None
    except Exception as error:  # noqa: BLE001 - decoders raise any exception for bad bytes
        if lacks_memory(error):
            raise ImageError("decode", "needs more memory than is available", lasting=False) from None
        raise ImageError("decode", reason(error)) from None


def reason(error: Exception) -> str:
    """Return the first sentence of an exception's message, on one line of at most 200 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.partition(". ")[0][:200]


@contextmanager
def silence_warnings() -> Iterator[None]:
    """Suppress decoder warnings about metadata, and set Pillow's pixel limit so that it refuses more than `MAX_PIXELS`.

    Problems that matter are reported as an `ImageError` or by `damaged`.
    """
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow raises at twice this limit, also for embedded images
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
