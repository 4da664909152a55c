"""Attacks on actions: whatever happens, every distinct image is readable somewhere afterwards."""

import ast
import errno
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import amounts
import twinpix
from libraries import (
    act_with,
    actions_where,
    content,
    contents,
    group,
    library,
    member,
    report,
    save,
    spec_of,
    tree,
    write,
)
from twinpix import plugins
from twinpix import rename as renaming
from twinpix.act import filesystem, journal
from twinpix.act.actions import trash
from twinpix.act.keepers import Keeper
from twinpix.act.lock import acting
from twinpix.act.steps import Facts
from twinpix.cli.app import run
from twinpix.errors import RefusedError, ReportError, StepError
from twinpix.model import Report

HERE = Path(__file__).parent
OTHER = Path("/dev/shm")  # usually on another file system than the folder of the tests


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, if available: no writes wait for a disk."""
    if not os.access(OTHER, os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="twinpix-", dir=OTHER))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    if not OTHER.is_dir() or OTHER.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system only")
    folder = OTHER / f"twinpix-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


# -- killed


ACTIONS = plugins.names("actions")


@pytest.mark.parametrize("action", ACTIONS)
def test_killed_before_and_after_every_change(action: str, memory: Path) -> None:
    """At every line after which files have changed: killing.py explains why that equals a kill at every line."""
    done = killing(action, memory, "changes")
    assert done["lines"] > 500
    assert done["kills"] > 30


@pytest.mark.parametrize(
    "action", [name if name == "move" else pytest.param(name, marks=pytest.mark.full) for name in ACTIONS]
)
def test_killed_at_every_line(action: str, memory: Path) -> None:
    """At every fifth by default, which confirms that the lines which `changes` omits need no kill."""
    done = killing(action, memory, "lines", 1 if amounts.is_full() else 5)
    assert done["kills"] > 150


@pytest.mark.parametrize("action", ACTIONS)
def test_killed_at_random_instants(action: str, memory: Path) -> None:
    runs = amounts.amount(10, 200)
    done = killing(action, memory, "random", runs, 1)
    assert done["runs"] == runs
    assert done["kills"] >= runs // 10


@pytest.mark.parametrize("how", ["changes", pytest.param("lines", marks=pytest.mark.full)])
def test_killed_between_two_file_systems(how: str, elsewhere: Path, tmp_path: Path) -> None:
    done = killing("move", tmp_path, how, *([3] if how == "lines" else []), "--other", elsewhere)
    assert done["kills"] > (300 if how == "lines" else 50)


def killing(action: str, place: Path, *how: object) -> dict[str, int]:
    folder = place / "killing"
    folder.mkdir()
    command = [sys.executable, "-W", "error", str(HERE / "killing.py"), action, str(folder), *map(str, how)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=550, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)  # type: ignore[no-any-return]


# -- changed between find and apply


def edit(path: Path) -> None:
    path.write_bytes(b"edited")


def edit_in_secret(path: Path) -> None:
    """Other bytes, the same size and time."""
    status = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_by_another(path: Path) -> None:
    other = path.with_name("another")
    other.write_bytes(b"another")
    other.replace(path)


def swap_for_a_link(path: Path) -> None:
    target = path.with_name("target of a link")
    path.rename(target)
    path.symlink_to(target)


def swap_for_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def swap_the_folder_for_a_link(path: Path) -> None:
    """The folder is moved out of the library and replaced by a link to it."""
    outside = path.parents[2] / "outside"
    path.parent.rename(outside)
    path.parent.symlink_to(outside)


CHANGES = [edit, edit_in_secret, replace_by_another, Path.unlink, swap_for_a_link, swap_for_a_folder]
DISCARDING = actions_where(on="discards")


@pytest.mark.parametrize("action", DISCARDING)
@pytest.mark.parametrize("change", [*CHANGES, swap_the_folder_for_a_link])
def test_a_changed_discard_is_not_removed(
    change: Callable[[Path], None], action: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = save(library(tmp_path, 2, equal=plugins.load("actions", action).identical), tmp_path / "r.json")
    change(tmp_path / "photos/sub/0 small.png")
    before = contents(tmp_path)
    assert run(["resolve", str(path), *act_with(action), "--yes", "--apply"]) == 3
    assert "left" in capfd.readouterr().out
    gone = {content(10 * n + at) for n in (0, 1) for at in (1, 2)} if action == "delete" else set()
    assert before - gone <= contents(tmp_path, Path(os.environ["XDG_DATA_HOME"]))
    assert (tmp_path / "photos/0.png").exists()


@pytest.mark.parametrize("action", DISCARDING)
@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_removed_if_the_keeper_changed(
    change: Callable[[Path], None], action: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = save(library(tmp_path, 2, equal=plugins.load("actions", action).identical), tmp_path / "r.json")
    change(tmp_path / "photos/0.png")
    assert run(["resolve", str(path), *act_with(action), "--yes", "--apply"]) == 3
    assert "the keeper" in capfd.readouterr().out or change is not edit_in_secret
    assert (tmp_path / "photos/0 copy.png").stat().st_nlink == 1
    assert (tmp_path / "photos/sub/0 small.png").stat().st_nlink == 1


# -- changed between the check and the step


RACES = [edit, replace_by_another, swap_for_a_link]


@pytest.mark.parametrize("action", [name for name in DISCARDING if name != "trash"])  # for the trash, see the next test
@pytest.mark.parametrize("change", RACES)
def test_a_change_after_the_last_check(
    change: Callable[[Path], None], action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is changed immediately before it is renamed."""
    identical = plugins.load("actions", action).identical
    found = library(tmp_path, 1, equal=identical)
    victim = tmp_path / "photos/0 copy.png"
    rename_new = renaming.rename_new
    done: list[str] = []

    def rename(source: str, target: str) -> None:
        if source == str(victim) and not done:
            done.append(target)
            change(victim)
        rename_new(source, target)

    monkeypatch.setattr(filesystem, "rename_new", rename)
    made = twinpix.plan(found, spec_of(action, tmp_path / "out"))
    outcome = act(made, tmp_path)
    assert done
    assert [row.reason for row in outcome.skipped if row.path == str(victim)]
    assert victim.exists()
    assert not victim.is_symlink() or change is swap_for_a_link
    assert not [name for name in tree(tmp_path) if "twinpix-" in name]
    images = {content(0)} if identical else {content(0), content(1)}
    assert images - contents(tmp_path) <= ({content(1)} if change in (edit, replace_by_another) else set())


