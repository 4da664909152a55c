"""Metrics of a grouping against the true one: B-cubed and the adjusted Rand index."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class GroupScores(NamedTuple):
    """B-cubed precision, recall and F1, and the adjusted Rand index."""

    b_cubed_precision: float
    b_cubed_recall: float
    b_cubed_f1: float
    adjusted_rand: float


def group_scores(truth: Mapping[str, Sequence[str]], retrieved: Mapping[str, Sequence[str]]) -> GroupScores:
    """Compare the groups of two maps; a group is a connected component.

    Sources: A. Bagga, B. Baldwin, "Entity-based cross-document coreferencing using the vector space model",
    1998, https://aclanthology.org/P98-1012/; L. Hubert, P. Arabie, "Comparing partitions", 1985,
    https://doi.org/10.1007/BF01908075
    """
    real, predicted = labels(truth), labels({key: retrieved[key] for key in truth})
    cells, counts = np.unique(np.stack([real, predicted], axis=1), axis=0, return_counts=True)
    per_real, per_predicted = np.bincount(real), np.bincount(predicted)
    n = len(real)
    precision = float((counts**2 / per_predicted[cells[:, 1]]).sum() / n)
    recall = float((counts**2 / per_real[cells[:, 0]]).sum() / n)
    return GroupScores(
        precision,
        recall,
        2 * precision * recall / (precision + recall),
        _adjusted_rand(counts, per_real, per_predicted),
    )


def labels(found: Mapping[str, Sequence[str]]) -> NDArray[np.int64]:
    """Return `(n,)`: the number of each key's group, a connected component of the map."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = {key: at for at, key in enumerate(found)}
    a = np.array([number[key] for key, names in found.items() for _ in names], dtype=np.int64)
    b = np.array([number[name] for names in found.values() for name in names], dtype=np.int64)
    graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(len(number), len(number)))
    out: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return out


def _adjusted_rand(counts: NDArray[np.int64], real: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    def pairs(sizes: NDArray[np.int64]) -> float:
        return float((sizes * (sizes - 1) // 2).sum())

    every = pairs(np.array([real.sum()]))
    together, a, b = pairs(counts), pairs(real), pairs(predicted)
    expected, most = (a * b / every if every else 0.0), (a + b) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)
