"""The Python API: progress, options, saving and loading, logging, and the programs of the documents."""

from __future__ import annotations

import inspect
import logging
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

import twinpix
from drawings import draw
from twinpix.errors import TwinpixError, UsageError
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
    expected = {0: ("keep", done.stdout), 1: ("read done", done.stdout), 2: ("INFO:twinpix:read", done.stderr)}
    assert expected[number][0] in expected[number][1]


def test_a_report_is_saved_loaded_and_a_dict(photos: Path) -> None:
    report = twinpix.find(photos, method="phash:size=16", store=None, workers=1)
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
    assert twinpix.find(photos, method="phash:size=16", store=None, workers=1).groups == report.groups


class Bars:
    """A fake tqdm, since tqdm need not be installed: the same three calls."""

    made: ClassVar[list[Bars]] = []

    def __init__(self, total: int | None = None, desc: str = "") -> None:
        self.total, self.desc, self.n, self.closed = total, desc, 0, False
        Bars.made.append(self)

    def update(self, steps: int = 1) -> None:
        self.n += steps

    def close(self) -> None:
        self.closed = True


def test_progress_by_a_function_by_bars_and_by_true(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    states: list[tuple[str, int, int]] = []
    twinpix.find(photos, method="phash:size=16", store=None, workers=1, progress=lambda *state: states.append(state))
    assert ("read", 5, 5) in states
    Bars.made.clear()
    twinpix.find(photos, method="phash:size=16", store=None, workers=1, progress=Bars)
    assert {(bar.desc, bar.n) for bar in Bars.made} >= {("read", 5)}
    assert all(bar.closed for bar in Bars.made)
    twinpix.find(photos, method="phash:size=16", store=None, workers=1, progress=True)
    twinpix.query(photos / "0.png", photos, method="phash:size=16", store=None, workers=1, progress=True)
    twinpix.find(photos, method="phash:size=16", store=None, workers=1, progress=Progress())
    assert capsys.readouterr().out == ""


def test_progress_by_tqdm(photos: Path) -> None:
    tqdm = pytest.importorskip("tqdm")
    twinpix.find(photos, method="phash:size=16", store=None, workers=1, progress=tqdm.tqdm)
    with tqdm.tqdm() as bar:
        twinpix.find(photos, method="phash:size=16", store=None, workers=1, progress=bar)


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
def test_errors_about_wrong_arguments_are_in_words(photos: Path, given: dict[str, Any], message: str) -> None:
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
        twinpix.find(photos, method="phash:size=16", store=None, workers=1)
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


# -- the errors that docstrings promise ----------------------------------------------------------------


def documented() -> set[tuple[str, str]]:
    """The functions and types of the package with each error in the `Raises` section of their docstring."""
    out = set()
    for name in twinpix.__all__:
        text = inspect.getdoc(getattr(twinpix, name)) or ""
        for section in re.findall(r"^Raises:\n((?:    .*\n)+)", text, re.MULTILINE):
            out |= {(name, error) for error in re.findall(r"^    (\w+): ", section, re.MULTILINE)}
    return out


def written(name: str, text: str = "not a file of twinpix") -> str:
    Path(name).write_text(text)
    return name


def held_lock() -> None:
    with twinpix.acting("held"), twinpix.acting("held"):
        raise AssertionError("the lock was given twice")


def undo_while_another_run_acts() -> None:
    twinpix.apply(a_plan(), "used.jsonl")
    with ThreadPoolExecutor(1) as another, twinpix.acting():
        another.submit(twinpix.undo, "used.jsonl").result()


def a_plan(action: str = "move:to=out") -> twinpix.Plan:
    return twinpix.plan(twinpix.find("photos", method="phash:size=16", store=None, workers=1), action)


def a_plan_on_missing_files() -> twinpix.Plan:
    report = twinpix.find("photos", method="phash:size=16", store=None, workers=1)
    shutil.rmtree("photos")
    return twinpix.plan(replace(report, base="elsewhere"), "move:to=out")


def a_plan_whose_folder_became_a_file() -> twinpix.Outcome:
    plan = a_plan()
    written("out")
    return twinpix.apply(plan, "run.jsonl")


def a_plan_into_a_file() -> twinpix.Plan:
    written("out")
    return a_plan()


def coded(**options: Any) -> list[Any]:
    return list(twinpix.encode_files_as_stream("photos", ["phash"], store=None, workers=1, **options))


PROVOKED: dict[tuple[str, str], list[Callable[[], object]]] = {
    ("Options", "UsageError"): [
        lambda: twinpix.Options(strictness="x"),  # type: ignore[arg-type]
        lambda: twinpix.Options(decode="x"),  # type: ignore[arg-type]
        lambda: twinpix.Options(radius=-1),
        lambda: twinpix.Options(radius=math.nan),
        lambda: twinpix.Options(precision=7),
        lambda: twinpix.Options(precision=0),
        lambda: twinpix.Options(workers=-1),
        lambda: twinpix.Options(timeout=0),
        lambda: twinpix.Options(min_size=-1),
    ],
    ("acting", "RefusedError"): [held_lock],
    ("apply", "OutputError"): [lambda: twinpix.apply(a_plan(), "no/folder/run.jsonl")],
    ("apply", "RefusedError"): [a_plan_whose_folder_became_a_file],
    ("apply", "ReportError"): [lambda: twinpix.apply(a_plan(), written("diary.txt"))],
    ("compare", "CompareError"): [lambda: twinpix.compare("photos/0.png", "photos/1.png", timeout=0.001)],
    ("compare", "UsageError"): [
        lambda: twinpix.compare("photos/0.png", "none.png"),
        lambda: twinpix.compare("photos/0.png", "photos/broken.jpg"),
        lambda: twinpix.compare("photos/0.png", "photos/1.png", decode="x"),  # type: ignore[arg-type]
        lambda: twinpix.compare("photos/0.png", "photos/1.png", timeout=-1),
        lambda: twinpix.compare("photos/0.png", "photos/1.png", method="none"),
    ],
    ("dedupe", "UsageError"): [lambda: twinpix.dedupe([1, 2])],
    ("encode", "StoreError"): [lambda: twinpix.encode("photos", store=written("diary.txt"))],
    ("encode", "UsageError"): [lambda: twinpix.encode("none"), lambda: twinpix.encode("photos", ["none"])],
    ("encode_files_as_stream", "StoreError"): [
        lambda: next(twinpix.encode_files_as_stream("photos", store=written("diary.txt")))
    ],
    ("encode_files_as_stream", "UsageError"): [
        lambda: next(twinpix.encode_files_as_stream("none")),
        lambda: next(twinpix.encode_files_as_stream("photos", ["none"])),
    ],
    ("encode_pictures", "UsageError"): [lambda: next(twinpix.encode_pictures([], ["none"]))],
    ("find", "StoreError"): [lambda: twinpix.find("photos", store=written("diary.txt"))],
    ("find", "UsageError"): [
        lambda: twinpix.find("none"),
        lambda: twinpix.find([]),
        lambda: twinpix.find("photos", radius=1_000_000),
        lambda: twinpix.find("photos", link="none"),
        lambda: twinpix.find("photos", keep="none"),
        lambda: twinpix.find("photos", id="name", store=None),
    ],
    ("header_of", "UsageError"): [lambda: twinpix.header_of(["none"])],
    ("plan", "RefusedError"): [a_plan_into_a_file],
    ("plan", "ReportError"): [a_plan_on_missing_files],
    ("plan", "UsageError"): [lambda: a_plan("none"), lambda: a_plan("move:nowhere=out")],
    ("query", "StoreError"): [lambda: twinpix.query("photos/0.png", "photos", store=written("diary.txt"))],
    ("query", "UsageError"): [
        lambda: twinpix.query("none.png", "photos"),
        lambda: twinpix.query("photos", "photos"),
        lambda: twinpix.query("photos/broken.jpg", "photos", store=None),
    ],
    ("query_codes", "UsageError"): [
        lambda: twinpix.query_codes("photos/0.png", "none.jsonl"),
        lambda: twinpix.query_codes("photos/0.png", written("diary.txt")),
        lambda: (
            twinpix.write_codes("codes.jsonl", twinpix.header_of(["phash"]), coded()),
            twinpix.query_codes("photos/0.png", "codes.jsonl", method="dhash"),
        ),
    ],
    ("read_codes", "UsageError"): [
        lambda: twinpix.read_codes("none.jsonl"),
        lambda: twinpix.read_codes(written("diary.txt")),
    ],
    ("undo", "RefusedError"): [undo_while_another_run_acts],
    ("undo", "ReportError"): [lambda: twinpix.undo(written("diary.txt"))],
    ("undo", "UsageError"): [lambda: twinpix.undo("none.jsonl")],
    ("write_codes", "OutputError"): [
        lambda: twinpix.write_codes("no/folder/codes.jsonl", twinpix.header_of(["phash"]), coded())
    ],
    ("write_codes", "UsageError"): [
        lambda: twinpix.write_codes(written("diary.txt"), twinpix.header_of(["phash"]), coded())
    ],
}
OF_THE_MACHINE = {  # a full disk, no processes, a file that even its owner cannot write
    *(("find", "OutputError"), ("query", "OutputError"), ("undo", "OutputError")),
    *((name, "WorkerError") for name in ("find", "query", "encode", "encode_files_as_stream")),
}


def test_every_documented_error_is_provoked() -> None:
    assert documented() == PROVOKED.keys() | OF_THE_MACHINE


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(("name", "error"), PROVOKED, ids=lambda each: each)
def test_a_documented_error_is_raised(name: str, error: str) -> None:
    for call in PROVOKED[name, error]:
        with pytest.raises(TwinpixError) as raised:
            call()
        assert type(raised.value).__name__ == error, raised.value
