"""Small upright copies of images for people to look at."""

import io
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from twinpix.errors import ImageError
from twinpix.executors import Ask, Batches, Begin, Local, Lost, Work
from twinpix.imaging import thumbnail
from twinpix.sources import read

if TYPE_CHECKING:
    from PIL import Image

_BATCH = 8  # images


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
    except ValueError:  # a report from elsewhere may hold any text: zero bytes, surrogates that stand for no byte
        return Missing("no name that a file can have here")


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


def share(work: Work, paths: Iterable[str], workers: int = 0) -> dict[str, bytes | Missing]:
    """What `work` makes of each path, in processes; a file that crashes or hangs one is alone in missing."""
    distinct = list(dict.fromkeys(paths))
    queue = Batches(distinct[start : start + _BATCH] for start in range(0, len(distinct), _BATCH))
    made: dict[str, bytes | Missing] = {}
    with closing(Local(workers).run(work, queue, lambda question: None)) as run:
        for batch, result in run:
            if not isinstance(result, Lost):
                made.update(zip(batch, result, strict=True))
            elif given := queue.lost(batch, result):
                made[given.item] = Missing(result.reason)
    return made
