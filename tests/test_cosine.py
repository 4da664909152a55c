"""The join of directions: what it finds on several threads, and what memory it takes."""

import tracemalloc

import numpy as np
import pytest

from twinpix import search


@pytest.mark.parametrize("radius", [0.0, 0.05, 0.3, 1.0, 2.0])
def test_directions_on_several_threads_are_the_definition(radius: float) -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(700, 64)).astype(np.float16)
    codes[500:] = codes[:200] + rng.normal(size=(200, 64)) * 0.1
    expected = search.self_join(codes, radius, "oracle")
    for backend in ("cosine", "cosine:threads=3"):
        found = search.self_join(codes, radius, backend)
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True)), backend


def test_a_large_gallery_is_not_held_in_single_precision() -> None:
    """Twice what it takes itself: of 100,000 pictures in eight orientations 800 MB."""
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


def test_equal_directions_do_not_fill_the_memory() -> None:
    """Every pair of them is one: their numbers, all at once, would take 2 GB."""
    codes = np.ones((500, 1024), dtype=np.float16)
    tracemalloc.start()
    try:
        found = search.self_join(codes, 0.1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found[0]) == 500 * 499 // 2
    assert peak < 600 << 20
