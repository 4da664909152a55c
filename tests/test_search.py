"""Every back end finds the pairs of the oracle, and the oracle finds the pairs of the definition."""

import math
import os
import pickle
import random
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from amounts import amount
from twinpix import plugins, search
from twinpix.errors import OutputError, StoppedError, UsageError, WorkerError
from twinpix.executors import Lost
from twinpix.search import bands as banded
from twinpix.search import external_sort, join, self_join
from twinpix.search.backends import cosine
from twinpix.search.backends.banded import Banded
from twinpix.search.bands import choose_bands, split
from twinpix.search.base import OnProgress, Pairs, Workers, no_progress, words
from twinpix.search.kernels import projection_bound
from twinpix.search.scheduler import TaskScheduler

EXACT = [
    name for name in plugins.names("search") if plugins.load("search", name).exact
]  # see test_backends.py for others
BACKENDS = [name for name in EXACT if "hamming" in plugins.load("search", name).metrics]
DIRECTIONS = [name for name in EXACT if "cosine" in plugins.load("search", name).metrics]
Codes = NDArray[np.uint8]


def by_definition(codes: Codes, radius: int) -> list[tuple[int, int, int]]:
    bits = [int.from_bytes(row.tobytes(), "big") for row in codes]
    pairs = ((i, j, (bits[i] ^ bits[j]).bit_count()) for i in range(len(bits)) for j in range(i + 1, len(bits)))
    return [pair for pair in pairs if pair[2] <= radius]


def near_codes(rng: np.random.Generator, n: int, width: int, spread: int) -> Codes:
    """Random codes, most of them a few flipped bits away from another, some equal."""
    codes = rng.integers(0, 256, (n, width), dtype=np.uint8)
    for row in range(1, n):
        if rng.random() < 0.7:
            codes[row] = codes[rng.integers(0, row)]
            for bit in rng.integers(0, 8 * width, rng.integers(0, spread + 1)):
                codes[row, bit // 8] ^= np.uint8(1 << (bit % 8))
    return codes


def listed(pairs: tuple[NDArray[Any], ...]) -> list[tuple[Any, ...]]:
    return list(zip(*(column.tolist() for column in pairs), strict=True))


@pytest.fixture(scope="module", params=["as it chooses", "always bands"])
def bands(request: pytest.FixtureRequest) -> Iterator[None]:
    """Small inputs never use bands by themselves: raise the cost of every other way."""
    before = banded._TILE_COST, banded._NEGLIGIBLE
    if request.param == "always bands":
        banded._TILE_COST, banded._NEGLIGIBLE = 1e12, 0.0
    yield
    banded._TILE_COST, banded._NEGLIGIBLE = before


@pytest.mark.usefixtures("bands")
@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=amount(15, 60), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 60),
    width=st.sampled_from([1, 2, 8, 9, 16, 32, 40]),
    share=st.floats(0, 0.35),
)
def test_self_join_matches_the_definition(backend: str, seed: int, n: int, width: int, share: float) -> None:
    radius = int(8 * width * share)
    codes = near_codes(np.random.default_rng(seed), n, width, radius + 2)
    assert listed(self_join(codes, radius, backend)) == by_definition(codes, radius)


@pytest.mark.usefixtures("bands")
@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=amount(10, 40), deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 40), m=st.integers(0, 40), radius=st.integers(0, 30))
def test_join_matches_the_definition(backend: str, seed: int, n: int, m: int, radius: int) -> None:
    codes = near_codes(np.random.default_rng(seed), n + m, 8, 12)
    queries, gallery = codes[:n], codes[n:]
    both = by_definition(codes, radius)
    expected = [(i, j - n, d) for i, j, d in both if i < n <= j]
    assert listed(join(queries, gallery, radius, backend)) == expected


