"""JSON maps, one member at a time: as Python's objects, the numbers of 100,000 pictures would fill the memory."""

import json
import re
from collections.abc import Iterator
from typing import Any

_space = re.compile(r"[ \t\n\r]*").match


def members(data: bytes) -> Iterator[tuple[str, Any]]:
    """The names and values of a JSON object, in their order.

    Raises `ValueError` or `RecursionError` for what is no JSON, `TypeError` for JSON of another kind; both
    may come after the first members.
    """
    text = data.decode(json.detect_encoding(data), "surrogatepass")
    del data
    decoder = json.JSONDecoder()
    at = _after_space(text, 0)
    if text[at : at + 1] != "{":
        json.loads(text)  # says what is wrong with it, if anything
        raise TypeError("no object")
    at = _after_space(text, at + 1)
    if text[at : at + 1] == "}":
        at += 1
    else:
        while True:
            if text[at : at + 1] != '"':
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
            key, at = decoder.raw_decode(text, at)
            value, at = decoder.raw_decode(text, _after_space(text, _expect(":", text, _after_space(text, at))))
            yield key, value
            at = _after_space(text, at)
            if text[at : at + 1] == "}":
                at += 1
                break
            at = _after_space(text, _expect(",", text, at))
    if _after_space(text, at) != len(text):
        raise json.JSONDecodeError("Extra data", text, at)


def _after_space(text: str, at: int) -> int:
    found = _space(text, at)
    return found.end() if found else at


def _expect(mark: str, text: str, at: int) -> int:
    if text[at : at + 1] != mark:
        raise json.JSONDecodeError(f"Expecting '{mark}' delimiter", text, at)
    return at + 1
