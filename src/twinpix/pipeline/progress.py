"""How a run tells how far it is; the default tells nobody."""


class Progress:
    """Override to show progress; every method may be called often."""

    def start(self, stage: str, total: int) -> None:
        """A stage begins that has `total` steps (0: not known)."""

    def advance(self, steps: int = 1) -> None:
        """Some steps of the stage are done."""

    def finish(self) -> None:
        """The stage is done."""

    def note(self, text: str) -> None:
        """Something the user should know."""
