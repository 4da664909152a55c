"""What the server works on: a run of `find` until its report is there, then the sitting with the report.

The server and the report need different libraries, which are imported at the same time: start-up is a feature.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twinpix.encoding.options import Options
from twinpix.errors import StoppedError, TwinpixError
from twinpix.progress import Progress

if TYPE_CHECKING:
    from twinpix.review.acts import Acts
    from twinpix.review.sitting import Sitting

_SHOWN_SECONDS = 2.0  # for which the page can ask why `find` failed, before the server ends


class NotReadyError(TwinpixError):
    """There is no report yet."""


class Finding(Progress):
    """The progress of a run of `find`, which the page asks for; ends the run at its next step when asked to."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._stopped = False
        self._stage = ""
        self._total = self._done = 0

    def stop(self) -> None:
        self._stopped = True

    def as_plain(self) -> dict[str, Any]:
        return {"stage": self._stage, "total": self._total, "done": self._done}

    def start(self, stage: str, total: int) -> None:
        self._go_on()
        self._stage, self._total, self._done = stage, total, 0
        self._shown.start(stage, total)

    def advance(self, steps: int = 1) -> None:
        self._go_on()
        self._done += steps
        self._shown.advance(steps)

    def finish(self) -> None:
        self._shown.finish()

    def note(self, text: str) -> None:
        self._shown.note(text)

    def _go_on(self) -> None:
        if self._stopped:
            raise StoppedError("stopped before there was a report")


class Desk:
    """The sitting of a server, which begins while the server starts; every method may be called by several threads."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._sitting: Sitting | None = None
        self._acts: Acts | None = None
        self._finding: Finding | None = None
        self._thread: threading.Thread | None = None
        self._asked = False
        self.error: Exception | None = None

    def begin(self, report: str | Callable[[Progress], str], shown: Progress, failed: Callable[[], None]) -> None:
        """Begin to read a report, or to make one with a run of `find`.

        `failed` is called after an error, some time later if the page may be asking for it.
        """
        finding = None if isinstance(report, str) else Finding(shown)

        def work() -> None:
            try:
                self._open(report if isinstance(report, str) else report(finding or shown))
            except Exception as error:  # noqa: BLE001 - the main thread raises it when the server has ended
                self.error = error
                threading.Timer(_SHOWN_SECONDS if self._asked else 0, failed).start()

        self._finding = finding
        self._thread = threading.Thread(target=work)
        self._thread.start()

    def _open(self, report: str) -> None:
        from twinpix.review.acts import Acts
        from twinpix.review.sitting import Sitting

        sitting = Sitting(report, self._options)
        self._acts = Acts(sitting)
        self._sitting = sitting

    @property
    def sitting(self) -> "Sitting":
        """The sitting; raises `NotReadyError` before it has begun."""
        if self._sitting is None:
            raise NotReadyError("the report is not there yet")
        return self._sitting

    @property
    def acts(self) -> "Acts":
        """The acts of the sitting; raises `NotReadyError` before it has begun."""
        if self._acts is None:
            raise NotReadyError("the report is not there yet")
        return self._acts

    def finding(self) -> dict[str, Any] | None:
        """Return what the page shows while there is no report, or None; waits for a report that is being read."""
        self._asked = True
        if self._finding is None and self._thread is not None:
            self._thread.join()
        if self._sitting is not None:
            return None
        progress = self._finding.as_plain() if self._finding else {"stage": "", "total": 0, "done": 0}
        return {**progress, "error": str(self.error) if self.error else ""}

    def close(self) -> None:
        """End the run of `find`, or the sitting when its last act has ended."""
        if self._finding is not None:
            self._finding.stop()
        if self._thread is not None:
            self._thread.join()
        if self._acts is not None:
            self._acts.wait()
        if self._sitting is not None:
            self._sitting.close()
