"""The few acts on a user's files, each of which overwrites nothing and loses nothing when it is broken off.

No other module renames, links, copies or removes a user's file. What an act meets and does not expect is
a `StepError`, and leaves the files as they were.
"""

import contextlib
import errno
import itertools
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from typing import Protocol

from twinpix.errors import StepError, system_reason
from twinpix.model import Facts
from twinpix.paths import free_name
from twinpix.rename import rename_new

PART, COPY, ASIDE = ".part", ".copy", ".aside"  # ends of the names that a file has while it is made, or before it goes
_BLOCK = 1 << 20
_RESERVED = 0o600  # the mode of an empty file that holds a name
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


class Guard(Protocol):
    """Watches over the file that stays while a duplicate of it goes (`twinpix.act.keepers`)."""

    def note(self) -> None:
        """Called immediately before the duplicate is renamed."""

    def require(self, path: str, now: str) -> None:
        """Called while the duplicate is named `now` instead of `path`; raises `StepError` unless the file that stays
        is unchanged and readable under its own name."""

    def is_doubtful(self, path: str, facts: Facts) -> bool:
        """True when the duplicate may be the file that stays, reached through another mount."""


class _Nothing:
    """The guard where no file has to stay."""

    def note(self) -> None:
        return

    def require(self, path: str, now: str) -> None:
        return

    def is_doubtful(self, path: str, facts: Facts) -> bool:
        return False


NOTHING: Guard = _Nothing()


# -- looking -------------------------------------------------------------------------------------------


def facts_of(status: os.stat_result) -> Facts:
    return Facts(
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_atime_ns,
        status.st_mode & 0o7777,
        status.st_uid,
        status.st_gid,
    )


def look(path: str) -> Facts:
    """The facts of a regular file; raises `StepError` when there is none by that name."""
    try:
        status = os.lstat(path)
    except OSError as error:
        raise StepError(why(error)) from None
    if not stat.S_ISREG(status.st_mode):
        raise StepError("is a symbolic link now" if stat.S_ISLNK(status.st_mode) else "is no regular file now")
    return facts_of(status)


def digest_of(path: str, facts: Facts) -> str:
    """The digest of a file's bytes, in hexadecimal; raises `StepError` when it is not the file of these facts."""
    handle = open_same(path, facts)
    try:
        return read_digest(handle, facts)
    finally:
        os.close(handle)


def open_same(path: str, facts: Facts) -> int:
    """A handle to read a file; raises `StepError` when it is not the file of these facts."""
    try:
        handle = os.open(path, _READ | _NO_LINKS)
    except OSError as error:
        raise StepError(why(error)) from None
    if facts_of(os.fstat(handle)).is_same_file(facts):
        return handle
    os.close(handle)
    raise StepError("changed in this moment")


def read_digest(handle: int, facts: Facts, twin: int | None = None) -> str:
    """The digest of an open file's bytes, read once; those of the handle `twin` must be the same.

    Equal digests prove nothing against files that were made to have them, so the bytes are compared where a file
    goes because another has the same. Raises `StepError` when the file changes meanwhile, or the bytes differ.
    """
    import xxhash

    try:
        if twin is not None:
            os.lseek(twin, 0, os.SEEK_SET)
        data = os.read(handle, min(facts.size + 1, _BLOCK))  # one more byte than there are: the end is seen
        _require_equal(data, twin)
        if len(data) < _BLOCK and len(data) == facts.size:
            return xxhash.xxh3_128_hexdigest(data)
        state = xxhash.xxh3_128(data)
        while data := os.read(handle, _BLOCK):
            _require_equal(data, twin)
            state.update(data)
        if not facts_of(os.fstat(handle)).is_same_file(facts):
            raise StepError("changed while it was read")
        return state.hexdigest()
    except OSError as error:
        raise StepError(why(error)) from None


def _require_equal(data: bytes, twin: int | None) -> None:
    """Raise `StepError` unless the next bytes of `twin` are these."""
    if twin is None:
        return
    other = os.read(twin, len(data))
    while len(other) < len(data) and (more := os.read(twin, len(data) - len(other))):
        other += more
    if other != data:
        raise StepError("has other bytes than what would stay")


