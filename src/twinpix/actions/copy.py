"""What stays is copied to another folder: one image of each group, and every image that is in none."""

import os
from dataclasses import dataclass
from typing import ClassVar, Literal

from twinpix import files
from twinpix.actions.base import Discarding, Scope, require_outside, require_writable
from twinpix.errors import StepError
from twinpix.model import Step


@dataclass(frozen=True, slots=True)
class Copy(Discarding):
    """Each at its place in the tree; the originals are only read."""

    verb: ClassVar[str] = "copy"
    done: ClassVar[str] = "copied"
    on: ClassVar[Literal["discards", "kept"]] = "kept"
    leaves: ClassVar[bool] = False
    frees: ClassVar[bool] = False

    to: str

    def prepare(self, scope: Scope, *, apply: bool) -> None:
        require_outside(self.to, scope)
        require_writable(self.to, apply=apply)

    def target(self, tree: str) -> str:
        return os.path.join(self.to, tree)

    def recover(self, step: Step) -> bool:
        files.recover(step.path, step.target, step.aside)
        return os.path.lexists(step.target) and self._is_as_made(step)

    def do(self, step: Step) -> None:
        files.copy_new(step.path, step.target, step.facts, step.digest, step.aside)

    def undo(self, step: Step) -> bool:
        if not os.path.lexists(step.target):
            return False
        if not self._is_as_made(step):
            raise StepError(f"its copy was changed since; it is left at {step.target}")
        if not os.path.lexists(step.path):
            raise StepError(f"is not there any more; its copy is left at {step.target}")
        files.remove(step.target, files.look(step.target), files.beside(step.aside, step.target))
        return True

    def _is_as_made(self, step: Step) -> bool:
        now = files.look(step.target)
        if step.digest:
            return files.digest_of(step.target, now) == step.digest
        return now[2:4] == step.facts[2:4]
