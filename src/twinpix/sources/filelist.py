"""Read file names from a list, one per line, or separated by NUL if the list contains one."""

import os
import stat
import sys
from typing import IO

from twinpix.errors import UsageError, system_reason

_MOST_BYTES = 1 << 30  # largest list: ten million names of a hundred bytes
_LONGEST_NAME = 1 << 16  # bytes; no system has longer names
_MOST_EMPTY = 1 << 20  # bytes of line breaks or NUL without a name
_READ_BYTES = 1 << 20  # at once


def names_from(path: str) -> list[str]:
    """Return the names in the file `path`, or on standard input for `-`, without empty lines.

    Raises `UsageError` if the list cannot be read, is an endless device, has a line that is too long for a name, has
    more than 1 MB of line ends without a name, or is longer than 1 GB.
    """
    try:
        if path == "-":
            data = _read_bounded(sys.stdin.buffer, "on standard input")
        else:
            with open(path, "rb") as file:
                data = _read_bounded(file, path)
    except OSError as error:
        raise UsageError(f"cannot read the list {path}: {system_reason(error)}") from None
    parts = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [os.fsdecode(part) for part in parts if part]


def _read_bounded(file: IO[bytes], name: str) -> bytes:
    """Read the list; raises `UsageError` as soon as the data cannot be a list of names."""
    if _is_endless(file):
        raise UsageError(f"{name} is a device, not a list of file names")
    parts, size, empty, tail = list[bytes](), 0, 0, 0
    while part := file.read(_READ_BYTES):
        parts.append(part)
        size += len(part)
        lines = part.replace(b"\n", b"\0").split(b"\0")
        longest = max(tail + len(lines[0]), *map(len, lines))
        tail = len(lines[-1]) if len(lines) > 1 else longest
        empty = 0 if any(lines) else empty + len(part)
        if longest > _LONGEST_NAME:
            raise UsageError(
                f"the list {name} has a line of more than {_LONGEST_NAME >> 10} kB, which is no file name: "
                "give one name a line, or separate them by NUL"
            )
        if empty > _MOST_EMPTY:
            raise UsageError(f"the list {name} has no names, only line ends or NUL, in {_MOST_EMPTY >> 20} MB")
        if size > _MOST_BYTES:
            raise UsageError(f"the list {name} is longer than {_MOST_BYTES >> 30} GB: divide it")
    return b"".join(parts)


def _is_endless(file: IO[bytes]) -> bool:
    """True for a device that is neither a terminal nor the null device."""
    try:
        status = os.fstat(file.fileno())
    except (OSError, AttributeError):  # a replacement of standard input
        return False
    if not stat.S_ISCHR(status.st_mode) or file.isatty():
        return False
    return not os.path.samestat(status, os.stat(os.devnull))
