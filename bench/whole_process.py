"""Time and memory of whole runs over folders of images, compared with other tools. Prints Markdown.

usage: whole_process.py FOLDER [FOLDER ...] --twinpix-bin FILE [--czkawka-python FILE]
       [--imagededup-python FILE] [--imgdupes-bin FILE] [--fastdup-python FILE] [--method SPEC]
       [--small FOLDER] [--runs N]

Every run is cold: it has a new home, cache directory, working directory and store. Files are in the page cache,
after one run that is not timed. The tools run interleaved: A B C A B C. Memory is measured in the untimed run, since
the sampler would disturb the timed ones: the peak of the sum of the proportional set sizes of the process and its
children, sampled from /proc, or the largest single process if that is more.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CZKAWKA = """
import sys
from czkawka import ImageSimilarity
finder = ImageSimilarity()
finder.set_directories([sys.argv[1]])
finder.set_similarity(10)
print(len(finder.find_similar()), "groups")
"""
IMAGEDEDUP = """
import sys
from imagededup.methods import PHash
if __name__ == "__main__":
    found = PHash(verbose=False).find_duplicates(image_dir=sys.argv[1], max_distance_threshold=10)
    print(sum(map(len, found.values())) // 2, "pairs")
"""
FASTDUP = """
import sys
import fastdup
fd = fastdup.create(work_dir="work", input_dir=sys.argv[1])
fd.run(overwrite=True, print_summary=False)
print(len(fd.similarity()), "pairs")
"""


@dataclass(frozen=True)
class Contender:
    """A tool: its name, its command (`{folder}` and `{scratch}` are filled in), and the number that it reports."""

    name: str
    command: tuple[str, ...]
    found: Callable[[str], str]


@dataclass(frozen=True)
class Run:
    seconds: float
    largest: float  # MB, of the largest single process
    output: str


def contenders(asked: argparse.Namespace) -> list[Contender]:
    def last_line(output: str) -> str:
        return (output.strip().splitlines() or ["-"])[-1]

    def blocks(output: str) -> str:
        return f"{sum(bool(block.strip()) for block in output.split(chr(10) * 2))} groups"

    def groups(output: str) -> str:
        return f"{sum(line.startswith('Group ') for line in output.splitlines())} groups"

    def ours(*method: str) -> tuple[str, str, tuple[str, ...], Callable[[str], str]]:
        command = ("find", "{folder}", *method, "--store", "{scratch}/store")
        return asked.twinpix_bin, " ".join(["twinpix", *method]), command, groups

    every = (
        ours("--method", asked.method) if asked.method else ours("--fast"),
        ours(),
        (asked.czkawka_python, "czkawka", ("-c", CZKAWKA, "{folder}"), last_line),
        (asked.imgdupes_bin, "imgdupes", ("{folder}", "phash", "10", "--recursive"), blocks),
        (asked.imagededup_python, "imagededup", ("-c", IMAGEDEDUP, "{folder}"), last_line),
        (asked.fastdup_python, "fastdup", ("-c", FASTDUP, "{folder}"), last_line),
    )
    for program, name, _, _ in every:
        if program is None:
            print(f"{name}: not given, left out\n")
    return [Contender(name, (os.path.abspath(file), *rest), found) for file, name, rest, found in every if file]


# -- running ------------------------------------------------------------------------------------------


def run(command: Sequence[str], folder: Path, scratch: Path, watch: Callable[[int], None] | None = None) -> Run:
    """One run with `scratch` as its home; `watch` is called with the process while it runs."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    env |= {"HOME": str(scratch), "XDG_CACHE_HOME": str(scratch / "cache"), "XDG_CONFIG_HOME": str(scratch / "config")}
    argv = [part.replace("{folder}", str(folder)).replace("{scratch}", str(scratch)) for part in command]
    with (scratch / "output").open("w+") as output, (scratch / "errors").open("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(argv, stdout=output, stderr=errors, cwd=scratch, env=env, start_new_session=True)
        if watch:
            watch(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{command[0]} ended with {process.returncode}:\n{errors.read()[-2000:]}")
        output.seek(0)
        return Run(seconds, usage.ru_maxrss / 1024, output.read())


def cold(contender: Contender, folder: Path) -> Run:
    with tempfile.TemporaryDirectory() as scratch:
        return run(contender.command, folder, Path(scratch))


def run_watched(contender: Contender, folder: Path) -> tuple[Run, float]:
    """A cold run, and the peak memory of the process with its children in MB."""
    done = threading.Event()
    peak = [0.0]

    def sample(leader: int) -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], held(leader))

    def watch(leader: int) -> None:
        threading.Thread(target=sample, args=(leader,), daemon=True).start()

    with tempfile.TemporaryDirectory() as scratch:
        result = run(contender.command, folder, Path(scratch), watch)
    done.set()
    return result, max(peak[0], result.largest)


def held(leader: int) -> float:
    """Memory of the processes of one session in MB; shared pages are counted once."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) < leader:
            continue
        try:
            if int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                total += next(int(x.split()[1]) for x in (entry / "smaps_rollup").open() if x.startswith("Pss:"))
        except (OSError, StopIteration):  # the process has ended meanwhile
            continue
    return total / 1024


# -- tables -------------------------------------------------------------------------------------------


def beside_others(tools: list[Contender], folder: Path, runs: int) -> None:
    files = sum(path.is_file() for path in folder.rglob("*"))
    peaks = {tool.name: run_watched(tool, folder) for tool in tools}
    times: dict[str, list[float]] = {tool.name: [] for tool in tools}
    for _ in range(runs):
        for tool in tools:
            times[tool.name].append(cold(tool, folder).seconds)
    ours = statistics.median(times[tools[0].name])
    print(f"{folder.name}: {files} files, median of {runs} cold runs\n")
    print("| tool | seconds | ÷ the first | spread | peak MB | found |\n|---|---|---|---|---|---|")
    for tool in tools:
        median, (first, peak) = statistics.median(times[tool.name]), peaks[tool.name]
        spread = f"{min(times[tool.name]):.2f}–{max(times[tool.name]):.2f}"
        print(
            f"| {tool.name} | {median:.2f} | {median / ours:.2f} | {spread} | {peak:.0f} | {tool.found(first.output)} |"
        )
    print(flush=True)


def twinpix_alone(tool: Contender, folder: Path, small: Path | None, runs: int) -> None:
    files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)

    def median(command: Sequence[str], where: Path, scratch: Path) -> float:
        run(command, where, scratch)
        return statistics.median(run(command, where, scratch).seconds for _ in range(runs))

    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for number, path in enumerate(files[:2]):
            (scratch / "two").mkdir(exist_ok=True)
            shutil.copy(path, scratch / "two" / f"{number}{path.suffix}")
        (scratch / "none").mkdir()
        fresh = (*tool.command[:-1], "{scratch}/new")
        nothing = median(tool.command, scratch / "none", scratch)
        again = median(tool.command, folder, scratch)
        print("| twinpix alone | seconds |\n|---|---|")
        print(f"| `--help` | {median((tool.command[0], '--help'), folder, scratch):.3f} |")
        print(f"| an empty folder | {nothing:.3f} |")
        pair = []
        for _ in range(runs):
            pair.append(run(fresh, scratch / "two", scratch).seconds)
            for file in scratch.glob("new*"):
                file.unlink()
        print(f"| two small files | {statistics.median(pair):.3f} |")
        each = (again - nothing) / len(files) * 1e6
        print(f"| {folder.name} again, from the store: {len(files)} files | {again:.3f}: {each:.0f} µs a file |")
    if small:
        result, peak = run_watched(tool, small)
        count = sum(len(names) for _, _, names in os.walk(small))
        print(f"| {small.name}: {count} files, cold, once | {result.seconds:.1f}; peak {peak:.0f} MB |")
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--twinpix-bin", required=True)
    parser.add_argument("--method")
    for option in ("--czkawka-python", "--imagededup-python", "--imgdupes-bin", "--fastdup-python"):
        parser.add_argument(option)
    parser.add_argument("--small", type=Path, help="a folder of very many files, to measure memory on")
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    tools = contenders(asked)
    folders = [folder.resolve() for folder in asked.folders]
    for folder in folders:
        beside_others(tools, folder, asked.runs)
    twinpix_alone(tools[0], folders[0], asked.small and asked.small.resolve(), asked.runs)


if __name__ == "__main__":
    main()
