"""The fingerprint interface, the eight orientations of an image, and the detail score."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from twinpix import plugins
from twinpix.errors import ImageError, UsageError
from twinpix.imaging import Picture, decoder_name
from twinpix.model import Bytes2D, Decode, DistanceUnit, Relation, Strictness
from twinpix.search.base import Workers

Array = NDArray[Any]

Metric = Literal["hamming", "cosine"]
"""How a search compares codes."""

Turns = Literal["matrix", "transposed"]
"""How the eight orientations are computed: from rotations and reflections of one matrix (`matrix`); or from the matrix
and that of the transposed image (`transposed`), for matrices that are not square."""

NOTHING = "the network gave no finite numbers for it"

TURNS = 8  # swap axes (4), then flip up-down (2), then flip left-right (1)
_ROTATIONS = frozenset({0b011, 0b101, 0b110})
MAX_SIZE = 64


class Stage(NamedTuple):
    """One of the methods that a composite method applies."""

    name: str  # "" for the only stage
    method: "Fingerprint"
    code: slice  # the bytes of its code in the composite code


class Candidates(NamedTuple):
    """Candidate pairs of images from keypoint matches, with the transform of each."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    weights: NDArray[Any]  # of the keypoints that agree in scale, orientation and position; rare ones count more
    transforms: NDArray[np.float32]  # (pairs, 2, 3): affine, from pixels of i to pixels of j
    sizes: NDArray[np.float32]  # (images, 2): width and height of each image, in the same pixels


class Fingerprint(ABC):
    """A fingerprint method: `prepare` reduces an image to a small matrix, `compute` converts matrices to codes.

    A plugin inherits from one of the subclasses below: `Hash`, `Embedding`, `Identity` or `Proposer`.
    """

    __slots__ = ()
    unit: ClassVar[DistanceUnit]  # of its radii and distances
    metric: ClassVar[Metric | None] = None  # how a search compares codes; None: codes have no distances
    by_equality: ClassVar[bool] = False  # codes are compared for equality only
    proposes: ClassVar[bool] = False  # codes give candidate pairs only: verification on the pixels decides
    version: ClassVar[int] = 1  # increase it whenever the same pixels may get another code
    turns: ClassVar[Turns] = "matrix"
    decodes: ClassVar[bool] = True  # False: the method needs only the bytes of the file

    @property
    @abstractmethod
    def bits(self) -> int:
        """The number of bits of a code; the last byte is padded with zeros. Each number of an embedding has 16 bits."""

    @property
    @abstractmethod
    def radii(self) -> Mapping[Strictness, float]:
        """Measured radii by strictness, in `unit`; see docs/benchmarks.md."""

    @property
    @abstractmethod
    def farthest(self) -> float:
        """The largest possible distance, in `unit`."""

    @abstractmethod
    def prepare(self, picture: Picture) -> Array:
        """Reduce one image to its small matrix."""

    @abstractmethod
    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        """Return the codes `(n, bytes)` of `n` small matrices; bits are row-major, most significant bit first."""

    @property
    def colour(self) -> int:
        """The RGB resolution that the method needs, in pixels along the shorter side; 0: no colours."""
        return 0

    @property
    def detail(self) -> int:
        """The luma resolution that the method needs, in pixels along the longer side; 0: `imaging.BASE` is enough."""
        return 0

    @property
    def variant(self) -> str:
        """Identifies what the codes depend on besides the options: a model file or a library version; "" if nothing."""
        return ""

    def check(self) -> None:  # noqa: B027 - most methods have no requirements
        """Raise `UsageError` if the method cannot be used on this machine."""

    def compiles(self) -> bool:
        """True if `load` compiles loops, once after an installation, which takes ten seconds or more."""
        return False

    def load(self) -> None:  # noqa: B027 - most methods need nothing
        """Load what `prepare` needs, before worker processes are forked, so that each of them need not."""

    def comparable(self, codes: Bytes2D) -> Array:
        """Return codes `(..., bytes)` in the dtype that `twinpix.search` compares."""
        return codes

    def broken(self, codes: Bytes2D) -> NDArray[np.bool_]:
        """Return `(n,)` bool: which of the codes `(n, turns, bytes)` are not valid."""
        return np.zeros(len(codes), dtype=bool)

    def stages(self) -> tuple[Stage, ...]:
        """Return the methods that it applies, the cheapest first; a method that is not composite returns itself."""
        return (Stage("", self, slice(None)),)

    def candidates(
        self, codes: Bytes2D, of: int, on_progress: Callable[[float], None], workers: Workers | None = None
    ) -> Candidates:
        """Return candidate pairs of the images with the codes `(n, bytes)`, at least one of them among the first `of`.

        Only methods with `proposes` that are not composite implement it. `on_progress` receives the fraction done,
        0 to 1. `workers` on other machines run long searches. Raises `NotImplementedError` for other methods.
        """
        raise NotImplementedError(f"{plugins.name_of(self)} proposes no pairs")


