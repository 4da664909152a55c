"""The lines of a codes file as types: whatever a line holds, it is one of these or a `ValueError`."""

import json
from typing import Annotated, Any, TypeVar

import msgspec

from twinpix.model import Decode

T = TypeVar("T")

LONGEST = 1 << 26  # bytes of a line: codes of eight orientations by many methods are far below it
_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
_Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$")]
_Digest = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{32})?$")]


class Head(msgspec.Struct, frozen=True):
    """The first line."""

    schema: str
    methods: Annotated[list[str], msgspec.Meta(min_length=1)]
    decode: Decode
    transforms: bool
    variants: list[str] = []


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every other line."""

    path: str
    codes: list[_Hex]
    width: _Count = 0
    height: _Count = 0
    information: _Count = 0
    digest: _Digest = ""
    error: str = ""


def parsed(line: bytes, kind: type[T]) -> T:
    """One line; raises `ValueError` for what is not of this kind, and for text that no file name can be."""
    try:
        if b"\\ud" not in line.lower():
            return msgspec.json.decode(line, type=kind)
        # msgspec reads no lone surrogates, which stand for the undecodable bytes of a name.
        value: Any = json.loads(line)
        json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
        return msgspec.convert(value, kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None
