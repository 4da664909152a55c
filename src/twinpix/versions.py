"""Versions: 16 bytes that change whenever the bytes of an image may have changed."""

import struct

import xxhash

_FILE = struct.Struct("<5q")

UNKNOWN = bytes(16)
"""The version of an image whose source cannot detect changes: it is read again in each run."""

_SIGNED_64 = (1 << 63) - 1


def version_of_file(device: int, inode: int, size: int, mtime_ns: int, ctime_ns: int) -> bytes:
    """Return the 16-byte version of a file; `UNKNOWN` if its file system has no inode numbers."""
    if not inode:
        return UNKNOWN
    numbers = device & _SIGNED_64, inode & _SIGNED_64, size, mtime_ns, ctime_ns
    return xxhash.xxh3_128_digest(_FILE.pack(*numbers))


def version_of(*parts: int | bytes | str) -> bytes:
    """Return the 16-byte version of an image, computed from `parts`, such as an archive's version and a member name.

    Two images with the same version are assumed to have the same bytes, so the parts must identify the image.
    """
    made = [
        struct.pack("<q", part & _SIGNED_64)
        if isinstance(part, int)
        else struct.pack("<q", len(data := part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part))
        + data
        for part in parts
    ]
    return xxhash.xxh3_128_digest(b"".join(made))
