"""Verification of images of every size; pairs that it cannot compare are rows of the report."""

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from PIL import Image, ImageDraw

import twinpix
from drawings import draw
from sessions import session_of
from twinpix.encoding.content_table import File
from twinpix.evidence.light.normalize import FLOW_LEAST, undo_bending
from twinpix.imaging import decode
from twinpix.match.verifier import Verifier, guess_of_turn, pair_of
from twinpix.model import ContentId, Unverified
from twinpix.verify import COLOUR, DETAIL, Pyramid, orientation_transform, pyramid_of, verify_pair, verify_quick

NARROW = [(216, 25), (41, 587), (105, 19), (16, 100), (30, 30), (17, 640), (640, 8), (1, 700), (700, 1), (1, 1)]


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


def view(image: Image.Image) -> Pyramid:
    return pyramid_of(decode(jpeg(image), "fast", "x.jpg", COLOUR, DETAIL))


def lettered(size: tuple[int, int], seed: int) -> Image.Image:
    """White, with lines of letters chosen by the seed: the kind of image that is checked for conflicts."""
    image, rng = Image.new("RGB", size, "white"), random.Random(seed)
    pen = ImageDraw.Draw(image)
    for top in range(0, size[1], 12):
        pen.text((2, top), "".join(rng.choice("abcdefgh 01234567") for _ in range(size[0] // 6 + 2)), fill="black")
    return image


def sizes() -> list[tuple[int, int]]:
    rng = random.Random(0)
    drawn = [(rng.randint(1, 48), rng.randint(1, 700)) for _ in range(10)]
    return [*NARROW, *drawn, *((height, width) for width, height in drawn)]


@pytest.mark.parametrize("size", sizes())
def test_images_of_any_size_are_verified(size: tuple[int, int]) -> None:
    plain, other = view(lettered(size, 1)), view(lettered(size, 2))
    texture = view(draw("texture", 3, size))
    for a, b in ((plain, other), (plain, texture), (texture, texture)):
        guesses = [orientation_transform(turn, a.size, b.size) for turn in (0, 5)]
        verify_quick(a, b, guesses)
        verify_pair(a, b, guesses)


def test_no_optical_flow_is_computed_of_small_sides() -> None:
    rng = np.random.default_rng(0)
    for short in (1, 2, 7, 8, 15, 16, 20, 25, 31):
        for long in (short, 19, 33, 100, 216, 320, 587, 640, 700):
            for shape in ((short, long), (long, short)):
                a, b = (rng.uniform(0, 255, shape).astype(np.float32) for _ in range(2))
                assert undo_bending(a, b) is a
    for long in (FLOW_LEAST, 33, 64, 100, 320, 640, 700):
        for shape in ((FLOW_LEAST, long), (long, FLOW_LEAST)):
            a, b = (rng.uniform(0, 255, shape).astype(np.float32) for _ in range(2))
            bent = undo_bending(a, b)
            assert bent.shape == shape
            assert np.isfinite(bent).all()


@pytest.mark.parametrize(
    "options", [{"method": "cascade"}, {"method": "local"}, {"method": "phash:size=16", "verify": True, "radius": 60}]
)
def test_a_folder_of_narrow_images_gives_a_report(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    few = NARROW[:4]  # these ended a run in an earlier version
    for at, size in enumerate(few):
        for seed in (1, 2):
            (folder / f"{at}_{seed}.jpg").write_bytes(jpeg(lettered(size, seed)))
        (folder / f"{at}_copy.jpg").write_bytes(jpeg(lettered(size, 1), 60))
    report = twinpix.find(folder, store=None, workers=2, **options)
    assert report.counts.images == 3 * len(few)
    assert report.failures == []
    assert report.unverified == []


# -- pairs that cannot be verified --------------------------------------------------------------------


def files(folder: Path, count: int) -> list[File]:
    out = []
    for seed in range(count):
        data = jpeg(draw("scene", seed, (320, 240)))
        (folder / f"{seed}.jpg").write_bytes(data)
        out.append(File(str(folder / f"{seed}.jpg"), xxhash.xxh3_128_digest(data), len(data)))
    return out


def test_an_exception_in_verification_is_reported_and_the_other_pairs_are_verified(tmp_path: Path) -> None:
    mine = files(tmp_path, 3)
    flat = (0.0,) * 6  # a transform without an inverse
    eye = Verifier(mine, 0.35, session_of())
    eye.verify(
        [pair_of(ContentId(0), ContentId(2), guess_of_turn(0)), pair_of(ContentId(1), ContentId(2), guess_of_turn(0))]
    )
    eye.verify([pair_of(ContentId(0), ContentId(1), flat), pair_of(ContentId(0), ContentId(2), guess_of_turn(0))])
    assert [(row.a, row.b) for row in eye.unverified] == [(mine[0].path, mine[1].path)]
    assert eye.unverified[0].reason
    assert eye.of(ContentId(0), ContentId(1)) is None
    assert eye.of(ContentId(0), ContentId(2)) is not None
    assert eye.of(ContentId(1), ContentId(2)) is not None
    assert eye.failures == []


def test_a_worker_that_does_not_answer_fails_its_pair_and_no_image(tmp_path: Path) -> None:
    mine = files(tmp_path, 2)
    eye = Verifier(mine, 0.35, session_of(timeout=0.001))
    eye.verify([pair_of(ContentId(0), ContentId(1), ())])
    assert eye.unverified == [Unverified(mine[0].path, mine[1].path, "exceeded the time limit of 0.001 s")]
    assert eye.failures == []
