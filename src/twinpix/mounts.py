"""Locate paths in their file systems, so that two mounts of one folder are recognised."""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

_TABLE = "/proc/self/mountinfo"  # Linux only; on other systems mounts are unknown
_ESCAPED = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """One line of the mount table."""

    point: str  # the mount point
    device: str  # "major:minor"
    root: str  # the mounted folder, as a path in its file system


def read() -> list[Mount]:
    """Return the mounts, longest path first, the last mount of a path first; an empty list if unknown."""
    try:
        with open(_TABLE, "rb") as file:
            rows = [line.split(b" ", 5) for line in file]
    except OSError:
        return []
    found = [Mount(_text(row[4]), row[2].decode(), _text(row[3])) for row in rows if len(row) == 6]
    found.reverse()
    return sorted(found, key=lambda mount: -len(mount.point))


def place(real: str, known: list[Mount]) -> tuple[str, str]:
    """Return the device of a real path, and its path in that file system; "" and the path if mounts are unknown."""
    for point, device, root in known:
        if real == point or real.startswith(point.rstrip("/") + "/"):
            rest = real[len(point) :].strip("/")
            return device, os.path.normpath(os.path.join(root, rest))
    return "", real


def _text(name: bytes) -> str:
    """Decode a path of the mount table, in which spaces and other characters are octal escapes."""
    return os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), name))


# FUSE file systems with persistent inode numbers: those of the underlying files, or stored on the disk. Others assign
# a number at the first access to a file (libfuse's counter, archive mounts): after a remount, another file has it.
_LASTING = frozenset(
    {"fuseblk", *(f"fuse.{name}" for name in ("mergerfs", "shfs", "glusterfs", "ceph-fuse", "bindfs"))}
)


def fleeting_devices() -> frozenset[int]:
    """Return the device numbers of file systems without persistent inode numbers; empty if mounts are unknown.

    FAT and exFAT assign numbers too but are not included: a reused number matters only if both files have the same
    size and times. That happens in archives, whose files may all have one time, but not on memory cards.
    """
    try:
        with open(_TABLE, "rb") as file:
            return frozenset(_fleeting(file.read()))
    except OSError:
        return frozenset()


def _fleeting(table: bytes) -> Iterator[int]:
    for line in table.splitlines():
        head, _, tail = line.partition(b" - ")
        kind, _, rest = tail.decode("utf-8", "replace").partition(" ")
        numbered = "noserverino" in rest.rpartition(" ")[2].split(",")  # SMB with inode numbers assigned by the client
        if numbered or (kind.startswith("fuse") and kind not in _LASTING):
            major, _, minor = head.split(b" ")[2].partition(b":")
            yield os.makedev(int(major), int(minor))
