"""Runs with a work folder: stopped anywhere, continued by another process or machine, with the same report."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import twinpix
from amounts import amount
from commands import run
from drawings import draw
from reports import copies_and_a_broken_image, plain
from servers import s3_server
from twinpix.encoding import work_folder
from twinpix.encoding.work_folder import MARK
from twinpix.errors import UsageError
from twinpix.progress import Progress
from twinpix.store import Result, Store

pa = pytest.importorskip("pyarrow")


class Counting(Progress):
    """The number of images and pairs that a run read and verified."""

    def __init__(self) -> None:
        self.read = self.verified = 0
        self._name = ""

    def start(self, stage: str, total: int) -> None:
        self._name = stage

    def advance(self, steps: int = 1) -> None:
        self.read += steps * (self._name == "read")
        self.verified += steps * (self._name == "verify")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copies_and_a_broken_image(tmp_path_factory.mktemp("work") / "photos", 8)


@pytest.fixture(scope="module")
def complete(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder after a complete run."""
    folder = tmp_path_factory.mktemp("complete") / "work"
    twinpix.find(photos, store=None, work=folder)
    return folder


def test_a_second_run_reads_and_verifies_nothing(photos: Path, complete: Path) -> None:
    expected = twinpix.find(photos, store=None)
    assert len(expected.groups) == 8
    for work, nothing in ((complete, True), (None, False)):
        seen = Counting()
        found = twinpix.find(photos, store=None, work=work, progress=seen)
        assert ((seen.read, seen.verified) == (0, 0)) is nothing
        assert plain(found) == plain(expected)


def test_parts_are_named_by_what_they_are_made_from(photos: Path, complete: Path, tmp_path: Path) -> None:
    """Another machine that does the same work writes the same names; a run that does nothing writes none."""
    before = {name: (complete / name).stat().st_mtime_ns for name in os.listdir(complete)}
    twinpix.find(photos, store=None, work=complete)
    assert {name: (complete / name).stat().st_mtime_ns for name in os.listdir(complete)} == before
    first, second = (tmp_path / name for name in ("first", "second"))
    for folder in (first, second):
        twinpix.find(photos, store=None, work=folder, workers=1 + (folder is second))
    if len(os.listdir(first)) == len(os.listdir(second)) == 1 + 4:  # on a slow machine there are more parts
        assert sorted(os.listdir(first)) == sorted(os.listdir(second))
    assert {name.partition("-")[0] for name in before} >= {"version", "fingerprint", "size", "verify"}


def test_more_images_add_parts(photos: Path, tmp_path: Path) -> None:
    work, more = tmp_path / "work", tmp_path / "more"
    shutil.copytree(photos, more)
    twinpix.find(more, store=None, work=work)
    draw("scene", 77, (300, 200)).save(more / "new.png")
    seen, before = Counting(), set(os.listdir(work))
    found = twinpix.find(more, store=None, work=work, progress=seen)
    assert seen.read == 1
    assert before < set(os.listdir(work))
    assert plain(found) == plain(twinpix.find(more, store=None))


_CHILD = """
import sys, twinpix
if __name__ == "__main__":
    twinpix.find(sys.argv[1], store=None, work=sys.argv[2], workers=2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="ends a group of processes")
def test_a_killed_run_continues(photos: Path, complete: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed with all its workers at random moments; parts are complete or not there, and no work is lost."""
    whole, work, chance = Counting(), tmp_path / "work", random.Random(24)
    expected = plain(twinpix.find(photos, store=None, progress=whole))
    script = tmp_path / "child.py"
    script.write_text(_CHILD.replace("import sys, twinpix", _SOON), encoding="utf-8")
    for _ in range(amount(4, 15)):
        child = subprocess.Popen([sys.executable, script, photos, work], start_new_session=True)
        time.sleep(chance.uniform(0.5, 4))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert all(name.startswith((".twinpix-part-", MARK)) or _is_whole(work / name) for name in _names(work))
    seen = Counting()
    found = twinpix.find(photos, store=None, work=work, progress=seen)
    assert plain(found) == expected
    assert seen.read <= whole.read
    again = Counting()
    twinpix.find(photos, store=None, work=work, progress=again)
    assert (again.read, again.verified) == (0, 0)


_SOON = """
import sys, twinpix
from twinpix import store
from twinpix.encoding import work_folder
work_folder._SECONDS = store._FLUSH_SECONDS = 0.0  # a part for each result: many moments to be killed at
"""


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.exists() else []


def _is_whole(path: Path) -> bool:
    import pyarrow.parquet as pq

    return bool(pq.read_table(path).num_rows)


@pytest.fixture
def s3() -> Iterator[Any]:
    with s3_server() as fs:
        fs.mkdir("runs")
        yield fs


