"""Measurements of the pixels of one image, by which the keep rules choose the best of several copies.

They are made at full size, for grouped images only: the mean chroma, the power spectrum, the frame width, and small
versions of luma and chroma for a block-wise comparison of two images.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinpix.imaging.channels import orientation, to_luma, to_rgb, turn_upright
from twinpix.imaging.damage import allow_truncated
from twinpix.imaging.decoder_errors import convert_exceptions, silence_warnings
from twinpix.imaging.opening import open_image
from twinpix.imaging.printed import SIDE, is_printed

VERSION = 5
TILE = 128  # side in pixels of the tiles whose spectrum is measured
BANDS = TILE // 2 + 1
FINE = 0.2  # cycles per pixel: detail from this frequency on is fine
SMALL = 128  # side in pixels of the small luma version
COLOURS = 16  # side in pixels of the small chroma version
_OTHER_COLOUR = 30  # |ΔCb| + |ΔCr| of a block mean, in levels; encoders change a block mean by less
_OTHER_PLACES = 0.04  # share of the blocks
_OTHER_LIGHT = 8  # grey levels, median over the block means; encoders change block means by less
_PLACES = (0.0, 0.5, 1.0)  # positions of the tiles along each side, as shares of the free length
_UNIFORM = 14  # grey levels: maximum range of a line of pixels of one colour, after lossy compression
_MOST_FRAME = 0.4  # of a side: uniform lines beyond this share are not a frame
_LINES_AT_ONCE = 32
_STRONG, _TIMES = 24, 6.0  # a local difference exceeds this many grey levels, and this multiple of the 90th percentile
_PLACES_ALONG = 16  # blocks along each side of a layout
LAYOUT = _PLACES_ALONG**2
"""The number of blocks in a layout."""

_DEVIATIONS = 0.5  # standard deviations by which a block differs
_FLAT = 8.0  # lower bound of the standard deviation, in grey levels
_PLACE = 4  # pixels of the small version; for scale: a tenth of the width by a fiftieth of the height has 33
_RINGS = 3  # nested frames: for example a line, a mat and another line

Floats = NDArray[np.float32]


class Evidence(NamedTuple):
    """The measurements of one image."""

    chroma: float  # mean of max(R, G, B) - min(R, G, B), in levels
    printed: bool  # a page: ink all over a plain background
    frame: tuple[float, float, float, float]  # width of the frame at the top, bottom, left and right: share of a side
    power: Floats  # (BANDS,): mean power of the frequencies from 0 to half a cycle per pixel
    fine: Floats  # (9,): power of the frequencies from `FINE` on, in each of nine tiles
    small: NDArray[np.uint8]  # (SMALL, SMALL): luma, aspect ratio not kept
    colours: NDArray[np.uint8]  # (COLOURS, COLOURS, 2): Cb and Cr, aspect ratio not kept


_NUMBERS = 2 + 4 + BANDS + len(_PLACES) ** 2
SIZE = 4 * _NUMBERS + SMALL * SMALL + 2 * COLOURS * COLOURS
"""Size in bytes of packed evidence."""


def evidence_of(data: bytes, name: str = "") -> bytes:
    """Measure an image and pack the result into `SIZE` bytes. Raises `ImageError` if it cannot be decoded."""
    with silence_warnings():
        return convert_exceptions(lambda: _evidence(data, name))


def unpack(packed: bytes) -> Evidence:
    """Return the evidence that `evidence_of` packed."""
    numbers = np.frombuffer(packed, dtype="<f4", count=_NUMBERS).astype(np.float32)
    chroma, page, top, bottom, left, right = numbers[:6].tolist()
    planes = np.frombuffer(packed, dtype=np.uint8, offset=4 * _NUMBERS)
    small = planes[: SMALL * SMALL].reshape(SMALL, SMALL)
    colours = planes[SMALL * SMALL :].reshape(COLOURS, COLOURS, 2)
    frame, power, fine = (top, bottom, left, right), numbers[6 : 6 + BANDS], numbers[6 + BANDS :]
    return Evidence(chroma, bool(page), frame, power, fine, small, colours)


def _evidence(data: bytes, name: str) -> bytes:
    image = open_image(data, name)
    with allow_truncated():
        image.load()
    turn = orientation(image)
    luma = turn_upright(to_luma(image), turn)
    values = np.asarray(luma)
    power, fine = power_of(values)
    rgb = turn_upright(to_rgb(image), turn)
    page = is_printed(np.asarray(_to_side(luma)))
    numbers = np.array([chroma_of(rgb), page, *frame_of(values), *power, *fine], dtype="<f4")
    small = np.asarray(luma.resize((SMALL, SMALL), Image.Resampling.BILINEAR, reducing_gap=4.0))
    return numbers.tobytes() + small.tobytes() + _colours(rgb).tobytes()


def _to_side(luma: Image.Image) -> Image.Image:
    """Shrink the image to `SIDE` pixels along the shorter side; a smaller image is returned unchanged."""
    share = SIDE / min(luma.size)
    if share >= 1:
        return luma
    size = tuple(max(1, round(length * share)) for length in luma.size)
    return luma.resize((size[0], size[1]), Image.Resampling.BOX, reducing_gap=4.0)


def _colours(rgb: Image.Image) -> NDArray[np.uint8]:
    """Return the mean Cb and Cr of each block of an RGB image, `(COLOURS, COLOURS, 2)`."""
    small = rgb.resize((COLOURS, COLOURS), Image.Resampling.BOX, reducing_gap=4.0)
    return np.ascontiguousarray(np.asarray(small.convert("YCbCr"))[..., 1:])


def has_other_colours(a: Evidence, b: Evidence) -> bool:
    """True if the chroma of two images differs more than encoders change it, in at least 4 % of the blocks.

    The images are compared without alignment.
    """
    difference = np.abs(a.colours.astype(np.int16) - b.colours).sum(axis=2)
    return float((difference > _OTHER_COLOUR).mean()) >= _OTHER_PLACES


def tone_spread(evidence: Evidence) -> float:
    """Return how far the chroma of the blocks is from a linear function of luma, in levels; 0 for a toned image.

    It is the larger standard deviation of the residuals of the linear regressions of Cb and Cr on luma.
    """
    light = layout_of(evidence).astype(np.float64)
    light -= light.mean()
    chroma = evidence.colours.reshape(-1, 2).astype(np.float64)
    chroma -= chroma.mean(axis=0)
    slope = (light @ chroma) / max(float(light @ light), 1.0)
    return float((chroma - light[:, None] * slope).std(axis=0).max())


def has_other_light(a: Evidence, b: Evidence) -> bool:
    """True if the brightness of two copies differs by more than encoders change it."""
    difference = np.abs(layout_of(a).astype(np.int16) - layout_of(b))
    return float(np.median(difference)) > _OTHER_LIGHT


def has_other_place(a: Evidence, b: Evidence) -> bool:
    """True if two copies differ strongly in a small area: another number plate, a stamp, a face.

    Encoders change an image slightly everywhere. Measured on 80 photos: no false positive for copies at JPEG quality
    70, 30 and 12, at one half and four fifths of the size, and sharpened; 4 % for copies with 30 % more contrast. A
    date stamp is detected in 70 %. The test is not valid for images with fewer than 1.5 × SMALL pixels along a side.
    """
    difference = np.abs(a.small.astype(np.int16) - b.small)
    difference = np.maximum(difference - int(np.median(difference)), 0)
    strong = difference > max(_STRONG, _TIMES * float(np.percentile(difference, 90)))
    return int(strong.sum()) >= _PLACE


def layout_of(evidence: Evidence) -> NDArray[np.uint8]:
    """Return the mean luma of each block, `(LAYOUT,)` uint8, row-major."""
    side = SMALL // _PLACES_ALONG
    places = evidence.small.reshape(_PLACES_ALONG, side, _PLACES_ALONG, side).mean(axis=(1, 3))
    return np.asarray(np.rint(places), dtype=np.uint8).ravel()


def may_differ(layouts: NDArray[np.uint8], i: NDArray[Any], j: NDArray[Any], share: float) -> NDArray[np.bool_]:
    """Return False for pairs of rows of `layouts` whose `differing_share` is certainly below `share`.

    If a share `s` of the blocks deviates by `_DEVIATIONS` standard deviations, a linear fit leaves at least
    `s * _DEVIATIONS**2` of the variance unexplained. The correlation bounds this, in a twentieth of the time of
    `differing_share`.
    """
    rows, at = np.unique(np.concatenate([i, j]), return_inverse=True)
    values = layouts[rows].astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    alike = np.einsum("ij,ij->i", values[at[: len(i)]], values[at[len(i) :]])
    return np.asarray((alike < 0) | (1 - alike * alike > 0.99 * share * _DEVIATIONS**2), dtype=bool)


def differing_share(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Floats:
    """Return the share of differing blocks `(n,)` of layouts `(n, LAYOUT)`, after gain and bias are removed."""
    one, two = (each.astype(np.float32) - each.mean(axis=1, keepdims=True, dtype=np.float32) for each in (a, b))
    gain = (one * two).sum(axis=1) / np.maximum((one * one).sum(axis=1), 1)
    difference = np.abs(gain.clip(0)[:, None] * one - two)
    least = _DEVIATIONS * np.maximum(two.std(axis=1), _FLAT)
    return np.asarray((difference > least[:, None]).mean(axis=1), dtype=np.float32)


def chroma_of(image: Image.Image) -> float:
    """Return the mean of max(R, G, B) - min(R, G, B) of an RGB image, in levels."""
    rgb = np.asarray(image.resize((SMALL, SMALL), Image.Resampling.NEAREST), dtype=np.int16)
    return float((rgb.max(axis=2) - rgb.min(axis=2)).mean())


def power_of(luma: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Return the power spectrum of an image: the mean over nine tiles, and the mean power from `FINE` on of each tile.

    Shapes `(BANDS,)` and `(9,)`; the bands cover 0 to half a cycle per pixel. An image with fewer than 16 pixels along
    a side gives zeros. The frequency of a two-dimensional wave is its larger component, since upscaling limits each
    component on its own.
    """
    height, width = luma.shape
    if min(height, width) < 16:
        return np.zeros(BANDS, np.float32), np.zeros(len(_PLACES) ** 2, np.float32)
    side = np.hanning(TILE + 2)[1:-1].astype(np.float32)
    window = side[:, None] * side[None]
    down, across = np.abs(np.fft.fftfreq(TILE))[:, None], np.abs(np.fft.rfftfreq(TILE))[None]
    band = np.rint(np.maximum(down, across) * TILE).astype(np.int64).ravel()
    count = np.bincount(band, minlength=BANDS)
    parts = []
    for top in (round(max(0, height - TILE) * place) for place in _PLACES):
        for left in (round(max(0, width - TILE) * place) for place in _PLACES):
            part = luma[top : top + TILE, left : left + TILE].astype(np.float32)
            missing = TILE - part.shape[0], TILE - part.shape[1]
            if any(missing):
                part = np.pad(part, ((0, missing[0]), (0, missing[1])), mode="symmetric")
            spectrum = np.fft.rfft2((part - part.mean()) * window)
            power = (spectrum.real**2 + spectrum.imag**2).ravel()
            parts.append(np.bincount(band, power, BANDS) / count)
    every = np.array(parts, dtype=np.float32)
    return every.mean(axis=0), every[:, round(FINE * TILE) :].mean(axis=1)


