"""Pairs of images that a user has said are not duplicates: remembered by content, whatever their files are called."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from itertools import combinations, product

import numpy as np

from twinpix.errors import UsageError
from twinpix.model import Matches
from twinpix.pipeline.contents import Contents
from twinpix.pipeline.nodes import Nodes
from twinpix.store import Store

Pairs = frozenset[tuple[int, int]]  # of numbers, the smaller first
_MOST = 1_000_000  # pairs of one group; every run of `find` reads them all


def remember(store: Store, digests: Iterable[str], others: Iterable[str] = ()) -> int:
    """Remember that these contents are not duplicates of one another, or, if given, of the `others`.

    Returns how many pairs that are; a content and itself are none. Raises `UsageError` for too many of them.
    """
    told = _pairs(digests, others)
    store.put_apart(told)
    return len(told)


def forget(store: Store, digests: Iterable[str], others: Iterable[str] = ()) -> None:
    """Take back what `remember` was told with the same contents."""
    store.drop_apart(_pairs(digests, others))


def _pairs(digests: Iterable[str], others: Iterable[str]) -> set[tuple[bytes, bytes]]:
    first, second = set(map(bytes.fromhex, digests)), set(map(bytes.fromhex, others))
    count = len(first) * len(second) if second else len(first) * (len(first) - 1) // 2
    if count > _MOST:
        raise UsageError(f"{count:,} pairs are more than can be remembered ({_MOST:,})")
    pairs = product(first, second) if second else combinations(first, 2)
    return {(min(a, b), max(a, b)) for a, b in pairs if a != b}


def known_apart(contents: Contents, store: Store) -> Pairs:
    """The pairs of contents that are not duplicates by their user's word."""
    told = store.apart()
    if not told:
        return frozenset()
    place = {contents.digest(number): number for number in range(len(contents))}
    pairs = ((place.get(a), place.get(b)) for a, b in told)
    return frozenset((min(i, j), max(i, j)) for i, j in pairs if i is not None and j is not None)


def contents_of(pairs: Pairs) -> Collection[int]:
    return {number for pair in pairs for number in pair}


def without(matches: Matches, nodes: Nodes, pairs: Pairs) -> Matches:
    """The matches but for those pairs; each content that is in one of them has a node of its own."""
    if not pairs:
        return matches
    ends = np.sort(nodes.of[np.array(list(pairs), dtype=np.int64)], axis=1)
    one = len(nodes.codes)  # a pair of nodes as one number
    kept = ~np.isin(matches.i.astype(np.int64) * one + matches.j, ends[:, 0] * one + ends[:, 1])
    return matches.where(kept)


def between_equals(nodes: Nodes, *, all_of_them: bool) -> Matches:
    """Pairs of nodes that would be one but for such contents, where no search compares codes."""
    one: dict[int, list[int]] = defaultdict(list)
    for node, origin in enumerate(nodes.origin.tolist()):
        if all_of_them or nodes.guarded[node]:
            one[origin].append(node)
    pairs = [pair for equal in one.values() for pair in combinations(equal, 2)]
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Matches.between(ends, np.zeros(len(ends), np.int32))