def test_a_work_folder_in_a_store(photos: Path, s3: Any) -> None:
    expected = plain(twinpix.find(photos, store=None, work="s3://runs/one"))
    names = [name.rpartition("/")[2] for name in s3.find("runs/one")]
    assert MARK in names
    assert len(names) > 4
    seen = Counting()
    assert plain(twinpix.find(photos, store=None, work="s3://runs/one/", progress=seen)) == expected
    assert (seen.read, seen.verified) == (0, 0)


def test_an_own_store_gets_each_part_once(photos: Path, complete: Path, tmp_path: Path) -> None:
    seen, store = Counting(), tmp_path / "s.sqlite"
    twinpix.find(photos, store=store, work=complete, progress=seen)
    assert (seen.read, seen.verified) == (0, 0)
    opened = Store(store)
    assert len(opened.parts()) == len(os.listdir(complete)) - 1
    opened.close()
    twinpix.find(photos, store=store, progress=seen)  # without the work folder: the store has it all
    assert (seen.read, seen.verified) == (0, 0)


def test_damaged_and_foreign_parts_are_named_and_left(photos: Path, complete: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(complete, work)
    part = next(path for path in work.iterdir() if path.name.startswith("fingerprint-"))
    part.write_bytes(part.read_bytes()[:-40])
    (work / "verify-0000.parquet").write_bytes(b"")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"key": ["text"], "verdict": ["{}"]}), work / "verify-0001.parquet")
    pq.write_table(pa.table({"a": [1]}), work / "version-0002.parquet")
    (work / "notes.txt").write_text("mine", encoding="utf-8")
    found = twinpix.find(photos, store=None, work=work)
    for name in (part.name, "verify-0000.parquet", "verify-0001.parquet", "version-0002.parquet"):
        assert sum(note.startswith(f"{name} of the work folder is not used, its work is") for note in found.notes) == 1
    expected = plain(twinpix.find(photos, store=None))
    assert {**plain(found), "notes": []} == {**expected, "notes": []}
    assert (work / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_a_folder_that_is_no_work_folder_is_refused(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="is not empty and no work folder of twinpix: name another one"):
        twinpix.find(photos, store=None, work=tmp_path / "mine")
    (tmp_path / "mine" / MARK).write_text('{"layout": 99}', encoding="utf-8")
    with pytest.raises(UsageError, match="is of another version of twinpix"):
        twinpix.find(photos, store=None, work=tmp_path / "mine")
    assert sorted(os.listdir(tmp_path / "mine")) == ["a.txt", MARK]
    (tmp_path / "file").write_text("x", encoding="utf-8")
    done = run("find", photos, "--no-store", "--work", tmp_path / "file")
    assert done.returncode == 2
    assert "twinpix: --work: the work folder" in done.stderr
    assert "cannot be used" in done.stderr
    if os.name == "posix":
        (tmp_path / "open").mkdir()
        (tmp_path / "open").chmod(0o777)
        with pytest.raises(UsageError, match="every user can write to it"):
            twinpix.find(photos, store=None, work=tmp_path / "open")


def test_a_work_folder_that_goes_away_ends_no_run(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"

    class Removing(Counting):
        def advance(self, steps: int = 1) -> None:
            super().advance(steps)
            if self.read == 3:
                shutil.rmtree(work, ignore_errors=True)

    notes: list[str] = []
    removing = Removing()
    monkeypatch.setattr(removing, "note", notes.append)
    found = twinpix.find(photos, store=None, work=work, progress=removing)
    assert len(found.groups) == 8
    # A part that could not be written before the report was made is in its notes too.
    said = [note for note in notes if "the work folder cannot be written" in note]
    assert len(said) == 1
    assert {note for note in found.notes if "work folder" in note} <= set(said)


def test_rows_of_any_kind_come_back(tmp_path: Path) -> None:
    """All fields of a result, failures too, survive the way through a part."""
    first, second = Store(None), Store(None)
    work = work_folder.WorkFolder(str(tmp_path / "w"), first)
    work.load()
    first.on_write = work.add
    results = [
        Result(b"\0\xff", 3, 4, "JPEG", True, 9, b"p" * 16, traits="a=1"),
        Result(None, stage="decode", error="brøken\n"),
        Result(b"", 1, 1, "PNG", decoder="x 1.0"),
    ]
    for number, result in enumerate(results):
        first.put_result(bytes([number]) * 16, "spec é", result)
    first.put_version(b"v" * 16, b"")
    first.put_size(7, b"d" * 16)
    first.put_verdict(b"k", '{"a": "ü"}')
    first.put_listing(b"l", b"\0entries")
    first.close()
    work.flush()
    work_folder.WorkFolder(str(tmp_path / "w"), second).load()
    digests = [bytes([number]) * 16 for number in range(3)]
    assert second.results(digests, "spec é") == dict(zip(digests, results, strict=True))
    assert second.verdicts([b"k"]) == {b"k": '{"a": "ü"}'}
    assert second.listing(b"l") == b"\0entries"
    assert second.digests_of_sizes([7], []) == [(7, b"d" * 16)]
    second.close()
