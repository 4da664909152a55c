"""The lock that lets one run at a time change files: two runs with two reports could remove each other's keepers.

This lock excludes runs of one user. Runs of two users, of two home folders or in two containers exclude each other file
by file (`twinpix.act.keepers`).
"""

import contextlib
import os
import stat
import threading
from collections.abc import Iterator

from twinpix.act import filesystem
from twinpix.errors import RefusedError, system_reason

_thread = threading.local()  # `holds`: whether this thread holds the lock


@contextlib.contextmanager
def acting(*paths: str) -> Iterator[None]:
    """Hold the lock that lets one run at a time change files; use it as a context manager.

    `apply` and `undo` take it by themselves, so it is only needed around several calls.

    Args:
        *paths: Further files to lock, e.g. the report; created if they do not exist.

    Raises:
        RefusedError: Another run of this user, or another run with one of these files, holds the lock, or a file cannot
            be opened.

    Example:
        >>> plan = twinpix.plan(twinpix.find("photos", store=None), "move:to=duplicates")
        >>> with twinpix.acting():
        ...     outcome = twinpix.apply(plan, "report.journal.jsonl")
        >>> outcome.done
        1
    """
    with contextlib.ExitStack() as stack:
        own = _lock_path()
        for path in filter(None, (own, *paths)):
            try:
                os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
                handle = _open(path, follow=path != own)
            except OSError as error:
                why = system_reason(error)
                raise RefusedError(f"cannot check that no other run is changing files ({path}: {why})") from None
            stack.callback(os.close, handle)
            if not _lock(handle):
                raise RefusedError(
                    "another run of twinpix is changing files: wait until it has ended, then run this again"
                )
        _thread.holds = True
        stack.callback(setattr, _thread, "holds", False)
        yield


def acting_once() -> contextlib.AbstractContextManager[None]:
    """Hold the lock of `acting`: that of the caller if this thread holds it, else a lock taken now."""
    return contextlib.nullcontext() if getattr(_thread, "holds", False) else acting()


def _open(path: str, *, follow: bool) -> int:
    """Open a file, for writing if allowed: some network file systems lock only writable files."""
    links = 0 if follow else getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | links, 0o600)
    except PermissionError:
        return os.open(path, os.O_RDONLY | links)


def _lock(handle: int) -> bool:
    if os.name == "nt":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    return filesystem.lock(handle, shared=False)


def _lock_path() -> str:
    """Return the path of this user's lock file; "" if there is no folder that only this user can write.

    In any other folder another user could hold the lock, or replace the file by a link.
    """
    import tempfile

    import platformdirs

    user = f"twinpix-{getattr(os, 'geteuid', int)()}"
    state = os.path.realpath(platformdirs.user_state_dir("twinpix", appauthor=False))
    for folder in (state, os.path.join(tempfile.gettempdir(), user)):
        with contextlib.suppress(OSError):  # a user without a home
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o700)
            if _is_own(folder):
                return os.path.join(folder, f"{user}.lock")
    return ""


def _is_own(folder: str) -> bool:
    """True for a folder of this user; removes the write permission of others."""
    if not hasattr(os, "geteuid"):
        return os.path.isdir(folder)
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        return False
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        os.chmod(folder, stat.S_IMODE(status.st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH))
    return os.access(folder, os.W_OK | os.X_OK)
