"""Plots and the page: their pixels, and the page in a real browser."""

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import twinpix
from amounts import amount
from commands import run
from drawings import draw
from twinpix import ui
from twinpix.compat.imagededup.utils import plot_duplicates
from twinpix.errors import UsageError
from twinpix.executors import Begin, Local
from twinpix.model import Failure, Group, Match, Member, Report
from twinpix.ui.duplicates import _pair
from twinpix.ui.thumbnails import Missing, share

pytest.importorskip("matplotlib")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NO_FOLDER = "Provided image directory does not exist! Please provide the image directory where all files are present!"
GREEN = (0, 158, 115)  # the frame of the keeper


def pixels(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def share_of(colour: tuple[int, int, int], path: Path) -> float:
    return float((np.abs(pixels(path).astype(int) - colour).max(axis=2) < 6).mean())


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plot_duplicates(photos: Path, tmp_path: Path, scores: bool, suffix: str) -> None:
    near: list[Any] = [("0 same.png", 0), ("0 small.jpg", 2.5), ("gone $x$.jpg", float("nan"))]
    found = {"0.png": near if scores else [name for name, _ in near]}
    through_json = json.loads(json.dumps(found))
    for number, each in enumerate((found, through_json)):
        out = tmp_path / f"{number}.{suffix}"
        plot_duplicates(image_dir=photos, duplicate_map=each, filename="0.png", outfile=str(out))
        assert out.stat().st_size > 5000
    if suffix == "png":
        assert pixels(tmp_path / "0.png").std() > 20
        assert (pixels(tmp_path / "0.png") == pixels(tmp_path / "1.png")).all()
    if suffix == "svg":
        assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "1.svg").read_bytes()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"image_dir": "/no/such"}, AssertionError, NO_FOLDER),
        ({"duplicate_map": {}}, ValueError, "Please provide a valid filename present as a key in the duplicate_map!"),
        ({"filename": "x.jpg"}, ValueError, "Please provide a valid filename present as a key in the duplicate_map!"),
        ({"duplicate_map": {"0.png": []}}, AssertionError, "Provided filename has no duplicates!"),
        ({"outfile": "x.docx"}, UsageError, "plots are written as png"),
    ],
)  # fmt: skip
def test_plot_errors(photos: Path, change: dict[str, Any], error: type[Exception], words: str) -> None:
    call: dict[str, Any] = {"image_dir": photos, "duplicate_map": {"0.png": ["1.png"]}, "filename": "0.png"}
    with pytest.raises(error, match=re.escape(words)):
        plot_duplicates(**{**call, **change})


def test_a_sheet_frames_the_keeper(photos: Path, tmp_path: Path) -> None:
    group = twinpix.find(photos, method="phash:size=16", store=None).groups[0]
    ui.save(ui.group_sheet(group, "bits"), tmp_path / "sheet.png")
    assert share_of(GREEN, tmp_path / "sheet.png") > 0.002
    nobody = replace(group, keeper="nobody")
    ui.save(ui.group_sheet(nobody, "bits"), tmp_path / "nobody.png")
    assert share_of(GREEN, tmp_path / "nobody.png") < 0.0005
    (photos / "0 small.jpg").unlink()
    long = replace(group, members=group.members * 15)
    ui.save(ui.group_sheet(long, "bits"), tmp_path / "long.png")
    assert pixels(tmp_path / "long.png").shape[0] > 3000


def test_charts(photos: Path, tmp_path: Path) -> None:
    report = twinpix.find(photos, method="phash:size=16", store=None)
    ui.save(ui.distance_histogram(report), tmp_path / "histogram.png")
    assert share_of((0, 114, 178), tmp_path / "histogram.png") > 0.001
    ui.save(ui.distance_histogram(replace(report, groups=[])), tmp_path / "empty.png")
    recall = np.linspace(0, 1, 20)
    figure = ui.precision_recall({"phash": (1 - recall**4, recall), "ahash": (1 - recall, recall)}, {"phash": 12})
    ui.save(figure, tmp_path / "curve.png")
    assert share_of((213, 94, 0), tmp_path / "curve.png") > 0.0005


