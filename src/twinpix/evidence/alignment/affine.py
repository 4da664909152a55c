"""Affine transforms between images, and their decomposition into mirroring, scales and rotation."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_EPSILON = 1e-9  # square pixels: divisor above 0

Affine = NDArray[np.float64]
"""`(2, 3)`: maps point `(x, y)` of one image to `affine @ (x, y, 1)` in the other; the first pixel's centre is 0, 0."""

Size = tuple[float, float]
"""Width and height."""


class Decomposition(NamedTuple):
    """A decomposed transform: mirrored left to right or not, then scaled, then rotated."""

    mirrored: bool
    across: float  # scale of the original width
    down: float  # scale of the original height
    angle: float  # degrees, clockwise on the screen; -180 to 180


def orientation_transform(turn: int, a: Size, b: Size) -> Affine:
    """Return the transform of an image of size `a` onto orientation `turn` of an image of size `b`.

    Orientations are those of fingerprints: axes swapped (4), then flipped top to bottom (2), then left to right (1).
    """
    # From points of b, as shares of its sides, to points of b in that orientation.
    swap = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]) if turn & 4 else np.eye(3)
    down = np.array([[1.0, 0, 0], [0, -1, 1], [0, 0, 1]]) if turn & 2 else np.eye(3)
    right = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]]) if turn & 1 else np.eye(3)
    oriented = right @ down @ swap
    whole = _pixels(b) @ np.linalg.inv(oriented) @ np.linalg.inv(_pixels(a))
    return np.asarray(whole[:2])


def _pixels(size: Size) -> NDArray[np.float64]:
    """Return the transform from shares of the sides to pixels, whose centres are whole numbers."""
    return np.array([[size[0], 0, -0.5], [0, size[1], -0.5], [0, 0, 1]])


def inverse(a_to_b: Affine) -> Affine:
    """Return the inverse transform; raises `numpy.linalg.LinAlgError` for a singular one."""
    back = np.linalg.inv(a_to_b[:, :2])
    return np.column_stack([back, -back @ a_to_b[:, 2]])


def compose(first: Affine, second: Affine) -> Affine:
    """Return the transform that applies `first`, then `second`."""
    return np.asarray((np.vstack([second, [0, 0, 1]]) @ np.vstack([first, [0, 0, 1]]))[:2])


def rescale(a_to_b: Affine, a: tuple[Size, Size], b: tuple[Size, Size]) -> Affine:
    """Return the same transform for other sizes of the images; `a` and `b` are each the old and the new size."""
    pads = [_pixels(new) @ np.linalg.inv(_pixels(old)) for old, new in (a, b)]
    whole = pads[1] @ np.vstack([a_to_b, [0, 0, 1]]) @ np.linalg.inv(pads[0])
    return np.asarray(whole[:2])


def decompose(a_to_b: Affine) -> Decomposition:
    """Decompose a transform."""
    linear = a_to_b[:, :2]
    mirrored = bool(np.linalg.det(linear) < 0)
    plain = linear @ np.diag([-1.0, 1.0]) if mirrored else linear
    u, _, v = np.linalg.svd(plain)
    turned = u @ v  # the nearest rotation
    scaled = turned.T @ plain
    angle = math.degrees(math.atan2(turned[1, 0], turned[0, 0]))
    return Decomposition(mirrored, float(np.linalg.norm(scaled[:, 0])), float(np.linalg.norm(scaled[:, 1])), angle)


def scale_of(a_to_b: Affine) -> float:
    """Return the mean scale: the square root of how a transform changes areas."""
    return float(np.sqrt(abs(np.linalg.det(a_to_b[:, :2]))))


def corners(size: Size) -> NDArray[np.float64]:
    """Return the corners of an image, `(4, 2)`, half a pixel outside the centres of its corner pixels."""
    w, h = size[0] - 0.5, size[1] - 0.5
    return np.array([[-0.5, -0.5], [w, -0.5], [w, h], [-0.5, h]])


def transform_points(a_to_b: Affine, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply a transform to points `(n, 2)`."""
    return np.asarray(places @ a_to_b[:, :2].T + a_to_b[:, 2])


def corner_distance(first: Affine, second: Affine, size: Size) -> float:
    """Return the largest distance between the corners of an image under two transforms, in pixels."""
    at = corners(size)
    return float(np.abs(transform_points(first, at) - transform_points(second, at)).max())


def overlap(a_to_b: Affine, a: Size, b: Size) -> tuple[float, float]:
    """Return the shares of image `a` and of image `b` that both show."""
    area = _area(clip_polygon(transform_points(a_to_b, corners(a)), b))
    scale = abs(float(np.linalg.det(a_to_b[:, :2])))
    return min(1.0, area / max(scale * a[0] * a[1], _EPSILON)), min(1.0, area / (b[0] * b[1]))


def clip_polygon(polygon: NDArray[np.float64], size: Size) -> NDArray[np.float64]:
    """Clip a convex polygon `(n, 2)` to an image (I. Sutherland, G. Hodgman, CACM 17 (1), 1974)."""
    kept: list[list[float]] = polygon.tolist()  # plain numbers: of four corners, arrays would take longer
    for axis, sign, limit in ((0, 1, -0.5), (0, -1, size[0] - 0.5), (1, 1, -0.5), (1, -1, size[1] - 0.5)):
        out = []
        for here, following in zip(kept, kept[1:] + kept[:1], strict=True):
            inside, next_inside = sign * (here[axis] - limit) >= 0, sign * (following[axis] - limit) >= 0
            if inside:
                out.append(here)
            if inside != next_inside:
                share = (limit - here[axis]) / (following[axis] - here[axis])
                out.append([start + (end - start) * share for start, end in zip(here, following, strict=True)])
        kept = out
    return np.array(kept).reshape(-1, 2)


def _area(polygon: NDArray[np.float64]) -> float:
    if len(polygon) < 3:
        return 0.0
    x, y = polygon.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
