"""Let identical files share their data blocks until one of them is written to (Btrfs, XFS, APFS, bcachefs)."""

import os
import sys
from dataclasses import dataclass
from typing import ClassVar

from twinpix.act import filesystem
from twinpix.act.actions.base import Linking
from twinpix.act.steps import Step
from twinpix.errors import SkipKind, StepError, system_reason

_FICLONE = 0x40049409  # of linux/fs.h


@dataclass(frozen=True, slots=True)
class Reflink(Linking):
    """Each file keeps its times and mode, and can be edited independently."""

    verb: ClassVar[str] = "reflink"
    done: ClassVar[str] = "made to share bytes"

    def link(self, step: Step, name: str) -> None:
        try:
            _clone(step.keeper, name)
        except OSError as error:
            why = system_reason(error)
            message = f"its file system cannot share the bytes of two files ({why})"
            raise StepError(message, SkipKind.UNSUPPORTED) from None
        filesystem.dress(name, step.facts)
        if filesystem.digest_of(name, filesystem.facts_at(name)) != step.digest:
            raise StepError("the keeper was changed during this step", SkipKind.KEEPER)

    def is_link(self, name: str, step: Step) -> bool:
        try:
            now = filesystem.facts_at(name)
            return now[2:4] == step.facts[2:4] and filesystem.digest_of(name, now) == step.digest
        except StepError:
            return False


def _clone(source: str, name: str) -> None:
    """Make a file that shares the data blocks of another one; raises `OSError` if that is impossible."""
    if sys.platform == "darwin":
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
        if library.clonefile(os.fsencode(source), os.fsencode(name), 0):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    elif sys.platform.startswith("linux"):
        import fcntl

        with open(source, "rb") as old, open(name, "xb") as new:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
    else:
        raise OSError("not offered on this system")
