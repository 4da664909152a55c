"""Documents of one design are told apart by their small print; copies of them are found; small edits are named."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

import twinpix
from documents import FAMILIES, HELD_OUT, document, scanned, taken
from drawings import draw
from twinpix import verify
from twinpix.imaging import decode
from twinpix.model import Bytes2D
from twinpix.verify import COLOUR, DETAIL, FULL, Look, View, look, turning, view_of

SHARED = Path(__file__).resolve().parents[2] / "shared" / "cases"


def written(image: Image.Image, form: str = "PNG", quality: int = 88) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **({"quality": quality} if form == "JPEG" else {}))
    return file.getvalue()


def full(data: bytes) -> Bytes2D:
    return np.ascontiguousarray(decode(data, "fast", "", 0, FULL).grey(FULL))


def view(data: bytes) -> View:
    return view_of(decode(data, "fast", "", COLOUR, DETAIL), partial(full, data))


def seen(a: bytes, b: bytes) -> Look:
    first, second = view(a), view(b)
    return look(first, second, [turning(0, first.sides, second.sides)])


@pytest.mark.parametrize("family", [*FAMILIES, *HELD_OUT])
def test_documents_with_a_few_other_fields_are_different(family: str) -> None:
    a, b, c = (document(family, 11, number, fields, side=900) for number, fields in ((0, None), (1, 2), (2, 6)))
    assert not seen(written(a), written(b)).same
    assert not seen(written(b, "JPEG"), written(c, "JPEG", 60)).same
    scans = [written(scanned(image, seed), "JPEG", 60) for seed, image in enumerate((a, c))]
    assert not seen(*scans).same


def copies(image: Image.Image) -> Iterator[bytes]:
    half = (image.width // 2, image.height // 2)
    yield written(image, "JPEG", 30)
    yield written(image.resize(half), "JPEG")
    yield written(ImageEnhance.Contrast(image).enhance(1.5), "JPEG")
    yield written(ImageOps.expand(image, 40, "black"), "JPEG")
    yield written(image.rotate(3, Image.Resampling.BICUBIC, fillcolor="white"), "JPEG")
    yield written(scanned(image, 5), "JPEG", 60)


def test_copies_of_documents_are_found() -> None:
    results = []
    for number, family in enumerate([*FAMILIES, *HELD_OUT]):
        image = document(family, 12, side=800)
        for at, copy in enumerate(copies(image)):
            if (at + number) % 2:
                results.append((family, at, seen(written(image), copy).same))
    missed = [result for result in results if not result[2]]
    assert len(missed) <= 0.03 * len(results), missed


@pytest.mark.parametrize("family", ["form", "table", "sheet music"])
def test_what_is_drawn_over_a_page_is_an_edit(family: str) -> None:
    image = document(family, 13, side=900)
    stuck = image.copy()
    stuck.paste((220, 30, 40), (image.width // 2, image.height // 3, image.width * 3 // 4, image.height // 2))
    assert seen(written(image), written(stuck, "JPEG")).relation == "edited"


@pytest.mark.parametrize("size", [(640, 480), (1280, 960)])
def test_another_number_plate_on_a_photo_is_a_named_edit(size: tuple[int, int]) -> None:
    a, b = (written(taken("landscape", 3, text, size=size)) for text in ("ABC 123", "XKW 907"))
    found = seen(a, b)
    assert found.relation == "edited"
    words, place = found.detail.removeprefix("edited: region ").split(" at ")
    wide, high = (int(number) for number in words.split("×"))
    left, top = (int(number) for number in place.strip("()").split(", "))
    assert abs(left + wide / 2 - 0.5 * size[0]) < 0.1 * size[0]
    assert wide < 0.3 * size[0]
    assert abs(top + high / 2 - 0.72 * size[1]) < 0.05 * size[1]
    assert high < 0.15 * size[1]


def test_the_same_photo_once_more_encoded_is_no_edit() -> None:
    image = taken("landscape", 3, "ABC 123")
    assert seen(written(image), written(image, "JPEG", 50)).relation == "re-encoded"


def test_a_map_on_which_print_lands_on_other_print_is_none() -> None:
    """Two months, of which one lies on the other when it is shifted by a day."""
    a, b = (document("calendar", 14, number, 2, side=1000) for number in (0, 3))
    first, second = view(written(a)), view(written(b))
    day = np.array([[1.0, 0, 130 * first.sides[0] / 1000], [0, 1, 0]])
    assert not verify.look(first, second, [day]).same


@pytest.mark.parametrize("family", ["form", "ticket"])
def test_by_default_pages_of_near_hashes_are_verified(family: str, tmp_path: Path) -> None:
    for number in range(3):
        page = document(family, 11, number, 2 + number, side=900)
        page.save(tmp_path / f"{number}.png")
        page.resize((page.width // 2, page.height // 2)).save(tmp_path / f"{number} half.jpg", quality=70)
    groups = twinpix.find(tmp_path, store=None).groups
    found = sorted(sorted(Path(member.path).name for member in group.members) for group in groups)
    assert found == [[f"{number} half.jpg", f"{number}.png"] for number in range(3)]
    unverified = twinpix.find(tmp_path, store=None, verify=False, radius=82)
    assert len(unverified.groups) == 1


def test_by_default_another_number_plate_is_an_edit(tmp_path: Path) -> None:
    photo = draw("street", 5, (640, 480))
    for number, plate in enumerate(("AB 123", "CD 987")):
        image = photo.copy()
        ImageDraw.Draw(image).rectangle((250, 330, 370, 362), fill="white")
        ImageDraw.Draw(image).text((258, 330), plate, fill="black", font_size=28)
        image.save(tmp_path / f"{number}.png")
        image.save(tmp_path / f"{number}.jpg", quality=40)
    (group,) = twinpix.find(tmp_path, store=None).groups
    same = {(match.a[-5], match.b[-5], match.relation) for match in group.matches}
    assert {relation for a, b, relation in same if a == b} == {"re-encoded"}
    assert {relation for a, b, relation in same if a != b} == {"edited"}


@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
@pytest.mark.parametrize("case", ["forms_other_numbers", "calendars"])
def test_cases_of_other_documents_are_in_no_group(case: str, method: str) -> None:
    if not (SHARED / case).is_dir():
        pytest.skip("the shared cases are not here")
    assert twinpix.find(SHARED / case, method=method, store=None).groups == []


def test_the_case_of_number_plates_is_a_named_edit() -> None:
    if not (SHARED / "plates").is_dir():
        pytest.skip("the shared cases are not here")
    report = twinpix.find(SHARED / "plates", method="cascade", store=None)
    matches = [match for group in report.groups for match in group.matches]
    assert matches
    assert all(match.detail.startswith("edited: region") for match in matches)
