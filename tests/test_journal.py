"""Journals: after failed writes, failed system calls, and changes by other users."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import twinpix
from libraries import Tree, act_with, actions_where, content, contents, group, library, save, tree, write
from libraries import report as make_report
from twinpix import owners, plugins
from twinpix.act import journal
from twinpix.act import session as act_session
from twinpix.cli.app import run
from twinpix.report import writer

ACTIONS = actions_where(permanent=False)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fresh(base: Path, action: str, groups: int = 1) -> str:
    """A report on a new library in an empty folder."""
    base.mkdir()
    os.chdir(base)
    return str(save(library(base, groups, equal=plugins.load("actions", action).identical), base / "r.json"))


def failing(monkeypatch: pytest.MonkeyPatch, first: int, *, last: int) -> list[int]:
    """Let a range of writes to journals, counted from 1, fail; returns the running count."""
    count = [0]
    write = os.write

    def fails(handle: int, data: bytes) -> int:
        count[0] += 1
        if first <= count[0] <= last:
            raise OSError(errno.EIO, "input/output error")
        return write(handle, data)

    monkeypatch.setattr("twinpix.act.journal.os.write", fails)
    return count


@pytest.mark.parametrize("action", ACTIONS)
def test_a_journal_records_why_each_file_was_removed(action: str, tmp_path: Path) -> None:
    found = fresh(tmp_path / "library", action, groups=2)
    assert run(["resolve", found, *act_with(action), "--apply"]) == 0
    (session,) = journal.read("r.journal.jsonl").sessions
    groups = {group.id: group for group in twinpix.Report.load(found).groups}
    assert set(session.why) == set(session.steps)
    for number, step in session.steps.items():
        why = session.why[number]
        if action == "copy":
            assert (why.relation, why.reason) == ("", "largest file" if why.group else "in no group")
            continue
        assert why.reason == "largest file"
        matches = {match.b: match for match in groups[why.group].matches}
        if match := matches.get(step.path):
            assert (why.relation, why.distance) == (match.relation, match.distance)
    assert {why.group for why in session.why.values()} - {0} == set(groups)


def test_a_journal_of_an_action_without_undo_records_why_each_file_is_kept(tmp_path: Path) -> None:
    found = fresh(tmp_path / "library", "delete", groups=2)
    assert run(["resolve", found, "--delete", "--yes", "--apply"]) == 0
    (session,) = journal.read("r.journal.jsonl").sessions
    rows = [(each.group, os.path.basename(each.path), each.reason) for each in session.kept.values()]
    assert rows == [(1, "0.png", "largest file"), (2, "1.png", "largest file")]


def test_a_row_of_an_older_version_that_names_the_keeper_is_read(tmp_path: Path) -> None:
    found = fresh(tmp_path / "library", "delete")
    assert run(["resolve", found, "--delete", "--yes", "--apply"]) == 0
    file = Path("r.journal.jsonl")
    (session,) = journal.read("r.journal.jsonl").sessions
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    old = [{name: value for name, value in line.items() if name not in ("group", "reason")} for line in lines]
    assert lines != old
    file.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in old))
    (again,) = journal.read("r.journal.jsonl").sessions
    assert not again.unread
    assert again.kept == {path: each._replace(group=0, reason="") for path, each in session.kept.items()}
    assert {(why.group, why.reason) for why in again.why.values()} == {(0, "")}


def test_a_journal_of_an_older_version_is_undone(tmp_path: Path) -> None:
    """Its format on disk is written out here: renaming a module must not change it."""
    (tmp_path / "out").mkdir()
    target, path = tmp_path / "out" / "a.png", tmp_path / "photos" / "a.png"
    target.write_bytes(b"image")
    status = target.stat()
    facts = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_atime_ns, 0o644]
    step = [
        0,
        str(path),
        str(target),
        [*facts, status.st_uid, status.st_gid],
        "",
        "",
        str(path.parent / ".twinpix-ab-0"),
    ]
    rows = [
        {"journal": "twinpix.journal/1", "action": "move", "options": {"to": "out"}, "report": "", "created": "x"},
        {"unit": [step]},
        {"ready": True},
        {"done": 0},
        {"end": "done"},
    ]
    lines = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    Path("j.jsonl").touch(0o600)
    Path("j.jsonl").write_text(lines)
    assert twinpix.undo("j.jsonl").done == 1
    assert path.read_bytes() == b"image"
    assert not target.exists()


# -- a line cannot be written ---------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("lasting", [False, True])
def test_undo_restores_everything_whichever_write_fails(action: str, lasting: bool, tmp_path: Path) -> None:
    """Each write to the journal fails in turn, once, or together with all that follow it in that run."""
    place = 0
    while True:
        place += 1
        base = tmp_path / str(place)
        report = fresh(base, action)
        before = tree(base / "photos")
        with pytest.MonkeyPatch.context() as patch:
            count = failing(patch, place, last=10**9 if lasting else place)
            code = run(["resolve", report, *act_with(action), "--apply"])
        ended = journal.read("r.journal.jsonl").sessions[-1:]
        assert code == 3 or ended[0].ended == "done", place  # the last line is written once more
        run(["undo", "r.journal.jsonl"])
        assert tree(base / "photos") == before, place
        assert not (base / "out").exists(), place
        assert not list(base.rglob(".twinpix*")), place
        if count[0] < place:
            break
    assert place > 5


def test_a_delete_whose_journal_line_is_missing_is_known_to_be_done(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    report = fresh(tmp_path / "a", "delete", groups=2)
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, 3, last=3)  # the header and its units, then "ready", then the first deleted file
        assert run(["resolve", report, "--delete", "--yes", "--apply"]) == 3
    assert "1 file deleted" in capfd.readouterr().out
    (session,) = journal.read("r.journal.jsonl").sessions
    gone = {number for number, step in session.steps.items() if not os.path.exists(step.path)}
    assert gone == session.done == {0}


def test_a_failure_in_a_journal_of_an_older_version_is_checked(tmp_path: Path) -> None:
    """Older versions wrote that a step had failed when only the line about it could not be written."""
    report = fresh(tmp_path / "a", "move")
    before = tree(tmp_path / "a/photos")
    assert run(["resolve", report, *act_with("move"), "--apply"]) == 0
    path = Path("r.journal.jsonl")
    failed = '{"failed":0,"why":"could not be dealt with: input/output error"}'
    path.write_text(path.read_text().replace('{"done":0}', failed))
    assert run(["undo", str(path)]) == 0
    assert tree(tmp_path / "a/photos") == before


def test_an_undo_that_cannot_write_restores_everything(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    report = fresh(tmp_path / "a", "move")
    before = tree(tmp_path / "a/photos")
    assert run(["resolve", report, *act_with("move"), "--apply"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, 1, last=10**9)
        assert run(["undo", "r.journal.jsonl"]) == 3
    assert "the journal could not be written" in capfd.readouterr().out
    assert tree(tmp_path / "a/photos") == before
    assert run(["undo", "r.journal.jsonl"]) == 0


# -- unfinished steps --------------------------------------------------------------------------------------


def once(monkeypatch: pytest.MonkeyPatch, fails: Callable[[str], bool], name: str, *, after: bool) -> None:
    """Let one call of `os.NAME`, chosen by its path, fail before it does anything or after it did everything."""
    real = getattr(os, name)
    left = [1]

    def call(path: str, *rest: object, **more: object) -> object:
        if left[0] and fails(str(path)):
            left[0] -= 1
            if after:
                real(path, *rest, **more)
            raise OSError(errno.EIO, "input/output error", path)
        return real(path, *rest, **more)

    monkeypatch.setattr(f"twinpix.act.filesystem.os.{name}", call)


@pytest.mark.parametrize("action", ["hardlink", "symlink"])
@pytest.mark.parametrize("command", ["resolve", "undo"])
def test_staged_files_that_cannot_be_removed_are_removed_later(action: str, command: str, tmp_path: Path) -> None:
    report = fresh(tmp_path / "a", action, groups=2)
    before = tree(tmp_path / "a/photos")
    bad: list[bool] = [True]
    with pytest.MonkeyPatch.context() as patch:
        real = os.unlink

        def unlink(path: str, **more: object) -> None:
            if str(path).endswith(".aside") and bad[0]:
                raise PermissionError(errno.EPERM, "operation not permitted", path)
            real(path)

        patch.setattr("twinpix.act.filesystem.os.unlink", unlink)
        assert run(["resolve", report, *act_with(action), "--apply"]) == 3
    assert contents(tmp_path / "a/photos") == {data for data, _, _ in before.values()}
    if command == "resolve":
        assert run(["resolve", report, *act_with(action), "--apply"]) == 0
        assert not list(tmp_path.rglob(".twinpix*"))
    for name in sorted(map(str, Path().glob("r.journal*.jsonl")), reverse=True):
        assert run(["undo", name]) == 0
    assert tree(tmp_path / "a/photos") == before
    assert not list(tmp_path.rglob(".twinpix*"))


@pytest.mark.parametrize("after", [False, True])
def test_a_removal_that_returns_an_error(after: bool, tmp_path: Path) -> None:
    """The journal records whether the file was removed or still exists."""
    report = fresh(tmp_path / "a", "delete", groups=2)
    with pytest.MonkeyPatch.context() as patch:
        once(patch, lambda path: path.endswith(".aside"), "unlink", after=after)
        assert run(["resolve", report, "--delete", "--yes", "--apply"]) == (0 if after else 3)
    sessions = journal.read("r.journal.jsonl").sessions
    gone = {number for number, step in sessions[0].steps.items() if not os.path.exists(step.path)}
    assert gone == sessions[0].done
    assert bool(gone) == after
    assert not list(tmp_path.rglob(".twinpix*"))


# -- many steps -------------------------------------------------------------------------------------------


def test_undo_scans_the_finished_steps_only_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scanning them once for each file made the time of an undo quadratic in the number of files."""
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