def test_a_file_swapped_before_it_was_trashed_is_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = library(tmp_path, 1)
    victim = tmp_path / "photos/0 copy.png"
    check = Keeper.check

    def checked(keeper: Keeper, path: str, facts: Facts, digest: str, *, same: bool) -> None:
        check(keeper, path, facts, digest, same=same)
        if path == str(victim):
            replace_by_another(victim)

    monkeypatch.setattr(Keeper, "check", checked)
    outcome = act(twinpix.plan(found, "trash"), tmp_path)
    assert [row.reason for row in outcome.skipped] == ["was changed or replaced during this step"]
    assert victim.read_bytes() == b"another"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one trash for all file systems")
def test_the_trash_is_searched_at_the_target_of_a_link(elsewhere: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").symlink_to(elsewhere)
    top = elsewhere
    while not os.path.ismount(top):
        top = top.parent
    assert f"{top}/.Trash-{os.getuid()}/files" in trash._folders(f"{tmp_path}/photos/1.jpg")


def test_a_name_that_is_taken_in_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = library(tmp_path, 1)
    rename_new = renaming.rename_new

    def rename(source: str, target: str) -> None:
        if target.endswith("out/0 copy.png"):
            write(tmp_path, "out/0 copy.png", b"somebody else's")
        rename_new(source, target)

    monkeypatch.setattr(filesystem, "rename_new", rename)
    before = tree(tmp_path / "photos")
    outcome = act(twinpix.plan(found, f"move:to={tmp_path}/out"), tmp_path)
    assert not outcome.skipped
    assert (tmp_path / "out/0 copy.png").read_bytes() == b"somebody else's"
    assert (tmp_path / "out/0 copy (2).png").read_bytes() == content(1)
    assert not twinpix.undo(outcome.journal).skipped
    assert tree(tmp_path / "photos") == before


def act(made: twinpix.Plan, folder: Path) -> twinpix.Outcome:
    with acting():
        return twinpix.apply(made, str(folder / "j.jsonl"))


# -- unusable targets


def test_to_another_file_system_and_back(elsewhere: Path, tmp_path: Path) -> None:
    found = library(tmp_path, 2)
    os.chmod(tmp_path / "photos/0 copy.png", 0o604)
    before = tree(tmp_path / "photos")
    outcome = act(twinpix.plan(found, f"move:to={elsewhere}/out"), tmp_path)
    assert (outcome.done, outcome.skipped) == (4, [])
    assert tree(elsewhere / "out")["0 copy.png"] == before["0 copy.png"]
    assert not twinpix.undo(outcome.journal).skipped
    assert tree(tmp_path / "photos") == before
    assert not (elsewhere / "out").exists()


@pytest.mark.parametrize("act_of", ["unlink", "rename"])
def test_an_error_returned_for_a_finished_step(
    act_of: str, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on sshfs and NFS when a reply is lost: the source of a move to another file system was removed anyway."""
    found = library(tmp_path, 2)
    before = tree(tmp_path / "photos")
    unlink, rename_new = os.unlink, renaming.rename_new

    def lost(path: str) -> None:
        unlink(path)
        if path.endswith(".aside"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def lost_rename(source: str, target: str) -> None:
        rename_new(source, target)
        if target.endswith(".aside"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", lost) if act_of == "unlink" else patch.setattr(
            filesystem, "rename_new", lost_rename
        )
        outcome = act(twinpix.plan(found, f"move:to={elsewhere}/out"), tmp_path)
    assert (outcome.done, outcome.skipped) == (4, [])
    assert len(tree(elsewhere / "out")) == 4
    assert not twinpix.undo(outcome.journal).skipped
    assert tree(tmp_path / "photos") == before


@pytest.mark.parametrize("becomes", ["edited", "away", "as it was"])
def test_a_copy_is_removed_only_if_its_source_is_there(becomes: str, elsewhere: Path, tmp_path: Path) -> None:
    """The removal of the source fails; meanwhile it was edited, moved away, or not changed."""
    found = library(tmp_path, 1)
    victim = tmp_path / "photos/0 copy.png"
    unlink = os.unlink

    def fails(path: str) -> None:
        if path.endswith(".aside") and path.startswith(str(tmp_path)):
            if becomes == "edited":
                edit_in_secret(Path(path))
            elif becomes == "away":
                os.rename(path, tmp_path / "away")
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        unlink(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", fails)
        outcome = act(twinpix.plan(found, f"move:to={elsewhere}/out"), tmp_path)
    assert content(1) in contents(tmp_path, elsewhere)
    assert (elsewhere / "out/0 copy.png").exists() == (becomes != "as it was")
    assert victim.exists() == (becomes != "away")
    assert outcome.done == (2 if becomes == "away" else 0)


def test_links_do_not_reach_another_file_system(elsewhere: Path, tmp_path: Path) -> None:
    write(elsewhere, "photos/k.png", b"same")
    write(tmp_path, "photos/d.png", b"same")
    names = [str(elsewhere / "photos/k.png"), str(tmp_path / "photos/d.png")]
    found = report(tmp_path, [group(tmp_path, 1, names)], (str(elsewhere / "photos"), str(tmp_path / "photos")))
    outcome = act(twinpix.plan(found, "hardlink"), tmp_path)
    assert [row.reason for row in outcome.skipped] == ["is on another file system than the keeper"]
    assert (tmp_path / "photos/d.png").stat().st_nlink == 1


def test_a_full_disk(elsewhere: Path, tmp_path: Path) -> None:
    """The second copy does not fit: its source is not removed, and no partial file is left."""
    found = library(tmp_path, 3)
    for name in ("0 copy.png", "1 copy.png"):
        write(tmp_path, f"photos/{name}", os.urandom(1000 if name[0] == "0" else 100_000))
    groups = [group(tmp_path, n + 1, [f"photos/{n}.png", f"photos/{n} copy.png"]) for n in range(3)]
    path = save(replace(found, groups=groups), tmp_path / "r.json")
    before = contents(tmp_path)
    command = [sys.executable, "-m", "twinpix", "resolve", str(path), "--move", str(elsewhere / "out"), "--apply"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # otherwise truncated bytecode would be left
    )
    assert done.returncode == 3, done.stderr
    assert "file too large" in done.stdout
    assert before <= contents(tmp_path, elsewhere)
    assert sorted(tree(elsewhere / "out")) == ["0 copy.png", "2 copy.png"]
    assert (tmp_path / "photos/1 copy.png").exists()


def test_a_really_full_disk(tmp_path: Path) -> None:
    """A file system of 64 kB in a separate namespace, if that can be created."""
    small = tmp_path / "small"
    small.mkdir()
    found = library(tmp_path, 40)
    for number in range(40):
        write(tmp_path, f"photos/{number} copy.png", os.urandom(5000))
    groups = [group(tmp_path, n + 1, [f"photos/{n}.png", f"photos/{n} copy.png"]) for n in range(40)]
    path = save(replace(found, groups=groups), tmp_path / "r.json")
    before = contents(tmp_path)
    script = f"""mount -t tmpfs -o size=64k none {small} || exit 77
{sys.executable} -m twinpix resolve {path} --move {small}/out --apply; echo "code $?"
cp -r {small}/out {tmp_path}/saved
{sys.executable} -m twinpix undo {tmp_path}/r.journal.jsonl; echo "code $?" """
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("needs unshare")
    done = subprocess.run([unshare, "-rm", "sh", "-c", script], capture_output=True, text=True)
    if done.returncode in (1, 77) and "code" not in done.stdout:
        pytest.skip("may not mount here")
    assert "no space left on device: stopped" in done.stdout, done.stdout + done.stderr
    assert "code 3" in done.stdout
    assert 3 < len(tree(tmp_path / "saved")) < 40
    assert done.stdout.endswith("code 0\n"), done.stdout
    assert contents(tmp_path) >= before
    assert len(tree(tmp_path / "photos")) == 121


@pytest.mark.parametrize("target", ["/proc/out", "/sys/out", "/dev/null/out", "r.json/out", "r.json"])
def test_a_target_that_cannot_be_written(target: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if target[0] == "/" and not os.path.exists(os.path.dirname(target)):
        pytest.skip(f"no {target} here")
    path = save(library(tmp_path, 2), tmp_path / "r.json")
    before = tree(tmp_path)
    for option in ("--move", "--copy-kept"):
        assert run(["resolve", str(path), option, target, "--apply"]) == 3
        assert "name another" in capfd.readouterr().err or target.startswith(("/proc", "/sys"))
    assert tree(tmp_path) == before


def test_a_trash_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no folder").write_bytes(b"")
    path = save(library(tmp_path, 1), tmp_path / "r.json")
    command = [sys.executable, "-m", "twinpix", "resolve", str(path), "--trash"]
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "no folder")}
    before = tree(tmp_path / "photos")
    done = subprocess.run([*command, "--apply"], capture_output=True, text=True, env=environment)
    assert done.returncode == 3
    assert "the trash refused it" in done.stdout
    assert "move it to a folder instead" in done.stdout
    assert tree(tmp_path / "photos") == before


# -- false reports


def lying(base: Path, lie: str) -> Report:
    """A report whose first group has a false statement."""
    found = library(base, 2)
    first, second = found.groups
    write(base, "secret/0.png", b"secret")
    secret = member(base, "secret/0.png")
    by_dots = replace(secret, path="photos/../secret/0.png")
    copy = first.members[1]
    lies: dict[str, Callable[[], list[object]]] = {
        "outside": lambda: [replace(first, members=[*first.members, secret])],
        "absolute": lambda: [replace(first, members=[*first.members, replace(secret, path=str(base / secret.path))])],
        "dots": lambda: [replace(first, members=[*first.members, by_dots])],
        "dots in a root": lambda: [replace(first, members=[*first.members, replace(copy, path="photos/sub/../x")])],
        "nul": lambda: [replace(first, members=[*first.members, replace(copy, path="photos/\0")])],
        "folder": lambda: [replace(first, members=[*first.members, replace(copy, path="photos/sub/.")])],
        "no keeper": lambda: [replace(first, keeper="photos/gone.png")],
        "empty keeper": lambda: [replace(first, keeper="")],
        "all discards": lambda: [first, replace(second, members=[*second.members, first.members[0]])],
        "twice": lambda: [replace(first, members=[*first.members, copy])],
        "two spellings": lambda: [replace(first, members=[*first.members, replace(copy, path="photos//0 copy.png")])],
        "no digest": lambda: [replace(first, members=[first.members[0], replace(copy, digest="")])],
        "no members": lambda: [replace(first, members=[])],
    }
    return replace(found, groups=lies[lie]())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "lie",
    [
        *("outside", "absolute", "dots", "nul", "folder", "no keeper", "empty keeper", "all discards", "twice"),
        *("two spellings", "no digest", "no members", "dots in a root"),
    ],
)
def test_a_false_report_is_refused_as_a_whole(lie: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = save(lying(tmp_path, lie), tmp_path / "r.json")
    before = tree(tmp_path)
    for action in DISCARDING:
        assert run(["resolve", str(path), *act_with(action), "--yes", "--apply"]) == 3
        assert "the report cannot be trusted" in capfd.readouterr().err
    assert tree(tmp_path) == before


@pytest.mark.parametrize("option", [["--move", "out"], ["--trash"], ["--delete"]])
@pytest.mark.parametrize("how", ["hard link", "symlink", "hard link of two discards"])
def test_one_file_under_two_names(
    how: str, option: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Removing one of the names would free nothing, or leave no other."""
    write(tmp_path, "photos/k.png", b"k")
    write(tmp_path, "photos/d.png", b"d")
    first = "photos/d.png" if how.endswith("discards") else "photos/k.png"
    make = os.symlink if how == "symlink" else os.link
    make(tmp_path / first, tmp_path / "photos/again.png")
    names = ["photos/k.png", "photos/again.png", *(["photos/d.png"] if how.endswith("discards") else [])]
    path = save(report(tmp_path, [group(tmp_path, 1, names)]), tmp_path / "r.json")
    before = contents(tmp_path / "photos")
    assert run(["resolve", str(path), *option, "--yes", "--apply"]) == 3
    printed = capfd.readouterr().out
    assert "is another name of" in printed or "is a symbolic link now" in printed
    assert (tmp_path / "photos/k.png").exists()
    assert contents(tmp_path / "photos") == before  # of two discards that are the same file, one name is kept


def test_a_bind_mount_is_another_name(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("needs unshare")
    write(tmp_path, "photos/a/k.png", b"k")
    (tmp_path / "photos/b").mkdir()
    shutil.copytree(tmp_path / "photos/a", tmp_path / "photos/b", dirs_exist_ok=True)
    path = save(report(tmp_path, [group(tmp_path, 1, ["photos/a/k.png", "photos/b/k.png"])]), tmp_path / "r.json")
    script = f"""mount --bind {tmp_path}/photos/a {tmp_path}/photos/b || exit 77
{sys.executable} -m twinpix resolve {path} --delete --yes --apply; echo "code $?" """
    done = subprocess.run([unshare, "-rm", "sh", "-c", script], capture_output=True, text=True)
    if "code" not in done.stdout:
        pytest.skip("may not mount here")
    assert "is another name of" in done.stdout
    assert done.stdout.endswith("code 3\n")
    assert (tmp_path / "photos/a/k.png").exists()


# -- concurrent runs


def test_two_runs_at_once(tmp_path: Path) -> None:
    """One run acts, the other is refused, and nothing is lost."""
    path = save(library(tmp_path, 300), tmp_path / "r.json")
    before = contents(tmp_path / "photos")
    command = [sys.executable, "-m", "twinpix", "resolve", str(path), "--move", "out", "--apply"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [(process.communicate(timeout=60), process.returncode) for process in both]
    for (_, err), code in ends:
        assert code == 0 or (code == 3 and "another run of twinpix is changing files" in err), (code, err)
    assert 0 in [code for _, code in ends]
    assert contents(tmp_path / "photos", tmp_path / "out") == before
    assert len(tree(tmp_path / "out")) == 600


def test_no_run_acts_while_another_does(tmp_path: Path) -> None:
    path = save(library(tmp_path, 1), tmp_path / "r.json")
    made = twinpix.plan(library(tmp_path, 1), f"move:to={tmp_path}/out")
    code: list[int] = []
    with acting():
        with pytest.raises(RefusedError, match="wait until it has ended"), acting():
            pass
        other = threading.Thread(target=lambda: code.append(run(["resolve", str(path), "--trash", "--apply"])))
        other.start()
        other.join()
        assert twinpix.apply(made, str(tmp_path / "j.jsonl")).done == 2
    assert code == [3]


def test_applying_a_plan_takes_the_lock_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = twinpix.plan(library(tmp_path, 1), f"move:to={tmp_path}/out")
    before = tree(tmp_path / "photos")
    refused: list[RefusedError] = []

    def apply() -> None:
        try:
            twinpix.apply(made, str(tmp_path / "j.jsonl"))
        except RefusedError as error:
            refused.append(error)

    with acting():
        other = threading.Thread(target=apply)
        other.start()
        other.join()
    assert "another run of twinpix is changing files" in str(refused[0])
    assert tree(tmp_path / "photos") == before
    assert not (tmp_path / "j.jsonl").exists()
    rename_new, refusals = renaming.rename_new, 0

    def rename(source: str, target: str) -> None:
        nonlocal refusals
        with pytest.raises(RefusedError, match="wait until it has ended"), acting():
            pass
        refusals += 1
        rename_new(source, target)

    monkeypatch.setattr(filesystem, "rename_new", rename)
    assert twinpix.apply(made, str(tmp_path / "j.jsonl")).done == 2
    assert refusals >= 2
    with acting():
        assert twinpix.undo(str(tmp_path / "j.jsonl")).done == 2
    assert tree(tmp_path / "photos") == before


# -- file operations


def test_a_rename_replaces_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for renamer in (renaming._renamer(), None):
        monkeypatch.setattr(renaming, "_renamer", lambda made=renamer: made)
        write(tmp_path, "a", b"a")
        write(tmp_path, "b", b"b")
        with pytest.raises(FileExistsError):
            renaming.rename_new(str(tmp_path / "a"), str(tmp_path / "b"))
        with pytest.raises(FileNotFoundError):
            renaming.rename_new(str(tmp_path / "none"), str(tmp_path / "c"))
        renaming.rename_new(str(tmp_path / "a"), str(tmp_path / "c"))
        assert ((tmp_path / "c").read_bytes(), (tmp_path / "b").read_bytes()) == (b"a", b"b")
        (tmp_path / "c").unlink()


def test_a_digest_of_a_large_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    import xxhash

    for size in (0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000):
        write(tmp_path, "x", os.urandom(size))
        path = str(tmp_path / "x")
        assert filesystem.digest_of(path, filesystem.facts_at(path)) == xxhash.xxh3_128_hexdigest(
            (tmp_path / "x").read_bytes()
        )
    with pytest.raises(StepError, match="changed during this step"):
        filesystem.digest_of(path, filesystem.facts_at(path)._replace(size=1))


def test_a_journal_is_on_the_disk_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = library(tmp_path, 2)
    written: list[int] = []
    rename_new = renaming.rename_new

    def rename(source: str, target: str) -> None:
        written.append(len(journal.read(str(tmp_path / "j.jsonl")).sessions[0].steps))
        rename_new(source, target)

    monkeypatch.setattr(filesystem, "rename_new", rename)
    act(twinpix.plan(found, f"move:to={tmp_path}/out"), tmp_path)
    assert written == [4, 4, 4, 4]


def test_only_a_journal_is_accepted_for_journal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(save(library(tmp_path, 1), tmp_path / "r.json"))
    (tmp_path / "diary.txt").write_bytes(b"dear diary\n")
    assert run(["resolve", path, "--move", "out", "--apply", "--journal", "diary.txt"]) == 3
    assert run(["resolve", path, "--move", "out", "--apply", "--journal", "no/such/folder"]) == 3
    assert (tmp_path / "diary.txt").read_bytes() == b"dear diary\n"
    assert not (tmp_path / "out").exists()
    with pytest.raises(ReportError):
        journal.read("diary.txt")


# -- only one module removes and renames files


@pytest.mark.parametrize("action", plugins.names("actions"))
def test_actions_remove_and_rename_through_the_file_system_module_alone(action: str) -> None:
    """Functions that remove or replace a file check no guard; `trash` removes metadata files that it wrote."""
    source = Path(sys.modules[plugins.load("actions", action).__module__].__file__ or "").read_text(encoding="utf-8")
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = {ast.unparse(call) for call in calls if isinstance(call, ast.Attribute)}
    unguarded = {f"os.{name}" for name in ("remove", "unlink", "rename", "renames", "replace", "rmdir", "truncate")}
    found = {name for name in named if name in unguarded or name.startswith("shutil.")}
    assert found <= ({"os.unlink"} if action == "trash" else set())
