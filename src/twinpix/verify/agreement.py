"""Do the pixels agree where one picture lies on another?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.model import Bytes2D
from twinpix.verify.maps import Map, inverse

BLOCK = 16  # pixels
_BLUR = 1.5  # pixels: what a shift of a pixel would make disagree is smoothed away
_CONTRAST = 4.0  # of a block's grey levels, as a standard deviation, below which there is nothing to compare
_ALIKE = 0.6  # normalised correlation of two blocks that show the same
_SMALL = 96  # pixels: of pictures with a shorter side the blocks are smaller

Floats = NDArray[np.float32]


class Laid(NamedTuple):
    """Two pictures laid on each other, in the pixels of the one that shows less detail."""

    a: Floats  # grey levels; only those marked by `common` mean something
    b: Floats
    common: NDArray[np.bool_]
    there: Map  # from places of picture a to these pixels


class Agreement(NamedTuple):
    """How much of the overlap agrees."""

    share: float  # of the blocks in which there is something to see
    blocks: int  # how many these are
    fits: NDArray[np.int8]  # (rows, columns) of blocks: 1 agrees, 0 does not, -1 nothing to see there


def laid(a: Bytes2D, b: Bytes2D, there: Map) -> Laid:
    """Lay picture `a` on picture `b`, given where its places lie there."""
    scale = float(np.sqrt(abs(np.linalg.det(there[:, :2]))))
    if scale <= 1:
        moved, common = _moved(a, there, scale, b.shape)
        return Laid(moved, b.astype(np.float32), common, there)
    back = inverse(there)
    moved, common = _moved(b, back, 1 / scale, a.shape)
    return Laid(a.astype(np.float32), moved, common, np.eye(2, 3))


def _moved(grey: Bytes2D, there: Map, scale: float, shape: tuple[int, ...]) -> tuple[Floats, NDArray[np.bool_]]:
    """A picture moved into another's pixels, `scale` times as large, and which of them it covers."""
    cv2 = opencv()
    source = grey.astype(np.float32)
    if scale < 0.9:
        source = cv2.GaussianBlur(source, (0, 0), 0.5 * float(np.sqrt(1 / scale**2 - 1)) + 0.1)
    size = (shape[1], shape[0])
    moved = cv2.warpAffine(source, there, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    full = np.ones(grey.shape, np.uint8)
    common = cv2.warpAffine(full, there, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return moved, common.astype(bool)


def agreement(pair: Laid) -> Agreement:
    """Compare two pictures that lie on each other, block by block."""
    cv2 = opencv()
    side = BLOCK if min(pair.a.shape) >= _SMALL else BLOCK // 2
    a, b = (cv2.GaussianBlur(grey, (0, 0), _BLUR) for grey in (pair.a, pair.b))
    rows, columns = (max(1, length // side) for length in a.shape)
    weight = pair.common.astype(np.float32)

    def mean(values: Floats) -> Floats:
        part = values[: rows * side, : columns * side]
        shape = (rows, part.shape[0] // rows, columns, part.shape[1] // columns)
        out: Floats = part[: shape[0] * shape[1], : shape[2] * shape[3]].reshape(shape).mean(axis=(1, 3))
        return out

    covered = mean(weight)
    filled = np.maximum(covered, 1e-6)
    mean_a, mean_b = mean(a * weight) / filled, mean(b * weight) / filled
    var_a = mean(a * a * weight) / filled - mean_a**2
    var_b = mean(b * b * weight) / filled - mean_b**2
    product = mean(a * b * weight) / filled - mean_a * mean_b
    seen = (covered > 0.7) & (np.maximum(var_a, var_b) > _CONTRAST**2)
    fits = product > _ALIKE * np.sqrt(np.maximum(var_a, 0.25) * np.maximum(var_b, 0.25))
    blocks = int(seen.sum())
    share = float((fits & seen).sum()) / blocks if blocks else 0.0
    return Agreement(share, blocks, np.where(seen, fits, -1).astype(np.int8))


def refined(a: Bytes2D, b: Bytes2D, there: Map) -> Map | None:
    """A map near `there` on which the pixels agree better (enhanced correlation); None when there is none.

    Source: G. Evangelidis, E. Psarakis, "Parametric image alignment using enhanced correlation coefficient
    maximization", PAMI 2008, https://doi.org/10.1109/TPAMI.2008.113
    """
    cv2 = opencv()
    pair = laid(a, b, there)
    warp = np.eye(2, 3, dtype=np.float32)
    steps = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        cv2.findTransformECC(pair.a, pair.b, warp, cv2.MOTION_AFFINE, steps, pair.common.astype(np.uint8), 5)
    except cv2.error:  # it says so when it finds nothing
        return None
    # `warp` leads from the pixels as they are laid to those that picture b has there.
    fine = np.vstack([warp.astype(np.float64), [0, 0, 1]])
    first = np.vstack([pair.there, [0, 0, 1]])  # from a to the pixels
    second = np.vstack([there, [0, 0, 1]]) @ np.linalg.inv(first)  # from the pixels to b
    return np.asarray((second @ fine @ first)[:2])
