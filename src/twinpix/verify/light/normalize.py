"""Normalise two aligned images for blur, local illumination and smooth distortion, so that differences are content."""

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.alignment.blocks import Floats
from twinpix.verify.thresholds import PHOTOMETRIC

_BLURS = (1.0, 1.5, 2.0, 3.0, 4.0)  # pixels of Gaussian blur that are tried
FLOW_LEAST = 32  # pixels of the shorter side: four times the 8 of a patch, as optical flow halves the sides twice


def mean_difference(a: Floats, b: Floats, inner: NDArray[np.bool_]) -> float:
    """Return the mean absolute difference of marked pixels, in grey levels."""
    return float(np.abs(a - b)[inner].mean())


def local_mean(values: Floats, known: NDArray[np.bool_], sigma: float) -> Floats:
    """Return the Gaussian mean of the known values around each pixel; its own value where none is near."""
    cv2 = opencv()
    weight = known.astype(np.float32)
    shares, sums = (cv2.GaussianBlur(each, (0, 0), sigma) for each in (weight, values * weight))
    out: Floats = np.divide(sums, shares, out=values.copy(), where=shares > 0)
    return out


def match_sharpness(a: Floats, b: Floats, inner: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Blur the sharper image to match the other one, if that removes enough of their difference."""
    cv2 = opencv()
    best, least = (a, b), PHOTOMETRIC.blur_gain * mean_difference(a, b, inner)
    for sigma in _BLURS:
        for one, other in ((cv2.GaussianBlur(a, (0, 0), sigma), b), (a, cv2.GaussianBlur(b, (0, 0), sigma))):
            if (now := mean_difference(one, other, inner)) < least:
                best, least = (one, other), now
    return best


def match_local_light(a: Floats, b: Floats, common: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Give `a` the local mean of `b`: a veil, or light on a part of one image, is no content."""
    return a + local_mean(b - a, common, PHOTOMETRIC.light_sigma), b


def undo_bending(a: Floats, b: Floats) -> Floats:
    """Warp `a` onto `b` by smoothed optical flow: perspective and lens distortion are no affine transform.

    The flow is so smooth that one word cannot become another. Source: T. Kroeger and others, "Fast optical flow using
    dense inverse search", ECCV 2016. Images with a side under FLOW_LEAST are returned as they are: OpenCV raises an
    error or reads outside its buffers on them.
    """
    if min(a.shape) < FLOW_LEAST:
        return a
    cv2 = opencv()
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    one, other = (np.clip(grey + 0.5, 0, 255).astype(np.uint8) for grey in (b, a))
    shift = cv2.GaussianBlur(flow.calc(one, other, None), (0, 0), PHOTOMETRIC.flow_sigma).clip(
        -PHOTOMETRIC.max_flow, PHOTOMETRIC.max_flow
    )
    rows, columns = np.indices(a.shape, dtype=np.float32)
    at = columns + shift[..., 0], rows + shift[..., 1]
    out: Floats = cv2.remap(a, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out
