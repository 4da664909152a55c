"""The command line: output, exit codes, messages, interruption."""

import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import twinpix
from commands import run
from stores import SLOW_COMMAND, held
from twinpix import plugins
from twinpix.cli import app
from twinpix.cli.app import command_line
from twinpix.report import read

HEAVY = (
    "numpy",
    "scipy",
    "numba",
    "PIL",
    "rich",
    "pywt",
    "torch",
    "onnxruntime",
    "faiss",
    "matplotlib",
    "msgspec",
    "cv2",
    "pyarrow",
    "pandas",
    "polars",
    "fsspec",
    "datasets",
)


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")
def test_a_report_is_written_to_an_anonymous_pipe(photos: Path) -> None:
    done = run("find", "-m", "phash:size=16", photos, "-o", "/dev/stdout")
    assert done.returncode == 0, done.stderr
    assert '"groups"' in done.stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    words = [sys.executable, "-m", "twinpix", "find", "-m", "phash:size=16", str(photos), "-o", str(out)]
    done = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", *words], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(out.read_text())["groups"]) == 1


def test_text_report(photos: Path) -> None:
    done = run("find", "-m", "phash:size=16", photos)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Group 1: 4 images" in done.stdout
    assert "identical-file" in done.stdout
    assert "6 images" in done.stdout
    assert "1 group of copies, 3 duplicates" in done.stdout


