"""Precision, recall and F1 of pairs by their imagededup name."""

from typing import Any

from twinpix import evaluation
from twinpix.evaluation import Map


def classification_metrics(ground_truth: Map, retrieved: Map) -> dict[str, Any]:
    """Return arrays [not duplicate, duplicate] over all unordered pairs of keys."""
    return evaluation.classification(evaluation.drop_scores(ground_truth), evaluation.drop_scores(retrieved))
