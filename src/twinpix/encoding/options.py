"""The options of a run, as data. `methods` resolves them for a method, `session` opens the resources of a run."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, get_args

from twinpix import keep
from twinpix.errors import UsageError
from twinpix.model import Decode, Strictness, format_distance

DEFAULT_METHOD = "cascade"
FAST_METHOD = "phash:size=16"
"""The hash for fast searches without verification, and the default wherever codes must have a distance."""

Paths = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def names_of(paths: Paths | Iterable[Paths]) -> list[str]:
    """Return one or several paths as a list of text, URLs without credentials; raises `UsageError` for another type."""
    if isinstance(paths, str | bytes | os.PathLike):
        paths = [paths]
    try:
        names = [os.fsdecode(path) for path in paths]
    except TypeError as error:
        raise UsageError(f"paths are text or path objects: {error}") from None
    if not any("://" in name for name in names):
        return names
    from twinpix.sources.credentials import show_url  # the package `sources` loads NumPy

    return [show_url(name) for name in names]


def _require_one_of(name: str, values: Sequence[str], given: str) -> None:
    if given not in values:
        raise UsageError(f"{name} is one of {', '.join(values)}, not {given!r}", field=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of `find`, `query` and `encode`, each also accepted by these functions as a keyword argument.

    `twinpix methods` lists the names for `method`, `search`, `link` and `keep`, with their options.

    Args:
        method: Fingerprint with its options, as "phash:size=8"; None: "cascade", for codes "phash:size=16".
        radius: Largest distance of a match: whole bits, or cosine distance or share; None: strictness.
        strictness: Radius measured for the method: "exact", "strict", "normal" or "loose".
        precision: Choose the largest radius with this estimated precision, above 0 and at most 1.
        transforms: Match rotations by 90° and mirror images; None: only if the method does so anyway.
        decode: "fast", or "reference": bit for bit the pixels of imagededup and ImageHash.
        search: Search back end; "auto" is exact.
        device: Device of a network: auto, cpu, cuda, coreml or directml; "": that of the method.
        link: Linking rule: "star", "complete" or "components".
        keep: Keep rules in order of priority, separated by commas.
        reference: Folders and images that are compared and never removed.
        cross: Match only images of different paths.
        recursive: Search sub-folders.
        hidden: Also search hidden and service folders.
        follow_links: Follow symbolic links to folders.
        verify: True: verify every match on the pixels; False: none; None: those that a hash cannot decide.
        guard: Match images with too little texture for a hash by keypoints or when identical only.
        workers: Number of processes; 0: one for each core.
        executor: "local": processes of this machine; "ray": a Ray of this machine; "ray:address=ADDRESS": the cluster
            there, "auto" for the one that this machine belongs to. It reads and verifies images, runs long searches.
        timeout: Seconds for one image, above 0.
        exclude: Patterns of file names, or of paths if they contain a slash.
        min_size: Smallest file, in bytes.
        min_pixels: Smallest image, width times height.
        table: Table (.csv, .jsonl, .parquet) that names further images, one in each row.
        column: Column of the paths and URLs in `table`, or of the images in Parquet and Arrow files; "": the first
            that fits.
        id: Column of `table` with the ids that the report repeats; "": none.
        store: Path of the SQLite file of results; "default": in the cache folder; None: none.
        work: Folder, or URL of one in a store, in which the run leaves its results, and from which it continues on any
            machine; None: none.

    Raises:
        UsageError: A value is outside its range. What depends on the method (a radius above its largest distance) and
            the names of plugins are checked when the options are used.

    Example:
        >>> options = twinpix.Options(method="phash", radius=6, store=None)
        >>> len(twinpix.find("photos", options).groups)
        1
        >>> len(twinpix.find("photos", options, min_pixels=1_000_000).groups)
        0
    """

    method: str | None = None
    radius: float | None = None
    strictness: Strictness = "normal"
    precision: float | None = None
    transforms: bool | None = None
    decode: Decode = "fast"
    search: str = "auto"
    device: str = ""
    link: str = "star"
    keep: str = keep.DEFAULT
    reference: Paths | Sequence[Paths] = ()
    cross: bool = False
    recursive: bool = True
    hidden: bool = False
    follow_links: bool = False
    verify: bool | None = None
    guard: bool = True
    workers: int = 0
    executor: str = "local"
    timeout: float = 60.0
    exclude: Paths | Sequence[Paths] = ()
    min_size: int = 0
    min_pixels: int = 0
    table: str | os.PathLike[str] | None = None
    column: str = ""
    id: str = ""
    store: str | os.PathLike[str] | None = "default"
    work: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise UsageError(
                f"workers is a number of processes, or 0 for one a core, not {self.workers}", field="workers"
            )
        if not 0 < self.timeout < math.inf:
            raise UsageError(f"timeout is a number of seconds above 0, not {self.timeout:g}", field="timeout")
        for name, least in (("min_size", self.min_size), ("min_pixels", self.min_pixels)):
            if least < 0:
                raise UsageError(f"{name} is 0 or more, not {least}", field=name)
        if self.radius is not None and not 0 <= self.radius < math.inf:
            raise UsageError(f"the radius is a distance of 0 or more, not {format_distance(self.radius)}")
        if self.precision is not None and not 0 < self.precision <= 1:
            what = "a share of the matches, above 0 and at most 1"
            raise UsageError(f"the precision is {what}, not {format_distance(self.precision)}")
        _require_one_of("strictness", get_args(Strictness), self.strictness)
        _require_one_of("decode", get_args(Decode), self.decode)

    @property
    def matching_method(self) -> str:
        """The method that finds copies."""
        return self.method or DEFAULT_METHOD

    @property
    def code_method(self) -> str:
        """The method of codes that are written or returned: by default a hash, as those of cascade match nothing."""
        return self.method or FAST_METHOD

    def require_table_of_ids(self) -> None:
        """Raise `UsageError` if ids are asked for and no table has them."""
        if self.id and self.table is None:
            raise UsageError("id names a column of a table: give the table", field="id")

    @classmethod
    def of(cls, given: "Options | None", changes: Mapping[str, Any]) -> "Options":
        """Return the given or the default options with some changed; raises `UsageError` for an unknown name."""
        if given is not None and not isinstance(given, Options):
            raise UsageError(f"options are twinpix.Options(...), or single ones by name, not {given!r}")
        names = [field.name for field in fields(cls)]
        for name in changes:
            if name not in names:
                near = get_close_matches(name, names, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(names)}"
                raise UsageError(f"there is no option {name!r}{hint}")
        return replace(given or cls(), **changes)
