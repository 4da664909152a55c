"""Fine registration: one picture moved by fractions of a pixel until it lies on another."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.alignment.affine import Map, inverse
from twinpix.verify.content.blocks import Floats

Mask = NDArray[np.bool_]

FLOOR = 12.0
"""Grey levels of local standard deviation: where a picture varies less, that is not scaled up to 1."""

_AROUND = 33  # pixels a side of the window of a local mean
_LEVELS = ((400, 4, 3), (800, 3, 6))  # pixels of the longer side, rounds, and terms of the shift's polynomials
_STEEP = 0.02  # of a squared gradient, in local standard deviations a pixel, from which a pixel tells of a shift
_FEW, _MANY = 50, 20_000  # pixels: fewer tell nothing, more tell no more
_RIDGE = 1e-4  # of the mean diagonal: where edges run one way, the shift along them is not made up
_SETTLED = 0.02  # pixels


def moved(grey: NDArray[np.uint8], there: Map, shape: tuple[int, ...]) -> tuple[Floats, Mask]:
    """A picture in the pixels of another, which are as large or larger, and which of them it covers."""
    cv2 = opencv()
    scale = float(np.sqrt(abs(np.linalg.det(there[:, :2]))))
    source = grey.astype(np.float32)
    if scale < 0.9:  # fewer pixels: what they cannot show is smoothed away
        source = cv2.GaussianBlur(source, (0, 0), 0.5 * float(np.sqrt(1 / scale**2 - 1)) + 0.05)
    size = (shape[1], shape[0])
    out = cv2.warpAffine(source, there, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    covered = cv2.warpAffine(np.ones(grey.shape, np.uint8), there, size, flags=cv2.INTER_NEAREST, borderValue=0)
    return out, covered > 0


class Close(NamedTuple):
    """Two pictures in the pixels of the one that shows less detail."""

    a: Floats
    b: Floats
    known: Mask  # which of these both cover
    of_a: bool  # the pixels are those of a


def laid_finely(a: NDArray[np.uint8], b: NDArray[np.uint8], there: Map) -> Close:
    """Lay one picture on the other, given where the places of `a` lie in `b`."""
    if abs(float(np.linalg.det(there[:, :2]))) <= 1:
        out, covered = moved(a, there, b.shape)
        return Close(out, b.astype(np.float32), covered, False)
    out, covered = moved(b, inverse(there), a.shape)
    return Close(a.astype(np.float32), out, covered, True)


def normalised(grey: Floats, known: Floats) -> Floats:
    """Each pixel by the mean and the standard deviation around it: neither light nor contrast is left.

    `known` is 1 where the picture is known and 0 elsewhere.
    """
    cv2 = opencv()
    side = (_AROUND, _AROUND)
    weight = np.maximum(cv2.blur(known, side), np.float32(1e-3))
    rest: Floats = (grey - cv2.blur(grey * known, side) / weight) * known
    return np.asarray(rest / np.sqrt(cv2.blur(rest * rest, side) / weight + np.float32(FLOOR**2)), dtype=np.float32)


def registered(pair: Close) -> Close:
    """The same with `a` shifted by polynomials of the second degree of the place, until it lies on `b`.

    Gauss and Newton on locally normalised pixels, coarse to fine, with weights that fall where the two do not agree
    (B. Lucas, T. Kanade, "An iterative image registration technique", IJCAI 1981; Cauchy weights). So smooth a shift
    cannot make one word another.
    """
    cv2 = opencv()
    a, b, known, _ = pair
    height, width = a.shape
    params = np.zeros((2, 6))
    for side, rounds, terms in _LEVELS:
        share = min(1.0, side / max(width, height))
        size = (max(16, round(width * share)), max(16, round(height * share)))
        small = [cv2.resize(grey, size, interpolation=cv2.INTER_AREA) for grey in (a, b, known.astype(np.float32))]
        first, second = (normalised(cv2.GaussianBlur(grey, (0, 0), 1.0), small[2]) for grey in small[:2])
        scales = np.array([size[0] / width, size[1] / height])
        for _ in range(rounds):
            step = _step(first, second, small[2] > 0.99, params * scales[:, None], terms)
            if step is None:
                break
            params[:, :terms] += step / scales[:, None]
            if np.abs(step).max() < _SETTLED:
                break
    covered = (_shifted(known.astype(np.float32), params) > 0.99) & known
    return pair._replace(a=_shifted(a, params), known=covered)


def _basis(shape: tuple[int, ...]) -> list[Floats]:
    """Polynomials of the second degree of the place, from -1 to 1 along either side."""
    height, width = shape
    u = np.linspace(-1, 1, width, dtype=np.float32)[None].repeat(height, axis=0)
    v = np.linspace(-1, 1, height, dtype=np.float32)[:, None].repeat(width, axis=1)
    return [np.ones_like(u), u, v, u * u, u * v, v * v]


def _shifted(values: Floats, params: NDArray[np.float64]) -> Floats:
    cv2 = opencv()
    if not params.any():
        return values
    rows, columns = np.indices(values.shape, dtype=np.float32)
    for across, down, term in zip(*params.astype(np.float32), _basis(values.shape), strict=True):
        columns = columns + across * term
        rows = rows + down * term
    out: Floats = cv2.remap(values, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return out


def _step(a: Floats, b: Floats, known: Mask, params: NDArray[np.float64], terms: int) -> NDArray[np.float64] | None:
    """What to add to the parameters `(2, terms)` that `a` lie better on `b`; None where nothing tells."""
    cv2 = opencv()
    there = _shifted(a, params)
    across, down = (cv2.Scharr(there, cv2.CV_32F, *along) / 32 for along in ((1, 0), (0, 1)))
    at = np.flatnonzero((across * across + down * down > _STEEP) & known)
    if len(at) < _FEW:
        return None
    at = at[:: max(1, len(at) // _MANY)]
    off = (b - there).ravel()[at].astype(np.float64)
    weight = 1 / (1 + (off / (1.5 * float(np.median(np.abs(off))) + 0.05)) ** 2)
    rows, columns = np.divmod(at, a.shape[1])
    v, u = 2 * rows / max(a.shape[0] - 1, 1) - 1, 2 * columns / max(a.shape[1] - 1, 1) - 1
    basis = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v][:terms], axis=1)
    slopes = np.concatenate([each.ravel()[at, None] * basis for each in (across, down)], axis=1)
    weighted = slopes * weight[:, None]
    squares = weighted.T @ slopes
    squares += _RIDGE * np.trace(squares) / len(squares) * np.eye(len(squares))
    return np.asarray(np.linalg.solve(squares, weighted.T @ off).reshape(2, terms))
