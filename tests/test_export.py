"""resolve --export and --list: archives written again without their redundant images; the sources stay as they are."""

import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import commands
import twinpix
from amounts import amount
from drawings import draw
from killing import in_child
from libraries import save
from servers import s3_server
from twinpix.cli.app import run
from twinpix.errors import ImageError, RefusedError, StoppedError, UsageError
from twinpix.formats import claims_image
from twinpix.model import Counts, Failure, Group, Match, Member, Report, Unique, is_remote
from twinpix.sources import read
from twinpix.sources.base import Source
from twinpix.sources.kinds import tar
from twinpix.sources.kinds.tar import Tar
from twinpix.sources.kinds.zip import Zip
from twinpix.sources.positional import PositionalFile
from twinpix.sources.redundant import list_redundant
from twinpix.sources.uris import container, expand, uri_of
from twinpix.usecases.exporting import plan as planning
from twinpix.usecases.exporting import write as writing
from twinpix.usecases.exporting.plan import plan_export
from twinpix.usecases.exporting.shards import Exported, ExportPlan, key_of
from twinpix.usecases.exporting.write import write_export

pytestmark = pytest.mark.usefixtures("_here")

PNG = b"\x89PNG\r\n\x1a\n"
TARS = [".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"]
JOURNAL = "twinpix-export.jsonl"


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def image(seed: int, size: int = 700) -> bytes:
    """Bytes that begin like a PNG file: an export reads and compares bytes, and decodes nothing."""
    return PNG + random.Random(seed).randbytes(size + seed % 300)


def made_source(path: str) -> Source:
    found = container(path)
    assert found is not None
    return found


def report_of(base: Path, *names: str, references: Sequence[str] = (), **fields: Any) -> Report:
    """The report of `find -m digest` for these archives and files: equal images are copies, the first one is kept."""
    images: dict[str, list[Member]] = {}
    failures: list[Failure] = []
    for given_name in names:
        for name in expand(given_name):
            source = container(name)
            if source is None:
                found = [name]
            else:
                entries = list(source.entries(name if is_remote(name) else str(base / name)))
                failures += [Failure(uri_of(source, name, e.name), "list", e.error) for e in entries if e.error]
                found = [uri_of(source, name, each.name) for each in entries if not each.error]
            for uri in found:
                data = read(uri).data
                if data is not None:
                    digest = xxhash.xxh3_128_hexdigest(data)
                    member = Member(uri, len(data), 8, 8, 0, digest, "PNG", reference=given_name in references)
                    images.setdefault(digest, []).append(member)
    groups = [
        Group(
            number,
            members[0].path,
            "first by path",
            members,
            [Match(members[0].path, each.path, 0, "identical-file", same_code=True) for each in members[1:]],
        )
        for number, members in enumerate((each for each in images.values() if len(each) > 1), 1)
    ]
    unique = [Unique(m.path, m.size, 0, m.digest) for each in images.values() if len(each) == 1 for m in each]
    facts = {
        "created": "2026-01-01T00:00:00+00:00",
        "roots": [name for name in names if name not in references],
        "references": list(references),
        "base": str(base),
        "spec": "digest",
        "radius": 0,
        "link": "star",
        "counts": Counts(),
        "groups": groups,
        "failures": failures,
        "unique": unique,
        "unit": "bits",
    }
    return Report(**(facts | fields))  # type: ignore[arg-type]


