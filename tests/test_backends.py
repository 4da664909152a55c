"""The guarantees of every search back end, exact or approximate, and additional ones of those that use faiss."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from twinpix import plugins, search
from twinpix.errors import OutputError, UsageError
from twinpix.progress import Progress
from twinpix.search import Search, self_join
from twinpix.search.ann.rerank import is_there
from twinpix.search.base import no_progress

NAMES = plugins.names("search")
LIBRARIES = [name for name in NAMES if hasattr(plugins.load("search", name), "library")]
FAISS = ("faiss:index=flat", "faiss:index=hnsw")
SPECS = [*NAMES, *FAISS]
BITS = [spec for spec in SPECS if "hamming" in plugins.load("search", spec.split(":")[0]).metrics]
DIRECTIONS = [spec for spec in SPECS if "cosine" in plugins.load("search", spec.split(":")[0]).metrics]
BOTH = [*((spec, "hamming") for spec in BITS), *((spec, "cosine") for spec in DIRECTIONS)]
ASKING = [pair for pair in BOTH if pair[0].split(":")[0] in LIBRARIES]


@pytest.fixture(autouse=True)
def _installed(request: pytest.FixtureRequest) -> None:
    """Skips tests of libraries that are not installed."""
    spec = getattr(request.node, "callspec", None)
    name = str(spec.params.get("spec", "")).split(":")[0] if spec else ""
    if name in LIBRARIES and not is_there(plugins.load("search", name).library):
        pytest.skip(f"needs {plugins.load('search', name).library}")


def with_option(spec: str, option: str) -> str:
    return f"{spec}{',' if ':' in spec else ':'}{option}"


def near(metric: str, n: int, seed: int = 5) -> tuple[NDArray[Any], float]:
    """Codes and a radius: a third of the codes are within this radius of another."""
    rng = np.random.default_rng(seed)
    copies, originals = np.arange(2 * n // 3, n), rng.integers(0, 2 * n // 3, n - 2 * n // 3)
    if metric == "hamming":
        codes = rng.integers(0, 256, (n, 8), dtype=np.uint8)
        codes[copies] = codes[originals]
        for row in copies:
            for bit in rng.integers(0, 64, rng.integers(0, 8)):
                codes[row, bit // 8] ^= np.uint8(1 << bit % 8)
        return codes, 6
    vectors = rng.normal(size=(n, 32)) / np.sqrt(np.arange(1, 33))
    noise = rng.normal(size=(len(copies), 32)) * rng.choice([0, 0.02, 0.1], (len(copies), 1))
    vectors[copies] = vectors[originals] + noise
    return vectors.astype(np.float16), 0.05


def one_at(metric: str, distance: float) -> NDArray[Any]:
    """Two codes at a given distance."""
    if metric == "hamming":
        codes = np.zeros((2, 8), np.uint8)
        codes[1] = np.packbits(np.arange(64) < distance)
        return codes
    return np.array([[1.0, 0.0], [1 - distance, np.sqrt(1 - (1 - distance) ** 2)]])


def listed(pairs: tuple[NDArray[Any], ...]) -> list[tuple[Any, ...]]:
    return list(zip(*(column.tolist() for column in pairs), strict=True))


@cache
def truth(metric: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The pairs of the oracle among two thousand codes, and between a thousand of them and the others."""
    codes, radius = near(metric, 2000)
    within = listed(self_join(codes, radius, "oracle"))
    between = listed(search.join(codes[:1000], codes[1000:], radius, "oracle"))
    assert min(len(within), len(between)) > 200
    return within, between


# -- every back end ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "metric"), BOTH)
def test_a_distance_equal_to_the_radius_is_within_it(spec: str, metric: str) -> None:
    codes, edge, less = one_at(metric, 5 if metric == "hamming" else 0.4), (5, 0.4), (4, 0.3999)
    at = metric == "cosine"
    assert listed(self_join(codes, edge[at], spec)) == [(0, 1, pytest.approx(edge[at]))]
    assert listed(self_join(codes, less[at], spec)) == []
    assert listed(search.join(codes[:1], codes[1:], edge[at], spec)) == [(0, 0, pytest.approx(edge[at]))]
    assert listed(search.join(codes[:1], codes[1:], less[at], spec)) == []


