"""The colour space of an image: its ICC profile, or the equivalent fields of its container.

Sources: ICC.1:2022 (https://www.color.org/specification/ICC.1-2022-05.pdf), IEC 61966-2-1 (sRGB), PNG (ISO/IEC 15948),
ITU-T H.273.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

# The primaries of sRGB adapted to D50, as stored in ICC profiles.
_PRIMARIES = {
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7139),
}
_CURVES = (b"rTRC", b"gTRC", b"bTRC")
_CLOSE_PRIMARY, _CLOSE_CURVE = 0.003, 0.004  # maximum differences between published sRGB profiles
_GAMMA, _CLOSE_GAMMA = 0.45455, 0.005  # the gAMA value of a PNG for sRGB
_CHROMATICITY = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_SRGB_LIKE = frozenset({1, 2}), frozenset({1, 2, 6, 13, 14, 15})  # primaries, transfer characteristics; 2: unspecified


def profile_key(info: dict[Any, Any]) -> bytes:
    """Return a key that is equal for images with the same colour space, from Pillow's `info`; b"" for sRGB or none."""
    profile = info.get("icc_profile")
    if isinstance(profile, bytes) and profile[36:40] == b"acsp":  # else not a profile: viewers ignore it
        return _key_of(profile)
    if nclx := info.get("nclx_profile"):
        return nclx_key(nclx.get("color_primaries", 2), nclx.get("transfer_characteristics", 2))
    return _png_key(info)


def nclx_key(primaries: int, transfer: int) -> bytes:
    """Return the key for code points of ITU-T H.273 in HEIC, AVIF and PNG; b"" for sRGB and BT.709-like video."""
    if primaries in _SRGB_LIKE[0] and transfer in _SRGB_LIKE[1]:
        return b""
    return f"nclx {primaries} {transfer}".encode()


def _png_key(info: dict[Any, Any]) -> bytes:
    if "srgb" in info:
        return b""
    out = ""
    gamma, white = info.get("gamma"), info.get("chromaticity")
    if isinstance(gamma, float) and abs(gamma - _GAMMA) > _CLOSE_GAMMA:
        out += f"gamma {gamma:.5f}"
    if isinstance(white, tuple) and any(abs(a - b) > 0.001 for a, b in zip(white, _CHROMATICITY, strict=False)):
        out += f"chromaticity {white}"
    return out.encode()


@lru_cache(maxsize=64)
def _key_of(profile: bytes) -> bytes:
    import xxhash

    return b"" if is_srgb(profile) else xxhash.xxh3_128_digest(profile)


def is_srgb(profile: bytes) -> bool:
    """True for an ICC profile with the primaries and the tone curve of sRGB; for a grey profile, with its curve."""
    tags = _tags(profile)
    if b"A2B0" in tags:  # a lookup table, which takes precedence over the curves
        return False
    if profile[16:20] == b"GRAY":
        return _is_srgb_curve(tags.get(b"kTRC", b""))
    if profile[16:20] != b"RGB ":
        return False
    for name, expected in _PRIMARIES.items():
        tag = tags.get(name, b"")
        if len(tag) < 20 or np.abs(_read_fixed_point(tag[8:20]) - expected).max() > _CLOSE_PRIMARY:
            return False
    return all(_is_srgb_curve(tags.get(name, b"")) for name in _CURVES)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = min(int.from_bytes(profile[128:132], "big"), 100)
    out = {}
    for at in range(132, 132 + 12 * count, 12):
        start, size = (int.from_bytes(profile[at + step : at + step + 4], "big") for step in (4, 8))
        out[profile[at : at + 4]] = profile[start : start + size]
    return out


def _read_fixed_point(values: bytes) -> Any:
    """Return s15Fixed16 numbers as floats."""
    return np.frombuffer(values, ">i4") / 65536


def _is_srgb_curve(tag: bytes) -> bool:
    x = np.linspace(0, 1, 65)
    expected = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    if tag[:4] == b"curv":
        count = int.from_bytes(tag[8:12], "big")
        if count < 16 or len(tag) < 12 + 2 * count:
            return False
        values = np.frombuffer(tag, ">u2", count, 12) / 65535
        curve = np.interp(x, np.linspace(0, 1, count), values)
    elif tag[:4] == b"para" and tag[8:10] in (b"\0\3", b"\0\4") and len(tag) >= 32:
        g, a, b, c, d = _read_fixed_point(tag[12:32])
        curve = np.where(x >= d, np.maximum(a * x + b, 0) ** g, c * x)
    else:
        return False
    return bool(np.abs(curve - expected).max() <= _CLOSE_CURVE)


def png_cicp(data: bytes) -> bytes:
    """Return the `nclx_key` of the cICP chunk of a PNG; b"" if there is none."""
    at = data.find(b"cICP", 8, 4096)
    return nclx_key(data[at + 4], data[at + 5]) if 0 < at < len(data) - 6 else b""


def profile_of(image: Image.Image, data: bytes, kind: str) -> bytes:
    """Return the colour space key of an opened image, also from fields that Pillow does not read."""
    if kind == "PNG" and (key := png_cicp(data)):
        return key
    if kind == "AVIF" and "icc_profile" not in image.info and (at := data.find(b"colrnclx", 0, 65536)) > 0:
        return nclx_key(*(int.from_bytes(data[at + step : at + step + 2], "big") for step in (8, 10)))
    return profile_key(image.info)
