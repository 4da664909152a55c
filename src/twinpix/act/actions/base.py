"""The interface of an action, and code that several actions share."""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple, Protocol, cast

from twinpix import mounts, plugins
from twinpix.act import filesystem
from twinpix.act.steps import Facts, Plan, Step
from twinpix.errors import RefusedError, SkipKind, StepError, system_reason
from twinpix.managed import in_library
from twinpix.paths import above

_COARSEST_NS = 2_000_000_000


GONE = "no longer exists: if its folder was renamed, rename it back, then run undo again"


class LostError(StepError):
    """A link no longer has the original bytes; `Linking.put_back` can restore them from another file."""


class Scope(NamedTuple):
    """The folders of a report, absolute."""

    roots: list[str]
    references: list[str]


class Action(Protocol):
    """An action on one file at a time, with its undo.

    `verb` and `done` name it (`move`, `moved`), `on` the files that it changes, `identical` that they must have the
    same bytes as the keeper, `sidecars` that companion files are moved with their image, `leaves` that the file is not
    at its place afterwards, `frees` that its space is freed, `permanent` that there is no undo.
    """

    verb: ClassVar[str]
    done: ClassVar[str]
    on: ClassVar[Literal["discards", "kept"]]
    identical: ClassVar[bool]
    sidecars: ClassVar[bool]
    leaves: ClassVar[bool]
    frees: ClassVar[bool]
    permanent: ClassVar[bool]

    def prepare(self, scope: Scope, *, apply: bool) -> None:
        """Raise `RefusedError` if the action is impossible here; changes nothing unless `apply`."""

    def target(self, tree: str) -> str:
        """Return the absolute target of a file, given its path within the scanned folders; "" for none."""

    def recover(self, step: Step) -> bool:
        """Repair what a killed run left of a step; True if the step was completed.

        Raises `StepError` if the name of the file cannot be restored.
        """

    def do(self, step: Step, guard: filesystem.Guard) -> None:
        """Do a step; calls `guard` before the file is removed.

        Raises `StepError` or `OSError` with the file unchanged; `FileExistsError` if the target exists by now.
        """

    def undo(self, step: Step) -> bool:
        """Undo a step; False if there is nothing to undo.

        Raises like `do`; a file that changed since is left alone.
        """


def make(spec: str, options: Mapping[str, str] | None = None) -> Action:
    """Make an action from `"move:to=DIR"`, or from a name and separate options, which may have any characters."""
    made = plugins.make("actions", spec) if options is None else plugins.build("actions", spec, options)
    return cast(Action, made)


def options_of(action: Action) -> dict[str, str]:
    """Return the options that make the same action again."""
    return {name: str(getattr(action, name)) for name in plugins.options(type(action))}


def of(plan: Plan) -> Action:
    return make(plan.action, plan.options)


class Discarding:
    """Default attributes and methods of actions on duplicates."""

    verb: ClassVar[str]
    done: ClassVar[str]
    on: ClassVar[Literal["discards", "kept"]] = "discards"
    identical: ClassVar[bool] = False
    sidecars: ClassVar[bool] = True
    leaves: ClassVar[bool] = True
    frees: ClassVar[bool] = True
    permanent: ClassVar[bool] = False

    def prepare(self, scope: Scope, *, apply: bool) -> None:
        return

    def target(self, tree: str) -> str:
        return ""

    def recover(self, step: Step) -> bool:
        filesystem.restore_name(step.path, step.target, step.staged)
        return not os.path.lexists(step.path)


class Placing(Discarding):
    """Base of actions with a target folder `to`; files keep their paths relative to the scanned folder."""

    sample: ClassVar[Mapping[str, str]] = {"to": "{folder}"}  # options for tests

    to: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "to", absolute_folder(self.to))

    def prepare(self, scope: Scope, *, apply: bool) -> None:
        Outside(scope).require(self.to)
        require_writable(self.to, apply=apply)

    def target(self, tree: str) -> str:
        return os.path.join(self.to, tree)


