"""A hash, then local features, then, if requested, the network; every match is verified on the pixels.

Each stage searches only for copies that the cheaper stages before it did not find. All candidate pairs are verified
(`twinpix.verify`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from twinpix import plugins
from twinpix.fingerprints.base import Array, Fingerprint, Proposer, Stage, make, wanted, width_of
from twinpix.imaging import Picture, picture_of
from twinpix.model import Bytes2D, Decode, Strictness


class Tier(NamedTuple):
    """One of the methods, and the position of its matrix and its code in the concatenated bytes."""

    name: str
    method: Fingerprint
    matrix: slice
    shape: tuple[int, ...]
    kind: np.dtype[Any]
    code: slice


@dataclass(frozen=True, slots=True)
class Cascade(Proposer):
    """`hash`, then `local`, then, with `cnn`, the network; identical files and pixels need none of them."""

    hash: str = "phash:size=16"
    cnn: bool = False

    def __post_init__(self) -> None:
        if make(self.hash).metric != "hamming":
            raise ValueError(f"{self.hash} is no hash of bits")

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The methods and their positions, the cheapest first."""
        return _tiers(self.hash, self.cnn)

    def stages(self) -> tuple[Stage, ...]:
        return tuple(Stage(tier.name, tier.method, tier.code) for tier in self.tiers)

    @property
    def bits(self) -> int:
        return 8 * int(self.tiers[-1].code.stop)

    @property
    def colour(self) -> int:
        """The RGB resolution that its methods need, in pixels along the shorter side."""
        return wanted([tier.method for tier in self.tiers]).colour

    @property
    def detail(self) -> int:
        """The luma resolution that its methods need, in pixels along the longer side."""
        return wanted([tier.method for tier in self.tiers]).detail

    @property
    def variant(self) -> str:
        """The versions and variants of its methods, separated by commas."""
        named = ((tier.name, f"v{tier.method.version}", tier.method.variant) for tier in self.tiers)
        return ",".join("-".join(filter(None, parts)) for parts in named)

    @property
    def radii(self) -> Mapping[Strictness, float]:
        """The maximum share of the overlap of two images that may differ, by strictness."""
        return make("local").radii

    def check(self) -> None:
        """Raise `UsageError` if one of its methods cannot be used on this machine."""
        for tier in self.tiers:
            tier.method.check()

    def load(self) -> None:
        """Load what its methods need."""
        for tier in self.tiers:
            tier.method.load()

    def prepare(self, picture: Picture) -> Array:
        """Return the matrices of all methods, concatenated as bytes."""
        matrices = (np.ascontiguousarray(tier.method.prepare(picture)) for tier in self.tiers)
        return np.concatenate([matrix.reshape(-1).view(np.uint8) for matrix in matrices])

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        codes = []
        for tier in self.tiers:
            part = np.ascontiguousarray(batch[:, tier.matrix]).view(tier.kind)
            codes.append(tier.method.compute(part.reshape(len(batch), *tier.shape), decode))
        return np.concatenate(codes, axis=1)


@cache
def _tiers(hash: str, cnn: bool) -> tuple[Tier, ...]:
    specs = [hash, "local", *(["cnn"] if cnn else [])]
    return _laid_out([(plugins.parse(spec)[0], make(spec)) for spec in specs])


def _laid_out(named: Sequence[tuple[str, Fingerprint]]) -> tuple[Tier, ...]:
    blank = picture_of(np.zeros((16, 16, 3), np.uint8), "fast", *wanted([method for _, method in named]))
    out, matrix, code = [], 0, 0
    for name, method in named:
        width = width_of(method)
        probe = np.empty(width, np.uint8) if method.proposes else method.prepare(blank)
        end = matrix + probe.nbytes
        out.append(Tier(name, method, slice(matrix, end), probe.shape, probe.dtype, slice(code, code + width)))
        matrix, code = end, code + width
    return tuple(out)
