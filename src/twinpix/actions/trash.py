"""Discards go to the system's trash.

Source: Send2Trash; The FreeDesktop.org Trash specification 1.0,
https://specifications.freedesktop.org/trash-spec/1.0/ (where a file lies afterwards)
"""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from twinpix import files
from twinpix.actions.base import Discarding, Scope
from twinpix.errors import StepError, UsageError
from twinpix.model import Facts, Step


@dataclass(frozen=True, slots=True)
class Trash(Discarding):
    """What was trashed is looked for in the trash at once, and when it is to be put back."""

    verb: ClassVar[str] = "trash"
    done: ClassVar[str] = "put in the trash"

    def prepare(self, scope: Scope, *, apply: bool) -> None:
        if importlib.util.find_spec("send2trash") is None:
            raise UsageError("the trash needs the library Send2Trash: pip install 'twinpix[trash]'")

    def do(self, step: Step) -> None:
        from send2trash import send2trash

        try:
            send2trash(step.path)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise StepError(f"the trash does not take it ({why}); --move DIR needs no trash") from None
        if os.path.lexists(step.path):
            raise StepError("is still there after it was put in the trash")
        if _is_known() and not any(_is_it(place, step.facts) for place in _guesses(step)):
            self._take_back(step)

    def _take_back(self, step: Step) -> None:
        """What was trashed is not the file that was checked: it goes back, unless it is found after all."""
        if _find(step) is not None:
            return
        for place in _guesses(step):
            if os.path.lexists(place):
                files.rename_new(place, step.path)
                _forget(place)
                raise StepError("was changed or replaced in this moment")
        raise StepError("was put in the trash, but is not found there")

    def undo(self, step: Step) -> bool:
        place = _find(step)
        if os.path.lexists(step.path):
            if place is None or files.look(step.path)[:2] == step.facts[:2]:
                return False
            raise StepError(f"another file has its name; it is left at {place}")
        if place is None:
            hint = "is not in the trash any more" if _is_known() else "put it back from the system's trash"
            raise StepError(hint)
        now = files.look(place)
        files.make_room(step.path)
        files.move_new(place, step.path, now, files.digest_of(place, now), files.beside(step.aside, place))
        files.dress(step.path, step.facts)
        _forget(place)
        return True


def _is_known() -> bool:
    """True where it is known how the trash keeps files."""
    return sys.platform not in ("win32", "cygwin")


def _folders(path: str) -> list[str]:
    """The folders in which the trash may keep a file of this path."""
    if sys.platform == "darwin":
        return [os.path.expanduser("~/.Trash")]
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    top = os.path.dirname(path)
    while not os.path.ismount(top) and top != os.path.dirname(top):
        top = os.path.dirname(top)
    places = [
        f"{data}/Trash",
        os.path.join(top, f".Trash-{os.getuid()}"),
        os.path.join(top, ".Trash", str(os.getuid())),
    ]
    return [os.path.join(place, "files") for place in places]


def _guesses(step: Step) -> Iterator[str]:
    """The names that the trash may have given a file, the likeliest first."""
    stem, suffix = os.path.splitext(os.path.basename(step.path))
    for folder in _folders(step.path):
        names = [os.path.join(folder, os.path.basename(step.path))]
        while os.path.lexists(names[-1]):
            names.append(os.path.join(folder, f"{stem} {len(names)}{suffix}"))
        yield from reversed(names)


def _find(step: Step) -> str | None:
    """Where the trash has the file: by its inode, or, copied from another file system, by its size and time."""
    if not _is_known():
        return None
    for place in _guesses(step):
        if _is_it(place, step.facts):
            return place
    for place in _guesses(step):
        with contextlib.suppress(StepError):
            now = files.look(place)
            if now[2:4] == step.facts[2:4] and (not step.digest or files.digest_of(place, now) == step.digest):
                return place
    for folder in _folders(step.path):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.inode() == step.facts.inode and _is_it(entry.path, step.facts):
                    return entry.path
    return None


def _is_it(place: str, facts: Facts) -> bool:
    try:
        return files.look(place).is_same_file(facts)
    except StepError:
        return False


def _forget(place: str) -> None:
    """Remove the trash's note of a file that is not in it any more."""
    folder, name = os.path.split(place)
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(os.path.dirname(folder), "info", f"{name}.trashinfo"))