# -- journals that another user could have written ---------------------------------------------------------


def planted(path: Path, action: str, files: list[Path], to: str = "", **head: object) -> None:
    """The journal of a run killed in the middle of a unit, as anyone could write it."""
    rows = []
    for number, file in enumerate(files):
        status = file.stat()
        facts = [
            *(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_atime_ns),
            *(0o6755, status.st_uid, status.st_gid),
        ]
        target = f"{to}/{file.name}" if to else ""
        rows.append([number, str(file), target, facts, "", "", f"{file.parent}/.twinpix-ab-{number}"])
    options = {"to": to} if to else {}
    first = {"journal": journal.SCHEMA, "action": action, "options": options, "report": "x", "created": "x", **head}
    lines: list[object] = [first, {"unit": rows}, {"ready": True}, {"done": 0}]
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def own(base: Path) -> list[Path]:
    """Files of a user that are in no report."""
    found = []
    for name in ("gone.jpg", "only1.jpg", "only2.jpg"):
        write(base, f"wedding/{name}", name.encode())
        found.append(base / "wedding" / name)
    return found


def given_away(path: Path) -> None:
    try:
        os.chown(path, 2002, 2002)
    except OSError:
        pytest.skip("only root can give a file away")


@pytest.mark.parametrize("how", ["other owner", "all can write", "group can write", "link"])
@pytest.mark.parametrize("action", ["delete", "move"])
def test_a_planted_journal_is_refused(how: str, action: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    report = fresh(tmp_path / "a", "move")
    path = Path("r.journal.jsonl")
    planted(
        tmp_path / "elsewhere.jsonl" if how == "link" else path, action, own(tmp_path), "/out"[: 4 * (action == "move")]
    )
    if how == "other owner":
        given_away(path)
    elif how == "link":
        path.symlink_to(tmp_path / "elsewhere.jsonl")
    else:
        os.chown(path, -1, 2002 if os.geteuid() == 0 else -1)
        path.chmod(0o606 if how == "all can write" else 0o660)
        if how == "group can write" and os.geteuid():
            pytest.skip("the group may be this user's alone")
    before = tree(tmp_path)
    for arguments in ([*act_with("move"), "--apply"], ["--trash", "--apply"], act_with("move")):
        assert run(["resolve", report, *arguments]) == 3
        errors = capfd.readouterr().err
        assert "r.journal.jsonl" in errors
        assert "remove it" in errors
    if how != "link":
        assert run(["undo", str(path)]) == 3
        assert "copy it to a folder that only you can write" in capfd.readouterr().err
        assert run(["resolve", report, *act_with("move"), "--apply", "--journal", str(path)]) == 3
    assert {name: file for name, file in tree(tmp_path).items() if ".state" not in name} == before


def test_an_open_journal_of_another_report_is_not_recovered(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Anyone who can rename files in a folder can give a user's journal the name of another report's journal."""
    files = own(tmp_path)
    report = fresh(tmp_path / "a", "move")
    planted(Path("r.journal.jsonl"), "delete", files, digest="0" * 32)
    assert run(["resolve", report, *act_with("move"), "--apply"]) == 3
    assert "undo that run first" in capfd.readouterr().err
    assert all(file.exists() for file in files)


def test_a_journal_names_files_of_its_roots_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = own(tmp_path)
    report = fresh(tmp_path / "a", "move")
    roots = [str(tmp_path / "a/photos")]
    planted(Path("r.journal.jsonl"), "delete", files, digest=journal.report_digest(report), roots=roots)
    assert run(["resolve", report, *act_with("move"), "--apply"]) == 3
    assert run(["undo", "r.journal.jsonl"]) == 3
    assert "outside of the folders of its report" in capfd.readouterr().err
    assert all(file.exists() for file in files)


def test_the_journal_of_a_killed_run_is_continued(tmp_path: Path) -> None:
    """Its journal, of this version or of one without digests, is recovered and appended to."""
    for at, old in enumerate((False, True)):
        report = fresh(tmp_path / str(at), "move", groups=2)
        before = tree(Path("photos"))
        assert run(["resolve", report, *act_with("move"), "--apply"]) == 0
        path = Path("r.journal.jsonl")
        lines = path.read_text().replace('{"done":3}\n', "").replace('{"end":"done"}\n', "").splitlines(keepends=True)
        if old:
            head = json.loads(lines[0])
            lines[0] = json.dumps({key: head[key] for key in list(head)[:5]}, separators=(",", ":")) + "\n"
        path.write_text("".join(lines))
        assert run(["resolve", report, *act_with("move"), "--apply"]) == 0
        assert '"recovered"' in path.read_text()
        assert run(["undo", str(path)]) == 0
        assert tree(Path("photos")) == before


def test_undo_sets_no_setuid_or_setgid_bit(tmp_path: Path) -> None:
    report = fresh(tmp_path / "a", "move")
    assert run(["resolve", report, *act_with("move"), "--apply"]) == 0
    path = Path("r.journal.jsonl")
    (step, *_) = journal.read(str(path)).sessions[0].steps.values()
    path.write_text(path.read_text().replace(f",{step.facts.mode},", f",{0o6755},", 1))
    assert run(["undo", str(path)]) == 0
    assert os.stat(step.path).st_mode & 0o7777 == 0o755


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_journal_is_in_the_users_folder_if_no_file_can_be_created(tmp_path: Path) -> None:
    report = fresh(tmp_path / "a", "move")
    before = tree(Path("photos"))
    os.chmod(".", 0o555)
    try:
        assert run(["resolve", report, "--move", str(tmp_path / "out"), "--apply"]) == 0
        (path,) = act_session.journals_of(report)
        assert run(["undo", path]) == 0
        assert tree(Path("photos")) == before
    finally:
        os.chmod(".", 0o755)


def test_a_journal_is_in_the_users_folder_if_others_could_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on file systems without owners and modes, where every new file is writable for everybody."""
    report = fresh(tmp_path / "a", "move")
    before = tree(Path("photos"))
    inode = os.stat(".").st_ino
    real = owners.stranger
    monkeypatch.setattr(
        owners,
        "stranger",
        lambda status: "it is everybody's" if status.st_ino in [*map(_inode, os.listdir(".")), inode] else real(status),
    )
    assert run(["resolve", report, *act_with("move"), "--apply"]) == 0
    assert not list(Path().glob("*.jsonl"))
    (path,) = act_session.journals_of(report)
    assert not os.path.basename(os.path.dirname(path)).startswith(".")
    assert run(["resolve", report, *act_with("move"), "--apply"]) == 0  # finds it again
    assert run(["undo", path]) == 0
    assert tree(Path("photos")) == before


def _inode(name: str) -> int:
    return os.lstat(name).st_ino


# -- the keeper has another name by now --------------------------------------------------------------------


def linked(base: Path, action: str) -> tuple[Tree, Path]:
    """A library of equal files in two folders, one with links to the other; its former state, and the journal."""
    base.mkdir()
    os.chdir(base)
    found = []
    for number in range(3):
        names = [f"photos/keep/{number}.png", f"photos/dup/{number}.png"]
        for at, name in enumerate(names):
            # times of the same second, as copies made by cp -p have them
            write(base, name, content(number), mtime=1_600_000_000 + (at if number else 0), mode=0o640 + at)
        found.append(group(base, number + 1, names))
    path = save(make_report(base, found), base / "r.json")
    before = tree(Path("photos/dup"))
    assert run(["resolve", str(path), f"--{action}", "--apply"]) == 0
    return before, base / "r.journal.jsonl"


@pytest.mark.parametrize(
    ("action", "new"), [("hardlink", "photos/kept"), ("symlink", "photos/a/b"), ("hardlink", "elsewhere")]
)
def test_undo_of_links_whose_other_folder_was_renamed(action: str, new: str, tmp_path: Path) -> None:
    before, path = linked(tmp_path / "a", action)
    os.makedirs(os.path.dirname(new) or ".", exist_ok=True)
    os.rename("photos/keep", new)
    assert run(["undo", str(path)]) == 0
    assert tree(Path("photos/dup")) == before
    assert not any(file.is_symlink() or file.stat().st_nlink > 1 for file in Path("photos/dup").iterdir())
    assert run(["undo", str(path)]) == 0


def test_links_to_missing_files_are_listed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before, path = linked(tmp_path / "a", "symlink")
    for number in (0, 1):
        os.rename(f"photos/keep/{number}.png", tmp_path / f"far away {number}")
    os.rename("photos/keep", "photos/other")
    capfd.readouterr()
    assert run(["undo", str(path)]) == 3
    output = capfd.readouterr().out
    assert "restored 1 file," in output
    assert output.count("no file with its bytes is found in") == 2
    assert str(tmp_path / "a/photos") in output
    for number in (0, 1):
        os.rename(tmp_path / f"far away {number}", f"photos/{number}.png")
    assert run(["undo", str(path)]) == 0
    assert tree(Path("photos/dup")) == before


def test_the_last_name_of_a_hard_link_gets_its_own_times_back(tmp_path: Path) -> None:
    before, path = linked(tmp_path / "a", "hardlink")
    shutil.rmtree("photos/keep")
    assert run(["undo", str(path)]) == 0
    assert tree(Path("photos/dup")) == before


def test_links_of_a_journal_without_roots_are_restored(tmp_path: Path) -> None:
    """As in an older version: the report names the folders; if it is missing too, the folders of the links are used."""
    for at, gone in enumerate((False, True)):
        before, path = linked(tmp_path / str(at), "symlink")
        lines = path.read_text().splitlines(keepends=True)
        head = json.loads(lines[0])
        lines[0] = json.dumps({key: head[key] for key in list(head)[:5]}, separators=(",", ":")) + "\n"
        path.write_text("".join(lines))
        os.rename("photos/keep", "photos/kept")
        if gone:
            os.unlink("r.json")
        assert run(["undo", str(path)]) == 0
        assert tree(Path("photos/dup")) == before


def test_undo_of_a_move_reports_where_the_bytes_are(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    report = fresh(tmp_path / "a", "move")
    before = tree(Path("photos"))
    assert run(["resolve", report, *act_with("move"), "--apply"]) == 0
    os.rename("out", "renamed")
    assert run(["undo", "r.journal.jsonl"]) == 3
    assert "a file with its bytes is" in capfd.readouterr().out
    os.rename("renamed", "out")
    assert run(["undo", "r.journal.jsonl"]) == 0
    assert tree(Path("photos")) == before


@pytest.mark.parametrize("kind", ["json", "csv", "text", "codes", "caption"])
def test_outputs_of_twinpix_are_not_companions(kind: str, tmp_path: Path) -> None:
    """A report beside photos, named like one of them, is not moved, whatever images it lists."""
    found = library(tmp_path, 2)
    names = {"json": "0 copy.png.json", "csv": "0 copy.png.csv", "text": "0 copy.txt", "codes": "0 copy.png.csv"}
    side = tmp_path / "photos" / names.get(kind, "0 copy.txt")
    for name in ("0", "1", "1 copy", "alone"):
        (tmp_path / f"photos/{name}.txt").write_text("a caption")  # as in data sets for training
    if kind == "codes":
        side.write_text("path,method,code\n")
    elif kind == "caption":
        side.write_text("a caption")
    else:
        side.write_bytes("".join(writer(kind).parts(found)).encode())
    twinpix.apply(twinpix.plan(found, "move:to=out"), "r.journal.jsonl")
    assert side.exists() == (kind != "caption")


def test_a_plan_alone_writes_nothing(tmp_path: Path) -> None:
    report = fresh(tmp_path / "a", "move")
    before = os.stat(".").st_mtime_ns
    assert run(["resolve", report, *act_with("move")]) == 0
    assert os.stat(".").st_mtime_ns == before
    assert not os.path.exists(os.path.join(os.environ["XDG_STATE_HOME"], "twinpix"))
