"""Time and memory of `twinpix.search.self_join` on 64-bit codes, beside faiss. Prints Markdown.

usage: search.py [--twinpix-python FILE] [--faiss-python FILE] [--threads N] [--runs N]

The codes are random, and one in a hundred lies 0 to radius + 2 bits from another, so that there is
something to find on both sides of the radius. Each run is a process of its own, on as many threads as
given, in turns. faiss is run on 100,000 codes; its other times are that one scaled by n². On these
100,000 both must give exactly the same pairs. "First call" includes the import of the module and, where
nothing compiled is in numba's cache, the compiler. Peak memory is the process's own high-water mark
from /proc: what getrusage says of a child is never less than what its parent held.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MILLION = 1_000_000
COMPARED = 100_000
TWINPIX = """
import json, sys, time
import numpy as np
codes, radius = np.load(sys.argv[1]), int(sys.argv[2])
start = time.perf_counter()
from twinpix import search
search.self_join(codes[:2000], radius, "banded")
first = time.perf_counter() - start
start = time.perf_counter()
i, j, distance = search.self_join(codes, radius, "banded")
seconds = time.perf_counter() - start
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
if sys.argv[3]:
    np.save(sys.argv[3], np.stack([i, j, distance]))
print(json.dumps({"seconds": seconds, "first": first, "peak": peak, "pairs": len(i)}))
"""
FAISS = """
import json, sys, time
import faiss, numpy as np
faiss.omp_set_num_threads(int(sys.argv[4]))
codes, radius = np.load(sys.argv[1]), int(sys.argv[2])
start = time.perf_counter()
index = faiss.IndexBinaryFlat(codes.shape[1] * 8)
index.add(codes)
ends, distance, j = index.range_search(codes, radius + 1)  # its bound is exclusive
seconds = time.perf_counter() - start
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
i = np.repeat(np.arange(len(codes)), np.diff(ends).astype(np.int64))
once = i < j
found = np.stack([i[once], j[once], distance[once].astype(np.int64)])
if sys.argv[3]:
    np.save(sys.argv[3], found[:, np.lexsort((found[1], found[0]))])
print(json.dumps({"seconds": seconds, "peak": peak, "pairs": int(once.sum())}))
"""


def random_codes(n: int, radius: int, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (n, 8), dtype=np.uint8)
    copies = rng.permutation(n)[: n // 100]
    for code, original in zip(copies, rng.integers(0, n, len(copies)), strict=True):
        bits = np.unpackbits(codes[original])
        bits[rng.choice(64, int(rng.integers(0, radius + 3)), replace=False)] ^= 1
        codes[code] = np.packbits(bits)
    return codes


def with_equal(codes: NDArray[np.uint8], equal: int, each: int) -> NDArray[np.uint8]:
    """The first `equal` codes replaced by groups of `each` equal ones, and all of them shuffled."""
    codes = codes.copy()
    codes[:equal] = np.repeat(codes[: equal // each], each, axis=0)
    return np.random.default_rng(len(codes)).permutation(codes)


def run(python: str, script: str, codes: Path, radius: int, threads: int, pairs: str = "") -> dict[str, Any]:
    count = str(threads)
    env = os.environ | {"OMP_NUM_THREADS": count, "NUMBA_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count}
    if hasattr(os, "sched_setaffinity"):  # twinpix starts a thread a core; the child inherits the limit
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    argv = [python, "-c", script, str(codes), str(radius), pairs, count]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise SystemExit(f"{python} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def median(runs: list[dict[str, Any]], key: str) -> float:
    return float(statistics.median(run[key] for run in runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--twinpix-python", default=sys.executable)
    parser.add_argument("--faiss-python", default=sys.executable)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    million = random_codes(MILLION, 10, 1)
    cases = (
        ("100 k", random_codes(COMPARED, 10, 0), 10),
        ("1 M", million, 10),
        ("1 M, 200 k of them in groups of 100 equal", with_equal(million, 200_000, 100), 10),
        ("10 M", random_codes(10 * MILLION, 4, 2), 4),
    )
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.npy" for number in range(len(cases))]
        for file, (_, codes, _) in zip(files, cases, strict=True):
            np.save(file, codes)
        ours: list[list[dict[str, Any]]] = [[] for _ in cases]
        theirs: list[dict[str, Any]] = []
        mine, other = f"{folder}/mine.npy", f"{folder}/other.npy"
        for _ in range(asked.runs):
            for runs, file, (_, _, radius) in zip(ours, files, cases, strict=True):
                keep = mine if file is files[0] else ""
                runs.append(run(asked.twinpix_python, TWINPIX, file, radius, asked.threads, keep))
            theirs.append(run(asked.faiss_python, FAISS, files[0], cases[0][2], asked.threads, other))
        same = np.array_equal(np.load(mine), np.load(other))
    print(f"{asked.threads} threads, median of {asked.runs} runs, each in a process of its own\n")
    print(
        "| 64-bit codes | radius | pairs | seconds | peak MB | faiss, seconds | ratio |\n|---|---|---|---|---|---|---|"
    )
    for (name, codes, radius), runs in zip(cases, ours, strict=True):
        scale = (len(codes) / COMPARED) ** 2
        faiss, seconds = median(theirs, "seconds") * scale, median(runs, "seconds")
        shown = f"{faiss:.2f}" if scale == 1 else f"({faiss:,.0f})"
        cells = f"{runs[0]['pairs']:,} | {seconds:.3f} | {median(runs, 'peak'):.0f} | {shown} | {faiss / seconds:,.0f}"
        print(f"| {name} | {radius} | {cells} |")
    print(f"\nfaiss on 100 k: peak {median(theirs, 'peak'):.0f} MB; the same pairs: {'yes' if same else 'NO'}")
    first = [runs[0]["first"] for runs in ours]
    print(f"first call in a process, 2,000 codes: {first[0]:.2f} s, then {min(first[1:]):.2f} s")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
