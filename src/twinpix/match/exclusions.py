"""Pairs of images that the user marked as not duplicates, stored by content, independent of file names."""

import json
from collections import defaultdict
from collections.abc import Collection
from itertools import combinations

import numpy as np

from twinpix import outputs
from twinpix.encoding.content_table import ContentTable
from twinpix.errors import UsageError, system_reason
from twinpix.match.classes import CodeClasses
from twinpix.model import ContentId, Matches
from twinpix.store import Store

ExcludedPairs = frozenset[tuple[ContentId, ContentId]]  # of contents, the smaller number first
SCHEMA = "twinpix.not-duplicates/1"
PAIRS = outputs.starts("list of pairs that are not duplicates", b'{"schema": "twinpix.not-duplicates/')
_DIGEST = 16  # bytes


def export_pairs(store: Store) -> str:
    """Return all marked pairs as JSON; digests identify contents, so it is valid on every machine."""
    pairs = ",\n".join(json.dumps([a.hex(), b.hex()]) for a, b in store.exclusions())
    return f'{{"schema": "{SCHEMA}", "pairs": [\n{pairs}\n]}}\n'


def import_pairs(store: Store, path: str) -> int:
    """Store the pairs of a file that `export_pairs` wrote; returns their number.

    Raises `UsageError` for another file.
    """
    import msgspec

    try:
        with open(path, "rb") as file:
            found = msgspec.json.decode(file.read(), type=dict[str, str | list[tuple[str, str]]])
        pairs = found["pairs"]
        if found["schema"] != SCHEMA or isinstance(pairs, str):
            raise ValueError(path)
        read = {_pair(bytes.fromhex(a), bytes.fromhex(b)) for a, b in pairs if a != b}
    except OSError as error:
        raise UsageError(f"cannot read {path}: {system_reason(error)}") from None
    except (ValueError, KeyError, msgspec.MsgspecError):
        raise UsageError(f"{path} holds no pairs of schema {SCHEMA}: give an export of a store") from None
    store.put_exclusions(read)
    return len(read)


def _pair(a: bytes, b: bytes) -> tuple[bytes, bytes]:
    if len(a) != _DIGEST or len(b) != _DIGEST:
        raise ValueError(a, b)
    return min(a, b), max(a, b)


def excluded_pairs(contents: ContentTable, store: Store) -> ExcludedPairs:
    """Return the pairs of contents that the user marked as not duplicates."""
    stored = store.exclusions()
    if not stored:
        return frozenset()
    place = {contents.digest(number): number for number in contents.numbers()}
    pairs = ((place.get(a), place.get(b)) for a, b in stored)
    return frozenset((min(i, j), max(i, j)) for i, j in pairs if i is not None and j is not None)


def contents_of(pairs: ExcludedPairs) -> Collection[ContentId]:
    return {number for pair in pairs for number in pair}


def without(matches: Matches, classes: CodeClasses, pairs: ExcludedPairs) -> Matches:
    """Return the matches without the excluded pairs; each content of an excluded pair has a class of its own."""
    if not pairs:
        return matches
    ends = np.sort(classes.of[np.array(list(pairs), dtype=np.int64)], axis=1)
    one = len(classes.codes)  # a pair of classes as one number
    kept = ~np.isin(matches.i.astype(np.int64) * one + matches.j, ends[:, 0] * one + ends[:, 1])
    return matches.where(kept)


def between_equals(classes: CodeClasses, *, all_of_them: bool) -> Matches:
    """Return pairs of classes with equal codes, which the search does not compare."""
    one: dict[int, list[int]] = defaultdict(list)
    for class_, origin in enumerate(classes.origin.tolist()):
        if all_of_them or classes.guarded[class_]:
            one[origin].append(class_)
    pairs = [pair for equal in one.values() for pair in combinations(equal, 2)]
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Matches.between(ends, np.zeros(len(ends), np.int32))
