"""The pyramid of one image that verification compares: luma at 320 and 640 pixels, colours, border and keypoints."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.masks import Mask, hull, local_range
from twinpix.evidence.page_features import PageFeatures
from twinpix.imaging import Picture
from twinpix.imaging.opencv import opencv
from twinpix.imaging.picture import Colours
from twinpix.localfeatures.keypoints import Keypoints, detect_in_small
from twinpix.model import Bytes2D
from twinpix.thresholds import TEXTURE

DETAIL = 640  # pixels along the longer side, where there are as many
FULL = 1600
"""Pixels along the longer side at which pages are read, where there are as many: 10 point print is 20 of them high."""

COLOUR = 96  # pixels of either side of the colours
_VIEW = 320  # pixels along the longer side at which most decisions are made
_HALVED, _LEAST_HALVED = 96, 16  # pixels along the longer and the shorter side, above which an image is halved
_KEYPOINTS = 400  # at most
_AROUND = 9  # pixels a side of the window around a pixel
_BRIGHTER = (8, 4, 2)  # factors, the largest first
_SEEDS = (0, 0.25, 0.5, 0.75, 1)  # places along an edge, from which a border is filled


def _multiply(levels: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    return np.minimum(levels.astype(np.uint16) * times, 255).astype(np.uint8)


def _along(length: int) -> list[int]:
    """Return the pixels along an edge from which a border is filled."""
    return [round(share * (length - 1)) for share in _SEEDS]


@dataclass
class Pyramid:
    """An image at reduced resolutions, with derived data that is computed once."""

    grey: Bytes2D  # longer side at most 320 pixels
    fine: Bytes2D  # longer side at most DETAIL pixels
    colours: Colours  # COLOUR × COLOUR pixels, whatever the aspect ratio
    width: int  # of the full image
    height: int
    damaged: bool = False
    full: Callable[[], Bytes2D] | None = field(default=None, repr=False)  # decodes luma again, up to FULL pixels
    _brighter: dict[int, "Pyramid"] = field(default_factory=dict, repr=False, compare=False)  # by factor

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of `grey`."""
        return self.grey.shape[1], self.grey.shape[0]

    @property
    def has_more(self) -> bool:
        """True if `fine` has more pixels than `grey`."""
        return self.fine.size > self.grey.size

    @cached_property
    def finer(self) -> "Pyramid":
        """The pyramid with `fine` in place of `grey`."""
        return replace(self, grey=self.fine)

    def brighten(self, times: int) -> "Pyramid":
        """Return the pyramid with all grey levels multiplied by `times`."""
        if times not in self._brighter:
            full = self.full
            self._brighter[times] = replace(
                self,
                grey=_multiply(self.grey, times),
                fine=_multiply(self.fine, times),
                colours=_multiply(self.colours, times),
                full=None if full is None else lambda: _multiply(full(), times),
                _brighter={},
            )
        return self._brighter[times]

    @cached_property
    def halves(self) -> list[Bytes2D]:
        """`grey` and its successive halves, down to about 48 pixels along the longer side."""
        cv2 = opencv()
        out = [self.grey]
        while max(out[-1].shape) >= _HALVED and min(out[-1].shape) >= _LEAST_HALVED:
            height, width = out[-1].shape
            out.append(cv2.resize(out[-1], ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA))
        return out

    @cached_property
    def border(self) -> Mask:
        """Mask of plain pixels of `grey` that are connected to its edge: a border, a band, corners after a rotation.

        On a page, only the part of the background outside the hull of its content is a border.
        """
        cv2 = opencv()
        height, width = self.grey.shape
        grey, filled = self.grey.copy(), np.zeros((height + 2, width + 2), np.uint8)
        seeds = [(x, y) for x in _along(width) for y in (0, height - 1)]
        seeds += [(x, y) for x in (0, width - 1) for y in _along(height)]
        how = 4 | (1 << 8) | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY
        for x, y in seeds:
            if not filled[y + 1, x + 1]:
                cv2.floodFill(grey, filled, (x, y), 0, TEXTURE.flat_range, TEXTURE.flat_range, how)
        plain = filled[1:-1, 1:-1].astype(bool)
        around = np.ones_like(plain) if plain.all() else hull(~plain)
        return plain & ~around if plain[around].mean() > TEXTURE.page_background else plain

    @cached_property
    def flatness(self) -> float:
        """The share of pixels without texture."""
        return float((local_range(self.grey, _AROUND) < TEXTURE.flat_range).mean())

    @property
    def finest(self) -> Bytes2D:
        """Luma at up to FULL pixels along the longer side, if the image can be decoded again; else `fine`."""
        more = self.full is not None and max(self.width, self.height) > max(self.fine.shape)
        return self.full() if self.full is not None and more else self.fine

    @cached_property
    def page(self) -> PageFeatures:
        """What the image has of a page."""
        return PageFeatures(self.grey, self.fine)

    @property
    def is_page(self) -> bool:
        """True for printed images, and for cards, comics and others with rows of letters on a plain background."""
        return self.page.is_page

    @property
    def is_sheet(self) -> bool:
        """True for printed images, and for pages of few words."""
        return self.page.is_sheet

    @cached_property
    def keypoints(self) -> Keypoints:
        """Keypoints, in pixels of `grey`."""
        return detect_in_small(self.grey, _KEYPOINTS)


def brightening_factor(a: Pyramid, b: Pyramid) -> int:
    """Return the factor by which two dark images can be brightened; 1 if either has light pixels."""
    lightest = max(1.0, *(float(np.quantile(view.grey, TEXTURE.lightest)) for view in (a, b)))
    return next((times for times in _BRIGHTER if TEXTURE.dark_floor <= lightest <= TEXTURE.dark_ceiling / times), 1)


def pyramid_of(picture: Picture, full: Callable[[], Bytes2D] | None = None) -> Pyramid:
    """Return the pyramid of an image that was decoded with `colour=COLOUR` and `detail=DETAIL`; raises `ImageError`.

    `full` decodes its luma again, at up to FULL pixels along the longer side.
    """
    grey, fine = (np.ascontiguousarray(picture.grey(side)) for side in (_VIEW, DETAIL))
    return Pyramid(grey, fine, picture.rgb(COLOUR, COLOUR), picture.width, picture.height, picture.damaged, full)
