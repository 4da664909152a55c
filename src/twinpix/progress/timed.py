"""Progress that adds up what each stage takes on this machine."""

import time

from twinpix.progress.base import Progress


class Timed(Progress):
    """Passes progress on to `shown`, and adds up the seconds and core seconds of each stage in this process.

    While a stage runs inside another one, the time counts for the inner one. The time outside all stages is that of
    the stage "".
    """

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._open = [""]
        self._seconds, self._cores = dict[str, float](), dict[str, float]()
        self._since = time.monotonic(), time.process_time()

    def start(self, stage: str, total: int) -> None:
        self._add()
        self._open.append(stage)
        self._shown.start(stage, total)

    def advance(self, steps: int = 1) -> None:
        self._shown.advance(steps)

    def finish(self) -> None:
        self._shown.finish()
        self._add()
        self._open.pop()

    def note(self, text: str) -> None:
        self._shown.note(text)

    def times(self) -> dict[str, tuple[float, float]]:
        """Return the seconds and the core seconds of each stage until now."""
        self._add()
        return {stage: (seconds, self._cores[stage]) for stage, seconds in self._seconds.items()}

    def _add(self) -> None:
        """Count the time since the last call for the stage that runs."""
        now, stage = (time.monotonic(), time.process_time()), self._open[-1]
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now[0] - self._since[0]
        self._cores[stage] = self._cores.get(stage, 0.0) + now[1] - self._since[1]
        self._since = now
