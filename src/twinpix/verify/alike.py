"""Two pictures made alike in what no writer or painter does: as sharp, as light in every place, as bent."""

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.agreement import Floats

_BLURS, _SHARPER = (1.0, 1.5, 2.0, 3.0, 4.0), 0.8  # pixels; of what is apart, with no more left one was blurred
_VEIL = 16.0  # pixels: what is wider is light, no thing
_SOFT, _FAR = 12.0, 6.0  # pixels: how softly a picture gives way, and how far


def apart(a: Floats, b: Floats, inner: NDArray[np.bool_]) -> float:
    """The levels, on average, by which marked pixels are apart."""
    return float(np.abs(a - b)[inner].mean())


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
    cv2 = opencv()
    weight = cv2.GaussianBlur(common.astype(np.float32), (0, 0), _VEIL)
    off = cv2.GaussianBlur(np.where(common, b - a, 0).astype(np.float32), (0, 0), _VEIL)
    return a + off / np.maximum(weight, 1e-3), b


def as_bent(a: Floats, b: Floats) -> Floats:
    """Picture `a` bent to lie on `b` as no map of straight lines does: seen at an angle, or through a lens.

    It gives way so softly that what is written cannot become something else.
    """
    cv2 = opencv()
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    one, other = (np.clip(grey + 0.5, 0, 255).astype(np.uint8) for grey in (b, a))
    shift = cv2.GaussianBlur(flow.calc(one, other, None), (0, 0), _SOFT).clip(-_FAR, _FAR)
    rows, columns = np.indices(a.shape, dtype=np.float32)
    at = columns + shift[..., 0], rows + shift[..., 1]
    out: Floats = cv2.remap(a, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out
