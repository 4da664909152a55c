"""The second look at pairs of contents, shared among processes."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from twinpix import verify
from twinpix.encoding.content_table import File
from twinpix.encoding.methods import MatchSettings
from twinpix.encoding.session import Session
from twinpix.errors import ImageError
from twinpix.executors import Begin, Lost
from twinpix.imaging import decode
from twinpix.imaging.opencv import opencv
from twinpix.match.verdict_cache import Looks, key_of
from twinpix.model import Bytes2D, Failure, Unverified
from twinpix.sources import read
from twinpix.sources.bit_rot import DAMAGED, differ_in_part
from twinpix.verify import Look, View

_BATCH = 24  # pairs
_HELD, _HELD_FULL = 256, 16  # views, and full pages of 2 MB, that a process keeps, for the pairs to come
# A damaged file and its whole copy: most of their bytes are equal, whatever a decoder makes of the rest.
_DAMAGED_COPY = f"edited; {DAMAGED}"
UNIT = (1.0, 1.0)  # guesses are maps between pictures of these sides

Guess = tuple[float, ...]  # the six numbers of a map between pictures of sides 1; () for none


class Joined(NamedTuple):
    """A third picture that is one with either of a pair."""

    agrees: float  # of what it and they show, the less of both
    guess: Guess  # of the first of the pair on it
    alike: bool  # it is the same as one of them in every place


class Pair(NamedTuple):
    """Two contents to look at, and how they may lie on each other."""

    a: int
    b: int
    guess: Guess
    exact: bool = False  # whether the guess is as exact as points make it
    joined: Joined | None = None
    before: Guess = ()  # another guess, which is tried where the first decides nothing

    def turned(self) -> "Pair":
        """The same pair from the other side."""
        back = turned(self.guess)
        joined = self.joined and self.joined._replace(guess=through(back, self.joined.guess))
        return Pair(self.b, self.a, back, self.exact, joined, turned(self.before) if self.before else ())


def pair_of(
    a: int, b: int, guess: Guess, exact: bool = False, joined: Joined | None = None, before: Guess = ()
) -> Pair:
    """A pair with its smaller number first."""
    pair = Pair(a, b, guess, exact, joined, before)
    return pair if a < b else pair.turned()


class Seen(NamedTuple):
    """What was seen of a pair, and the method that had proposed it where there are several.

    Its map is one between pictures of sides 1.
    """

    look: Look
    tier: str


class _Item(NamedTuple):
    key: bytes
    a: File
    b: File
    guess: Guess
    exact: bool
    joined: Joined | None
    before: Guess


class _Unread(NamedTuple):
    """A file that could not be looked at."""

    path: str
    error: str


class _Fault(NamedTuple):
    """Verification of a pair ended with an exception."""

    reason: str


_Verdict = Look | _Unread | _Fault | None


@dataclass(frozen=True, slots=True)
class LookTask:
    """Looks at a batch of pairs in a worker."""

    least: float
    glance: bool

    def __call__(self, batch: Sequence[_Item], begin: Begin) -> list[_Verdict]:
        out = list[_Verdict]()
        for index, item in enumerate(batch):
            begin(index)
            try:
                out.append(self._look(item))
            except verify.faults() as error:
                out.append(_Fault(verify.reason_of(error)))
        return out

    def _look(self, item: _Item) -> _Verdict:
        views, damaged = [], False
        for file in (item.a, item.b):
            try:
                view, lost = _view(file)
            except ImageError as error:
                return _Unread(file.path, error.reason)
            views.append(view)
            damaged = damaged or lost
        a, b = views
        guesses = [_map_of(guess, a.sides, b.sides) for guess in (item.guess, item.before) if guess]
        joint = item.joined and _joint_of(item.joined, a.sides)
        try:
            if self.glance:
                seen = verify.glance(a, b, guesses, self.least)
            else:
                seen = verify.look(a, b, guesses, self.least, exact=item.exact, joint=joint)
        except ImageError as error:  # pages are decoded once more
            return _Unread(item.a.path, error.reason)
        if damaged and seen and not seen.same and _are_one_file(item.a.path, item.b.path):
            seen = seen._replace(relation="edited", detail=_DAMAGED_COPY, back=_DAMAGED_COPY, conflict=False)
        if seen is None or seen.there is None:
            return seen
        return seen._replace(there=verify.rescaled(seen.there, (a.sides, UNIT), (b.sides, UNIT)))


def _map_of(guess: Guess, a: verify.Side, b: verify.Side) -> verify.Map:
    """A guess as a map between pictures of these sides."""
    return verify.rescaled(np.reshape(guess, (2, 3)).astype(np.float64), (UNIT, a), (UNIT, b))


def _joint_of(joined: Joined, a: verify.Side) -> verify.Joint:
    return verify.Joint(joined.agrees, _map_of(joined.guess, a, UNIT), UNIT, joined.alike)


def _are_one_file(a: str, b: str) -> bool:
    """True for two files of one size that differ in part only; False where one of them is gone."""
    with suppress(OSError):
        size = os.path.getsize(a)
        return size == os.path.getsize(b) and differ_in_part(a, b, size)
    return False


@lru_cache(_HELD)
def _view(file: File) -> tuple[View, bool]:
    """What is verified of a file, and whether it is damaged."""
    picture = decode(_read(file), "fast", file.path, verify.COLOUR, verify.DETAIL)
    return verify.view_of(picture, partial(_full, file)), picture.damaged


@lru_cache(_HELD_FULL)
def _full(file: File) -> Bytes2D:
    return np.ascontiguousarray(decode(_read(file), "fast", file.path, 0, verify.FULL).grey(verify.FULL))


def _read(file: File) -> bytes:
    data = read(file.path).data
    if data is None or xxhash.xxh3_128_digest(data) != file.digest:
        raise ImageError("verify", "changed since it was read; run again")
    return data


@dataclass
class Verifier:
    """Looks at pairs of contents; remembers what it saw, and what was seen in earlier runs."""

    files: Sequence[File]  # of each content one
    radius: float  # the share of what two pictures have in common that may differ
    session: Session
    turned: bool = True  # whether a rotated or mirrored copy is a copy
    seen: dict[tuple[int, int], Seen] = field(default_factory=dict)  # by contents, the smaller number first
    failures: list[Failure] = field(default_factory=list)
    faults: dict[tuple[int, int], str] = field(default_factory=dict)  # why pairs could not be verified

    @property
    def unverified(self) -> list[Unverified]:
        """The pairs that could not be verified."""
        rows = [(self.files[a].path, self.files[b].path, why) for (a, b), why in self.faults.items()]
        return [Unverified(*row) for row in sorted(rows)]

    def of(self, a: int, b: int) -> Look | None:
        """What was seen of two contents; None when they could not be read again or verified."""
        seen = self.seen.get((min(a, b), max(a, b)))
        if seen is None:
            return None
        return seen.look if a < b else seen.look.turned()

    def tier_of(self, a: int, b: int) -> str:
        """Which method had proposed two contents that were looked at."""
        return self.seen[min(a, b), max(a, b)].tier

    def look(self, pairs: Sequence[Pair], tier: str = "", *, glance: bool = False) -> None:
        """Look at the pairs that `tier` proposes and of which no verdict is final.

        At a glance, what is not clear is left open. A pair that could not be verified is not tried again.
        """
        wanted = [pair for pair in pairs if not self._is_final(pair.a, pair.b)]
        keys = [self._key(pair, glance=glance) for pair in wanted]
        looks = Looks(self.session.store)
        known = looks.of(keys)
        for pair, key in zip(wanted, keys, strict=True):
            if key in known:
                self._note(pair, known[key], tier)
        fresh = {key: pair for pair, key in zip(wanted, keys, strict=True) if key not in known}
        for key, verdict in self._looked(fresh, glance=glance):
            if isinstance(verdict, _Fault):
                self.faults[fresh[key][:2]] = verdict.reason
            else:
                looks.put(key, verdict)
                self._note(fresh[key], verdict, tier)

    def _is_final(self, a: int, b: int) -> bool:
        """True for a pair that no further look changes: one image, or one that could not be verified."""
        look = self.of(a, b)
        return (look is not None and look.same) or (min(a, b), max(a, b)) in self.faults

    def _key(self, pair: Pair, *, glance: bool) -> bytes:
        a, b = self.files[pair.a].digest, self.files[pair.b].digest
        joined = () if pair.joined is None else (pair.joined.agrees, pair.joined.alike, *pair.joined.guess)
        return key_of(a, b, (*pair.guess, *pair.before), self.radius, glance, pair.exact, *joined)

    def _note(self, pair: Pair, look: Look | None, tier: str) -> None:
        if look is not None and not self.turned and look.same and not _is_upright(look):
            look = look._replace(relation=None, detail="", back="")
        if look is not None and (look.same or pair[:2] not in self.seen):
            self.seen[pair[:2]] = Seen(look, tier)

    def _looked(self, wanted: Mapping[bytes, Pair], *, glance: bool) -> Iterator[tuple[bytes, Look | _Fault | None]]:
        """What the pixels of these pairs say, in any order; of files that cannot be read, failures are noted."""
        if not wanted:
            return
        items = [
            _Item(key, self.files[one.a], self.files[one.b], one.guess, one.exact, one.joined, one.before)
            for key, one in wanted.items()
        ]
        failed: dict[str, str] = {}
        opencv()  # loaded once, not by every process
        progress = self.session.progress
        run = self.session.executor.map(LookTask(1 - self.radius, glance), _batches(items))
        with progress.stage("verify", len(items)), closing(run):
            for item, seen in run:
                if isinstance(seen, _Unread):
                    failed[seen.path] = seen.error
                else:
                    yield item.key, _Fault(seen.reason) if isinstance(seen, Lost) else seen
                progress.advance(1)
        self.failures += [Failure(path, "verify", why) for path, why in sorted(failed.items())]


def verifier_of(session: Session, files: Sequence[File], settings: MatchSettings, transforms: bool | None) -> Verifier:
    """What verifies pairs of these files; the radius says how much may differ where it is a share of the pixels."""
    radius = settings.radius
    differing = radius.value if radius.unit == "share" else 1 - verify.AGREE
    return Verifier(files, differing, session, transforms is not False)


def _is_upright(look: Look) -> bool:
    """True when the transform keeps left, right, up and down: turned by less than 45 degrees and not mirrored."""
    if look.there is None:
        return look.relation not in ("rotated", "mirrored")
    (a, b), (c, d) = look.there[:, :2].tolist()
    return bool(a > 0 and d > 0 and a * d > abs(b * c))


def guess_of_turn(turn: int) -> Guess:
    """One picture filling the other, in an orientation."""
    return tuple(verify.turning(turn, UNIT, UNIT).ravel().tolist())


def guess_of(look: Look) -> Guess:
    """How two pictures were seen to lie."""
    return () if look.there is None else tuple(look.there.ravel().tolist())


def through(first: Guess, second: Guess) -> Guess:
    """The guess of one picture on a third, from those of the one on another, and of that on the third."""
    one, two = (np.reshape(guess, (2, 3)) for guess in (first, second))
    return tuple(verify.chained(one, two).ravel().tolist())


def turned(guess: Guess) -> Guess:
    """The guess from the other side."""
    return tuple(verify.inverse(np.array(guess, dtype=np.float64).reshape(2, 3)).ravel().tolist())


def guesses_of(changes: NDArray[np.float32], a: NDArray[np.float32], b: NDArray[np.float32]) -> list[Guess]:
    """Maps `(n, 2, 3)` between pictures of sides `a` and `b` `(n, 2)` as guesses."""
    return [
        tuple(verify.rescaled(change, (tuple(left), UNIT), (tuple(right), UNIT)).ravel().tolist())
        for change, left, right in zip(changes.astype(np.float64), a.tolist(), b.tolist(), strict=True)
    ]


def _batches(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    at = 0
    while left := len(items) - at:
        batch = list(items[at : at + max(1, min(_BATCH, left // 4))])
        at += len(batch)
        yield batch
