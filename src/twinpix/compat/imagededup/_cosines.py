"""Collect vectors, and map each name to its neighbours by cosine similarity."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix import search
from twinpix.compat.imagededup._maps import neighbour_map
from twinpix.model import DIGITS
from twinpix.search.base import Pairs

_PRECISION = 1e-7  # of float32: the computed cosine of equal vectors is at least 1 minus this
_PAIRS = 4096  # pairs whose vectors are in memory at once


class Encodings(NamedTuple):
    """Names of images, and their vectors `(n, d)`; more axes if the model returns them."""

    names: list[Any]
    vectors: NDArray[Any]

    def as_map(self) -> dict[Any, NDArray[np.float32]]:
        """Return the vector of each image, `(d,)` float32, by name."""
        return dict(zip(self.names, self.vectors.astype(np.float32, copy=False), strict=True))


def encodings_of(encoding_map: Mapping[Any, Any]) -> Encodings:
    """Convert encodings by name to one array; each is a vector `(d,)`, or `(1, d)` as returned for a single image.

    Raises `ValueError`, which names the image, if an encoding is not a vector, not finite, or of another length.
    """
    vectors: NDArray[np.float32] | None = None
    for at, (name, value) in enumerate(encoding_map.items()):
        row = _row(name, value)
        if vectors is None:
            vectors = np.empty((len(encoding_map), len(row)), dtype=np.float32)
        if len(row) != vectors.shape[1]:
            raise ValueError(f"the encoding of {name!r} has {len(row)} numbers, those before it {vectors.shape[1]}")
        vectors[at] = row
    return Encodings(list(encoding_map), np.empty((0, 1), np.float32) if vectors is None else vectors)


def _row(name: Any, value: Any) -> NDArray[np.float32]:
    try:
        row = _single(np.asarray(value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"the encoding of {name!r} is no row of numbers") from None
    if row.ndim == 2 and len(row) == 1:
        row = row[0]
    if row.ndim != 1 or not len(row):
        shape = " × ".join(map(str, row.shape)) or "a single number"
        raise ValueError(f"the encoding of {name!r} is no row of numbers: it is {shape}")
    if not np.isfinite(row).all():
        raise ValueError(f"the encoding of {name!r} has numbers that are not finite")
    return row


def _single(row: NDArray[Any]) -> NDArray[np.float32]:
    """Convert to float32; float64 vectors are scaled first, since they may be outside the range of float32."""
    if row.dtype.kind == "f" and row.dtype.itemsize > 4:
        _, exponent = np.frexp(np.abs(row).max(initial=0))
        row = np.ldexp(row, -exponent)  # scaling by a power of two is exact
    return row.astype(np.float32, copy=False)


def neighbours(encodings: Encodings, least: float, *, scores: bool, threads: int) -> dict[Any, list[Any]]:
    """Map each name to the names with a cosine of at least `least`, in the order of the names.

    With `scores`, the values are pairs of name and cosine. The threshold is compared with the unrounded cosine; the
    result is rounded to four decimals. The cosine with a zero vector is 0.
    """
    names, vectors = encodings
    if not names:
        return {}
    if vectors.ndim != 2:
        shape = " × ".join(map(str, vectors.shape[1:]))
        raise ValueError(f"encodings are rows of numbers, these are {shape}: let the model end with a pooling")
    sound: NDArray[np.bool_] = np.any(vectors, axis=1)
    rows = np.flatnonzero(sound)
    # The search rounds distances and the threshold is exact, so the search radius is one rounding step larger.
    radius = search.radius_of_cosine(max(-1.0, least - 10**-DIGITS))
    backend = f"cosine:threads={threads}" if threads > 1 else "auto"
    i, j, _ = search.self_join(vectors if sound.all() else vectors[rows], radius, backend)
    i, j = rows[i], rows[j]
    cosine = _cosines(vectors, i, j)
    enough = cosine >= least - _PRECISION
    i, j, cosine = i[enough], j[enough], np.round(cosine[enough], DIGITS)
    if least <= 0 and not sound.all():
        a, b, zeros = _with_zeros(sound)
        i, j, cosine = np.concatenate([i, a]), np.concatenate([j, b]), np.concatenate([cosine, zeros])
    return neighbour_map(names, i, j, cosine, scores=scores, nearest_first=False)


def _cosines(vectors: NDArray[Any], i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the cosines `(m,)` of pairs of rows, float64."""
    out = np.empty(len(i))
    for start in range(0, len(i), _PAIRS):
        a, b = (vectors[rows[start : start + _PAIRS]].astype(np.float64) for rows in (i, j))
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        out[start : start + _PAIRS] = np.clip(np.einsum("nd,nd->n", a, b) / lengths, -1, 1)
    return out


def _with_zeros(sound: NDArray[np.bool_]) -> Pairs:
    """Return all pairs with at least one zero vector; their cosine is 0."""
    zeros = np.flatnonzero(~sound)
    i, j = np.repeat(zeros, len(sound)), np.tile(np.arange(len(sound)), len(zeros))
    once = sound[j] | (j > i)
    return i[once], j[once], np.zeros(np.count_nonzero(once))
