"""imagededup's CNN: with the package network, with encodings, and with PyTorch models of the user."""

import json
import logging
import os
import subprocess
import sys
import tracemalloc
import types
import urllib.error
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from stores import held
from twinpix import fingerprints
from twinpix.compat import _own
from twinpix.compat.imagededup.evaluation import evaluate
from twinpix.compat.imagededup.methods import CNN
from twinpix.compat.imagededup.utils import CustomModel
from twinpix.compat.imagededup.utils.models import EfficientNet, MobilenetV3, ViT
from twinpix.errors import UsageError
from twinpix.fingerprints import cnn
from twinpix.store import default_path

THRESHOLD = "Threshold must be a float between -1.0 and 1.0"
NO_INPUT = "Please provide either image file path or image array!"
Draw = Callable[..., Image.Image]
Vector = NDArray[np.float32]

own = pytest.mark.skipif(not cnn.OWN.is_file(), reason="the package's own network is not in this checkout")


def at_angles(*degrees: float) -> dict[str, Vector]:
    """Vectors of different lengths in a plane, with the names `0`, `1` and so on."""
    angles = np.radians(degrees)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (1 + np.arange(len(degrees)))[:, None]
    return {str(at): row.astype(np.float32) for at, row in enumerate(rows)}


# -- with encodings


def test_neighbours_by_cosine() -> None:
    """In the order of the names, as in imagededup, whatever the lengths."""
    found = CNN().find_duplicates(encoding_map=at_angles(30, 0, 60, 180), min_similarity_threshold=0.5, scores=True)
    assert found == {
        "0": [("1", 0.866), ("2", 0.866)],
        "1": [("0", 0.866), ("2", 0.5)],
        "2": [("0", 0.866), ("1", 0.5)],
        "3": [],
    }
    assert all(type(score) is float for row in found.values() for _, score in row)
    without = CNN().find_duplicates(encoding_map=at_angles(30, 0, 60, 180), min_similarity_threshold=0.5)
    assert without == {name: [other for other, _ in row] for name, row in found.items()}


@pytest.mark.parametrize(
    ("threshold", "near"),
    [(1.0, []), (0.5001, []), (0.5, ["1"]), (0.0, ["1", "2"]), (-0.9999, ["1", "2"]), (-1.0, ["1", "2", "3"])],
)
def test_the_threshold_is_inclusive(threshold: float, near: list[str]) -> None:
    found = CNN().find_duplicates(encoding_map=at_angles(0, 60, 90, 180), min_similarity_threshold=threshold)
    assert found["0"] == near


def test_equal_directions_reach_the_highest_threshold() -> None:
    rng = np.random.default_rng(1)
    row = rng.normal(size=1024).astype(np.float32)
    found = CNN().find_duplicates(encoding_map={"a": row, "b": 3 * row, "c": -row}, min_similarity_threshold=1.0)
    assert found == {"a": ["b"], "b": ["a"], "c": []}


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=9),
    threshold=st.integers(-20, 20),
    threads=st.sampled_from([-1, 0, 1, 3]),
)
def test_the_map_matches_the_definition(rows: list[list[int]], threshold: int, threads: int) -> None:
    """Also rows of zeros, whose cosine is 0."""
    least = threshold / 20
    found = CNN().find_duplicates(
        encoding_map={str(at): np.array(row) for at, row in enumerate(rows)},
        min_similarity_threshold=least,
        scores=True,
        num_sim_workers=threads,
    )
    vectors = np.array(rows, dtype=np.float64)
    lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    cosines = np.round((vectors @ vectors.T) / np.outer(lengths, lengths), 4) + 0.0
    for at in range(len(rows)):
        near = [(str(j), c) for j, c in enumerate(cosines[at].tolist()) if j != at and c >= least]
        assert [name for name, _ in found[str(at)]] == [name for name, _ in near]
        assert [c for _, c in found[str(at)]] == pytest.approx([c for _, c in near], abs=1e-9)


