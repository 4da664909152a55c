"""A damaged copy is never kept for an intact one: lost sectors are detected; if that is impossible, both are kept."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from drawings import draw
from twinpix import find, plan
from twinpix.errors import ImageError
from twinpix.imaging import decode
from twinpix.imaging.formats import jpeg
from twinpix.imaging.traits import from_text

SCENE = draw("scene", 4, (640, 480))
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "baseline": ("JPEG", {"quality": 85}),
    "optimized": ("JPEG", {"quality": 85, "optimize": True}),
    "full colour": ("JPEG", {"quality": 92, "subsampling": 0}),
    "grey": ("JPEG", {"quality": 90}),
    "restarts": ("JPEG", {"quality": 85, "restart_marker_rows": 1}),
    "webp": ("WEBP", {"quality": 85}),
    "avif": ("AVIF", {"quality": 70, "speed": 9}),
    "jpeg2000": ("JPEG2000", {"quality_mode": "rates", "quality_layers": [20], "irreversible": True}),
    "tiff jpeg": ("TIFF", {"compression": "jpeg"}),
    "heic": ("HEIF", {"quality": 70}),
}


def encoded(name: str, image: Image.Image = SCENE) -> bytes:
    form, how = FORMATS[name]
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    out = io.BytesIO()
    (image.convert("L") if name == "grey" else image).save(out, form, **how)
    return out.getvalue()


def overwritten(data: bytes, at: int, filler: bytes) -> bytes:
    return data[:at] + filler + data[at + len(filler) :]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("byte", [0, 0xFF])
def test_a_lost_sector_is_detected(name: str, byte: int) -> None:
    data = encoded(name)
    assert not decode(data).damaged
    for share in (0.3, 0.55, 0.8):
        for at in (int(len(data) * share), int(len(data) * share) // 512 * 512):
            bad = overwritten(data, at, bytes([byte]) * 512)
            try:
                image = decode(bad)
            except ImageError:
                continue
            traits = from_text(image.traits)
            assert image.damaged, (name, share, at)
            assert traits is not None
            assert traits.fault, (name, share, at)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9, 0.98])
def test_a_progressive_jpeg_with_a_zeroed_tail_is_damaged(share: float) -> None:
    out = io.BytesIO()
    SCENE.save(out, "JPEG", quality=85, progressive=True)
    data = out.getvalue()
    at = int(len(data) * share)
    try:
        assert decode(data[:at] + bytes(len(data) - at)).damaged
    except ImageError:
        assert share < 0.9


def test_a_lost_sector_of_a_progressive_jpeg_is_detected() -> None:
    """In any scan except the refinement of the DC coefficients, where 512 zeros may be a flat area."""
    out = io.BytesIO()
    SCENE.save(out, "JPEG", quality=85, progressive=True)
    data = out.getvalue()
    starts = range(1024, len(data) - 512, 512)
    unseen = [at for at in starts if not is_damaged(overwritten(data, at, bytes(512)))]
    refining = next(scan for scan in jpeg.layout_of(data).scans if scan.first == 0 and scan.refines)
    assert all(refining.start - 256 <= at <= refining.end for at in unseen)
    assert len(unseen) < len(starts) // 20


def is_damaged(data: bytes) -> bool:
    try:
        return decode(data).damaged
    except ImageError:
        return True


def test_missing_restart_markers_are_damage() -> None:
    data = encoded("restarts")
    at = len(data) // 2
    noise = np.random.default_rng(1).integers(1, 255, 3000, dtype=np.uint8).tobytes()
    assert decode(overwritten(data, at, noise)).damaged


def flat_images() -> list[Image.Image]:
    page = Image.new("RGB", (1200, 900), "white")
    ImageDraw.Draw(page).rectangle((100, 100, 300, 130), fill="black")
    dither = np.zeros((900, 1200), np.uint8)
    dither[::2, ::2] = 255
    return [page, Image.fromarray(dither).convert("RGB"), *(Image.new("RGB", (1200, 900), c) for c in ("black", "red"))]


@pytest.mark.parametrize("name", FORMATS)
def test_flat_images_are_not_damaged(name: str) -> None:
    for image in flat_images():
        assert not decode(encoded(name, image)).damaged
    if FORMATS[name][0] == "JPEG":
        out = io.BytesIO()
        flat_images()[0].save(out, "JPEG", progressive=True, optimize=True)
        assert not decode(out.getvalue()).damaged


def test_the_intact_one_is_kept(tmp_path: Path) -> None:
    data = encoded("baseline")
    (tmp_path / "a_card.jpg").write_bytes(overwritten(data, 3 * len(data) // 4, bytes(512)))
    (tmp_path / "z_backup.jpg").write_bytes(data)
    report = find([str(tmp_path)], method="phash:size=16", store=None)
    assert [Path(group.keeper).name for group in report.groups] == ["z_backup.jpg"]
    assert [Path(step.path).name for step in plan(report, "delete").steps] == ["a_card.jpg"]


@pytest.mark.parametrize("name", ["raw.tif", "noise.jpg"])
@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_both_are_kept_if_the_damaged_one_is_unknown(tmp_path: Path, name: str, method: str) -> None:
    if name == "raw.tif":
        out = io.BytesIO()
        SCENE.save(out, "TIFF")
        data, filler = out.getvalue(), bytes(4096)
    else:
        data, filler = encoded("baseline"), b"\x12\x34\x56\x78" * 4
    (tmp_path / f"a_{name}").write_bytes(overwritten(data, 9 * len(data) // 10, filler))
    (tmp_path / f"z_{name}").write_bytes(data)
    report = find([str(tmp_path)], method=method, store=None)
    assert not any(member.damaged for group in report.groups for member in group.members)
    assert [match.detail.rpartition("; ")[2] for group in report.groups for match in group.matches] == [
        "one of the two is damaged"
    ]
    planned = plan(report, "delete")
    assert not planned.steps
    assert "one of the two is damaged" in planned.skipped[0].reason


def test_identical_files_and_other_sizes_are_still_removed(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(encoded("baseline"))
    SCENE.save(tmp_path / "c.png")
    planned = plan(find([str(tmp_path)], method="phash:size=16", store=None), "delete")
    assert len(planned.steps) == 2
    assert not planned.skipped
