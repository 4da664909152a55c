"""The metrics of imagededup, computed without a matrix of all pairs."""

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
    """Return metrics of a retrieved map against the ground truth: `map`, `ndcg`, `jaccard`, `classification` or `all`.

    Precision, recall, F1 (as `f1_score` and `f1-score`) and support are arrays [not duplicate, duplicate].
    Raises `ValueError` for an unknown metric or empty maps, `AttributeError` if a map is missing, and the errors of
    `twinpix.evaluation.check`.
    """
    name = metric.lower()
    if name not in _NAMES:
        raise ValueError("Acceptable metrics are: " + ", ".join(repr(known) for known in _NAMES))
    if ground_truth_map is None or retrieved_map is None:
        raise AttributeError("evaluate needs two maps: ground_truth_map and retrieved_map")
    truth, retrieved = evaluation.drop_scores(ground_truth_map), evaluation.drop_scores(retrieved_map)
    evaluation.check(truth, retrieved)
    if name == "classification":
        return _Scores(classification_metrics(truth, retrieved))
    if name == "all":
        return _Scores({**get_all_metrics(truth, retrieved), **classification_metrics(truth, retrieved)})
    return {name: mean_metric(truth, retrieved, metric=name)}


class _Scores(dict[str, Any]):
    """Scores by name; F1 is found as `f1_score` and, as in imagededup's README, as `f1-score`."""

    def __missing__(self, key: str) -> Any:
        if key == "f1-score":
            return self["f1_score"]
        raise KeyError(key)
