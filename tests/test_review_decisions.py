"""Decisions about groups: what they say, that they hold by content, and that each batch can be taken back."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libraries import library
from twinpix.act.decisions import Choice, Decisions, File, Verdict, choice_of, decided, files_of, kept_of, state_of
from twinpix.errors import ReportError, UsageError
from twinpix.model import Report
from twinpix.report import read, read_in_parts
from twinpix.review.index import ORDERS, Filter, Index
from twinpix.review.rules import Rule, is_below, meets
from twinpix.store import Store

A, B, C, D = (bytes([number]) * 16 for number in range(1, 5))
Contents = tuple[list[tuple[object, ...]], list[tuple[bytes, bytes]]]


def contents(decisions: Decisions) -> Contents:
    rows = "SELECT keeper, other, verdict, path FROM decisions ORDER BY keeper, other"
    db = decisions._db
    return db.execute(rows).fetchall(), db.execute("SELECT a, b FROM apart ORDER BY a, b").fetchall()


@pytest.fixture
def decisions(tmp_path: Path) -> Decisions:
    return Decisions(str(tmp_path / "decisions.sqlite"))


def test_a_decision_is_found_again_for_the_same_contents(decisions: Decisions) -> None:
    choice = Choice(B, ("b.png",), {A: Verdict.DISCARD, C: Verdict.BOTH})
    decisions.decide([([A, B, C], choice)], "group 1")
    assert decisions.among([C, A, B]) == choice
    assert state_of(choice) == "decided"
    assert decisions.among([A, B, C, D]) is None  # a new image makes the group undecided
    assert decisions.among([A, B]) == Choice(B, ("b.png",), {A: Verdict.DISCARD})


def test_what_is_no_copy_and_what_is_kept_too_is_not_grouped_by_find_again(decisions: Decisions) -> None:
    others = {B: Verdict.DISCARD, C: Verdict.BOTH, D: Verdict.APART}
    decisions.decide([([A, B, C, D], Choice(A, (), others))], "group 1")
    assert contents(decisions)[1] == [(A, C), (A, D), (B, D), (C, D)]


def test_images_that_are_all_kept_are_not_grouped_without_their_keeper(decisions: Decisions) -> None:
    decisions.decide([([A, B, C], Choice(A, (), {B: Verdict.BOTH, C: Verdict.BOTH}))], "group 1")
    assert contents(decisions)[1] == [(A, B), (A, C), (B, C)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([A, B, C]), min_size=2, max_size=7), st.data())
def test_what_was_decided_about_files_is_known_for_them_again(digests: list[bytes], data: st.DataObject) -> None:
    """A file that was kept stays, also beside files with equal bytes that were not; names decide between these."""
    files = [File(digest, f"/photos/{at}.png") for at, digest in enumerate(digests)]
    keeper = data.draw(st.integers(0, len(files) - 1))
    given_ = {at: data.draw(st.sampled_from(list(Verdict))) for at in range(len(files)) if at != keeper}
    choice = decided(files, keeper, given_)
    found, verdicts = files_of(choice, files)
    assert found == keeper
    assert set(verdicts) == set(given_)
    for at, verdict in given_.items():
        assert (verdicts[at] == Verdict.DISCARD) == (verdict == Verdict.DISCARD)
    renamed = [File(file.digest, f"/renamed{file.path}") for file in files]
    lost = {digests[at] for at in kept_of(choice, files)} - {digests[at] for at in kept_of(choice, renamed)}
    assert not lost
    assert len(kept_of(choice, renamed)) >= len(kept_of(choice, files))


def test_files_with_equal_bytes_are_decided_too(decisions: Decisions) -> None:
    assert decisions.among([A, A]) is None
    decisions.decide([([A, A], Choice(A, ("one.png",), {A: Verdict.DISCARD}))], "group 1")
    assert decisions.among([A, A]) == Choice(A, ("one.png",), {A: Verdict.DISCARD})
    assert contents(decisions)[1] == []


def test_later_is_a_state_and_no_decision(decisions: Decisions) -> None:
    decisions.decide([([A, B], Choice(A, (), {B: Verdict.LATER}))], "group 1")
    assert state_of(decisions.among([A, B])) == "later"
    assert state_of(None) == ""


def test_a_new_decision_replaces_the_earlier_one(decisions: Decisions) -> None:
    decisions.decide([([A, B], Choice(A, (), {B: Verdict.APART}))], "first")
    decisions.decide([([A, B], Choice(B, (), {A: Verdict.DISCARD}))], "second")
    assert decisions.among([A, B]) == Choice(B, (), {A: Verdict.DISCARD})
    assert contents(decisions)[1] == []
    assert decisions.take_back() == {A, B}
    assert decisions.among([A, B]) == Choice(A, (), {B: Verdict.APART})
    assert contents(decisions)[1] == [(A, B)]


Digests = st.lists(st.sampled_from([A, B, C, D]), min_size=2, max_size=5)


@st.composite
def steps(draw: st.DrawFn) -> tuple[list[bytes], Choice | None]:
    digests = draw(Digests)
    keeper = draw(st.sampled_from(digests))
    rest = [digest for at, digest in enumerate(digests) if at != digests.index(keeper)]
    verdicts = {digest: draw(st.sampled_from(list(Verdict))) for digest in rest}
    return digests, draw(st.sampled_from([None, Choice(keeper, ("k.png",), verdicts)]))


@settings(max_examples=100, deadline=None)
@given(st.lists(steps(), max_size=6))
def test_taking_batches_back_restores_every_state_before(done: Sequence[tuple[list[bytes], Choice | None]]) -> None:
    decisions = Decisions(":memory:")
    states = [contents(decisions)]
    for digests, choice in done:
        if choice is None:
            decisions.clear([digests], "undecided")
        else:
            decisions.decide([(digests, choice)], "group")
            assert decisions.among(digests) is not None
        states.append(contents(decisions))
    for before in reversed(states[:-1]):
        decisions.take_back()
        assert contents(decisions) == before
    assert decisions.last() is None
    assert decisions.take_back() == set()
    decisions.close()


def test_decisions_go_to_another_machine_as_a_file(decisions: Decisions, tmp_path: Path) -> None:
    decisions.decide([([A, B], Choice(A, ("secret/a.png",), {B: Verdict.APART}))], "group 1")
    (tmp_path / "mine.jsonl").write_text("".join(decisions.export()))
    assert "secret" not in (tmp_path / "mine.jsonl").read_text()
    other = Decisions(str(tmp_path / "other.sqlite"))
    assert other.merge(str(tmp_path / "mine.jsonl")) == 1
    assert other.among([A, B]) == Choice(A, (), {B: Verdict.APART})
    assert contents(other)[1] == [(A, B)]
    assert other.merge(str(tmp_path / "mine.jsonl")) == 0  # the same again
    other.decide([([A, B], Choice(B, (), {A: Verdict.DISCARD}))], "a later decision")
    assert other.merge(str(tmp_path / "mine.jsonl")) == 0  # the later decision counts
    (tmp_path / "theirs.jsonl").write_text("".join(other.export()))
    assert decisions.merge(str(tmp_path / "theirs.jsonl")) == 1
    assert decisions.among([A, B]) == Choice(B, (), {A: Verdict.DISCARD})
    decisions.take_back()
    assert decisions.among([A, B]) == Choice(A, ("secret/a.png",), {B: Verdict.APART})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null\n",
        "[]\n",
        '{"schema": "other"}\n',
        "not json",
        '{"schema": "twinpix.decisions/1"}\n{"keeper": "00"}\n',
    ],
)
def test_another_file_is_refused(decisions: Decisions, tmp_path: Path, text: str) -> None:
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(UsageError, match="holds no decisions"):
        decisions.merge(str(tmp_path / "x.jsonl"))
    with pytest.raises(UsageError, match="cannot read"):
        decisions.merge(str(tmp_path / "absent.jsonl"))


def test_the_decisions_of_a_store_are_the_pairs_that_find_reads(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    with closing(Decisions.of(store)) as decisions:
        decisions.decide([([A, B], Choice(A, (), {B: Verdict.BOTH}))], "group 1")
    assert store.exclusions() == [(A, B)]
    store.close()


def test_too_many_images_that_are_no_copies_are_refused_and_nothing_is_stored(decisions: Decisions) -> None:
    many = {number.to_bytes(16): Verdict.APART for number in range(1000, 2500)}
    with pytest.raises(UsageError, match="1,125,750 pairs are more than can be remembered"):
        decisions.decide([([A, *many], Choice(A, (), many))], "group 1")
    assert contents(decisions) == ([], [])
    assert decisions.last() is None


def test_a_choice_needs_a_verdict_on_every_image() -> None:
    known = {A: {B: (Verdict.DISCARD, ())}, B: {C: (Verdict.DISCARD, ())}}
    assert choice_of([A, B], known) == Choice(A, (), {B: Verdict.DISCARD})
    assert choice_of([A, B, C], known) is None
    assert choice_of([A, A, B], known) is None


# -- the index ------------------------------------------------------------------------------------------


def built(report: Report, folder: Path) -> Index:
    Index.build(report.groups, str(folder / "index.sqlite"), "head")
    index = Index(str(folder / "index.sqlite"))
    assert (index.head, index.complete) == ("head", True)
    return index


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return built(library(tmp_path, 7), tmp_path)


@pytest.mark.parametrize("order", ORDERS)
def test_all_groups_come_once_in_each_order(index: Index, order: str) -> None:
    parts = [index.groups(Filter(), order, start, 3) for start in (0, 3, 6, 9)]
    numbers = [group["id"] for part in parts for group in part]
    assert sorted(numbers) == list(range(1, 8))
    assert index.ids(Filter(), order) == numbers
    assert [index.place_of(number, Filter(), order) for number in numbers] == list(range(7))


def test_filters_leave_the_groups_that_they_say(index: Index) -> None:
    def left(**chosen: object) -> list[int]:
        return index.ids(Filter(**chosen))  # type: ignore[arg-type]

    assert left(text="3 COPY") == [4]
    assert left(text="nothing") == []
    assert left(formats=("PNG",)) == left()
    assert left(formats=("JPEG",)) == []
    assert left(folder="photos/sub") == left()
    assert left(folder="photos/su") == []
    assert left(folder="photos", other_folder="photos/sub") == left()
    assert left(min_bytes=10**9) == left(min_size=10**9) == []
    assert left(certainty=0.0) == []
    assert left(relations=("cropped",)) == []
    index.set_states({2: "decided", 3: "later"})
    assert left(state="decided") == [2]
    assert left(state="later") == [3]
    assert left(state="undecided") == [1, 4, 5, 6, 7]
    assert index.states() == {"": 5, "decided": 1, "later": 1}
    assert index.count(Filter(state="decided"))[0] == 1


def test_an_unknown_group_or_image_is_none(index: Index) -> None:
    assert index.group(99) is None
    assert index.image(0) is None
    found = index.group(1)
    assert found is not None
    assert [image["name"] for image in found["images"]] == [
        "photos/0.png",
        "photos/0 copy.png",
        "photos/sub/0 small.png",
    ]
    assert found["keeper"] == found["images"][0]["number"]


def test_names_that_are_no_text_are_shown_escaped_and_read_unchanged(tmp_path: Path) -> None:
    report = library(tmp_path, 1)
    text = json.dumps(report.to_dict()).replace("0 copy.png", "0 \\udcff\\n copy.png")
    (tmp_path / "r.json").write_text(text)
    index = built(read(str(tmp_path / "r.json")), tmp_path)
    (group,) = index.groups(Filter(text="\\udcff"), "number", 0, 1)
    assert group["images"][1]["name"] == "photos/0 \\udcff\\n copy.png"
    image = index.image(2)
    assert image is not None
    assert image.path == "photos/0 \udcff\n copy.png"


def test_a_report_in_parts_is_the_report(tmp_path: Path) -> None:
    report = library(tmp_path, 4)
    report.save(tmp_path / "ours.json")
    (tmp_path / "other.json").write_text(json.dumps(report.to_dict(), indent=2))
    library(tmp_path / "empty", 0).save(tmp_path / "empty.json")
    for name in ("ours.json", "other.json", "empty.json"):
        head, groups = read_in_parts(str(tmp_path / name))
        whole = read(str(tmp_path / name))
        assert list(groups) == whole.groups
        assert (head.roots, head.base, head.counts, head.references) == (
            whole.roots,
            whole.base,
            whole.counts,
            whole.references,
        )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"keeper": "photos/2.png"', b'"keeper": "photos/9.png"', "not one of its members"),
        (b'"id": 3', b'"id": "x"', "no valid report"),
        (b'"roots": ', b'"roots": 5, "x": ', "no valid report"),
    ],
)
def test_a_fault_in_a_part_of_a_report_is_found(tmp_path: Path, old: bytes, new: bytes, reason: str) -> None:
    library(tmp_path, 4).save(tmp_path / "r.json")
    data = (tmp_path / "r.json").read_bytes()
    assert data.count(old) == 1
    (tmp_path / "r.json").write_bytes(data.replace(old, new))
    with pytest.raises(ReportError, match=reason):
        list(read_in_parts(str(tmp_path / "r.json"))[1])


# -- rules ----------------------------------------------------------------------------------------------


def test_a_rule_decides_only_groups_that_meet_its_conditions() -> None:
    images = [
        {"number": 1, "name": "a/1.png", "relation": "", "width": 20, "height": 20},
        {"number": 2, "name": "b/c/2.png", "relation": "resized", "width": 10, "height": 10},
    ]
    assert meets(Rule(), 1, images)
    assert meets(Rule(only=("resized",)), 1, images)
    assert not meets(Rule(only=("cropped",)), 1, images)
    assert meets(Rule(below="b"), 1, images)
    assert not meets(Rule(below="a"), 1, images)
    assert meets(Rule(more_pixels=True), 1, images)
    assert not meets(Rule(more_pixels=True), 2, images)


def test_a_folder_holds_what_is_below_it_alone() -> None:
    assert is_below("a/b/c.png", "a/b/")
    assert not is_below("a/bc.png", "a/b")
