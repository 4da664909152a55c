"""Screening at 96 pixels refutes pairs of unrelated images, but no copies, whatever their edit."""

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from drawings import draw
from hard_negatives import same_caption
from test_verify import view
from twinpix.evidence.alignment.affine import Affine, compose, inverse
from twinpix.evidence.alignment.screening import Screening, screen
from twinpix.evidence.pyramid import Pyramid
from twinpix.thresholds import SCREENING
from twinpix.verify import Via, orientation_transform, verify_pair

SIZE = 320, 240
TONES = {
    "as it is": lambda image: image,
    "negative": ImageOps.invert,
    "solarised": lambda image: ImageOps.solarize(image, 128),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "posterised": lambda image: ImageOps.posterize(image, 3),
    "equalised": ImageOps.equalize,
    "light": lambda image: image.point([min(255, 60 + level) for level in range(256)] * 3),
}


def scene(number: int) -> Image.Image:
    return draw("scene", number, SIZE)


def screened(a: Pyramid, b: Pyramid, a_to_b: Affine) -> Screening:
    found = screen(a, b, a_to_b)
    assert found is not None
    return found


@pytest.mark.parametrize("tones", TONES.values(), ids=TONES)
def test_unrelated_images_are_refuted_whatever_their_tones(tones: object) -> None:
    a, b = view(scene(1)), view(tones(scene(2)))  # type: ignore[operator]
    whole = orientation_transform(0, a.size, b.size)
    assert screened(a, b, whole).refutes
    assert verify_pair(a, b, [whole], exact=True).relation is None


@pytest.mark.parametrize("tones", TONES.values(), ids=TONES)
def test_copies_are_not_refuted_whatever_their_tones(tones: object) -> None:
    a, b = view(scene(1)), view(tones(scene(1)))  # type: ignore[operator]
    found = screened(a, b, orientation_transform(0, a.size, b.size))
    assert found.agrees > SCREENING.min_agreement + 0.2
    assert not found.refutes


@pytest.mark.parametrize("turn", range(8))
def test_every_orientation_is_compared_by_its_transform(turn: int) -> None:
    """The transform of the orientation agrees, every other one is refuted; also with the images swapped."""
    flipped = scene(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT) if turn & 1 else scene(1)
    flipped = flipped.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if turn & 2 else flipped
    a, b = view(scene(1)), view(flipped.transpose(Image.Transpose.TRANSPOSE) if turn & 4 else flipped)
    fitting = [each for each in range(8) if not screened(a, b, orientation_transform(each, a.size, b.size)).refutes]
    assert len(fitting) == 1
    back = inverse(orientation_transform(fitting[0], a.size, b.size))
    assert screened(b, a, back).agrees > 0.9


