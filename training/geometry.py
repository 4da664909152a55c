"""Geometric edits as homographies: crops, rotations, frames and perspective, for many images at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Views:
    """Geometric edits of `n` images: for each, the homography from the canvas back to the image.

    `back` (n, 3, 3) maps a point of the canvas, in units of the height of the original, to the unit square of the
    original; `size` (n, 2) is the canvas's width and height; `seen` (n, 4) is the part of the unit square
    of the original (left, top, right, bottom) that has not been cropped.
    """

    def __init__(self, aspect: Floats) -> None:
        n = len(aspect)
        self.size = np.stack([aspect, np.ones(n)], axis=1)
        self.back = _scaling(1 / aspect, np.ones(n))
        self.seen = np.tile([0.0, 0.0, 1.0, 1.0], (n, 1))

    def cut(self, who: NDArray[np.bool_], left: Floats, top: Floats, width: Floats, height: Floats) -> None:
        """Crop to a rectangle of the canvas, in shares of it. Before any rotation: the crop is of the original."""
        origin = np.stack([left, top], axis=1) * self.size
        self._canvas(who, origin, self.size * np.stack([width, height], axis=1))
        span = self.seen[:, 2:] - self.seen[:, :2]
        start = self.seen[:, :2] + span * np.stack([left, top], axis=1)
        seen = np.concatenate([start, start + span * np.stack([width, height], axis=1)], axis=1)
        self.seen = np.where(who[:, None], seen, self.seen)

    def frame(self, who: NDArray[np.bool_], left: Floats, top: Floats, right: Floats, bottom: Floats) -> None:
        """Widen the canvas by shares of it on each side (less than 0: narrow it)."""
        grown = self.size * np.stack([1 + left + right, 1 + top + bottom], axis=1)
        self._canvas(who, -np.stack([left, top], axis=1) * self.size, grown)

    def mirror(self, who: NDArray[np.bool_]) -> None:
        self._then(who, _shifting(self.size[:, 0], 0) @ _scaling(np.full(len(who), -1.0), np.ones(len(who))))

    def quarter(self, who: NDArray[np.bool_]) -> None:
        turn = np.zeros((len(who), 3, 3))
        turn[:, 0, 1] = turn[:, 2, 2] = 1
        turn[:, 1, 0] = -1
        turn[:, 1, 2] = self.size[:, 1]
        self._then(who, turn)
        self.size = np.where(who[:, None], self.size[:, ::-1], self.size)

    def turn(self, who: NDArray[np.bool_], angle: Floats, grow: Floats) -> None:
        """Rotate by `angle` (radians); `grow` enlarges the canvas from its old size (0) to hold the whole image (1)."""
        cos, sin = np.cos(angle), np.sin(angle)
        width, height = self.size.T
        held = np.stack([width * abs(cos) + height * abs(sin), width * abs(sin) + height * abs(cos)], axis=1)
        size = self.size + (held - self.size) * grow[:, None]
        turn = np.zeros((len(who), 3, 3))
        turn[:, 0, 0] = turn[:, 1, 1] = cos
        turn[:, 0, 1], turn[:, 1, 0] = sin, -sin
        turn[:, 2, 2] = 1
        centred = _shifting(*(self.size.T / 2)) @ turn @ _shifting(*(-size.T / 2))
        self._then(who, centred)
        self.size = np.where(who[:, None], size, self.size)

    def tilt(self, who: NDArray[np.bool_], slope: Floats, vanish: Floats) -> None:
        """Shear by `slope` (n, 2) and tilt with perspective terms `vanish` (n, 2), about the centre."""
        tilt = np.tile(np.eye(3), (len(who), 1, 1))
        tilt[:, 0, 1], tilt[:, 1, 0] = slope.T
        tilt[:, 2, :2] = vanish / self.size
        self._then(who, _shifting(*(self.size.T / 2)) @ tilt @ _shifting(*(-self.size.T / 2)))

    def squashed(self) -> Floats:
        """(n, 3, 3): from the unit square, to which the canvas is resized, to the unit square of the original."""
        return self.back @ _scaling(*self.size.T)

    def _canvas(self, who: NDArray[np.bool_], origin: Floats, size: Floats) -> None:
        self._then(who, _shifting(*origin.T))
        self.size = np.where(who[:, None], size, self.size)

    def _then(self, who: NDArray[np.bool_], step: Floats) -> None:
        self.back = np.where(who[:, None, None], self.back @ step, self.back)


def _scaling(x: Floats, y: Floats) -> Floats:
    out = np.zeros((len(x), 3, 3))
    out[:, 0, 0], out[:, 1, 1], out[:, 2, 2] = x, y, 1
    return out


def _shifting(x: Floats, y: Floats | float) -> Floats:
    out = np.tile(np.eye(3), (len(x), 1, 1))
    out[:, 0, 2], out[:, 1, 2] = x, y
    return out
