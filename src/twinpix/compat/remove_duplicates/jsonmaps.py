"""Read JSON objects member by member: as Python objects, the vectors of 100,000 images would fill the memory."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec


def members(data: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of a JSON object in order; each value is decoded when it is yielded.

    Raises `ValueError` or `RecursionError` for text that is not JSON, `TypeError` for JSON that is not an object.
    """
    try:
        undecoded = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The json module also reads NaN, lone surrogates, UTF-16 and a byte order mark, and describes every error.
        decoded = json.loads(data)
        if not isinstance(decoded, dict):
            raise TypeError("not a JSON object") from None
        yield from decoded.items()
        return
    for name, value in undecoded.items():
        yield name, json.loads(bytes(value).decode("utf-8", "surrogatepass"))
