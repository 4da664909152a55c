"""A worker that crashes or hangs loses one item, not the run."""

import os
import signal
import subprocess
import sys
import threading
import time
import zipapp
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from drawings import draw
from sessions import session_of
from twinpix.encoding.encoder import Encoder
from twinpix.errors import ImageError
from twinpix.executors import Begin, Local, Lost
from twinpix.fingerprints.base import Identity
from twinpix.imaging import Picture, decode
from twinpix.sources import scan
from twinpix.store import Store

posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")


def square(batch: Sequence[int], begin: Begin) -> list[int]:
    return [number * number for number in batch]


def treacherous(batch: Sequence[str], begin: Begin) -> list[str]:
    for index, item in enumerate(batch):
        begin(index)
        if item == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if item == "exit":
            os._exit(7)
        if item == "hang":
            time.sleep(600)
        if item == "bug":
            raise ZeroDivisionError(item)
    return list(batch)


def run(task: Any, batches: list[list[Any]], **options: Any) -> dict[Any, Any]:
    """The result of each item."""
    return dict(Local(**options).map(task, batches))


@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_comes_back_with_its_result(workers: int) -> None:
    batches = [[2 * n, 2 * n + 1] for n in range(20)]
    assert run(square, batches, workers=workers) == {n: n * n for n in range(40)}


@posix
@pytest.mark.parametrize(("item", "words", "fault"), [("crash", "SIGSEGV", True), ("exit", "exit status 7", False)])
def test_a_crash_is_attributed_to_its_item_and_the_rest_finish(item: str, words: str, fault: bool) -> None:
    results = run(treacherous, [["a", item, "b"], ["c"], ["d"]], workers=1)
    lost = results.pop(item)
    assert isinstance(lost, Lost)
    assert (lost.index, lost.fault, lost.again) == (0, fault, True)  # retried once, alone
    assert words in lost.reason
    assert results == {name: name for name in "abcd"}


@posix
def test_a_busy_parent_is_not_a_hang() -> None:
    got: list[Any] = []
    for _, result in Local(workers=2, timeout=0.5).map(treacherous, [["a"], ["b"], ["c"], ["d"]]):
        time.sleep(0.8)
        got.append(result)
    assert sorted(got) == ["a", "b", "c", "d"]


def test_an_error_in_the_parent_ends_the_workers() -> None:
    run = Local(workers=1).map(square, [[1], [2]])
    next(run)
    with pytest.raises(OSError, match="the store is gone"):
        run.throw(OSError("the store is gone"))


# A program without a `__main__` guard and with a second thread, so that no process can be forked from it.
PROGRAM = """
import threading
with open({mark!r}, "a") as file:
    file.write("ran")
threading.Thread(target=threading.Event().wait, daemon=True).start()
import twinpix
report = twinpix.find({folder!r}, method="phash:size=16", store=None, workers=2)
print(len(report.groups), len(report.failures))
"""


def package(folder: Path, program: str) -> list[str]:
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").touch()
    (folder / "package" / "__main__.py").write_text(program)
    return ["-m", "package"]


def archive(folder: Path, program: str) -> list[str]:
    (folder / "app").mkdir()
    (folder / "app" / "__main__.py").write_text(program)
    zipapp.create_archive(folder / "app", folder / "app.pyz")
    return [str(folder / "app.pyz")]


def script(folder: Path, program: str) -> list[str]:
    (folder / "script.py").write_text(program)
    return ["script.py"]


