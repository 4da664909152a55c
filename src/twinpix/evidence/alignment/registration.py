"""Register two images to a fraction of a pixel, and normalise them locally."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.affine import Affine, inverse
from twinpix.evidence.alignment.blocks import Floats
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import REGISTRATION

Mask = NDArray[np.bool_]

_MEAN_WINDOW = 33  # pixels a side of the window of local means
_RESOLUTIONS = (
    (400, 4, 3),
    (800, 3, 6),
)  # coarse to fine: pixels of the longer side, iterations, terms of the polynomials
_STEP_PIXELS = 20_000  # pixels, evenly spread: more are no more exact
_RIDGE = 1e-4  # of the mean diagonal: along parallel edges a shift is undetermined, and remains 0
_TOLERANCE = 0.02  # pixels: the last step of an iteration
_CAUCHY = 1.5  # medians of the residual at which the weight of a pixel is a half
_ANTIALIAS, _MIN_BLUR = 0.9, 0.05  # scale below which an image is smoothed first; pixels, and a residual above 0
_COVERED, _EPSILON = 0.99, 1e-3  # share of a resampled pixel that is known; divisor above 0


def warp_onto(grey: NDArray[np.uint8], a_to_b: Affine, shape: tuple[int, ...]) -> tuple[Floats, Mask]:
    """Warp an image onto pixels that are as large or larger; also return which of them it covers."""
    cv2 = opencv()
    scale = float(np.sqrt(abs(np.linalg.det(a_to_b[:, :2]))))
    source = grey.astype(np.float32)
    if scale < _ANTIALIAS:  # otherwise fine texture is aliased
        source = cv2.GaussianBlur(source, (0, 0), 0.5 * float(np.sqrt(1 / scale**2 - 1)) + _MIN_BLUR)
    size = (shape[1], shape[0])
    out = cv2.warpAffine(source, a_to_b, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    covered = cv2.warpAffine(np.ones(grey.shape, np.uint8), a_to_b, size, flags=cv2.INTER_NEAREST, borderValue=0)
    return out, covered > 0


class FinePair(NamedTuple):
    """Two images in the pixels of the one with less detail."""

    a: Floats
    b: Floats
    known: Mask  # pixels that both cover
    of_a: bool  # the pixels are those of `a`


def warp_fine(a: NDArray[np.uint8], b: NDArray[np.uint8], a_to_b: Affine) -> FinePair:
    """Warp the image with more detail onto the other one; the transform is from pixels of `a` to pixels of `b`."""
    if abs(float(np.linalg.det(a_to_b[:, :2]))) <= 1:
        out, covered = warp_onto(a, a_to_b, b.shape)
        return FinePair(out, b.astype(np.float32), covered, False)
    out, covered = warp_onto(b, inverse(a_to_b), a.shape)
    return FinePair(a.astype(np.float32), out, covered, True)


class Normaliser:
    """Subtracts the local mean and divides by the local standard deviation, so that light and contrast do not count."""

    def __init__(self, known: Floats) -> None:
        """Prepare for images that are known where `known` is 1, and not where it is 0."""
        self._known = known
        self._shares: Floats = np.maximum(_window_mean(known), np.float32(_EPSILON))

    def __call__(self, grey: Floats) -> Floats:
        """Normalise one image, in grey levels."""
        rest = np.asarray((grey - _window_mean(grey * self._known) / self._shares) * self._known, dtype=np.float32)
        floor = np.float32(REGISTRATION.deviation_floor**2)
        return np.asarray(rest / np.sqrt(_window_mean(rest * rest) / self._shares + floor), dtype=np.float32)


def _window_mean(values: Floats) -> Floats:
    out: Floats = opencv().blur(values, (_MEAN_WINDOW, _MEAN_WINDOW))
    return out


def register(pair: FinePair) -> FinePair:
    """Register `a` onto `b` with a displacement that is a quadratic polynomial of the pixel's position.

    Gauss-Newton on locally normalised pixels, coarse to fine, with Cauchy weights against pixels that differ
    (B. Lucas, T. Kanade, "An iterative image registration technique", IJCAI 1981). So smooth a displacement cannot turn
    one word into another.
    """
    cv2 = opencv()
    a, b, known, _ = pair
    height, width = a.shape
    params = np.zeros((2, 6))
    for side, rounds, terms in _RESOLUTIONS:
        share = min(1.0, side / max(width, height))
        size = (max(16, round(width * share)), max(16, round(height * share)))
        small = [cv2.resize(grey, size, interpolation=cv2.INTER_AREA) for grey in (a, b, known.astype(np.float32))]
        first, second = map(Normaliser(small[2]), (cv2.GaussianBlur(grey, (0, 0), 1.0) for grey in small[:2]))
        scales = np.array([size[0] / width, size[1] / height])
        for _ in range(rounds):
            step = _step(first, second, small[2] > _COVERED, params * scales[:, None], terms)
            if step is None:
                break
            params[:, :terms] += step / scales[:, None]
            if np.abs(step).max() < _TOLERANCE:
                break
    covered = (_shift(known.astype(np.float32), params) > _COVERED) & known
    return pair._replace(a=_shift(a, params), known=covered)


def _basis(shape: tuple[int, ...]) -> list[Floats]:
    """Return the quadratic monomials of positions, which run from -1 to 1 along either side."""
    height, width = shape
    u = np.linspace(-1, 1, width, dtype=np.float32)[None].repeat(height, axis=0)
    v = np.linspace(-1, 1, height, dtype=np.float32)[:, None].repeat(width, axis=1)
    return [np.ones_like(u), u, v, u * u, u * v, v * v]


def _shift(values: Floats, params: NDArray[np.float64]) -> Floats:
    cv2 = opencv()
    if not params.any():
        return values
    rows, columns = np.indices(values.shape, dtype=np.float32)
    for across, down, term in zip(*params.astype(np.float32), _basis(values.shape), strict=True):
        if across or down:
            columns = columns + across * term
            rows = rows + down * term
    out: Floats = cv2.remap(values, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return out


def _step(a: Floats, b: Floats, known: Mask, params: NDArray[np.float64], terms: int) -> NDArray[np.float64] | None:
    """Return the Gauss-Newton step of the parameters, `(2, terms)`; None with too few gradients."""
    cv2 = opencv()
    a_to_b = _shift(a, params)
    across, down = (cv2.Scharr(a_to_b, cv2.CV_32F, *along) / 32 for along in ((1, 0), (0, 1)))
    at = np.flatnonzero((across * across + down * down > REGISTRATION.min_gradient) & known)
    if len(at) < REGISTRATION.min_pixels:
        return None
    at = at[:: max(1, len(at) // _STEP_PIXELS)]
    off = (b - a_to_b).ravel()[at].astype(np.float64)
    scale = _CAUCHY * float(np.median(np.abs(off))) + _MIN_BLUR
    weight = 1 / (1 + (off / scale) ** 2)
    rows, columns = np.divmod(at, a.shape[1])
    v, u = 2 * rows / max(a.shape[0] - 1, 1) - 1, 2 * columns / max(a.shape[1] - 1, 1) - 1
    basis = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v][:terms], axis=1)
    slopes = np.concatenate([each.ravel()[at, None] * basis for each in (across, down)], axis=1)
    weighted = slopes * weight[:, None]
    squares = weighted.T @ slopes
    squares += _RIDGE * np.trace(squares) / len(squares) * np.eye(len(squares))
    return np.asarray(np.linalg.solve(squares, weighted.T @ off).reshape(2, terms))
