"""`compare`: the distances of two images by every method, verification on the pixels, and a verdict."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from twinpix import fingerprints, plugins, search, verify
from twinpix.encoding.methods import method_of
from twinpix.encoding.options import Options
from twinpix.encoding.session import open_session
from twinpix.errors import CompareError, ImageError, UsageError
from twinpix.executors import Begin, Lost
from twinpix.fingerprints import LOW_DETAIL_BELOW, Fingerprint, Wanted
from twinpix.fingerprints.pdq import PDQ
from twinpix.imaging import Picture, decode, pixel_digest
from twinpix.imaging.evidence import Evidence, evidence_of, unpack
from twinpix.imaging.opencv import opencv
from twinpix.match.relation import explain_no_encoding, infer_relation, is_encoding, relation_by_evidence
from twinpix.model import Bytes2D, Decode, DistanceUnit, Relation, format_distance, numbers
from twinpix.progress import Progress
from twinpix.sources import explain_no_image, path_advice, read
from twinpix.store import Result
from twinpix.text import plural
from twinpix.thresholds import DECISION
from twinpix.verify import Affine, Explanation, Pyramid, Rejection, Verdict

_UNDECIDED = "too little texture to decide"
"""How a verdict begins if the images have almost no texture: they are then not called different."""

_BUT: dict[Rejection, str] = {
    "texture": "but the overlap has too little texture",
    "overlap": "but the overlap is too small a part of the images",
    "agreement": "but that is too little",
    "area": "but not most of the area: small details agree, large areas do not",
    "borders": "but not if their borders are counted",
    "direction": "but only along edges of one direction, as in many images",
    "light": "but light and dark areas are in different places",
    "exclusive": "but each image has content where the other one has plain background",
    "moment": "but other objects are in the same view",
    "chance": "but they differ beside it, and small or repeated parts of any two images agree",
    "recoloured": "but too few blocks agree to show that the colours were changed",
    "text": "but their text differs",
    "edges": "but the directions of their edges do not agree",
}
"""Why two images are no copies, by the test of verification that they failed."""


@dataclass(frozen=True, slots=True)
class Distance:
    """The distance of two images by one method, in its unit."""

    method: str
    bits: int  # of a code
    distance: float  # with the images as they are, without rotation or mirroring
    turned: float  # minimum over the eight orientations
    turn: int  # the orientation of that minimum, 0 to 7
    radius: float  # of normal strictness
    unit: DistanceUnit  # of the distances and the radius


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of two images.

    `relation` is None for different images and `similar-scene` for images of one scene; neither are `same`.
    """

    a: str
    b: str
    relation: Relation | None
    conclusion: str  # the verdict in words
    numbers: str  # its evidence in words; "" if the conclusion contains it
    undecided: bool  # too little texture to decide
    distances: list[Distance]  # of the methods that have one
    qualities: tuple[int, int]  # PDQ's, 0 to 100
    detail_scores: tuple[int, int]  # numbers of low frequencies above the noise
    seen: str  # the result of verification in words; "" for identical files or pixels
    by_pixels: bool  # whether verification gave the verdict
    explanation: Explanation = field(compare=False, repr=False)  # with a transform in any case
    views: tuple[Pyramid, Pyramid] = field(compare=False, repr=False)  # as verification compared them
    pictures: tuple[Picture, Picture] = field(compare=False, repr=False)  # by the fast decode

    @property
    def same(self) -> bool:
        """True for copies of one image."""
        return self.relation is not None and self.relation != "similar-scene"

    @property
    def verification(self) -> Verdict:
        """The verdict of verification, with a transform in any case: the one on which most agrees."""
        return self.explanation.verdict

    @property
    def verdict(self) -> str:
        """The conclusion and its evidence, in words."""
        return str(Words(self.conclusion, self.numbers))


