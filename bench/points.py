"""Time for the keypoints of an image: `--method local`, including decoding, compared with SIFT of OpenCV.

usage: points.py FOLDER [--images N] [--rounds N]

Encodes the first N images below FOLDER like `find --method local`, from the bytes of their files, on one core.
Interleaved with it, `SIFT_create(150)` computes the keypoints of the same images at 320 pixels, which were decoded
before. Prints Markdown: medians over the rounds of the milliseconds per image, and their ratio.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from twinpix import fingerprints
from twinpix.imaging import decode
from twinpix.imaging.opencv import opencv

SIDE = 320


def seconds(work: Callable[[], object]) -> float:
    """The duration of a call in seconds."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    cv2 = opencv()
    cv2.setNumThreads(1)
    files = [path for path in sorted(args.folder.rglob("*")) if path.is_file()][: args.images]
    contents = [path.read_bytes() for path in files]
    greys = []
    for path in files:
        image = Image.open(path).convert("L")
        image.thumbnail((SIDE, SIDE))
        greys.append(np.asarray(image))
    methods = {spec: fingerprints.make(spec) for spec in ("local", "cascade")}
    sift = cv2.SIFT_create(150)

    def ours(spec: str) -> None:
        method = methods[spec]
        for data in contents:
            fingerprints.codes_of(method, [decode(data, "fast", "", *fingerprints.needs_of([method]))])

    def theirs() -> None:
        for grey in greys:
            sift.detectAndCompute(grey, None)

    runs: dict[str, Callable[[], object]] = {
        "SIFT_create(150) at 320 pixels, decoded before": theirs,
        "local, decode included": lambda: ours("local"),
        "cascade, decode included": lambda: ours("cascade"),
    }
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(args.rounds):
        for name, run in runs.items():
            times[name].append(seconds(run) / len(files) * 1e3)
    base = statistics.median(next(iter(times.values())))
    print(f"{len(files)} images, one core\n\n| | ms per image | ratio |\n|---|---|---|")
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"| {name} | {middle:.2f} | {middle / base:.2f} |")


if __name__ == "__main__":
    main()
