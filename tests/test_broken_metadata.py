"""Images with broken metadata are read like in every viewer; the fault is reported, and the pixels are compared."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawings import draw
from twinpix import find
from twinpix.errors import ImageError
from twinpix.imaging import decode, pixel_digest
from twinpix.imaging.traits import from_text
from twinpix.model import Decode

IMAGE = draw("scene", 6, (160, 120))


def encoded(form: str, **how: object) -> bytes:
    out = io.BytesIO()
    IMAGE.save(out, form, **how)
    return out.getvalue()


def chunk(kind: bytes, body: bytes, *, wrong: bool = False) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ wrong)


PNG = encoded("PNG")
HEAD, REST = PNG[:33], PNG[33:]
TEXT = b"Comment\0hello"
BROKEN = {
    "text": HEAD + chunk(b"tEXt", TEXT, wrong=True) + REST,
    "text at the end": PNG[:-12] + chunk(b"tEXt", TEXT, wrong=True) + PNG[-12:],
    "gamma": HEAD + chunk(b"gAMA", struct.pack(">I", 45455), wrong=True) + REST,
    "profile": HEAD + chunk(b"iCCP", b"x\0\0" + zlib.compress(b"abc"), wrong=True) + REST,
    "profile's method": HEAD + chunk(b"iCCP", b"x\0\1" + zlib.compress(b"abc")) + REST,
    "compressed text": PNG[:-12] + chunk(b"zTXt", b"x\0\0rubbish") + PNG[-12:],
    "claimed frames": HEAD + chunk(b"acTL", struct.pack(">II", 900_000, 0)) + REST,
    "short chunk": HEAD + chunk(b"pHYs", b"\0") + REST,
    "animation": HEAD + chunk(b"acTL", struct.pack(">II", 2, 0)) + REST[:-12]
    + chunk(b"fdAT", b"\0\0\0\1zzzz") + REST[-12:],
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("mode", ["fast", "reference"])
def test_a_png_with_a_broken_chunk_is_not_damaged(name: str, mode: Decode) -> None:
    decoded = decode(BROKEN[name], mode)
    assert not decoded.damaged
    assert np.array_equal(np.asarray(decoded.image), np.asarray(decode(PNG, mode).image))
    assert pixel_digest(BROKEN[name]) == pixel_digest(PNG)
    traits = from_text(decoded.traits)
    assert traits is not None
    assert traits.frames == 1
    assert traits.fault or name in (
        "compressed text",
        "short chunk",
        "claimed frames",
    )  # Pillow itself ignores these


def test_a_truncated_transparent_colour_is_ignored() -> None:
    """As libpng does."""
    assert pixel_digest(HEAD + chunk(b"tRNS", b"\0\1") + REST) == pixel_digest(PNG)
    with pytest.raises(ImageError):
        decode(PNG[:8] + chunk(b"tRNS", b""))  # and no header at all


def test_the_intact_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "z_good.png").write_bytes(PNG)
    for name in ("gamma", "animation"):
        (tmp_path / f"a_{name}.png").write_bytes(BROKEN[name])
    report = find([str(tmp_path)], method="phash:size=16", store=None)
    assert not report.failures
    assert Path(report.groups[0].keeper).name == "z_good.png"
    assert {match.relation for match in report.groups[0].matches} == {"identical-pixels"}


def test_a_broken_pixel_chunk_is_still_damage() -> None:
    at = PNG.rindex(b"IEND") - 3000
    bad = PNG[:at] + bytes(64) + PNG[at + 64 :]
    assert decode(bad).damaged


@pytest.mark.parametrize(("form", "mark"), [("JPEG", b"Exif\0\0"), ("WEBP", b"EXIF"), ("TIFF", b"")])
def test_broken_exif_and_trailing_data_are_ignored(form: str, mark: bytes) -> None:
    exif = Image.Exif()
    exif[0x010F] = "maker" * 10
    data = encoded(form, exif=exif)
    plain = decode(data)
    if mark:
        at = data.index(mark) + len(mark) + 4
        broken = decode(data[:at] + b"\xff" * 24 + data[at + 24 :])
        assert not broken.damaged
        assert np.array_equal(np.asarray(broken.image), np.asarray(plain.image))
    behind = decode(data + b"what is not of the image")
    assert not behind.damaged
    assert np.array_equal(np.asarray(behind.image), np.asarray(plain.image))


def test_shared_case(shared: Path) -> None:
    report = find([str(shared / "cases/png_ancillary_chunks")], method="phash:size=16", store=None)
    assert not report.failures
    assert len(report.groups[0].members) == 6
    assert Path(report.groups[0].keeper).name == "good.png"
