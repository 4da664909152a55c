"""Time and memory of the exact join of directions, beside faiss. Prints Markdown.

usage: search_cosine.py [--threads N] [--runs N] [--rows N] [--dims N] [--radius R] [--kind KIND | --codes FILE.npy]
                        [--half] [--only NAME ...]

Directions are made here, or read from a file of descriptors. "clustered" are drawn in clusters whose sizes and
widths are skewed, such that many pairs of a cluster lie near the threshold on either side, before a
background of single ones; all share a part, and their spectrum falls as that of embeddings does.
"isotropic" have nothing that a join could use. Each run is a process of its own that reads the same file,
on as many threads as given, in turns. Seconds are from float numbers in memory to all pairs, an index's
building included; what a process needs once (imports, compiled loops) is not: each joins a few rows first.
faiss's own search by radius ends in an exception in that index (1.15),
so it is asked for the nearest 32, and for four times as many where the last of them is still within the radius.
Recall is counted against the first contender, which is exact. Peak memory is the process's own, from /proc, with
the directions in it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

READ = """
import json, sys, time
import numpy as np
path, radius, threads, out, settings = sys.argv[1:]
radius, threads, settings, codes = float(radius), int(threads), json.loads(settings), np.load(path)
"""
TOLD = """
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
np.save(out, np.unique(keys))
print(json.dumps({"seconds": seconds, "peak": peak, "reckoned": reckoned, "how": how}))
"""
TWINPIX = """
from twinpix.search.base import quiet
from twinpix.search.cosine import Cosine
def joined(codes):
    plan = Cosine(threads=threads).plan(codes, None, radius)
    return plan, [(i.astype(np.int64) << 32) | j for i, j, _ in plan.blocks(quiet)]
