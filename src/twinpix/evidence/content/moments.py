"""Two moments of one scene, such as frames of a fixed camera: other objects in the same view.

An edit lays something drawn on an image: letters, a logo, a band, of few levels and with a strong outline. Between two
moments both images show something natural in one place, and not the same. The method is described in
docs/decisions/085-frames-of-a-fixed-camera.md.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.affine import Affine, corner_distance
from twinpix.evidence.alignment.warp import WarpedPair
from twinpix.evidence.edit_features import EditFeatures, excess
from twinpix.evidence.light.normalize import match_sharpness, mean_difference
from twinpix.evidence.light.photometric import ToneMatch
from twinpix.evidence.masks import Floats, Mask, dilate, erode, window
from twinpix.evidence.pyramid import Pyramid
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import MOMENTS

_AROUND, _BLUR = 5, 0.8  # pixels: side of the window around a pixel, and Gaussian blur against noise
_JOINED = 9  # pixels: differing pixels within this distance belong to one object
_BESIDE = 15  # pixels around an object that do not belong to the rest
_CORE = 5  # pixels: what is thinner is an edge, not an object
_MOST_OBJECTS = 16  # the largest are compared, so that noise does not take time
_LEVELS, _LEVEL_WIDTH = 3, 3  # levels of a drawn object, and grey levels on either side that count as one
_SOBEL = 0.125  # scale of the Sobel kernel, for grey levels a pixel
_VARIED = 1.0  # grey levels of standard deviation: with less nothing correlates


class Object(NamedTuple):
    """A place in which two aligned images differ."""

    correlation: float  # of both images in its core
    varied: tuple[float, float]  # of either image: the share of the core that is not of its three commonest levels
    edge: tuple[float, float]  # the mean gradient of either image along the outline, in grey levels a pixel

    @property
    def is_replaced(self) -> bool:
        """True if both images show something natural here, not the same, and with an outline of its own."""
        low, high = sorted(self.edge)
        natural = min(self.varied) > MOMENTS.min_varied and high < MOMENTS.same_outline * low
        return natural and self.correlation < MOMENTS.max_correlation


def are_two_moments(
    pair: WarpedPair, tones: ToneMatch, differs: EditFeatures, a: Pyramid, b: Pyramid, a_to_b: Affine
) -> bool:
    """True if two images of one size and view show something else in one place."""
    if not differs.outside or not _have_one_view(a, b, a_to_b) or a.damaged or b.damaged:
        return False
    sharp = MOMENTS.min_steepness < differs.steepness < 1 / MOMENTS.min_steepness
    if not sharp or differs.bent or tones.tone_change > MOMENTS.max_tone:
        return False
    inner = pair.inner
    first, second = match_sharpness(tones.a, tones.b, inner)
    objects = _join(_mask_differences(first, second) & inner)
    if mean_difference(first, second, inner & ~dilate(objects, _BESIDE)) > MOMENTS.max_rest:
        return False
    return any(each.is_replaced for each in _compare_objects(first, second, objects, inner))


def _have_one_view(a: Pyramid, b: Pyramid, a_to_b: Affine) -> bool:
    """True if the images have one size, and a place of one is the same place of the other."""
    if (a.width, a.height) != (b.width, b.height):
        return False
    return corner_distance(a_to_b, np.eye(2, 3), a.size) <= MOMENTS.max_shift * max(a.size)


def _mask_differences(a: Floats, b: Floats) -> Mask:
    """Mask pixels of one image that leave the range of the other one around them."""
    return np.asarray(np.maximum(excess(a, b), excess(b, a)) > MOMENTS.step, dtype=bool)


def _join(differs: Mask) -> NDArray[np.uint8]:
    cv2 = opencv()
    closed = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, window(_JOINED))
    return np.asarray(closed, dtype=np.uint8)


def _compare_objects(a: Floats, b: Floats, objects: NDArray[np.uint8], inner: Mask) -> Iterator[Object]:
    """Yield the objects with a core, the largest first."""
    cv2 = opencv()
    off = np.abs(cv2.GaussianBlur(a - b, (0, 0), _BLUR)) > MOMENTS.step
    edges = [cv2.dilate(_gradient(each), window(_AROUND)) for each in (a, b)]
    count, labels, facts, _ = cv2.connectedComponentsWithStats(objects)
    largest = 1 + np.argsort(-facts[1:count, cv2.CC_STAT_AREA], kind="stable")[:_MOST_OBJECTS]
    for label in largest.tolist():
        mask = labels == label
        core = erode(mask & off & inner, _CORE, beyond=True)
        if core.sum() < MOMENTS.min_pixels:
            continue
        outline = (cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, window(3)) > 0) & inner
        here, there = a[core], b[core]
        yield Object(
            correlation=_correlate(here, there),
            varied=(_varied_share(here), _varied_share(there)),
            edge=(float(edges[0][outline].mean()), float(edges[1][outline].mean())),
        )


def _gradient(values: Floats) -> Floats:
    cv2 = opencv()
    smooth = cv2.GaussianBlur(values, (0, 0), _BLUR)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *way, scale=_SOBEL) for way in ((1, 0), (0, 1)))
    return np.asarray(np.hypot(across, down), dtype=np.float32)


def _correlate(a: Floats, b: Floats) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if min(a.std(), b.std()) > _VARIED else 0.0


def _varied_share(values: Floats) -> float:
    """Return the share of values that are not near one of the three commonest levels."""
    counts = np.bincount(np.rint(values).clip(0, 255).astype(np.uint8), minlength=256)
    for _ in range(_LEVELS):
        at = int(np.convolve(counts, np.ones(2 * _LEVEL_WIDTH + 1, np.int64), "same").argmax())
        counts[max(0, at - _LEVEL_WIDTH) : at + _LEVEL_WIDTH + 1] = 0
    return float(counts.sum()) / len(values)
