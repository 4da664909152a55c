"""A program for the tests: kills runs of an action, each run at another line or instant.

usage: python killing.py ACTION FOLDER (changes | lines EVERY | random RUNS SEED) [--other FOLDER]

`lines`: before each line that the acting code executes, or before every n-th. `changes`: before the first of these
lines, and before each line before which any file differs from its state before the previous line. A killed run leaves
only files, so a kill at any other line leaves the same files as one of these kills.
Ends with an error if an image was lost, or if undo or another run did not restore everything.
"""

import argparse
import json
import os
import random
import shutil
import signal
import stat
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import FrameType
from typing import Any

import twinpix
from libraries import contents, library, make_reflinks_copies, sample_of, save, tree
from twinpix import plugins, report
from twinpix.act import session
from twinpix.act.actions import options_of

WATCHED = (
    "twinpix/act/filesystem.py",
    "twinpix/rename.py",
    "twinpix/act/journal.py",
    "twinpix/act/actions/",
    "twinpix/act/apply.py",
    "twinpix/act/outcome.py",
    "send2trash/",
    "/shutil.py",
)


class Place:
    """A library in its own folder, and an action on it."""

    def __init__(self, folder: Path, action: str, other: Path | None, groups: int) -> None:
        self.folder, self.target = folder, (other or folder) / "target"
        self.action = sample_of("actions", action, self.target)
        self.report = save(library(folder, groups, equal=self.action.identical), folder / "report.json")
        for name in ("0", "0 copy"):  # removed too, since the keeper has an equal one
            (folder / f"photos/{name}.xmp").write_bytes(b"sidecar")
        self.before = tree(folder / "photos")
        self.images = contents(folder / "photos")
        os.environ["HOME"] = os.environ["XDG_STATE_HOME"] = str(folder / "home")
        os.environ["XDG_DATA_HOME"] = str(folder / "home/data")
        (folder / "home").mkdir()

    def apply(self) -> None:
        """One run, as the command does it; raises if a file is skipped for a reason."""
        place = (plugins.name_of(self.action), options_of(self.action))
        with session.open_run(str(self.report), *place, apply=True) as on:
            plan = twinpix.plan(
                report.read(str(self.report)), self.action, dealt_with=on.dealt_with, source=str(self.report)
            )
            outcome = twinpix.apply(plan, on.journal)
        bad = [left for left in [*outcome.skipped, *on.unrepaired] if left.refused]
        assert not bad, bad

    def undo(self, *, complete: bool = True) -> None:
        for name in reversed(session.journals_of(str(self.report))):
            outcome = twinpix.undo(name)
            assert not (complete and outcome.skipped), outcome.skipped

    def everywhere(self) -> set[bytes]:
        return contents(self.folder / "photos", self.folder / "home", self.target)


def in_child(work: Callable[[], None]) -> int:
    """Run in a separate process; returns its signal or its exit status."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent hears of it
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def at_each_line(call: Callable[[int], None], work: Callable[[], None]) -> Callable[[], None]:
    """The same work, with `call(n)` before the n-th line that it executes in the acting code."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if not any(part in frame.f_code.co_filename for part in WATCHED):
            return None
        if event == "line":
            count += 1
            call(count)
        return trace

    def traced() -> None:
        sys.settrace(trace)
        work()
        sys.settrace(None)

    return traced


def killed_at(line: int, work: Callable[[], None]) -> Callable[[], None]:
    """The same work, by a process that kills itself before the n-th line."""

    def kill(now: int) -> None:
        if now == line:
            os.kill(os.getpid(), signal.SIGKILL)

    return at_each_line(kill, work)


def lines_after_changes(place: Place) -> tuple[int, list[int]]:
    """The number of lines that a run executes; the first, and those before which a file has changed."""
    last, lines, count = None, [], 0
    folders = {place.folder, place.target.parent}

    def note(line: int) -> None:
        nonlocal last, count
        count = line
        if last != (now := state(folders)):
            last = now
            lines.append(line)

    read, write = os.pipe()

    def watched() -> None:
        at_each_line(note, place.apply)()
        os.write(write, json.dumps([count, lines]).encode())

    assert in_child(watched) == 0
    os.close(write)
    with open(read, "rb") as pipe:
        lines, chosen = json.load(pipe)
        return lines, chosen