def test_rows_of_zeros_have_no_direction() -> None:
    """Their cosine with anything is 0, as imagededup counts it."""
    encodings = {"a": [0, 0], "b": [1, 0], "c": [0, 0], "d": [1, 1]}
    for threshold in (0.0, -1.0):
        found = CNN().find_duplicates(encoding_map=encodings, min_similarity_threshold=threshold, scores=True)
        assert found == {
            "a": [("b", 0.0), ("c", 0.0), ("d", 0.0)],
            "b": [("a", 0.0), ("c", 0.0), ("d", 0.7071)],
            "c": [("a", 0.0), ("b", 0.0), ("d", 0.0)],
            "d": [("a", 0.0), ("b", 0.7071), ("c", 0.0)],
        }
    found = CNN().find_duplicates(encoding_map=encodings, min_similarity_threshold=0.1)
    assert found == {"a": [], "b": ["d"], "c": [], "d": ["b"]}


def test_scores_survive_json(tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    found = CNN().find_duplicates(
        encoding_map=at_angles(0, 10, 90), min_similarity_threshold=-1.0, scores=True, outfile=str(out)
    )
    assert out.read_text() == json.dumps(found, indent=2, sort_keys=True)
    read = json.loads(out.read_text())
    assert {name: [tuple(pair) for pair in row] for name, row in read.items()} == found
    assert evaluate({name: [] for name in found}, read, "jaccard")["jaccard"] == 0


def test_find_duplicates_to_remove(tmp_path: Path) -> None:
    encodings = at_angles(0, 20, 40, 41)
    found = CNN().find_duplicates_to_remove(encoding_map=encodings, outfile=str(tmp_path / "out.json"))
    assert found == ["1", "3"]
    assert json.loads((tmp_path / "out.json").read_text()) == found
    assert CNN().find_duplicates_to_remove(encoding_map=encodings, min_similarity_threshold=0.9999) == []


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("end", ["max", "tiny"])
def test_the_length_of_an_encoding_does_not_matter(dtype: Any, end: str) -> None:
    """Numbers that overflow or underflow in single precision have a direction too."""
    most = getattr(np.finfo(dtype), end) * dtype(4 if end == "tiny" else 1 / 8)
    rows = {name: row.astype(dtype) * most for name, row in at_angles(0, 30, 90, 180).items()}
    found = CNN().find_duplicates(encoding_map=rows, min_similarity_threshold=-1.0, scores=True)
    assert [name for name, _ in found["0"]] == ["1", "2", "3"]
    assert [cosine for _, cosine in found["0"]] == pytest.approx([0.866, 0, -1], abs=2e-4)


def test_accepted_types_of_encodings() -> None:
    """Lists, as from a file; `(1, d)`, as of a single image; other types of numbers; names that are not text."""
    row = [0.5, 0.25, -1]
    encodings: Any = {
        1: row,
        2: np.array([row], dtype=np.float32),
        3: np.array(row, dtype=np.float16),
        4: tuple(row),
    }
    assert CNN().find_duplicates(encoding_map=encodings)[1] == [2, 3, 4]  # type: ignore[index]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda c: c.encode_image(), ValueError, NO_INPUT),
        (lambda c: c.encode_image("/no/such.jpg"), ValueError, NO_INPUT),
        (lambda c: c.encode_image(image_array=np.zeros((4, 4, 4))), AssertionError, r"\(4, 4, 4\)"),
        (lambda c: c.encode_image(image_array=np.zeros(4)), ValueError, "dimensions are 3 for rgb image and 2"),
        (lambda c: c.encode_images("/no/such"), ValueError, "Please provide a valid directory path!"),
        (lambda c: c.find_duplicates("/no/such"), ValueError, "Please provide a valid directory path!"),
        (lambda c: c.find_duplicates(), ValueError, "Provide either an image directory or encodings!"),
        (lambda c: c.find_duplicates(encoding_map={}), ValueError, "Provide either an image directory or encodings!"),
        (lambda c: c.find_duplicates_to_remove(), ValueError, "Provide either an image directory or encodings!"),
        (lambda c: c.find_duplicates("/", min_similarity_threshold=1), TypeError, THRESHOLD),
        (lambda c: c.find_duplicates("/", min_similarity_threshold="0.9"), TypeError, THRESHOLD),
        (lambda c: c.find_duplicates("/", min_similarity_threshold=1.01), ValueError, THRESHOLD),
        (lambda c: c.find_duplicates("/", min_similarity_threshold=float("nan")), ValueError, THRESHOLD),
        (lambda c: c.find_duplicates_to_remove("/", min_similarity_threshold=-1.5), ValueError, THRESHOLD),
        (lambda c: c.find_duplicates(encoding_map={"a": "ff"}), ValueError, "'a' is no row of numbers"),
        (lambda c: c.find_duplicates(encoding_map={"a": None}), ValueError, "'a' is no row of numbers"),
        (lambda c: c.find_duplicates(encoding_map={"a": []}), ValueError, "'a' is no row of numbers"),
        (lambda c: c.find_duplicates(encoding_map={"a": [10**400]}), ValueError, "'a' is no row of numbers"),
        (lambda c: c.find_duplicates(encoding_map={"a": np.ones((2, 2))}), ValueError, "it is 2 × 2"),
        (lambda c: c.find_duplicates(encoding_map={"a": [1, 2], "b": [1]}), ValueError, "'b' has 1 numbers, those be"),
        (lambda c: c.find_duplicates(encoding_map={"a": [1, np.inf]}), ValueError, "'a' has numbers that are not fi"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[CNN], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(CNN())


def test_warnings_for_parameters_without_effect() -> None:
    encodings = at_angles(0, 1)
    with pytest.warns(
        RuntimeWarning, match="Parameter num_enc_workers has no effect since encodings are already provided"
    ):
        CNN().find_duplicates(encoding_map=encodings, num_enc_workers=0)
    with pytest.warns(SyntaxWarning, match="recursive parameter is irrelevant when using encodings."):
        CNN().find_duplicates(encoding_map=encodings, recursive=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CNN().find_duplicates(encoding_map=encodings, num_sim_workers=2)


def test_no_matrix_of_all_pairs_is_held() -> None:
    """For 8,000 images it would take 256 MB in single precision."""
    rows = np.random.default_rng(0).normal(size=(8000, 16)).astype(np.float32)
    encodings = {str(at): row for at, row in enumerate(rows)}
    tracemalloc.start()
    try:
        found = CNN().find_duplicates(encoding_map=encodings, min_similarity_threshold=0.85)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(map(len, found.values())) > 0
    assert peak < 120 << 20


# -- with the package network


@own
def test_readme_find_duplicates(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    encoder = CNN()
    out = tmp_path / "my_duplicates.json"
    duplicates = encoder.find_duplicates(image_dir=photos, scores=True, outfile=str(out))
    assert list(duplicates) == sorted(os.listdir(photos))
    assert [name for name, _ in duplicates["0.png"]] == ["0 encoded.jpg", "0 same.png", "0 small.jpg"]
    assert duplicates["1.png"] == duplicates["2.png"] == []
    assert ("0 same.png", 1.0) in duplicates["0.png"]
    assert out.read_text() == json.dumps(duplicates, indent=2, sort_keys=True)
    spare = encoder.find_duplicates_to_remove(image_dir=str(photos))
    assert spare == ["0 same.png", "0 small.jpg", "0.png"]


@own
def test_an_encoding_has_all_numbers_of_the_network() -> None:
    assert f"cnn:dims={_own.NUMBERS}" == _own.SPEC
    with pytest.raises(UsageError, match=f"gives {_own.NUMBERS} numbers"):
        fingerprints.make(f"cnn:dims={_own.NUMBERS + 1}").check()


@own
def test_encodings_of_a_folder_and_of_one_image(photos: Path) -> None:
    pytest.importorskip("onnxruntime")
    (photos / "sub").mkdir()
    (photos / "sub" / "deep.png").write_bytes((photos / "1.png").read_bytes())
    (photos / ".hidden.png").write_bytes((photos / "1.png").read_bytes())
    encoder = CNN(verbose=False)
    flat = encoder.encode_images(photos)
    assert set(flat) == set(os.listdir(photos)) - {"sub", ".hidden.png"}
    assert {(row.shape, row.dtype.name) for row in flat.values()} == {((1024,), "float32")}
    deep = encoder.encode_images(str(photos), recursive=True, num_enc_workers=1)
    assert set(deep) - set(flat) == {os.path.join("sub", "deep.png")}
    for path in (photos / "0.png", str(photos / "0.png")):
        one = encoder.encode_image(image_file=path)
        assert (one.shape, one.dtype) == ((1, 1024), np.float32)
        assert np.allclose(one[0], flat["0.png"], atol=2e-3)
    with Image.open(photos / "0.png") as image:
        assert np.array_equal(encoder.encode_image(image_array=np.asarray(image)), one)
    assert encoder.find_duplicates(encoding_map=flat) == encoder.find_duplicates(photos)


@own
def test_grey_arrays_have_their_channel_three_times(draw_image: Draw) -> None:
    pytest.importorskip("onnxruntime")
    grey = np.asarray(draw_image(0).convert("L"))
    thrice = np.stack([grey] * 3, axis=2)
    encoder = CNN(verbose=False)
    assert np.array_equal(encoder.encode_image(image_array=grey), encoder.encode_image(image_array=thrice))
    assert not np.array_equal(encoder.encode_image(image_array=grey), encoder.encode_image(image_array=255 - thrice))
    assert encoder.apply_preprocess(thrice).shape[2] == 3


@own
def test_unreadable_images_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture, draw_image: Draw) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "bad.jpg").write_text("no image")
    draw_image(0).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "whole.jpg").unlink()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) * 3 // 4])
    encoder = CNN(verbose=False)
    assert encoder.encode_images(tmp_path) == encoder.find_duplicates(tmp_path) == {}
    assert encoder.find_duplicates_to_remove(tmp_path) == []
    assert "bad.jpg" in caplog.text
    assert "cut.jpg" in caplog.text
    caplog.clear()
    assert encoder.encode_image(tmp_path / "cut.jpg") is None
    assert "cut.jpg" in caplog.text


