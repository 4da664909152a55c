"""From contents to classes and their matches: by codes alone, or verified on the pixels."""

import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix import keep
from twinpix.encoding.alterations import EvidenceReader
from twinpix.encoding.images import Images
from twinpix.encoding.methods import MatchSettings
from twinpix.encoding.options import Options
from twinpix.encoding.session import Session
from twinpix.match import exclusions, hash_candidates, stages
from twinpix.match.calibrate import calibrate
from twinpix.match.classes import CodeClasses, code_classes_of
from twinpix.match.join import SearchNotes, match
from twinpix.match.leaders import Rank
from twinpix.match.ranks import ranks_of
from twinpix.match.representatives import MATCHES_LISTED, MOST, Without, clusters
from twinpix.match.verifier import PairVerdict, Verifier, verifier_of
from twinpix.model import ClassId, ContentId, Failure, Matches, Unverified
from twinpix.progress import Shares
from twinpix.search import Search, TooManyError
from twinpix.text import plural

_RANKED = 50_000  # classes whose files are ranked in one call


@dataclass(frozen=True, slots=True)
class MatchedPairs:
    """Classes and their matches."""

    classes: CodeClasses
    matches: Matches
    verdicts: Mapping[tuple[ContentId, ContentId], PairVerdict]  # verified pairs of contents, copies or not
    notes: SearchNotes
    radius: float
    failures: list[Failure] = field(default_factory=list)  # of files that could not be read for verification
    unverified: list[Unverified] = field(default_factory=list)
    left_out: Mapping[int, int] | None = None  # None: `matches` has all; else see `Clusters`


def match_pairs(
    session: Session,
    images: Images,
    settings: MatchSettings,
    excluded: exclusions.ExcludedPairs,
    options: Options,
    read_evidence: EvidenceReader | None = None,
) -> MatchedPairs:
    """Return the matches of all contents without the pairs in `excluded`, whose contents have classes of their own.

    `read_evidence` finds the pairs that codes alone do not decide; they are verified, unless the user turned
    verification off.
    """
    method = settings.method
    if options.precision is None and not settings.verified:
        found = _by_codes(session, images, settings, excluded, options)
        if read_evidence and options.verify is None and not method.by_equality:
            verifier = verifier_of(session, images.of_each(), settings, options.transforms)
            found = _with_candidates_verified(found, images, settings, excluded, options, verifier, read_evidence)
    else:
        verifier = verifier_of(session, images.of_each(), settings, options.transforms)
        if options.precision is None:
            found = _by_pixels(images, settings, excluded, options, verifier)
        else:
            found = _calibrate(images, settings, options.precision, excluded, options, verifier)
    if not excluded or found.left_out is not None:
        return found
    classes = found.classes
    equal = exclusions.between_equals(classes, all_of_them=method.by_equality)
    matches = exclusions.without(Matches.concatenate([found.matches, equal]), classes, excluded)
    return replace(found, matches=matches)


def _by_codes(
    session: Session,
    images: Images,
    settings: MatchSettings,
    excluded: exclusions.ExcludedPairs,
    options: Options,
    alone: Collection[int] = (),
) -> MatchedPairs:
    """Return the pairs whose codes match; each content in `alone` and in `excluded` has a class of its own."""
    contents, method, radius = images.contents, settings.method, settings.radius.value
    with session.progress.stage("compare", len(contents)):
        classes = code_classes_of(contents, method, options.guard, {*alone, *exclusions.contents_of(excluded)})
        if method.by_equality:  # the classes are the result
            return MatchedPairs(classes, Matches.none(), {}, SearchNotes([], []), radius)
        first, second = stages.with_detail(_sides(images, classes), classes.guarded)
        codes = method.comparable(classes.codes)
        rank = _rank(images, classes, options) if options.link == "star" else None
        most = math.inf if rank is None else MOST
        on_progress = Shares(session.progress, len(contents), 2 if len(second) else 1)
        engine = Search(settings.search, on_progress, most, session.cluster)
        notes, begun, left_out = SearchNotes([], []), time.monotonic(), None
        try:
            matches = match(codes, first, second, radius, engine)
        except TooManyError:
            assert rank is not None
            order = sorted(first.tolist(), key=_best_first(rank, first).__getitem__)
            matches, left_out = clusters(
                codes, order, radius, settings.search, MATCHES_LISTED, *_exclusion_filter(classes, excluded)
            )
        notes.of(engine, time.monotonic() - begun)
        return MatchedPairs(classes, matches, {}, notes, radius, left_out=left_out)


