"""Write output files completely or not at all, and never over a file that twinpix did not write.

An output replaces an earlier output of its own kind. Any other file at that path (a photo, a database, a text) is
refused unless the caller forces it. Every output follows a symbolic link and replaces its target.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, NamedTuple

from twinpix import rename
from twinpix.errors import OutputError, UsageError, system_reason

MARK = b"drawn by twinpix"  # in the metadata of every image that twinpix draws
_MARKED = 64 << 20  # bytes of an image in which the mark is searched; twinpix draws no larger images


class Kind(NamedTuple):
    """A kind of output: its name in messages, and a test whether an existing file is such an output of twinpix."""

    name: str
    is_ours: Callable[[IO[bytes]], bool]


def starts(name: str, *heads: bytes) -> Kind:
    """Return a kind of output that is recognised by its first bytes."""
    return Kind(name, lambda file: file.read(max(map(len, heads))).startswith(heads))


DRAWING = Kind("image drawn by twinpix", lambda file: MARK in file.read(_MARKED))
PAGE = Kind("page of twinpix", lambda file: b'<meta name="generator" content="twinpix">' in file.read(1 << 10))
UNMARKED = Kind("file of twinpix", lambda file: False)  # a list of names has no mark


def require(path: str, kind: Kind, *, force: bool = False) -> None:
    """Raise before the work what `write` would raise after it.

    Raises `OutputError` if the folder does not exist or the path is a folder, `UsageError` if the file exists and is no
    output of this kind, unless `force` is given.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise OutputError(f"cannot write {path}: there is no folder {folder}")
    if os.path.isdir(target):
        raise OutputError(f"cannot write {path}: it is a folder")
    if not force and os.path.isfile(target) and not _is_ours(target, kind):
        raise UsageError(
            f"{path} exists and is no {kind.name}: it is not replaced. Choose another name, or use the force option"
        )


def _is_ours(path: str, kind: Kind) -> bool:
    try:
        if not os.stat(path).st_size:
            return True  # the file is empty
        with open(path, "rb") as file:
            return kind.is_ours(file)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {system_reason(error)}") from None


def write(path: str, parts: Iterable[bytes], kind: Kind, *, force: bool = False) -> None:
    """Write a file completely; raises as `require` does, and `OutputError` if that fails: the old file stays."""
    with writing(path, kind, force=force) as file:
        file.writelines(parts)


@contextlib.contextmanager
def writing(path: str, kind: Kind, *, force: bool = False) -> Iterator[IO[bytes]]:
    """Open a new file that replaces `path` if the block ends without an error.

    Its temporary name is created exclusively and cannot be guessed. Pipes and devices are written to directly. Raises
    as `write` does.
    """
    require(path, kind, force=force)
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb", buffering=0) as file:  # /dev/stdout may be a link to a pipe, which has no other name
                yield file
            return
        yield from _replacing(os.path.realpath(path))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {system_reason(error)}; the existing file is unchanged") from None


def _replacing(target: str) -> Iterator[IO[bytes]]:
    before = os.stat(target) if os.path.exists(target) else None
    handle, temporary = tempfile.mkstemp(prefix=".twinpix-", dir=os.path.dirname(target))
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, before.st_mode & 0o777 if before else 0o666 & ~_umask())
        if before is None:
            rename.rename_new(temporary, target)  # a file that appeared meanwhile is not replaced
            return
        now = os.stat(target)
        if (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) != (
            *(before.st_dev, before.st_ino),
            *(before.st_size, before.st_mtime_ns),
        ):
            raise OutputError(f"{target} was changed by another program meanwhile: it is left as it is")
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
