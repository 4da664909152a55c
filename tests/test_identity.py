"""`identical-pixels` covers the whole image: frames, pages, depth, colours, transparency and second images."""

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from drawings import draw
from libraries import actions_where, spec_of
from twinpix import Options, compare, find, plan
from twinpix.imaging import pixel_digest
from twinpix.imaging.formats.profiles import is_srgb

RNG = np.random.default_rng(19)
SIZE = (48, 36)


def noise(seed: int = 0, size: tuple[int, int] = SIZE) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def deep(values: NDArray[np.uint16], suffix: str = ".png") -> bytes:
    return bytes(cv2.imencode(suffix, values)[1])


def profile(curve: float) -> bytes:
    """The sRGB profile, or one of its primaries with another curve."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if curve == 0:
        return made
    body = bytearray(made)
    for at in range(132, 132 + 12 * int.from_bytes(made[128:132], "big"), 12):
        if made[at : at + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            start = int.from_bytes(made[at + 4 : at + 8], "big")
            body[start : start + 12] = b"para\0\0\0\0\0\3\0\0"
            struct.pack_into(">i", body, start + 12, int(curve * 65536))
    return bytes(body)


@pytest.mark.parametrize("form", ["TIFF", "GIF", "PNG", "WEBP"])
def test_every_frame_counts(form: str) -> None:
    first, second, third = (noise(seed).quantize(64) for seed in (1, 2, 3))
    if form == "WEBP":
        first, second, third = (image.convert("RGB") for image in (first, second, third))
    how: dict[str, Any] = {"save_all": True} | ({"lossless": True} if form == "WEBP" else {})
    both = encoded(first, form, append_images=[second], **how)
    other = encoded(first, form, append_images=[third], **how)
    more = encoded(first, form, append_images=[second, third], **how)
    alone = encoded(first, form, **how)
    assert len({pixel_digest(data) for data in (both, other, more, alone)}) == 4
    assert pixel_digest(alone) == pixel_digest(encoded(Image.open(io.BytesIO(alone)).convert("RGB"), "BMP"))
    if form != "TIFF":
        assert pixel_digest(both) == pixel_digest(encoded(first, form, append_images=[second], duration=700, **how))


def test_pages_equal_in_another_compression() -> None:
    pages = [noise(seed) for seed in (1, 2)]
    plain = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    packed = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    assert plain != packed
    assert pixel_digest(plain) == pixel_digest(packed)


def test_depth_counts() -> None:
    values = RNG.integers(0, 65536, (36, 48, 3), dtype=np.uint16)
    lower = values.copy()
    lower[5, 5, 1] ^= 1  # the same image once it has 8 bits
    assert pixel_digest(deep(values)) == pixel_digest(deep(values, ".tiff")) == pixel_digest(deep(values, ".ppm"))
    assert pixel_digest(deep(values)) != pixel_digest(deep(lower))
    assert pixel_digest(deep(values, ".tiff")) != pixel_digest(deep(lower, ".tiff"))
    eight = encoded(Image.open(io.BytesIO(deep(values))).convert("RGB"))
    assert pixel_digest(eight) != pixel_digest(deep(values))
    grey = np.repeat(values[..., :1], 3, axis=2)
    assert pixel_digest(deep(grey)) == pixel_digest(encoded(Image.fromarray(values[..., 0])))
    assert pixel_digest(encoded(Image.fromarray(values[..., 0]))) == pixel_digest(
        encoded(Image.fromarray(values[..., 0]), "TIFF")
    )


def test_deep_heic_and_its_second_images() -> None:
    heif = pytest.importorskip("pillow_heif")
    values = RNG.integers(0, 65536, (64, 64, 3), dtype=np.uint16)

    def heic(values: NDArray[np.uint16]) -> bytes:
        out = io.BytesIO()
        heif.from_bytes("RGB;16", (64, 64), values.tobytes()).save(out, quality=-1)
        return out.getvalue()

    first = heic(values)
    decoded = np.asarray(heif.open_heif(first, convert_hdr_to_8bit=False))
    assert decoded.dtype == np.uint16
    eight = Image.open(io.BytesIO(encoded(noise())))
    heif.register_heif_opener()
    shown = Image.open(io.BytesIO(first)).convert("RGB")
    assert eight.mode == "RGB"
    assert pixel_digest(first) != pixel_digest(encoded(shown))
    assert pixel_digest(first) != pixel_digest(heic(values ^ np.uint16(1 << 6)))
    assert pixel_digest(first) == pixel_digest(first + b"\0\0\0\x08free")


def test_heic_with_transparency() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    clear, opaque = noise(1, (64, 64)).convert("RGBA"), noise(1, (64, 64)).convert("RGBA")
    clear.putpixel((3, 3), (0, 0, 0, 0))
    digests = [pixel_digest(encoded(image, "HEIF", quality=-1)) for image in (clear, opaque)]
    assert digests[0] != digests[1]


def test_cmyk_counts_as_it_is_stored() -> None:
    black = Image.new("CMYK", SIZE, (0, 0, 0, 255))
    rich = Image.new("CMYK", SIZE, (60, 40, 40, 255))
    data = [encoded(image, "TIFF") for image in (black, rich)] + [encoded(black.convert("RGB"), "BMP")]
    assert len({pixel_digest(each) for each in data}) == 3


def test_profiles_count_and_srgb_counts_as_no_profile() -> None:
    image = noise()
    plain, named = encoded(image), encoded(image, icc_profile=profile(0))
    other = encoded(image, icc_profile=profile(1.8))
    assert is_srgb(profile(0))
    assert not is_srgb(profile(1.8))
    assert pixel_digest(plain) == pixel_digest(named)
    assert pixel_digest(plain) != pixel_digest(other)
    assert pixel_digest(other) == pixel_digest(encoded(image, "TIFF", icc_profile=profile(1.8)))
    assert pixel_digest(plain) == pixel_digest(encoded(image, icc_profile=b"no profile at all" * 20))


def png_with(chunks: list[tuple[bytes, bytes]]) -> bytes:
    info = PngImagePlugin.PngInfo()
    for name, body in chunks:
        info.add(name, body)
    return encoded(noise(), pnginfo=info)


def test_the_colour_chunks_of_a_png_count() -> None:
    plain = pixel_digest(encoded(noise()))
    assert plain == pixel_digest(png_with([(b"gAMA", struct.pack(">I", 45455))]))
    assert plain == pixel_digest(png_with([(b"cICP", bytes([1, 13, 0, 1]))]))
    linear, pq = png_with([(b"gAMA", struct.pack(">I", 100000))]), png_with([(b"cICP", bytes([9, 16, 0, 1]))])
    assert len({plain, pixel_digest(linear), pixel_digest(pq)}) == 3


def mpf(images: list[bytes], kinds: list[int]) -> bytes:
    """A JPEG with further images behind it, and an index that names them."""
    first = images[0]
    size = 2 + 2 + 4 + 8 + 2 + 12 * 3 + 4 + 16 * len(images)
    base = 2 + 2 + 2 + 4  # where the index's offsets count from
    entries, at = b"", len(first) + size - base
    for number, (image, kind) in enumerate(zip(images, kinds, strict=True)):
        length = len(image) + (size if number == 0 else 0)
        entries += struct.pack(">IIIHH", kind, length, 0 if number == 0 else at, 0, 0)
        at += len(image) if number else 0
    head = b"MM\0*" + struct.pack(">IH", 8, 3)
    head += struct.pack(">HHI4s", 0xB000, 7, 4, b"0100") + struct.pack(">HHII", 0xB001, 4, 1, len(images))
    head += struct.pack(">HHII", 0xB002, 7, len(entries), 8 + 2 + 36 + 4) + bytes(4)
    body = b"MPF\0" + head + entries
    return first[:2] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + first[2:] + b"".join(images[1:])


def test_second_images_of_a_jpeg_count() -> None:
    first, second, third = (encoded(noise(seed), "JPEG") for seed in (1, 2, 3))
    gain, other = mpf([first, second], [0x030000, 0]), mpf([first, third], [0x030000, 0])
    stereo = mpf([first, second], [0x020002, 0x020002])
    preview = mpf([first, second], [0x030000, 0x010001])
    assert pixel_digest(first) not in {pixel_digest(gain), pixel_digest(stereo)}
    assert pixel_digest(gain) != pixel_digest(other)
    assert pixel_digest(first) == pixel_digest(preview) == pixel_digest(first + b"\0" * 100)
    video = b"\0\0\0\x18ftypmp42" + bytes(40)
    assert pixel_digest(first) != pixel_digest(first + video)
    commented = first[:2] + b"\xff\xfe\0\x06abcd" + first[2:]
    assert pixel_digest(first) == pixel_digest(commented)
    assert pixel_digest(first + video) == pixel_digest(commented + video)


def test_a_second_image_of_the_same_size_is_a_frame(tmp_path: Path) -> None:
    """Whatever its type: a file is not removed if only its first image was compared."""
    first = encoded(draw("scene", 1, (200, 150)), "JPEG")
    for name, seed in (("a", 2), ("b", 3)):
        second = encoded(draw("scene", seed, (200, 150)), "JPEG")
        (tmp_path / f"{name}.jpg").write_bytes(mpf([first, second], [0x030000, 0]))
    report = find(tmp_path, method="phash:size=16", store=None)
    assert [(member.frames, member.relation) for member in report.groups[0].members] == [(2, None), (2, "edited")]
    assert not plan(report, "delete").steps
    assert "only the first frames or pages were compared" in compare(*sorted(tmp_path.iterdir())).verdict


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """Two documents with one cover sheet, a copy of the first in another compression, and an image of the cover."""
    (tmp_path / "photos").mkdir()
    tmp_path = tmp_path / "photos"
    cover, first, second = (draw("scene", seed, (200, 280)).convert("L") for seed in (1, 2, 3))
    cover.save(tmp_path / "a.tif", save_all=True, append_images=[first, first])
    cover.save(tmp_path / "a_packed.tif", save_all=True, append_images=[first, first], compression="tiff_lzw")
    cover.save(tmp_path / "b.tif", save_all=True, append_images=[second, second])
    cover.save(tmp_path / "cover.bmp")
    return tmp_path


@pytest.mark.parametrize("action", actions_where(on="discards", identical=False))
def test_a_document_compared_by_its_first_page_only_is_kept(documents: Path, action: str) -> None:
    if action == "trash":
        pytest.importorskip("send2trash")
    report = find([str(documents)], method="phash:size=16", store=None)
    assert len(report.groups) == 1
    members = {Path(member.path).name: member for member in report.groups[0].members}
    assert {name: member.frames for name, member in members.items()} == {
        "a.tif": 3,
        "a_packed.tif": 3,
        "b.tif": 3,
        "cover.bmp": 1,
    }
    planned = plan(report, spec_of(action, documents.parent / "aside"))
    kept = Path(report.groups[0].keeper).name
    assert kept in ("a.tif", "a_packed.tif")  # the largest of one size
    going = {Path(step.path).name for step in planned.steps}
    other = {"a.tif", "a_packed.tif"} - {kept}
    assert going == other
    left = {Path(each.path).name: each.reason for each in planned.skipped}
    assert left["b.tif"] == "has 3 frames or pages, of which only the first was compared"
    assert "3 frames or pages of the keeper" in left["cover.bmp"]


XMP = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description GCamera:MotionPhoto='1'/></x:xmpmeta>"


def motion(still: bytes, video: bytes, *, samsung: bool = False) -> bytes:
    """A still with a video appended, as phones write them."""
    film = b"\0\0\0\x18ftypmp42" + video
    if samsung:
        return still + film + b"SEFH" + bytes(8) + b"SEFT"
    return still[:2] + b"\xff\xe1" + struct.pack(">H", len(XMP) + 2) + XMP + still[2:] + film


@pytest.mark.parametrize("samsung", [False, True])
@pytest.mark.parametrize("keep", ["path", ""])
def test_a_motion_photo_is_not_removed_for_its_still(keep: str, samsung: bool, tmp_path: Path) -> None:
    photo = draw("scene", 4, (320, 240))
    still = encoded(photo, "JPEG")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a_still.jpg").write_bytes(encoded(photo, "JPEG", quality=95))
    (tmp_path / "photos/b_motion.jpg").write_bytes(motion(still, bytes(400), samsung=samsung))
    (tmp_path / "photos/c_motion.jpg").write_bytes(motion(still, bytes(range(200)) * 2, samsung=samsung))
    options = Options(method="phash:size=16", store=None, keep=keep or Options().keep)
    report = find([str(tmp_path / "photos")], options)
    (group,) = report.groups
    assert [member.traits.video for member in sorted(group.members, key=lambda m: m.path) if member.traits] == [
        False,
        True,
        True,
    ]
    planned = plan(report, "delete")
    going = {Path(step.path).name for step in planned.steps}
    assert going == (set() if keep else {"a_still.jpg"})


def test_documents_with_identical_pages_can_be_removed(documents: Path) -> None:
    for name in ("b.tif", "cover.bmp"):
        (documents / name).unlink()
    report = find([str(documents)], method="phash:size=16", store=None)
    assert [match.relation for match in report.groups[0].matches] == ["identical-pixels"]
    assert len(plan(report, "delete").steps) == 1


CASES = {
    "multipage_tiff": (("contract_A.tif", "contract_B.tif"), ("contract_A.tif", "cover.bmp")),
    "sixteen_bits": (("master_16bit.png", "other_16bit.png"), ("master_16bit.png", "copy_8bit.tif")),
    "icc": (("plain.png", "other_colours_by_profile.png"),),
    "cmyk": (("k_only_black.tif", "rich_black.tif"), ("print.tif", "web.bmp")),
}


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("method", ["phash:size=16", "pixels"])
def test_shared_cases_are_not_identical(shared: Path, name: str, method: str) -> None:
    report = find([str(shared / "cases/identical_pixels" / name)], method=method, store=None)
    relations = {
        frozenset({Path(m.a).name, Path(m.b).name}): m.relation for group in report.groups for m in group.matches
    }
    for pair in CASES[name]:
        assert relations.get(frozenset(pair)) != "identical-pixels"
    assert method != "pixels" or not report.groups


def test_pages_that_were_not_compared_are_not_called_re_encoded(documents: Path) -> None:
    report = find([str(documents)], method="phash:size=16", store=None)
    (found,) = report.groups
    other = next(match for match in found.matches if {Path(match.a).name, Path(match.b).name} == {"a.tif", "b.tif"})
    assert other.relation == "edited"


@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_contracts_with_one_cover_are_edited_for_every_method(shared: Path, method: str) -> None:
    folder = shared / "cases/identical_pixels/multipage_tiff"
    report = find([str(folder)], method=method, store=None)
    assert {match.relation for group in report.groups for match in group.matches} <= {"edited", "identical-pixels"}
    names = {"contract_A.tif", "contract_B.tif"}
    (pair,) = (m for group in report.groups for m in group.matches if {Path(m.a).name, Path(m.b).name} == names)
    assert pair.relation == "edited"
    assert pair.detail == pair.back == "edited: only the first frames or pages were compared"


def exif(second: str = "10", part: str = "", time: tuple[int, int] | None = (1, 250)) -> bytes:
    made = Image.Exif()
    details = {0x9003: f"2019:05:05 10:00:{second}", 0x8827: 100}
    more: dict[int, Any] = {0x9291: part} if part else {}
    if time:
        more[0x829A] = TiffImagePlugin.IFDRational(*time)
    made[0x8769] = details | more
    return made.tobytes()


@pytest.mark.parametrize(
    ("other", "name", "method"),
    [
        (exif(part="00"), "re-encoded", "phash:size=16"),  # other programs drop the fractions of a second
        (exif(time=None), "re-encoded", "phash:size=16"),
        (exif("11"), "edited", "phash:size=16"),
        (exif(part="75"), "edited", "phash:size=16"),
        (exif(time=(1, 30)), "edited", "cascade"),
    ],
)
def test_two_shots_are_not_re_encodings_of_each_other(method: str, other: bytes, name: str, tmp_path: Path) -> None:
    image = draw("scene", 1, (320, 240))
    part = "25" if b"75" in other else ""
    image.save(tmp_path / "a.jpg", quality=90, exif=exif(part=part))
    image.save(tmp_path / "b.jpg", quality=60, exif=other)
    report = find([str(tmp_path)], method=method, store=None, workers=1)
    assert [match.relation for group in report.groups for match in group.matches] == [name]
