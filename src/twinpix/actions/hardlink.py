"""Identical files become names of one file: their bytes are on the disk once."""

import errno
import os
from dataclasses import dataclass
from typing import ClassVar

from twinpix import files
from twinpix.actions.base import Linking
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
        if files.look(name)[:2] != files.look(os.path.realpath(step.keeper))[:2]:
            raise StepError("what stays was replaced in this moment")

    def is_link(self, name: str, step: Step) -> bool:
        try:
            return files.look(name)[:2] == files.look(os.path.realpath(step.keeper))[:2]
        except StepError:
            return False
