"""What every fingerprint offers, the eight orientations, and the measure of information."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from twinpix import plugins
from twinpix.errors import ImageError, UsageError
from twinpix.imaging import Picture, decoder_name
from twinpix.model import Bytes2D, Decode, Relation, Strictness

Array = NDArray[Any]

Metric = Literal["hamming", "cosine", "identity", "points", "tiers"]
"""How codes are compared. Sets of points, and several methods in tiers, propose pairs of which the pixels decide."""

Turns = Literal["matrix", "transposed"]
"""Where the eight orientations come from: one matrix turned; or that and the transposed picture's matrix, for
matrices that are not square."""

NOTHING = "the network gave no finite numbers for it"

TURNS = 8  # swap axes (4), then flip up-down (2), then flip left-right (1)
_ROTATIONS = frozenset({0b011, 0b101, 0b110})
MAX_SIZE = 64


class Fingerprint(Protocol):
    """A method: a picture becomes a small matrix, matrices become codes.

    One that looks at a file's bytes alone says `decodes: ClassVar[bool] = False`. One that needs colours has
    `colour`, the pixels along the shorter side that it needs; one that needs fine luma has `detail`, the pixels along
    the longer side. One whose codes depend on a file that may change
    has `variant`, which names its content. One that may not be usable here has `check()`, which raises `UsageError`.
    """

    metric: ClassVar[Metric]
    version: ClassVar[int]  # raised whenever the same pixels get another code
    turns: ClassVar[Turns]

    @property
    def bits(self) -> int:
        """The width of a code; it fills whole bytes, the last one up with zeros. Numbers are float16."""

    @property
    def radii(self) -> Mapping[Strictness, float]:
        """Measured radii by strictness, in bits or in cosine distance; see docs/benchmarks.md."""

    def prepare(self, picture: Picture) -> Array:
        """Reduce one picture to its small matrix."""

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        """Codes `(n, bytes)` of `n` small matrices, most significant bit first, row-major."""


class Identity:
    """What methods share whose 128 bits are compared for equality."""

    __slots__ = ()
    metric: ClassVar[Metric] = "identity"
    version: ClassVar[int] = 1
    turns: ClassVar[Turns] = "transposed"

    @property
    def bits(self) -> int:
        return 128

    @property
    def radii(self) -> Mapping[Strictness, int]:
        return {"exact": 0, "strict": 0, "normal": 0, "loose": 0}

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        return batch


def make(text: str) -> Fingerprint:
    """The fingerprint that `text` describes; raises `UsageError` when there is none."""
    return cast(Fingerprint, plugins.make("fingerprints", text))


def decodes(method: Fingerprint) -> bool:
    """True when a method looks at pixels; False when the file's bytes are enough."""
    return bool(getattr(method, "decodes", True))


class Wanted(NamedTuple):
    """What methods need a picture decoded with, in pixels; 0: nothing. See `twinpix.imaging.decode`."""

    colour: int  # along the shorter side
    detail: int  # of luma, along the longer side


def wanted(methods: Sequence[Fingerprint]) -> Wanted:
    """What a picture must be decoded with so that each of these methods can code it."""
    colour, detail = (max((getattr(method, name, 0) for method in methods), default=0) for name in ("colour", "detail"))
    return Wanted(colour, detail)


def check(method: Fingerprint) -> None:
    """Raise `UsageError` when a method cannot be used here."""
    getattr(method, "check", lambda: None)()


def placed(methods: Sequence[Fingerprint], device: str) -> tuple[Fingerprint, ...]:
    """The methods, networks among them computing on `device`; raises `UsageError` when there is none."""
    networks = ["device" in plugins.options(type(method)) for method in methods]
    if not any(networks):
        names = ", ".join(map(plugins.describe, methods))
        raise UsageError(f"--device does not fit {names}: only networks have a choice of it")
    return tuple(
        cast(Fingerprint, plugins.changed(method, device=device)) if network else method
        for method, network in zip(methods, networks, strict=True)
    )


def turns_of(method: Fingerprint, transforms: bool) -> int:
    """Codes of a picture: one, or one of each orientation; points are found whichever way a picture lies."""
    return TURNS if transforms and not by_pixels(method) else 1


def comparable(method: Fingerprint, codes: Bytes2D) -> Array:
    """Codes `(..., bytes)` as `twinpix.search` compares them: bits as they are, directions as float16."""
    return codes.view("<f2") if method.metric == "cosine" else codes


def broken(method: Fingerprint, codes: Bytes2D) -> NDArray[np.bool_]:
    """`(n,)`: which codes `(n, turns, bytes)` mean nothing, since a network gave no finite numbers, or only zeros."""
    if method.metric != "cosine":
        return np.zeros(len(codes), dtype=bool)
    numbers = comparable(method, codes).astype(np.float32)
    sound: NDArray[np.bool_] = ((numbers**2).sum(axis=-1) > 0).all(axis=1)
    return ~sound


def farthest(method: Fingerprint) -> int:
    """The largest distance: all bits of a code, a cosine distance of 2, or all of what two pictures have in common."""
    return 1 if by_pixels(method) else 2 if method.metric == "cosine" else method.bits


def by_pixels(method: Fingerprint) -> bool:
    """True when codes only propose pairs, and the distance is the share of the common pixels that differs."""
    return method.metric in ("points", "tiers")


def width_of(method: Fingerprint) -> int:
    """Bytes of a code."""
    return (method.bits + 7) // 8


def variant_of(method: Fingerprint) -> str:
    """Names the content of the file that a method's codes depend on; "" for one that depends on none."""
    return str(getattr(method, "variant", ""))


def spec_key(method: Fingerprint, decode: Decode, transforms: bool) -> str:
    """Identifies codes that may be compared and reused: method, options, versions, decoder."""
    turns = "/d4" if turns_of(method, transforms) > 1 else ""
    variant = f"/{name}" if (name := variant_of(method)) else ""
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
    if broken(method, codes)[0]:
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
    if method.metric == "identity":
        raise UsageError(f"{plugins.describe(method)} cannot be combined with --transforms")
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
INFORMATION_FLOOR = 26
_BLOCK = 16
_NOISE = 16.0  # an orthonormal coefficient below this is noise, grain or compression


def information_of(picture: Picture) -> int:
    """How many low frequencies, beyond a slope and a bow, stand out of the noise: 0 to 250.

    Blank, black and softly graded pictures have nearly none: their hashes are made of noise and match by
    accident. Photos have a hundred or more.
    """
    luma = picture.luma(INFORMATION_SIZE, INFORMATION_SIZE, "imagededup")
    matrix = cosines(INFORMATION_SIZE, _BLOCK)
    coefficients = (matrix @ luma @ matrix.T) / (2 * INFORMATION_SIZE)
    rough = np.add.outer(np.arange(_BLOCK), np.arange(_BLOCK)) > 2
    return int(np.count_nonzero((np.abs(coefficients) > _NOISE) & rough))
