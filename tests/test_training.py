"""The training: edits match their definition, a stopped run is resumed, and the exported network is the trained one."""

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from drawings import draw

torch = pytest.importorskip("torch", reason="the training needs torch")

import training
from training import render
from training.edits import Editor
from training.geometry import Views
from training.losses import contrast, partners
from training.network import Network, Shape
from training.pack import SIDE, load, pack
from training.rounds import Rounds
from training.train import OtherRecipeError, Recipe, train

Bytes = NDArray[np.uint8]
TINY = Recipe(
    steps=6,
    coarse_steps=3,
    decay_steps=2,
    side=32,
    coarse_side=24,
    pairs=4,
    warmup=2,
    grouped_after=2,
    group=2,
    prefixes=(4, 8),
    shape=Shape(stem=4, widths=(4, 8), blocks=(1, 1), pooled=8, dims=8),
)
ALL = np.ones(1, bool)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory, draw_image: Callable[..., Image.Image]) -> Path:
    """Twelve packed images."""
    folder = tmp_path_factory.mktemp("train")
    with tarfile.open(folder / "a.tar", "w") as tar:
        for seed in range(12):
            out = io.BytesIO()
            draw_image(seed, (SIDE, SIDE)).save(out, "WEBP", quality=90)
            info = tarfile.TarInfo(f"{seed:03}.webp")
            info.size = out.tell()
            tar.addfile(info, io.BytesIO(out.getvalue()))
    assert pack([folder / "a.tar"], folder / "packed") == 12
    return folder / "packed"


def drawn(views: Views, image: Bytes, side: int) -> NDArray[np.float32]:
    """One transformed image on black."""
    out = np.empty((side, side, 3), np.float32)
    colours, bars = np.zeros((2, 3), np.float32), np.zeros((1, 7), np.float32)
    render.fetch(image, image, views.squashed()[0], views.seen[0], render.FLAT, colours, bars, 1, out)
    return out


def test_packing_drops_copies_and_halves(tmp_path: Path, draw_image: Callable[..., Image.Image]) -> None:
    images = [draw_image(1, (SIDE, SIDE)), draw_image(2, (SIDE, SIDE))]
    images += [images[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT), images[1]]
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        for number, image in enumerate(images):
            image.save(tmp_path / f"{number}.png")
            tar.add(tmp_path / f"{number}.png", f"{number}.png")
    assert pack([tmp_path / "b.tar"], tmp_path / "out") == 2
    levels = load(tmp_path / "out")
    assert [level.shape for level in levels] == [(2, 176, 176, 3), (2, 88, 88, 3), (2, 44, 44, 3)]
    np.testing.assert_array_equal(levels[0][0], np.asarray(images[0]))
    means = levels[0].reshape(2, 88, 2, 88, 2, 3).mean(axis=(2, 4))
    assert np.abs(levels[1] - means).max() <= 0.5


def test_geometric_edits_match_their_definition() -> None:
    image = np.asarray(draw("scene", 1, (64, 64)))
    whole = Views(np.ones(1))
    np.testing.assert_allclose(drawn(whole, image, 64), image, atol=0.01)
    mirrored = Views(np.ones(1))
    mirrored.mirror(ALL)
    np.testing.assert_allclose(drawn(mirrored, image, 64), image[:, ::-1], atol=0.01)
    turned = Views(np.ones(1))
    turned.quarter(ALL)
    assert any(np.allclose(drawn(turned, image, 64), np.rot90(image, k), atol=0.01) for k in (1, 3))
    by_angle = Views(np.ones(1))
    by_angle.turn(ALL, np.array([np.pi]), np.ones(1))
    np.testing.assert_allclose(drawn(by_angle, image, 64), image[::-1, ::-1], atol=0.01)
    cut = Views(np.ones(1))
    cut.cut(ALL, np.array([0.25]), np.array([0.5]), np.array([0.5]), np.array([0.25]))
    part = Image.fromarray(image[32:48, 16:48]).resize((64, 64), Image.Resampling.BILINEAR)
    assert np.abs(drawn(cut, image, 64) - np.asarray(part)).mean() < 2.5
    framed = Views(np.ones(1))
    framed.frame(ALL, *(np.full(1, share) for share in (0.5, 0.0, 0.5, 1.0)))
    found = drawn(framed, image, 128)
    assert found[:, :32].max() == found[:, 96:].max() == found[64:].max() == 0
    np.testing.assert_allclose(found[:64, 32:96], image, atol=0.01)