def frame_of(luma: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Return the width of a uniform frame at the top, bottom, left and right, as shares of the height and the width."""
    height, width = luma.shape
    top, bottom, left, right = 0, height, 0, width
    for _ in range(_RINGS):
        before = top, bottom, left, right
        top += _lines(luma[top:bottom, left:right])
        bottom -= _lines(luma[top:bottom, left:right][::-1])
        left += _lines(luma[top:bottom, left:right].T)
        right -= _lines(luma[top:bottom, left:right].T[::-1])
        if before == (top, bottom, left, right) or bottom - top < 8 or right - left < 8:
            break
    shares = top / height, 1 - bottom / height, left / width, 1 - right / width
    return shares if max(shares) <= _MOST_FRAME else (0.0, 0.0, 0.0, 0.0)


def _lines(luma: NDArray[np.uint8]) -> int:
    """Return how many rows, from the first on, have the same uniform colour."""
    count = 0
    while count < len(luma) and luma.size:  # in parts: nearly all images have no frame
        part = luma[count : count + (_LINES_AT_ONCE if count else 1)]
        low, high = part.min(axis=1).astype(np.int16), part.max(axis=1).astype(np.int16)
        alike = (high - low <= _UNIFORM) & (np.abs(low - int(luma[0].min())) <= _UNIFORM)
        if not alike.all():
            return count + int(np.argmin(alike))
        count += len(part)
    return count
