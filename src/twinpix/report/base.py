"""What a writer offers, words for numbers, and a file that is replaced whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Protocol, cast

from twinpix import plugins
from twinpix.errors import OutputError
from twinpix.model import Match, Report


class Writer(Protocol):
    """Turns a report into text."""

    def parts(self, report: Report) -> Iterator[str]:
        """The text in parts that are made one by one: a report of a million images does not fill the memory."""


def writer(name: str) -> Writer:
    return cast(Writer, plugins.make("report", name))


def encoded(parts: Iterable[str]) -> Iterator[bytes]:
    """UTF-8 in which a file name's undecodable bytes are what they are on disk."""
    return (part.encode("utf-8", "surrogateescape") for part in parts)


def require_folder(path: str) -> None:
    """Raise `OutputError` when this file cannot be one, or has no folder: better said before the work than after."""
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise OutputError(f"cannot write {path}: there is no folder {folder}")
    if os.path.isdir(path):
        raise OutputError(f"cannot write {path}: it is a folder")


def write_file(path: str, parts: Iterable[bytes]) -> None:
    """Write a file whole: until all of it is on the disk, the old one stays, and it is what a link leads to.

    What is no regular file (a pipe, a device) is written to as it is.

    Raises `OutputError` when that is not possible; the old file is untouched then.
    """
    target, temporary = os.path.realpath(path), None
    folder = os.path.dirname(target)
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb", buffering=0) as file:  # /dev/stdout may lead to a pipe, which has no other name
                for part in parts:
                    file.write(part)
            return
        handle, temporary = tempfile.mkstemp(prefix=".twinpix-", dir=folder)
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            os.chmod(temporary, os.stat(target).st_mode & 0o777)
        else:
            os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; what was there before is untouched") from None
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def printable(path: str) -> str:
    """A path on one line: control characters and undecodable bytes escaped, the rest as it is."""
    if path.isprintable():
        return path
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in path)


def bytes_text(count: int) -> str:
    """`1.2 MB`: a size in decimal units."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{count} {'byte' if count == 1 else unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def differs(pair: Match, *, in_bits: bool) -> str:
    """How the second of a pair differs from the first, in words; `in_bits` as of the report."""
    if pair.relation.startswith("identical"):
        return pair.relation
    if pair.agrees is not None:
        return f"{pair.detail or pair.relation}, {pair.agrees:.0%} alike"
    return f"{pair.relation}, {apart(pair.distance, in_bits=in_bits)}"


def apart(distance: float, *, in_bits: bool) -> str:
    """How far two pictures of a report are from one another: `2 bits apart`, or `cosine 0.93`."""
    bits = in_bits and isinstance(distance, int)
    return f"{plural(int(distance), 'bit')} apart" if bits else f"cosine {1 - distance:.2f}"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 image`, `2 images`, `12,000 images`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
