"""Companion files: which belong to an image, when they are removed with it, and when both are kept."""

import itertools
import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import twinpix
from libraries import act_with, actions_where, content, group, member, report, save, tree, write
from twinpix import plugins
from twinpix.act.sidecars import kinds as kinds
from twinpix.act.sidecars.folders import Folders
from twinpix.cli.app import run
from twinpix.model import Report, Unique

pytestmark = pytest.mark.usefixtures("home")
CASES = Path(__file__).resolve().parents[2] / "shared/cases/companions"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def twins(base: Path, first: str, *others: str, data: bytes | None = None) -> Report:
    """Equal images below `photos`; the first one is the keeper."""
    for name in (first, *others):
        write(base, f"photos/{name}", content(1) if data is None else data)
    return report(base, [group(base, 1, [f"photos/{name}" for name in (first, *others)])])


def goes(found: Report, action: str = "move:to=out", **options: object) -> set[str]:
    plan = twinpix.plan(found, action, **options)  # type: ignore[arg-type]
    return {step.path.removeprefix(f"{found.base}/photos/") for step in plan.steps}


def why(found: Report, action: str = "delete", **options: object) -> dict[str, str]:
    plan = twinpix.plan(found, action, **options)  # type: ignore[arg-type]
    return {left.path.removeprefix(f"{found.base}/photos/"): left.reason for left in plan.skipped}


def known(found: Report, base: Path, *names: str) -> Report:
    """The report with further images that are in no group."""
    rows = [member(base, f"photos/{name}") for name in names]
    return replace(found, unique=[Unique(row.path, row.size, row.mtime_ns, row.digest) for row in rows])


# -- by name


