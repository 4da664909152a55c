"""Journals: what a failed write, a failed answer of the system, or a stranger does to them."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import twinpix
from libraries import contents, library, save, tree
from twinpix import journal
from twinpix.cli.app import run

ACTIONS = ["move", "copy", "hardlink", "symlink"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def options(action: str) -> list[str]:
    return {"move": ["--move", "out"], "copy": ["--copy-kept", "out"]}.get(action, [f"--{action}"])


def fresh(base: Path, action: str, groups: int = 1) -> str:
    """A report on a new library in an empty folder."""
    base.mkdir()
    os.chdir(base)
    return str(save(library(base, groups, equal=action in ("hardlink", "symlink")), base / "r.json"))


def failing(monkeypatch: pytest.MonkeyPatch, first: int, *, last: int) -> list[int]:
    """Let the writes to journals from one to another, counted from 1, fail; returns the count, as it goes."""
    count = [0]
    write = os.write

    def fails(handle: int, data: bytes) -> int:
        count[0] += 1
        if first <= count[0] <= last:
            raise OSError(errno.EIO, "input/output error")
        return write(handle, data)

    monkeypatch.setattr("twinpix.journal.os.write", fails)
    return count


# -- F6: a line cannot be written ------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("lasting", [False, True])
def test_whatever_write_fails_undo_puts_everything_back(action: str, lasting: bool, tmp_path: Path) -> None:
    """Each write to the journal fails in turn, once, or together with all that follow it in that run."""
    place = 0
    while True:
        place += 1
        base = tmp_path / str(place)
        report = fresh(base, action)
        before = tree(base / "photos")
        with pytest.MonkeyPatch.context() as patch:
            count = failing(patch, place, last=10**9 if lasting else place)
            code = run(["resolve", report, *options(action), "--apply"])
        ended = journal.read("r.journal.jsonl").sessions[-1:]
        assert code == 3 or ended[0].ended == "done", place  # the line of the end is written once more
        run(["undo", "r.journal.jsonl"])
        assert tree(base / "photos") == before, place
        assert not (base / "out").exists(), place
        assert not list(base.rglob(".twinpix*")), place
        if count[0] < place:
            break
    assert place > 5


def test_a_delete_whose_line_is_not_written_is_known_to_be_done(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    report = fresh(tmp_path / "a", "delete", groups=2)
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, 3, last=3)  # the head and its units, then "ready", then the first that was deleted
        assert run(["resolve", report, "--delete", "--apply"]) == 3
    assert "1 file deleted" in capfd.readouterr().out
    (session,) = journal.read("r.journal.jsonl").sessions
    gone = {number for number, step in session.steps.items() if not os.path.exists(step.path)}
    assert gone == session.done == {0}


def test_a_journal_of_an_older_version_that_says_failed_is_not_believed(tmp_path: Path) -> None:
    """Older versions wrote that a step had failed when only the line about it could not be written."""
    report = fresh(tmp_path / "a", "move")
    before = tree(tmp_path / "a/photos")
    assert run(["resolve", report, *options("move"), "--apply"]) == 0
    path = Path("r.journal.jsonl")
    failed = '{"failed":0,"why":"could not be dealt with: input/output error"}'
    path.write_text(path.read_text().replace('{"done":0}', failed))
    assert run(["undo", str(path)]) == 0
    assert tree(tmp_path / "a/photos") == before


def test_an_undo_that_cannot_write_puts_everything_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    report = fresh(tmp_path / "a", "move")
    before = tree(tmp_path / "a/photos")
    assert run(["resolve", report, *options("move"), "--apply"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, 1, last=10**9)
        assert run(["undo", "r.journal.jsonl"]) == 3
    assert "the journal could not be written" in capfd.readouterr().out
    assert tree(tmp_path / "a/photos") == before
    assert run(["undo", "r.journal.jsonl"]) == 0


# -- F16: what is left half done ---------------------------------------------------------------------------


def once(monkeypatch: pytest.MonkeyPatch, fails: Callable[[str], bool], name: str, *, after: bool) -> None:
    """Let one call of `os.NAME` fail whose path the test chooses, before it does anything or after it did it all."""
    real = getattr(os, name)
    left = [1]

    def call(path: str, *rest: object, **more: object) -> object:
        if left[0] and fails(str(path)):
            left[0] -= 1
            if after:
                real(path, *rest, **more)
            raise OSError(errno.EIO, "input/output error", path)
        return real(path, *rest, **more)

    monkeypatch.setattr(f"twinpix.files.os.{name}", call)


@pytest.mark.parametrize("action", ["hardlink", "symlink"])
@pytest.mark.parametrize("command", ["resolve", "undo"])
def test_files_set_aside_that_cannot_be_removed_go_later(action: str, command: str, tmp_path: Path) -> None:
    report = fresh(tmp_path / "a", action, groups=2)
    before = tree(tmp_path / "a/photos")
    bad: list[bool] = [True]
    with pytest.MonkeyPatch.context() as patch:
        real = os.unlink

        def unlink(path: str, **more: object) -> None:
            if str(path).endswith(".aside") and bad[0]:
                raise PermissionError(errno.EPERM, "operation not permitted", path)
            real(path)

        patch.setattr("twinpix.files.os.unlink", unlink)
        assert run(["resolve", report, *options(action), "--apply"]) == 3
    assert contents(tmp_path / "a/photos") == {data for data, _, _ in before.values()}
    if command == "resolve":
        assert run(["resolve", report, *options(action), "--apply"]) == 0
        assert not list(tmp_path.rglob(".twinpix*"))
    for name in sorted(map(str, Path().glob("r.journal*.jsonl")), reverse=True):
        assert run(["undo", name]) == 0
    assert tree(tmp_path / "a/photos") == before
    assert not list(tmp_path.rglob(".twinpix*"))


@pytest.mark.parametrize("after", [False, True])
def test_a_removal_whose_answer_is_an_error(after: bool, tmp_path: Path) -> None:
    """The file is gone, or it is there: the journal says which."""
    report = fresh(tmp_path / "a", "delete", groups=2)
    with pytest.MonkeyPatch.context() as patch:
        once(patch, lambda path: path.endswith(".aside"), "unlink", after=after)
        assert run(["resolve", report, "--delete", "--apply"]) == (0 if after else 3)
    sessions = journal.read("r.journal.jsonl").sessions
    gone = {number for number, step in sessions[0].steps.items() if not os.path.exists(step.path)}
    assert gone == sessions[0].done
    assert bool(gone) == after
    assert not list(tmp_path.rglob(".twinpix*"))


# -- G5: many steps ---------------------------------------------------------------------------------------


def test_undo_goes_through_what_is_done_a_few_times_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each file made the time of an undo grow with the square of their number."""
    fresh(tmp_path / "a", "move", 20)
    twinpix.apply(twinpix.plan(library(tmp_path / "a", 20), "move:to=out"), "r.journal.jsonl")
    passes: list[int] = []

    class Counted(set[int]):
        def __sub__(self, other: object) -> set[int]:
            passes.append(1)
            return set(self).difference(other)  # type: ignore[arg-type]

    read = journal.read

    def counted(path: str) -> journal.Record:
        record = read(path)
        for session in record.sessions:
            session.done, session.undone = Counted(session.done), Counted(session.undone)
        return record

    monkeypatch.setattr(journal, "read", counted)
    assert twinpix.undo("r.journal.jsonl").done == 40
    assert len(passes) < 10
