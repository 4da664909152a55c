"""Keypoints: the compiled loops against slow reference implementations in NumPy, and repeatability in copies."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import twinpix
from amounts import amount
from drawings import draw
from twinpix.localfeatures import keypoints
from twinpix.localfeatures.descriptor import BINS, CELLS, GRID
from twinpix.localfeatures.keypoints import (
    LEAST_SIDE,
    Keypoints,
    _detect,
    detect_in_small,
    detect_keypoints,
    enlarge,
)
from twinpix.localfeatures.scale_space import (
    FIRST,
    LEVEL,
    OCTAVE,
    RESPONSE,
    SCALES,
    X,
    Y,
    find_extrema,
    octaves,
)
from twinpix.progress.terminal import LineProgress, TerminalProgress

Floats = NDArray[np.float64]
CONTRAST, EDGE = 0.5, 10.0


def blobs(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """An image of soft spots of many sizes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    out = np.full((height, width), 120.0)
    for _ in range(25):
        at, spread = rng.uniform(0, [height, width]), rng.uniform(1, 6)
        out += rng.uniform(-90, 90) * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * spread**2))
    return np.asarray(np.clip(out, 0, 255), np.uint8)


# -- reference implementations


def slow_blur(image: Floats, sigma: float) -> Floats:
    reach = max(1, math.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(image, reach, mode="reflect")
    rows = np.apply_along_axis(np.convolve, 0, padded, kernel, mode="valid")
    return np.asarray(np.apply_along_axis(np.convolve, 1, rows, kernel, mode="valid"))


def slow_space(grey: NDArray[np.uint8]) -> list[Floats]:
    """The Gaussian images of each octave."""
    first = slow_blur(grey.astype(np.float64), math.sqrt(FIRST**2 - 0.25))
    out: list[Floats] = []
    sizes = octaves(*grey.shape)[:-1].tolist()
    for octave, (_, _, _, halvings) in enumerate(sizes):
        images, sigma = [first], FIRST * 2.0 ** (octave - halvings)
        for _ in range(SCALES + 2):
            images.append(slow_blur(images[-1], sigma * math.sqrt(2 ** (2 / SCALES) - 1)))
            sigma *= 2 ** (1 / SCALES)
        halved = len(out) + 1 == len(sizes) or sizes[len(out) + 1][3] > sizes[len(out)][3]
        out.append(np.stack(images))
        first = images[SCALES][::2, ::2] if halved else images[SCALES]
    return out


def slow_extrema(space: list[Floats]) -> list[tuple[int, float, float, float, float]]:
    """Octave, x, y, level and response of each extremum."""
    out = []
    for octave, images in enumerate(space):
        d = np.diff(images, axis=0)
        for s, y, x in np.ndindex(d.shape):
            if not (1 <= s <= SCALES and 1 <= y < d.shape[1] - 1 and 1 <= x < d.shape[2] - 1):
                continue
            cube = d[s - 1 : s + 2, y - 1 : y + 2, x - 1 : x + 2]
            others = np.delete(cube.ravel(), 13)
            value = cube[1, 1, 1]
            if abs(value) < CONTRAST / 2 or not (value > others.max() or value < others.min()):
                continue
            if (found := slow_refined(d, s, y, x)) is not None:
                out.append((octave, *found))
    return out


def slow_refined(d: Floats, s: int, y: int, x: int) -> tuple[float, float, float, float] | None:
    for _ in range(4):
        cube = d[s - 1 : s + 2, y - 1 : y + 2, x - 1 : x + 2]
        slope = np.array([cube[1, 1, 2] - cube[1, 1, 0], cube[1, 2, 1] - cube[1, 0, 1], cube[2, 1, 1] - cube[0, 1, 1]])
        slope /= 2
        bend = np.empty((3, 3))
        axes = ((0, 0, 1), (0, 1, 0), (1, 0, 0))
        for i, a in enumerate(axes):
            for j, b in enumerate(axes):
                if i == j:
                    bend[i, i] = cube[tuple(1 + n for n in a)] + cube[tuple(1 - n for n in a)] - 2 * cube[1, 1, 1]
                else:
                    plus, minus = np.add(a, b), np.subtract(a, b)
                    bend[i, j] = (
                        cube[tuple(1 + plus)] + cube[tuple(1 - plus)] - cube[tuple(1 + minus)] - cube[tuple(1 - minus)]
                    ) / 4
        step = -np.linalg.solve(bend, slope)
        if (abs(step) <= 0.5).all():
            response = abs(cube[1, 1, 1] + slope @ step / 2)
            area, trace = np.linalg.det(bend[:2, :2]), np.trace(bend[:2, :2])
            if response < CONTRAST or area <= 0 or trace**2 * EDGE >= (EDGE + 1) ** 2 * area:
                return None
            return x + step[0], y + step[1], s + step[2], response
        if not (abs(step) < 100).all():
            return None
        x, y, s = (at + round(move) for at, move in zip((x, y, s), step, strict=True))
        if not (1 <= s <= SCALES and 1 <= y < d.shape[1] - 1 and 1 <= x < d.shape[2] - 1):
            return None
    return None


def slow_descriptor(image: Floats, x: float, y: float, sigma: float, angle: float) -> Floats:
    """The descriptor of a keypoint in the pixels of its octave."""
    step = 3.0 * CELLS / GRID * sigma

    def level(i: float, j: float) -> float:
        u = x + step * (math.cos(angle) * i - math.sin(angle) * j)
        v = y + step * (math.sin(angle) * i + math.cos(angle) * j)
        u, v = (min(max(at, 0.0), length - 1.001) for at, length in ((u, image.shape[1]), (v, image.shape[0])))
        column, row = int(u), int(v)
        u, v = u - column, v - row
        upper = image[row, column] * (1 - u) + image[row, column + 1] * u
        lower = image[row + 1, column] * (1 - u) + image[row + 1, column + 1] * u
        return float(upper * (1 - v) + lower * v)

    out = np.zeros((CELLS, CELLS, BINS))
    for j in np.arange(GRID) - (GRID - 1) / 2:
        for i in np.arange(GRID) - (GRID - 1) / 2:
            dx, dy = level(i + 1, j) - level(i - 1, j), level(i, j + 1) - level(i, j - 1)
            weight = math.hypot(dx, dy) * math.exp(-2 * (i * i + j * j) / GRID**2)
            place = [at / GRID * CELLS + CELLS / 2 - 0.5 for at in (j, i)]
            place.append(math.atan2(dy, dx) / (2 * math.pi) * BINS % BINS)
            low = [math.floor(at) for at in place]
            for corner in np.ndindex(2, 2, 2):
                cell = [at + one for at, one in zip(low, corner, strict=True)]
                share = math.prod(1 - abs(at - one) for at, one in zip(place, cell, strict=True))
                if 0 <= cell[0] < CELLS and 0 <= cell[1] < CELLS:
                    out[cell[0], cell[1], cell[2] % BINS] += weight * share
    flat = np.minimum(out.ravel(), 0.2 * np.linalg.norm(out))
    return np.asarray(np.sqrt(flat / flat.sum()))


# -- the compiled loops match the reference


@given(st.integers(0, 2**32 - 1), st.integers(24, 48), st.integers(24, 48))
@settings(max_examples=amount(4, 20), deadline=None)
def test_the_scale_space_and_its_extrema_match_the_reference(seed: int, height: int, width: int) -> None:
    grey = blobs(seed, height, width)
    sizes = octaves(height, width)
    space, found = np.empty(sizes[-1, 2], np.float32), np.empty((500, 6), np.float32)
    count = find_extrema(grey, sizes, np.float32(CONTRAST), np.float32(EDGE), space, found)
    slow = slow_space(grey)
    for images, (rows, columns, place, _) in zip(slow, sizes[:-1].tolist(), strict=True):
        mine = space[place : place + images.size].reshape(images.shape)
        assert images.shape[1:] == (rows, columns)
        np.testing.assert_allclose(mine, images, atol=1e-3)
    mine = found[:count][:, [OCTAVE, X, Y, LEVEL, RESPONSE]].astype(float)
    theirs = np.array(slow_extrema(slow)).reshape(-1, 5)
    for one, others in ((mine, theirs), (theirs, mine)):
        distances = np.array([min((float(np.abs(other - row).max()) for other in others), default=9.0) for row in one])
        # Rounding decides between two equal neighbours, at a threshold and halfway between two pixels.
        assert np.count_nonzero(distances > 0.02) <= max(2, len(one) // 10)


@given(st.integers(0, 2**32 - 1))
@example(188356710)
@settings(max_examples=amount(3, 10), deadline=None)
def test_descriptors_match_the_reference(seed: int) -> None:
    grey = blobs(seed, 60, 70)
    grey = np.clip(grey + np.random.default_rng(seed).normal(0, 6, grey.shape), 0, 255).astype(np.uint8)  # many spots
    slow = slow_space(grey)
    points = _detect(grey, 10, CONTRAST, EDGE)  # not `detect_keypoints`, which enlarges an image with few keypoints
    levels = octaves(*grey.shape)[:-1]
    for place, size, angle, descriptor in zip(*points, strict=True):
        octave = int(np.clip(np.floor(np.log2(size / 2 / FIRST) - 0.5 / SCALES), 0, len(levels) - 1))
        pitch = 2 ** levels[octave][3]
        best = max(
            float(
                slow_descriptor(image, place[0] / pitch, place[1] / pitch, size / 2 / pitch, float(angle)) @ descriptor
            )
            for image in slow[octave][1 : SCALES + 1]
        )
        assert best > 0.98


def test_the_orientation_on_a_ramp_points_up_the_slope() -> None:
    """The orientation of a spot on a gradient is the direction of the gradient."""
    y, x = np.mgrid[:64, :64].astype(float)
    for degrees in range(0, 360, 30):
        turn = math.radians(degrees)
        ramp = 2.5 * ((x - 32) * math.cos(turn) + (y - 32) * math.sin(turn))
        spot = 40 * np.exp(-((x - 32) ** 2 + (y - 32) ** 2) / (2 * 4**2))
        grey = np.clip(120 + ramp + spot, 0, 255).astype(np.uint8)
        points = detect_keypoints(grey, 10)
        centre = np.linalg.norm(points.place - [32, 32], axis=1).argmin()
        difference = (points.angle[centre] - turn + math.pi) % (2 * math.pi) - math.pi
        assert abs(difference) < 0.1


# -- repeatability in copies


def matched(a: Keypoints, b: Keypoints, moved: NDArray[np.floating], scale: float) -> float:
    """The share of the keypoints of `a`, at positions `moved`, that `b` has too, with a similar descriptor."""
    far = np.linalg.norm(moved[:, None] - b.place[None], axis=2)
    sizes = np.abs(np.log2(a.size * scale)[:, None] - np.log2(b.size)[None])
    alike = (far < 1.0 * max(scale, 1)) & (sizes < 0.3) & (a.descriptors @ b.descriptors.T > 0.9)
    return float(alike.any(axis=1).mean())


def test_keypoints_are_found_again_in_turned_mirrored_and_scaled_copies() -> None:
    image = draw("scene", 5, (256, 192)).convert("L")
    grey = np.asarray(image)
    points = detect_keypoints(grey, 100)
    turned = detect_keypoints(np.ascontiguousarray(np.rot90(grey)), 100)
    assert matched(points, turned, np.column_stack([points.place[:, 1], 255 - points.place[:, 0]]), 1) > 0.8
    darker = detect_keypoints((grey * 0.7 + 20).astype(np.uint8), 100)
    assert matched(points, darker, points.place.astype(float), 1) > 0.85
    smaller = detect_keypoints(np.asarray(image.resize((171, 128), Image.Resampling.LANCZOS)), 100)
    large = points.size > 4
    kept = Keypoints(*(part[large] for part in points))
    assert matched(kept, smaller, (kept.place + 0.5) * (2 / 3) - 0.5, 2 / 3) > 0.6


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2, 2), (3, 3), (3, 500), (5, 7), (11, 11), (25, 300)])
def test_images_of_any_shape_are_accepted(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    for grey in (noise, np.zeros(shape, np.uint8), enlarge(noise)):
        points = detect_keypoints(grey, 20)
        assert len(points.size) <= 20
        assert all(np.isfinite(part).all() for part in points)


def test_noise_does_not_crowd_out_large_spots() -> None:
    y, x = np.mgrid[:256, :256]
    noise = np.random.default_rng(2).normal(0, 25, (256, 256))
    spot = 90 * np.exp(-((x - 100) ** 2 + (y - 150) ** 2) / (2 * 25**2))
    points = detect_keypoints(np.clip(90 + noise + spot, 0, 255).astype(np.uint8), 5000)
    large = points.size > 30
    assert np.linalg.norm(points.place[large] - [100, 150], axis=1).min() < 8


def test_a_small_number_of_keypoints_are_the_strongest() -> None:
    grey = np.asarray(draw("scene", 2, (256, 200)).convert("L"))
    many, few = detect_keypoints(grey, 150), detect_keypoints(grey, 30)
    for one, other in zip(few, many, strict=True):
        assert np.array_equal(one, other[:30])


def test_a_small_image_is_enlarged_and_its_keypoints_lie_in_its_own_pixels() -> None:
    image = draw("scene", 7, (256, 192)).convert("L")
    small = np.asarray(image.resize((64, 48), Image.Resampling.BOX))
    assert enlarge(small).shape == (LEAST_SIDE * 3 // 4, LEAST_SIDE)
    assert enlarge(np.asarray(image)).shape == (192, 256)
    assert enlarge(small[:20, :32]).shape == (80, 128)  # four times
    assert len(detect_in_small(small[:10, :16], 100).size) == 0
    points = detect_in_small(small, 100)
    assert len(points.size) > 2 * len(detect_keypoints(small, 100).size)
    assert points.place.max(axis=0)[0] < 64
    assert points.place.max(axis=0)[1] < 48


# -- loops are compiled once after an installation


def test_a_function_is_compiled_once(tmp_path: Path) -> None:
    (tmp_path / "loops.py").write_text(
        "from twinpix.search.kernels import jit\n@jit.compiled()\ndef double(x):\n    return 2 * x\n"
    )
    program = (
        "import loops\n"
        "print(loops.jit.is_compiled(loops.double), loops.double(21), loops.jit.is_compiled(loops.double))"
    )
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    for expected in ("False 42 True", "True 42 True"):
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == expected.split()


def test_compiling_is_shown_as_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("scene", 1, (200, 150)).save(tmp_path / "a.png")
    stages: list[str] = []

    def find() -> None:
        twinpix.find(tmp_path, store=None, workers=1, progress=lambda stage, done, total: stages.append(stage))

    find()
    stages.clear()
    find()
    assert "compile" not in stages
    monkeypatch.setattr(keypoints, "is_compiled", lambda: False)
    find()
    assert stages.count("compile") == 1
    for shown in (LineProgress(), TerminalProgress()):
        with shown.stage("compile"):
            pass
        assert capsys.readouterr().err == (
            "twinpix: compiling loops, once after an installation: ten seconds to a minute\n"
        )
