"""The other files that an ONNX model keeps weights in: exporters put large ones beside it, under any names."""

import re
from pathlib import Path, PurePosixPath

from twinpix.errors import UsageError

# A pair of texts as protobuf writes it: the word `location`, then the length of a name (seven bits a byte, the lowest
# first), then the name. That is how a tensor says where it is, and cheaper than to read the whole model by its grammar.
_NAMED = re.compile(rb"\n\x08location\x12(?:([\x80-\xff])([\x00-\x7f])|([\x00-\x7f]))")


def files(model: str, data: bytes) -> list[Path]:
    """The files that the bytes of a model name, each once; they need not be there.

    Raises `UsageError` for one that is not below the folder of the model.
    """
    names = dict.fromkeys(_name(data, found) for found in _NAMED.finditer(data))
    for name in names:
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts:
            raise UsageError(f"{model} keeps weights in {name}, which is not in its own folder")
    return [Path(model).parent / name for name in names]


def _name(data: bytes, found: re.Match[bytes]) -> str:
    low, high, only = (part[0] if part else 0 for part in found.groups())
    size = only or (low & 0x7F) + 128 * high
    return data[found.end() : found.end() + size].decode(errors="surrogateescape")