@pytest.mark.parametrize(("spec", "metric"), BOTH)
def test_no_codes_and_one_code_have_no_pairs(spec: str, metric: str) -> None:
    codes, radius = near(metric, 9)
    for pairs in (
        self_join(codes[:0], radius, spec),
        self_join(codes[:1], radius, spec),
        search.join(codes[:0], codes, radius, spec),
        search.join(codes, codes[:0], radius, spec),
    ):
        assert listed(pairs) == []
        assert pairs[2].dtype == (np.int32 if metric == "hamming" else np.float32)
    assert listed(search.join(codes[:1], codes[:1], radius, spec)) == [(0, 0, 0)]


@pytest.mark.parametrize(("spec", "metric"), BOTH)
def test_equal_codes_match_pairwise(spec: str, metric: str) -> None:
    codes, radius = near(metric, 40)
    codes = np.concatenate([codes[:20], np.repeat(codes[20:21], 300, axis=0), codes[21:]])
    rows = range(20, 320)
    found = listed(self_join(codes, radius, spec))
    assert {(i, j, 0) for i in rows for j in rows if i < j} <= set(found)
    assert len(found) == len(set(found))
    twice = listed(search.join(codes[:30], codes, radius, spec))
    assert {(i, j, 0) for i in range(20, 30) for j in rows} <= set(twice)
    assert len(twice) == len(set(twice))


@pytest.mark.parametrize(("spec", "metric"), BOTH)
def test_precision_is_one_and_recall_is_high(spec: str, metric: str) -> None:
    """Each pair once, i < j, at its exact distance; on easy codes at least 90 % of the pairs of the oracle."""
    codes, radius = near(metric, 2000)
    within, between = truth(metric)
    asked = Search(spec)
    for found, true in (
        (listed(asked.self_join(codes, radius)), within),
        (listed(asked.join(codes[:1000], codes[1000:], radius)), between),
    ):
        assert found == sorted(set(found))
        assert set(found) <= set(true)
        assert len(found) >= (len(true) if asked.hows[0].exact else 0.9 * len(true))
        assert asked.hows[0].exact or not plugins.load("search", spec.split(":")[0]).exact


@pytest.mark.parametrize(("spec", "metric"), BOTH)
def test_one_thread_gives_the_same_pairs_twice(spec: str, metric: str) -> None:
    codes, radius = near(metric, 1000)
    if spec != "oracle":
        spec = with_option(spec, "threads=1")
    assert listed(self_join(codes, radius, spec)) == listed(self_join(codes, radius, spec))


@pytest.mark.parametrize(("spec", "metric"), BOTH)
def test_wrong_codes_are_refused(spec: str, metric: str) -> None:
    codes, radius = near(metric, 9)
    with pytest.raises(ValueError, match="widths must agree"):
        search.join(codes, codes[:, :4], radius, spec)
    if metric == "cosine":
        codes[3, 3] = np.nan
        with pytest.raises(ValueError, match="finite"):
            self_join(codes, radius, spec)
        codes[3] = 0
        with pytest.raises(ValueError, match="no direction"):
            self_join(codes, radius, spec)


@pytest.mark.parametrize(("spec", "metric"), BOTH)
@pytest.mark.parametrize("halves", [False, True])
def test_progress_is_reported(spec: str, metric: str, halves: bool) -> None:
    codes, radius = near(metric, 600)
    shares = list[float]()
    asked = Search(spec, shares.append)
    asked.join(codes[:200], codes, radius) if halves else asked.self_join(codes, radius)
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] == 1


@pytest.mark.parametrize(("spec", "metric"), BOTH)
def test_a_progress_callback_can_cancel(spec: str, metric: str) -> None:
    def stop(_: float) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        self_join(*near(metric, 600), spec, stop)


