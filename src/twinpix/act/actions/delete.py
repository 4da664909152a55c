"""Delete duplicates permanently: the only action without undo."""

import os
from dataclasses import dataclass
from typing import ClassVar

from twinpix.act import filesystem
from twinpix.act.actions.base import Discarding
from twinpix.act.steps import Step
from twinpix.errors import SkipKind, StepError


@dataclass(frozen=True, slots=True)
class Delete(Discarding):
    """Deletes a file immediately after its keeper was read in full."""

    verb: ClassVar[str] = "delete"
    done: ClassVar[str] = "deleted"
    permanent: ClassVar[bool] = True

    def do(self, step: Step, guard: filesystem.Guard) -> None:
        filesystem.remove(step.path, step.facts, step.staged, guard)

    def undo(self, step: Step) -> bool:
        if os.path.lexists(step.path):
            return False
        raise StepError("was deleted permanently", SkipKind.PERMANENT)
