"""Local features: keypoints with 64-bit codes of their descriptors; finds crops, borders and rotations.

The code of an image holds the codes and the geometry of its keypoints, and has a fixed length. Two images are
candidates if their keypoints match in code and agree in scale, orientation and position
(`twinpix.localfeatures.candidates`); verification on the pixels decides (`twinpix.verify`).
Sources: see `twinpix.localfeatures.keypoints`, and training/codes.py in the repository.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.fingerprints.base import Array, Candidates, Proposer
from twinpix.imaging import Picture
from twinpix.localfeatures import keypoints
from twinpix.localfeatures.keypoints import Keypoints, detect_keypoints, enlarge
from twinpix.model import Bytes2D, Decode, Strictness
from twinpix.search.base import Workers

LEARNED = Path(__file__).parent / "models" / "local.npz"
MIRROR = np.uint64(0xFFFFFFFF00000000)  # the bits that are inverted in a mirrored image
HEADER = np.dtype([("count", "<u2"), ("width", "<u2"), ("height", "<u2")])  # keypoints; size of the image in pixels
POINT = np.dtype([("code", "<u8"), ("x", "<u2"), ("y", "<u2"), ("size", "u1"), ("angle", "u1")])
_STEPS, _SIZES, _ANGLES = 64, 16, 256  # quantisation steps per pixel, per octave, per full turn


class KeypointSets(NamedTuple):
    """The keypoints of many images in columns; those of image `n` are `starts[n]:starts[n + 1]`."""

    starts: NDArray[np.int64]  # (images + 1,)
    image_sizes: NDArray[np.float32]  # (images, 2): width and height in pixels
    codes: NDArray[np.uint64]  # (keypoints,)
    place: NDArray[np.float32]  # (keypoints, 2): x and y in pixels
    size: NDArray[np.float32]  # (keypoints,): scale in octaves
    angle: NDArray[np.float32]  # (keypoints,): orientation in radians


@dataclass(frozen=True, slots=True)
class Local(Proposer):
    """Up to `points` keypoints, detected in the image at `side` pixels along its longer side.

    A smaller image is enlarged first, at most four times.
    """

    version: ClassVar[int] = 4

    points: int = 150
    side: int = 192

    def __post_init__(self) -> None:
        if not 16 <= self.points <= 2000:
            raise ValueError("points is a number from 16 to 2000")
        if not 64 <= self.side <= 1000:
            raise ValueError("side is a number of pixels from 64 to 1000")

    @property
    def bits(self) -> int:
        return 8 * (HEADER.itemsize + self.points * POINT.itemsize)

    @property
    def detail(self) -> int:
        """The luma resolution that it needs, in pixels along the longer side."""
        return self.side

    @property
    def radii(self) -> Mapping[Strictness, float]:
        """The maximum share of the overlap of two images that may differ, by strictness."""
        return {"exact": 0.0, "strict": 0.2, "normal": 0.35, "loose": 0.5}

    def prepare(self, picture: Picture) -> Array:
        """Return the code of one image, `(bytes,)`; positions are in pixels of the image in which they are detected."""
        grey = enlarge(picture.grey(self.side))
        return pack_keypoints(detect_keypoints(grey, self.points), (grey.shape[1], grey.shape[0]), self.points)

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        return batch

    def compiles(self) -> bool:
        from twinpix.localfeatures import candidates

        return not (keypoints.is_compiled() and candidates.is_compiled())

    def load(self) -> None:
        """Load the compiled loops of the detection; those of the search are compiled with them, if they are not yet."""
        from twinpix.localfeatures import candidates

        keypoints.load()
        if not candidates.is_compiled():
            candidates.load()

    def candidates(
        self, codes: Bytes2D, of: int, on_progress: Callable[[float], None], workers: Workers | None = None
    ) -> Candidates:
        from twinpix.localfeatures.candidates import find_pairs

        sets = unpack_keypoints(codes)
        geometry = np.column_stack([sets.place, sets.size, sets.angle]).astype(np.float32)
        found = find_pairs(
            (sets.starts, sets.codes, geometry, sets.image_sizes),
            int(MIRROR),
            of=of,
            on_progress=on_progress,
            workers=workers,
        )
        return Candidates(found.i, found.j, found.weight, found.change, sets.image_sizes)


def pack_keypoints(features: Keypoints, image_size: tuple[int, int], most: int) -> NDArray[np.uint8]:
    """Pack keypoints to bytes: a header, a `POINT` record for each of at most `most` keypoints, then zeros."""
    out = np.zeros(HEADER.itemsize + most * POINT.itemsize, dtype=np.uint8)
    count = min(len(features.size), most)
    out[: HEADER.itemsize].view(HEADER)[0] = (count, *image_size)
    rows = out[HEADER.itemsize :].view(POINT)[:count]
    rows["code"] = descriptor_codes(features.descriptors[:count])
    rows["x"], rows["y"] = np.rint(np.maximum(features.place[:count], 0) * _STEPS).T
    rows["size"] = np.clip(np.rint(np.log2(features.size[:count]) * _SIZES), 0, 255)
    rows["angle"] = np.rint(features.angle[:count] * (_ANGLES / (2 * np.pi))).astype(np.int64) % _ANGLES
    return out


def unpack_keypoints(codes: Bytes2D) -> KeypointSets:
    """Return the keypoints of images with the codes `(n, bytes)`."""
    head = np.ascontiguousarray(codes[:, : HEADER.itemsize]).view(HEADER)[:, 0]
    rows = np.ascontiguousarray(codes[:, HEADER.itemsize :]).view(POINT)
    counts = head["count"].astype(np.int64)
    records = rows[np.arange(rows.shape[1]) < counts[:, None]]
    return KeypointSets(
        np.concatenate([[0], np.cumsum(counts)]),
        np.stack([head["width"], head["height"]], axis=1).astype(np.float32),
        records["code"].astype(np.uint64),
        np.stack([records["x"], records["y"]], axis=1).astype(np.float32) / np.float32(_STEPS),
        records["size"].astype(np.float32) / np.float32(_SIZES),
        records["angle"].astype(np.float32) * np.float32(2 * np.pi / _ANGLES),
    )


def descriptor_codes(around: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return a 64-bit code for each descriptor: `(n, 128)` float32 to `(n,)` uint64."""
    matrix, threshold = _load_learned()
    bits = around @ matrix > threshold
    return np.packbits(bits, axis=1, bitorder="little").view("<u8")[:, 0].astype(np.uint64)


@cache
def _load_learned() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with np.load(LEARNED, allow_pickle=False) as file:
        return file["matrix"], file["threshold"]
