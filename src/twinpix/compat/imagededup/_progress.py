"""Progress in percent on stderr, for terminals, notebooks and log files."""

import sys

from twinpix.progress import Progress

_LABELS = {"read": "Encoding images", "compare": "Comparing images"}


class Percent(Progress):
    """Shows one line per stage, and writes it again when the percentage changes."""

    def __init__(self) -> None:
        self._stage, self._total, self._done, self._shown = "", 0, 0, -1

    def start(self, stage: str, total: int) -> None:
        self._stage, self._total, self._done, self._shown = stage, total, 0, -1
        self._show()

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        self._show()

    def finish(self) -> None:
        _write("\n")

    def settle(self, stage: str, total: int) -> None:
        """Show 100 % for a stage that did not start, because all of its results were in the store."""
        if self._shown < 0:
            self.start(stage, total)
            self.advance(total)
            self.finish()

    def note(self, text: str) -> None:
        _write(f"\ntwinpix: {text}\n")

    def _show(self) -> None:
        share = 100 * self._done // self._total if self._total else 100  # an empty stage is complete
        if share != self._shown:
            self._shown = share
            label = _LABELS.get(self._stage, self._stage)
            _write(f"\r{label}: {share}% {self._done:,}/{self._total:,}")


def _write(text: str) -> None:
    if sys.stderr is not None:  # None in a program without a console
        sys.stderr.write(text)
        sys.stderr.flush()


class Silent(Progress):
    """No progress, for `verbose=False`."""

    def settle(self, stage: str, total: int) -> None:
        """Show nothing."""


def progress(verbose: object) -> Percent | Silent:
    """Return progress in percent if `verbose`, otherwise progress that shows nothing."""
    return Percent() if verbose else Silent()
