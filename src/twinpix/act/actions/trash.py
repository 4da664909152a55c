"""Move duplicates to the system trash.

Source: Send2Trash; The FreeDesktop.org Trash specification 1.0,
https://specifications.freedesktop.org/trash-spec/1.0/ (location of trashed files)
"""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from twinpix.act import filesystem
from twinpix.act.actions.base import Discarding, Scope, is_alike
from twinpix.act.steps import Step
from twinpix.errors import SkipKind, StepError, UsageError, system_reason


@dataclass(frozen=True, slots=True)
class Trash(Discarding):
    """Moves a file to the trash and locates it there, to verify it and for undo."""

    verb: ClassVar[str] = "trash"
    done: ClassVar[str] = "moved to the trash"

    def prepare(self, scope: Scope, *, apply: bool) -> None:
        if importlib.util.find_spec("send2trash") is None:
            raise UsageError("the trash needs the library Send2Trash: pip install 'twinpix[trash]'")

    def do(self, step: Step, guard: filesystem.Guard) -> None:
        from send2trash import send2trash

        if guard.is_doubtful(step.path, step.facts) or not _is_known():
            filesystem.prove(step.path, step.facts, step.staged, guard)
        before = set(_names(step))
        guard.note()
        try:
            send2trash(step.path)
        except OSError as error:
            why = system_reason(error)
            message = f"the trash refused it ({why}); move it to a folder instead"
            raise StepError(message, SkipKind.UNSUPPORTED) from None
        if os.path.lexists(step.path):
            raise StepError("still exists after it was moved to the trash", SkipKind.UNSUPPORTED)
        new = [place for place in _names(step) if place not in before]
        try:
            if new and not any(_is_it(place, step) for place in new):
                raise StepError("was changed or replaced during this step", SkipKind.CHANGED)
            guard.require(step.path, "")
        except StepError as error:
            self._put_back(new, step, error)
            raise

    def _put_back(self, new: list[str], step: Step, error: StepError) -> None:
        """Restore a file that was moved to the trash by mistake; it may be another file than that of the step."""
        try:
            place = new[0]
            now = filesystem.facts_at(place)
            staged = filesystem.beside(step.staged, place)
            filesystem.move_new(place, step.path, now, filesystem.digest_of(place, now), staged, filesystem.NOTHING)
        except (StepError, OSError, LookupError):
            raise StepError(f"{error}; restore it from the system trash", error.kind) from None
        _forget(place)

    def undo(self, step: Step) -> bool:
        place = _find(step)
        if os.path.lexists(step.path):
            now = filesystem.facts_at(step.path)
            if now.is_same_file(step.facts) or (place is None and is_alike(now, step.facts)):
                return False
            if place is None:
                raise StepError("another file has its name, and it is no longer in the trash", SkipKind.NAME_TAKEN)
            raise StepError(f"another file has its name; it is left at {place}", SkipKind.NAME_TAKEN)
        if place is None:
            hint = "is no longer in the trash" if _is_known() else "restore it from the system trash"
            raise StepError(hint, SkipKind.GONE)
        now = filesystem.facts_at(place)
        filesystem.make_room(step.path)
        staged = filesystem.beside(step.staged, place)
        filesystem.move_new(place, step.path, now, filesystem.digest_of(place, now), staged, filesystem.NOTHING)
        filesystem.dress(step.path, step.facts)
        _forget(place)
        return True


def _is_known() -> bool:
    """True if the layout of the trash is known on this system."""
    return sys.platform not in ("win32", "cygwin")


def _folders(path: str) -> list[str]:
    """Return the trash folders that may contain the file of this path."""
    if not _is_known():
        return []
    if sys.platform == "darwin":
        return [os.path.expanduser("~/.Trash")]
    top = os.path.realpath(os.path.dirname(path))  # a symbolic link may lead to another file system
    while not os.path.ismount(top) and top != os.path.dirname(top):
        top = os.path.dirname(top)
    places = [
        _home_trash(),
        os.path.join(top, f".Trash-{os.getuid()}"),
        os.path.join(top, ".Trash", str(os.getuid())),
    ]
    return [os.path.join(place, "files") for place in places]


def _home_trash() -> str:
    """Return the trash folder of the library, determined once."""
    try:
        from send2trash.plat_other import HOMETRASH

        return str(HOMETRASH)
    except ImportError:
        return os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "Trash")


def _names(step: Step) -> Iterator[str]:
    """Yield the files in the trash that may be the file of a step, the newest first."""
    stem, suffix = os.path.splitext(os.path.basename(step.path))
    for folder in _folders(step.path):
        names = [os.path.join(folder, os.path.basename(step.path))]
        while os.path.lexists(names[-1]) or os.path.lexists(_note_of(names[-1])):
            names.append(os.path.join(folder, f"{stem} {len(names)}{suffix}"))
        yield from filter(os.path.lexists, reversed(names))


def _find(step: Step) -> str | None:
    """Return the path of a step's file in the trash, under any name; None if it is not there."""
    if not _is_known():
        return None
    same = [place for place in _names(step) if _is_it(place, step)]
    for folder in _folders(step.path) if not same else ():
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            same += [entry.path for entry in entries if entry.inode() == step.facts.inode and _is_it(entry.path, step)]
    return min(same, key=lambda place: filesystem.facts_at(place)[:2] != step.facts[:2], default=None)


def _is_it(place: str, step: Step) -> bool:
    """True for the file itself, and for a copy of it from another file system."""
    try:
        now = filesystem.facts_at(place)
        if now.device == step.facts.device:
            return now.is_same_file(step.facts)
        return now[2:4] == step.facts[2:4] and (not step.digest or filesystem.digest_of(place, now) == step.digest)
    except StepError:
        return False


def _note_of(place: str) -> str:
    """Return the trash's record of the origin of a file."""
    folder, name = os.path.split(place)
    return os.path.join(os.path.dirname(folder), "info", f"{name}.trashinfo")


def _forget(place: str) -> None:
    """Remove the record of a file that is no longer in the trash."""
    with contextlib.suppress(OSError):
        os.unlink(_note_of(place))
