"""imagededup's interface: its README's examples, its errors, its hashes."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stores import MANY, SLOW, held
from twinpix.compat.imagededup import evaluation as compat_evaluation
from twinpix.compat.imagededup.evaluation import evaluate
from twinpix.compat.imagededup.methods import AHash, DHash, PHash, WHash
from twinpix.compat.imagededup.utils import CustomModel, image_utils
from twinpix.compat.imagededup.utils.general_utils import get_files_to_remove
from twinpix.store import default_path

CLASSES = [PHash, AHash, DHash, WHash]
GOLDEN = {
    "PHash": "9fee256239984d71",
    "DHash": "2b69707551f1b87a",
    "AHash": "81b83c3c3c3c1e0a",
    "WHash": "89b8bc3c3c3c5e0e",
}
Hasher = type[PHash] | type[AHash] | type[DHash] | type[WHash]
TRANSPOSE = (
    "Transpose relationship violated, file 1 not present as a duplicate for file 2 in the provided mapping dictionary"
)
THRESHOLD = "Threshold must be an int between 0 and 64"
A, B, C = "0" * 16, "0" * 15 + "1", "f" * 16


@pytest.mark.parametrize("cls", CLASSES)
def test_golden_values(shared: Path, cls: Hasher) -> None:
    path = shared / "images/compat/ukbench00120.jpg"
    assert cls().encode_image(image_file=path) == cls().encode_image(str(path)) == GOLDEN[cls.__name__]
    with Image.open(path) as image:
        assert cls().encode_image(image_array=np.asarray(image)) == GOLDEN[cls.__name__]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_hash_is_imagededups(shared: Path, cls: Hasher, tmp_path: Path) -> None:
    with gzip.open(Path(__file__).parent / "golden/imagededup_dev.json.gz", "rt") as file:
        recorded = json.load(file)["items"]
    files = sorted(path for path in (shared / "images/dev").rglob("*") if path.is_file())[::9]
    for number, path in enumerate(files):
        (tmp_path / f"{number:05}").symlink_to(path)
    found = cls(verbose=False).encode_images(tmp_path)
    key = cls.__name__.lower()
    expected = {}
    for number, path in enumerate(files):
        known = recorded.get(hashlib.sha256(path.read_bytes()).hexdigest())
        if known and known.get(key):
            expected[f"{number:05}"] = known[key]
    assert expected
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize("cls", CLASSES)
def test_a_flat_image(cls: Hasher) -> None:
    flat = cls().encode_image(image_array=np.full((40, 50, 3), 7, np.uint8))
    assert flat == ("0" * 16 if cls is DHash else "f" * 16)


def test_readme_find_duplicates(photos: Path, tmp_path: Path) -> None:
    phasher = PHash()
    duplicates = phasher.find_duplicates(
        image_dir=photos, max_distance_threshold=12, scores=True, outfile=str(tmp_path / "my_duplicates.json")
    )
    assert sorted(duplicates) == sorted(os.listdir(photos))
    assert duplicates["1.png"] == []
    assert ("0 same.png", 0) in duplicates["0.png"]
    assert {name for name, _ in duplicates["0.png"]} == {"0 same.png", "0 small.jpg", "0 encoded.jpg"}
    text = (tmp_path / "my_duplicates.json").read_text()
    assert text == json.dumps(duplicates, indent=2, sort_keys=True)


def test_readme_find_duplicates_to_remove(photos: Path, tmp_path: Path) -> None:
    phasher = PHash()
    duplicates = phasher.find_duplicates_to_remove(
        image_dir=photos, max_distance_threshold=12, outfile=str(tmp_path / "my_duplicates.json")
    )
    assert sorted(duplicates) == ["0 same.png", "0 small.jpg", "0.png"]  # "0 encoded.jpg" comes first and is kept
    assert json.loads((tmp_path / "my_duplicates.json").read_text()) == duplicates
    assert get_files_to_remove({"1": ["2"], "2": ["1", "3"], "3": ["2"]}) == ["2"]


def test_readme_encodings(photos: Path) -> None:
    dhasher = DHash()
    encodings = dhasher.encode_images(image_dir=photos)
    assert encodings["0.png"] == dhasher.encode_image(image_file=photos / "0.png")
    assert all(len(text) == 16 and text == text.lower() for text in encodings.values())
    assert dhasher.find_duplicates(encoding_map=encodings)["0.png"].count("0 same.png") == 1


def test_listed_files(photos: Path) -> None:
    (photos / "sub").mkdir()
    shutil.copy(photos / "1.png", photos / "sub" / "deep.png")
    shutil.copy(photos / "1.png", photos / ".hidden.png")
    os.link(photos / "1.png", photos / "link.png")
    (photos / "bad.jpg").write_text("no image")
    (photos / "cut.jpg").write_bytes((photos / "0 encoded.jpg").read_bytes()[:-60])
    flat = PHash().encode_images(photos)
    assert set(flat) == {"0.png", "0 same.png", "0 small.jpg", "0 encoded.jpg", "1.png", "2.png", "link.png"}
    deep = PHash().encode_images(str(photos), recursive=True, num_enc_workers=1)
    assert set(deep) - set(flat) == {os.path.join("sub", "deep.png")}


@pytest.mark.parametrize("method", ["brute_force", "brute_force_cython", "bktree"])
def test_search_methods_give_the_same_result(method: str) -> None:
    found = PHash().find_duplicates(
        encoding_map={"b": A, "a": B, "c": A, "d": "0" * 15 + "2", "e": C}, search_method=method, scores=True
    )
    assert found == {
        "b": [("c", 0), ("a", 1), ("d", 1)],
        "a": [("b", 1), ("c", 1), ("d", 2)],
        "c": [("b", 0), ("a", 1), ("d", 1)],
        "d": [("b", 1), ("c", 1), ("a", 2)],
        "e": [],
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    codes=st.lists(st.integers(0, 2**64 - 1), max_size=12),
    flips=st.lists(st.integers(0, 63), max_size=8),
    radius=st.integers(0, 64),
)
def test_the_map_matches_the_definition(codes: list[int], flips: list[int], radius: int) -> None:
    codes += [codes[0] ^ (1 << bit) for bit in flips] if codes else []
    names = {f"{at}": f"{code:016x}" for at, code in enumerate(codes)}
    if not names:
        return
    found = PHash().find_duplicates(encoding_map=names, max_distance_threshold=radius, scores=True)
    for name, text in names.items():
        near = [(other, PHash.hamming_distance(text, there)) for other, there in names.items() if other != name]
        assert found[name] == sorted((pair for pair in near if pair[1] <= radius), key=lambda pair: pair[1])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda p: p.encode_image(), ValueError, "Please provide either image file path or image array!"),
        (lambda p: p.encode_image("/no/such.jpg"), ValueError, "Please provide either image file path or image array!"),
        (lambda p: p.encode_image(image_array=np.zeros((4, 4, 4))), AssertionError, r"\(4, 4, 4\)"),
        (lambda p: p.encode_images("/no/such"), ValueError, "Please provide a valid directory path!"),
        (lambda p: p.find_duplicates("/no/such"), ValueError, "Please provide a valid directory path!"),
        (lambda p: p.find_duplicates(), ValueError, "Provide either an image directory or encodings!"),
        (lambda p: p.find_duplicates(encoding_map={}), ValueError, "Provide either an image directory or encodings!"),
        (lambda p: p.find_duplicates_to_remove(), ValueError, "Provide either an image directory or encodings!"),
        (lambda p: p.find_duplicates(encoding_map={"a": A}, max_distance_threshold=1.0), TypeError, THRESHOLD),
        (lambda p: p.find_duplicates(encoding_map={"a": A}, max_distance_threshold=65), ValueError, THRESHOLD),
        (lambda p: p.find_duplicates_to_remove(encoding_map={"a": A}, max_distance_threshold=-1), ValueError, "bet"),
        (lambda p: p.find_duplicates(encoding_map={"a": A}, search_method="x"), ValueError, "search_method is one"),
        (lambda p: p.find_duplicates(encoding_map={"a": "zz", "b": A}), ValueError, "zz"),
        (lambda p: p.find_duplicates(encoding_map={"a": None, "b": A}), TypeError, "int"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[PHash], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(PHash())


def test_an_unreadable_image_gives_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "bad.jpg").write_text("no image")
    assert PHash().encode_image(tmp_path / "bad.jpg") is None
    assert "Invalid image file" in caplog.text
    caplog.clear()
    assert PHash().encode_images(tmp_path) == {}
    assert "bad.jpg" in caplog.text


def test_the_warning_for_a_parameter_without_effect() -> None:
    with pytest.warns(
        RuntimeWarning, match="Parameter num_enc_workers has no effect since encodings are already provided"
    ):
        PHash().find_duplicates(encoding_map={"a": A}, num_enc_workers=2)
    with pytest.warns(SyntaxWarning, match="recursive parameter is irrelevant when using encodings."):
        PHash().find_duplicates(encoding_map={"a": A}, recursive=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PHash().find_duplicates(encoding_map={"a": A})


def test_keys_may_be_anything_and_image_dir_wins(photos: Path) -> None:
    assert PHash().find_duplicates(encoding_map={1: A, 2: B}) == {1: [2], 2: [1]}  # type: ignore[dict-item, comparison-overlap]
    assert "a" not in PHash().find_duplicates(photos, encoding_map={"a": A})


def test_a_killed_run_is_resumed(many: Path) -> None:
    """Images encoded before a kill are not decoded again."""
    program = SLOW + (
        "from twinpix.compat.imagededup.methods import PHash\n"
        f"if __name__ == '__main__':\n    PHash().find_duplicates({str(many)!r}, num_enc_workers=1)"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    while process.poll() is None and held(default_path()) < 10:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert held(default_path()) >= 10
    assert len(PHash(verbose=False).encode_images(many)) == MANY


def test_evaluate_as_documented() -> None:
    truth = {"1": ["2", "3", "4"], "2": ["1", "3", "4"], "3": ["1", "2", "4"], "4": ["1", "2", "3"], "33": []}
    found = evaluate(truth, truth)
    assert {key: float(found[key]) for key in ("map", "ndcg", "jaccard")} == {"map": 1, "ndcg": 1, "jaccard": 1}
    assert found["support"].tolist() == [4, 6]
    assert set(found) == {"map", "ndcg", "jaccard", "precision", "recall", "f1_score", "support"}
    assert set(evaluate(truth, truth, metric="map")) == {"map"}
    assert set(evaluate(truth, truth, metric="Classification")) == {
        "precision",
        "recall",
        "f1_score",
        "support",
    }
    halves = evaluate({"1": ["2"], "2": ["1"], "3": []}, {"1": ["2", "3"], "2": ["1"], "3": ["1"]}, "classification")
    assert halves["precision"].tolist() == [1.0, 0.5]
    assert halves["recall"].tolist() == [0.5, 1.0]
    assert evaluate({"1": ["2"], "2": ["1"]}, {"1": ["2"], "2": ["1"]})["support"].tolist() == [1]
    assert evaluate({"1": ["2"], "2": ["1"]}, {"1": [["2", 0.5]], "2": [["1", float("nan")]]})["map"] == 1


@pytest.mark.parametrize(
    ("truth", "retrieved", "error", "words"),
    [
        ({"1": ["2"], "2": ["1"]}, {"1": ["2"], "2": ["9"]}, AssertionError, "Retrieved map has filenames that"),
        ({"1": ["2"], "2": ["9"]}, {"1": ["2"], "2": ["1"]}, AssertionError, "Ground truth has filenames that"),
        ({"1": ["2"], "2": []}, {"1": ["2"], "2": ["1"]}, AssertionError, TRANSPOSE),
        ({"1": ["2"], "2": ["1"]}, {"1": ["2"], "2": ["1"], "3": []}, Exception, "the same keys"),
        ({}, {}, ValueError, "empty"),
    ],
)  # fmt: skip
def test_evaluate_errors(truth: Any, retrieved: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        evaluate(truth, retrieved)
    with pytest.raises(ValueError, match="Acceptable metrics are: 'map', 'ndcg', 'jaccard', 'classification', 'all'"):
        evaluate({"1": []}, {"1": []}, metric="magic")


def test_other_names() -> None:
    assert CustomModel()._asdict() == {"name": "default_model", "model": None, "transform": None}
    assert compat_evaluation.evaluate is evaluate


def test_helpers_that_programs_import() -> None:
    grey, colour = np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.uint8)
    assert image_utils.expand_image_array_cnn(grey).shape == (4, 5, 3)
    assert image_utils.expand_image_array_cnn(colour) is colour
    assert image_utils.preprocess_image(colour, target_size=(8, 6), grayscale=True).shape == (6, 8)
    with pytest.raises(AssertionError, match="expected image array shape is"):
        image_utils.check_image_array_hash(np.zeros((4, 5, 2)))
    with pytest.raises(ValueError, match="expected number of image array dimensions are 3 for rgb image and 2"):
        image_utils.check_image_array_hash(np.zeros((2, 2, 2, 2)))
    with pytest.raises(ValueError, match="Input is expected to be a numpy array or a pillow object!"):
        image_utils.preprocess_image("text")
