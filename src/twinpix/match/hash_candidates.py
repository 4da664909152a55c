"""Which matches of a hash are verified on the pixels, and which of them are copies.

A hash does not distinguish two completed forms of one design, or two cards of one game. So pairs of pages, and pairs
whose brightness differs in many places, are verified. The other matches are accepted: a library of re-encoded and
resized photos takes no longer than its hashes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix import verify
from twinpix.encoding.alterations import EvidenceReader
from twinpix.encoding.images import Images
from twinpix.fingerprints import Fingerprint
from twinpix.imaging.evidence import LAYOUT, differing_share, layout_of, may_differ
from twinpix.match.candidates import Candidate, Ends, count_unverified
from twinpix.match.classes import CodeClasses
from twinpix.match.join import best_of_each
from twinpix.match.leaders import Rank
from twinpix.match.schedule import verify_scheduled
from twinpix.match.verifier import Verifier, guess_of_turn
from twinpix.model import UNKNOWN, ContentId, Matches
from twinpix.thresholds import ALIGNMENT, COARSE

_READ_AT_ONCE = 512  # contents that are measured together, 17 kB each
_COMPARED_AT_ONCE = 1 << 14  # pairs, 1 kB each
_NEAREST = 8  # candidates of an image that are verified; further ones only if most of these were copies


class ContentEvidence(NamedTuple):
    """The evidence from the pixels of contents that decides which pairs are verified."""

    row: NDArray[np.int32]  # (contents,): row in `layout` of each; -1: unknown, or the image is damaged
    printed: NDArray[np.bool_]  # (contents,): whether it is a page
    layout: NDArray[np.uint8]  # (rows, LAYOUT): brightness of places

    def unlike(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pairs of contents, both upright, are two pages or differ in many places."""
        out = self.printed[a] & self.printed[b]
        rest = np.flatnonzero(~out & (self.row[a] >= 0) & (self.row[b] >= 0))
        for at in range(0, len(rest), _COMPARED_AT_ONCE):
            some = rest[at : at + _COMPARED_AT_ONCE]
            one, two = (self.row[ends[some]] for ends in (a, b))
            may = may_differ(self.layout, one, two, COARSE.max_differing)
            out[some[may]] = differing_share(self.layout[one[may]], self.layout[two[may]]) > COARSE.max_differing
        return out


def evidence_of(
    images: Images, classes: CodeClasses, matches: Matches, read_evidence: EvidenceReader
) -> ContentEvidence:
    """Measure the contents that match another one."""
    sizes = np.bincount(classes.of, minlength=len(classes.codes))
    linked = sizes > 1
    linked[matches.i] = linked[matches.j] = True
    wanted = [ContentId(number) for number in np.flatnonzero((linked & ~classes.guarded)[classes.of]).tolist()]
    count = len(images.contents)
    damaged = images.contents.column("damaged") > 0  # the missing part of an image differs from its copies
    layout = np.zeros((len(wanted), LAYOUT), dtype=np.uint8)
    out = ContentEvidence(np.full(count, -1, dtype=np.int32), np.zeros(count, dtype=bool), layout)
    for at in range(0, len(wanted), _READ_AT_ONCE):
        some = wanted[at : at + _READ_AT_ONCE]
        evidence_of = read_evidence(some)
        for row, number in enumerate(some, start=at):
            if evidence := evidence_of.get(number):
                out.printed[number], layout[row] = evidence.printed, layout_of(evidence)
                out.row[number] = -1 if damaged[number] else row
    return out


def candidates(
    classes: CodeClasses, matches: Matches, pixels: ContentEvidence, method: Fingerprint
) -> NDArray[np.bool_]:
    """Return which matches are to be verified."""
    first = np.array(classes.first(), dtype=np.int64)
    i, j = first[matches.i], first[matches.j]
    if method.unit != "bits":  # a network is used for edits that no hash finds
        return pixels.printed[i] & pixels.printed[j]
    upright = matches.turn == 0
    out = pixels.printed[i] & pixels.printed[j]
    out[upright] = pixels.unlike(i[upright], j[upright])
    return out