@pytest.mark.parametrize(
    ("image", "side"),
    [
        *(("IMG_1.jpg", f"IMG_1{suffix}") for suffix in sorted(kinds.COMPANIONS - {".mp", ".mv"})),
        *(("IMG_1.jpg", f"IMG_1.jpg{suffix}") for suffix in sorted(kinds.COMPANIONS | kinds.DATA)),
        ("IMG_1.HEIC", "img_1.mov"),
        ("IMG_1.HEIC", "IMG_1_HEIC.MOV"),
        ("IMG_E1234.jpg", "IMG_1234.AAE"),
        ("IMG_1234.jpg", "IMG_O1234.AAE"),
        ("IMG_1.jpg", "IMG_1_01.jpg.xmp"),
        ("PXL_1.MP.jpg", "PXL_1.MP"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-me.json"),
        ("IMG_1.jpg", "IMG_1.jpg.s.json"),
        ("IMG_1(1).jpg", "IMG_1.jpg(1).json"),
        ("IMG_1(12).jpg", "IMG_1.jpg.supplemental-metadata(12).json"),
        ("IMG_1(1).jpg", "IMG_1.jpg.supplemental-meta(1).json"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json"),
        (
            "a name of which Takeout has cut off the end it has.jpg",
            "a name of which Takeout has cut off the end it.json",
        ),
        (
            "a name of which Takeout has cut off the end it(2).jpg",
            "a name of which Takeout has cut off the end it(2).json",
        ),
        ("IMG_1.jpg", "CaptureOne/Settings131/IMG_1.jpg.cos"),
        ("IMG_1.jpg", "NKSC_PARAM/IMG_1.jpg.nksc"),
        ("IMG_1.jpg", "SILKYPIX_DS/IMG_1.jpg.spd"),
        ("IMG_1.jpg", "Exposure Software/Exposure X6/IMG_1.jpg.exposurex6"),
        ("IMG_1.jpg", "Annotations/IMG_1.xml"),
        ("images/IMG_1.jpg", "labels/IMG_1.txt"),
        ("images/train/IMG_1.jpg", "labels/train/IMG_1.txt"),
        ("images/IMG_1.jpg", "annotations/xmls/IMG_1.xml"),
        ("images/IMG_1.jpg", "annotations/trimaps/IMG_1.png"),
        ("JPEGImages/IMG_1.jpg", "SegmentationClass/IMG_1.png"),
        ("images/IMG_1.jpg", "masks/IMG_1_mask.png"),
        ("train/IMG_1.jpg", "train_masks/IMG_1.png"),
        ("IMG_1.jpg", "IMG_1_mask.png"),
        ("IMG_1.jpg", "thumbs/IMG_1.jpg"),
        ("masks/IMG_1.jpg", "masks/IMG_1.xmp"),  # photos of carnival
        ("thumbs/IMG_1.jpg", "thumbs/IMG_1.jpg.pp3"),
    ],
)
def test_a_companion_is_removed_if_the_keeper_has_an_equal_one(image: str, side: str, tmp_path: Path) -> None:
    found = twins(tmp_path, f"a/{image}", f"b/{image}")
    write(tmp_path, f"photos/a/{side}", b"side")
    write(tmp_path, f"photos/b/{side}", b"side")
    assert goes(found) == {f"b/{image}", f"b/{side}"}
    (step,) = (step for step in twinpix.plan(found, "delete").steps if step.path.endswith(side))
    assert step.keeper == f"{tmp_path}/photos/a/{side}"
    write(tmp_path, f"photos/a/{side}", b"SIDE")  # of one size
    assert not goes(found)
    assert f"{tmp_path}/photos/a/{side} has other bytes" in why(found)[f"b/{image}"]
    (tmp_path / f"photos/a/{side}").unlink()
    assert not goes(found)
    assert "the keeper has none of that kind" in why(found)[f"b/{image}"]
    assert goes(found, sidecars="all") == {f"b/{image}", f"b/{side}"}
    assert goes(found, sidecars="keep") == {f"b/{image}"}
    assert goes(found, "hardlink") == {f"b/{image}"}  # its name and its companions are kept


@pytest.mark.parametrize("suffix", sorted(kinds.DATA))
def test_data_files_are_never_removed_by_their_stem_alone(suffix: str, tmp_path: Path) -> None:
    found = twins(tmp_path, "a/plot.jpg", "b/plot.jpg", "b/clip.jpg")
    for name in (f"a/plot{suffix}", f"b/plot{suffix}"):
        write(tmp_path, f"photos/{name}", b"1,2,3 measured on Monday")
    assert goes(found, "delete", sidecars="all") == {"b/plot.jpg", "b/clip.jpg"}
    assert goes(found, "delete") == {"b/plot.jpg", "b/clip.jpg"}


def test_a_possible_companion_of_a_video_is_kept(tmp_path: Path) -> None:
    found = twins(tmp_path, "a/still.jpg", "b/clip.jpg")
    for name in ("clip.mkv", "clip.xmp", "clip.txt", "clip.json"):
        write(tmp_path, f"photos/b/{name}", b"of the film")
    assert goes(found, "delete") == {"b/clip.jpg"}
    write(tmp_path, "photos/b/clip.mp4", b"a film that may be a live photo's")
    assert goes(found, "delete") == set()


@pytest.mark.parametrize("text", ['{"shapes": [], "imagePath": "../b/x.jpg"}', "<a><filename> x.jpg </filename></a>"])
def test_data_that_names_its_image_is_moved_with_it(text: str, tmp_path: Path) -> None:
    found = twins(tmp_path, "a/x.jpg", "b/x.jpg")
    suffix = "json" if text.startswith("{") else "xml"
    for folder in "ab":
        write(tmp_path, f"photos/{folder}/x.{suffix}", text.encode())
    assert goes(found) == {"b/x.jpg", f"b/x.{suffix}"}


def test_captions_of_a_training_set_are_moved_with_their_images(tmp_path: Path) -> None:
    found = twins(tmp_path, "a/x.jpg", "b/x.jpg")
    for name in ("a/x.txt", "b/x.txt", "a/y.txt", "b/y.txt"):
        write(tmp_path, f"photos/{name}", b"a dog")
    for name in ("a/y.jpg", "b/y.jpg", "b/z.jpg"):
        write(tmp_path, f"photos/{name}", content(len(name)))
    assert goes(found, "delete") == {"b/x.jpg", "b/x.txt"}
    write(tmp_path, "photos/a/x.txt", b"a cat")
    assert goes(found, "delete") == set()


# -- owners


def test_a_label_is_removed_only_with_all_its_possible_owners(tmp_path: Path) -> None:
    """Owners are searched in the whole plan: two images of one stem in different groups share an XMP."""
    found = twins(tmp_path, "a/x.jpg", "b/x.jpg")
    for name in ("a/x.png", "b/x.png"):
        write(tmp_path, f"photos/{name}", content(2))
    write(tmp_path, "photos/a/x.xmp", b"side")
    write(tmp_path, "photos/b/x.xmp", b"side")
    assert goes(found) == {"b/x.jpg"}
    found = replace(found, groups=[*found.groups, group(tmp_path, 2, ["photos/a/x.png", "photos/b/x.png"])])
    assert goes(found) == {"b/x.jpg", "b/x.png", "b/x.xmp"}
    assert [len(unit.steps) for unit in twinpix.plan(found, "delete").units] == [3]
    write(tmp_path, "photos/b/x.xmp", b"another")
    assert goes(found) == set()
    assert set(why(found)) == {"b/x.jpg", "b/x.png"}


def test_a_second_version_belongs_to_the_image_of_its_name(tmp_path: Path) -> None:
    found = twins(tmp_path, "a/x.jpg", "b/x.jpg")
    write(tmp_path, "photos/b/x_01.jpg", content(3))
    write(tmp_path, "photos/b/x_01.jpg.xmp", b"of x_01.jpg")
    assert goes(found, "delete") == {"b/x.jpg"}


@pytest.mark.parametrize(
    ("root", "label"),
    [("images", "labels/train/x.txt"), ("images/train", "labels/train/x.txt"), ("images", "masks/train/x.png")],
)
def test_labels_outside_the_scanned_folder(root: str, label: str, tmp_path: Path) -> None:
    """Labels beside the scanned folder of images, at the same relative path in their own folder."""
    for folder in ("first", "second"):
        write(tmp_path, f"{folder}/images/train/x.jpg", content(1))
        write(tmp_path, f"{folder}/{label}", b"label")
    names = ["first/images/train/x.jpg", "second/images/train/x.jpg"]
    found = report(tmp_path, [group(tmp_path, 1, names)], (f"first/{root}", f"second/{root}"))
    plan = twinpix.plan(found, "move:to=out")
    assert [step.path for step in plan.steps] == [f"{tmp_path}/second/images/train/x.jpg", f"{tmp_path}/second/{label}"]
    assert plan.steps[1].target == f"{tmp_path}/out/{label}"


def drawn(base: Path, seed: int) -> Report:
    """Images with companion files in three folders, at random equal or different."""
    chance = random.Random(seed)
    forms = ("{d}/{s}.xmp", "{d}/{n}.xmp", "{d}/{s}.mov", "{d}/{s}.aae", "{d}/{n}.json", "{d}/{s}.txt", "{d}/{s}.wav")
    places = (
        "{d}/labels/{s}.txt",
        "{d}/masks/{s}.png",
        "{d}/thumbs/{n}",
        "{d}/{s}_mask.png",
        "{d}/{s}.mkv",
        "{d}/{s}.pdf",
    )
    chosen = chance.choices((*forms, *places), k=chance.randrange(1, 5))
    by_data: dict[bytes, list[str]] = {}
    for folder, stem, suffix in itertools.product("abc", "xy", (".jpg", ".png", ".cr2")):
        if chance.random() < 0.5:
            name = f"photos/{folder}/{stem}{suffix}"
            write(base, name, content(chance.randrange(3) if chance.random() < 0.3 else ord(stem) + len(suffix)))
            for form in chosen:
                side = form.format(d=f"photos/{folder}", s=stem, n=f"{stem}{suffix}")
                if chance.random() < 0.85 and not (base / side).exists():
                    write(base, side, b"one" if chance.random() < 0.85 else b"two")
    for file in sorted((base / "photos").rglob("*")):
        if file.suffix in (".jpg", ".png", ".cr2"):
            by_data.setdefault(file.read_bytes(), []).append(str(file.relative_to(base)))
    groups = [chance.sample(names, len(names)) for names in by_data.values() if len(names) > 1]
    return report(base, [group(base, number, names) for number, names in enumerate(groups, 1)])


@pytest.mark.parametrize("seed", range(40))
def test_no_bytes_are_lost_and_no_companion_is_orphaned(seed: int, tmp_path: Path) -> None:
    """For random folders: no bytes are lost, and no companion is removed or kept without its images."""
    found = drawn(tmp_path, seed)
    before, folders = tree(tmp_path / "photos"), Folders()
    owners: dict[str, set[str]] = {}
    for name in filter(lambda name: name.endswith((".jpg", ".png", ".cr2")), before):
        image = f"{tmp_path}/photos/{name}"
        for side, others in folders.of(image).sidecars.items():
            owners.setdefault(side, set()).update([image, *others])
    plan = twinpix.plan(found, "delete")
    gone, stays = {step.path for step in plan.steps}, {each.path for each in plan.kept}
    for side, images in owners.items():
        assert (images <= gone) == (side in gone), side
    assert all(step.keeper in stays - gone for step in plan.steps)
    outcome = twinpix.apply(plan, str(tmp_path / "j.jsonl"))
    assert outcome.done == len(gone)
    assert everything(tmp_path / "photos") == {data for data, _, _ in before.values()}


# -- masks


def masks(base: Path) -> Report:
    """Two images in each of two folders, all four with blank masks; images/1 is a duplicate, images/2 is not."""
    for folder in ("a", "b"):
        for number in "12":
            write(base, f"photos/{folder}/images/{number}.jpg", content(1 if number == "1" else ord(folder)))
            write(base, f"photos/{folder}/masks/{number}.png", b"blank")
    blank = [f"photos/{folder}/masks/{number}.png" for folder in "ba" for number in "12"]
    groups = [group(base, 1, ["photos/a/images/1.jpg", "photos/b/images/1.jpg"]), group(base, 2, blank)]
    return known(report(base, groups), base, "a/images/2.jpg", "b/images/2.jpg")


def test_a_mask_is_not_a_duplicate_while_its_image_is_kept(tmp_path: Path) -> None:
    found = masks(tmp_path)
    for action in ("move:to=out", "delete"):
        assert goes(found, action) == {
            "b/images/1.jpg",
            "b/masks/1.png",
        }  # the keeper of a group is removed with its image
    assert why(found)["b/masks/2.png"] == f"belongs to {tmp_path}/photos/b/images/2.jpg, which stays"
    assert f"{tmp_path}/photos/b/masks/1.png" not in [stays.path for stays in twinpix.plan(found, "delete").kept]
    write(tmp_path, "photos/a/masks/1.png", b"drawn")
    assert goes(found) == set()


def test_masks_are_kept_when_images_are_removed_alone(tmp_path: Path) -> None:
    assert goes(masks(tmp_path), "delete", sidecars="keep") == {"b/images/1.jpg"}


def test_masks_are_copied_with_kept_images(tmp_path: Path) -> None:
    kept = goes(masks(tmp_path), "copy:to=out")
    images = {"a/images/1.jpg", "a/images/2.jpg", "b/images/2.jpg"}
    assert kept >= images | {name.replace("images", "masks").replace("jpg", "png") for name in images}


@pytest.mark.parametrize("suffix", [".THM", ".ORI"])
def test_an_image_that_belongs_to_another_by_its_suffix_is_not_a_duplicate(suffix: str, tmp_path: Path) -> None:
    """Cameras write thumbnails as JPEG: for find each is a small copy of the image beside it."""
    found = twins(tmp_path, "a/1.jpg", "b/1.jpg", f"a/1{suffix}", f"b/1{suffix}", f"b/film{suffix}")
    write(tmp_path, "photos/b/film.avi", b"film")
    assert goes(found) == {"b/1.jpg", f"b/1{suffix}"}
    assert why(found)[f"a/1{suffix}"] == f"belongs to {tmp_path}/photos/a/1.jpg, which stays"
    assert why(found)[f"b/film{suffix}"] == f"belongs to {tmp_path}/photos/b/film.avi, which stays"


def test_masks_without_images_are_images(tmp_path: Path) -> None:
    assert goes(twins(tmp_path, "masks/1.png", "masks/2.png")) == {"masks/2.png"}


# -- actions


ACTIONS = actions_where(on="discards")


def everything(folder: Path) -> set[bytes]:
    return {data for data, _, _ in tree(folder).values()}


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_is_lost_and_undo_restores(action: str, tmp_path: Path) -> None:
    found = twins(tmp_path, "a/1.jpg", "b/1.jpg", "c/1.jpg", "d/1.jpg")
    for name, data in {"a/1.xmp": b"one", "b/1.xmp": b"one", "c/1.xmp": b"two", "d/1.aae": b"three"}.items():
        write(tmp_path, f"photos/{name}", data)
    before, path = tree(tmp_path / "photos"), save(found, tmp_path / "r.json")
    assert run(["resolve", str(path), *act_with(action), "--yes", "--apply"]) == 0
    after = set(tree(tmp_path / "photos"))
    assert everything(tmp_path / "photos") == {data for data, _, _ in before.values()}
    if plugins.load("actions", action).leaves:
        assert set(before) - after == {"b/1.jpg", "b/1.xmp"}
    if not plugins.load("actions", action).permanent:
        assert run(["undo", str(tmp_path / "r.journal.jsonl")]) == 0
        assert tree(tmp_path / "photos") == before


def test_a_companion_is_read_again_before_its_removal(tmp_path: Path) -> None:
    found = twins(tmp_path, "a/1.jpg", "b/1.jpg")
    write(tmp_path, "photos/a/1.xmp", b"one")
    write(tmp_path, "photos/b/1.xmp", b"one")
    plan = twinpix.plan(found, "delete")
    write(tmp_path, "photos/a/1.xmp", b"two")  # of one size and time
    before = tree(tmp_path / "photos")
    assert twinpix.apply(plan, str(tmp_path / "j.jsonl")).done == 0
    assert tree(tmp_path / "photos") == before


def test_the_report_is_not_a_companion(tmp_path: Path) -> None:
    found = twins(tmp_path, "a/1.jpg", "b/1.jpg")
    write(tmp_path, "photos/a/1.jpg.json", b"")
    path = save(found, tmp_path / "photos/b/1.jpg.json")
    assert run(["resolve", str(path), "--move", "out", "--apply"]) == 0
    assert path.exists()
    assert not (tmp_path / "photos/b/1.jpg").exists()


@pytest.mark.parametrize(
    ("spelling", "files"),
    [
        ([], 0),
        (["--sidecars"], 0),
        (["--sidecars", "same"], 0),
        (["--sidecars=all"], 2),
        (["--sidecars", "keep"], 1),
        (["--no-sidecars"], 1),
    ],
)
def test_spellings(spelling: list[str], files: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = twins(tmp_path, "a/1.jpg", "b/1.jpg")
    write(tmp_path, "photos/b/1.xmp", b"one")
    path = save(found, tmp_path / "r.json")
    assert run(["resolve", str(path), *spelling, "--move", "out", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["files"] == files
    assert run(["resolve", str(path), *spelling, "--move", "out"]) == 0
    output = capfd.readouterr().out
    assert ("left  photos/b/1.jpg: stays with its companion file 1.xmp" in output) == (files == 0)
    assert ("use --sidecars all for both" in output) == (files == 0)


# -- the shared cases


def copied(name: str, into: Path) -> Path:
    source = CASES / name
    if not source.is_dir():
        pytest.skip("needs the shared cases beside the checkout")
    for path, (data, _, _) in tree(source).items():
        write(into, f"case/{path}", data)
    return into / "case"


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("name", "folder"), [("live_photo", "b"), ("raw_developers", "b"), ("label_left_behind", "val")]
)
def test_cases(name: str, folder: str, action: str, tmp_path: Path) -> None:
    case = copied(name, tmp_path)
    before = tree(case)
    assert run(["find", "case", "--no-store", "-m", "phash", "--keep", "path", "-o", "r.json"]) == 0
    if not json.loads(Path("r.json").read_text())["groups"]:
        pytest.skip("needs a decoder for HEIC")
    assert run(["resolve", "r.json", *act_with(action), "--yes", "--apply"]) == 0
    after = tree(case)
    if not plugins.load("actions", action).leaves:
        assert set(after) == set(before)
    else:
        assert set(before) - set(after) == {path for path in before if path.startswith(f"{folder}/")}
    if not plugins.load("actions", action).permanent:
        assert run(["undo", "r.journal.jsonl"]) == 0
        assert tree(case) == before


def test_listing_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        write(tmp_path, f"photos/images/{number}.jpg", b"x")
        write(tmp_path, f"photos/labels/{number}.txt", b"x")
    listed: list[str] = []
    scandir: Callable[..., object] = os.scandir

    def counting(path: str) -> object:
        listed.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counting)
    folders = Folders()
    for number in range(50):
        assert list(folders.of(f"{tmp_path}/photos/images/{number}.jpg").sidecars) == [
            f"{tmp_path}/photos/labels/{number}.txt"
        ]
    assert len(listed) == len(set(listed))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_named_like_a_companion_is_not_a_companion(tmp_path: Path) -> None:
    found = twins(tmp_path, "a.jpg", "b.jpg")
    for name in ("b.json", "b.xmp", "b.jpg.xmp", "b.txt", "b.mov"):
        os.mkfifo(tmp_path / "photos" / name)
    (tmp_path / "photos/b.xml").symlink_to("b.json")
    assert goes(found) == {"b.jpg"}


def test_a_link_to_itself_does_not_hide_companions(tmp_path: Path) -> None:
    found = twins(tmp_path, "a.jpg", "b.jpg")
    for name in ("a.xmp", "b.xmp"):
        write(tmp_path, f"photos/{name}", b"<x:xmpmeta/>")
    (tmp_path / "photos/loop").symlink_to("loop")
    assert goes(found) == {"b.jpg", "b.xmp"}
