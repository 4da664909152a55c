"""How a run tells how far it is: to nobody, to a function, to tqdm, or on the terminal."""

from twinpix.progress.base import Progress, Shares
from twinpix.progress.given import ProgressLike, progress_of

__all__ = ["Progress", "ProgressLike", "Shares", "progress_of"]
