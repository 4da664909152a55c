"""Digests for pixel identity: all frames, full bit depth, colour profile."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray
from PIL import Image

from twinpix.imaging.channels import bands, orientation, turn_array_upright, turn_upright
from twinpix.imaging.decoder_errors import convert_exceptions, silence_warnings
from twinpix.imaging.depth import TooDeepError, deep_frame, deep_heif, loses_depth, stored_depth
from twinpix.imaging.formats import png
from twinpix.imaging.formats.profiles import nclx_key, profile_key, profile_of
from twinpix.imaging.limits import MAX_PIXELS
from twinpix.imaging.opening import format_of, load_pixels, open_image
from twinpix.imaging.seconds import frames_of, seconds_of

_SAMPLES_PER_PIXEL = 277  # a TIFF tag

VERSION = 2  # increase it whenever an image may get another digest
_MOST_PIXELS = 64 * MAX_PIXELS  # of all frames together: a file with more is not decoded
_RAW_CHANNELS = frozenset({"CMYK", "LAB", "HSV", "YCbCr"})  # compared as stored: different values can be equal in RGB
_EIGHT_BITS = "|u1"


class Frame(NamedTuple):
    """One frame or page."""

    tag: str  # channel names and colour profile
    type: str  # NumPy dtype string
    shape: tuple[int, ...]
    pixels: Iterable[NDArray[Any]]  # in bands, from top to bottom


def pixel_digest(data: bytes, name: str = "") -> bytes:
    """Return a 16-byte digest that is equal for two files with identical pixels in every frame or page, upright.

    The digest depends on the number of frames; on size, depth, pixels and transparency of each; on the colour profile,
    where sRGB equals none; and on auxiliary images, such as gain maps and depth maps. It does not depend on frame
    durations, compression, palettes, metadata or the colours of fully transparent pixels. CMYK and Lab values are
    compared as stored. If part of a file cannot be decoded in full, the digest covers all bytes of the file, so that
    the file equals only its identical copies.
    """
    with silence_warnings():
        return convert_exceptions(lambda: _pixel_digest(data, name))


def _pixel_digest(data: bytes, name: str) -> bytes:
    image = open_image(data, name)
    kind = format_of(data, name, image)
    state = xxhash.xxh3_128(f"{VERSION}".encode())
    try:
        for frame in _frames(image, data, kind):
            state.update(f"{frame.tag}{frame.type}{frame.shape}".encode())
            for pixels in frame.pixels:
                state.update(np.ascontiguousarray(pixels).data)
        for part in _seconds(image, data, kind):
            state.update(xxhash.xxh3_128_digest(part))
    except TooDeepError:
        state.update(xxhash.xxh3_128_digest(data))
    return state.digest()


def _frames(image: Image.Image, data: bytes, kind: str) -> Iterator[Frame]:
    """Yield each frame or page. Raises `TooDeepError` if some content of the file cannot be read in full."""
    if kind == "HEIF":
        yield from _heif_frames(data)
        return
    image = load_pixels(image, data, "")
    count = _count_frames(image, data, kind)
    deep = loses_depth(image, stored_depth(image, data, kind))
    profile = b""
    for number in range(count):
        try:
            if number:
                image.seek(number)
                image.load()
        except (OSError, SyntaxError, ValueError, EOFError, IndexError):
            raise TooDeepError from None
        turn = orientation(image)
        if number == 0:
            profile = profile_of(image, data, kind)
        if _holds_more(image):
            raise TooDeepError
        if deep or (number and loses_depth(image, stored_depth(image, data, kind))):
            frame = _deep_frame(turn_array_upright(deep_frame(data, kind, number), turn), image)
        else:
            frame = _visible_frame(turn_upright(image, turn))
        yield frame._replace(tag=f"{frame.tag}{profile.hex()}")
    if count < frames_of(image, data, kind) or kind == "RAW":  # some frames were not decoded
        raise TooDeepError


def _holds_more(image: Image.Image) -> bool:
    """True for a TIFF page with more channels than Pillow reads."""
    samples = getattr(image, "tag_v2", {}).get(_SAMPLES_PER_PIXEL, 1)
    return bool(samples > len(image.getbands()))


def _count_frames(image: Image.Image, data: bytes, kind: str) -> int:
    """Return how many frames to decode: 1 for formats whose other images are compared by their bytes.

    Raises `TooDeepError` if all frames together have more than `_MOST_PIXELS`.
    """
    if kind in ("JPEG", "MPO", "PSD"):
        return 1
    count = int(getattr(image, "n_frames", 1))
    if kind == "PNG" and count > 1:
        count = min(count, png.frames_of(data))
    if count * image.width * image.height > _MOST_PIXELS:
        raise TooDeepError
    return count


def _visible_frame(image: Image.Image) -> Frame:
    """Return the visible pixels: grey and palette images as RGB, fully transparent pixels set to 0."""
    if image.mode in _RAW_CHANNELS:
        return _frame_of(np.asarray(image), image.mode)
    if image.mode.startswith(("I", "F")):
        return _frame_of(_integers(np.asarray(image)))
    size = image.height, image.width
    if not _is_transparent(image):
        return Frame("", _EIGHT_BITS, (*size, 3), (np.asarray(band.convert("RGB")) for band in bands(image)))
    return Frame("", _EIGHT_BITS, (*size, 4), map(_clear_hidden, bands(image)))


def _frame_of(pixels: NDArray[Any], tag: str = "") -> Frame:
    return Frame(tag, pixels.dtype.str, pixels.shape, (pixels,))


def _is_transparent(image: Image.Image) -> bool:
    """True if some pixel is not opaque."""
    if not image.has_transparency_data:
        return False
    return any(np.asarray(band.convert("RGBA").getchannel("A")).min() < 255 for band in bands(image))


def _clear_hidden(band: Image.Image) -> NDArray[np.uint8]:
    rgba = np.array(band.convert("RGBA"))
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def _integers(values: NDArray[Any]) -> NDArray[Any]:
    """Return grey values of more than 8 bits in one canonical dtype and byte order."""
    if values.dtype.kind in "iu" and values.min(initial=0) >= 0 and values.max(initial=0) <= 65535:
        return values.astype("<u2")
    return values.astype(values.dtype.newbyteorder("<"))


def _deep_frame(values: NDArray[Any], image: Image.Image) -> Frame:
    """Return a frame of more than 8 bits per channel: as grey if R = G = B, without alpha if all pixels are opaque."""
    bands = len(image.getbands())
    channels = values.shape[2] if values.ndim == 3 else 1
    if image.mode in _RAW_CHANNELS or channels not in (1, 3, 4) or (bands == 4) != (channels == 4):
        raise TooDeepError
    return _frame_of(_drop_redundant_channels(values.astype("<u2")))


def _drop_redundant_channels(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim == 3 and values.shape[2] == 4:
        alpha = values[..., 3]
        if alpha.min() < np.iinfo(values.dtype).max:
            values = values.copy()
            values[alpha == 0] = 0
            return values
        values = values[..., :3]
    if values.dtype.itemsize > 1 and values.ndim == 3 and values.shape[2] == 3:
        red = values[..., 0]
        if np.array_equal(red, values[..., 1]) and np.array_equal(red, values[..., 2]):
            return np.ascontiguousarray(red)
    return np.ascontiguousarray(values)


def _heif_frames(data: bytes) -> Iterator[Frame]:
    """Yield the frames of a HEIC file, each followed by its auxiliary images. The library applies the orientation."""
    for image, pixels in deep_heif(data):
        info = image.info
        nclx = info.get("nclx_profile") or {}
        profile = profile_key({"icc_profile": info.get("icc_profile")}) or nclx_key(
            nclx.get("color_primaries", 2), nclx.get("transfer_characteristics", 2)
        )
        values = pixels if pixels.ndim == 3 or pixels.dtype.itemsize > 1 else np.repeat(pixels[..., None], 3, axis=2)
        yield _frame_of(
            _drop_redundant_channels(values if values.dtype.str == _EIGHT_BITS else values.astype("<u2")), profile.hex()
        )
        for kind, numbers in sorted((info.get("aux") or {}).items()):
            for number in numbers:
                yield _frame_of(_second(lambda number=number, image=image: image.get_aux_image(number)), kind)
        for depth in info.get("depth_images") or ():
            yield _frame_of(_second(lambda depth=depth: depth), "depth")


def _second(made: Any) -> NDArray[Any]:
    try:
        return np.asarray(made())
    except (OSError, ValueError, SyntaxError, RuntimeError, EOFError, TypeError):
        raise TooDeepError from None


def _seconds(image: Image.Image, data: bytes, kind: str) -> Iterator[bytes]:
    try:
        yield from seconds_of(data, kind)
    except (ValueError, IndexError, KeyError):
        raise TooDeepError from None