@pytest.mark.parametrize(("spec", "metric"), BOTH)
def test_iteration_over_blocks_can_be_abandoned(
    spec: str, metric: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    codes, radius = near(metric, 600)
    blocks: Any = plugins.make("search", spec).plan(codes, None, radius).blocks(no_progress)
    next(blocks)
    blocks.close()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("spec", "metric"), [pair for pair in BOTH if pair[0] != "oracle"])
def test_a_negative_number_of_threads_is_refused(spec: str, metric: str) -> None:
    codes, radius = near(metric, 300)
    expected = set(listed(self_join(codes, radius, "oracle")))
    for threads in (1, 3):
        found = set(listed(self_join(codes, radius, with_option(spec, f"threads={threads}"))))
        assert found <= expected
        assert len(found) >= 0.9 * len(expected)
    with pytest.raises(UsageError, match="threads"):
        self_join(codes, radius, with_option(spec, "threads=-1"))


# -- back ends of a library ---------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "metric"), ASKING)
def test_k_grows_until_the_last_neighbour_is_beyond_the_radius(spec: str, metric: str) -> None:
    """Three hundred different codes within the radius of each other are all found, whatever the first k is."""
    rng = np.random.default_rng(2)
    if metric == "hamming":
        crowd = np.zeros((300, 8), np.uint8)
        for row in range(1, 300):
            crowd[row] = np.packbits(np.isin(np.arange(64), rng.choice(20, 4, replace=False)))
        crowd, radius = np.unique(crowd, axis=0), 8.0
        codes = np.concatenate([crowd, rng.integers(0, 256, (1000, 8), dtype=np.uint8) | np.uint8(1)])
    else:
        crowd, radius = rng.normal(size=(300, 32)) * 0.03 + np.eye(32)[0], 0.1
        codes = np.concatenate([crowd, rng.normal(size=(1000, 32))])
    spec = with_option(spec, "threads=1")  # two back ends that build a graph may miss a code
    found = search.join(codes[:1], codes, radius, spec)
    assert set(range(len(crowd))) <= set(found[1].tolist())
    i, j, _ = self_join(codes, radius, spec)
    inside = (i < len(crowd)) & (j < len(crowd))
    assert int(inside.sum()) >= 0.99 * len(crowd) * (len(crowd) - 1) / 2


@pytest.mark.parametrize(("spec", "metric"), ASKING)
def test_all_codes_of_a_small_gallery_can_be_within_the_radius(spec: str, metric: str) -> None:
    codes, _ = near(metric, 50)
    spec = with_option(spec, "bits=1,flips=1") if spec == "faiss" and metric == "hamming" else spec
    assert len(self_join(codes, 64 if metric == "hamming" else 2, spec)[0]) == 50 * 49 // 2


@pytest.mark.parametrize(("spec", "metric"), ASKING)
def test_nothing_is_printed(spec: str, metric: str, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for _ in range(2):
        self_join(*near(metric, 300), with_option(spec, f"path={tmp_path / 'index'}"))
    assert capfd.readouterr() == ("", "")


def test_a_failure_of_faiss_is_not_an_empty_result(monkeypatch: pytest.MonkeyPatch) -> None:
    faiss: Any = pytest.importorskip("faiss")

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(faiss.IndexBinaryHNSW, "search", fail)
    with pytest.raises(UsageError, match="faiss-cpu cannot do this: out of luck"):
        self_join(*near("hamming", 50), "faiss:index=hnsw")


@pytest.mark.parametrize("spec", ["hnsw", "ngt:k=3", "usearch:path=/tmp/index"])
def test_a_removed_back_end_names_faiss(spec: str) -> None:
    with pytest.raises(UsageError, match=f"{spec.split(':')[0]} was removed: use faiss:index=hnsw, or auto"):
        search.check(spec, "hamming")


def test_faiss_refuses_an_index_of_the_other_metric() -> None:
    pytest.importorskip("faiss")
    with pytest.raises(UsageError, match=r"index=ivf does not compare by hamming distance; these do: multihash, flat"):
        self_join(near("hamming", 9)[0], 1, "faiss:index=ivf")
    with pytest.raises(UsageError, match=r"index=multihash does not compare by cosine distance"):
        self_join(near("cosine", 9)[0], 0.1, "faiss:index=multihash")


@pytest.mark.parametrize("option", ["m=1", "m=99999999", "bits=33", "k=0", "nprobe=0", "ef=0"])
def test_options_that_do_not_fit_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=option.split("=")[0]):
        plugins.make("search", f"faiss:{option}")


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinpix.search.ann.rerank.is_there", lambda library: False)
    with pytest.raises(UsageError, match=r"not installed: pip install 'twinpix\[search\]'"):
        self_join(near("hamming", 9)[0], 1, "faiss")


