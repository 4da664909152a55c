"""How good a result is."""

from twinpix.compat.imagededup.evaluation.evaluation import evaluate

__all__ = ["evaluate"]
