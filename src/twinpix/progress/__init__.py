"""Progress of a run: hidden, reported to a function or tqdm, or shown on the terminal."""

from twinpix.progress.base import Progress, Shares
from twinpix.progress.given import ProgressLike, progress_of
from twinpix.progress.timed import Timed

__all__ = ["Progress", "ProgressLike", "Shares", "Timed", "progress_of"]
