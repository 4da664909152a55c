"""How a run tells how far it is; the default tells nobody."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twinpix.errors import UsageError
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


ProgressLike = Progress | bool | Callable[..., Any] | None
"""What may be given as `progress`: see `progress_of`."""


class _Told(Progress):
    """Calls a function with the stage, the steps done and their number, 0 where that is not known."""

    def __init__(self, tell: Callable[[str, int, int], object]) -> None:
        self._tell = tell
        self._stage, self._done, self._total = "", 0, 0

    def start(self, stage: str, total: int) -> None:
        self._stage, self._done, self._total = stage, 0, total
        self._tell(stage, 0, total)

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        self._tell(self._stage, self._done, self._total)


class _Bars(Progress):
    """A bar of tqdm, or of what looks like it, for each stage."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make
        self._bar: Any = None

    def start(self, stage: str, total: int) -> None:
        self._bar = self._make(total=total or None, desc=stage)

    def advance(self, steps: int = 1) -> None:
        self._bar.update(steps)

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Bar(Progress):
    """One bar of tqdm that its owner made and closes, begun anew for each stage."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def start(self, stage: str, total: int) -> None:
        self._bar.reset(total=total or None)
        self._bar.set_description(stage)

    def advance(self, steps: int = 1) -> None:
        self._bar.update(steps)

    def finish(self) -> None:
        self._bar.refresh()


def progress_of(given: ProgressLike) -> Progress:
    """The progress that a caller asked for.

    None or False: none. True: bars on a terminal, lines elsewhere. A function: called with the stage, the steps done
    and their number (0: not known). tqdm, the class or a bar: shown by it. A `Progress`: as it is.
    Raises `UsageError` for anything else.
    """
    if given is None or given is False:
        return Progress()
    if isinstance(given, Progress):
        return given
    if given is True:
        from twinpix.pipeline import terminal

        return terminal.progress()
    if isinstance(given, type) and hasattr(given, "update"):
        return _Bars(given)
    if hasattr(given, "update") and hasattr(given, "reset"):
        return _Bar(given)
    if callable(given) and not isinstance(given, type):
        return _Told(given)
    raise UsageError(f"progress is True, a function of (stage, done, total), tqdm, or a Progress, not {given!r}")


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
