"""Convert hashes to codes, and pairs to a map from each name to its neighbours."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix.model import Bytes2D


def codes_of(encoding_map: Mapping[str, str]) -> Bytes2D:
    """Convert hexadecimal hashes to codes `(n, bytes)`; shorter hashes are padded with zeros on the left.

    Raises `TypeError` for a hash that is not a string, `ValueError` for one that is not hexadecimal.
    """
    hashes = list(encoding_map.values())
    width = max((len(text) for text in hashes if isinstance(text, str)), default=16)
    width += width % 2
    try:
        data = bytes.fromhex("".join(text.zfill(width) for text in hashes))
    except (ValueError, AttributeError):  # parsing one by one raises an error that names the wrong hash
        data = b"".join(int(text, 16).to_bytes(width // 2, "big") for text in hashes)
    return np.frombuffer(data, dtype=np.uint8).reshape(len(hashes), width // 2)


def neighbour_map(
    names: Sequence[Any],
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    distance: NDArray[Any],
    *,
    scores: bool,
    nearest_first: bool = True,
) -> dict[Any, list[Any]]:
    """Map each name to its neighbours, by distance if `nearest_first`, then in the order of the names.

    With `scores`, the values are pairs of name and distance. `i, j, distance` are pairs of rows, each once.
    """
    ends, others = np.concatenate([i, j]), np.concatenate([j, i])
    gaps = np.concatenate([distance, distance])
    order = np.lexsort((others, gaps, ends) if nearest_first else (others, ends))
    starts = np.searchsorted(ends[order], np.arange(len(names) + 1)).tolist()
    near: list[Any] = [names[other] for other in others[order].tolist()]
    if scores:
        near = list(zip(near, gaps[order].tolist(), strict=True))
    return {name: near[starts[at] : starts[at + 1]] for at, name in enumerate(names)}
