"""Comparisons in words and as a figure: the verdict of verification, and the layout of the figure."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

import twinpix
from commands import run
from documents import document
from drawings import draw
from hard_negatives import Pair, fabrics, forms, meme_of_one_template, same_inset, skies, squared_paper, two_steps_aside
from twinpix import ui
from twinpix.errors import OutputError, UsageError
from twinpix.evidence.alignment.blocks import agreement
from twinpix.evidence.alignment.warp import warp_pair
from twinpix.imaging import picture_of
from twinpix.thresholds import DECISION
from twinpix.ui import explain, lettering
from twinpix.usecases.compare import Comparison
from twinpix.verify import (
    COLOUR,
    DETAIL,
    Rejection,
    common_points,
    difference_map,
    orientation_transform,
    pyramid_of,
)

SIZE = (480, 360)
SCALE = 640 / 480  # of images of that size as they are drawn
HOLE = (300, 90, 400, 170)  # the part of an image that is edited
Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def original() -> Image.Image:
    return draw("table", 5, SIZE)


def edited(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).ellipse(HOLE, fill="white", outline="black", width=6)
    return image


def pasted(kind: str, at: tuple[int, int]) -> Image.Image:
    """The same page is part of another image."""
    image = draw(kind, 2, SIZE)
    image.paste(draw("text", 3, (160, 120)), at)
    return image


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "crop": lambda image: image.crop((60, 40, 420, 330)),
    "rotation": lambda image: image.rotate(-8, Image.Resampling.BICUBIC, fillcolor="white"),
    "quarter": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "mirror": ImageOps.mirror,
    "pad": lambda image: ImageOps.expand(image, (0, 80), "white"),
    "edited": edited,
    "same pixels": lambda image: image,
    "small": lambda image: image.resize((240, 180), Image.Resampling.LANCZOS),
    "dark": lambda image: image.point(lambda level: level * 0.6),
    "different": lambda image: draw("street", 7, SIZE),
}


def compared(folder: Path, edit: str, **options: Any) -> Comparison:
    original().save(folder / "a.png")
    EDITS[edit](original()).save(folder / "b.bmp")
    return twinpix.compare(folder / "a.png", folder / "b.bmp", **options)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Comparison]:
    """`pair(edit)` compares the original with its edited copy, once for all tests."""

    @cache
    def once(edit: str, **options: Any) -> Comparison:
        return compared(tmp_path_factory.mktemp("pair"), edit, **options)

    return once


def drawn(comparison: Comparison) -> Pixels:
    return np.asarray(ui.explanation(comparison))


def near(pixels: Pixels, colour: tuple[int, int, int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(np.abs(pixels.astype(int) - colour).max(axis=-1) < 12)


def frame_of(pixels: Pixels, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the frame in a part of the figure."""
    inked = near(pixels, colour)
    rows, columns = (np.flatnonzero(inked.sum(axis=axis) > 100) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def halves(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """The columns of the two images."""
    width = (pixels.shape[1] - 2 * explain.MARGIN - explain.GAP) // 2
    right = explain.MARGIN + width + explain.GAP
    return pixels[100:, explain.MARGIN : explain.MARGIN + width], pixels[100:, right : right + width]


def difference_of(pixels: Pixels) -> Pixels:
    """The drawn difference, at the bottom right."""
    width = (pixels.shape[1] - 2 * explain.MARGIN - 2 * explain.GAP) // 3
    left = explain.MARGIN + 2 * (width + explain.GAP)
    column = pixels[:, left : left + width]
    rows = np.flatnonzero(near(column, (255, 255, 255)).mean(axis=1) < 0.3)
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    part = max((run for run in runs if run[0] > 500), key=len)  # above it the other image
    return column[part[0] + 1 : part[-1], 1:-1]  # without its outline


# -- in words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "relation", "words"),
    [
        ("crop", "cropped", "copies of one image: cropped 60% at (60, 40); "),
        ("rotation", "rotated", "copies of one image: rotated 8"),
        ("quarter", "rotated", "copies of one image: rotated 90°; 100% of the overlap agrees"),
        ("mirror", "mirrored", "copies of one image: mirrored; 100% of the overlap agrees"),
        ("pad", "padded", "copies of one image: padded to 14"),
        ("edited", "edited", "copies of one image: edited: region "),
        ("same pixels", "identical-pixels", "the same pixels in different files"),
        ("small", "resized", "copies of one image: resized 0.5; "),
        ("dark", "recoloured", "copies of one image: recoloured; 100% of the overlap agrees"),
        ("different", None, "different images: at the best alignment only "),
    ],
)
def test_the_verdict_in_words(pair: Callable[..., Comparison], edit: str, relation: str | None, words: str) -> None:
    comparison = pair(edit)
    assert (comparison.relation, comparison.verdict[: len(words)]) == (relation, words)
    assert comparison.same == (relation is not None)
    assert comparison.verification.a_to_b is not None
    assert {"phash", "dhash"} <= {row.method for row in comparison.distances}
    assert not {"local", "cascade"} & {row.method for row in comparison.distances}


def test_the_same_scene_is_not_a_copy(tmp_path: Path) -> None:
    pair = two_steps_aside()
    pair.a.save(tmp_path / "a.png")
    pair.b.save(tmp_path / "b.png")
    comparison = twinpix.compare(tmp_path / "a.png", tmp_path / "b.png")
    assert (comparison.relation, comparison.same) == ("similar-scene", False)
    assert comparison.verdict.startswith("the same scene, not copies: ")
    assert comparison.verification.inliers >= 12
    assert comparison.verdict.endswith(
        f", the pixels agree on only {comparison.verification.agrees:.0%} of the overlap"
    )
    assert comparison.verification.agrees < DECISION.min_agreement
    pixels = drawn(comparison)
    assert near(pixels, explain.UNSURE).mean() > 0.005


def test_high_agreement_without_a_match_is_reported_as_such(tmp_path: Path) -> None:
    pair = squared_paper()
    pair.a.save(tmp_path / "a.png")
    pair.b.save(tmp_path / "b.png")
    comparison = twinpix.compare(tmp_path / "a.png", tmp_path / "b.png")
    assert (comparison.relation, comparison.undecided) == (None, False)
    assert comparison.verification.agrees > DECISION.min_agreement
    assert comparison.verdict.startswith(
        f"different images: at the best alignment {comparison.verification.agrees:.0%} of the overlap agrees, "
        "but each image has content where the other one has plain background, "
    )


@pytest.mark.parametrize(
    ("pair", "rejection", "words"),
    [
        (forms, "exclusive", "content where the other one has plain background"),
        (fabrics, "light", "light and dark areas are in different places"),
        (meme_of_one_template, "moment", "other objects are in the same view"),
        (same_inset, "overlap", "the overlap is too small a part of the images"),
        (skies, "agreement", "of the overlap agrees"),
    ],
)
def test_a_verdict_names_the_test_that_rejects(
    tmp_path: Path, pair: Callable[[], Pair], rejection: Rejection, words: str
) -> None:
    drawn_pair = pair()
    drawn_pair.a.save(tmp_path / "a.png")
    drawn_pair.b.save(tmp_path / "b.png")
    comparison = twinpix.compare(tmp_path / "a.png", tmp_path / "b.png")
    assert (comparison.same, comparison.verification.rejection) == (False, rejection)
    assert words in comparison.verdict


@pytest.mark.parametrize("family", ["bill", "invoice"])
def test_other_text_on_a_page_is_named(tmp_path: Path, family: str) -> None:
    for number in (0, 1):
        document(family, 11, number, 1, side=900).save(tmp_path / f"{number}.png")
    comparison = twinpix.compare(tmp_path / "0.png", tmp_path / "1.png")
    assert (comparison.same, comparison.verification.rejection) == (False, "text")
    assert "but their text differs" in comparison.verdict


def test_images_with_almost_no_detail_are_not_called_different(tmp_path: Path) -> None:
    original().save(tmp_path / "a.png")
    original().resize((16, 12), Image.Resampling.BOX).save(tmp_path / "b.png")
    comparison = twinpix.compare(tmp_path / "a.png", tmp_path / "b.png")
    assert (comparison.relation, comparison.undecided) == (None, True)
    assert comparison.verdict.startswith("too little texture to decide: almost no texture in the best overlap")
    pixels = drawn(comparison)
    assert near(pixels[100:], explain.UNSURE).sum() > 5000  # the frames, too
    assert not near(pixels, explain.OTHER).any()


def test_different_images_are_not_rotated_to_match_a_few_blocks(pair: Callable[..., Comparison]) -> None:
    comparison = pair("different")
    assert comparison.verification.a_to_b is not None
    assert np.allclose(comparison.verification.a_to_b, np.eye(2, 3))
    heat = agreement(warp_pair(*comparison.views, comparison.verification.a_to_b))
    assert comparison.verification.agrees == heat.share  # the text agrees with the figure


@pytest.mark.parametrize("edit", ["crop", "rotation", "mirror", "different"])
def test_the_counted_keypoints_are_the_drawn_ones(pair: Callable[..., Comparison], edit: str) -> None:
    comparison = pair(edit, method="local")
    assert comparison.verification.a_to_b is not None
    points = len(common_points(*comparison.views, comparison.verification.a_to_b)[0])
    assert comparison.verification.inliers in {points, 0}
    assert (comparison.verification.inliers == 0) == (
        "inlier" not in comparison.verdict or "no inlier" in comparison.verdict
    )


def test_a_named_hash_decides(pair: Callable[..., Comparison]) -> None:
    comparison = pair("crop", method="phash")
    assert (comparison.relation, comparison.by_pixels) == (None, False)
    assert comparison.verdict.startswith("different images, by phash (")
    assert comparison.seen.startswith("copies of one image: cropped 60%")
    assert pair("crop", method="local").verdict == comparison.seen


@pytest.mark.parametrize(("method", "name"), [("pixels", "pixels"), ("digest", "digest")])
def test_a_method_by_equality_has_no_distance(method: str, name: str, pair: Callable[..., Comparison]) -> None:
    assert pair("crop", method=method).verdict == f"different images, by {name} (not identical)"


def test_little_detail_proves_nothing(tmp_path: Path) -> None:
    for seed in (1, 2):
        draw("sky", seed, SIZE).save(tmp_path / f"{seed}.png")
    for method in ("cascade", "phash"):
        comparison = twinpix.compare(tmp_path / "1.png", tmp_path / "2.png", method=method)
        assert comparison.verdict == "too little texture to decide: blank, flat or a smooth gradient"
        assert (comparison.relation, comparison.verification.relation, comparison.seen) == (None, None, "")
        assert near(drawn(comparison)[:80], explain.UNSURE).sum() > 5000
    assert twinpix.compare(tmp_path / "1.png", tmp_path / "1.png").relation == "identical-file"


def test_the_comparison_is_upright_in_any_decode(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    original().save(tmp_path / "a.jpg", quality=95)
    original().transpose(Image.Transpose.ROTATE_90).save(tmp_path / "b.jpg", quality=80, exif=exif)
    comparison = twinpix.compare(tmp_path / "a.jpg", tmp_path / "b.jpg", decode="reference")
    assert comparison.relation == "re-encoded"
    # The hash is of the stored orientation.
    assert next(row for row in comparison.distances if row.method == "phash").distance > 10
    assert (comparison.views[1].width, comparison.views[1].height) == SIZE


# -- as a figure ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("edit", EDITS)
def test_any_pair_is_drawn_within_white_margins(pair: Callable[..., Comparison], edit: str) -> None:
    pixels = drawn(pair(edit))
    assert pixels.shape[1] == 2 * 640 + explain.GAP + 2 * explain.MARGIN
    assert 600 < pixels.shape[0] < 1800
    edge = explain.MARGIN - 1  # beside it an image may have a faint outline
    for part in (pixels[:edge], pixels[-edge:], pixels[:, :edge], pixels[:, -edge:]):
        assert (part == 255).all()
    colour, other = (explain.OTHER, explain.SAME) if edit == "different" else (explain.SAME, explain.OTHER)
    assert near(pixels, colour).mean() > 0.005
    assert not near(pixels[:100], other).any()


def test_the_same_pair_gives_the_same_image(tmp_path: Path) -> None:
    assert (drawn(compared(tmp_path, "rotation")) == drawn(compared(tmp_path, "rotation"))).all()


def test_the_frame_marks_the_overlap(pair: Callable[..., Comparison]) -> None:
    left, right = halves(drawn(pair("crop")))
    part, all_of_it = (np.array(frame_of(half, explain.SAME)) for half in (left, right))
    there = np.array([60, 40, 420, 330]) * SCALE
    assert abs(part[0] - there[0]) <= 3  # the image fills its column
    assert np.abs((part[2:] - part[:2]) - (there[2:] - there[:2])).max() <= 3
    assert np.abs((all_of_it[2:] - all_of_it[:2]) - [640, 290 * 640 / 360]).max() <= 2
    top = part[1] - round(there[1])
    faded, plain = left[top + 3 : top + 40, 3:200], np.asarray(original().resize((640, 480)))[3:40, 3:200]
    assert faded.mean() > plain.mean() + 40  # the part that the other one lacks
    assert faded.min() >= 165
    inside = (slice(part[1] + 9, part[1] + 60), slice(part[0] + 9, part[0] + 60))
    assert left[inside].min() < 165


def test_differences_are_bright_and_the_rest_is_dark(pair: Callable[..., Comparison]) -> None:
    heat = difference_of(drawn(pair("edited")))
    scale = heat.shape[1] / SIZE[0]
    x0, y0, x1, y1 = (round(scale * side) for side in HOLE)
    inside = heat[y0 + 8 : y1 - 8, x0 + 8 : x1 - 8].max(axis=2)
    far = np.ones(heat.shape[:2], np.bool_)
    margin = round(20 * scale)
    far[y0 - margin : y1 + margin, x0 - margin : x1 + margin] = False
    assert np.median(inside) > 200
    assert np.quantile(heat[far].max(axis=1), 0.98) < 60
    outlined = near(heat, explain.MARK)
    assert outlined.sum() > 100
    ys, xs = np.nonzero(outlined)
    assert np.abs(np.array([xs.mean(), ys.mean()]) - [(x0 + x1) / 2, (y0 + y1) / 2]).max() < 40
    dark = difference_of(drawn(pair("dark")))
    assert np.quantile(dark.max(axis=2), 0.99) < 60  # brightness does not count
    assert not near(dark, explain.MARK).any()


def test_a_flat_object_is_outlined_completely(tmp_path: Path) -> None:
    original().save(tmp_path / "a.png")
    image = original()
    ImageDraw.Draw(image).rectangle(HOLE, fill="white")
    image.save(tmp_path / "b.png")
    heat = difference_of(drawn(twinpix.compare(tmp_path / "a.png", tmp_path / "b.png")))
    ys, xs = np.nonzero(near(heat, explain.MARK))
    x0, y0, x1, y1 = (round(heat.shape[1] / SIZE[0] * side) for side in HOLE)
    around = np.array([x0 - xs.min(), y0 - ys.min(), xs.max() - x1, ys.max() - y1])
    assert around.min() >= -4
    assert around.max() < 40
    within = near(heat[y0 + 8 : y1 - 8, x0 + 8 : x1 - 8], explain.MARK)
    assert not within.any()  # one outline around all of it


def test_a_difference_is_marked_in_a_strip_lower_than_a_block() -> None:
    strip = draw("scene", 4, (1280, 960)).crop((0, 400, 1280, 428))
    other = strip.copy()
    other.paste((250, 250, 250), (900, 0, 1000, 28))
    a, b = (pyramid_of(picture_of(image, "fast", COLOUR, DETAIL)) for image in (strip, other))
    assert a.size == (320, 7)
    columns = np.flatnonzero(difference_map(a, b, orientation_transform(0, a.size, b.size)).differs.any(axis=0))
    assert columns.min() in range(216, 226)
    assert columns.max() in range(249, 258)


def test_lines_join_corresponding_places(pair: Callable[..., Comparison]) -> None:
    def between(edit: str) -> Pixels:
        pixels = drawn(pair(edit))
        middle = pixels.shape[1] // 2
        return pixels[150:600, middle - explain.GAP // 2 + 3 : middle + explain.GAP // 2 - 3]

    def lines(edit: str) -> int:
        coloured = np.ptp(between(edit).astype(int), axis=2) > 40
        return int((np.diff(coloured[:, 0].astype(int)) == 1).sum())

    assert 10 <= lines("mirror") <= 60
    assert 10 <= lines("crop") <= 60
    assert lines("different") == 0


def test_lines_are_spread_over_the_image() -> None:
    rng = np.random.default_rng(1)
    places = np.concatenate([rng.normal(50, 1, (500, 2)), rng.uniform(0, 300, (40, 2))])
    chosen = explain._spread(places, 60)
    assert len(chosen) == 60
    assert set(range(500, 540)) <= chosen  # isolated ones
    assert explain._spread(np.zeros((9, 2)), 60) == {0}
    colours = explain._hues(places)
    assert len(set(colours)) > 300
    assert len(explain._hues(places[:1])) == 1


def test_text_fits_its_width() -> None:
    name = "one folder/another folder/" + "a very long name " * 9 + "and its end.png"
    short = lettering.fitting(name, 300, 18)
    assert (short.startswith("one folder"), "…" in short, short.endswith("its end.png")) == (True, True, True)
    assert lettering.words(short, 9999, 18, explain.INK).width <= 302
    assert lettering.fitting("short.png", 300, 18) == "short.png"
    one, many = (lettering.words(text, 300, 18, explain.INK) for text in ("short", "some words " * 20))
    assert many.width <= 300
    assert many.height >= 5 * one.height
    signs = np.asarray(lettering.words("4 × 3", 300, 18, explain.INK)), lettering.words("4 x 3", 300, 18, explain.INK)
    assert (signs[0] == np.asarray(signs[1])).all()  # not the box of a missing glyph


@pytest.mark.parametrize(
    "name",
    [
        f"{'a very long name ' * 12}.png",
        "写真 Käse.png",
        "new\nline.png",
        os.fsdecode(b"no text \xff.png"),
        "w" * 240 + ".png",
    ],
)
def test_any_name_is_drawn(tmp_path: Path, name: str) -> None:
    original().save(tmp_path / "a.png")
    with open(os.path.join(tmp_path, name), "wb") as file:
        edited(original()).save(file, "PNG")
    comparison = twinpix.compare(tmp_path / "a.png", os.path.join(tmp_path, name))
    assert drawn(comparison).shape[1] == 2 * 640 + explain.GAP + 2 * explain.MARGIN


@pytest.mark.parametrize(
    ("a", "b"), [((4000, 6), (1000, 2)), ((1, 1), (1, 1)), ((30, 900), SIZE), ((30, 20), (60, 40)), ((7, 5), (5, 7))]
)
def test_any_size_is_drawn(tmp_path: Path, a: tuple[int, int], b: tuple[int, int]) -> None:
    for name, size in (("a.png", a), ("b.png", b)):
        original().resize(size).save(tmp_path / name)
    comparison = twinpix.compare(tmp_path / "a.png", tmp_path / "b.png")
    pixels = drawn(comparison)
    assert pixels.shape[1] >= 2 * 440 + explain.GAP + 2 * explain.MARGIN
    assert pixels.shape[0] < 1800
    widest = max(min(640, 640 * size[0] / size[1], 2 * size[0]) for size in (a, b))
    assert pixels.shape[1] - 2 * explain.MARGIN - explain.GAP <= 2 * max(440, widest) + 1  # enlarged at most twice


def test_icons_are_drawn_large_enough_to_be_seen(tmp_path: Path) -> None:
    original().resize((40, 30), Image.Resampling.BOX).save(tmp_path / "a.png")
    original().resize((32, 24), Image.Resampling.BOX).save(tmp_path / "b.png")
    original().save(tmp_path / "c.png")
    pair = explain._pair_of(twinpix.compare(tmp_path / "a.png", tmp_path / "b.png"))
    assert (pair.a.shown.size, pair.b.shown.size) == ((200, 150), (200, 150))
    part = explain._part_of(pair, 420)
    assert part is not None
    assert part.size == (200, 150)
    for names in ("ac", "ca"):  # the overlap has the size that the larger image allows, in either order
        files = [tmp_path / f"{name}.png" for name in names]
        part = explain._part_of(explain._pair_of(twinpix.compare(*files)), 420)
        assert part is not None
        assert part.size == (420, 315)


def test_a_damaged_image_is_drawn(tmp_path: Path) -> None:
    original().save(tmp_path / "a.jpg", quality=90)
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[: len(whole) * 4 // 5])
    comparison = twinpix.compare(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert comparison.same
    assert comparison.views[1].damaged
    assert drawn(comparison).std() > 20


# -- the command ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form"), [("o.png", "PNG"), ("o.JPG", "JPEG"), ("o.jpeg", "JPEG"), ("o.webp", "WEBP")]
)
def test_the_requested_file_is_written(tmp_path: Path, name: str, form: str) -> None:
    original().save(tmp_path / "a.png")
    original().crop((60, 40, 420, 330)).save(tmp_path / "b.png")
    image = Image.new("RGB", (9, 9))
    image.save(tmp_path / name, form)
    refused = run("compare", tmp_path / "a.png", tmp_path / "b.png", "--explain", tmp_path / name)
    assert (refused.returncode, "force" in refused.stderr) == (2, True)
    (tmp_path / name).unlink()
    done = run("compare", tmp_path / "a.png", tmp_path / "b.png", "--explain", tmp_path / name)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-2].startswith("verdict: copies of one image: cropped 60% at (60, 40); ")
    assert done.stdout.splitlines()[-1] == f"explanation: {tmp_path / name}"
    with Image.open(tmp_path / name) as image:
        assert image.format == form
        assert near(np.asarray(image.convert("RGB"))[:80], explain.SAME).sum() > 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.png", "b.png", name])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("o.svg", "is drawn as .png, .jpg or .webp"),
        ("o", "is drawn as .png, .jpg or .webp"),
        ("no/o.png", "there is no folder"),
        ("folder.png", "it is a folder"),
        ("a.png", "is one of the images that are compared"),
        ("link.png", "is one of the images that are compared"),
    ],
)
def test_an_unusable_output_is_reported_before_the_work(tmp_path: Path, name: str, words: str) -> None:
    original().save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "b.png").write_text("no image")
    done = run("compare", tmp_path / "b.png", tmp_path / "a.png", "--explain", tmp_path / name)
    assert (done.returncode, done.stdout) == (3, "")
    assert words in done.stderr
    assert (tmp_path / "a.png").read_bytes() == before
    with pytest.raises(OutputError):
        ui.write_explanation(twinpix.compare(tmp_path / "a.png", tmp_path / "a.png"), str(tmp_path / name))


