"""Results as tables: every image has one row, whose values are those of the report, in each library and file."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from PIL import Image

import twinpix
from commands import run
from drawings import draw
from libraries import group, library, member, report, write
from twinpix import plugins
from twinpix.errors import OutputError, ReportError, UsageError
from twinpix.model import Failure, Guarded, Match, Report, Unique, Unverified
from twinpix.report import _tables, to_arrow
from twinpix.report.base import encode_text, writer

PAGE = Path(__file__).parents[1] / "docs" / "tables.md"
TABLES = ("parquet", "arrow")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report on a folder with images of every role, and a list of further files."""
    top = tmp_path_factory.mktemp("found")
    for folder in ("photos", "references", "listed/a", "listed/b"):
        (top / folder).mkdir(parents=True)
    beach = draw("scene", 0, (160, 120))
    beach.save(top / "photos/beach.png")
    beach.save(top / "photos/beach.jpg", quality=90)
    beach.save(top / "references/beach.bmp")
    draw("scene", 2, (160, 120)).save(top / "references/alone.png")
    draw("scene", 1, (160, 120)).save(top / "photos/forest.png")
    Image.new("RGB", (100, 100), "teal").save(top / "photos/blank.png")
    with zipfile.ZipFile(top / "old.zip", "w") as archive:
        archive.write(top / "photos/beach.jpg", "in.jpg")
    (top / "photos/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    for name in ("twin", "same"):
        (top / f"photos/{name}.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken as well")
    if os.name != "nt":
        draw("street", 3, (160, 120)).save(os.fsdecode(os.fsencode(top / "photos") + b"/bad\xff\nname.png"))
    listed = ["listed/a/4.png", "listed/b/5.png"]
    for seed, name in enumerate(listed, 4):
        draw("table", seed, (160, 120)).save(top / name)
    before = os.getcwd()
    os.chdir(top)
    try:
        return twinpix.find(["photos", "old.zip"], listed=listed, reference="references", store=None, workers=1)
    finally:
        os.chdir(before)


def utf8(text: str | None) -> str | None:
    return text and text.encode("utf-8", "backslashreplace").decode()


def rows(table: pa.Table) -> dict[str, dict[str, Any]]:
    """The rows of a table of images by their URIs; none may occur twice."""
    listed = table.to_pylist()
    by_uri = {row["uri"]: row for row in listed}
    assert len(by_uri) == len(listed)
    return by_uri


def written(name: str, found: Report) -> bytes:
    return b"".join(encode_text(writer(name).parts(found)))


def read_back(data: bytes) -> pa.Table:
    return (pq.read_table if data.startswith(b"PAR1") else feather.read_table)(io.BytesIO(data))


# -- images


def test_each_image_of_a_run_has_one_row(found: Report) -> None:
    table = rows(found.to_arrow())
    listed = [member.path for group in found.groups for member in group.members]
    listed += [unique.path for unique in found.unique or ()]
    listed += [*(failure.path for failure in found.failures), *(guarded.path for guarded in found.guarded)]
    assert set(table) == {utf8(path) for path in listed}
    assert len(table) == found.counts.images - 1 + 3  # a reference in no group is not listed; three have failed


def test_roles_and_numbers_are_those_of_the_report(found: Report) -> None:
    table = rows(found.to_arrow())
    roles = Counter(row["role"] for row in table.values())
    assert set(roles) == {"keeper", "discard", "unique", "guarded", "failed"}
    assert roles["keeper"] == found.counts.groups
    free = [row for row in table.values() if row["role"] == "discard" and not row["protected"]]
    assert len(free) == found.counts.discards
    assert roles["unique"] + roles["guarded"] == len(found.unique or ())
    assert sum(row["bytes"] for row in free) == found.counts.bytes_reclaimable
    for each in found.groups:
        for number, known in enumerate(each.members):
            row = table[known.path]
            assert (row["group"], row["keeper"]) == (each.id, each.keeper)
            assert row["reason"] == (None if number else each.reason)
            facts = (row["digest"], row["bytes"], row["modified_ns"], row["frames"], row["damaged"])
            assert facts == (known.digest, known.size, known.mtime_ns, known.frames, known.damaged)
            assert (row["width"] or 0, row["height"] or 0, row["format"] or "") == (
                *(known.width, known.height),
                known.format,
            )
            assert (row["relation"], row["distance"]) == (known.relation, known.distance)
            pair = each.to_keeper.get(known.path)
            assert (row["detail"] or "", row["tier"] or "") == ((pair.detail, pair.tier) if pair else ("", ""))
            assert row["agreement"] == (pair.agrees if pair else None)
    for unique in found.unique or ():
        row = table[utf8(unique.path) or ""]
        assert (row["digest"], row["bytes"], row["modified_ns"]) == (unique.digest, unique.size, unique.mtime_ns)
    assert table["references/beach.bmp"]["role"] in ("keeper", "kept")
    assert (table["zip://in.jpg::old.zip"]["role"], table["zip://in.jpg::old.zip"]["protected"]) == ("discard", True)


def test_nulls(found: Report) -> None:
    table = rows(found.to_arrow())
    alone = table["photos/forest.png"]
    known = {"uri", "root", "digest", "bytes", "modified_ns", "role", "damaged"}
    assert {name for name, value in alone.items() if value is not None} == known
    assert {row["id"] for row in table.values()} == {None}
    broken = table["photos/broken.jpg"]
    assert {name for name, value in broken.items() if value is not None} == {"uri", "role", "reason", "stage", "error"}
    (failure,) = (each for each in found.failures if each.path == "photos/broken.jpg")
    assert (broken["stage"], broken["error"], broken["reason"]) == (failure.stage, failure.error, failure.error)
    blank = table["photos/blank.png"]
    assert (blank["role"], blank["reason"], blank["error"]) == ("guarded", found.guarded[0].reason, None)


def test_a_member_that_could_not_be_decoded_has_the_role_of_a_member(found: Report) -> None:
    table = rows(found.to_arrow())
    for name in ("photos/twin.jpg", "photos/same.jpg"):
        row = table[name]
        assert row["role"] in ("keeper", "discard")
        assert (row["width"], row["height"], row["format"], row["stage"]) == (None, None, None, "decode")
        assert row["error"]


def test_the_root_is_the_path_that_was_given(found: Report) -> None:
    table = rows(found.to_arrow())
    assert found.roots == ["photos", "old.zip", "listed/a", "listed/b"]
    for name, root in (
        ("photos/beach.png", "photos"),
        ("references/beach.bmp", "references"),
        ("zip://in.jpg::old.zip", "old.zip"),
        ("listed/a/4.png", "listed/a"),
        ("listed/b/5.png", "listed/b"),
    ):
        assert table[name]["root"] == root


@pytest.mark.skipif(os.name == "nt", reason="names of any bytes")
def test_undecodable_bytes_are_escaped_and_control_characters_exact(found: Report) -> None:
    assert "photos/bad\\udcff\nname.png" in rows(found.to_arrow())
    for name in TABLES:
        assert read_back(written(name, found)).equals(found.to_arrow())


def test_names_are_escaped_in_every_column(tmp_path: Path) -> None:
    library(tmp_path, 0)
    bad = "photos/\udcff.png"
    write(tmp_path, bad, b"bad")
    known = replace(report(tmp_path, [group(tmp_path, 1, [bad, "photos/alone.png"])]), roots=["\udcff"], base="/\udcff")
    failures, unverified = [Failure("f\udcff", "read", "in \udcff")], [Unverified(bad, bad, "\udcff")]
    known = replace(known, unique=[], failures=failures, unverified=unverified)
    first, second, third = known.to_arrow().to_pylist()
    escaped = "photos/\\udcff.png"
    assert (first["uri"], first["keeper"], second["keeper"], first["root"]) == (escaped, escaped, escaped, "\\udcff")
    assert (third["uri"], third["error"]) == ("f\\udcff", "in \\udcff")
    assert [row["a"] for row in known.matches_to_arrow().to_pylist()] == [escaped, escaped]
    metadata = json.loads(known.to_arrow().schema.metadata[b"twinpix"])
    assert metadata["base"] == "/\udcff"  # JSON has the exact name


def test_an_image_in_several_lists_has_one_row(tmp_path: Path) -> None:
    library(tmp_path, 1)
    known = report(tmp_path, [group(tmp_path, 1, ["photos/0.png", "photos/0 copy.png"])])
    failures = [
        Failure("photos/0.png", "verify", "slow"),
        Failure("photos/alone.png", "code", "no memory"),
        Failure("photos/alone.png", "verify", "slow"),
        Failure("photos", "list", "no permission"),
    ]
    guarded = [Guarded(path, 3, "blank") for path in ("photos/0.png", "photos/alone.png", "references/1.png")]
    known = replace(known, failures=failures, guarded=guarded, damaged=["photos/alone.png"])
    table = rows(known.to_arrow())
    assert {name: row["role"] for name, row in table.items()} == {
        "photos/0.png": "keeper",
        "photos/0 copy.png": "discard",
        "photos/alone.png": "failed",
        "photos": "failed",
        "references/1.png": "guarded",
    }
    assert (table["photos/0.png"]["stage"], table["photos/0.png"]["error"]) == ("verify", "slow")
    alone = table["photos/alone.png"]
    assert (alone["stage"], alone["reason"], alone["damaged"]) == ("code; verify", "no memory; slow", True)
    assert alone["digest"]
    assert table["references/1.png"]["reason"] == "blank"


def test_protected_members_are_kept(tmp_path: Path) -> None:
    library(tmp_path, 1)
    found = report(tmp_path, [group(tmp_path, 1, ["photos/0.png", "photos/0 copy.png", "photos/sub/0 small.png"])])
    first, second, third = found.groups[0].members
    members = [first, replace(second, link=True), replace(third, reference=True, root=-1)]
    changed = replace(found, groups=[replace(found.groups[0], members=members)], references=["references"])
    table = changed.to_arrow().to_pylist()
    assert [row["role"] for row in table[:3]] == ["keeper", "discard", "kept"]
    assert [row["protected"] for row in table[:3]] == [True, True, True]
    assert [row["root"] for row in table[:3]] == ["photos", "photos", "references"]


def test_the_batches_of_a_large_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = library(tmp_path, 4)
    whole = found.to_arrow()
    matches = found.matches_to_arrow()
    monkeypatch.setattr(_tables, "_ROWS", 5)
    assert len(found.to_arrow().to_batches()) > 2
    assert found.to_arrow().equals(whole)
    assert found.matches_to_arrow().equals(matches)
    for name in TABLES:
        assert read_back(written(name, found)).equals(whole)


def test_the_rows_of_a_lazy_sequence_are_read_once(found: Report) -> None:
    class Once(list[Unique]):
        reads = 0

        def __iter__(self) -> Any:
            self.reads += 1
            return super().__iter__()

        def __getitem__(self, index: Any) -> Any:
            raise AssertionError("a row was accessed by its index")

    unique = Once(found.unique or ())
    assert to_arrow(replace(found, unique=unique)).equals(found.to_arrow())
    assert unique.reads == 1


def test_a_loaded_report_gives_the_same_tables(found: Report, tmp_path: Path) -> None:
    found.save(tmp_path / "report.json")
    again = Report.load(tmp_path / "report.json")
    assert again.to_arrow().equals(found.to_arrow(), check_metadata=True)
    assert again.matches_to_arrow().equals(found.matches_to_arrow(), check_metadata=True)


def test_an_empty_report(tmp_path: Path) -> None:
    empty = report(tmp_path, [])
    for found in (empty, replace(empty, unique=None)):
        assert found.to_arrow().num_rows == found.matches_to_arrow().num_rows == 0
        assert found.to_arrow().schema.names == [column.name for column in _tables.IMAGES]
        assert len(found.to_pandas()) == len(found.to_polars()) == 0
        for name in TABLES:
            assert read_back(written(name, found)).equals(found.to_arrow(), check_metadata=True)


# -- matches


def test_every_match_has_a_row_with_all_its_fields(tmp_path: Path) -> None:
    found = library(tmp_path, 2)
    pair = Match(
        *("photos/a.png", "photos/b.png", None, "cropped", "cropped to 80%", "local", 0.91, 40),
        same_code=True,
        back="shows more",
        borders=(False, True),
    )
    scene = replace(pair, relation="similar-scene", agrees=None, tier="", distance=0.25, detail="", back="")
    one = found.groups[0]
    found = replace(
        found, groups=[replace(one, matches=[pair]), *found.groups[1:]], similar=[scene], unit="share", radius=0.35
    )
    found = replace(found, unverified=[Unverified("photos/c.png", "photos/d.png", "gone")])
    table = found.matches_to_arrow().to_pylist()
    first, last, unverified = table[0], table[-2], table[-1]
    assert list(first.values()) == [
        *("match", 1, "photos/a.png", "photos/b.png", None, "share", "cropped", "cropped to 80%", "shows more"),
        *("local", 0.91, 40, True, False, True, True, None),
    ]
    assert (last["kind"], last["group"], last["relation"], last["distance"]) == ("similar", None, "similar-scene", 0.25)
    assert (last["verified"], last["agreement"], last["detail"], last["tier"]) == (False, None, None, None)
    assert {name for name, value in unverified.items() if value is not None} == {
        *("kind", "a", "b", "unit", "verified", "reason")
    }
    kinds = Counter(row["kind"] for row in table)
    assert kinds == {"match": 1 + len(found.groups[1].matches), "similar": 1, "unverified": 1}


# -- libraries


def test_pandas_has_exact_numbers(found: Report) -> None:
    frame = found.to_pandas()
    assert len(frame) == found.to_arrow().num_rows
    times = {row.uri: row.modified_ns for row in frame.itertuples()}
    for unique in found.unique or ():
        assert times[utf8(unique.path)] == unique.mtime_ns
    assert frame["modified_ns"].dtype == pd.Int64Dtype()
    assert frame.loc[frame["role"] == "failed", "bytes"].isna().all()
    assert frame["group"].max() == len(found.groups)
    assert frame.loc[frame["role"] != "failed", "damaged"].notna().all()


def test_polars_has_the_values_of_arrow(found: Report) -> None:
    frame = found.to_polars()
    assert frame.to_dicts() == found.to_arrow().to_pylist()
    assert frame.schema["modified_ns"] == pl.Int64
    assert frame.filter((pl.col("role") == "discard") & ~pl.col("protected")).height == found.counts.discards


def test_each_library_reads_the_files(found: Report, tmp_path: Path) -> None:
    expected = found.to_arrow().to_pylist()
    for name in ("t.parquet", "t.arrow", "t.feather"):
        found.save(tmp_path / name)
        found.save(tmp_path / name)  # an earlier table is replaced
    assert pq.read_table(tmp_path / "t.parquet").to_pylist() == expected
    assert feather.read_table(tmp_path / "t.feather").to_pylist() == expected
    assert pa.ipc.open_file(tmp_path / "t.arrow").read_all().to_pylist() == expected
    assert pl.read_parquet(tmp_path / "t.parquet").to_dicts() == expected
    assert pl.read_ipc(tmp_path / "t.arrow").to_dicts() == expected
    assert pd.read_parquet(tmp_path / "t.parquet")["uri"].tolist() == [row["uri"] for row in expected]
    assert pd.read_feather(tmp_path / "t.feather")["role"].tolist() == [row["role"] for row in expected]


@pytest.mark.parametrize("method", ["to_arrow", "to_pandas", "to_polars", "matches_to_arrow"])
def test_a_missing_pyarrow_is_named(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = report(tmp_path, [])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"needs pyarrow: pip install 'twinpix\[tables\]'"):
        getattr(found, method)()


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_a_missing_library_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = report(tmp_path, [])
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=f"to_{name} needs {name}: pip install {name}"):
        getattr(found, f"to_{name}")()