def lock(handle: int, *, shared: bool) -> bool:
    """Lock an open file until its handle is closed; False when another process holds a lock against that.

    True also where the file system or the system has no such locks.
    """
    if os.name == "nt":  # locks of Windows keep others from reading
        return True
    import fcntl

    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def require_same(path: str, expected: Facts) -> None:
    """Raise `StepError` unless the file of that name is the one expected."""
    if not look(path).is_same_file(expected):
        raise StepError("was changed or replaced in this moment")


def why(error: OSError) -> str:
    """Why a file cannot be used, as the end of a sentence on it."""
    if error.errno == errno.ENOENT:
        return "is not there any more"
    if error.errno == errno.ELOOP:
        return "is a symbolic link now"
    return f"cannot be used: {system_reason(error)}"


def is_gone(path: str) -> bool:
    """True when there is no file of that name; False also when the file system does not answer."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


# -- names ---------------------------------------------------------------------------------------------


def beside(aside: str, path: str) -> str:
    """The name to set a file aside, in the folder of `path`."""
    return os.path.join(os.path.dirname(path), os.path.basename(aside))


def make_room(path: str) -> None:
    """Make the folder that a file goes back to."""
    os.makedirs(os.path.dirname(path), exist_ok=True)


def make_folders(path: str) -> Iterator[str]:
    """Make a folder and those above it; yields each, before it is made, that was not there."""
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for folder in reversed(missing):
        yield folder
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)


# -- contents ------------------------------------------------------------------------------------------


def move_new(source: str, target: str, facts: Facts, digest: str, aside: str, guard: Guard) -> None:
    """Give a file another name, on another file system too; raises `FileExistsError` when that is taken."""
    if guard.is_doubtful(source, facts):
        prove(source, facts, aside, guard)

    def check(name: str) -> None:
        require_same(name, facts)

    try:
        _rename_checked(source, target, check, guard)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    copy_new(source, target, facts, digest, aside)
    try:
        remove(source, facts, aside, guard)
    except (OSError, StepError) as error:
        _drop_copy(source, target, facts, digest, aside, error)
        raise


def prove(path: str, facts: Facts, aside: str, guard: Guard) -> None:
    """Raise `StepError` when a file is the one that stays: it gets another name for a moment."""
    old = aside + ASIDE
    _rename_checked(path, old, lambda name: require_same(name, facts), guard)
    rename_new(old, path)


def _drop_copy(source: str, target: str, facts: Facts, digest: str, aside: str, error: Exception) -> None:
    """After a file was copied and not removed: remove the copy, if the file is proven to be there, whole.

    An error does not prove that: network file systems may answer with one to what they have done.
    """
    try:
        if digest_of(source, facts) != (digest or digest_of(target, look(target))):
            raise StepError("its bytes changed")
        made = look(target)
        remove(target, made, beside(aside, target), _Source(source, facts))
    except (OSError, StepError):
        told = why(error) if isinstance(error, OSError) else str(error)
        raise StepError(f"{told}; a copy of it is at {target}") from None


class _Source(_Nothing):
    """The guard of the file that a copy was made of."""

    def __init__(self, path: str, facts: Facts) -> None:
        self._path, self._facts = path, facts

    def require(self, path: str, now: str) -> None:
        os.close(open_same(self._path, self._facts))


def _rename_checked(path: str, new: str, check: Callable[[str], None], guard: Guard) -> None:
    """Rename a file that `check` accepts under its new name; rename it back when that or `guard` refuses."""
    guard.note()
    try:
        rename_new(path, new)
    except FileExistsError:
        raise
    except OSError as error:  # network file systems may answer so to what they have done
        if not is_gone(path) or is_gone(new):
            raise
        try:
            check(new)
        except StepError:
            raise error from None
    try:
        check(new)
        guard.require(path, new)
    except StepError as error:
        try:
            rename_new(new, path)
        except OSError:
            raise StepError(f"{error}; what had its name is now {new}") from None
        raise


def copy_new(source: str, target: str, facts: Facts, digest: str, aside: str) -> None:
    """Copy a file with its times and modes; the new name is there when the copy is whole, checked and on the disk.

    `facts` are what the copy shall have. Raises `FileExistsError` when the new name is taken.
    """
    part = os.path.join(os.path.dirname(target), os.path.basename(aside) + PART)
    with _made(part):
        _copy_bytes(source, part)
        _dress(source, part, facts)
        check = digest or digest_of(source, look(source))
        if digest_of(part, look(part)) != check:
            raise StepError("its bytes changed while it was copied")
        rename_new(part, target)
    _sync_folder(os.path.dirname(target))


def _copy_bytes(source: str, part: str) -> None:
    with (
        os.fdopen(os.open(source, _READ | _NO_LINKS), "rb") as file,
        os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb") as new,
    ):
        shutil.copyfileobj(file, new, _BLOCK)
        new.flush()
        os.fsync(new.fileno())


def _dress(source: str, part: str, facts: Facts) -> None:
    """Give a copy what its original has: attributes as far as the file system takes them, owner, mode, times."""
    with contextlib.suppress(OSError):
        shutil.copystat(source, part, follow_symlinks=False)
    dress(part, facts)


def dress(path: str, facts: Facts) -> None:
    """Give a file these times, this mode and this owner, as far as its file system and its owner allow."""
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(path, facts.uid, facts.gid)
    with contextlib.suppress(OSError):
        os.chmod(path, facts.mode & ~(stat.S_ISUID | stat.S_ISGID))  # no text decides who a program runs as
    with contextlib.suppress(OSError):
        os.utime(path, ns=(facts.atime_ns, facts.mtime_ns))


def _sync_folder(folder: str) -> None:
    """A new name is on the disk, where the system offers that."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            handle = os.open(folder or os.curdir, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def remove(path: str, expected: Facts, aside: str, guard: Guard) -> None:
    """Remove a file for good, if it is the one expected and `guard` agrees: it gets another name first, so nobody can
    swap it then, and whoever looks at the file that stays sees whether that was another."""
    old = aside + ASIDE
    _rename_checked(path, old, lambda name: require_same(name, expected), guard)
    _unlink(old, path)