@pytest.mark.parametrize("broken", ["no image", "", None])
def test_an_unreadable_image_is_not_drawn(tmp_path: Path, broken: str | None) -> None:
    original().save(tmp_path / "a.png")
    if broken is not None:
        (tmp_path / "b.png").write_text(broken)
    done = run("compare", tmp_path / "a.png", tmp_path / "b.png", "--explain", tmp_path / "o.png")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"cannot compare {tmp_path / 'b.png'}" in done.stderr
    assert not (tmp_path / "o.png").exists()
    with pytest.raises(UsageError):
        twinpix.compare(tmp_path / "a.png", tmp_path / "b.png")


def test_no_plotting_library_is_needed(tmp_path: Path) -> None:
    original().save(tmp_path / "a.png")
    words = ["compare", *[str(tmp_path / "a.png")] * 2, "--explain", str(tmp_path / "o.png")]
    code = f"import sys\nsys.modules['matplotlib'] = None\nfrom twinpix.cli.app import run\nsys.exit(run({words!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "verdict: the same file, byte for byte" in done.stdout
    assert (tmp_path / "o.png").stat().st_size > 10_000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="signals are POSIX")
def test_a_comparison_that_crashes_or_takes_too_long_is_reported(tmp_path: Path) -> None:
    """It runs in a worker, here with a fake decoder."""
    original().save(tmp_path / "a.png")
    original().save(tmp_path / "b.png")
    program = """
import os, sys, time
import twinpix.usecases.compare as comparing
comparing.decode = {"abort": lambda *rest: os.abort(), "sleep": lambda *rest: time.sleep(100)}[sys.argv[1]]
from twinpix.cli.app import run
sys.exit(run(["compare", *sys.argv[2:], "--timeout", "1"]))
"""
    for how, reason in (("abort", "crashed its decoder (SIGABRT)"), ("sleep", "exceeded the time limit of 1 s")):
        command = [sys.executable, "-c", program, how, str(tmp_path / "a.png"), str(tmp_path / "b.png")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 3
        assert done.stderr.endswith(f"b.png: {reason}\n")
