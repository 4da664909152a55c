"""How users, other programs and hostile files disturb the runs of an action."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import twinpix
from libraries import content, contents, group, library, member, report, save, tree, write
from twinpix.act import journal
from twinpix.act import session as act_session
from twinpix.cli.app import run
from twinpix.errors import ReportError
from twinpix.model import Report, Unique
from twinpix.progress import Progress

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A separate home for each test; relative paths start from the folder of the test."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)


def pair(base: Path, first: str, second: str, *more: str) -> Report:
    """A report of one group of different files; the first one is the keeper."""
    for at, name in enumerate((first, second, *more)):
        write(base, name, content(at))
    return report(base, [group(base, 1, [first, second, *more])])


def goes(found: Report, action: str = "move:to=out") -> set[str]:
    """The names, relative to the photos, of the files that an action would act on."""
    base = f"{found.base}/photos/"
    return {step.path.removeprefix(base) for step in twinpix.plan(found, action).steps}


# -- companion files ------------------------------------------------------------------------------------


def test_a_sidecar_that_may_belong_to_a_kept_image_is_kept(tmp_path: Path) -> None:
    found = pair(tmp_path, "photos/x.png", "photos/x.jpg", "photos/y.jpg")
    for name in ("x.xmp", "x.jpg.xmp", "y.xmp"):
        write(tmp_path, f"photos/{name}", b"side")
    assert goes(found) == {"x.jpg", "x.jpg.xmp", "y.jpg", "y.xmp"}


def test_annotations_shared_by_two_image_folders_are_kept(tmp_path: Path) -> None:
    found = pair(tmp_path, "photos/a/x.png", "photos/b/x.png", "photos/b/y.png")
    for name in ("x.png.json", "x.txt", "y.png.json"):
        write(tmp_path, f"photos/labels/{name}", b"side")
    assert goes(found) == {"b/x.png", "b/y.png", "labels/y.png.json"}


def test_the_other_file_of_a_pair_is_removed_only_if_its_copy_is_kept(tmp_path: Path) -> None:
    found = pair(tmp_path, "photos/a/x.jpg", "photos/b/x.jpg")
    write(tmp_path, "photos/b/x.cr2", b"raw")
    assert not goes(found)
    write(tmp_path, "photos/a/x.cr2", b"raw")
    assert goes(found) == {"b/x.jpg", "b/x.cr2"}
    assert not goes(replace(found, references=["photos/b/x.cr2"]))


def test_two_images_never_remove_the_other_file_of_each_others_pair(tmp_path: Path) -> None:
    found = pair(tmp_path, "photos/a/x.jpg", "photos/b/x.jpg")
    for name in ("photos/a/x.jpeg", "photos/b/x.jpeg"):
        write(tmp_path, name, content(5))
    for name in ("photos/a/x.cr2", "photos/b/x.cr2"):
        write(tmp_path, name, b"raw")
    found = replace(found, groups=[*found.groups, group(tmp_path, 2, ["photos/b/x.jpeg", "photos/a/x.jpeg"])])
    assert goes(found) == {"b/x.jpg", "b/x.cr2"}


def test_an_image_in_the_report_is_never_a_sidecar(tmp_path: Path) -> None:
    found = pair(tmp_path, "photos/a/x.png", "photos/b/x.png")
    write(tmp_path, "photos/b/x.txt", content(7))  # an image with a wrong suffix
    known = member(tmp_path, "photos/b/x.txt")
    found = replace(found, unique=[Unique(known.path, known.size, known.mtime_ns, known.digest)])
    assert goes(found) == {"b/x.png"}


def test_a_name_without_a_suffix_is_its_own_stem(tmp_path: Path) -> None:
    found = pair(tmp_path, "photos/a", "photos/ab")
    write(tmp_path, "photos/a.json", b"side")
    write(tmp_path, "photos/ab.json", b"side")
    assert goes(found) == {"ab", "ab.json"}


def test_files_outside_the_roots_or_in_a_reference_are_never_sidecars(tmp_path: Path) -> None:
    found = pair(tmp_path, "photos/a/x.png", "photos/b/x.png")
    write(tmp_path, "photos/a/labels/x.txt", b"side")
    write(tmp_path, "photos/b/labels/x.txt", b"side")
    write(tmp_path, "elsewhere/x.txt", b"side")
    os.symlink("../../elsewhere", tmp_path / "photos/b/annots")
    assert goes(found) == {"b/x.png", "b/labels/x.txt"}
    assert goes(replace(found, references=["photos/b/labels"])) == {"b/x.png"}


def test_a_folder_named_like_a_sidecar_is_not_a_sidecar(tmp_path: Path) -> None:
    found = pair(tmp_path, "photos/a/x.png", "photos/b/x.png")
    write(tmp_path, "photos/b/x.json/inside", b"")
    assert goes(found) == {"b/x.png"}


# -- reports that were edited ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda found: replace(found, references=["x\0y"]),
        lambda found: replace(found, references=["\ud800"]),
        lambda found: replace(found, base="/\ud800"),
        lambda found: replace(found, unique=[replace(found.unique[0], path="photos/\ud800.png")]),
        lambda found: replace(found, groups=[replace(each, id=0) for each in found.groups[:1]]),
        lambda found: replace(found, groups=[replace(each, id=1) for each in found.groups]),
    ],
)
def test_a_report_not_written_by_find_is_refused(tmp_path: Path, change: Callable[[Report], Report]) -> None:
    with pytest.raises(ReportError):
        twinpix.plan(change(library(tmp_path)), "move:to=out")


def test_a_reference_is_recognised_under_its_other_names(tmp_path: Path) -> None:
    found = library(tmp_path)
    os.symlink("photos/sub", tmp_path / "reference")
    assert not any(name.startswith("sub/") for name in goes(replace(found, references=["reference"])))


# -- targets and journals -------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["move", "move:to=", "copy"])
def test_an_action_without_its_folder_is_a_usage_error(tmp_path: Path, spec: str) -> None:
    path = save(library(tmp_path), tmp_path / "r.json")
    assert run(["resolve", str(path), "--action", spec]) == 2
    assert run(["resolve", str(path), "--move", ""]) == 2


def test_a_relative_folder_is_recorded_as_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = library(tmp_path)
    before = tree(tmp_path / "photos")
    twinpix.apply(twinpix.plan(found, "move:to=out/deep"), str(tmp_path / "j.jsonl"))
    assert len(tree(tmp_path / "out/deep")) == 6
    monkeypatch.chdir("/")
    assert not twinpix.undo(str(tmp_path / "j.jsonl")).skipped
    assert tree(tmp_path / "photos") == before


@pytest.mark.parametrize("letter", ["a", "ä"])
def test_the_longest_names_can_be_numbered(tmp_path: Path, letter: str) -> None:
    name = letter * (251 // len(letter.encode())) + ".png"
    found = pair(tmp_path, "photos/0.png", f"photos/{name}")
    write(tmp_path, f"out/{name}", b"there already")
    before = tree(tmp_path)
    outcome = twinpix.apply(twinpix.plan(found, "move:to=out"), str(tmp_path / "j.jsonl"))
    assert outcome.done == 1
    assert len(tree(tmp_path / "out")) == 2
    twinpix.undo(str(tmp_path / "j.jsonl"))
    (tmp_path / "j.jsonl").unlink()
    assert {name: file for name, file in tree(tmp_path).items() if not name.startswith("home")} == before


# -- a keeper behind a symbolic link --------------------------------------------------------------------


@pytest.fixture
def linked(tmp_path: Path) -> Report:
    """A group of two equal files; the keeper is behind a symbolic link."""
    for name in ("elsewhere/x.png", "photos/same.png"):
        write(tmp_path, name, content(7))
    os.symlink("../elsewhere/x.png", tmp_path / "photos/link.png")
    both = group(tmp_path, 1, ["photos/link.png", "photos/same.png"])
    first, second = both.members
    return report(tmp_path, [replace(both, members=[replace(first, link=True), second])])


def test_an_image_behind_a_symbolic_link_is_copied(tmp_path: Path, linked: Report) -> None:
    outcome = twinpix.apply(twinpix.plan(linked, "copy:to=out"), str(tmp_path / "j.jsonl"))
    assert (outcome.done, outcome.skipped) == (1, [])
    assert (tmp_path / "out/link.png").read_bytes() == content(7)
    assert not (tmp_path / "out/link.png").is_symlink()
    assert twinpix.undo(str(tmp_path / "j.jsonl")).done == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("action", ["hardlink", "symlink"])
def test_an_image_behind_a_symbolic_link_is_linked_to(tmp_path: Path, linked: Report, action: str) -> None:
    before = tree(tmp_path / "photos")
    outcome = twinpix.apply(twinpix.plan(linked, action), str(tmp_path / "j.jsonl"))
    assert (outcome.done, outcome.skipped) == (1, [])
    assert (tmp_path / "photos/same.png").samefile(tmp_path / "elsewhere/x.png")
    assert twinpix.undo(str(tmp_path / "j.jsonl")).done == 1
    assert tree(tmp_path / "photos") == before
    assert not (tmp_path / "photos/same.png").samefile(tmp_path / "elsewhere/x.png")


# -- undo after changes by the user ----------------------------------------------------------------------


def test_undo_of_a_copy_keeps_it_if_the_original_was_edited(tmp_path: Path) -> None:
    found = library(tmp_path)
    twinpix.apply(twinpix.plan(found, "copy:to=out"), str(tmp_path / "j.jsonl"))
    write(tmp_path, "photos/0.png", b"cropped")
    outcome = twinpix.undo(str(tmp_path / "j.jsonl"))
    assert [left.path for left in outcome.skipped] == [str(tmp_path / "photos/0.png")]
    assert (tmp_path / "out/0.png").read_bytes() == content(0)


def test_removed_copies_are_made_again(tmp_path: Path) -> None:
    path = save(library(tmp_path), tmp_path / "r.json")
    assert run(["resolve", str(path), "--copy-kept", "out", "--apply"]) == 0
    before = tree(tmp_path / "out")
    (tmp_path / "out/0.png").unlink()
    assert run(["resolve", str(path), "--copy-kept", "out", "--apply"]) == 0
    assert tree(tmp_path / "out") == before


def test_undo_reports_a_target_path_that_is_taken(tmp_path: Path) -> None:
    found = pair(tmp_path, "photos/a.png", "photos/b.png")
    twinpix.apply(twinpix.plan(found, "move:to=out"), str(tmp_path / "j.jsonl"))
    (tmp_path / "out/b.png").unlink()
    write(tmp_path, "photos/b.png", b"another")
    outcome = twinpix.undo(str(tmp_path / "j.jsonl"))
    assert outcome.done == 0
    assert "another file has its name" in outcome.skipped[0].reason


def test_undo_restores_sidecars_from_file_systems_that_round_times(tmp_path: Path) -> None:
    found = pair(tmp_path, "photos/a.png", "photos/b.png")
    write(tmp_path, "photos/a.xmp", b"side")
    write(tmp_path, "photos/b.xmp", b"side", mtime=1_600_000_001)
    before = tree(tmp_path / "photos")
    twinpix.apply(twinpix.plan(found, "move:to=out"), str(tmp_path / "j.jsonl"))
    os.utime(tmp_path / "out/b.xmp", (1_600_000_000, 1_600_000_000))  # as FAT stores it
    assert not twinpix.undo(str(tmp_path / "j.jsonl")).skipped
    assert tree(tmp_path / "photos") == before


# -- damaged journals ------------------------------------------------------------------------------------


def test_a_journal_with_a_truncated_first_line_can_be_undone(tmp_path: Path) -> None:
    path = save(library(tmp_path), tmp_path / "r.json")
    before = tree(tmp_path / "photos")
    (tmp_path / "r.journal.jsonl").write_text('{"jour')
    assert run(["resolve", str(path), "--move", "out", "--apply"]) == 0
    run(["undo", str(tmp_path / "r.journal.jsonl")])
    assert tree(tmp_path / "photos") == before


def _row(base: Path, **changes: object) -> list[object]:
    row = {
        "number": 0,
        "path": f"{base}/photos/a.png",
        "target": f"{base}/out/a.png",
        "facts": [1, 2, 3, 4, 5, 0o644, 0, 0],
        "digest": "",
        "keeper": "",
        "aside": f"{base}/photos/.twinpix-00aa-0",
    }
    return list((row | changes).values())


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"unit":[[0,"/a","/b",[1e999,0,0,0,0,0,0,0],"","","/.twinpix-00-0"]]}',
        {"folder": "\0"},
        {"folder": "relative"},
        {"done": []},
        {"done": 10**30},
        {"end": {}},
        {"target": 0, "to": "relative"},
        "0",
        "null",
        '"journal"',
        {"facts": [1, 2, 3, 4, 5, 1 << 70, 0, 0]},
        {"facts": [1, 2, 3, 4, 1 << 70, 0, 0, 0]},
        {"facts": [1, 2, 3, 4, 5, 0, -5, 0]},
        {"facts": [1, 2]},
        {"aside": "/elsewhere/film"},
        {"aside": ""},
        {"target": "relative"},
        {"path": "/\ud800"},
    ],
)
def test_a_journal_line_not_written_by_a_run_is_reported_and_ignored(tmp_path: Path, line: object) -> None:
    write(tmp_path, "photos/film.part", b"a download")
    write(tmp_path, "out/a.png", b"abc")
    if isinstance(line, dict) and not line.keys() & {"folder", "done", "end", "to"}:
        line = {"unit": [_row(tmp_path, **line)]}
    text = line if isinstance(line, str) else json.dumps(line)
    head = '{"journal":"twinpix.journal/1","action":"move","options":{"to":"/o"},"report":"","created":""}'
    (tmp_path / "j.jsonl").write_text(f'{head}\n{text}\n{{"ready":true}}\n{{"done":0}}\n')
    before = tree(tmp_path / "photos")
    assert run(["undo", "j.jsonl"]) == 3 or line == {"end": {}}
    assert tree(tmp_path / "photos") == before


# -- interrupted undo -------------------------------------------------------------------------------------


def applied(found: Report, action: str, base: Path) -> list[str]:
    """Apply; returns the temporary names that each file may have had."""
    twinpix.apply(twinpix.plan(found, action), str(base / "j.jsonl"))
    (session,) = journal.read(str(base / "j.jsonl")).sessions
    return [step.staged for step in session.steps.values()]


@pytest.mark.parametrize("action", ["hardlink", "symlink"])
@pytest.mark.parametrize("moment", ["link aside", "file there", "all but the end"])
def test_a_killed_undo_of_links_can_be_repeated(tmp_path: Path, action: str, moment: str) -> None:
    found = library(tmp_path, 1, equal=True)
    before = tree(tmp_path / "photos")
    aside, _ = applied(found, action, tmp_path)
    path = tmp_path / "photos/0 copy.png"
    if moment != "all but the end":
        path.rename(aside + ".aside")
    else:
        path.unlink()
    if moment != "link aside":
        data, mtime, mode = before["0 copy.png"]
        write(tmp_path, "photos/0 copy.png", data, mode=mode)
        os.utime(path, ns=(mtime, mtime))
    else:
        write(tmp_path, f"photos/{Path(aside).name}.part", b"hal")
    assert not twinpix.undo(str(tmp_path / "j.jsonl")).skipped
    assert tree(tmp_path / "photos") == before


def test_a_killed_undo_of_a_copy_leaves_no_files(tmp_path: Path) -> None:
    found = library(tmp_path, 1)
    aside, *_ = applied(found, "copy:to=out", tmp_path)
    (tmp_path / "out/0.png").rename(tmp_path / "out" / f"{Path(aside).name}.aside")
    assert not twinpix.undo(str(tmp_path / "j.jsonl")).skipped
    assert not (tmp_path / "out").exists()


def test_names_reserved_by_a_killed_rename_are_freed(tmp_path: Path) -> None:
    found = library(tmp_path, 1)
    before = tree(tmp_path / "photos")
    aside, _ = applied(found, "move:to=out", tmp_path)
    write(tmp_path, "photos/0 copy.png", b"", mode=0o600)
    write(tmp_path, f"out/{Path(aside).name}.aside", b"", mode=0o600)
    assert not twinpix.undo(str(tmp_path / "j.jsonl")).skipped
    assert tree(tmp_path / "photos") == before
    assert not (tmp_path / "out").exists()


class Interrupting(Progress):
    """Raises KeyboardInterrupt after `steps` steps."""

    def __init__(self, after: int) -> None:
        self.after = after

    def advance(self, steps: int = 1) -> None:
        self.after -= 1
        if not self.after:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a right there")
def test_a_link_to_a_staged_file_does_not_cause_its_removal(tmp_path: Path) -> None:
    """A user finds the staged file of a killed run, and makes a link to it under its old name."""
    save(library(tmp_path, groups=1, equal=True), tmp_path / "r.json")
    before = contents(tmp_path / "photos")
    killed = """import os, sys