def _unlink(old: str, path: str) -> None:
    """Remove a file that was set aside; when that fails it has its name again."""
    try:
        os.unlink(old)
    except OSError:
        if is_gone(old):  # network file systems may answer with an error to what they have done
            return
        rename_new(old, path)
        raise


def swap(path: str, make: Callable[[str], None], check: Callable[[str], None], aside: str, guard: Guard) -> None:
    """Put what `make` makes, in a name given to it, in the place of what `check`, given a name of it, accepts."""
    part, old = aside + PART, aside + ASIDE
    with _made(part):
        make(part)
        _rename_checked(path, old, check, guard)
        try:
            rename_new(part, path)
        except OSError as error:
            other = free_name(path)
            rename_new(old, other)
            lost = "another file took its name in this moment" if error.errno == errno.EEXIST else why(error)
            raise StepError(f"{lost}; it is {other}" if other != path else lost) from None
        try:
            os.unlink(old)
        except OSError:
            if not is_gone(old):
                raise


@contextlib.contextmanager
def _made(part: str) -> Iterator[None]:
    """Whatever happens, nothing is left under a name of our own."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)  # of a run that was killed
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def recover(path: str, target: str, aside: str) -> None:
    """Mend what a killed run left of one step: no half copies, and the file back under its name.

    Raises `StepError` when the file cannot have its name back.
    """
    folders = {os.path.dirname(path), os.path.dirname(target or path)}
    for folder, end in itertools.product(folders, (PART, COPY + PART)):
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, os.path.basename(aside) + end))
    old = aside + ASIDE
    for name, other in ((old, path), (path, old), (target, path), (path, target)):
        _drop_reserved(name, other)
    if not os.path.lexists(old):
        return
    try:
        rename_new(old, path)
    except FileExistsError:
        _settle_pair(old, path)


def _drop_reserved(name: str, other: str) -> None:
    """The empty file of a rename that was killed after it had taken the name, and before it had moved the other."""
    with contextlib.suppress(StepError, OSError):
        facts = look(name)
        if (facts.size, facts.mode) == (0, _RESERVED) and os.stat(other).st_size:
            os.unlink(name)


def _settle_pair(old: str, path: str) -> None:
    """A file set aside whose name is taken: by its link, then it may go; else it gets a name beside it. A link to the
    file set aside itself is none that takes its place."""
    here, there = os.path.realpath(path), os.path.realpath(old)
    with contextlib.suppress(StepError):
        before, now = look(there), look(here)
        if here != there and now.size == before.size and digest_of(here, now) == digest_of(there, before):
            os.unlink(old)
            return
    other = free_name(path)
    rename_new(old, other)
    raise StepError(f"another file has its name; it is {other}")
