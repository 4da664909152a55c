"""The hits of a query: images that are identical to it, or whose codes are within the radius of its code."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.fingerprints import LOW_DETAIL_BELOW, Fingerprint
from twinpix.match.join import nearest
from twinpix.match.relation import infer_relation
from twinpix.model import Bytes2D, Relation
from twinpix.search import Search
from twinpix.store import Result


class Hit(NamedTuple):
    """A copy of the query."""

    path: str
    distance: float  # in the unit of the method: bits, cosine distance or share
    relation: Relation  # of the copy to the query
    detail: str = ""  # the relation with its parameters, e.g. "resized 0.5"; "" if the pair was not verified
    agrees: float | None = None  # share of the overlap that agrees, 0 to 1; None if the pair was not verified
    id: str = ""  # that a table or a program gave the copy; "" without one


Nearness = tuple[float, int]
"""Distance to the query in the nearest orientation, and the number of that orientation."""

Identity = tuple[bytes | str | None, bytes | None]
"""The digests of a file and of its pixels; empty or None if not known."""


class Compared(NamedTuple):
    """The images that a query compares, one row each."""

    codes: Bytes2D  # (n, orientations, bytes)
    detail_scores: NDArray[np.int32]  # (n,)

    def is_low_detail(self, method: Fingerprint, *, guard: bool) -> NDArray[np.bool_]:
        """Return `(n,)`: images with too little texture for the method, which match by identity only."""
        low: NDArray[np.bool_] = (self.detail_scores < LOW_DETAIL_BELOW) & (guard and not method.by_equality)
        return low


def identical_rows(query: Identity, gallery: Iterable[Identity]) -> set[int]:
    """Return the rows whose file or pixels are identical to the query's, as far as known."""
    file, shown = query
    return {row for row, (its, pixels) in enumerate(gallery) if (file and its == file) or (shown and pixels == shown)}


def near_rows(
    method: Fingerprint,
    query: Compared,
    gallery: Compared,
    identical: Collection[int],
    *,
    radius: float,
    guard: bool,
    search: Search,
) -> dict[int, Nearness]:
    """Return the rows of the gallery that match the query, its only row: `identical` ones, and others by their codes.

    With `guard`, an image with too little texture for a hash matches identical ones only.
    """
    out: dict[int, Nearness] = dict.fromkeys(identical, (0, 0))
    others = ~gallery.is_low_detail(method, guard=guard)
    others[list(identical)] = False
    rows = np.flatnonzero(others)
    if len(rows) and not query.is_low_detail(method, guard=guard)[0]:
        near = nearest(method, query.codes[0, 0], gallery.codes[rows], radius, search)
        out |= {int(rows[row]): found for row, found in near.items()}
    return out


def hit_of(method: Fingerprint, path: str, query: Result, other: Result, near: Nearness, *, same_file: bool) -> Hit:
    """Return a hit with the relation that the codes and facts of the two images show.

    Without pixels a recoloured or retouched copy is called re-encoded or resized; see `relation_by_evidence`.
    """
    gap, turn = near
    return Hit(path, gap, infer_relation(method, query, other, gap, turn, same_file=same_file))


def sort_hits(hits: Iterable[Hit]) -> list[Hit]:
    """Return hits by increasing distance, then by path."""
    return sorted(hits, key=lambda hit: (hit.distance, hit.path))
