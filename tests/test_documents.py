"""Documents of one design are distinguished by their fields; copies of them are found; small edits are named."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

import amounts
import twinpix
from documents import FAMILIES, HELD_OUT, document, scanned, taken
from drawings import draw
from twinpix import verify
from twinpix.evidence.content.spots import find_spot
from twinpix.imaging import decode
from twinpix.imaging.evidence import differing_share, may_differ
from twinpix.model import Bytes2D
from twinpix.sources.kinds.zip import Zip
from twinpix.thresholds import TEXTURE
from twinpix.verify import COLOUR, DETAIL, FULL, Pyramid, Verdict, orientation_transform, pyramid_of, verify_pair

SHARED = Path(__file__).resolve().parents[2] / "shared" / "cases"


def written(image: Image.Image, form: str = "PNG", quality: int = 88) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **({"quality": quality} if form == "JPEG" else {}))
    return file.getvalue()


def full(data: bytes) -> Bytes2D:
    return np.ascontiguousarray(decode(data, "fast", "", 0, FULL).grey(FULL))


def view(data: bytes) -> Pyramid:
    return pyramid_of(decode(data, "fast", "", COLOUR, DETAIL), partial(full, data))


def verdict_of(a: bytes, b: bytes) -> Verdict:
    first, second = view(a), view(b)
    return verify_pair(first, second, [orientation_transform(0, first.size, second.size)])


@pytest.mark.parametrize("family", [*FAMILIES, *HELD_OUT])
def test_documents_with_a_few_different_fields_are_different(family: str) -> None:
    a, b, c = (document(family, 11, number, fields, side=900) for number, fields in ((0, None), (1, 2), (2, 6)))
    assert not verdict_of(written(a), written(b)).same
    assert not verdict_of(written(b, "JPEG"), written(c, "JPEG", 60)).same
    scans = [written(scanned(image, seed), "JPEG", 60) for seed, image in enumerate((a, c))]
    assert not verdict_of(*scans).same


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
            if (at + number) % amounts.amount(6, 2) == 1:
                results.append((family, at, verdict_of(written(image), copy).same))
    missed = [result for result in results if not result[2]]
    assert len(missed) <= 0.03 * len(results), missed


@pytest.mark.parametrize("family", ["form", "table", "sheet music"])
def test_drawings_over_a_page_are_an_edit(family: str) -> None:
    image = document(family, 13, side=900)
    stuck = image.copy()
    stuck.paste((220, 30, 40), (image.width // 2, image.height // 3, image.width * 3 // 4, image.height // 2))
    assert verdict_of(written(image), written(stuck, "JPEG")).relation == "edited"


@pytest.mark.parametrize("size", [(640, 480), (1280, 960)])
def test_another_number_plate_on_a_photo_is_a_named_edit(size: tuple[int, int]) -> None:
    a, b = (written(taken("landscape", 3, text, size=size)) for text in ("ABC 123", "XKW 907"))
    found = verdict_of(a, b)
    assert found.relation == "edited"
    words, place = found.detail.removeprefix("edited: region ").split(" at ")
    wide, high = (int(number) for number in words.split("×"))
    left, top = (int(number) for number in place.strip("()").split(", "))
    assert abs(left + wide / 2 - 0.5 * size[0]) < 0.1 * size[0]
    assert wide < 0.3 * size[0]
    assert abs(top + high / 2 - 0.72 * size[1]) < 0.05 * size[1]
    assert high < 0.15 * size[1]


def test_a_re_encoded_photo_is_not_edited() -> None:
    image = taken("landscape", 3, "ABC 123")
    assert verdict_of(written(image), written(image, "JPEG", 50)).relation == "re-encoded"


def test_a_transform_that_maps_print_onto_other_print_is_rejected() -> None:
    """Two months whose grids coincide when one is shifted by a day."""
    a, b = (document("calendar", 14, number, 2, side=1000) for number in (0, 3))
    first, second = view(written(a)), view(written(b))
    day = np.array([[1.0, 0, 130 * first.size[0] / 1000], [0, 1, 0]])
    assert not verify.verify_pair(first, second, [day]).same


@pytest.mark.parametrize("family", ["form", "ticket", "bill", "entrance"])
def test_by_default_pages_of_near_hashes_are_verified(family: str, tmp_path: Path) -> None:
    for number in range(3):
        page = document(family, 11, number, 2 + number, side=900)
        page.save(tmp_path / f"{number}.png")
        page.resize((page.width // 2, page.height // 2)).save(tmp_path / f"{number} half.jpg", quality=70)
    groups = twinpix.find(tmp_path, method="phash:size=16", store=None).groups
    found = sorted(sorted(Path(member.path).name for member in group.members) for group in groups)
    assert found == [[f"{number} half.jpg", f"{number}.png"] for number in range(3)]
    unverified = twinpix.find(tmp_path, method="phash:size=16", store=None, verify=False, radius=82)
    assert len(unverified.groups) == 1


@pytest.mark.parametrize(("size", "height"), [((640, 480), 14), ((1200, 900), 26)])
def test_one_changed_digit_of_a_time_stamp_is_a_named_edit(size: tuple[int, int], height: int) -> None:
    photo = draw("street", 6, size)
    stamped = []
    for minute in ("03", "01"):
        image = photo.copy()
        at = (round(0.6 * size[0]), round(0.92 * size[1]))
        ImageDraw.Draw(image).text(at, f"2026 11 28 14:{minute}", fill=(255, 150, 20), font_size=height)
        stamped.append(image)
    found = verdict_of(written(stamped[0], "JPEG", 90), written(stamped[1], "JPEG", 70))
    assert found.relation == "edited"
    words, place = found.detail.removeprefix("edited: region ").split(" at ")
    wide, _ = (int(number) for number in words.split("×"))
    assert wide < 0.1 * size[0]
    assert int(place.strip("()").split(", ")[1]) > 0.85 * size[1]
    assert verdict_of(written(stamped[0], "JPEG", 90), written(stamped[0], "JPEG", 40)).relation == "re-encoded"


def test_a_spot_is_detected_at_any_brightness() -> None:
    photo = np.asarray(draw("landscape", 6, (320, 240)).convert("L"))
    other = photo.copy()
    other[100:104, 200:206] = 255 - other[100:104, 200:206] // 2
    assert find_spot(photo, photo) is None
    found = find_spot((photo * 0.7 + 20).astype(np.uint8), other)
    assert found is not None
    assert np.allclose(np.array(found) * (320, 240, 320, 240), (200, 100, 206, 104), atol=2)


@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_cards_of_one_design_are_not_grouped(method: str, tmp_path: Path) -> None:
    """Different artwork in the same frame: their hashes are near."""
    cards = amounts.amount(3, 6)
    for number in range(cards):
        card(number).save(tmp_path / f"{number}.jpg", quality=90)
        card(number).resize((250, 350)).save(tmp_path / f"{number} half.jpg", quality=70)
    groups = twinpix.find(tmp_path, method=method, store=None).groups
    found = sorted(sorted(Path(member.path).name for member in group.members) for group in groups)
    assert found == [[f"{number} half.jpg", f"{number}.jpg"] for number in range(cards)]


def test_a_photo_with_spots_is_not_a_page() -> None:
    """The spots of a dog, grass and stars have the size and contrast of letters; drawings over them are an edit."""
    rng = np.random.default_rng(11)
    image = draw("scene", 3, (640, 480))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 640, 160), fill=(205, 200, 195))
    for x, y, wide, high in rng.integers((0, 0, 5, 6), (620, 146, 14, 15), (70, 4)).tolist():
        pen.ellipse((x, y, x + wide, y + high), fill=(30, 25, 20))
    spotted = view(written(image))
    assert sum(map(len, spotted.page.letters)) >= TEXTURE.min_letters
    assert not spotted.is_page
    marked = image.copy()
    pen = ImageDraw.Draw(marked)
    pen.text((60, 90), "SAMPLE text 2026", fill="white", stroke_width=2, stroke_fill="black", font_size=60)
    pen.ellipse((480, 330, 620, 460), fill=(220, 30, 40))
    found = verdict_of(written(image, "JPEG"), written(marked, "JPEG", 80))
    assert (found.same, found.relation) == (True, "edited")
    assert view(written(card(1))).is_page


def test_words_on_an_object_on_a_plain_background_are_an_edit() -> None:
    """A photo of an object on white has ink on a plain background, as a page has, and no rows of letters."""
    thing = draw("texture", 5, (640, 480)).filter(ImageFilter.GaussianBlur(2))
    image, mask = Image.new("RGB", thing.size, (245, 245, 245)), Image.new("L", thing.size)
    for x, y in np.random.default_rng(3).integers((40, 40), (560, 400), (14, 2)).tolist():
        ImageDraw.Draw(mask).ellipse((x, y, x + 60, y + 50), fill=255)
    image.paste(thing, mask=mask)
    plain = view(written(image, "JPEG"))
    assert not plain.page.is_printed
    marked = image.copy()
    ImageDraw.Draw(marked).text(
        (120, 120), "do not share", fill="white", stroke_width=2, stroke_fill="black", font_size=70
    )
    found = verdict_of(written(image, "JPEG"), written(marked, "JPEG", 80))
    assert (found.same, found.relation) == (True, "edited")
    for family in FAMILIES:
        pages = [view(written(document(family, design))) for design in range(3)]
        assert all(page.is_page or page.is_sheet for page in pages)


def card(number: int) -> Image.Image:
    """A trading card."""
    rng = np.random.default_rng([7, number])
    image = Image.new("RGB", (500, 700), (240, 200, 60))
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((18, 18, 482, 682), 20, fill=(250, 240, 200), outline=(90, 60, 10), width=4)
    pen.text((40, 30), "".join(rng.choice(list("abcdeghikln"), 8)).title(), fill="black", font_size=36)
    art = Image.fromarray(rng.integers(0, 255, (7, 10, 3), dtype=np.uint8)).resize((420, 280), Image.Resampling.BICUBIC)
    image.paste(art, (40, 90))
    pen.rectangle((40, 90, 460, 370), outline="black", width=4)
    for row in range(3):
        pen.ellipse((45, 410 + row * 80, 85, 450 + row * 80), fill=(220, 60, 30))
        pen.text((100, 410 + row * 80), "Attack name", fill="black", font_size=30)
        pen.text((410, 410 + row * 80), str(10 * int(rng.integers(1, 9))), fill="black", font_size=34)
    pen.text((60, 650), "Illus. by Studio   2026   Game Company", fill="black", font_size=16)
    return image


def test_crops_and_small_rotations_agree_once_aligned() -> None:
    """Different photos do not agree."""
    photos = [draw(kind, seed, (400, 300)) for seed, kind in enumerate(("street", "landscape", "portrait"))]
    small = [np.asarray(photo.convert("L").resize((128, 128))) for photo in photos]
    for photo, whole in zip(photos, small, strict=True):
        edited = (
            photo.crop((20, 15, 385, 290)),
            photo.rotate(3, Image.Resampling.BICUBIC),
            ImageEnhance.Contrast(photo).enhance(1.5),
        )
        for other in edited:
            view = np.asarray(other.convert("L").resize((128, 128)))
            assert verify.differing_places(whole, view) <= 0.1
        assert verify.differing_places(whole, whole) == 0
    assert min(verify.differing_places(a, b) for a, b in permutations(small, 2)) > 0.17
    flat = np.full((128, 128), 90, np.uint8)
    assert verify.differing_places(flat, flat) == verify.differing_places(flat, small[0]) == 1


def test_pairs_ruled_out_by_the_bound_do_not_differ() -> None:
    rng = np.random.default_rng(8)
    first = rng.integers(0, 256, (40, 256))
    others = first * rng.uniform(0.3, 1, (40, 1)) + rng.normal(0, 1, (40, 256)) * rng.uniform(0, 40, (40, 1))
    layouts = np.concatenate([first, others, np.full((2, 256), 7)]).clip(0, 255).astype(np.uint8)
    i, j = (each.ravel() for each in np.indices((len(layouts), len(layouts))))
    share = differing_share(layouts[i], layouts[j])
    may = may_differ(layouts, i, j, 0.1)
    assert not (share > 0.1)[~may].any()
    assert 40 < np.count_nonzero(~may) < 0.9 * len(i)


def test_only_the_nearest_candidates_of_a_dense_cluster_are_verified(tmp_path: Path) -> None:
    """Cards of one game are candidates of each other; copies are found nevertheless, omitted pairs are reported."""
    for number in range(14):
        card(number).save(tmp_path / f"{number}.jpg", quality=90)
        if number < 3:
            card(number).resize((250, 350)).save(tmp_path / f"{number} half.jpg", quality=70)
    report = twinpix.find(tmp_path, method="phash:size=16", radius=110, store=None)
    found = sorted(sorted(Path(member.path).name for member in group.members) for group in report.groups)
    assert found == [[f"{number} half.jpg", f"{number}.jpg"] for number in range(3)]
    assert any("not verified" in note for note in report.notes)


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


@pytest.mark.parametrize("options", [{}, {"verify": True}, {"method": "local"}, {"method": "cascade"}], ids=str)
def test_a_damaged_copy_is_found(options: dict[str, Any]) -> None:
    """The missing half of the image is not a difference."""
    if not (SHARED / "bit_rot").is_dir():
        pytest.skip("the shared cases are not here")
    (group,) = twinpix.find(SHARED / "bit_rot", store=None, **options).groups
    assert Path(group.keeper).name == "z_backup_good.jpg"
    assert [member.damaged for member in group.members] == [False, True]


@pytest.mark.parametrize("method", ["local", "cascade"])
def test_a_damaged_copy_in_an_archive_is_found(method: str, tmp_path: Path) -> None:
    if not (SHARED / "bit_rot").is_dir():
        pytest.skip("the shared cases are not here")
    path = str(tmp_path / "photos.zip")
    Zip().write(path, {file.name: file.read_bytes() for file in sorted((SHARED / "bit_rot").glob("*.jpg"))})
    (group,) = twinpix.find(path, store=None, method=method).groups
    assert [member.damaged for member in group.members] == [False, True]
    assert group.keeper == f"zip://z_backup_good.jpg::{path}"


def test_by_default_another_face_at_half_the_size_is_an_edit(tmp_path: Path) -> None:
    photo = draw("street", 5, (640, 480))
    photo.resize((320, 240), Image.Resampling.LANCZOS).save(tmp_path / "same half.jpg", quality=80)
    photo.save(tmp_path / "photo.png")
    other = photo.copy()
    other.paste(draw("portrait", 2, (90, 110)), (280, 150))
    other.resize((320, 240), Image.Resampling.LANCZOS).save(tmp_path / "other half.jpg", quality=80)
    (group,) = twinpix.find(tmp_path, store=None).groups
    relations = {Path(member.path).name: member.relation for member in group.members}
    assert relations == {"photo.png": None, "same half.jpg": "resized", "other half.jpg": "edited"}


@pytest.mark.covering
@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
@pytest.mark.parametrize("case", ["calendars", "forms_other_numbers"])
def test_cases_of_different_documents_are_not_grouped(case: str, method: str) -> None:
    if not (SHARED / case).is_dir():
        pytest.skip("the shared cases are not here")
    images = sorted((SHARED / case).iterdir())
    few = images[: amounts.amount(8, len(images))]
    assert twinpix.find(few, method=method, store=None).groups == []


def test_the_case_of_number_plates_is_a_named_edit() -> None:
    if not (SHARED / "plates").is_dir():
        pytest.skip("the shared cases are not here")
    report = twinpix.find(SHARED / "plates", method="cascade", store=None)
    matches = [match for group in report.groups for match in group.matches]
    assert matches
    assert all(match.detail.startswith("edited: region") for match in matches)
