"""Precision and recall at all radii, from the distances of one search."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Curve(NamedTuple):
    """Precision, recall and F1 of pairs at each radius from 0 on; each `(radii,)`."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    recommended: int  # the smallest radius with the best F1


def curve(true_distances: NDArray[np.int32], false_distances: NDArray[np.int32], missing: int, radius: int) -> Curve:
    """Return the curve for radii 0 to `radius`, from the distances of positive and negative pairs within `radius`.

    `missing` is the number of positive pairs with a larger distance, or without a code. Without any match precision is
    1; without any positive pair recall is 1.
    """
    true = np.cumsum(np.bincount(true_distances, minlength=radius + 1)[: radius + 1])
    false = np.cumsum(np.bincount(false_distances, minlength=radius + 1)[: radius + 1])
    every = len(true_distances) + missing
    predicted = true + false
    precision = np.where(predicted > 0, true / np.maximum(predicted, 1), 1.0)
    recall = true / every if every else np.ones(radius + 1)
    total = precision + recall
    f1 = 2 * precision * recall / np.where(total > 0, total, 1)
    return Curve(precision, recall, f1, int(np.argmax(f1)))
