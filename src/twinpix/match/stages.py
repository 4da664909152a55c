"""Verified matches: the candidate pairs of each method, the cheapest first, are verified on the pixels."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.encoding.methods import MatchSettings
from twinpix.fingerprints import Fingerprint
from twinpix.match.candidates import Candidate, Ends, count_unverified
from twinpix.match.classes import CodeClasses
from twinpix.match.join import SearchNotes, best_of_each, match
from twinpix.match.leaders import Rank
from twinpix.match.schedule import verify_scheduled
from twinpix.match.verifier import Verifier, guess_of_turn, guesses_of, invert_guess, pair_of
from twinpix.model import UNKNOWN, Bytes2D, ContentId, Matches
from twinpix.progress import Shares
from twinpix.search import Search
from twinpix.search.base import Workers
from twinpix.text import plural

_CANDIDATES = 8  # of an image, the likeliest; with more, more time is spent and no more copies are found

Doubt = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
"""Returns whether pairs of contents are to be verified."""

JoinRows = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Classes that are compared with each other, and classes that are compared only with the first ones."""


class Proposed(NamedTuple):
    """Pairs that a method proposes; candidates are made only of those that are verified."""

    ends: NDArray[np.int64]  # (n, 2): classes
    candidates: Callable[[NDArray[np.int64]], list[Candidate]]  # of the pairs with these numbers

    def where(self, numbers: NDArray[np.int64]) -> "Proposed":
        """Return the pairs with these numbers."""
        return Proposed(self.ends[numbers], lambda some: self.candidates(numbers[some]))


class CandidateStage(NamedTuple):
    """A method that proposes candidate pairs, with its radius."""

    name: str
    method: Fingerprint
    codes: Bytes2D  # (classes, orientations, bytes)
    radius: float
    rows: JoinRows  # the classes that it compares

    @property
    def by_distance(self) -> bool:
        """True if the codes have distances and orientations."""
        return self.method.metric is not None


def candidate_stages(
    settings: MatchSettings, codes: Bytes2D, every: JoinRows, plain: NDArray[np.bool_]
) -> list[CandidateStage]:
    """Return the methods that propose pairs: those of a cascade with measured radii, else the method itself.

    For a hash, classes with too little texture (`plain`) are all alike; their keypoints, if any, are not.
    """
    return [
        CandidateStage(
            stage.name,
            stage.method,
            codes[..., stage.code],
            stage.method.radii["normal"] if stage.name else settings.radius.value,
            every if stage.method.proposes else with_detail(every, plain),
        )
        for stage in settings.method.stages()
    ]


def with_detail(rows: JoinRows, plain: NDArray[np.bool_]) -> JoinRows:
    """Return the classes that a hash can distinguish: those that are not `plain`, `(classes,)`."""
    first, second = rows
    return first[~plain[first]], second[~plain[second]]


def verify_candidates(
    first: Sequence[ContentId],
    stages: Sequence[CandidateStage],
    engine: str,
    verifier: Verifier,
    rank: Rank | None = None,
) -> tuple[Matches, SearchNotes]:
    """Return the matches among the candidates of all stages, and the notes about the searches.

    `first` is the representative content of each class. With a `rank`, only pairs that decide the keeper are verified.
    The likeliest candidates of each image come first. Of the others those of a hash follow, and without a `rank` those
    of keypoints, unless most pairs of one of their images were not copies.
    """
    notes = SearchNotes([], [])
    left: list[NDArray[np.int64]] = []
    by_codes = stages[0].by_distance and not stages[0].name

    def propose() -> Iterator[tuple[list[Candidate], bool]]:
        farther: list[Proposed] = []
        for stage in stages:
            near, others = _candidates_by(stage, engine, verifier, notes)
            # A hash gives no transform: pairs that quick verification does not decide wait for a method that gives one.
            yield near, stage is not stages[-1] and stage.by_distance
            if stage.by_distance or rank is None:
                farther.append(others)
            else:
                left.append(others.ends)
        crowded, wanted = np.isin(first, sorted(verifier.find_crowded())), list[Candidate]()
        for others in farther:
            of_crowds = crowded[others.ends].any(axis=1)
            left.append(others.ends[of_crowds])
            wanted += others.candidates(np.flatnonzero(~of_crowds))
        yield wanted, False

    found = verify_scheduled(propose(), first, verifier, rank, by_codes=by_codes)
    pairs = sorted(found)
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    if count := count_unverified(left, ends, first, verifier):
        why = f"of each image the {_CANDIDATES} likeliest candidates are verified"
        notes.notes.append(f"{plural(count, 'candidate pair')} not verified and not matched: {why}")
    in_bits = by_codes and stages[0].method.unit == "bits"
    gaps = np.array([UNKNOWN if (gap := found[pair]) is None else gap for pair in pairs])
    kind = np.int32 if in_bits else np.float32
    return Matches.between(ends, gaps.astype(kind)), notes