@pytest.mark.parametrize("how", ["script", "package", "archive", "-c", "-"])
def test_a_program_without_a_guard_runs_once(tmp_path: Path, photos: Path, how: str) -> None:
    mark = tmp_path / "mark"
    program = PROGRAM.format(mark=str(mark), folder=str(photos))
    makers = {"script": script, "package": package, "archive": archive}
    command = makers[how](tmp_path, program) if how in makers else [how, program] if how == "-c" else [how]
    done = subprocess.run(
        [sys.executable, *command], input=program, capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert (done.stdout, done.stderr, done.returncode) == ("1 0\n", "", 0)
    assert mark.read_text() == "ran"


POOL = """
import multiprocessing, sys, twinpix

def groups(folder):
    return len(twinpix.find(folder, method="phash:size=16", store=None, workers=2).groups)

if __name__ == "__main__":
    with multiprocessing.get_context({context!r}).Pool(2) as pool:
        print(pool.map(groups, [{folder!r}] * 3))
"""


@posix
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_it_works_in_daemonic_processes(tmp_path: Path, photos: Path, context: str) -> None:
    (tmp_path / "script.py").write_text(POOL.format(context=context, folder=str(photos)))
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("[1, 1, 1]\n", "", 0)


LOCAL_CLASS = """
import threading, warnings
from twinpix.executors import Local
class Work:
    def __call__(self, batch, begin):
        return [item + 1 for item in batch]
threading.Thread(target=threading.Event().wait, daemon=True).start()
print(list(Local(2, note=print).map(Work(), [[1], [2]])))
"""


def test_work_that_no_other_process_can_import_is_done_in_this_one(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LOCAL_CLASS], capture_output=True, text=True, timeout=120)
    note, result = done.stdout.splitlines()
    assert "no worker processes can be started" in note
    assert sorted(eval(result)) == [(1, 2), (2, 3)]


@posix
def test_a_hang_is_ended_by_the_timeout() -> None:
    start = time.monotonic()
    results = run(treacherous, [["a", "hang"], ["c"]], workers=2, timeout=0.5)
    assert time.monotonic() - start < 20
    lost = results.pop("hang")
    assert isinstance(lost, Lost)
    assert (lost.index, lost.fault, lost.again) == (1, False, False)
    assert results == {"a": "a", "c": "c"}


def test_a_bug_in_the_work_is_raised_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(treacherous, [["bug"]], workers=1)


def test_spawned_workers_do_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert run(square, [[2], [3]], workers=1) == {2: 4, 3: 9}


@dataclass(frozen=True)
class Deadly(Identity):
    """A method that sends its worker a signal, unless the file `spared` exists."""

    signal: int
    spared: str

    @property
    def variant(self) -> str:
        return str(self.signal)

    def prepare(self, picture: Picture) -> Any:
        if not Path(self.spared).exists():
            os.kill(os.getpid(), self.signal)
        return np.zeros(16, np.uint8)


def coded(folder: Path, signal: int) -> list[bool]:
    """Whether each content has a code."""
    with closing(Store(folder / "store")) as store:
        coder = Encoder(session_of(store), [Deadly(signal, str(folder / "spared"))])
        digests = coder.encode(scan([str(folder / "images")]).refs)
        return [coder.result(digest).code is not None for digest in digests]


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGXCPU", "SIGABRT", "SIGKILL", "SIGSEGV", "SIGBUS", "SIGFPE"])
def test_only_a_decoder_that_crashes_twice_is_stored_as_a_failure(tmp_path: Path, name: str) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (40, 40), (200, 30, 40)).save(tmp_path / "images" / "a.png")
    os.utime(tmp_path / "images" / "a.png", (10**9, 10**9))
    number = signal.Signals[name]
    assert coded(tmp_path, number) == [False]
    (tmp_path / "spared").touch()
    assert coded(tmp_path, number) == [name not in ("SIGSEGV", "SIGBUS", "SIGFPE")]


def first_time(batch: Sequence[str], begin: Begin) -> list[str]:
    """Ends its worker at each item that names a file which does not exist yet."""
    for index, item in enumerate(batch):
        begin(index)
        if not Path(item).exists():
            Path(item).touch()
            os.kill(os.getpid(), signal.SIGTERM)
    return list(batch)


@posix
def test_items_of_a_worker_ended_by_a_signal_are_retried(tmp_path: Path) -> None:
    names = [str(tmp_path / str(number)) for number in range(3)]
    assert run(first_time, [names], workers=1) == {name: name for name in names}


def ends_once(batch: Sequence[dict[str, str]], begin: Begin) -> list[str]:
    return first_time([item["name"] for item in batch], begin)


