"""The join of vectors by cosine: its result on several threads, and its memory."""

import threading
import time
import tracemalloc

import numpy as np
import pytest

from twinpix import search
from twinpix.search.backends import cosine
from twinpix.search.base import no_progress


@pytest.mark.parametrize("radius", [0.0, 0.05, 0.3, 1.0, 2.0])
def test_the_join_on_several_threads_matches_the_definition(radius: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(700, 64)).astype(np.float16)
    codes[500:] = codes[:200] + rng.normal(size=(200, 64)) * 0.1
    expected = search.self_join(codes, radius, "oracle")
    for small in (cosine._SMALL, 0):
        monkeypatch.setattr(cosine, "_SMALL", small)
        for backend in ("cosine", "cosine:threads=1", "cosine:threads=3"):
            found = search.self_join(codes, radius, backend)
            assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True)), backend


@pytest.mark.parametrize("small", [cosine._SMALL, 0])
def test_a_large_gallery_is_not_held_in_single_precision(small: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """That would be twice its own size: 800 MB for 100,000 images in eight orientations."""
    monkeypatch.setattr(cosine, "_SMALL", small)
    rng = np.random.default_rng(1)
    gallery = rng.standard_normal((200_000, 32), dtype=np.float32).astype(np.float16)
    tracemalloc.start()
    try:
        i, j, distance = search.join(gallery[[3, 150_000]], gallery, 0.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (i.tolist(), j.tolist(), distance.tolist()) == ([0, 1], [3, 150_000], [0, 0])
    assert peak < 2.5 * gallery.nbytes


@pytest.mark.parametrize("small", [cosine._SMALL, 0])
def test_equal_vectors_do_not_fill_the_memory(small: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pair matches: the numbers of all pairs at once would take 2 GB."""
    monkeypatch.setattr(cosine, "_SMALL", small)
    codes = np.ones((500, 1024), dtype=np.float16)
    tracemalloc.start()
    try:
        found = search.self_join(codes, 0.1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found[0]) == 500 * 499 // 2
    assert peak < 600 << 20


def test_blocks_stay_small_if_all_vectors_match() -> None:
    codes = np.ones((20_000, 128), dtype=np.float16)
    blocks = cosine.Cosine(threads=2).plan(codes, None, 0.1).blocks(no_progress)
    assert all(len(next(blocks)[0]) <= 1 << 20 for _ in range(50))


def test_a_cancelled_join_ends_soon() -> None:
    """The caller stops iterating, or the progress callback cancels."""
    codes = np.random.default_rng(0).normal(size=(40_000, 256)).astype(np.float16)
    plan = cosine.Cosine(threads=2).plan(codes, None, 1.1)  # half of all pairs would take minutes
    before = threading.active_count()
    blocks = plan.blocks(no_progress)
    next(blocks)
    start = time.monotonic()
    blocks.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 5
    assert threading.active_count() == before

    def enough(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(plan.blocks(enough))
    assert time.monotonic() - start < 10
    assert threading.active_count() == before


def test_the_reported_share_grows_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(5000, 64)).astype(np.float16)
    for small in (cosine._SMALL, 0):
        monkeypatch.setattr(cosine, "_SMALL", small)
        monkeypatch.setattr(cosine, "_GALLERY", 1500)
        for queries, gallery in ((codes, None), (codes[:3000], codes)):
            shares = list[float]()
            list(cosine.Cosine(threads=2).plan(queries, gallery, 0.1).blocks(shares.append))
            assert shares == sorted(shares)
            assert 0 <= shares[0] < 1
            assert shares[-1] == pytest.approx(1)
