"""Traits of an image beside its pixels: read from the file, and passed from the worker to the report."""

from __future__ import annotations

import io
import json
import sqlite3
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

import twinpix
from drawings import draw
from twinpix.imaging import decode
from twinpix.imaging.traits import from_text
from twinpix.model import Traits
from twinpix.report import read, writer
from twinpix.store import Store

SIZE = (120, 90)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def traits(data: bytes, name: str = "", colour: int = 0) -> Traits:
    found = from_text(decode(data, "fast", name, colour).traits)
    assert found is not None
    return found


def camera_exif(**place: Any) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = "Maker", "Camera 1", "Firmware 2"
    details = exif.get_ifd(0x8769)
    details[0x9003], details[0x9291] = "2019:05:05 10:00:00", "25"
    details[0x829A], details[0x829D], details[0x8827] = IFDRational(1, 250), IFDRational(28, 10), 100
    exif[0x8769] = details
    if place:
        exif[0x8825] = {1: "N", 2: (52.0, 30.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)}
    return exif


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_camera_and_its_date_are_read_in_every_container(form: str) -> None:
    found = traits(saved(draw("scene", 1, SIZE), form, exif=camera_exif(place=True).tobytes()))
    assert (found.captured, found.camera, found.gps) == ("2019-05-05T10:00:00.25", "Maker Camera 1", True)
    assert (found.exposure, found.software) == ("1/250 f/2.8 ISO100", "Firmware 2")
    assert found.exif >= 8


def test_nothing_is_recorded_without_exif() -> None:
    found = traits(saved(draw("scene", 1, SIZE), "JPEG", quality=85))
    assert (found.captured, found.camera, found.gps, found.exif) == ("", "", False, 0)
    assert (found.quality, found.subsampling, found.lossless) == (85, "4:2:0", False)


@pytest.mark.parametrize("at", [0, 4, 8, 10, 20, 40])
def test_invalid_exif_bytes_do_not_affect_other_fields(at: int) -> None:
    block = bytearray(camera_exif(place=True).tobytes())
    block[6 + at : 6 + at + 4] = b"\xff\xff\xff\xff"
    found = traits(saved(draw("scene", 1, SIZE), "JPEG", exif=bytes(block), quality=85))
    assert (found.mode, found.quality) == ("RGB", 85)


def test_depth_frames_palette_and_alpha() -> None:
    image = draw("scene", 1, SIZE)
    deep = Image.fromarray((np.asarray(image.convert("L")).astype(np.uint16) * 257).astype("<u2"))
    assert (traits(saved(deep, "PNG")).depth, traits(saved(image, "PNG")).depth) == (16, 8)
    pages = saved(image, "TIFF", save_all=True, append_images=[draw("scene", 2, SIZE), draw("scene", 3, SIZE)])
    assert traits(pages).frames == 3
    moving = saved(image, "GIF", save_all=True, append_images=[draw("scene", 2, SIZE)])
    assert traits(moving).frames == 2
    few = image.quantize(64)
    used = len(few.getcolors() or ())
    assert [traits(saved(each, "PNG")).palette for each in (few, few.convert("RGB"))] == [used, used]
    assert traits(saved(image, "PNG")).palette == 0
    opaque, clear = image.convert("RGBA"), image.convert("RGBA")
    clear.putpixel((3, 4), (1, 2, 3, 0))
    assert [traits(saved(each, "PNG")).alpha for each in (image, opaque, clear)] == [False, False, True]


def test_a_grey_image_is_recognised_however_it_is_stored() -> None:
    image = draw("scene", 1, SIZE)
    grey = image.convert("L")
    sepia = Image.fromarray(
        np.clip(np.asarray(grey, dtype=np.float64)[..., None] * (1.07, 0.95, 0.74), 0, 255).astype(np.uint8)
    )
    for form in ("PNG", "JPEG"):
        colours = [traits(saved(each, form), colour=64).colour for each in (image, grey, grey.convert("RGB"), sepia)]
        assert colours == [True, False, False, False], form
    assert traits(saved(image, "JPEG")).colour is None  # decoded to luma alone
    assert traits(saved(grey, "JPEG")).colour is False


@pytest.mark.parametrize(
    ("form", "options", "lossless"),
    [
        ("PNG", {}, True),
        ("WEBP", {"lossless": True}, True),
        ("WEBP", {"lossless": False}, False),
        ("TIFF", {}, True),
        ("TIFF", {"compression": "jpeg"}, False),
        ("JPEG2000", {}, True),
        ("JPEG2000", {"irreversible": True}, False),
        ("JPEG", {}, False),
    ],
)
def test_whether_pixels_are_stored_exactly(form: str, options: dict[str, Any], lossless: bool) -> None:
    assert traits(saved(draw("scene", 1, SIZE), form, **options)).lossless is lossless


def test_traits_survive_the_report_with_and_without_a_store(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    image = draw("scene", 1, (300, 200))
    image.save(folder / "camera.jpg", exif=camera_exif(), quality=90)
    image.save(folder / "copy.jpg", quality=80)
    first = twinpix.find(folder, method="phash:size=16", store=tmp_path / "store.sqlite")
    again = twinpix.find(folder, method="phash:size=16", store=tmp_path / "store.sqlite")
    assert first.groups == again.groups
    keeper, other = first.groups[0].members
    assert keeper.traits is not None
    assert (keeper.relation, keeper.distance) == (None, None)
    assert (other.relation, other.distance) == (
        first.groups[0].matches[0].relation,
        first.groups[0].matches[0].distance,
    )
    made = tmp_path / "report.json"
    made.write_text("".join(writer("json").parts(first)))
    assert read(str(made)).groups == first.groups
    old = json.loads(made.read_text())
    for member in old["groups"][0]["members"]:
        for name in ("traits", "relation", "distance"):
            del member[name]
    made.write_text(json.dumps(old))
    assert [member.traits for member in read(str(made)).groups[0].members] == [None, None]


def test_a_store_of_an_earlier_version_is_rebuilt_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = Store(path)
    store.put_exclusions([(b"a" * 16, b"b" * 16)])
    store.close()
    with sqlite3.connect(path) as db:
        db.executescript("DROP TABLE results; CREATE TABLE results(digest BLOB, spec INTEGER); PRAGMA user_version=2")
    db.close()
    store = Store(path)
    assert "made by another version of twinpix" in store.notes[0]
    assert store.exclusions() == [(b"a" * 16, b"b" * 16)]
    assert store.results([b"a" * 16], "phash") == {}
    store.close()


def test_a_colour_profile_has_its_name() -> None:
    name = b"Display P3\0"
    tag = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name
    profile = bytes(128) + struct.pack(">I", 1) + b"desc" + struct.pack(">II", 144, len(tag)) + tag
    assert traits(saved(draw("scene", 1, SIZE), "JPEG", icc_profile=profile)).icc == "Display P3"
