"""No file is removed unless its keeper is proven to be a different, unchanged file."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xxhash

import twinpix
from killing import in_child
from libraries import actions_where, content, contents, group, report, save, spec_of, tree, write
from twinpix import rename as renaming
from twinpix.act import filesystem, journal
from twinpix.act.keepers import Keeper
from twinpix.act.lock import acting
from twinpix.cli.app import run
from twinpix.errors import RefusedError, StepError
from twinpix.model import Report


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def pair(base: Path, first: bytes, second: bytes) -> Report:
    """A report of two files; the first one is the keeper."""
    write(base, "photos/first.png", first)
    write(base, "photos/second.png", second)
    return report(base, [group(base, 1, ["photos/first.png", "photos/second.png"])])


# -- bytes, not digests -----------------------------------------------------------------------------------


def colliding() -> tuple[bytes, bytes]:
    """Two files with one XXH3-128 digest.

    The hash combines each word with a fixed secret and multiplies its halves. Words whose lower half equals that of the
    secret are multiplied by 0, so their upper halves enter as a sum only.
    """
    secret = bytes.fromhex("b8fe6c3923a44bbe7c01812cf721ad1c")

    def made(upper: int) -> bytes:
        data = bytearray(b"twinpix " * 256)
        for stripe, value in ((0, upper), (1, 2**32 - 1 - upper)):
            data[64 * stripe : 64 * stripe + 8] = secret[8 * stripe : 8 * stripe + 4] + value.to_bytes(4, "little")
        return bytes(data)

    return made(7), made(1_000_000)


@pytest.mark.parametrize("action", actions_where(on="discards"))
def test_files_with_a_forged_equal_digest_are_kept(action: str, tmp_path: Path) -> None:
    first, second = colliding()
    assert first != second
    assert xxhash.xxh3_128_digest(first) == xxhash.xxh3_128_digest(second)
    before = contents(tmp_path / "photos")
    outcome = twinpix.apply(twinpix.plan(pair(tmp_path, first, second), spec_of(action)), "j.jsonl")
    assert [row.reason for row in outcome.skipped] == ["has other bytes than the keeper"]
    assert (tmp_path / "photos/first.png").read_bytes() == first
    assert (tmp_path / "photos/second.png").read_bytes() == second
    assert not before - contents(tmp_path / "photos")


def test_large_files_are_compared_to_their_ends(tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    found = pair(tmp_path, data, data)
    path = str(tmp_path / "photos/second.png")
    facts = filesystem.facts_at(path)
    keeper = Keeper(
        str(tmp_path / "photos/first.png"), filesystem.facts_at(str(tmp_path / "photos/first.png")), "first"
    )
    keeper.check(path, facts, found.groups[0].members[1].digest, same=True)
    for place in (0, 1 << 20, 3_000_000):
        other = bytearray(data)
        other[place] ^= 1
        write(tmp_path, "photos/third.png", bytes(other))
        third = str(tmp_path / "photos/third.png")
        with pytest.raises(StepError, match="other bytes"):
            keeper.check(third, filesystem.facts_at(third), "", same=True)
    keeper.close()


# -- a resumed run --------------------------------------------------------------------------------------


def killed_after_one_file(base: Path) -> Path:
    """A report of two pairs of JPEG and RAW, whose deletion was killed between the two files of the second pair."""
    for folder in ("keep", "dup"):
        write(base, f"{folder}/x.jpg", content(1))
        write(base, f"{folder}/x.cr2", content(2))
    found = report(base, [group(base, 1, ["keep/x.jpg", "dup/x.jpg"])], ("keep", "dup"))
    path = save(found, base / "r.json")

    def work() -> None:
        done = journal.Journal.note_done

        def killed(log: journal.Journal, number: int) -> None:
            done(log, number)
            os.kill(os.getpid(), signal.SIGKILL)

        journal.Journal.note_done = killed  # type: ignore[method-assign, assignment]
        run(["resolve", str(path), "--delete", "--yes", "--apply"])

    assert in_child(work) == signal.SIGKILL
    assert len(os.listdir(base / "dup")) == 1
    return path


def remove_what_stays(base: Path) -> None:
    shutil.rmtree(base / "keep")
    (base / "keep").mkdir()


def edit_what_stays(base: Path) -> None:
    for name in os.listdir(base / "keep"):
        edit_in_secret(base / "keep" / name)


def edit_the_rest(base: Path) -> None:
    edit_in_secret(next((base / "dup").iterdir()))


def edit_in_secret(path: Path) -> None:
    """Other bytes, the same size and time."""
    status = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [remove_what_stays, edit_what_stays, edit_the_rest])
def test_a_resumed_run_checks_like_a_first_one(
    change: Callable[[Path], None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = killed_after_one_file(tmp_path)
    change(tmp_path)
    before = tree(tmp_path / "dup")
    assert run(["resolve", str(path), "--delete", "--yes", "--apply"]) == 3
    assert tree(tmp_path / "dup") == before
    assert "by a run that was killed" in capfd.readouterr().out


def test_a_run_is_resumed(tmp_path: Path) -> None:
    path = killed_after_one_file(tmp_path)
    assert run(["resolve", str(path), "--delete", "--yes", "--apply"]) == 0
    assert not os.listdir(tmp_path / "dup")
    assert len(os.listdir(tmp_path / "keep")) == 2


def test_a_journal_that_does_not_name_the_keepers_is_not_resumed(tmp_path: Path) -> None:
    path = killed_after_one_file(tmp_path)
    lines = (tmp_path / "r.journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "r.journal.jsonl").write_bytes(b"".join(line for line in lines if not line.startswith(b'{"keep"')))
    assert run(["resolve", str(path), "--delete", "--yes", "--apply"]) == 3
    assert len(os.listdir(tmp_path / "dup")) == 1


# -- undo of copies -----------------------------------------------------------------------------------------


def link_to_the_copies(base: Path) -> None:
    shutil.rmtree(base / "photos")
    (base / "photos").symlink_to("clean")


def rename_and_link(base: Path) -> None:
    shutil.rmtree(base / "photos")
    (base / "clean").rename(base / "photos")
    (base / "clean").symlink_to("photos")


def hard_links(base: Path) -> None:
    for file in (base / "clean").iterdir():
        (base / "photos" / file.name).unlink()
        (base / "photos" / file.name).hardlink_to(file)


def edit_the_originals(base: Path) -> None:
    for file in (base / "photos").iterdir():
        edit_in_secret(file)


@pytest.mark.parametrize("change", [link_to_the_copies, rename_and_link, hard_links, edit_the_originals])
def test_undo_of_copies_keeps_those_without_an_original(change: Callable[[Path], None], tmp_path: Path) -> None:
    path = save(pair(tmp_path, content(1), content(2)), tmp_path / "r.json")
    write(tmp_path, "photos/first.xmp", b"sidecar")
    assert run(["resolve", str(path), "--copy-kept", "clean", "--apply"]) == 0
    change(tmp_path)
    before = tree(tmp_path / "clean")
    assert set(before) >= {"first.png", "first.xmp"}
    assert run(["undo", "r.journal.jsonl"]) == 3
    assert tree(tmp_path / "clean") == before
    assert not list(tmp_path.rglob(".twinpix*"))


def test_undo_of_copies_removes_copies(tmp_path: Path) -> None:
    path = save(pair(tmp_path, content(1), content(2)), tmp_path / "r.json")
    assert run(["resolve", str(path), "--copy-kept", "clean", "--apply"]) == 0
    assert run(["undo", "r.journal.jsonl"]) == 0
    assert not (tmp_path / "clean").exists()


# -- two runs with opposite reports --------------------------------------------------------------------------


def test_two_users_do_not_delete_both_copies(tmp_path: Path) -> None:
    count = 60
    for number in range(count):
        for folder in ("a", "b"):
            write(tmp_path, f"{folder}/{number}.png", content(number))
    for name, (first, second) in {"r1": ("a", "b"), "r2": ("b", "a")}.items():
        groups = [group(tmp_path, n + 1, [f"{first}/{n}.png", f"{second}/{n}.png"]) for n in range(count)]
        save(report(tmp_path, groups, ("a", "b")), tmp_path / f"{name}.json")
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "twinpix", "resolve", f"{name}.json", "--delete", "--yes", "--apply"],
            env={**os.environ, "HOME": str(tmp_path / name), "XDG_STATE_HOME": str(tmp_path / name)},
            stdout=subprocess.DEVNULL,
        )
        for name in ("r1", "r2")
    ]
    assert all(process.wait(timeout=120) in (0, 3) for process in runs)
    assert contents(tmp_path / "a", tmp_path / "b") == {content(number) for number in range(count)}
    assert len(tree(tmp_path / "a")) + len(tree(tmp_path / "b")) < 2 * count
    assert not [path for folder in "ab" for path in (tmp_path / folder).iterdir() if path.name.startswith(".")]


def test_a_run_respects_keepers_and_removals_of_another_run(tmp_path: Path) -> None:
    plan = twinpix.plan(pair(tmp_path, content(1), content(1)), "delete")
    first, second = str(tmp_path / "photos/first.png"), str(tmp_path / "photos/second.png")
    other = Keeper(second, filesystem.facts_at(second), second)
    (left,) = twinpix.apply(plan, "j1.jsonl").skipped
    assert left.reason == "is the keeper of another run"
    other.close()
    handle = filesystem.open_same(first, filesystem.facts_at(first))
    assert filesystem.lock(handle, shared=False)
    (left,) = twinpix.apply(plan, "j2.jsonl").skipped
    assert left.reason.endswith("is being removed by another run")
    os.close(handle)
    assert twinpix.apply(plan, "j3.jsonl").done == 1


@pytest.mark.parametrize("action", [*actions_where(on="discards"), "reflink"])
def test_without_locks_the_names_reveal_another_run(
    action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run stages the keeper while this one stages its duplicate: both restore their file."""
    plan = twinpix.plan(pair(tmp_path, content(1), content(1)), spec_of(action))
    first, second = str(tmp_path / "photos/first.png"), str(tmp_path / "photos/second.png")
    rename_new = renaming.rename_new

    def rename(source: str, target: str) -> None:
        rename_new(source, target)
        if source == second:
            rename_new(first, f"{first}.other run")

    def trash(path: str) -> None:
        import send2trash.plat_other as trash_of_the_system

        trash_of_the_system.send2trash(path)
        rename_new(first, f"{first}.other run")

    monkeypatch.setattr(filesystem, "lock", lambda handle, *, shared: True)
    monkeypatch.setattr(filesystem, "rename_new", rename)
    if action == "trash":
        monkeypatch.setattr("send2trash.send2trash", trash)
    if action == "reflink":
        monkeypatch.setattr("twinpix.act.actions.reflink._clone", shutil.copyfile)
    (left,) = twinpix.apply(plan, "j.jsonl").skipped
    assert "does not exist while this file is renamed" in left.reason
    assert (tmp_path / "photos/second.png").read_bytes() == content(1)
    assert (tmp_path / "photos/second.png").is_symlink() is False
    assert sorted(os.listdir(tmp_path / "photos")) == ["first.png.other run", "second.png"]


