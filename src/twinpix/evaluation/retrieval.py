"""Metrics of ranked retrieval: each compares the lists of duplicates of one file; `mean` averages over files.

A metric is 1 if both lists are empty, and 0 if only one is.
"""

from collections.abc import Callable, Mapping, Sequence
from math import log2
from statistics import fmean

Metric = Callable[[Sequence[str], Sequence[str]], float]


def average_precision(truth: Sequence[str], retrieved: Sequence[str]) -> float:
    """Return the average precision: the sum of the precisions at the ranks of true files, over the number of these."""
    if not truth or not retrieved:
        return float(not truth and not retrieved)
    wanted = set(truth)
    hits, total = 0, 0.0
    for rank, name in enumerate(retrieved, start=1):
        if name in wanted:
            hits += 1
            total += hits / rank
    return total / len(truth)


def ndcg(truth: Sequence[str], retrieved: Sequence[str]) -> float:
    """Return the normalised discounted cumulative gain as imagededup defines it.

    The ideal list is the retrieved list in its best order, so missing files cost nothing; see `true_ndcg`.
    """
    if not truth or not retrieved:
        return float(not truth and not retrieved)
    gains = _gains(truth, retrieved)
    return _discounted_gain(gains) / (_discounted_gain(sorted(gains, reverse=True)) or 1.0)


def true_ndcg(truth: Sequence[str], retrieved: Sequence[str]) -> float:
    """Return the normalised discounted cumulative gain, whose ideal list has every true file first.

    Source: K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002,
    https://doi.org/10.1145/582415.582418
    """
    if not truth or not retrieved:
        return float(not truth and not retrieved)
    return _discounted_gain(_gains(truth, retrieved)) / _discounted_gain([1] * len(set(truth)))


def jaccard(truth: Sequence[str], retrieved: Sequence[str]) -> float:
    """Return the Jaccard index: the size of the intersection over that of the union."""
    if not truth or not retrieved:
        return float(not truth and not retrieved)
    a, b = set(truth), set(retrieved)
    return len(a & b) / len(a | b)


def mean(truth: Mapping[str, Sequence[str]], retrieved: Mapping[str, Sequence[str]], metric: Metric) -> float:
    """Return the mean of a metric over the files; both maps have the same keys."""
    return fmean(metric(names, retrieved[key]) for key, names in truth.items())


def _gains(truth: Sequence[str], retrieved: Sequence[str]) -> list[int]:
    wanted = set(truth)
    return [int(name in wanted) for name in retrieved]


def _discounted_gain(gains: Sequence[int]) -> float:
    return float(sum((2**gain - 1) / log2(place + 2) for place, gain in enumerate(gains) if gain))
