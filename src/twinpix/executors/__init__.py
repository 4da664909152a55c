"""Where work runs: `local` maps a pure function over batches in processes of this machine."""

from twinpix.executors.batches import Batches
from twinpix.executors.local import Ask, Begin, Local, Lost

__all__ = ["Ask", "Batches", "Begin", "Local", "Lost"]