from twinpix.act import filesystem
from twinpix.cli.app import run
filesystem._unlink = lambda old, path: os._exit(9)
run(["resolve", "r.json", "--delete", "--yes", "--apply"])"""
    assert subprocess.run([sys.executable, "-c", killed], cwd=tmp_path, check=False).returncode == 9
    (aside,) = tmp_path.glob("photos/.twinpix-*")
    (tmp_path / "photos/0 copy.png").symlink_to(aside.name)
    for name in ("0.png", "sub/0 small.png"):
        (tmp_path / "photos" / name).unlink()
    assert run(["undo", "r.journal.jsonl"]) == 3
    assert contents(tmp_path / "photos") == before


def test_ctrl_c_ends_an_undo_between_two_files(tmp_path: Path) -> None:
    found = library(tmp_path)
    before = tree(tmp_path / "photos")
    applied(found, "move:to=out", tmp_path)
    outcome = twinpix.undo(str(tmp_path / "j.jsonl"), Interrupting(2))
    assert outcome.stopped
    assert 0 < outcome.done < 6
    assert twinpix.undo(str(tmp_path / "j.jsonl")).done == 6 - outcome.done
    assert tree(tmp_path / "photos") == before


# -- the command line -----------------------------------------------------------------------------------


def test_a_plan_whose_output_is_not_read_is_not_applied(tmp_path: Path) -> None:
    path = save(library(tmp_path, 600), tmp_path / "r.json")
    before = tree(tmp_path / "photos")
    command = [sys.executable, "-m", "twinpix", "resolve", str(path), "--move", "out", "--apply"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait() == 3
    assert tree(tmp_path / "photos") == before


def test_a_report_of_two_equal_files_is_written_and_applied(
    tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    (tmp_path / "photos").mkdir()
    for name in "ab":
        draw_image(1).save(tmp_path / f"photos/{name}.png")
    assert run(["find", "-m", "phash:size=16", "photos", "-o", "r.json"]) == 0
    assert run(["resolve", "r.json", "--move", "out", "--apply"]) == 0
    assert len(tree(tmp_path / "out")) == 1


def test_a_report_of_single_files_is_acted_on_twice(tmp_path: Path) -> None:
    found = pair(tmp_path, "photos/a.png", "photos/b.png", "photos/c.png")
    path = save(replace(found, roots=[f"photos/{name}.png" for name in "abc"]), tmp_path / "r.json")
    assert run(["resolve", str(path), "--move", "out", "--apply"]) == 0
    assert run(["resolve", str(path), "--move", "out", "--apply"]) == 0


@pytest.mark.parametrize(
    "folder",
    [".Trash-1000/files", "Trash/files", "$RECYCLE.BIN/S-1", "@Recycle", "#snapshot/daily", ".stversions", ".cache/x"],
)
def test_no_file_is_removed_for_a_keeper_in_a_trash_folder(folder: str, tmp_path: Path) -> None:
    """A scan of hidden folders also lists files in trash folders, which other programs may empty without asking."""
    first, second = f"photos/{folder}/x.jpg", f"photos/{folder}/y.jpg"
    found = pair(tmp_path, first, "photos/y.jpg")
    assert goes(found, "delete") == set()
    assert [(left.reason, left.refused) for left in twinpix.plan(found, "delete").skipped] == [
        ("the keeper is in a trash, snapshot or cache folder, which may be emptied", False)
    ]
    assert goes(pair(tmp_path, "photos/y.jpg", first)) == {f"{folder}/x.jpg"}
    assert goes(pair(tmp_path, first, second)) == {f"{folder}/y.jpg"}
    assert goes(pair(tmp_path, "photos/Trash/x.jpg", "photos/y.jpg")) == {"y.jpg"}  # an ordinary folder


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a right there")
def test_a_path_with_dot_dot_after_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    """`link/../photos` is beside the target of the link, although it looks like `photos` here."""
    for base in (tmp_path, tmp_path / "else"):
        pair(base, "photos/x.jpg", "photos/y.jpg")
    (tmp_path / "else/in").mkdir()
    (tmp_path / "link").symlink_to("else/in")
    group_ = replace(group(tmp_path, 1, ["photos/x.jpg", "photos/y.jpg"]), keeper="link/../photos/x.jpg")
    members = [replace(each, path=f"link/../{each.path}") for each in group_.members]
    found = replace(report(tmp_path, [replace(group_, members=members, matches=[])]), roots=["link/../photos"])
    with pytest.raises(ReportError, match=r"has \.\. after a symbolic link"):
        twinpix.plan(found, "delete")
    (tmp_path / "link").unlink()
    (tmp_path / "link").mkdir()
    assert goes(found, "delete") == {"y.jpg"}


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a right there")
def test_other_images_under_names_that_were_linked_before_are_linked(tmp_path: Path) -> None:
    for number in (1, 2):
        for name in ("photos/x.jpg", "photos/y.jpg"):
            (tmp_path / name).unlink(missing_ok=True)
            write(tmp_path, name, content(number))
        save(report(tmp_path, [group(tmp_path, 1, ["photos/x.jpg", "photos/y.jpg"])]), tmp_path / "r.json")
        assert run(["resolve", "r.json", "--symlink", "--apply"]) == 0
        assert (tmp_path / "photos/y.jpg").is_symlink()
        assert run(["resolve", "r.json", "--symlink", "--apply"]) == 0


def test_equal_files_whose_pairs_are_not_listed_are_decided_again(tmp_path: Path) -> None:
    found = library(tmp_path, 1, equal=True)
    (only,) = found.groups
    path = f"path:*/{Path(only.members[2].path).name}"
    short = replace(only, matches=only.matches[:2], matches_left_out=1)
    again = twinpix.plan(replace(found, groups=[short]), "move:to=out", keep=path)
    assert {step.path for step in again.steps} == {str(tmp_path / member.path) for member in only.members[:2]}


@pytest.mark.parametrize("name", ["r.json", "photos/0.png", "other.json", "photos"])
def test_only_a_journal_is_appended_to_as_a_journal(tmp_path: Path, name: str) -> None:
    path = save(library(tmp_path), tmp_path / "r.json")
    (tmp_path / "other.json").write_text('{\n "a": 1\n}\n')
    before = tree(tmp_path)
    assert run(["resolve", str(path), "--move", "out", "--apply", "--journal", name]) == 3
    assert run(["undo", name]) == 3
    assert {name: file for name, file in tree(tmp_path).items() if not name.startswith("home")} == before


def test_undo_of_trash_reports_an_emptied_trash(tmp_path: Path) -> None:
    pytest.importorskip("send2trash")
    found = pair(tmp_path, "photos/a.png", "photos/b.png")
    applied(found, "trash", tmp_path)
    trash = Path(os.environ["XDG_DATA_HOME"]) / "Trash" / "files"
    max(trash.glob("b*.png"), key=lambda path: path.stat().st_ctime_ns).unlink()
    write(tmp_path, "photos/b.png", b"another")
    (left,) = twinpix.undo(str(tmp_path / "j.jsonl")).skipped
    assert "another file has its name" in left.reason


def test_only_a_regular_file_is_accepted_as_a_journal(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", os.devnull, "."):
        assert run(["undo", name]) == 3


def test_a_report_with_a_longer_name_has_a_journal_of_its_own(tmp_path: Path) -> None:
    save(library(tmp_path), tmp_path / "r.journal-b.json")
    path = save(library(tmp_path), tmp_path / "r.json")
    assert run(["resolve", "r.journal-b.json", "--move", "out", "--apply"]) == 0
    (tmp_path / "r.journal-notes.jsonl").write_text("mine")
    assert act_session.journals_of(str(path)) == []
