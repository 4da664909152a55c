"""The pyramid of one image that verification compares: luma at 320 and 640 pixels, colours, flat areas and letters."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging import Picture
from twinpix.imaging.opencv import opencv
from twinpix.imaging.picture import Colours
from twinpix.imaging.printed import SIDE, is_printed
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
_STROKE = 13  # pixels: strokes of letters are thinner
_BRIGHTER = (8, 4, 2)  # factors, the largest first
_SEEDS = (0, 0.25, 0.5, 0.75, 1)  # places along an edge, from which a border is filled
_BLUR = 0.7  # pixels of Gaussian blur, against the noise of single pixels


def hull(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the convex hull of a mask."""
    cv2 = opencv()
    out = np.zeros(marked.shape, np.uint8)
    rows = np.flatnonzero(marked.any(axis=1))
    if len(rows):  # the ends of each row have the same hull as all pixels
        left, right = (each[rows].argmax(axis=1) for each in (marked, marked[:, ::-1]))
        columns = np.concatenate([left, marked.shape[1] - 1 - right])
        ends = np.column_stack([columns, np.tile(rows, 2)])
        cv2.fillConvexPoly(out, cv2.convexHull(ends.astype(np.int32)), 1)
    return np.asarray(out, dtype=bool)


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
    def border(self) -> NDArray[np.bool_]:
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
        cv2 = opencv()
        around = np.ones((_AROUND, _AROUND), np.uint8)
        return float((cv2.dilate(self.grey, around) - cv2.erode(self.grey, around) < TEXTURE.flat_range).mean())

    @property
    def finest(self) -> Bytes2D:
        """Luma at up to FULL pixels along the longer side, if the image can be decoded again; else `fine`."""
        more = self.full is not None and max(self.width, self.height) > max(self.fine.shape)
        return self.full() if self.full is not None and more else self.fine

    @cached_property
    def is_printed(self) -> bool:
        """True for pages, forms, tables, charts and windows: ink all over a plain background.

        A photo of an object on a plain background is printed only if it has rows of letters.
        """
        cv2 = opencv()
        share = min(1.0, SIDE / min(self.grey.shape))
        size = tuple(max(1, round(length * share)) for length in self.size)
        printed = is_printed(cv2.resize(self.grey, size, interpolation=cv2.INTER_AREA))
        return printed and (not self._shows_object or self._has_rows)

    @cached_property
    def is_page(self) -> bool:
        """True for printed images, and for cards, comics and others with rows of letters on a plain background."""
        return self.is_sheet or (self._background > TEXTURE.card_background and self._has_rows)

    @cached_property
    def is_sheet(self) -> bool:
        """True for printed images, and for pages of few words."""
        return self.is_printed or (self._background > TEXTURE.sheet_background and self._has_letters)

    @cached_property
    def _levels(self) -> NDArray[np.float64]:
        """The number of pixels around each grey level, `(256,)`."""
        levels = np.bincount(self.grey.ravel(), minlength=256)
        return np.convolve(levels, np.ones(TEXTURE.background_levels), "same")

    @property
    def _background(self) -> float:
        """The share of the most frequent level."""
        return float(self._levels.max()) / self.grey.size

    @cached_property
    def _shows_object(self) -> bool:
        """True if much of what is not background has the texture of a photo: a flag in the sky, an animal on white."""
        cv2 = opencv()
        kernel = np.ones((3, 3), np.uint8)
        ink = np.abs(self.grey.astype(np.int16) - int(self._levels.argmax())) > TEXTURE.ink_difference
        inner = cv2.erode(ink.astype(np.uint8), kernel, borderValue=1) > 0
        ranges = cv2.dilate(self.grey, kernel) - cv2.erode(self.grey, kernel)
        textured = inner & (ranges >= TEXTURE.photo_range) & (ranges < TEXTURE.print_range)
        enough = inner.mean() >= TEXTURE.object_area
        return bool(enough and textured.sum() >= TEXTURE.object_texture * inner.sum())

    @cached_property
    def _letters(self) -> list[NDArray[np.int32]]:
        return [_letters(values) for values in _both_tones(self.fine)]

    @property
    def _has_letters(self) -> bool:
        return sum(map(len, self._letters)) >= TEXTURE.min_letters

    @cached_property
    def _has_rows(self) -> bool:
        """True if many letters stand in rows, as print does: grass and the spots of a dog look like letters, too."""
        return self._has_letters and sum(map(_count_in_rows, self._letters)) >= TEXTURE.min_letters

    @cached_property
    def keypoints(self) -> Keypoints:
        """Keypoints, in pixels of `grey`."""
        return detect_in_small(self.grey, _KEYPOINTS)


