"""Tests of tar archives: each compression, incomplete and damaged archives, forked processes, objects of a store."""

import contextlib
import gzip
import io
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import twinpix
from drawings import draw
from twinpix import sources
from twinpix.errors import ImageError
from twinpix.formats import sniff
from twinpix.model import Report
from twinpix.sources.base import Entry
from twinpix.sources.kinds import tar
from twinpix.sources.kinds.tar import Tar
from twinpix.versions import UNKNOWN

SUFFIXES = sorted(Tar.suffixes)
PNG = b"\x89PNG\r\n\x1a\n"
TAR = Tar()


def written(path: Path, members: Mapping[str, bytes]) -> str:
    if path.name.endswith(".zst"):
        pytest.importorskip("zstandard")
    TAR.write(str(path), members)
    return str(path)


def listed(path: str) -> tuple[list[Entry], str]:
    """The entries of an archive, and the error that ended the listing."""
    entries: list[Entry] = []
    try:
        entries.extend(TAR.entries(path))
    except ImageError as error:
        return entries, error.reason
    return entries, ""


def noise(count: int, size: int, seed: int = 0) -> dict[str, bytes]:
    """Members that begin like a PNG file and cannot be compressed."""
    chance = random.Random(seed)
    return {f"{number:06d}.png": PNG + chance.randbytes(size) for number in range(count)}


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def add(archive: tarfile.TarFile, name: str, data: bytes = b"", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(data))


