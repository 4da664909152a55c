"""What the pixels of one image show that decides which of several copies is the best one.

Read only of images that are in a group together, at full size: whether they have colours, how much fine detail they
hold at each frequency, whether they lie in a frame, and small versions of their light and of their colours for
comparing two of them place by place.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinpix.imaging.channels import orientation, to_luma, to_rgb, turned
from twinpix.imaging.damage import truncated_allowed
from twinpix.imaging.guard import guarded, quiet
from twinpix.imaging.opening import open_image
from twinpix.imaging.printed import SIDE, is_printed

VERSION = 5
TILE = 128  # pixels a side of the parts whose frequencies are measured
BANDS = TILE // 2 + 1
FINE = 0.2  # cycles a pixel from which on detail is fine
SMALL = 128  # pixels a side of the small version
COLOURS = 16  # pixels a side of the version that holds colours
_OTHER_COLOUR = 30  # levels of both colour differences together; what encoders change, averaged over a place, is less
_OTHER_PLACES = 0.04  # of all places
_OTHER_LIGHT = 8  # grey levels, the median over places; what encoders change, averaged over a place, is less
_PLACES = (0.0, 0.5, 1.0)  # where the parts lie along either side, as shares of what is free
_UNIFORM = 14  # grey levels within which a line of pixels is of one colour, after lossy compression
_MOST_FRAME = 0.4  # of a side: more is no frame
_LINES_AT_ONCE = 32
_STRONG, _TIMES = 24, 6.0  # grey levels, and times what nine tenths of the pixels stay below: a difference in a place
_PLACES_ALONG = 16  # along either side of a layout
LAYOUT = _PLACES_ALONG**2
"""Places of a layout."""

_APART, _FLAT = 0.5, 8.0  # standard deviations of all places by which one differs; grey levels that these are at least
_PLACE = 4  # pixels of the small version: a tenth of the width by a fiftieth of the height has 33
_RINGS = 3  # a line, a mat, and a line again

Floats = NDArray[np.float32]


class Evidence(NamedTuple):
    """What was seen of one image."""

    chroma: float  # mean distance of the pixels from grey, in levels
    printed: bool  # a page: ink all over a plain ground
    frame: tuple[float, float, float, float]  # lines of one colour at the top, bottom, left and right: share of a side
    power: Floats  # (BANDS,): mean power of the frequencies from 0 to half a cycle a pixel
    fine: Floats  # (9,): power of the frequencies from `FINE` on, in as many parts of the image
    small: NDArray[np.uint8]  # (SMALL, SMALL): luma, squashed
    colours: NDArray[np.uint8]  # (COLOURS, COLOURS, 2): Cb and Cr, squashed


_NUMBERS = 2 + 4 + BANDS + len(_PLACES) ** 2
SIZE = 4 * _NUMBERS + SMALL * SMALL + 2 * COLOURS * COLOURS
"""Bytes of one, packed."""


def evidence_of(data: bytes, name: str = "") -> bytes:
    """What the pixels show, packed; raises `ImageError` for what cannot be decoded."""
    with quiet():
        return guarded(lambda: _evidence(data, name))


def unpacked(packed: bytes) -> Evidence:
    """What `evidence_of` packed."""
    numbers = np.frombuffer(packed, dtype="<f4", count=_NUMBERS).astype(np.float32)
    chroma, page, top, bottom, left, right = numbers[:6].tolist()
    planes = np.frombuffer(packed, dtype=np.uint8, offset=4 * _NUMBERS)
    small = planes[: SMALL * SMALL].reshape(SMALL, SMALL)
    colours = planes[SMALL * SMALL :].reshape(COLOURS, COLOURS, 2)
    frame, power, fine = (top, bottom, left, right), numbers[6 : 6 + BANDS], numbers[6 + BANDS :]
    return Evidence(chroma, bool(page), frame, power, fine, small, colours)


def _evidence(data: bytes, name: str) -> bytes:
    image = open_image(data, name)
    with truncated_allowed():
        image.load()
    turn = orientation(image)
    luma = turned(to_luma(image), turn)
    values = np.asarray(luma)
    power, fine = power_of(values)
    rgb = turned(to_rgb(image), turn)
    page = is_printed(np.asarray(_to_side(luma)))
    numbers = np.array([chroma_of(rgb), page, *frame_of(values), *power, *fine], dtype="<f4")
    small = np.asarray(luma.resize((SMALL, SMALL), Image.Resampling.BILINEAR, reducing_gap=4.0))
    return numbers.tobytes() + small.tobytes() + _colours(rgb).tobytes()


def _to_side(luma: Image.Image) -> Image.Image:
    """The image with `SIDE` pixels along its shorter side, if it has more."""
    share = SIDE / min(luma.size)
    if share >= 1:
        return luma
    size = tuple(max(1, round(length * share)) for length in luma.size)
    return luma.resize((size[0], size[1]), Image.Resampling.BOX, reducing_gap=4.0)


def _colours(rgb: Image.Image) -> NDArray[np.uint8]:
    """The two colour differences of an RGB image `(COLOURS, COLOURS, 2)`, averaged over places."""
    small = rgb.resize((COLOURS, COLOURS), Image.Resampling.BOX, reducing_gap=4.0)
    return np.ascontiguousarray(np.asarray(small.convert("YCbCr"))[..., 1:])


def has_other_colours(a: Evidence, b: Evidence) -> bool:
    """True when some places of two images, laid on each other as they are, have colours that no encoder makes."""
    apart = np.abs(a.colours.astype(np.int16) - b.colours).sum(axis=2)
    return float((apart > _OTHER_COLOUR).mean()) >= _OTHER_PLACES


def tone_spread(seen: Evidence) -> float:
    """How far the colours of places are from what their light says by a straight line, in levels; 0 for one tone.

    The larger standard deviation of the residuals of Cb and Cr on luma.
    """
    light = layout_of(seen).astype(np.float64)
    light -= light.mean()
    chroma = seen.colours.reshape(-1, 2).astype(np.float64)
    chroma -= chroma.mean(axis=0)
    slope = (light @ chroma) / max(float(light @ light), 1.0)
    return float((chroma - light[:, None] * slope).std(axis=0).max())


def has_other_light(a: Evidence, b: Evidence) -> bool:
    """True when two images that show the same are lighter or darker than each other, as no encoder makes them."""
    apart = np.abs(layout_of(a).astype(np.int16) - layout_of(b))
    return float(np.median(apart)) > _OTHER_LIGHT


def has_other_place(a: Evidence, b: Evidence) -> bool:
    """True when two images that show the same differ strongly in a small place: another number plate, a stamp, a face.

    Encoders change an image a little everywhere. Of 80 photos at JPEG 70, 30 and 12, at half and at four fifths of the
    size and sharpened none is taken for one, of those with three tenths more contrast 4 %; of those with a date stamp
    70 % are. Images of fewer than one and a half times SMALL pixels along a side are not comparable so.
    """
    apart = np.abs(a.small.astype(np.int16) - b.small)
    apart = np.maximum(apart - int(np.median(apart)), 0)
    strong = apart > max(_STRONG, _TIMES * float(np.percentile(apart, 90)))
    return int(strong.sum()) >= _PLACE


def layout_of(seen: Evidence) -> NDArray[np.uint8]:
    """The mean light of places `(LAYOUT,)`, row by row."""
    side = SMALL // _PLACES_ALONG
    places = seen.small.reshape(_PLACES_ALONG, side, _PLACES_ALONG, side).mean(axis=(1, 3))
    return np.asarray(np.rint(places), dtype=np.uint8).ravel()


def may_differ(layouts: NDArray[np.uint8], i: NDArray[Any], j: NDArray[Any], share: float) -> NDArray[np.bool_]:
    """False for the pairs of rows of `layouts` that cannot differ in so large a share of the places.

    Where a share `s` of the places is `_APART` standard deviations off, a line leaves at least `s * _APART**2` of the
    variance unexplained: the correlation alone says so, at a twentieth of the time.
    """
    rows, at = np.unique(np.concatenate([i, j]), return_inverse=True)
    values = layouts[rows].astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    alike = np.einsum("ij,ij->i", values[at[: len(i)]], values[at[len(i) :]])
    return np.asarray((alike < 0) | (1 - alike * alike > 0.99 * share * _APART**2), dtype=bool)


def differing_share(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Floats:
    """The share of the places `(n,)` in which layouts `(n, LAYOUT)` differ, once one has the light of the other."""
    one, two = (each.astype(np.float32) - each.mean(axis=1, keepdims=True, dtype=np.float32) for each in (a, b))
    gain = (one * two).sum(axis=1) / np.maximum((one * one).sum(axis=1), 1)
    apart = np.abs(gain.clip(0)[:, None] * one - two)
    least = _APART * np.maximum(two.std(axis=1), _FLAT)
    return np.asarray((apart > least[:, None]).mean(axis=1), dtype=np.float32)


def chroma_of(image: Image.Image) -> float:
    """How far the pixels of an RGB image are from grey on average: the largest of three less the smallest."""
    rgb = np.asarray(image.resize((SMALL, SMALL), Image.Resampling.NEAREST), dtype=np.int16)
    return float((rgb.max(axis=2) - rgb.min(axis=2)).mean())


def power_of(luma: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Mean power of each frequency, 0 to half a cycle a pixel, over parts of an image; and of the fine ones, of each.

    Zeros for a tiny image. The frequency of a two-dimensional wave is its larger component, since enlarging cuts off
    either alone.
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
    """How much of the height lies in lines of one colour at the top and bottom, and of the width left and right."""
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
    """How many rows from the first on are of one colour, and of the same one."""
    count = 0
    while count < len(luma) and luma.size:  # in parts: nearly all images have no frame
        part = luma[count : count + (_LINES_AT_ONCE if count else 1)]
        low, high = part.min(axis=1).astype(np.int16), part.max(axis=1).astype(np.int16)
        alike = (high - low <= _UNIFORM) & (np.abs(low - int(luma[0].min())) <= _UNIFORM)
        if not alike.all():
            return count + int(np.argmin(alike))
        count += len(part)
    return count