def compare(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    *,
    decode: Decode = "fast",
    method: str = "cascade",
    timeout: float = 60.0,
) -> Comparison:
    """Compare two images by every fingerprint and by verification on the pixels.

    Args:
        a: Path of the first image.
        b: Path of the second image.
        decode: "fast", or "reference" for the pixels of imagededup and ImageHash.
        method: Method of the verdict: a hash or network decides by its distance, `cascade` and `local` on the pixels.
        timeout: Time limit in seconds, above 0.

    Returns:
        The relation, the verdict in words, and the distance by every method.

    Raises:
        UsageError: An image cannot be read, an option is outside its range, or the method is unknown or unsuitable.
        CompareError: The comparison failed or exceeded the time limit.

    Example:
        >>> found = twinpix.compare("photos/beach.png", "photos/beach.jpg")
        >>> found.same, found.relation
        (True, 're-encoded')
    """
    names = os.fspath(a), os.fspath(b)
    options = Options(method=method, decode=decode, timeout=timeout, workers=1, store=None)
    mine = method_of(options)
    opencv()  # loaded in this process too, for the caller that draws the comparison
    with open_session(options, Progress()) as session:
        ((_, found),) = session.executor.map(CompareTask(mine, decode), [[names]])
    if isinstance(found, Lost):
        raise CompareError(f"cannot compare {names[0]} and {names[1]}: {found.reason}")
    compared: Comparison = found
    return compared


def verify_files(a: str, b: str) -> "Verification":
    """Verify two images on their pixels alone, in this process, without any fingerprint.

    Raises `UsageError` if one cannot be read, `CompareError` if the verification failed.
    """
    mine = fingerprints.make("cascade")
    pairs = [_decode(name, "fast", Wanted(verify.COLOUR, verify.DETAIL)) for name in (a, b)]
    try:
        return _verify(pairs, mine, min(fingerprints.detail_score_of(pair.picture) for pair in pairs))
    except verify.faults() as error:
        raise CompareError(f"cannot compare {a} and {b}: {verify.reason_of(error)}") from error


@dataclass(frozen=True, slots=True)
class CompareTask:
    """Compares two files in a worker process, because a decoder may crash or hang."""

    method: Fingerprint
    decode: Decode

    def __call__(self, batch: Sequence[tuple[str, str]], begin: Begin) -> list[Comparison]:
        begin(0)
        return [_compare(names, self.method, self.decode) for names in batch]


def _compare(names: tuple[str, str], mine: Fingerprint, decode: Decode) -> Comparison:
    judge = plugins.describe(mine)
    every = {plugins.describe(other): other for other in _usable()} | {judge: mine}
    methods = [every[spec] for spec in sorted(every) if not every[spec].proposes]
    wanted = _with_verification(fingerprints.needs_of(methods))
    pairs = [_decode(name, decode, wanted) for name in names]
    pictures = [pair.picture for pair in pairs]
    distances = list(_distances(methods, pictures, judge))
    scores = [fingerprints.detail_score_of(picture) for picture in pictures]
    try:
        verification = _verify(pairs, mine, min(scores))
    except verify.faults() as error:
        raise CompareError(f"cannot compare {names[0]} and {names[1]}: {verify.reason_of(error)}") from error
    decisive = next((d for d in distances if d.method == judge), None)
    if decisive is None or verification.settled:
        relation, words, undecided = verification.relation, verification.words, verification.undecided
    else:
        (relation, words), undecided = _verdict(pairs, mine, decisive), False
    if relation in ("re-encoded", "resized", "recoloured") and (why := _explain_no_encoding(pictures)):
        relation, words = "edited", Words("copies of one image", f"edited: {why}")
    matrices = [PDQ().prepare(picture) for picture in pictures]
    return Comparison(
        *names,
        relation,
        *words,
        undecided,
        distances,
        (PDQ().quality(matrices[0]), PDQ().quality(matrices[1])),
        (scores[0], scores[1]),
        "" if verification.settled else str(verification.words),
        decisive is None,
        verification.found,
        verification.views,
        (pairs[0].fast, pairs[1].fast),
    )


