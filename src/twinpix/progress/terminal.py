"""Progress on a terminal, with rate and remaining time."""

import sys
import time
from typing import Any

from twinpix.progress.base import Progress

_LABELS = {
    "list": "Listing files",
    "read": "Reading images",
    "compare": "Comparing images",
    "verify": "Verifying pairs",
    "group": "Grouping images",
    "undo": "Putting back",
    "move": "Moving",
    "trash": "Moving to the trash",
    "delete": "Deleting",
    "copy": "Copying",
    "hardlink": "Linking",
    "symlink": "Linking",
    "reflink": "Sharing bytes",
    "export": "Writing archives",
}
_COMPILING = "compiling loops, once after an installation: ten seconds to a minute"
_MANY = 20_000  # images; more take seconds to compare
_LINE_SECONDS = 30.0  # interval of progress lines without a terminal
_QUIET_SECONDS = 0.4  # seconds; shorter stages are not shown


quiet = False
"""Whether -q was given: only results and errors are printed."""


class LineProgress(Progress):
    """Prints notes, and two lines a minute during a long stage; for pipes and files."""

    def __init__(self) -> None:
        self._stage, self._total, self._done, self._since, self._reported = "", 0, 0, 0.0, 0.0

    def start(self, stage: str, total: int) -> None:
        self._stage, self._total, self._done = stage, total, 0
        self._since = self._reported = time.monotonic()
        if stage == "compile":
            self.note(_COMPILING)

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        now = time.monotonic()
        if now - self._reported >= _LINE_SECONDS:
            self._reported = now
            self.note(self._line(self._done / (now - self._since)))

    def _line(self, rate: float) -> str:
        """Return a line: `Reading images: 12,000 of 50,000, 340/s, 2 min left`."""
        line = f"{_LABELS.get(self._stage, self._stage)}: {self._done:,}"
        if not self._total:
            return f"{line}, {rate:,.0f}/s"
        left = max(0, self._total - self._done) / rate if rate else 0
        time_left = f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
        return f"{line} of {self._total:,}, {rate:,.0f}/s, {time_left} left"

    def note(self, text: str) -> None:
        print(f"twinpix: {text}", file=sys.stderr)


class TerminalProgress(LineProgress):
    """Shows a bar on stderr; rich is imported when a stage takes longer than 0.4 s."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None

    def start(self, stage: str, total: int) -> None:
        super().start(stage, total)
        if stage == "compare" and total > _MANY:  # the first progress value may take long: show the stage immediately
            self._bar = self._make()

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        if self._bar is not None:
            self._bar.advance(0, steps)
        elif time.monotonic() - self._since > _QUIET_SECONDS:
            self._bar = self._make()

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _make(self) -> Any:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            ProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Any) -> Text:
                return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="dim")

        bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(compact=True),
            TextColumn("left", style="dim"),
            console=Console(stderr=True),
            transient=True,
        )
        bar.start()
        bar.add_task(_LABELS.get(self._stage, self._stage), total=self._total or None, completed=self._done)
        return bar


def progress(verbose: bool = True) -> Progress:
    """Return progress for the terminal, lines for a pipe, or nothing if not `verbose` or with -q."""
    if not verbose or quiet:
        return Progress()
    return TerminalProgress() if sys.stderr.isatty() else LineProgress()