def _with_candidates_verified(
    found: MatchedPairs,
    images: Images,
    settings: MatchSettings,
    excluded: exclusions.ExcludedPairs,
    options: Options,
    verifier: Verifier,
    read_evidence: EvidenceReader,
) -> MatchedPairs:
    pixels = hash_candidates.evidence_of(images, found.classes, found.matches, read_evidence)
    if unlike := stages.differing_equal_codes(found.classes, verifier, pixels.unlike):
        found = _by_codes(verifier.session, images, settings, excluded, options, alone=unlike)
    classes, which = found.classes, hash_candidates.candidates(found.classes, found.matches, pixels, settings.method)
    rank = _rank(images, classes, options) if found.left_out is None else None
    matches, left = hash_candidates.verify_doubtful(
        classes, found.matches, which, pixels, read_evidence, verifier, rank
    )
    if left:
        found.notes.notes.append(
            f"{plural(left, 'candidate pair')} not verified and not matched: most closer pairs were not copies"
        )
    return replace(
        found, matches=matches, verdicts=verifier.verdicts, failures=verifier.failures, unverified=verifier.unverified
    )


def _best_first(rank: Rank, classes: NDArray[np.int64]) -> dict[ClassId, Any]:
    """Return keys that sort classes from the best to the worst."""
    keys: dict[ClassId, Any] = {}
    for at in range(0, len(classes), _RANKED):
        keys.update(rank(classes[at : at + _RANKED].tolist()))
    return keys


def _exclusion_filter(classes: CodeClasses, excluded: exclusions.ExcludedPairs) -> tuple[Without, Matches]:
    """Return a filter for the pairs that the user marked as not duplicates, and the matches of equal codes."""

    def without(matches: Matches) -> Matches:
        return exclusions.without(matches, classes, excluded)

    return without, exclusions.between_equals(classes, all_of_them=False) if excluded else Matches.none()


def _by_pixels(
    images: Images, settings: MatchSettings, excluded: exclusions.ExcludedPairs, options: Options, verifier: Verifier
) -> MatchedPairs:
    method = settings.method
    alone = set(exclusions.contents_of(excluded))
    classes = code_classes_of(images.contents, method, options.guard, alone)
    if unlike := stages.differing_equal_codes(classes, verifier):
        classes = code_classes_of(images.contents, method, options.guard, alone | unlike)
    proposing = stages.candidate_stages(settings, classes.codes, _sides(images, classes), classes.guarded)
    matches, notes = stages.verify_candidates(
        classes.first(), proposing, settings.search, verifier, _rank(images, classes, options)
    )
    return MatchedPairs(
        classes, matches, verifier.verdicts, notes, settings.radius.value, verifier.failures, verifier.unverified
    )


def _calibrate(
    images: Images,
    settings: MatchSettings,
    precision: float,
    excluded: exclusions.ExcludedPairs,
    options: Options,
    verifier: Verifier,
) -> MatchedPairs:
    """Return the matches within the radius whose estimated precision is at least the given one."""
    method = settings.method
    classes = code_classes_of(images.contents, method, options.guard, exclusions.contents_of(excluded))
    rows = stages.with_detail(_sides(images, classes), classes.guarded)
    found = calibrate(classes, method, rows, precision, settings.search, verifier)
    settings = replace(settings, radius=settings.radius._replace(value=found.radius))
    if settings.verified:  # verified pairs are not verified again
        out = _by_pixels(images, settings, excluded, options, verifier)
    else:
        out = _by_codes(verifier.session, images, settings, excluded, options)
    out.notes.notes.insert(0, str(found))
    return replace(out, failures=verifier.failures, unverified=verifier.unverified)


def _rank(images: Images, classes: CodeClasses, options: Options) -> Rank | None:
    """Return the rank of classes, if a group is defined by its best member and any image may be in it; else None."""
    if options.link == "complete" or options.cross or images.refs.references.any():
        return None
    return partial(ranks_of, images, classes, keep.make_chain(options.keep))


def _sides(images: Images, classes: CodeClasses) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the classes that are compared with each other, and those that only references have."""
    own = np.zeros(len(classes.codes), dtype=bool)
    own[classes.of[images.content[~images.refs.references]]] = True
    return np.flatnonzero(own), np.flatnonzero(~own)
