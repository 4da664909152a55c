"""Read names of files from a list: one a line, or separated by NUL when the list holds one."""

import os
import sys

from twinpix.errors import UsageError, system_reason


def names_from(path: str) -> list[str]:
    """The names in the file `path`, or on standard input for `-`; empty lines are left out.

    Raises `UsageError` when the list cannot be read.
    """
    try:
        if path == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
    except OSError as error:
        raise UsageError(f"cannot read the list {path}: {system_reason(error)}") from None
    parts = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [os.fsdecode(part) for part in parts if part]
