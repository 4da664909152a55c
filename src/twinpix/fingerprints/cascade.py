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
from twinpix.fingerprints.base import Array, Fingerprint, Proposer, Stage, make, needs_of, width_of
from twinpix.imaging import Picture, picture_of
from twinpix.model import Bytes2D, Decode, Strictness


class StageLayout(NamedTuple):
    """One of the stages, and the position of its matrix and its code in the concatenated bytes."""

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
    def layout(self) -> tuple[StageLayout, ...]:
        """The stages and their positions, the cheapest first."""
        return _layout_of(self.hash, self.cnn)

    def stages(self) -> tuple[Stage, ...]:
        return tuple(Stage(stage.name, stage.method, stage.code) for stage in self.layout)

    @property
    def bits(self) -> int:
        return 8 * int(self.layout[-1].code.stop)

    @property
    def colour(self) -> int:
        """The RGB resolution that its methods need, in pixels along the shorter side."""
        return needs_of([stage.method for stage in self.layout]).colour

    @property
    def detail(self) -> int:
        """The luma resolution that its methods need, in pixels along the longer side."""
        return needs_of([stage.method for stage in self.layout]).detail

    @property
    def variant(self) -> str:
        """The versions and variants of its methods, separated by commas."""
        named = ((stage.name, f"v{stage.method.version}", stage.method.variant) for stage in self.layout)
        return ",".join("-".join(filter(None, parts)) for parts in named)

    @property
    def radii(self) -> Mapping[Strictness, float]:
        """The maximum share of the overlap of two images that may differ, by strictness."""
        return make("local").radii

    def check(self) -> None:
        """Raise `UsageError` if one of its methods cannot be used on this machine."""
        for stage in self.layout:
            stage.method.check()

    def compiles(self) -> bool:
        return any(stage.method.compiles() for stage in self.layout)

    def load(self) -> None:
        """Load what its methods need."""
        for stage in self.layout:
            stage.method.load()

    def prepare(self, picture: Picture) -> Array:
        """Return the matrices of all methods, concatenated as bytes."""
        matrices = (np.ascontiguousarray(stage.method.prepare(picture)) for stage in self.layout)
        return np.concatenate([matrix.reshape(-1).view(np.uint8) for matrix in matrices])

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        codes = []
        for stage in self.layout:
            part = np.ascontiguousarray(batch[:, stage.matrix]).view(stage.kind)
            codes.append(stage.method.compute(part.reshape(len(batch), *stage.shape), decode))
        return np.concatenate(codes, axis=1)


@cache
def _layout_of(hash: str, cnn: bool) -> tuple[StageLayout, ...]:
    specs = [hash, "local", *(["cnn"] if cnn else [])]
    return _lay_out([(plugins.parse(spec)[0], make(spec)) for spec in specs])


def _lay_out(named: Sequence[tuple[str, Fingerprint]]) -> tuple[StageLayout, ...]:
    blank = picture_of(np.zeros((16, 16, 3), np.uint8), "fast", *needs_of([method for _, method in named]))
    out, matrix, code = [], 0, 0
    for name, method in named:
        width = width_of(method)
        probe = np.empty(width, np.uint8) if method.proposes else method.prepare(blank)
        end = matrix + probe.nbytes
        out.append(StageLayout(name, method, slice(matrix, end), probe.shape, probe.dtype, slice(code, code + width)))
        matrix, code = end, code + width
    return tuple(out)
