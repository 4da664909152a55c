"""Measure how two aligned images differ beyond the transform: tone, colour, sharpness, noise and regions."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.affine import Affine, inverse, transform_points
from twinpix.evidence.alignment.blocks import BLOCK
from twinpix.evidence.alignment.regions import Box, bounding_box, box_corners, transform_box
from twinpix.evidence.alignment.warp import WarpedPair, warp_colours
from twinpix.evidence.light.normalize import mean_difference, undo_bending
from twinpix.evidence.light.photometric import ToneMatch
from twinpix.evidence.masks import Floats, Mask, dilate, extremes, part_of
from twinpix.evidence.pyramid import Pyramid
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import DESCRIBE

_BLOCK = 8  # pixels a side of blocks in which grain is measured
_BLUR = 0.8  # pixels of Gaussian blur, against the noise of single pixels
_CHROMA_BLUR = 2.0  # pixels of Gaussian blur: chroma is subsampled
_LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue (ITU-R BT.601)
_EPSILON = 1e-6  # divisor above 0


class EditFeatures(NamedTuple):
    """Measured differences of the overlap: the features from which an edit is named."""

    tone: float  # grey levels: mean change of a level by the tone curve
    colour: float  # levels: quantile `colour_quantile` of the chroma difference
    steepness: float  # root mean square of the gradients of b, by that of a
    grain: float  # grey levels: noise of b less that of a, in flat blocks
    outside: float  # share of the overlap beyond all levels that the other image has around the pixel
    spread: float  # share of the blocks with such pixels
    box: Box  # where, in shares of b
    bent: bool = False  # distorted as no affine transform does
    inverted: bool = False  # tones are inverted
    hues: float = 0.0  # share of the overlap with another chroma

    @property
    def is_recoloured(self) -> bool:
        """True if tone or colour differs."""
        return self.inverted or self.tone > DESCRIBE.tone or self.colour > DESCRIBE.colour

    @property
    def clean(self) -> bool:
        """True if no region differs."""
        return self.outside <= DESCRIBE.spot

    @property
    def spots(self) -> bool:
        """True if so few pixels differ that they may be noise."""
        return 0 < self.outside <= DESCRIBE.spot

    def with_edit_at(self, box: Box) -> "EditFeatures":
        """Return the difference with a small edited region in this box."""
        return self._replace(outside=2 * DESCRIBE.spot, spread=0.0, box=box)

    @property
    def plain(self) -> bool:
        """True if nothing but tone and colour differs."""
        return self.clean and DESCRIBE.blurred < self.steepness < 1 / DESCRIBE.blurred

    def swap_images(self, a_to_b: Affine, a: Pyramid, b: Pyramid) -> "EditFeatures":
        """Return the difference with `a` and `b` exchanged; `a_to_b` is the transform of its pixels."""
        box = transform_box(inverse(a_to_b), self.box, b.size, a.size)
        return self._replace(steepness=1 / max(self.steepness, _EPSILON), grain=-self.grain, box=box)


def edit_features(pair: WarpedPair, tones: ToneMatch, a: Pyramid, b: Pyramid, a_to_b: Affine) -> EditFeatures:
    """Measure the differences of two aligned images after photometric alignment."""
    cv2 = opencv()
    inner = pair.inner
    if inner.sum() < DESCRIBE.min_pixels or min(inner.shape) < DESCRIBE.min_side:
        return EditFeatures(0, 0, 1, 0, 0, 0, (0, 0, 0, 0))
    mapped, theirs = tones.a, tones.b
    outside = np.maximum(excess(mapped, theirs), excess(theirs, mapped))
    marked = (outside > DESCRIBE.step) & inner
    if tones.tone_change > DESCRIBE.tone:
        marked &= ~_mask_blown(pair)
    rest = inner & ~dilate(marked, 9)
    rest = rest if rest.sum() > int(DESCRIBE.unmarked * inner.sum()) else inner
    rows, columns = (max(1, length // BLOCK) for length in marked.shape)
    of_marked, of_inner = (
        cv2.resize(each.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) for each in (marked, inner)
    )
    spread = part_of(of_marked > DESCRIBE.block_pixels / BLOCK**2, of_inner > DESCRIBE.block_coverage)
    box = (0.0, 0.0, 0.0, 0.0)
    if marked.any():
        box = _box(marked, pair, a_to_b, b)
    colour, hues = _colour(a, b, a_to_b)
    return EditFeatures(
        tones.tone_change,
        colour,
        _steepness(mapped, theirs, rest),
        _grain(pair.a, pair.b, rest),
        float(marked.sum() / inner.sum()),
        spread,
        box,
        _is_bent(mapped, theirs, rest),
        hues=hues,
    )


def _is_bent(a: Floats, b: Floats, rest: Mask) -> bool:
    """True if optical flow removes most of the difference."""
    off = mean_difference(a, b, rest)
    return off > DESCRIBE.misaligned and mean_difference(undo_bending(a, b), b, rest) < DESCRIBE.bent * off


def _mask_blown(pair: WarpedPair) -> Mask:
    """Mask pixels that are clipped in either image: their content is lost, which is no overlay."""
    low, high = np.minimum(pair.a, pair.b), np.maximum(pair.a, pair.b)
    return dilate((low < DESCRIBE.black) | (high > DESCRIBE.white), 5)


def excess(values: Floats, other: Floats) -> Floats:
    """Return by how many levels values leave the range of the other image within 5 × 5 pixels."""
    smooth = opencv().GaussianBlur(values, (0, 0), _BLUR)
    high, low = extremes(other, 5)
    out: Floats = np.maximum(np.maximum(smooth - high, low - smooth), 0)
    return out


def _grain(a: Floats, b: Floats, inner: Mask) -> float:
    """Return the noise of `b` less that of `a`, in the flattest blocks, in grey levels."""
    cv2 = opencv()
    size = tuple(max(1, length // _BLOCK) for length in a.shape[::-1])

    def mean(values: Floats) -> Floats:
        out: Floats = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        return out

    first, second = (np.sqrt(mean((grey - cv2.GaussianBlur(grey, (0, 0), 1.0)) ** 2)) for grey in (a, b))
    usable = inner & (np.minimum(a, b) > DESCRIBE.grain_black) & (np.maximum(a, b) < DESCRIBE.grain_white)
    blocks = mean(usable.astype(np.float32)) > DESCRIBE.grain_coverage
    if blocks.sum() < DESCRIBE.grain_blocks:
        return 0.0
    flat = np.minimum(first, second)[blocks]
    more = (second - first)[blocks]
    return float(np.median(more[flat <= np.quantile(flat, DESCRIBE.grain_flattest)]))


def _steepness(mapped: Floats, b: Floats, inner: Mask) -> float:
    """Return the ratio of the root mean square gradients, `b` by `a`, after photometric alignment."""

    def energy(values: Floats) -> float:
        across, down = np.diff(values, axis=1)[:-1], np.diff(values, axis=0)[:, :-1]
        where = inner[:-1, :-1]
        return float((across[where] ** 2).mean() + (down[where] ** 2).mean())

    return float(np.sqrt((energy(b) + 1) / (energy(mapped) + 1)))


def _colour(a: Pyramid, b: Pyramid, a_to_b: Affine) -> tuple[float, float]:
    """Return a quantile of the chroma difference, in levels, and the share of pixels with another chroma.

    A quantile, since a sticker is no change of colours.
    """
    moved, common = warp_colours(a, b, a_to_b)
    if not common.any():
        return 0.0, 0.0
    first, second = (_chroma(colours) for colours in (moved, b.colours))
    off = np.abs(first - second).sum(axis=-1)[common]
    return float(np.quantile(off, DESCRIBE.colour_quantile)), float((off > DESCRIBE.other_hue).mean())


def _chroma(colours: NDArray[np.uint8]) -> Floats:
    cv2 = opencv()
    smooth = cv2.GaussianBlur(colours.astype(np.float32), (0, 0), _CHROMA_BLUR)
    red, green, blue = smooth[..., 0], smooth[..., 1], smooth[..., 2]
    luma = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return np.stack([blue - luma, red - luma], axis=-1)


def _box(marked: Mask, pair: WarpedPair, a_to_b: Affine, b: Pyramid) -> Box:
    """Return the box of most marked pixels, in shares of b."""
    rows, columns = np.nonzero(marked)
    end = DESCRIBE.box_quantile
    left, top, right, bottom = (float(np.quantile(at, share)) for share in (end, 1 - end) for at in (columns, rows))
    places = box_corners((left, top, right, bottom))
    if pair.a_to_b is not a_to_b:  # the overlap is in pixels of a
        places = transform_points(a_to_b, places)
    return bounding_box((places + 0.5) / b.size)
