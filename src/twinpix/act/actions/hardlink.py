"""Identical files become names of one file: their bytes are on the disk once."""

import errno
import os
from dataclasses import dataclass
from typing import ClassVar

from twinpix.act import filesystem
from twinpix.act.actions.base import GONE, Linking, LostError, holds, is_alike, is_untouched
from twinpix.errors import StepError
from twinpix.model import Step


@dataclass(frozen=True, slots=True)
class Hardlink(Linking):
    """Only on one file system. Afterwards a program that writes into one of the names writes into all."""

    verb: ClassVar[str] = "hardlink"
    done: ClassVar[str] = "hard-linked"

    def link(self, step: Step, name: str) -> None:
        try:
            os.link(os.path.realpath(step.keeper), name, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise StepError("is on another file system than what stays") from None
            raise
        if filesystem.look(name)[:2] != filesystem.look(os.path.realpath(step.keeper))[:2]:
            raise StepError("a hard link to what stays is not seen as the same file on this file system")

    def is_link(self, name: str, step: Step) -> bool:
        try:
            now = filesystem.look(name)
        except StepError:
            return False
        try:
            return now[:2] == filesystem.look(os.path.realpath(step.keeper))[:2]
        except StepError:  # what stays has another name by now
            return os.lstat(name).st_nlink > 1 and holds(name, step)

    def undo(self, step: Step) -> bool:
        """Needs no file but the link: it has the bytes, whatever the other names of the file are by now."""
        if not os.path.lexists(step.path):
            raise StepError(GONE)
        if is_untouched(step.path, step.facts):
            return False
        now = filesystem.look(step.path)
        if filesystem.digest_of(step.path, now) != step.digest:
            if self.is_link(step.path, step):
                raise LostError(f"what it was linked to, {step.keeper}, was edited since; the link is left as it is")
            raise StepError("was replaced since; it is left as it is")
        if os.lstat(step.path).st_nlink > 1:
            self.put_back(step, step.path)
        elif is_alike(now, step.facts) and now.mode == step.facts.mode:
            return False  # an undo that was killed had come so far
        else:
            filesystem.dress(step.path, step.facts)
        return True

    def _check(self, name: str, step: Step) -> None:
        if not self.is_link(name, step) and not holds(name, step):
            raise StepError("was replaced in this moment")
