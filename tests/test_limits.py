"""The sizes declared in a header are checked before memory is allocated; large images below the limit are read."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawings import draw
from twinpix.errors import ImageError
from twinpix.imaging import channels, decode, limits, pixel_digest

SIDE = 16384  # exactly the limit of pixels
CHILD = """
import resource, sys
from pathlib import Path
from twinpix.errors import ImageError
from twinpix.imaging import decode, pixel_digest
decode(Path(sys.argv[1]).read_bytes(), name="warm.png", colour=160, detail=512)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[2:]:
    for mode in ("fast", "reference"):
        try:
            decode(Path(name).read_bytes(), mode, name, colour=160, detail=512)
            print("decoded", name)
        except ImageError:
            pass
    try:
        pixel_digest(Path(name).read_bytes(), name)
    except ImageError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def tiff(samples: int, compression: int, data: bytes, tile: int = 0) -> bytes:
    side = 10 if tile else SIDE
    tags = {256: side, 257: side, 258: 8, 259: compression, 262: 2 if samples > 1 else 1, 277: samples}
    tags |= {322: tile, 323: tile, 324: 8, 325: len(data)} if tile else {273: 8, 278: side, 279: len(data)}
    start = 8 + len(data) + len(data) % 2
    entries = b""
    for tag, value in sorted(tags.items()):
        many = tag == 258 and samples > 1
        entries += struct.pack("<HHII", tag, 3 if many else 4, samples if many else 1, start if many else value)
    bits = struct.pack(f"<{samples}H", *[8] * samples)
    at = start + len(bits)
    body = b"II*\0" + struct.pack("<I", at) + data.ljust(start - 8, b"\0") + bits
    return body + struct.pack("<H", len(tags)) + entries + bytes(4)


def bombs() -> dict[str, bytes]:
    small = Image.new("RGB", (64, 64), "red")
    made: dict[str, bytearray] = {}
    for form in ("WEBP", "JPEG", "JPEG2000"):
        out = io.BytesIO()
        small.save(out, form)
        made[form] = bytearray(out.getvalue())
    at = made["WEBP"].find(b"\x9d\x01\x2a") + 3
    made["WEBP"][at : at + 4] = struct.pack("<HH", 16383, 16383)
    at = made["JPEG"].find(b"\xff\xc0") + 5
    made["JPEG"][at : at + 4] = struct.pack(">HH", SIDE, SIDE)
    at = made["JPEG2000"].find(b"\xff\x4f\xff\x51")
    for start in (at + 8, at + 24):
        made["JPEG2000"][start : start + 8] = struct.pack(">II", SIDE, SIDE)
    at = made["JPEG2000"].find(b"ihdr")
    made["JPEG2000"][at + 4 : at + 12] = struct.pack(">II", SIDE, SIDE)
    canvas = (16382).to_bytes(3, "little") * 2
    inner = bytes(made["WEBP"][12:])
    webp = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas + inner
    nested = png(20_000, 20_000, 8, 6, bytes(1000))
    jxl = 0b0 | 3 << 1 | (99_999) << 3 | 0 << 33 | 3 << 36 | 99_999 << 38 | 1 << 68
    dds = b"DDS " + struct.pack("<7I", 124, 0x81007, SIDE, SIDE, 0, 0, 1) + bytes(44)
    bmp = b"BM" + struct.pack("<IHHI", 5000, 0, 0, 54)
    return {
        "packed.tif": tiff(4, 32773, b"\x81\0" * 3000),
        "lzw.tif": tiff(4, 5, b"\x80\0" * 3000),
        "deflated.tif": tiff(3, 8, zlib.compress(bytes(1_000_000))),
        "plain.tif": tiff(3, 1, bytes(6000)),
        "tile.tif": tiff(4, 5, b"\x80\0" * 30, tile=32_768),
        "colours.png": png(SIDE, SIDE, 8, 6, bytes(100_000)),
        "deep.png": png(SIDE, SIDE, 16, 6, bytes(100_000)),
        "lossy.webp": bytes(made["WEBP"]),
        "canvas.webp": b"RIFF" + struct.pack("<I", len(webp)) + webp,
        "x.jpg": bytes(made["JPEG"]),
        "x.jp2": bytes(made["JPEG2000"]),
        "x.jxl": b"\xff\x0a" + jxl.to_bytes(64, "little"),
        "x.dds": dds + struct.pack("<II4s5I", 32, 4, b"DXT1", 0, 0, 0, 0, 0) + struct.pack("<5I", 0x1000, 0, 0, 0, 0),
        "x.bmp": bmp + struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 32, 0, 0, 0, 0, 0, 0) + bytes(5000),
        "x.ico": struct.pack("<3H4B2H2I", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(nested), 22) + nested,
        "x.icns": b"icns" + struct.pack(">I", 16 + len(nested)) + b"ic10" + struct.pack(">I", 8 + len(nested)) + nested,
        "x.psd": b"8BPS" + struct.pack(">H6xHIIHH14x", 1, 4, SIDE, SIDE, 8, 3) + bytes(3000),
        "x.ppm": b"P6 16384 16384 255\n" + bytes(3000),
        "x.tga": struct.pack("<BBB9xHHBB", 0, 0, 10, SIDE, SIDE, 32, 8) + b"\xff\1\2\3\4" * 1000,
        "x.qoi": b"qoif" + struct.pack(">IIBB", SIDE, SIDE, 4, 0) + b"\xfd" * 3000,
        "x.gif": b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0, 0, 0)
        + b"," + struct.pack("<4HB", 0, 0, SIDE, SIDE, 0x80) + bytes(6) + b"\2\3\x84\x8f\5\0;",
    }  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="memory is measured by getrusage")
