"""One run acts at a time: two, each with its own report, could each take what the other keeps."""

import contextlib
import os
from collections.abc import Iterator

from twinpix.errors import RefusedError, system_reason


@contextlib.contextmanager
def acting(*paths: str) -> Iterator[None]:
    """The time of an act: nobody else of this user acts, nor anybody on these files, which are made where they are not.

    Raises `RefusedError` at once when another process does.
    """
    with contextlib.ExitStack() as stack:
        for path in (_lock_path(), *paths):
            try:
                os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
                handle = _opened(path)
            except OSError as error:
                why = system_reason(error)
                raise RefusedError(f"cannot make sure that no other run acts ({path}: {why})") from None
            stack.callback(os.close, handle)
            if not _lock(handle):
                raise RefusedError("another twinpix is acting on files now: wait for it to end, then run this again")
        yield


def _opened(path: str) -> int:
    """For writing where that is allowed: some network file systems lock nothing else."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return os.open(path, os.O_RDONLY)


def _lock(handle: int) -> bool:
    if os.name == "nt":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_path() -> str:
    """The file that stands for all acting of this user."""
    import tempfile

    import platformdirs

    folder = platformdirs.user_state_dir("twinpix", appauthor=False)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:  # a user without a home
        folder = tempfile.gettempdir()
    return os.path.join(folder, f"twinpix-{getattr(os, 'getuid', int)()}.lock")
