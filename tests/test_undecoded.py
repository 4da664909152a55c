"""Files with equal bytes are identical files even if they cannot be decoded; they are failures as well."""

import struct
import zlib
from pathlib import Path

import pytest

from drawings import draw
from twinpix import apply, find, plan
from twinpix.act.regroup import decide_again


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def too_large() -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "b.png"):
        (photos / name).write_bytes(too_large())
    for name in ("x.jpg", "y.jpg", "z.jpg"):
        (photos / name).write_bytes(b"\xff\xd8\xff\xe0 no image at all" + b"7" * 200)
    (photos / "alone.jpg").write_bytes(b"\xff\xd8\xff\xe0 another one" + b"8" * 200)
    draw("scene", 1, (200, 150)).save(photos / "good.png")
    return photos


@pytest.mark.parametrize("method", ["phash:size=16", "cascade", "pixels"])
def test_identical_files_that_cannot_be_decoded(folder: Path, method: str) -> None:
    report = find([str(folder)], method=method, store=None)
    assert [[Path(member.path).name for member in group.members] for group in report.groups] == [
        ["a.png", "b.png"],
        ["x.jpg", "y.jpg", "z.jpg"],
    ]
    assert {match.relation for group in report.groups for match in group.matches} == {"identical-file"}
    assert len(report.failures) == 6
    assert (report.counts.images, report.counts.unique, report.counts.groups, report.counts.discards) == (1, 1, 2, 3)


def test_deciding_again_counts_only_decoded_images(folder: Path) -> None:
    (folder / "good copy.png").write_bytes((folder / "good.png").read_bytes())
    report = find([str(folder)], store=None)
    assert (report.counts.images, report.counts.unique, report.counts.groups) == (2, 0, 3)
    assert decide_again(report, "resolution").counts == report.counts


def test_they_are_removed_like_any_identical_file(folder: Path) -> None:
    report = find([str(folder)], method="phash:size=16", store=None)
    planned = plan(report, f"move:to={folder.parent / 'aside'}")
    assert [Path(step.path).name for step in planned.steps] == ["b.png", "y.jpg", "z.jpg"]
    apply(planned, str(folder.parent / "journal.jsonl"))
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "alone.jpg", "good.png", "x.jpg"]
    assert sorted(path.name for path in (folder.parent / "aside").rglob("*.*")) == ["b.png", "y.jpg", "z.jpg"]


def test_references_and_cross(folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / "c.png").write_bytes(too_large())
    report = find([str(folder)], method="phash:size=16", reference=[str(other)], store=None)
    first = report.groups[0]
    assert Path(first.keeper).name == "c.png"
    assert [Path(member.path).name for member in first.discards] == ["a.png", "b.png"]
    crossed = find([str(folder), str(other)], method="phash:size=16", cross=True, store=None)
    assert [[Path(member.path).name for member in group.members] for group in crossed.groups] == [
        ["c.png", "a.png", "b.png"]
    ]


def test_copy_kept_copies_one_of_them(folder: Path) -> None:
    report = find([str(folder)], method="phash:size=16", store=None)
    planned = plan(report, f"copy:to={folder.parent / 'copies'}")
    assert sorted(Path(step.path).name for step in planned.steps) == ["a.png", "alone.jpg", "good.png", "x.jpg"]
