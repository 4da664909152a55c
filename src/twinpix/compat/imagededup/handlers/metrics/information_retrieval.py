"""Metrics of ranked lists by their imagededup names."""

from collections.abc import Mapping, Sequence
from typing import Any

from twinpix import evaluation
from twinpix.evaluation import Map


def avg_prec(correct_duplicates: Sequence[Any], retrieved_duplicates: Sequence[Any]) -> float:
    """Return the average precision of a ranked list, 0 to 1; 1 if both lists are empty, 0 if one is."""
    return evaluation.average_precision(correct_duplicates, retrieved_duplicates)


def ndcg(correct_duplicates: Sequence[Any], retrieved_duplicates: Sequence[Any]) -> float:
    """Return the normalised discounted cumulative gain of a ranked list, 0 to 1; see `avg_prec` for empty lists."""
    return evaluation.ndcg(correct_duplicates, retrieved_duplicates)


def jaccard_similarity(correct_duplicates: Sequence[Any], retrieved_duplicates: Sequence[Any]) -> float:
    """Return the Jaccard index of two lists, intersection over union; see `avg_prec` for empty lists."""
    return evaluation.jaccard(correct_duplicates, retrieved_duplicates)


METRICS = {"map": avg_prec, "ndcg": ndcg, "jaccard": jaccard_similarity}


def mean_metric(ground_truth: Mapping[str, Sequence[Any]], retrieved: Map, metric: str = "map") -> float:
    """Return the mean of `map`, `ndcg` or `jaccard` over the keys."""
    name = metric.lower()
    return evaluation.mean(evaluation.drop_scores(ground_truth), evaluation.drop_scores(retrieved), METRICS[name])


def get_all_metrics(ground_truth: Mapping[str, Sequence[Any]], retrieved: Map) -> dict[str, float]:
    """Return the means of `map`, `ndcg` and `jaccard`."""
    return {name: mean_metric(ground_truth, retrieved, name) for name in METRICS}
