"""How many edited copies each method finds at fixed false-match rates, and at which radius.

usage: copies.py FOLDER [--methods SPEC ...] [--decode fast|reference]

FOLDER holds `original/` and one folder an edit; files of one stem are copies of one picture. A positive is
an original and its edited copy, a negative an original and another picture's edited copy. The radius is
the largest at which the share of negatives within it stays at or below the rate. Prints Markdown.
"""

import argparse
import os
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

import twinpix
from twinpix import fingerprints
from twinpix.model import Fingerprints

RATES = (0.0, 1e-6, 1e-5, 1e-4)
METHODS = (
    "ahash", "ahash:size=16", "dhash", "dhash:size=16", "phash", "phash:size=12", "phash:size=16",
    "phash_org", "phash_org:size=16", "whash", "whash:size=16", "pdq",
)  # fmt: skip


def distances(originals: NDArray[np.uint8], codes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """`(originals, images)`: bits between each original as it is and the nearest turn of each image."""
    nearest = np.full((len(originals), len(codes)), 1 << 30, np.int32)
    for turn in range(codes.shape[1]):
        for row, code in enumerate(originals):
            gap = np.bitwise_count(codes[:, turn] ^ code).sum(axis=1, dtype=np.int32)
            np.minimum(nearest[row], gap, out=nearest[row])
    return nearest


def score(prints: Fingerprints, turns: int) -> list[str]:
    """A cell a rate: recall, and the radius in brackets."""
    names = [PurePath(os.fspath(ref.uri)) for ref in prints.refs]
    stems, edits = np.array([n.stem for n in names]), np.array([n.parent.name for n in names])
    first = np.flatnonzero(edits == "original")
    gaps = distances(prints.codes[first, 0], prints.codes[:, :turns])
    same, edited = stems[first][:, None] == stems[None], (edits != "original")[None]
    positive, negative = gaps[same & edited], np.sort(gaps[~same & edited])
    cells = []
    for rate in RATES:
        radius = int(negative[int(rate * len(negative))]) - 1
        cells.append(f"{(positive <= radius).mean():.3f} ({radius})")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--decode", default="fast")
    asked = parser.parse_args()
    coded = twinpix.encode([asked.folder], asked.methods, transforms=True, decode=asked.decode, store=None)
    print("| method | bits | orientations | " + " | ".join(f"{rate:g}" for rate in RATES) + " |")
    print("|---|---|---|" + "---|" * len(RATES))
    for spec, prints in coded.items():
        for turns in (1, 8):
            cells = " | ".join(score(prints, turns))
            print(f"| {spec} | {fingerprints.make(spec).bits} | {turns} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