@own
def test_a_run_resumes_from_the_store(photos: Path) -> None:
    pytest.importorskip("onnxruntime")
    first = CNN(verbose=False).encode_images(photos)
    assert held(default_path()) == 5  # contents; two files are identical
    again = CNN(verbose=False).encode_images(photos)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert held(default_path()) == 5


# -- with a user model


def tensor_of(image: Image.Image) -> Any:
    """Pixels from 0 to 1, as `(3, 24, 32)`."""
    import torch

    pixels = np.asarray(image.resize((32, 24)), dtype=np.float32) / 255
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def small_model(*layers: Any) -> Any:
    """Eight fixed filters, pooled: `(n, 8, 1, 1)`."""
    import torch

    torch.manual_seed(0)
    filters = torch.nn.Conv2d(3, 8, 5, stride=3)
    return torch.nn.Sequential(filters, *layers, torch.nn.AdaptiveAvgPool2d(1))


def encoder_with(model: Any, transform: Any = tensor_of) -> CNN:
    return CNN(verbose=False, model_config=CustomModel("mine", model, transform))


def test_a_user_model(photos: Path) -> None:
    torch = pytest.importorskip("torch")
    model = small_model()
    encoder = encoder_with(model)
    found = encoder.encode_images(photos)
    assert list(found) == sorted(os.listdir(photos))
    assert {(row.shape, row.dtype.name) for row in found.values()} == {((8,), "float32")}
    for name, row in found.items():
        with Image.open(photos / name) as image, torch.no_grad():
            direct = model(tensor_of(image.convert("RGB"))[None]).reshape(-1).numpy()
        assert np.allclose(row, direct, atol=1e-6)
        one = encoder.encode_image(photos / name)
        assert one.shape == (1, 8)
        assert np.allclose(one[0], row, atol=1e-6)
    same = encoder.find_duplicates(photos, min_similarity_threshold=1.0)
    assert "0 same.png" in same["0.png"]
    assert same == encoder.find_duplicates(encoding_map=found, min_similarity_threshold=1.0)
    grey = np.full((30, 40), 99, np.uint8)
    assert np.array_equal(
        encoder.encode_image(image_array=grey), encoder.encode_image(image_array=np.stack([grey] * 3, axis=2))
    )
    assert encoder.apply_preprocess(np.stack([grey] * 3, axis=2)).shape == (3, 24, 32)


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # on a machine with one core
def test_batches_and_processes_change_nothing(photos: Path) -> None:
    pytest.importorskip("torch")
    (photos / "bad.jpg").write_text("no image")
    whole = encoder_with(small_model()).encode_images(photos)
    encoder = encoder_with(small_model())
    encoder.batch_size = 2
    for workers in (0, 2):
        found = encoder.encode_images(photos, num_enc_workers=workers)
        assert list(found) == list(whole)
        assert all(np.allclose(found[name], whole[name], atol=1e-6) for name in whole)


