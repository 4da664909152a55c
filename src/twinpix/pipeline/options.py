"""What may be asked of a run."""

import os
from dataclasses import dataclass
from pathlib import Path

from twinpix import fingerprints, keep
from twinpix.errors import UsageError
from twinpix.fingerprints import Fingerprint
from twinpix.model import Decode, Strictness
from twinpix.store import Store, default_path

DEFAULT_METHOD = "phash:size=16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of `find`, `query` and `encode`; every default is the measured or the harmless one."""

    method: str = DEFAULT_METHOD
    radius: int | None = None  # inclusive; None: by strictness
    strictness: Strictness = "normal"
    transforms: bool = False  # also match the eight rotations and mirrorings
    decode: Decode = "fast"
    search: str = "auto"
    link: str = "star"
    keep: str = keep.DEFAULT
    reference: tuple[str, ...] = ()
    cross: bool = False  # only pairs of different PATHs
    recursive: bool = True
    hidden: bool = False
    follow_links: bool = False
    guard: bool = True  # pictures with too little detail match by identity only
    workers: int = 0  # processes; 0: one a core
    timeout: float = 60.0  # seconds that one image may take
    store: str | os.PathLike[str] | None = "default"  # "default": the platform's cache folder; None: none

    def fingerprint(self) -> Fingerprint:
        method = fingerprints.make(self.method)
        if self.transforms and method.metric == "identity":
            raise UsageError(f"{self.method} compares for equality: it cannot be combined with transforms")
        return method

    def radius_of(self, method: Fingerprint) -> int:
        """The radius asked for, or the measured one for the strictness."""
        if self.radius is None:
            if self.strictness not in method.radii:
                raise UsageError(f"strictness is one of {', '.join(method.radii)}, not {self.strictness!r}")
            return method.radii[self.strictness]
        if not 0 <= self.radius <= method.bits:
            raise UsageError(f"the radius of {self.method} is between 0 and {method.bits}, not {self.radius}")
        if method.metric == "identity" and self.radius:
            raise UsageError(f"{self.method} compares for equality: its only radius is 0")
        return self.radius

    def open_store(self) -> Store:
        if self.store is None:
            return Store(None)
        return Store(default_path() if self.store == "default" else Path(self.store))
