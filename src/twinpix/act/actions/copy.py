"""Copy keepers to another folder: one image of each group, and every image that is in no group."""

import contextlib
import os
from dataclasses import dataclass
from typing import ClassVar, Literal

from twinpix.act import filesystem
from twinpix.act.actions.base import Placing, holds
from twinpix.act.keepers import Keeper
from twinpix.act.steps import Step
from twinpix.errors import SkipKind, StepError


@dataclass(frozen=True, slots=True)
class Copy(Placing):
    """Copies keep their paths relative to the scanned folder; the originals are only read."""

    verb: ClassVar[str] = "copy"
    done: ClassVar[str] = "copied"
    on: ClassVar[Literal["discards", "kept"]] = "kept"
    leaves: ClassVar[bool] = False
    frees: ClassVar[bool] = False

    to: str

    def recover(self, step: Step) -> bool:
        filesystem.restore_name(step.path, step.target, step.staged)
        return os.path.lexists(step.target) and holds(step.target, step)

    def do(self, step: Step, guard: filesystem.Guard) -> None:
        filesystem.copy_new(os.path.realpath(step.path), step.target, step.facts, step.digest, step.staged)

    def undo(self, step: Step) -> bool:
        if not os.path.lexists(step.target):
            return False
        made = filesystem.facts_at(step.target)
        if not holds(step.target, step):
            raise StepError(f"its copy was changed since; it is left at {step.target}", SkipKind.CHANGED)
        try:
            original = filesystem.facts_at(os.path.realpath(step.path))
            if original[:2] == made[:2]:
                raise StepError("is the same file as its copy now", SkipKind.SAME_FILE)
            if not holds(os.path.realpath(step.path), step):
                raise StepError("was changed since", SkipKind.CHANGED)
            with contextlib.closing(Keeper(step.path, original, step.path)) as keeper:
                keeper.check(step.target, made, "", same=True)
                filesystem.remove(step.target, made, filesystem.beside(step.staged, step.target), keeper)
        except StepError as error:
            raise StepError(f"{error}; its copy is left at {step.target}", error.kind) from None
        return True
