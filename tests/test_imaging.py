"""Bytes to pixels: orientation, transparency, depth, damage, and files with a wrong name or header."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from drawings import draw
from twinpix import fingerprints
from twinpix.errors import ImageError
from twinpix.formats import claims_image, sniff
from twinpix.imaging import decode, picture_of, pixel_digest, thumbnail
from twinpix.model import Decode

PHASH = fingerprints.make("phash:size=16")


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def gap(a: bytes, b: bytes) -> int:
    left, right = (fingerprints.codes_of(PHASH, [decode(data)])[0, 0] for data in (a, b))
    return int(np.bitwise_count(left ^ right).sum())


@pytest.fixture
def scene() -> Image.Image:
    return draw("scene", 7, (480, 360))


ORIENT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.covering
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(scene: Image.Image, orientation: int, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = scene.transpose(ORIENT[orientation]) if orientation > 1 else scene
    decoded = decode(encoded(stored, form, exif=exif))
    assert (decoded.width, decoded.height) == scene.size
    assert gap(encoded(stored, form, exif=exif), encoded(scene)) <= 8


def test_hidden_colours_under_transparency_do_not_decide(scene: Image.Image) -> None:
    mask = Image.new("L", scene.size, 0)
    mask.paste(255, (100, 80, 400, 300))
    shown, other = scene.copy(), Image.composite(scene, draw("street", 3, scene.size), mask)
    shown.putalpha(mask)
    other.putalpha(mask)
    on_white = Image.new("RGB", scene.size, "white")
    on_white.paste(scene, mask=mask)
    assert gap(encoded(shown), encoded(other)) == 0
    assert gap(encoded(shown), encoded(on_white)) <= 4
    assert pixel_digest(encoded(shown)) == pixel_digest(encoded(other))


def test_palette_transparency_is_composited_on_white(scene: Image.Image) -> None:
    palette = scene.quantize(64)
    palette.info["transparency"] = 0
    clear = encoded(palette, transparency=0)
    assert gap(clear, encoded(Image.open(io.BytesIO(clear)).convert("RGBA"))) == 0


def test_deep_and_float_modes_are_scaled_not_clipped(scene: Image.Image) -> None:
    luma = np.asarray(scene.convert("L"))
    deep = Image.fromarray(luma.astype(np.uint16) * 257)
    for data in (
        encoded(deep, "PNG"),
        encoded(deep, "TIFF"),
        encoded(Image.fromarray(luma.astype(np.float32) / 255), "TIFF"),
        encoded(Image.fromarray(luma.astype(np.float32) * 1000), "TIFF"),
        encoded(Image.fromarray(luma.astype(np.int32) * 257), "TIFF"),
        encoded(scene.convert("CMYK"), "JPEG", quality=95),
        encoded(scene.convert("CMYK"), "TIFF"),
    ):
        assert gap(data, encoded(scene)) <= 8


def test_the_first_frame_of_an_animation_counts(scene: Image.Image) -> None:
    frames = [draw("street", 1, scene.size), draw("table", 2, scene.size)]
    for form in ("GIF", "WEBP", "PNG"):
        data = encoded(scene, form, save_all=True, append_images=frames)
        assert gap(data, encoded(scene)) <= 12, form


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(400, 300), (2100, 2300)])
def test_fast_and_full_decode_agree(progressive: bool, size: tuple[int, int]) -> None:
    image = draw("landscape", 2, size)
    data = encoded(image, "JPEG", quality=88, progressive=progressive)
    decoded = decode(data)
    assert (decoded.width, decoded.height) == size
    assert min(decoded.image.size) <= 575
    whole = encoded(Image.open(io.BytesIO(data)).convert("RGB"))
    assert gap(data, whole) <= 4


def test_an_eighth_of_a_progressive_file_is_the_same_from_two_scans() -> None:
    from twinpix.imaging.formats import jpeg

    image = draw("landscape", 4, (2100, 2064))
    data = encoded(image, "JPEG", quality=85, progressive=True)
    short = jpeg.coarse(data)
    assert len(short) < 0.7 * len(data)
    eighths = []
    for part in (data, short):
        opened = Image.open(io.BytesIO(part))
        opened.draft("L", (256, 256))
        eighths.append(np.asarray(opened).astype(int))
    assert np.abs(eighths[0] - eighths[1]).max() <= 2
    assert jpeg.coarse(encoded(image, "JPEG")) == encoded(image, "JPEG")
    assert jpeg.coarse(data[: len(data) // 2]) == data[: len(data) // 2]


# -- damage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF"])
def test_a_truncated_image_is_encoded_if_most_of_it_remains(scene: Image.Image, form: str) -> None:
    data = encoded(scene, form)
    assert not decode(data).damaged
    most = decode(data[: int(len(data) * 0.9)]) if form != "TIFF" else None
    if most is not None:
        assert most.damaged
        assert (most.width, most.height) == scene.size
    with pytest.raises(ImageError):
        decode(data[: int(len(data) * 0.2)])


def test_a_jpeg_that_ends_four_bytes_early_is_damaged_and_not_a_failure(scene: Image.Image) -> None:
    for progressive in (False, True):
        data = encoded(scene, "JPEG", progressive=progressive)
        decoded = decode(data[:-4])
        assert decoded.damaged
        assert gap(data, data[:-4]) <= 20


@pytest.mark.parametrize("size", [(480, 360), (1700, 1300)])
def test_grey_remains_of_a_cut_jpeg_are_a_failure(size: tuple[int, int]) -> None:
    data = encoded(draw("scene", 7, size), "JPEG", quality=80)
    for ending in (b"", b"\xff\xd9"):
        with pytest.raises(ImageError, match="of the image is present"):
            decode(data[: len(data) // 4] + ending)
        assert decode(data[: len(data) * 3 // 4] + ending).damaged


def test_a_progressive_jpeg_cut_in_its_first_scan_is_a_failure(scene: Image.Image) -> None:
    data = encoded(scene, "JPEG", progressive=True)
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    first = data.index(b"\xff\xda")
    with pytest.raises(ImageError):
        decode(data[: (first + second) // 2])


def test_an_image_that_is_half_mid_grey_is_not_damaged(scene: Image.Image) -> None:
    scene.paste((128, 128, 128), (0, 100, 480, 360))
    assert not decode(encoded(scene, "JPEG", quality=90)).damaged


# -- what is an image ------------------------------------------------------------------------------------


def test_images_are_recognised_by_content(scene: Image.Image) -> None:
    for form in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "AVIF", "JPEG2000", "SGI", "QOI", "DDS"):
        try:
            data = encoded(scene.resize((64, 64)), form)
        except (OSError, KeyError):
            continue
        assert sniff(data[:512], "page.html"), form
        assert decode(data, name="page.html").width == 64
    assert sniff(b"BM is how this text begins, and it goes on", "readme") is None
    assert sniff(b"<html>", "page.html") is None
    assert claims_image("A.JPG")
    assert not claims_image("a.txt")


def test_a_format_without_a_signature_is_recognised_by_its_suffix(scene: Image.Image) -> None:
    data = encoded(scene, "TGA")
    assert sniff(data[:512], "x.tga") == "?"
    assert decode(data, name="x.tga").width == 480
    assert sniff(data[:512], "x.dat") is None


def test_decompression_bombs_are_refused() -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(ImageError, match="more than the limit"):
        decode(data)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"hello", b"\0" * 600])
@pytest.mark.parametrize("mode", ["fast", "reference"])
def test_rubbish_is_an_image_error(data: bytes, mode: str) -> None:
    with pytest.raises(ImageError):
        decode(data, "fast" if mode == "fast" else "reference", "x.tga")


def test_random_cuts_and_flips_never_raise_anything_else(scene: Image.Image) -> None:
    rng = np.random.default_rng(3)
    for form in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"):
        data = bytearray(encoded(scene.resize((120, 90)), form))
        for _ in range(60):
            bad = bytearray(data[: rng.integers(1, len(data))])
            for at in rng.integers(0, len(bad), 5):
                bad[at] = int(rng.integers(0, 256))
            with contextlib.suppress(ImageError):
                assert decode(bytes(bad)).width > 0


def test_pixel_digest_names_the_visible_upright_pixels(scene: Image.Image) -> None:
    digest = pixel_digest(encoded(scene))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(scene.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert (
        digest
        == pixel_digest(encoded(scene, "BMP"))
        == pixel_digest(encoded(scene.convert("RGBA")))
        == pixel_digest(turned)
    )
    assert digest != pixel_digest(encoded(scene.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    changed = scene.copy()
    changed.putpixel((3, 3), (1, 2, 3))
    assert digest != pixel_digest(encoded(changed))


def test_optional_formats_are_read_or_name_what_to_install(draw_image: Callable[..., Image.Image]) -> None:
    image = draw_image(1)
    for form, module in (("HEIF", "pillow_heif"), ("JXL", "pillow_jxl")):
        pytest.importorskip(module)
        if form == "HEIF":
            import pillow_heif

            pillow_heif.register_heif_opener()
        assert gap(encoded(image, form, quality=90), encoded(image)) <= 10
    assert gap(encoded(image, "AVIF", quality=80), encoded(image)) <= 10


# -- colours -------------------------------------------------------------------------------------------

FILES = [
    ("JPEG", {}),
    ("JPEG", {"quality": 40, "subsampling": 2}),
    ("JPEG", {"progressive": True}),
    ("JPEG", {"keep_rgb": True}),  # stored as red, green and blue, without a separate luma
    ("PNG", {}),
    ("WEBP", {}),
    ("GIF", {}),
    ("BMP", {}),
]


@pytest.mark.covering
@pytest.mark.parametrize("colour", [128, 160, 300])
@pytest.mark.parametrize(("form", "how"), FILES)
@pytest.mark.parametrize("size", [(480, 360), (1700, 1300), (90, 60)])
def test_colours_do_not_change_the_luma(form: str, how: dict[str, Any], size: tuple[int, int], colour: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    how = how | ({"exif": exif} if form in ("JPEG", "PNG", "WEBP") else {})
    data = encoded(draw("scene", 7, size), form, **how)
    plain, coloured = decode(data), decode(data, colour=colour)
    assert np.array_equal(np.asarray(plain.image), np.asarray(coloured.image))
    assert plain.colours is None
    assert coloured.colours is not None
    assert min(coloured.colours.size) >= min(colour, *size)
    shown = np.asarray(thumbnail(data, 2000).resize((32, 32), Image.Resampling.BILINEAR), dtype=float)
    assert np.abs(coloured.rgb(32, 32) - shown).mean() < 4
    assert coloured.rgb(20, 30).shape == (30, 20, 3)


def test_colours_of_grey_deep_transparent_and_cmyk_images(scene: Image.Image) -> None:
    grey = decode(encoded(scene.convert("L"), "JPEG"), colour=128).rgb(16, 16)
    assert np.ptp(grey, axis=2).max() == 0
    deep = Image.fromarray(np.asarray(scene.convert("L")).astype(np.uint16) * 257)
    assert np.abs(decode(encoded(deep), colour=128).rgb(16, 16).astype(int) - grey).max() < 12
    clear = scene.copy()
    clear.putalpha(0)
    assert decode(encoded(clear), colour=128).rgb(8, 8).min() == 255
    printed = decode(encoded(scene.convert("CMYK"), "JPEG"), colour=128).rgb(16, 16)
    assert np.abs(printed.astype(int) - decode(encoded(scene), colour=128).rgb(16, 16)).mean() < 6


@pytest.mark.parametrize("progressive", [False, True])
def test_a_damaged_image_has_the_colours_of_its_intact_part(scene: Image.Image, progressive: bool) -> None:
    data = encoded(scene, "JPEG", progressive=progressive)
    cut = decode(data[: len(data) * 3 // 4], colour=128)
    assert cut.damaged
    whole = decode(data, colour=128).rgb(64, 64).astype(int)
    assert np.abs(cut.rgb(64, 64)[:24] - whole[:24]).mean() < (12 if progressive else 3)


@pytest.mark.parametrize("mode", ["fast", "reference"])
def test_images_in_memory_have_colours(scene: Image.Image, mode: Decode) -> None:
    expected = decode(encoded(scene), mode, colour=128).rgb(32, 32)
    assert np.array_equal(picture_of(scene, mode, 128).rgb(32, 32), expected)
    assert np.array_equal(picture_of(np.asarray(scene), mode, 128).rgb(32, 32), expected)
    turned = picture_of(scene, mode, 128).transpose().rgb(32, 32)
    assert np.abs(turned - expected.swapaxes(0, 1).astype(int)).max() <= 1


def test_colours_are_computed_on_request_only(scene: Image.Image) -> None:
    with pytest.raises(ValueError, match="without colours"):
        decode(encoded(scene)).rgb(8, 8)
