"""The radius with a given precision, estimated on the user's own images by verifying a sample of the pairs.

Pairs within the largest radius of interest are sampled evenly over the distances and verified on the pixels. The
interval of the precision is that of Clopper and Pearson (Biometrika 1934, https://doi.org/10.1093/biomet/26.4.404).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinpix.fingerprints import Fingerprint
from twinpix.match.classes import CodeClasses
from twinpix.match.join import match
from twinpix.match.stages import JoinRows
from twinpix.match.verifier import Verifier, guess_of_turn, pair_of
from twinpix.model import format_distance
from twinpix.progress import Shares
from twinpix.search import Search
from twinpix.text import plural

VERIFIED_PAIRS = 2000
"""The number of pairs that are verified; all, if there are fewer."""

SURE = 0.95
"""The confidence level of the intervals."""

_STEPS = 64  # steps into which the distances up to the largest radius are divided


@dataclass(frozen=True, slots=True)
class Calibration:
    """A radius with its estimated precision and confidence interval."""

    radius: float
    share: float
    low: float
    high: float
    verified: int  # verified pairs within the radius
    wrong: int  # verified pairs that are different images
    pairs: int  # all pairs within the radius

    def __str__(self) -> str:
        if not self.pairs:
            return f"calibrated: radius {format_distance(self.radius)}: no pairs within it"
        interval = f"{SURE:.0%} interval {self.low:.4f} to {self.high:.4f}"
        errors = f"{self.wrong:,} of {plural(self.verified, 'pair')} verified are different images"
        radius = format_distance(self.radius)
        return f"calibrated: radius {radius}: estimated precision {self.share:.4f} ({interval}; {errors})"


def calibrate(
    classes: CodeClasses, method: Fingerprint, rows: JoinRows, precision: float, engine: str, verifier: Verifier
) -> Calibration:
    """Return the largest radius whose estimated precision is at least `precision`."""
    first, loosest, total = classes.first(), loosest_of(method), len(rows[0]) + len(rows[1])
    with verifier.session.progress.stage("compare", total):
        shares = Shares(verifier.session.progress, total, 2 if len(rows[1]) else 1)
        search = Search(engine, shares, workers=verifier.session.cluster)
        pairs = match(method.comparable(classes.codes), *rows, loosest, search)
    step = np.minimum((pairs.distance / loosest * _STEPS).astype(np.int64), _STEPS - 1)
    chosen = _sample_pairs(step)
    columns = (column[chosen].tolist() for column in (pairs.i, pairs.j, pairs.turn))
    drawn = [(first[i], first[j], guess_of_turn(turn)) for i, j, turn in zip(*columns, strict=True)]
    verifier.verify([pair_of(a, b, guess) for a, b, guess in drawn])
    verdicts = [verifier.of(a, b) for a, b, _ in drawn]
    known = np.array([verdict is not None for verdict in verdicts], dtype=bool)
    wrong = np.array([verdict is not None and not verdict.same for verdict in verdicts], dtype=bool)
    best = Calibration(0 if isinstance(loosest, int) else 0.0, 1.0, 0.0, 1.0, 0, 0, 0)
    for radius in np.unique(pairs.distance[chosen]).tolist():
        within, sampled = pairs.distance <= radius, (pairs.distance[chosen] <= radius) & known
        found = _estimate(radius, step[within], step[chosen][sampled], wrong[sampled])
        if found.share >= precision:
            best = found
    return best


def loosest_of(method: Fingerprint) -> float:
    """Return the largest radius that is considered: slightly more than the loose one."""
    loose = 1.25 * method.radii["loose"]
    return int(loose) if method.unit == "bits" else round(loose, 4)


def _sample_pairs(step: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sample pairs evenly over the steps of distance, with a fixed random seed."""
    if len(step) <= VERIFIED_PAIRS:
        return np.arange(len(step))
    order = np.random.default_rng(0).permutation(len(step))
    order = order[np.argsort(step[order], kind="stable")]
    starts = np.searchsorted(step[order], np.arange(_STEPS + 1))
    counts, room = np.diff(starts), VERIFIED_PAIRS
    taken = np.zeros(_STEPS, np.int64)
    fewest_first = [place for place in np.argsort(counts, kind="stable").tolist() if counts[place]]
    for done, place in enumerate(fewest_first):  # steps with few pairs leave more samples for the others
        taken[place] = min(int(counts[place]), room // (len(fewest_first) - done))
        room -= int(taken[place])
    return np.sort(np.concatenate([order[start : start + count] for start, count in zip(starts, taken, strict=False)]))


def _estimate(
    radius: float, every: NDArray[np.int64], sampled: NDArray[np.int64], wrong: NDArray[np.bool_]
) -> Calibration:
    """Estimate the precision of a radius: `every` and `sampled` are the steps of all and of the verified pairs."""
    from scipy.stats import beta

    counts, verified = (np.bincount(part, minlength=_STEPS) for part in (every, sampled))
    false = np.bincount(sampled, weights=wrong, minlength=_STEPS)
    known = verified > 0
    total = float(counts[known].sum())
    rate = float((counts[known] * false[known] / verified[known]).sum()) / max(total, 1.0)
    # The effective sample size: smaller than the sample if a few pairs represent many others.
    weights = counts[known] / np.maximum(verified[known], 1)
    effective_size = total**2 / max(float((weights**2 * verified[known]).sum()), 1e-9)
    failed, passed, side = rate * effective_size, (1 - rate) * effective_size, (1 - SURE) / 2
    complete = bool((verified == counts).all())
    low = 1 - rate if complete else float(beta.ppf(side, passed, failed + 1)) if passed > 0 else 0.0
    high = 1 - rate if complete else float(beta.ppf(1 - side, passed + 1, failed)) if failed > 0 else 1.0
    return Calibration(radius, 1 - rate, low, high, len(sampled), int(wrong.sum()), len(every))