@pytest.mark.parametrize("size", [(64, 48), (160, 120), (640, 480), (1500, 200)])
def test_scale_has_no_effect(size: tuple[int, int]) -> None:
    image = draw("scene", 1, size)
    half = image.resize((size[0] // 2, size[1] // 2)).filter(ImageFilter.GaussianBlur(0.5))
    a, b = view(image), view(half)
    assert screened(a, b, orientation_transform(0, a.size, b.size)).agrees > 0.85


def test_a_crop_is_compared_on_the_overlap() -> None:
    whole, part = view(scene(1)), view(scene(1).crop((150, 90, 290, 200)))
    into = np.array([[1.0, 0, -150], [0, 1, -90]])
    assert screened(whole, part, into).agrees > 0.9
    assert screened(whole, part, compose(into, np.array([[1.0, 0, 40], [0, 1, 0]]))).refutes


def test_images_with_little_texture_are_not_refuted() -> None:
    """Noise and a few edges are no evidence for or against a copy."""
    plain = view(Image.new("RGB", SIZE, (120, 130, 140)))
    whole = orientation_transform(0, plain.size, plain.size)
    assert screened(plain, plain, whole) == Screening(0.0, 0.0, 0)
    line = Image.new("RGB", SIZE, (120, 130, 140))
    line.paste((0, 0, 0), (150, 100, 170, 120))
    few = screened(plain, view(line), whole)
    assert 0 < few.blocks < SCREENING.min_blocks
    assert not few.refutes
    faint = view(scene(1).point([120 + level // 64 for level in range(256)] * 3))
    assert not screened(faint, view(scene(2).point([120 + level // 64 for level in range(256)] * 3)), whole).refutes


def test_images_that_hardly_overlap_are_not_screened() -> None:
    a = view(scene(1))
    assert screen(a, a, np.array([[1.0, 0, 315], [0, 1, 0]])) is None
    assert screen(a, a, np.array([[1.0, 0, 400], [0, 1, 0]])) is None


def test_inverted_tones_are_detected() -> None:
    a = view(scene(1))
    whole = orientation_transform(0, a.size, a.size)
    assert screened(a, a, whole).opposed == 0
    assert screened(a, a, whole).is_positive
    negative = screened(a, view(ImageOps.invert(scene(1))), whole)
    assert negative.opposed > 0.95
    assert not negative.is_positive
    assert not screened(a, view(ImageOps.solarize(scene(1), 128)), whole).is_positive


def test_other_transforms_are_tried_unless_the_first_is_exact() -> None:
    """A hash gives a rough transform: what it refutes may match under another one."""
    first, second = view(scene(1)), view(scene(1).rotate(90, expand=True))
    wrong = orientation_transform(0, first.size, second.size)
    assert verify_pair(first, second, [wrong]).relation == "rotated"
    refuted = verify_pair(first, second, [wrong], exact=True)
    assert refuted.relation is None
    assert refuted.inliers == 0


def test_photos_with_one_caption_are_refuted() -> None:
    """A third of the pixels and of the keypoints agree: not the same scene, and no other transform is tried."""
    pair = same_caption()
    a, b = view(pair.a), view(pair.b)
    whole = orientation_transform(0, a.size, b.size)
    found = screened(a, b, whole)
    assert SCREENING.min_agreement < found.agrees < SCREENING.min_aligned_agreement
    refuted = verify_pair(a, b, [whole], exact=True)
    assert (refuted.relation, refuted.agrees) == (None, found.agrees)


def test_an_inexact_transform_is_no_reason_to_refute_a_copy() -> None:
    """The transform of the keypoints at 320 pixels agrees, that of the candidate search is off by some pixels."""
    a, b = view(scene(1)), view(scene(1))
    near = next(
        shift
        for shift in np.arange(0, 12, 0.25)
        if screened(a, b, np.array([[1.0, 0, shift], [0, 1, shift]])).agrees < SCREENING.min_aligned_agreement
    )
    found = verify_pair(a, b, [np.array([[1.0, 0, near], [0, 1, near]])], exact=True)
    assert screened(a, b, np.array([[1.0, 0, near], [0, 1, near]])).agrees > SCREENING.min_agreement
    assert found.same


def test_a_third_image_supports_a_pair_with_little_agreement() -> None:
    """Edits of one image may cover most of each other: such a pair is not screened."""
    whole = scene(1)
    left, right = whole.copy(), whole.copy()
    left.paste((90, 90, 90), (0, 0, 150, 240))
    right.paste((160, 160, 160), (170, 0, 320, 240))
    a, b = view(left), view(right)
    same = orientation_transform(0, a.size, b.size)
    assert verify_pair(a, b, [same], exact=True, via=Via(1.0, same, a.size, alike=True)).same


def test_dark_copies_are_not_refuted() -> None:
    dim = view(scene(1).point([level // 16 for level in range(256)] * 3))
    whole = orientation_transform(0, dim.size, dim.size)
    assert not screened(dim, dim, whole).refutes
    assert verify_pair(dim, dim, [whole], exact=True).same
