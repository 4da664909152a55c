"""Read and write files of encodings: JSON objects from names to hashes (as imagededup writes them) or vectors."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, NamedTuple

from twinpix import outputs
from twinpix.compat.remove_duplicates.encoders import Encoder
from twinpix.compat.remove_duplicates.jsonmaps import members
from twinpix.errors import UsageError, system_reason
from twinpix.text import printable

_SUFFIX = ".json"

Map = dict[str, bytes]  # codes by name


class Located(NamedTuple):
    """The merged content of several files of encodings."""

    codes: Map  # by absolute path
    missing: Map  # by name: the file does not exist
    overruled: list[str]  # names with different encodings in several files; the last one is used


def read(name: str, encoder: Encoder) -> Map:
    """Read a file of encodings; its suffix may be omitted. Raises `UsageError` if it has no encodings."""
    path = next((path for path in (name, name + _SUFFIX) if os.path.isfile(path)), None)
    if path is None:
        raise UsageError(f"no such file: {name}" + ("" if name.endswith(_SUFFIX) else f" (nor {name}{_SUFFIX})"))
    found: Map = {}
    try:
        with open(path, "rb") as file:
            for key, value in members(file.read()):
                code = encoder.code(value)
                if code is None:
                    raise UsageError(f"{path}: the encoding of {printable(key)} is not {encoder.encoding}")
                found[key] = code
    except OSError as error:
        raise UsageError(f"cannot read {path}: {system_reason(error)}") from None
    except TypeError:
        raise UsageError(f"{path} holds no encodings: they are a map from names to hashes or numbers") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}") from None
    return found


def target(name: str) -> str:
    """Return the path that encodings are written to."""
    return name if name.endswith(_SUFFIX) else name + _SUFFIX


def kind(encoder: Encoder) -> outputs.Kind:
    """Return the kind of output that recognises files of encodings, which may be replaced without `--force`."""

    def is_ours(file: IO[bytes]) -> bool:
        try:
            return all(encoder.code(value) is not None for _, value in members(file.read()))
        except (TypeError, ValueError, RecursionError):
            return False

    return outputs.Kind("file of such encodings", is_ours)


def write(
    name: str,
    codes: Mapping[str, bytes],
    missing: Mapping[str, bytes],
    encoder: Encoder,
    *,
    force: bool = False,
) -> str:
    """Write encodings by path, and those of missing files under their original names; return the path of the file."""
    here = os.path.join(os.getcwd(), "")
    every = {**missing, **{path.removeprefix(here): code for path, code in codes.items()}}
    outputs.write(target(name), _lines(every, encoder), kind(encoder), force=force)
    return target(name)


def _lines(codes: Mapping[str, bytes], encoder: Encoder) -> Iterator[bytes]:
    """Yield JSON in the format of imagededup, sorted by name; line by line, since text takes ten times the memory."""
    start = "{\n"
    for name in sorted(codes):
        yield f"{start}  {json.dumps(name)}: {encoder.text(codes[name])}".encode()
        start = ",\n"
    yield b"\n}" if codes else b"{}"


def locate(maps: Sequence[Map], places: Sequence[str], encode: Callable[[list[str]], Map], encoder: Encoder) -> Located:
    """Find the file of each name in `maps`, relative to the first of `places` in which it exists.

    If it exists in several places, the file with the same code is taken (`encode` computes the codes); if several have
    the same code, different maps get different files.
    """
    found = {name: _files(name, places) for name in dict.fromkeys(name for each in maps for name in each)}
    open_ones = sorted({path for paths in found.values() if len(paths) > 1 for path in paths})
    real = encode(open_ones) if open_ones else {}
    out, overruled = Located({}, {}, []), dict[str, None]()
    taken: set[tuple[str, str]] = set()  # names and files that earlier maps have taken
    for each in maps:
        own = set()
        for name, code in each.items():
            path = _choose(name, code, found[name], real, taken, encoder)
            known, key = (out.missing, name) if path is None else (out.codes, path)
            if not encoder.same(known.setdefault(key, code), code):
                overruled[name] = None
                known[key] = code
            if path is not None:
                own.add((name, path))
        taken |= own
    return out._replace(overruled=list(overruled))


def _files(name: str, places: Iterable[str]) -> list[str]:
    """Return the existing files of a name relative to `places`, each once; an absolute name has one file."""
    paths = dict.fromkeys(os.path.abspath(os.path.join(place, name)) for place in places) if name else {}
    return [path for path in paths if os.path.isfile(path)]


def _choose(
    name: str,
    code: bytes,
    paths: Sequence[str],
    real: Mapping[str, bytes],
    taken: set[tuple[str, str]],
    encoder: Encoder,
) -> str | None:
    def unlikely(path: str) -> tuple[bool, bool]:
        return not encoder.same(real.get(path, code), code), (name, path) in taken

    return min(paths, key=unlikely, default=None)
