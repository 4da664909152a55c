"""`find` as a whole: groups, relations, guard, references, the same answer every time."""

import json
import os
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import twinpix
from drawings import LOW_KINDS, draw
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
    report = twinpix.find([photos], store=None)
    assert groups(report) == [["0 same.png", "0.png", "0 encoded.jpg", "0 small.jpg"]]
    assert relations(report) == {"0.png": "identical-file", "0 encoded.jpg": "re-encoded", "0 small.jpg": "resized"}
    counts = report.counts
    assert (counts.images, counts.unique, counts.groups, counts.discards, counts.failures) == (6, 2, 1, 3, 0)
    assert counts.bytes_reclaimable == sum(member.size for member in report.groups[0].members[1:])
    assert (report.spec, report.radius, report.link) == ("phash:size=16", 76, "star")


def test_identical_pixels_are_named(tmp_path: Path, picture: Draw) -> None:
    picture(1).save(tmp_path / "a.png")
    picture(1).save(tmp_path / "b.bmp")
    assert relations(twinpix.find([tmp_path], store=None)) == {"a.png": "identical-pixels"}


@pytest.mark.parametrize("method", ["phash", "phash:size=16", "phash_org", "dhash:size=16", "pdq"])
def test_transforms_find_turned_and_mirrored_copies(tmp_path: Path, picture: Draw, method: str) -> None:
    image = picture(4, (400, 300))
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


def test_the_low_information_guard(tmp_path: Path) -> None:
    for kind in LOW_KINDS:
        for seed in range(3):
            draw(kind, seed, (320, 240)).save(tmp_path / f"{kind} {seed}.png")
    draw("linear", 0, (320, 240)).save(tmp_path / "linear 0 again.bmp")
    report = twinpix.find([tmp_path], store=None)
    kinds = [{name.split()[0] for name in group} for group in groups(report)]
    assert all(len(kind) == 1 for kind in kinds), groups(report)
    assert ["linear 0 again.bmp", "linear 0.png"] in groups(report)
    assert not any("sky" in kind or "empty_scan" in kind or "dark_frame" in kind for kind in kinds)
    assert report.counts.guarded == report.counts.images
    assert "identical" in report.guarded[0].reason
    unguarded = twinpix.find([tmp_path], guard=False, store=None)
    assert unguarded.counts.discards > report.counts.discards


def test_references_are_never_discards(tmp_path: Path, picture: Draw) -> None:
    library, new = tmp_path / "library", tmp_path / "new"
    library.mkdir()
    new.mkdir()
    picture(1).resize((160, 120)).save(library / "small.jpg")
    picture(1).resize((150, 112)).save(library / "smaller.jpg")
    picture(1).save(new / "large.png")
    picture(2).save(library / "a.png")
    picture(2).save(library / "b.bmp")
    report = twinpix.find([new], reference=(str(library),), store=None)
    assert groups(report) == [["small.jpg", "large.png"]]
    assert [os.path.basename(m.path) for m in report.groups[0].discards] == ["large.png"]
    assert report.groups[0].reason == "in the reference folder"
    inside = twinpix.find([tmp_path], reference=(str(library),), store=None)
    assert all(not m.path.startswith(str(library)) for g in inside.groups for m in g.discards)


def test_cross_pairs_only_different_paths(tmp_path: Path, picture: Draw) -> None:
    train, test = tmp_path / "train", tmp_path / "test"
    train.mkdir()
    test.mkdir()
    for name in ("a.png", "b.png"):
        picture(1).save(train / name)
    picture(1).save(test / "leak.jpg", quality=80)
    picture(2).save(test / "c.png")
    picture(2).save(test / "d.bmp")
    report = twinpix.find([train, test], cross=True, store=None)
    assert groups(report) == [["a.png", "leak.jpg"]]
    with pytest.raises(UsageError, match="at least two"):
        twinpix.find([train], cross=True, store=None)


def test_the_same_report_whatever_the_order_and_the_workers(photos: Path, tmp_path: Path) -> None:
    files = [str(path) for path in photos.iterdir()]
    reports_ = []
    for workers, seed in ((1, 1), (2, 2), (4, 3)):
        random.Random(seed).shuffle(files)
        report = twinpix.find(files, workers=workers, store=tmp_path / "s" if seed == 3 else None)
        reports_.append(
            replace(
                undated(report),
                roots=[],
                groups=[replace(g, members=[replace(m, root=0) for m in g.members]) for g in report.groups],
            )
        )
    assert reports_[0] == reports_[1] == reports_[2]


def test_a_damaged_picture_is_marked_and_never_the_keeper(tmp_path: Path, picture: Draw) -> None:
    picture(1).save(tmp_path / "large.jpg", quality=95)
    data = (tmp_path / "large.jpg").read_bytes()
    (tmp_path / "large.jpg").write_bytes(data[:-40])
    picture(1).resize((160, 120)).save(tmp_path / "small.jpg")
    report = twinpix.find([tmp_path], store=None)
    assert groups(report) == [["small.jpg", "large.jpg"]]
    assert report.groups[0].members[1].damaged
    assert [os.path.basename(path) for path in report.damaged] == ["large.jpg"]
    assert "undamaged" in report.groups[0].reason