@pytest.mark.parametrize("name", TABLES)
def test_a_format_without_pyarrow_is_refused_before_the_work(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from twinpix.cli.app import run as run_here

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(twinpix, "find", lambda *_, **__: pytest.fail("the images were read"), raising=False)
    assert run_here(["find", str(tmp_path), "-o", str(tmp_path / f"out.{name}")]) == 2
    assert f"the report format {name} needs pyarrow: pip install 'twinpix[tables]'" in capfd.readouterr().err
    assert plugins.load("report", name).suffixes  # lists of formats need no pyarrow


# -- files


@pytest.mark.parametrize("name", TABLES)
def test_the_schema_describes_the_table(name: str, found: Report) -> None:
    schema = read_back(written(name, found)).schema
    facts = json.loads(schema.metadata[b"twinpix"])
    assert (facts["schema"], facts["table"], facts["columns"]) == ("twinpix.table/1", "images", schema.names)
    assert (facts["spec"], facts["radius"], facts["unit"]) == (found.spec, found.radius, found.unit)
    assert (facts["created"], facts["base"]) == (found.created, found.base)
    assert facts["counts"] == found.to_dict()["counts"]
    for field, column in zip(schema, _tables.IMAGES, strict=True):
        assert field.metadata[b"description"].decode() == column.description
        assert field.nullable != column.required
    assert "\\udcff" in schema.field("uri").metadata[b"description"].decode()


@pytest.mark.parametrize("name", TABLES)
def test_only_a_table_of_twinpix_is_replaced(name: str, found: Report, tmp_path: Path) -> None:
    path = tmp_path / f"table.{name}"
    save = pq.write_table if name == "parquet" else feather.write_feather
    table = found.to_arrow()
    labelled = table.append_column("label", pa.array(["mine"] * table.num_rows))  # keeps the metadata
    for other in (labelled, table.drop_columns(["id"]), table.replace_schema_metadata(None), pa.table({"uri": ["a"]})):
        path.unlink(missing_ok=True)
        save(other, str(path))
        before = path.read_bytes()
        with pytest.raises(UsageError, match=f"is no {name.capitalize()} table of twinpix"):
            found.save(path)
        assert path.read_bytes() == before
    found.save(path, force=True)
    whole = path.read_bytes()
    found.save(path)
    for damaged in (whole[: len(whole) // 2], whole[:-1], whole[:4], whole[:12], whole[:8] + bytes(len(whole) - 8)):
        path.write_bytes(damaged)
        if name == "parquet" or _tables.MARK not in damaged:  # the schema of Arrow is at the beginning
            with pytest.raises(UsageError):
                found.save(path)
            assert path.read_bytes() == damaged


@pytest.mark.parametrize("name", TABLES)
def test_the_file_stays_if_writing_fails(
    name: str, found: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"table.{name}"
    found.save(path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="no space left"):
        found.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("name", ["report.parquet", "report.arrow"])
def test_a_table_is_no_report_for_resolve(name: str, found: Report, tmp_path: Path) -> None:
    found.save(tmp_path / name)
    done = run("resolve", tmp_path / name, "--move", tmp_path / "out")
    assert done.returncode == 3
    assert f"{name} is a table; resolve needs the JSON report: find PATH -o report.json" in done.stderr
    pq.write_table(pa.table({"a": [1]}), tmp_path / "foreign.parquet")
    with pytest.raises(ReportError, match="is a table; resolve needs the JSON report"):
        Report.load(tmp_path / "foreign.parquet")


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_table_beside_an_image_is_no_companion_of_it(suffix: str, tmp_path: Path) -> None:
    for name in ("photos/a/1.jpg", "photos/b/1.jpg"):
        write(tmp_path, name, b"one image")
    found = replace(report(tmp_path, [group(tmp_path, 1, ["photos/a/1.jpg", "photos/b/1.jpg"])]), unique=[])
    many = [Unique(f"photos/{number}.png", 1, 1, f"{number:032x}") for number in range(2000)]
    path = tmp_path / f"photos/b/1.jpg.{suffix}"
    replace(found, unique=many).save(path)
    assert path.stat().st_size > 20_000  # Parquet has the schema at its end
    plan = twinpix.plan(found, "delete")
    assert twinpix.apply(plan, str(tmp_path / "j.jsonl")).done == 1
    assert path.exists()
    assert not (tmp_path / "photos/b/1.jpg").exists()


# -- the command line


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


def command(*words: object) -> subprocess.CompletedProcess[bytes]:
    program = [sys.executable, "-W", "error", "-m", "twinpix", *map(str, words)]
    return subprocess.run(program, capture_output=True, timeout=120)


@pytest.mark.usefixtures("photos")
def test_formats_on_the_command_line(tmp_path: Path) -> None:
    find = ("find", "photos", "-m", "phash:size=16", "--no-store")
    done = command(*find, "-o", "out.parquet")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"report: out.parquet" in done.stdout
    table = pq.read_table("out.parquet")
    assert Counter(table["role"].to_pylist()) == {"keeper": 1, "discard": 1, "unique": 2, "failed": 1}
    for name in TABLES:
        piped = command(*find, "-f", name)
        assert piped.returncode == 0, piped.stderr
        assert read_back(piped.stdout).equals(table)
        assert b"1 group of copies" in piped.stderr
    assert command(*find, "-f", "parquet:table=matches", "-o", "m.parquet").returncode == 0
    assert pq.read_table("m.parquet")["kind"].to_pylist() == ["match"]
    shutil.rmtree(tmp_path / "photos")
    (tmp_path / "photos").mkdir()
    assert command(*find, "-o", "out.parquet").returncode == 0  # replaces the earlier table
    assert pq.read_table("out.parquet").num_rows == 0


@pytest.mark.skipif(os.name != "posix", reason="pexpect needs a terminal of POSIX")
@pytest.mark.usefixtures("photos")
def test_no_table_is_written_to_a_terminal() -> None:
    import pexpect

    for more in ([], ["-o", "-"]):
        words = ["-m", "twinpix", "find", "photos", "--no-store", "-f", "parquet", *more]
        out, status = pexpect.run(f"{sys.executable} {' '.join(words)}", withexitstatus=True, timeout=120)
        assert status == 2
        assert b"a table is not written to a terminal: give -o FILE" in out


def test_no_table_library_is_loaded_without_need(photos: Path) -> None:
    program = (
        f"import sys, twinpix\nfrom twinpix.cli.app import run\nrun(['find', '--help'])\n"
        f"run(['find', {str(photos)!r}, '--no-store', '-o', {str(photos.parent / 'r.json')!r}])\n"
        "assert not {'pyarrow', 'pandas', 'polars'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# -- the page


def test_the_programs_of_the_page_print_what_it_shows(photos: Path) -> None:
    text = PAGE.read_text("utf-8")
    for words in re.findall(r"^\$ twinpix (.*)$", text, re.MULTILINE):
        assert run(*words.split()).returncode == 0
    programs = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
    assert len(programs) == text.count("```python") == 3
    for program, output in programs:
        (photos.parent / "program.py").write_text(program, "utf-8")
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            [sys.executable, "-W", "error", "program.py"], capture_output=True, encoding="utf-8", env=environment
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == output


def test_the_columns_and_roles_of_the_page_are_those_of_the_code() -> None:
    text = PAGE.read_text("utf-8")
    for title, columns in (("Images", _tables.IMAGES), ("Matches", _tables.MATCHES)):
        section = text.partition(f"## {title}\n\n")[2].partition("\n\n")[0]
        expected = [f"| `{each.name}` | {each.type} | {each.description} |" for each in columns]
        assert section.splitlines()[2:] == expected
    roles = re.findall(r"^\| (\w+) \| ", text.partition("Roles:")[2].partition("## ")[0], re.MULTILINE)
    assert roles == ["role", "keeper", "discard", "kept", "unique", "guarded", "failed"]


def test_a_root_that_the_report_does_not_list_is_null(tmp_path: Path) -> None:
    library(tmp_path, 1)
    found = report(tmp_path, [group(tmp_path, 1, ["photos/0.png", "photos/0 copy.png"])])
    odd = [replace(found.groups[0].members[0], root=7), replace(member(tmp_path, "photos/0 copy.png"), root=-5)]
    found = replace(found, groups=[replace(found.groups[0], members=odd)])
    assert [row["root"] for row in found.to_arrow().to_pylist()][:2] == [None, None]