# -- saved indexes ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "index"


@pytest.mark.parametrize(("spec", "metric"), ASKING)
def test_a_saved_index_is_reused(spec: str, metric: str, folder: Path) -> None:
    codes, radius = near(metric, 500)
    kept = with_option(spec, f"path={folder}")
    first = listed(self_join(codes, radius, kept))
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert listed(self_join(codes, radius, kept)) == first
    assert listed(search.join(codes, codes, radius, kept))  # of the same codes, in any order and number
    assert listed(search.join(codes[:9], codes[::-1], radius, kept))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == stamps
    assert sorted(os.listdir(folder.parent)) == ["index"]
    settings = json.loads((folder / "settings.json").read_text())
    assert (settings["metric"], settings["count"]) == (metric, len(np.unique(codes, axis=0)))


@pytest.mark.parametrize(("spec", "metric"), ASKING)
def test_a_search_uses_the_codes_of_a_saved_index(spec: str, metric: str, folder: Path) -> None:
    """If the saved index holds other codes, almost nothing is found: the search does not build a new index."""
    codes, radius = near(metric, 500)
    other = near(metric, 500, seed=6)[0]
    kept = with_option(spec, f"path={folder}")
    assert len(self_join(codes, radius, kept)[0])
    settings = json.loads((folder / "settings.json").read_text())
    self_join(other, radius, with_option(spec, f"path={folder.parent / 'other'}"))
    theirs = json.loads((folder.parent / "other" / "settings.json").read_text())
    (folder.parent / "other" / "settings.json").write_text(
        json.dumps(settings | {"files": theirs["files"]})  # its digest is that of the first codes
    )
    assert len(search.join(codes, codes, radius, with_option(spec, f"path={folder.parent / 'other'}"))[0]) < 50


@pytest.mark.parametrize(("spec", "metric"), ASKING)
def test_an_index_of_other_codes_or_another_metric_is_refused(spec: str, metric: str, folder: Path) -> None:
    codes, radius = near(metric, 200)
    kept = with_option(spec, f"path={folder}")
    self_join(codes, radius, kept)
    with pytest.raises(UsageError, match=r"count .*, not .*remove the folder, or name another"):
        self_join(codes[:100], radius, kept)
    with pytest.raises(UsageError, match=r"another index \(other codes\)"):
        self_join(codes[:, ::-1], radius, kept)
    with pytest.raises(UsageError, match="width"):
        self_join(np.concatenate([codes, codes], axis=1), radius, kept)
    other, far = near("cosine" if metric == "hamming" else "hamming", 200)
    with pytest.raises(UsageError, match="metric"):
        self_join(other, far, with_option(spec.split(":")[0], f"path={folder}"))


@pytest.mark.parametrize(("spec", "option"), [("faiss", "bits=9"), ("faiss:index=hnsw", "m=17")])
def test_an_index_built_by_other_options_is_refused(spec: str, option: str, folder: Path) -> None:
    codes, radius = near("hamming", 200)
    self_join(codes, radius, with_option(spec, f"path={folder}"))
    with pytest.raises(UsageError, match=option.split("=")[0]):
        self_join(codes, radius, with_option(spec, f"path={folder},{option}"))


def test_query_options_do_not_change_a_saved_index(folder: Path) -> None:
    pytest.importorskip("faiss")
    codes, radius = near("hamming", 200)
    for options in ("", ",ef=100", ",k=3", ",threads=1"):
        self_join(codes, radius, f"faiss:index=hnsw,path={folder}{options}")


