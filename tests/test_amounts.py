"""By default only some of the cases run, and these contain every value of every parameter."""

import pytest

from amounts import covering, is_full


@pytest.fixture(params=["one", "two", "three"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.covering
@pytest.mark.parametrize("number", [1000, 2000])
@pytest.mark.parametrize(("word", "list_of"), [("a", []), ("a", [1]), ("b", []), ("b", [1]), ("c", [])])
def test_a_covering_case(word: str, list_of: list[int], number: int, kind: str) -> None:
    assert word
    assert number
    assert kind


def test_a_covering_test_runs_few_cases_with_every_value(request: pytest.FixtureRequest) -> None:
    if any("::" in argument for argument in request.config.args) or request.config.getoption("keyword"):
        pytest.skip("a test that is named runs whole")
    items = [item for item in request.session.items if "test_a_covering_case[" in item.nodeid]
    cases = [item.callspec.params for item in items]  # type: ignore[attr-defined]
    assert len(cases) == (30 if is_full() else 5)
    assert len({(case["word"], tuple(case["list_of"])) for case in cases}) == 5
    assert {case["number"] for case in cases} == {1000, 2000}
    assert {case["kind"] for case in cases} == {"one", "two", "three"}


def test_covering_takes_the_case_with_most_missing_values() -> None:
    every = [((a, b), {"a": a, "b": b}) for a in range(3) for b in range(4)]
    chosen = covering(every)
    assert len(chosen) == 4
    assert {a for a, _ in chosen} == {0, 1, 2}
    assert {b for _, b in chosen} == {0, 1, 2, 3}