def test_a_single_image_and_a_single_number(tmp_path: Path, draw_image: Draw) -> None:
    pytest.importorskip("torch")
    draw_image(0).save(tmp_path / "a.png")
    assert encoder_with(small_model()).encode_images(tmp_path)["a.png"].shape == (8,)
    draw_image(1).save(tmp_path / "b.png")
    found = encoder_with(lambda batch: batch.mean((1, 2, 3))).encode_images(tmp_path)
    assert {name: row.shape for name, row in found.items()} == {"a.png": (1,), "b.png": (1,)}
    assert found["a.png"] != found["b.png"]


def test_a_model_is_evaluated_not_trained(tmp_path: Path, draw_image: Draw) -> None:
    torch = pytest.importorskip("torch")
    draw_image(0).save(tmp_path / "a.png")
    encoder = encoder_with(small_model(torch.nn.Dropout(0.9)))
    first, second = (encoder.encode_image(tmp_path / "a.png") for _ in range(2))
    assert np.array_equal(first, second)
    assert first.all()


def test_images_are_passed_as_imagededup_passes_them(tmp_path: Path, draw_image: Draw) -> None:
    """In RGB, not rotated, without alpha."""
    torch = pytest.importorskip("torch")
    exif = Image.Exif()
    exif[0x0112] = 6
    draw_image(0, (80, 60)).save(tmp_path / "turned.jpg", exif=exif)
    clear = draw_image(1, (50, 40)).convert("RGBA")
    clear.putalpha(0)
    clear.save(tmp_path / "clear.png")
    seen: dict[tuple[int, int], tuple[str, float]] = {}

    def transform(image: Image.Image) -> Any:
        seen[image.size] = (image.mode, float(np.asarray(image).mean()))
        return torch.tensor([float(side) for side in image.size])

    found = encoder_with(lambda batch: batch, transform).encode_images(tmp_path)
    assert {name: row.tolist() for name, row in found.items()} == {"turned.jpg": [80, 60], "clear.png": [50, 40]}
    assert {mode for mode, _ in seen.values()} == {"RGB"}
    assert seen[(50, 40)][1] == pytest.approx(np.asarray(draw_image(1, (50, 40))).mean(), abs=1)