def state(folders: set[Path]) -> list[tuple[object, ...]]:
    """Everything that a process can leave behind: names, link targets, bytes, times, modes."""
    found: list[tuple[object, ...]] = []
    for folder in folders:
        for top, names, files in os.walk(folder):
            for path in (os.path.join(top, name) for name in (*names, *files)):
                status = os.lstat(path)
                what = (path, status.st_ino, status.st_nlink, status.st_mode, status.st_mtime_ns, status.st_size)
                data: str | bytes = ""
                if stat.S_ISLNK(status.st_mode):
                    data = os.readlink(path)
                elif stat.S_ISREG(status.st_mode):
                    with open(path, "rb") as file:
                        data = file.read()
                found.append((*what, data))
    return found


def check(place: Place, final: Any, *, again: bool) -> None:
    """After a kill: nothing is lost, another run ends like an undisturbed one, and undo restores everything."""
    permanent = plugins.name_of(place.action) == "delete"
    missing = place.images - place.everywhere()
    kept = {data for name, (data, _, _) in place.before.items() if name.count(" ") == 0}
    assert not (missing & kept if permanent else missing), "an image is lost"
    if again:
        place.apply()
        assert set(tree(place.folder / "photos")) == set(final[0]), "another run leaves other files"
        assert set(tree(place.target)) == set(final[1]), "another run moves other files"
    if permanent:
        place.undo(complete=False)
    else:
        place.undo()
        after = tree(place.folder / "photos")
        assert after == place.before, f"undo leaves {sorted(set(after) ^ set(place.before)) or 'other times or modes'}"
        assert not place.target.exists(), f"undo leaves {list(place.target.rglob('*'))}"
    rest = [name for name in os.listdir(place.folder / "photos") if name.startswith(".twinpix")]
    assert not rest, f"left over: {rest}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action")
    parser.add_argument("folder", type=Path)
    parser.add_argument("how", choices=("changes", "lines", "random"))
    parser.add_argument("numbers", type=int, nargs="*")
    parser.add_argument("--other", type=Path)
    asked = parser.parse_args()
    where = [*asked.folder.glob("*"), *(asked.other.glob("*") if asked.other else ())]
    assert not where, where

    def fresh(groups: int) -> Place:
        for folder in filter(None, (asked.folder, asked.other)):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        return Place(asked.folder, asked.action, asked.other, groups)

    make_reflinks_copies()
    groups = 12 if asked.how == "random" else 2
    place = fresh(groups)
    place.apply()  # in this process, which then has every module loaded
    final = (sorted(tree(place.folder / "photos")), sorted(tree(place.target)))
    lines = kills = runs = 0
    if asked.how == "changes":
        lines, chosen = lines_after_changes(fresh(groups))
        for line, again in product([*chosen, lines + 1], (False, True)):
            place = fresh(groups)
            status = in_child(killed_at(line, place.apply))
            assert status == (signal.SIGKILL if line <= lines else 0), f"line {line}: status {status}"
            runs += 1
            kills += line <= lines
            check(place, final, again=again)
    elif asked.how == "lines":
        every, line = asked.numbers[0], 1
        while True:
            place = fresh(groups)
            status = in_child(killed_at(line, place.apply))
            assert status in (0, signal.SIGKILL), f"line {line}: status {status}"
            check(place, final, again=runs % 2 == 0)
            runs += 1
            if status == 0:
                break
            kills += 1
            line += every
    else:
        count, seed = asked.numbers
        chance = random.Random(seed)
        place = fresh(groups)
        start = time.perf_counter()
        assert in_child(place.apply) == 0
        whole = time.perf_counter() - start
        for runs in range(1, count + 1):
            place = fresh(groups)
            child = os.fork()
            if not child:
                place.apply()
                os._exit(0)
            time.sleep(chance.uniform(0, whole))
            os.kill(child, signal.SIGKILL)
            kills += os.waitpid(child, 0)[1] == signal.SIGKILL
            check(place, final, again=runs % 2 == 0)
    print(json.dumps({"lines": lines, "runs": runs, "kills": kills}))


if __name__ == "__main__":
    main()
