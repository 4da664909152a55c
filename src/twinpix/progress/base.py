"""How a run tells how far it is; the default tells nobody."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from twinpix.logs import logger


class Progress:
    """Override to show progress; every method may be called often."""

    def start(self, stage: str, total: int) -> None:
        """A stage begins that has `total` steps (0: not known): `list`, `read`, `compare` or `verify`."""

    def advance(self, steps: int = 1) -> None:
        """Some steps of the stage are done."""

    def finish(self) -> None:
        """The stage is done, or was broken off."""

    def note(self, text: str) -> None:
        """Something the user should know."""

    @contextmanager
    def stage(self, name: str, total: int = 0) -> Iterator[None]:
        """The time of a stage, however it ends."""
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
    """Called with the share of some work that is done, tells a stage of that many steps.

    The work has so many parts, one after the other, each of which begins anew with a small share.
    """

    def __init__(self, progress: Progress, total: int, parts: int = 1) -> None:
        self._progress, self._total, self._parts = progress, total, parts
        self._part, self._share, self._told = 0, 0.0, 0

    def __call__(self, share: float) -> None:
        if share < self._share:
            self._part = min(self._part + 1, self._parts - 1)
        self._share = share
        steps = int((self._part + share) / self._parts * self._total) - self._told
        if steps > 0:
            self._told += steps
            self._progress.advance(steps)
