"""What every fingerprint offers, the eight orientations, and the measure of information."""

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

Array = NDArray[Any]

Metric = Literal["hamming", "cosine"]
"""How a search compares codes."""

Turns = Literal["matrix", "transposed"]
"""Where the eight orientations come from: one matrix turned; or that and the transposed picture's matrix, for
matrices that are not square."""

NOTHING = "the network gave no finite numbers for it"

TURNS = 8  # swap axes (4), then flip up-down (2), then flip left-right (1)
_ROTATIONS = frozenset({0b011, 0b101, 0b110})
MAX_SIZE = 64


class Stage(NamedTuple):
    """One of the methods that a method applies, the cheapest first."""

    name: str  # "" where there is only one
    method: "Fingerprint"
    code: slice  # where its code lies among the bytes of all


class Candidates(NamedTuple):
    """Pairs of images that keypoints propose, with the transform of each."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    votes: NDArray[Any]  # keypoints that agree in scale, angle and place
    transforms: NDArray[np.float32]  # (pairs, 2, 3): from pixels of i to pixels of j
    sizes: NDArray[np.float32]  # (images, 2): width and height of each image in these pixels


class Fingerprint(ABC):
    """A method: an image becomes a small matrix, matrices become codes.

    A plugin inherits from one of the kinds below: `Hash`, `Embedding`, `Identity` or `Proposer`.
    """

    __slots__ = ()
    unit: ClassVar[DistanceUnit]  # of its radii and distances
    metric: ClassVar[Metric | None] = None  # how a search compares codes; None: codes have no distances
    by_equality: ClassVar[bool] = False  # codes are equal or not
    proposes: ClassVar[bool] = False  # codes only propose pairs: verification on the pixels decides
    version: ClassVar[int] = 1  # raised whenever the same pixels get another code
    turns: ClassVar[Turns] = "matrix"
    decodes: ClassVar[bool] = True  # False: the bytes of the file are enough

    @property
    @abstractmethod
    def bits(self) -> int:
        """The width of a code; it fills whole bytes, the last one up with zeros. Numbers are float16."""

    @property
    @abstractmethod
    def radii(self) -> Mapping[Strictness, float]:
        """Measured radii by strictness, in `unit`; see docs/benchmarks.md."""

    @property
    @abstractmethod
    def farthest(self) -> float:
        """The largest distance there is, in `unit`."""

    @abstractmethod
    def prepare(self, picture: Picture) -> Array:
        """Reduce one picture to its small matrix."""

    @abstractmethod
    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        """Codes `(n, bytes)` of `n` small matrices, most significant bit first, row-major."""

    @property
    def colour(self) -> int:
        """Pixels of colour that it needs along the shorter side of an image; 0: none."""
        return 0

    @property
    def detail(self) -> int:
        """Pixels of luma that it needs along the longer side of an image; 0: none."""
        return 0

    @property
    def variant(self) -> str:
        """Names the content of what its codes depend on beside its options: a model file, a library; "" for nothing."""
        return ""

    def check(self) -> None:  # noqa: B027 - most can always be used
        """Raise `UsageError` when it cannot be used here."""

    def comparable(self, codes: Bytes2D) -> Array:
        """Codes `(..., bytes)` as `twinpix.search` compares them."""
        return codes

    def broken(self, codes: Bytes2D) -> NDArray[np.bool_]:
        """`(n,)`: which of the codes `(n, turns, bytes)` mean nothing."""
        return np.zeros(len(codes), dtype=bool)

    def stages(self) -> tuple[Stage, ...]:
        """The methods that it applies, the cheapest first: itself, unless it is several."""
        return (Stage("", self, slice(None)),)

    def candidates(self, codes: Bytes2D, of: int, on_progress: Callable[[float], None]) -> Candidates:
        """Propose pairs of the images whose codes are `(n, bytes)`, of which one is among the first `of`.

        Only a method that proposes pairs, and whose stages are itself, does so; `tell` is called with the share done.
        """
        raise NotImplementedError(f"{plugins.name_of(self)} proposes no pairs")


class Hash(Fingerprint):
    """Bits that are compared by Hamming distance."""

    __slots__ = ()
    unit = "bits"
    metric = "hamming"

    @property
    def farthest(self) -> float:
        return self.bits


class Embedding(Fingerprint):
    """Unit vectors of float16 that are compared by cosine distance."""

    __slots__ = ()
    unit = "cosine"
    metric = "cosine"

    @property
    def farthest(self) -> float:
        return 2

    def comparable(self, codes: Bytes2D) -> Array:
        return codes.view("<f2")

    def broken(self, codes: Bytes2D) -> NDArray[np.bool_]:
        """Which vectors are not finite, or only zeros."""
        numbers = self.comparable(codes).astype(np.float32)
        sound: NDArray[np.bool_] = ((numbers**2).sum(axis=-1) > 0).all(axis=1)
        return ~sound


class Identity(Fingerprint):
    """128 bits that are compared for equality."""

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
    """Codes that propose pairs; a distance is the share of the common pixels that differs."""

    __slots__ = ()
    unit = "share"
    proposes = True

    @property
    def farthest(self) -> float:
        return 1


def make(text: str) -> Fingerprint:
    """The fingerprint that `text` describes; raises `UsageError` when there is none."""
    return cast(Fingerprint, plugins.make("fingerprints", text))


class Wanted(NamedTuple):
    """What methods need a picture decoded with, in pixels; 0: nothing. See `twinpix.imaging.decode`."""

    colour: int  # along the shorter side
    detail: int  # of luma, along the longer side


def wanted(methods: Sequence[Fingerprint]) -> Wanted:
    """What a picture must be decoded with so that each of these methods can code it."""
    colour = max((method.colour for method in methods), default=0)
    return Wanted(colour, max((method.detail for method in methods), default=0))


def placed(methods: Sequence[Fingerprint], device: str) -> tuple[Fingerprint, ...]:
    """The methods, networks among them computing on `device`; raises `UsageError` when there is none."""
    networks = ["device" in plugins.options(type(method)) for method in methods]
    if not any(networks):
        names = ", ".join(map(plugins.describe, methods))
        raise UsageError(f"no device can be chosen for {names}: only networks have one")
    return tuple(
        cast(Fingerprint, plugins.changed(method, device=device)) if network else method
        for method, network in zip(methods, networks, strict=True)
    )


def turns_of(method: Fingerprint, transforms: bool) -> int:
    """Codes of a picture: one, or one of each orientation; points are found whichever way a picture lies."""
    return TURNS if transforms and not method.proposes else 1


def width_of(method: Fingerprint) -> int:
    """Bytes of a code."""
    return (method.bits + 7) // 8


def spec_key(method: Fingerprint, decode: Decode, transforms: bool) -> str:
    """Identifies codes that may be compared and reused: method, options, versions, decoder."""
    turns = "/d4" if turns_of(method, transforms) > 1 else ""
    variant = f"/{name}" if (name := method.variant) else ""
    return f"{plugins.describe(method)}/v{method.version}{variant}{turns}/{decoder_name(decode)}"


def codes_of(method: Fingerprint, pictures: Sequence[Picture], transforms: bool = False) -> Bytes2D:
    """Codes `(n, turns, bytes)` of pictures, with `turns` 1, or 8 when `transforms`."""
    return codes_from(method, [matrices(method, p, transforms) for p in pictures], pictures[0].decode)


def codes_from(method: Fingerprint, prepared: Sequence[Sequence[Array]], decode: Decode) -> Bytes2D:
    """Codes `(n, turns, bytes)` of the `matrices` of `n` pictures."""
    batch = np.stack([matrix for each in prepared for matrix in each])
    return method.compute(batch, decode).reshape(len(prepared), len(prepared[0]), -1)


def codes_of_one(method: Fingerprint, picture: Picture, transforms: bool = False) -> Bytes2D:
    """The codes `(turns, bytes)` of a picture; raises `ImageError` when they mean nothing."""
    codes = codes_of(method, [picture], transforms)
    if method.broken(codes)[0]:
        raise ImageError("code", NOTHING)
    code: Bytes2D = codes[0]
    return code


def relation_of_turn(turn: int) -> Relation | None:
    """What a pair is called that matches in orientation `turn`."""
    if turn == 0:
        return None
    return "rotated" if turn in _ROTATIONS else "mirrored"


def turned(matrix: Array, transposed: Array, turn: int) -> Array:
    """One of the eight orientations of a matrix whose transposed twin is given."""
    out = transposed if turn & 4 else matrix
    out = out[::-1] if turn & 2 else out
    return out[:, ::-1] if turn & 1 else out


def matrices(method: Fingerprint, picture: Picture, transforms: bool) -> list[Array]:
    """The small matrix of a picture, or of its eight orientations, all from the one decode."""
    matrix = method.prepare(picture)
    if turns_of(method, transforms) == 1:
        return [matrix]
    if method.by_equality:
        raise UsageError(f"{plugins.describe(method)} cannot be combined with transforms")
    transposed = matrix.swapaxes(0, 1) if method.turns == "matrix" else method.prepare(picture.transposed())
    return [turned(matrix, transposed, turn) for turn in range(TURNS)]


def pack(bits: NDArray[np.bool_]) -> Bytes2D:
    """Bits `(n, rows, columns)` to codes `(n, bytes)`, row-major, most significant bit first."""
    return np.packbits(bits.reshape(len(bits), -1), axis=1)


def check_size(size: int, *, imagehash: bool = False, power_of_two: bool = False) -> None:
    """Raise `ValueError` when `size` is not one that makes sense; ImageHash takes odd and smaller ones too."""
    if imagehash and not 2 <= size <= MAX_SIZE:
        raise ValueError(f"size must be a number from 2 to {MAX_SIZE}")
    if not imagehash and (size % 2 or not 4 <= size <= MAX_SIZE):
        raise ValueError(f"size must be an even number from 4 to {MAX_SIZE}")
    if power_of_two and size & (size - 1):
        raise ValueError("size must be a power of two (2, 4, 8, 16, 32, 64)")


def scaled_radii(size: int, measured: Mapping[int, tuple[int, int, int]]) -> Mapping[Strictness, int]:
    """Radii of a size: as measured, or in proportion to the bits of the nearest size that was measured."""
    nearest = min(measured, key=lambda known: (abs(known - size), known))
    share = (size * size) / (nearest * nearest)
    strict, normal, loose = (int(radius * share) for radius in measured[nearest])
    return {"exact": 0, "strict": strict, "normal": normal, "loose": loose}


@cache
def cosines(size: int, keep: int) -> NDArray[np.float64]:
    """The first `keep` rows of the unnormalised DCT-II of length `size` (2·Σ x·cos), as scipy defines it."""
    k, n = np.arange(keep)[:, None], np.arange(size)[None]
    return cast("NDArray[np.float64]", 2 * np.cos(np.pi * k * (2 * n + 1) / (2 * size)))


def low_frequencies(batch: Array, keep: int, decode: Decode) -> NDArray[np.float64]:
    """The top-left `keep`×`keep` DCT-II coefficients of each matrix, unnormalised.

    A reference decode asks scipy, whose last digits decide ties the way the reference libraries do. A
    fast one multiplies by cosines and drops the digits in which processors differ.
    """
    if decode == "reference":
        from scipy.fft import dct

        rows = dct(batch.astype(np.float64), axis=1)
        return np.asarray(dct(rows, axis=2)[:, :keep, :keep])
    matrix = cosines(batch.shape[1], keep)
    return np.round(matrix @ batch.astype(np.float64) @ matrix.T, 3)


# -- information -------------------------------------------------------------------------------------

INFORMATION_SIZE = 64
LOW_DETAIL_BELOW = 26
_BLOCK = 16
_NOISE = 16.0  # an orthonormal coefficient below this is noise, grain or compression


def detail_score_of(picture: Picture) -> int:
    """How many low frequencies, beyond a slope and a bow, stand out of the noise: 0 to 250.

    Blank, black and softly graded pictures have nearly none: their hashes are made of noise and match by
    accident. Photos have a hundred or more.
    """
    luma = picture.luma(INFORMATION_SIZE, INFORMATION_SIZE, "imagededup")
    matrix = cosines(INFORMATION_SIZE, _BLOCK)
    coefficients = (matrix @ luma @ matrix.T) / (2 * INFORMATION_SIZE)
    rough = np.add.outer(np.arange(_BLOCK), np.arange(_BLOCK)) > 2
    return int(np.count_nonzero((np.abs(coefficients) > _NOISE) & rough))
