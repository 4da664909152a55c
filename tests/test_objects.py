"""resolve --move URL: redundant objects of a store are moved within it, and undo moves them back."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import xxhash

import twinpix
from amounts import amount
from libraries import save
from servers import FailingProxy, failing_proxy, s3_server
from twinpix.act.objects import changes, reading
from twinpix.act.objects.journal import ObjectJournal, opened
from twinpix.act.objects.plan import plan_objects
from twinpix.cli.app import run
from twinpix.errors import RefusedError, SkipKind, StepError, UsageError
from twinpix.journals import JournalFile
from twinpix.model import Counts, Group, Match, Member, Report, Unique, is_remote
from twinpix.sources import read
from twinpix.sources.storage import object_now

pytestmark = pytest.mark.usefixtures("_here")

PNG = b"\x89PNG\r\n\x1a\n"
TO = "s3://dups/here"


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with s3_server() as fs:
        yield fs


@pytest.fixture
def s3(server: Any) -> Any:
    """Two empty buckets; the file system that writes to them."""
    for bucket in ("photos", "dups"):
        server.invalidate_cache()
        if not server.exists(bucket):
            server.mkdir(bucket)
        for name in server.find(bucket):
            server.rm_file(name)
    server.invalidate_cache()
    return server


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))


def image(seed: int, size: int = 700) -> bytes:
    """Bytes that begin like a PNG file: a move reads and compares bytes, and decodes nothing."""
    return PNG + random.Random(seed).randbytes(size)


def put(fs: Any, objects: Mapping[str, bytes]) -> None:
    for name, data in objects.items():
        fs.pipe_file(name, data)
    fs.invalidate_cache()


def held(fs: Any, *buckets: str) -> dict[str, bytes]:
    """All objects with their bytes."""
    fs.invalidate_cache()
    return {name: fs.cat_file(name) for bucket in buckets or ("photos", "dups") for name in sorted(fs.find(bucket))}


def report_of(base: Path, groups: list[list[str]], *, unique: tuple[str, ...] = (), **fields: Any) -> Report:
    """The report of `find` for these images; the first of each group is kept."""

    def member(uri: str) -> Member:
        data = read(uri if "://" in uri else str(base / uri)).data or b""
        mtime = 0 if "://" in uri else (base / uri).stat().st_mtime_ns
        return Member(uri, len(data), 8, 8, mtime, xxhash.xxh3_128_hexdigest(data), "PNG")

    made = []
    for number, names in enumerate(groups, 1):
        members = [member(name) for name in names]
        matches = [Match(names[0], name, 0, "identical-file", same_code=True) for name in names[1:]]
        made.append(Group(number, names[0], "first by path", members, matches))
    alone = [Unique(m.path, m.size, m.mtime_ns, m.digest) for m in map(member, unique)]
    facts = {
        "created": "2026-01-01T00:00:00+00:00",
        "roots": ["s3://photos"],
        "references": [],
        "base": str(base),
        "spec": "digest",
        "radius": 0,
        "link": "star",
        "counts": Counts(),
        "groups": made,
        "failures": [],
        "unique": alone,
        "unit": "bits",
    }
    return Report(**(facts | fields))  # type: ignore[arg-type]


def library(fs: Any, base: Path, groups: int = 2) -> Path:
    """Groups of three equal images in the bucket `photos`, and their report."""
    named = []
    for number in range(groups):
        names = [f"photos/a/{number}.png", f"photos/b/{number}.png", f"photos/c/{number}.png"]
        put(fs, dict.fromkeys(names, image(number)))
        named.append([f"s3://{name}" for name in names])
    return save(report_of(base, named), base / "r.json")


def journal_of(folder: Path) -> Path:
    (path,) = folder.glob("*.objects-*.jsonl")
    return path


def moved_to(groups: int = 2) -> dict[str, bytes]:
    kept = {f"photos/a/{n}.png": image(n) for n in range(groups)}
    return kept | {f"dups/here/{folder}/{n}.png": image(n) for n in range(groups) for folder in "bc"}


# -- plan ----------------------------------------------------------------------------------------------


def test_the_plan_is_printed_and_nothing_changes(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, before = library(s3, tmp_path, 1), held(s3)
    assert run(["resolve", str(report), "--move", f"{TO}/"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "Group 1",
        "  keep  s3://photos/a/0.png  (first by path)",
        "  move  s3://photos/b/0.png  (708 bytes, identical-file)  -> s3://dups/here/b/0.png",
        "  move  s3://photos/c/0.png  (708 bytes, identical-file)  -> s3://dups/here/c/0.png",
        "",
        "2 objects to move, 1.42 kB",
        "nothing was changed; add --apply to carry out the plan",
    ]
    assert run(["resolve", str(report), "--move", TO, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [unit["files"][0]["target"] for unit in plan["units"]] == [f"{TO}/b/0.png", f"{TO}/c/0.png"]
    assert (plan["files"], plan["left"], plan["options"]) == (2, [], {"to": TO})
    assert held(s3) == before
    assert os.listdir(tmp_path) == ["r.json"]


def test_files_and_members_are_left_with_what_to_use(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(s3, {"photos/a.png": image(1), "photos/b.png": image(1)})
    (tmp_path / "c.png").write_bytes(image(1))
    subprocess.run([sys.executable, "-m", "zipfile", "-c", "d.zip", "c.png"], check=True)
    names = ["s3://photos/a.png", "s3://photos/b.png", "c.png", "zip://c.png::d.zip"]
    report = save(report_of(tmp_path, [names], roots=["s3://photos", "c.png", "d.zip"]), tmp_path / "r.json")
    assert run(["resolve", str(report), "--move", TO]) == 0
    out = capsys.readouterr().out
    assert "1 duplicate is a file: use --move DIR\n" in out
    assert "1 duplicate is inside an archive or table: use --export TARGET\n" in out
    assert "1 object to move" in out
    assert run(["resolve", str(report), "--move", "here"]) == 0
    out = capsys.readouterr().out
    assert "1 group is left unchanged: its keeper is an object of a store" in out
    assert "--move s3://bucket/duplicates, moves objects within their store" in out
    only = save(report_of(tmp_path, [["c.png", "zip://c.png::d.zip"]], roots=["c.png", "d.zip"]), tmp_path / "s.json")
    assert run(["resolve", str(only), "--move", TO]) == 2
    assert "use --move DIR for files" in capsys.readouterr().err


def test_a_target_that_cannot_be_used_is_refused(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = library(s3, tmp_path)
    for target, code, words in (
        ("s3://photos/dups", 3, "is inside s3://photos, which was scanned"),
        ("s3://photos", 3, "is inside s3://photos, which was scanned"),
        ("http://127.0.0.1:9/dups", 2, "which is only read"),
        ("memory://dups", 2, "which is only read"),
        ("s3://none/dups", 2, "there is no bucket s3://none"),
        ("s3://", 2, "names no folder of a store"),
        ("nothing://a/b", 2, "cannot be used"),
    ):
        assert run(["resolve", str(report), "--move", target]) == code, target
        assert words in capsys.readouterr().err, target
    for options in (["--trash"], ["--interactive"]):
        assert run(["resolve", str(report), "--move", TO, *options]) == 2
    assert "cannot be combined with --move URL" in capsys.readouterr().err
    with pytest.raises(UsageError, match="--move URL moves objects"):
        twinpix.plan(Report.load(report), f"move:to={TO}")


def test_objects_of_another_store_are_left(s3: Any, tmp_path: Path) -> None:
    put(s3, {"photos/a.png": image(1), "photos/b.png": image(1)})
    made = report_of(tmp_path, [["s3://photos/a.png", "s3://photos/b.png"]])
    found = json.loads(json.dumps(made.to_dict()).replace("s3://photos/b.png", "memory://b.png"))
    (tmp_path / "r.json").write_text(json.dumps(found | {"roots": ["s3://photos", "memory://"]}))
    plan = plan_objects(Report.load(tmp_path / "r.json"), TO)
    assert [(row.kind, plan.units) for row in plan.skipped] == [(SkipKind.IN_STORE, [])]


def test_several_roots_patterns_and_single_objects_keep_their_places(s3: Any, tmp_path: Path) -> None:
    names = ["photos/x/in/1.png", "photos/y/in/1.png", "photos/z.png", "photos/p/1/a.png"]
    put(s3, dict.fromkeys(names, image(1)))
    roots = ["s3://photos/x", "s3://photos/y/", "s3://photos/z.png", "s3://photos/p/*/a*.png"]
    report = report_of(tmp_path, [[f"s3://{name}" for name in names]], roots=roots)
    steps = plan_objects(report, TO).steps
    assert [step.target for step in steps] == [f"{TO}/y/in/1.png", f"{TO}/z.png", f"{TO}/p/1/a.png"]
    with pytest.raises(RefusedError, match="is inside s3://photos/p, which was scanned"):
        plan_objects(report, "s3://photos/p/dups")
    with pytest.raises(RefusedError, match=r"y/in/1 \(2\)\.png is inside s3://photos/y, which was scanned"):
        plan_objects(report, "s3://photos")


# -- move and undo -------------------------------------------------------------------------------------


def test_objects_are_moved_and_moved_back(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, before = library(s3, tmp_path), held(s3)
    facts = {"ContentType": "image/png", "Metadata": {"owner": "me"}, "StorageClass": "STANDARD_IA"}
    s3.pipe_file("photos/b/0.png", image(0), **facts)
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    out = capsys.readouterr().out
    assert "4 objects moved" in out
    assert held(s3) == moved_to()
    for _ in range(2):
        assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
        assert "0 objects to move, 0 bytes; 4 images moved before" in capsys.readouterr().out
    journal = journal_of(tmp_path)
    assert f"undo {journal.name}" in out
    assert os.stat(journal).st_mode & 0o077 == 0
    assert run(["undo", str(journal)]) == 0
    assert "restored 4 objects" in capsys.readouterr().out
    assert held(s3) == before
    s3.invalidate_cache()
    found = s3.call_s3("head_object", Bucket="photos", Key="b/0.png")
    kept = (found["ContentType"], found["Metadata"], found["StorageClass"])
    assert kept == ("image/png", {"owner": "me"}, "STANDARD_IA")
    assert run(["undo", str(journal)]) == 0
    assert capsys.readouterr().out == "nothing to restore\n"
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    assert held(s3) == moved_to()
    assert twinpix.undo(str(journal)).objects == 4


def test_a_name_that_is_taken_gets_a_number(s3: Any, tmp_path: Path) -> None:
    report = library(s3, tmp_path, 1)
    put(s3, {"dups/here/b/0.png": b"theirs", "dups/here/b/0 (2).png": b"theirs"})
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    now = held(s3)
    assert now["dups/here/b/0.png"] == now["dups/here/b/0 (2).png"] == b"theirs"
    assert now["dups/here/b/0 (3).png"] == image(0)
    assert twinpix.undo(str(journal_of(tmp_path))).objects == 2
    assert held(s3, "dups") == {"dups/here/b/0.png": b"theirs", "dups/here/b/0 (2).png": b"theirs"}


def test_a_name_that_is_taken_after_the_plan_gets_a_number(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twinpix.act.objects import move

    report, plain = library(s3, tmp_path, 1), move._Run.group

    def late(self: Any, units: Any) -> int:
        put(s3, {"dups/here/b/0.png": b"theirs"})
        return plain(self, units)

    monkeypatch.setattr(move._Run, "group", late)
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    now = held(s3)
    assert (now["dups/here/b/0.png"], now["dups/here/b/0 (2).png"]) == (b"theirs", image(0))


def test_a_changed_object_stays(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = library(s3, tmp_path)
    other = image(9)
    put(s3, {"photos/b/0.png": other, "photos/b/1.png": b"shorter"})
    s3.rm("photos/c/1.png")
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    out = capsys.readouterr().out
    assert "s3://photos/b/0.png: changed since find; run find again" in out
    assert "s3://photos/b/1.png: was changed since it was scanned" in out
    assert "s3://photos/c/1.png: no longer exists" in out
    assert held(s3, "dups") == {"dups/here/c/0.png": image(0)}
    assert held(s3)["photos/b/0.png"] == other


def test_without_its_keeper_no_image_goes(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = library(s3, tmp_path)
    s3.rm("photos/a/0.png")
    put(s3, {"photos/a/1.png": image(8)})
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    out = capsys.readouterr().out
    assert out.count("the keeper, s3://photos/a/0.png, no longer exists: no object of this group is moved") == 2
    assert out.count("its keeper, s3://photos/a/1.png, changed since find; run find again") == 2
    assert held(s3, "dups") == {}
    assert len(held(s3, "photos")) == 5


def test_a_keeper_that_is_deleted_meanwhile_saves_the_rest(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report, real = library(s3, tmp_path, 1), changes.copy

    def copy(source: str, target: str, seen: Any) -> None:
        real(source, target, seen)
        if "/c/" in source:
            s3.rm("photos/a/0.png")

    monkeypatch.setattr(changes, "copy", copy)
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    assert "its keeper, s3://photos/a/0.png, no longer exists" in capsys.readouterr().out
    assert held(s3) == {"photos/c/0.png": image(0), "dups/here/b/0.png": image(0)}


@pytest.mark.parametrize("when", ["before the copy", "after the copy"])
def test_an_object_that_changes_during_its_step_stays(
    when: str, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, real = library(s3, tmp_path, 1), changes.copy

    def copy(source: str, target: str, seen: Any) -> None:
        if when == "before the copy":
            s3.pipe_file(source, b"new")
        real(source, target, seen)
        if when == "after the copy":
            s3.pipe_file(source, b"new")

    monkeypatch.setattr(changes, "copy", copy)
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    now = held(s3)
    assert {now["photos/b/0.png"], now["photos/c/0.png"]} == {b"new"}
    assert set(held(s3, "dups").values()) <= {
        image(0),
        b"new",
    }  # a copy is removed only if the source is proven to have it
    monkeypatch.undo()
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    assert held(s3, "photos") == {name: data for name, data in now.items() if name.startswith("photos")}


def test_s3_refuses_to_delete_another_version(s3: Any) -> None:
    """The condition of the request, for a write between the last check and the deletion."""
    put(s3, {"photos/x.png": image(1)})
    seen = reading.require("s3://photos/x.png")
    put(s3, {"photos/x.png": image(2)})
    with pytest.raises(StepError, match="changed during this step"):
        changes.delete("s3://photos/x.png", seen)
    assert held(s3, "photos") == {"photos/x.png": image(2)}


def test_an_object_with_two_names_is_not_its_own_duplicate(s3: Any, tmp_path: Path) -> None:
    put(s3, {"photos/x.png": image(1)})
    report = report_of(tmp_path, [["s3://photos/x.png", "s3a://photos/x.png"]], roots=["s3://photos", "s3a://photos"])
    save(report, tmp_path / "r.json")
    assert run(["resolve", "r.json", "--move", TO, "--apply"]) == 3
    assert held(s3) == {"photos/x.png": image(1)}


def test_keepers_may_be_files_and_members(s3: Any, tmp_path: Path) -> None:
    put(s3, {"photos/a.png": image(1), "photos/b.png": image(2)})
    (tmp_path / "a.png").write_bytes(image(1))
    (tmp_path / "b.png").write_bytes(image(2))
    subprocess.run([sys.executable, "-m", "zipfile", "-c", "b.zip", "b.png"], check=True)
    groups = [["a.png", "s3://photos/a.png"], ["zip://b.png::b.zip", "s3://photos/b.png"]]
    report = save(report_of(tmp_path, groups, roots=["s3://photos", "a.png", "b.zip"]), tmp_path / "r.json")
    (tmp_path / "b.zip").write_bytes(b"damaged")
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    assert held(s3) == {"photos/b.png": image(2), "dups/here/a.png": image(1)}


def test_a_large_object_is_read_in_parts(s3: Any, tmp_path: Path) -> None:
    data = image(1, 40 << 20)
    put(s3, {"photos/a.png": data})
    with s3.open("photos/b.png", "wb", block_size=5 << 20) as file:  # its ETag is not the MD5 of its bytes
        file.write(data)
    s3.invalidate_cache()
    assert "-" in s3.info("photos/b.png")["ETag"]
    save(report_of(tmp_path, [["s3://photos/a.png", "s3://photos/b.png"]]), tmp_path / "r.json")
    assert run(["resolve", "r.json", "--move", TO, "--apply"]) == 0
    assert xxhash.xxh3_128_hexdigest(s3.cat_file("dups/here/b.png")) == xxhash.xxh3_128_hexdigest(data)


# -- companion objects ---------------------------------------------------------------------------------


def companions(fs: Any, base: Path) -> Path:
    """Groups whose duplicates have the companion object of the keeper, another one, none."""
    put(
        fs,
        {
            **{f"photos/{folder}/{n}.png": image(n) for folder in "ab" for n in range(3)},
            "photos/a/0.xmp": b"same",
            "photos/b/0.xmp": b"same",
            "photos/a/1.xmp": b"one",
            "photos/b/1.xmp": b"other",
            "photos/b/2.png.json": b"{}",
            "photos/b/unrelated.xmp": b"",
        },
    )
    groups = [[f"s3://photos/{folder}/{n}.png" for folder in "ab"] for n in range(3)]
    return save(report_of(base, groups), base / "r.json")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("same", {"0.png", "0.xmp"}),
        ("all", {"0.png", "0.xmp", "1.png", "1.xmp", "2.png", "2.png.json"}),
        ("keep", {"0.png", "1.png", "2.png"}),
    ],
)
def test_companion_objects_go_with_their_image(
    mode: str, expected: set[str], s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, before = companions(s3, tmp_path), held(s3)
    assert run(["resolve", str(report), "--move", TO, "--sidecars", mode, "--apply"]) == 0
    out = capsys.readouterr().out
    assert {name.removeprefix("dups/here/b/") for name in held(s3, "dups")} == expected
    if mode == "same":
        assert "stays with its companion file 1.xmp: s3://photos/a/1.xmp has other bytes" in out
        assert "stays with its companion file 2.png.json: the keeper has none of that kind" in out
        assert "2 objects to move" in out
        assert "(1 image and 1 companion object)" in out
    assert twinpix.undo(str(journal_of(tmp_path))).objects == len(expected)
    assert held(s3) == before


def test_a_unit_is_moved_as_a_whole_or_not(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report, before, real = companions(s3, tmp_path), held(s3), changes.delete

    def delete(url: str, seen: Any) -> None:
        if url == "s3://photos/b/0.xmp":
            raise StepError("could not be deleted: no reason")
        real(url, seen)

    monkeypatch.setattr(changes, "delete", delete)
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    assert "could not be deleted: no reason" in capsys.readouterr().out
    assert held(s3) == before


def test_an_image_with_a_companion_object_elsewhere_stays(s3: Any, tmp_path: Path) -> None:
    put(s3, {f"photos/images/{n}.png": image(1) for n in range(2)} | {"photos/labels/1.txt": b"0 1 2 3 4"})
    report = report_of(tmp_path, [[f"s3://photos/images/{n}.png" for n in range(2)]], roots=["s3://photos/images"])
    plan = plan_objects(report, TO, sidecars="all")
    (left,) = plan.skipped
    assert "has the companion object s3://photos/labels/1.txt, which is outside of the scanned folders" in left.reason
    assert [step.target for step in plan_objects(report, TO, sidecars="keep").steps] == [f"{TO}/1.png"]
    both = plan_objects(replace(report, roots=["s3://photos"]), TO, sidecars="all").steps
    assert [step.target for step in both] == [f"{TO}/images/1.png", f"{TO}/labels/1.txt"]


def test_without_the_right_to_list_an_image_stays(s3: Any, tmp_path: Path) -> None:
    library(s3, tmp_path, 1)
    with failing_proxy() as proxy:
        report = Report.load(tmp_path / "r.json")
        proxy.answer = lambda method, path, headers: 403 if "list-type=2" in path and "prefix=b" in path else 0
        plan = plan_objects(report, TO)
    assert [step.source for step in plan.steps] == ["s3://photos/c/0.png"]
    assert ["cannot be listed: permission denied" in row.reason for row in plan.skipped] == [True]


def test_a_raw_and_jpeg_pair_goes_together_or_stays(s3: Any, tmp_path: Path) -> None:
    put(s3, {f"photos/{folder}/{n}.{end}": image(n) for folder in "ab" for n in (0, 1) for end in ("jpg", "nef")})
    put(s3, {"photos/b/1.nef": image(7)})
    groups = [["s3://photos/a/0.jpg", "s3://photos/b/0.jpg"], ["s3://photos/a/1.jpg", "s3://photos/b/1.jpg"]]
    plan = plan_objects(report_of(tmp_path, groups), TO)
    assert {row.kind for row in plan.skipped} == {SkipKind.WITH_PAIR}
    assert plan.units == []


# -- kills ---------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from twinpix.act.objects import changes
from twinpix import journals
count = int(sys.argv[1])
def counting(call):
    def counted(*arguments):
        global count
        for late in (False, True):
            count -= 1
            if not count:
                os.kill(os.getpid(), signal.SIGKILL)
            if not late:
                value = call(*arguments)
        return value
    return counted
changes.copy, changes.delete = counting(changes.copy), counting(changes.delete)
journals.JournalFile._write = counting(journals.JournalFile._write)
from twinpix.cli import main
sys.argv = ["twinpix", *sys.argv[2:]]
sys.exit(main())
"""


