"""Verification of pairs of contents in worker processes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import ClassVar, NamedTuple

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
from twinpix.match.verdict_cache import VerdictCache, verdict_key
from twinpix.model import Bytes2D, ContentId, Failure, Unverified
from twinpix.sources import read
from twinpix.sources.bit_rot import DAMAGED, differ_in_part
from twinpix.thresholds import DECISION
from twinpix.verify import Pyramid, Verdict

_BATCH = 24  # pairs
_HELD, _HELD_FULL = 256, 16  # pyramids, and full pages of 2 MB, that a process keeps for later pairs
# A damaged file and its intact copy have mostly equal bytes, although the rest decodes to other pixels.
_DAMAGED_COPY = f"edited; {DAMAGED}"
UNIT = (1.0, 1.0)  # guesses are transforms between images of these sides

Guess = tuple[float, ...]  # the six numbers of a transform between images of side 1; () for none


class ThirdImage(NamedTuple):
    """A third image that matches both images of a pair."""

    agrees: float  # smaller of its agreements with the two images
    guess: Guess  # transform of the first image of the pair to it
    alike: bool  # whether it equals one of them in every place


class Pair(NamedTuple):
    """Two contents to verify, with their possible transforms."""

    a: ContentId
    b: ContentId
    guess: Guess
    exact: bool = False  # whether the transform is as exact as keypoints make it
    via: ThirdImage | None = None
    before: Guess = ()  # another transform, tried if the first one decides nothing

    def swap_images(self) -> "Pair":
        """The same pair in the other order."""
        back = invert_guess(self.guess)
        via = self.via and self.via._replace(guess=compose(back, self.via.guess))
        return Pair(self.b, self.a, back, self.exact, via, invert_guess(self.before) if self.before else ())


def pair_of(
    a: ContentId,
    b: ContentId,
    guess: Guess,
    exact: bool = False,
    via: ThirdImage | None = None,
    before: Guess = (),
) -> Pair:
    """Return a pair with its smaller number first."""
    pair = Pair(a, b, guess, exact, via, before)
    return pair if a < b else pair.swap_images()


class PairVerdict(NamedTuple):
    """The result of a verified pair, with the method that proposed it if there are several.

    Its transform is between images of side 1.
    """

    verdict: Verdict
    stage: str


class _Item(NamedTuple):
    key: bytes
    a: File
    b: File
    guess: Guess
    exact: bool
    via: ThirdImage | None
    before: Guess
    quick: bool


class _Unread(NamedTuple):
    """A file that could not be read for verification."""

    path: str
    error: str


class _Fault(NamedTuple):
    """Verification of a pair ended with an exception."""

    reason: str


_Outcome = Verdict | _Unread | _Fault | None


@dataclass(frozen=True, slots=True)
class VerifyTask:
    """Verifies a batch of pairs in a worker process."""

    stage: ClassVar[str] = "verify"
    keeps_workers: ClassVar[bool] = True  # for the next round: they hold decoded images

    least: float

    def __call__(self, batch: Sequence[_Item], begin: Begin) -> list[_Outcome]:
        out = list[_Outcome]()
        for index, item in enumerate(batch):
            begin(index)
            try:
                out.append(self._verify_item(item))
            except verify.faults() as error:
                out.append(_Fault(verify.reason_of(error)))
        return out

    def _verify_item(self, item: _Item) -> _Outcome:
        views, damaged = [], False
        for file in (item.a, item.b):
            try:
                view, lost = _view(file)
            except ImageError as error:
                return _Unread(file.path, error.reason)
            views.append(view)
            damaged = damaged or lost
        a, b = views
        guesses = [_transform_of(guess, a.size, b.size) for guess in (item.guess, item.before) if guess]
        via = item.via and _via_of(item.via, a.size)
        try:
            if item.quick:
                found = verify.verify_quick(a, b, guesses, self.least)
            else:
                found = verify.verify_pair(a, b, guesses, self.least, exact=item.exact, via=via)
        except ImageError as error:  # pages are decoded again, at full resolution
            return _Unread(item.a.path, error.reason)
        if damaged and found and not found.same and _are_one_file(item.a, item.b):
            found = found._replace(relation="edited", detail=_DAMAGED_COPY, back=_DAMAGED_COPY, conflict=False)
        if found is None or found.a_to_b is None:
            return found
        return found._replace(a_to_b=verify.rescale(found.a_to_b, (a.size, UNIT), (b.size, UNIT)))


def _transform_of(guess: Guess, a: verify.Size, b: verify.Size) -> verify.Affine:
    """Return a guess as a transform between images of these sizes."""
    return verify.rescale(np.reshape(guess, (2, 3)).astype(np.float64), (UNIT, a), (UNIT, b))


def _via_of(via: ThirdImage, a: verify.Size) -> verify.Via:
    return verify.Via(via.agrees, _transform_of(via.guess, a, UNIT), UNIT, via.alike)


def _are_one_file(a: File, b: File) -> bool:
    """True for two files of one size that differ in part only; False if one can no longer be read."""
    return a.size == b.size and differ_in_part(a.path, b.path, a.size)


@lru_cache(_HELD)
def _view(file: File) -> tuple[Pyramid, bool]:
    """Decode a file for verification; also returns whether it is damaged."""
    picture = decode(_read(file), "fast", file.path, verify.COLOUR, verify.DETAIL)
    return verify.pyramid_of(picture, partial(_full, file)), picture.damaged


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
    """Verifies pairs of contents, and keeps the results of this and earlier runs."""

    files: Sequence[File]  # one for each content
    radius: float  # the share of the overlap that may differ
    session: Session
    turned: bool = True  # whether rotated and mirrored copies match
    verdicts: dict[tuple[ContentId, ContentId], PairVerdict] = field(
        default_factory=dict
    )  # by contents, the smaller number first
    failures: list[Failure] = field(default_factory=list)
    faults: dict[tuple[ContentId, ContentId], str] = field(default_factory=dict)  # why pairs could not be verified

    @property
    def unverified(self) -> list[Unverified]:
        """Return the pairs that could not be verified."""
        rows = [(self.files[a].path, self.files[b].path, why) for (a, b), why in self.faults.items()]
        return [Unverified(*row) for row in sorted(rows)]

    def of(self, a: ContentId, b: ContentId) -> Verdict | None:
        """Return the result for two contents; None if they could not be read or verified."""
        found = self.verdicts.get((min(a, b), max(a, b)))
        if found is None:
            return None
        return found.verdict if a < b else found.verdict.swap_images()

    def stage_of(self, a: ContentId, b: ContentId) -> str:
        """Return the method that proposed two verified contents."""
        return self.verdicts[min(a, b), max(a, b)].stage

    def find_crowded(self) -> set[ContentId]:
        """Return the contents for which most verified pairs were not copies: windows of one program are similar."""
        verified, failed = Counter[ContentId](), Counter[ContentId]()
        for pair, result in self.verdicts.items():
            verified.update(pair)
            failed.update(pair * (not result.verdict.same))
        return {content for content, count in failed.items() if 2 * count > verified[content]}

    def verify(self, pairs: Sequence[Pair], stage: str = "", *, quick: bool = False) -> None:
        """Verify the pairs that `stage` proposes and that have no final verdict.

        In quick mode, undecided pairs are left open. A pair that could not be verified is not tried again.
        """
        wanted = [pair for pair in pairs if not self._is_final(pair.a, pair.b)]
        keys = [self._key(pair, quick=quick) for pair in wanted]
        verdict_cache = VerdictCache(self.session.store)
        known = verdict_cache.of(keys)
        for pair, key in zip(wanted, keys, strict=True):
            if key in known:
                self._note(pair, known[key], stage)
        fresh = {key: pair for pair, key in zip(wanted, keys, strict=True) if key not in known}
        for key, verdict in self._verify_all(fresh, quick=quick):
            if isinstance(verdict, _Fault):
                self.faults[fresh[key][:2]] = verdict.reason
            else:
                verdict_cache.put(key, verdict)
                self._note(fresh[key], verdict, stage)

    def _is_final(self, a: ContentId, b: ContentId) -> bool:
        """True for a pair with a final verdict: a match, or one that could not be verified."""
        verdict = self.of(a, b)
        return (verdict is not None and verdict.same) or (min(a, b), max(a, b)) in self.faults

    def _key(self, pair: Pair, *, quick: bool) -> bytes:
        a, b = self.files[pair.a].digest, self.files[pair.b].digest
        via = () if pair.via is None else (pair.via.agrees, pair.via.alike, *pair.via.guess)
        return verdict_key(a, b, (*pair.guess, *pair.before), self.radius, quick, pair.exact, *via)

    def _note(self, pair: Pair, verdict: Verdict | None, stage: str) -> None:
        if verdict is not None and not self.turned and verdict.same and not _is_upright(verdict):
            verdict = verdict._replace(relation=None, detail="", back="")
        if verdict is not None and (verdict.same or pair[:2] not in self.verdicts):
            self.verdicts[pair[:2]] = PairVerdict(verdict, stage)

    def _verify_all(
        self, wanted: Mapping[bytes, Pair], *, quick: bool
    ) -> Iterator[tuple[bytes, Verdict | _Fault | None]]:
        """Verify pairs, in any order; files that cannot be read are added to the failures."""
        if not wanted:
            return
        items = [
            _Item(key, self.files[one.a], self.files[one.b], one.guess, one.exact, one.via, one.before, quick)
            for key, one in wanted.items()
        ]
        items.sort(key=lambda item: (item.a.path, item.b.path))  # as the files lie in their folders and archives
        failed: dict[str, str] = {}
        opencv()  # loaded once in the parent, not by every worker
        progress = self.session.progress
        run = self.session.executor.map(VerifyTask(1 - self.radius), _batches(items))
        with progress.stage("verify", len(items)), closing(run):
            for item, found in run:
                if isinstance(found, _Unread):
                    failed[found.path] = found.error
                else:
                    yield item.key, _Fault(found.reason) if isinstance(found, Lost) else found
                progress.advance(1)
        self.failures += [Failure(path, "verify", why) for path, why in sorted(failed.items())]


def verifier_of(session: Session, files: Sequence[File], settings: MatchSettings, transforms: bool | None) -> Verifier:
    """Return the verifier for pairs of these files; the radius is used if it is a share of the overlap."""
    radius = settings.radius
    differing = radius.value if radius.unit == "share" else 1 - DECISION.min_agreement
    return Verifier(files, differing, session, transforms is not False)


def _is_upright(verdict: Verdict) -> bool:
    """True if the transform rotates by less than 45° and does not mirror."""
    if verdict.a_to_b is None:
        return verdict.relation not in ("rotated", "mirrored")
    (a, b), (c, d) = verdict.a_to_b[:, :2].tolist()
    return bool(a > 0 and d > 0 and a * d > abs(b * c))


def guess_of_turn(turn: int) -> Guess:
    """Return the transform of one image onto all of another, in one orientation."""
    return tuple(verify.orientation_transform(turn, UNIT, UNIT).ravel().tolist())


def guess_of(verdict: Verdict) -> Guess:
    """Return the transform of a verified pair as a guess."""
    return () if verdict.a_to_b is None else tuple(verdict.a_to_b.ravel().tolist())


def compose(first: Guess, second: Guess) -> Guess:
    """Return the guess of one image to a third, from those of the first to the second and the second to the third."""
    one, two = (np.reshape(guess, (2, 3)) for guess in (first, second))
    return tuple(verify.compose(one, two).ravel().tolist())


def invert_guess(guess: Guess) -> Guess:
    """Return the inverse guess."""
    return tuple(verify.inverse(np.array(guess, dtype=np.float64).reshape(2, 3)).ravel().tolist())


def guesses_of(changes: NDArray[np.float32], a: NDArray[np.float32], b: NDArray[np.float32]) -> list[Guess]:
    """Return transforms `(n, 2, 3)` between images of sizes `a` and `b` `(n, 2)` as guesses."""
    return [
        tuple(verify.rescale(change, (tuple(left), UNIT), (tuple(right), UNIT)).ravel().tolist())
        for change, left, right in zip(changes.astype(np.float64), a.tolist(), b.tolist(), strict=True)
    ]


def _batches(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    at = 0
    while left := len(items) - at:
        batch = list(items[at : at + max(1, min(_BATCH, left // 4))])
        at += len(batch)
        yield batch