class Linking(Discarding, ABC):
    """Base of actions that replace duplicates by links to a keeper with the same bytes."""

    identical: ClassVar[bool] = True
    sidecars: ClassVar[bool] = False
    leaves: ClassVar[bool] = False

    def recover(self, step: Step) -> bool:
        filesystem.restore_name(step.path, step.target, step.staged)
        return not is_untouched(step.path, step.facts) and self.is_link(step.path, step)

    @abstractmethod
    def link(self, step: Step, name: str) -> None:
        """Make a link to `step.keeper` under this name."""

    @abstractmethod
    def is_link(self, name: str, step: Step) -> bool:
        """True if `name` is the link that `link` creates."""

    def do(self, step: Step, guard: filesystem.Guard) -> None:
        filesystem.swap(
            step.path,
            lambda part: self.link(step, part),
            lambda name: filesystem.require_same(name, step.facts),
            step.staged,
            guard,
        )

    def undo(self, step: Step) -> bool:
        if not os.path.lexists(step.path):
            raise StepError(GONE, SkipKind.GONE)
        if is_untouched(step.path, step.facts):
            return False
        if not self.is_link(step.path, step):
            if is_alike(filesystem.facts_at(step.path), step.facts) and holds(step.path, step):
                return False  # done by an undo that was killed
            raise StepError("was replaced since; it is left as it is", SkipKind.CHANGED)
        original = os.path.realpath(step.path)
        try:
            edited = filesystem.digest_of(original, filesystem.facts_at(original)) != step.digest
        except StepError as error:
            raise LostError(f"what it was linked to, {original}, {error}", SkipKind.KEEPER) from None
        if edited:
            why = f"what it was linked to, {original}, was edited since; the link is left as it is"
            raise LostError(why, SkipKind.KEEPER)
        self.put_back(step, original)
        return True

    def put_back(self, step: Step, original: str) -> None:
        """Replace the link by a separate file with the bytes of another file, which are those of the step."""
        filesystem.swap(
            step.path,
            lambda part: copy(original, part, step),
            lambda name: self._check(name, step),
            step.staged,
            filesystem.NOTHING,
        )

    def _check(self, name: str, step: Step) -> None:
        if not self.is_link(name, step):
            raise StepError("was replaced during this step", SkipKind.CHANGED)


def copy(original: str, name: str, step: Step) -> None:
    """Make a separate file with the bytes of another one and the times and modes of the step."""
    filesystem.copy_new(original, name, step.facts, step.digest, step.staged + filesystem.COPY)


def is_untouched(path: str, facts: Facts) -> bool:
    """True if the file is unchanged since before its step."""
    try:
        return filesystem.facts_at(path).is_same_file(facts)
    except StepError:
        return False


def is_alike(now: Facts, facts: Facts) -> bool:
    """True if a file or a copy of it may be unchanged: file systems round times, to two seconds at most."""
    return now.size == facts.size and abs(now.mtime_ns - facts.mtime_ns) <= _COARSEST_NS


def holds(path: str, step: Step) -> bool:
    """True if a file has the bytes of the step or, if they are unknown, its size and time."""
    now = filesystem.facts_at(path)
    return filesystem.digest_of(path, now) == step.digest if step.digest else is_alike(now, step.facts)


def absolute_folder(name: str) -> str:
    """Return the absolute path of the folder of an action's option; raises `ValueError` for an empty name."""
    if not name:
        raise ValueError("name a folder")
    if "://" in name:
        from twinpix.model import is_remote  # it imports numpy, which takes longer than to undo a few steps

        if is_remote(name):
            raise ValueError(f"{name} is no folder of this machine; twinpix resolve REPORT --move URL moves objects")
    return os.path.abspath(name)


class Outside:
    """Refuses target folders inside scanned or reference folders; links and mounts are resolved."""

    def __init__(self, scope: Scope) -> None:
        self._mounts = mounts.read()
        self._places: dict[str, str] = {}  # real paths
        self._identities: dict[tuple[int, int], str] = {}  # device and inode: a bind mount has another path
        self._in_file_systems: dict[tuple[str, str], str] = {}
        for root in (*scope.roots, *scope.references):
            description = f"the {'reference' if root in scope.references else 'scanned'} folder {root}"
            real = os.path.realpath(root)
            self._places[real] = self._in_file_systems[mounts.place(real, self._mounts)] = description
            if identity := _identity(real):
                self._identities[identity] = description

    def require(self, folder: str) -> None:
        """Raise `RefusedError` if a target folder is inside a scanned or reference folder."""
        real = os.path.realpath(folder)
        if in_library(real):
            raise RefusedError(f"{folder} is in a library of another program: name a folder outside of it")
        device, within = mounts.place(real, self._mounts)
        found = next(filter(None, map(self._at, above(real))), None) or next(
            (description for at in above(within) if (description := self._in_file_systems.get((device, at)))), None
        )
        if found:
            raise RefusedError(f"{folder} is inside {found}: name a folder outside of it")

    def _at(self, path: str) -> str | None:
        if description := self._places.get(path):
            return description
        identity = _identity(path)
        return self._identities.get(identity) if identity else None


def _identity(path: str) -> tuple[int, int] | None:
    """Return the device and inode of a folder; None if there is no folder, or no inode."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_ino and stat.S_ISDIR(status.st_mode) else None


def require_writable(folder: str, *, apply: bool) -> None:
    """Raise `RefusedError` if no file can be created in a folder or, if it does not exist, in its parent.

    With `apply`, a file is created and removed as a test.
    """
    there = next(filter(os.path.lexists, above(folder)))
    if not os.path.isdir(there):
        raise RefusedError(f"{there} is no folder: name another one than {folder}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise RefusedError(f"cannot write in {there}: name another folder than {folder}")
    if apply:
        _try(there, folder)


def _try(there: str, folder: str) -> None:
    name = os.path.join(there, f".twinpix-try-{os.getpid()}")
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.unlink(name)
    except OSError as error:
        raise RefusedError(f"cannot write in {folder}: {system_reason(error)}") from None