def killed_at(count: int, *command: str) -> int:
    """Run a command that kills itself before or after its n-th change of an object or write of the journal."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(count), *command], capture_output=True, timeout=120)
    return done.returncode


def fresh(fs: Any, base: Path) -> Path:
    for path in base.glob("*.jsonl"):
        path.unlink()
    for name in fs.find("dups") + fs.find("photos"):
        fs.rm_file(name)
    for folder in "ab":
        put(fs, {f"photos/{folder}/0.png": image(0), f"photos/{folder}/0.xmp": b"same"})
    return save(report_of(base, [["s3://photos/a/0.png", "s3://photos/b/0.png"]]), base / "r.json")


def test_a_run_killed_at_each_change_is_continued_and_undone(s3: Any, tmp_path: Path) -> None:
    """A unit of two objects: nothing is lost, nothing is left, and the same command or undo ends what was begun."""
    kept = {"photos/a/0.png": image(0), "photos/a/0.xmp": b"same"}
    moved = kept | {"dups/here/b/0.png": image(0), "dups/here/b/0.xmp": b"same"}
    kills, step = 0, amount(3, 1)
    for at in range(1, 100, step):
        statuses = []
        for again in (True, False):
            report = fresh(s3, tmp_path)
            before = held(s3)
            command = ["resolve", str(report), "--move", TO, "--apply"]
            statuses.append(killed_at(at, *command))
            now = held(s3)
            assert {data for name, data in now.items() if "/b/0" in name} == {image(0), b"same"}, "an object is lost"
            assert all(now[name] == data for name, data in kept.items())
            if again:
                assert run(command) == 0
                assert held(s3) == moved
            elif list(tmp_path.glob("*.jsonl")):
                assert twinpix.undo(str(journal_of(tmp_path))).skipped == []
                assert held(s3) == before
        assert statuses[0] == statuses[1]
        if statuses[0] == 0:
            break
        assert statuses[0] == -signal.SIGKILL
        kills += 1
    assert kills >= 24 // step  # two copies, two deletions, and eight writes of the journal, before and after each


def test_an_undo_killed_at_each_change_is_continued(s3: Any, tmp_path: Path) -> None:
    kills, step = 0, amount(3, 1)
    for at in range(1, 100, step):
        report = fresh(s3, tmp_path)
        before = held(s3)
        assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
        journal = str(journal_of(tmp_path))
        status = killed_at(at, "undo", journal)
        assert {data for name, data in held(s3).items() if "/b/0" in name} == {image(0), b"same"}, "an object is lost"
        if at % 2:
            assert twinpix.undo(journal).skipped == []
            assert held(s3) == before
        else:
            assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
            assert set(held(s3, "dups").values()) == {image(0), b"same"}
            assert twinpix.undo(journal).skipped == []
            assert held(s3) == before
        if status == 0:
            break
        assert status == -signal.SIGKILL
        kills += 1
    assert kills >= 20 // step


# -- undo ----------------------------------------------------------------------------------------------


def test_what_changed_since_is_left_by_undo(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = library(s3, tmp_path)
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    put(s3, {"dups/here/b/0.png": b"edited", "photos/c/0.png": b"another"})
    s3.rm("dups/here/b/1.png")
    journal = str(journal_of(tmp_path))
    capsys.readouterr()
    assert run(["undo", journal]) == 3
    out = capsys.readouterr().out
    assert "s3://photos/b/0.png: was changed since; it is left at s3://dups/here/b/0.png" in out
    assert "s3://photos/c/0.png: another object has its name; it is left at s3://dups/here/c/0.png" in out
    assert "s3://photos/b/1.png: is neither at its place nor at s3://dups/here/b/1.png" in out
    assert "restored 1 object" in out
    assert held(s3, "dups") == {"dups/here/b/0.png": b"edited", "dups/here/c/0.png": image(0)}
    s3.rm("photos/c/0.png")
    assert twinpix.undo(journal).objects == 1
    assert held(s3)["photos/c/0.png"] == image(0)


def test_a_journal_of_others_is_refused(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = library(s3, tmp_path, 1)
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    journal, before = journal_of(tmp_path), held(s3)
    text = journal.read_text()
    journal.write_text(text.replace('"source": "s3://photos/b/', '"source": "s3://other/b/'))
    assert run(["undo", str(journal)]) == 3
    assert "outside of the folders of its report" in capsys.readouterr().err
    journal.write_text(text)
    journal.chmod(0o666)
    assert run(["undo", str(journal)]) == 3
    assert "who writes a journal decides which objects are moved" in capsys.readouterr().err
    journal.chmod(0o600)
    shutil.copy(journal, "copy.jsonl")
    journal.unlink()
    journal.symlink_to("copy.jsonl")
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    os.mkfifo("pipe")
    assert run(["resolve", str(report), "--move", TO, "--apply", "--journal", "pipe"]) == 3
    assert run(["resolve", str(report), "--move", TO, "--journal", "pipe"]) == 3
    assert run(["undo", "pipe"]) != 0
    (tmp_path / "other.jsonl").write_text("notes\n")
    assert run(["resolve", str(report), "--move", TO, "--apply", "--journal", "other.jsonl"]) == 3
    assert "is not the journal of a run that moves objects" in capsys.readouterr().err
    assert (tmp_path / "other.jsonl").read_text() == "notes\n"
    assert held(s3) == before


def test_a_line_that_cannot_be_read_is_reported(s3: Any, tmp_path: Path) -> None:
    report = library(s3, tmp_path, 1)
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    journal = journal_of(tmp_path)
    lines = journal.read_text().splitlines()
    lines[1] = lines[1][:40]
    journal.write_text("\n".join(lines) + "\n")
    outcome = twinpix.undo(str(journal))
    assert (outcome.objects, {row.kind for row in outcome.skipped}) == (1, {SkipKind.UNREADABLE})


# -- failures of the store, and two runs ---------------------------------------------------------------


@pytest.fixture
def proxy(s3: Any) -> Iterator[FailingProxy]:
    with failing_proxy() as made:
        yield made


def test_without_permission_to_delete_the_object_stays_and_its_copy_goes(
    s3: Any, proxy: FailingProxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, before = library(s3, tmp_path), held(s3)
    proxy.answer = lambda method, path, headers: 403 if method == "DELETE" and path.startswith("/photos/") else 0
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    out = capsys.readouterr().out
    assert out.count("could not be deleted: permission denied; check the credentials") == 4
    assert held(s3) == before


def test_if_nothing_can_be_deleted_the_run_stops_and_the_next_removes_the_copies(
    s3: Any, proxy: FailingProxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, before = library(s3, tmp_path, 1), held(s3)
    proxy.answer = lambda method, path, headers: 403 if method == "DELETE" else 0
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    assert "stopped, because the store does not permit to delete objects" in capsys.readouterr().out
    assert held(s3) == before | {"dups/here/b/0.png": image(0)}
    proxy.answer = lambda method, path, headers: 0
    assert twinpix.undo(str(journal_of(tmp_path))).skipped == []
    assert held(s3) == before
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    assert held(s3) == moved_to(1)


def test_without_permission_to_write_or_read_the_object_stays(
    s3: Any, proxy: FailingProxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, before = library(s3, tmp_path, 1), held(s3)
    proxy.answer = lambda method, path, headers: 403 if method == "PUT" else 0
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    assert "could not be copied: permission denied" in capsys.readouterr().out
    proxy.answer = lambda method, path, headers: 403 if method == "GET" and path.startswith("/photos/b/0") else 0
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    assert "permission denied" in capsys.readouterr().out
    now = held(s3)
    assert now == {name: data for name, data in before.items() if "/c/" not in name} | {"dups/here/c/0.png": image(0)}


@pytest.mark.parametrize("status", [503, -503])
def test_requests_that_fail_half_of_the_time_are_repeated(
    status: int, s3: Any, proxy: FailingProxy, tmp_path: Path
) -> None:
    """-503: the change was made, and its answer was lost."""
    report, before, chance, lock = library(s3, tmp_path, 1), held(s3), random.Random(1), threading.Lock()

    def answer(method: str, path: str, headers: set[str]) -> int:
        with lock:
            return status if method in ("PUT", "DELETE", "GET") and chance.random() < 0.5 else 0

    proxy.answer = answer
    run(["resolve", str(report), "--move", TO, "--apply"])
    proxy.answer = lambda method, path, headers: 0
    now = held(s3)
    assert now["photos/a/0.png"] == image(0)
    for name in ("b/0.png", "c/0.png"):
        assert image(0) in (now.get(f"photos/{name}"), now.get(f"dups/here/{name}"))
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    assert held(s3) == moved_to(1)
    assert twinpix.undo(str(journal_of(tmp_path))).skipped == []
    assert held(s3) == before


@pytest.mark.parametrize(("status", "moved"), [(412, False), (-412, True), (501, True)])
def test_a_copy_that_the_store_refuses_is_looked_at(
    status: int, moved: bool, s3: Any, proxy: FailingProxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """412: another object has the name; after a lost answer it is the copy. 501: a server without conditions."""
    report, before = library(s3, tmp_path, 1), held(s3)
    proxy.answer = lambda method, path, headers: status if method == "PUT" and "if-none-match" in headers else 0
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == (0 if moved else 3)
    assert ("another object took its new name" in capsys.readouterr().out) is not moved
    assert held(s3) == (moved_to(1) if moved else before)


@pytest.mark.parametrize("status", [-412, 501, -403])
def test_a_deletion_that_the_store_refuses_is_looked_at(
    status: int, s3: Any, proxy: FailingProxy, tmp_path: Path
) -> None:
    report = library(s3, tmp_path, 1)
    proxy.answer = lambda method, path, headers: status if method == "DELETE" and "if-match" in headers else 0
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    assert held(s3) == moved_to(1)
    proxy.answer = lambda method, path, headers: 0
    assert twinpix.undo(str(journal_of(tmp_path))).objects == 2


def test_a_run_ends_if_the_store_is_gone(
    s3: Any, proxy: FailingProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from twinpix.act.objects import move

    monkeypatch.setattr(move, "_FAILURES", 2)
    report, before = library(s3, tmp_path, 1), held(s3)
    proxy.answer = lambda method, path, headers: 501 if method == "PUT" else 0
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    assert "stopped after 2 failures in a row" in capsys.readouterr().out
    assert held(s3) == before


def test_a_store_without_conditions_and_etags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another store of fsspec: its objects have a time and no ETag, so each copy is read."""
    fsspec = pytest.importorskip("fsspec")
    from fsspec.implementations.memory import MemoryFileSystem

    class Shelf(MemoryFileSystem):  # type: ignore[misc]
        protocol = "shelf"
        store: ClassVar[dict[str, Any]] = {}
        pseudo_dirs: ClassVar[list[str]] = [""]

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return str(super()._strip_protocol(path.removeprefix("shelf://")))

    fsspec.register_implementation("shelf", Shelf, clobber=True)
    fs = Shelf()
    for name in ("in/a/1.png", "in/b/1.png", "in/b/1.xmp", "in/c/2.png"):
        fs.pipe_file(name, image(1) if name.endswith("png") else b"edits")
    names = [f"shelf://in/{name}" for name in ("a/1.png", "b/1.png", "c/2.png")]
    save(report_of(tmp_path, [names], roots=["shelf://in"]), tmp_path / "r.json")
    before = {name: fs.cat_file(name) for name in fs.find("")}
    assert run(["resolve", "r.json", "--move", "shelf://out", "--apply"]) == 0
    assert "1.xmp: the keeper has none of that kind" in capsys.readouterr().out
    assert sorted(fs.find("")) == ["/in/a/1.png", "/in/b/1.png", "/in/b/1.xmp", "/out/c/2.png"]
    assert run(["resolve", "r.json", "--move", "shelf://out", "--apply", "--sidecars", "all"]) == 0
    assert sorted(fs.find("out")) == ["/out/b/1.png", "/out/b/1.xmp", "/out/c/2.png"]
    assert twinpix.undo(str(journal_of(tmp_path))).objects == 3
    assert {name: fs.cat_file(name) for name in fs.find("")} == before


