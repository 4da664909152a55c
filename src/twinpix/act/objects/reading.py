"""What a store knows of an object now, and the digests of its bytes."""

import contextlib
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from twinpix.errors import ImageError, SkipKind, StepError
from twinpix.sources import storage
from twinpix.versions import UNKNOWN

_PART = 16 << 20  # bytes of an object that are in memory at once; up to `storage.REQUESTS` objects are read at once

Result = TypeVar("Result")


class Seen(NamedTuple):
    """What a store said about an object."""

    version: bytes  # changes whenever the object is written
    size: int
    modified_ns: int
    etag: str
    storage_class: str  # of S3; "" for the standard class, and in other stores


class Sums(NamedTuple):
    """Digests of the bytes of an object, in hexadecimal digits."""

    digest: str  # xxh3-128
    md5: str


def asked(call: Callable[[], Result]) -> Result:
    """Call; raises `StepError` instead of `ImageError`."""
    try:
        return call()
    except ImageError as error:
        raise StepError(error.reason, SkipKind.SYSTEM) from None


def look(url: str) -> Seen | None:
    """Return what the store knows of an object now; None if there is none. Raises `StepError`."""
    info = asked(lambda: storage.object_now(url))
    if info is None or info.get("type") == "directory":
        return None
    status = storage.remote_status(url, info)
    etag = str(info.get("ETag") or info.get("etag") or "").strip('"')
    kind = str(info.get("StorageClass") or "")
    return Seen(status.version, status.size, status.modified_ns, etag, "" if kind == "STANDARD" else kind)


def require(url: str) -> Seen:
    """Return what the store knows of an object; raises `StepError` if there is none, or changes cannot be noticed."""
    seen = look(url)
    if seen is None:
        raise StepError("no longer exists", SkipKind.GONE)
    if seen.version == UNKNOWN:
        why = "cannot be moved safely: its store gives neither an ETag nor a time of change"
        raise StepError(why, SkipKind.UNSUPPORTED)
    return seen


def is_taken(url: str) -> bool:
    """True if an object or a folder has this URL; raises `StepError`."""
    return asked(lambda: storage.object_now(url)) is not None


def sums_of(url: str, size: int) -> Sums:
    """Read an object of `size` bytes in full; raises `StepError`."""
    sums: Sums = asked(lambda: storage.retried(url, lambda fs, path: _sums(fs, path, size)))
    return sums


def _sums(fs: Any, path: str, size: int) -> Sums:
    import xxhash

    state, md5 = xxhash.xxh3_128(), hashlib.md5(usedforsecurity=False)
    if size <= _PART:
        data = fs.cat_file(path)
        return Sums(xxhash.xxh3_128_hexdigest(data), hashlib.md5(data, usedforsecurity=False).hexdigest())
    with contextlib.closing(fs.open(path, "rb", block_size=_PART, cache_type="none")) as file:
        while data := file.read(_PART):
            state.update(data)
            md5.update(data)
    return Sums(state.hexdigest(), md5.hexdigest())


def same_object(a: str, b: str) -> bool:
    """True if two URLs name one object, as `s3://` and `s3a://`; raises `StepError`."""
    first, second = (asked(lambda url=url: storage.file_system(url)) for url in (a, b))  # type: ignore[misc]
    return type(first[0]) is type(second[0]) and bool(first[1] == second[1])


def store_of(url: str) -> type:
    """Return the kind of the store of a URL; raises `StepError`."""
    return type(asked(lambda: storage.file_system(url))[0])