def test_an_index_of_another_back_end_is_refused(folder: Path) -> None:
    """As an earlier version saved it with hnswlib."""
    pytest.importorskip("faiss")
    codes, radius = near("hamming", 200)
    self_join(codes, radius, f"faiss:path={folder}")
    settings = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps(settings | {"backend": "hnsw", "library": "hnswlib"}))
    with pytest.raises(UsageError, match="backend hnsw, not faiss"):
        self_join(codes, radius, f"faiss:path={folder}")
    self_join(codes, radius, f"faiss:path={folder.parent / 'new'}")
    with pytest.raises(UsageError, match="index=multihash, not hnsw"):
        self_join(codes, radius, f"faiss:index=hnsw,path={folder.parent / 'new'}")


def _damage(folder: Path) -> Iterator[str]:
    """Ways to damage each file of an index; each file is restored before the next one is damaged."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole = file.read_bytes()
        for name, now in (("cut", whole[: len(whole) // 2]), ("empty", b""), ("other", bytes(len(whole)) or b"x")):
            file.write_bytes(now)
            if now != whole:
                yield f"{file.name} {name}"
            file.write_bytes(whole)
        file.unlink()
        yield f"{file.name} missing"
        file.write_bytes(whole)


@pytest.mark.parametrize(("spec", "metric"), ASKING)
def test_a_damaged_index_is_refused(spec: str, metric: str, folder: Path) -> None:
    codes, radius = near(metric, 100)
    kept = with_option(spec, f"path={folder}")
    first = listed(self_join(codes, radius, kept))
    for _ in _damage(folder):
        with pytest.raises(UsageError, match=r"is damaged .*remove the folder|holds other things"):
            self_join(codes, radius, kept)
    assert listed(self_join(codes, radius, kept)) == first


@pytest.mark.parametrize("spec", LIBRARIES)
def test_a_folder_with_other_files_is_not_changed(spec: str, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="holds other things than an index"):
        self_join(*near("hamming", 9), f"{spec}:path={tmp_path}")
    with pytest.raises(UsageError, match="cannot be the folder of an index"):
        self_join(*near("hamming", 9), f"{spec}:path={tmp_path / 'photo.jpg'}")
    assert os.listdir(tmp_path) == ["photo.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a place where root cannot write")
@pytest.mark.parametrize("spec", LIBRARIES)
def test_a_folder_that_cannot_be_written_is_reported(spec: str) -> None:
    with pytest.raises(OutputError, match="cannot keep the index in /proc/nix/index"):
        self_join(*near("hamming", 9), f"{spec}:path=/proc/nix/index")


@pytest.mark.parametrize("spec", LIBRARIES)
def test_a_run_that_ends_early_leaves_no_index(spec: str, folder: Path) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        self_join(*near("hamming", 100), f"{spec}:path={folder}", stop)
    assert os.listdir(folder.parent) == []
    folder.mkdir()  # an empty one is enough
    self_join(*near("hamming", 100), f"{spec}:path={folder}")
    assert "settings.json" in os.listdir(folder)


def test_files_left_by_a_killed_run_are_removed_by_the_next(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    code = "import os, sys, numpy as np; from twinpix.search import self_join; "
    code += "from twinpix.search.backends import faiss; save = faiss._Index.save; "
    code += "faiss._Index.save = lambda *given: (save(*given), os._exit(9)); "
    code += "self_join(np.eye(9, dtype='f4') + 1, 0.1, f'faiss:path={sys.argv[1]}')"
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == 9
    left, fresh = sorted(folder.parent.iterdir())
    assert sorted(path.name for path in left.rglob("*")) == ["index", "index"]

    def age(*paths: Path) -> None:
        for path in (place for top in paths for place in (*top.rglob("*"), top)):
            os.utime(path, (0, 0))

    others = [folder.parent / f".twinpix-index-{name}" for name in ("photos", "inside", "file", "link")]
    (others[0] / "photos").mkdir(parents=True)
    (others[1] / "index").mkdir(parents=True)
    (others[1] / "index" / "photo.jpg").write_bytes(b"")
    others[2].write_bytes(b"")
    elsewhere = tmp_path / "elsewhere" / "index"
    elsewhere.mkdir(parents=True)
    if sys.platform != "win32":
        others[3].symlink_to(elsewhere.parent, target_is_directory=True)
        os.utime(others[3], (0, 0), follow_symlinks=False)
    age(left, elsewhere.parent, *others[:3])
    self_join(*near("cosine", 50), f"faiss:path={folder}")
    assert sorted(folder.parent.iterdir()) == sorted([folder, fresh, *filter(Path.exists, others)])
    assert all(path.exists() for path in others[:3])
    assert elsewhere.is_dir()


def test_an_index_saved_meanwhile_by_another_run_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    from twinpix.search.backends import faiss

    codes, radius = near("hamming", 100)
    self_join(codes, radius, f"faiss:path={folder}")
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    folder.rename(folder.with_name("first"))
    save = faiss._Index.save

    def late(self: Any, place: str) -> None:
        save(self, place)
        folder.with_name("first").rename(folder)

    monkeypatch.setattr(faiss._Index, "save", late)
    self_join(codes, radius, f"faiss:path={folder}")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == stamps
    assert os.listdir(folder.parent) == ["index"]


# -- auto, and messages to the user -------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinpix.search.joins.PATIENCE", -1.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("metric", ["hamming", "cosine"])
def test_auto_is_exact_and_names_a_faster_search(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    codes, radius = near(metric, 300)
    asked = Search()
    asked.self_join(codes, radius)
    assert "--search" not in asked.hows[0].why
    cls = plugins.load("search", "faiss")
    plan = cls.plan
    monkeypatch.setattr(cls, "plan", lambda *given: plan(*given)._replace(seconds=-1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked.self_join(codes, radius)
    assert "the approximate search faiss would take" in asked.hows[1].why
    monkeypatch.setattr("twinpix.search.ann.rerank.is_there", lambda library: False)
    asked.self_join(codes, radius)
    assert "pip install 'twinpix[search]'" in asked.hows[2].why
    assert all(how.exact for how in asked.hows)


def test_find_reports_that_pairs_may_be_missing(photos: Path) -> None:
    pytest.importorskip("faiss")
    import twinpix

    assert twinpix.find(photos, method="phash:size=16", store=None).notes == []
    exact, found = (
        twinpix.find(photos, method="phash:size=16", store=None),
        twinpix.find(photos, method="phash:size=16", store=None, search="faiss:index=hnsw,k=2"),
    )
    assert [group.members for group in found.groups] == [group.members for group in exact.groups]
    (note,) = found.notes
    assert note.startswith("search: faiss:index=hnsw,k=2, approximate: a graph of 16 links")
    assert "recall 1.000" in note


class Notes(Progress):
    """Records the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_report_names_the_search_back_end(photos: Path, tmp_path: Path) -> None:
    import twinpix
    from twinpix.report import json as reports

    found = twinpix.find(photos, method="phash:size=16", store=None)
    assert found.search == ["oracle, exact: every code compared with every other, about 1 s"]
    (tmp_path / "report.json").write_text("".join(reports.Json().parts(found)))
    assert reports.read(str(tmp_path / "report.json")).search == found.search
    banded = twinpix.find(photos, method="phash:size=16", store=None, search="banded").search
    assert banded == ["banded, exact: every code compared with every other"]
    assert twinpix.find(photos, store=None, method="digest").search == []


