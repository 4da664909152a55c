"""Verification: transforms, agreement, relations; hard negatives are not copies."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageOps

import twinpix
from amounts import amount
from drawings import clouds, draw, on_plain_background
from hard_negatives import PAIRS, Pair, right
from twinpix import verify
from twinpix.errors import UsageError
from twinpix.evidence.alignment.affine import Affine, decompose, inverse, overlap, rescale, transform_points
from twinpix.evidence.alignment.blocks import agreement
from twinpix.evidence.alignment.warp import warp_pair
from twinpix.evidence.content.overlays import without_ink
from twinpix.evidence.light.normalize import match_local_light, match_sharpness, mean_difference, smooth, undo_bending
from twinpix.evidence.light.photometric import match_light
from twinpix.evidence.light.tone_inversion import undo_inversion
from twinpix.evidence.masks import hull
from twinpix.fingerprints import base
from twinpix.imaging import picture_of
from twinpix.verify import COLOUR, DETAIL, Pyramid, Via, orientation_transform, pyramid_of, verify_pair, verify_quick


def view(image: Image.Image) -> Pyramid:
    return pyramid_of(picture_of(image.convert("RGB"), "fast", COLOUR, DETAIL))


def verdict_of(a: Image.Image, b: Image.Image) -> verify.Verdict:
    first, second = view(a), view(b)
    return verify_pair(first, second, [orientation_transform(0, first.size, second.size)])


maps = st.builds(
    lambda angle, across, down, mirror, x, y: np.array(
        [
            [math.cos(angle) * across * mirror, -math.sin(angle) * down, x],
            [math.sin(angle) * across * mirror, math.cos(angle) * down, y],
        ]
    ),
    st.floats(-3.1, 3.1),
    st.floats(0.3, 3),
    st.floats(0.3, 3),
    st.sampled_from([1, -1]),
    st.floats(-80, 80),
    st.floats(-80, 80),
)


def hull_of_all(marked: np.ndarray) -> np.ndarray:
    """The convex hull of all marked pixels."""
    out = np.zeros(marked.shape, np.uint8)
    rows, columns = np.nonzero(marked)
    if len(rows):
        cv2.fillConvexPoly(out, cv2.convexHull(np.stack([columns, rows], axis=1).astype(np.int32)), 1)
    return out.astype(bool)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 60), st.sampled_from([0, 0.002, 0.05, 0.9]))
def test_the_ends_of_the_rows_have_the_hull_of_all_pixels(seed: int, width: int, height: int, share: float) -> None:
    marked = np.random.default_rng(seed).random((height, width)) < share
    assert np.array_equal(hull(marked), hull_of_all(marked))


# -- transforms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(8))
def test_the_transform_of_an_orientation_leads_to_the_same_pixel(turn: int) -> None:
    b = np.arange(35 * 3).reshape(7, 5, 3)
    oriented = base.turn_matrix(b, b.swapaxes(0, 1), turn)
    there = orientation_transform(turn, (oriented.shape[1], oriented.shape[0]), (5, 7))
    for y in range(oriented.shape[0]):
        for x in range(oriented.shape[1]):
            u, v = np.rint(transform_points(there, np.array([[x, y]], float))[0]).astype(int)
            assert np.array_equal(oriented[y, x], b[v, u])


@given(maps)
@settings(max_examples=100, deadline=None)
def test_a_transform_is_decomposed_into_its_parts(there: Affine) -> None:
    change = decompose(there)
    mirror = np.diag([-1.0, 1.0]) if change.mirrored else np.eye(2)
    angle = math.radians(change.angle)
    turned = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    np.testing.assert_allclose(turned @ np.diag([change.across, change.down]) @ mirror, there[:, :2], atol=1e-6)
    np.testing.assert_allclose(inverse(inverse(there)), there, atol=1e-6)


@given(maps)
@settings(max_examples=60, deadline=None)
def test_the_overlap_is_the_share_of_pixels_that_land_inside(there: Affine) -> None:
    a, b = (60, 40), (50, 70)
    x, y = np.meshgrid(np.linspace(-0.5, a[0] - 0.5, 240), np.linspace(-0.5, a[1] - 0.5, 160))
    places = transform_points(there, np.stack([x.ravel(), y.ravel()], axis=1))
    inside = ((places > -0.5) & (places < np.array(b) - 0.5)).all(axis=1).mean()
    of_a, of_b = overlap(there, a, b)
    assert of_a == pytest.approx(inside, abs=0.03)
    area = abs(np.linalg.det(there[:, :2])) * a[0] * a[1]
    assert of_b == pytest.approx(min(1, of_a * area / (b[0] * b[1])), abs=0.01)


@given(maps)
@settings(max_examples=50, deadline=None)
def test_a_transform_between_smaller_images_leads_to_the_same_places(there: Affine) -> None:
    small = rescale(there, ((60, 40), (30, 20)), ((50, 70), (100, 140)))
    corner, far = (
        transform_points(there, np.array([[-0.5, -0.5], [59.5, 39.5]])),
        transform_points(small, np.array([[-0.5, -0.5], [29.5, 19.5]])),
    )
    np.testing.assert_allclose((far + 0.5) / [100, 140], (corner + 0.5) / [50, 70], atol=1e-9)


# -- agreement ------------------------------------------------------------------------------------------


def test_an_image_agrees_with_itself_and_not_with_another() -> None:
    a, b = view(draw("scene", 1, (320, 240))), view(draw("scene", 2, (320, 240)))
    whole = orientation_transform(0, a.size, b.size)
    assert agreement(warp_pair(a, a, whole)).share == 1
    other = agreement(warp_pair(a, b, whole))
    assert other.share < 0.2
    assert other.blocks > 50


@pytest.mark.parametrize("make", PAIRS, ids=lambda make: make.__name__)
def test_hard_negatives_are_not_copies(make: object) -> None:
    pair: Pair = make()  # type: ignore[operator]
    for a, b in ((pair.a, pair.b), (pair.b, pair.a)):
        found = verdict_of(a, b)
        relation = None if pair.answer == "different" and found.relation == "similar-scene" else found.relation
        assert right(pair, relation), f"{pair.name}: {pair.reason}; got {found.relation} {found.detail}"


def shaded(image: Image.Image, strength: float) -> Image.Image:
    """Vignetting: darker towards the corners, as by a lens."""
    y, x = np.mgrid[-1 : 1 : image.height * 1j, -1 : 1 : image.width * 1j]
    shade = np.clip(1.1 - strength * (x**2 + y**2), 0, 1)[..., None]
    return Image.fromarray((np.asarray(image) * shade).astype(np.uint8))


@pytest.mark.parametrize("kind", ["scene", "street", "portrait", "table"])
def test_an_image_with_vignetting_is_a_copy(kind: str) -> None:
    image = draw(kind, 5, (480, 360))
    found = verdict_of(image, shaded(image, 0.5))
    assert found.relation == "recoloured", found
    assert verdict_of(shaded(image, 0.5), image).relation == "recoloured"
    assert not verdict_of(image, shaded(draw(kind, 6, (480, 360)), 0.5)).same


def test_vignetting_is_removed() -> None:
    image = draw("street", 5, (320, 240))
    a, b = view(image), view(shaded(image, 0.5))
    pair = warp_pair(a, b, orientation_transform(0, a.size, b.size))
    before = float(np.abs(pair.a - pair.b).mean())
    tones = match_light(pair, agreement(pair))
    assert tones.removes_vignette
    assert float(np.abs(tones.a - tones.b).mean()) < before / 5


def test_overlays_on_an_image_are_an_edit() -> None:
    image = draw("scene", 7, (480, 360))
    stuck = image.copy()
    pen = ImageDraw.Draw(stuck)
    for x, y in ((40, 60), (220, 200), (360, 40)):
        pen.ellipse((x, y, x + 80, y + 80), fill=(250, 210, 40), outline=(60, 40, 0), width=3)
        for eye in (24, 50):
            pen.ellipse((x + eye, y + 26, x + eye + 10, y + 36), fill=(60, 40, 0))
        pen.arc((x + 20, y + 30, x + 60, y + 62), 20, 160, fill=(60, 40, 0), width=4)
    found = verdict_of(image, stuck)
    assert found.relation == "edited", found


@pytest.mark.parametrize("kind", ["linear", "radial", "sigmoid", "sky"])
def test_low_texture_images_match_only_if_all_levels_agree(kind: str) -> None:
    image = draw(kind, 3, (480, 360))
    file = io.BytesIO()
    image.resize((240, 180), Image.Resampling.BICUBIC).save(file, "JPEG", quality=60)
    assert verdict_of(image, Image.open(file)).same
    assert not verdict_of(image, draw(kind, 4, (480, 360))).same
    red, green, blue = image.split()
    assert not verdict_of(image, Image.merge("RGB", (blue, green, red))).same
    assert not verdict_of(Image.new("RGB", (320, 240), (90, 80, 70)), Image.new("RGB", (320, 240), (90, 80, 70))).same


def patched(image: Image.Image, seed: int) -> Image.Image:
    """With black patches over an eighth of the image."""
    rng, out = np.random.default_rng(seed), image.copy()
    for x, y in rng.permutation([(x, y) for x in range(0, 480, 60) for y in range(0, 360, 60)])[:6].tolist():
        ImageDraw.Draw(out).rectangle((x, y, x + 60, y + 60), fill="black")
    return out


def test_two_edits_match_via_their_original() -> None:
    image = draw("scene", 3, (480, 360))
    a, b, whole = view(patched(image, 1)), view(patched(image, 2)), view(image)
    there = orientation_transform(0, a.size, b.size)
    via = Via(0.8, there, whole.size)
    assert verify_pair(a, whole, [there]).same
    assert verify_pair(whole, b, [there]).same
    assert verify_pair(a, b, [there], 0.99, via=via).same
    assert not verify_pair(a, view(draw("scene", 4, (480, 360))), [there], via=via).same


def test_pages_do_not_match_via_their_common_content() -> None:
    page = draw("scene", 3, (600, 450))
    notes = []
    for seed in (1, 2):
        rng, note = np.random.default_rng(seed), page.copy()
        for _ in range(7):
            at = (int(rng.integers(20, 420)), int(rng.integers(20, 410)))
            ImageDraw.Draw(note).text(at, "".join(rng.choice(list("abcdefgh"), 9)), fill="black", font_size=26)
        notes.append(view(note))
    there = orientation_transform(0, notes[0].size, notes[1].size)
    assert not verify_pair(notes[0], notes[1], [there], via=Via(0.8, there, notes[0].size)).same


def beside(image: Image.Image, seed: int, width: int) -> Image.Image:
    """The image with another one of `width` pixels to its right."""
    out = Image.new("RGB", (image.width + width, image.height))
    out.paste(image, (0, 0))
    out.paste(draw("scene", seed, (width, image.height)), (image.width, 0))
    return out


@pytest.mark.parametrize(("width", "same"), [(240, True), (900, False)])
def test_the_area_of_a_third_image_decides_unless_it_is_small(width: int, same: bool) -> None:
    image = draw("scene", 3, (480, 360))
    a, b, whole = view(beside(image, 5, width)), view(beside(image, 6, width)), view(image)
    there = orientation_transform(0, a.size, b.size)
    scale = a.size[0] / (480 + width) * 480 / whole.size[0]
    via = Via(0.95, inverse(np.array([[scale, 0, 0], [0, scale, 0]])), whole.size)
    assert not verify_pair(a, b, [there], exact=True).same
    assert verify_pair(a, b, [there], exact=True, via=via).same == same


def test_a_crop_of_a_low_texture_image_is_recognised_by_its_levels() -> None:
    whole, other = (clouds(seed, (480, 360), (5, 4), 20) for seed in (1, 2))
    a, b = view(whole), view(whole.crop((60, 40, 400, 320)))
    scale = b.size[0] / 340
    there = np.array([[scale * 480 / a.size[0], 0, -60 * scale], [0, scale * 360 / a.size[1], -40 * scale]])
    assert verify_pair(a, b, [there], exact=True).same
    assert not verify_pair(view(other), b, [there], exact=True).same


def test_a_smooth_gradient_is_not_a_crop_of_one_in_other_colours() -> None:
    few = Image.fromarray(np.random.default_rng(4).integers(0, 256, (4, 5), dtype=np.uint8))
    soft = few.resize((500, 400), Image.Resampling.BICUBIC)
    warm, cold = ImageOps.colorize(soft, "#201008", "#f8e0a0"), ImageOps.colorize(soft, "#081020", "#90c0ff")
    a, box = view(warm), (100, 80, 420, 340)

    def same(part: Image.Image) -> bool:
        b = view(part)
        scale = b.size[0] / 320
        there = np.array([[scale * 500 / a.size[0], 0, -100 * scale], [0, scale * 400 / a.size[1], -80 * scale]])
        return verify_pair(a, b, [there], exact=True).same

    assert same(warm.crop(box))
    assert not same(cold.crop(box))
    assert verdict_of(warm, cold).same  # the whole image is a copy


def horizon(at: int, above: tuple[int, int, int], below: tuple[int, int, int]) -> Image.Image:
    out = Image.new("RGB", (480, 360), above)
    ImageDraw.Draw(out).rectangle((0, at, 480, 360), fill=below)
    return out.filter(ImageFilter.GaussianBlur(1))


def test_two_horizons_do_not_match_although_all_blocks_agree() -> None:
    first = horizon(150, (40, 90, 160), (120, 190, 90))
    assert not verdict_of(first, horizon(150, (90, 40, 60), (200, 150, 240))).same
    assert verdict_of(first, first.resize((300, 225))).same


def stuck(image: Image.Image, places: list[tuple[int, int]]) -> Image.Image:
    out = image.copy()
    for x, y in places:
        ImageDraw.Draw(out).ellipse((x, y, x + 70, y + 70), fill=(250, 210, 40), outline=(60, 40, 0), width=3)
        ImageDraw.Draw(out).arc((x + 15, y + 15, x + 55, y + 55), 20, 160, fill=(60, 40, 0), width=5)
    return out


def test_overlays_on_a_plain_background_are_an_edit() -> None:
    sign, other = (on_plain_background(seed, (480, 360), (110, 90), (70, 60), (28, 32, 34)) for seed in (1, 2))
    there = verdict_of(sign, stuck(sign, [(250, 30), (380, 200), (230, 260)]))
    assert there.same
    assert "edited" in there.detail
    assert not verdict_of(sign, stuck(other, [(250, 30), (380, 200), (230, 260)])).same


def bars(heights: list[int]) -> Image.Image:
    out = Image.new("RGB", (480, 360), "white")
    pen = ImageDraw.Draw(out)
    for y in range(40, 340, 50):
        pen.line((60, y, 460, y), fill=(210, 210, 210), width=2)
        pen.text((20, y - 8), str(y), fill="black", font_size=16)
    for k, height in enumerate(heights):
        pen.rectangle((90 + 70 * k, 330 - height, 130 + 70 * k, 330), fill=(60, 100, 180))
    return out


def test_bars_of_two_charts_are_not_overlays() -> None:
    assert not verdict_of(bars([120, 200, 60, 240, 90]), bars([220, 80, 180, 70, 230])).same


def test_a_small_object_is_compared_at_higher_resolution() -> None:
    mark, other = (on_plain_background(seed, (900, 700), (110, 110), (400, 240), (214, 212, 196)) for seed in (3, 4))
    assert verdict_of(mark, mark.resize((720, 560))).same
    assert not verdict_of(mark, other).same


def test_a_third_image_equal_to_one_of_the_pair_stands_for_it() -> None:
    image = draw("scene", 3, (600, 450))
    plain, darker = view(image), view(image.point([int(level * 0.8) for level in range(256)] * 3))
    there = orientation_transform(0, plain.size, plain.size)
    link = verify_pair(plain, darker, [there])
    assert link.alike
    assert not verify_pair(plain, view(stuck(image, [(300, 200)])), [there]).alike
    far = view(draw("scene", 4, (600, 450)))
    assert not verify_pair(far, darker, [there], via=Via(0.9, there, plain.size)).same
    joined = verify_pair(far, darker, [there], via=Via(0.9, there, plain.size, alike=True))
    assert joined.same
    assert joined.agrees >= 0.9


def test_a_match_via_a_third_image_is_within_the_radius(tmp_path: Path) -> None:
    """A rotated copy and a negative, linked via the original, agreed in no block: distance 1, `0% alike`."""
    image = draw("portrait", 0, (480, 360)).convert("RGB")
    image.save(tmp_path / "original.png")
    image.resize((240, 180)).save(tmp_path / "half.jpg")
    rotated = image.rotate(7, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    rotated.save(tmp_path / "rotated.jpg", quality=88)
    ImageOps.invert(image).save(tmp_path / "negative.jpg", quality=88)
    (group,) = twinpix.find(tmp_path, method="cascade", store=None).groups
    assert len(group.members) == 4
    agreements = {(Path(match.a).stem, Path(match.b).stem): match.agrees for match in group.matches}
    assert {("rotated", "negative"), ("negative", "rotated")} & agreements.keys()
    for match in group.matches:
        assert match.distance is not None
        assert match.distance <= 0.35


@pytest.mark.parametrize("kind", ["scene", "street"])
def test_fine_texture_of_a_reduced_image_is_no_noise(kind: str) -> None:
    texture = np.random.default_rng(1).normal(0, 8, (120, 160)).repeat(5, axis=0).repeat(5, axis=1)
    image = _plus(draw(kind, 1, (800, 600)), texture[..., None])
    small = image.resize((160, 120), Image.Resampling.BOX)
    assert verdict_of(image, small).detail == "resized 0.2"
    noisy = _plus(small, np.random.default_rng(2).normal(0, 18, (120, 160, 3)))
    assert verdict_of(image, noisy).detail == "edited: noisy, resized 0.2"


def _plus(image: Image.Image, levels: np.ndarray) -> Image.Image:
    return Image.fromarray((np.asarray(image, np.float64) + levels).clip(0, 255).astype(np.uint8))


def on_soft_ground(seed: int) -> Image.Image:
    """An object before a wall with a slight gradient."""
    wall = np.linspace(205, 170, 480)[None, :, None] * np.ones((360, 1, 3))
    out = Image.fromarray(wall.astype(np.uint8))
    out.paste(draw("scene", seed, (200, 160)), (140, 100))
    return out


@pytest.mark.parametrize("swap", [False, True])
def test_clipped_highlights_are_not_an_edit(swap: bool) -> None:
    dark = ImageOps.grayscale(draw("street", 2, (480, 360))).convert("RGB")
    light = dark.point([min(255, 2 * level) for level in range(256)] * 3)
    assert (verdict_of(light, dark) if swap else verdict_of(dark, light)).relation == "recoloured"


def test_a_background_that_continues_beyond_a_crop_is_not_a_border() -> None:
    whole = on_soft_ground(4)
    assert verdict_of(whole, whole.crop((40, 30, 440, 330))).relation == "cropped"
    assert verdict_of(whole, ImageOps.expand(whole, 30, (20, 20, 20))).relation == "padded"


def test_removed_colours_of_a_part_are_named() -> None:
    page = Image.new("RGB", (480, 360), (190, 190, 190))
    page.paste(draw("scene", 5, (300, 300)), (20, 30))
    assert verdict_of(page, page.convert("L").convert("RGB")).relation == "recoloured"


def test_two_scans_of_one_page_are_copies() -> None:
    def page(seed: int) -> Image.Image:
        out = Image.new("RGB", (700, 990), (250, 249, 246))
        rng = np.random.default_rng(seed)
        for line in range(40):
            words = " ".join("".join(rng.choice(list("abcdefghimnorstu"), rng.integers(3, 9))) for _ in range(9))
            ImageDraw.Draw(out).text((60, 60 + 22 * line), words, fill=(30, 30, 34), font_size=15)
        return out

    first = page(1)
    noise = np.random.default_rng(0).normal(0, 5, (990, 700, 3))
    again = Image.fromarray(
        np.clip(np.asarray(first.rotate(0.6, Image.Resampling.BICUBIC, fillcolor="white")) + noise, 0, 255).astype(
            np.uint8
        )
    )
    assert verdict_of(first, again.filter(ImageFilter.GaussianBlur(0.6))).same
    assert verdict_of(first, first.resize((350, 495), Image.Resampling.LANCZOS)).same
    assert verdict_of(first, page(2)).relation is None


# -- changes that are not a conflict: sharpness, light, lens distortion, overlays---------------------------------


def plain_photo(seed: int) -> Image.Image:
    """A photo with a plain dark area on which there are small bright objects."""
    out = draw("street", seed, (480, 360))
    pencil, rng = ImageDraw.Draw(out), np.random.default_rng(seed)
    pencil.rectangle((0, 0, 480, 120), fill=(30, 32, 36))
    for x, y in rng.integers((10, 10), (465, 105), (30, 2)):
        pencil.rectangle((x, y, x + 4, y + 4), fill=(230, 228, 220))
    return out


def veiled(image: Image.Image) -> Image.Image:
    """With a glare on a part of the image."""
    y, x = np.mgrid[: image.height, : image.width]
    glow = 130 * np.exp(-((x - 120) ** 2 + (y - 60) ** 2) / (2 * 110**2))
    return Image.fromarray(np.clip(np.asarray(image) + glow[..., None], 0, 255).astype(np.uint8))


def waved(image: Image.Image) -> Image.Image:
    """Rows shifted by up to five pixels."""
    y, x = np.mgrid[: image.height, : image.width]
    at = np.clip(x + 5 * np.sin(y / image.height * 4 * np.pi), 0, image.width - 1).astype(int)
    return Image.fromarray(np.asarray(image)[y, at])


def striped(image: Image.Image) -> Image.Image:
    """With lines of one colour over the whole image."""
    out = image.copy()
    pencil = ImageDraw.Draw(out)
    for left in range(-out.height, out.width, 60):
        pencil.line((left, 0, left + out.height, out.height), fill=(200, 200, 200), width=7)
    return out


def banded(image: Image.Image) -> Image.Image:
    """With a band with text along the lower edge."""
    out = image.copy()
    pencil = ImageDraw.Draw(out)
    pencil.rectangle((0, 0.8 * out.height, out.width, out.height), fill=(20, 20, 120))
    pencil.text((20, 0.84 * out.height), "LATE NEWS FROM TOWN", fill="white", font_size=30)
    return out


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda image: image.filter(ImageFilter.GaussianBlur(5)), id="blurred"),
        pytest.param(lambda image: image.resize((80, 60), Image.Resampling.BOX).resize(image.size, 0), id="pixels"),
        pytest.param(lambda image: Image.blend(image, clouds(7, image.size, (5, 4), 20), 0.35), id="veiled"),
        pytest.param(veiled, id="lit"),
        pytest.param(striped, id="striped"),
        pytest.param(banded, id="banded"),
    ],
)
def test_blur_light_and_overlays_are_not_a_conflict(edit: Callable[[Image.Image], Image.Image], seed: int) -> None:
    assert verdict_of(plain_photo(seed), edit(plain_photo(seed))).same
    assert not verdict_of(plain_photo(seed), edit(plain_photo(seed + 10))).same


def test_a_non_affine_warp_of_a_photo_is_a_copy() -> None:
    photo, other = (draw("street", seed, (480, 360)) for seed in (1, 2))
    assert verdict_of(photo, waved(photo)).same
    assert not verdict_of(photo, waved(other)).same


def test_normalisation_undoes_blur_light_and_warps() -> None:
    grey = np.asarray(draw("street", 3, (320, 240)).convert("L")).astype(np.float32)
    every = np.ones(grey.shape, dtype=bool)
    blurred = np.asarray(Image.fromarray(grey.astype(np.uint8)).filter(ImageFilter.GaussianBlur(3)), dtype=np.float32)
    lit = grey + np.linspace(0, 80, grey.shape[1], dtype=np.float32)
    bent = np.asarray(waved(Image.fromarray(grey.astype(np.uint8))), dtype=np.float32)
    inner = every.copy()
    inner[:, :20] = inner[:, -20:] = False  # there the warp leaves the image, and light is not normalised
    assert mean_difference(*match_sharpness(grey, blurred, every), every) < 0.2 * mean_difference(grey, blurred, every)
    assert mean_difference(*match_local_light(grey, lit, every), inner) < 0.1 * mean_difference(grey, lit, inner)
    assert mean_difference(undo_bending(grey, bent), bent, inner) < 0.6 * mean_difference(grey, bent, inner)
    assert all(np.array_equal(*both) for both in zip(match_sharpness(grey, grey, every), (grey, grey), strict=True))


@settings(max_examples=amount(20, 200), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 400),
    columns=st.integers(1, 400),
    channels=st.sampled_from([(), (2,)]),
    sigma=st.floats(0.5, 20),
)
def test_a_wide_blur_is_that_of_opencv(
    seed: int, rows: int, columns: int, channels: tuple[int, ...], sigma: float
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 255, (rows, columns, *channels)).astype(np.float32)
    values[: rows // 2, : columns // 3] = 255  # a step, and noise
    exact = cv2.GaussianBlur(values, (0, 0), sigma)
    assert np.abs(smooth(values, sigma) - exact).max() <= 0.03 * 255
    assert np.abs(smooth(values, sigma) - exact).mean() <= 0.002 * 255


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1))
def test_the_mean_difference_is_the_definition(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 255, (2, 40, 60)).astype(np.float32)
    marked = rng.random((40, 60)) < share
    marked[0, 0] = True
    assert mean_difference(a, b, marked) == pytest.approx(
        float(np.abs(a - b)[marked].astype(np.float64).mean()), rel=1e-6
    )


def test_two_drawings_in_one_colour_are_not_overlays_of_each_other() -> None:
    def lines(seed: int) -> Image.Image:
        out, rng = draw("table", 1, (480, 360)), np.random.default_rng(seed)
        for ends in rng.integers((0, 0, 0, 0), (480, 360, 480, 360), (9, 4)):
            ImageDraw.Draw(out).line([int(end) for end in ends], fill=(250, 250, 250), width=7)
        return out

    plain = view(draw("table", 1, (480, 360)))
    there = orientation_transform(0, plain.size, plain.size)
    assert without_ink(warp_pair(plain, view(lines(1)), there)) is not None
    assert without_ink(warp_pair(view(lines(1)), plain, there)) is not None
    assert without_ink(warp_pair(view(lines(1)), view(lines(2)), there)) is None


def solarized(image: Image.Image) -> Image.Image:
    return ImageOps.solarize(image.convert("L"), 128)


@pytest.mark.parametrize(
    ("kind", "turn_over"),
    [*((kind, ImageOps.invert) for kind in ("scene", "portrait", "landscape", "table")), ("scene", solarized)],
)
def test_a_negative_matches_its_original_and_no_other_image(
    kind: str, turn_over: Callable[[Image.Image], Image.Image]
) -> None:
    original, other = (draw(kind, seed, (420, 320)) for seed in (3, 4))
    found = verdict_of(original, turn_over(original).resize((300, 229)))
    assert found.relation in ("recoloured", "edited")
    assert "inverted" in found.detail
    assert "inverted" in found.back
    assert not verdict_of(other, turn_over(original)).same
    a, b = (view(image) for image in (original, turn_over(original)))
    back = verify.as_compared(verify_pair(a, b, [orientation_transform(0, a.size, b.size)]), a, b)
    assert agreement(warp_pair(*back, orientation_transform(0, a.size, b.size))).share > 0.9


def test_a_crop_of_a_negative_is_found_by_the_overlap() -> None:
    image = draw("scene", 3, (420, 320))
    found = verdict_of(image, ImageOps.invert(image).crop((12, 8, 420, 320)))
    assert found.detail.startswith("cropped")
    assert found.detail.endswith("inverted")


def test_two_flags_of_one_design_are_not_negatives() -> None:
    def flag(background: str, cross: str) -> Image.Image:
        out = Image.new("RGB", (420, 300), background)
        ImageDraw.Draw(out).rectangle((130, 0, 180, 300), fill=cross)
        ImageDraw.Draw(out).rectangle((0, 125, 420, 175), fill=cross)
        ImageDraw.Draw(out).ellipse((250, 20, 340, 100), fill=cross)
        return out

    assert not verdict_of(flag("#c8102e", "white"), flag("white", "#002f6c")).same


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 255), min_size=6, max_size=6))
@settings(max_examples=40, deadline=None)
def test_levels_changed_by_any_tone_curve_are_restored(seed: int, knots: list[int]) -> None:
    levels = np.interp(np.arange(256), np.linspace(0, 255, len(knots)), knots)
    image = clouds(seed, (360, 270), (24, 18), 2).convert("L")
    made = image.point(levels.round().astype(int).tolist())
    a, b = view(image), view(made)
    pair = warp_pair(a, b, orientation_transform(0, a.size, b.size))
    low, high = np.quantile(a.grey, (0.02, 0.98)).astype(int)
    steps = np.diff(levels[low:high])
    falls = -np.minimum(steps, 0).sum()
    views = undo_inversion(a, b, pair)
    assert -np.minimum(np.diff(knots), 0).sum() >= 32 or views is None
    if falls >= 64 and falls >= 0.5 * np.abs(steps).sum() and b.grey.std() > 20:
        assert views is not None
        difference_now = [np.abs(one.grey.astype(float) - two.grey).mean() for one, two in ((a, b), views)]
        assert difference_now[1] < max(6.0, 0.25 * difference_now[0])


@pytest.mark.parametrize("kind", ["scene", "text", "portrait"])
def test_quick_verification_gives_the_full_verdict_or_none(kind: str) -> None:
    image, other = (draw(kind, seed, (420, 320)) for seed in (3, 4))
    edits = [
        image.resize((300, 229)),
        ImageOps.posterize(image, 3),
        stuck(image, [(40, 50)]),
        stuck(image, [(40, 50), (200, 160), (300, 20)]).filter(ImageFilter.GaussianBlur(2)),
        image.crop((0, 0, 380, 300)),
        image.rotate(3),
        ImageOps.expand(image, 30, "white"),
        ImageOps.invert(image),
        other,
    ]
    a, decided = view(image), 0
    for edit in edits:
        b = view(edit)
        guesses = [orientation_transform(0, a.size, b.size)]
        glanced, looked = verify_quick(a, b, guesses), verify_pair(a, b, guesses)
        decided += glanced is not None
        assert glanced is None or repr(glanced) == repr(looked)
    assert decided >= 2


def test_verification_in_reverse_order_reverses_the_description() -> None:
    whole = draw("street", 3, (400, 300))
    found = verdict_of(whole, whole.crop((40, 30, 360, 270)))
    back = found.swap_images()
    assert found.relation == back.relation == "cropped"
    assert found.detail.startswith("cropped 64% at (")
    assert back.detail.startswith("shows more: 64% at (")
    assert back.overlap == found.overlap[::-1]


def test_a_burst_is_the_same_scene_and_not_a_copy(tmp_path: Path) -> None:
    near, far = draw("scene", 3, (640, 480)), draw("street", 4, (640, 480)).resize((250, 200))
    images = []
    for shift in (0, 140):  # the foreground moves relative to the background
        moment = near.copy()
        moment.paste(far, (60 + shift, 140 + shift // 3))
        moment.paste(far.rotate(90, expand=True), (380 - shift, 40))
        images.append(moment.convert("RGB"))
    for number, moment in enumerate(images):
        moment.save(tmp_path / f"{number}.png")
    report = twinpix.find(tmp_path, method="local", store=None, radius=0.2)
    assert report.groups == []
    assert [match.relation for match in report.similar] in ([], ["similar-scene"])


# -- which pairs are verified ---------------------------------------------------------------------------


def test_only_the_pairs_with_the_best_of_many_copies_are_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twinpix.match import verifier

    image, copies = draw("street", 5, (600, 450)).convert("RGB"), amount(16, 24)
    for number in range(copies):
        side = 600 - 12 * number
        image.resize((side, side * 3 // 4), Image.Resampling.LANCZOS).save(tmp_path / f"{number:02d}.jpg", quality=80)
    looked: list[int] = []
    real = verifier.Verifier.verify

    def counted(self: verifier.Verifier, pairs: list[verifier.Pair], stage: str = "", *, quick: bool = False) -> None:
        looked.append(len(pairs))
        real(self, pairs, stage, quick=quick)

    monkeypatch.setattr(verifier.Verifier, "verify", counted)
    star = twinpix.find(tmp_path, method="local", store=None)
    few = sum(looked)
    looked.clear()
    complete = twinpix.find(tmp_path, method="local", store=None, link="complete")
    assert [len(group.members) for group in star.groups] == [copies]
    assert [member.path for member in star.groups[0].members] == [member.path for member in complete.groups[0].members]
    assert few < 2.5 * copies
    assert sum(looked) >= copies * (copies - 1) // 2


# -- calibration ----------------------------------------------------------------------------------------


def test_the_radius_is_calibrated_to_a_precision(tmp_path: Path) -> None:
    for seed in range(12):
        image = draw("scene", seed, (320, 240)).convert("RGB")
        image.save(tmp_path / f"{seed}.png")
        image.filter(ImageFilter.GaussianBlur(1)).resize((200, 150)).save(tmp_path / f"{seed}-small.jpg", quality=60)
    strict = twinpix.find(tmp_path, method="ahash", precision=1.0, store=None)
    loose = twinpix.find(tmp_path, method="ahash", precision=0.05, store=None)
    assert strict.radius <= loose.radius
    stems = [{Path(m.path).stem.removesuffix("-small") for m in group.members} for group in strict.groups]
    assert all(len(names) == 1 for names in stems)
    assert len(stems) >= 3
    assert any(note.startswith("calibrated: radius ") and "interval" in note for note in strict.notes)


def test_a_sample_estimates_the_precision_and_its_interval() -> None:
    from twinpix.match.calibrate import _estimate, _sample_pairs

    rng = np.random.default_rng(1)
    step = np.sort(rng.integers(0, 64, 50_000))
    wrong_all = rng.random(50_000) < step / 200
    chosen = _sample_pairs(step)
    assert len(chosen) == len(set(chosen.tolist())) <= 2000
    found = _estimate(5, step, step[chosen], wrong_all[chosen])
    assert found.low < 1 - wrong_all.mean() < found.high
    assert found.share == pytest.approx(1 - wrong_all.mean(), abs=0.03)
    whole = _estimate(5, step[:100], step[:100], wrong_all[:100])
    assert whole.low == whole.share == whole.high == pytest.approx(1 - wrong_all[:100].mean())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"precision": 2}, "above 0 and at most 1"),
        ({"precision": 0.9, "radius": 3}, "not both"),
        ({"precision": 0.9, "method": "local"}, "local has none"),
    ],
)
def test_an_invalid_precision_is_refused(given: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        twinpix.find(tmp_path, **{"method": "phash:size=16", "store": None, **given})  # type: ignore[arg-type]


def test_frames_around_two_copies_are_not_their_text() -> None:
    """A copy with a white border and a screenshot of it are printed; the third image is their common content."""
    image = Image.new("RGB", (500, 380), "white")
    for x, y, wide, high in np.random.default_rng(4).integers((20, 20, 30, 30), (400, 290, 80, 70), (18, 4)).tolist():
        ImageDraw.Draw(image).ellipse((x, y, x + wide, y + high), outline="black", width=5)
    bordered = ImageOps.expand(image, (75, 57), fill="white")
    window = Image.new("RGB", (750, 570), (250, 250, 250))
    window.paste(image, (125, 100))
    pen = ImageDraw.Draw(window)
    pen.rectangle((0, 0, 750, 40), fill=(60, 60, 70))
    for at in range(3):
        pen.ellipse((15 + 30 * at, 12, 31 + 30 * at, 28), fill=(220, 80 * at, 90))
    pen.text((150, 6), "holiday.jpg - viewer", fill="white", font_size=24)
    pen.text((130, 500), "Page 1 of 12, 380 x 500 pixels", fill="black", font_size=22)
    a, b, third = (view(each) for each in (bordered, window, image))
    assert a.is_sheet
    assert b.is_sheet
    to_third, to_b = (np.array([[1.0, 0, dx], [0, 1, dy]]) for dx, dy in ((-75, -57), (50, 43)))
    a_to_third, a_to_b = (
        rescale(each, (first, a.size), (second, to))
        for each, first, second, to in (
            (to_third, bordered.size, image.size, third.size),
            (to_b, bordered.size, window.size, b.size),
        )
    )
    assert not verify_pair(a, b, [a_to_b], exact=True).same
    assert verify_pair(a, b, [a_to_b], exact=True, via=Via(1.0, a_to_third, third.size)).same