def test_non_finite_numbers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch = pytest.importorskip("torch")
    Image.new("RGB", (40, 30), "black").save(tmp_path / "black.png")
    Image.new("RGB", (40, 30), "white").save(tmp_path / "white.png")
    encoder = encoder_with(lambda batch: torch.sqrt(batch.mean((2, 3)) - 0.5))
    assert list(encoder.encode_images(tmp_path)) == ["white.png"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "black.png" in record.getMessage()
    assert encoder.encode_image(tmp_path / "black.png") is None
    assert encoder.find_duplicates(tmp_path) == {"white.png": []}
    (tmp_path / "white.png").unlink()
    assert encoder.find_duplicates(tmp_path) == {}


def test_only_files_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("torch")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("no image")
    encoder = encoder_with(small_model())
    assert encoder.encode_images(tmp_path) == encoder.find_duplicates(tmp_path) == {}
    assert "b.jpg" in caplog.text


def test_required_outputs_of_a_model_and_a_transform(photos: Path) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="mine gives tuple, not a tensor"):
        encoder_with(lambda batch: (batch,)).encode_images(photos)
    with pytest.raises(ValueError, match="mine gives 3 × 24 × 32 for 6 images, not a row each"):
        encoder_with(lambda batch: batch[0]).encode_images(photos)
    with pytest.raises(TypeError, match="the transform gives ndarray, not a tensor") as caught:
        encoder_with(small_model(), np.asarray).encode_images(photos)
    assert "0 encoded.jpg" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match=r"0 small.jpg.*a batch needs one shape"):
        encoder_with(small_model(), lambda image: torch.zeros(image.size)).encode_images(photos)
    maps = encoder_with(lambda batch: batch)
    assert maps.encode_images(photos)["0.png"].shape == (3, 24, 32)
    with pytest.raises(ValueError, match="these are 3 × 24 × 32"):
        maps.find_duplicates(photos)