class Shuffled:
    """Does the jobs of a join in another order, each as a worker would: with copies of its codes."""

    size = 2

    def __init__(self, seed: int) -> None:
        self.seed, self.largest = seed, 0

    def share(self, value: Any) -> Any:
        return value

    def map(self, task: Any, batches: Iterable[Sequence[Any]]) -> Generator[tuple[Any, Any], None, None]:
        jobs = [job for batch in batches for job in batch]
        random.Random(self.seed).shuffle(jobs)
        for job in jobs:
            self.largest = max(self.largest, sum(len(chunk.rows) for chunk in (job.left, job.right) if chunk))
            yield job, pickle.loads(pickle.dumps(task))([pickle.loads(pickle.dumps(job))], lambda index: None)[0]


def joined_on(
    workers: Workers, codes: Codes, other: Codes | None, radius: int, on_progress: OnProgress, chunk: int = 0
) -> Iterator[Pairs]:
    join = Banded().plan(codes, other, radius).blocks_on
    assert join is not None
    return join(workers, on_progress, chunk)


@pytest.mark.usefixtures("bands")
@settings(max_examples=amount(40, 400), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 90),
    m=st.integers(0, 40),
    width=st.sampled_from([1, 2, 8, 9, 16, 32]),
    share=st.floats(0, 0.3),
    chunk=st.integers(1, 40),
)
def test_a_distributed_join_is_the_oracle(seed: int, n: int, m: int, width: int, share: float, chunk: int) -> None:
    """For any codes, widths, radii and sizes of chunks; no worker holds more than two chunks."""
    radius = int(8 * width * share)
    codes = near_codes(np.random.default_rng(seed), n + m, width, radius + 2)
    queries, gallery = codes[:n], codes[n:]
    for other, expected in ((None, self_join(queries, radius, "oracle")), (gallery, None)):
        if other is not None and not m:
            continue
        workers, shares = Shuffled(seed), list[float]()
        found = list(joined_on(workers, queries, other, radius, shares.append, chunk))
        pairs = sorted(row for block in found for row in listed(block))
        assert pairs == listed(expected if expected is not None else join(queries, gallery, radius, "oracle"))
        assert workers.largest <= 2 * chunk
        assert shares == sorted(shares)


def test_a_distributed_join_of_skewed_codes() -> None:
    """Most codes in one bucket of each band: it is cut into chunks, and nothing is missed or found twice."""
    rng = np.random.default_rng(8)
    codes = near_codes(rng, 300, 8, 2)
    codes[:200] = rng.integers(0, 2, (200, 8), dtype=np.uint8) << rng.integers(0, 8, (200, 8), dtype=np.uint8)
    for radius in (0, 3, 9):
        found = [row for block in joined_on(Shuffled(1), codes, None, radius, no_progress, 16) for row in listed(block)]
        assert sorted(found) == listed(self_join(codes, radius, "oracle"))
        assert len(set(found)) == len(found)


def test_a_lost_job_of_a_join_ends_the_run() -> None:
    class Losing(Shuffled):
        def map(self, task: Any, batches: Iterable[Sequence[Any]]) -> Generator[tuple[Any, Any], None, None]:
            for job, _ in super().map(task, batches):
                yield job, Lost(0, "took too long")

    with pytest.raises(WorkerError, match="two parts of the codes could not be compared: took too long"):
        list(joined_on(Losing(1), np.zeros((4, 8), np.uint8), None, 2, no_progress))


@pytest.mark.parametrize(
    ("width", "radius", "n"), [(8, 10, 4000), (8, 0, 4000), (8, 3, 4000), (32, 31, 3000), (512, 200, 600)]
)
def test_banded_matches_the_oracle_on_more_codes(width: int, radius: int, n: int) -> None:
    codes = near_codes(np.random.default_rng(radius), n, width, radius)
    assert listed(self_join(codes, radius, "banded")) == listed(self_join(codes, radius, "oracle"))


