"""Metrics against their definitions, and files with ground truth."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amounts import amount
from commands import run
from twinpix import evaluation
from twinpix.errors import UsageError
from twinpix.evaluation.maps import map_of_pairs

Map = dict[str, list[str]]
NAMES = [f"{n}" for n in range(9)]
pairs = st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=14)


@pytest.mark.parametrize(
    ("retrieved", "precision", "gain", "overlap"),
    [(["1", "33", "2", "4"], 0.6041667, 0.9060254, 0.6), (["1", "42"], 0.25, 1.0, 0.2), ([], 0.0, 0.0, 0.0)],
)
def test_documented_values(retrieved: list[str], precision: float, gain: float, overlap: float) -> None:
    truth = ["1", "2", "3", "4"]
    assert evaluation.average_precision(truth, retrieved) == pytest.approx(precision, abs=1e-6)
    assert evaluation.ndcg(truth, retrieved) == pytest.approx(gain, abs=1e-6)
    assert evaluation.jaccard(truth, retrieved) == pytest.approx(overlap)
    assert evaluation.average_precision([], []) == evaluation.ndcg([], []) == evaluation.jaccard([], []) == 1
    assert evaluation.true_ndcg(truth, ["1", "2", "3", "4"]) == 1
    assert evaluation.true_ndcg(truth, ["1", "42"]) < evaluation.ndcg(truth, ["1", "42"])


def groups_of(found: Map) -> list[set[str]]:
    out: list[set[str]] = []
    for key, names in found.items():
        touching = [group for group in out if group & {key, *names}]
        out = [group for group in out if group not in touching] + [{key, *names}.union(*touching)]
    return out


@settings(max_examples=200, deadline=None)
@given(pairs, pairs)
def test_pairs_and_groups_match_their_definitions(real: set[tuple[str, str]], predicted: set[tuple[str, str]]) -> None:
    truth, retrieved = map_of_pairs(NAMES, sorted(real)), map_of_pairs(NAMES, sorted(predicted))
    scores = evaluation.score(truth, retrieved)
    every = list(combinations(NAMES, 2))
    a = {pair for pair in every if pair[1] in truth[pair[0]]}
    b = {pair for pair in every if pair[1] in retrieved[pair[0]]}
    if a or b:
        assert scores.precision == pytest.approx(len(a & b) / len(b) if b else 0)
        assert scores.recall == pytest.approx(len(a & b) / len(a) if a else 0)
    else:
        assert (scores.precision, scores.recall, scores.f1) == (1, 1, 1)
    true_groups, said_groups = groups_of(truth), groups_of(retrieved)
    precision = recall = 0.0
    for name in NAMES:
        t, s = (next(g for g in groups if name in g) for groups in (true_groups, said_groups))
        precision += len(t & s) / len(s) / len(NAMES)
        recall += len(t & s) / len(t) / len(NAMES)
    assert scores.b_cubed_precision == pytest.approx(precision)
    assert scores.b_cubed_recall == pytest.approx(recall)
    together = sum(any({x, y} <= g for g in true_groups) and any({x, y} <= g for g in said_groups) for x, y in every)
    in_true = sum(any({x, y} <= g for g in true_groups) for x, y in every)
    in_said = sum(any({x, y} <= g for g in said_groups) for x, y in every)
    expected, most = in_true * in_said / len(every), (in_true + in_said) / 2
    assert scores.adjusted_rand == pytest.approx(1.0 if most == expected else (together - expected) / (most - expected))


def test_many_thousand_keys_with_ten_relations_each() -> None:
    names = [f"{number}" for number in range(amount(19_998, 99_990))]
    families = [names[start : start + 11] for start in range(0, len(names), 11)]
    found = {name: [other for other in family if other != name] for family in families for name in family}
    scores = evaluation.score(found, found)
    assert set(scores) == {1.0}


def test_the_curve_matches_the_definition() -> None:
    true, false = np.array([0, 1, 1, 4], np.int32), np.array([2, 3, 3, 4, 4], np.int32)
    curve = evaluation.curve(true, false, missing=1, radius=5)
    for radius in range(6):
        hits, wrong = int((true <= radius).sum()), int((false <= radius).sum())
        assert curve.precision[radius] == pytest.approx(hits / (hits + wrong))
        assert curve.recall[radius] == pytest.approx(hits / 5)
    assert curve.recommended == 1


def test_truth_from_files(tmp_path: Path) -> None:
    expected = {"a.jpg": ["b.jpg"], "b.jpg": ["a.jpg"], "c.jpg": []}
    (tmp_path / "map.json").write_text(json.dumps(expected))
    (tmp_path / "scores.json").write_text(json.dumps({"a.jpg": [["b.jpg", 3]], "b.jpg": [["a.jpg", 3]], "c.jpg": []}))
    (tmp_path / "pairs.csv").write_text("a,b\na.jpg, b.jpg\nc.jpg\n")
    for name in ("map.json", "scores.json", "pairs.csv"):
        assert evaluation.read_truth(str(tmp_path / name)) == expected
    for name in ("one/a.jpg", "one/b.jpg", "two/c.jpg"):
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).touch()
    assert evaluation.read_truth(str(tmp_path / "groups")) == {
        "one/a.jpg": ["one/b.jpg"],
        "one/b.jpg": ["one/a.jpg"],
        "two/c.jpg": [],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("{broken", "no JSON"),
        ("[1, 2]", "holds no map"),
        ('{"a": "b"}', "holds no map"),
        ('{"a": [7]}', "a duplicate is a name"),
        ("a.jpg,a.jpg", "line 1: give two names"),
        ("a,b,c", "line 1: give two names"),
    ],
)
def test_files_without_ground_truth(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "truth").write_text(text)
    with pytest.raises(UsageError, match=words):
        evaluation.read_truth(str(tmp_path / "truth"))
    with pytest.raises(UsageError, match="cannot read"):
        evaluation.read_truth(str(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no sub-folders"):
        evaluation.read_truth(str(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        ({"a": ["b"], "b": []}, "a lists b, but b does not list a"),
        ({"a": ["b"]}, "a lists b, which has no entry of its own"),
        ({}, "names no image"),
    ],
)
def test_a_map_that_cannot_be_evaluated_is_refused_in_words(
    truth: dict[str, list[str]], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(truth))
    done = run("evaluate", path, path)
    assert (done.returncode, reason in done.stderr) == (2, True)
