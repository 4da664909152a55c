"""Frames of a fixed camera are not copies of each other, and edits of one image are no frames."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

import twinpix
from drawings import draw
from test_verify import verdict_of

SIZE = (640, 480)
Edit = Callable[[Image.Image], Image.Image]


def scene(seed: int = 3) -> Image.Image:
    return draw("scene", seed, SIZE).convert("RGB")


def with_noise(image: Image.Image, seed: int, light: float = 1.0) -> Image.Image:
    """As a camera takes it at another moment."""
    noise = np.random.default_rng(seed).normal(0, 2.5, (*image.size[::-1], 3))
    return Image.fromarray((np.asarray(image) * light + noise).clip(0, 255).astype(np.uint8))


def with_object(image: Image.Image, seed: int, place: tuple[int, int], side: int = 150) -> Image.Image:
    """With something natural and round before it."""
    out, texture = image.copy(), draw("street", seed, (side, side)).convert("RGB")
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((0, 0, side // 2 + side // 4, side - 1), fill=255)
    out.paste(texture, place, mask)
    return out


def with_disc(image: Image.Image, place: tuple[int, int], colour: str = "red", side: int = 90) -> Image.Image:
    out = image.copy()
    x, y = place
    ImageDraw.Draw(out).ellipse((x, y, x + side, y + side), fill=colour)
    return out


def with_words(image: Image.Image, words: str, place: tuple[int, int]) -> Image.Image:
    out = image.copy()
    ImageDraw.Draw(out).text(place, words, "white", font_size=56, stroke_fill="black", stroke_width=3)
    return out


@pytest.mark.parametrize("seed", [3, 8, 21])
def test_something_else_in_the_same_place_is_another_moment(seed: int) -> None:
    view = scene(seed)
    a = with_noise(with_object(view, 1, (200, 200)), 1)
    b = with_noise(with_object(view, 2, (230, 190)), 2, light=0.98)
    for found in (verdict_of(a, b), verdict_of(b, a)):
        assert found.relation == "similar-scene"
        assert found.conflict


def test_a_solid_object_in_another_place_may_be_a_logo_of_each_copy() -> None:
    view = scene()
    first = with_noise(with_disc(view, (60, 300), "black"), 4)
    for place, colour in (((420, 260), "black"), ((420, 260), "red"), ((60, 300), "white")):
        assert verdict_of(first, with_noise(with_disc(view, place, colour), 5)).same


def waved(image: Image.Image) -> Image.Image:
    """Bent by up to 4 pixels."""
    grid, rows = np.asarray(image), np.arange(image.height)
    shift = np.rint(4 * np.sin(rows / 30)).astype(int)
    return Image.fromarray(np.stack([np.roll(grid[row], shift[row], axis=0) for row in rows]))


def test_frames_without_movement_are_copies() -> None:
    assert verdict_of(with_noise(scene(), 1), with_noise(scene(), 2, light=0.97)).same


def blurred_in_part(image: Image.Image) -> Image.Image:
    out, box = image.copy(), (200, 120, 420, 330)
    out.paste(image.crop(box).filter(ImageFilter.GaussianBlur(6)), box)
    return out


def mosaic_in_part(image: Image.Image) -> Image.Image:
    out, box = image.copy(), (200, 120, 420, 330)
    part = image.crop(box)
    out.paste(part.resize((11, 10), Image.Resampling.BOX).resize(part.size, Image.Resampling.NEAREST), box)
    return out


def lightened_in_part(image: Image.Image) -> Image.Image:
    out, mask = image.copy(), Image.new("L", image.size)
    ImageDraw.Draw(mask).ellipse((150, 100, 430, 380), fill=255)
    out.paste(image.point([min(255, 35 + int(0.9 * level)) for level in range(256)] * 3), (0, 0), mask)
    return out


def with_picture(image: Image.Image) -> Image.Image:
    out = image.copy()
    out.paste(draw("street", 5, (200, 150)).convert("RGB"), (400, 300))
    return out


def recoloured(image: Image.Image) -> Image.Image:
    return image.point([int(255 * (level / 255) ** 0.55) for level in range(256)] * 3)


EDITS: dict[str, Edit] = {
    "words": lambda image: with_words(image, "SAMPLE 2026", (60, 220)),
    "logo": lambda image: with_disc(image, (520, 360)),
    "picture": with_picture,
    "blurred in part": blurred_in_part,
    "mosaic in part": mosaic_in_part,
    "lightened in part": lightened_in_part,
    "sharpened": lambda image: image.filter(ImageFilter.UnsharpMask(3, 200, 0)),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "recoloured": recoloured,
    "turned by 2°": lambda image: image.rotate(2, Image.Resampling.BICUBIC),
    "bent": waved,
    "cropped": lambda image: image.crop((20, 15, 620, 465)).resize(SIZE),
}


@pytest.mark.parametrize("seed", [3, 8, 11])
@pytest.mark.parametrize("name", EDITS)
def test_edits_are_not_another_moment(name: str, seed: int) -> None:
    image = scene(seed)
    edited = EDITS[name](image)
    assert verdict_of(image, edited).same
    assert verdict_of(with_words(image, "OTHER WORDS", (90, 20)), edited).relation != "similar-scene"


def brighter(image: Image.Image) -> Image.Image:
    return image.point([min(255, int(1.4 * level)) for level in range(256)] * 3)


OTHERS: dict[str, Edit] = {
    "brighter": brighter,
    "noisy": lambda image: with_noise(with_noise(with_noise(image, 1), 2), 3),
    "cropped elsewhere": lambda image: image.crop((25, 19, 625, 469)).resize(SIZE),
}


@pytest.mark.parametrize("seed", [3, 8])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("blurred", "turned by 2°"),
        ("brighter", "turned by 2°"),
        ("sharpened", "words"),
        ("blurred", "words"),
        ("noisy", "sharpened"),
        ("recoloured", "words"),
        ("cropped", "cropped elsewhere"),
    ],
)
def test_edits_of_one_image_are_not_other_moments_of_each_other(one: str, other: str, seed: int) -> None:
    image, edits = draw("street", seed, SIZE).convert("RGB"), EDITS | OTHERS
    assert verdict_of(edits[one](image), edits[other](image)).relation != "similar-scene"


def test_an_empty_scene_does_not_bring_two_moments_into_one_group(tmp_path: Path) -> None:
    view = scene()
    moments = {
        "empty": view,
        "first": with_object(view, 1, (200, 200)),
        "second": with_object(view, 2, (230, 190)),
    }
    for seed, (name, image) in enumerate(moments.items()):
        with_noise(image, seed).save(tmp_path / f"{name}.jpg", quality=90)
    report = twinpix.find([str(tmp_path)], store=None)
    assert ("first", "second") in {tuple(sorted(Path(each).stem for each in (m.a, m.b))) for m in report.similar}
    for group in report.groups:
        names = {Path(member.path).stem for member in group.members}
        assert not {"first", "second"} <= names
