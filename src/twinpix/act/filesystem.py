"""The operations on a user's files; each overwrites nothing, and loses nothing when it is interrupted.

No other module renames, links, copies or removes a user's file. An unexpected state raises `StepError`, and leaves the
files unchanged.
"""

import contextlib
import errno
import itertools
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from typing import Protocol

from twinpix.act.steps import Facts
from twinpix.errors import SkipKind, StepError, system_reason
from twinpix.paths import free_name
from twinpix.rename import rename_new

PART, COPY, OLD = (
    ".part",
    ".copy",
    ".aside",
)  # suffixes of the temporary names of a file that is being made, or is about to be removed
_BLOCK = 1 << 20
_RESERVED = 0o600  # mode of an empty file that reserves a name
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


class Guard(Protocol):
    """Observes the keeper while a duplicate of it is removed (`twinpix.act.keepers`)."""

    def note(self) -> None:
        """Called immediately before the duplicate is renamed."""

    def require(self, path: str, now: str) -> None:
        """Called while the duplicate is named `now` instead of `path`.

        Raises `StepError` unless the keeper is unchanged and readable under its own name.
        """

    def is_doubtful(self, path: str, facts: Facts) -> bool:
        """True if the duplicate may be the keeper, reached through another mount."""


class _Nothing:
    """The guard if there is no keeper."""

    def note(self) -> None:
        return

    def require(self, path: str, now: str) -> None:
        return

    def is_doubtful(self, path: str, facts: Facts) -> bool:
        return False


NOTHING: Guard = _Nothing()


# -- reading --------------------------------------------------------------------------------------------


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


def facts_at(path: str) -> Facts:
    """Return the facts of a regular file; raises `StepError` if there is none by that name."""
    try:
        status = os.lstat(path)
    except OSError as error:
        raise unusable(error) from None
    if not stat.S_ISREG(status.st_mode):
        what = "is a symbolic link now" if stat.S_ISLNK(status.st_mode) else "is no regular file now"
        raise StepError(what, SkipKind.NO_FILE)
    return facts_of(status)


def digest_of(path: str, facts: Facts) -> str:
    """Return the digest of a file in hexadecimal; raises `StepError` if it is not the file of these facts."""
    handle = open_same(path, facts)
    try:
        return read_digest(handle, facts)
    finally:
        os.close(handle)


def open_same(path: str, facts: Facts) -> int:
    """Open a file for reading; raises `StepError` if it is not the file of these facts."""
    try:
        handle = os.open(path, _READ | _NO_LINKS)
    except OSError as error:
        raise unusable(error) from None
    if facts_of(os.fstat(handle)).is_same_file(facts):
        return handle
    os.close(handle)
    raise StepError("changed during this step", SkipKind.CHANGED)


def read_digest(handle: int, facts: Facts, twin: int | None = None) -> str:
    """Return the digest of an open file, read once; the bytes of the file `twin` must be equal.

    Digests can be forged, so bytes are compared if a file is removed because another one has the same. Raises
    `StepError` if the file changes meanwhile, or the bytes differ.
    """
    import xxhash

    try:
        if twin is not None:
            os.lseek(twin, 0, os.SEEK_SET)
        data = os.read(handle, min(facts.size + 1, _BLOCK))  # one more byte, to detect growth
        _require_equal(data, twin)
        if len(data) < _BLOCK and len(data) == facts.size:
            return xxhash.xxh3_128_hexdigest(data)
        state = xxhash.xxh3_128(data)
        while data := os.read(handle, _BLOCK):
            _require_equal(data, twin)
            state.update(data)
        if not facts_of(os.fstat(handle)).is_same_file(facts):
            raise StepError("changed while it was read", SkipKind.CHANGED)
        return state.hexdigest()
    except OSError as error:
        raise unusable(error) from None


def _require_equal(data: bytes, twin: int | None) -> None:
    """Raise `StepError` unless these are the next bytes of `twin`."""
    if twin is None:
        return
    other = os.read(twin, len(data))
    while len(other) < len(data) and (more := os.read(twin, len(data) - len(other))):
        other += more
    if other != data:
        raise StepError("has other bytes than the keeper", SkipKind.CHANGED)


