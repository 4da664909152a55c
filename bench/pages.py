"""How well documents of one design are distinguished, and whether copies of them are found.

usage: pages.py [--families NAME ...] [--designs N ...] [--numbers K] [--side PIXELS ...] [--edits MODULE.py]

Draws K documents of each design of each family of `tests/documents.py`, with one to ten fields changed, compares every
pair of them as they are and as scans (a match of two different numbers is a false match), and the
first of them with its edited copies: those of EDITS in MODULE.py, a dictionary from names to functions of a Pillow
image which return another, or one and a JPEG quality. Prints Markdown; held-out families are marked. One process.
"""

import argparse
import importlib.util
import io
import random
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from twinpix.imaging import decode
from twinpix.verify import COLOUR, DETAIL, FULL, Pyramid, Verdict, orientation_transform, pyramid_of, verify_pair

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from documents import FAMILIES, HELD_OUT, document, scanned

Edits = dict[str, Callable[[Image.Image], Any]]


def encode(image: Image.Image, form: str = "PNG", quality: int = 88) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **({"quality": quality} if form == "JPEG" else {}))
    return file.getvalue()


def full(data: bytes) -> Any:
    return np.ascontiguousarray(decode(data, "fast", "", 0, FULL).grey(FULL))


def view(data: bytes) -> Pyramid:
    return pyramid_of(decode(data, "fast", "", COLOUR, DETAIL), partial(full, data))


def verdict_of(a: Pyramid, b: Pyramid) -> Verdict:
    return verify_pair(a, b, [orientation_transform(0, a.size, b.size)])


def copies(image: Image.Image, edits: Edits) -> Iterator[tuple[str, bytes]]:
    for name, edit in edits.items():
        random.seed(name)
        out = edit(image)
        changed, quality = out if isinstance(out, tuple) else (out, 88)
        yield name, encode(changed, "JPEG", quality)
    yield "scan", encode(scanned(image, 1), "JPEG", 60)


def measure(family: str, designs: list[int], numbers: int, sides: list[int], edits: Edits) -> str:
    """A row of the table."""
    wrong, pairs, found, every, missed = [0, 0], [0, 0], 0, 0, list[str]()
    for at, design in enumerate(designs):
        images = [document(family, design, number, side=sides[at % len(sides)]) for number in range(numbers)]
        plain = [view(encode(image)) for image in images]
        scans = [view(encode(scanned(image, 10 + n), "JPEG", 60)) for n, image in enumerate(images)]
        for kind, views in enumerate((plain, scans)):
            for a, b in combinations(views, 2):
                pairs[kind] += 1
                wrong[kind] += verdict_of(a, b).same
        for name, copy in copies(images[0], edits):
            every += 1
            same = verdict_of(plain[0], view(copy)).same
            found += same
            missed += [] if same else [name]
    held = "yes" if family in HELD_OUT else ""
    cells = (f"{wrong[0]} of {pairs[0]}", f"{wrong[1]} of {pairs[1]}", f"{found} of {every}", ", ".join(missed))
    return f"| {family} | {held} | {' | '.join(cells)} |"


def edits_of(path: str) -> Edits:
    spec = importlib.util.spec_from_file_location("edits", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    edits: Edits = module.EDITS
    return edits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=[*FAMILIES, *HELD_OUT])
    parser.add_argument("--designs", nargs="+", type=int, default=[101, 102])
    parser.add_argument("--numbers", type=int, default=4)
    parser.add_argument("--side", nargs="+", type=int, default=[1000, 1400])
    parser.add_argument("--edits")
    options = parser.parse_args()
    edits = edits_of(options.edits) if options.edits else {}
    print(
        "| family | held out | false, as drawn | false, as scans | copies found | missed |\n|---|---|---|---|---|---|"
    )
    for family in options.families:
        print(measure(family, options.designs, options.numbers, options.side, edits), flush=True)


if __name__ == "__main__":
    main()
