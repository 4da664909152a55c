"""Discards are moved to another folder, each at its place in the tree."""

import os
from dataclasses import dataclass
from typing import ClassVar

from twinpix import files
from twinpix.actions.base import Placing, holds, is_alike
from twinpix.errors import StepError
from twinpix.model import Step


@dataclass(frozen=True, slots=True)
class Move(Placing):
    """Renamed where that is possible; on another file system copied, compared and only then removed."""

    verb: ClassVar[str] = "move"
    done: ClassVar[str] = "moved"

    to: str

    def do(self, step: Step) -> None:
        files.move_new(step.path, step.target, step.facts, step.digest, step.aside)

    def recover(self, step: Step) -> bool:
        files.recover(step.path, step.target, step.aside)
        if os.path.lexists(step.path) and os.path.lexists(step.target):
            _drop_copy(step)
        return not os.path.lexists(step.path)

    def undo(self, step: Step) -> bool:
        if not os.path.lexists(step.target):
            if not os.path.lexists(step.path):
                raise StepError(f"is neither there nor at {step.target}")
            if not holds(step.path, step):
                raise StepError(f"another file has its name, and it is not at {step.target} any more")
            return False
        now = files.look(step.target)
        if not holds(step.target, step):
            raise StepError(f"was changed since; it is left at {step.target}")
        if os.path.lexists(step.path):
            _drop_rest(step)
            return True
        files.make_room(step.path)
        files.move_new(step.target, step.path, now, step.digest, files.beside(step.aside, step.target))
        files.dress(step.path, step.facts)
        return True


def _drop_rest(step: Step) -> None:
    """After an undo that was killed between copying from another file system and removing: the rest goes."""
    here, there = files.look(step.path), files.look(step.target)
    copied = here.device != there.device and is_alike(here, there)
    if not copied or files.digest_of(step.path, here) != files.digest_of(step.target, there):
        raise StepError(f"another file has its name; it is left at {step.target}")
    files.remove(step.target, there, files.beside(step.aside, step.target))
    files.dress(step.path, step.facts)


def _drop_copy(step: Step) -> None:
    """A run that was killed between copying to another file system and removing left both: the copy goes."""
    here, there = files.look(step.path), files.look(step.target)
    made = there.device != step.facts.device and is_alike(there, step.facts)
    if (
        made
        and here.is_same_file(step.facts)
        and files.digest_of(step.target, there) == files.digest_of(step.path, here)
    ):
        os.unlink(step.target)