def lock(handle: int, *, shared: bool) -> bool:
    """Lock an open file until it is closed; False if another process holds a conflicting lock.

    Also True if the file system or the operating system has no such locks.
    """
    if os.name == "nt":  # locks of Windows prevent others from reading
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
    """Raise `StepError` unless the file of that name is the expected one."""
    if not facts_at(path).is_same_file(expected):
        raise StepError("was changed or replaced during this step", SkipKind.CHANGED)


def unusable(error: OSError) -> StepError:
    """Return the error of a file that cannot be used, as the end of a sentence."""
    if error.errno == errno.ENOENT:
        return StepError("no longer exists", SkipKind.GONE)
    if error.errno == errno.ELOOP:
        return StepError("is a symbolic link now", SkipKind.NO_FILE)
    return StepError(f"cannot be used: {system_reason(error)}", SkipKind.SYSTEM)


def is_gone(path: str) -> bool:
    """True if there is no file of that name; False also if the file system gives an error."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


# -- names ---------------------------------------------------------------------------------------------


def beside(staged: str, path: str) -> str:
    """Return the temporary name of a file, in the folder of `path`."""
    return os.path.join(os.path.dirname(path), os.path.basename(staged))


def make_room(path: str) -> None:
    """Make the folder to which a file is restored."""
    os.makedirs(os.path.dirname(path), exist_ok=True)


def make_folders(path: str) -> Iterator[str]:
    """Make a folder and its parents; yields each new one before it is made."""
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for folder in reversed(missing):
        yield folder
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)


# -- contents ------------------------------------------------------------------------------------------


def move_new(source: str, target: str, facts: Facts, digest: str, staged: str, guard: Guard) -> None:
    """Rename a file, or move it to another file system; raises `FileExistsError` if the new name exists."""
    if guard.is_doubtful(source, facts):
        prove(source, facts, staged, guard)

    def check(name: str) -> None:
        require_same(name, facts)

    try:
        _rename_checked(source, target, check, guard)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    copy_new(source, target, facts, digest, staged)
    try:
        remove(source, facts, staged, guard)
    except (OSError, StepError) as error:
        _drop_copy(source, target, facts, digest, staged, error)
        raise


def prove(path: str, facts: Facts, staged: str, guard: Guard) -> None:
    """Raise `StepError` if a file is the keeper; it is renamed for a moment to find out."""
    old = staged + OLD
    _rename_checked(path, old, lambda name: require_same(name, facts), guard)
    rename_new(old, path)


def _drop_copy(source: str, target: str, facts: Facts, digest: str, staged: str, error: OSError | StepError) -> None:
    """After a file was copied and not removed: remove the copy, if the file is proven to be complete.

    An error does not prove that: network file systems may report one for an operation that they have done.
    """
    try:
        if digest_of(source, facts) != (digest or digest_of(target, facts_at(target))):
            raise StepError("its bytes changed", SkipKind.CHANGED)
        made = facts_at(target)
        remove(target, made, beside(staged, target), _Source(source, facts))
    except (OSError, StepError):
        failure = error if isinstance(error, StepError) else unusable(error)
        raise StepError(f"{failure}; a copy of it is at {target}", failure.kind) from None


class _Source(_Nothing):
    """The guard of a file that was copied: the copy may go only while the source is unchanged."""

    def __init__(self, path: str, facts: Facts) -> None:
        self._path, self._facts = path, facts

    def require(self, path: str, now: str) -> None:
        os.close(open_same(self._path, self._facts))


def _rename_checked(path: str, new: str, check: Callable[[str], None], guard: Guard) -> None:
    """Rename a file that `check` accepts under its new name; rename it back if that or `guard` refuses."""
    guard.note()
    try:
        rename_new(path, new)
    except FileExistsError:
        raise
    except OSError as error:  # network file systems may report this for an operation that they have done
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
            raise StepError(f"{error}; what had its name is now {new}", error.kind) from None
        raise


def copy_new(source: str, target: str, facts: Facts, digest: str, staged: str) -> None:
    """Copy a file with its times and modes; the new name exists once the copy is complete, checked and on disk.

    `facts` are those of the copy. Raises `FileExistsError` if the new name exists.
    """
    part = os.path.join(os.path.dirname(target), os.path.basename(staged) + PART)
    with _temporary_name(part):
        _copy_bytes(source, part)
        _dress(source, part, facts)
        check = digest or digest_of(source, facts_at(source))
        if digest_of(part, facts_at(part)) != check:
            raise StepError("its bytes changed while it was copied", SkipKind.CHANGED)
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
    """Copy the metadata of the original: extended attributes as far as possible, owner, mode, times."""
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
    """Flush a new name to disk, if the system offers that."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            handle = os.open(folder or os.curdir, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def remove(path: str, expected: Facts, staged: str, guard: Guard) -> None:
    """Delete a file permanently, if it is the expected one and `guard` agrees.

    It is renamed first, so that no other program can replace it, and the guard can check whether it was the keeper.
    """
    old = staged + OLD
    _rename_checked(path, old, lambda name: require_same(name, expected), guard)
    _unlink(old, path)


