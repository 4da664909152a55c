"""Move duplicates to another folder; they keep their paths relative to the scanned folder."""

import contextlib
import os
from dataclasses import dataclass
from typing import ClassVar

from twinpix.act import filesystem
from twinpix.act.actions.base import Placing, holds, is_alike
from twinpix.act.keepers import Keeper
from twinpix.act.steps import Facts, Step
from twinpix.errors import SkipKind, StepError


@dataclass(frozen=True, slots=True)
class Move(Placing):
    """Renames a file or, to another file system, copies and compares it before the original is removed."""

    verb: ClassVar[str] = "move"
    done: ClassVar[str] = "moved"

    to: str

    def do(self, step: Step, guard: filesystem.Guard) -> None:
        filesystem.move_new(step.path, step.target, step.facts, step.digest, step.staged, guard)

    def recover(self, step: Step) -> bool:
        filesystem.restore_name(step.path, step.target, step.staged)
        if os.path.lexists(step.path) and os.path.lexists(step.target):
            _drop_copy(step)
        return not os.path.lexists(step.path)

    def undo(self, step: Step) -> bool:
        if not os.path.lexists(step.target):
            if not os.path.lexists(step.path):
                raise StepError(f"is neither at its path nor at {step.target}", SkipKind.GONE)
            if not holds(step.path, step):
                why = f"another file has its name, and it is not at {step.target} any more"
                raise StepError(why, SkipKind.NAME_TAKEN)
            return False
        now = filesystem.facts_at(step.target)
        if not holds(step.target, step):
            raise StepError(f"was changed since; it is left at {step.target}", SkipKind.CHANGED)
        if os.path.lexists(step.path):
            _drop_rest(step)
            return True
        filesystem.make_room(step.path)
        staged = filesystem.beside(step.staged, step.target)
        filesystem.move_new(step.target, step.path, now, step.digest, staged, filesystem.NOTHING)
        filesystem.dress(step.path, step.facts)
        return True


def _drop_rest(step: Step) -> None:
    """Finish an undo that was killed after it copied the file from another file system: remove the moved file."""
    here, there = filesystem.facts_at(step.path), filesystem.facts_at(step.target)
    if here.device == there.device or not is_alike(here, there):
        raise StepError(f"another file has its name; it is left at {step.target}", SkipKind.NAME_TAKEN)
    try:
        _remove_second(step.target, there, step.path, here, filesystem.beside(step.staged, step.target))
    except StepError as error:
        why = f"another file has its name; it is left at {step.target} ({error})"
        raise StepError(why, SkipKind.NAME_TAKEN) from None
    filesystem.dress(step.path, step.facts)


def _drop_copy(step: Step) -> None:
    """Undo a step that was killed after it copied the file to another file system: remove the copy."""
    here, there = filesystem.facts_at(step.path), filesystem.facts_at(step.target)
    made = there.device != step.facts.device and is_alike(there, step.facts)
    if made and here.is_same_file(step.facts):
        with contextlib.suppress(StepError):
            _remove_second(step.target, there, step.path, here, filesystem.beside(step.staged, step.target))


def _remove_second(path: str, facts: Facts, first: str, first_facts: Facts, staged: str) -> None:
    """Remove the second of two files with the same bytes, if the first is proven to be another file."""
    with contextlib.closing(Keeper(first, first_facts, first)) as keeper:
        keeper.check(path, facts, "", same=True)
        filesystem.remove(path, facts, staged, keeper)
