"""All pairs within a radius: twinpix compared with faiss. Prints Markdown and draws a plot.

usage: search.py CASE... [--only NAME...] [--codes FOLDER] [--threads N] [--runs N] [--plot FILE.png] [--list]

Every contender gets the same codes and runs in a separate process, interleaved with the others, on the given number of
threads. Imports and compilation are not timed, building an index is. A contender that is too slow for all codes gets
the first of them, and its time, in brackets, is scaled by n². Recall and false pairs are relative to the exact pairs of
the codes it got. Peak memory is the high-water mark of the process, with the codes. CASEs that begin with `real` need
`--codes`, a folder of `NAME.npy` with codes `(n, bytes)` or vectors `(n, d)` of real images, which are extended by
copies with changed bits or components.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[Any]


class Case(NamedTuple):
    """Codes, and the radius of the join."""

    make: Callable[[Path], Codes]
    radius: float
    metric: str = "hamming"
    task: str = "pairs"  # or "query": one code at a time, against an index


class Contender(NamedTuple):
    """A way to find pairs, with its settings."""

    run: str  # the name of a function of this module
    settings: dict[str, Any]
    metrics: tuple[str, ...] = ("hamming", "cosine")
    most: int = 1 << 40  # number of codes that it gets
    task: str = "pairs"


# -- codes ---------------------------------------------------------------------------------------------


def bits(n: int, width: int, spread: int, seed: int) -> Codes:
    """Random codes; one in a hundred is 0 to `spread` + 2 bits from another one."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (n, width // 8), dtype=np.uint8)
    copies = rng.permutation(n)[: n // 100]
    return flip_bits(codes, copies, rng.integers(0, n, len(copies)), spread + 2, rng)


def flip_bits(codes: Codes, at: Codes, of: Codes, most: int, rng: np.random.Generator) -> Codes:
    """Replace the codes `at` by the codes `of` with 0 to `most` bits flipped."""
    width = 8 * codes.shape[1]
    for start in range(0, len(at), 100_000):
        rows, origin = at[start : start + 100_000], of[start : start + 100_000]
        order = rng.random((len(rows), width), dtype=np.float32).argsort(axis=1)
        flips = order < rng.integers(0, most + 1, (len(rows), 1))
        codes[rows] = codes[origin] ^ np.packbits(flips, axis=1)
    return codes


def with_equal(codes: Codes, equal: int, each: int) -> Codes:
    """The first `equal` codes replaced by groups of `each` equal ones, and all of them shuffled."""
    codes = codes.copy()
    codes[:equal] = np.repeat(codes[: equal // each], each, axis=0)
    return np.random.default_rng(len(codes)).permutation(codes)


def enlarge(file: Path, n: int, most: int) -> Codes:
    """Real codes, and copies of them with 0 to `most` bits flipped."""
    real = np.unique(np.load(file), axis=0)
    rng = np.random.default_rng(len(real))
    codes = np.concatenate([rng.permutation(real), np.empty((max(n - len(real), 0), real.shape[1]), np.uint8)])[:n]
    copies = np.arange(min(len(real), n), n)
    return flip_bits(codes, copies, rng.integers(0, min(len(real), n), len(copies)), most, rng)


def make_clusters(n: int, dims: int, seed: int) -> Codes:
    """Vectors, seven in ten in clusters of 2 to 1,000, most of them small, the others isolated.

    The width of clusters is 0.15 to 0.6 of their distance, so many pairs are near the threshold on either side.
    All have a common component, and their spectrum decays, like that of embeddings.
    """
    rng = np.random.default_rng(seed)
    fall = (1 + np.arange(dims, dtype=np.float32)) ** -0.5
    fall /= np.linalg.norm(fall)
    shared = rng.normal(size=dims).astype(np.float32) / 2 / np.sqrt(dims)
    sizes = rng.zipf(2.0, n).clip(2, 1000)
    cluster = np.repeat(np.arange(n), sizes)[: n * 7 // 10]
    spread = rng.uniform(0.15, 0.6, n).astype(np.float32)
    centres = rng.standard_normal((int(cluster[-1]) + 1, dims), dtype=np.float32) * fall
    out = np.empty((n, dims), np.float32)
    for at in range(0, n, 1 << 16):
        of = cluster[at : at + (1 << 16)]
        some = rng.standard_normal((len(out[at : at + (1 << 16)]), dims), dtype=np.float32) * fall
        some[: len(of)] = centres[of] + some[: len(of)] * spread[of, None]
        out[at : at + (1 << 16)] = some + shared
    rng.shuffle(out)
    return out


def isotropic(n: int, dims: int, seed: int) -> Codes:
    """Vectors without any structure that a join could use."""
    return np.random.default_rng(seed).standard_normal((n, dims), dtype=np.float32)


MILLION = 1_000_000
CASES = {
    "100k-64": Case(lambda _: bits(100_000, 64, 10, 0), 10),
    "1M-64": Case(lambda _: bits(MILLION, 64, 10, 1), 10),
    "1M-64-equal": Case(lambda _: with_equal(bits(MILLION, 64, 10, 1), 200_000, 100), 10),
    "10M-64-r4": Case(lambda _: bits(10 * MILLION, 64, 4, 2), 4),
    "10M-64-r10": Case(lambda _: bits(10 * MILLION, 64, 10, 2), 10),
    "1M-256": Case(lambda _: bits(MILLION, 256, 31, 3), 31),
    "100k-1024": Case(lambda _: bits(100_000, 1024, 100, 4), 100),
    "20k-4096": Case(lambda _: bits(20_000, 4096, 800, 5), 800),
    "10M-64-query": Case(lambda _: bits(10 * MILLION, 64, 10, 2), 10, task="query"),
    "100k-512": Case(lambda _: make_clusters(100_000, 512, 6), 0.1, "cosine"),
    "100k-512-isotropic": Case(lambda _: isotropic(100_000, 512, 8), 0.1, "cosine"),
    "1M-512": Case(lambda _: make_clusters(MILLION, 512, 7), 0.1, "cosine"),
    "real-64": Case(lambda folder: enlarge(folder / "phash.npy", MILLION, 20), 10),
    "real-256": Case(lambda folder: enlarge(folder / "pdq.npy", MILLION, 60), 31),
    "real-cnn": Case(lambda folder: np.load(folder / "cnn.npy"), 0.25, "cosine"),
}
BITS, ANGLES, FEW = ("hamming",), ("cosine",), 100_000
CONTENDERS = {
    "twinpix": Contender("twinpix", {"spec": "auto"}),
    "twinpix cosine": Contender("twinpix", {"spec": "cosine"}, ANGLES),
    "twinpix index": Contender("twinpix_index", {}, BITS, task="query"),
    "faiss IndexBinaryFlat": Contender("faiss_flat", {"index": "IndexBinaryFlat"}, BITS, FEW),
    "faiss IndexBinaryFlat, query": Contender("faiss_query", {}, BITS, task="query"),
    "faiss IndexBinaryMultiHash": Contender("faiss_multihash", {"tables": 4, "key": 16, "flips": 2}, BITS, MILLION),
    "faiss IndexFlatIP": Contender("faiss_flat", {"index": "IndexFlatIP"}, ANGLES, FEW),
    "faiss IndexHNSWFlat 16, 40, 64": Contender("faiss_hnsw", {"links": 16, "build": 40, "search": 64}, ANGLES, FEW),
    "faiss IndexHNSWFlat 32, 40, 128": Contender("faiss_hnsw", {"links": 32, "build": 40, "search": 128}, ANGLES, FEW),
    "faiss IndexHNSWFlat 8, 40, 32": Contender("faiss_hnsw", {"links": 8, "build": 40, "search": 32}, ANGLES, FEW),
    "twinpix faiss": Contender("twinpix", {"spec": "faiss"}),
    "twinpix faiss graph": Contender("twinpix", {"spec": "faiss:index=hnsw"}, most=FEW),
}


# -- contenders, each in a separate process ------------------------------------------------------------

SearchResult = tuple[float, Codes, Codes]
"""Seconds, and the pairs `i < j`."""


def twinpix(codes: Codes, radius: float, spec: str, threads: int) -> SearchResult:
    from twinpix import search

    search.self_join(codes[:2000], radius, spec)
    if spec == "auto":  # compile each of its algorithms
        search.self_join(codes[:15_000], radius, "banded" if codes.dtype == np.uint8 else "cosine")
        if codes.dtype == np.uint8:
            search.self_join(codes[:60_000], 3, "banded")
    start = time.perf_counter()
    i, j, _ = search.self_join(codes, radius, spec)
    return time.perf_counter() - start, i, j


def twinpix_index(codes: Codes, radius: float, threads: int) -> SearchResult:
    from twinpix import search

    index = search.Index(codes, radius)
    return query_all(codes, lambda code: index.join(code, radius)[1])


def query_all(codes: Codes, near: Callable[[Codes], Codes]) -> SearchResult:
    """Median seconds of a query with one code, and the codes that it finds."""
    seconds, i, j = [], [], []
    for row in range(40):
        start = time.perf_counter()
        found = near(codes[row : row + 1])
        seconds.append(time.perf_counter() - start)
        others = found[found != row]
        i.append(np.minimum(others, row))
        j.append(np.maximum(others, row))
    return statistics.median(seconds[20:]), np.concatenate(i), np.concatenate(j)


def faiss_flat(codes: Codes, radius: float, index: str, threads: int) -> SearchResult:
    import faiss

    faiss.omp_set_num_threads(threads)
    binary = index.startswith("IndexBinary")
    codes = codes if binary else codes / np.linalg.norm(codes, axis=1, keepdims=True)
    start = time.perf_counter()
    made = getattr(faiss, index)(codes.shape[1] * (8 if binary else 1))
    made.add(codes)
    i, j = [], []
    for at in range(0, len(codes), 4096):
        some = codes[at : at + 4096]
        ends, _, found = made.range_search(some, int(radius) + 1 if binary else 1 - radius)  # its bound is exclusive
        i.append(at + np.repeat(np.arange(len(some)), np.diff(ends).astype(np.int64)))
        j.append(found)
    return time.perf_counter() - start, *once(np.concatenate(i), np.concatenate(j))


def faiss_query(codes: Codes, radius: float, threads: int) -> SearchResult:
    import faiss

    faiss.omp_set_num_threads(threads)
    made = faiss.IndexBinaryFlat(codes.shape[1] * 8)
    made.add(codes)
    return query_all(codes, lambda code: made.range_search(code, int(radius) + 1)[2])


def faiss_multihash(codes: Codes, radius: float, tables: int, key: int, flips: int, threads: int) -> SearchResult:
    import faiss

    faiss.omp_set_num_threads(threads)
    start = time.perf_counter()
    made = faiss.IndexBinaryMultiHash(codes.shape[1] * 8, tables, key)
    made.nflip = flips
    made.add(codes)
    ends, _, j = made.range_search(codes, int(radius) + 1)
    return time.perf_counter() - start, *once(np.repeat(np.arange(len(codes)), np.diff(ends).astype(np.int64)), j)


def faiss_hnsw(codes: Codes, radius: float, links: int, build: int, search: int, threads: int) -> SearchResult:
    """By k nearest neighbours, with a larger k if the last one is near: the search by radius raises an error (1.15)."""
    import faiss

    faiss.omp_set_num_threads(threads)
    codes = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    start = time.perf_counter()
    made = faiss.IndexHNSWFlat(codes.shape[1], links, faiss.METRIC_INNER_PRODUCT)
    made.hnsw.efConstruction = build
    made.add(codes)
    found_i, found_j, rows, k = [], [], np.arange(len(codes)), 32
    while len(rows) and k <= 4096:
        later = []
        for at in range(0, len(rows), 4096):
            some = rows[at : at + 4096]
            made.hnsw.efSearch = max(k, search)
            product, j = made.search(codes[some], k)
            near = (product >= 1 - radius) & (j >= 0)
            found_i.append(np.repeat(some, k).reshape(j.shape)[near])
            found_j.append(j[near])
            later.append(some[near[:, -1]])
        rows, k = np.concatenate(later), 4 * k
    return time.perf_counter() - start, *once(np.concatenate(found_i), np.concatenate(found_j))


def once(i: Codes, j: Codes) -> tuple[Codes, Codes]:
    """Each pair of different rows once, the smaller row first."""
    low, high = np.minimum(i, j)[i != j].astype(np.int64), np.maximum(i, j)[i != j].astype(np.int64)
    keys = np.unique(low << 32 | high)
    return keys >> 32, keys & 0xFFFFFFFF


def work(name: str, codes: str, radius: float, threads: int, pairs: str) -> None:
    """The main function of the process of a contender."""
    contender = CONTENDERS[name]
    mine = np.load(codes, mmap_mode="r")[: contender.most].copy()
    seconds, i, j = globals()[contender.run](mine, radius, threads=threads, **contender.settings)
    np.save(pairs, np.sort(i.astype(np.int64) << 32 | j.astype(np.int64)))
    peak = 0.0
    if Path("/proc/self/status").exists():
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "codes": len(mine)}))


# -- the comparison ------------------------------------------------------------------------------------


def run(name: str, codes: Path, radius: float, threads: int, pairs: Path) -> dict[str, Any]:
    """Run one contender in a separate process; `why` is the error."""
    count = str(threads)
    env = os.environ | {"OMP_NUM_THREADS": count, "NUMBA_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count}
    if hasattr(os, "sched_setaffinity"):  # twinpix starts one thread per core; the child inherits the limit
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    argv = [sys.executable, __file__, "--work", name, str(codes), str(radius), count, str(pairs)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        return {"why": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def exact(codes: Codes, case: Case) -> Codes:
    """The true pairs as sorted keys; for queries, those of the first rows."""
    from twinpix import search

    if case.task == "query":
        i, j, _ = search.join(codes[:40], codes, case.radius)
        return np.sort(np.unique(np.minimum(i, j)[i != j] << 32 | np.maximum(i, j)[i != j]))
    i, j, _ = search.self_join(codes, case.radius, "cosine" if case.metric == "cosine" else "banded")
    return i << 32 | j


def compare(name: str, case: Case, names: list[str], folder: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each contender."""
    codes = case.make(asked.codes)
    file, pairs = folder / "codes.npy", folder / "pairs.npy"
    np.save(file, codes)
    runs: dict[str, list[dict[str, Any]]] = {each: [] for each in names}
    truth = {most: exact(codes[:most], case) for most in {CONTENDERS[each].most for each in names}}
    rows: dict[str, dict[str, Any]] = {}
    for _ in range(asked.runs):
        for each in names:
            done = run(each, file, case.radius, asked.threads, pairs)
            if "why" in done:
                rows[each] = {"name": each} | done
                continue
            runs[each].append(done)
            found, there = np.load(pairs), truth[CONTENDERS[each].most]
            right = int(np.isin(found, there, assume_unique=True).sum())
            rows[each] = {"name": each, "pairs": len(found), "false": len(found) - right, "codes": done["codes"]}
            rows[each]["recall"] = right / max(1, len(there))
    for each, done_runs in runs.items():
        if done_runs:
            rows[each]["seconds"] = statistics.median(done["seconds"] for done in done_runs)
            rows[each]["peak"] = statistics.median(done["peak"] for done in done_runs)
            scale = (len(codes) / rows[each]["codes"]) ** (1 if case.task == "query" else 2)
            rows[each]["scaled"] = rows[each]["seconds"] * scale
    return [rows[each] for each in names]


def table(name: str, case: Case, rows: list[dict[str, Any]]) -> str:
    out = [
        f"\n### {name}, radius {case.radius:g}\n",
        "| | codes | seconds | of twinpix | recall | false | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    ours = next((row["scaled"] for row in rows if row["name"].startswith("twinpix") and "scaled" in row), None)
    for row in rows:
        if "why" in row:
            out.append(f"| {row['name']} | {row['why']} | | | | | |")
            continue
        seconds = f"{row['seconds']:.3g}"
        if row["scaled"] != row["seconds"]:
            seconds += f" ({row['scaled']:,.0f})"
        ratio = f"{row['scaled'] / ours:.3g}" if ours else ""
        cells = [row["name"], f"{row['codes']:,}", seconds, ratio, f"{row['recall']:.4f}", f"{row['false']:,}"]
        out.append("| " + " | ".join([*cells, f"{row['peak']:,.0f}"]) + " |")
    return "\n".join(out)


def plot(results: dict[str, list[dict[str, Any]]], file: Path) -> None:
    """Recall against time, one panel per case."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    figure, panels = plt.subplots(1, len(results), figsize=(5.5 * len(results), 4.2), squeeze=False)
    for panel, (name, rows) in zip(panels[0], results.items(), strict=True):
        for row in rows:
            if "scaled" in row:
                panel.plot(row["scaled"], row["recall"], "o", label=row["name"])
        least = min((row["recall"] for row in rows if "scaled" in row), default=0)
        panel.set(xscale="log", xlabel="seconds", ylabel="recall", title=name, ylim=(least - 0.02, 1.01))
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7, loc="lower right")
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        name, codes, radius, threads, pairs = sys.argv[2:]
        work(name, codes, float(radius), int(threads), pairs)
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", choices=[*CASES, []])
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(CONTENDERS))
    parser.add_argument("--codes", type=Path, default=Path())
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--list", action="store_true", help="list cases and contenders")
    asked = parser.parse_args()
    if asked.list or not asked.cases:
        print("cases:", ", ".join(CASES), "\ncontenders:", ", ".join(CONTENDERS))
        return
    results = {}
    for name in asked.cases:
        case = CASES[name]
        fits = [
            each
            for each, contender in CONTENDERS.items()
            if case.metric in contender.metrics and case.task == contender.task
        ]
        names = [each for each in fits if not asked.only or each in asked.only]
        with tempfile.TemporaryDirectory() as folder:
            results[name] = compare(name, case, names, Path(folder), asked)
        print(table(name, case, results[name]), flush=True)
    print(f"\n{asked.threads} threads, median of {asked.runs} runs, each in a separate process")
    if asked.plot:
        plot(results, asked.plot)


if __name__ == "__main__":
    main()
