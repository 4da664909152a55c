"""Dense clusters: the pairs of representatives give the same groups as all pairs."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import twinpix
from graphs import groups_of
from twinpix.match import pairs
from twinpix.match.join import Neighbours, match
from twinpix.match.representatives import clusters
from twinpix.model import Matches, Report
from twinpix.search import Search, TooManyError


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.sampled_from([1, 8]), st.integers(0, 8), st.integers(0, 30))
def test_representatives_give_the_groups_of_all_pairs(
    seed: int, count: int, turns: int, radius: int, listed: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (count, turns, 2), dtype=np.uint8) & rng.integers(0, 256, (1, 1, 2), dtype=np.uint8)
    order = rng.permutation(count)[: rng.integers(0, count + 1)]
    classes, place = np.sort(order), {class_: at for at, class_ in enumerate(order.tolist())}
    every = match(codes, classes, classes[:0], radius, Search())
    excluded = {tuple(sorted(pair)) for pair in rng.integers(0, max(count, 1), (3, 2)).tolist()}

    def without(matches: Matches) -> Matches:
        ends = zip(matches.i.tolist(), matches.j.tolist(), strict=True)
        return matches.where(np.array([pair not in excluded for pair in ends], dtype=bool))

    every = without(every)
    found, left_out = clusters(codes, order.tolist(), radius, "auto", listed, without)

    def groups(matches: Matches) -> list[list[int]]:
        near = Neighbours(matches, count)
        found = groups_of("star", range(count), [(0, False)] * count, near, lambda a, b: True, order.tolist())
        return [[group[0], *sorted(group[1:])] for group in found]

    def known(matches: Matches) -> dict[tuple[int, int], tuple[int, int]]:
        columns = (column.tolist() for column in (matches.i, matches.j, matches.distance, matches.turn))
        return {(i, j): (distance, turn) for i, j, distance, turn in zip(*columns, strict=True)}

    assert groups(found) == groups(every)
    mine, all_of_them = known(found), known(every)
    assert len(mine) == len(found)
    assert mine.items() <= all_of_them.items()
    for keeper, *others in groups(every):
        inside = {(min(a, b), max(a, b)) for a, b in combinations([keeper, *others], 2)} & all_of_them.keys()
        kept = inside & mine.keys()
        assert len(inside) == len(kept) + left_out.get(keeper, 0)
        assert {pair for pair in inside if keeper in pair} <= kept
        among = sorted(
            (pair for pair in inside if keeper not in pair), key=lambda pair: min(place[pair[0]], place[pair[1]])
        )
        rows = [min(place[a], place[b]) for a, b in among]
        missing = [row for pair, row in zip(among, rows, strict=True) if pair not in kept]
        if missing:
            assert sum(row < min(missing) for row in rows) >= listed


def test_a_search_of_too_many_pairs_ends_early() -> None:
    codes = np.zeros((5000, 8), np.uint8)
    codes[:, :2] = np.arange(5000, dtype=np.uint16)[:, None].view(np.uint8)
    with pytest.raises(TooManyError):
        Search("auto", most=1000).self_join(codes, 16)
    assert len(Search("auto", most=2_000).self_join(codes[:50], 16)[0]) == 50 * 49 // 2


@pytest.mark.parametrize("options", [{}, {"transforms": True}, {"keep": "oldest"}, {"radius": 90}])
def test_a_report_is_the_same_without_all_pairs(
    options: dict[str, Any], tmp_path: Path, draw_image: Callable[..., Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        image = draw_image(seed).resize((200, 150))
        for at in range(8):
            image.crop((at, 0, 200, 150)).save(tmp_path / f"{seed}-{at}.jpg", quality=90 - 10 * at)
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / f"{seed}-flip.png")
    whole = twinpix.find(tmp_path, method="phash:size=16", store=None, workers=1, **options)
    assert sum(len(group.matches) for group in whole.groups) > 40
    monkeypatch.setattr(pairs, "MOST", 5)
    again = twinpix.find(tmp_path, method="phash:size=16", store=None, workers=1, **options)

    def plain(report: Report) -> Report:
        return replace(report, created="", search=[])

    assert plain(again) == plain(whole)
