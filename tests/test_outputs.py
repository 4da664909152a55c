"""Options that name an output: files of other programs are not replaced, and gates do not pass without images."""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import twinpix
from commands import run
from twinpix import outputs, ui
from twinpix.compat.imagededup.utils.general_utils import save_json
from twinpix.errors import OutputError, UsageError
from twinpix.ui import figure


@pytest.fixture
def report(photos: Path, tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    assert run("find", "-m", "phash:size=16", photos, "-o", path).returncode == 0
    return path


def commands(photos: Path, report: Path, victim: Path) -> dict[str, list[str | Path]]:
    a, b = photos / "0.png", photos / "0 small.jpg"
    truth = report.parent / "truth.csv"
    truth.write_text(f"{a.name},{b.name}\n")
    return {
        "find": ["find", "-m", "phash:size=16", a, b, "-o", victim],
        "find with a table": ["find", "-m", "phash:size=16", a, b, "-o", victim],
        "find with a format": ["find", "-m", "phash:size=16", a, b, "-f", "text", "-o", victim],
        "encode": ["encode", photos, "-o", victim],
        "plot --html": ["plot", report, "--html", victim],
        "plot --histogram": ["plot", report, "--histogram", victim],
        "compare --explain": ["compare", a, b, "--explain", victim],
        "evaluate --plot": ["evaluate", truth, "--in", photos, "--plot", victim],
        "dedupe-dump -o": ["dedupe-dump", photos, "-e", "-o", victim],
        "remove-duplicates": [
            *("remove-duplicates", "-d", photos, "--no-data-dir", "--encoder", "DHash"),
            *("--encodings-only", "--encodings-out", victim),
        ],
    }


NAMES = {
    "find": "photo.json",
    "find with a table": "photo.parquet",
    "find with a format": "photo.jpg",
    "encode": "photo.jsonl",
    "plot --html": "photo.jpg",
    "plot --histogram": "photo.png",
    "compare --explain": "photo.jpg",
    "evaluate --plot": "photo.png",
    "dedupe-dump -o": "photo.jpg",
    "remove-duplicates": "package.json",
}


@pytest.mark.parametrize("name", NAMES)
def test_no_output_replaces_a_foreign_file(name: str, photos: Path, report: Path, tmp_path: Path) -> None:
    victim = tmp_path / NAMES[name]
    if victim.suffix in (".jpg", ".png"):
        Image.new("RGB", (60, 40), "teal").save(victim)
    else:
        victim.write_text('{\n  "name": "a text of the user"\n}\n')
    before = victim.read_bytes()
    words = commands(photos, report, victim)[name]
    done = run(*words)
    assert (done.returncode, victim.read_bytes()) == (2, before), done.stderr
    assert str(victim) in done.stderr
    assert "force" in done.stderr
    forced = run(*words, "--force")
    assert forced.returncode == 0, forced.stderr
    assert victim.read_bytes() != before
    again = run(*words)  # now it is an output of twinpix, unless that cannot be determined
    assert again.returncode == 0, again.stderr


NOTES = {
    "images.txt": "12 images (Rome, May 2019) that grandma wants printed:\nIMG_1, IMG_7\n",
    "groups.txt": "Group 1: 5 mice, drug A\nGroup 2: 5 mice, placebo\n",
    "places.json": json.dumps([{"location": "Paris", "visited": 2009}], indent=1),
    "coco.json": json.dumps({"images": [{"id": 1}], "annotations": [], "categories": ["a"]}),
}


@pytest.mark.parametrize("name", NOTES)
def test_a_file_that_only_begins_like_an_output_is_foreign(name: str, photos: Path, tmp_path: Path) -> None:
    victim = tmp_path / name
    victim.write_text(NOTES[name])
    if name == "coco.json":
        with pytest.raises(UsageError, match="exists and is no"):
            save_json({"a.jpg": ["b.jpg"]}, str(victim))
    elif name == "places.json":
        assert run("dedupe-dump", photos, "-e", "-o", victim).returncode == 2
    else:
        assert run("find", "-m", "phash:size=16", photos, "-o", victim).returncode == 2
    assert victim.read_text() == NOTES[name]


def test_results_replace_results(photos: Path, tmp_path: Path) -> None:
    for result in ({"a.jpg": ["b.jpg"]}, {"a.jpg": [["b.jpg", 0.9]]}, ["a.jpg"], {"a.jpg": "0123456789abcdef"}, []):
        save_json(result, str(tmp_path / "result.json"))
    for name in ("report.txt", "list.json"):
        words: list[str | Path] = (
            ["find", "-m", "phash:size=16", photos] if name == "report.txt" else ["dedupe-dump", photos, "-e"]
        )
        for _ in range(2):
            assert run(*words, "-o", tmp_path / name).returncode == 0
    for photo in photos.iterdir():
        photo.unlink()
    (photos / "a.png").write_bytes(b"no image")
    for _ in range(2):
        assert run("find", "-m", "phash:size=16", photos, "-o", tmp_path / "report.txt").returncode == 11


@pytest.mark.parametrize("suffix", [".csv", ".json", ".npz"])
def test_codes_replace_codes_only(suffix: str, photos: Path, tmp_path: Path) -> None:
    path = tmp_path / f"codes{suffix}"
    path.write_bytes(b"PK\x03\x04 an archive of the user")
    assert run("encode", photos, "-o", path).returncode == 2
    path.unlink()
    for _ in range(2):
        done = run("encode", photos, "-o", path)
        assert done.returncode == 0, done.stderr


def test_the_signatures_of_images(tmp_path: Path, report: Path) -> None:
    found = twinpix.report.read(str(report))
    for form in figure.FORMATS:
        path = tmp_path / f"histogram.{form}"
        for _ in range(2):
            ui.save(ui.distance_histogram(found), path)
        assert outputs.MARK in path.read_bytes(), form


def test_an_output_follows_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    kind = outputs.starts("greeting", b"hello")
    outputs.write(str(link), [b"hello 1"], kind)
    outputs.write(str(link), [b"hello 2"], kind)
    assert link.is_symlink()
    assert real.read_bytes() == b"hello 2"
    real.write_bytes(b"a diary")
    with pytest.raises(UsageError, match="is no greeting"):
        outputs.write(str(link), [b"hello 3"], kind)
    assert real.read_bytes() == b"a diary"


def test_a_file_that_appears_or_changes_meanwhile_is_kept(tmp_path: Path) -> None:
    path, kind = tmp_path / "out", outputs.starts("greeting", b"hello")

    def parts(other: bytes) -> Iterator[bytes]:
        path.write_bytes(other)
        yield b"hello"

    with pytest.raises(OutputError, match="exists"):
        outputs.write(str(path), parts(b"a diary"), kind)
    assert path.read_bytes() == b"a diary"
    path.write_bytes(b"hello")
    with pytest.raises(OutputError, match="changed by another program"):
        outputs.write(str(path), parts(b"a longer diary"), kind)
    assert path.read_bytes() == b"a longer diary"
    assert os.listdir(tmp_path) == ["out"]


def test_a_result_of_imagededup_replaces_a_result_only(tmp_path: Path) -> None:
    path = tmp_path / "duplicates.json"
    for results in ({"a.jpg": ["b.jpg"]}, {"a.jpg": [("b.jpg", 3)]}, {"a.jpg": "00ff00ff00ff00ff"}, {}):
        save_json(results, str(path))
    path.write_text('{\n  "name": "a package"\n}')
    with pytest.raises(UsageError):
        save_json({}, str(path))


# -- formats ---------------------------------------------------------------------------------------------


def test_the_suffix_names_the_format(photos: Path, tmp_path: Path) -> None:
    heads = {
        ".csv": b"group,role,path,",
        ".txt": b"Group 1: ",
        ".html": b"<!doctype html>",
        ".json": b'{\n"schema"',
        "": b'{\n"schema"',
        ".parquet": b"PAR1",
        ".arrow": b"ARROW1",
        ".feather": b"ARROW1",
    }
    for suffix, head in heads.items():
        path = tmp_path / f"out{suffix}"
        for _ in range(2):
            done = run("find", "-m", "phash:size=16", photos, "-o", path)
            assert done.returncode == 0, done.stderr
        assert path.read_bytes().startswith(head), suffix
    done = run("find", "-m", "phash:size=16", photos, "-o", tmp_path / "out.ods")
    assert (done.returncode, (tmp_path / "out.ods").exists()) == (2, False)
    assert ".csv" in done.stderr
    assert json.loads(run("find", "-m", "phash:size=16", photos, "-o", "-").stdout)["groups"]


@pytest.mark.skipif(os.name == "nt", reason="names of any bytes")
def test_undecodable_names(photos: Path, tmp_path: Path) -> None:
    odd = os.path.join(os.fsencode(photos), b"bad \xff\nname.png")
    with open(odd, "wb") as file:
        file.write((photos / "0.png").read_bytes())
    done = run("find", "-m", "phash:size=16", photos, "-f", "csv")
    rows = list(csv.reader(done.stdout.splitlines()))
    assert done.stdout.isprintable() or "\x0a" in done.stdout
    assert {len(row) for row in rows} == {len(rows[0])}
    assert any(row[2].endswith(r"bad \udcff\nname.png") for row in rows)
    done.stdout.encode("utf-8")  # every byte is valid UTF-8
    refused = run("find", "-m", "phash:size=16", photos, "-f", "fdupes")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "-0" in refused.stderr
    null = run("find", "-m", "phash:size=16", photos, "-f", "fdupes", "-0")
    groups = null.stdout.removesuffix("\0\0").split("\0\0")
    assert os.fsdecode(odd) in {path for group in groups for path in group.split("\0")}
    assert run("find", "-m", "phash:size=16", photos, "-0").returncode == 2


# -- gates -----------------------------------------------------------------------------------------------


def test_a_gate_does_not_pass_on_nothing(tmp_path: Path, photos: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("find", empty).returncode == 0
    for flags in (["--fail-if-found"], ["--strict"], ["--fail-if-found", "--strict"]):
        done = run("find", "-m", "phash:size=16", empty, *flags)
        assert done.returncode == 11, flags
        assert "no image was compared" in done.stderr
    archive = tmp_path / "photos.zip"
    archive.write_bytes(b"PK\x03\x04" + bytes(100))
    assert run("find", "-m", "phash:size=16", archive, "--fail-if-found").returncode == 11
    (photos / "broken.jpg").write_bytes((photos / "0 small.jpg").read_bytes()[:200])
    assert run("find", "-m", "phash:size=16", photos, "--fail-if-found", "--strict").returncode == 10
    assert run("find", "-m", "phash:size=16", photos, "--strict").returncode == 1