def test_an_incomplete_model_config() -> None:
    for config in (CustomModel(), CustomModel("mine", model=len), CustomModel("mine", transform=len)):
        with pytest.raises(ValueError, match=r"No value provided for model and/or transform in model_config .."):
            CNN(model_config=config)
    with pytest.warns(SyntaxWarning, match="Consider setting a custom model name in model_config .."):
        CNN(model_config=CustomModel(model=len, transform=len))


# -- torchvision's networks


NAMED = [MobilenetV3, ViT, EfficientNet]


def test_large_libraries_are_imported_only_to_compute() -> None:
    program = """
import sys, twinpix
from twinpix.compat.imagededup.methods import CNN
from twinpix.compat.imagededup.utils import CustomModel
import twinpix.compat.imagededup.utils.models  # torch is loaded only by who names a network of it
CNN(model_config=CustomModel("mine", abs, abs))
CNN().find_duplicates(encoding_map={"a": [1.0, 0.0], "b": [1.0, 0.1]})
print([name for name in ("torch", "torchvision", "onnxruntime") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("model", NAMED)
def test_a_missing_library(model: Any, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = CNN(verbose=False, model_config=CustomModel(model.name, model(), model.transform))
    monkeypatch.setitem(sys.modules, "torchvision", None)
    if "torch" in sys.modules:
        with pytest.raises(UsageError, match="pip install torchvision"):
            encoder.encode_image(photos / "0.png")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match=r"pip install 'twinpix\[torch\]'"):
        encoder.encode_image(photos / "0.png")


def fake_torchvision(get_model: Callable[..., Any]) -> Any:
    """The part of torchvision that is called, with a network that returns three channels."""
    weights = types.SimpleNamespace(url="https://example.org/weights.pth", transforms=lambda: tensor_of)
    steps = types.SimpleNamespace(
        Compose=lambda parts: parts[-1], Resize=len, CenterCrop=bool, ToTensor=dict, Normalize=lambda **_: tensor_of
    )
    models = types.SimpleNamespace(get_weight=lambda name: weights, get_model=get_model)
    return types.SimpleNamespace(models=models, transforms=steps)


@pytest.mark.parametrize("model", [MobilenetV3, EfficientNet])
def test_a_network_of_torchvision(model: Any, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    asked = []

    def get_model(name: str, weights: Any) -> Any:
        asked.append((name, weights.url))
        network = torch.nn.Module()
        network.features, network.avgpool = torch.nn.Identity(), torch.nn.AdaptiveAvgPool2d(1)
        return network

    monkeypatch.setitem(sys.modules, "torchvision", fake_torchvision(get_model))
    monkeypatch.setattr(model.transform, "_made", None)
    encoder = CNN(verbose=False, model_config=CustomModel(model.name, model(), model.transform))
    assert asked == []
    found = encoder.encode_images(photos)
    with Image.open(photos / "1.png") as image:
        assert np.allclose(found["1.png"], tensor_of(image).mean((1, 2)).numpy(), atol=1e-6)
    assert asked == [(model.name, "https://example.org/weights.pth")]
    monkeypatch.setattr(model.transform, "_made", None)


def test_weights_that_cannot_be_downloaded(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")

    def get_model(name: str, weights: Any) -> Any:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setitem(sys.modules, "torchvision", fake_torchvision(get_model))
    encoder = CNN(verbose=False, model_config=CustomModel("mine", MobilenetV3(), tensor_of))
    with pytest.raises(UsageError, match=r"mobilenet_v3_small.*https://example.org/weights.pth.*no route to host"):
        encoder.encode_images(photos)