class Hash(Fingerprint):
    """Binary codes that are compared by Hamming distance."""

    __slots__ = ()
    unit = "bits"
    metric = "hamming"

    @property
    def farthest(self) -> float:
        return self.bits


class Embedding(Fingerprint):
    """Unit vectors (float16, little-endian) that are compared by cosine distance."""

    __slots__ = ()
    unit = "cosine"
    metric = "cosine"

    @property
    def farthest(self) -> float:
        return 2

    def comparable(self, codes: Bytes2D) -> Array:
        return codes.view("<f2")

    def broken(self, codes: Bytes2D) -> NDArray[np.bool_]:
        """Return which vectors have numbers that are not finite, or only zeros."""
        numbers = self.comparable(codes).astype(np.float32)
        sound: NDArray[np.bool_] = ((numbers**2).sum(axis=-1) > 0).all(axis=1)
        return ~sound


class Identity(Fingerprint):
    """128-bit digests that are compared for equality."""

    __slots__ = ()
    unit = "bits"
    by_equality = True
    turns = "transposed"

    @property
    def bits(self) -> int:
        return 128

    @property
    def radii(self) -> Mapping[Strictness, float]:
        return {"exact": 0, "strict": 0, "normal": 0, "loose": 0}

    @property
    def farthest(self) -> float:
        return self.bits

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        return batch


class Proposer(Fingerprint):
    """Codes that give candidate pairs; the distance of a verified match is the share of the overlap that differs."""

    __slots__ = ()
    unit = "share"
    proposes = True

    @property
    def farthest(self) -> float:
        return 1


def make(text: str) -> Fingerprint:
    """Return the fingerprint method that `text` describes. Raises `UsageError` if there is none."""
    return cast(Fingerprint, plugins.make("fingerprints", text))


class Wanted(NamedTuple):
    """The `colour` and `detail` arguments of `twinpix.imaging.decode` that methods need, in pixels; 0: none."""

    colour: int  # along the shorter side
    detail: int  # of luma, along the longer side


def needs_of(methods: Sequence[Fingerprint]) -> Wanted:
    """Return the decode arguments that are sufficient for all these methods."""
    colour = max((method.colour for method in methods), default=0)
    return Wanted(colour, max((method.detail for method in methods), default=0))


def place_on_device(methods: Sequence[Fingerprint], device: str) -> tuple[Fingerprint, ...]:
    """Return the methods, with `device` set for each network. Raises `UsageError` if none is a network."""
    networks = ["device" in plugins.options(type(method)) for method in methods]
    if not any(networks):
        names = ", ".join(map(plugins.describe, methods))
        raise UsageError(f"no device can be chosen for {names}: only networks have one")
    return tuple(
        cast(Fingerprint, plugins.replace_options(method, device=device)) if network else method
        for method, network in zip(methods, networks, strict=True)
    )


def turns_of(method: Fingerprint, transforms: bool) -> int:
    """Return the number of codes per image: 8 with `transforms`, else 1.

    Methods that give candidate pairs have 1 code: their keypoints are invariant to orientation.
    """
    return TURNS if transforms and not method.proposes else 1


def width_of(method: Fingerprint) -> int:
    """Return the number of bytes of a code."""
    return (method.bits + 7) // 8


def spec_key(method: Fingerprint, decode: Decode, transforms: bool) -> str:
    """Return a key for codes that may be compared and reused: method, options, versions and decoder."""
    turns = "/d4" if turns_of(method, transforms) > 1 else ""
    variant = f"/{name}" if (name := method.variant) else ""
    return f"{plugins.describe(method)}/v{method.version}{variant}{turns}/{decoder_name(decode)}"


def codes_of(method: Fingerprint, pictures: Sequence[Picture], transforms: bool = False) -> Bytes2D:
    """Return the codes `(n, turns, bytes)` of images, with `turns` as in `turns_of`."""
    return codes_from(method, [matrices(method, p, transforms) for p in pictures], pictures[0].decode)


def codes_from(method: Fingerprint, prepared: Sequence[Sequence[Array]], decode: Decode) -> Bytes2D:
    """Return the codes `(n, turns, bytes)` of the `matrices` of `n` images."""
    batch = np.stack([matrix for each in prepared for matrix in each])
    return method.compute(batch, decode).reshape(len(prepared), len(prepared[0]), -1)


def codes_of_one(method: Fingerprint, picture: Picture, transforms: bool = False) -> Bytes2D:
    """Return the codes `(turns, bytes)` of an image. Raises `ImageError` if they are not valid."""
    codes = codes_of(method, [picture], transforms)
    if method.broken(codes)[0]:
        raise ImageError("code", NOTHING)
    code: Bytes2D = codes[0]
    return code