@posix
def test_an_item_that_cannot_be_hashed_is_retried(tmp_path: Path) -> None:
    items = [{"name": str(tmp_path / str(number))} for number in range(2)]
    found = list(Local(workers=1).map(ends_once, [items]))
    assert sorted(result for _, result in found) == [item["name"] for item in items]


def hungry(batch: Sequence[int], begin: Begin) -> list[int]:
    for index, size in enumerate(batch):
        begin(index)
        held = bytearray(size)
        time.sleep(0.5 if size > 100 << 20 else 0)
        del held
    return list(batch)


@pytest.mark.parametrize("threads", [False, True])
def test_a_worker_has_a_memory_limit(threads: bool) -> None:
    with living_thread() if threads else nullcontext():
        results = run(hungry, [[1000, 400 << 20], [2000]], workers=1, memory=200 << 20)
    lost = results.pop(400 << 20)
    assert isinstance(lost, Lost)
    assert (lost.index, lost.fault, lost.again) == (1, False, False)
    assert lost.reason == "needs more memory than the limit of 0.195 GB for one worker process"
    assert results == {1000: 1000, 2000: 2000}


def refused(batch: Sequence[int], begin: Begin) -> list[int]:
    begin(0)
    raise MemoryError


def test_refused_memory_is_not_a_bug_of_the_work() -> None:
    assert run(refused, [[1]], workers=1)[1] == Lost(0, "needs more memory than is available")


# With an address space limit that leaves little for a decode, once all modules are loaded.
LITTLE_MEMORY = """
import resource, sys, twinpix
folder, small, store, limited = sys.argv[1:]
twinpix.find(small, method="phash:size=16", store=None, workers=1)
if limited == "limited":
    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (12 << 20), -1))
print(len(twinpix.find(folder, method="phash:size=16", store=store, workers=1).failures))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="macOS does not hold to RLIMIT_AS")
def test_out_of_memory_failures_are_not_stored(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "small.png")
    image = draw("scene", 1, (400, 300)).resize((2400, 1800))
    for suffix in ("webp", "png", "tif"):
        image.save(tmp_path / "images" / f"a.{suffix}")
        os.utime(tmp_path / "images" / f"a.{suffix}", (10**9, 10**9))
    arguments = [sys.executable, "-c", LITTLE_MEMORY, *(str(tmp_path / n) for n in ("images", "small.png", "store"))]
    failures = [
        int(subprocess.run([*arguments, how], capture_output=True, text=True, timeout=120, check=True).stdout)
        for how in ("limited", "free")
    ]
    assert failures[0] > 0
    assert failures[1] == 0


@contextmanager
def living_thread() -> Iterator[None]:
    """Give this process another thread, so that it cannot be forked."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


# Two workers that never come back: one sleeps, one keeps the interpreter busy.
ORPHANS = """
import os, sys, threading, time
sys.path.insert(0, {tests!r})
from twinpix.executors import Local
from test_executor import endless
if {threads}:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
def run():
    list(Local(2).map(endless, [[({folder!r}, "sleep")], [({folder!r}, "work")]]))
if {inside}:
    threading.Thread(target=run).start()
else:
    run()
"""


def endless(batch: Sequence[tuple[str, str]], begin: Begin) -> None:
    """Creates a folder named after the process in a folder, and never ends."""
    folder, what = batch[0]
    (Path(folder) / str(os.getpid())).mkdir()
    while True:
        if what == "sleep":
            time.sleep(600)


