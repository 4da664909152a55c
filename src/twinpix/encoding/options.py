"""The options of a run, as data: what they mean for a method is in `methods`, what a run holds in `session`."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, get_args

from twinpix import keep
from twinpix.errors import UsageError
from twinpix.model import Decode, Strictness

DEFAULT_METHOD = "phash:size=16"

Paths = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def names_of(paths: Paths | Iterable[Paths]) -> list[str]:
    """Paths as text: one, or several."""
    if isinstance(paths, str | bytes | os.PathLike):
        paths = [paths]
    try:
        return [os.fsdecode(path) for path in paths]
    except TypeError as error:
        raise UsageError(f"paths are text or path objects: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of `find`, `query` and `encode`; every default is the measured or the harmless one."""

    method: str = DEFAULT_METHOD
    radius: float | None = None  # inclusive: bits, a cosine distance, or a share; None: by strictness
    strictness: Strictness = "normal"
    precision: float | None = None  # the share of matches that are to be right: the radius is found by looking
    transforms: bool | None = None  # match rotated and mirrored copies too; None: where pixels are compared
    decode: Decode = "fast"
    search: str = "auto"
    device: str = ""  # where a network computes: auto, cpu, cuda, coreml, directml; "": as the method says
    link: str = "star"
    keep: str = keep.DEFAULT
    reference: Paths | Sequence[Paths] = ()
    cross: bool = False  # only pairs of different PATHs
    recursive: bool = True
    hidden: bool = False
    follow_links: bool = False
    verify: bool | None = None  # whether pixels decide; None: where codes alone would not do
    guard: bool = True  # pictures with too little detail match by identity only
    workers: int = 0  # processes; 0: one a core
    timeout: float = 60.0  # seconds that one image may take
    exclude: Paths | Sequence[Paths] = ()  # patterns of names and paths that are left out
    min_size: int = 0  # bytes; smaller files are left out
    min_pixels: int = 0  # width times height; smaller images are left out
    store: str | os.PathLike[str] | None = "default"  # "default": the platform's cache folder; None: none

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise UsageError(f"workers is a number of processes, or 0 for one a core, not {self.workers}")
        if not 0 < self.timeout < math.inf:
            raise UsageError(f"timeout is a number of seconds above 0, not {self.timeout:g}")
        if min(self.min_size, self.min_pixels) < 0:
            raise UsageError("min_size and min_pixels are 0 or more")
        if self.decode not in get_args(Decode):
            raise UsageError(f"decode is one of {', '.join(get_args(Decode))}, not {self.decode!r}")

    @classmethod
    def of(cls, given: "Options | None", changes: Mapping[str, Any]) -> "Options":
        """The options given, or the default ones, with some changed; raises `UsageError` for one that there is not."""
        if given is not None and not isinstance(given, Options):
            raise UsageError(f"options are twinpix.Options(...), or single ones by name, not {given!r}")
        names = [field.name for field in fields(cls)]
        for name in changes:
            if name not in names:
                near = get_close_matches(name, names, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(names)}"
                raise UsageError(f"there is no option {name!r}{hint}")
        return replace(given or cls(), **changes)
