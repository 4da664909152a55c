"""What a second look sees of one picture."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging import Picture
from twinpix.imaging.opencv import opencv
from twinpix.imaging.picture import Colours
from twinpix.imaging.printed import SIDE, is_printed
from twinpix.localfeatures.keypoints import Points, points_of
from twinpix.model import Bytes2D

DETAIL = 640  # pixels along the longer side, where there are as many
FULL = 1600
"""Pixels along the longer side at which pages are read, where there are as many: 10 point print is 20 of them high."""

_SEEN = 320  # of them, with which most is seen
COLOUR = 96  # pixels of colour along the shorter side
_POINTS = 400
_GROUND = 0.3  # of what lies between things: with more of it plain they stand on a ground
_AROUND = 9  # pixels a side of what lies around a pixel
_PLAIN = 8  # grey levels by which a plain colour varies
_ONE_LEVEL, _SOME_GROUND = 9, 0.18  # grey levels that count as one; of a picture, that is of one
_BRIGHTER = (8, 4, 2)  # times
_FAINT, _LIGHT, _NEARLY_ALL = 8, 200, 0.995  # grey levels of the lightest places of a dark picture, and where they are
_MOSTLY_GROUND = 0.6  # of a page of few words
_LETTERS = 30  # number plates, time stamps and captions have fewer
_THICK, _TALL = 13, 28  # pixels: the strokes of letters are thinner, letters are no taller
_DARK, _ON_PLAIN, _FILLED = (
    40,
    0.8,
    0.85,
)  # levels off the ground; of a letter, that is on it; of its box, that it fills


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


def _times(levels: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    return np.minimum(levels.astype(np.uint16) * times, 255).astype(np.uint8)


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
    full: Callable[[], Bytes2D] | None = field(default=None, repr=False)  # decodes it once more, up to FULL pixels
    _brighter: dict[int, "View"] = field(default_factory=dict, repr=False, compare=False)  # by how many times

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

    def brighter(self, times: int) -> "View":
        """The same, so many times as bright."""
        if times not in self._brighter:
            full = self.full
            self._brighter[times] = replace(
                self,
                grey=_times(self.grey, times),
                fine=_times(self.fine, times),
                colours=_times(self.colours, times),
                full=None if full is None else lambda: _times(full(), times),
                _brighter={},
            )
        return self._brighter[times]

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

    @property
    def finest(self) -> Bytes2D:
        """Its luma at up to FULL pixels along the longer side, if it can be decoded again."""
        more = self.full is not None and max(self.width, self.height) > max(self.fine.shape)
        return self.full() if self.full is not None and more else self.fine

    @cached_property
    def is_printed(self) -> bool:
        """True for pages, forms, tables, charts and windows: ink all over a plain ground."""
        cv2 = opencv()
        share = min(1.0, SIDE / min(self.grey.shape))
        size = tuple(max(1, round(length * share)) for length in self.sides)
        return is_printed(cv2.resize(self.grey, size, interpolation=cv2.INTER_AREA))

    @cached_property
    def is_page(self) -> bool:
        """True for these, and for cards, comics and other pictures with many letters on plain ground."""
        return self.is_printed or (self._ground > _SOME_GROUND and self._is_lettered)

    @cached_property
    def is_sheet(self) -> bool:
        """True for pages, those of few words too."""
        return self.is_printed or (self._ground > _MOSTLY_GROUND and self._is_lettered)

    @cached_property
    def _ground(self) -> float:
        """The share of the level that most pixels have."""
        levels = np.bincount(self.grey.ravel(), minlength=256)
        return float(np.convolve(levels, np.ones(_ONE_LEVEL), "same").max()) / self.grey.size

    @cached_property
    def _is_lettered(self) -> bool:
        return _letters(self.fine) >= _LETTERS

    @cached_property
    def points(self) -> Points:
        """Its points, in pixels of `grey`."""
        return points_of(self.grey, _POINTS)


def dark(a: View, b: View) -> int:
    """How many times brighter two pictures can both be made; 1 where one of them has light places."""
    lightest = max(1.0, *(float(np.quantile(view.grey, _NEARLY_ALL)) for view in (a, b)))
    return next((times for times in _BRIGHTER if _FAINT <= lightest <= _LIGHT / times), 1)


def _letters(grey: Bytes2D) -> int:
    """How many things there are as small and dark, or light, as letters on plain ground."""
    cv2 = opencv()
    smooth, found = cv2.GaussianBlur(grey, (0, 0), 0.7), 0
    for values in (smooth, 255 - smooth):
        ground = cv2.morphologyEx(values, cv2.MORPH_CLOSE, np.ones((_THICK, _THICK), np.uint8))
        around = np.ones((_AROUND, _AROUND), np.uint8)
        plain = cv2.dilate(ground, around) - cv2.erode(ground, around) < 2 * _PLAIN
        marked = (ground - values > _DARK).astype(np.uint8)
        count, labels, facts, _ = cv2.connectedComponentsWithStats(marked)
        width, height, area = (facts[1:, at] for at in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
        on_plain = np.bincount(labels[plain], minlength=count)[1:] > _ON_PLAIN * area
        small = (height >= 3) & (height <= _TALL) & (width <= 2 * _TALL) & (area >= 6)
        found += int((on_plain & small & (area < _FILLED * width * height + 6)).sum())
    return found


def view_of(picture: Picture, full: Callable[[], Bytes2D] | None = None) -> View:
    """A view of a picture that was decoded with `colour=COLOUR` and `detail=DETAIL`; raises `ImageError`.

    `full` decodes its luma once more, at up to FULL pixels along the longer side.
    """
    grey, fine = (np.ascontiguousarray(picture.grey(side)) for side in (_SEEN, DETAIL))
    return View(grey, fine, picture.rgb(COLOUR, COLOUR), picture.width, picture.height, picture.damaged, full)
