"""Tell pages from photos: a plain background, ink all over it, and letters in rows."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.masks import erode, local_range, window
from twinpix.imaging.opencv import opencv
from twinpix.imaging.printed import SIDE, is_printed
from twinpix.model import Bytes2D
from twinpix.thresholds import TEXTURE

_AROUND = 9  # pixels a side of the window around a pixel
_STROKE = 13  # pixels: strokes of letters are thinner
_BLUR = 0.7  # pixels of Gaussian blur, against the noise of single pixels


@dataclass
class PageFeatures:
    """What one image has of a page, computed once."""

    grey: Bytes2D  # longer side at most 320 pixels
    fine: Bytes2D  # longer side at most 640 pixels

    @cached_property
    def is_printed(self) -> bool:
        """True for pages, forms, tables, charts and windows: ink all over a plain background.

        A photo of an object on a plain background is printed only if it has rows of letters.
        """
        cv2 = opencv()
        share = min(1.0, SIDE / min(self.grey.shape))
        size = tuple(max(1, round(length * share)) for length in self.grey.shape[::-1])
        printed = is_printed(cv2.resize(self.grey, size, interpolation=cv2.INTER_AREA))
        return printed and (not self.shows_object or self.has_rows)

    @cached_property
    def is_page(self) -> bool:
        """True for printed images, and for cards, comics and others with rows of letters on a plain background."""
        return self.is_sheet or (self.background > TEXTURE.card_background and self.has_rows)

    @cached_property
    def is_sheet(self) -> bool:
        """True for printed images, and for pages of few words."""
        return self.is_printed or (self.background > TEXTURE.sheet_background and self.has_letters)

    @cached_property
    def levels(self) -> NDArray[np.float64]:
        """The number of pixels around each grey level, `(256,)`."""
        levels = np.bincount(self.grey.ravel(), minlength=256)
        return np.convolve(levels, np.ones(TEXTURE.background_levels), "same")

    @property
    def background(self) -> float:
        """The share of the most frequent level."""
        return float(self.levels.max()) / self.grey.size

    @cached_property
    def shows_object(self) -> bool:
        """True if much of what is not background has the texture of a photo: a flag in the sky, an animal on white."""
        ink = np.abs(self.grey.astype(np.int16) - int(self.levels.argmax())) > TEXTURE.ink_difference
        inner, ranges = erode(ink, 3, beyond=True), local_range(self.grey, 3)
        textured = inner & (ranges >= TEXTURE.photo_range) & (ranges < TEXTURE.print_range)
        enough = inner.mean() >= TEXTURE.object_area
        return bool(enough and textured.sum() >= TEXTURE.object_texture * inner.sum())

    @cached_property
    def letters(self) -> list[NDArray[np.int32]]:
        """Letters that are darker than their background, and letters that are lighter, each `(n, 4)`."""
        return [_find_letters(values) for values in _both_tones(self.fine)]

    @property
    def has_letters(self) -> bool:
        """True for more letters than a number plate, a time stamp or a caption has."""
        return sum(map(len, self.letters)) >= TEXTURE.min_letters

    @cached_property
    def has_rows(self) -> bool:
        """True if many letters stand in rows, as print does: grass and the spots of a dog look like letters, too."""
        return self.has_letters and sum(map(_count_in_rows, self.letters)) >= TEXTURE.min_letters


def _both_tones(grey: Bytes2D) -> tuple[Bytes2D, Bytes2D]:
    """Return a smoothed image and its negative: print is darker or lighter than its background."""
    smooth = np.asarray(opencv().GaussianBlur(grey, (0, 0), _BLUR))
    return smooth, 255 - smooth


def _find_letters(values: Bytes2D) -> NDArray[np.int32]:
    """Return the connected components with the size and contrast of dark letters on a plain background.

    `(n, 4)`: left, top, width and height in pixels.
    """
    cv2 = opencv()
    background = cv2.morphologyEx(values, cv2.MORPH_CLOSE, window(_STROKE))
    plain = local_range(background, _AROUND) < TEXTURE.letter_flat_range
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
