"""Precision, recall and F1 of pairs in two classes, duplicate and not duplicate; only duplicates are enumerated."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Names = Mapping[str, Sequence[str]]


class PairScores(NamedTuple):
    """Precision, recall and F1 of the class of duplicate pairs."""

    precision: float
    recall: float
    f1: float


def pairs_of(found: Names) -> set[tuple[int, int]]:
    """Return the unordered pairs of a map, as indices of its keys."""
    number = {key: at for at, key in enumerate(found)}
    out = set()
    for key, names in found.items():
        a = number[key]
        for name in names:
            b = number[name]
            if a != b:
                out.add((a, b) if a < b else (b, a))
    return out


def confusion(truth: Names, retrieved: Names) -> NDArray[np.int64]:
    """Return the confusion matrix `(2, 2)` of pairs: truth by row, retrieved by column, [not duplicate, duplicate]."""
    real = pairs_of(truth)
    predicted = pairs_of({key: retrieved[key] for key in truth})
    both = len(real & predicted)
    every = len(truth) * (len(truth) - 1) // 2
    return np.array([[every - len(real) - len(predicted) + both, len(predicted) - both], [len(real) - both, both]])


def pair_scores(truth: Names, retrieved: Names) -> PairScores:
    """Return precision, recall and F1 of the duplicate pairs; all 1 if neither map has a pair."""
    counts = confusion(truth, retrieved)
    if not counts[0, 1] + counts[1].sum():
        return PairScores(1.0, 1.0, 1.0)
    precision, recall, f1, _ = _scores(counts)
    return PairScores(float(precision[1]), float(recall[1]), float(f1[1]))


def classification(truth: Names, retrieved: Names) -> dict[str, NDArray[Any]]:
    """Return precision, recall, F1 and support as arrays [not duplicate, duplicate].

    A class that occurs in neither map has no entry; a quotient with the divisor 0 is 0.
    """
    counts = confusion(truth, retrieved)
    there = (counts.sum(axis=0) + counts.sum(axis=1)) > 0
    precision, recall, f1, support = (values[there] for values in _scores(counts))
    return {"precision": precision, "recall": recall, "f1_score": f1, "support": support}


def _scores(counts: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    hit, predicted, support = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    precision, recall = hit / np.maximum(predicted, 1), hit / np.maximum(support, 1)
    f1 = 2 * precision * recall / np.where(precision + recall > 0, precision + recall, 1)
    return precision, recall, f1, support
