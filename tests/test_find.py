"""`find` as a whole: groups, relations, guard, references, deterministic results."""

import importlib.resources
import json
import os
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

import twinpix
from drawings import LOW_KINDS, draw
from twinpix import outputs, plugins
from twinpix import report as reports
from twinpix.errors import UsageError
from twinpix.model import Report

Draw = Callable[..., Image.Image]


def groups(report: Report) -> list[list[str]]:
    return [[os.path.basename(member.path) for member in group.members] for group in report.groups]


def relations(report: Report) -> dict[str, str]:
    """Relation to the keeper, by name."""
    return {
        os.path.basename(match.b): match.relation
        for group in report.groups
        for match in group.matches
        if match.a == group.keeper
    }


def undated(report: Report) -> Report:
    return replace(report, created="", notes=[])


def test_a_folder_of_copies(photos: Path) -> None:
    report = twinpix.find([photos], method="phash:size=16", store=None)
    assert groups(report) == [["0 same.png", "0.png", "0 encoded.jpg", "0 small.jpg"]]
    assert relations(report) == {"0.png": "identical-file", "0 encoded.jpg": "re-encoded", "0 small.jpg": "resized"}
    counts = report.counts
    assert (counts.images, counts.unique, counts.groups, counts.discards, counts.failures) == (6, 2, 1, 3, 0)
    assert counts.bytes_reclaimable == sum(member.size for member in report.groups[0].members[1:])
    assert (report.spec, report.radius, report.link) == ("phash:size=16", 76, "star")


def test_identical_pixels_are_named(tmp_path: Path, draw_image: Draw) -> None:
    draw_image(1).save(tmp_path / "a.png")
    draw_image(1).save(tmp_path / "b.bmp")
    assert relations(twinpix.find([tmp_path], method="phash:size=16", store=None)) == {"a.png": "identical-pixels"}


@pytest.mark.parametrize("method", ["phash", "phash:size=16", "phash_org", "dhash:size=16", "pdq"])
def test_transforms_find_turned_and_mirrored_copies(tmp_path: Path, draw_image: Draw, method: str) -> None:
    image = draw_image(4, (400, 300))
    image.save(tmp_path / "0 upright.png")
    turns = {
        "rotated": (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270),
        "mirrored": (
            Image.Transpose.FLIP_LEFT_RIGHT,
            Image.Transpose.FLIP_TOP_BOTTOM,
            Image.Transpose.TRANSPOSE,
            Image.Transpose.TRANSVERSE,
        ),
    }
    for name, transposes in turns.items():
        for at, transpose in enumerate(transposes):
            image.transpose(transpose).save(tmp_path / f"{name} {at}.jpg", quality=90)
    assert twinpix.find([tmp_path], method=method, store=None).counts.discards < 7
    report = twinpix.find([tmp_path], method=method, transforms=True, store=None)
    assert report.counts.discards == 7
    assert all(name.startswith(relation) for name, relation in relations(report).items())


def test_images_with_low_detail_match_by_identity_alone(tmp_path: Path) -> None:
    for kind in LOW_KINDS:
        for seed in range(3):
            draw(kind, seed, (320, 240)).save(tmp_path / f"{kind} {seed}.png")
    draw("linear", 0, (320, 240)).save(tmp_path / "linear 0 again.bmp")
    report = twinpix.find([tmp_path], method="phash:size=16", store=None)
    kinds = [{name.split()[0] for name in group} for group in groups(report)]
    assert all(len(kind) == 1 for kind in kinds), groups(report)
    assert ["linear 0 again.bmp", "linear 0.png"] in groups(report)
    assert not any("sky" in kind or "empty_scan" in kind or "dark_frame" in kind for kind in kinds)
    assert report.counts.guarded == report.counts.images
    assert "identical" in report.guarded[0].reason
    unguarded = twinpix.find([tmp_path], method="phash:size=16", guard=False, store=None)
    assert unguarded.counts.discards > report.counts.discards


