"""Files that twinpix reads and anyone may have written or damaged cause an error in words, never a traceback."""

import contextlib
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import twinpix
from libraries import library, save, tree
from twinpix.act import journal
from twinpix.cli.app import run
from twinpix.errors import ReportError, StoreError, TwinpixError
from twinpix.report import read
from twinpix.store import Result, Store

VALUES: list[Any] = [
    *(None, True, 0, -1, 1 << 70, 0.5, 1e308, "", "x", "\0", "\ud800", "\udc80", "\n", [], [0], [[]], {}, {"a": 0}),
    *("a" * 5000, [""], ["zz"], ["00"], "0" * 32, "/", "..", "phash:size=8", "cnn:weights=/etc/passwd"),
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def spoilt(value: Any, rng: random.Random) -> Any:
    """The same JSON with one value somewhere replaced, removed or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(list(value))
        how = rng.random()
        if how < 0.1:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: spoilt(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        how = rng.random()
        if how < 0.2:
            return value[:at] + value[at + 1 :]
        if how < 0.4:
            return [*value, value[at]]
        return [*value[:at], spoilt(value[at], rng), *value[at + 1 :]]
    return rng.choice(VALUES)


def spoilt_lines(lines: list[bytes], rng: random.Random) -> bytes:
    """Lines of JSON, some of them with wrong values or wrong bytes."""
    out = list(lines)
    for _ in range(rng.choice([1, 1, 3])):
        at = rng.randrange(len(out))
        if rng.random() < 0.7:
            out[at] = json.dumps(spoilt(json.loads(lines[at]), rng)).encode() + b"\n"
        else:
            data = bytearray(out[at])
            data[rng.randrange(len(data))] = rng.randrange(256)
            out[at] = bytes(data[: rng.choice([len(data), len(data) // 2])])
    return b"".join(out)


def in_words(work: Any) -> None:
    """Whatever a file contains, reading it gives a result or an error of twinpix."""
    with contextlib.suppress(TwinpixError):
        work()


def test_codes_files(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "codes.jsonl"
    assert run(["encode", str(photos), "-o", str(path), "--no-store", "--workers", "1"]) == 0
    lines = path.read_bytes().splitlines(keepends=True)
    image = (photos / "1.png").read_bytes()
    assert twinpix.query_codes(image, str(path))
    for number in range(200):
        path.write_bytes(spoilt_lines(lines, random.Random(number)))
        in_words(lambda: list(twinpix.read_codes(str(path))[1]))
        if number % 8 == 0:
            in_words(lambda: twinpix.query_codes(image, str(path)))


@pytest.mark.parametrize(
    "row",
    [
        *(
            {},
            [],
            5,
            None,
            {"path": "a"},
            {"path": 5, "codes": []},
            {"path": "a", "codes": 5},
            {"path": "a", "codes": [5]},
        ),
        *({"path": "a", "codes": ["0"]}, {"path": "a", "codes": ["zz"]}, {"path": "a", "codes": ["00", "00"]}),
        *(
            {"path": "\ud800", "codes": []},
            {"path": "a", "codes": [], "width": "x"},
            {"path": "a", "codes": [], "b": 1},
        ),
        *({"path": "a", "codes": [], "digest": "x"}, {"path": "a", "codes": [], "error": 5}, b"\xff\n", b"[" * 10**5),
    ],
)
def test_a_row_without_codes_is_named(row: Any, tmp_path: Path) -> None:
    head = {"schema": "twinpix.codes/1", "methods": ["phash"], "decode": "fast", "transforms": False, "variants": [""]}
    line = row + b"\n" if isinstance(row, bytes) else json.dumps(row).encode() + b"\n"
    Path("c.jsonl").write_bytes(json.dumps(head).encode() + b"\n" + line)
    with pytest.raises(TwinpixError, match="line 2: not a row of codes"):
        list(twinpix.read_codes("c.jsonl")[1])


def test_reports(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each is refused, or applied without losing a file."""
    path = save(library(tmp_path, 2), tmp_path / "r.json")
    whole = json.loads(path.read_text())
    before = tree(tmp_path / "photos")
    for number in range(300):
        path.write_text(json.dumps(spoilt(whole, random.Random(number))))
        keep = "shortest" if number % 2 else None
        in_words(lambda keep=keep: twinpix.plan(read(str(path)), "move:to=out", keep=keep))
    for number in range(0, 300, 20):
        path.write_text(json.dumps(spoilt(whole, random.Random(number))))
        for arguments in (["plot", "r.json", "--html", f"{number}.html"], ["resolve", "r.json", "-i", "--trash"]):
            assert run(arguments) in (0, 2, 3)
    assert tree(tmp_path / "photos") == before


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
@pytest.mark.parametrize("name", ["radius", "distance"])
@pytest.mark.parametrize("odd_name", [False, True])  # a report with undecodable names is read by another parser
def test_a_report_with_infinite_numbers_is_refused(number: str, name: str, odd_name: bool, tmp_path: Path) -> None:
    path = save(library(tmp_path, 1), tmp_path / "r.json")
    value = json.loads(path.read_text())
    (value if name == "radius" else value["groups"][0]["matches"][0])[name] = "NUMBER"
    value["notes"] = ["\udc80"] if odd_name else []
    path.write_text(json.dumps(value).replace('"NUMBER"', number))
    with pytest.raises(ReportError):
        read(str(path))


@pytest.mark.parametrize("wrong", ["keeper", "match", "surrogate"])
@pytest.mark.parametrize("command", ["resolve", "again", "asked", "plot"])
def test_a_report_that_contradicts_itself_is_refused_everywhere(
    wrong: str, command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = save(library(tmp_path, 1), tmp_path / "r.json")
    value = json.loads(path.read_text())
    if wrong == "keeper":
        value["groups"][0]["keeper"] = "photos/other.png"
    elif wrong == "match":
        value["groups"][0]["matches"][0]["b"] = "photos/other.png"
    else:
        value["groups"][0]["members"][1]["path"] = "photos/\ud800.png"
    path.write_text(json.dumps(value))
    more = {"again": ["--keep", "path"], "asked": ["-i", "--no-store"]}.get(command, [])
    arguments = ["plot", "r.json", "--html", "x.html"] if command == "plot" else ["resolve", "r.json", "--trash", *more]
    assert run(arguments) == 3
    assert "the report cannot be trusted" in capfd.readouterr().err


def test_journals(tmp_path: Path) -> None:
    path = save(library(tmp_path, 2), tmp_path / "r.json")
    before = tree(tmp_path / "photos")
    assert run(["resolve", str(path), "--move", "out", "--apply"]) == 0
    log = tmp_path / "r.journal.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    for number in range(300):
        log.write_bytes(spoilt_lines(lines, random.Random(number)))
        in_words(lambda: journal.read(str(log)))
        if number % 15 == 0:
            in_words(lambda: twinpix.undo(str(log)))
    for text in ('{"done":0}', '{"target":0,"to":0}', '{"target":0,"to":[]}', '{"keep":[0,[],0]}', '{"keep":0}'):
        log.write_bytes(b"".join(lines) + text.encode() + b"\n")
        in_words(lambda: twinpix.undo(str(log)))
    log.write_bytes(b"".join(lines))
    twinpix.undo(str(log))
    assert {data for data, _, _ in tree(tmp_path).values()} >= {data for data, _, _ in before.values()}


@pytest.mark.parametrize("target", [0, [], None, False, {}])
def test_a_target_that_is_not_a_path_is_not_a_step(target: Any, tmp_path: Path) -> None:
    row = [0, str(tmp_path / "a"), target, [1, 2, 3, 4, 5, 0o644, 0, 0], "", "", str(tmp_path / ".twinpix-00-0")]
    head = {"journal": journal.SCHEMA, "action": "move", "options": {"to": "/o"}, "report": "", "created": ""}
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in (head, {"unit": [row]}))
    Path("j.jsonl").write_text(text)
    (session,) = journal.read("j.jsonl").sessions
    assert (session.steps, session.unread) == ({}, [2])


# -- stores


def filled(path: Path) -> bytes:
    store = Store(path)
    for number in range(40):
        digest = bytes([number]) * 16
        store.put_result(digest, "spec", Result(bytes(32), 640, 480, "JPEG", detail_score=9))
        store.put_verdict(digest, "null")
    store.put_exclusions([(b"a" * 16, b"b" * 16)])
    store.close()
    return path.read_bytes()


def test_stores_with_flipped_bits(tmp_path: Path) -> None:
    """The run continues, and at the latest the next run has no notes."""
    path = tmp_path / "s"
    whole = filled(path)
    digests = [bytes([number]) * 16 for number in range(40)]
    for number in range(150):
        rng = random.Random(number)
        data = bytearray(whole)
        for _ in range(rng.choice([1, 1, 8, 64])):
            place = rng.randrange(8 * 100 if rng.random() < 0.2 else 8 * len(data))
            data[place // 8] ^= 1 << place % 8
        for old in tmp_path.iterdir():
            old.unlink()
        path.write_bytes(data)
        for again in (False, True):
            try:
                store = Store(path)
            except StoreError:  # its signature is damaged
                assert path.read_bytes() == bytes(data)
                break
            results = store.results(digests, "spec")
            assert all(isinstance(result.code, bytes | None) for result in results.values())
            store.verdicts(digests)
            store.exclusions()
            store.put_result(b"n" * 16, "spec", Result(None, stage="read", error="x"))
            store.info()
            store.close()
            assert not (again and store.notes), number


@pytest.mark.parametrize("bit", [2, 7])
def test_a_store_whose_header_says_that_it_cannot_be_written_is_set_aside(tmp_path: Path, bit: int) -> None:
    """SQLite reads such a file and never writes it: every run would continue without a store."""
    path = tmp_path / "s"
    data = bytearray(filled(path))
    data[18] ^= 1 << bit
    for old in tmp_path.iterdir():
        old.unlink()
    path.write_bytes(data)
    for notes in (1, 0):
        store = Store(path)
        store.put_result(b"n" * 16, "spec", Result(None, stage="read", error="x"))
        store.close()
        assert len(store.notes) == notes
    (aside,) = tmp_path.glob("s.damaged-*")
    assert aside.read_bytes() == data


@pytest.mark.parametrize("name", ["Thumbs.db", "wallet.db", "id_rsa", "Makefile", "notes.sqlite", "x.store", "photo"])
@pytest.mark.parametrize("content", [b"all: build\n", b"SQLite format 3\0" + bytes(600), b"\xd0\xcf\x11\xe0" * 200])
def test_only_a_store_is_set_aside(name: str, content: bytes, tmp_path: Path, photos: Path) -> None:
    Path(name).write_bytes(content)
    with pytest.raises(StoreError, match="is no twinpix store and is not changed"):
        Store(Path(name))
    assert run(["store", "info", "--store", name]) == 3
    assert run(["store", "clear", "--store", name]) == 3
    assert [path.name for path in tmp_path.iterdir() if path != photos] == [name]
    assert Path(name).read_bytes() == content


def test_a_store_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    filled(path)
    path.chmod(0o666)
    with pytest.raises(StoreError, match="every user can write to it"):
        Store(path)


# -- an early Ctrl-C


def test_ctrl_c_while_the_commands_are_loaded(tmp_path: Path) -> None:
    code = "import builtins, os, signal\nreal = builtins.__import__\n"
    code += "def load(name, *rest):\n"
    code += "    if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
    code += "    return real(name, *rest)\n"
    code += "builtins.__import__ = load\nfrom twinpix.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
