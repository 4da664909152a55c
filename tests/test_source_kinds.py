"""Tests of all sources: files with members give the same results as a folder of these members."""

import io
import json
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

import commands
import twinpix
from drawings import draw
from twinpix import mounts, plugins, sources
from twinpix.cli.app import run
from twinpix.errors import ImageError, UsageError
from twinpix.model import Report, row_of
from twinpix.sources.base import Entry, Source
from twinpix.sources.uris import container, uri_of
from twinpix.versions import UNKNOWN

JPEG = "/9j/"  # how the base64 of a JPEG begins
KINDS = plugins.names("sources")


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest) -> Source:
    made: Source = plugins.make("sources", request.param)
    return made


@pytest.fixture(scope="module")
def all_members() -> dict[str, bytes]:
    """Two images, each with copies, one without copies, a broken one, and a text file."""

    def encoded(image: Image.Image, form: str, **options: int) -> bytes:
        out = io.BytesIO()
        image.save(out, form, **options)
        return out.getvalue()

    first, second, third = (draw("scene", seed, (400, 300)) for seed in (1, 2, 3))
    return {
        "a/again.png": encoded(first, "PNG"),  # in the order of names, which decides between identical images
        "a/first.png": encoded(first, "PNG"),
        "b/first.jpg": encoded(first, "JPEG", quality=80),
        "b/c/second.png": encoded(second, "PNG"),
        "half ü.jpg": encoded(second.resize((200, 150)), "JPEG", quality=85),
        "third::1.png": encoded(third, "PNG"),
        "broken.jpg": encoded(third, "JPEG")[:900],
        "notes.txt": b"no image",
        ".hidden/first.png": encoded(first, "PNG"),
    }


@pytest.fixture
def members(source: Source, all_members: dict[str, bytes]) -> dict[str, bytes]:
    """The members of the file; rows have no names, so that none is hidden."""
    return {name: data for name, data in all_members.items() if not (source.rows and name.startswith("."))}


def names_in(source: Source, members: dict[str, bytes]) -> dict[str, str]:
    """The name under which each member is listed."""
    return {name: f"row={at}" if source.rows else name for at, name in enumerate(members)}


@pytest.fixture
def made(source: Source, members: dict[str, bytes], tmp_path: Path) -> Path:
    path = tmp_path / f"photos{sorted(source.suffixes)[0]}"
    source.write(str(path), members)
    return path


def groups_of(report: Report, members: dict[str, bytes]) -> list[tuple[str, set[str], set[str]]]:
    """Keepers, members and relations, by the names of the members."""

    def inside(name: str) -> str:
        if row := row_of(name):
            return list(members)[int(row.removeprefix("row="))]
        return name.partition("://")[2].rpartition("::")[0] or os.path.relpath(name, report.roots[0])

    return sorted(
        (inside(group.keeper), {inside(m.path) for m in group.members}, {m.relation for m in group.matches})
        for group in report.groups
    )


def test_members_are_listed_and_read(source: Source, made: Path, members: dict[str, bytes]) -> None:
    assert container(str(made)) == source
    listed = {entry.name: entry for entry in source.entries(str(made))}
    entries = {name: listed[inside] for name, inside in names_in(source, members).items()}
    assert len(listed) == len(entries)
    assert {name: entry.size for name, entry in entries.items()} == {n: len(data) for n, data in members.items()}
    versions = {entry.version for entry in entries.values()}
    assert len(versions) == len(members)
    assert UNKNOWN not in versions
    for name, data in members.items():
        inside = entries[name].name
        content = source.read(str(made), inside)
        assert content.data == (None if name.endswith(".txt") else data)
        assert content.version == entries[name].version
        uri = uri_of(source, str(made), inside)
        assert sources.read(uri).data == content.data
        with sources.open_uri(uri) as file:
            file.seek(1)
            assert file.read() == (content.data or b"")[1:]


