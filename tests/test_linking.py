"""Linking rules on random graphs, against their definitions."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import groups_of
from twinpix import plugins
from twinpix.keep import make_chain
from twinpix.model import Member


class Case:
    """A random graph of files; `paired` defines which files may be in one group."""

    def __init__(
        self, contents: Sequence[int], edges: set[tuple[int, int]], kinds: Sequence[tuple[int, bool]], cross: bool
    ):
        self.contents, self.kinds, self.cross = contents, kinds, cross
        self.near: dict[int, list[int]] = {}
        for a, b in edges:
            if a != b:
                self.near.setdefault(a, []).append(b)
                self.near.setdefault(b, []).append(a)
        self.near = {key: sorted(set(value)) for key, value in self.near.items()}

    def allowed(self, a: tuple[int, bool], b: tuple[int, bool]) -> bool:
        return not (a[1] and b[1]) and (not self.cross or a[0] != b[0])

    def paired(self, a: int, b: int) -> bool:
        x, y = self.contents[a], self.contents[b]
        return self.allowed(self.kinds[a], self.kinds[b]) and (x == y or y in self.near.get(x, []))

    def groups(self, rule: str) -> list[list[int]]:
        order = list(range(len(self.contents)))
        return groups_of(rule, self.contents, self.kinds, self.near, self.allowed, order)


@pytest.mark.parametrize(
    ("rules", "path", "stays"),
    [("path:*/a=b/*", "x/a=b/y.png", True), ("path:*/a,b/*", "x/a,b/y.png", True), ("path:*/q/*", "x/a/y.png", False)],
)
def test_a_pattern_may_hold_commas_and_equals(rules: str, path: str, stays: bool) -> None:
    here, there = Member(path, 9, 1, 1, 0, ""), Member("0.png", 9, 1, 1, 0, "")
    chain = make_chain(f"oldest,{rules},newest")
    assert len(chain.rules) == 3
    assert (chain.key(here) < chain.key(there)) == stays


def test_the_reason_names_the_rule_that_decided_among_damaged() -> None:
    large, small = (Member(f"{side}.jpg", 9, side, side, 0, "", damaged=True) for side in (9, 5))
    assert make_chain("resolution").explain(large, [small]).reason == "largest image (9×9)"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    files = draw(st.integers(0, 14))
    contents = draw(st.lists(st.integers(0, 8), min_size=files, max_size=files))
    edges = draw(st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=14))
    kinds = draw(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=files, max_size=files))
    return Case(contents, edges, kinds, draw(st.booleans()))


@pytest.mark.parametrize("rule", plugins.names("linking"))
@settings(max_examples=100, deadline=None)
@given(cases())
def test_every_rule_forms_groups_of_files_that_matches_connect(rule: str, case: Case) -> None:
    groups = case.groups(rule)
    members = [file for group in groups for file in group]
    assert len(members) == len(set(members))
    for group in groups:
        assert len(group) > 1
        reached = [group[0]]
        for file in reached:
            reached += [other for other in group if other not in reached and case.paired(file, other)]
        assert sorted(reached) == sorted(group)
    assert case.groups(rule) == groups


@settings(max_examples=300, deadline=None)
@given(cases())
def test_star_matches_the_greedy_definition(case: Case) -> None:
    free, expected = set(range(len(case.contents))), []
    for file in range(len(case.contents)):
        if file in free:
            free.discard(file)
            claimed = {other for other in free if case.paired(file, other)}
            free -= claimed
            if claimed:
                expected.append((file, claimed))
    assert [(group[0], set(group[1:])) for group in case.groups("star")] == expected


@settings(max_examples=300, deadline=None)
@given(cases())
def test_components_are_the_reachable_files(case: Case) -> None:
    expected: list[set[int]] = []
    seen: set[int] = set()
    for file in range(len(case.contents)):
        reached, front = {file}, [file]
        while front:
            at = front.pop()
            for other in range(len(case.contents)):
                if other not in reached and case.paired(at, other):
                    reached.add(other)
                    front.append(other)
        if len(reached) > 1 and not reached & seen:
            expected.append(reached)
        seen |= reached
    assert [set(group) for group in case.groups("components")] == expected


@settings(max_examples=300, deadline=None)
@given(cases())
def test_complete_groups_match_throughout_and_cannot_grow(case: Case) -> None:
    groups = case.groups("complete")
    taken = {file for group in groups for file in group}
    assert sum(map(len, groups)) == len(taken)
    for group in groups:
        assert all(case.paired(a, b) for a in group for b in group if a != b)
        for other in set(range(len(case.contents))) - taken:
            assert not all(case.paired(other, member) for member in group)


@settings(max_examples=300, deadline=None)
@given(
    cases(),
    st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=12),
    st.sampled_from(["star", "components"]),
)
def test_no_group_holds_two_contents_in_conflict(case: Case, pairs: set[tuple[int, int]], rule: str) -> None:
    conflicting = {(a, b) for a, b in pairs | {(b, a) for a, b in pairs} if a != b and b not in case.near.get(a, [])}
    conflicts: dict[int, set[int]] = {}
    for a, b in conflicting:
        conflicts.setdefault(a, set()).add(b)
    order = range(len(case.contents))
    taken = set[int]()
    for group in groups_of(rule, case.contents, case.kinds, case.near, case.allowed, order, conflicts):
        held = {case.contents[file] for file in group}
        assert not any((a, b) in conflicting for a in held for b in held)
        assert taken.isdisjoint(group)
        taken |= set(group)
        if rule == "star":  # every other file was in an earlier group, or is in conflict with this one
            left = [other for other in range(len(case.contents)) if other not in taken and case.paired(group[0], other)]
            assert all(not held.isdisjoint(conflicts.get(case.contents[other], ())) for other in left)


def member(path: str, **facts: int | bool | str) -> Member:
    base: dict[str, object] = {"size": 1, "width": 1, "height": 1, "mtime_ns": 0, "digest": ""}
    return Member(path, **{**base, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "best", "other", "reason"),
    [
        ("resolution", member("b", width=2), member("a"), "largest image"),
        ("resolution,filesize", member("b", size=2), member("a"), "largest file"),
        ("format", member("b", format="PNG", size=1), member("a", format="JPEG", size=9), "best format"),
        ("oldest", member("b", mtime_ns=1), member("a", mtime_ns=2), "oldest"),
        ("newest", member("b", mtime_ns=2), member("a", mtime_ns=1), "newest"),
        ("shortest", member("z"), member("ab"), "shortest path"),
        ("path", member("a"), member("b"), "by path"),
        ("path:*/originals/*", member("x/originals/b"), member("x/a"), "matches"),
        ("resolution", member("b", reference=True), member("a", width=9), "reference"),
        ("resolution", member("b"), member("a", width=9, damaged=True), "undamaged"),
    ],
)
def test_keep_rules(rules: str, best: Member, other: Member, reason: str) -> None:
    chain = make_chain(rules)
    assert sorted([other, best], key=chain.key)[0] == best
    named, why = chain.explain(best, [other])
    assert reason in why
    exceptions = {"reference": "reference", "undamaged": "intact", "largest file": "filesize"}
    assert named == exceptions.get(reason, rules.partition(":")[0])
