"""What a second look sees of one picture."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging import Picture
from twinpix.imaging.opencv import opencv
from twinpix.imaging.picture import Colours
from twinpix.imaging.points import Points, points_of
from twinpix.model import Bytes2D

DETAIL = 640  # pixels along the longer side, where there are as many
_SEEN = 320  # of them, with which most is seen
COLOUR = 96  # pixels of colour along the shorter side
_POINTS = 400
_GROUND = 0.3  # of what lies between things: with more of it plain they stand on a ground
_AROUND = 9  # pixels a side of what lies around a pixel
_PLAIN = 8  # grey levels by which a plain colour varies


def hull(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The convex hull of what is marked."""
    cv2 = opencv()
    out = np.zeros(marked.shape, np.uint8)
    rows = np.flatnonzero(marked.any(axis=1))
    if len(rows):  # the ends of each row: what lies between them is in their hull
        left, right = (each[rows].argmax(axis=1) for each in (marked, marked[:, ::-1]))
        columns = np.concatenate([left, marked.shape[1] - 1 - right])
        ends = np.column_stack([columns, np.tile(rows, 2)])
        cv2.fillConvexPoly(out, cv2.convexHull(ends.astype(np.int32)), 1)
    return np.asarray(out, dtype=bool)


def _along(length: int) -> list[int]:
    """Places along an edge from which a border is looked for."""
    return [round(share * (length - 1)) for share in (0, 0.25, 0.5, 0.75, 1)]


@dataclass
class View:
    """A picture small enough to be looked at many times."""

    grey: Bytes2D  # its longer side 320 pixels, or fewer
    fine: Bytes2D  # its longer side DETAIL pixels, or fewer
    colours: Colours  # squashed to COLOUR × COLOUR pixels
    width: int  # of the full picture
    height: int
    damaged: bool = False

    @property
    def sides(self) -> tuple[int, int]:
        """Width and height of `grey`."""
        return self.grey.shape[1], self.grey.shape[0]

    @property
    def has_more(self) -> bool:
        """True when it has more detail than `grey` shows."""
        return self.fine.size > self.grey.size

    @cached_property
    def closer(self) -> "View":
        """The same in all its detail."""
        return replace(self, grey=self.fine)

    @cached_property
    def border(self) -> NDArray[np.bool_]:
        """Which pixels of `grey` are of a plain colour that reaches the edge: a border, a band, what a turn left empty.

        Of a plain ground on which things stand all over, as on a page, only what lies round them all is a border.
        """
        cv2 = opencv()
        height, width = self.grey.shape
        grey, filled = self.grey.copy(), np.zeros((height + 2, width + 2), np.uint8)
        seeds = [(x, y) for x in _along(width) for y in (0, height - 1)]
        seeds += [(x, y) for x in (0, width - 1) for y in _along(height)]
        how = 4 | (1 << 8) | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY
        for x, y in seeds:
            if not filled[y + 1, x + 1]:
                cv2.floodFill(grey, filled, (x, y), 0, _PLAIN, _PLAIN, how)
        plain = filled[1:-1, 1:-1].astype(bool)
        around = np.ones_like(plain) if plain.all() else hull(~plain)
        return plain & ~around if plain[around].mean() > _GROUND else plain

    @cached_property
    def plain(self) -> float:
        """The share of its pixels around which there is but one level."""
        cv2 = opencv()
        around = np.ones((_AROUND, _AROUND), np.uint8)
        return float((cv2.dilate(self.grey, around) - cv2.erode(self.grey, around) < _PLAIN).mean())

    @cached_property
    def points(self) -> Points:
        """Its points, in pixels of `grey`."""
        return points_of(self.grey, _POINTS)


def view_of(picture: Picture) -> View:
    """A view of a picture that was decoded with `colour=COLOUR` and `detail=DETAIL`; raises `ImageError`."""
    grey, fine = (np.ascontiguousarray(picture.grey(side)) for side in (_SEEN, DETAIL))
    return View(grey, fine, picture.rgb(COLOUR, COLOUR), picture.width, picture.height, picture.damaged)