@pytest.mark.parametrize("line", range(1, 7))
def test_a_journal_that_cannot_be_written_loses_nothing(
    line: int, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: a half of a line is written, then an error."""
    report, before, real, count = library(s3, tmp_path, 1), held(s3), JournalFile._write, [line]

    def write(self: JournalFile, text: str) -> None:
        count[0] -= 1
        if not count[0]:
            os.write(self.handle, text.encode()[: len(text) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, text)

    with monkeypatch.context() as patch:
        patch.setattr(JournalFile, "_write", write)
        assert run(["resolve", str(report), "--move", TO, "--apply"]) == 3
    assert held(s3)["photos/a/0.png"] == image(0)
    assert len(held(s3)) == len(before)
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    assert held(s3) == moved_to(1)
    assert twinpix.undo(str(journal_of(tmp_path))).skipped == []
    assert held(s3) == before


def test_ctrl_c_ends_a_run_between_two_objects(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, real = library(s3, tmp_path, 1), changes.copy

    def copy(source: str, target: str, seen: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        real(source, target, seen)

    with monkeypatch.context() as patch:
        patch.setattr(changes, "copy", copy)
        assert run(["resolve", str(report), "--move", TO, "--apply"]) == 130
    assert held(s3, "dups") == {"dups/here/b/0.png": image(0)}
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    assert held(s3) == moved_to(1)


def test_two_runs_exclude_each_other(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, before = library(s3, tmp_path), held(s3)
    assert run(["resolve", str(report), "--move", TO, "--apply", "--journal", "j.jsonl"]) == 0
    assert twinpix.undo("j.jsonl").objects == 4
    with opened("j.jsonl"):  # as a run of another user does
        assert run(["resolve", str(report), "--move", TO, "--apply", "--journal", "j.jsonl"]) == 3
        assert "another run that moves objects writes j.jsonl now" in capsys.readouterr().err
    with twinpix.acting():
        command = [sys.executable, "-m", "twinpix", "resolve", str(report), "--move", TO, "--apply"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (done.returncode, "another run of twinpix is changing files" in done.stderr) == (3, True)
    assert held(s3) == before


def test_credentials_are_in_no_file_and_no_output(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = library(s3, tmp_path)
    assert run(["resolve", str(report), "--move", "s3://user:hunter2@dups/here", "--apply"]) == 2
    out = capsys.readouterr()
    assert "s3://dups/here: user, password and query are not used" in out.err
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    text = out.out + out.err + capsys.readouterr().out + journal_of(tmp_path).read_text()
    for secret in ("hunter2", "secret-of-the-test", "key-of-the-test"):
        assert secret not in text
    assert held(s3) == moved_to()


def test_a_bucket_with_versions_keeps_what_was_deleted(s3: Any, tmp_path: Path) -> None:
    s3.mkdir("kept")
    s3.call_s3("put_bucket_versioning", Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    put(s3, {"kept/a.png": image(1), "kept/b.png": image(1)})
    save(report_of(tmp_path, [["s3://kept/a.png", "s3://kept/b.png"]], roots=["s3://kept"]), tmp_path / "r.json")
    assert run(["resolve", "r.json", "--move", TO, "--apply"]) == 0
    assert held(s3, "kept", "dups") == {"kept/a.png": image(1), "dups/here/b.png": image(1)}
    found = s3.call_s3("list_object_versions", Bucket="kept")
    assert [marker["Key"] for marker in found["DeleteMarkers"]] == ["b.png"]
    assert twinpix.undo(str(journal_of(tmp_path))).objects == 1
    assert held(s3, "kept") == {"kept/a.png": image(1), "kept/b.png": image(1)}


def test_a_journal_that_is_read_has_the_last_states(s3: Any, tmp_path: Path) -> None:
    report = library(s3, tmp_path)
    assert run(["resolve", str(report), "--move", TO, "--apply"]) == 0
    with opened(str(journal_of(tmp_path))) as journal:
        assert isinstance(journal, ObjectJournal)
        assert set(journal.states.values()) == {"done"}
        assert all(is_remote(step.source) and object_now(step.target) for step in journal.steps.values())
        assert len(journal.units()) == len(journal.moved()) == 4
