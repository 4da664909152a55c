"""The checks immediately before each step, in a new run and in one that continues a killed one."""

import os
from collections.abc import Iterable, Sequence

from twinpix.act import filesystem
from twinpix.act.actions import Action
from twinpix.act.keepers import Keeper
from twinpix.act.steps import Kept, Step
from twinpix.errors import SkipKind, StepError
from twinpix.text import printable


class Checks:
    """Holds the keepers of the current steps, and compares each duplicate with its keeper."""

    def __init__(self, action: Action, kept: Iterable[Kept]) -> None:
        self._action = action
        self._kept = {each.path: each for each in kept}
        self._held: dict[str, Keeper] = {}
        self._read: set[str] = set()  # keepers that were read in full

    def begin(self, steps: Sequence[Step]) -> None:
        """Check the steps of a unit; their keepers are held until `end`. Raises `StepError`."""
        for step in steps:
            self._check(step)

    def end(self) -> None:
        for keeper in self._held.values():
            keeper.close()
        self._held.clear()

    def guard(self, step: Step) -> filesystem.Guard:
        """Return the guard of the keeper of a checked step."""
        return self._held.get(step.keeper, filesystem.NOTHING)

    def _check(self, step: Step) -> None:
        """Check that the file is the planned one, and that its keeper exists and is readable."""
        path = (
            os.path.realpath(step.path) if self._action.on == "kept" else step.path
        )  # a keeper may be a symbolic link
        if not step.keeper:
            if not step.digest:
                filesystem.require_same(path, step.facts)
            elif filesystem.digest_of(path, step.facts) != step.digest:
                raise StepError("was changed since it was scanned: its bytes differ", SkipKind.CHANGED)
            return
        keeper, kept = self._keeper(step.keeper)
        same = kept.digest == step.digest
        if not same and step.keeper not in self._read:
            keeper.read(kept.digest)
        if step.digest or os.access(path, os.R_OK):  # a companion file may be moved though it cannot be read
            keeper.check(path, step.facts, step.digest, same=same)
        else:
            filesystem.require_same(path, step.facts)
        self._read.add(step.keeper)

    def _keeper(self, path: str) -> tuple[Keeper, Kept]:
        kept = self._kept.get(path)
        if kept is None:
            why = f"it is not written down what {printable(path)} was, which would stay"
            raise StepError(why, SkipKind.NOT_RECORDED)
        if path not in self._held:
            self._held[path] = Keeper(path, kept.facts, printable(path))
        return self._held[path], kept