def test_a_rotation_that_grows_the_canvas_shows_the_whole_image() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    views = Views(np.full(1, 1.5))
    views.turn(ALL, np.array([0.4]), np.ones(1))
    shown = drawn(views, white, 200)[..., 0] > 128
    share = 1.5 / float(np.prod(views.size[0]))
    assert shown.mean() == pytest.approx(share, abs=0.01)
    assert max(shown[0].sum(), shown[-1].sum()) <= 40


def test_the_same_seed_makes_the_same_views(packed: Path) -> None:
    levels = load(packed)
    editor = Editor(levels, 48)
    one, two = (editor.batch(np.arange(12), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.second, two.second)
    np.testing.assert_array_equal(one.guest, two.guest)
    other = editor.batch(np.arange(12), np.random.default_rng(4))
    assert (one.second != other.second).any(axis=(1, 2, 3)).all()
    # some first views are the unedited images
    small = np.stack([np.asarray(Image.fromarray(p).resize((48, 48), Image.Resampling.BILINEAR)) for p in levels[0]])
    gaps = np.abs(one.first.astype(int) - small).mean(axis=(1, 2, 3))
    assert 2 <= (gaps < 12).sum() < 12


def test_what_a_mixture_is_a_copy_of() -> None:
    target, silent = partners(torch.tensor([-1, 2, -1]), torch.tensor([1.0, 0.6, 1.0]))
    assert target[0].tolist() == [0, 0, 0, 1, 0, 0]
    assert target[4].tolist() == pytest.approx([0, 0.6, 0.4, 0, 0, 0])
    assert (target.sum(1) == 1).all()
    assert silent.nonzero().tolist() == [[0, 0], [1, 1], [2, 2], [2, 4], [3, 3], [4, 4], [4, 5], [5, 4], [5, 5]]


def test_the_loss_matches_its_definition() -> None:
    rng = np.random.default_rng(1)
    views = rng.normal(size=(6, 5))
    target, silent = partners(torch.tensor([-1, -1, -1]), torch.ones(3))
    unit = views / np.linalg.norm(views, axis=1, keepdims=True)
    expected = 0.0
    for i in range(6):
        mine = (i + 3) % 6
        others = [k for k in range(6) if k != i]
        expected -= (
            np.log(np.exp(unit[i] @ unit[mine] / 0.1) / sum(np.exp(unit[i] @ unit[k] / 0.1) for k in others)) / 6
        )
        nearest = min(np.linalg.norm(unit[i] - unit[k]) for k in others if k != mine)
        expected -= 0.5 * np.log(nearest) / 6
    found = contrast(torch.tensor(views), target.double(), silent, 0.1, 0.5)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_later_rounds_hold_groups_of_near_images() -> None:
    rng = np.random.default_rng(1)
    centres, own = rng.normal(size=(40, 64)), rng.normal(size=(320, 64))
    rounds = Rounds(images=320, pairs=8, group=4, grouped_after=40, dims=64, seed=1)
    for step in range(80):
        images = rounds.images_of(step)
        vectors = centres[images // 8] + 0.4 * own[images]  # forty clusters of eight: near, but not copies
        rounds.learn(step, torch.tensor(images), torch.tensor(vectors, dtype=torch.float32))
    third = np.stack([rounds.images_of(step) for step in range(80, 120)])
    assert sorted(third.ravel()) == list(range(320))
    groups = third.reshape(80, 4) // 8
    assert (groups == groups[:, :1]).all(axis=1).mean() > 0.9


def test_a_resumed_run_equals_an_uninterrupted_one(packed: Path, tmp_path: Path) -> None:
    train(packed, tmp_path / "whole", TINY)
    whole, parts = (tmp_path / name for name in ("whole", "parts"))
    parts.mkdir()
    run_until(packed, parts, 3)
    train(packed, parts, TINY)
    one, two = (torch.load(folder / "state.pt", weights_only=True)["net"] for folder in (whole, parts))
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=1e-3, atol=1e-4)
    assert (whole / "before_decay.pt").exists()
    assert json.loads((whole / "recipe.json").read_text())["steps"] == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rate": 1e-3}, r"at step 3: rate 0.002 \(asked for: 0.001\)"),
        ({"prefixes": (8,)}, r"prefixes \[4, 8\] \(asked for: \[8\]\)"),
        ({"shape": Shape(stem=8, widths=(4, 8), blocks=(1, 1), pooled=8, dims=8)}, "shape {'stem': 4, "),
        ({"steps": 3}, r"steps 6 \(asked for: 3\)"),
        ({"decay_steps": 5}, "decay_steps 2"),
        ({"steps": 8, "seed": 2}, r"steps 6 \(asked for: 8\), seed 1 \(asked for: 2\)"),
    ],
)
def test_a_run_of_another_recipe_is_not_resumed(
    packed: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps(asdict(TINY)))
    run_until(packed, tmp_path, 3)
    held = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OtherRecipeError, match=words):
        train(packed, tmp_path, replace(TINY, **change))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == held


