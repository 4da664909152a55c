"""Convert the values of the argument `progress`."""

from collections.abc import Callable
from typing import Any

from twinpix.errors import UsageError
from twinpix.progress.base import Progress

ProgressLike = Progress | bool | Callable[..., Any] | None
"""Accepted values of `progress`: see `progress_of`."""


class _FunctionProgress(Progress):
    """Calls a function with the stage, the number of completed steps and of all steps (0 if unknown)."""

    def __init__(self, on_progress: Callable[[str, int, int], object]) -> None:
        self._on_progress = on_progress
        self._stage, self._done, self._total = "", 0, 0

    def start(self, stage: str, total: int) -> None:
        self._stage, self._done, self._total = stage, 0, total
        self._on_progress(stage, 0, total)

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        self._on_progress(self._stage, self._done, self._total)


class _Bars(Progress):
    """Shows one bar of tqdm, or of a class with its interface, for each stage."""

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
    """Shows all stages in one bar of tqdm that the caller made and closes."""

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
    """Return the progress for an argument.

    None or False: no progress. True: bars on a terminal, lines elsewhere. A function: called with the stage, the number
    of completed steps and of all steps (0: unknown). The class tqdm, or a bar of it: progress is shown by tqdm. A
    `Progress`: returned unchanged. Raises `UsageError` for anything else.
    """
    if given is None or given is False:
        return Progress()
    if isinstance(given, Progress):
        return given
    if given is True:
        from twinpix.progress import terminal

        return terminal.progress()
    if isinstance(given, type) and hasattr(given, "update"):
        return _Bars(given)
    if hasattr(given, "update") and hasattr(given, "reset"):
        return _Bar(given)
    if callable(given) and not isinstance(given, type):
        return _FunctionProgress(given)
    raise UsageError(f"progress is True, a function of (stage, done, total), tqdm, or a Progress, not {given!r}")
