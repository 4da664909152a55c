"""Runs on a Ray cluster of several nodes on this machine, against the same runs without it. Prints Markdown.

usage: cluster.py codes [--codes N ...] [--bits N] [--radius N] [--nodes N] [--chunk N ...]
       cluster.py model [--codes N] [--bits N] [--radius N] [--nodes N] [--repeats N]
       cluster.py photos FOLDER [--nodes N ...] [--repeats N]
       cluster.py kills FOLDER [--kills N] [--kinds KIND ...]
       cluster.py peers FOLDER [--images N] [--repeats N] [--data-juicer PYTHON] [--pictures DIR] [--only TEXT ...]

`codes`: random codes (one of a hundred is near another one), joined here and on nodes of one core each; `sent` is
the number of bytes that the other nodes got, `worker` is the largest memory of a worker while it joined, and how much
of it the idle worker did not have. `model`: the same join of N, N/10 and N/100 codes, and what the cost model predicts
from N: core seconds by the estimate of `Banded.plan` and by the number of codes, and bytes. `photos`: the whole
`find`, and whether the report is the same. `kills`: a node, a worker or the run itself is killed at a random moment,
30 times, and the run is continued from its work folder; also which share of the work was done again. `peers`: images
from FOLDER with an edited copy of each, by twinpix on Ray and by two other tools on Ray, on as many cores; whole
processes, with the start of Ray. PYTHON is that of an environment with py-data-juicer, ray, imagededup and torch; DIR
keeps the images for another run; with `--only`, the tools whose names contain one of the texts.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import ray
from ray.cluster_utils import Cluster

import cluster_counting
import twinpix
from cluster_peers import compare_peers
from twinpix.executors.cluster import OnRay
from twinpix.search import Search
from twinpix.search.backends.banded import Banded
from twinpix.search.base import Codes, no_progress
from twinpix.search.distributed import CHUNK

_SEED = 24
_KILLED = ("node", "worker", "run")


@contextmanager
def cluster_of(nodes: int, *, bench: bool = False) -> Iterator[Any]:
    """A cluster of nodes of one core each, to which this process is connected; with `bench` they import this folder."""
    folders = [Path(twinpix.__file__).parents[1], *([Path(__file__).parent] if bench else [])]
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, folders))
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(nodes - 1):
        made.add_node(num_cpus=1)
    made.wait_for_nodes()
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()  # type: ignore[no-untyped-call]


def actors() -> list[int]:
    """Return the processes of the workers of twinpix on this machine (Linux).

    Ray names a process by the task that it runs, and by its class if it runs none.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith((b"ray::TwinpixWorker", b"ray::twinpix: ")):
                found.append(int(path.parent.name))
        except OSError:  # it has ended
            continue
    return found


@contextmanager
def largest_worker() -> Iterator[list[int]]:
    """The largest memory of an actor, or of a process that it has started, without what the node shares; in bytes."""
    most, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            parents = {str(number) for number in actors()}
            for status in Path("/proc").glob("[0-9]*/status"):
                try:
                    rows = dict(line.split(":", 1) for line in status.read_text().splitlines())
                except (OSError, ValueError):  # it has ended
                    continue
                if {rows["PPid"].strip(), rows["Pid"].strip()} & parents and "RssAnon" in rows:
                    most[0] = max(most[0], int(rows["RssAnon"].split()[0]) * 1024)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()