def differing_equal_codes(classes: CodeClasses, verifier: Verifier, doubtful: Doubt | None = None) -> set[ContentId]:
    """Return contents whose code equals another's, but whose pixels differ; only `doubtful` pairs are verified."""
    order, starts = classes.contents()
    sizes = np.diff(starts)
    pairs = []
    for class_ in np.flatnonzero((sizes > 1) & ~classes.guarded).tolist():
        head, *others = order[starts[class_] : starts[class_ + 1]].tolist()
        pairs += [(head, other) for other in others]
    if doubtful is not None:
        ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        pairs = [tuple(pair) for pair in ends[doubtful(ends[:, 0], ends[:, 1])].tolist()]
    verifier.verify([pair_of(a, b, guess_of_turn(0)) for a, b in pairs])
    return {b for a, b in pairs if not ((verdict := verifier.of(a, b)) and verdict.same)}


def _candidates_by(
    stage: CandidateStage, engine: str, verifier: Verifier, notes: SearchNotes
) -> tuple[list[Candidate], Proposed]:
    """Return the likeliest candidates of each image, and the other pairs."""
    rows, total = stage.rows, sum(map(len, stage.rows))
    with verifier.session.progress.stage("compare", total):
        inverted = bool(stage.name) and stage.method.unit == "bits"
        on_progress = Shares(verifier.session.progress, total, (2 if len(rows[1]) else 1) + inverted)
        if stage.method.proposes:
            return _by_keypoints(stage, on_progress, verifier.session.cluster)
        made, begun = Search(engine, on_progress, workers=verifier.session.cluster), time.monotonic()
        found = match(stage.method.comparable(stage.codes), *rows, stage.radius, made)
        negatives = _negatives(stage, made) if inverted else []
        notes.of(made, time.monotonic() - begun)
    gaps, turns = found.distance.tolist(), found.turn.tolist()
    ends = np.column_stack([found.i, found.j]).astype(np.int64)

    def candidates(numbers: NDArray[np.int64]) -> list[Candidate]:
        return [
            Candidate(i, j, None if stage.name else gaps[at], guess_of_turn(turns[at]), stage.name)
            for at, (i, j) in zip(numbers.tolist(), ends[numbers].tolist(), strict=True)
        ]

    near, others = _likeliest(Proposed(ends, candidates), -found.distance)
    known = set(map(tuple, ends.tolist())) if negatives else ()
    near += [Candidate(*pair, None, guess_of_turn(0), stage.name) for pair in negatives if pair not in known]
    return near, others


def _likeliest(proposed: Proposed, score: NDArray[Any]) -> tuple[list[Candidate], Proposed]:
    """Return the candidates that are among those of the largest `score` of either image, and the other pairs."""
    near = best_of_each(proposed.ends[:, 0], proposed.ends[:, 1], score, _CANDIDATES)
    return proposed.candidates(near), proposed.where(np.delete(np.arange(len(score)), near))


def _negatives(stage: CandidateStage, search: Search) -> list[Ends]:
    """Return pairs of which one may be the negative of the other: their hashes differ in nearly all bits."""
    first, every = stage.rows[0], np.concatenate(stage.rows)
    if not len(first):
        return []
    i, j, _ = search.join(stage.codes[first, 0], ~stage.codes[every, 0], stage.radius)
    ends = np.sort(np.column_stack([first[i], every[j]]), axis=1)
    return [(a, b) for a, b in np.unique(ends, axis=0).tolist() if a != b]


def _by_keypoints(
    stage: CandidateStage, on_progress: Shares, workers: Workers | None
) -> tuple[list[Candidate], Proposed]:
    every = np.concatenate(stage.rows)
    found = stage.method.candidates(stage.codes[every, 0], len(stage.rows[0]), on_progress, workers)
    ends = np.column_stack([every[found.i], every[found.j]])

    def candidates(numbers: NDArray[np.int64]) -> list[Candidate]:
        i, j = found.i[numbers], found.j[numbers]
        guesses = guesses_of(found.transforms[numbers], found.sizes[i], found.sizes[j])
        return [
            Candidate(a, b, None, guess, stage.name, True)
            if a < b
            else Candidate(b, a, None, invert_guess(guess), stage.name, True)
            for (a, b), guess in zip(ends[numbers].tolist(), guesses, strict=True)
        ]

    return _likeliest(Proposed(ends, candidates), found.weights)
