"""Where work runs: `local` maps a pure function over batches in processes of this machine."""

from twinpix.executors.batches import Batches, Given
from twinpix.executors.local import Local
from twinpix.executors.lost import Lost
from twinpix.executors.worker import Ask, Begin, Work

__all__ = ["Ask", "Batches", "Begin", "Given", "Local", "Lost", "Work"]
