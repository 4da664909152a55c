"""Quadratic polynomials of a pixel's position, which runs from -1 to 1 along either side of the image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.masks import Floats


def monomials_at(at: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the monomials of pixels, given by their flat indices, `(n, 6)`: the first three are linear."""
    rows, columns = np.divmod(at, shape[1])
    v, u = 2 * rows / max(shape[0] - 1, 1) - 1, 2 * columns / max(shape[1] - 1, 1) - 1
    return np.stack(_monomials(u, v), axis=1)


def monomials_of(shape: tuple[int, ...]) -> list[Floats]:
    """Return the six monomials of all pixels of an image."""
    height, width = shape
    u = np.linspace(-1, 1, width, dtype=np.float32)[None].repeat(height, axis=0)
    v = np.linspace(-1, 1, height, dtype=np.float32)[:, None].repeat(width, axis=1)
    return _monomials(u, v)


def _monomials(u: NDArray[Any], v: NDArray[Any]) -> list[NDArray[Any]]:
    return [np.ones_like(u), u, v, u * u, u * v, v * v]
