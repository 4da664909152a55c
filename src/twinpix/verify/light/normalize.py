"""Two pictures made alike in what no writer or painter does: as sharp, as light in every place, as bent."""

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.content.blocks import Floats

_BLURS, _SHARPER = (1.0, 1.5, 2.0, 3.0, 4.0), 0.8  # pixels; of what is apart, with no more left one was blurred
_VEIL = 16.0  # pixels: what is wider is light, no thing
_SOFT, _FAR = 12.0, 6.0  # pixels: how softly a picture gives way, and how far
FLOW_LEAST = 32  # pixels of the shorter side: four times the 8 of a patch, as optical flow halves the sides twice


def apart(a: Floats, b: Floats, inner: NDArray[np.bool_]) -> float:
    """The levels, on average, by which marked pixels are apart."""
    return float(np.abs(a - b)[inner].mean())


def around(values: Floats, known: NDArray[np.bool_], sigma: float) -> Floats:
    """The mean of the known values around each pixel; its own value far from all of them."""
    cv2 = opencv()
    weight = known.astype(np.float32)
    shares, sums = (cv2.GaussianBlur(each, (0, 0), sigma) for each in (weight, values * weight))
    out: Floats = np.divide(sums, shares, out=values.copy(), where=shares > 0)
    return out


def as_sharp(a: Floats, b: Floats, inner: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Both pictures as sharp as the less sharp one, if one is: blurred, or of large pixels."""
    cv2 = opencv()
    best, least = (a, b), _SHARPER * apart(a, b, inner)
    for sigma in _BLURS:
        for one, other in ((cv2.GaussianBlur(a, (0, 0), sigma), b), (a, cv2.GaussianBlur(b, (0, 0), sigma))):
            if (now := apart(one, other, inner)) < least:
                best, least = (one, other), now
    return best


def as_light(a: Floats, b: Floats, common: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Picture `a` as light as `b` in every place: light that falls on one of them, or a veil, is no thing."""
    return a + around(b - a, common, _VEIL), b


def as_bent(a: Floats, b: Floats) -> Floats:
    """Picture `a` bent to lie on `b` as no map of straight lines does: seen at an angle, or through a lens.

    It gives way so softly that what is written cannot become something else. The shifts are those of dense inverse
    search (T. Kroeger and others, "Fast optical flow using dense inverse search", ECCV 2016), smoothed. Images with a
    shorter side are returned as they are: OpenCV raises an error or reads outside its buffers on them.
    """
    if min(a.shape) < FLOW_LEAST:
        return a
    cv2 = opencv()
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    one, other = (np.clip(grey + 0.5, 0, 255).astype(np.uint8) for grey in (b, a))
    shift = cv2.GaussianBlur(flow.calc(one, other, None), (0, 0), _SOFT).clip(-_FAR, _FAR)
    rows, columns = np.indices(a.shape, dtype=np.float32)
    at = columns + shift[..., 0], rows + shift[..., 1]
    out: Floats = cv2.remap(a, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out
