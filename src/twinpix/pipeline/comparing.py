"""`compare`: two images, every method's distance, and a verdict."""

import os
from dataclasses import dataclass

import numpy as np

from twinpix import fingerprints, plugins
from twinpix.errors import ImageError, UsageError
from twinpix.fingerprints import INFORMATION_FLOOR, Fingerprint
from twinpix.fingerprints.pdq import PDQ
from twinpix.imaging import Picture, decode, pixel_digest
from twinpix.model import Decode, Relation
from twinpix.pipeline import relate
from twinpix.pipeline.options import DEFAULT_METHOD
from twinpix.sources import read
from twinpix.store import Result


@dataclass(frozen=True, slots=True)
class Distance:
    """One method's word: the distance as the images lie, the least over the eight orientations, the radius."""

    method: str
    bits: int
    distance: int
    turned: int
    turn: int
    radius: int  # of normal strictness


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
    pictures = [_picture(name, decode) for name in names]
    specs = [name for name in plugins.names("fingerprints") if fingerprints.make(name).metric == "hamming"]
    judge = plugins.describe(fingerprints.make(method))
    distances = [_distance(fingerprints.make(spec), pictures) for spec in sorted({*specs, judge})]
    decisive = next(d for d in distances if d.method == judge)
    information = [fingerprints.information_of(picture) for picture in pictures]
    relation, verdict = _verdict(pictures, decisive, min(information))
    matrices = [PDQ().prepare(picture) for picture in pictures]
    return Comparison(
        *names,
        relation,
        verdict,
        distances,
        (PDQ().quality(matrices[0]), PDQ().quality(matrices[1])),
        (information[0], information[1]),
    )


def _picture(name: str, mode: Decode) -> Picture:
    try:
        data = read(name).data
        if data is None:
            raise ImageError("read", "not an image")
        return decode(data, mode, name)
    except ImageError as error:
        raise UsageError(f"cannot compare {name}: {error.reason}") from None


def _distance(method: Fingerprint, pictures: list[Picture]) -> Distance:
    left = fingerprints.codes_of(method, pictures[:1])[0]
    right = fingerprints.codes_of(method, pictures[1:], transforms=method.metric == "hamming")[0]
    gaps = np.bitwise_count(left ^ right).sum(axis=1)
    turn = int(np.argmin(gaps))
    spec = plugins.describe(method)
    return Distance(spec, method.bits, int(gaps[0]), int(gaps[turn]), turn, method.radii["normal"])


def _verdict(pictures: list[Picture], decisive: Distance, information: int) -> tuple[Relation | None, str]:
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
            f"different pictures, by {decisive.method} ({decisive.distance} bits, radius {decisive.radius})",
        )
    results = [Result(None, p.width, p.height) for p in pictures]
    relation = relate.relation(fingerprints.make(decisive.method), results[0], results[1], gap, turn)
    return (
        relation,
        f"the same picture, {relation}, by {decisive.method} ({gap} bits, radius {decisive.radius})",
    )