# -- each compression ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_suffix_gives_the_groups_of_the_folder(suffix: str, tmp_path: Path) -> None:
    first, second = (draw("scene", seed, (400, 300)) for seed in (1, 2))
    members = {
        "a/first.png": png(first),
        "a/small.png": png(first.resize((200, 150))),
        "b/again.png": png(first),
        "b/second.png": png(second),
        "b/second.json": b"{}",
    }
    for name, data in members.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(data)
    path = written(tmp_path / f"a{suffix}", members)
    whole = Path(path).read_bytes()
    assert (whole[257:262] == b"ustar") is (suffix == ".tar")

    def groups(report: Report) -> list[list[tuple[str, bool]]]:
        return sorted(
            sorted((os.path.basename(m.path.partition("::")[0]), m.path == group.keeper) for m in group.members)
            for group in report.groups
        )

    # Two processes read members of an archive that their parent has listed.
    found = twinpix.find([path], method="phash:size=16", store=None, workers=2)
    expected = twinpix.find([tmp_path / "folder"], method="phash:size=16", store=None, workers=1)
    assert groups(found) == groups(expected)
    assert (found.counts.images, found.failures) == (4, [])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_complete_members_of_an_incomplete_archive_are_listed_and_read(suffix: str, tmp_path: Path) -> None:
    members = noise(16, 200_000)
    whole = Path(written(tmp_path / f"whole{suffix}", members)).read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole[: len(whole) // 2])
    entries, error = listed(str(cut))
    assert 3 <= len(entries) <= 8
    for entry in entries:
        assert TAR.read(str(cut), entry.name).data == members[entry.name]
    assert error.startswith("the archive ends in the middle; copy or download it again; complete members before ")
    assert error.endswith(f": {len(entries)}")
    with pytest.raises(ImageError, match="no such member; the archive ends in the middle"):
        TAR.read(str(cut), "000015.png")


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"])
def test_members_before_damaged_bytes_are_listed(suffix: str, tmp_path: Path) -> None:
    members = noise(16, 200_000)
    data = bytearray(Path(written(tmp_path / f"whole{suffix}", members)).read_bytes())
    at = len(data) * 3 // 4
    data[at : at + 4096] = bytes(4096)
    (tmp_path / f"damaged{suffix}").write_bytes(data)
    entries, error = listed(str(tmp_path / f"damaged{suffix}"))
    assert error
    intact = [entry for entry in entries if TAR.read(str(tmp_path / f"damaged{suffix}"), entry.name).data]
    assert len(intact) >= 3 if suffix != ".tar.bz2" else intact


def test_a_cut_at_any_block_is_noticed(tmp_path: Path) -> None:
    """Also a cut between two members, after which only the end marker of the archive is missing."""
    members = {"a.png": PNG + bytes(1000), "b.png": PNG, "c.json": b"{}", "x" * 200 + ".png": PNG}
    whole = Path(written(tmp_path / "whole.tar", members)).read_bytes()
    content = len(whole.rstrip(b"\0")) + 511 & ~511
    for size in range(1, content + 1, 256):
        cut = tmp_path / f"{size}.tar"
        cut.write_bytes(whole[:size])
        entries, error = listed(str(cut))
        assert error, size
        assert len(entries) < 4 or size >= content - 512
        for entry in entries:
            assert TAR.read(str(cut), entry.name).data == (members[entry.name] if ".png" in entry.name else None)
    (tmp_path / "marker.tar").write_bytes(whole[: content + 1024])
    assert listed(str(tmp_path / "marker.tar"))[1] == ""


def test_the_first_bytes_decide_whether_an_archive_is_compressed(tmp_path: Path) -> None:
    members = {"BZh9.png": PNG + b"1", "b.png": PNG + b"2"}
    plain = written(tmp_path / "plain.tar", members)
    os.rename(written(tmp_path / "a.tar.gz", members), tmp_path / "packed.tar")
    (tmp_path / "plain.tgz").write_bytes(Path(plain).read_bytes())
    for path in (plain, str(tmp_path / "packed.tar"), str(tmp_path / "plain.tgz")):
        assert {entry.name: TAR.read(path, entry.name).data for entry in TAR.entries(path)} == members


def test_an_archive_without_members(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        assert listed(written(tmp_path / f"empty{suffix}", {})) == ([], "")
    (tmp_path / "nothing.tar").touch()
    assert "not a tar archive" in listed(str(tmp_path / "nothing.tar"))[1]


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb") as file:
        file.write(bytes(20_000_000))
    monkeypatch.setattr(tar, "LARGEST_RATIO", 500)
    monkeypatch.setattr(tar, "SPARE_BYTES", 1_000_000)
    with pytest.raises(ImageError, match=r"decompresses to more than 1\d,\d{3},\d{3} bytes"):
        list(TAR.entries(str(path)))
    monkeypatch.setattr(tar, "SPARE_BYTES", 20_000_000)
    assert listed(str(path)) == ([], "")


def test_zstd_archives_without_zstandard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.tar.zst", noise(1, 10))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "compression", None)
    with pytest.raises(ImageError, match=r"install twinpix\[zstd\]") as raised:
        list(TAR.entries(path))
    assert not raised.value.lasting


@pytest.mark.skipif(os.name == "nt", reason="needs a limit of the size of files")
def test_a_full_temporary_disk_is_an_error_in_words(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tar.gz", noise(4, 500_000))
    program = """
import resource, sys
from twinpix.errors import ImageError
from twinpix.sources.kinds.tar import Tar
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    list(Tar().entries(sys.argv[1]))
except ImageError as error:
    print(error.reason)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    out = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, path], env=environment, capture_output=True, text=True
    )
    assert out.stderr == ""
    assert out.stdout == (
        f"the archive cannot be decompressed into {tmp_path}: file too large; "
        "set TMPDIR to a folder with more free space\n"
    )
    assert os.listdir(tmp_path) == ["a.tar.gz"]


# -- members -------------------------------------------------------------------------------------------


def test_members_of_one_name_and_members_that_are_no_files(
    tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    image = png(draw_image(1))
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        add(archive, "twice.png", PNG + b"old")
        add(archive, "folder", type=tarfile.DIRTYPE)
        add(archive, "folder/soft.png", type=tarfile.SYMTYPE, linkname="../twice.png")
        add(archive, "twice.png", image, mtime=1_600_000_000.5)
        add(archive, "hard.png", type=tarfile.LNKTYPE, linkname="twice.png")
        add(archive, "pipe.png", type=tarfile.FIFOTYPE)
        add(archive, "../up.png", image)
        add(archive, "/absolute.png", image)
        add(archive, "./here.png", image, pax_headers={"mtime": "inf"})
        add(archive, f"{'long/' * 60}name.png", image)
    entries, error = listed(str(path))
    assert error == ""
    assert [(entry.name, entry.size, entry.error) for entry in entries] == [
        ("twice.png", 0, "a later member of the archive has the same name"),
        *((name, len(image), "") for name in ("twice.png", "../up.png", "/absolute.png", "./here.png")),
        (f"{'long/' * 60}name.png", len(image), ""),
    ]
    assert [entry.modified_ns for entry in entries][1:5] == [1_600_000_000_500_000_000, 0, 0, 0]
    assert TAR.read(str(path), "twice.png").data == image
    report = twinpix.find([path], method="phash:size=16", store=None, workers=1)
    assert [member.path for group in report.groups for member in group.members] == sorted(
        f"tar://{entry.name}::{path}" for entry in entries[1:]
    )
    assert os.listdir(tmp_path) == ["a.tar"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_members_of_appended_archives_are_listed(suffix: str, tmp_path: Path) -> None:
    """Of `cat 1.tar 2.tar`; they were left out without a failure."""
    first, second = noise(3, 500), {**noise(2, 700, 1), "b.png": PNG}
    whole = b"".join(Path(written(tmp_path / f"{n}{suffix}", m)).read_bytes() for n, m in enumerate((first, second)))
    path = tmp_path / f"both{suffix}"
    path.write_bytes(whole)
    entries, error = listed(str(path))
    assert error == ""
    assert [(entry.name, not entry.error) for entry in entries] == [
        *zip(first, (False, False, True), strict=True),
        *((name, True) for name in second),
    ]
    for name, data in {**first, **second}.items():
        assert TAR.read(str(path), name).data == data
    path.write_bytes(Path(written(tmp_path / "plain.tar", first)).read_bytes() + b"no header" * 100)
    assert listed(str(path))[1] == ""


def test_a_sparse_member_is_a_failure(tmp_path: Path) -> None:
    pax = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a.png", "GNU.sparse.realsize": "5000"}
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        add(archive, "GNUSparseFile.0/a.png", b"1\n0\n8\n".ljust(512, b"\0") + PNG, pax_headers=pax)
        add(archive, "b.png", PNG)
    entries, error = listed(str(path))
    assert error == ""
    assert [(entry.name, entry.error) for entry in entries] == [
        ("a.png", "the member is stored as a sparse file"),
        ("b.png", ""),
    ]
    with pytest.raises(ImageError, match="sparse file"):
        TAR.read(str(path), "a.png")


@pytest.mark.skipif(os.name == "nt", reason="needs a file with a hole")
def test_a_member_behind_eight_gibibytes(tmp_path: Path) -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = tmp_path / f"{form}.tar"
        large = tarfile.TarInfo("large.png")
        large.size = 9 << 30
        with open(path, "wb") as file:
            file.write(large.tobuf(form) + PNG)
            file.seek((9 << 30) - len(PNG), os.SEEK_CUR)
            with tarfile.open(fileobj=file, mode="w|") as archive:
                add(archive, "small.png", PNG + b"small")
        entries, error = listed(str(path))
        assert [(entry.name, entry.size) for entry in entries] == [("large.png", 9 << 30), ("small.png", 13)]
        assert error == ""
        assert TAR.read(str(path), "small.png").data == PNG + b"small"
        with pytest.raises(ImageError, match="larger than 2 GiB"):
            TAR.read(str(path), "large.png")
        path.unlink()


def test_a_negative_size_ends_the_listing(tmp_path: Path) -> None:
    """Python before 3.11.14 reads the same headers for ever (CVE-2025-8194)."""
    for size in (-1, -512, -1024, -1536):
        path = tmp_path / f"{-size}.tar"
        bad = tarfile.TarInfo("bad.png")
        bad.size = size
        good = tarfile.TarInfo("good.png")
        path.write_bytes(good.tobuf() + bad.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
        entries, error = listed(str(path))
        assert [entry.name for entry in entries] == ["good.png"]
        assert "damaged at byte 512" in error or "ends in the middle" in error


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=150)
MEMBERS = st.lists(
    st.tuples(
        NAMES | st.sampled_from(["../a.png", "/a.png", "./a.png", "a.png"]),
        st.binary(max_size=1500).map(lambda data: PNG + data) | st.binary(max_size=600),
        st.sampled_from([tarfile.REGTYPE, tarfile.REGTYPE, tarfile.CONTTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE]),
        st.integers(0, 1 << 40),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MEMBERS, st.sampled_from(["", "gz", "bz2", "xz"]), st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_members_are_those_that_tarfile_reads(
    tmp_path: Path, members: list[tuple[str, bytes, bytes, int]], compression: str, form: int
) -> None:
    path = str(tmp_path / "a.tar")
    with tarfile.open(path, f"w:{compression}", format=form) as archive:  # type: ignore[call-overload]
        for name, data, kind, mtime in members:
            is_file = kind in (tarfile.REGTYPE, tarfile.CONTTYPE)
            add(archive, name, data if is_file else b"", type=kind, mtime=mtime, linkname="" if is_file else "a.png")
    with tarfile.open(path, encoding="utf-8") as archive:
        infos = [info for info in archive if info.isreg()]
        last = {info.name: info for info in infos}
        expected = {name: archive.extractfile(info).read() for name, info in last.items()}  # type: ignore[union-attr]
    entries = list(TAR.entries(path))
    assert [(entry.name, not entry.error) for entry in entries] == [
        (info.name, last[info.name] is info) for info in infos
    ]
    for entry in entries:
        if not entry.error:
            data = expected[entry.name]
            modified = int(last[entry.name].mtime) * 1_000_000_000
            assert (entry.size, entry.modified_ns) == (len(data), modified if modified < 1 << 63 else 0)
            if sniff(data[:512], entry.name) is None:
                assert not data.startswith(PNG)
                data_read = b"" if not data and entry.name.endswith(".png") else TAR.read(path, entry.name).data
                assert not data_read
            else:
                content = TAR.read(path, entry.name)
                assert (content.data, content.version) == (data, entry.version)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=12)), max_size=6), st.booleans())
def test_damaged_headers_raise_only_image_errors(
    tmp_path: Path, changes: list[tuple[int, bytes]], correct_sums: bool
) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        add(archive, "a.png", PNG, pax_headers={"comment": "x", "path": "ü.png"})
        add(archive, "b" * 120, PNG)
    data = bytearray(out.getvalue()[:6144])
    for at, change in changes:
        data[at : at + len(change)] = change
    if correct_sums:  # so that tarfile uses the damaged fields
        for at in range(0, len(data), 512):
            if data[at + 257 : at + 262] == b"ustar":
                data[at + 148 : at + 156] = b" " * 8
                data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    for entry in listed(str(path))[0]:
        with contextlib.suppress(ImageError):
            TAR.read(str(path), entry.name)


# -- processes, threads, stores ------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_forked_processes_read_an_archive_at_once(suffix: str, tmp_path: Path) -> None:
    """They share the parent's index, and its decompressed file, but no position in a file."""
    path = written(tmp_path / f"a{suffix}", noise(300, 3000))
    program = """
import os, sys, tempfile
from twinpix.sources.kinds import tar
source, path = tar.Tar(), sys.argv[1]
names = [entry.name for entry in source.entries(path)]
expected = {name: source.read(path, name).data for name in names}
tempfile.TemporaryFile = tar.tarfile.open = None  # nothing is decompressed or indexed again
children = []
for number in range(2):
    child = os.fork()
    if not child:
        order = names[:: 1 - 2 * number] * 10
        same = all(source.read(path, name).data == expected[name] for name in order)
        os._exit(0 if same else 1)
    children.append(child)
same = all(source.read(path, name).data == expected[name] for name in names * 10)
print(same, [os.waitpid(child, 0)[1] for child in children])
"""
    out = subprocess.run([sys.executable, "-W", "error", "-c", program, path], capture_output=True, text=True)
    assert (out.stdout, out.stderr) == ("True [0, 0]\n", "")


def test_a_limited_number_of_archives_is_kept_open(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    before = len(os.listdir("/proc/self/fd"))
    for number in range(3 * tar._OPEN):
        for suffix in (".tar", ".tar.gz"):
            path = written(tmp_path / f"{number}{suffix}", noise(2, 100, number))
            assert TAR.read(path, "000001.png").data == noise(2, 100, number)["000001.png"]
    assert len(os.listdir("/proc/self/fd")) <= before + tar._OPEN + tar._SPOOLS
    assert not recwarn


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_object_of_a_store(suffix: str, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    members = {**noise(40, 5000), "000000.json": b"{}"}
    url = f"memory://{tmp_path.name}/shard{suffix}"
    path = written(tmp_path / f"a{suffix}", members)
    with fsspec.open(url, "wb") as file:
        file.write(Path(path).read_bytes())
    entries = {entry.name: entry for entry in TAR.entries(url)}
    assert {name: entry.size for name, entry in entries.items()} == {name: len(data) for name, data in members.items()}
    assert UNKNOWN not in {entry.version for entry in entries.values()}
    # By several threads, as `read_each` reads members of stores.
    names = [*members] * 5
    uris = [f"tar://{name}::{url}" for name in names]
    for name, content in zip(names, sources.uris.read_each(uris), strict=True):
        assert not isinstance(content, ImageError)
        assert content.data == (None if name.endswith(".json") else members[name])
        assert content.version == entries[name].version
    with pytest.raises(ImageError, match="no such"):
        list(TAR.entries(f"memory://{tmp_path.name}/gone{suffix}"))
