"""Affine maps from the places of one picture to those of another, and what they say of how it was changed."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]
"""`(2, 3)`: place `(x, y)` of one picture lies at `map @ (x, y, 1)` in the other; the first pixel's middle is 0, 0."""

Side = tuple[float, float]
"""Width and height."""


class Change(NamedTuple):
    """A map taken apart: mirrored left to right or not, then scaled, then turned."""

    mirrored: bool
    across: float  # scale of what was the width
    down: float  # of what was the height
    angle: float  # degrees, from the x axis to the y axis: clockwise as one sees it; -180 to 180


def turning(turn: int, a: Side, b: Side) -> Map:
    """The map of a picture of sides `a` onto one of sides `b` of which orientation `turn` lies on it.

    Orientations are those of fingerprints: axes swapped (4), then up is down (2), then left is right (1).
    """
    # Places as shares of the sides: of b as it lies, to those of b in that orientation.
    swap = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]) if turn & 4 else np.eye(3)
    down = np.array([[1.0, 0, 0], [0, -1, 1], [0, 0, 1]]) if turn & 2 else np.eye(3)
    right = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]]) if turn & 1 else np.eye(3)
    oriented = right @ down @ swap
    whole = _pixels(b) @ np.linalg.inv(oriented) @ np.linalg.inv(_pixels(a))
    return np.asarray(whole[:2])


def _pixels(sides: Side) -> NDArray[np.float64]:
    """From shares of the sides to pixels, whose middles are whole numbers."""
    return np.array([[sides[0], 0, -0.5], [0, sides[1], -0.5], [0, 0, 1]])


def inverse(there: Map) -> Map:
    """The map back; raises `numpy.linalg.LinAlgError` for one that flattens."""
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
    """What the map does to a picture."""
    linear = there[:, :2]
    mirrored = bool(np.linalg.det(linear) < 0)
    plain = linear @ np.diag([-1.0, 1.0]) if mirrored else linear
    u, _, v = np.linalg.svd(plain)
    turned = u @ v  # the rotation that is nearest
    scaled = turned.T @ plain
    angle = math.degrees(math.atan2(turned[1, 0], turned[0, 0]))
    return Change(mirrored, float(np.linalg.norm(scaled[:, 0])), float(np.linalg.norm(scaled[:, 1])), angle)


def corners(sides: Side) -> NDArray[np.float64]:
    """The corners of a picture `(4, 2)`, half a pixel outside the middles of its corner pixels."""
    w, h = sides[0] - 0.5, sides[1] - 0.5
    return np.array([[-0.5, -0.5], [w, -0.5], [w, h], [-0.5, h]])


def placed(there: Map, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where places `(n, 2)` lie in the other picture."""
    return np.asarray(places @ there[:, :2].T + there[:, 2])


def overlap(there: Map, a: Side, b: Side) -> tuple[float, float]:
    """The shares of picture `a` and of picture `b` that both of them show."""
    area = _area(clipped(placed(there, corners(a)), b))
    scale = abs(float(np.linalg.det(there[:, :2])))
    return min(1.0, area / max(scale * a[0] * a[1], 1e-9)), min(1.0, area / (b[0] * b[1]))


def clipped(polygon: NDArray[np.float64], sides: Side) -> NDArray[np.float64]:
    """The part of a convex polygon that lies in a picture (Sutherland, Hodgman)."""
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
