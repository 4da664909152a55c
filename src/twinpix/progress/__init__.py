"""Progress of a run: hidden, reported to a function or tqdm, or shown on the terminal."""

from twinpix.progress.base import Progress, Shares
from twinpix.progress.given import ProgressLike, progress_of

__all__ = ["Progress", "ProgressLike", "Shares", "progress_of"]