joined(codes[:15000])
start = time.perf_counter()
plan, keys = joined(codes)
seconds, reckoned, how = time.perf_counter() - start, plan.seconds, plan.how
keys = np.concatenate([np.empty(0, np.int64), *keys])
"""
FAISS = """
import faiss
faiss.omp_set_num_threads(threads)
def joined(codes):
    unit = codes / np.linalg.norm(codes.astype(np.float32), axis=1, keepdims=True)
    if "links" in settings:
        index = faiss.IndexHNSWFlat(codes.shape[1], settings["links"], faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = settings["build"]
    else:
        index = faiss.IndexFlatIP(codes.shape[1])
    index.add(unit)
    return linked(index, unit) if "links" in settings else near(index, unit)
def near(index, unit):
    keys = []
    for at in range(0, len(unit), 4096):
        ends, _, j = index.range_search(unit[at : at + 4096], 1 - radius)
        keys.append(pairs(np.repeat(np.arange(len(ends) - 1), np.diff(ends).astype(np.int64)) + at, j))
    return keys
def linked(index, unit):
    keys, rows, k = [], np.arange(len(unit)), 32
    while len(rows):
        later = []
        for at in range(0, len(rows), 4096):
            some = rows[at : at + 4096]
            index.hnsw.efSearch = max(k, settings["search"])
            product, j = index.search(unit[some], k)
            i = np.repeat(some, k).reshape(j.shape)
            found = (product > 1 - radius) & (j >= 0)
            keys.append(pairs(i[found], j[found]))
            later.append(some[found[:, -1]])
        rows, k = np.concatenate(later) if k < 1024 else rows[:0], 4 * k
    return keys
def pairs(i, j):
    return (np.minimum(i, j)[i != j] << 32) | np.maximum(i, j)[i != j]
joined(codes[:2000])
start = time.perf_counter()
keys = joined(codes)
seconds, reckoned, how = time.perf_counter() - start, None, ""
keys = np.concatenate([np.empty(0, np.int64), *keys])
"""


class Contender(NamedTuple):
    """A name, the program that runs it, and its settings."""

    name: str
    program: str
    settings: dict[str, int]


CONTENDERS = (
    Contender("twinpix, cosine", TWINPIX, {}),
    Contender("faiss IndexFlatIP", FAISS, {}),
    Contender("faiss IndexHNSWFlat 16, 40, 64", FAISS, {"links": 16, "build": 40, "search": 64}),
    Contender("faiss IndexHNSWFlat 32, 40, 128", FAISS, {"links": 32, "build": 40, "search": 128}),
    Contender("faiss IndexHNSWFlat 32, 80, 256", FAISS, {"links": 32, "build": 80, "search": 256}),
)


def clustered(rng: np.random.Generator, rows: int, dims: int) -> NDArray[np.float32]:
    """Seven in ten in clusters of 2 to 1000, most of them small."""
    fall = (1 + np.arange(dims, dtype=np.float32)) ** -0.5
    fall /= np.linalg.norm(fall)
    shared = rng.normal(size=dims).astype(np.float32) / 2 / np.sqrt(dims)
    sizes = rng.zipf(2.0, rows).clip(2, 1000)
    cluster = np.repeat(np.arange(rows), sizes)[: rows * 7 // 10]
    spread = rng.uniform(0.15, 0.6, rows).astype(np.float32)
    centres = rng.standard_normal((int(cluster[-1]) + 1, dims), dtype=np.float32) * fall
    out = np.empty((rows, dims), np.float32)
    for at in range(0, rows, 1 << 16):
        of = cluster[at : at + (1 << 16)]
        some = rng.standard_normal((len(out[at : at + (1 << 16)]), dims), dtype=np.float32) * fall
        some[: len(of)] = centres[of] + some[: len(of)] * spread[of, None]
        out[at : at + (1 << 16)] = some + shared
    rng.shuffle(out)
    return out


def isotropic(rng: np.random.Generator, rows: int, dims: int) -> NDArray[np.float32]:
    return rng.standard_normal((rows, dims), dtype=np.float32)


def run(contender: Contender, codes: Path, out: Path, radius: float, threads: int) -> dict[str, Any]:
    count = str(threads)
    env = os.environ | {"OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count}
    script = READ + contender.program + TOLD
    argv = [sys.executable, "-c", script, str(codes), str(radius), count, str(out), json.dumps(contender.settings)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise SystemExit(f"{contender.name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dims", type=int, default=512)
    parser.add_argument("--radius", type=float, default=0.1)
    parser.add_argument("--kind", choices=("clustered", "isotropic"), default="clustered")
    parser.add_argument("--codes", type=Path, help="descriptors to join instead: a .npy file")
    parser.add_argument("--half", action="store_true", help="in half precision")
    parser.add_argument("--only", nargs="+", help="contenders whose names hold one of these")
    asked = parser.parse_args()
    contenders = [one for one in CONTENDERS if not asked.only or any(word in one.name for word in asked.only)]
    with tempfile.TemporaryDirectory() as folder:
        file = asked.codes or Path(folder) / "codes.npy"
        if not asked.codes:
            make = {"clustered": clustered, "isotropic": isotropic}[asked.kind]
            codes = make(np.random.default_rng(0), asked.rows, asked.dims)
            np.save(file, codes.astype(np.float16) if asked.half else codes)
        outs = [Path(folder) / f"{at}.npy" for at in range(len(contenders))]
        runs: list[list[dict[str, Any]]] = [[] for _ in contenders]
        for _ in range(asked.runs):
            for one, out, mine in zip(contenders, outs, runs, strict=True):
                mine.append(run(one, file, out, asked.radius, asked.threads))
        shape = np.load(file, mmap_mode="r")
        kind = asked.codes.name if asked.codes else asked.kind
        print(f"{kind}, {len(shape):,} × {shape.shape[1]} {shape.dtype}, radius {asked.radius}")
        print(f"{asked.threads} threads, median of {asked.runs} runs, each in a process of its own\n")
        print("| | seconds | ÷ first | pairs | recall | peak MB | |\n|---|---|---|---|---|---|---|")
        first = np.load(outs[0])
        for one, out, mine in zip(contenders, outs, runs, strict=True):
            seconds, base = (statistics.median(done["seconds"] for done in of) for of in (mine, runs[0]))
            found = np.load(out)
            recall = np.isin(first, found, assume_unique=True).mean() if len(first) else 1.0
            peak = statistics.median(done["peak"] for done in mine)
            told = f"{mine[0]['how']}, reckoned {mine[0]['reckoned']:.1f} s" if mine[0]["how"] else ""
            cells = f"{seconds:.2f} | {seconds / base:.1f} | {len(found):,} | {recall:.4f} | {peak:.0f} | {told}"
            print(f"| {one.name} | {cells} |")


if __name__ == "__main__":
    main()