def test_the_command_line(photos: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert run("find", "-m", "phash:size=16", photos, "-o", report).returncode == 0
    done = run(
        "plot", report, "--html", tmp_path / "r.html", "--sheet", tmp_path / "s", "--histogram", tmp_path / "h.svg"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"1 sheet: {tmp_path / 's'}"
    assert (tmp_path / "s" / "group-00001.png").exists()
    again = run("plot", report, "--sheet", tmp_path / "s")
    assert (again.returncode, "already exists" in again.stderr) == (3, True)
    assert run("plot", report).stdout == (
        f"histogram: {tmp_path / 'report-histogram.png'}\n1 sheet: {tmp_path / 'report-sheets'}\n"
    )
    assert run("plot", report, "--sheet", tmp_path / "t", "--group", "7").returncode == 2
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"0.png": ["0 same.png"], "0 same.png": ["0.png"], "1.png": []}))
    assert run("evaluate", truth, "--in", photos, "--plot", tmp_path / "curve.png").returncode == 0
    assert pixels(tmp_path / "curve.png").std() > 5


# -- the page ------------------------------------------------------------------------------------------


def browse(page: Path, fragment: str = "", script: str = "") -> str:
    """The elements of the page, as built by a browser."""
    if BROWSER is None:
        pytest.skip("needs chromium")
    if script:
        text = page.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>")
        page = page.with_name("scripted.html")
        page.write_text(text, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900", "--virtual-time-budget=10000"]
    url = f"{page.as_uri()}{fragment}"
    done = subprocess.run([BROWSER, *options, "--dump-dom", url], capture_output=True, text=True, timeout=120)
    return re.sub(r"<script.*?</script>", "", done.stdout, flags=re.DOTALL)


def test_the_page_shows_the_groups(photos: Path, tmp_path: Path) -> None:
    (photos / "bad.jpg").write_text("no image")
    ui.write_page(twinpix.find(photos, method="phash:size=16", store=None), str(tmp_path / "page.html"))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://", text)
    shown = browse(tmp_path / "page.html")
    assert shown.count("<article") == 1
    assert shown.count('src="data:image/jpeg;base64,') == 4
    assert shown.count('class="keep"') == 1
    for words in ("1 of 1 group", "1 file could not be used", "identical-file", "re-encoded", "resized"):
        assert words in html.unescape(shown)
    assert "0 of 1 group" in browse(tmp_path / "page.html", "#text=nowhere")
    assert "0 of 1 group" in browse(tmp_path / "page.html", "#relation=mirrored")
    assert "1 of 1 group" in browse(tmp_path / "page.html", "#relation=resized&max=76&text=PHOTOS")


def synthetic(folder: Path, groups: int, name: Callable[[int, int], str]) -> Report:
    """A report of `count` groups of three."""
    base = twinpix.find(folder, method="phash:size=16", store=None)

    def group(number: int) -> Group:
        names = [name(number, at) for at in range(3)]
        members = [Member(each, 1000, 320, 240, 0, "") for each in names]
        how = [
            Match(names[0], names[1], number % 77, "resized", same_code=False),
            Match(names[0], names[2], 2, "edited", same_code=False),
        ]
        return Group(number + 1, names[0], "largest file", members, how)

    return replace(base, groups=[group(number) for number in range(groups)])


def test_hostile_names_are_text(photos: Path, tmp_path: Path) -> None:
    evil = "<img src=x onerror=document.title='gotcha'>"
    report = synthetic(photos, 2, lambda number, at: f"</script>{evil}\n\udcff{number}{at}.jpg")
    report = replace(report, failures=[Failure(evil, "read", f"<b>{evil}")], roots=[evil, os.getcwd()])
    ui.write_page(report, str(tmp_path / "page.html"))
    shown = browse(tmp_path / "page.html")
    assert shown.count("<article") == 2
    assert "<img src=" not in shown
    assert shown.count("no such file or directory") == 6
    assert "gotcha</title>" not in shown


def test_thousands_of_groups_scroll(photos: Path, tmp_path: Path) -> None:
    files, groups = sorted(str(path) for path in photos.iterdir()), amount(3_000, 10_000)
    report = synthetic(photos, groups, lambda number, at: files[(number + at) % len(files)])
    ui.write_page(report, str(tmp_path / "page.html"))
    shown = browse(tmp_path / "page.html", script="scrollTo(0, document.body.scrollHeight / 2); draw();")
    assert f"{groups:,} of {groups:,} groups" in shown
    assert 4 <= shown.count("<article") <= 20
    numbers = [int(number) for number in re.findall(r"<h2>Group (\d+):", shown)]
    assert groups // 2 - 100 < min(numbers) <= max(numbers) < groups // 2 + 100
    assert shown.count('src="data:image/jpeg;base64,/9j/') == 3 * len(numbers)


def test_the_page_describes_the_edit_of_a_copy(tmp_path: Path) -> None:
    image = draw("street", 3, (400, 300))
    image.save(tmp_path / "whole.png")
    image.crop((40, 30, 360, 270)).save(tmp_path / "part.png")
    ui.write_page(twinpix.find(tmp_path, method="local", store=None), str(tmp_path / "page.html"))
    assert re.search(r'<b title="cropped 64% at \(\d+, \d+\)">cropped, \d+% alike</b>', browse(tmp_path / "page.html"))


def test_the_page_in_use(photos: Path, tmp_path: Path) -> None:
    """Cards are in reading order after scrolling up, a link to a filtered view works, folders are shown."""
    report = synthetic(photos, 300, lambda number, at: f"folder {at}/{number}.jpg")
    ui.write_page(report, str(tmp_path / "page.html"))
    shown = browse(tmp_path / "page.html", script="scrollTo(0, 9000); draw(); scrollTo(0, 8000); draw();")
    numbers = [int(number) for number in re.findall(r"<h2>Group (\d+):", shown)]
    assert len(numbers) > 4
    assert numbers == sorted(numbers)
    assert {f"folder {at}" for at in range(3)} <= set(re.findall(r"<bdi[^>]*>([^<]*)</bdi>", shown))
    moved = browse(tmp_path / "page.html", script="location.hash = 'relation=resized&max=9&text=folder+0';")
    assert "40 of 300 groups" in moved  # of 77 distances ten, in four rounds


def crashes_at_two(batch: Sequence[str], begin: Begin) -> list[bytes | Missing]:
    for at, path in enumerate(batch):
        begin(at)
        if path == "2":
            os.abort()
    return [path.encode() for path in batch]


def test_a_crash_loses_one_thumbnail() -> None:
    made = share(crashes_at_two, [str(number) for number in range(20)] * 2, Local(1))
    assert [path for path, image in made.items() if isinstance(image, Missing)] == ["2"]
    assert made["3"] == b"3"
    assert len(made) == 20


@pytest.mark.parametrize(
    "name", ["zero \0.jpg", "no byte \ud800.jpg", "写真.jpg", "$a$ \\$.jpg", "new\nline \udcff.jpg"]
)
def test_any_name_is_shown(photos: Path, tmp_path: Path, name: str) -> None:
    report = synthetic(photos, 1, lambda number, at: str(photos / "0.png") if at else name)
    ui.write_page(report, str(tmp_path / "page.html"))
    assert "!outside" in (tmp_path / "page.html").read_text(encoding="utf-8")
    ui.save(ui.group_sheet(report.groups[0], report.unit), tmp_path / "sheet.png")


def test_invalid_outputs_are_reported_before_the_work(photos: Path, tmp_path: Path) -> None:
    report, page = tmp_path / "report.json", tmp_path / "page.html"
    assert run("find", "-m", "phash:size=16", photos, "-o", report).returncode == 0
    for wrong, code in (
        (("--histogram", tmp_path / "h.docx"), 2),
        (("--histogram", tmp_path / "no" / "h.png"), 3),
        (("--sheet", tmp_path / "s", "--group", 99), 2),
        (("--sheet", report), 3),
        (("--group", 1), 2),
    ):
        assert run("plot", report, "--html", page, *wrong).returncode == code
        assert not page.exists()


def test_scores_are_formatted_by_their_type() -> None:
    scores = [np.int64(3), 4, np.float32(0.5), 2.5, float("nan")]
    assert [_pair(["x", score])[1] for score in scores] == ["3", "4", "0.500", "2.500", "nan"]
