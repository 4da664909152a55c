"""What an action offers, and what several of them share."""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple, Protocol, cast

from twinpix import mounts, plugins
from twinpix.act import filesystem
from twinpix.errors import RefusedError, StepError, system_reason
from twinpix.managed import in_library
from twinpix.model import Facts, Plan, Step
from twinpix.paths import above

_COARSEST_NS = 2_000_000_000


GONE = "is not there any more: if its folder was renamed, give it its old name, then run undo again"


class LostError(StepError):
    """A link leads to nothing that has its bytes; a file that has them can be given to `Linking.put_back`."""


class Scope(NamedTuple):
    """The folders that a report speaks of, absolute."""

    roots: list[str]
    references: list[str]


class Action(Protocol):
    """Acts on one file at a time and can take that back.

    `verb` and `done` tell of it (`move`, `moved`), `on` says which files it acts on, `identical` that they must
    have the same bytes as what stays, `sidecars` that what belongs to an image goes with it, `leaves` that a file
    is not at its place afterwards, `frees` that its bytes are free, `permanent` that there is no way back.
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
        """Raise `RefusedError` when it cannot be done here; nothing is touched unless `apply`."""

    def target(self, tree: str) -> str:
        """The absolute path that a file goes to, given its path within the scanned folders; "" for none."""

    def recover(self, step: Step) -> bool:
        """Mend what a killed run left of a step; True when the step had gone to its end. Raises `StepError` when the
        file cannot have its name back."""

    def do(self, step: Step, guard: filesystem.Guard) -> None:
        """Act, and ask `guard` before the file is gone for good. Raises `StepError` or `OSError`, and then the file is
        as it was; `FileExistsError` when the target's name is taken by now."""

    def undo(self, step: Step) -> bool:
        """Take it back; False when there is nothing to take back. Raises like `do`, and with what was changed
        since it touches nothing."""


def make(spec: str, options: Mapping[str, str] | None = None) -> Action:
    """The action that `"move:to=DIR"` describes, or of a name with its options apart, whatever is in them."""
    made = plugins.make("actions", spec) if options is None else plugins.build("actions", spec, options)
    return cast(Action, made)


def options_of(action: Action) -> dict[str, str]:
    """The options that make an action again."""
    return {name: str(getattr(action, name)) for name in plugins.options(type(action))}


def of(plan: Plan) -> Action:
    return make(plan.action, plan.options)


class Discarding:
    """What most actions on discards have in common."""

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
        filesystem.recover(step.path, step.target, step.aside)
        return not os.path.lexists(step.path)


class Placing(Discarding):
    """Files go to the folder `to`, each at its place in the tree."""

    sample: ClassVar[Mapping[str, str]] = {"to": "{folder}"}  # the options that tests make it with

    to: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "to", folder_named(self.to))

    def prepare(self, scope: Scope, *, apply: bool) -> None:
        Outside(scope).require(self.to)
        require_writable(self.to, apply=apply)

    def target(self, tree: str) -> str:
        return os.path.join(self.to, tree)