def random_codes(count: int, bits: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Random codes; one of a hundred differs from another one in two bits."""
    rng = np.random.default_rng(_SEED)
    codes = rng.integers(0, 256, (count, bits // 8), dtype=np.uint8)
    near = count // 100
    codes[-near:] = codes[:near]
    for _ in range(2):
        codes[np.arange(count - near, count), rng.integers(0, bits // 8, near)] ^= np.uint8(4)
    return codes


class Join(NamedTuple):
    """What a join on a cluster took."""

    seconds: float
    here: float  # core seconds of this process
    there: float  # core seconds of the workers
    sent: int  # bytes to the other nodes
    pairs: int


def join_on(executor: OnRay, codes: Codes, radius: int, chunk: int = 0) -> Join:
    join = Banded().plan(codes, None, radius).blocks_on
    assert join is not None
    executor.costs.clear()
    begun, cores = time.monotonic(), time.process_time()
    pairs = sum(len(block[0]) for block in join(executor, no_progress, chunk))
    took, cost = time.monotonic() - begun, executor.costs["compare"]
    return Join(took, time.process_time() - cores, cost.core_seconds, cost.sent, pairs)


def compare_codes(counts: Sequence[int], bits: int, radius: int, nodes: int, chunks: Sequence[int]) -> None:
    print(f"| codes of {bits} bits within {radius} | pairs | here | {nodes} nodes | ratio | sent | worker | chunk |")
    print("|---|---|---|---|---|---|---|---|")
    with cluster_of(nodes) as made:
        executor = OnRay(made.address, timeout=600)
        join_on(executor, random_codes(10_000, bits), radius)  # actors start, kernels load
        Search("banded").self_join(random_codes(200_000, bits), radius)
        with largest_worker() as idle:
            time.sleep(1)
        for count in counts:
            codes = random_codes(count, bits)
            begun = time.monotonic()
            pairs = sum(len(block[0]) for block in Search(f"banded:threads={nodes}").self_join_blocks(codes, radius))
            here = time.monotonic() - begun
            for chunk in sorted(chunks, key=lambda chunk: chunk or CHUNK):  # a worker keeps memory that it once had
                with largest_worker() as most:
                    done = join_on(executor, codes, radius, chunk)
                assert done.pairs == pairs, (done, pairs)
                print(
                    f"| {count:,} | {pairs:,} | {here:.1f} s | {done.seconds:.1f} s | {done.seconds / here:.2f} | "
                    f"{done.sent / 1e9:.3f} GB | {most[0] / 1e6:.0f} MB, {(most[0] - idle[0]) / 1e6:.0f} of the join | "
                    f"{chunk or CHUNK:,} |",
                    flush=True,
                )
        executor.close()


def check_model(most: int, bits: int, radius: int, nodes: int, repeats: int) -> None:
    """Predict the joins of a tenth and a hundredth of the codes from the largest one, and measure them."""
    counts = (most, most // 10, most // 100)
    joins: dict[int, list[Join]] = {count: [] for count in counts}
    estimates, bands = dict[int, float](), dict[int, int]()
    with cluster_of(nodes) as made:
        executor = OnRay(made.address, timeout=600)
        join_on(executor, random_codes(200_000, bits), radius)
        for _ in range(repeats):
            for count in counts:
                codes = random_codes(count, bits)
                plan = Banded(threads=1).plan(codes, None, radius)
                estimates[count] = plan.seconds
                bands[count] = len(cast(Any, plan.blocks_on).args[0].bands.firsts)
                joins[count].append(join_on(executor, codes, radius))
        executor.close()

    def median(count: int, of: Callable[[Join], float]) -> float:
        return statistics.median(map(of, joins[count]))

    def cores(count: int) -> float:
        return median(count, lambda join: join.here + join.there)

    def sent(count: int) -> float:
        return median(count, lambda join: join.sent)

    print(f"codes of {bits} bits within {radius}, {nodes} nodes of one core, medians of {repeats} in turns\n")
    print("| codes | bands | seconds | core seconds | by the estimate | ratio | by count | ratio ", end="")
    print("| sent | predicted | ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for count in counts:
        by_estimate = cores(most) * estimates[count] / estimates[most]
        by_count = cores(most) * count / most
        predicted = sent(most) * count * bands[count] / (most * bands[most])
        print(
            f"| {count:,} | {bands[count]} | {median(count, lambda join: join.seconds):.2f} | {cores(count):.3f} | "
            f"{by_estimate:.3f} | {cores(count) / by_estimate:.2f} | {by_count:.3f} | {cores(count) / by_count:.2f} | "
            f"{sent(count) / 1e6:.1f} MB | {predicted / 1e6:.1f} MB | {sent(count) / predicted:.2f} |"
        )


def find(folder: str, report: Path, *options: str) -> float:
    """Run `find` with an empty store; its seconds."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "twinpix", "find", folder, "--no-store", "-q", "-o", str(report), "--force"]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def plain(report: Path) -> dict[str, Any]:
    rows: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return {name: value for name, value in rows.items() if name not in ("created", "search")}


def compare_photos(folder: str, nodes: Sequence[int], repeats: int) -> None:
    print("| executor | seconds | of local | report |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        here, there = Path(place, "here.json"), Path(place, "there.json")
        local = statistics.median([find(folder, here) for _ in range(repeats)])
        print(f"| local | {local:.1f} | 1 | |", flush=True)
        for count in nodes:
            with cluster_of(count) as made:
                at = f"ray:address={made.address}"
                seconds = statistics.median([find(folder, there, "--executor", at) for _ in range(repeats)])
            same = "the same" if plain(there) == plain(here) else "DIFFERENT"
            print(f"| {count} nodes of one core | {seconds:.1f} | {seconds / local:.2f} | {same} |", flush=True)


def kill_often(folder: str, kills: int, kinds: Sequence[str]) -> None:
    """Kill a node, a worker or the run in turn; print the share of images and pairs that were begun again."""
    chance = random.Random(_SEED)
    with tempfile.TemporaryDirectory() as place:
        os.environ[cluster_counting.FOLDER] = str(Path(place, "counts"))
        Path(place, "counts").mkdir()
        with cluster_of(2, bench=True) as made:
            here, there = Path(place, "here.json"), Path(place, "there.json")
            find(folder, here)
            script = [sys.executable, cluster_counting.__file__, "find", folder, "--no-store", "--force"]

            def begin(number: int) -> subprocess.Popen[str]:
                options = ["--executor", f"ray:address={made.address}", "--work", str(Path(place, f"work{number}"))]
                command = [*script, "-o", str(there), *options]
                return subprocess.Popen(
                    command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
                )

            begun = time.monotonic()
            _, table = begin(-1).communicate()
            whole, needed = time.monotonic() - begun, cluster_counting.take_counts()
            weights = {
                "read": core_seconds(table, "read and encode") / needed["read"],
                "verify": core_seconds(table, "verify") / needed["verify"],
            }
            work = sum(weights[kind] * needed[kind] for kind in needed)
            print(f"a run that is not killed: {whole:.0f} s, {needed}, {work:.0f} core seconds", flush=True)
            same, again = 0, list[float]()
            for number in range(kills):
                kind = kinds[number % len(kinds)]
                extra = made.add_node(num_cpus=1) if kind == "node" else None
                run = begin(number)
                time.sleep(chance.uniform(3, whole))
                if kind == "node":
                    made.remove_node(extra, allow_graceful=False)
                elif kind == "worker":
                    if running := actors():
                        os.kill(chance.choice(running), signal.SIGKILL)
                else:
                    os.killpg(run.pid, signal.SIGKILL)
                run.communicate()
                if run.returncode != 0:
                    begin(number).communicate()
                counts = cluster_counting.take_counts()
                again.append(sum(weights[kind] * (counts[kind] - needed[kind]) for kind in counts) / work)
                same += plain(there) == plain(here)
                print(f"{number + 1} {kind}: {counts}, {again[-1]:.1%} done again, {same} same reports", flush=True)
        print(
            f"\n{same} of {kills} reports the same; work done again: {statistics.mean(again):.1%} on average, ", end=""
        )
        print(f"at most {max(again):.1%}")


def core_seconds(table: str, step: str) -> float:
    """Return the core seconds of a step from the table that a run prints at its end."""
    line = next(line for line in table.splitlines() if line.strip().startswith(step))
    return float(line.strip().removeprefix(step).split()[1].replace(",", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    codes = kinds.add_parser("codes")
    codes.add_argument("--codes", type=int, nargs="+", default=[2_000_000])
    codes.add_argument("--bits", type=int, default=64)
    codes.add_argument("--radius", type=int, default=4)
    codes.add_argument("--nodes", type=int, default=2)
    codes.add_argument("--chunk", type=int, nargs="+", default=[0])
    model = kinds.add_parser("model")
    model.add_argument("--codes", type=int, default=20_000_000)
    model.add_argument("--bits", type=int, default=64)
    model.add_argument("--radius", type=int, default=4)
    model.add_argument("--nodes", type=int, default=2)
    model.add_argument("--repeats", type=int, default=3)
    photos = kinds.add_parser("photos")
    photos.add_argument("folder")
    photos.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 3])
    photos.add_argument("--repeats", type=int, default=1)
    kills = kinds.add_parser("kills")
    kills.add_argument("folder")
    kills.add_argument("--kills", type=int, default=30)
    kills.add_argument("--kinds", nargs="+", choices=_KILLED, default=_KILLED, metavar="KIND")
    peers = kinds.add_parser("peers")
    peers.add_argument("folder")
    peers.add_argument("--images", type=int, default=2_000)
    peers.add_argument("--repeats", type=int, default=3)
    peers.add_argument("--data-juicer", default="", metavar="PYTHON")
    peers.add_argument("--pictures", default="", metavar="DIR")
    peers.add_argument("--only", nargs="+", default=[""], metavar="TEXT")
    given = parser.parse_args()
    if given.kind == "codes":
        compare_codes(given.codes, given.bits, given.radius, given.nodes, given.chunk)
    elif given.kind == "model":
        check_model(given.codes, given.bits, given.radius, given.nodes, given.repeats)
    elif given.kind == "photos":
        compare_photos(given.folder, given.nodes, given.repeats)
    elif given.kind == "peers":
        compare_peers(given.folder, given.images, given.repeats, given.data_juicer, given.pictures, given.only)
    else:
        kill_often(given.folder, given.kills, given.kinds)


if __name__ == "__main__":
    main()
