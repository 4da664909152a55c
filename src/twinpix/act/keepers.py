"""A keeper, held open and locked while a duplicate of it is removed.

Two paths may lead to one file: through an overlay and its upper folder, a union mount and its branch, bindfs, one
network export mounted twice. Device and inode numbers prove nothing, because such file systems invent their own. So the
file is observed: while the duplicate has a temporary name, the keeper must be readable and unchanged under its own
name. The same observation prevents two runs with opposite reports from removing both files: each renames its duplicate
before it checks, so at least one of them finds its keeper missing.
"""

import os
import unicodedata

from twinpix.act import filesystem
from twinpix.act.steps import Facts
from twinpix.errors import SkipKind, StepError

_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class Keeper:
    """A keeper, which must remain readable under its name; implements `filesystem.Guard`.

    Until it is closed it holds a shared lock on the file. A run that removes that file requests an exclusive one, so
    runs with opposite reports exclude each other whoever starts them, and nothing is left behind.
    """

    def __init__(self, path: str, facts: Facts, called: str) -> None:
        """Open and lock it; `called` is its name in messages. Raises `StepError` if it is not the expected file."""
        self.facts = facts
        self._path, self._called = path, called
        self._real = os.path.realpath(path) if os.path.islink(path) else path
        self._flags = _OPEN if self._real != path else _OPEN | getattr(os, "O_NOFOLLOW", 0)
        self._folder, name = os.path.split(self._real)
        self._name = _key(name)
        self._changed_ns = 0
        try:
            self.handle = filesystem.open_same(self._real, facts)
        except StepError as error:
            raise self._keeper_error(error) from None
        if not filesystem.lock(self.handle, shared=True):
            self.close()
            raise self._keeper_error("is being removed by another run")

    def close(self) -> None:
        os.close(self.handle)

    def read(self, digest: str) -> None:
        """Read it in full; raises `StepError` if its bytes have another digest."""
        os.lseek(self.handle, 0, os.SEEK_SET)
        try:
            read = filesystem.read_digest(self.handle, self.facts)
        except StepError as error:
            raise self._keeper_error(error) from None
        if read != digest:
            raise self._keeper_error("has other bytes than when it was scanned")

    def check(self, path: str, facts: Facts, digest: str, *, same: bool) -> None:
        """Raise `StepError` unless a duplicate's bytes have this digest and, with `same`, are those of the keeper.

        Also raises it if another run keeps the duplicate. Without `digest` and `same`, the bytes are not read.
        """
        if facts[:2] == self.facts[:2]:
            raise StepError(f"is another name of {self._called}", SkipKind.SAME_FILE)
        handle = filesystem.open_same(path, facts)
        try:
            if not filesystem.lock(handle, shared=False):
                raise StepError("is the keeper of another run", SkipKind.IN_USE)
            if digest or same:
                read = filesystem.read_digest(handle, facts, self.handle if same else None)
                if digest and read != digest:
                    raise StepError("was changed since it was scanned: its bytes differ", SkipKind.CHANGED)
        finally:
            os.close(handle)

    # -- the guard

    def note(self) -> None:
        self._changed_ns = os.fstat(self.handle).st_ctime_ns

    def require(self, path: str, now: str) -> None:
        try:
            self._require_there()
        except StepError as error:
            raise self._keeper_error(error) from None
        if self._is_seen(path, now):
            why = f"is the same file as the keeper, {self._called}, under another path"
            raise StepError(why, SkipKind.SAME_FILE)

    def _require_there(self) -> None:
        try:
            handle = os.open(self._path, self._flags)
            try:
                status = os.fstat(handle)
                os.read(handle, 1)
            finally:
                os.close(handle)
        except FileNotFoundError:
            why = "does not exist while this file is renamed: both may be one file, under another path"
            raise StepError(why, SkipKind.GONE) from None
        except OSError as error:
            raise filesystem.unusable(error) from None
        if not filesystem.facts_of(status).is_same_file(self.facts) or status.st_ctime_ns != self._changed_ns:
            raise StepError("was changed during this step", SkipKind.CHANGED)

    def is_doubtful(self, path: str, facts: Facts) -> bool:
        return facts.device != self.facts.device and _key(os.path.basename(path)) == self._name

    def _is_seen(self, path: str, now: str) -> bool:
        """True if the temporary name of a duplicate appears in the folder of the keeper.

        Caches of network file systems may show a removed name for a while; none shows a new name too early.
        """
        before, name = os.path.split(path)
        folder, new = os.path.split(now)
        if folder == self._folder or folder != before or _key(name) != self._name:
            return False
        return os.path.lexists(os.path.join(self._folder, new))

    def _keeper_error(self, why: object) -> StepError:
        """Return an error that names the file."""
        return StepError(f"the keeper, {self._called}, {why}", SkipKind.KEEPER)


def _key(name: str) -> str:
    """Return a key; two names with one key may be one name on some file system."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()
