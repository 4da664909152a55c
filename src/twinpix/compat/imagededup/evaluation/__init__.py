"""Metrics of a result against a ground truth."""

from twinpix.compat.imagededup.evaluation.evaluation import evaluate

__all__ = ["evaluate"]
