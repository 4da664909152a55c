"""--copy-kept: removing the scanned folder afterwards loses duplicates only, or files that were reported."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import twinpix
from libraries import content, contents, group, member, report, save, tree, write
from twinpix.cli.app import run
from twinpix.model import Failure, Report, Unique


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def photos(base: Path, **others: bytes) -> Report:
    """Two equal images, one that could not be read, and other files."""
    for name, data in {"a/1.jpg": content(1), "b/1.jpg": content(1), "raw/x.cr2": b"raw", **others}.items():
        write(base, f"photos/{name}", data)
    found = report(base, [group(base, 1, ["photos/a/1.jpg", "photos/b/1.jpg"])])
    return replace(found, failures=[Failure("photos/raw/x.cr2", "decode", "needs the raw extra")])


def copied(found: Report, base: Path) -> tuple[int, set[str]]:
    """The exit code, and the files in the copy."""
    code = run(["resolve", str(save(found, base / "r.json")), "--copy-kept", "out", "--apply"])
    return code, set(tree(base / "out"))


def test_unreadable_images_are_copied(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sides = {"raw/x.xmp": b"of the raw", "a/1.mov": b"live", "a/1.aae": b"edits"}
    assert copied(photos(tmp_path, **sides), tmp_path) == (0, {"a/1.jpg", "raw/x.cr2", *sides})
    output = capfd.readouterr().out
    assert "photos/raw/x.cr2  (3 bytes, could not be read as an image)" in output
    assert "not copied" not in output
    assert (tmp_path / "out/raw/x.cr2").read_bytes() == b"raw"
    before = tree(tmp_path / "photos")
    assert run(["undo", "r.journal.jsonl"]) == 0
    assert not (tmp_path / "out").exists()
    assert tree(tmp_path / "photos") == before


def test_files_that_are_not_copied_are_listed_and_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    others = {
        "film.mp4": b"film",
        "b/notes.pdf": b"notes",
        "new.jpg": b"came after the report",
        "b/1.xmp": b"edits of the duplicate",
        ".hidden/z": b"hidden",
        "L.photoslibrary/originals/1.jpg": b"image",
    }
    waste = {"Thumbs.db": b"", "b/.DS_Store": b"", "@eaDir/1.jpg": b""}
    found = photos(tmp_path, **others, **waste)
    assert run(["resolve", str(save(found, tmp_path / "r.json")), "--copy-kept", "out"]) == 0  # without --apply
    output = capfd.readouterr().out
    assert copied(found, tmp_path) == (1, {"a/1.jpg", "raw/x.cr2"})
    for text in (output, capfd.readouterr().out):
        assert "6 files are not copied" in text
        assert "left  photos/film.mp4: is not copied: it is no image, nor a companion file of one" in text
        assert "left  photos/new.jpg: is not copied: it was not scanned" in text
        assert "left  photos/L.photoslibrary: is not copied: it is a library of another program" in text
        for name in ("photos/b/notes.pdf", "photos/b/1.xmp", "photos/.hidden/z"):
            assert f"left  {name}: is not copied" in text
        assert "Thumbs" not in text
    assert run(["resolve", "r.json", "--copy-kept", "out", "--apply"]) == 1  # nothing new to copy, still incomplete


def test_companions_of_duplicates_need_no_copy_when_their_bytes_have_one(tmp_path: Path) -> None:
    found = photos(tmp_path, **{"a/1.xmp": b"edits", "b/1.xmp": b"edits"})
    assert copied(found, tmp_path) == (0, {"a/1.jpg", "a/1.xmp", "raw/x.cr2"})


def test_other_names_of_copied_files_need_no_copy(tmp_path: Path) -> None:
    found = photos(tmp_path)
    os.link(tmp_path / "photos/a/1.jpg", tmp_path / "photos/again.jpg")
    os.symlink("a/1.jpg", tmp_path / "photos/link.jpg")
    assert copied(found, tmp_path)[0] == 0


def test_undecided_groups_are_reported(tmp_path: Path) -> None:
    plan = twinpix.plan(photos(tmp_path), "copy:to=out", choices={})
    left = {
        os.path.basename(os.path.dirname(row.path)) for row in plan.skipped if row.reason.startswith("is not copied")
    }
    assert left == {"a", "b"}
    assert {row.reason for row in plan.skipped if row.path.endswith("/1.jpg")} == {
        "is not copied: nothing was decided about its group"
    }


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_folder_is_reported(tmp_path: Path) -> None:
    found = photos(tmp_path, **{"closed/2.jpg": b"2"})
    (tmp_path / "photos/closed").chmod(0)
    try:
        reasons = [left.reason for left in twinpix.plan(found, "copy:to=out").skipped]
    finally:
        (tmp_path / "photos/closed").chmod(0o755)
    assert reasons == ["is not copied: the folder cannot be read"]


def test_failures_outside_the_scanned_folders_are_not_copied(tmp_path: Path) -> None:
    write(tmp_path, "secret/key.cr2", b"key")
    found = photos(tmp_path)
    found = replace(
        found, failures=[*found.failures, Failure("secret/key.cr2", "decode", ""), Failure("..", "list", "")]
    )
    assert copied(found, tmp_path) == (0, {"a/1.jpg", "raw/x.cr2"})


# -- copies of an earlier run ------------------------------------------------------------------------------


def alone(base: Path, name: str, data: bytes) -> Unique:
    write(base, name, data)
    known = member(base, name)
    return Unique(known.path, known.size, known.mtime_ns, known.digest)


def test_other_images_under_names_that_were_copied_before_are_copied(tmp_path: Path) -> None:
    """A camera starts again at IMG_0001, and the report of its second card has the same name as the first report."""
    for number in (1, 2):
        shutil.rmtree(tmp_path / "photos", ignore_errors=True)
        card = photos(
            tmp_path, **{"a/1.jpg": content(number), "b/1.jpg": content(number), "raw/x.cr2": b"raw" * number}
        )
        card = replace(card, unique=[alone(tmp_path, "photos/2.jpg", content(10 + number))])
        assert copied(card, tmp_path)[0] == 0
    assert contents(tmp_path / "out") == {content(1), content(2), content(11), content(12), b"raw", b"rawraw"}
    assert run(["resolve", "r.json", "--copy-kept", "out", "--apply"]) == 0
    assert len(tree(tmp_path / "out")) == 6


def test_an_image_edited_after_it_was_copied_is_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = replace(report(tmp_path, []), unique=[alone(tmp_path, "photos/2.jpg", content(1))])
    assert copied(found, tmp_path) == (0, {"2.jpg"})
    write(tmp_path, "photos/2.jpg", b"edited")
    assert copied(found, tmp_path)[0] == 3
    assert "photos/2.jpg: was changed since it was scanned" in capfd.readouterr().out


def test_a_truncated_copy_is_made_again(tmp_path: Path) -> None:
    found = replace(report(tmp_path, []), unique=[alone(tmp_path, "photos/2.jpg", content(1))])
    assert copied(found, tmp_path) == (0, {"2.jpg"})
    (tmp_path / "out/2.jpg").write_bytes(b"")
    assert copied(found, tmp_path) == (0, {"2.jpg", "2 (2).jpg"})
    (tmp_path / "photos/2.jpg").unlink()
    assert copied(found, tmp_path)[0] == 0  # the copied files can be removed


# -- members that the keeper does not represent -------------------------------------------------------------


@pytest.mark.parametrize("change", ["gone", "edited"])
@pytest.mark.parametrize("reference", [False, True])
def test_the_next_best_is_copied_if_the_keeper_has_changed(change: str, *, reference: bool, tmp_path: Path) -> None:
    first = "ref/1.jpg" if reference else "photos/a/1.jpg"
    for name in (first, "photos/b/1.jpg", "photos/c/1.jpg"):
        write(tmp_path, name, content(1))
    made = group(tmp_path, 1, [first, "photos/b/1.jpg", "photos/c/1.jpg"])
    made = replace(made, members=[replace(made.members[0], reference=reference), *made.members[1:]])
    (tmp_path / "ref").mkdir(exist_ok=True)
    found = replace(report(tmp_path, [made]), references=["ref"])
    if change == "gone":
        (tmp_path / first).unlink()
    else:
        write(tmp_path, first, b"edited")
    assert copied(found, tmp_path) == (3, {"b/1.jpg"})


def test_an_existing_reference_needs_no_copy(tmp_path: Path) -> None:
    for name in ("ref/1.jpg", "photos/1.jpg"):
        write(tmp_path, name, content(1))
    made = group(tmp_path, 1, ["ref/1.jpg", "photos/1.jpg"])
    made = replace(made, members=[replace(made.members[0], reference=True), made.members[1]])
    assert copied(replace(report(tmp_path, [made]), references=["ref"]), tmp_path) == (0, set())


@pytest.mark.parametrize("frames", [(5, 1), (1, 3)])
def test_images_of_which_only_first_frames_were_compared_are_both_copied(
    frames: tuple[int, int], tmp_path: Path
) -> None:
    for number in (1, 2):
        write(tmp_path, f"photos/{number}.gif", content(number))
    made = group(tmp_path, 1, ["photos/1.gif", "photos/2.gif"])
    members = [replace(each, frames=count) for each, count in zip(made.members, frames, strict=True)]
    assert copied(report(tmp_path, [replace(made, members=members)]), tmp_path) == (0, {"1.gif", "2.gif"})


def test_both_are_copied_if_the_damaged_one_is_unknown(tmp_path: Path) -> None:
    whole = b"".join(content(number) for number in range(25))
    write(tmp_path, "photos/1.jpg", whole[:4096] + bytes(512) + whole[4608:])
    write(tmp_path, "photos/2.jpg", whole)
    both = group(tmp_path, 1, ["photos/1.jpg", "photos/2.jpg"])
    both = replace(both, members=[replace(each, format="JPEG") for each in both.members])
    found = report(tmp_path, [both])
    assert copied(found, tmp_path) == (0, {"1.jpg", "2.jpg"})


def test_duplicates_of_other_relations_than_selected_are_copied(tmp_path: Path) -> None:
    for number, name in enumerate(("1", "2", "3")):
        write(tmp_path, f"photos/{name}.jpg", content(number // 2))
    made = group(tmp_path, 1, ["photos/1.jpg", "photos/2.jpg", "photos/3.jpg"])
    save(report(tmp_path, [made]), tmp_path / "r.json")
    assert run(["resolve", "r.json", "--copy-kept", "out", "--only", "identical-file", "--apply"]) == 0
    assert set(tree(tmp_path / "out")) == {"1.jpg", "3.jpg"}
