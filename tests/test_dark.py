"""Copies of dark images are found by their pixels; a cascade finds the copies that its first verified method finds."""

from pathlib import Path

import numpy as np
import pytest
import xxhash
from PIL import Image

import twinpix
from drawings import draw
from sessions import session_of
from twinpix.encoding.content_table import File
from twinpix.match import verifier
from twinpix.match.candidates import Candidate
from twinpix.match.leaders import LeaderClusters
from twinpix.model import ClassId, ContentId

SIDES = (640, 480)


def dark(kind: str, seed: int, light: float) -> Image.Image:
    levels = np.asarray(draw(kind, seed, SIDES), np.float32)
    grain = np.random.default_rng(seed).normal(0, 0.5, levels.shape)
    return Image.fromarray((levels * light + grain).round().clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("light", [0.06, 0.12])
def test_half_size_copies_of_dark_images_are_found_and_others_are_not(light: float, tmp_path: Path) -> None:
    for kind in ("scene", "street", "landscape"):
        image = dark(kind, 1, light)
        image.save(tmp_path / f"{kind}.png")
        image.resize((320, 240), Image.Resampling.LANCZOS).save(tmp_path / f"{kind}-half.png")
        dark(kind, 2, light).save(tmp_path / f"{kind}-other.png")
    report = twinpix.find(tmp_path, method="cascade", store=None, workers=1)
    found = {tuple(sorted(Path(member.path).stem for member in group.members)) for group in report.groups}
    assert found == {(kind, f"{kind}-half") for kind in ("scene", "street", "landscape")}


def test_the_transform_of_a_hash_is_tried_if_that_of_keypoints_is_inconclusive(tmp_path: Path) -> None:
    original = draw("landscape", 3, SIDES)
    files = []
    for name, image in (("a.png", original), ("b.png", original.resize((320, 240)))):
        image.save(tmp_path / name)
        data = (tmp_path / name).read_bytes()
        files.append(File(str(tmp_path / name), xxhash.xxh3_128_digest(data), len(data)))
    wrong = (0.2, 0.0, 0.7, 0.0, 0.2, 0.1)
    run = verifier.Verifier(files, 0.65, session_of())
    run.verify([verifier.pair_of(ContentId(1), ContentId(0), wrong, True, before=verifier.guess_of_turn(0))])
    verdict = run.of(ContentId(0), ContentId(1))
    assert verdict is not None
    assert (verdict.relation, verdict.agrees > 0.9) == ("resized", True)


def test_a_candidate_of_two_methods_keeps_both_transforms() -> None:
    clusters = LeaderClusters(lambda classes: {class_: class_ for class_ in classes}, lambda leader, joint: 1.0)
    by_hash, by_points = verifier.guess_of_turn(0), (0.5, 0.0, 0.1, 0.0, 0.5, 0.2)
    clusters.propose([Candidate(ClassId(0), ClassId(1), None, by_hash, "phash")])
    clusters.propose([Candidate(ClassId(0), ClassId(1), None, by_points, "local", exact=True)])
    taken = clusters.take(ClassId(0), ClassId(1))
    assert (taken.guess, taken.before) == (by_points, by_hash)