def exported(report: Report, target: str | Path = "out", **options: Any) -> Exported:
    return write_export(plan_export(report, target, **options))


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_tar(path: Path, members: Mapping[str, bytes], **options: Any) -> None:
    with tarfile.open(path, "w", **options) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write_zip(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def pairs(count: int, *, seed: int = 0) -> dict[str, bytes]:
    """Images of which every second one is a copy of the one before."""
    return {f"{number:04d}.png": image(seed + number // 2) for number in range(count)}


# -- tar -----------------------------------------------------------------------------------------------


LONG = "folder/" * 20 + "ü" * 60
REDUNDANT = ("b.png", f"{LONG}2.png", "links/x.png")


def rich_tar(path: Path, form: int) -> None:
    """Folders, links, long names, extended attributes, samples, owners; redundant: `b.png`, a long name, a target."""
    first, second, third = image(1), image(2), image(3, 100_000)
    with tarfile.open(path, "w", format=form) as archive:

        def add(name: str, data: bytes = b"", **fields: Any) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode, info.uname = len(data), 1_600_000_000, 0o640, "someone"
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))

        pax = {"SCHILY.xattr.user.note": "kept"} if form == tarfile.PAX_FORMAT else {}
        add("folder", type=tarfile.DIRTYPE, mode=0o755)
        add("a.png", first, pax_headers=pax)
        add("b.png", first, pax_headers=pax)
        add("b.json", b"{}")
        add(f"{LONG}1.png", second)
        add(f"{LONG}2.png", second, mtime=1_600_000_000 + (0.5 if form == tarfile.PAX_FORMAT else 0))
        add(f"{LONG}2.txt", b"text")
        add("links/first.png", third)
        add("links/x.png", third)
        add("links/hard.png", type=tarfile.LNKTYPE, linkname="links/x.png")
        add("links/soft.png", type=tarfile.SYMTYPE, linkname="../a.png")
        add("empty.txt")
        add("notes.txt", b"x" * 5000)


def plain(path: Path) -> bytes:
    """The bytes of an archive after decompression, by the programs of the system or the libraries of Python."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    import bz2
    import gzip
    import lzma

    opened: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.decompress,
        ".bz2": bz2.decompress,
        ".xz": lzma.decompress,
    }
    return opened[path.suffix](data) if path.suffix in opened else data


def compress(path: Path, data: bytes) -> None:
    import bz2
    import gzip
    import lzma

    if path.suffix == ".zst":
        zstandard = pytest.importorskip("zstandard")
        path.write_bytes(zstandard.ZstdCompressor().compress(data))
        return
    packed: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
    path.write_bytes(packed[path.suffix](data) if path.suffix in packed else data)


def blocks(data: bytes) -> list[tuple[str, bytes]]:
    """Each member of a tar archive with all its bytes: extended headers, header, data and padding."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = archive.getmembers()
        ends = [each.offset for each in found[1:]] + [archive.offset]
    return [(each.name, data[each.offset : end]) for each, end in zip(found, ends, strict=True)]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("suffix", TARS)
def test_the_members_of_a_tar_that_stay_are_the_same_bytes(suffix: str, form: int, tmp_path: Path) -> None:
    rich_tar(tmp_path / "rich", form)
    path = tmp_path / f"a{suffix}"
    compress(path, (tmp_path / "rich").read_bytes())
    before = snapshot(tmp_path)
    report = report_of(tmp_path, path.name)
    assert sorted(list_redundant(report)) == sorted(f"tar://{name}::{path.name}" for name in REDUNDANT)
    plan = plan_export(report, "out")
    assert (plan.left_out, plan.linked) == (2, 1)  # a hard link leads to the third
    done = write_export(plan)
    assert done.left == []
    dropped = {"b.png", "b.json", f"{LONG}2.png", f"{LONG}2.txt"}
    old, new = plain(path), plain(tmp_path / "out" / path.name)
    assert blocks(new) == [block for block in blocks(old) if block[0] not in dropped]
    assert new.endswith(bytes(1024))
    assert (tmp_path / "out" / path.name).read_bytes()[:3] == path.read_bytes()[:3]  # the same compression
    for name in ("old", "new"):
        (tmp_path / name).write_bytes(old if name == "old" else new)
    shown = [subprocess.check_output(["tar", "-tvf", name], text=True).splitlines() for name in ("old", "new")]
    assert shown[1] == [
        line
        for line in shown[0]
        if len(dropped & {line.split()[5]}) == 0 and "2.png" not in line and "2.txt" not in line
    ]
    (line,) = done.written
    written = (tmp_path / "out" / path.name).read_bytes()
    assert (line.bytes, line.digest) == (len(written), xxhash.xxh3_128_hexdigest(written))
    after = snapshot(tmp_path)
    assert {name: after[name] for name in before} == before


def test_a_target_of_a_link_is_never_left_out(tmp_path: Path) -> None:
    rich_tar(tmp_path / "a.tar", tarfile.GNU_FORMAT)
    for name in ("links/x.png", "a.png"):
        assert name in Tar().linked("a.tar")
        with pytest.raises(ImageError, match="a link in the archive leads to"):
            Tar().copy_without("a.tar", {name}, io.BytesIO())
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("d/a.png", image(1))
        link = zipfile.ZipInfo("d/link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "../d/a.png")
        archive.writestr("d/b.png", image(1))
    assert Zip().linked("a.zip") == {"d/a.png"}
    with pytest.raises(ImageError, match="a link in the archive leads to"):
        Zip().copy_without("a.zip", {"d/a.png"}, io.BytesIO())


def test_global_headers_and_appended_archives_stay(tmp_path: Path) -> None:
    write_tar(tmp_path / "1.tar", pairs(4), format=tarfile.PAX_FORMAT, pax_headers={"comment": "all"})
    write_tar(tmp_path / "2.tar", {f"b{name}": data for name, data in pairs(4).items()})
    (tmp_path / "a.tar").write_bytes((tmp_path / "1.tar").read_bytes() + (tmp_path / "2.tar").read_bytes())
    assert exported(report_of(tmp_path, "a.tar")).left == []
    new = tmp_path / "out/a.tar"
    assert [entry.name for entry in Tar().entries(str(new))] == ["0000.png", "0002.png"]
    with tarfile.open(new) as archive:
        assert archive.pax_headers == {"comment": "all"}
    size = (tmp_path / "a.tar").stat().st_size - new.stat().st_size
    assert size == sum(512 + (len(data) + 511 & ~511) for data in pairs(4).values()) * 2 - sum(
        512 + (len(pairs(4)[name]) + 511 & ~511) for name in ("0000.png", "0002.png")
    )


# -- zip -----------------------------------------------------------------------------------------------


class _Unseekable(io.RawIOBase):
    """A stream to which zipfile writes data descriptors."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.file.write(data)
        return len(data)


def rich_zip(path: Path, kind: str) -> None:
    """An archive with comments, extra fields, modes and folders, in one of several ways to write it."""
    with open(path, "wb") as file:
        if kind == "prefix":
            file.write(b"#!/bin/sh\nexit\n" * 50)
        opened: Any = _Unseekable(file) if kind == "descriptors" else file
        with zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.comment = b"the comment of the archive"
            for number, name in enumerate(["folder/", "z.png", "b.png", "b.json", "c.png", "a.png", "notes.txt"]):
                info = zipfile.ZipInfo(name, (2020, 1, number + 1, 12, 0, 0))
                info.external_attr, info.create_system = (0o100640 + number) << 16, 3
                info.comment, info.extra = f"comment {number}".encode(), struct.pack("<HHL", 0x7875, 4, number)
                info.compress_type = zipfile.ZIP_STORED if number % 2 else zipfile.ZIP_DEFLATED
                data = {"z.png": image(1), "b.png": image(1), "c.png": image(2), "a.png": image(2)}.get(name, b"text")
                if name == "folder/":
                    archive.writestr(info, b"")
                else:
                    with archive.open(info, "w", force_zip64=kind == "zip64") as member:
                        member.write(data)
    if kind == "zip64 end":
        add_zip64_end(path)


def add_zip64_end(path: Path) -> None:
    """Write the end of an archive as for one of more than 4 GiB."""
    data = path.read_bytes()
    at = data.rfind(b"PK\5\6")
    count, length, offset = struct.unpack_from("<HLL", data, at + 10)
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    full = struct.pack("<4s4H2L", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    path.write_bytes(data[:at] + end + locator + full + data[at + 20 :])


def zip_facts(path: Path) -> list[tuple[Any, ...]]:
    """Each member with all that the archive says of it, and its compressed bytes."""
    out = []
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        assert archive.testzip() is None
        for info in archive.infolist():
            file.seek(info.header_offset)
            head = file.read(30)
            rest = file.read(sum(struct.unpack_from("<2H", head, 26)))
            facts = [getattr(info, name) for name in info.__slots__ if name != "header_offset" and name[0] != "_"]
            out.append((*map(str, facts), head, rest, file.read(info.compress_size)))
    return out


@pytest.mark.parametrize("kind", ["plain", "descriptors", "zip64", "zip64 end", "prefix"])
def test_the_members_of_a_zip_that_stay_are_the_same_bytes(kind: str, tmp_path: Path) -> None:
    path, new = tmp_path / "a.zip", tmp_path / "out/a.zip"
    rich_zip(path, kind)
    before = path.read_bytes()
    assert exported(report_of(tmp_path, "a.zip")).left == []
    names = {"b.png", "b.json", "a.png"}
    with zipfile.ZipFile(path) as old:
        kept = [info.filename not in names for info in old.infolist()]
    assert zip_facts(new) == [facts for facts, stays in zip(zip_facts(path), kept, strict=True) if stays]
    with zipfile.ZipFile(new) as archive:
        assert archive.namelist() == ["folder/", "z.png", "c.png", "notes.txt"]
        assert archive.comment == b"the comment of the archive"
    assert new.read_bytes().startswith(b"#!/bin/sh") == (kind == "prefix")
    if shutil.which("unzip"):
        assert subprocess.run(["unzip", "-tqq", str(new)], check=False).returncode == 0
    assert path.read_bytes() == before


def test_a_zip_that_can_be_read_in_two_ways_is_left(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", pairs(6), zipfile.ZIP_STORED)
    report = report_of(tmp_path, "a.zip")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    at = data.find(b"PK\1\2")
    second = data.find(b"PK\1\2", at + 4)
    data[second + 42 : second + 46] = data[at + 42 : at + 46]  # two members in one place
    (tmp_path / "a.zip").write_bytes(data)
    done = exported(report)
    assert [row.path for row in done.left if row.path.endswith("a.zip")]
    assert not (tmp_path / "out/a.zip").exists()


# -- any archive ---------------------------------------------------------------------------------------


NAMES = st.lists(
    st.tuples(
        st.sampled_from(["", "d/", "d/e/"]), st.sampled_from("abcd"), st.sampled_from([".png", ".jpg", ".txt", ""])
    ).map("".join),
    max_size=14,
)


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
@settings(max_examples=amount(60, 600), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES, seeds=st.lists(st.integers(0, 3), min_size=14, max_size=14))
def test_the_listing_of_the_result_is_that_of_the_source_without_what_is_dropped(
    suffix: str, names: list[str], seeds: list[int], tmp_path: Path
) -> None:
    """Also with several members of one name, and with samples of several images."""
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    path = tmp_path / f"a{suffix}"
    data = [image(seed) if claims_image(name) else b"text" for name, seed in zip(names, seeds, strict=False)]
    if suffix == ".tar":
        with tarfile.open(path, "w") as archive:
            for name, part in zip(names, data, strict=True):
                info = tarfile.TarInfo(name)
                info.size = len(part)
                archive.addfile(info, io.BytesIO(part))
    else:
        import warnings

        with zipfile.ZipFile(path, "w") as archive_, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, part in zip(names, data, strict=True):
                archive_.writestr(name, part)
    source = made_source(str(path))
    report = report_of(tmp_path, path.name)
    plan = plan_export(report, "out")
    redundant = len(list_redundant(report))
    assert plan.left_out + plan.with_sample + plan.same_name + plan.linked == redundant
    assert write_export(plan).left == []
    drop = plan.shards[0].names
    old, new = list(source.entries(str(path))), list(source.entries(str(tmp_path / "out" / path.name)))
    assert [e.name for e in new] == [e.name for e in old if e.name not in drop]
    for entry in new:
        if not entry.error:
            assert (
                source.read(str(tmp_path / "out" / path.name), entry.name)[0] == source.read(str(path), entry.name)[0]
            )
    keys = {key_of(name) for name in drop}
    assert not keys & {key_of(entry.name) for entry in new}  # a sample goes as a whole
    made = str(tmp_path / "out" / path.name)
    images = {source.read(str(path), entry.name).data for entry in old if not entry.error}
    left = {source.read(made, entry.name).data for entry in new if not entry.error}
    assert images - {None} == left - {None}  # of each image one stays; other files go with their sample


def digest_of(data: bytes | None) -> str:
    return xxhash.xxh3_128_hexdigest(data or b"")


def test_a_member_that_does_not_exist_cannot_be_left_out(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", pairs(2))
    write_zip(tmp_path / "a.zip", pairs(2))
    for source, name in ((Tar(), "a.tar"), (Zip(), "a.zip")):
        with pytest.raises(ImageError, match="has no such member"):
            source.copy_without(name, {"nothing.png"}, io.BytesIO())


@pytest.mark.parametrize("size", [1000, 513])
def test_an_incomplete_archive_is_left(size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tar(tmp_path / "a.tar", pairs(6))
    write_tar(tmp_path / "b.tar", pairs(6, seed=50))
    found = save(report_of(tmp_path, "a.tar", "b.tar"), tmp_path / "r.json")
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(data[:-size].rstrip(b"\0"))
    assert run(["resolve", str(found), "--export", "out", "--apply"]) == 3
    assert "a.tar: is not exported: the archive ends in the middle" in capsys.readouterr().out
    assert sorted(os.listdir("out")) == ["b.tar", JOURNAL]


# -- samples -------------------------------------------------------------------------------------------


def test_keys_are_those_of_webdataset() -> None:
    base = pytest.importorskip("webdataset.tariterators").base_plus_ext
    for name in ("a.jpg", "d/a.b.jpg", "d.e/f.cls.txt", "a", ".a", "d.x/y", "a/b/c.d", "ü.jpg"):
        key = base(name)[0]
        assert key_of(name) == (key if key is not None else f"{name}/")
    assert key_of("row=7&column=image", rows=True) == key_of("row=7", rows=True)


def test_a_webdataset_keeps_its_other_samples_in_their_order(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    for shard in range(3):
        with webdataset.TarWriter(str(tmp_path / f"train-{shard:06d}.tar")) as sink:
            for number in range(10):
                seed = 100 if number == 4 else shard * 10 + number  # number 4 is the same in all shards
                sink.write({"__key__": f"{shard}{number:04d}", "png": image(seed), "cls": 1, "json": {"n": number}})
    report = report_of(tmp_path, "train-{000000..000002}.tar")
    assert exported(report).left == []

    def keys(folder: Path) -> list[str]:
        program = """
import sys, webdataset
for sample in webdataset.WebDataset(sys.argv[1:], shardshuffle=False):
    print(sample["__key__"], len(sample["png"]), sample["cls"], sample["json"])
"""  # in a process of its own, because webdataset leaves files open
        names = [str(path) for path in sorted(folder.glob("train-*.tar"))]
        return subprocess.check_output([sys.executable, "-c", program, *names], text=True).splitlines()

    old, new = keys(tmp_path), keys(tmp_path / "out")
    assert len(old) == 30
    assert new == [key for key in old if key.split()[0] not in ("10004", "20004")]
    assert (tmp_path / "out/train-000000.tar").read_bytes() == (tmp_path / "train-000000.tar").read_bytes()


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_a_sample_stays_if_one_of_its_images_stays(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    members = {
        "1.png": image(1),
        "2.png": image(1),
        "2.txt": b"goes",
        "3.left.png": image(1),
        "3.right.png": image(2),  # in no group
        "4.left.png": image(1),
        "4.right.png": image(1),
        "4.cls": b"goes",
    }
    (write_tar if suffix == ".tar" else write_zip)(tmp_path / f"a{suffix}", members)
    found = save(report_of(tmp_path, f"a{suffix}"), tmp_path / "r.json")
    assert run(["resolve", str(found), "--export", "out", "--apply"]) == 0
    shown = capsys.readouterr().out
    assert "1 redundant image stays: another image of the same sample" in shown
    assert "(5 images, 3 left out with 2 other files, " in shown.replace("6 images", "5 images")
    entries = [e.name for e in made_source(f"a{suffix}").entries(f"out/a{suffix}")]
    assert entries == ["1.png", "3.left.png", "3.right.png"]


def test_an_image_that_the_report_does_not_list_keeps_its_sample_or_goes_with_it(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", {"1.png": image(1), "2.png": image(1), "2.mask.png": image(9)})
    report = report_of(tmp_path, "a.tar")
    excluded = replace(report, unique=[])  # find --exclude '*.mask.png'
    plan = plan_export(excluded, "out")
    assert (plan.left_out, plan.unnamed) == (1, 1)
    plan = plan_export(replace(report, unique=None), "out")  # the report does not list the images in no group
    assert (plan.left_out, plan.with_sample) == (0, 1)
    failed = replace(report, unique=[], failures=[Failure("tar://2.mask.png::a.tar", "decode", "broken")])
    assert plan_export(failed, "out").with_sample == 1


# -- which images and containers -----------------------------------------------------------------------


def test_find_and_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Decoded images, relations, keep rules: the whole way on the command line."""

    def encoded(picture: Image.Image, form: str) -> bytes:
        out = io.BytesIO()
        picture.save(out, form)
        return out.getvalue()

    first, second = (draw("scene", seed, (400, 300)) for seed in (1, 2))
    write_tar(
        tmp_path / "a.tar",
        {
            "1.png": encoded(first, "PNG"),
            "2.jpg": encoded(first, "JPEG"),
            "3.png": encoded(first.resize((200, 150)), "PNG"),
            "4.png": encoded(first, "PNG"),
            "5.png": encoded(second, "PNG"),
        },
    )
    assert run(["find", "a.tar", "-m", "phash:size=16", "--verify", "--no-store", "-o", "r.json"]) == 0

    def names(*options: str) -> list[str]:
        shutil.rmtree("out", ignore_errors=True)
        assert run(["resolve", "r.json", "--export", "out", "--apply", *options]) == 0
        return [entry.name for entry in Tar().entries("out/a.tar")]

    assert names() == ["1.png", "5.png"]
    assert names("--only", "identical-file") == ["1.png", "2.jpg", "3.png", "5.png"]
    assert names("--keep", "shortest,filesize") != names("--only", "re-encoded")
    assert len(names("--stricter", "0")) >= 2
    capsys.readouterr()
    assert run(["resolve", "r.json", "--list", "-", "--only", "identical-file"]) == 0
    assert capsys.readouterr().out == "tar://4.png::a.tar\n"


def test_shards_without_a_duplicate_are_copied_and_references_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set/val").mkdir(parents=True)
    write_tar(tmp_path / "set/a.tar", pairs(4))
    write_tar(tmp_path / "set/val/b.tar", {"x.png": image(70)})
    write_tar(tmp_path / "set/val/empty.tar", {})
    write_zip(tmp_path / "set/c.zip", {"y.png": image(90), "z.png": image(0)})
    write_tar(tmp_path / "known.tar", {"k.png": image(90), "l.png": image(91)})
    (tmp_path / "file.png").write_bytes(image(0))
    names = ["known.tar", "set/a.tar", "set/val/b.tar", "set/val/empty.tar", "set/c.zip", "file.png"]
    found = save(report_of(tmp_path, *names, references=["known.tar"]), tmp_path / "r.json")
    assert run(["resolve", str(found), "--export", "out", "--apply"]) == 0
    shown = capsys.readouterr().out
    assert "1 image is a file or object of its own and is not exported" in shown
    assert "1 archive of references is not exported" in shown
    written = sorted(str(path.relative_to("out")) for path in Path("out").rglob("*") if path.is_file())
    assert written == ["a.tar", "c.zip", JOURNAL, "val/b.tar", "val/empty.tar"]
    assert Path("out/val/b.tar").read_bytes() == Path("set/val/b.tar").read_bytes()
    assert [entry.name for entry in Zip().entries("out/c.zip")] == []  # its images are in known.tar and a.tar


def test_an_image_whose_frames_were_not_compared_stays(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", {"1.png": image(1), "2.png": image(2)})
    members = [
        Member(f"tar://{n}.png::a.tar", len(image(n)), 8, 8, 0, digest_of(image(n)), "GIF", frames=n) for n in (1, 2)
    ]
    match = Match(members[0].path, members[1].path, 0, "re-encoded", same_code=True)
    report = replace(report_of(tmp_path, "a.tar"), groups=[Group(1, members[0].path, "", members, [match])], unique=[])
    plan = plan_export(report, "out")
    assert plan.left_out == 0
    assert "of which only the first was compared" in plan.left[0].reason
    assert list_redundant(report) == []


def test_two_archives_with_one_target_are_refused() -> None:
    names = planning._relative_names(
        ["/d/a/x.tar", "/d/b/y.tar", "s3://bucket/a/z.tar", "s3://bucket/b/c/z.tar?digest=0123456789abcdef"]
    )
    assert list(names.values()) == ["a/x.tar", "b/y.tar", "a/z.tar", "b/c/z.tar"]
    assert planning._relative_names(["/d/a/x.tar", "s3://bucket/a/y.tar"]) == {
        "/d/a/x.tar": "x.tar",
        "s3://bucket/a/y.tar": "y.tar",
    }
    with pytest.raises(RefusedError, match=r"would both be written to x\.tar"):
        planning._relative_names(["/d/a/x.tar", "s3://bucket/a/x.tar"])


def test_options_that_do_not_fit_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "1.png").write_bytes(image(1))
    (tmp_path / "2.png").write_bytes(image(1))
    save(report_of(tmp_path, "1.png", "2.png"), tmp_path / "r.json")
    for options, message in (
        (["--export", "out"], planning.NONE_NAMED),
        (["--export", "out", "--trash"], "choose one action only"),
        (["--export", "out", "--list", "-"], "choose one action only"),
        (["--list", "-", "--action", "delete"], "choose one action only"),
        (["--export", "out", "--interactive"], "--interactive cannot be combined with --export"),
        (["--export", "out", "--journal", "x"], "--journal cannot be combined with --export"),
        (["--list", "-", "--json"], "--json cannot be combined with --list"),
        (["--trash", "-0"], "--null needs --list"),
        (["--export", "out", "--only", "nothing"], "no relation is called 'nothing'"),
        ([], "--export TARGET or --list FILE"),
    ):
        assert run(["resolve", "r.json", *options]) == 2, options
        assert message in capsys.readouterr().err
    assert sorted(os.listdir()) == ["1.png", "2.png", "r.json"]


# -- safety --------------------------------------------------------------------------------------------


def shards(tmp_path: Path, count: int = 3, members: int = 20) -> Report:
    names = []
    for number in range(count):
        kind = (".tar", ".zip", ".tar.gz")[number % 3]
        names.append(f"{number}{kind}")
        if kind == ".zip":
            write_zip(tmp_path / names[-1], pairs(members, seed=number * 5))
        else:
            write_tar(tmp_path / "x.tar", pairs(members, seed=number * 5))
            compress(tmp_path / names[-1], (tmp_path / "x.tar").read_bytes())
            (tmp_path / "x.tar").unlink()
    return report_of(tmp_path, *names)


def test_without_apply_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = save(shards(tmp_path), tmp_path / "r.json")
    before = snapshot(tmp_path)
    assert run(["resolve", str(found), "--export", "out"]) == 0
    shown = capsys.readouterr().out
    assert "3 archives to write to " in shown
    assert "nothing was written; add --apply to write the archives" in shown
    assert snapshot(tmp_path) == before
    assert run(["resolve", str(found), "--export", "out", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["archives"]) == 3
    assert sum(len(each["left_out"]) for each in plan["archives"]) == plan["left_out"] > 0
    assert snapshot(tmp_path) == before
    assert run(["resolve", str(found), "--export", "out", "--json", "--apply"]) == 0
    done = json.loads(capsys.readouterr().out)["done"]
    assert [each["target"] for each in done["archives"]] == ["0.tar", "1.zip", "2.tar.gz"]
    assert run(["resolve", str(found), "--export", "out", "--apply"]) == 0
    assert "0 archives written, 0 bytes, without 0 images; 3 written before" in capsys.readouterr().out


def test_an_image_that_changed_since_find_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tar(tmp_path / "a.tar", pairs(4))
    (tmp_path / "keeper.png").write_bytes(image(40))
    write_zip(tmp_path / "b.zip", {"1.png": image(40), "2.png": image(0)})
    found = save(report_of(tmp_path, "keeper.png", "a.tar", "b.zip"), tmp_path / "r.json")
    write_tar(tmp_path / "a.tar", {**pairs(4), "0003.png": image(77)})  # a redundant image has other bytes
    assert run(["resolve", str(found), "--export", "out", "--apply"]) == 3
    assert "tar://0003.png::a.tar: stays: changed since find; run find again" in capsys.readouterr().out
    assert [e.name for e in Tar().entries("out/a.tar")] == ["0000.png", "0002.png", "0003.png"]
    assert list(Zip().entries("out/b.zip")) == []
    for change in ((tmp_path / "keeper.png").unlink, lambda: (tmp_path / "keeper.png").write_bytes(image(41))):
        change()
        shutil.rmtree("out")
        assert run(["resolve", str(found), "--export", "out", "--apply"]) == 3
        assert "zip://1.png::b.zip: stays: its keeper, " in capsys.readouterr().out
        assert [e.name for e in Zip().entries("out/b.zip")] == ["1.png"]


def test_a_source_that_changes_during_the_export_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tar(tmp_path / "a.tar", pairs(4))
    plan = plan_export(report_of(tmp_path, "a.tar"), "out")
    copy = writing._copy

    def changing(path: str, *rest: Any) -> None:
        copy(path, *rest)
        os.utime(path, ns=(1, 1))

    monkeypatch.setattr(writing, "_copy", changing)
    assert [row.path for row in write_export(plan).left] == [str(tmp_path / "a.tar")]
    assert os.listdir("out") == [JOURNAL]
    os.utime("a.tar", ns=(2, 2))  # between the plan and the export
    assert "changed since find" in write_export(plan).left[0].reason


def test_a_file_in_the_target_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = save(shards(tmp_path), tmp_path / "r.json")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/0.tar").write_bytes(b"mine")
    os.symlink("/nowhere", "out/1.zip")
    (tmp_path / "out/2.tar.gz").mkdir()
    assert run(["resolve", str(found), "--export", "out", "--apply"]) == 3
    assert capsys.readouterr().out.count("exists in the target") == 3
    assert (tmp_path / "out/0.tar").read_bytes() == b"mine"
    assert os.readlink("out/1.zip") == "/nowhere"
    assert sorted(os.listdir("out")) == ["0.tar", "1.zip", "2.tar.gz", JOURNAL]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tar(tmp_path / "a.tar", pairs(4))
    plan = plan_export(report_of(tmp_path, "a.tar"), "out")
    verify = writing._verify

    def appearing(*rest: Any) -> int:
        (tmp_path / "out/a.tar").write_bytes(b"theirs")
        return verify(*rest)

    monkeypatch.setattr(writing, "_verify", appearing)
    assert "exists in the target" in write_export(plan).left[0].reason
    assert (tmp_path / "out/a.tar").read_bytes() == b"theirs"
    assert sorted(os.listdir("out")) == ["a.tar", JOURNAL]


def test_the_folder_of_a_source_is_no_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = save(shards(tmp_path), tmp_path / "r.json")
    before = snapshot(tmp_path)
    os.symlink(tmp_path, tmp_path / "link")
    for target in (".", "link", str(tmp_path)):
        assert run(["resolve", str(found), "--export", target, "--apply"]) == 3
        assert "has the source 0.tar, which is never replaced" in capsys.readouterr().err
    os.unlink("link")
    assert snapshot(tmp_path) == before
    (tmp_path / "real").mkdir()
    os.symlink("real", "linked")
    assert run(["resolve", str(found), "--export", "linked", "--apply"]) == 0
    assert sorted(os.listdir("real")) == ["0.tar", "1.zip", "2.tar.gz", JOURNAL]


def test_the_journal_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = save(shards(tmp_path), tmp_path / "r.json")
    (tmp_path / "out").mkdir()
    for text in ("{}\n", "my notes", '{"format": "twinpix.export/1", "id": "../x", "digest": ""}\n'):
        (tmp_path / "out" / JOURNAL).write_text(text)
        assert run(["resolve", str(found), "--export", "out", "--apply"]) == 3
        assert "is not the journal of an export: choose another folder" in capsys.readouterr().err
        assert (tmp_path / "out" / JOURNAL).read_text() == text
    (tmp_path / "out" / JOURNAL).unlink()
    os.symlink(tmp_path / "elsewhere", tmp_path / "out" / JOURNAL)
    assert run(["resolve", str(found), "--export", "out", "--apply"]) == 3
    assert "cannot write " in capsys.readouterr().err
    (tmp_path / "out" / JOURNAL).unlink()
    assert run(["resolve", str(found), "--export", "out", "--apply"]) == 0
    save(replace(Report.load(found), notes=["another"]), tmp_path / "s.json")
    assert run(["resolve", "s.json", "--export", "out", "--apply"]) == 3
    assert "is the journal of an export of another report" in capsys.readouterr().err
    # Other options on the same report: the files are not what would be written now.
    assert run(["resolve", str(found), "--export", "out", "--apply", "--only", "re-encoded"]) == 3
    assert "earlier export with other options" in capsys.readouterr().out


def test_two_exports_to_one_folder_exclude_each_other(tmp_path: Path) -> None:
    from twinpix.usecases.exporting.journal import Journal

    plan = plan_export(shards(tmp_path), "out")
    (tmp_path / "out").mkdir()
    with (
        Journal.open(f"out/{JOURNAL}", plan.target, "", plan.digest),
        pytest.raises(RefusedError, match="another export writes"),
    ):
        write_export(plan)
    assert write_export(plan).left == []


def test_a_stopped_export_says_how_to_continue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_export(shards(tmp_path), "out")
    copy = writing._copy

    def stopping(path: str, *rest: Any) -> None:
        copy(path, *rest)
        if path.endswith("1.zip"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writing, "_copy", stopping)
        with pytest.raises(StoppedError, match=r"1 file is complete in .*; run the same command to continue"):
            write_export(plan)
    assert sorted(os.listdir("out")) == ["0.tar", JOURNAL]
    done = write_export(plan)
    assert (done.already, len(done.written)) == (1, 2)


def test_ctrl_c_ends_with_130(tmp_path: Path) -> None:
    for number in range(6):
        write_tar(tmp_path / f"{number}.tar", {f"{n:05d}.png": image(number * 500 + n // 2) for n in range(2000)})
    save(report_of(tmp_path, *(f"{number}.tar" for number in range(6))), tmp_path / "r.json")
    command = [sys.executable, "-m", "twinpix", "resolve", "r.json", "--export", "out", "--apply"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        until = time.monotonic() + 60
        while not os.path.exists("out/0.tar") and time.monotonic() < until:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        message = process.stderr.read()
    if process.returncode:  # it may have been at its end
        assert process.returncode == 130
        assert "complete in " in message
        assert "run the same command to continue" in message
    assert run(["resolve", "r.json", "--export", "out", "--apply"]) == 0
    assert sorted(os.listdir("out")) == [*(f"{number}.tar" for number in range(6)), JOURNAL]


def test_a_killed_export_is_continued(tmp_path: Path) -> None:
    """After a kill at any instant the next run leaves the same files as an undisturbed one."""
    report = shards(tmp_path, count=9, members=40)
    before = snapshot(tmp_path)
    plan = plan_export(report, "whole")
    begun = time.perf_counter()
    assert in_child(lambda: _write(plan)) == 0
    whole = time.perf_counter() - begun
    expected = {name: data for name, (data, _, _) in snapshot(tmp_path / "whole").items() if name != JOURNAL}
    assert len(expected) == 9
    chance = random.Random(5)
    kills = number = 0
    while kills < amount(12, 150):
        number += 1
        assert number < 1000
        plan = plan_export(report, f"out{number}")
        child = os.fork()
        if not child:
            write_export(plan)
            os._exit(0)
        time.sleep(chance.uniform(0, whole))
        os.kill(child, signal.SIGKILL)
        killed = os.waitpid(child, 0)[1] == signal.SIGKILL
        kills += killed
        whole *= 1 if killed else 0.9  # the first run was slower than the others
        _check_continued(plan, tmp_path / f"out{number}", expected)
    after = snapshot(tmp_path)
    assert {name: after[name] for name in before} == before


def _write(plan: ExportPlan) -> None:
    assert write_export(plan).left == []


def _check_continued(plan: ExportPlan, folder: Path, expected: Mapping[str, bytes]) -> None:
    for name, data in expected.items():
        if (folder / name).exists():
            assert (folder / name).read_bytes() == data, "a file with its final name is incomplete"
    done = write_export(plan)
    assert done.left == []
    assert done.already + len(done.written) == len(expected)
    assert {name: data for name, (data, _, _) in snapshot(folder).items() if name != JOURNAL} == expected
    lines = [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines() if line.endswith("}")]
    assert {line["target"] for line in lines[1:] if line["state"] == "done"} == set(expected)
    shutil.rmtree(folder)


def test_an_export_killed_at_each_step_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after each write of the journal, each rename and each check."""
    from twinpix import journals
    from twinpix.usecases.exporting import targets

    report = shards(tmp_path, count=3, members=6)
    _write(plan_export(report, "whole"))
    expected = {name: data for name, (data, _, _) in snapshot(tmp_path / "whole").items() if name != JOURNAL}

    def count_down(call: Callable[..., Any], count: list[int]) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            for late in (False, True):
                count[0] -= 1
                if not count[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
                if not late:
                    value = call(*arguments, **options)
            return value

        return counting

    kills = 0
    for at in range(1, 1000):
        plan, count = plan_export(report, f"out{at}"), [at]

        def work(plan: ExportPlan = plan, count: list[int] = count) -> None:
            for module, name in (
                *((journals.JournalFile, "_write"), (targets, "rename_new"), (writing, "_verify"), (writing, "_copy")),
                *((targets.Output, "write"), (targets.Output, "sync"), (journals.JournalFile, "_read")),
            ):
                setattr(module, name, count_down(getattr(module, name), count))
            _write(plan)

        status = in_child(work)
        _check_continued(plan, tmp_path / f"out{at}", expected)
        if not status:
            break
        assert status == signal.SIGKILL
        kills += 1
    assert kills > 30


def test_a_torn_journal_is_continued(tmp_path: Path) -> None:
    plan = plan_export(shards(tmp_path), "out")
    _write(plan)
    whole = (tmp_path / "out" / JOURNAL).read_bytes()
    for size in (0, 5, 60, whole.index(b"\n"), whole.index(b"\n") + 20, len(whole) - 30):
        for name in os.listdir("out"):
            os.unlink(f"out/{name}")
        (tmp_path / "out" / JOURNAL).write_bytes(whole[:size])
        _write(plan)
        assert sorted(os.listdir("out")) == ["0.tar", "1.zip", "2.tar.gz", JOURNAL]


@pytest.mark.parametrize("limit", [3_000, 20_000, 30_000])
def test_a_file_that_cannot_be_written_completely_is_left_out(limit: int, tmp_path: Path) -> None:
    """As on a full disk: an error in the middle of a write."""
    report = shards(tmp_path, count=3, members=60)
    plan = plan_export(report, "out")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        done = write_export(plan)
        assert len(done.left) + len(done.written) == 3
        assert done.left
        assert all("cannot be written: file too large" in row.reason for row in done.left), done.left

    assert in_child(limited) == 0
    assert not [name for name in os.listdir("out") if name.startswith(".")]
    assert write_export(plan).left == []


def test_too_little_space_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_export(shards(tmp_path), "out")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(RefusedError, match="1,000 bytes free: nothing was written"):
        write_export(plan)


# -- lists ---------------------------------------------------------------------------------------------


def test_a_list_has_ids_or_uris(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write_zip(tmp_path / "a.zip", {"1.png": image(1), "ü\n2.png": image(1)})
    (tmp_path / "x.png").write_bytes(image(1))
    report = report_of(tmp_path, "a.zip", "x.png")
    save(report, tmp_path / "r.json")
    assert run(["resolve", "r.json", "--list", "-", "-0"]) == 0
    assert capsysbinary.readouterr().out == "zip://ü\n2.png::a.zip\0x.png\0".encode()
    save(replace(report, ids={"x.png": "17", "zip://ü\n2.png::a.zip": "18"}), tmp_path / "ids.json")
    assert run(["resolve", "ids.json", "--list", "list.txt"]) == 0
    assert (tmp_path / "list.txt").read_bytes() == b"18\n17\n"
    (tmp_path / "mine.txt").write_text("mine")
    assert run(["resolve", "ids.json", "--list", "mine.txt"]) == 2
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert run(["resolve", "ids.json", "--list", "mine.txt", "--force"]) == 0
    assert (tmp_path / "mine.txt").read_bytes() == b"18\n17\n"
    (tmp_path / "below").mkdir()
    os.chdir("below")
    capsysbinary.readouterr()
    assert run(["resolve", "../r.json", "--list", "-", "--null"]) == 0
    listed = capsysbinary.readouterr().out.decode().split("\0")
    assert [os.path.basename(name) for name in listed] == ["a.zip", "x.png", ""]
    assert read(listed[0]).data == image(1)  # from any folder


def test_actions_name_export_and_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tar(tmp_path / "a.tar", pairs(4))
    save(report_of(tmp_path, "a.tar"), tmp_path / "r.json")
    assert run(["resolve", "r.json", "--trash"]) == 0
    assert "--export writes archives again without their duplicates, --list lists these" in capsys.readouterr().out


def test_the_command_of_a_shell(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", pairs(4))
    save(report_of(tmp_path, "a.tar"), tmp_path / "r.json")
    made = commands.run("resolve", "r.json", "--export", "out", "--apply", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    assert "1 archive written, " in made.stdout


# -- stores --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """An S3 server with an empty bucket; the file system that writes to it."""
    with s3_server() as fs:
        fs.mkdir("sets")
        yield fs


def test_archives_are_written_to_a_store(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = save(shards(tmp_path), tmp_path / "r.json")
    assert run(["resolve", str(found), "--export", "local", "--apply"]) == 0
    s3.pipe_file("sets/new/1.zip", b"theirs")
    assert run(["resolve", str(found), "--export", "s3://sets/new", "--apply"]) == 3
    assert "1.zip exists in the target" in capsys.readouterr().out
    s3.invalidate_cache()
    assert sorted(s3.ls("sets/new", detail=False)) == ["sets/new/0.tar", "sets/new/1.zip", "sets/new/2.tar.gz"]
    assert s3.cat_file("sets/new/1.zip") == b"theirs"
    s3.rm("sets/new/1.zip")
    assert run(["resolve", str(found), "--export", "s3://sets/new", "--apply"]) == 0
    assert "1 archive written" in capsys.readouterr().out
    for name in ("0.tar", "1.zip", "2.tar.gz"):
        assert s3.cat_file(f"sets/new/{name}") == (tmp_path / "local" / name).read_bytes()
    journals = [name for name in os.listdir() if name.startswith("r.export-")]
    assert len(journals) == 1


def test_archives_of_a_store_are_exported(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2):
        write_tar(tmp_path / "x.tar", pairs(6, seed=number))
        s3.put_file(str(tmp_path / "x.tar"), f"sets/old/{number}.tar")
    s3.invalidate_cache()
    report = report_of(tmp_path, "s3://sets/old/{0..1}.tar")
    report = replace(report, roots=["s3://sets/old"])
    found = save(report, tmp_path / "r.json")
    for target in ("out", "s3://sets/again"):
        assert run(["resolve", str(found), "--export", target, "--apply", "--keep", "resolution"]) == 0
    left = [Tar().read(f"out/{n}.tar", e.name).data for n in range(2) for e in Tar().entries(f"out/{n}.tar")]
    assert sorted(left, key=str) == sorted(map(image, range(4)), key=str)
    for name in ("0.tar", "1.tar"):
        assert s3.cat_file(f"sets/again/{name}") == (tmp_path / "out" / name).read_bytes()
    assert run(["resolve", str(found), "--export", "s3://sets/old", "--apply"]) == 3
    assert "which is never replaced" in capsys.readouterr().err


def test_a_relation_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", pairs(4))
    with pytest.raises(UsageError, match="no relation is called"):
        plan_export(report_of(tmp_path, "a.tar"), "out", only=["nothing"])  # type: ignore[list-item]
    assert Counter(list_redundant(report_of(tmp_path, "a.tar"))) == Counter(
        {"tar://0001.png::a.tar": 1, "tar://0003.png::a.tar": 1}
    )
    assert twinpix.Report is Report


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@settings(max_examples=amount(60, 600), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=st.lists(
        st.tuples(
            st.sampled_from(["a", "d/b.png", "d/", "x" * 99, "x" * 100, "d/" * 60 + "y", "ü.png", "d/c/"]),
            st.sampled_from([tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]),
            st.sampled_from([0, 1, 511, 512, 513, 5000]),
            st.sampled_from([0, 1_600_000_000, 1.5, 8**11 + 1, -5]),
            st.sampled_from([0, 8**7 + 1]),
        ),
        max_size=8,
    ),
    cut=st.integers(0, 3000),
    damage=st.integers(0, 40_000),
)
def test_plain_headers_are_read_as_tarfile_reads_them(
    form: int, members: list[Any], cut: int, damage: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=form, errors="surrogateescape") as archive:
        for name, kind, size, mtime, uid in members:
            info = tarfile.TarInfo(name)
            info.type, info.mtime, info.uid, info.linkname = kind, mtime, uid, "d/b.png"
            info.size = size if kind in (tarfile.REGTYPE, tarfile.AREGTYPE) else 0
            with contextlib.suppress(ValueError):  # this format has no such numbers or names
                archive.addfile(info, io.BytesIO(bytes(info.size)))
    data = bytearray((tmp_path / "a.tar").read_bytes())
    if damage < len(data):
        data[damage] ^= 0x11
    (tmp_path / "a.tar").write_bytes(data[: len(data) - cut] if cut < 1500 else data)

    def listed() -> tuple[Any, ...]:
        with contextlib.closing(PositionalFile(open("a.tar", "rb"))) as file:
            try:
                return tuple(tar._index_of(file))
            except ImageError as error:
                return (error.reason,)

    fast = listed()
    with monkeypatch.context() as patch:
        patch.setattr(tar, "_plain_members", lambda file, at, members: at)
        assert fast == listed()
