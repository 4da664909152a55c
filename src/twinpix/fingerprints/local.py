"""Local features: keypoints with 64-bit codes of their descriptors; finds crops, borders and rotations.

A set of codes with their geometry, of one width for every picture. Two pictures are candidates when codes of theirs
agree that agree in scale, angle and place as well (`twinpix.localfeatures.candidates`); their pixels decide
(`twinpix.verify`).
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
from twinpix.localfeatures.keypoints import Keypoints, detect_keypoints
from twinpix.model import Bytes2D, Decode, Strictness

LEARNED = Path(__file__).parent / "models" / "local.npz"
MIRROR = np.uint64(0xFFFFFFFF00000000)  # the bits that are turned over in a mirrored picture
HEADER = np.dtype([("count", "<u2"), ("width", "<u2"), ("height", "<u2")])  # points; pixels they were looked for in
POINT = np.dtype([("code", "<u8"), ("x", "<u2"), ("y", "<u2"), ("size", "u1"), ("angle", "u1")])
_STEPS, _SIZES, _ANGLES = 64, 16, 256  # of a pixel, of an octave, of a turn


class PointSets(NamedTuple):
    """The points of many pictures in columns: those of picture `n` are `starts[n]:starts[n + 1]`."""

    starts: NDArray[np.int64]  # (pictures + 1,)
    sides: NDArray[np.float32]  # (pictures, 2): width and height in pixels
    codes: NDArray[np.uint64]
    place: NDArray[np.float32]  # (points, 2): x and y in pixels
    size: NDArray[np.float32]  # octaves
    angle: NDArray[np.float32]  # radians


@dataclass(frozen=True, slots=True)
class Local(Proposer):
    """Up to `points` points of a picture looked at with `side` pixels along its longer side."""

    version: ClassVar[int] = 2

    points: int = 150
    side: int = 256

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
        """Pixels of luma that it needs along a picture's longer side."""
        return self.side

    @property
    def variant(self) -> str:
        """Names what finds the points: another version may find others."""
        from importlib.metadata import version

        return f"opencv-{version('opencv-python-headless')}"

    @property
    def radii(self) -> Mapping[Strictness, float]:
        """The share of what two pictures have in common that may differ."""
        return {"exact": 0.0, "strict": 0.2, "normal": 0.35, "loose": 0.5}

    def prepare(self, picture: Picture) -> Array:
        """The code of one picture `(bytes,)`."""
        grey = picture.grey(self.side)
        return packed(detect_keypoints(grey, self.points), (grey.shape[1], grey.shape[0]), self.points)

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        return batch

    def candidates(self, codes: Bytes2D, of: int, on_progress: Callable[[float], None]) -> Candidates:
        from twinpix.localfeatures.candidates import alike

        sets = unpacked(codes)
        points = np.column_stack([sets.place, sets.size, sets.angle]).astype(np.float32)
        found = alike((sets.starts, sets.codes, points, sets.sides), int(MIRROR), of=of, on_progress=on_progress)
        return Candidates(found.i, found.j, found.points, found.change, sets.sides)


def packed(points: Keypoints, sides: tuple[int, int], most: int) -> NDArray[np.uint8]:
    """Points as bytes: a header, then each with its code, place, size and angle, then zeros."""
    out = np.zeros(HEADER.itemsize + most * POINT.itemsize, dtype=np.uint8)
    count = min(len(points.size), most)
    out[: HEADER.itemsize].view(HEADER)[0] = (count, *sides)
    rows = out[HEADER.itemsize :].view(POINT)[:count]
    rows["code"] = codes_of_points(points.descriptors[:count])
    rows["x"], rows["y"] = np.rint(np.maximum(points.place[:count], 0) * _STEPS).T
    rows["size"] = np.clip(np.rint(np.log2(points.size[:count]) * _SIZES), 0, 255)
    rows["angle"] = np.rint(points.angle[:count] * (_ANGLES / (2 * np.pi))).astype(np.int64) % _ANGLES
    return out


def unpacked(codes: Bytes2D) -> PointSets:
    """The points of pictures whose codes are `(n, bytes)`."""
    head = np.ascontiguousarray(codes[:, : HEADER.itemsize]).view(HEADER)[:, 0]
    rows = np.ascontiguousarray(codes[:, HEADER.itemsize :]).view(POINT)
    counts = head["count"].astype(np.int64)
    points = rows[np.arange(rows.shape[1]) < counts[:, None]]
    return PointSets(
        np.concatenate([[0], np.cumsum(counts)]),
        np.stack([head["width"], head["height"]], axis=1).astype(np.float32),
        points["code"].astype(np.uint64),
        np.stack([points["x"], points["y"]], axis=1).astype(np.float32) / np.float32(_STEPS),
        points["size"].astype(np.float32) / np.float32(_SIZES),
        points["angle"].astype(np.float32) * np.float32(2 * np.pi / _ANGLES),
    )


def codes_of_points(around: NDArray[np.float32]) -> NDArray[np.uint64]:
    """64 bits of each descriptor `(n, 128)`."""
    matrix, threshold = _learned()
    bits = around @ matrix > threshold
    return np.packbits(bits, axis=1, bitorder="little").view("<u8")[:, 0].astype(np.uint64)


@cache
def _learned() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with np.load(LEARNED, allow_pickle=False) as file:
        return file["matrix"], file["threshold"]