class Linking(Discarding, ABC):
    """A link, of whatever kind, to the file that stays takes the place of one with the same bytes."""

    identical: ClassVar[bool] = True
    sidecars: ClassVar[bool] = False
    leaves: ClassVar[bool] = False

    def recover(self, step: Step) -> bool:
        filesystem.recover(step.path, step.target, step.aside)
        return not is_untouched(step.path, step.facts) and self.is_link(step.path, step)

    @abstractmethod
    def link(self, step: Step, name: str) -> None:
        """Make the link to `step.keeper` under this name."""

    @abstractmethod
    def is_link(self, name: str, step: Step) -> bool:
        """True when what is there is the link that `link` made."""

    def do(self, step: Step, guard: filesystem.Guard) -> None:
        filesystem.swap(
            step.path,
            lambda part: self.link(step, part),
            lambda name: filesystem.require_same(name, step.facts),
            step.aside,
            guard,
        )

    def undo(self, step: Step) -> bool:
        if not os.path.lexists(step.path):
            raise StepError(GONE)
        if is_untouched(step.path, step.facts):
            return False
        if not self.is_link(step.path, step):
            if is_alike(filesystem.look(step.path), step.facts) and holds(step.path, step):
                return False  # an undo that was killed had come so far
            raise StepError("was replaced since; it is left as it is")
        original = os.path.realpath(step.path)
        try:
            edited = filesystem.digest_of(original, filesystem.look(original)) != step.digest
        except StepError as error:
            raise LostError(f"what it was linked to, {original}, {error}") from None
        if edited:
            raise LostError(f"what it was linked to, {original}, was edited since; the link is left as it is")
        self.put_back(step, original)
        return True

    def put_back(self, step: Step, original: str) -> None:
        """Replace the link by a file of its own with the bytes of another, which are those of the step's."""
        filesystem.swap(
            step.path,
            lambda part: copy(original, part, step),
            lambda name: self._check(name, step),
            step.aside,
            filesystem.NOTHING,
        )

    def _check(self, name: str, step: Step) -> None:
        if not self.is_link(name, step):
            raise StepError("was replaced in this moment")


def copy(original: str, name: str, step: Step) -> None:
    """A file of its own with the bytes of another and the times and modes of the step's."""
    filesystem.copy_new(original, name, step.facts, step.digest, step.aside + filesystem.COPY)


def is_untouched(path: str, facts: Facts) -> bool:
    """True when the file is there as it was before its step."""
    try:
        return filesystem.look(path).is_same_file(facts)
    except StepError:
        return False


def is_alike(now: Facts, facts: Facts) -> bool:
    """True when a file or a copy of it may be unchanged: file systems round times, to two seconds at most."""
    return now.size == facts.size and abs(now.mtime_ns - facts.mtime_ns) <= _COARSEST_NS


def holds(path: str, step: Step) -> bool:
    """True when a file has the bytes of the step's, or, where they are not known, its size and time."""
    now = filesystem.look(path)
    return filesystem.digest_of(path, now) == step.digest if step.digest else is_alike(now, step.facts)


def folder_named(name: str) -> str:
    """The absolute path of the folder that an action's option names; raises `ValueError` for no name."""
    if not name:
        raise ValueError("name a folder")
    return os.path.abspath(name)


class Outside:
    """Tells folders that a later run would scan, or that are read-only by their user's word, wherever links and mounts
    lead."""

    def __init__(self, scope: Scope) -> None:
        self._mounts = mounts.read()
        self._places: dict[str, str] = {}  # real paths
        self._identities: dict[tuple[int, int], str] = {}  # device and inode: a bind mount has another path
        self._in_file_systems: dict[tuple[str, str], str] = {}
        for root in (*scope.roots, *scope.references):
            told = f"the {'reference' if root in scope.references else 'scanned'} folder {root}"
            real = os.path.realpath(root)
            self._places[real] = self._in_file_systems[mounts.place(real, self._mounts)] = told
            if identity := _identity(real):
                self._identities[identity] = told

    def require(self, folder: str) -> None:
        """Raise `RefusedError` unless files that go to a folder get out of what is scanned."""
        real = os.path.realpath(folder)
        if in_library(real):
            raise RefusedError(f"{folder} lies in a library of another program: name a folder outside of it")
        device, within = mounts.place(real, self._mounts)
        found = next(filter(None, map(self._at, above(real))), None) or next(
            (told for at in above(within) if (told := self._in_file_systems.get((device, at)))), None
        )
        if found:
            raise RefusedError(f"{folder} lies in {found}: name a folder outside of it")

    def _at(self, path: str) -> str | None:
        if told := self._places.get(path):
            return told
        identity = _identity(path)
        return self._identities.get(identity) if identity else None


def _identity(path: str) -> tuple[int, int] | None:
    """A folder's device and inode; None where there is no folder, or no inode."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_ino and stat.S_ISDIR(status.st_mode) else None


def require_writable(folder: str, *, apply: bool) -> None:
    """Raise `RefusedError` when no file can be made in a folder, or, while it is not there, in the one above it.

    With `apply` that is tried.
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