# -- the lock of one user --------------------------------------------------------------------------------


def test_the_lock_of_a_user_without_a_home_is_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the shared temporary folder, other users may have put a link or a file in its place."""
    (tmp_path / "no folder").write_bytes(b"")
    shared = tmp_path / "shared"
    shared.mkdir()
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o755)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "no folder"))
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    own = shared / f"twinpix-{os.geteuid()}"
    own.symlink_to(precious)
    with acting():
        assert not list(precious.iterdir())
    own.unlink()
    own.mkdir(mode=0o777)
    own.chmod(0o777)
    with acting(), pytest.raises(RefusedError), acting():
        pass
    assert stat.S_IMODE(own.stat().st_mode) == 0o755
    (own / f"{own.name}.lock").unlink()
    (own / f"{own.name}.lock").symlink_to(precious / "made")
    with pytest.raises(RefusedError), acting():
        pass
    assert not list(precious.iterdir())


# -- messages about a changed file -------------------------------------------------------------------------


def test_an_edited_file_is_not_called_damaged(tmp_path: Path) -> None:
    """One block of many differs after the edit, as in a file with a lost sector."""
    data = os.urandom(4096)
    found = pair(tmp_path, data, data[:-1] + b"x")
    write(tmp_path, "photos/second.png", data[:-1] + b"y", mtime=1_700_000_000)
    (left,) = twinpix.plan(found, "delete").skipped
    assert (left.reason, left.refused) == ("was changed since it was scanned", True)
