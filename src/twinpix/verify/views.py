"""What a second look sees of one picture."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from twinpix.imaging import Picture
from twinpix.imaging.picture import Colours
from twinpix.imaging.points import Points, points_of
from twinpix.model import Bytes2D

DETAIL = 320  # pixels along the longer side
COLOUR = 96  # pixels of colour along the shorter side
_POINTS = 400


@dataclass
class View:
    """A picture small enough to be looked at many times."""

    grey: Bytes2D  # its longer side DETAIL pixels, or fewer
    colours: Colours  # squashed to COLOUR × COLOUR pixels
    width: int  # of the full picture
    height: int
    damaged: bool = False

    @property
    def sides(self) -> tuple[int, int]:
        """Width and height of `grey`."""
        return self.grey.shape[1], self.grey.shape[0]

    @cached_property
    def points(self) -> Points:
        """Its points, in pixels of `grey`."""
        return points_of(self.grey, _POINTS)


def view_of(picture: Picture) -> View:
    """A view of a picture that was decoded with `colour=COLOUR` and `detail=DETAIL`; raises `ImageError`."""
    grey = np.ascontiguousarray(picture.grey(DETAIL))
    return View(grey, picture.rgb(COLOUR, COLOUR), picture.width, picture.height, picture.damaged)
