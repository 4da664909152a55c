"""imagededup's metrics, counted sparsely."""

from collections.abc import Mapping
from typing import Any

from twinpix import evaluation
from twinpix.compat.imagededup.handlers.metrics.classification import classification_metrics
from twinpix.compat.imagededup.handlers.metrics.information_retrieval import METRICS, get_all_metrics, mean_metric
from twinpix.evaluation import Map

_check_map_correctness = evaluation.check
_transpose_checker = evaluation.check_symmetry
_NAMES = (*METRICS, "classification", "all")


def evaluate(
    ground_truth_map: Map | None = None, retrieved_map: Map | None = None, metric: str = "all"
) -> Mapping[str, Any]:
    """Metrics of a retrieved map against the true one: `map`, `ndcg`, `jaccard`, `classification` or `all`.

    Precision, recall, F1 (as `f1_score` and `f1-score`) and support are arrays [not duplicate, duplicate].
    Raises `ValueError` for another metric or empty maps, and what `twinpix.evaluation.check` raises.
    """
    name = metric.lower()
    if name not in _NAMES:
        raise ValueError("Acceptable metrics are: " + ", ".join(repr(known) for known in _NAMES))
    truth, retrieved = evaluation.names_only(ground_truth_map or {}), evaluation.names_only(retrieved_map or {})
    evaluation.check(truth, retrieved)
    if name == "classification":
        return classification_metrics(truth, retrieved)
    if name == "all":
        return {**get_all_metrics(truth, retrieved), **classification_metrics(truth, retrieved)}
    return {name: mean_metric(truth, retrieved, name)}
