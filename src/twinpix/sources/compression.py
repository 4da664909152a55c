"""File objects that compress and decompress: gzip, bzip2, xz and zstd."""

import sys
from typing import Any, BinaryIO

from twinpix.errors import ImageError


def decompressor(kind: str, file: BinaryIO) -> tuple[Any, tuple[type[Exception], ...]]:
    """Return a file object with `read1`, and its errors for damaged data; `EOFError` is a further one."""
    if kind == "gz":
        import gzip
        import zlib

        return gzip.GzipFile(fileobj=file), (OSError, zlib.error)
    if kind == "bz2":
        import bz2

        return bz2.BZ2File(file), (OSError, ValueError)
    if kind == "xz":
        import lzma

        return lzma.LZMAFile(file), (lzma.LZMAError, MemoryError)
    library = _zstd()
    if hasattr(library, "ZstdFile"):
        return library.ZstdFile(file), (library.ZstdError,)
    # At the end of an incomplete file it raises nothing: the tar archive has no end then.
    return library.ZstdDecompressor().stream_reader(file, read_across_frames=True), (library.ZstdError,)


def compressor(suffix: str, file: BinaryIO) -> Any:
    """Return a file object whose bytes are compressed into `file`, in the way that a suffix names."""
    if suffix in ("gz", "tgz"):
        import gzip

        # As gzip does by default, and without name and time: the same archive gives the same bytes.
        return gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0)
    if suffix == "bz2":
        import bz2

        return bz2.BZ2File(file, "wb")
    if suffix == "xz":
        import lzma

        return lzma.LZMAFile(file, "wb")
    if suffix == "zst":
        library = _zstd()
        if hasattr(library, "ZstdFile"):
            return library.ZstdFile(file, "wb")
        return library.ZstdCompressor().stream_writer(file, closefd=False)
    return file


def _zstd() -> Any:
    """Return `compression.zstd` of Python 3.14, or the package zstandard; raises `ImageError` if there is neither."""
    if sys.version_info >= (3, 14):
        try:
            from compression import zstd

            return zstd
        except ImportError:  # Python was built without it
            pass
    try:
        import zstandard
    except ImportError:
        raise ImageError("read", "zstd archives need zstandard; install twinpix[zstd]", lasting=False) from None
    return zstandard
