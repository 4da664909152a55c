"""Whatever a decoder does wrong becomes an `ImageError`, and its warnings nothing."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from twinpix.errors import ImageError
from twinpix.imaging.limits import MAX_PIXELS
from twinpix.machine import lacks_memory

T = TypeVar("T")


def guarded(work: Callable[[], T]) -> T:
    """Run a decoder; whatever it raises becomes an `ImageError` with a reason."""
    try:
        return work()
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("decode", "not an image that can be read") from None
    except Image.DecompressionBombError:
        raise ImageError("decode", f"its pixels are more than the limit of {MAX_PIXELS // 10**6} million") from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything for bad bytes; a failure is a row
        if lacks_memory(error):
            raise ImageError("decode", "needs more memory than is available", lasting=False) from None
        raise ImageError("decode", reason(error)) from None


def reason(error: Exception) -> str:
    """What went wrong, on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.partition(". ")[0][:200]


@contextmanager
def quiet() -> Iterator[None]:
    """Decoders warn of odd metadata; what matters becomes a failure or a mark instead."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses twice as many, also of images within others
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
