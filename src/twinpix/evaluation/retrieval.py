"""Metrics of ranked lists: for each file, how good is the list of its duplicates? Means over files.

Where both lists are empty a metric is 1, where one is, 0.
"""

from collections.abc import Callable, Mapping, Sequence
from math import log2
from statistics import fmean

Metric = Callable[[Sequence[str], Sequence[str]], float]


def average_precision(truth: Sequence[str], retrieved: Sequence[str]) -> float:
    """Σ over ranks k of a true file of the precision up to k, divided by the number of true files."""
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
    """Discounted gain over that of the same list in its best order, as imagededup has it.

    What is missing from the list costs nothing here; `true_ndcg` counts it.
    """
    if not truth or not retrieved:
        return float(not truth and not retrieved)
    gains = _gains(truth, retrieved)
    return _discounted(gains) / (_discounted(sorted(gains, reverse=True)) or 1.0)


def true_ndcg(truth: Sequence[str], retrieved: Sequence[str]) -> float:
    """Discounted gain over that of a list that holds every true file first.

    Source: K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002,
    https://doi.org/10.1145/582415.582418
    """
    if not truth or not retrieved:
        return float(not truth and not retrieved)
    return _discounted(_gains(truth, retrieved)) / _discounted([1] * len(set(truth)))


def jaccard(truth: Sequence[str], retrieved: Sequence[str]) -> float:
    """What is in both lists over what is in either."""
    if not truth or not retrieved:
        return float(not truth and not retrieved)
    a, b = set(truth), set(retrieved)
    return len(a & b) / len(a | b)


def mean(truth: Mapping[str, Sequence[str]], retrieved: Mapping[str, Sequence[str]], metric: Metric) -> float:
    """The mean of a metric over the files; both maps have the same keys."""
    return fmean(metric(names, retrieved[key]) for key, names in truth.items())


def _gains(truth: Sequence[str], retrieved: Sequence[str]) -> list[int]:
    wanted = set(truth)
    return [int(name in wanted) for name in retrieved]


def _discounted(gains: Sequence[int]) -> float:
    return float(sum((2**gain - 1) / log2(place + 2) for place, gain in enumerate(gains) if gain))
