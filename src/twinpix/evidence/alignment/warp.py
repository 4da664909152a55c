"""Warp one image onto the other one, in the pixels of the one with less detail."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.affine import Affine, inverse, rescale, scale_of
from twinpix.evidence.masks import Floats, Mask, dilate, erode, window, window_mean
from twinpix.evidence.pyramid import COLOUR, Pyramid
from twinpix.imaging.opencv import opencv

_BLUR = 1.5  # pixels of Gaussian blur: a transform may be off by a pixel
_TEXTURE_WINDOW = 25  # pixels of either side of the mean filter: variation over longer distances is light, not texture
_BORDER = 15  # pixels: plain areas that are thinner are the background between letters, not a border
_ANTIALIAS, _MIN_BLUR = 0.9, 0.1  # scale below which an image is smoothed before it is reduced; pixels
_REACH = 7  # pixels of either side of the window of the smoothing


@dataclass(frozen=True)
class WarpedPair:
    """Two aligned images, in the pixels of the one with less detail, with derived data that is computed once."""

    a: Floats  # grey levels; defined where `common` is true
    b: Floats
    common: Mask
    border: Mask  # plain border of either image or of both
    a_to_b: Affine  # from pixels of pyramid a to these pixels

    @cached_property
    def inner(self) -> Mask:
        """Mask of the overlap without its edge, where smoothing mixes in pixels from beyond it."""
        return erode_by_smoothing(self.common)

    @cached_property
    def smooth(self) -> tuple[Floats, Floats]:
        """Both images, blurred so much that a transform may be off by a pixel."""
        cv2 = opencv()
        return cv2.GaussianBlur(self.a, (0, 0), _BLUR), cv2.GaussianBlur(self.b, (0, 0), _BLUR)

    @cached_property
    def texture(self) -> tuple[Floats, Floats]:
        """Both smooth images without their local mean: what varies over longer distances is light."""
        a, b = (grey - window_mean(grey, _TEXTURE_WINDOW) for grey in self.smooth)
        return a, b


def warp_pair(a: Pyramid, b: Pyramid, a_to_b: Affine) -> WarpedPair:
    """Warp the image with more detail onto the other one; the transform is from pixels of `a` to pixels of `b`."""
    scale = scale_of(a_to_b)
    if scale <= 1:
        moved, common, border = _warp_luma(a, a_to_b, scale, b.grey.shape)
        return WarpedPair(moved, b.grey.astype(np.float32), common, _border_areas(border, b.border, common), a_to_b)
    back = inverse(a_to_b)
    moved, common, border = _warp_luma(b, back, 1 / scale, a.grey.shape)
    return WarpedPair(a.grey.astype(np.float32), moved, common, _border_areas(border, a.border, common), np.eye(2, 3))


def _border_areas(a: Mask, b: Mask, common: Mask) -> Mask:
    """Return the border areas of one image or of both, dilated by their edges.

    The background between letters that only one image has is thin, and is not removed with a border.
    """
    cv2 = opencv()
    out = np.zeros(a.shape, bool)
    for marked in ((a ^ b) & common, a & b & common):
        if not marked.any():
            continue
        out |= dilate(cv2.morphologyEx(marked.astype(np.uint8), cv2.MORPH_OPEN, window(_BORDER)), _REACH)
    return out


def _warp_luma(view: Pyramid, a_to_b: Affine, scale: float, shape: tuple[int, ...]) -> tuple[Floats, Mask, Mask]:
    """Warp a pyramid's luma onto other pixels; return it, which pixels it covers, and its border there."""
    cv2 = opencv()
    source, size = antialias(view.grey, scale, _MIN_BLUR), (shape[1], shape[0])
    moved = cv2.warpAffine(source, a_to_b, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    kinds = np.where(view.border, 2, 1).astype(np.uint8)
    warped_kinds = cv2.warpAffine(
        kinds, a_to_b, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    return moved, warped_kinds > 0, warped_kinds == 2


def antialias(grey: NDArray[np.uint8], scale: float, least: float) -> Floats:
    """Smooth an image that is then reduced, by at least `least` pixels: otherwise fine texture is aliased."""
    source = grey.astype(np.float32)
    if scale < _ANTIALIAS:
        source = opencv().GaussianBlur(source, (0, 0), 0.5 * float(np.sqrt(1 / scale**2 - 1)) + least)
    return source


def use_finer(a: Pyramid, b: Pyramid, a_to_b: Affine) -> tuple[Pyramid, Pyramid, Affine] | None:
    """Return both pyramids at 640 pixels and the transform between them; None if neither has more pixels."""
    if not (a.has_more or b.has_more):
        return None
    return a.finer, b.finer, rescale(a_to_b, (a.size, a.finer.size), (b.size, b.finer.size))


def warp_colours(a: Pyramid, b: Pyramid, a_to_b: Affine) -> tuple[NDArray[np.uint8], Mask]:
    """Warp the colours of `a` onto those of `b`; also return which pixels they cover."""
    cv2 = opencv()
    square = (COLOUR, COLOUR)
    small = rescale(a_to_b, (a.size, square), (b.size, square))
    moved = cv2.warpAffine(a.colours, small, square, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    common = cv2.warpAffine(np.ones(square, np.uint8), small, square, flags=cv2.INTER_NEAREST, borderValue=0) > 0
    return moved, common


def erode_by_smoothing(marked: Mask) -> Mask:
    """Erode a mask by the reach of the smoothing, which mixes in pixels from beyond its edge."""
    return erode(marked, _REACH, beyond=True)
