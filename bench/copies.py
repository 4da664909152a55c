"""How many edited copies each method finds at fixed false-match rates, and at which radius.

usage: copies.py FOLDER [--methods SPEC ...] [--decode fast|reference] [--unrelated FOLDER]

FOLDER holds `original/` and one folder for each edit; files with the same stem are copies of one image. A positive
pair is an original and its edited copy, a negative pair an original and the edited copy of another image. The radius is
the largest at which the share of negative pairs within it is at most the rate. Prints Markdown.

With --unrelated, all pairs of the images below that folder are the negative pairs, and a second table gives
the share of them within each radius. Images that do occur twice there count as false matches.
"""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

import twinpix
from twinpix import fingerprints
from twinpix.evaluation.rates import distances, nearest, nearest_directions, radius_of, step_of
from twinpix.fingerprints import Fingerprint
from twinpix.model import Fingerprints, format_distance
from twinpix.search.base import words

RATES = (0.0, 1e-6, 1e-5, 1e-4)
METHODS = (
    "ahash", "ahash:size=16", "dhash", "dhash:size=16", "phash", "phash:size=12", "phash:size=16",
    "phash_org", "phash_org:size=16", "whash", "whash:size=16", "pdq", "cnn",
)  # fmt: skip
STEPS = 13  # radii of the second table, in steps of 1/32 of the bits, or of the largest cosine distance
ROWS, COLUMNS = 16, 4096  # of a block that fits the processor cache

Counts = NDArray[np.int64]


def most(method: Fingerprint) -> int:
    """The largest distance in steps: bits, or thousandths of cosine distance."""
    return round(method.farthest / step_of(method))


def spread(method: Fingerprint, prints: Fingerprints, turns: int) -> Counts:
    """The number of pairs at each distance."""
    bits, measured = most(method), nearest_directions if method.unit == "cosine" else nearest
    codes = prints.codes[:, :turns]
    codes = method.comparable(codes) if method.unit == "cosine" else words(codes)

    def some(start: int) -> Counts:
        counts = np.zeros(bits + 1, np.int64)
        rows = codes[start : start + ROWS, 0]
        for left in range(start, len(codes), COLUMNS):
            gaps = measured(rows, codes[left : left + COLUMNS])
            if left == start:
                gaps = gaps[np.triu_indices(len(rows), 1, gaps.shape[1])]
            counts += np.bincount(gaps.ravel(), minlength=bits + 1)
        return counts

    total = np.zeros(bits + 1, np.int64)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for counts in pool.map(some, range(0, len(codes), ROWS)):
            total += counts
    return total


def score(method: Fingerprint, prints: Fingerprints, turns: int, negative: Counts | None) -> list[str]:
    """A cell for each rate: recall, and the radius in brackets."""
    names = [PurePath(os.fspath(ref.uri)) for ref in prints.refs]
    stems, edits = np.array([n.stem for n in names]), np.array([n.parent.name for n in names])
    first, edited = np.flatnonzero(edits == "original"), edits != "original"
    gaps = distances(method, prints.codes[first, 0], prints.codes[edited, :turns])
    same = stems[first][:, None] == stems[edited][None]
    if negative is None:
        negative = np.bincount(gaps[~same], minlength=1)
    within, positive = np.cumsum(negative), gaps[same]
    cells = []
    for rate in RATES:
        radius = int(np.searchsorted(within, int(rate * within[-1]), side="right")) - 1
        cells.append(f"{(positive <= radius).mean():.3f} ({format_distance(radius_of(method, radius))})")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--decode", default="fast")
    parser.add_argument("--unrelated", help="a folder of many images that are all different")
    asked = parser.parse_args()

    def encode_folder(folder: str) -> dict[str, Fingerprints]:
        found: dict[str, Fingerprints] = twinpix.encode(
            [folder], asked.methods, transforms=True, decode=asked.decode, store=None
        )
        return found

    copies, unrelated = encode_folder(asked.folder), encode_folder(asked.unrelated) if asked.unrelated else {}
    shares: list[str] = []
    print("| method | bits | orientations | " + " | ".join(f"{rate:g}" for rate in RATES) + " |")
    print("|---|---|---|" + "---|" * len(RATES))
    for spec, prints in copies.items():
        method = fingerprints.make(spec)
        bits = most(method)
        for turns in (1, 8):
            negative = spread(method, unrelated[spec], turns) if unrelated else None
            cells = " | ".join(score(method, prints, turns, negative))
            print(f"| {spec} | {method.bits} | {turns} | {cells} |", flush=True)
            if negative is not None:
                pairs = int(negative.sum())
                share = np.cumsum(negative) / pairs
                row = " | ".join(f"{share[step * bits // 32]:.1e}" for step in range(STEPS))
                shares.append(f"| {spec} | {turns} | {row} |")
    if shares:
        print("\nShare of the unrelated pairs within each radius, in 32nds of the bits\n")
        print("| method | orientations | " + " | ".join(map(str, range(STEPS))) + " |")
        print("|---|---|" + "---|" * STEPS)
        print("\n".join(shares))


if __name__ == "__main__":
    main()
