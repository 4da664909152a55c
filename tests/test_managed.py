"""Libraries of other programs: scanned only when they are named, and never changed."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import twinpix
from libraries import save, tree, write
from twinpix import report as reports
from twinpix.cli.app import run
from twinpix.errors import RefusedError
from twinpix.managed import in_library

NAMES = [
    *("Photos Library.photoslibrary", "Old.aplibrary", "iPhoto.photolibrary", "Previews.lrdata", "Main.lrcat-data"),
    *("X.migratedphotolibrary", "Booth.photoboothlibrary", "PHOTOS.PHOTOSLIBRARY"),
]


@pytest.fixture
def photos(tmp_path: Path, draw_image: Callable[..., Image.Image], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two equal images in a library, and an export of them beside it."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    (folder / "Exports").mkdir(parents=True)
    draw_image(1).save(folder / "Exports/IMG_1.png")
    data = (folder / "Exports/IMG_1.png").read_bytes()
    for name in ("originals/A/1.png", "resources/A/1_105_c.png"):
        write(folder, f"L.photoslibrary/{name}", data)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_library_is_not_entered(name: str, photos: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (photos / "L.photoslibrary").rename(photos / name)
    found = twinpix.find("photos", method="phash:size=16", hidden=True, store=None)
    assert found.counts.images == 1
    assert [note for note in found.notes if note.startswith("1 library of another program was not entered")]
    assert run(["find", "-m", "phash:size=16", "photos", "--no-store"]) == 0
    assert "1 library of another program was not entered" in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "paths", [["photos/L.photoslibrary", "photos"], ["photos/L.photoslibrary/originals", "photos"]]
)
@pytest.mark.parametrize("action", [["--move", "out"], ["--delete"], ["--hardlink"]], ids=lambda action: action[0])
def test_a_named_library_is_read_and_never_changed(paths: list[str], action: list[str], photos: Path) -> None:
    before = tree(photos / "L.photoslibrary")
    assert run(["find", "-m", "phash:size=16", *paths, "--no-store", "-o", "r.json"]) == 0
    (group,) = json.loads(Path("r.json").read_text())["groups"]
    assert group["keeper"].startswith("photos/L.photoslibrary/")
    assert len(group["members"]) == (3 if len(paths[0]) < 25 else 2)
    assert run(["resolve", "r.json", *action, "--yes", "--apply"]) == 0
    assert tree(photos / "L.photoslibrary") == before
    assert (photos / "Exports/IMG_1.png").exists() == (action == ["--hardlink"])


@pytest.mark.parametrize("through", ["photos/L.photoslibrary", "photos/link"])
def test_an_edited_report_does_not_permit_changes_in_a_library(
    through: str, photos: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    os.symlink("L.photoslibrary", photos / "link")
    before = tree(photos / "L.photoslibrary")
    found = twinpix.find(through, method="phash:size=16", store=None)
    (group,) = found.groups
    members = [replace(member, reference=False, link=False) for member in group.members]
    edited = replace(found, groups=[replace(group, members=members)], references=[])
    save(edited, Path("r.json"))
    assert not any(member.protected for member in reports.read("r.json").groups[0].members)
    assert run(["resolve", "r.json", "--delete", "--yes", "--apply"]) == 3
    assert "is in a library of another program" in capfd.readouterr().out
    assert tree(photos / "L.photoslibrary") == before


def test_links_to_a_library_are_not_followed(photos: Path) -> None:
    (photos / "L.photoslibrary").rename(photos.parent / "L.photoslibrary")
    os.symlink("../L.photoslibrary/originals", photos / "link")
    found = twinpix.find("photos", method="phash:size=16", follow_links=True, store=None)
    assert found.counts.images == 1
    assert in_library(str(photos / "link/A/1.png"))


def test_nothing_is_moved_into_a_library(photos: Path) -> None:
    found = twinpix.find(["photos/Exports"], method="phash:size=16", store=None)
    with pytest.raises(RefusedError, match="library of another program"):
        twinpix.plan(found, "move:to=photos/L.photoslibrary/originals")