def test_a_recipe_may_be_changed_on_purpose(packed: Path, tmp_path: Path) -> None:
    run_until(packed, tmp_path, 3)
    assert not (tmp_path / "recipe.json").exists()
    train(packed, tmp_path, replace(TINY, rate=1e-3))
    assert json.loads((tmp_path / "recipe.json").read_text())["rate"] == 1e-3


def test_the_end_may_be_moved_until_the_rate_falls(packed: Path, tmp_path: Path) -> None:
    """The whole run equals a run with that end from the start; a run can also be extended from `before_decay.pt`."""
    whole, parts, again = (tmp_path / name for name in ("whole", "parts", "again"))
    longer = replace(TINY, steps=8)
    train(packed, whole, longer)
    train(packed, parts, TINY)
    with pytest.raises(OtherRecipeError, match=r"at step 6: steps 6 \(asked for: 8\)\."):
        train(packed, parts, longer)
    again.mkdir()
    for source, name in (("recipe.json", "recipe.json"), ("before_decay.pt", "state.pt")):
        (again / name).write_bytes((parts / source).read_bytes())
    train(packed, again, longer)
    one, two = (torch.load(folder / "state.pt", weights_only=True) for folder in (whole, again))
    assert one["step"] == two["step"] == 8
    for name, value in one["net"].items():
        torch.testing.assert_close(value, two["net"][name], rtol=1e-3, atol=1e-4)


def test_a_refused_recipe_is_reported_on_the_command_line(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps(asdict(TINY)))
    run_until(packed, tmp_path, 3)
    command = [sys.executable, "-m", "training", "train", str(packed), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(training.__file__).parents[1])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{tmp_path} holds a run of another recipe, at step 3: steps 6 (asked for: ")
    assert done.stderr.count("\n") == 1


def run_until(packed: Path, out: Path, step: int) -> None:
    """Train to a step of the full recipe and stop there."""
    from training.train import Run, _ahead, _batches

    levels = load(packed)
    run = Run(out, TINY, len(levels[0]))
    for batch in _ahead(_batches(levels, run)):
        run.learn(batch)
        if run.step == step:
            run.save()
            return


def test_the_exported_network_equals_the_trained_one(packed: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from training.export import export
    from twinpix import fingerprints
    from twinpix.imaging import picture_of

    shape = Shape(stem=8, widths=(8, 16), blocks=(1, 1), pooled=16, dims=32)
    torch.manual_seed(2)
    net = Network(shape).train()
    pixels = np.stack([np.asarray(draw("scene", seed, (32, 32))) for seed in range(4)])
    for _ in range(3):
        net(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
    net.eval()
    torch.save({"net": net.state_dict()}, tmp_path / "state.pt")
    export(tmp_path / "state.pt", tmp_path / "m.onnx", 32, {"dims": 16}, shape=shape)
    method = fingerprints.make(f"cnn:model={tmp_path / 'm.onnx'},dims=32")
    method.check()
    images = [picture_of(image, colour=32) for image in map(Image.fromarray, pixels)]
    found = method.comparable(fingerprints.codes_of(method, images)[:, 0]).astype(float)
    with torch.no_grad():
        wanted = net(torch.from_numpy(pixels).permute(0, 3, 1, 2).float()).numpy()
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(found, wanted, atol=0.004)
    assert fingerprints.make(f"cnn:model={tmp_path / 'm.onnx'}").bits == 16 * 16

    # rotated to the principal axes: the same cosines, and most of the norm in the first components
    export(tmp_path / "state.pt", tmp_path / "t.onnx", 32, {}, pixels, shape)
    method = fingerprints.make(f"cnn:model={tmp_path / 't.onnx'}")
    turned = method.comparable(fingerprints.codes_of(method, images)[:, 0]).astype(float)
    np.testing.assert_allclose(turned @ turned.T, wanted @ wanted.T, atol=0.01)
    assert np.linalg.norm(turned[:, :4], axis=1).min() > 0.99
    assert (np.diff((turned**2).sum(axis=0)[:4]) <= 1e-3).all()