def test_references_are_never_discards(tmp_path: Path, draw_image: Draw) -> None:
    library, new = tmp_path / "library", tmp_path / "new"
    library.mkdir()
    new.mkdir()
    draw_image(1).resize((160, 120)).save(library / "small.jpg")
    draw_image(1).resize((150, 112)).save(library / "smaller.jpg")
    draw_image(1).save(new / "large.png")
    draw_image(2).save(library / "a.png")
    draw_image(2).save(library / "b.bmp")
    report = twinpix.find([new], method="phash:size=16", reference=(str(library),), store=None)
    assert groups(report) == [["small.jpg", "large.png"]]
    assert [os.path.basename(m.path) for m in report.groups[0].discards] == ["large.png"]
    assert report.groups[0].reason == "in the reference folder"
    inside = twinpix.find([tmp_path], method="phash:size=16", reference=(str(library),), store=None)
    assert all(not m.path.startswith(str(library)) for g in inside.groups for m in g.discards)


def test_cross_pairs_only_different_paths(tmp_path: Path, draw_image: Draw) -> None:
    train, test = tmp_path / "train", tmp_path / "test"
    train.mkdir()
    test.mkdir()
    for name in ("a.png", "b.png"):
        draw_image(1).save(train / name)
    draw_image(1).save(test / "leak.jpg", quality=80)
    draw_image(2).save(test / "c.png")
    draw_image(2).save(test / "d.bmp")
    report = twinpix.find([train, test], method="phash:size=16", cross=True, store=None)
    assert groups(report) == [["a.png", "leak.jpg"]]
    with pytest.raises(UsageError, match="at least two"):
        twinpix.find([train], method="phash:size=16", cross=True, store=None)


def test_the_same_report_whatever_the_order_and_the_workers(photos: Path, tmp_path: Path) -> None:
    files = [str(path) for path in photos.iterdir()]
    reports_ = []
    for workers, seed in ((1, 1), (2, 2), (4, 3)):
        random.Random(seed).shuffle(files)
        report = twinpix.find(
            files, method="phash:size=16", workers=workers, store=tmp_path / "s" if seed == 3 else None
        )
        reports_.append(
            replace(
                undated(report),
                roots=[],
                unique=[replace(image, root=0) for image in report.unique or ()],
                groups=[replace(g, members=[replace(m, root=0) for m in g.members]) for g in report.groups],
            )
        )
    assert reports_[0] == reports_[1] == reports_[2]


def test_a_damaged_image_is_marked_and_never_the_keeper(tmp_path: Path, draw_image: Draw) -> None:
    draw_image(1).save(tmp_path / "large.jpg", quality=95)
    data = (tmp_path / "large.jpg").read_bytes()
    (tmp_path / "large.jpg").write_bytes(data[:-40])
    draw_image(1).resize((160, 120)).save(tmp_path / "small.jpg")
    report = twinpix.find([tmp_path], method="phash:size=16", store=None)
    assert groups(report) == [["small.jpg", "large.jpg"]]
    assert report.groups[0].members[1].damaged
    assert [os.path.basename(path) for path in report.damaged] == ["large.jpg"]
    assert "undamaged" in report.groups[0].reason


def test_failures_are_listed_and_other_files_are_counted(photos: Path) -> None:
    (photos / "text.jpg").write_text("no picture at all")
    (photos / "empty.png").touch()
    (photos / "notes.txt").write_text("hello")
    data = (photos / "0.png").read_bytes()
    (photos / "cut.png").write_bytes(data[:100])
    report = twinpix.find([photos], method="phash:size=16", store=None)
    assert [(os.path.basename(f.path), f.stage) for f in report.failures] == [
        ("cut.png", "decode"),
        ("empty.png", "read"),
        ("text.jpg", "decode"),
    ]
    assert report.counts.other_files == 1
    assert report.counts.groups == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX")
