"""How much the tests try: a part of the cases by default, every case with `pytest --full`.

No kind of test runs with the full set alone. Of a test with the mark `covering`, the cases that run by default contain
each value of each parameter at least once; `amount` gives a smaller number of the same random cases.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

_T = TypeVar("_T")
_full = False


def choose(*, full: bool) -> None:
    """Set which cases run; conftest.py does so before any test module is imported."""
    global _full
    _full = full


def is_full() -> bool:
    return _full


def amount(part: int, full: int) -> int:
    """How many random cases a test tries: `part` by default, `full` with `pytest --full`."""
    return full if _full else part


def covering(cases: Iterable[tuple[_T, Mapping[str, Hashable]]]) -> list[_T]:
    """Some of the cases, in their order, so that each value of each parameter is in at least one of them.

    Each case comes with its parameters. Greedy: the next case is the one with the most values that are still missing.
    """
    left = {at: (case, set(parameters.items())) for at, (case, parameters) in enumerate(cases)}
    missing = {value for _, values in left.values() for value in values}
    chosen = []
    while missing:
        best = max(left, key=lambda at: (len(left[at][1] & missing), -at))
        missing -= left[best][1]
        chosen.append(best)
    return [left[at][0] for at in sorted(chosen)]