def _unlink(old: str, path: str) -> None:
    """Remove a file with a temporary name; restores its name if that fails."""
    try:
        os.unlink(old)
    except OSError:
        if is_gone(old):  # network file systems may report an error for an operation that they have done
            return
        rename_new(old, path)
        raise


def swap(path: str, make: Callable[[str], None], check: Callable[[str], None], staged: str, guard: Guard) -> None:
    """Replace the file that `check`, given a name of it, accepts by the file that `make` makes under a given name."""
    part, old = staged + PART, staged + OLD
    with _temporary_name(part):
        make(part)
        _rename_checked(path, old, check, guard)
        try:
            rename_new(part, path)
        except OSError as error:
            other = free_name(path)
            rename_new(old, other)
            lost = unusable(error)
            if error.errno == errno.EEXIST:
                lost = StepError("another file took its name during this step", SkipKind.NAME_TAKEN)
            raise StepError(f"{lost}; it is {other}" if other != path else str(lost), lost.kind) from None
        try:
            os.unlink(old)
        except OSError:
            if not is_gone(old):
                raise


@contextlib.contextmanager
def _temporary_name(part: str) -> Iterator[None]:
    """Remove the file with a temporary name at the end, also after an error."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)  # of a killed run
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def restore_name(path: str, target: str, staged: str) -> None:
    """Repair one step of a killed run: remove incomplete copies, and restore the name of the file.

    Raises `StepError` if the name cannot be restored.
    """
    folders = {os.path.dirname(path), os.path.dirname(target or path)}
    for folder, end in itertools.product(folders, (PART, COPY + PART)):
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, os.path.basename(staged) + end))
    old = staged + OLD
    for name, other in ((old, path), (path, old), (target, path), (path, target)):
        _drop_reserved(name, other)
    if not os.path.lexists(old):
        return
    try:
        rename_new(old, path)
    except FileExistsError:
        _settle_pair(old, path)


def _drop_reserved(name: str, other: str) -> None:
    """Return the empty file of a rename that was killed after it had reserved the name and before the move."""
    with contextlib.suppress(StepError, OSError):
        facts = facts_at(name)
        if (facts.size, facts.mode) == (0, _RESERVED) and os.stat(other).st_size:
            os.unlink(name)


def _settle_pair(old: str, path: str) -> None:
    """Restore a file with a temporary name whose name exists again.

    If its link has that name, the temporary file is removed, else it gets a numbered name. A link to the temporary file
    itself does not count as its link.
    """
    here, there = os.path.realpath(path), os.path.realpath(old)
    with contextlib.suppress(StepError):
        before, now = facts_at(there), facts_at(here)
        if here != there and now.size == before.size and digest_of(here, now) == digest_of(there, before):
            os.unlink(old)
            return
    other = free_name(path)
    rename_new(old, other)
    raise StepError(f"another file has its name; it is {other}", SkipKind.NAME_TAKEN)
