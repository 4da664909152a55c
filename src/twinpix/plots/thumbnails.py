"""Small upright copies of images for people to look at."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from twinpix.errors import ImageError
from twinpix.executors import Ask, Begin
from twinpix.imaging import thumbnail
from twinpix.sources import read

if TYPE_CHECKING:
    from PIL import Image


class Missing(NamedTuple):
    """Why there is no thumbnail."""

    reason: str


def look(path: str, side: int) -> "Image.Image | Missing":
    """An image, upright on white, at most `side` pixels wide and high."""
    try:
        data = read(path).data
        if data is None:
            raise ImageError("read", "not an image")
        return thumbnail(data, side, path)
    except ImageError as error:
        return Missing(error.reason)


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """Makes JPEG thumbnails of a batch of paths in a worker."""

    side: int

    def __call__(self, batch: Sequence[str], begin: Begin, ask: Ask) -> list[bytes | Missing]:
        out: list[bytes | Missing] = []
        for at, path in enumerate(batch):
            begin(at)
            image = look(path, self.side)
            if isinstance(image, Missing):
                out.append(image)
            else:
                data = io.BytesIO()
                image.save(data, "JPEG", quality=70)
                out.append(data.getvalue())
        return out
