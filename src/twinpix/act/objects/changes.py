"""The changes of objects in a store. No other module copies or deletes an object.

The callers have written the journal and made the checks. Both requests may be made again: a copy has the same bytes,
and an object that is deleted stays so.
"""

from collections.abc import Callable
from typing import Any

from twinpix.act.objects.reading import Seen
from twinpix.errors import ImageError, SkipKind, StepError
from twinpix.sources import storage

_REFUSED = ("PreconditionFailed", "412", "ConditionalRequestConflict")  # codes of S3

LARGEST = 5 << 30
"""Bytes of an object that S3 copies in one request; a copy in parts would lose its content type and metadata."""


def can_copy(url: str) -> bool:
    """True if the store of a URL copies objects by itself; raises `ImageError` if its library is not installed."""
    from fsspec.asyn import AsyncFileSystem
    from fsspec.spec import AbstractFileSystem

    kind = type(storage.file_system(url)[0])
    if issubclass(kind, AsyncFileSystem):
        return bool(kind._cp_file is not AsyncFileSystem._cp_file)
    return bool(kind.cp_file is not AbstractFileSystem.cp_file)


def copy(source: str, target: str, seen: Seen) -> None:
    """Let the store copy an object, with its content type and metadata; raises `StepError`.

    S3 is asked to refuse a target that exists by now, and a source that has another ETag than `seen`. Other stores
    cannot be asked that.
    """

    def copied(fs: Any, path: str) -> bool:
        there = storage.file_system(target)[1]
        kept = {"StorageClass": seen.storage_class} if seen.storage_class else {}
        only = {"IfNoneMatch": "*", **({"CopySourceIfMatch": f'"{seen.etag}"'} if seen.etag else {})}
        if _is_s3(source):
            return _holds(lambda conditions: fs.cp_file(path, there, **kept, **conditions), only)
        fs.cp_file(path, there)
        return True

    if not _request(source, copied, "copied"):
        raise StepError("changed, or another object took its new name, during this step", SkipKind.NAME_TAKEN)


def delete(url: str, seen: Seen) -> None:
    """Delete an object; raises `StepError`. In a bucket with versions the store keeps it behind a delete marker.

    S3 is asked to refuse that if the object has another ETag than `seen`.
    """

    def deleted(fs: Any, path: str) -> bool:
        if _is_s3(url) and seen.etag:
            bucket, key, _ = fs.split_path(path)
            only = {"IfMatch": f'"{seen.etag}"'}
            return _holds(lambda conditions: fs.call_s3("delete_object", Bucket=bucket, Key=key, **conditions), only)
        fs.rm_file(path)
        return True

    if not _request(url, deleted, "deleted"):
        raise StepError("changed during this step", SkipKind.CHANGED)


def _holds(request: Callable[[dict[str, str]], object], conditions: dict[str, str]) -> bool:
    """Make a request to S3; False if it was refused because a condition does not hold.

    A server that does not know conditions is asked without them.
    """
    try:
        request(conditions)
    except OSError as error:
        code = _code(error)
        if code == "NotImplemented":
            request({})
        elif code in _REFUSED:
            return False
        else:
            raise
    return True


def _code(error: OSError) -> str:
    """Return the error code of S3; "" for another error."""
    response = getattr(error.__cause__ or error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _request(url: str, call: Callable[[Any, str], bool], what: str) -> bool:
    try:
        return bool(storage.retried(url, call))
    except ImageError as error:
        if "permission denied" in error.reason:
            raise StepError(f"could not be {what}: {error.reason}", SkipKind.DENIED) from None
        raise StepError(f"could not be {what}: {error.reason}", SkipKind.SYSTEM) from None


def _is_s3(url: str) -> bool:
    return url.partition("://")[0] in ("s3", "s3a")
