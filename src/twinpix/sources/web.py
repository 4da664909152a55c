"""Objects of web servers: those that a page links to, and the bytes of one, no more than the server has announced."""

import re
from typing import Any
from urllib.parse import urljoin

from twinpix.errors import ImageError
from twinpix.sources.base import BOMB_BYTES

_PART = 1 << 20  # bytes that are read at once


def is_web(fs: Any) -> bool:
    """True for the file system of web servers, by the schemes that it is for."""
    return "http" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def cause(error: Exception) -> Exception:
    """Return what went wrong: fsspec says of each error of a web server that there is no such object."""
    inner = error.__cause__
    if isinstance(error, FileNotFoundError) and isinstance(inner, Exception):
        return error if getattr(inner, "status", 0) in (404, 410) else inner
    return error


def links(fs: Any, url: str) -> list[str]:
    """Return the objects below a folder, or that match a URL with `*`, by the links of its pages; in order of name.

    Each page is read once, and only pages below the folder. Raises the errors of aiohttp.
    """
    folder = url.partition("*")[0].rpartition("/")[0] + "/"
    deepest = None if "**" in url or "*" not in url else url.count("/")
    found, seen, pages = set[str](), {folder}, [folder]
    while pages:
        for name in _links_of(fs, pages.pop(), folder):
            if not name.endswith("/"):
                found.add(name)
            elif name not in seen and (deepest is None or name.count("/") <= deepest):
                seen.add(name)
                pages.append(name)
    return sorted(found if "*" not in url else filter(_pattern(url).match, found))


def _links_of(fs: Any, page: str, folder: str) -> list[str]:
    """Return what a page links to below a folder, but not the page itself, as in another order of its rows."""
    names = [urljoin(page, str(name).removeprefix(page)) for name in fs.ls(page, detail=False)]
    return [name for name in names if name.startswith(folder) and name.partition("?")[0].rstrip("/") + "/" != page]


def _pattern(url: str) -> re.Pattern[str]:
    from fsspec.utils import glob_translate

    return re.compile(glob_translate(url))


def fetch(fs: Any, url: str, size: int) -> bytes:
    """Read an object of `size` bytes, 0 if the server does not say how many; raises the errors of aiohttp.

    fsspec reads what the server sends, which may never end, or be a decompression bomb of the HTTP transfer. Raises
    `ImageError` for more than `size` bytes, and if that is unknown for more than `BOMB_BYTES`.
    """
    from fsspec.asyn import sync

    data: bytes = sync(fs.loop, _read, fs, url, size)
    return data


async def _read(fs: Any, url: str, size: int) -> bytes:
    session = await fs.set_session()
    parts, count = [], 0
    async with session.get(fs.encode_url(url), **fs.kwargs) as answer:
        if answer.status == 404:
            raise FileNotFoundError(url)
        answer.raise_for_status()
        async for part in answer.content.iter_chunked(_PART):
            parts.append(part)
            count += len(part)
            if count > (size or BOMB_BYTES):
                why = f"larger than {BOMB_BYTES >> 20} MiB, and the server does not say its size"
                raise ImageError("read", "the server sends more bytes than it has announced" if size else why)
    return b"".join(parts)
