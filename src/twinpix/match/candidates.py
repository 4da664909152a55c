"""Candidate pairs of classes that are verified: proposed pairs, verified pairs, and pairs via a third class."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.match.verifier import Guess, ThirdImage, Verifier, compose, guess_of, pair_of
from twinpix.model import DIGITS, ClassId, ContentId
from twinpix.verify import Verdict

Ends = tuple[ClassId, ClassId]


class Candidate(NamedTuple):
    """A candidate pair of classes `i < j` that a method proposes."""

    i: ClassId
    j: ClassId
    distance: float | None  # of the codes; None if the codes have no distance
    guess: Guess
    stage: str  # the method that proposed the pair, if there are several
    exact: bool = False  # whether the transform is as exact as keypoints make it
    via: ThirdImage | None = None
    before: Guess = ()  # transform of an earlier stage, which did not decide the pair

    @property
    def ends(self) -> Ends:
        return self.i, self.j


class CandidatePairs:
    """Verifies candidate pairs of classes; `found` has the verified matches and their distances.

    `first` is the representative content of each class. With `by_codes`, distances are those of the codes, and None for
    transitive matches; else they are the share of the overlap that differs.
    """

    def __init__(self, first: Sequence[ContentId], verifier: Verifier, *, by_codes: bool) -> None:
        self.found: dict[Ends, float | None] = {}
        self._first, self._verifier, self._by_codes = first, verifier, by_codes
        self._settled: set[Ends] = set()
        self._undecided: dict[Ends, Candidate] = {}  # pairs that quick verification did not decide

    def unverified(self, proposed: Iterable[Candidate]) -> list[Candidate]:
        """Return the pairs that are not verified yet; undecided ones with the transform of their earlier stage."""
        out = []
        for one in proposed:
            if one.ends not in self._settled:
                earlier = self._undecided.pop(one.ends, None)
                out.append(one if earlier is None else one._replace(before=earlier.guess))
        return out

    def verify(self, proposed: Sequence[Candidate], *, quick: bool = False) -> list[Candidate]:
        """Verify the pairs that are not known matches; return all that match, verified now or before."""
        wanted = [one for one in proposed if one.ends not in self.found]
        for stage in sorted({one.stage for one in wanted}):
            pairs = [
                pair_of(self._first[one.i], self._first[one.j], one.guess, one.exact, one.via, one.before)
                for one in wanted
                if one.stage == stage
            ]
            self._verifier.verify(pairs, stage, quick=quick)
        for one in wanted:
            verdict = self._verifier.of(self._first[one.i], self._first[one.j])
            if quick and verdict is None:
                self._undecided[one.ends] = one
                continue
            self._settled.add(one.ends)
            if verdict and verdict.same:
                self.found[one.ends] = one.distance if self._by_codes else difference_share(verdict)
        return [one for one in proposed if one.ends in self.found]

    def take_undecided(self) -> list[Candidate]:
        """Return the pairs that quick verification did not decide, and forget them."""
        left = [one for _, one in sorted(self._undecided.items())]
        self._undecided.clear()
        return left

    def verdict_of(self, a: ClassId, b: ClassId) -> Verdict:
        """Return the result of a verified pair of classes."""
        verdict = self._verifier.of(self._first[a], self._first[b])
        assert verdict is not None
        return verdict

    def link_via(self, a: ClassId, middle: ClassId, b: ClassId) -> Candidate:
        """Return the candidate pair of two classes that both match a third, with the transform via the third."""
        if a > b:
            a, b = b, a
        first, second = self.verdict_of(a, middle), self.verdict_of(middle, b)
        via = ThirdImage(min(first.agrees, second.agrees), guess_of(first), first.alike or second.alike)
        guess = compose(guess_of(first), guess_of(second))
        stage = self._verifier.stage_of(self._first[a], self._first[middle])
        return Candidate(a, b, None, guess, stage, exact=True, via=via)


def count_unverified(
    left: Sequence[NDArray[np.int64]], found: NDArray[np.int64], first: Sequence[ContentId], verifier: Verifier
) -> int:
    """Return how many of the candidate pairs `left` were neither verified nor matched, each counted once.

    `left` and the matches `found` are pairs `(n, 2)` of classes, `first` is the representative content of each class. A
    pair that one stage leaves out may be verified for another stage or via a third image, and other matches may join
    its images.
    """
    if not any(map(len, left)):
        return 0
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(found)), (found[:, 0], found[:, 1])), shape=(len(first), len(first)))
    _, joined = connected_components(links, directed=False)
    pairs = np.unique(np.sort(np.concatenate(left), axis=1), axis=0)
    pairs = pairs[joined[pairs[:, 0]] != joined[pairs[:, 1]]]
    contents = np.sort(np.array(first, dtype=np.int64)[pairs], axis=1)
    tried = np.array([*verifier.verdicts, *verifier.faults], dtype=np.int64).reshape(-1, 2)
    count = len(verifier.files)  # a pair of contents as one number
    known = np.isin(contents[:, 0] * count + contents[:, 1], tried[:, 0] * count + tried[:, 1])
    return int(np.count_nonzero(~known))


def difference_share(verdict: Verdict) -> float:
    """Return the share of the overlap that differs."""
    return round(1 - verdict.agrees, DIGITS)
