"""Workers that crash or hang cost one item, not the run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from twinpix.executors import Ask, Begin, Local, Lost

posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")


def square(batch: Sequence[int], begin: Begin, ask: Ask) -> list[int]:
    return [number * number for number in batch]


def treacherous(batch: Sequence[str], begin: Begin, ask: Ask) -> list[str]:
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


def asking(batch: Sequence[int], begin: Begin, ask: Ask) -> list[int]:
    return [ask(number) for number in batch]


def run(work: Any, batches: list[list[Any]], **options: Any) -> list[tuple[Any, Any]]:
    return list(Local(**options).run(work, iter(batches), lambda question: question + 1))


def by_batch(work: Any, batches: list[list[Any]], **options: Any) -> dict[Any, Any]:
    return {tuple(batch): result for batch, result in run(work, batches, **options)}


@pytest.mark.parametrize("workers", [1, 3])
def test_every_batch_comes_back(workers: int) -> None:
    batches = [[n, n + 1] for n in range(20)]
    results = run(square, batches, workers=workers)
    assert sorted(batch for batch, _ in results) == batches
    assert all(result == [n * n for n in batch] for batch, result in results)


def test_questions_are_answered() -> None:
    assert sorted(result for _, result in run(asking, [[1, 2], [5]], workers=2)) == [[2, 3], [6]]


@posix
@pytest.mark.parametrize(("item", "words"), [("crash", "SIGSEGV"), ("exit", "exit status 7")])
def test_a_crash_names_its_item_and_the_rest_goes_on(item: str, words: str) -> None:
    results = by_batch(treacherous, [["a", item, "b"], ["c"], ["d"]], workers=1)
    lost = results[("a", item, "b")]
    assert isinstance(lost, Lost)
    assert (lost.index, lost.lasting) == (1, item != "kill")
    assert words in lost.reason
    assert results[("c",)] == ["c"]
    assert results[("d",)] == ["d"]


def slow_answer(number: int) -> int:
    time.sleep(0.8)
    return number + 1


@posix
def test_a_busy_parent_is_no_hang() -> None:
    pool = Local(workers=2, timeout=0.5)
    results = {batch[0]: result for batch, result in pool.run(asking, [[1], [2], [3]], slow_answer)}
    assert results == {1: [2], 2: [3], 3: [4]}
    got: list[Any] = []
    for _, result in Local(workers=2, timeout=0.5).run(treacherous, [["a"], ["b"], ["c"], ["d"]], slow_answer):
        time.sleep(0.8)
        got.append(result)
    assert sorted(got) == [["a"], ["b"], ["c"], ["d"]]


@posix
def test_an_error_in_the_parent_ends_the_run() -> None:
    def fails(question: int) -> int:
        raise OSError("the store is gone")

    with pytest.raises(OSError, match="the store is gone"):
        list(Local(workers=1).run(asking, [[1], [2]], fails))


def test_a_script_without_a_guard_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    script.write_text(
        "import threading, twinpix\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        f"twinpix.find({str(tmp_path / 'a.png')!r}, store=None)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert 'if __name__ == "__main__"' in done.stderr


@posix
def test_a_hang_is_ended_by_the_timeout() -> None:
    start = time.monotonic()
    results = by_batch(treacherous, [["a", "hang"], ["c"]], workers=2, timeout=0.5)
    assert time.monotonic() - start < 20
    lost = results[("a", "hang")]
    assert isinstance(lost, Lost)
    assert (lost.index, lost.lasting) == (1, False)
    assert results[("c",)] == ["c"]


def test_a_bug_in_the_work_is_raised_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(treacherous, [["bug"]], workers=1)


def test_spawned_workers_do_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert sorted(result for _, result in run(square, [[2], [3]], workers=1)) == [[4], [9]]