def test_no_permission(draw_image: Draw) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for seed in (1, 2):
            draw_image(seed).save(folder / f"{seed}.png")
        (folder / "shut").mkdir(mode=0)
        (folder / "1.png").chmod(0)
        (folder / "2.png").chmod(0o644)
        report = as_nobody(lambda: twinpix.find([folder], method="phash:size=16", store=None))
    assert [(os.path.basename(path), stage, error) for path, stage, error in report] == [
        ("1.png", "read", "permission denied"),
        ("shut", "list", "permission denied"),
    ]


def as_nobody(work: Callable[[], Report]) -> list[list[str]]:
    """The failures of a run in a process without root privileges."""
    work()  # all modules must be loaded now: only root can read their folder
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the threads of the test runner are not needed in the fork
        child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            found = [[f.path, f.stage, f.error] for f in work().failures]
            os.write(writer, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        output = file.read()
    os.waitpid(child, 0)
    return json.loads(output or "[]")  # type: ignore[no-any-return]


@pytest.mark.parametrize("method", ["phash", "pixels"])
@pytest.mark.parametrize("link", plugins.names("linking"))
def test_many_equal_images_are_one_group(tmp_path: Path, draw_image: Draw, method: str, link: str) -> None:
    for image, folder in ((Image.new("RGB", (64, 64), "white"), "blank"), (draw_image(1), "drawn")):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b.bmp", "c.tif", "d.ppm"):
            image.save(tmp_path / folder / name)
    report = twinpix.find([tmp_path], method=method, link=link, store=None)
    assert [len(group.members) for group in report.groups] == [4, 4]
    assert {match.relation for group in report.groups for match in group.matches} == {"identical-pixels"}
    kept = [[m.a for m in group.matches].count(group.keeper) for group in report.groups]
    assert kept == [3, 3]


def test_a_copy_of_a_lesser_member_has_its_distance_to_the_keeper(photos: Path) -> None:
    shutil.copy(photos / "0 small.jpg", photos / "0 small too.jpg")
    found = relations(twinpix.find([photos], method="phash:size=16", store=None))
    assert found["0 small too.jpg"] == found["0 small.jpg"] == "resized"


def test_a_damaged_reference_is_not_the_keeper_and_not_a_discard(tmp_path: Path, draw_image: Draw) -> None:
    library, new = tmp_path / "library", tmp_path / "new"
    library.mkdir()
    new.mkdir()
    draw_image(1).save(new / "intact.jpg", quality=95)
    (library / "cut.jpg").write_bytes((new / "intact.jpg").read_bytes()[:-60])
    report = twinpix.find([new], method="phash:size=16", reference=library, store=None)
    assert groups(report) == [["intact.jpg", "cut.jpg"]]
    assert report.groups[0].discards == []
    assert report.groups[0].reason == "the only one undamaged"


def test_files_behind_followed_links_are_not_discards(tmp_path: Path, draw_image: Draw) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    draw_image(1).save(tmp_path / "in/a.png")
    draw_image(1).resize((100, 75)).save(tmp_path / "out/b.png")
    (tmp_path / "in/link").symlink_to(tmp_path / "out")
    report = twinpix.find(tmp_path / "in", method="phash:size=16", follow_links=True, store=None)
    assert groups(report) == [["a.png", "b.png"]]
    assert report.groups[0].discards == []


def test_a_thousand_equal_codes_do_not_make_a_quadratic_report(tmp_path: Path, draw_image: Draw) -> None:
    image = draw_image(1, (64, 48))
    for number in range(300):  # different files with nearly equal pixels
        image.putpixel((number % 64, 0), (number, 0, 0))
        image.save(tmp_path / f"{number:03}.png")
    report = twinpix.find(tmp_path, method="phash:size=16", store=None)
    assert [len(group.members) for group in report.groups] == [300]
    assert len(report.groups[0].matches) + report.groups[0].matches_left_out < 5000


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts processes so")
def test_paths_can_be_a_single_one_and_of_any_type(photos: Path) -> None:
    expected = undated(twinpix.find([photos], method="phash:size=16", store=None))
    for paths in (str(photos), photos, os.fsencode(photos), (path for path in [photos])):
        assert undated(twinpix.find(paths, method="phash:size=16", store=None)) == expected
    with pytest.raises(UsageError, match="paths are"):
        twinpix.find([7], method="phash:size=16", store=None)  # type: ignore[arg-type]


def test_a_file_that_vanishes_during_the_run(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from twinpix import sources

    real = sources.scan

    def scan_and_lose(*args: object, **options: object) -> sources.Listing:
        listing = real(*args, **options)  # type: ignore[arg-type]
        (photos / "1.png").unlink()
        return listing

    monkeypatch.setattr(sources, "scan", scan_and_lose)
    report = twinpix.find([photos], method="phash:size=16", store=None)
    assert [(f.stage, f.error) for f in report.failures] == [("read", "no such file or directory")]
    assert report.counts.images == 5


@pytest.mark.skipif(sys.platform != "linux", reason="other systems forbid such names")
def test_names_survive_json(tmp_path: Path, draw_image: Draw) -> None:
    folder = os.fsencode(tmp_path / "odd")
    os.mkdir(folder)
    names = [b"line\nbreak.png", b"\xff\xfe.png", "schön 写真.png".encode(), b'quote" \\.png']
    draw_image(1).save(tmp_path / "a.png")
    for name in names:
        with open(os.path.join(folder, name), "wb") as file:
            file.write((tmp_path / "a.png").read_bytes())
    report = twinpix.find([os.fsdecode(folder)], method="phash:size=16", store=None)
    path = tmp_path / "report.json"
    writer = reports.writer("json")
    outputs.write(str(path), (part.encode() for part in writer.parts(report)), writer.kind)
    assert "schön 写真.png" in path.read_text()
    again = reports.read(str(path))
    assert again == report
    assert {os.fsencode(os.path.basename(m.path)) for m in again.groups[0].members} == set(names)
    assert json.loads(path.read_text())["schema"] == "twinpix.report/2"


def test_reports_match_the_schema_of_the_package(photos: Path, tmp_path: Path) -> None:
    """Whatever a run finds: groups, similar scenes, failures, guarded images, and the fields of each."""
    file = importlib.resources.files("twinpix.report") / "report-2.schema.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    assert schema == reports.json.schema(), "run docs/write_schema.py"
    valid = jsonschema.Draft202012Validator(schema)
    (photos / "bad.jpg").write_text("x")
    Image.new("RGB", (64, 64), "white").save(photos / "blank.png")
    for method in ("digest", "cascade", "cnn", "phash"):
        value = twinpix.find(photos, store=None, method=method).to_dict()
        assert value["groups"]
        valid.validate(value)
    assert value["failures"]
    changes: list[dict[str, Any]] = [{"unit": "metres"}, {"groups": {}}, {"schema": "twinpix.report/1"}]
    for change in changes:
        assert not valid.is_valid(value | change)
    del value["groups"][0]["matches"][0]["same_code"]
    assert not valid.is_valid(value)
    assert not valid.is_valid({name: each for name, each in value.items() if name != "unit"})


def test_query(photos: Path) -> None:
    hits, failures = twinpix.query(photos / "0.png", [photos], method="phash:size=16", store=None)
    assert [(os.path.basename(hit.path), hit.relation) for hit in hits][:1] == [("0 same.png", "identical-file")]
    assert {os.path.basename(hit.path) for hit in hits} == {"0 same.png", "0 encoded.jpg", "0 small.jpg"}
    assert not failures
    (photos / "bad.jpg").write_text("x")
    with pytest.raises(UsageError, match="as a query"):
        twinpix.query(photos / "bad.jpg", [photos], method="phash:size=16", store=None)
    with pytest.raises(UsageError, match="a folder"):
        twinpix.query(photos, [photos], method="phash:size=16", store=None)
    Image.open(photos / "1.png").save(photos / "1 pixels.bmp")
    for method in ("phash", "pixels"):
        hits, _ = twinpix.query(photos / "1.png", photos, method=method, store=None)
        assert [(os.path.basename(hit.path), hit.relation) for hit in hits] == [("1 pixels.bmp", "identical-pixels")]


def test_compare(photos: Path) -> None:
    assert twinpix.compare(photos / "0.png", photos / "0 same.png").relation == "identical-file"
    assert twinpix.compare(photos / "0.png", photos / "0 small.jpg").relation == "resized"
    cut = photos / "0 cut.jpg"
    cut.write_bytes((photos / "0 encoded.jpg").read_bytes()[:-60])
    assert twinpix.compare(cut, photos / "0 encoded.jpg").same
    # A hash does not show a missing part; the pixels do, by which `find` names the relation too.
    assert twinpix.compare(cut, photos / "0 encoded.jpg", method="phash:size=16").relation == "edited"
    assert twinpix.compare(photos / "0.png", photos / "0 same.png", method="pixels").relation == "identical-file"
    different = twinpix.compare(photos / "0.png", photos / "1.png")
    assert different.relation is None
    assert {"phash", "pdq", "ahash"} <= {row.method for row in different.distances}


def test_encode_decodes_once_for_all_methods(photos: Path) -> None:
    coded = twinpix.encode([photos], ["phash", "dhash:size=16", "pdq"], store=None)
    assert {spec: prints.codes.shape for spec, prints in coded.items()} == {
        "phash": (6, 8),
        "dhash:size=16": (6, 32),
        "pdq": (6, 32),
    }
    assert twinpix.encode([photos], transforms=True, store=None)["phash:size=16"].codes.shape == (6, 8, 32)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"radius": 300}, "between 0 and 256"),
        ({"radius": -1}, "distance of 0 or more"),
        ({"radius": 1.5}, "whole number of bits"),
        ({"device": "cpu"}, "no device can be chosen"),
        ({"method": "nohash"}, "no method is called"),
        ({"method": "pixels", "transforms": True}, "cannot be combined"),
        ({"method": "digest", "radius": 1}, "only radius is 0"),
        ({"link": "chain"}, f"there are: {', '.join(plugins.names('linking'))}$"),
        ({"keep": "prettiest"}, "no keep rule is called 'prettiest'; there are"),
        ({"search": "quantum"}, f"there are: {', '.join(plugins.names('search'))}$"),
        ({"search": "banded:threads=-1"}, "must not be negative"),
        ({"workers": -1}, "number of processes"),
        ({"timeout": float("nan")}, "number of seconds"),
        ({"decode": "sharp"}, "fast, reference"),
    ],
)
def test_wrong_options(photos: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        twinpix.find([photos], **{"method": "phash:size=16", "store": None, **change})


@pytest.mark.parametrize("method", ["pixels", "digest"])
def test_identity_methods(photos: Path, method: str) -> None:
    (photos / "0 pixels.bmp").unlink(missing_ok=True)
    Image.open(photos / "0.png").save(photos / "0 pixels.bmp")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (photos / "broken too.jpg").write_bytes(b"\xff\xd8\xff broken")
    report = twinpix.find([photos], method=method, store=None)
    found = groups(report)
    assert set(found.pop()) == {"broken.jpg", "broken too.jpg"}  # equal bytes need no decoder
    assert set(relations(report).values()) == {"identical-file"} | (
        {"identical-pixels"} if method == "pixels" else set()
    )
    same = {"0 same.png", "0.png"} | ({"0 pixels.bmp"} if method == "pixels" else set())
    assert [set(group) for group in found] == [same]
