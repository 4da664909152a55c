"""One run acts at a time: two, each with its own report, could each take what the other keeps.

Here the runs of one user exclude each other at their beginning. Runs of two users, of two homes or in two containers
do so file by file (`twinpix.act.keepers`).
"""

import contextlib
import os
import stat
from collections.abc import Iterator

from twinpix.act import filesystem
from twinpix.errors import RefusedError, system_reason


@contextlib.contextmanager
def acting(*paths: str) -> Iterator[None]:
    """The time of an act: nobody else of this user acts, nor anybody on these files, which are made where they are not.

    Raises `RefusedError` at once when another process does.
    """
    with contextlib.ExitStack() as stack:
        own = _lock_path()
        for path in filter(None, (own, *paths)):
            try:
                os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
                handle = _opened(path, follow=path != own)
            except OSError as error:
                why = system_reason(error)
                raise RefusedError(f"cannot make sure that no other run acts ({path}: {why})") from None
            stack.callback(os.close, handle)
            if not _lock(handle):
                raise RefusedError("another twinpix is acting on files now: wait for it to end, then run this again")
        yield


def _opened(path: str, *, follow: bool) -> int:
    """For writing where that is allowed: some network file systems lock nothing else."""
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
    """The file that stands for all acting of this user; "" where there is no folder that only this user can write.

    Elsewhere anybody could hold the lock, or put a link in its place.
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
    """True for a folder of this user; the right of others to write in it is taken away."""
    if not hasattr(os, "geteuid"):
        return os.path.isdir(folder)
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        return False
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        os.chmod(folder, stat.S_IMODE(status.st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH))
    return os.access(folder, os.W_OK | os.X_OK)