def relation_of_turn(turn: int) -> Relation | None:
    """Return the relation of a pair that matches in orientation `turn`; None for orientation 0."""
    if turn == 0:
        return None
    return "rotated" if turn in _ROTATIONS else "mirrored"


def turn_matrix(matrix: Array, transposed: Array, turn: int) -> Array:
    """Return orientation `turn` (0 to 7) of a matrix; `transposed` is the matrix of the transposed image."""
    out = transposed if turn & 4 else matrix
    out = out[::-1] if turn & 2 else out
    return out[:, ::-1] if turn & 1 else out


def matrices(method: Fingerprint, picture: Picture, transforms: bool) -> list[Array]:
    """Return the small matrix of an image, or those of its eight orientations, all from one decode.

    Raises `UsageError` if `transforms` is requested for a method that compares by equality.
    """
    matrix = method.prepare(picture)
    if turns_of(method, transforms) == 1:
        return [matrix]
    if method.by_equality:
        what = f"transforms cannot be combined with {plugins.describe(method)}, which compares for equality"
        raise UsageError(what, field="transforms")
    transposed = matrix.swapaxes(0, 1) if method.turns == "matrix" else method.prepare(picture.transpose())
    return [turn_matrix(matrix, transposed, turn) for turn in range(TURNS)]


def pack(bits: NDArray[np.bool_]) -> Bytes2D:
    """Pack bits `(n, rows, columns)` to codes `(n, bytes)`, row-major, most significant bit first."""
    return np.packbits(bits.reshape(len(bits), -1), axis=1)


def check_size(size: int, *, imagehash: bool = False, power_of_two: bool = False) -> None:
    """Raise `ValueError` for a `size` that is not supported; ImageHash also supports odd sizes and 2."""
    if imagehash and not 2 <= size <= MAX_SIZE:
        raise ValueError(f"size must be a number from 2 to {MAX_SIZE}")
    if not imagehash and (size % 2 or not 4 <= size <= MAX_SIZE):
        raise ValueError(f"size must be an even number from 4 to {MAX_SIZE}")
    if power_of_two and size & (size - 1):
        raise ValueError("size must be a power of two (2, 4, 8, 16, 32, 64)")


def scale_radii(size: int, measured: Mapping[int, tuple[int, int, int]]) -> Mapping[Strictness, int]:
    """Return the radii for a size: as measured, or scaled from the nearest measured size by the number of bits."""
    nearest = min(measured, key=lambda known: (abs(known - size), known))
    share = (size * size) / (nearest * nearest)
    strict, normal, loose = (int(radius * share) for radius in measured[nearest])
    return {"exact": 0, "strict": strict, "normal": normal, "loose": loose}


@cache
def cosines(size: int, keep: int) -> NDArray[np.float64]:
    """Return the first `keep` rows of the unnormalised DCT-II matrix of length `size` (2·Σ x·cos), as in scipy."""
    k, n = np.arange(keep)[:, None], np.arange(size)[None]
    return cast("NDArray[np.float64]", 2 * np.cos(np.pi * k * (2 * n + 1) / (2 * size)))


def low_frequencies(batch: Array, keep: int, decode: Decode) -> NDArray[np.float64]:
    """Return the top-left `keep`×`keep` DCT-II coefficients of each matrix, unnormalised.

    A reference decode uses scipy, whose rounding errors decide ties as in the reference libraries. A fast decode
    multiplies by a cosine matrix and rounds to 3 decimals, so that the result does not depend on the processor.
    """
    if decode == "reference":
        from scipy.fft import dct

        rows = dct(batch.astype(np.float64), axis=1)
        return np.asarray(dct(rows, axis=2)[:, :keep, :keep])
    matrix = cosines(batch.shape[1], keep)
    return np.round(matrix @ batch.astype(np.float64) @ matrix.T, 3)


# -- detail score ------------------------------------------------------------------------------------

INFORMATION_SIZE = 64
LOW_DETAIL_BELOW = 26
_BLOCK = 16
_NOISE = 16.0  # orthonormal coefficients up to this are noise, grain or compression artefacts


def detail_score_of(picture: Picture) -> int:
    """Return the number of low-frequency DCT coefficients above the noise: 0 to 250.

    The lowest ones, which describe smooth gradients, are not counted. Blank, black and smoothly graded images have
    nearly none: their hashes consist of noise and match by chance. Photos have a hundred or more.
    """
    luma = picture.luma(INFORMATION_SIZE, INFORMATION_SIZE, "imagededup")
    matrix = cosines(INFORMATION_SIZE, _BLOCK)
    coefficients = (matrix @ luma @ matrix.T) / (2 * INFORMATION_SIZE)
    rough = np.add.outer(np.arange(_BLOCK), np.arange(_BLOCK)) > 2
    return int(np.count_nonzero((np.abs(coefficients) > _NOISE) & rough))
