"""Matches of a luma hash: recoloured images are named so, and are not copies at strict and exact."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import twinpix
from drawings import draw


def variants(folder: Path) -> None:
    """One image, re-encoded, at half the size, in grey, in sepia, and with red and blue exchanged."""
    image = draw("portrait", 4, (400, 300)).convert("RGB")
    grey = image.convert("L")
    sepia = Image.merge("RGB", [grey.point([int(level * share) for level in range(256)]) for share in (1, 0.85, 0.6)])
    image.save(folder / "a_picture.png")
    image.save(folder / "encoded.jpg", quality=30)
    image.resize((200, 150)).save(folder / "half.jpg", quality=60)
    grey.save(folder / "grey.jpg", quality=90)
    sepia.save(folder / "sepia.jpg", quality=90)
    ycc = np.asarray(image.convert("YCbCr")).copy()
    ycc[..., 1:] = ycc[..., :0:-1]
    Image.fromarray(ycc, "YCbCr").convert("RGB").save(folder / "exchanged.jpg", quality=90)


@pytest.mark.parametrize("options", [{}, {"keep": "path"}])
def test_colour_changes_are_named(options: dict[str, Any], tmp_path: Path) -> None:
    variants(tmp_path)
    (found,) = twinpix.find(tmp_path, method="phash:size=16", store=None, workers=1, **options).groups
    assert {Path(member.path).stem: member.relation for member in found.members} == {
        "a_picture": None,
        "encoded": "re-encoded",
        "half": "resized",
        "grey": "recoloured",
        "sepia": "recoloured",
        "exchanged": "recoloured",
    }


@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_a_local_colour_change_and_an_exposure_change_are_named(method: str, tmp_path: Path) -> None:
    """A part with another colour and the same luma; and a lighter copy, as of another exposure."""
    original = draw("portrait", 4, (400, 300)).convert("RGB")
    shirts = []
    for colour in ((190, 60, 60), (45, 129, 60)):  # of equal luma
        image = original.copy()
        image.paste(colour, (140, 180, 260, 290))
        shirts.append(image)
    shirts[0].save(tmp_path / "a_red.png")
    shirts[1].save(tmp_path / "green.jpg", quality=90)
    shirts[1].resize((200, 150)).save(tmp_path / "green half.jpg", quality=90)
    shirts[0].point(lambda level: min(255, int(level * 1.3 + 12))).save(tmp_path / "lighter.jpg", quality=90)
    (found,) = twinpix.find(tmp_path, store=None, workers=1, method=method, keep="path").groups
    relations = {Path(member.path).stem: member.relation for member in found.members}
    assert relations == {"a_red": None, "green": "recoloured", "green half": "recoloured", "lighter": "recoloured"}


@pytest.mark.parametrize("method", ["phash:size=16", "pdq"])
def test_query_and_compare_name_the_relation_as_find_does(method: str, tmp_path: Path) -> None:
    """They reported a recoloured copy as `re-encoded`, since only groups were corrected by the pixels."""
    variants(tmp_path)
    own = tmp_path / "a_picture.png"
    (found,) = twinpix.find(tmp_path, store=None, workers=1, method=method, keep="path").groups
    relations = {member.path: member.relation for member in found.members[1:]}
    assert set(relations.values()) == {"re-encoded", "resized", "recoloured"}
    hits, _ = twinpix.query(own, tmp_path, store=None, workers=1, method=method)
    assert {hit.path: hit.relation for hit in hits} == relations
    assert {path: twinpix.compare(own, path, method=method).relation for path in relations} == relations
    assert "recoloured, by" in twinpix.compare(own, tmp_path / "grey.jpg", method=method).conclusion


def test_a_codes_file_has_no_colours(tmp_path: Path) -> None:
    variants(tmp_path)
    path = str(tmp_path / "codes.jsonl")
    rows = twinpix.encode_files_as_stream(tmp_path, store=None, workers=1)
    twinpix.write_codes(path, twinpix.header_of(), rows)
    hits = twinpix.query_codes(tmp_path / "a_picture.png", path)
    assert {Path(hit.path).stem: hit.relation for hit in hits}["exchanged"] == "re-encoded"


@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_two_shots_are_not_re_encodings_for_find_query_and_compare(method: str, tmp_path: Path) -> None:
    for at, day in enumerate(("2024:05:01 10:00:00", "2024:05:01 10:00:05")):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = day
        draw("portrait", 4, (400, 300)).save(tmp_path / f"{at}.jpg", quality=90 - 20 * at, exif=exif)
    first, second = tmp_path / "0.jpg", tmp_path / "1.jpg"
    (found,) = twinpix.find(tmp_path, store=None, workers=1, method=method, keep="path").groups
    ((hit,), _) = twinpix.query(first, tmp_path, store=None, workers=1, method=method)
    relations = found.members[1].relation, hit.relation, twinpix.compare(first, second, method=method).relation
    assert relations == ("edited", "edited", "edited")


@pytest.mark.parametrize("strictness", ["exact", "strict"])
def test_recoloured_images_are_not_copies_where_only_encodings_may_differ(strictness: Any, tmp_path: Path) -> None:
    variants(tmp_path)
    found = twinpix.find(tmp_path, method="phash:size=16", store=None, workers=1, strictness=strictness)
    together = [{Path(member.path).stem for member in group.members} for group in found.groups]
    assert strictness == "exact" or any({"a_picture", "encoded"} <= names for names in together)
    for names in together:
        assert len(names & {"a_picture", "grey", "exchanged"}) <= 1
        assert len(names & {"a_picture", "sepia"}) <= 1


def test_encoding_does_not_count_as_a_colour_change(tmp_path: Path) -> None:
    for seed in range(4):
        image = draw("street", seed, (400, 300)).convert("RGB")
        image.save(tmp_path / f"{seed}.png")
        for quality in (90, 20, 8):
            image.save(tmp_path / f"{seed}-{quality}.jpg", quality=quality)
        image.save(tmp_path / f"{seed}-{quality}.webp", quality=30)
    found = twinpix.find(tmp_path, method="phash:size=16", store=None, workers=1)
    assert [len(group.members) for group in found.groups] == [5] * 4
    assert {match.relation for group in found.groups for match in group.matches} <= {"re-encoded", "edited"}
