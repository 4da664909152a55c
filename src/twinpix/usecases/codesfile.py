"""The lines of a codes file as types; a line that is invalid raises `ValueError`."""

import json
from typing import Annotated, Any, TypeVar

import msgspec

from twinpix.model import Decode

T = TypeVar("T")

LONGEST = 1 << 26  # bytes of a line: far more than codes of eight orientations by many methods
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
    detail_score: _Count = msgspec.field(default=0, name="information")
    digest: _Digest = ""
    error: str = ""


def parse_line(line: bytes, kind: type[T]) -> T:
    """Parse one line; raises `ValueError` if it is not of this type, or has text that no file name can be."""
    try:
        if b"\\ud" not in line.lower():
            return msgspec.json.decode(line, type=kind)
        # msgspec rejects lone surrogates, which represent the undecodable bytes of a name.
        value: Any = json.loads(line)
        json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
        return msgspec.convert(value, kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None
