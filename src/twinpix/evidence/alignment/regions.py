"""Boxes and polygons of one image in the pixels of another one."""

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.affine import Affine, Size, clip_polygon, transform_points
from twinpix.evidence.masks import Mask
from twinpix.imaging.opencv import opencv

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of an image."""


def box_corners(box: Box) -> NDArray[np.float64]:
    """Return the corners of a box, `(4, 2)`."""
    left, top, right, bottom = box
    return np.array([[left, top], [right, bottom], [left, bottom], [right, top]])


def bounding_box(places: NDArray[np.float64]) -> Box:
    """Return the bounding box of points `(n, 2)`, in shares of an image, clipped to the image."""
    low, high = np.clip(places.min(axis=0), 0, 1), np.clip(places.max(axis=0), 0, 1)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def transform_box(a_to_b: Affine, box: Box, a: Size, b: Size) -> Box:
    """Return the bounding box in image `b` of a box of image `a`; `a` and `b` are the sizes of the pyramids."""
    return bounding_box((transform_points(a_to_b, box_corners(box) * a - 0.5) + 0.5) / b)


def pixels_within(polygon: NDArray[np.float64], shape: tuple[int, ...]) -> Mask:
    """Mask the pixels of an image of this shape inside a convex polygon, which may reach beyond the image."""
    out, within = np.zeros(shape, np.uint8), clip_polygon(polygon, (shape[1], shape[0]))
    if len(within):
        opencv().fillConvexPoly(out, np.rint(within).astype(np.int32), 1)
    return out.astype(bool)
