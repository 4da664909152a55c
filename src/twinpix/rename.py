"""Rename a file without overwriting: atomically, if the file system supports it."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from functools import cache

_RESERVED = 0o600  # the mode of an empty file that reserves a name
_NOREPLACE, _AT_FDCWD, _EXCL = 1, -100, 4
_NOT_OFFERED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)


def rename_new(source: str, target: str) -> None:
    """Rename a file; raises `FileExistsError` if the target exists."""
    rename = _renamer()
    if rename is not None:
        number = rename(os.fsencode(source), os.fsencode(target))
        if not number:
            return
        if number not in _NOT_OFFERED:
            raise OSError(number, os.strerror(number), source, None, target)
    if sys.platform == "win32":
        os.rename(source, target)  # raises if the target exists
        return
    _rename_to_reserved(source, target)


def _rename_to_reserved(source: str, target: str) -> None:
    """Rename on a file system without an atomic rename that fails if the target exists: reserve the name first."""
    os.lstat(source)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _RESERVED))
    try:
        os.replace(source, target)
    except OSError:
        with contextlib.suppress(OSError):  # a rename may report an error although it succeeded
            if os.lstat(source) and not os.lstat(target).st_size:
                os.unlink(target)
        raise


@cache
def _renamer() -> Callable[[bytes, bytes], int] | None:
    """Return the system's rename without overwriting, as a function that returns an error number; None if missing."""
    import ctypes

    if os.name != "posix":
        return None
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform.startswith("linux") and hasattr(library, "renameat2"):
        renameat2 = library.renameat2
        renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)

        def on_linux(source: bytes, target: bytes) -> int:
            failed = renameat2(_AT_FDCWD, source, _AT_FDCWD, target, _NOREPLACE)
            return ctypes.get_errno() if failed else 0

        return on_linux
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        renamex = library.renamex_np
        renamex.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint)

        def on_mac(source: bytes, target: bytes) -> int:
            return ctypes.get_errno() if renamex(source, target, _EXCL) else 0

        return on_mac
    return None
