"""Many similar images: a bounded number of verifications, and the same groups as with all verifications."""

from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image, ImageDraw

import twinpix
from amounts import amount
from drawings import draw
from test_conflicts import form
from twinpix.encoding.content_table import File
from twinpix.encoding.session import Session
from twinpix.match import hash_candidates, stages
from twinpix.match import pairs as match_pairs
from twinpix.match.candidates import count_unverified
from twinpix.match.verifier import PairVerdict, Verifier, verifier_of
from twinpix.model import ContentId
from twinpix.verify import Verdict

CROWD = amount(19, 22)
WORDS = ("NOBODY EXPECTS", "THE QUICK BROWN FOX", "AND JUMPS OVER 13 DOGS")


def captioned(photo: Image.Image) -> Image.Image:
    """A bar with the same caption below a photo."""
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
    """A store, so that a second run verifies only the pairs that the first run left out."""
    return str(tmp_path_factory.mktemp("store") / "store.sqlite")


@pytest.fixture(scope="module")
def bounded(crowd: Path, store: str) -> twinpix.Report:
    return twinpix.find([str(crowd)], method="cascade", store=store)


def test_copies_among_many_similar_images_are_found(bounded: twinpix.Report) -> None:
    assert groups(bounded) == {
        frozenset({"03.jpg", "a crop without the caption.jpg"}),
        frozenset({"05.jpg", "smaller.jpg"}),
    }


def unverified(found: twinpix.Report) -> list[int]:
    """The numbers of candidate pairs in the notes about pairs that were not verified."""
    return [int(note.split()[0]) for note in found.notes if "candidate pairs not verified and not matched" in note]


def test_the_report_counts_pairs_that_were_not_verified(bounded: twinpix.Report) -> None:
    (count,) = unverified(bounded)
    pairs, verified = CROWD * (CROWD - 1) // 2, 8 * (CROWD + 2)
    assert pairs - verified <= count < pairs
    (note,) = [note for note in bounded.notes if "not verified" in note]
    assert note.endswith("not matched: of each image the 8 likeliest candidates are verified")


@pytest.fixture
def verifiers(monkeypatch: pytest.MonkeyPatch) -> list[Verifier]:
    """The verifiers of the runs of a test."""
    made: list[Verifier] = []

    def spy(*arguments: Any) -> Verifier:
        made.append(verifier_of(*arguments))
        return made[-1]

    monkeypatch.setattr(match_pairs, "verifier_of", spy)
    return made


@pytest.mark.parametrize(
    ("method", "bound"), [("cascade", (stages, "_CANDIDATES")), ("phash:size=16", (hash_candidates, "_NEAREST"))]
)
def test_pairs_that_another_stage_or_a_third_image_verified_are_not_counted(
    method: str,
    bound: tuple[ModuleType, str],
    tmp_path: Path,
    verifiers: list[Verifier],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 40 forms, 200 of 596 counted pairs had a verdict."""
    monkeypatch.setattr(*bound, 2)
    count = 12
    for seed in range(count):
        form(seed).save(tmp_path / f"{seed:02}.jpg", quality=90)
    found = twinpix.find(tmp_path, method=method, store=None)
    (verifier,) = verifiers
    assert found.groups == []
    (noted,) = unverified(found)
    assert 0 < noted <= count * (count - 1) // 2 - len(verifier.verdicts)


def test_a_pair_verified_via_a_third_image_is_not_counted(tmp_path: Path) -> None:
    """The pairs 0-1 and 2-3 were left out; the first one was verified later, contents 4 and 5 are joined by matches."""
    files = [File(str(number), bytes([number]), 1) for number in range(6)]
    verifier = Verifier(files, 0.35, cast(Session, None))
    verifier.verdicts[ContentId(0), ContentId(1)] = PairVerdict(
        Verdict(None, "", "", 0.0, (0.0, 0.0), 0, None), "local"
    )
    left = [np.array([[1, 0], [2, 3]]), np.array([[2, 3], [4, 5]])]
    first = [ContentId(number) for number in (1, 0, 2, 3, 4, 5)]
    assert count_unverified(left, np.array([[4, 5]]), first, verifier) == 1
    assert count_unverified([], np.empty((0, 2), np.int64), first, verifier) == 0


def test_the_bound_changes_no_group(
    crowd: Path, store: str, bounded: twinpix.Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "_CANDIDATES", CROWD**2)
    every = twinpix.find([str(crowd)], method="cascade", store=store)
    assert groups(every) == groups(bounded)
    assert not unverified(every)
