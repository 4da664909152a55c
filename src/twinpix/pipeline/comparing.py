"""`compare`: two images, every method's distance, and a verdict."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twinpix import fingerprints, plugins, search
from twinpix.errors import ImageError, UsageError
from twinpix.fingerprints import INFORMATION_FLOOR, Fingerprint, Wanted
from twinpix.fingerprints.pdq import PDQ
from twinpix.imaging import Picture, decode, pixel_digest
from twinpix.model import Decode, Relation, numbers, shown
from twinpix.pipeline import relate
from twinpix.pipeline.options import DEFAULT_METHOD
from twinpix.sources import read
from twinpix.store import Result


@dataclass(frozen=True, slots=True)
class Distance:
    """One method's word: the distance as the images lie, the least over the eight orientations, the radius."""

    method: str
    bits: int
    distance: float
    turned: float
    turn: int
    radius: float  # of normal strictness


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two images have in common; `relation` is None when they are not the same picture."""

    a: str
    b: str
    relation: Relation | None
    verdict: str
    distances: list[Distance]
    qualities: tuple[int, int]  # PDQ's, 0 to 100
    information: tuple[int, int]


def compare(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    *,
    decode: Decode = "fast",
    method: str = DEFAULT_METHOD,
) -> Comparison:
    """Compare two images by every method; `method` gives the verdict.

    Raises `UsageError` when one of them cannot be read.
    """
    names = os.fspath(a), os.fspath(b)
    mine = fingerprints.make(method)
    fingerprints.check(mine)
    judge = plugins.describe(mine)
    every = {plugins.describe(other): other for other in _usable()} | {judge: mine}
    methods = [every[spec] for spec in sorted(every)]
    pictures = [_picture(name, decode, fingerprints.wanted(methods)) for name in names]
    distances = list(_distances(methods, pictures, judge))
    decisive = next(d for d in distances if d.method == judge)
    information = [fingerprints.information_of(picture) for picture in pictures]
    relation, verdict = _verdict(pictures, mine, decisive, min(information))
    matrices = [PDQ().prepare(picture) for picture in pictures]
    return Comparison(
        *names,
        relation,
        verdict,
        distances,
        (PDQ().quality(matrices[0]), PDQ().quality(matrices[1])),
        (information[0], information[1]),
    )


def _usable() -> Iterator[Fingerprint]:
    """The methods that tell near from far, and that are installed."""
    for name in plugins.names("fingerprints"):
        try:
            method = fingerprints.make(name)
            fingerprints.check(method)
        except UsageError:
            continue
        if method.metric != "identity":
            yield method


def _picture(name: str, mode: Decode, wanted: Wanted) -> Picture:
    try:
        data = read(name).data
        if data is None:
            raise ImageError("read", "not an image")
        return decode(data, mode, name, *wanted)
    except ImageError as error:
        raise UsageError(f"cannot compare {name}: {error.reason}") from None


def _distances(methods: list[Fingerprint], pictures: list[Picture], judge: str) -> Iterator[Distance]:
    """The word of each method that has one; that of the judge is needed."""
    for method in methods:
        try:
            yield _distance(method, pictures)
        except ImageError as error:
            if plugins.describe(method) == judge:
                raise UsageError(f"{judge} cannot compare them: {error.reason}") from None


def _distance(method: Fingerprint, pictures: list[Picture]) -> Distance:
    left = fingerprints.codes_of_one(method, pictures[0])
    right = fingerprints.codes_of_one(method, pictures[1], transforms=method.metric != "identity")
    a, b = (fingerprints.comparable(method, code) for code in (left, right))
    _, _, distances = search.join(a, b, fingerprints.farthest(method))
    gaps = numbers(distances)
    turn = int(np.argmin(gaps))
    spec = plugins.describe(method)
    return Distance(spec, method.bits, gaps[0], gaps[turn], turn, method.radii["normal"])


def _apart(decisive: Distance, gap: float) -> str:
    unit = "bits" if isinstance(decisive.radius, int) else "of cosine distance"
    return f"{shown(gap)} {unit}, radius {shown(decisive.radius)}"


def _verdict(
    pictures: list[Picture], method: Fingerprint, decisive: Distance, information: int
) -> tuple[Relation | None, str]:
    a, b = pictures
    if a.data == b.data:
        return "identical-file", "the same file, byte for byte"
    if not (a.damaged or b.damaged) and pixel_digest(a.data, a.name) == pixel_digest(b.data, b.name):
        return "identical-pixels", "the same pixels in different files"
    if information < INFORMATION_FLOOR:
        return None, "too little detail to tell: blank, flat or softly graded"
    gap, turn = decisive.distance, 0
    if gap > decisive.radius:
        gap, turn = decisive.turned, decisive.turn
    if gap > decisive.radius:
        return (
            None,
            f"different pictures, by {decisive.method} ({_apart(decisive, decisive.distance)})",
        )
    results = [Result(None, p.width, p.height) for p in pictures]
    relation = relate.relation(method, results[0], results[1], gap, turn)
    return (
        relation,
        f"the same picture, {relation}, by {decisive.method} ({_apart(decisive, gap)})",
    )