@posix
@pytest.mark.parametrize(("threads", "inside"), [(False, False), (True, False), (True, True)])
def test_workers_end_with_their_parent(threads: bool, inside: bool, tmp_path: Path) -> None:
    here, folder = str(Path(__file__).parent), str(tmp_path)
    program = ORPHANS.format(tests=here, threads=threads, inside=inside, folder=folder)
    with subprocess.Popen([sys.executable, "-c", program]) as parent:
        end = time.monotonic() + 60
        while time.monotonic() < end and len(os.listdir(tmp_path)) < 2:
            time.sleep(0.02)
        workers = [int(name) for name in os.listdir(tmp_path)]
        assert len(workers) == 2
        parent.kill()
        parent.wait()
        end = time.monotonic() + 2
        while time.monotonic() < end and any(map(runs, workers)):
            time.sleep(0.02)
        left = [pid for pid in workers if runs(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left


def runs(pid: int) -> bool:
    """Whether a process that is not a child of this one is running."""
    state = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():  # an ended process may be a zombie until its exit code is read
        with suppress(OSError):
            return state.read_text().rpartition(")")[2].split()[0] != "Z"
        return False
    return exists(pid)


def exists(pid: int) -> bool:
    """Whether there is a process of this number; an ended child is there until its exit code is read."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork")
def test_raw_files_are_decoded_where_torch_has_computed(shared: Path, tmp_path: Path) -> None:
    """An OpenMP library waits for ever for threads that were lost in the fork."""
    pytest.importorskip("torch")
    pytest.importorskip("rawpy")
    raw = next((path for path in sorted((shared / "images/dev/nasty").rglob("*")) if is_raw(path)), None)
    if raw is None:
        pytest.skip("the shared images hold no RAW file")
    script = (
        "import sys, torch, twinpix\n"
        "torch.rand(2000, 2000) @ torch.rand(2000, 2000)\n"
        "report = twinpix.find(sys.argv[1:], method='phash:size=16', store=None, workers=2, timeout=20.0)\n"
        "print(len(report.failures), report.counts.images)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, raw, *drawn(tmp_path)], capture_output=True, text=True)
    assert done.stdout.split() == ["0", "41"], done.stderr


def is_raw(path: Path) -> bool:
    """True for a RAW file that can be decoded."""
    if path.suffix.lower() not in (".cr2", ".nef", ".dng", ".arw", ".rw2", ".raf"):
        return False
    try:
        decode(path.read_bytes(), "fast", str(path))
    except ImageError:
        return False
    return True


def drawn(folder: Path) -> list[str]:
    """Enough images to be distributed among processes."""
    paths = [folder / f"{number}.png" for number in range(40)]
    for number, path in enumerate(paths):
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    return list(map(str, paths))


@dataclass(frozen=True)
class Counting:
    """Returns the process and the number of items that it has seen in all runs."""

    keeps_workers: ClassVar[bool] = True
    name: str

    def __call__(self, batch: Sequence[int], begin: Begin) -> list[tuple[int, int]]:
        global _seen
        out = []
        for index, item in enumerate(batch):
            begin(index)
            if item < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            _seen += 1
            out.append((os.getpid(), _seen))
        return out


_seen = 0


def counted(local: Local, name: str, items: list[int]) -> dict[int, Any]:
    return dict(local.map(Counting(name), [[item] for item in items]))


def test_workers_wait_for_the_next_run_of_an_equal_task_that_says_so() -> None:
    local = Local(workers=1, keeps=True)
    (first, seen), (again, later), (other, anew) = (
        counted(local, name, [at])[at] for at, name in enumerate(["one", "one", "two"])
    )
    assert (again, seen, later) == (first, 1, 2)
    assert other != first
    assert anew == 1
    assert not exists(first)
    assert exists(other)
    local.close()
    assert not exists(other)


@posix
def test_a_waiting_worker_that_has_ended_costs_no_item() -> None:
    local = Local(workers=1, keeps=True)
    pid, _ = counted(local, "one", [1])[1]
    os.kill(pid, signal.SIGKILL)
    while exists(pid) and local._pool[0].process.code(0.1) is None:
        pass
    found, seen = counted(local, "one", [2])[2]
    local.close()
    assert found != pid
    assert seen == 1


@posix
def test_workers_end_with_a_run_that_is_left_early_and_lost_ones_are_replaced() -> None:
    local = Local(workers=1, keeps=True)
    with closing(local.map(Counting("one"), [[1], [2]])) as run_:
        _, (pid, _) = next(run_)
    assert not exists(pid)
    found = counted(local, "one", [1, -1, 2])
    assert isinstance(found[-1], Lost)
    assert found[2][0] != 0
    local.close()


@posix
def test_workers_end_with_a_run_whose_executor_nobody_closes() -> None:
    pid, _ = counted(Local(workers=1), "one", [1])[1]
    assert not exists(pid)
