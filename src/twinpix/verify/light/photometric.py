"""How light and dark of one picture became those of another."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.content.blocks import Agreement, Floats, Laid, correlated, inside, pixels_of

_SAMPLE = 4000  # pixels that tell how light and dark were changed
_CUTS = 24  # levels at which they tell it
_ROUNDS = 3  # in which pixels that do not follow a shade are left out
_BETTER = 0.75  # of what a curve alone leaves unexplained: with no more left, there is a shade
_WORTH = 1.5  # grey levels that a shade must explain
_COVERED = 0.95  # of a block that both pictures show
_MOST = 0.5  # of these blocks
_ONE_LIGHT = 8.0  # levels by which it varies
_ACROSS = 0.5  # of what both show, that pixels must be spread over to tell of a shade
_RIDGE = 1.0  # beside sums of squares of levels: nothing, and yet never singular
_STRONGEST = 8.0  # times: nothing is made lighter


class Toned(NamedTuple):
    """Two pictures with the same light and dark, as far as that can be told."""

    a: Floats
    b: Floats
    apart: float  # levels, on average, that the two were apart
    shaded: bool = False  # one of them was, and the other now is


def evened(pair: Laid, agrees: Agreement) -> Toned:
    """Both pictures as `toned` gives them by what agrees."""
    return toned(pair, inside(pair.common) & pixels_of(agrees.fits == 1, pair.common.shape))


def beside(pair: Laid, tones: Toned, agrees: Agreement) -> float:
    """How well light and dark plain places lie together, where most places are plain and not all of one light; else 1.

    Of two skies with the same words on them all that can be compared block by block agrees.
    """
    cv2 = opencv()
    whole = inside(pair.common).astype(np.float32)
    size = agrees.fits.shape[::-1]
    a, b, covered = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (tones.a, tones.b, whole))
    covered = covered > _COVERED
    plain = covered & (agrees.fits < 0)
    if plain.sum() <= _MOST * covered.sum():
        return 1.0
    return correlated(a[plain], b[plain], _ONE_LIGHT)


def toned(pair: Laid, inner: NDArray[np.bool_]) -> Toned:
    """Picture `a` with the light and dark of picture `b`; where one of them is shaded, the other is shaded alike.

    `inner` marks the pixels that tell it: those of places on which the two agree.
    """
    cv2 = opencv()
    a, b = (cv2.GaussianBlur(grey, (0, 0), 1.0) for grey in (pair.a, pair.b))
    at = np.flatnonzero(inner)
    if len(at) < 10 * _CUTS:
        return Toned(pair.a, pair.b, 0.0)
    at = at[:: max(1, len(at) // _SAMPLE)]
    x, y = a.ravel()[at], b.ravel()[at]
    levels, apart = _curve(x, y)
    best, left = Toned(_through(pair.a, levels), pair.b, apart), _left(x, y, levels)
    if left < _WORTH or not _all_over(at, pair.common):
        return best
    places = _places(at, inner.shape)
    for first, second, of_a in ((x, y, True), (y, x, False)):
        shade = _shade(places, first, second)
        shaded = first * (places @ shade)
        x2, y2 = (shaded, y) if of_a else (x, shaded)
        curve, _ = _curve(x2, y2)
        now = _left(x2, y2, curve)
        if now < _BETTER * left and left - now > _WORTH:
            field = _field(shade, inner.shape)
            both = (pair.a * field, pair.b) if of_a else (pair.a, pair.b * field)
            best, left = Toned(_through(both[0], curve), both[1], apart, True), now
    return best


# -- a curve: levels of the one by those of the other ----------------------------------------------------


def _curve(x: Floats, y: Floats) -> tuple[NDArray[np.float64], float]:
    """For each of 256 levels of the one picture, that of the other; and how far the two are apart on average."""
    some = np.argsort(x, kind="stable")
    cuts = some[: len(some) // _CUTS * _CUTS].reshape(_CUTS, -1)  # as many pixels of each range of levels
    at, to = (np.median(values[cuts], axis=1).astype(np.float64) for values in (x, y))
    to = (np.maximum.accumulate(to) + np.minimum.accumulate(to[::-1])[::-1]) / 2  # lighter places stay lighter
    apart = float(np.abs(to - at).mean())
    at, keep = np.unique(at, return_index=True)
    to = to[keep]
    # Beyond the darkest and the lightest the curve goes on as steeply as between them.
    slope = (to[-1] - to[0]) / max(at[-1] - at[0], 1.0)
    levels = np.arange(256.0)
    curve = np.interp(levels, at, to) + slope * (np.minimum(levels - at[0], 0) + np.maximum(levels - at[-1], 0))
    return np.clip(curve, 0, 255), apart


def _through(values: Floats, curve: NDArray[np.float64]) -> Floats:
    cv2 = opencv()
    out: Floats = cv2.LUT(np.clip(values + 0.5, 0, 255).astype(np.uint8), curve.astype(np.float32))
    return out


def _left(x: Floats, y: Floats, curve: NDArray[np.float64]) -> float:
    """The levels, on average, by which pixels are off what the curve says."""
    return float(np.abs(curve[np.clip(x + 0.5, 0, 255).astype(np.uint8)] - y).mean())


# -- a shade: darker towards an edge or a corner, as of a lens or a lamp -----------------------------------


def _all_over(at: NDArray[np.int64], common: NDArray[np.bool_]) -> bool:
    """True when the pixels lie all over what both pictures show: elsewhere they tell nothing of a shade."""
    every = np.flatnonzero(common)
    for part, whole in zip(np.divmod(at, common.shape[1]), np.divmod(every, common.shape[1]), strict=True):
        low, high = np.quantile(part, (0.05, 0.95))
        if high - low < _ACROSS * (whole.max() - whole.min()):
            return False
    return True


def _places(at: NDArray[np.int64], shape: tuple[int, ...]) -> Floats:
    """Polynomials of the second degree of places of pixels, `(n, 6)`."""
    rows, columns = np.divmod(at, shape[1])
    v, u = 2 * rows / max(shape[0] - 1, 1) - 1, 2 * columns / max(shape[1] - 1, 1) - 1
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1).astype(np.float32)


def _shade(places: Floats, x: Floats, y: Floats) -> Floats:
    """By what the one picture is to be multiplied, as a polynomial of the place: what most pixels say."""
    kept = np.ones(len(x), dtype=bool)
    for _ in range(_ROUNDS):
        known = (places[kept] * x[kept, None]).astype(np.float64)
        squares = known.T @ known + _RIDGE * np.eye(known.shape[1])
        shade: Floats = np.linalg.solve(squares, known.T @ y[kept]).astype(np.float32)
        off = np.abs(x * (places @ shade) - y)
        kept = off <= 3 * np.median(off) + 1
    return shade


def _field(shade: Floats, shape: tuple[int, ...]) -> Floats:
    every = _places(np.arange(shape[0] * shape[1]), shape)
    return np.asarray(np.clip(every @ shade, 0, _STRONGEST).reshape(shape), dtype=np.float32)
