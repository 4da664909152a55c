"""Crowds of images that look alike: a bounded number of looks, and the same groups as with all of them."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

import twinpix
from amounts import amount
from drawings import draw
from twinpix.match import stages

CROWD = amount(19, 22)
WORDS = ("NOBODY EXPECTS", "THE QUICK BROWN FOX", "AND JUMPS OVER 13 DOGS")


def captioned(photo: Image.Image) -> Image.Image:
    """A bar of the same words below a photo."""
    out = Image.new("RGB", (photo.width, photo.height + 150), "white")
    out.paste(photo, (0, 0))
    for line, words in enumerate(WORDS):
        ImageDraw.Draw(out).text((12, photo.height + 6 + 46 * line), words, fill="black", font_size=36)
    return out


def groups(found: twinpix.Report) -> set[frozenset[str]]:
    return {frozenset(Path(member.path).name for member in group.members) for group in found.groups}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crowd")
    for number in range(CROWD):
        captioned(draw("scene", number, (480, 360))).save(folder / f"{number:02}.jpg", quality=92)
    plain = draw("scene", 3, (480, 360))
    plain.crop((40, 30, 440, 340)).save(folder / "a crop without the caption.jpg", quality=80)
    captioned(draw("scene", 5, (480, 360))).resize((240, 255)).save(folder / "smaller.jpg", quality=80)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store, so that a second run verifies those pairs only that the first has left out."""
    return str(tmp_path_factory.mktemp("store") / "store.sqlite")


@pytest.fixture(scope="module")
def bounded(crowd: Path, store: str) -> twinpix.Report:
    return twinpix.find([str(crowd)], method="cascade", store=store)


def test_copies_in_a_crowd_are_found(bounded: twinpix.Report) -> None:
    assert groups(bounded) == {
        frozenset({"03.jpg", "a crop without the caption.jpg"}),
        frozenset({"05.jpg", "smaller.jpg"}),
    }


def test_the_report_counts_what_was_not_looked_at(bounded: twinpix.Report) -> None:
    notes = [note for note in bounded.notes if "not looked at" in note]
    assert len(notes) == 1
    pairs, looks = CROWD * (CROWD - 1) // 2, 8 * (CROWD + 2)
    assert pairs - looks <= int(notes[0].split()[0]) < pairs


def test_the_bound_changes_no_group(
    crowd: Path, store: str, bounded: twinpix.Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "_CANDIDATES", CROWD**2)
    every = twinpix.find([str(crowd)], method="cascade", store=store)
    assert groups(every) == groups(bounded)
    assert not any("not looked at" in note for note in every.notes)
