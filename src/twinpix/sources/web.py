"""Read an object of a web server as a whole, and no more of it than the server has announced."""

from typing import Any

from twinpix.errors import ImageError
from twinpix.sources.base import BOMB_BYTES

_PART = 1 << 20  # bytes that are read at once


def is_web(fs: Any) -> bool:
    """True for the file system of web servers, by the schemes that it is for."""
    return "http" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


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
