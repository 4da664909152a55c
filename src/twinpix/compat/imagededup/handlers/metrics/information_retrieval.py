"""Metrics of ranked lists by their old names."""

from collections.abc import Mapping, Sequence
from typing import Any

from twinpix import evaluation
from twinpix.evaluation import Map


def avg_prec(correct_duplicates: Sequence[Any], retrieved_duplicates: Sequence[Any]) -> float:
    """The average precision of a ranked list, 0 to 1; 1 when both are empty, 0 when one is."""
    return evaluation.average_precision(correct_duplicates, retrieved_duplicates)


def ndcg(correct_duplicates: Sequence[Any], retrieved_duplicates: Sequence[Any]) -> float:
    """The normalised discounted cumulative gain of a ranked list, 0 to 1; see `avg_prec` for empty lists."""
    return evaluation.ndcg(correct_duplicates, retrieved_duplicates)


def jaccard_similarity(correct_duplicates: Sequence[Any], retrieved_duplicates: Sequence[Any]) -> float:
    """The share that both lists have of what either has; see `avg_prec` for empty lists."""
    return evaluation.jaccard(correct_duplicates, retrieved_duplicates)


METRICS = {"map": avg_prec, "ndcg": ndcg, "jaccard": jaccard_similarity}


def mean_metric(ground_truth: Mapping[str, Sequence[Any]], retrieved: Map, metric: str = "map") -> float:
    """The mean over the keys of `map`, `ndcg` or `jaccard`."""
    name = metric.lower()
    return evaluation.mean(evaluation.drop_scores(ground_truth), evaluation.drop_scores(retrieved), METRICS[name])


def get_all_metrics(ground_truth: Mapping[str, Sequence[Any]], retrieved: Map) -> dict[str, float]:
    """All three."""
    return {name: mean_metric(ground_truth, retrieved, name) for name in METRICS}
