"""The Python API: progress, options, saving and loading, logging, and the programs of the documents."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

import twinpix
from drawings import draw
from twinpix.errors import UsageError
from twinpix.progress import Progress

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        draw("scene", seed, (160, 120)).save(folder / f"{seed}.png")
    draw("scene", 0, (160, 120)).save(folder / "copy.jpg", quality=90)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    return folder


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_the_programs_of_the_documents_run(photos: Path, number: int) -> None:
    program = photos.parent / "program.py"
    program.write_text(PROGRAMS[number], "utf-8")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, cwd=photos.parent)
    assert done.returncode == 0, done.stderr
    said = {0: ("keep", done.stdout), 1: ("read done", done.stdout), 2: ("INFO:twinpix:read", done.stderr)}
    assert said[number][0] in said[number][1]


def test_a_report_is_saved_loaded_and_a_dict(photos: Path) -> None:
    report = twinpix.find(photos, store=None, workers=1)
    report.save(photos.parent / "report.json")
    assert twinpix.Report.load(photos.parent / "report.json") == report
    assert report.to_dict()["groups"][0]["members"][0]["path"] == report.groups[0].keeper
    report.save(photos.parent / "report.csv")
    assert (photos.parent / "report.csv").read_text().startswith("group,")
    (photos.parent / "diary.txt").write_text("mine")
    for name in ("photos/0.png", "diary.txt"):
        with pytest.raises(UsageError):
            report.save(name)
    assert (photos.parent / "diary.txt").read_text() == "mine"
    assert twinpix.find(photos, store=None, workers=1).groups == report.groups


class Bars:
    """Stands in for tqdm, which need not be installed: the same three calls."""

    made: ClassVar[list[Bars]] = []

    def __init__(self, total: int | None = None, desc: str = "") -> None:
        self.total, self.desc, self.n, self.closed = total, desc, 0, False
        Bars.made.append(self)

    def update(self, steps: int = 1) -> None:
        self.n += steps

    def close(self) -> None:
        self.closed = True


def test_progress_by_a_function_by_bars_and_by_true(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, int, int]] = []
    twinpix.find(photos, store=None, workers=1, progress=lambda *state: told.append(state))
    assert ("read", 5, 5) in told
    Bars.made.clear()
    twinpix.find(photos, store=None, workers=1, progress=Bars)
    assert {(bar.desc, bar.n) for bar in Bars.made} >= {("read", 5)}
    assert all(bar.closed for bar in Bars.made)
    twinpix.find(photos, store=None, workers=1, progress=True)
    twinpix.query(photos / "0.png", photos, store=None, workers=1, progress=True)
    twinpix.find(photos, store=None, workers=1, progress=Progress())
    assert capsys.readouterr().out == ""


def test_progress_by_tqdm(photos: Path) -> None:
    tqdm = pytest.importorskip("tqdm")
    twinpix.find(photos, store=None, workers=1, progress=tqdm.tqdm)
    with tqdm.tqdm() as bar:
        twinpix.find(photos, store=None, workers=1, progress=bar)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"radios": 1}, "there is no option 'radios'; did you mean 'radius'?"),
        ({"keeps": "path"}, "there is no option 'keeps'; did you mean 'keep'?"),
        ({"zzz": 1}, "there is no option 'zzz'; there are: method, "),
        ({"progress": 3}, "progress is True, a function of (stage, done, total), tqdm, or a Progress, not 3"),
        ({"options": "phash"}, "options are twinpix.Options(...), or single ones by name, not 'phash'"),
    ],
)
def test_wrong_arguments_are_said_in_words(photos: Path, given: dict[str, Any], message: str) -> None:
    for call in (
        lambda: twinpix.find(photos, **given),
        lambda: twinpix.query(photos / "0.png", photos, **given),
        lambda: twinpix.encode(photos, **given),
        lambda: list(twinpix.encode_files_as_stream(photos, **given)),
    ):
        with pytest.raises(UsageError, match=re.escape(message)):
            call()


def test_logging(photos: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG, logger="twinpix"):
        twinpix.find(photos, store=None, workers=1)
    levels = {(record.levelname, record.getMessage().partition(":")[0]) for record in caplog.records}
    assert {("INFO", "list"), ("INFO", "read"), ("INFO", "compare"), ("INFO", "found"), ("DEBUG", "read")} <= levels
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith(f"{photos / 'broken.jpg'}: cannot decode: ")
    assert capfd.readouterr() == ("", "")


def test_nothing_is_configured_and_nothing_printed_by_default(photos: Path) -> None:
    program = (
        "import logging, twinpix\ntwinpix.find('photos', store=None, workers=1)\nassert not logging.root.handlers\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=photos.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
