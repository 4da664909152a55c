"""Metrics of ranked lists by their old names."""

from collections.abc import Mapping, Sequence
from typing import Any

from twinpix import evaluation
from twinpix.evaluation import Map, ndcg
from twinpix.evaluation import average_precision as avg_prec
from twinpix.evaluation import jaccard as jaccard_similarity

METRICS = {"map": avg_prec, "ndcg": ndcg, "jaccard": jaccard_similarity}

__all__ = ["METRICS", "avg_prec", "get_all_metrics", "jaccard_similarity", "mean_metric", "ndcg"]


def mean_metric(ground_truth: Mapping[str, Sequence[Any]], retrieved: Map, metric: str = "map") -> float:
    """The mean over the keys of `map`, `ndcg` or `jaccard`."""
    name = metric.lower()
    return evaluation.mean(evaluation.names_only(ground_truth), evaluation.names_only(retrieved), METRICS[name])


def get_all_metrics(ground_truth: Mapping[str, Sequence[Any]], retrieved: Map) -> dict[str, float]:
    """All three."""
    return {name: mean_metric(ground_truth, retrieved, name) for name in METRICS}
