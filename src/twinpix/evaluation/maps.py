"""Maps from each file to its duplicates, the form in which ground truth and results are compared."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Map = Mapping[str, Sequence[Any]]
"""The duplicates of each file, nearest first: names, or pairs of a name and a score. Every file is a key."""


def drop_scores(found: Map) -> dict[str, list[str]]:
    """Return the map without scores. Pairs may be lists, as read from JSON."""
    return {key: [_name(value) for value in values] for key, values in found.items()}


def _name(value: Any) -> Any:
    return value[0] if isinstance(value, tuple | list) else value


def contradiction_of(found: Mapping[str, Sequence[str]]) -> str:
    """Return why a map cannot be evaluated; "" if it can."""
    known = {key: set(names) for key, names in found.items()}
    for key, names in found.items():
        for name in names:
            if name not in known:
                return f"{key} lists {name}, which has no entry of its own"
            if key not in known[name]:
                return f"{key} lists {name}, but {name} does not list {key}"
    return ""


def check(truth: Mapping[str, Sequence[str]], retrieved: Mapping[str, Sequence[str]]) -> None:
    """Check that two maps can be compared; raises the exceptions of imagededup.

    Raises `AssertionError` for a name that is no key or a relation without its reverse, `Exception` if the keys of the
    maps differ, `ValueError` for empty maps.
    """
    _check_names(truth, "Ground truth map validation failed, Ground truth has")
    _check_names(retrieved, "Retrieved map validation failed, Retrieved map has")
    check_symmetry(truth)
    check_symmetry(retrieved)
    uncommon = truth.keys() ^ retrieved.keys()
    if uncommon:
        raise Exception(  # noqa: TRY002 - the exception type of imagededup
            "Please ensure that ground truth and retrieved map have the same keys! "
            f"Following keys uncommon between ground truth and retrieved maps:\n{uncommon}"
        )
    if not truth:
        raise ValueError("both maps are empty: there is nothing to evaluate")


def _check_names(found: Mapping[str, Sequence[str]], what: str) -> None:
    if not all(name in found for names in found.values() for name in names):
        raise AssertionError(f"{what} filenames that are not in the key filename of the map!")


def check_symmetry(found: Mapping[str, Sequence[str]]) -> None:
    """Raise `AssertionError` if a file names a duplicate that does not name it."""
    known = {key: set(names) for key, names in found.items()}
    for key, names in found.items():
        for name in names:
            if key not in known[name]:
                raise AssertionError(
                    f"Transpose relationship violated, file {key} not present as a duplicate for file {name} "
                    "in the provided mapping dictionary"
                )


def map_of_pairs(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the symmetric map of these names and pairs, without repetitions, in the given order."""
    found: dict[str, dict[str, None]] = {name: {} for name in names}
    for a, b in pairs:
        if a != b:
            found.setdefault(a, {})[b] = None
            found.setdefault(b, {})[a] = None
    return {name: list(others) for name, others in found.items()}
