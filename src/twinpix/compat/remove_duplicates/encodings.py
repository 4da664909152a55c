"""Encodings in files: JSON from names to hashes, as imagededup writes them."""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from twinpix.errors import UsageError, system_reason
from twinpix.report import printable

_HASH = re.compile("[0-9a-fA-F]{16}")
_SUFFIX = ".json"

Map = dict[str, str]


class Located(NamedTuple):
    """What the files of several encodings say."""

    hashes: Map  # by absolute path
    missing: Map  # by name: there is no such file
    overruled: list[str]  # names for which files of encodings disagree; the last counts


def read(name: str) -> Map:
    """The encodings in a file, whose suffix may be left off; raises `UsageError` when it holds none."""
    path = next((path for path in (name, name + _SUFFIX) if os.path.isfile(path)), None)
    if path is None:
        raise UsageError(f"no such file: {name}" + ("" if name.endswith(_SUFFIX) else f" (nor {name}{_SUFFIX})"))
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {system_reason(error)}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds no encodings: they are a map from names to hashes")
    for key, value in found.items():
        if not isinstance(value, str) or not _HASH.fullmatch(value):
            raise UsageError(
                f"{path}: the encoding of {printable(key)} is no hash of DHash, which has 16 hexadecimal digits"
            )
    return {key: value.lower() for key, value in found.items()}


def target(name: str) -> str:
    """The file that encodings are written to."""
    return name if name.endswith(_SUFFIX) else name + _SUFFIX


def write(name: str, hashes: Mapping[str, str], missing: Mapping[str, str]) -> str:
    """Write encodings by path, and those of files that were not found as they were named; returns the file's name."""
    from twinpix.compat.imagededup.utils.general_utils import save_json

    here = os.path.join(os.getcwd(), "")
    save_json({**missing, **{path.removeprefix(here): text for path, text in hashes.items()}}, target(name))
    return target(name)


def locate(maps: Sequence[Map], places: Sequence[str], encode: Callable[[list[str]], Map]) -> Located:
    """Find the files that encodings speak of, below the first of `places` that has one of that name.

    Where several have one it is told by its hash, for which `encode` is asked, and as far as that leaves open
    each of several maps has a file of its own.
    """
    found = {name: _files(name, places) for name in dict.fromkeys(name for each in maps for name in each)}
    open_ones = sorted({path for paths in found.values() if len(paths) > 1 for path in paths})
    real = encode(open_ones) if open_ones else {}
    out, overruled = Located({}, {}, []), dict[str, None]()
    taken: set[tuple[str, str]] = set()  # names with the files that maps have them for
    for each in maps:
        own = set()
        for name, text in each.items():
            path = _choose(name, text, found[name], real, taken)
            known, key = (out.missing, name) if path is None else (out.hashes, path)
            if known.setdefault(key, text) != text:
                overruled[name] = None
                known[key] = text
            if path is not None:
                own.add((name, path))
        taken |= own
    return out._replace(overruled=list(overruled))


def _files(name: str, places: Iterable[str]) -> list[str]:
    """The files of that name, each once; an absolute name is the same from everywhere."""
    paths = dict.fromkeys(os.path.abspath(os.path.join(place, name)) for place in places) if name else {}
    return [path for path in paths if os.path.isfile(path)]


def _choose(
    name: str, text: str, paths: Sequence[str], real: Mapping[str, str], taken: set[tuple[str, str]]
) -> str | None:
    return min(paths, key=lambda path: (real.get(path, text) != text, (name, path) in taken), default=None)
