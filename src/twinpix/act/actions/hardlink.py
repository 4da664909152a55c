"""Replace identical files by hard links: their bytes are stored once."""

import errno
import os
from dataclasses import dataclass
from typing import ClassVar

from twinpix.act import filesystem
from twinpix.act.actions.base import GONE, Linking, LostError, holds, is_alike, is_untouched
from twinpix.act.steps import Step
from twinpix.errors import SkipKind, StepError


@dataclass(frozen=True, slots=True)
class Hardlink(Linking):
    """Links only within one file system. A write through one of the names changes all of them."""

    verb: ClassVar[str] = "hardlink"
    done: ClassVar[str] = "hard-linked"

    def link(self, step: Step, name: str) -> None:
        try:
            os.link(os.path.realpath(step.keeper), name, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise StepError("is on another file system than the keeper", SkipKind.UNSUPPORTED) from None
            raise
        if filesystem.facts_at(name)[:2] != filesystem.facts_at(os.path.realpath(step.keeper))[:2]:
            why = "this file system does not report a hard link to the keeper as the same file"
            raise StepError(why, SkipKind.UNSUPPORTED)

    def is_link(self, name: str, step: Step) -> bool:
        try:
            now = filesystem.facts_at(name)
        except StepError:
            return False
        try:
            return now[:2] == filesystem.facts_at(os.path.realpath(step.keeper))[:2]
        except StepError:  # the keeper has been renamed
            return os.lstat(name).st_nlink > 1 and holds(name, step)

    def undo(self, step: Step) -> bool:
        """Undo from the link alone: it has the bytes, even if the keeper was renamed."""
        if not os.path.lexists(step.path):
            raise StepError(GONE, SkipKind.GONE)
        if is_untouched(step.path, step.facts):
            return False
        now = filesystem.facts_at(step.path)
        if filesystem.digest_of(step.path, now) != step.digest:
            if self.is_link(step.path, step):
                why = f"what it was linked to, {step.keeper}, was edited since; the link is left as it is"
                raise LostError(why, SkipKind.KEEPER)
            raise StepError("was replaced since; it is left as it is", SkipKind.CHANGED)
        if os.lstat(step.path).st_nlink > 1:
            self.put_back(step, step.path)
        elif is_alike(now, step.facts) and now.mode == step.facts.mode:
            return False  # done by an undo that was killed
        else:
            filesystem.dress(step.path, step.facts)
        return True

    def _check(self, name: str, step: Step) -> None:
        if not self.is_link(name, step) and not holds(name, step):
            raise StepError("was replaced during this step", SkipKind.CHANGED)
