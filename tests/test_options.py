"""Common options: excluding files, acting by relation, mirrored copies, quiet and verbose."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

import twinpix
from twinpix import ui
from twinpix.cli.app import run
from twinpix.errors import UsageError
from twinpix.evaluation.copies import find_copies
from twinpix.model import Counts, Group, Match, Member, Report
from twinpix.progress.terminal import LineProgress
from twinpix.report.base import writer
from twinpix.sources.filters import Filter

Drawn = Callable[..., Image.Image]


def names(report: Report) -> set[str]:
    return {os.path.basename(member.path) for group in report.groups for member in group.members}


@pytest.mark.parametrize(
    ("pattern", "path", "left_out"),
    [
        ("thumb*", "a/thumb_1.jpg", True),
        ("thumb*", "thumbs/a.jpg", False),  # the folder itself is excluded when it is entered
        ("*.tmp.jpg", "a/b.tmp.jpg", True),
        ("cache/*", "a/cache/b.jpg", True),
        ("cache/*", "a/mycache/b.jpg", False),
        ("*/cache/*", "a/mycache/b.jpg", False),
        ("a?c.jpg", "abc.jpg", True),
        ("[!a]*.jpg", "abc.jpg", False),
    ],
)
def test_patterns(pattern: str, path: str, left_out: bool) -> None:
    pattern, path = pattern.replace("/", os.sep), path.replace("/", os.sep)
    assert Filter.of([pattern]).leaves_out(path) is left_out


def test_excluding(photos: Path, draw_image: Drawn) -> None:
    (photos / "cache").mkdir()
    draw_image(0).save(photos / "cache" / "copy.png")
    draw_image(0).resize((40, 30)).save(photos / "tiny.png")
    assert {"copy.png", "tiny.png"} <= names(twinpix.find(photos, method="phash:size=16", store=None))
    report = twinpix.find(photos, method="phash:size=16", store=None, exclude=["cache"], min_pixels=1300)
    assert not {"copy.png", "tiny.png"} & names(report)
    assert [note for note in report.notes if "excluded" in note] == [
        "1 file or folder excluded by name or size",
        "1 image excluded by the number of pixels",
    ]
    assert report.counts.images == twinpix.find(photos, method="phash:size=16", store=None).counts.images - 2
    smallest = min(member.size for group in report.groups for member in group.members)
    assert (
        twinpix.find(photos, method="phash:size=16", store=None, min_size=smallest + 1).counts.images
        < report.counts.images + 2
    )
    with pytest.raises(UsageError, match="min_size"):
        twinpix.find(photos, method="phash:size=16", min_size=-1)


# -- errors: Python names its parameters, the command line its options

NAMED: dict[str, tuple[list[str], Callable[[], object]]] = {
    "--cross": (["find", "photos"], lambda: twinpix.find("photos", cross=True)),
    "--transforms": (
        ["find", "photos", "-m", "pixels"],
        lambda: twinpix.find("photos", method="pixels", transforms=True),
    ),
    "--search=oracle": (["find", "photos"], lambda: twinpix.find("photos", search="oracle")),
    "--precision=0.9": (["find", "photos"], lambda: twinpix.find("photos", precision=0.9)),
    "--stricter=900": (
        ["resolve", "r.json", "--trash"],
        lambda: twinpix.plan(twinpix.Report.load("r.json"), "trash", stricter=900),
    ),
    "--follow-links": (
        ["query", "photos/0.png", "--codes", "c.jsonl"],
        lambda: twinpix.query_codes("photos/0.png", "c.jsonl", follow_links=True),
    ),
    "--no-recursive": (
        ["query", "photos/0.png", "--codes", "c.jsonl"],
        lambda: twinpix.query_codes("photos/0.png", "c.jsonl", recursive=False),
    ),
    "--exclude=*.gif": (
        ["query", "photos/0.png", "--codes", "c.jsonl"],
        lambda: twinpix.query_codes("photos/0.png", "c.jsonl", exclude="*.gif"),
    ),
    "-t": (
        ["query", "photos/0.png", "--codes", "c.jsonl"],
        lambda: twinpix.query_codes("photos/0.png", "c.jsonl", transforms=True),
    ),
}


@pytest.mark.parametrize("given", NAMED)
def test_an_error_names_the_option_or_the_parameter(
    given: str, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photos.parent)
    arguments, call = NAMED[given]
    if "r.json" in arguments:
        twinpix.find("photos", method="phash", store=None, workers=1).save("r.json")
    if "c.jsonl" in arguments:
        rows = twinpix.encode_files_as_stream("photos", ["phash"], store=None, workers=1)
        twinpix.write_codes("c.jsonl", twinpix.header_of(["phash"]), rows)
    with pytest.raises(UsageError) as raised:
        call()
    field, text = raised.value.field, str(raised.value)
    assert field
    assert text.startswith(f"{field} ")
    assert run([*arguments, given]) == 2
    option = {"-t": "--transforms"}.get(given, given.partition("=")[0])
    assert option in (f"--{field.replace('_', '-')}", f"--no-{field}")
    assert capsys.readouterr().err == f"twinpix: {option}{text.removeprefix(field)}\n"


@pytest.mark.parametrize(
    ("field", "value"),
    [("workers", -1), ("timeout", 0), ("min_size", -1), ("min_pixels", -1), ("decode", "x"), ("strictness", "x")],
)
def test_options_name_the_parameter_that_is_out_of_range(field: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^{field} is ") as raised:
        twinpix.Options(**{field: value})
    assert raised.value.field == field


def test_the_note_on_links_names_the_option(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos)
    found = twinpix.find(tmp_path, store=None, exclude=["photos"], method="phash", workers=1)
    how = "--follow-links, in Python follow_links=True, follows them"
    assert found.notes[-1] == f"1 symbolic link to a folder was not followed ({how})"


def test_mirrored_copies_can_be_excluded(tmp_path: Path, draw_image: Drawn) -> None:
    image = draw_image(2)
    image.save(tmp_path / "left.png")
    ImageOps.mirror(image).save(tmp_path / "right.png")
    image.rotate(90, expand=True).save(tmp_path / "turned.png")
    image.crop((20, 10, 310, 230)).save(tmp_path / "cropped.png")
    assert len(names(twinpix.find(tmp_path, store=None, method="cascade"))) == 4
    report = twinpix.find(tmp_path, store=None, method="cascade", transforms=False)
    assert names(report) == {"left.png", "cropped.png"}
    hits, _ = twinpix.query(tmp_path / "left.png", [tmp_path], store=None, method="cascade", transforms=False)
    assert [os.path.basename(hit.path) for hit in hits] == ["cropped.png"]


@pytest.mark.parametrize(
    ("method", "given", "matched"),
    [
        *[(method, given, given is not False) for method in ("cascade", "local") for given in (None, True, False)],
        *[("phash:size=16", given, given is True) for given in (None, True, False)],
        ("pixels", None, False),
    ],
)
def test_a_report_says_whether_mirrored_and_rotated_copies_were_matched(
    method: str, given: bool | None, matched: bool, tmp_path: Path, draw_image: Drawn
) -> None:
    draw_image(2).save(tmp_path / "left.png")
    ImageOps.mirror(draw_image(2)).save(tmp_path / "right.png")
    report = twinpix.find(tmp_path, store=None, method=method, transforms=given, workers=1)
    assert (report.transforms, bool(report.groups)) == (matched, matched)


def test_the_case_of_mirrored_signs(shared: Path) -> None:
    folder = shared / "cases" / "mirrored_signs"
    assert not twinpix.find(folder, store=None, method="cascade", transforms=False).groups


def test_acting_by_relation(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    assert run(["find", "-m", "phash:size=16", str(photos), "-o", str(report)]) == 0
    assert run(["resolve", str(report), "--delete", "--only", "identical-file", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out.partition(f"report: {report}\n")[2])
    (unit,) = plan["units"]
    assert {os.path.basename(row["path"]) for row in (*unit["files"], *plan["keep"])} == {"0.png", "0 same.png"}
    assert {row["reason"] for row in plan["left"]} == {
        "is re-encoded: only identical-file was requested",
        "is resized: only identical-file was requested",
    }
    assert run(["resolve", str(report), "--delete", "--only", "identic"]) == 2
    assert "there are: identical-file" in capsys.readouterr().err
    assert run(["resolve", str(report), "--delete", "--only", ","]) == 2


def test_no_option_is_silently_ignored(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["find", str(photos), "-m", "phash", "--method", "dhash"]) == 2
    assert "--method is given twice" in capsys.readouterr().err
    assert run(["find", "-m", "phash:size=16", str(photos), "-r", "3", "-r", "4"]) == 2
    assert (
        run(["find", "-m", "phash:size=16", str(photos), "--exclude", "a", "--exclude", "b", "-t", "-t", "--no-store"])
        == 0
    )


def test_codes_that_match_nothing_are_not_written(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for spec in ("cascade", "local"):
        assert run(["encode", str(photos), "-m", spec]) == 2
        assert "compares pixels" in capsys.readouterr().err


def test_quiet_and_verbose(photos: Path) -> None:
    def stderr(*words: str) -> str:
        command = [
            sys.executable,
            "-m",
            "twinpix",
            "find",
            "--method=phash:size=16",
            str(photos),
            "--min-pixels",
            "99999999",
            *words,
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stderr

    assert stderr("-q") == ""
    assert run(["find", "-m", "phash:size=16", str(photos), "--no-store", "-q"]) == 0


def test_progress_without_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 31.0, 40.0, 70.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    progress = LineProgress()
    progress.start("read", 4000)
    for _ in range(4):
        progress.advance(310)
    assert capsys.readouterr().err.splitlines() == [
        "twinpix: Reading images: 620 of 4,000, 20/s, 3 min left",
        "twinpix: Reading images: 1,240 of 4,000, 18/s, 3 min left",
    ]


def test_compare_in_json(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, other = (str(photos / name) for name in ("0.png", "0 small.jpg", "1.png"))
    assert run(["compare", a, b, "--json", "--fail-if-found"]) == 10
    found = json.loads(capsys.readouterr().out)
    assert (found["same"], found["relation"]) == (True, "resized")
    assert {"phash", "cascade"} & {row["method"] for row in found["distances"]}
    assert run(["compare", a, other, "--json", "--fail-if-found"]) == 0
    assert json.loads(capsys.readouterr().out)["same"] is False


def test_the_truth_may_name_absolute_paths(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text(f"{photos / '0.png'},{photos / '0 small.jpg'}\n")
    assert run(["evaluate", str(truth), "--in", str(photos), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 2


def test_copies_are_measured_on_a_folder_with_copies(tmp_path: Path, draw_image: Drawn) -> None:
    for seed in range(6):
        image = draw_image(seed)
        image.save(tmp_path / f"{seed}.png")
        image.crop((0, 0, 300, 200)).save(tmp_path / f"{seed} cropped.png")
    found = find_copies([tmp_path], ["phash:size=16"])
    assert (found.images, found.alike) == (6, 6)


# -- edited reports ------------------------------------------------------------------------------------


def edited(folder: Path, path: str, reason: str = "largest file") -> Report:
    member = Member(path, 10, 4, 4, 0, "0" * 32)
    other = replace(member, path=str(folder / "b.png"))
    match = Match(path, other.path, 2, "re-encoded", detail="\x1b[2J", agrees=0.9, same_code=False)
    group = Group(1, path, reason, [member, other], [match])
    return Report(
        "now\x1b",
        [str(folder)],
        str(folder),
        "phash",
        10,
        "star",
        Counts(2, groups=1),
        [group],
        [],
        notes=["\x1b]0;x\x07"],
        unit="bits",
    )


def test_nothing_of_a_report_reaches_the_terminal_raw(tmp_path: Path) -> None:
    report = edited(tmp_path, str(tmp_path / "a.png"), "\x1b[31mred")
    text = "".join(writer("text").parts(report))
    assert all(line.isprintable() for line in text.splitlines())


def test_images_outside_the_folders_of_a_report_are_not_shown(tmp_path: Path, draw_image: Drawn) -> None:
    (tmp_path / "in").mkdir()
    draw_image(0).save(tmp_path / "private.png")
    report = edited(tmp_path / "in", str(tmp_path / "private.png"))
    ui.write_page(report, str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "!outside the folders" in page
    assert "/9j/" not in page  # no thumbnail
    (tmp_path / "report.json").write_text("".join(writer("json").parts(report)))
    assert run(["plot", str(tmp_path / "report.json"), "--html", str(tmp_path / "other.html")]) == 3


def test_a_long_row_is_folded_before_the_path(tmp_path: Path) -> None:
    report = edited(tmp_path, str(tmp_path / ("a" * 60 + ".png")))
    wide, narrow = ("".join(writer(f"text:width={width}").parts(report)).splitlines() for width in (0, 80))
    assert len(narrow) == len(wide) + 2
    assert narrow[2].strip().startswith(str(tmp_path))
