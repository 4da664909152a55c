"""Data of 10, 12 and 14 bits in files of 16: an image, its half and its 8-bit version are copies of each other."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from drawings import draw
from twinpix import find
from twinpix.imaging import decode
from twinpix.imaging.channels import bits_in_use


@pytest.mark.parametrize(("highest", "bits"), [(0, 8), (255, 8), (1023, 10), (1024, 12), (3479, 12), (4095, 12),
                                               (16383, 14), (16384, 16), (65535, 16)])  # fmt: skip
def test_bits_in_use(highest: int, bits: int) -> None:
    assert bits_in_use(highest) == bits


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_levels_are_those_of_the_bits_in_use(bits: int, colours: bool, suffix: str) -> None:
    eight = np.asarray(draw("scene", 5, (240, 180)).convert("RGB" if colours else "L"))
    deep = (eight.astype(np.uint16) << (bits - 8)) + (bits > 8)
    data = bytes(cv2.imencode(suffix, deep[..., ::-1] if colours else deep)[1])
    plain = io.BytesIO()
    Image.fromarray(eight).save(plain, "PNG")
    seen, expected = (np.asarray(decode(each).image).astype(int) for each in (data, plain.getvalue()))
    assert np.abs(seen - expected).mean() < 2


@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_a_half_and_an_8_bit_version_are_found(tmp_path: Path, method: str) -> None:
    eight = np.asarray(draw("landscape", 5, (480, 360)).convert("L"))
    deep = Image.fromarray(eight.astype(np.uint16) * 14 + 40)
    deep.save(tmp_path / "scan.tif")
    Image.fromarray(cv2.resize(np.asarray(deep), (240, 180), interpolation=cv2.INTER_AREA)).save(tmp_path / "half.png")
    Image.fromarray(eight).save(tmp_path / "eight.jpg", quality=92)
    report = find([str(tmp_path)], method=method, store=None)
    assert [sorted(Path(member.path).name for member in group.members) for group in report.groups] == [
        ["eight.jpg", "half.png", "scan.tif"]
    ]
    assert not report.guarded


@pytest.mark.parametrize("case", ["twelve_of_sixteen_bits", "jxl_orientation"])
@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_shared_cases_are_found(shared: Path, case: str, method: str) -> None:
    if case == "jxl_orientation":
        pytest.importorskip("pillow_jxl")
    report = find([str(shared / "cases" / case)], method=method, store=None)
    names = sorted(sorted(Path(member.path).name for member in group.members) for group in report.groups)
    assert not report.failures
    assert (
        names
        == {
            "twelve_of_sixteen_bits": [
                ["hand.tif", "hand_8bit.jpg", "hand_half.png"],
                ["lung.tif", "lung_8bit.jpg", "lung_half.png"],
            ],
            "jxl_orientation": [["codestream6_exif6.jxl", "upright.jpg"]],
        }[case]
    )
    turned = {member.relation for group in report.groups for member in group.members}
    assert not turned & {"rotated", "mirrored"}
