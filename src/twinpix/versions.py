"""Versions: what says, without reading an image, that its bytes are as they were."""

import struct

import xxhash

_FILE = struct.Struct("<5q")

UNKNOWN = bytes(16)
"""The version of an image whose source cannot tell whether it changed: it is read again in each run."""

_SIGNED_64 = (1 << 63) - 1


def version_of_file(device: int, inode: int, size: int, mtime_ns: int, ctime_ns: int) -> bytes:
    """Return the 16-byte version of a file; `UNKNOWN` without an inode number, which some file systems lack."""
    if not inode:
        return UNKNOWN
    numbers = device & _SIGNED_64, inode & _SIGNED_64, size, mtime_ns, ctime_ns
    return xxhash.xxh3_128_digest(_FILE.pack(*numbers))


def version_of(*parts: int | bytes | str) -> bytes:
    """Return the 16-byte version that stands for these parts: an archive's version and a member's name, for instance.

    Two images with one version hold the same bytes, so the parts must also tell the image from all others.
    """
    made = [
        struct.pack("<q", part & _SIGNED_64)
        if isinstance(part, int)
        else struct.pack("<q", len(data := part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part))
        + data
        for part in parts
    ]
    return xxhash.xxh3_128_digest(b"".join(made))
