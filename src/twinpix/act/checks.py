"""What is checked immediately before each step, whether a run begins or goes on in what a killed one left."""

import os
from collections.abc import Iterable, Sequence

from twinpix.act import filesystem
from twinpix.act.actions import Action
from twinpix.act.keepers import Keeper
from twinpix.errors import StepError
from twinpix.model import Stays, Step
from twinpix.text import printable


class Checks:
    """Holds the files that stay for the steps at hand, and compares each file that goes with them."""

    def __init__(self, action: Action, stays: Iterable[Stays]) -> None:
        self._action = action
        self._stays = {each.path: each for each in stays}
        self._held: dict[str, Keeper] = {}
        self._read: set[str] = set()  # files that stay and were read in full

    def begin(self, steps: Sequence[Step]) -> None:
        """Check steps that go together; what stays in their place is held until `end`. Raises `StepError`."""
        for step in steps:
            self._check(step)

    def end(self) -> None:
        for keeper in self._held.values():
            keeper.close()
        self._held.clear()

    def guard(self, step: Step) -> filesystem.Guard:
        """What watches over the file that stays in the place of a step that was checked."""
        return self._held.get(step.keeper, filesystem.NOTHING)

    def _check(self, step: Step) -> None:
        """The file is the one that was planned for, and the file that stays in its place is there and is read."""
        path = os.path.realpath(step.path) if self._action.on == "kept" else step.path  # what stays may be a link
        if not step.keeper:
            if not step.digest:
                filesystem.require_same(path, step.facts)
            elif filesystem.digest_of(path, step.facts) != step.digest:
                raise StepError("was changed since it was scanned: its bytes are others")
            return
        keeper, stays = self._keeper(step.keeper)
        same = stays.digest == step.digest
        if not same and step.keeper not in self._read:
            keeper.read(stays.digest)
        if step.digest or os.access(path, os.R_OK):  # a sidecar may go though it cannot be read
            keeper.check(path, step.facts, step.digest, same=same)
        else:
            filesystem.require_same(path, step.facts)
        self._read.add(step.keeper)

    def _keeper(self, path: str) -> tuple[Keeper, Stays]:
        stays = self._stays.get(path)
        if stays is None:
            raise StepError(f"it is not written down what {printable(path)} was, which would stay")
        if path not in self._held:
            self._held[path] = Keeper(path, stays.facts, printable(path))
        return self._held[path], stays