def test_a_query_against_a_codes_file_reports_the_recall(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    import twinpix

    file = str(tmp_path / "codes.jsonl")
    twinpix.write_codes(file, twinpix.header_of(), twinpix.encode_files_as_stream(photos, store=None))
    exact, asked = Notes(), Notes()
    hits = twinpix.query_codes(photos / "0.png", file, progress=exact)
    assert exact.notes == []
    monkeypatch.setattr("twinpix.usecases.codes._TOGETHER", 2)
    assert twinpix.query_codes(photos / "0.png", file, search="faiss:index=hnsw", progress=asked) == hits
    (note,) = asked.notes
    assert note.startswith("search: faiss:index=hnsw, approximate")
    assert "2 of 2 pairs of a sample found" in note


def test_a_measurement_with_approximate_search_is_marked(photos: Path) -> None:
    pytest.importorskip("faiss")
    from twinpix.encoding.options import Options
    from twinpix.evaluation.methods import measure

    truth = {"0.png": ["0 small.jpg"], "0 small.jpg": ["0.png"]}
    notes = Notes()
    measure(truth, str(photos), ["dhash"], Options(store=None, search="faiss:index=hnsw"), notes)
    (note,) = notes.notes
    assert note.startswith("dhash: search: faiss:index=hnsw, approximate")
    with pytest.raises(UsageError, match="cosine does not compare by hamming distance"):
        measure(truth, "nowhere", ["dhash"], Options(store=None, search="cosine"))


def test_an_image_that_finds_itself_is_no_evidence_of_recall(
    tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    pytest.importorskip("faiss")
    import twinpix

    for seed in (1, 2):
        draw_image(seed).save(tmp_path / f"{seed}.png")
    (note,) = twinpix.find(
        tmp_path, method="phash:size=16", store=None, transforms=True, search="faiss:index=hnsw"
    ).search
    assert note.endswith("its recall is not known: a sample has no pairs")
    draw_image(2).resize((100, 90)).save(tmp_path / "small.png")
    (note,) = twinpix.find(
        tmp_path, method="phash:size=16", store=None, transforms=True, search="faiss:index=hnsw"
    ).search
    assert note.endswith("2 of 2 pairs of a sample found (recall 1.000)")


def test_find_refuses_a_back_end_before_it_reads_files(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import twinpix

    def read(*_: Any) -> None:
        raise AssertionError("it reads")

    monkeypatch.setattr("twinpix.usecases.find.scan", read)
    with pytest.raises(UsageError, match="no search back end is called 'nix'"):
        twinpix.find(photos, method="phash:size=16", store=None, search="nix")
    with pytest.raises(UsageError, match="cosine does not compare by hamming distance"):
        twinpix.find(photos, method="phash:size=16", store=None, search="cosine")


def test_methods_lists_libraries_that_are_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from twinpix.cli.app import run

    monkeypatch.setattr("twinpix.search.ann.rerank.is_there", lambda library: False)
    assert run(["methods"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  faiss ")]
    assert line.endswith("(faiss-cpu is not installed: pip install 'twinpix[search]')")


def test_libraries_are_loaded_only_by_their_back_ends() -> None:
    code = "import sys; from twinpix import plugins; [plugins.load('search', n) for n in plugins.names('search')]; "
    code += "print('faiss' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_progress_bar_ends_with_the_work() -> None:
    from twinpix.progress import Shares

    class Steps(Progress):
        done = 0

        def advance(self, steps: int = 1) -> None:
            self.done += steps

    steps = Steps()
    shares = Shares(steps, 1000, parts=2)
    seen = []
    for share in (0.0, 0.5, 1.0, 0.2, 0.2, 1.0, 0.1):  # a third part that was not announced
        shares(share)
        seen.append(steps.done)
    assert seen == [0, 250, 500, 600, 600, 1000, 1000]


def test_a_long_comparison_is_announced(photos: Path) -> None:
    import twinpix

    class Steps(Progress):
        name, done, total = "", 0, 0

        def start(self, stage: str, total: int) -> None:
            self.name = stage
            self.total += total * (stage == "compare")

        def advance(self, steps: int = 1) -> None:
            self.done += steps * (self.name == "compare")

    steps = Steps()
    twinpix.find(photos, method="phash:size=16", store=None, progress=steps)
    assert steps.done == steps.total > 0


def test_the_thread_setting_of_faiss_is_restored() -> None:
    faiss: Any = pytest.importorskip("faiss")
    before = faiss.omp_get_max_threads()
    self_join(*near("cosine", 100), f"faiss:threads={before + 1}")
    assert faiss.omp_get_max_threads() == before
