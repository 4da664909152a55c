"""How long actions take: planning, moving compared with a plain loop of renames, the first screen of the dialogue.

usage: python bench/acting.py FOLDER [--groups N] [--files N] [--bytes N] [--runs N]
FOLDER must be empty; files of `--bytes` each are written there. Times are medians of interleaved runs.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import xxhash

import twinpix
from twinpix import report
from twinpix.act.lock import acting


def write_library(folder: Path, groups: int, size: int) -> Path:
    """Pairs of files, a hundred folders of them, and a report on them."""
    rows = []
    for number in range(groups):
        names = [f"photos/{number % 100}/{number}.jpg", f"photos/{number % 100}/{number} copy.jpg"]
        members = []
        for at, name in enumerate(names):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            data = (b"%d %d " % (number, at) * size)[:size]
            (folder / name).write_bytes(data)
            facts = {"path": name, "size": size, "mtime_ns": (folder / name).stat().st_mtime_ns}
            members.append({**facts, "width": 640, "height": 480, "digest": xxhash.xxh3_128_hexdigest(data)})
        match = {"a": names[0], "b": names[1], "distance": 2, "relation": "re-encoded"}
        rows.append(
            {"id": number + 1, "keeper": names[0], "reason": "largest file", "members": members, "matches": [match]}
        )
    head = {
        "schema": "twinpix.report/1",
        "created": "",
        "roots": ["photos"],
        "base": str(folder),
        "spec": "phash:size=16",
        "radius": 76,
        "link": "star",
        "counts": {},
        "groups": rows,
        "failures": [],
    }
    path = folder / "report.json"
    path.write_text(json.dumps(head))
    return path


def time_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rename_all(folder: Path, groups: int, *, sync: bool) -> None:
    """The plain loop: a line to a journal, flushed, and a rename, for each file."""
    target = folder / "renamed"
    for number in range(100):
        (target / str(number)).mkdir(parents=True)
    with (folder / "plain.journal").open("w") as log:
        for number in range(groups):
            name = f"{number % 100}/{number} copy.jpg"
            log.write(f"{folder}/photos/{name} -> {target}/{name}\n")
            log.flush()
            if sync:
                os.fsync(log.fileno())
            os.rename(f"{folder}/photos/{name}", f"{target}/{name}")


def move_all(folder: Path, path: Path) -> None:
    plan = twinpix.plan(report.read(str(path)), f"move:to={folder}/moved", source=str(path))
    with acting():
        outcome = twinpix.apply(plan, str(folder / "journal.jsonl"))
    assert not outcome.skipped, outcome.skipped[0]


def put_back(folder: Path, groups: int, where: str) -> None:
    for number in range(groups):
        name = f"{number % 100}/{number} copy.jpg"
        os.rename(f"{folder}/{where}/{name}", f"{folder}/photos/{name}")
    shutil.rmtree(folder / where)
    for file in folder.glob("*journal*"):
        file.unlink()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--groups", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    if any(folder.iterdir()):
        sys.exit(f"{folder} is not empty")

    few = folder / "few"
    path = write_library(few, asked.files, asked.bytes)
    rows: dict[str, list[float]] = {"twinpix": [], "renames, flushed": [], "renames, synced": []}
    for _ in range(asked.runs):
        rows["twinpix"].append(time_of(lambda: move_all(few, path)))
        put_back(few, asked.files, "moved")
        for name, sync in (("renames, flushed", False), ("renames, synced", True)):
            rows[name].append(time_of(lambda sync=sync: rename_all(few, asked.files, sync=sync)))  # type: ignore[misc]
            put_back(few, asked.files, "renamed")
    medians = {name: statistics.median(times) for name, times in rows.items()}
    print(f"moving {asked.files:,} files of {asked.bytes:,} bytes")
    for name, median in medians.items():
        print(f"  {name:18} {median:6.2f} s   twinpix takes {medians['twinpix'] / median:.2f} times that")

    many = folder / "many"
    path = write_library(many, asked.groups, 100)
    times = [time_of(lambda: twinpix.plan(report.read(str(path)), f"move:to={many}/moved")) for _ in range(asked.runs)]
    print(f"planning {asked.groups:,} groups: {statistics.median(times):.2f} s")


if __name__ == "__main__":
    main()