def brightening_factor(a: Pyramid, b: Pyramid) -> int:
    """Return the factor by which two dark images can be brightened; 1 if either has light pixels."""
    lightest = max(1.0, *(float(np.quantile(view.grey, TEXTURE.lightest)) for view in (a, b)))
    return next((times for times in _BRIGHTER if TEXTURE.dark_floor <= lightest <= TEXTURE.dark_ceiling / times), 1)


def _both_tones(grey: Bytes2D) -> tuple[Bytes2D, Bytes2D]:
    """Return a smoothed image and its negative: print is darker or lighter than its background."""
    smooth = np.asarray(opencv().GaussianBlur(grey, (0, 0), _BLUR))
    return smooth, 255 - smooth


def _letters(values: Bytes2D) -> NDArray[np.int32]:
    """Return the connected components with the size and contrast of dark letters on a plain background.

    `(n, 4)`: left, top, width and height in pixels.
    """
    cv2 = opencv()
    background = cv2.morphologyEx(values, cv2.MORPH_CLOSE, np.ones((_STROKE, _STROKE), np.uint8))
    around = np.ones((_AROUND, _AROUND), np.uint8)
    plain = cv2.dilate(background, around) - cv2.erode(background, around) < TEXTURE.letter_flat_range
    marked = (background - values > TEXTURE.letter_contrast).astype(np.uint8)
    count, labels, facts, _ = cv2.connectedComponentsWithStats(marked)
    width, height, area = (facts[1:, at] for at in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    on_plain = np.bincount(labels[plain], minlength=count)[1:] > TEXTURE.letter_on_flat * area
    small = (height <= TEXTURE.letter_height) & (width <= TEXTURE.letter_width)
    large = (height >= TEXTURE.letter_min_height) & (area >= TEXTURE.letter_min_area)
    open_shape = area < TEXTURE.letter_fill * width * height + TEXTURE.letter_slack
    return np.asarray(facts[1:][on_plain & small & large & open_shape, :4])


def _count_in_rows(letters: NDArray[np.int32]) -> int:
    """Count the letters `(n, 4)` in rows: each beside the next, of similar height, aligned above or below."""
    left, top, width, height = letters[np.argsort(letters[:, 0], kind="stable")].T
    right, bottom = left + width, top + height
    row = np.arange(len(left))  # the first letter of the row of each letter
    for at in range(len(left)):
        end = int(np.searchsorted(left, right[at] + TEXTURE.row_gap * height[at] / TEXTURE.row_height))
        others = slice(at + 1, end)
        tall = np.maximum(height[others], height[at])
        beside = np.abs(left[others] - right[at]) <= TEXTURE.row_gap * tall
        similar = np.minimum(height[others], height[at]) >= TEXTURE.row_height * tall
        off = np.minimum(np.abs(top[others] - top[at]), np.abs(bottom[others] - bottom[at]))
        following = np.flatnonzero(beside & similar & (off <= TEXTURE.row_offset * tall + 1))
        if len(following):
            row[at + 1 + following[0]] = row[at]
    lengths = np.bincount(row, minlength=1)
    return int(lengths[lengths >= TEXTURE.row_letters].sum())


def pyramid_of(picture: Picture, full: Callable[[], Bytes2D] | None = None) -> Pyramid:
    """Return the pyramid of an image that was decoded with `colour=COLOUR` and `detail=DETAIL`; raises `ImageError`.

    `full` decodes its luma again, at up to FULL pixels along the longer side.
    """
    grey, fine = (np.ascontiguousarray(picture.grey(side)) for side in (_VIEW, DETAIL))
    return Pyramid(grey, fine, picture.rgb(COLOUR, COLOUR), picture.width, picture.height, picture.damaged, full)