def _explain_no_encoding(pictures: Sequence[Picture]) -> str:
    """Return why two images are not encodings of each other; "" if they may be."""
    results = [Result(None, picture.width, picture.height, traits=picture.traits) for picture in pictures]
    return explain_no_encoding(results[0], results[1])


class _Decoded(NamedTuple):
    """One of the two images."""

    picture: Picture  # decoded for the methods
    fast: Picture  # upright, for verification
    view: Pyramid


class Words(NamedTuple):
    """A verdict and its evidence."""

    conclusion: str
    numbers: str = ""

    def __str__(self) -> str:
        return ": ".join(filter(None, self))


class Verification(NamedTuple):
    """The result of verification; if it is settled, the methods are not used."""

    relation: Relation | None
    words: Words
    found: Explanation
    views: tuple[Pyramid, Pyramid]  # as verification compared them
    settled: bool
    undecided: bool = False


def _usable() -> Iterator[Fingerprint]:
    """Return the installed methods that have distances."""
    for name in plugins.names("fingerprints"):
        try:
            method = fingerprints.make(name)
            method.check()
        except UsageError:
            continue
        if not method.by_equality:
            yield method


def _with_verification(wanted: Wanted) -> Wanted:
    """Return the decoding parameters that the methods and verification need."""
    return Wanted(max(wanted.colour, verify.COLOUR), max(wanted.detail, verify.DETAIL))


def _decode(name: str, mode: Decode, wanted: Wanted) -> _Decoded:
    try:
        data = read(name).data
        if data is None:
            raise ImageError("read", explain_no_image(name))
        fast = decode(data, "fast", name, *wanted)
        picture = fast if mode == "fast" else decode(data, mode, name)
        return _Decoded(picture, fast, verify.pyramid_of(fast, partial(_full, data, name)))
    except ImageError as error:
        raise UsageError(f"cannot compare {name}: {error.reason}{path_advice(name)}") from None


def _full(data: bytes, name: str) -> Bytes2D:
    return np.ascontiguousarray(decode(data, "fast", name, 0, verify.FULL).grey(verify.FULL))


def _distances(methods: list[Fingerprint], pictures: list[Picture], judge: str) -> Iterator[Distance]:
    """Yield the distance by each method that has one; the method of the verdict must have one."""
    for method in methods:
        try:
            yield _distance(method, pictures)
        except ImageError as error:
            if plugins.describe(method) == judge:
                raise UsageError(f"{judge} cannot compare them: {error.reason}") from None


def _distance(method: Fingerprint, pictures: list[Picture]) -> Distance:
    left = fingerprints.codes_of_one(method, pictures[0])
    right = fingerprints.codes_of_one(method, pictures[1], transforms=not method.by_equality)
    a, b = (method.comparable(code) for code in (left, right))
    _, _, distances = search.join(a, b, method.farthest)
    gaps = numbers(distances)
    turn = int(np.argmin(gaps))
    spec = plugins.describe(method)
    return Distance(spec, method.bits, gaps[0], gaps[turn], turn, method.radii["normal"], method.unit)


_UNITS: dict[DistanceUnit, str] = {"bits": "bits", "cosine": "of cosine distance", "share": "of the overlap"}


def _distance_text(decisive: Distance, gap: float, method: Fingerprint) -> str:
    if method.by_equality:
        return "identical" if gap == 0 else "not identical"
    return f"{format_distance(gap)} {_UNITS[decisive.unit]}, radius {format_distance(decisive.radius)}"


def _verdict(pairs: Sequence[_Decoded], method: Fingerprint, decisive: Distance) -> tuple[Relation | None, Words]:
    """Return the relation and verdict of a method by its distance; the pixels correct the relation, as in `find`."""
    gap, turn = decisive.distance, 0
    if gap > decisive.radius:
        gap, turn = decisive.turned, decisive.turn
    if gap > decisive.radius:
        return (
            None,
            Words(f"different images, by {decisive.method} ({_distance_text(decisive, decisive.distance, method)})"),
        )
    first, second = (Result(None, pair.picture.width, pair.picture.height) for pair in pairs)
    relation = infer_relation(method, first, second, gap, turn)
    if is_encoding(relation) and not _explain_no_encoding([pair.picture for pair in pairs]):
        relation = relation_by_evidence(relation, _evidence(pairs[0].fast), _evidence(pairs[1].fast), first, second)
    return (
        relation,
        Words(f"copies of one image, {relation}, by {decisive.method} ({_distance_text(decisive, gap, method)})"),
    )


