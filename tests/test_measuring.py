"""Methods measured on a ground truth, and on edited copies of the user's images."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import run
from twinpix import fingerprints
from twinpix.cli.app import run as in_process
from twinpix.encoding.options import Options
from twinpix.errors import UsageError
from twinpix.evaluation import copies
from twinpix.evaluation.copies import CopiesFound, Finds, find_copies
from twinpix.evaluation.edits import EDITS, make_edit
from twinpix.evaluation.methods import measure
from twinpix.evaluation.rates import Point, distances, points
from twinpix.fingerprints.base import codes_of
from twinpix.imaging import decode
from twinpix.progress import Progress

TRUTH = {
    "0.png": ["0 same.png", "0 small.jpg", "0 encoded.jpg"],
    "0 same.png": ["0.png", "0 small.jpg", "0 encoded.jpg"],
    "0 small.jpg": ["0.png", "0 same.png", "0 encoded.jpg"],
    "0 encoded.jpg": ["0.png", "0 same.png", "0 small.jpg"],
    "1.png": [],
    "2.png": [],
}


@pytest.mark.parametrize("transforms", [False, True])
def test_the_curve_of_a_method_matches_its_distances(photos: Path, transforms: bool) -> None:
    found = measure(TRUTH, str(photos), ["phash", "ahash"], Options(store=None, transforms=transforms))
    assert (found.images, found.pairs, found.without_code) == (6, 6, [])
    for measured in found.methods:
        method = fingerprints.make(measured.spec)
        images = {name: decode((photos / name).read_bytes(), "fast", name) for name in TRUTH}
        codes = {name: codes_of(method, [image], transforms=True)[0] for name, image in images.items()}
        names = list(TRUTH)
        for radius in range(len(measured.curve.recall)):
            near = [
                (a, b)
                for at, a in enumerate(names)
                for b in names[at + 1 :]
                if gap(codes[a], codes[b], transforms) <= radius
            ]
            true = sum(b in TRUTH[a] for a, b in near)
            assert measured.curve.recall[radius] == pytest.approx(true / 6)
            assert measured.curve.precision[radius] == pytest.approx(true / len(near) if near else 1)


def gap(a: np.ndarray, b: np.ndarray, transforms: bool) -> int:
    turned = np.bitwise_count(a[0] ^ b).sum(axis=1)
    return int(turned.min() if transforms else turned[0])


def test_names_can_be_short_and_missing_ones_are_reported(photos: Path) -> None:
    found = measure({**TRUTH, "gone.png": []}, str(photos.parent), ["phash"], Options(store=None))
    assert (found.images, found.without_code) == (6, ["gone.png"])


def test_every_edit_gives_an_image_and_the_same_one_every_time(draw_image: Callable[..., Image.Image]) -> None:
    assert len(EDITS) >= 30
    image = draw_image(3, (300, 200))
    for name in EDITS:
        data = make_edit(image, name, "seed")
        assert data == make_edit(image, name, "seed"), name
        decode(data, "fast")
    assert make_edit(image, "grain", "a") != make_edit(image, "grain", "b")


def test_points_match_their_definition() -> None:
    gaps = np.array([[0, 5, 9], [7, 2, 3]], np.uint16)
    same = np.array([[True, False, False], [False, True, False]])
    ((rate, radius, recall),) = points(gaps, same, (0.25, 0.1))
    assert (rate, radius, recall) == (0.25, 4, 1.0)  # one of four negative pairs, at distance 3
    codes = np.random.default_rng(1).integers(0, 256, (5, 8, 9), dtype=np.uint8)
    got = distances(fingerprints.make("phash"), codes[:, 0], codes)
    assert got[2, 3] == min(int(np.bitwise_count(codes[2, 0] ^ codes[3, turn]).sum()) for turn in range(8))


def test_copies_are_found(tmp_path: Path, draw_image: Callable[..., Image.Image]) -> None:
    for seed in range(6):
        draw_image(seed, (320, 240)).save(tmp_path / f"{seed}.jpg", quality=92)
    draw_image(1, (320, 240)).save(tmp_path / "1 again.png")
    Image.new("RGB", (50, 50)).save(tmp_path / "plain.png")
    (tmp_path / "bad.jpg").write_text("no image")
    (tmp_path / "0.jpg").rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff 0.jpg"))
    found = find_copies(tmp_path, ["phash:size=16", "ahash"], options=Options(store=None))
    assert (found.images, found.low_detail, found.alike, len(found.failures)) == (6, 1, 1, 1)
    assert found.pairs == 6 * 5 * len(EDITS)
    best = found.finds[1]
    assert (best.spec, best.turns, [point.rate for point in best.points]) == ("phash:size=16", 8, [])
    again = find_copies(tmp_path, ["phash:size=16", "ahash"], options=Options(store=None, workers=1))
    assert again == found
    with pytest.raises(UsageError, match="compares for equality"):
        find_copies(tmp_path, ["digest"], options=Options(store=None))
    with pytest.raises(UsageError, match="at least two images"):
        find_copies(tmp_path / "plain.png", ["phash"], options=Options(store=None))


def test_progress_counts_the_images_that_are_used(tmp_path: Path, draw_image: Callable[..., Image.Image]) -> None:
    """Images that are left out are replaced by others: more files are read than are used."""
    for seed in range(5):
        draw_image(seed).save(tmp_path / f"{seed}.png")
    for number in range(3):
        Image.new("RGB", (50, 50)).save(tmp_path / f"plain {number}.png")
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    for count, done in ((4, 4), (100, 5)):
        steps = Steps()
        find_copies(tmp_path, ["ahash"], count=count, options=Options(store=None, workers=1), progress=steps)
        total, counted = steps.stages["read"]
        assert (total, counted) == (min(count, 9), done)


class Steps(Progress):
    """Records the total and the steps of each stage, of several with one name those of the first one."""

    def __init__(self) -> None:
        self.stages: dict[str, list[int]] = {}
        self.current: list[int] = []

    def start(self, stage: str, total: int) -> None:
        self.current = [total, 0]
        self.stages.setdefault(stage, self.current)

    def advance(self, steps: int = 1) -> None:
        self.current[1] += steps


def test_paths_that_do_not_exist_or_cannot_be_listed_are_reported(
    tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    folder, archive = tmp_path / "photos", tmp_path / "cut.zip"
    folder.mkdir()
    for seed in range(2):
        draw_image(seed).save(folder / f"{seed}.png")
    archive.write_bytes(b"no archive")
    found = find_copies([folder, archive], ["phash"], options=Options(store=None, workers=1))
    assert [(failure.path, failure.stage) for failure in found.failures] == [(str(archive), "list")]
    with pytest.raises(UsageError, match=r"1 file could not be used, first .*cut\.zip: not a zip archive"):
        find_copies(archive, ["phash"], options=Options(store=None, workers=1))
    with pytest.raises(UsageError, match=r"gone: no such file or folder"):
        find_copies([folder, tmp_path / "gone"], ["phash"], options=Options(store=None, workers=1))
    spaced = run("bench", "copies", folder, "--methods", "phash", "phash:size=16")  # a space in place of a comma
    assert (spaced.returncode, spaced.stdout) == (2, "")
    assert "phash:size=16: no such file or folder" in spaced.stderr
    shown = run("bench", "copies", folder, archive, "--methods", "phash")
    assert shown.returncode == 0, shown.stderr
    assert f"  {archive}: not a zip archive, or its end is missing; copy or download it again" in shown.stderr


def test_a_rate_that_no_radius_reaches_is_explained_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    of_ahash = [Point(1e-4, 2, 0.5), Point(1e-5, 0, 0.3), Point(1e-6, -1, 0.0)]
    rows = [Finds("ahash", 64, turns, of_ahash, {}) for turns in (1, 8)]
    monkeypatch.setattr(copies, "find_copies", lambda *given, **options: CopiesFound(rows, 200, 1_592_000, 0, 0, []))
    assert in_process(["bench", "copies", "photos", "--methods", "ahash"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("(none)") == 2
    assert shown.count("none: ") == 1
    assert "the method gives unlike images equal codes, or some of these images are too similar" in shown
    assert "for images like these" not in shown
    rows[0] = Finds("phash", 64, 1, [Point(rate, 9, 0.8) for rate in (1e-4, 1e-5, 1e-6)], dict.fromkeys(EDITS, 1.0))
    assert in_process(["bench", "copies", "photos", "--methods", "ahash"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("none: ") == 1
    assert "for images like these: --method phash --radius 9\n" in shown


def test_the_command_line(photos: Path, tmp_path: Path, draw_image: Callable[..., Image.Image]) -> None:
    truth, report = tmp_path / "truth.json", tmp_path / "report.json"
    truth.write_text(json.dumps(TRUTH))
    assert run("find", "-m", "phash:size=16", photos, "-o", report).returncode == 0
    done = run("evaluate", truth, report)
    assert done.returncode == 0, done.stderr
    assert "adjusted rand      1.0000" in done.stdout
    assert json.loads(run("evaluate", truth, report, "--json").stdout)["f1"] == 1
    table = run("evaluate", truth, "--in", photos, "--methods", "phash,phash:size=16,flavour=imagehash").stdout
    assert "6 images, 6 pairs of copies" in table
    assert "phash:size=16,flavour=imagehash" in table
    assert "for images like these: --method" in table
    rows = json.loads(run("evaluate", truth, "--in", photos, "--json").stdout)["methods"]
    assert rows[0]["method"] == "phash:size=16"
    empty, foreign = tmp_path / "empty.json", tmp_path / "foreign.json"
    empty.write_text("{}")
    foreign.write_text('{"x.jpg": ["y.jpg"], "y.jpg": ["x.jpg"]}')
    for arguments in (
        (truth,),
        (truth, report, "--in", photos),
        (empty, empty),
        (empty, "--in", photos),
        (foreign, "--in", photos),
    ):
        assert run("evaluate", *arguments).returncode == 2
    many = tmp_path / "many"
    many.mkdir()
    for seed in range(20):
        draw_image(seed, (160, 120)).save(many / f"{seed}.jpg")
    shown = run("bench", "copies", many, "--methods", "phash,ahash", "--count", "20")
    assert shown.returncode == 0, shown.stderr
    assert "20 images, 40 edits each, 15,200 negative pairs" in shown.stdout
    assert "for images like these: --method phash" in shown.stdout
    assert "-: too few pairs to estimate this rate" in shown.stdout
