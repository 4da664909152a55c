"""What may be asked of a run."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from twinpix import fingerprints, keep, sources
from twinpix.encoding.encoder import Coder
from twinpix.errors import StoreError, UsageError
from twinpix.fingerprints import Fingerprint
from twinpix.model import Decode, DistanceUnit, Strictness, shown
from twinpix.progress import Progress
from twinpix.search import check, radius_of_cosine
from twinpix.store import Store, default_path

DEFAULT_METHOD = "phash:size=16"


_RADIUS = {
    "cosine": "a cosine distance ",
    "points": "the share of what two pictures have in common that may differ, ",
    "tiers": "the share of what two pictures have in common that may differ, ",
}
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
    threshold: float | None = None  # the least cosine that still matches; another way to say the radius
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

    def plain(self) -> "Options":
        """The same without what only concerns hashes."""
        return replace(self, decode="fast", transforms=False)

    def fingerprint(self) -> Fingerprint:
        return self.fingerprints([self.method])[0]

    def fingerprints(self, specs: Sequence[str]) -> tuple[Fingerprint, ...]:
        """The methods described; raises `UsageError` for one that there is not, cannot be turned or cannot be used."""
        methods = tuple(fingerprints.make(spec) for spec in specs)
        if self.device:
            methods = fingerprints.placed(methods, self.device)
        for spec, method in zip(specs, methods, strict=True):
            if self.transforms and method.metric == "identity":
                raise UsageError(f"{spec} compares for equality: it cannot be combined with --transforms")
            fingerprints.check(method)
        return methods

    def check_search(self, method: Fingerprint) -> None:
        """Raise `UsageError` when the search asked for does not fit the method's codes."""
        if method.metric in ("hamming", "cosine"):
            check(self.search, method.metric)
        elif self.search != "auto" and fingerprints.by_pixels(method):
            raise UsageError(f"{self.method} has no choice of search back ends: leave --search out")

    def looks_at_pixels(self, method: Fingerprint) -> bool:
        """Whether pairs that `method` proposes are looked at again; raises `UsageError` where they must be."""
        if fingerprints.by_pixels(method):
            if self.verify is False:
                raise UsageError(f"{self.method} only proposes pairs: without a second look it finds nothing")
            return True
        return bool(self.verify) and method.metric != "identity"

    def unit_of(self, method: Fingerprint) -> DistanceUnit:
        """What the radius of a method counts."""
        if fingerprints.by_pixels(method):
            return "share"
        return "cosine" if method.metric == "cosine" else "bits"

    def radius_of(self, method: Fingerprint) -> float:
        """The radius asked for, or the measured one for the strictness."""
        if self.precision is not None:
            self._check_precision(method, self.precision)
        if self.threshold is not None:
            return self._radius_of_threshold(method, self.threshold)
        if self.radius is None:
            if self.strictness not in method.radii:
                raise UsageError(f"strictness is one of {', '.join(method.radii)}, not {self.strictness!r}")
            return method.radii[self.strictness]
        most, what = fingerprints.farthest(method), _RADIUS.get(method.metric, "")
        if not 0 <= self.radius <= most:
            raise UsageError(f"the radius of {self.method} is {what}between 0 and {most}, not {shown(self.radius)}")
        if what:
            return float(self.radius)
        if self.radius != int(self.radius):
            raise UsageError(f"the radius of {self.method} is a whole number of bits, not {shown(self.radius)}")
        if method.metric == "identity" and self.radius:
            raise UsageError(f"{self.method} compares for equality: its only radius is 0")
        return int(self.radius)

    def _check_precision(self, method: Fingerprint, precision: float) -> None:
        if self.radius is not None or self.threshold is not None:
            raise UsageError("a precision finds the radius: give one of them, not both")
        if method.metric not in ("hamming", "cosine"):
            raise UsageError(f"{self.method} has no radius to find: leave --precision out")
        if not 0 < precision <= 1:
            raise UsageError(f"the precision is a share of the matches, above 0 and at most 1, not {shown(precision)}")

    def _radius_of_threshold(self, method: Fingerprint, threshold: float) -> float:
        if self.radius is not None:
            raise UsageError("give a radius or a threshold, not both")
        if method.metric != "cosine":
            raise UsageError(f"a threshold is a cosine, and {self.method} counts bits: give a radius")
        if not -1 <= threshold <= 1:
            raise UsageError(f"the threshold is a cosine between -1 and 1, not {shown(threshold)}")
        return radius_of_cosine(threshold)

    def scan(
        self,
        progress: Progress,
        paths: Sequence[str],
        references: Sequence[str] = (),
        listed: Sequence[str] = (),
    ) -> sources.Listing:
        """List what lies below some paths."""
        with progress.stage("list"):
            return sources.scan(
                paths,
                references,
                listed,
                recursive=self.recursive,
                hidden=self.hidden,
                follow_links=self.follow_links,
                exclude=names_of(self.exclude),
                min_size=self.min_size,
                tell=progress.advance,
            )

    def coder(self, store: Store, methods: Sequence[Fingerprint], progress: Progress) -> Coder:
        """What codes files by these methods."""
        return Coder(store, tuple(methods), self.decode, bool(self.transforms), self.workers, self.timeout, progress)

    @contextmanager
    def opened(self, progress: Progress) -> Iterator[Store]:
        """The store for the time of a run: what it has to say is said, what was computed is kept."""
        store = self.open_store()
        try:
            yield store
        finally:
            try:
                store.close()
            finally:
                for note in store.notes:
                    progress.note(note)

    def open_store(self) -> Store:
        """The store asked for; without one when the default one cannot be made, which it says in its notes."""
        if self.store is None:
            return Store(None)
        if self.store != "default":
            return Store(Path(self.store))
        try:
            return Store(default_path())
        except StoreError as error:
            store = Store(None)
            store.notes.append(f"{error}; this run goes on without it")
            return store