def test_failures_are_rows_and_other_files_are_counted(photos: Path) -> None:
    (photos / "text.jpg").write_text("no picture at all")
    (photos / "empty.png").touch()
    (photos / "notes.txt").write_text("hello")
    data = (photos / "0.png").read_bytes()
    (photos / "cut.png").write_bytes(data[:100])
    report = twinpix.find([photos], store=None)
    assert [(os.path.basename(f.path), f.stage) for f in report.failures] == [
        ("cut.png", "decode"),
        ("empty.png", "read"),
        ("text.jpg", "decode"),
    ]
    assert report.counts.other_files == 1
    assert report.counts.groups == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(photos: Path) -> None:
    (photos / "1.png").chmod(0)
    report = twinpix.find([photos], store=None)
    assert [f.error for f in report.failures] == ["permission denied"]


def test_a_file_that_vanishes_during_the_run(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from twinpix import sources

    real = sources.scan

    def scan_and_lose(*args: object, **options: object) -> sources.Listing:
        listing = real(*args, **options)  # type: ignore[arg-type]
        (photos / "1.png").unlink()
        return listing

    monkeypatch.setattr(sources, "scan", scan_and_lose)
    report = twinpix.find([photos], store=None)
    assert [(f.stage, f.error) for f in report.failures] == [("read", "no such file or directory")]
    assert report.counts.images == 5


@pytest.mark.skipif(sys.platform != "linux", reason="other systems forbid such names")
def test_names_survive_json(tmp_path: Path, picture: Draw) -> None:
    folder = os.fsencode(tmp_path / "odd")
    os.mkdir(folder)
    names = [b"line\nbreak.png", b"\xff\xfe.png", "schön 写真.png".encode(), b'quote" \\.png']
    picture(1).save(tmp_path / "a.png")
    for name in names:
        with open(os.path.join(folder, name), "wb") as file:
            file.write((tmp_path / "a.png").read_bytes())
    report = twinpix.find([os.fsdecode(folder)], store=None)
    path = tmp_path / "report.json"
    reports.write_file(str(path), (part.encode() for part in reports.writer("json").parts(report)))
    assert "schön 写真.png" in path.read_text()
    again = reports.read(str(path))
    assert again == report
    assert {os.fsencode(os.path.basename(m.path)) for m in again.groups[0].members} == set(names)
    assert json.loads(path.read_text())["schema"] == "twinpix.report/1"


def test_query(photos: Path) -> None:
    hits, failures = twinpix.query(photos / "0.png", [photos], store=None)
    assert [(os.path.basename(hit.path), hit.relation) for hit in hits][:1] == [("0 same.png", "identical-file")]
    assert {os.path.basename(hit.path) for hit in hits} == {"0 same.png", "0 encoded.jpg", "0 small.jpg"}
    assert not failures
    (photos / "bad.jpg").write_text("x")
    with pytest.raises(UsageError, match="as a query"):
        twinpix.query(photos / "bad.jpg", [photos], store=None)


def test_compare(photos: Path) -> None:
    assert twinpix.compare(photos / "0.png", photos / "0 same.png").relation == "identical-file"
    assert twinpix.compare(photos / "0.png", photos / "0 small.jpg").relation == "resized"
    different = twinpix.compare(photos / "0.png", photos / "1.png")
    assert different.relation is None
    assert {"phash", "pdq", "ahash"} <= {row.method for row in different.distances}


def test_encode_serves_all_methods_by_one_decode(photos: Path) -> None:
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
        ({"radius": -1}, "between 0 and 256"),
        ({"method": "nohash"}, "no method is called"),
        ({"method": "pixels", "transforms": True}, "cannot be combined"),
        ({"method": "digest", "radius": 1}, "only radius is 0"),
        ({"link": "chain"}, "there are: complete, components, star"),
        ({"keep": "prettiest"}, "no keep rule is called 'prettiest'; there are"),
        ({"search": "quantum"}, "there are: banded, oracle"),
    ],
)
def test_wrong_options(photos: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        twinpix.find([photos], store=None, **change)


@pytest.mark.parametrize("method", ["pixels", "digest"])
def test_identity_methods(photos: Path, method: str) -> None:
    (photos / "0 pixels.bmp").unlink(missing_ok=True)
    Image.open(photos / "0.png").save(photos / "0 pixels.bmp")
    found = groups(twinpix.find([photos], method=method, store=None))
    same = {"0 same.png", "0.png"} | ({"0 pixels.bmp"} if method == "pixels" else set())
    assert [set(group) for group in found] == [same]
