"""--copy-kept: whoever removes the scanned folder afterwards loses duplicates only, or was told what else."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

import twinpix
from libraries import content, group, report, save, tree, write
from twinpix.cli.app import run
from twinpix.model import Failure, Report


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
    """The exit code, and the files that are in the copy."""
    code = run(["resolve", str(save(found, base / "r.json")), "--copy-kept", "out", "--apply"])
    return code, set(tree(base / "out"))


def test_what_could_not_be_read_is_copied(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sides = {"raw/x.xmp": b"of the raw", "a/1.mov": b"live", "a/1.aae": b"edits"}
    assert copied(photos(tmp_path, **sides), tmp_path) == (0, {"a/1.jpg", "raw/x.cr2", *sides})
    told = capfd.readouterr().out
    assert "photos/raw/x.cr2  (3 bytes, could not be read as an image)" in told
    assert "not copied" not in told
    assert (tmp_path / "out/raw/x.cr2").read_bytes() == b"raw"
    before = tree(tmp_path / "photos")
    assert run(["undo", "r.journal.jsonl"]) == 0
    assert not (tmp_path / "out").exists()
    assert tree(tmp_path / "photos") == before


def test_what_is_not_copied_is_listed_and_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
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
    assert run(["resolve", str(save(found, tmp_path / "r.json")), "--copy-kept", "out"]) == 0  # the plan alone
    told = capfd.readouterr().out
    assert copied(found, tmp_path) == (1, {"a/1.jpg", "raw/x.cr2"})
    for text in (told, capfd.readouterr().out):
        assert "6 files are not copied" in text
        assert "left  photos/film.mp4: is not copied: it is no image, nor a companion file of one" in text
        assert "left  photos/new.jpg: is not copied: it was not scanned" in text
        assert "left  photos/L.photoslibrary: is not copied: it is a library of another program" in text
        for name in ("photos/b/notes.pdf", "photos/b/1.xmp", "photos/.hidden/z"):
            assert f"left  {name}: is not copied" in text
        assert "Thumbs" not in text
    assert run(["resolve", "r.json", "--copy-kept", "out", "--apply"]) == 1  # nothing new to copy, still not all


def test_companions_of_duplicates_need_no_copy_when_their_bytes_have_one(tmp_path: Path) -> None:
    found = photos(tmp_path, **{"a/1.xmp": b"edits", "b/1.xmp": b"edits"})
    assert copied(found, tmp_path) == (0, {"a/1.jpg", "a/1.xmp", "raw/x.cr2"})


def test_other_names_of_what_is_copied_need_no_copy(tmp_path: Path) -> None:
    found = photos(tmp_path)
    os.link(tmp_path / "photos/a/1.jpg", tmp_path / "photos/again.jpg")
    os.symlink("a/1.jpg", tmp_path / "photos/link.jpg")
    assert copied(found, tmp_path)[0] == 0


def test_groups_that_were_not_decided_are_told(tmp_path: Path) -> None:
    plan = twinpix.plan(photos(tmp_path), "copy:to=out", choices={})
    left = {os.path.basename(os.path.dirname(row.path)) for row in plan.left if row.reason.startswith("is not copied")}
    assert left == {"a", "b"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    found = photos(tmp_path, **{"closed/2.jpg": b"2"})
    (tmp_path / "photos/closed").chmod(0)
    try:
        reasons = [left.reason for left in twinpix.plan(found, "copy:to=out").left]
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
