"""Files of the file system and objects of a store (S3, HTTP, ...), by one interface: status, bytes, random access.

A location is a path, or the URL of an object for which fsspec (https://filesystem-spec.readthedocs.io) has a file
system. Credentials come from the environment of the library of the store.
"""

import gc
import hashlib
import io
import os
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import IO, Any, BinaryIO, NamedTuple, TypeVar

from twinpix.errors import ImageError, system_reason
from twinpix.formats import HEAD, claims_image, sniff
from twinpix.model import is_remote
from twinpix.sources import copies, web
from twinpix.sources.base import MAX_BYTES, Content
from twinpix.sources.credentials import private_url
from twinpix.sources.files import file_version, is_settled, regular, require_unchanged
from twinpix.sources.storefile import StoreFile
from twinpix.versions import UNKNOWN, version_of

_SECOND = 1_000_000_000  # nanoseconds
_SIGNED_64 = (1 << 63) - 1
_COARSE_NS = 2_100_000_000  # time within which two writes may have the same time stamp
_TRIES, _PAUSE = 4, 0.2  # of a request to a store; seconds before the second one, doubled before each further one
_RECENT = 5.0  # seconds for which the status of an object is kept

REQUESTS = 32
"""Requests to stores that a process makes at once: their latency, 20 ms and more, is shared."""

_MD5 = re.compile("[0-9a-f]{32}")
_LARGE = 1 << 20  # bytes; their transfer takes about as long as a further request
_BLOCK = 1 << 20  # bytes that one request for a part of an object reads at least
_NAMES = ("ETag", "etag", "generation", "content_md5", "Content-MD5", "md5")
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created", "Last-Modified")
_FAULTS = {
    "Timeout": "no answer in time",
    "Payload": "the connection was lost",
    "Disconnected": "the connection was lost",
    "Connect": "no connection",
}
"""What errors mean, by a part of the names that the libraries of stores give to them."""

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "http": "http", "https": "http"}


Item = TypeVar("Item")
Result = TypeVar("Result")


class Status(NamedTuple):
    """What a file system or a store knows of a file without reading it."""

    version: bytes  # 16 bytes, see `twinpix.versions`; `UNKNOWN` if a change could not be detected
    size: int  # bytes
    modified_ns: int  # since 1970; 0 if unknown
    settled: bool  # False while a later write may not change the version


def status_of(location: str) -> Status:
    """Return the status of a file; raises `ImageError` if there is no such file, or it is no regular file."""
    if is_remote(location):
        return _recent_status(location, process_key(), int(time.monotonic() / _RECENT))
    status = regular(location)
    return Status(file_version(status), status.st_size, status.st_mtime_ns, is_settled(status))


@lru_cache(maxsize=64)
def _recent_status(url: str, process: tuple[int, int], period: int) -> Status:
    """Return the status of an object as it was within the last seconds: a shard is asked for once, not for a member."""
    return remote_status(url, info_of(url))


def forget_status() -> None:
    """Ask stores again: a run begins, and an object may have been replaced since the last one."""
    _recent_status.cache_clear()


def open_file(location: str, version: bytes = UNKNOWN) -> BinaryIO:
    """Open a file for random access; raises `ImageError`, also for an object that is not of this version any more.

    Each process opens its own: a forked one shares the position in the file with its parent.
    """
    if is_remote(location):
        if version != UNKNOWN:
            return _open_copy(location, version) or _open_version(location, version)
        file: Any = StoreFile(retried(location, lambda fs, path: fs.open(path, "rb", block_size=_BLOCK)), _repeated)
        out: BinaryIO = file
        return out
    regular(location)  # opening a named pipe would wait
    try:
        return open(location, "rb")
    except OSError as error:
        raise ImageError("read", system_reason(error)) from None


def _open_copy(url: str, version: bytes) -> BinaryIO | None:
    """Open the copy that this run has fetched; None if there is none."""
    path = copies.path_of_object(url, version)
    try:
        return io.BufferedReader(_Copy(path)) if path else None
    except OSError:
        return None


class _Copy(io.FileIO):
    """A copy of an object, closed with its last reference: the readers of archives are kept until the process ends."""

    def _dealloc_warn(self, source: object) -> None:
        """Do not warn that it is closed in this way."""


