"""All metrics of one comparison."""

from typing import NamedTuple

from twinpix.evaluation.groups import group_scores
from twinpix.evaluation.maps import Map, check, drop_scores
from twinpix.evaluation.pairs import pair_scores
from twinpix.evaluation.retrieval import average_precision, jaccard, mean, ndcg, true_ndcg


class Scores(NamedTuple):
    """Metrics of a retrieved map against the true one, each from 0 to 1; `adjusted_rand` from -1 to 1."""

    map: float
    ndcg: float  # as imagededup defines it
    true_ndcg: float
    jaccard: float
    precision: float  # of pairs
    recall: float
    f1: float
    b_cubed_precision: float
    b_cubed_recall: float
    b_cubed_f1: float
    adjusted_rand: float


def score(truth: Map, retrieved: Map) -> Scores:
    """Compare two maps with the same keys; raises like `check`. The time is linear in the number of relations."""
    real, predicted = drop_scores(truth), drop_scores(retrieved)
    check(real, predicted)
    pairs, groups = pair_scores(real, predicted), group_scores(real, predicted)
    return Scores(
        map=mean(real, predicted, average_precision),
        ndcg=mean(real, predicted, ndcg),
        true_ndcg=mean(real, predicted, true_ndcg),
        jaccard=mean(real, predicted, jaccard),
        **pairs._asdict(),
        **groups._asdict(),
    )