def verify_doubtful(
    classes: CodeClasses,
    matches: Matches,
    which: NDArray[np.bool_],
    pixels: ContentEvidence,
    read_evidence: EvidenceReader,
    verifier: Verifier,
    rank: Rank | None,
) -> tuple[Matches, int]:
    """Return the matches without those of `which` that verification rejects, and the number of pairs not verified.

    A verified pair keeps the distance of its codes. Pairs that were not verified, because the closer pairs of an image
    were not copies, are no matches.
    """
    if not which.any():
        return matches, 0
    first, asked = classes.first(), matches.where(which)
    near = np.zeros(len(asked), dtype=bool)
    near[best_of_each(asked.i, asked.j, -asked.distance, _NEAREST)] = True
    alike = _are_alike_once_aligned(asked.where(near), np.array(first, dtype=np.int64), pixels, read_evidence)
    believed = np.zeros(len(asked), dtype=bool)
    believed[near] = alike
    farther, left = asked.where(~near), list[NDArray[np.int64]]()

    def stages() -> Iterator[tuple[list[Candidate], bool]]:
        yield _candidates_of(asked.where(near & ~believed)), False
        crowded = np.isin(first, sorted(verifier.find_crowded()))
        of_crowds = crowded[farther.i] | crowded[farther.j]
        left.append(_ends(farther.where(of_crowds)))
        yield _candidates_of(farther.where(~of_crowds)), False

    found = verify_scheduled(stages(), first, verifier, rank, by_codes=True)
    found |= _accept_overdrawn(asked, first, verifier)
    ends = sorted(found)
    turns = dict(zip(zip(asked.i.tolist(), asked.j.tolist(), strict=True), asked.turn.tolist(), strict=True))
    gaps: NDArray[Any] = np.array([UNKNOWN if (gap := found[pair]) is None else gap for pair in ends])
    pairs = Matches.between(np.array(ends, dtype=np.int64).reshape(-1, 2), gaps.astype(matches.distance.dtype))
    pairs = replace(pairs, turn=np.array([turns.get(pair, 0) for pair in ends], dtype=np.int8))
    accepted = Matches.concatenate([matches.where(~which), asked.where(believed)])
    pairs = pairs.where(
        ~_are_among(pairs, accepted, len(first))
    )  # an accepted pair may be a match via a third image too
    out = _sort_pairs(Matches.concatenate([accepted, pairs]))
    return out, count_unverified(left, _ends(out), first, verifier)


def _ends(matches: Matches) -> NDArray[np.int64]:
    """Return the pairs of classes, `(n, 2)`."""
    return np.column_stack([matches.i, matches.j]).astype(np.int64)


def _are_among(pairs: Matches, others: Matches, class_count: int) -> NDArray[np.bool_]:
    numbers, known = (each.i.astype(np.int64) * class_count + each.j for each in (pairs, others))
    return np.isin(numbers, known)


def _are_alike_once_aligned(
    matches: Matches, first: NDArray[np.int64], pixels: ContentEvidence, read_evidence: EvidenceReader
) -> NDArray[np.bool_]:
    """Return which matches of images that are no pages differ in few places after alignment.

    Crops, borders and small rotations differ everywhere before alignment, and need no further verification.
    """
    out = np.zeros(len(matches), dtype=bool)
    i, j = first[matches.i], first[matches.j]
    wanted = np.flatnonzero((pixels.row[i] >= 0) & (pixels.row[j] >= 0) & ~(pixels.printed[i] & pixels.printed[j]))
    for at in range(0, len(wanted), _READ_AT_ONCE):
        some = wanted[at : at + _READ_AT_ONCE]
        evidence = read_evidence({*i[some].tolist(), *j[some].tolist()})
        for place, a, b in zip(some.tolist(), i[some].tolist(), j[some].tolist(), strict=True):
            if a in evidence and b in evidence:
                out[place] = verify.differing_places(evidence[a].small, evidence[b].small) <= COARSE.max_differing
    return out


def _candidates_of(matches: Matches) -> list[Candidate]:
    rows = matches.i.tolist(), matches.j.tolist(), matches.distance.tolist(), matches.turn.tolist()
    return [Candidate(i, j, gap, guess_of_turn(turn), "") for i, j, gap, turn in zip(*rows, strict=True)]


def _accept_overdrawn(asked: Matches, first: Sequence[ContentId], verifier: Verifier) -> dict[Ends, float | None]:
    """Return pairs of photos to accept although verification rejected them, with the distances of their hashes.

    Many keypoints agree: one photo was annotated or decorated in so many places that too few blocks agree. Pages and
    cards are excluded, because the keypoints of their common design agree.
    """
    out: dict[Ends, float | None] = {}
    for i, j, gap in zip(asked.i.tolist(), asked.j.tolist(), asked.distance.tolist(), strict=True):
        ends = min(first[i], first[j]), max(first[i], first[j])
        verified = verifier.verdicts.get(ends)
        if verified is None or verified.verdict.same or verified.verdict.lettered:
            continue
        if (
            verified.verdict.inliers >= ALIGNMENT.overdrawn_inliers
            and verified.verdict.agrees >= ALIGNMENT.overdrawn_agreement
        ):
            out[i, j] = gap
            verifier.verdicts[ends] = verified._replace(
                verdict=verified.verdict._replace(relation="edited", conflict=False)
            )
    return out


def _sort_pairs(matches: Matches) -> Matches:
    order = np.lexsort((matches.j, matches.i))
    return Matches(matches.i[order], matches.j[order], matches.distance[order], matches.turn[order])
