"""The radius for a share of right matches, estimated on the user's own images: some pairs are looked at.

Pairs within the loosest radius that may be asked for are drawn evenly from every distance, and their pixels tell
which are one picture. The interval of a share is Clopper's and Pearson's (Biometrika 1934,
https://doi.org/10.1093/biomet/26.4.404).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinpix.fingerprints import Fingerprint
from twinpix.match.classes import Nodes
from twinpix.match.join import match
from twinpix.match.stages import Sides
from twinpix.match.verifier import Verifier, guess_of_turn, pair_of
from twinpix.model import shown
from twinpix.progress import Shares
from twinpix.search import Search
from twinpix.text import plural

LOOKED_AT = 2000
"""Pairs that are looked at; where there are no more, all of them are."""

SURE = 0.95
"""Of the intervals that are told, the share that hold the truth."""

_STEPS = 64  # distances that are told apart, of all there are up to the largest radius


@dataclass(frozen=True, slots=True)
class Calibration:
    """A radius, and the share of its matches that are right: the estimate and its interval."""

    radius: float
    share: float
    low: float
    high: float
    looked_at: int  # pairs within the radius whose pixels were looked at
    wrong: int  # of them
    pairs: int  # within the radius

    def __str__(self) -> str:
        if not self.pairs:
            return f"calibrated: radius {shown(self.radius)}: no pairs within it"
        interval = f"{SURE:.0%} interval {self.low:.4f} to {self.high:.4f}"
        seen = f"{self.wrong:,} of {plural(self.looked_at, 'pair')} looked at are different pictures"
        return (
            f"calibrated: radius {shown(self.radius)}: {self.share:.4f} of its matches are right ({interval}; {seen})"
        )


def calibrated(
    nodes: Nodes, method: Fingerprint, rows: Sides, precision: float, engine: str, eye: Verifier
) -> Calibration:
    """The largest radius of which a share `precision` of the matches is right, as far as a sample tells."""
    first, loosest, total = nodes.first(), loosest_of(method), len(rows[0]) + len(rows[1])
    with eye.session.progress.stage("compare", total):
        search = Search(engine, Shares(eye.session.progress, total, 2 if len(rows[1]) else 1))
        pairs = match(method.comparable(nodes.codes), *rows, loosest, search)
    step = np.minimum((pairs.distance / loosest * _STEPS).astype(np.int64), _STEPS - 1)
    chosen = _drawn(step)
    columns = (column[chosen].tolist() for column in (pairs.i, pairs.j, pairs.turn))
    drawn = [(first[i], first[j], guess_of_turn(turn)) for i, j, turn in zip(*columns, strict=True)]
    eye.look([pair_of(a, b, guess) for a, b, guess in drawn])
    looks = [eye.of(a, b) for a, b, _ in drawn]
    known = np.array([look is not None for look in looks], dtype=bool)
    wrong = np.array([look is not None and not look.same for look in looks], dtype=bool)
    best = Calibration(0 if isinstance(loosest, int) else 0.0, 1.0, 0.0, 1.0, 0, 0, 0)
    for radius in np.unique(pairs.distance[chosen]).tolist():
        within, seen = pairs.distance <= radius, (pairs.distance[chosen] <= radius) & known
        found = _estimate(radius, step[within], step[chosen][seen], wrong[seen])
        if found.share >= precision:
            best = found
    return best


def loosest_of(method: Fingerprint) -> float:
    """The largest radius that is looked into: a little beyond what is loose."""
    loose = 1.25 * method.radii["loose"]
    return int(loose) if method.unit == "bits" else round(loose, 4)


def _drawn(step: NDArray[np.int64]) -> NDArray[np.int64]:
    """Some of the pairs, as many of each step of distance, each as likely as the next but drawn alike every time."""
    if len(step) <= LOOKED_AT:
        return np.arange(len(step))
    order = np.random.default_rng(0).permutation(len(step))
    order = order[np.argsort(step[order], kind="stable")]
    starts = np.searchsorted(step[order], np.arange(_STEPS + 1))
    counts, room = np.diff(starts), LOOKED_AT
    taken = np.zeros(_STEPS, np.int64)
    fewest_first = [place for place in np.argsort(counts, kind="stable").tolist() if counts[place]]
    for done, place in enumerate(fewest_first):  # steps with few pairs leave room for the others
        taken[place] = min(int(counts[place]), room // (len(fewest_first) - done))
        room -= int(taken[place])
    return np.sort(np.concatenate([order[start : start + count] for start, count in zip(starts, taken, strict=False)]))


def _estimate(
    radius: float, every: NDArray[np.int64], seen: NDArray[np.int64], wrong: NDArray[np.bool_]
) -> Calibration:
    """The share of right pairs within a radius: `every` and `seen` are the steps of all, and of those looked at."""
    from scipy.stats import beta

    counts, looked = (np.bincount(part, minlength=_STEPS) for part in (every, seen))
    false = np.bincount(seen, weights=wrong, minlength=_STEPS)
    known = looked > 0
    total = float(counts[known].sum())
    rate = float((counts[known] * false[known] / looked[known]).sum()) / max(total, 1.0)
    # As many pairs as are looked at, or fewer where a few of them stand for many others.
    weights = counts[known] / np.maximum(looked[known], 1)
    worth = total**2 / max(float((weights**2 * looked[known]).sum()), 1e-9)
    failed, passed, side = rate * worth, (1 - rate) * worth, (1 - SURE) / 2
    complete = bool((looked == counts).all())
    low = 1 - rate if complete else float(beta.ppf(side, passed, failed + 1)) if passed > 0 else 0.0
    high = 1 - rate if complete else float(beta.ppf(1 - side, passed + 1, failed)) if failed > 0 else 1.0
    return Calibration(radius, 1 - rate, low, high, len(seen), int(wrong.sum()), len(every))