def _evidence(picture: Picture) -> Evidence | None:
    """Measure the pixels at full size; None if that cannot be decoded."""
    try:
        return unpack(evidence_of(picture.data, picture.name))
    except ImageError:
        return None


# -- verification ------------------------------------------------------------------------------------


def _verify(pairs: Sequence[_Decoded], method: Fingerprint, detail_score: int) -> Verification:
    """Verify two images on their pixels."""
    a, b = (pair.view for pair in pairs)
    maps = [verify.orientation_transform(turn, a.size, b.size) for turn in range(fingerprints.TURNS)]
    first, second = (pair.fast for pair in pairs)
    if first.data == second.data:
        return _identical("identical-file", "the same file, byte for byte", maps[0], (a, b))
    whole = not (first.damaged or second.damaged)
    if whole and pixel_digest(first.data, first.name) == pixel_digest(second.data, second.name):
        return _identical("identical-pixels", "the same pixels in different files", maps[0], (a, b))
    least = 1 - method.radii["normal"] if method.proposes else DECISION.min_agreement
    verdict = verify.verify_pair(a, b, maps, least)
    views = a, b = verify.as_compared(verdict, a, b)
    found = verify.explain_pair(verdict, a, b, maps, least)
    if detail_score < LOW_DETAIL_BELOW:
        nothing = Words(_UNDECIDED, "blank, flat or a smooth gradient")
        blank = found._replace(verdict=found.verdict._replace(relation=None, detail="", back=""))
        return Verification(None, nothing, blank, views, True, True)
    return Verification(
        verdict.relation, _words(found, least), found, views, False, not verdict.relation and not found.decided
    )


def _identical(relation: Relation, words: str, a_to_b: Affine, views: tuple[Pyramid, Pyramid]) -> Verification:
    verdict = Verdict(relation, "", "", 1.0, (1.0, 1.0), 0, a_to_b)
    return Verification(relation, Words(words), Explanation(verdict, 0), views, True)


def describe_inliers(inliers: int) -> str:
    """Return the number of inlier keypoints in words."""
    return plural(inliers, "inlier keypoint") if inliers else "no inlier keypoints"


def _words(found: Explanation, least: float) -> Words:
    verdict = found.verdict
    share, inliers = f"{verdict.agrees:.0%}", describe_inliers(verdict.inliers)
    if verdict.same:
        needed = f", {inliers}" if verdict.inliers else ""
        return Words(
            "copies of one image", f"{verdict.detail or verdict.relation}; {share} of the overlap agrees{needed}"
        )
    if verdict.relation == "similar-scene":
        return Words("the same scene, not copies", f"{inliers}, {_why_no_copies(found, least)}")
    if not found.decided:
        return Words(_UNDECIDED, f"almost no texture in the best overlap, {inliers}")
    if verdict.agrees < least:
        return Words("different images", f"at the best alignment only {share} of the overlap agrees, {inliers}")
    return Words(
        "different images", f"at the best alignment {share} of the overlap agrees, {_why_rejected(verdict)}, {inliers}"
    )


def _why_no_copies(found: Explanation, least: float) -> str:
    """Return why two images of one scene are not copies."""
    agrees = f"{found.verdict.agrees:.0%}"
    if not found.decided:
        return "but the overlap has too little texture"
    if found.verdict.agrees < least:
        return f"the pixels agree on only {agrees} of the overlap"
    return f"{agrees} of the overlap agrees, {_why_rejected(found.verdict)}"


def _why_rejected(verdict: Verdict) -> str:
    """Return why two images whose overlap agrees are not copies."""
    return _BUT[verdict.rejection or "agreement"]