def test_small_files_that_declare_large_sizes_take_no_memory(tmp_path: Path) -> None:
    warm = tmp_path / "warm.png"
    draw("scene", 1, (600, 400)).save(warm)
    names = []
    for name, data in bombs().items():
        assert len(data) < 10_000, name
        (tmp_path / name).write_bytes(data)
        names.append(str(tmp_path / name))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(warm), *names], capture_output=True, text=True, timeout=120, check=True
    )
    *decoded, grown = done.stdout.splitlines()
    assert not decoded
    mebibytes = int(grown) / (1024 if sys.platform != "darwin" else 1 << 20)
    assert mebibytes < 100


@pytest.mark.parametrize("name", ["colours.png", "lzw.tif", "x.jpg", "x.dds"])
def test_the_reason_is_given(name: str) -> None:
    with pytest.raises(ImageError, match=r"truncated: at most \d+% of the image is present|more than the limit"):
        decode(bombs()[name], name=name)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "GIF", "JPEG", "WEBP", "AVIF", "JPEG2000"])
def test_blank_images_compress_well_and_are_read(form: str) -> None:
    out = io.BytesIO()
    how = {"compression": "tiff_adobe_deflate"} if form == "TIFF" else {}
    Image.new("RGB", (4000, 3000) if form != "AVIF" else (400, 300), "white").save(out, form, **how)
    assert decode(out.getvalue()).width in (400, 4000)


def test_a_gif_whose_first_frame_is_small_is_read() -> None:
    out = io.BytesIO()
    Image.new("P", (2, 2), 1).save(out, "GIF")
    data = bytearray(out.getvalue())
    data[6:10] = struct.pack("<HH", 3000, 2000)
    assert decode(bytes(data)).width == 3000


@pytest.mark.parametrize("mode", ["RGBA", "P", "I;16", "F", "CMYK", "LA", "RGB"])
def test_large_images_are_converted_in_pieces_to_the_same_pixels(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = draw("scene", 3, (300, 230))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 200)
    elif mode == "RGBA":
        image.putalpha(image.convert("L"))
    else:
        image = image.convert(mode)
    out = io.BytesIO()
    image.save(out, "TIFF")
    whole = decode(out.getvalue(), colour=40, detail=200)
    digest = pixel_digest(out.getvalue())
    monkeypatch.setattr(channels, "_LARGE", 5000)
    monkeypatch.setattr(channels, "_BAND", 2000)
    pieces = decode(out.getvalue(), colour=40, detail=200)
    assert digest == pixel_digest(out.getvalue())
    for one, other in ((whole.image, pieces.image), (whole.colours, pieces.colours), (whole.detail, pieces.detail)):
        assert one is not None
        assert other is not None
        assert np.array_equal(np.asarray(one), np.asarray(other))


def test_limits_apply_to_pixels_and_to_bytes() -> None:
    assert limits.MAX_PIXELS == SIDE * SIDE
    with pytest.raises(ImageError, match="GiB"):
        decode(bombs()["lossy.webp"])
