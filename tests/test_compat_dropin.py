"""What programs use of imagededup beside the methods of its two classes: searches, subclasses, attributes, figures."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import twinpix
from twinpix import evaluation
from twinpix.compat import imagededup
from twinpix.compat.imagededup._cosines import encodings_of, neighbours
from twinpix.compat.imagededup.evaluation import evaluate
from twinpix.compat.imagededup.handlers.metrics.information_retrieval import avg_prec, jaccard_similarity, ndcg
from twinpix.compat.imagededup.handlers.search.bktree import BKTree
from twinpix.compat.imagededup.handlers.search.brute_force import BruteForce
from twinpix.compat.imagededup.handlers.search.brute_force_cython import BruteForceCython
from twinpix.compat.imagededup.handlers.search.retrieval import HashEval, get_cosine_similarity
from twinpix.compat.imagededup.methods import AHash, DHash, PHash, WHash
from twinpix.compat.imagededup.methods.hashing import Hashing
from twinpix.compat.imagededup.utils import plot_duplicates
from twinpix.compat.imagededup.utils.general_utils import parallelise
from twinpix.compat.imagededup.utils.logger import return_logger

Drawn = Callable[..., Image.Image]
CLASSES = (PHash, AHash, DHash, WHash)


def hashes(count: int, seed: int = 0) -> dict[str, str]:
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 256, (max(1, count // 4), 8), dtype=np.uint8)
    codes = centres[rng.integers(0, len(centres), count)]
    codes = codes ^ np.packbits(rng.random((count, 64)) < 0.05, axis=1)
    return {f"{at}.jpg": code.tobytes().hex() for at, code in enumerate(codes)}


def test_the_version_is_twinpix() -> None:
    assert imagededup.__version__ == twinpix.__version__


@pytest.mark.parametrize("tolerance", [0, 3, 12])
def test_every_search_gives_the_same_result(tolerance: int) -> None:
    known, queries = hashes(60, 1), hashes(9, 1)
    searchers = [kind(known, Hashing.hamming_distance) for kind in (BKTree, BruteForce, BruteForceCython)]
    for query in queries.values():
        first, *others = (sorted(searcher.search(query=query, tol=tolerance)) for searcher in searchers)
        assert all(found == first for found in others)


def test_a_tree_of_many_equal_hashes_does_not_recurse() -> None:
    tree = BKTree({str(at): "00" for at in range(3000)}, Hashing.hamming_distance)
    assert len(tree.search("00", 0)) == 3000
    with pytest.raises(ValueError, match="at least one"):
        BKTree({}, Hashing.hamming_distance)


def test_hasheval_by_bits_and_by_a_distance_of_the_callers() -> None:
    known, queries = hashes(50, 2), {**hashes(10, 2), "50.jpg": "0" * 16}

    def distance(a: str, b: str) -> int:
        return Hashing.hamming_distance(a, b)

    joined = HashEval(known, queries, Hashing.hamming_distance, threshold=12).retrieve_results(scores=True)
    for method in ("bktree", "brute_force"):
        own = HashEval(known, queries, distance, threshold=12, search_method=method).retrieve_results(scores=True)
        assert {name: sorted(found) for name, found in own.items()} == {
            name: sorted(found) for name, found in joined.items()
        }
    assert all(name not in dict(found) for name, found in joined.items())
    assert all([gap for _, gap in found] == sorted(gap for _, gap in found) for found in joined.values())
    with pytest.raises(ValueError, match="search_method"):
        HashEval(known, queries, distance, search_method="annoy")


def test_cosines_of_all_pairs() -> None:
    vectors = np.random.default_rng(3).normal(size=(40, 6))
    vectors[7] = 0
    lengths = np.linalg.norm(vectors, axis=1)
    lengths[7] = 1
    wanted = vectors @ vectors.T / np.outer(lengths, lengths)
    np.testing.assert_allclose(get_cosine_similarity(vectors), wanted, atol=1e-12)
    chunks = get_cosine_similarity(vectors, threshold=10, chunk_size=7)
    assert chunks.dtype == np.float16
    np.testing.assert_allclose(chunks, wanted, atol=1e-3)


# -- subclasses and settings ----------------------------------------------------------------------------


class Corner(Hashing):
    """A user-defined hash: whether each pixel of the top left corner is bright."""

    def _hash_algo(self, image_array: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(image_array[:8, :8] > 127)


def test_a_subclass_hashes_by_its_own_rule(photos: Path) -> None:
    hasher = Corner(verbose=False)
    found = hasher.encode_images(photos)
    with Image.open(photos / "0.png") as image:
        small = np.asarray(image.convert("RGB").resize((8, 8), Image.Resampling.LANCZOS).convert("L"))
    assert found["0.png"] == np.packbits(small > 127).tobytes().hex()
    assert found["0.png"] != PHash(verbose=False).encode_image(photos / "0.png")
    assert hasher.find_duplicates(encoding_map=found)["0.png"] == hasher.results["0.png"]
    with pytest.raises(TypeError, match="no hash of its own"):
        Hashing(verbose=False).encode_image(photos / "0.png")


def test_another_target_size_is_another_hash(photos: Path) -> None:
    hasher = DHash(verbose=False)
    hasher.target_size = (17, 16)
    code = hasher.encode_image(photos / "0.png")
    assert code is not None
    assert len(code) == 64
    assert hasher.encode_images(photos)["0.png"] == code


@pytest.mark.parametrize("kind", CLASSES)
def test_one_image_and_a_folder_give_the_same_hash(kind: type[Hashing], photos: Path) -> None:
    hasher = kind(verbose=False)
    found = hasher.encode_images(photos)
    assert {name: hasher.encode_image(photos / name) for name in found} == found
    assert found is hasher.encoding_map
    with Image.open(photos / "0.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert hasher.encode_image(image_file=False, image_array=pixels) == found["0.png"]


def test_a_non_image_is_reported_as_in_imagededup(photos: Path) -> None:
    hasher = PHash(verbose=False)
    with Image.open(photos / "0.png") as image, pytest.raises(ValueError, match="Please provide"):
        hasher.encode_image(image_file=image)
    with pytest.raises(ValueError, match="Please provide a valid directory"):
        hasher.encode_images(None)


def test_work_in_threads_keeps_its_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert parallelise(abs, [-3, 2, -1], False, 2) == [3, 2, 1]
    assert capsys.readouterr().err == ""


def test_progress_without_a_terminal(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # the second run reads everything from the store
        AHash(verbose=True).encode_images(photos)
        assert "100%" in capsys.readouterr().err
    AHash(verbose=False).encode_images(photos)
    assert capsys.readouterr().err == ""


# -- cosines, metrics, figures, models ------------------------------------------------------------------


def test_the_threshold_of_cosines_is_not_rounded() -> None:
    def pair(cosine: float) -> dict[str, NDArray[np.float64]]:
        return {"a": np.array([1.0, 0.0]), "b": np.array([cosine, (1 - cosine**2) ** 0.5])}

    assert neighbours(encodings_of(pair(0.89995)), 0.9, scores=False, threads=0) == {"a": [], "b": []}
    near = neighbours(encodings_of(pair(0.90001)), 0.9, scores=True, threads=0)
    assert isinstance(near["a"][0][1], float)
    assert near["a"][0][1] == 0.9  # shown with four decimals


def test_metrics_by_keyword_and_by_both_spellings() -> None:
    truth, found = ["1", "2", "3", "4"], ["1", "33", "2", "4"]
    for metric, own in ((avg_prec, evaluation.average_precision), (ndcg, evaluation.ndcg)):
        assert metric(correct_duplicates=truth, retrieved_duplicates=found) == own(truth, found)
    assert jaccard_similarity(correct_duplicates=truth, retrieved_duplicates=found) == 0.6
    scores = evaluate({"a": ["b"], "b": ["a"]}, {"a": ["b"], "b": ["a"]})
    assert set(scores) == {"map", "ndcg", "jaccard", "precision", "recall", "f1_score", "support"}
    assert scores["f1-score"] is scores["f1_score"]
    with pytest.raises(AttributeError):
        evaluate()


def test_a_figure_has_the_size_set_in_matplotlib(photos: Path, tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    with matplotlib.rc_context({"figure.figsize": (5, 3)}):
        plot_duplicates(photos, {"0.png": ["0 small.jpg"]}, "0.png", str(tmp_path / "plot.png"))
    with Image.open(tmp_path / "plot.png") as image:
        assert image.size == (5 * 110, 3 * 110)
    with pytest.raises(ValueError, match="valid Duplicate map"):
        plot_duplicates(photos, [], "0.png")  # type: ignore[arg-type]


def test_networks_are_modules_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    from twinpix.compat.imagededup.utils import models

    for name in ("MobilenetV3", "ViT", "EfficientNet"):
        assert isinstance(getattr(models, name)(), torch.nn.Module)
    with pytest.raises(AttributeError):
        models.Resnet  # noqa: B018


def test_loggers_get_no_handler() -> None:
    assert return_logger("twinpix.compat.imagededup.test").handlers == []


def test_results_through_json(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "duplicates.json"
    hasher = PHash(verbose=False)
    for _ in range(2):
        found = hasher.find_duplicates(photos, scores=True, outfile=str(out))
    assert {name: [tuple(pair) for pair in pairs] for name, pairs in json.loads(out.read_text()).items()} == found


def test_importing_the_package_loads_no_pytorch() -> None:
    names = ["methods", "evaluation", "utils", "handlers.search.retrieval", "utils.models"]
    program = "".join(f"import twinpix.compat.imagededup.{name}\n" for name in names)
    program += "import sys\nprint({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "set()"
