"""Runs on a Ray cluster of several nodes on this machine, against the same runs without it. Prints Markdown.

usage: cluster.py codes [--codes N ...] [--bits N] [--radius N] [--nodes N] [--chunk N ...]
       cluster.py photos FOLDER [--nodes N ...] [--repeats N]
       cluster.py kills FOLDER [--kills N]

`codes`: random codes (one of a hundred is near another one), joined here and on nodes of one core each; `sent` is
the number of bytes that workers got, `worker` is the largest memory of a worker while it joined. `photos`: the whole
`find`, and whether the report is the same. `kills`: a node, a worker or the run itself is killed at a random moment,
30 times, and the run is continued from its work folder.
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
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.cluster_utils import Cluster

import twinpix
from twinpix.executors.cluster import OnRay
from twinpix.search import Search
from twinpix.search.backends.banded import Banded
from twinpix.search.base import Codes, Pairs, Workers, no_progress
from twinpix.search.distributed import CHUNK

_SEED = 24


@contextmanager
def cluster_of(nodes: int) -> Iterator[Any]:
    """A cluster of nodes of one core each, to which this process is connected."""
    os.environ["PYTHONPATH"] = str(Path(twinpix.__file__).parents[1])
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(nodes - 1):
        made.add_node(num_cpus=1)
    made.wait_for_nodes()
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()  # type: ignore[no-untyped-call]


class Measured:
    """An executor with the bytes that it sends."""

    def __init__(self, executor: OnRay) -> None:
        self._executor, self.sent = executor, 0

    @property
    def size(self) -> int:
        return self._executor.size

    def map(self, task: Any, batches: Iterable[Sequence[Any]]) -> Generator[tuple[Any, Any], None, None]:
        return self._executor.map(task, batches)

    def share(self, chunk: Any) -> Any:
        self.sent += chunk.codes.nbytes + chunk.rows.nbytes
        return self._executor.share(chunk)


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


def joined_on(workers: Workers, codes: Codes, radius: int, chunk: int = 0) -> Iterator[Pairs]:
    join = Banded().plan(codes, None, radius).blocks_on
    assert join is not None
    return join(workers, no_progress, chunk)


def compare_codes(counts: Sequence[int], bits: int, radius: int, nodes: int, chunks: Sequence[int]) -> None:
    print(f"| codes of {bits} bits within {radius} | pairs | here | {nodes} nodes | ratio | sent | worker | chunk |")
    print("|---|---|---|---|---|---|---|---|")
    with cluster_of(nodes) as made:
        executor = OnRay(made.address, timeout=600)
        list(joined_on(executor, random_codes(10_000, bits), radius))  # actors start, kernels load
        Search("banded").self_join(random_codes(200_000, bits), radius)
        for count in counts:
            codes = random_codes(count, bits)
            begun = time.monotonic()
            pairs = sum(len(block[0]) for block in Search(f"banded:threads={nodes}").self_join_blocks(codes, radius))
            here = time.monotonic() - begun
            for chunk in chunks:
                measured = Measured(executor)
                with largest_worker() as most:
                    begun = time.monotonic()
                    found = sum(len(block[0]) for block in joined_on(measured, codes, radius, chunk))
                    there = time.monotonic() - begun
                assert found == pairs, (found, pairs)
                print(
                    f"| {count:,} | {pairs:,} | {here:.1f} s | {there:.1f} s | {there / here:.2f} | "
                    f"{measured.sent / 1e9:.2f} GB | {most[0] / 1e6:.0f} MB | {chunk or CHUNK:,} |",
                    flush=True,
                )
        executor.close()


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


def kill_often(folder: str, kills: int) -> None:
    chance = random.Random(_SEED)
    with tempfile.TemporaryDirectory() as place, cluster_of(2) as made:
        here, there = Path(place, "here.json"), Path(place, "there.json")
        whole = find(folder, here)
        same, seconds = 0, list[float]()
        for number in range(kills):
            kind, work = ("node", "worker", "run")[number % 3], str(Path(place, f"work{number}"))
            options = ["--executor", f"ray:address={made.address}", "--work", work]
            extra = made.add_node(num_cpus=1) if kind == "node" else None
            command = [sys.executable, "-m", "twinpix", "find", folder, "--no-store", "-q", "-o", str(there), "--force"]
            begun = time.monotonic()
            run = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, start_new_session=True)
            time.sleep(chance.uniform(3, 3 + whole))
            if kind == "node":
                made.remove_node(extra, allow_graceful=False)
            elif kind == "worker":
                if running := actors():
                    os.kill(chance.choice(running), signal.SIGKILL)
            else:
                os.killpg(run.pid, signal.SIGKILL)
            if run.wait() != 0:
                find(folder, there, *options)
            seconds.append(time.monotonic() - begun)
            same += plain(there) == plain(here)
            print(f"{number + 1} {kind}: {seconds[-1]:.1f} s, {same} of {number + 1} reports the same", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    codes = kinds.add_parser("codes")
    codes.add_argument("--codes", type=int, nargs="+", default=[2_000_000])
    codes.add_argument("--bits", type=int, default=64)
    codes.add_argument("--radius", type=int, default=4)
    codes.add_argument("--nodes", type=int, default=2)
    codes.add_argument("--chunk", type=int, nargs="+", default=[0])
    photos = kinds.add_parser("photos")
    photos.add_argument("folder")
    photos.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 3])
    photos.add_argument("--repeats", type=int, default=1)
    kills = kinds.add_parser("kills")
    kills.add_argument("folder")
    kills.add_argument("--kills", type=int, default=30)
    given = parser.parse_args()
    if given.kind == "codes":
        compare_codes(given.codes, given.bits, given.radius, given.nodes, given.chunk)
    elif given.kind == "photos":
        compare_photos(given.folder, given.nodes, given.repeats)
    else:
        kill_often(given.folder, given.kills)


if __name__ == "__main__":
    main()