def test_a_rewritten_file_has_other_versions(source: Source, made: Path, members: dict[str, bytes]) -> None:
    before = {entry.name: entry.version for entry in source.entries(str(made))}
    made.unlink()
    source.write(str(made), {**members, "a/first.png": members["third::1.png"]})
    first = names_in(source, members)["a/first.png"]
    assert source.read(str(made), first).data == members["third::1.png"]
    assert all(entry.version != before[entry.name] for entry in source.entries(str(made)))
    with pytest.raises(FileExistsError):
        source.write(str(made), {})


def test_unreadable_files_are_an_error_in_words(source: Source, made: Path, tmp_path: Path) -> None:
    """A member or a file that does not exist, the first half of a file, and a file of another kind."""
    with pytest.raises(ImageError, match="no such"):
        source.read(str(made), "nothing.png")
    with pytest.raises(ImageError):
        source.read(str(tmp_path / "gone"), "a.png")
    cut = tmp_path / f"cut{made.suffix}"
    cut.write_bytes(made.read_bytes()[: made.stat().st_size // 2])
    rubbish = tmp_path / f"rubbish{made.suffix}"
    rubbish.write_bytes(b"this is none")
    for path in (cut, rubbish):
        with pytest.raises(ImageError):
            list(source.entries(str(path)))
    report = twinpix.find([cut, rubbish], method="phash:size=16", store=None, workers=1)
    assert [(failure.path, failure.stage) for failure in report.failures] == [
        (str(cut), "list"),
        (str(rubbish), "list"),
    ]


@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_a_file_gives_the_groups_of_a_folder(
    method: str, source: Source, made: Path, members: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    as_folder = twinpix.find([folder], method=method, store=None, workers=1)
    inside = twinpix.find([made], method=method, store=None, workers=1)
    assert groups_of(inside, members) == groups_of(as_folder, members)
    assert (len(inside.groups), inside.counts.images) == (2, 6)
    assert {m.relation for g in inside.groups for m in g.matches} >= {"identical-file", "re-encoded", "resized"}
    assert [failure.stage for failure in inside.failures] == [failure.stage for failure in as_folder.failures]


def test_a_second_run_does_not_list_the_members_again(
    source: Source, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table is decoded to list its rows, and a compressed archive decompressed."""
    time.sleep(0.12)  # until the file's time stamp is old enough to be trusted
    how = {"method": "phash:size=16", "store": tmp_path / "store", "workers": 1}
    first = twinpix.find([made], twinpix.Options(**how))  # type: ignore[arg-type]

    def entries(self: Source, path: str) -> Iterator[Entry]:
        raise AssertionError("listed again")

    monkeypatch.setattr(type(source), "entries", entries)
    second = twinpix.find([made], twinpix.Options(**how))  # type: ignore[arg-type]
    assert first.groups == second.groups
    assert [f.path for f in first.failures] == [f.path for f in second.failures]


def test_a_second_run_reads_nothing_again(
    source: Source, made: Path, members: dict[str, bytes], tmp_path: Path
) -> None:
    """Fails for a source whose members are never settled: their versions are not stored."""
    time.sleep(0.12)  # until the file's time stamp is old enough to be trusted
    first, read_first = found_and_read(made, tmp_path / "store")
    second, read_again = found_and_read(made, tmp_path / "store")
    assert read_first >= 8
    assert read_again == 0
    assert groups_of(first, members) == groups_of(second, members)


def found_and_read(path: Path, store: Path) -> tuple[Report, int]:
    """The report of a run, and the number of members that it read (a member that it read twice counts twice)."""
    steps: list[int] = []

    def note(stage: str, done: int, total: int) -> None:
        if stage == "read" and done:
            steps.append(done)

    report = twinpix.find([path], method="phash:size=16", store=store, workers=1, progress=note)
    return report, len(steps)


def test_versions_are_unknown_where_inode_numbers_do_not_last(
    source: Source, made: Path, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "fleeting_devices", lambda: frozenset({made.stat().st_dev}))
    uri = uri_of(source, str(made), names_in(source, members)["a/first.png"])
    assert not sources.scan([str(made)]).refs.versions.any()
    assert not sources.scan([uri]).refs.versions.any()


def test_members_are_excluded_as_files_are(source: Source, made: Path) -> None:
    if source.rows:
        pytest.skip("rows have no names that could be hidden, in folders or excluded")
    assert twinpix.find([made], method="phash:size=16", exclude=["*.jpg"], store=None, workers=1).counts.images == 4
    assert twinpix.find([made], method="phash:size=16", hidden=True, store=None, workers=1).counts.images == 7
    assert twinpix.find([made], method="phash:size=16", recursive=False, store=None, workers=1).counts.images == 2
    assert twinpix.find([made], method="phash:size=16", exclude=["b"], store=None, workers=1).counts.images == 4
    assert twinpix.find([made], method="phash:size=16", exclude=["a/*.png"], store=None, workers=1).counts.images == 4
    hidden = uri_of(source, str(made), ".hidden/first.png")
    assert twinpix.find([hidden], method="phash:size=16", store=None, workers=1).counts.images == 1


def test_one_member_is_named(source: Source, made: Path, members: dict[str, bytes]) -> None:
    uri = uri_of(source, str(made), names_in(source, members)["third::1.png"])
    assert twinpix.find([uri], method="phash:size=16", store=None, workers=1).counts.images == 1
    with pytest.raises(UsageError, match="no such"):
        twinpix.find([uri_of(source, str(made), "nothing.png")], method="phash:size=16", store=None)


def test_no_action_changes_a_member(
    source: Source, made: Path, members: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = tmp_path / "beside"  # before the file in the order of names, so that its image is the keeper
    beside.mkdir()
    (beside / "second.png").write_bytes(members["b/c/second.png"])
    before = made.read_bytes()
    report = tmp_path / "r.json"
    assert run(["find", "-m", "phash:size=16", str(beside), str(made), "--no-store", "-o", str(report)]) == 0
    for action, code in (
        (["--move", str(tmp_path / "out")], 0),
        (["--hardlink"], 0),
        (["--copy-kept", str(tmp_path / "kept")], 1),  # images of groups and alone that are only in the archive
    ):
        assert run(["resolve", str(report), *action, "--apply"]) == code
        assert made.read_bytes() == before
        assert (beside / "second.png").read_bytes() == members["b/c/second.png"]
    shown = capsys.readouterr().out
    assert shown.count("2 duplicates are inside archives; twinpix never changes archives\n") == 2
    assert shown.count("1 group is left unchanged: its keeper is inside an archive (--keep chooses other keepers)") == 2
    assert shown.count("4 images are inside archives and not copied: copy the archives too\n") == 1
    assert "left  " not in shown  # a line for each member
    assert Report.load(report).counts.discards == 0


def test_a_keeper_inside_an_archive_is_no_refusal(
    source: Source, made: Path, members: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("b/c/second.png", "third::1.png"):
        (folder / os.path.basename(name)).write_bytes(members[name])
    report = tmp_path / "r.json"
    given = [str(folder), str(made), "--reference", str(made), "--fast", "--no-store", "--exclude", "half*"]
    assert run(["find", *given, "-o", str(report)]) == 0
    keepers = [group.keeper for group in Report.load(report).groups]
    assert len(keepers) == 2
    capsys.readouterr()
    for action in (["--move", str(tmp_path / "out")], ["--delete", "--yes"], ["--symlink"]):
        assert run(["resolve", str(report), *action, "--apply", "--json"]) == 0
        left = json.loads(capsys.readouterr().out)["left"]
        assert [(row["kind"], row["refused"]) for row in left] == [("in-container", False)] * 2
        assert "is inside an archive: no file of this group is changed" in left[0]["reason"]
    assert run(["resolve", str(report), "--trash"]) == 0
    assert "2 groups are left unchanged: their keepers are inside archives" in capsys.readouterr().out


def test_an_image_is_copied_in_the_place_of_a_keeper_inside_an_archive(
    source: Source, made: Path, members: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, inside = tmp_path / "photos", tmp_path / f"second{made.suffix}"
    folder.mkdir()
    (folder / "second.png").write_bytes(members["b/c/second.png"])
    source.write(str(inside), {"second.png": members["b/c/second.png"]})
    report, out = tmp_path / "r.json", tmp_path / "kept"
    given = [str(folder), str(inside), "--keep", f"path:*{inside}*", "--fast", "--no-store"]
    assert run(["find", *given, "-o", str(report)]) == 0
    (found,) = Report.load(report).groups
    assert found.keeper == uri_of(source, str(inside), names_in(source, {"second.png": b""})["second.png"])
    capsys.readouterr()
    assert run(["resolve", str(report), "--copy-kept", str(out), "--apply"]) == 0
    assert (out / "photos" / "second.png").read_bytes() == members["b/c/second.png"]
    assert "1 image is inside an archive; another image of the same group is copied\n" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_listed_member_of_a_named_pipe_is_a_failure(source: Source, tmp_path: Path) -> None:
    pipe = str(tmp_path / f"pipe{sorted(source.suffixes)[0]}")
    os.mkfifo(pipe)
    uri = uri_of(source, pipe, "row=0" if source.rows else "a.png")
    handle = os.open(pipe, os.O_RDWR)  # else a source that opens the pipe would wait for ever
    try:
        listing = sources.scan([], listed=[uri])
    finally:
        os.close(handle)
    assert [(failure.path, failure.error) for failure in listing.failures] == [
        (uri, "a named pipe, not a regular file")
    ]


@pytest.mark.parametrize("more", [False, True])
def test_duplicates_of_a_member_are_reported_as_kept(
    more: bool,
    source: Source,
    made: Path,
    members: dict[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "second.png").write_bytes(members["b/c/second.png"])
    for name in ("one.png", "two.png") if more else ():
        draw("street", 9, (300, 200)).save(folder / name)
    report = tmp_path / "r.json"
    given = ["find", "--fast", str(folder), "--reference", str(made), "--no-store", "-o", str(report)]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run(given) == 0
    shown, hint = capsys.readouterr()
    assert ("2 groups of copies, 2 duplicates," if more else "1 group of copies, 1 duplicate\n") in shown
    which = "1 of them, or its keeper, is" if more else "it, or its keeper, is"
    assert f"{which} in an archive or store, where no image is changed in place\n" in shown
    found = Report.load(report)
    assert (found.counts.discards, found.counts.bytes_reclaimable) == (
        (1, sum(member.size for group in found.groups for member in group.discards)) if more else (0, 0)
    )
    text = "".join(twinpix.report.writer("text").parts(found))
    bound = next(part for part in text.split("\n\n") if "second.png" in part)
    assert "2 images, 0 bytes to reclaim" in bound
    assert "\n  stay" in bound
    rows = [row.split(",")[1] for row in "".join(twinpix.report.writer("csv").parts(found)).splitlines()[1:]]
    assert sorted(rows) == sorted(["keep", "protected", *["keep", "discard"] * more])
    assert ("next: " in hint) is more
    assert run([*given, "-q"]) == 0
    assert "next: " not in capsys.readouterr().err
    assert run(["resolve", str(report), "--move", str(tmp_path / "out")]) in (0, 3)
    assert f"{int(more)} file{'' if more else 's'} to move" in capsys.readouterr().out


def test_compare_query_and_plot_take_members(
    source: Source, made: Path, members: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = names_in(source, members)
    first, again = (uri_of(source, str(made), names[name]) for name in ("a/first.png", "b/first.jpg"))
    assert run(["compare", first, again, "--fail-if-found"]) == 10
    hits, failures = twinpix.query(first, [made], method="phash:size=16", store=None, workers=1)
    assert [hit.path for hit in hits][:1] == [uri_of(source, str(made), names["a/again.png"])]
    assert len(failures) == 1
    assert run(["find", "-m", "phash:size=16", str(made), "--no-store", "-o", str(tmp_path / "r.json")]) == 0
    assert run(["plot", str(tmp_path / "r.json"), "--html", str(tmp_path / "p.html")]) == 0
    assert (tmp_path / "p.html").read_text().count(JPEG) >= 5
    capsys.readouterr()


def test_a_query_is_one_image(
    source: Source, made: Path, members: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first member of an archive was the query, and the others were ignored."""
    options = twinpix.Options(method="phash:size=16", store=None, workers=1)
    form = uri_of(source, str(made), "row=NUMBER" if source.rows else "MEMBER")
    count = 6 if source.rows else 7  # of rows, which have no file names, those that can be decoded
    how = f"{made} holds {count} images, and a query is one image: name one of them as {form}"
    with pytest.raises(UsageError) as raised:
        twinpix.query(made, [made], options)
    assert str(raised.value) == how
    assert run(["query", str(made), "--in", str(made), "--no-store"]) == 2
    assert capsys.readouterr().err == f"twinpix: {how}\n"
    nameless = tmp_path / f"nameless{made.suffix}"
    source.write(str(nameless), {"1": members["a/first.png"], "2": members["a/again.png"]})
    with pytest.raises(UsageError, match="holds 2 images"):
        twinpix.query(nameless, [made], options)
    one = tmp_path / f"one{made.suffix}"
    source.write(str(one), {"first.png": members["a/first.png"], "notes.txt": b"no image"})
    hits, _ = twinpix.query(one, [made], options)
    assert len(hits) == 3
    for several in ([], [one, made]):
        with pytest.raises(UsageError, match=f"a query is one image, not {len(several)}"):
            twinpix.query(several, [made], options)  # type: ignore[arg-type]


# -- sources of other packages -------------------------------------------------------------------------

BOXES = """
from dataclasses import dataclass
from typing import ClassVar

from twinpix.sources.kinds.zip import Zip


@dataclass(frozen=True)
class Box(Zip):
    suffixes: ClassVar[frozenset[str]] = frozenset({".box"})
"""


def test_files_of_a_source_of_another_package_are_listed(
    tmp_path: Path, all_members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    (package / "boxes-1.dist-info").mkdir(parents=True)
    (package / "boxes.py").write_text(BOXES)
    (package / "boxes-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: boxes\nVersion: 1\n")
    (package / "boxes-1.dist-info" / "entry_points.txt").write_text("[twinpix.sources]\nbox = boxes:Box\n")
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", f"{package}{os.pathsep}{before}" if before else str(package))
    path = tmp_path / "photos.box"
    plugins.make("sources", "zip").write(str(path), all_members)
    report = tmp_path / "r.json"
    done = commands.run("find", "--fast", path, "--no-store", "-o", report)
    assert done.returncode == 0, done.stderr
    found = Report.load(report)
    assert found.counts.images == 6
    assert f"box://a/first.png::{path}" in {member.path for group in found.groups for member in group.members}
    done = commands.run("compare", f"box://a/first.png::{path}", f"box://a/again.png::{path}", "--fail-if-found")
    assert done.returncode == 10, done.stderr


def test_entry_points_are_not_listed_for_suffixes_that_twinpix_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []

    def names(kind: str) -> tuple[str, ...]:
        listed.append(kind)
        return ()

    monkeypatch.setattr(plugins, "names", names)
    assert [container(name) for name in ("a", "a.jpg", "a.NEF")] == [None, None, None]
    assert container("a.zip") is not None
    assert listed == []
    assert container("a.box") is None
    assert listed == ["sources"]


# -- only zip archives ---------------------------------------------------------------------------------


def test_zip_members_of_one_name_and_encrypted_ones_are_failures(
    tmp_path: Path, draw_image: Callable[..., Image.Image], recwarn: pytest.WarningsRecorder
) -> None:
    out = io.BytesIO()
    draw_image(1).save(out, "PNG")
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("twice.png", b"\x89PNG old")
        archive.writestr("twice.png", out.getvalue())
        archive.writestr("../up.png", out.getvalue())
        archive.writestr("locked.png", out.getvalue())
    recwarn.clear()  # of the second member of one name
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"locked.png"))
    data[at + 8] |= 1  # the flag of an encrypted member
    path.write_bytes(data)
    report = twinpix.find([path], method="phash:size=16", store=None, workers=1)
    assert [(failure.path, failure.error) for failure in report.failures] == [
        (f"zip://locked.png::{path}", "the member is encrypted"),
        (f"zip://twice.png::{path}", "a later member of the archive has the same name"),
    ]
    assert [member.path for group in report.groups for member in group.members] == [
        f"zip://../up.png::{path}",
        f"zip://twice.png::{path}",
    ]
    assert sorted(os.listdir(tmp_path)) == ["a.zip"]