def test_formats_and_output(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    done = run("find", "-m", "phash:size=16", photos, "-o", out)
    assert done.returncode == 0
    assert f"report: {out}" in done.stdout
    assert json.loads(out.read_text())["counts"]["groups"] == 1
    fdupes = run("find", "-m", "phash:size=16", photos, "--format", "fdupes").stdout
    assert fdupes.splitlines()[0] == str(photos / "0 same.png")
    assert len(fdupes.splitlines()) == 4
    rows = run("find", "-m", "phash:size=16", photos, "--format", "csv").stdout.splitlines()
    assert rows[0].startswith("group,role,path")
    assert [row.split(",")[1] for row in rows[1:]] == ["keep", "discard", "discard", "discard"]
    assert json.loads(run("find", "-m", "phash:size=16", photos, "--format", "json").stdout)["radius"] == 76


def test_exit_codes(photos: Path, tmp_path: Path) -> None:
    assert run("find", "-m", "phash:size=16", photos, "--fail-if-found").returncode == 10
    assert run("find", "-m", "phash:size=16", photos / "1.png", "--fail-if-found").returncode == 0
    (photos / "bad.jpg").write_text("no image")
    assert run("find", "-m", "phash:size=16", photos).returncode == 0
    assert run("find", "-m", "phash:size=16", photos, "--strict").returncode == 1
    assert run("find").returncode == 2
    assert run("find", photos, "--radius", "many").returncode == 2
    assert run("nonsense").returncode == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run("find", empty)
    assert (done.returncode, done.stdout) == (0, "0 images (0 bytes): no duplicates\n")
    missing = run("find", tmp_path / "missing")
    assert missing.returncode == 2
    assert missing.stderr == f"twinpix: {tmp_path / 'missing'}: no such file or folder; check the path\n"


def test_files_from(photos: Path) -> None:
    names = "\0".join([str(photos / "0.png"), str(photos / "0 same.png"), str(photos / "gone.png")])
    done = run("find", "-m", "phash:size=16", "--files-from", "-", input=names)
    assert done.returncode == 0
    assert "2 images" in done.stdout
    assert "gone.png: no such file or directory" in done.stdout


def test_a_full_disk_leaves_the_old_report(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "report.json"
    out.parent.mkdir()
    out.write_text(old := '{\n"schema": "twinpix.report/1", "an": "old report"}')

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    unwritten = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # truncated bytecode would be read later
    done = run("find", "-m", "phash:size=16", photos, "-o", out, "--no-store", preexec_fn=no_room, env=unwritten)
    assert done.returncode == 3
    assert str(out) in done.stderr
    assert "the existing file is unchanged" in done.stderr
    assert out.read_text() == old
    assert os.listdir(out.parent) == ["report.json"]


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_ctrl_c_keeps_the_work(many: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            SLOW_COMMAND,
            "find",
            "--method=phash:size=16",
            str(many),
            "--store",
            str(store),
            "-j",
            "1",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background process ignores SIGINT
    )
    while process.poll() is None and held(store) < 10:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert "run the same command to continue" in err
    assert held(store) >= 10


def test_a_decoder_that_crashes_or_hangs_is_a_failure(photos: Path, tmp_path: Path) -> None:
    """A fake decoder in a worker: one file ends the process, another one never returns."""
    program = tmp_path / "program.py"
    program.write_text(
        """
import os, time, sys
import twinpix.encoding.encode_task as coding
real = coding.decode
def decode(data, mode, name, *rest):
    if name.endswith("1.png"): os.abort()
    if name.endswith("2.png"): time.sleep(100)
    return real(data, mode, name, *rest)
coding.decode = decode
import twinpix
if __name__ == "__main__":
    report = twinpix.find([sys.argv[1]], store=None, timeout=1.0, workers=1)
    for failure in report.failures: print(os.path.basename(failure.path), failure.stage, failure.error)
    print(report.counts.images, report.counts.groups)
"""
    )
    done = subprocess.run(
        [sys.executable, str(program), str(photos)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == [
        "1.png decode crashed its decoder (SIGABRT)",
        "2.png decode exceeded the time limit of 1 s",
        "4 1",
    ]


def test_query_compare_encode_store_methods_demo(photos: Path, tmp_path: Path) -> None:
    assert "identical-file" in run("query", "-m", "phash:size=16", photos / "0.png", "--in", photos).stdout
    shutil.copy(photos / "0.png", photos / "same.png")
    rows = run("query", photos / "0.png", "--in", photos).stdout.splitlines()
    (photos / "same.png").unlink()
    assert len(rows) > 1
    assert len({row.index(str(photos)) for row in rows}) == 1  # the paths stand below each other
    nothing = run("query", "-m", "phash:size=16", photos / "1.png", "--in", photos)
    assert nothing.stdout == "no copy found\n"
    assert json.loads(run("query", "-m", "phash:size=16", photos / "0.png", "--in", photos, "--json").stdout)["hits"]
    output = run("compare", photos / "0.png", photos / "0 small.jpg").stdout
    assert "verdict: copies of one image: resized 0.5" in output  # the share is measured on the pixels
    output = run("compare", photos / "0.png", photos / "0 small.jpg", "-m", "phash").stdout
    assert "\nverification: copies of one image: resized 0.5" in output
    assert "\nverdict: copies of one image, resized, by phash (" in output
    assert "different images" in run("compare", photos / "0.png", photos / "1.png").stdout
    codes = json.loads(run("encode", photos, "-m", "phash", "-m", "dhash").stdout)
    assert {len(code) for code in codes["phash"].values()} == {16}
    assert len(codes["dhash"]) == 6
    for suffix in ("json", "csv", "npz"):
        out = tmp_path / f"codes.{suffix}"
        assert run("encode", photos, "-o", out).returncode == 0
        assert out.stat().st_size > 100
    assert run("encode", photos, "-o", "codes.txt").returncode == 2
    assert "phash:size=16" in run("store", "info").stdout
    assert "deleted" in run("store", "clear").stdout
    assert "0 codes" in run("store", "info").stdout
    assert "imagededup or imagehash" in run("methods").stdout
    demo = tmp_path / "demo"
    assert run("demo", demo).returncode == 0
    assert run("demo", demo).returncode == 2
    found = run("find", demo, "--transforms")
    assert "mirrored" in found.stdout
    assert "rotated" in found.stdout
    assert "broken.jpg" in found.stdout


def test_a_reader_that_stops_early_is_not_an_error(photos: Path) -> None:
    for number in range(400):  # more than the buffer of a pipe
        (photos / f"copy {'of a copy ' * 15}{number}.png").write_bytes((photos / "0.png").read_bytes())
    command = f"{sys.executable} -m twinpix find {photos} --no-store | head -n 1"
    done = subprocess.run(["bash", "-c", f"{command}; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("0", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["find", "--help", "methods"])
def test_a_full_output_device_is_reported(photos: Path, command: str) -> None:
    arguments = [command, str(photos), "--no-store"] if command == "find" else [command]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "twinpix", *arguments], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (3, "twinpix: cannot continue: no space left on device\n")


def test_a_missing_folder_is_reported_before_the_work(photos: Path, tmp_path: Path) -> None:
    for command in ("find", "encode"):
        done = run(command, photos, "-o", tmp_path / "nowhere" / "out.json")
        assert (done.returncode, "there is no folder" in done.stderr) == (3, True)
    assert run("encode", photos, "-m", "phash", "-m", "digest", "-t").returncode == 2
    assert run("store", "info").stdout.count("codes, 0 failures") == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_report_is_written_to_pipes_and_through_symbolic_links(photos: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    assert run("find", "-m", "phash:size=16", photos, "-o", tmp_path / "pipe").returncode == 0
    assert json.loads(reader.communicate()[0])["counts"]["groups"] == 1
    (tmp_path / "real.json").write_text('{"schema": "twinpix.report/1", "an": "old one"}')
    (tmp_path / "link.json").symlink_to("real.json")
    assert run("find", "-m", "phash:size=16", photos, "-o", tmp_path / "link.json").returncode == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["counts"]["groups"] == 1
    shown = run("find", "-m", "phash:size=16", photos, "-o", "-", "--format", "json", cwd=tmp_path)
    assert json.loads(shown.stdout)["counts"]["groups"] == 1
    assert not (tmp_path / "-").exists()


def test_a_named_path_must_exist_even_beside_a_list(photos: Path) -> None:
    done = run("find", "-m", "phash:size=16", photos / "nothing", "--files-from", "-", input=str(photos / "0.png"))
    assert (done.returncode, "no such file" in done.stderr) == (2, True)


@pytest.mark.parametrize("statement", ["import twinpix", "import twinpix.cli.app"])
def test_start_up_loads_no_large_library(statement: str) -> None:
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = HEAVY if statement == "import twinpix" else [name for name in HEAVY if name not in ("numpy", "PIL", "rich")]
    assert not set(loaded) & set(heavy)


def test_a_small_run_never_loads_the_compiler(photos: Path) -> None:
    program = (
        f"import twinpix, sys\ntwinpix.find([{str(photos)!r}], method='phash:size=16', store=None)\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"numba", "scipy", "rich", "msgspec"} & set(done.stdout.split())


def test_undo_loads_no_large_library_and_few_modules(photos: Path, tmp_path: Path) -> None:
    before = sorted(os.listdir(photos))
    report = tmp_path / "report.json"
    assert run("find", "-m", "phash:size=16", photos, "--no-store", "-o", report).returncode == 0
    assert run("resolve", report, "--move", tmp_path / "out", "--apply").returncode == 0
    assert sorted(os.listdir(photos)) != before
    journal = str(tmp_path / "report.journal.jsonl")
    program = (
        f"import sys\nfrom twinpix.cli.app import run\nassert run(['undo', {journal!r}]) == 0\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert sorted(os.listdir(photos)) == before
    assert not set(loaded) & set(HEAVY)
    own = [name for name in loaded if name.partition(".")[0] == "twinpix"]
    assert len(own) < 34, own


@pytest.mark.parametrize("command", [(), ("store",), ("bench",)])
def test_a_command_alone_shows_its_help(command: tuple[str, ...]) -> None:
    done = run(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: ")


def test_version() -> None:
    assert run("--version").stdout == f"twinpix {twinpix.__version__}\n"


def groups_of(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        yield name, command
        for each, below in command.commands.items():
            yield from groups_of(below, f"{name} {each}".strip())


@pytest.mark.parametrize("name", [name for name, _ in groups_of(command_line())])
def test_no_line_in_a_list_of_commands_is_cut(name: str) -> None:
    shown = run(*name.split(), "--help", env={**os.environ, "COLUMNS": "80"}).stdout
    assert "Commands:" in shown
    assert "..." not in shown.partition("Commands:")[2]


def test_an_unknown_format_is_reported_with_all_valid_ones(photos: Path, tmp_path: Path) -> None:
    wrong = run("find", photos, "-f", "nope")
    assert wrong.returncode == 2
    known = ", ".join(sorted([*plugins.names("report"), "html"]))
    assert wrong.stderr.endswith(f"no report format is called 'nope'; there are: {known}\n")
    wrong = run("find", photos, "-o", tmp_path / "report.nope")
    assert wrong.returncode == 2
    suffixes = [suffix for name in plugins.names("report") for suffix in plugins.load("report", name).suffixes]
    known = ", ".join(sorted([*suffixes, ".html"]))
    assert f"no format is written to files that end in .nope ({known} are known)" in wrong.stderr


def test_help_lists_the_plugins(photos: Path) -> None:
    shown = " ".join(run("find", "--help", env={**os.environ, "COLUMNS": "80"}).stdout.split())
    backends = {name: plugins.load("search", name) for name in plugins.own("search")}
    exact, approximate = re.findall(r" exact: (.*?); approximate: (.*?)\. ", shown)[0]
    for name, backend in backends.items():
        assert f"{name} (" in (exact if backend.exact else approximate)
    for name in plugins.own("linking"):
        assert f"{name}: {plugins.load('linking', name).summary}" in shown
    assert f"{', '.join(sorted(['html', *plugins.own('report')]))}; default" in shown
    assert all(suffix in shown for name in plugins.own("sources") for suffix in plugins.load("sources", name).suffixes)
    listed = run("methods").stdout
    assert all(f"\n  {name} " in listed for kind in plugins._KINDS for name in plugins.names(kind))


def test_fast_is_the_hash_without_verification(photos: Path, tmp_path: Path) -> None:
    for name, arguments in {"fast": ["--fast"], "hash": ["-m", "phash:size=16", "--no-verify"], "both": []}.items():
        assert run("find", photos, "--no-store", "-o", tmp_path / f"{name}.json", *arguments).returncode == 0
    fast, hashed, default = (read(str(tmp_path / f"{name}.json")) for name in ("fast", "hash", "both"))
    assert replace(fast, created=hashed.created) == hashed
    assert (fast.spec, fast.verified, default.spec, default.verified) == ("phash:size=16", False, "cascade", True)
    assert {pair.agrees for group in default.groups for pair in group.matches if not pair.identical} != {None}
    wrong = run("find", photos, "--fast", "--method", "ahash")
    assert (wrong.returncode, wrong.stderr) == (2, "twinpix: give --fast or --method, not both\n")
    found = run("query", photos / "0.png", "--in", photos, "--fast", "--no-store")
    assert found.returncode == 0


@pytest.mark.parametrize("inside", [False, True])
def test_the_next_command_works_as_printed(
    inside: bool, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photos if inside else photos.parent)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    def called(*words: str) -> tuple[list[str], str]:
        """The words of the next command after the program, and the text below it."""
        monkeypatch.setattr(sys, "argv", ["/bin/twinpix", *words])
        assert app.run([*words]) == 0
        command, below = capsys.readouterr().err.partition("next: ")[2].splitlines()
        assert shlex.split(command)[0].endswith("twinpix")
        return shlex.split(command)[1:], below.strip()

    folder = "." if inside else "photos"
    words, below = called("find", folder, "--fast", "--no-store", "--exclude", "no such*")
    assert words == ["find", folder, "--fast", "--no-store", "--exclude", "no such*", "-o", "report.json"]
    assert below == "(saves the report, which resolve reads)"
    words, below = called(*words)
    assert words == ["resolve", "report.json", "--move", "../duplicates" if inside else "duplicates"]
    assert below == "(prints the plan; --apply carries it out)"
    assert app.run(words) == 0
    assert "3 files to move" in capsys.readouterr().out


def test_an_explicit_format_has_no_next_command(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert app.run(["find", str(photos), "--fast", "--no-store", "-f", "text"]) == 0
    assert "next: " not in capsys.readouterr().err


NO_FILE, NO_IMAGE = "no such file or directory; check the path", "not an image; name an image file"
AN_ARCHIVE = "not an image; an image in an archive is named zip://MEMBER::d.zip"
NO_ARCHIVE = "not a zip archive, or its end is missing; copy or download it again"
NO_JSON = "is no report: JSON is malformed: invalid character (byte 0). Give the JSON report that find wrote"
FROM_APPLY = "Give the file that apply wrote; resolve --apply prints its name"


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("compare nope photos/0.png", 2, f"cannot compare nope: {NO_FILE}"),
        ("compare zip://0.png::nope.zip photos/0.png", 2, f"cannot compare zip://0.png::nope.zip: {NO_FILE}"),
        ("compare photos/0.png words.txt", 2, f"cannot compare words.txt: {NO_IMAGE}"),
        ("compare photos/0.png d.zip", 2, f"cannot compare d.zip: {AN_ARCHIVE}"),
        ("query words.txt --in photos", 2, f"cannot use words.txt as a query: {NO_IMAGE}"),
        ("query bad.zip --in photos", 2, f"cannot use bad.zip as a query: {NO_ARCHIVE}"),
        ("query d.zip --codes codes.jsonl", 2, f"cannot use d.zip as a query: {AN_ARCHIVE}"),
        ("query nope --codes codes.jsonl", 2, f"cannot use nope as a query: {NO_FILE}"),
        ("resolve words.txt --trash", 3, f"words.txt {NO_JSON}"),
        ("undo words.txt", 3, f"words.txt is no journal of schema twinpix.journal/1. {FROM_APPLY}"),
        ("undo photos", 3, f"photos is no journal: it is no regular file. {FROM_APPLY}"),
    ],
)
def test_an_error_says_what_to_do(
    command: str, code: int, message: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("words.txt", "bad.zip"):
        Path(name).write_text("words")
    with zipfile.ZipFile("d.zip", "w") as archive:
        archive.write("photos/0.png", "0.png")
    rows = twinpix.encode_files_as_stream("photos", ["phash"], store=None, workers=1)
    twinpix.write_codes("codes.jsonl", twinpix.header_of(["phash"]), rows)
    done = run(*command.split())
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.replace(f"{tmp_path}{os.sep}", "").splitlines()[-1] == f"twinpix: {message}"
