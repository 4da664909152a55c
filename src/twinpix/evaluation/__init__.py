"""Evaluation of methods: metrics against a ground truth, precision-recall curves, and recall on generated copies."""

from twinpix.evaluation.curve import Curve, curve
from twinpix.evaluation.groups import GroupScores, group_scores
from twinpix.evaluation.maps import Map, check, check_symmetry, contradiction_of, drop_scores
from twinpix.evaluation.pairs import PairScores, classification, pair_scores
from twinpix.evaluation.retrieval import average_precision, jaccard, mean, ndcg, true_ndcg
from twinpix.evaluation.scores import Scores, score
from twinpix.evaluation.truth import read_map, read_truth

__all__ = [
    "Curve",
    "GroupScores",
    "Map",
    "PairScores",
    "Scores",
    "average_precision",
    "check",
    "check_symmetry",
    "classification",
    "contradiction_of",
    "curve",
    "drop_scores",
    "group_scores",
    "jaccard",
    "mean",
    "ndcg",
    "pair_scores",
    "read_map",
    "read_truth",
    "score",
    "true_ndcg",
]