def test_uniform_codes_use_bands_and_find_planted_neighbours() -> None:
    rng = np.random.default_rng(1)
    n = amount(20_000, 60_000)
    codes = rng.integers(0, 256, (n, 8), dtype=np.uint8)
    codes[n // 2 : n // 2 + 500] = codes[:500]
    codes[n // 2 : n // 2 + 500, 5] ^= 0b1011
    turned = np.ascontiguousarray(words(codes).T)
    assert choose_bands(turned, turned, 6)[0] is not None
    assert listed(self_join(codes, 6, "banded")) == listed(self_join(codes, 6, "oracle"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_radius_is_inclusive(backend: str) -> None:
    codes = np.zeros((2, 8), np.uint8)
    codes[1, 0] = 0b111
    assert len(self_join(codes, 2, backend)[0]) == 0
    assert listed(self_join(codes, 3, backend)) == [(0, 1, 3)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_equal_codes_match_each_other_and_no_other_code(backend: str) -> None:
    codes = np.zeros((300, 8), np.uint8)
    codes[299] = 255
    assert listed(self_join(codes, 5, backend)) == [(i, j, 0) for i in range(299) for j in range(i + 1, 299)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_more_bits_than_sixteen_can_count(backend: str) -> None:
    codes = np.zeros((2, 1 << 13), np.uint8)
    codes[1] = 255
    assert listed(self_join(codes, 0, backend)) == []
    assert listed(self_join(codes, 1 << 16, backend)) == [(0, 1, 1 << 16)]


@pytest.mark.parametrize(
    "codes",
    [
        np.zeros((2, 8), np.int64),
        np.zeros(8, np.uint8),
        np.zeros((2, 0), np.uint8),
        np.zeros((2, 8), bool),
        pytest.param(
            np.ones((2, 8), np.longdouble),
            marks=pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="no floats of more than 64 bits"),
        ),
    ],
)
def test_wrong_codes_are_refused(codes: Codes) -> None:
    with pytest.raises(ValueError, match="codes must be"):
        self_join(codes, 1)


@pytest.mark.usefixtures("bands")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_whole_radius_may_be_a_float(backend: str) -> None:
    codes = near_codes(np.random.default_rng(1), 50, 8, 5)
    assert listed(self_join(codes, 4.0, backend)) == listed(self_join(codes, 4))
    assert listed(search.Index(codes, 4.0).join(codes, 3.0)) == listed(join(codes, codes, 3))


@pytest.mark.parametrize("radius", [-1, math.nan, math.inf, 1.5])
def test_wrong_radii_are_refused(radius: float) -> None:
    with pytest.raises(ValueError, match="radius"):
        self_join(np.zeros((2, 8), np.uint8), radius)


def test_widths_must_agree() -> None:
    with pytest.raises(ValueError, match="widths must agree"):
        join(np.zeros((1, 8), np.uint8), np.zeros((1, 16), np.uint8), 1)


@settings(max_examples=amount(50, 200), deadline=None)
@given(bits=st.integers(16, 512), radius=st.integers(0, 150), count=st.integers(1, 40))
def test_bands_keep_the_pigeonhole_guarantee(bits: int, radius: int, count: int) -> None:
    bands = split(bits, radius, min(count, bits))
    assert int((bands.slacks + 1).sum()) == radius + 1
    assert (bands.widths > 0).all()
    assert (bands.firsts[1:] >= bands.firsts[:-1] + bands.widths[:-1]).all()


@pytest.mark.covering
@pytest.mark.parametrize("n", [3000, 10**6])
@pytest.mark.parametrize(("bits", "radius"), [(64, 10), (256, 60), (1024, 100), (1024, 300), (4096, 307), (4096, 410)])
def test_the_best_of_a_few_numbers_of_bands_is_the_best_of_all(bits: int, radius: int, n: int) -> None:
    few = banded._counts(bits, radius)
    every = range(1, min(radius + 1, bits // 6) + 1)
    assert len(few) <= 100

    def best(counts: Iterable[int], skew: float) -> float:
        widths = range(6, 23)
        splits = (split(bits, radius, count, width) for count in counts for width in widths if width * count <= bits)
        return min(banded._estimate_cost(bands, n * skew, bits // 64, 20.0) for bands in splits)

    for skew in (1.0, 100.0):
        assert best(few, skew) <= 1.001 * best(every, skew)


# -- vectors -------------------------------------------------------------------------------------------


def by_angle(vectors: NDArray[Any], radius: float) -> list[tuple[int, int, float]]:
    rows = [[float(value) for value in row] for row in vectors]
    out = []
    for i in range(len(rows)):
        for j in range(i + 1, len(rows)):
            product = math.fsum(a * b for a, b in zip(rows[i], rows[j], strict=True))
            lengths = math.hypot(*rows[i]) * math.hypot(*rows[j])
            out.append((i, j, max(0.0, 1 - product / lengths)))
    return [pair for pair in out if pair[2] <= radius]


def near_vectors(rng: np.random.Generator, n: int, width: int, kind: str) -> NDArray[Any]:
    """Random vectors of random lengths, most of them near another one, some equal, some opposite."""
    vectors = rng.normal(size=(n, width))
    for row in range(1, n):
        if rng.random() < 0.7:
            near = vectors[rng.integers(0, row)]
            vectors[row] = near / np.abs(near).max()
            vectors[row] += rng.choice([0, 0.05, 0.3, 1]) * rng.normal(size=width)
            vectors[row] *= rng.choice([1, -1, 0.01, 30])
    return vectors.astype(kind)


@pytest.fixture(scope="module", params=["as it chooses", "tiles", "tiles of short heads", "tiles of whole vectors"])
def tiles(request: pytest.FixtureRequest) -> Iterator[None]:
    """Small inputs never use tiles by themselves, nor bounds that exclude few or all pairs."""
    before = cosine._SMALL, projection_bound._NUMBER_COST, projection_bound._PAIR_COST
    if request.param != "as it chooses":
        cosine._SMALL = 0
    if request.param == "tiles of short heads":
        projection_bound._NUMBER_COST = 1e12
    if request.param == "tiles of whole vectors":
        projection_bound._NUMBER_COST, projection_bound._PAIR_COST = 0.0, 1e12
    yield
    cosine._SMALL, projection_bound._NUMBER_COST, projection_bound._PAIR_COST = before


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("backend", DIRECTIONS)
@settings(max_examples=amount(15, 60), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 40),
    width=st.sampled_from([1, 2, 16, 17, 64, 256]),
    radius=st.floats(0, 2),
    kind=st.sampled_from(["f2", "f4", "f8"]),
)
def test_self_join_of_vectors_matches_the_definition(
    backend: str, seed: int, n: int, width: int, radius: float, kind: str
) -> None:
    vectors = near_vectors(np.random.default_rng(seed), n, width, kind)
    found = listed(self_join(vectors, radius, backend))
    # distances have four decimals: a pair within the last decimal of the radius may be on either side
    sure, possible = by_angle(vectors, radius - 1e-4), by_angle(vectors, radius + 1e-4)
    pairs = [(i, j) for i, j, _ in found]
    assert {(i, j) for i, j, _ in sure} <= set(pairs) <= {(i, j) for i, j, _ in possible}
    assert pairs == sorted(pairs)
    known = {(i, j): distance for i, j, distance in possible}
    assert all(abs(known[i, j] - distance) <= 6e-5 for i, j, distance in found)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("backend", DIRECTIONS)
@settings(max_examples=amount(10, 40), deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 60), m=st.integers(0, 60), radius=st.floats(0, 1.2))
def test_the_join_of_vectors_matches_the_oracle(backend: str, seed: int, n: int, m: int, radius: float) -> None:
    vectors = near_vectors(np.random.default_rng(seed), n + m, 64, "f2")
    assert listed(self_join(vectors, radius, backend)) == listed(self_join(vectors, radius, "oracle"))
    found = listed(join(vectors[:n], vectors[n:], radius, backend))
    assert found == listed(join(vectors[:n], vectors[n:], radius, "oracle"))


@pytest.mark.covering
@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("decay", [1.0, 0.9])
@pytest.mark.parametrize("radius", [0.05, 0.4])
def test_blocks_and_prefixes_lose_nothing(decay: float, radius: float) -> None:
    """More rows than a block, with the norm spread over all components, or concentrated in the first ones."""
    rng = np.random.default_rng(3)
    vectors = (near_vectors(rng, 1500, 64, "f4") * decay ** np.arange(64)).astype("f2")
    assert listed(self_join(vectors, radius, "cosine")) == listed(self_join(vectors, radius, "oracle"))
    found = listed(join(vectors[:600], vectors[600:], radius, "cosine"))
    assert found == listed(join(vectors[:600], vectors[600:], radius, "oracle"))


KINDS = ["clustered", "isotropic", "of low rank", "many equal", "opposite", "one"]


def directions(rng: np.random.Generator, n: int, width: int, kind: str) -> NDArray[Any]:
    """Distributions of embeddings: clustered, uniform, in a few dimensions, on few points, on a line."""
    if kind == "clustered":
        centres = rng.normal(size=(1 + n // 20, width))
        noise = rng.normal(size=(n, width)) * rng.uniform(0.1, 0.6, (n, 1))
        return np.asarray(centres[rng.integers(0, len(centres), n)] + noise)
    if kind == "of low rank":
        return np.asarray(rng.normal(size=(n, 3)) @ rng.normal(size=(3, width)))
    if kind == "many equal":
        return np.asarray(rng.integers(-1, 2, (5, width))[rng.integers(0, 5, n)] + np.eye(width)[0] * 3.0)
    vectors = rng.normal(size=(n if kind != "one" else 1, width))
    if kind == "opposite":
        vectors[n // 2 :] = -vectors[: n - n // 2]
    return np.asarray(
        np.resize(vectors, (n, width)) * (np.ones((n, 1)) if kind != "one" else rng.uniform(0.1, 9, (n, 1)))
    )


@pytest.mark.covering
@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=amount(4, 10), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 150),
    width=st.sampled_from([1, 5, 32, 80, 130]),
    radius=st.one_of(st.floats(0, 2), st.sampled_from([0.0, 0.1, 1.0, 2.0])),
    stored=st.sampled_from(["f2", "f4", ">f4", "f8"]),
)
def test_vectors_of_all_distributions_are_found(
    kind: str, seed: int, n: int, width: int, radius: float, stored: str
) -> None:
    vectors = directions(np.random.default_rng(seed), n, width, kind).astype(stored)
    assert listed(self_join(vectors, radius, "cosine")) == listed(self_join(vectors, radius, "oracle"))
    found = listed(join(vectors[1::2], vectors[::2], radius, "cosine"))
    assert found == listed(join(vectors[1::2], vectors[::2], radius, "oracle"))


@pytest.mark.covering
@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("kind", KINDS)
def test_more_vectors_than_a_task_takes_are_found(kind: str) -> None:
    vectors = directions(np.random.default_rng(0), 1300, 70, kind).astype("f2")
    assert listed(self_join(vectors, 0.1, "cosine:threads=2")) == listed(self_join(vectors, 0.1, "oracle"))


def test_a_simple_processor_gives_the_same_result(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A processor without instructions for half precision, without SIMD, or without a population count.

    By default, its compiled code is cached between runs, like the code for this processor.
    """
    kept = amount(1, 0) and getattr(request.config, "cache", None)
    compiled = kept.mkdir("machine-code-of-a-simple-processor") if kept else tmp_path
    code = """
import numpy as np
from twinpix.search import self_join
from twinpix.search import bands as banded
from twinpix.search.backends import cosine
cosine._SMALL, banded._NEGLIGIBLE, banded._TILE_COST = 0, 0.0, 1e12
rng = np.random.default_rng(0)
vectors = (rng.normal(size=(20, 70))[np.arange(300) % 20] + 0.2 * rng.normal(size=(300, 70))).astype("f2")
codes = rng.integers(0, 256, (300, 8), dtype=np.uint8) & rng.integers(0, 2, (300, 8), dtype=np.uint8)
for given, radius, backend in ((vectors, 0.05, "cosine"), (codes, 4, "banded")):
    found, expected = self_join(given, radius, backend), self_join(given, radius, "oracle")
    assert len(expected[0]) > 100
    assert all(np.array_equal(*columns) for columns in zip(found, expected, strict=True))
"""
    env = os.environ | {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(compiled)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("backend", DIRECTIONS)
def test_distances_between_two_decimals_are_rounded_as_by_the_oracle(backend: str) -> None:
    """Cosines like 31/32: their distances end in a 5, and the order of summation decides how it is rounded."""
    rows = np.array([[1 if at != k else -1 for at in range(64)] for k in range(40)], dtype="f4") * np.float32(1 / 3)
    for radius in (0.0624, 0.0625, 0.2):
        assert listed(self_join(rows, radius, backend)) == listed(self_join(rows, radius, "oracle"))


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("backend", DIRECTIONS)
def test_the_radius_of_vectors_is_inclusive(backend: str) -> None:
    vectors = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])  # cosines 0.6, -0.6 and -1
    assert listed(self_join(vectors, 0.3999, backend)) == []
    assert listed(self_join(vectors, 0.4, backend)) == [(0, 1, pytest.approx(0.4))]
    assert listed(self_join(vectors, 1 - -0.6, backend))[1:] == [(1, 2, pytest.approx(1.6))]
    assert len(self_join(vectors, 2, backend)[0]) == 3


@pytest.mark.parametrize("backend", DIRECTIONS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_numbers_are_refused(backend: str, bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        self_join(np.array([[1.0, bad], [1.0, 1.0]]), 0.1, backend)


@pytest.mark.parametrize("backend", DIRECTIONS)
def test_zeros_have_no_direction(backend: str) -> None:
    with pytest.raises(ValueError, match="no direction"):
        self_join(np.array([[0.0, 0.0], [1.0, 1.0]]), 0.1, backend)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("backend", DIRECTIONS)
@pytest.mark.parametrize("order", "<>")
def test_very_long_and_very_short_vectors_have_directions(backend: str, order: str) -> None:
    vectors = np.array([[1e300, 1e300], [1e-300, 1e-300], [1e300, 0]], order + "f8")
    assert listed(self_join(vectors, 0.1, backend)) == [(0, 1, 0.0)]
    assert listed(search.Index(vectors[1:], 0.1).join(vectors[:1])) == [(0, 0, 0.0)]


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("backend", DIRECTIONS)
@pytest.mark.parametrize("radius", [3, 1e39, 1e300, pytest.param(10**400, id="a number of 400 digits")])
def test_no_cosine_distance_exceeds_two(backend: str, radius: float) -> None:
    vectors = np.array([[1.0, 0], [-1, 0], [0, 1]])
    assert len(self_join(vectors, radius, backend)[0]) == 3
    assert len(search.Index(vectors, radius).join(vectors[:1], radius)[0]) == 3


def test_back_ends_refuse_what_they_cannot_compare() -> None:
    with pytest.raises(UsageError, match="banded does not compare by cosine distance; these do: cosine, faiss"):
        self_join(np.ones((2, 8)), 0.1, "banded")
    with pytest.raises(UsageError, match="cosine does not compare by hamming distance"):
        self_join(np.zeros((2, 8), np.uint8), 1, "cosine")
    with pytest.raises(ValueError, match="both"):
        join(np.ones((2, 8)), np.zeros((2, 8), np.uint8), 1)
    with pytest.raises(ValueError, match="whole number"):
        self_join(np.zeros((2, 8), np.uint8), 1.5)


# -- indexes -------------------------------------------------------------------------------------------


def most_held(work: Callable[[], object]) -> int:
    """The peak of allocated bytes during a call."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_index_holds_few_products_at_once() -> None:
    vectors = np.random.default_rng(0).normal(size=(400_000, 4)).astype("f4")
    index = search.Index(vectors, 1e-4)
    expected = listed(join(vectors[:64], vectors, 1e-4))
    found = list[Any]()
    assert most_held(lambda: found.extend(listed(index.join(vectors[:64])))) < 5e7
    assert found == expected


@pytest.mark.usefixtures("bands")
@settings(max_examples=amount(10, 40), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 30),
    m=st.integers(0, 60),
    width=st.sampled_from([1, 8, 16, 40]),
    share=st.floats(0, 0.3),
)
def test_an_index_finds_the_pairs_of_join(seed: int, n: int, m: int, width: int, share: float) -> None:
    radius = int(8 * width * share)
    codes = near_codes(np.random.default_rng(seed), n + m, width, radius + 2)
    index = search.Index(codes[n:], radius)
    assert len(index) == m
    for asked in (radius, radius // 2):
        assert listed(index.join(codes[:n], asked)) == listed(join(codes[:n], codes[n:], asked, "oracle"))


def test_an_index_of_many_codes_compares_few() -> None:
    codes = near_codes(np.random.default_rng(5), amount(20_000, 60_000), 8, 12)
    index = search.Index(codes, 8)
    assert listed(index.join(codes[:50])) == listed(join(codes[:50], codes, 8, "oracle"))


@settings(max_examples=amount(8, 20), deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 80), m=st.integers(0, 40), radius=st.floats(0, 1))
def test_an_index_of_vectors_finds_the_pairs_of_join(seed: int, n: int, m: int, radius: float) -> None:
    vectors = near_vectors(np.random.default_rng(seed), n + m, 16, "f2")
    found = search.Index(vectors[n:], radius).join(vectors[:n])
    assert listed(found) == listed(join(vectors[:n], vectors[n:], radius, "oracle"))


def test_an_index_refuses_a_larger_radius_than_its_own() -> None:
    with pytest.raises(ValueError, match="within 3, not 4"):
        search.Index(np.zeros((2, 8), np.uint8), 3).join(np.zeros((1, 8), np.uint8), 4)


# -- blocks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [1, 1000, 10**9])
@pytest.mark.parametrize("backend", ["oracle", "banded"])
def test_blocks_contain_all_pairs(backend: str, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory, through files, and through a file for nearly every block."""
    codes = near_codes(np.random.default_rng(2), 3000, 8, 8)
    codes[500:900] = codes[7]
    expected = self_join(codes, 9, "oracle")
    monkeypatch.setattr(external_sort, "HELD", held)
    monkeypatch.setattr(external_sort, "_FEW", 100)
    blocks = list(search.self_join_blocks(codes, 9, backend))
    for column, together in zip(zip(*blocks, strict=True), expected, strict=True):
        assert np.array_equal(np.concatenate(column), together)
    assert len(blocks) > 10 or held == 10**9
    assert listed(self_join(codes, 9, backend)) == listed(expected)


@pytest.mark.parametrize("kind", ["in order", "most of one row", "first one row, then others"])
def test_blocks_are_small_however_pairs_come(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ranges of the files are chosen from the first pairs; later pairs need not be within them."""
    rng = np.random.default_rng(0)
    i = np.arange(200_000) // 50
    if kind == "most of one row":
        i = np.where(rng.random(len(i)) < 0.5, 7, i)
    if kind == "first one row, then others":
        i[:5000] = 3000
    j = rng.permutation(len(i)) + 5000
    monkeypatch.setattr(external_sort, "HELD", 1000)
    given = (
        (i[at : at + 300], j[at : at + 300], (j[at : at + 300] % 9).astype(np.int32)) for at in range(0, len(i), 300)
    )
    with external_sort.Ordered(given, np.int32) as ordered:
        blocks = list(ordered.blocks())
    order = np.lexsort((j, i))
    for column, whole in zip(zip(*blocks, strict=True), (i, j, j % 9), strict=True):
        assert np.array_equal(np.concatenate(column), whole[order])
    assert all(len(rows) <= 1000 or rows[0] == rows[-1] for rows, _, _ in blocks)
    assert len(blocks) < 2000


def test_temporary_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(external_sort, "HELD", 10)
    codes = np.zeros((200, 8), np.uint8)
    blocks = search.self_join_blocks(codes, 1)
    next(blocks)
    assert list(tmp_path.iterdir())
    blocks.close()
    assert not list(tmp_path.iterdir())

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        self_join(codes, 1, "oracle", stop)
    assert not list(tmp_path.iterdir())


def test_pairs_that_do_not_fit_on_the_disk_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource", reason="file sizes are limited by POSIX")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(external_sort, "HELD", 10)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OutputError, match="smaller radius"):
            self_join(np.zeros((200, 8), np.uint8), 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("backend", ["oracle", "banded", "cosine"])
def test_the_share_that_is_done_grows_to_one(backend: str) -> None:
    rng = np.random.default_rng(4)
    codes = rng.normal(size=(3000, 16)) if backend == "cosine" else near_codes(rng, 30_000, 8, 3)
    codes = codes[:3000] if backend == "oracle" else codes
    radius = 0.1 if backend == "cosine" else 3
    for gallery in (None, codes[:1500]):
        shares: list[float] = []
        if gallery is None:
            self_join(codes, radius, backend, shares.append)
        else:
            join(codes, gallery, radius, backend, shares.append)
        assert shares == sorted(shares)
        assert shares[-1] == 1
        assert len(shares) > 3 or backend == "cosine"


@pytest.mark.parametrize("tasks", [9, 49])
def test_shares_that_sum_to_more_than_one_are_no_step_back(tasks: int) -> None:
    shares = list[float]()
    with ThreadPoolExecutor(1) as pool:
        list(TaskScheduler(pool, 1, shares.append, 0.0, 0.5).of((1 / tasks, iter(list[int]())) for _ in range(tasks)))
    assert shares == sorted(shares)
    assert shares[-1] == 0.5


@pytest.mark.usefixtures("bands")
def test_a_search_can_be_cancelled() -> None:
    def stop(share: float) -> None:
        raise StoppedError("enough")

    codes = near_codes(np.random.default_rng(4), 30_000, 8, 3)
    with pytest.raises(StoppedError):
        self_join(codes, 3, "banded", stop)


@pytest.mark.usefixtures("bands")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_search_can_be_cancelled_among_the_pairs_of_equal_codes(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = list[float]()

    def stop(share: float) -> None:
        shares.append(share)
        if len(shares) > 5:
            raise StoppedError("enough")

    codes = np.repeat(near_codes(np.random.default_rng(0), 2, 8, 3), 3000, axis=0)
    pairs = list[int]()

    def counted(self: external_sort.Ordered, block: Pairs) -> None:
        pairs.append(len(block[0]))
        add(self, block)

    add = external_sort.Ordered._add
    monkeypatch.setattr(external_sort.Ordered, "_add", counted)
    with pytest.raises(StoppedError):
        self_join(codes, 3, backend, stop)
    assert shares == sorted(shares)
    assert sum(pairs) < 8_000_000  # of eighteen million pairs, or nine if the two codes are farther apart


def test_errors_are_raised_before_the_first_block() -> None:
    with pytest.raises(ValueError, match="codes must be"):
        search.self_join_blocks(np.zeros((2, 8), np.int64), 1)


def test_the_search_that_ran_is_reported() -> None:
    some = search.Search()
    some.self_join(np.zeros((3, 8), np.uint8), 1)
    assert str(some.hows[0]) == "search: oracle, exact: every code compared with every other, about 1 s"
