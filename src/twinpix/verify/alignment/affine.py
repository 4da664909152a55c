"""Affine transforms between images, and their decomposition into mirroring, scales and rotation."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_EPSILON = 1e-9  # square pixels: divisor above 0

Map = NDArray[np.float64]
"""`(2, 3)`: point `(x, y)` of one image lies at `map @ (x, y, 1)` in the other; the first pixel's centre is 0, 0."""

Side = tuple[float, float]
"""Width and height."""


class Change(NamedTuple):
    """A decomposed transform: mirrored left to right or not, then scaled, then rotated."""

    mirrored: bool
    across: float  # scale of what was the width
    down: float  # of what was the height
    angle: float  # degrees, clockwise on the screen; -180 to 180


def turning(turn: int, a: Side, b: Side) -> Map:
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


def _pixels(sides: Side) -> NDArray[np.float64]:
    """Return the transform from shares of the sides to pixels, whose centres are whole numbers."""
    return np.array([[sides[0], 0, -0.5], [0, sides[1], -0.5], [0, 0, 1]])


def inverse(there: Map) -> Map:
    """Return the inverse transform; raises `numpy.linalg.LinAlgError` for a singular one."""
    back = np.linalg.inv(there[:, :2])
    return np.column_stack([back, -back @ there[:, 2]])


def chained(first: Map, second: Map) -> Map:
    """One map after the other."""
    return np.asarray((np.vstack([second, [0, 0, 1]]) @ np.vstack([first, [0, 0, 1]]))[:2])


def rescaled(there: Map, a: tuple[Side, Side], b: tuple[Side, Side]) -> Map:
    """The same map between the same pictures of other sizes: `a` and `b` say from which sides to which."""
    pads = [_pixels(new) @ np.linalg.inv(_pixels(old)) for old, new in (a, b)]
    whole = pads[1] @ np.vstack([there, [0, 0, 1]]) @ np.linalg.inv(pads[0])
    return np.asarray(whole[:2])


def change_of(there: Map) -> Change:
    """Decompose a transform."""
    linear = there[:, :2]
    mirrored = bool(np.linalg.det(linear) < 0)
    plain = linear @ np.diag([-1.0, 1.0]) if mirrored else linear
    u, _, v = np.linalg.svd(plain)
    turned = u @ v  # the nearest rotation
    scaled = turned.T @ plain
    angle = math.degrees(math.atan2(turned[1, 0], turned[0, 0]))
    return Change(mirrored, float(np.linalg.norm(scaled[:, 0])), float(np.linalg.norm(scaled[:, 1])), angle)


def corners(sides: Side) -> NDArray[np.float64]:
    """Return the corners of an image, `(4, 2)`, half a pixel outside the centres of its corner pixels."""
    w, h = sides[0] - 0.5, sides[1] - 0.5
    return np.array([[-0.5, -0.5], [w, -0.5], [w, h], [-0.5, h]])


def placed(there: Map, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply a transform to points `(n, 2)`."""
    return np.asarray(places @ there[:, :2].T + there[:, 2])


def overlap(there: Map, a: Side, b: Side) -> tuple[float, float]:
    """Return the shares of image `a` and of image `b` that both show."""
    area = _area(clipped(placed(there, corners(a)), b))
    scale = abs(float(np.linalg.det(there[:, :2])))
    return min(1.0, area / max(scale * a[0] * a[1], _EPSILON)), min(1.0, area / (b[0] * b[1]))


def clipped(polygon: NDArray[np.float64], sides: Side) -> NDArray[np.float64]:
    """Clip a convex polygon to an image (I. Sutherland, G. Hodgman, CACM 17 (1), 1974)."""
    for axis, sign, limit in ((0, 1, -0.5), (0, -1, sides[0] - 0.5), (1, 1, -0.5), (1, -1, sides[1] - 0.5)):
        out = []
        for here, there in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            inside, next_inside = sign * (here[axis] - limit) >= 0, sign * (there[axis] - limit) >= 0
            if inside:
                out.append(here)
            if inside != next_inside:
                out.append(here + (there - here) * ((limit - here[axis]) / (there[axis] - here[axis])))
        if not out:
            return np.empty((0, 2))
        polygon = np.array(out)
    return polygon


def _area(polygon: NDArray[np.float64]) -> float:
    if len(polygon) < 3:
        return 0.0
    x, y = polygon.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
