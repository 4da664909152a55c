"""Where in its file system a path lies, so that two mounts of one folder are known."""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

_TABLE = "/proc/self/mountinfo"  # Linux; elsewhere nothing is known of mounts
_ESCAPED = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """One line of the table of mounts."""

    point: str  # the path that it is mounted at
    device: str  # "major:minor"
    root: str  # what is mounted, as a path in its file system


def read() -> list[Mount]:
    """The mounts that this process sees, the longest path first, and of one path the last first; none where unknown."""
    try:
        with open(_TABLE, "rb") as file:
            rows = [line.split(b" ", 5) for line in file]
    except OSError:
        return []
    found = [Mount(_text(row[4]), row[2].decode(), _text(row[3])) for row in rows if len(row) == 6]
    found.reverse()
    return sorted(found, key=lambda mount: -len(mount.point))


def place(real: str, known: list[Mount]) -> tuple[str, str]:
    """The device of a real path, and its path in that file system; the path itself where mounts are not known."""
    for point, device, root in known:
        if real == point or real.startswith(point.rstrip("/") + "/"):
            rest = real[len(point) :].strip("/")
            return device, os.path.normpath(os.path.join(root, rest))
    return "", real


def _text(name: bytes) -> str:
    """A path of the table, in which blanks and the like are octal numbers."""
    return os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), name))


# FUSE file systems whose inode numbers are those of what they show, or are kept on the disk. Others make numbers up
# at the first access to a file (libfuse's own counter, archive mounts): after the next mount they are other files'.
_LASTING = frozenset(
    {"fuseblk", *(f"fuse.{name}" for name in ("mergerfs", "shfs", "glusterfs", "ceph-fuse", "bindfs"))}
)


def fleeting_devices() -> frozenset[int]:
    """The device numbers of file systems whose inode numbers do not last; none where mounts are not known.

    FAT and exFAT make numbers up too, but are not among these: a wrong number would have to meet a file of the same
    size with the same times of change and creation, which archives (all files of one time) have and cards do not.
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
        numbered = "noserverino" in rest.rpartition(" ")[2].split(",")  # SMB with numbers of the client's own
        if numbered or (kind.startswith("fuse") and kind not in _LASTING):
            major, _, minor = head.split(b" ")[2].partition(b":")
            yield os.makedev(int(major), int(minor))