def _open_version(url: str, version: bytes) -> BinaryIO:
    """Open an object whose index is known: in another version its members are at other places."""

    def opened(fs: Any, path: str) -> tuple[Any, dict[str, Any] | None]:
        file = fs.open(path, "rb", block_size=_BLOCK)
        info = getattr(file, "details", None)
        if info is not None and not any(info.get(name) for name in (*_NAMES, *_TIMES)):
            info = fs.info(path)  # an open file of a web server knows its size only
        return file, info

    file, info = retried(url, opened)
    if info is not None and remote_status(url, info).version != version:
        file.close()
        _recent_status.cache_clear()
        raise ImageError("read", "changed while it was read; run again", lasting=False)
    out: Any = StoreFile(file, _repeated)
    made: BinaryIO = out
    return made


def read_head(location: str, size: int) -> bytes:
    """Return the first bytes of a file, at most `size` of them; raises `ImageError`."""
    if is_remote(location):
        size = min(size, status_of(location).size)  # a store refuses a range of an empty object
        data: bytes = retried(location, lambda fs, path: fs.cat_file(path, start=0, end=size)) if size else b""
        return data[:size]
    with open_file(location) as file:
        return file.read(size)


def download(url: str, path: str, size: int) -> None:
    """Write an object of `size` bytes to a new file; raises `ImageError`, also if it has another size."""
    retried(url, lambda fs, key: fs.get_file(key, path))
    if os.path.getsize(path) != size:
        raise ImageError("read", "changed while it was read, or the connection was lost; run again", lasting=False)


def read_object(url: str) -> Content:
    """Read an object of a store completely, once; raises `ImageError` if it cannot be read or changed meanwhile.

    Of a large one whose name is not that of an image, such as an archive or a video, the first bytes are read before.
    """
    before = remote_status(url, info_of(url))
    if before.size > _LARGE and not claims_image(url.partition("?")[0]) and sniff(read_head(url, HEAD), url) is None:
        return Content(None, before.version, before.settled)
    if before.size > MAX_BYTES:
        raise ImageError("read", f"larger than {MAX_BYTES >> 30} GiB")
    data: bytes = retried(
        url, lambda fs, path: web.fetch(fs, path, before.size) if web.is_web(fs) else fs.cat_file(path)
    )
    if before.size and len(data) != before.size:
        raise ImageError("read", "changed while it was read, or the connection was lost; run again")
    if sniff(data[:HEAD], url) is None:
        if not data and sniff(b"\0", url):
            raise ImageError("read", "the file is empty")
        return Content(None, before.version, before.settled)
    return Content(data, before.version, before.settled)


def read_image(file: IO[bytes], name: str, size: int) -> bytes | None:
    """Read a member of `size` bytes from the position of `file`; None if its first bytes are not those of an image.

    Raises `ImageError` if it is empty, too large, or the file ends within it.
    """
    head = file.read(min(HEAD, size))
    if sniff(head, name) is None:
        if not head and sniff(b"\0", name):
            raise ImageError("read", "the file is empty")
        return None
    if size > MAX_BYTES:
        raise ImageError("read", f"larger than {MAX_BYTES >> 30} GiB")
    data = head + file.read(size - len(head))
    if len(data) < size:
        raise ImageError("read", "the file ends within the image")
    return data


@contextmanager
def unchanged(location: str) -> Iterator[None]:
    """Raise `ImageError` if a file is written to meanwhile. An object of a store is replaced as a whole."""
    if is_remote(location):
        yield
        return
    before = regular(location)
    yield
    require_unchanged(before, regular(location))


# -- object stores -------------------------------------------------------------------------------------


class _Thread:
    """The thread of fsspec in this process: whether twinpix started it, and how often one was ended."""

    ours = False
    ended = 0


def process_key() -> tuple[int, int]:
    """Return a key of this process for caches of open files, which changes when `end_thread` made them unusable."""
    return os.getpid(), _Thread.ended


