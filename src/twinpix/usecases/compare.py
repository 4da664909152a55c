"""`compare`: two images, every method's distance, a second look at the pixels, and a verdict."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix import fingerprints, plugins, search, verify
from twinpix.errors import CompareError, ImageError, UsageError
from twinpix.executors import Begin, Local, Lost
from twinpix.fingerprints import INFORMATION_FLOOR, Fingerprint, Wanted
from twinpix.fingerprints.pdq import PDQ
from twinpix.imaging import Picture, decode, pixel_digest
from twinpix.imaging.opencv import opencv
from twinpix.match import relation as relate
from twinpix.model import Bytes2D, Decode, Relation, numbers, shown
from twinpix.sources import read
from twinpix.store import Result
from twinpix.text import plural
from twinpix.verify import Look, Map, View
from twinpix.verify.alignment.affine import overlap, placed
from twinpix.verify.alignment.align import fits, found
from twinpix.verify.content.blocks import Agreement, agreement, laid
from twinpix.verify.hypothesis import FEW, OVERLAP

_UNDECIDED = "too little detail to tell"
"""With this a verdict begins where there is next to nothing to see: such pictures are not said to be different."""

_NEAR = 8.0  # in a view, between where a point should be and where it is
_BETTER = 1.5  # times as many blocks must agree before a picture is turned or mirrored that is another one anyway

Places = NDArray[np.float64]  # (n, 2)


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
    """What two images have in common.

    `relation` is None for different pictures, and for those of one scene it is `similar-scene`: neither are `same`.
    """

    a: str
    b: str
    relation: Relation | None
    conclusion: str  # in words
    numbers: str  # what it rests on, in words; "" where the conclusion says it
    undecided: bool  # there is too little to see to tell
    distances: list[Distance]  # of the methods that have one
    qualities: tuple[int, int]  # PDQ's, 0 to 100
    information: tuple[int, int]
    seen: str  # what the second look says, in words; "" where there was nothing to look at
    by_pixels: bool  # whether that is the verdict
    look: Look = field(compare=False)  # its map is there in any case: where most agrees, however little that is
    views: tuple[View, View] = field(compare=False, repr=False)  # as the second look compared them
    pictures: tuple[Picture, Picture] = field(compare=False, repr=False)  # by the fast decode

    @property
    def same(self) -> bool:
        """True for one picture, however edited."""
        return self.relation is not None and self.relation != "similar-scene"

    @property
    def verdict(self) -> str:
        """The conclusion and what it rests on, in words."""
        return str(Words(self.conclusion, self.numbers))


def compare(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    *,
    decode: Decode = "fast",
    method: str = "cascade",
    timeout: float = 60.0,
) -> Comparison:
    """Compare two images by every method, and by their pixels.

    `method` gives the verdict: a hash or a network by its distance, `cascade` and `local` by the pixels.
    Raises `UsageError` when one of them cannot be read, `CompareError` when they cannot be compared, or not in
    `timeout` seconds.
    """
    names = os.fspath(a), os.fspath(b)
    mine = fingerprints.make(method)
    mine.check()
    opencv()  # loaded here too, for who draws what was found
    ((_, found),) = Local(1, timeout).map(CompareTask(mine, decode), [[names]])
    if isinstance(found, Lost):
        raise CompareError(f"cannot compare {names[0]} and {names[1]}: {found.reason}")
    compared: Comparison = found
    return compared


@dataclass(frozen=True, slots=True)
class CompareTask:
    """Compares two files in a worker, which may crash or need too long as any other."""

    method: Fingerprint
    decode: Decode

    def __call__(self, batch: Sequence[tuple[str, str]], begin: Begin) -> list[Comparison]:
        begin(0)
        return [_compared(names, self.method, self.decode) for names in batch]


def _compared(names: tuple[str, str], mine: Fingerprint, decode: Decode) -> Comparison:
    judge = plugins.describe(mine)
    every = {plugins.describe(other): other for other in _usable()} | {judge: mine}
    methods = [every[spec] for spec in sorted(every) if not every[spec].proposes]
    wanted = _and_a_look(fingerprints.wanted(methods))
    pairs = [_decoded(name, decode, wanted) for name in names]
    pictures = [pair.picture for pair in pairs]
    distances = list(_distances(methods, pictures, judge))
    information = [fingerprints.information_of(picture) for picture in pictures]
    try:
        seen = _seen(pairs, mine, min(information))
    except verify.faults() as error:
        raise CompareError(f"cannot compare {names[0]} and {names[1]}: {verify.reason_of(error)}") from error
    decisive = next((d for d in distances if d.method == judge), None)
    if decisive is None or seen.settled:
        relation, words, undecided = seen.relation, seen.words, seen.undecided
    else:
        (relation, words), undecided = _verdict(pictures, mine, decisive), False
    if relation in ("re-encoded", "resized", "recoloured") and (why := _only_alike(pictures)):
        relation, words = "edited", Words("the same picture", f"edited: {why}")
    matrices = [PDQ().prepare(picture) for picture in pictures]
    return Comparison(
        *names,
        relation,
        *words,
        undecided,
        distances,
        (PDQ().quality(matrices[0]), PDQ().quality(matrices[1])),
        (information[0], information[1]),
        "" if seen.settled else str(seen.words),
        decisive is None,
        seen.look,
        seen.views,
        (pairs[0].fast, pairs[1].fast),
    )


def _only_alike(pictures: Sequence[Picture]) -> str:
    """Why two images are no encodings of one another; "" if they may be."""
    results = [Result(None, picture.width, picture.height, traits=picture.traits) for picture in pictures]
    return relate.only_alike(results[0], results[1])


class _Decoded(NamedTuple):
    """One of the two images."""

    picture: Picture  # as the methods see it
    fast: Picture  # as people and the second look see it
    view: View


class Words(NamedTuple):
    """A conclusion and what it rests on."""

    conclusion: str
    numbers: str = ""

    def __str__(self) -> str:
        return ": ".join(filter(None, self))


class _Seen(NamedTuple):
    """What the second look says; it is settled where no method is asked any more."""

    relation: Relation | None
    words: Words
    look: Look
    views: tuple[View, View]  # as it compared them
    settled: bool
    undecided: bool = False


def _usable() -> Iterator[Fingerprint]:
    """The methods that tell near from far, and that are installed."""
    for name in plugins.names("fingerprints"):
        try:
            method = fingerprints.make(name)
            method.check()
        except UsageError:
            continue
        if not method.by_equality:
            yield method


def _and_a_look(wanted: Wanted) -> Wanted:
    """What methods need, and what a second look needs."""
    return Wanted(max(wanted.colour, verify.COLOUR), max(wanted.detail, verify.DETAIL))


def _decoded(name: str, mode: Decode, wanted: Wanted) -> _Decoded:
    try:
        data = read(name).data
        if data is None:
            raise ImageError("read", "not an image")
        fast = decode(data, "fast", name, *wanted)
        picture = fast if mode == "fast" else decode(data, mode, name)
        return _Decoded(picture, fast, verify.view_of(fast, partial(_full, data, name)))
    except ImageError as error:
        raise UsageError(f"cannot compare {name}: {error.reason}") from None


def _full(data: bytes, name: str) -> Bytes2D:
    return np.ascontiguousarray(decode(data, "fast", name, 0, verify.FULL).grey(verify.FULL))


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
    right = fingerprints.codes_of_one(method, pictures[1], transforms=not method.by_equality)
    a, b = (method.comparable(code) for code in (left, right))
    _, _, distances = search.join(a, b, method.farthest)
    gaps = numbers(distances)
    turn = int(np.argmin(gaps))
    spec = plugins.describe(method)
    return Distance(spec, method.bits, gaps[0], gaps[turn], turn, method.radii["normal"])


def _apart(decisive: Distance, gap: float) -> str:
    unit = "bits" if isinstance(decisive.radius, int) else "of cosine distance"
    return f"{shown(gap)} {unit}, radius {shown(decisive.radius)}"


def _verdict(pictures: list[Picture], method: Fingerprint, decisive: Distance) -> tuple[Relation | None, Words]:
    """What a method says by its distance."""
    gap, turn = decisive.distance, 0
    if gap > decisive.radius:
        gap, turn = decisive.turned, decisive.turn
    if gap > decisive.radius:
        return (
            None,
            Words(f"different pictures, by {decisive.method} ({_apart(decisive, decisive.distance)})"),
        )
    results = [Result(None, p.width, p.height) for p in pictures]
    relation = relate.relation(method, results[0], results[1], gap, turn)
    return (
        relation,
        Words(f"the same picture, {relation}, by {decisive.method} ({_apart(decisive, gap)})"),
    )


# -- the second look ------------------------------------------------------------------------------------


def _seen(pairs: Sequence[_Decoded], method: Fingerprint, information: int) -> _Seen:
    """What the pixels say."""
    a, b = (pair.view for pair in pairs)
    maps = [verify.turning(turn, a.sides, b.sides) for turn in range(fingerprints.TURNS)]
    first, second = (pair.fast for pair in pairs)
    if first.data == second.data:
        return _identical("identical-file", "the same file, byte for byte", maps[0], (a, b))
    whole = not (first.damaged or second.damaged)
    if whole and pixel_digest(first.data, first.name) == pixel_digest(second.data, second.name):
        return _identical("identical-pixels", "the same pixels in different files", maps[0], (a, b))
    least = 1 - method.radii["normal"] if method.proposes else verify.AGREE
    look = verify.look(a, b, maps, least)
    views = a, b = verify.as_seen(look, a, b)
    look, on = _drawable(look, a, b, maps)
    if information < INFORMATION_FLOOR:
        nothing = Words(_UNDECIDED, "blank, flat or softly graded")
        return _Seen(None, nothing, look._replace(relation=None, detail="", back=""), views, True, True)
    return _Seen(look.relation, _words(look, on, least), look, views, False, not look.relation and on.blocks < FEW)


def _identical(relation: Relation, words: str, there: Map, views: tuple[View, View]) -> _Seen:
    return _Seen(relation, Words(words), Look(relation, "", "", 1.0, (1.0, 1.0), 0, there), views, True)


class _On(NamedTuple):
    """A map, and what agrees on it."""

    there: Map
    agrees: Agreement

    @property
    def agreeing(self) -> float:
        """How many blocks agree."""
        return self.agrees.share * self.agrees.blocks


def _on(a: View, b: View, there: Map) -> _On:
    return _On(there, agreement(laid(a, b, there)))


def _drawable(look: Look, a: View, b: View, maps: Sequence[Map]) -> tuple[Look, Agreement]:
    """The look with a map in any case and the points that lie on each other by it, and what agrees on that map."""
    if look.same and look.there is not None:
        points = len(common_points(a, b, look.there)[0]) if look.points else 0
        return look._replace(points=points), _on(a, b, look.there).agrees
    best = _laid_by_points(a, b)
    if best is None or not look.relation:
        best = _laid_at_best(look.there, best, a, b, maps)
    there, on = best
    shared, points = overlap(there, a.sides, b.sides), len(common_points(a, b, there)[0])
    return look._replace(agrees=on.share, overlap=shared, points=points, there=there), on


def _laid_by_points(a: View, b: View) -> _On | None:
    """How one picture is laid on another by the points that both have; None where they do not tell."""
    by_points = found(a, b)
    return None if by_points is None or not fits(by_points, a, b) else _on(a, b, by_points.there)


def _laid_at_best(there: Map | None, by_points: _On | None, a: View, b: View, maps: Sequence[Map]) -> _On:
    """How one of two different pictures is laid on the other: where they have most in common.

    `there` is where the largest share agrees, often of a small part and by chance: for that no picture is turned.
    """
    upright, *turned = (_on(a, b, each) for each in maps)
    least = min(FEW, upright.agrees.blocks)
    if by_points is not None and by_points.agrees.blocks >= least and by_points.agreeing >= upright.agreeing:
        return by_points
    others = turned if there is None else [_on(a, b, there), *turned]
    best = max((one for one in others if one.agrees.blocks >= least), key=lambda one: one.agreeing, default=upright)
    return best if best.agreeing > _BETTER * upright.agreeing else upright


def common_points(a: View, b: View, there: Map) -> tuple[Places, Places]:
    """Places in the one view and in the other that look alike, and agree with each other and with the map."""
    by_points = found(a, b)
    if by_points is None:
        return np.empty((0, 2)), np.empty((0, 2))
    on = np.linalg.norm(placed(there, by_points.a) - by_points.b, axis=1) <= _NEAR
    return by_points.a[on], by_points.b[on]


def lying(points: int) -> str:
    """How many points two pictures have in common, in words."""
    return f"{plural(points, 'point') if points else 'no points'} {'lies' if points == 1 else 'lie'} on each other"


def _words(look: Look, on: Agreement, least: float) -> Words:
    share, points = f"{look.agrees:.0%}", lying(look.points)
    if look.same:
        needed = f", {points}" if look.points else ""
        return Words("the same picture", f"{look.detail or look.relation}; {share} of what both show agrees{needed}")
    if look.relation == "similar-scene":
        return Words("no copies, but one scene", f"{points}, {_unlike(look, on, least)}")
    if on.blocks < FEW:
        return Words(_UNDECIDED, f"next to nothing stands out where they lie on each other, {points}")
    if look.agrees < least:
        return Words("different pictures", f"where they fit best only {share} agrees, {points}")
    return Words("different pictures", f"where they fit best {share} agrees, {_but(look)}, {points}")


def _unlike(look: Look, on: Agreement, least: float) -> str:
    """Why two pictures of one scene are no copies."""
    if on.blocks < FEW:
        return "but too little stands out in what both show"
    if look.agrees < least:
        return f"the pixels agree on only {look.agrees:.0%} of what both show"
    return f"{look.agrees:.0%} of what both show agrees, {_but(look)}"


def _but(look: Look) -> str:
    """Why pictures that agree, as far as that goes, are no copies."""
    return "but that is a small part of either" if max(look.overlap) < OVERLAP else "but not what stands out"
