"""The interface of progress; the base class shows nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from twinpix.logs import logger


class Progress:
    """Receives the progress of a run; subclasses show it. Every method may be called often."""

    def start(self, stage: str, total: int) -> None:
        """Begin a stage with `total` steps (0: unknown): `list`, `compile`, `read`, `compare`, `verify` or `group`."""

    def advance(self, steps: int = 1) -> None:
        """Add completed steps of the stage."""

    def finish(self) -> None:
        """End the stage, also after an error."""

    def note(self, text: str) -> None:
        """Show a remark for the user."""

    @contextmanager
    def stage(self, name: str, total: int = 0) -> Iterator[None]:
        """Run a stage as a context manager, and log its time."""
        begun = time.monotonic()
        logger.debug("%s: %s", name, f"{total:,} steps" if total else "begins")
        self.start(name, total)
        try:
            yield
        finally:
            self.finish()
            steps = f"{total:,} in " if total else ""
            logger.info("%s: %s%.2f s", name, steps, time.monotonic() - begun)


class Shares:
    """Converts shares of completed work to steps of a stage.

    The work has `parts` successive parts; the share starts at 0 in each.
    """

    def __init__(self, progress: Progress, total: int, parts: int = 1) -> None:
        self._progress, self._total, self._parts = progress, total, parts
        self._part, self._share, self._reported = 0, 0.0, 0

    def __call__(self, share: float) -> None:
        if share < self._share:
            self._part = min(self._part + 1, self._parts - 1)
        self._share = share
        steps = int((self._part + share) / self._parts * self._total) - self._reported
        if steps > 0:
            self._reported += steps
            self._progress.advance(steps)
