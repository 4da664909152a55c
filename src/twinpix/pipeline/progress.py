"""How a run tells how far it is; the default tells nobody."""

from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Override to show progress; every method may be called often."""

    def start(self, stage: str, total: int) -> None:
        """A stage begins that has `total` steps (0: not known): `list`, `read` or `compare`."""

    def advance(self, steps: int = 1) -> None:
        """Some steps of the stage are done."""

    def finish(self) -> None:
        """The stage is done, or was broken off."""

    def note(self, text: str) -> None:
        """Something the user should know."""

    @contextmanager
    def stage(self, name: str, total: int = 0) -> Iterator[None]:
        """The time of a stage, however it ends."""
        self.start(name, total)
        try:
            yield
        finally:
            self.finish()
