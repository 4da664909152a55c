"""Replace identical files by symbolic links to the keeper."""

import os
from dataclasses import dataclass
from typing import ClassVar

from twinpix.act.actions.base import Linking
from twinpix.act.steps import Step
from twinpix.errors import SkipKind, StepError


@dataclass(frozen=True, slots=True)
class Symlink(Linking):
    """Creates relative links, which remain valid if the folders are moved together."""

    verb: ClassVar[str] = "symlink"
    done: ClassVar[str] = "symlinked"

    def link(self, step: Step, name: str) -> None:
        os.symlink(_way(step), name)
        try:
            leads = os.path.samefile(name, step.keeper)
        except OSError:
            leads = False
        if not leads:
            raise StepError("a symbolic link in its folder would not lead to the keeper", SkipKind.UNSUPPORTED)

    def is_link(self, name: str, step: Step) -> bool:
        return os.path.islink(name) and os.readlink(name) == _way(step)


def _way(step: Step) -> str:
    try:
        return os.path.relpath(os.path.realpath(step.keeper), os.path.realpath(os.path.dirname(step.path)))
    except ValueError:  # on another drive
        return step.keeper