def end_thread() -> None:
    """End the thread of fsspec if twinpix started it: a process with one thread is forked, which takes no time.

    Workers that are forked also have the indexes of archives that this process has read.
    """
    asyn = sys.modules.get("fsspec.asyn")
    if asyn is None or not _Thread.ours or asyn.iothread[0] is None:
        return
    from fsspec.spec import AbstractFileSystem

    _Thread.ours, _Thread.ended = False, _Thread.ended + 1
    kinds = [AbstractFileSystem]
    for kind in kinds:
        kinds += kind.__subclasses__()
        if kind.async_impl:
            kind.clear_instance_cache()
    _recent_status.cache_clear()
    gc.collect()  # file systems close their connections when they are freed
    loop, thread = asyn.loop[0], asyn.iothread[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    asyn.loop[0] = asyn.iothread[0] = None
    loop.run_until_complete(loop.shutdown_default_executor())  # threads that resolve names of hosts
    loop.close()


def leave_thread() -> None:
    """Let the thread of fsspec run on, if twinpix started it: from now on it is the program's."""
    _Thread.ours = False


def file_system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it; raises `ImageError` if its library is not installed."""
    scheme = url.partition("://")[0]
    try:
        from fsspec import asyn
        from fsspec.core import url_to_fs
    except ImportError:
        raise ImageError("read", f"{scheme}:// needs fsspec; {_install(scheme)}") from None
    _Thread.ours |= asyn.iothread[0] is None
    try:
        fs, path = url_to_fs(private_url(url))
    except ImportError as error:
        raise ImageError("read", f"{error}; {_install(scheme)}") from None
    except ValueError as error:  # an unknown scheme, or a URL without a bucket
        raise ImageError("read", f"{scheme}:// cannot be read: {error}") from None
    return fs, path


def info_of(url: str) -> dict[str, Any]:
    """Return what the store knows of an object; raises `ImageError`."""
    info: dict[str, Any] = retried(url, lambda fs, path: fs.info(path))
    if info.get("type") == "directory":
        raise ImageError("read", "a folder, not a file")
    return info


def remote_status(url: str, info: dict[str, Any]) -> Status:
    """Return the status of an object from what the store knows of it."""
    size, modified = min(int(info.get("size") or 0), _SIGNED_64), _modified_ns(info)
    # Listings of S3 have milliseconds, the answer for one object has seconds: of both the same status.
    modified = modified // _SECOND * _SECOND if 0 < modified <= _SIGNED_64 else 0  # a server may name the year 9999
    name = next((str(info[name]) for name in _NAMES if info.get(name)), "")
    if not name and not modified:
        return Status(UNKNOWN, size, 0, False)
    version = version_of(url, size, name or modified)
    return Status(version, size, modified, bool(name) or time.time_ns() - modified > _COARSE_NS)


def object_now(url: str) -> dict[str, Any] | None:
    """Return what the store knows of an object or folder now; None if there is none. Raises `ImageError`."""

    def find(fs: Any, path: str) -> dict[str, Any] | None:
        fs.invalidate_cache()
        try:
            info: dict[str, Any] = fs.info(path)
        except FileNotFoundError:
            return None
        return info

    found: dict[str, Any] | None = retried(url, find)
    return found


def size_of_object(url: str) -> int | None:
    """Return the size of an object as the store has it now; None if there is none. Raises `ImageError`."""
    info = object_now(url)
    return None if info is None else int(info.get("size") or 0)


def names_in_folder(url: str) -> list[tuple[str, bool]]:
    """Return the names directly in a folder of a store, each with True for a folder; none if there is no such folder.

    Raises `ImageError`.
    """

    def listed(fs: Any, path: str) -> list[dict[str, Any]]:
        fs.invalidate_cache()
        try:
            rows: list[dict[str, Any]] = fs.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return rows

    _, folder = file_system(url)
    rows = [(str(info["name"]).rstrip("/"), info.get("type") == "directory") for info in retried(url, listed)]
    return sorted((name.rpartition("/")[2], is_folder) for name, is_folder in rows if name != folder.rstrip("/"))


def upload(path: str, url: str) -> None:
    """Write a complete file to a store; raises `ImageError` unless the object has its size, and its MD5 if it is known.

    Stores show an object only when it is complete.
    """

    def put(fs: Any, key: str) -> dict[str, Any]:
        fs.put_file(path, key)
        fs.invalidate_cache()
        info: dict[str, Any] = fs.info(key)
        return info

    info = retried(url, put)
    if int(info.get("size") or 0) != os.path.getsize(path):
        raise ImageError("write", "the object has another size than the file; run again", lasting=False)
    etag = str(info.get("ETag") or info.get("etag") or "").strip('"')
    if not _MD5.fullmatch(etag):  # of an upload in parts it is another digest
        return
    with open(path, "rb") as file:
        if hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() != etag:
            raise ImageError("write", "the object has other bytes than the file; run again", lasting=False)


def list_objects(url: str) -> list[tuple[str, Status]] | Status:
    """Return all objects below a folder of a store, or that match a URL with `*`, by name; the status of one object.

    Raises `ImageError` if there is nothing of that name, or the store does not answer.
    """

    def find(fs: Any, path: str) -> dict[str, dict[str, Any]] | Status:
        if web.is_web(fs) and ("*" in path or path.endswith("/")):
            return {name: {} for name in web.links(fs, path)}
        if "*" in path:
            return {name: info for name, info in fs.glob(path, detail=True).items() if info.get("type") == "file"}
        info = fs.info(path)
        if info.get("type") != "directory":
            return remote_status(url, info)
        found: dict[str, dict[str, Any]] = fs.find(path, detail=True)
        return found

    found = retried(url, find)
    if isinstance(found, Status):
        return found
    fs, _ = file_system(url)
    scheme = url.partition("://")[0]
    named = sorted((f"{scheme}://{fs.unstrip_protocol(name).partition('://')[2]}", name) for name in found)
    if web.is_web(fs):  # its pages name no sizes
        return list(zip([url for url, _ in named], ahead(_status_if_there, [url for url, _ in named]), strict=True))
    return [(url, remote_status(url, found[name])) for url, name in named]


def _status_if_there(url: str) -> Status:
    """Return the status of an object; without version and size if the store does not tell: reading it says why."""
    try:
        return status_of(url)
    except ImageError:
        return Status(UNKNOWN, 0, 0, False)


def ahead(call: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Return the results of calls in the order of the items; up to `REQUESTS` calls run at once, in threads."""
    if len(items) < 2:
        yield from map(call, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(REQUESTS) as threads:
        running = deque(threads.submit(call, item) for item in items[:REQUESTS])
        for item in items[REQUESTS:]:
            yield running.popleft().result()
            running.append(threads.submit(call, item))
        while running:
            yield running.popleft().result()


def _modified_ns(info: dict[str, Any]) -> int:
    for name in _TIMES:
        value = info.get(name)
        if isinstance(value, int | float):
            return int(value * 1_000_000_000)
        if isinstance(value, datetime):
            return int(value.timestamp() * 1_000_000_000)
        if isinstance(value, str) and value:
            from email.utils import parsedate_to_datetime

            try:
                return int(parsedate_to_datetime(value).timestamp() * 1_000_000_000)
            except ValueError:
                continue
    return 0


def retried(url: str, call: Callable[[Any, str], Any]) -> Any:
    """Call with the file system and the path; try again after errors that may pass; raises `ImageError`."""
    fs, path = file_system(url)
    return _repeated(fs, lambda: call(fs, path))


def _repeated(fs: Any, call: Callable[[], Result]) -> Result:
    """Call; try again after errors that may pass; raises `ImageError`."""
    tries = 2 if getattr(fs, "retries", 0) else _TRIES  # s3fs makes each request five times, which takes ten seconds
    for attempt in range(1, tries + 1):
        try:
            return call()
        except ImageError:
            raise
        except Exception as error:  # noqa: BLE001 - each library of a store has its own errors
            fault = web.cause(error) if web.is_web(fs) else error
            if isinstance(fault, FileNotFoundError | IsADirectoryError):
                raise ImageError("read", "no such object; check the URL") from None
            if isinstance(fault, PermissionError) or getattr(fault, "status", 0) in (401, 403):
                raise ImageError("read", "permission denied; check the credentials", lasting=False) from None
            if not _may_pass(fault) or attempt == tries:
                raise ImageError("read", _reason(fault), lasting=False) from None
        time.sleep(_PAUSE * 2 ** (attempt - 1))
    raise AssertionError


def _may_pass(error: Exception) -> bool:
    status = getattr(error, "status", None)
    if "Credentials" in type(error).__name__ or "Validation" in type(error).__name__:
        return False
    return not (isinstance(status, int) and 400 <= status < 500 and status not in (408, 429))


def _reason(error: Exception) -> str:
    """Return an error of a store in words, without any URL."""
    name, status = type(error).__name__, getattr(error, "status", None)
    if isinstance(status, int):
        return f"the store does not answer: HTTP status {status}"
    if "Credentials" in name:
        return "no credentials were found; set those of the store's library, such as AWS_PROFILE"
    if "Validation" in name:
        return "the URL is not valid; check the name of the bucket"
    if name == "FileExpired":
        return "changed while it was read; run again"
    if words := next((words for part, words in _FAULTS.items() if part in name), ""):
        return f"the store does not answer: {words}"
    text = system_reason(error).rstrip(".") if isinstance(error, OSError) and error.errno else name
    return f"the store does not answer: {text if '://' not in text else name}"


@lru_cache
def _install(scheme: str) -> str:
    extra = _EXTRAS.get(scheme, "remote")
    return f"install twinpix[{extra}]"
