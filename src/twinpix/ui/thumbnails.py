"""Small upright copies of images for display."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from twinpix.errors import ImageError
from twinpix.executors import Begin, Executor, Lost, Task
from twinpix.imaging import thumbnail
from twinpix.sources import read

if TYPE_CHECKING:
    from PIL import Image

_BATCH = 8  # images


class Missing(NamedTuple):
    """The reason why there is no thumbnail."""

    reason: str


def load_thumbnail(path: str, side: int) -> "Image.Image | Missing":
    """Return an image, upright on white, at most `side` pixels wide and high."""
    try:
        data = read(path).data
        if data is None:
            raise ImageError("read", "not an image")
        return thumbnail(data, side, path)
    except ImageError as error:
        return Missing(error.reason)
    except ValueError:  # a report of another machine may have any text: NUL characters, or lone surrogates
        return Missing("not a valid file name on this system")


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """Makes JPEG thumbnails of a batch of paths in a worker process."""

    side: int

    def __call__(self, batch: Sequence[str], begin: Begin) -> list[bytes | Missing]:
        out: list[bytes | Missing] = []
        for at, path in enumerate(batch):
            begin(at)
            image = load_thumbnail(path, self.side)
            if isinstance(image, Missing):
                out.append(image)
            else:
                data = io.BytesIO()
                image.save(data, "JPEG", quality=70)
                out.append(data.getvalue())
        return out


def share(task: Task, paths: Iterable[str], executor: Executor) -> dict[str, bytes | Missing]:
    """Run `task` on each path by an executor; only a file that crashes or hangs a worker is missing."""
    distinct = list(dict.fromkeys(paths))
    batches = (distinct[start : start + _BATCH] for start in range(0, len(distinct), _BATCH))
    made = executor.map(task, batches)
    return {path: Missing(result.reason) if isinstance(result, Lost) else result for path, result in made}
