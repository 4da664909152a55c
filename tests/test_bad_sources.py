"""Broken and malicious archives, tables and stores: each is a failure in words, and the rest of the images is found."""

import gzip
import io
import itertools
import os
import resource
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import commands
import twinpix
from drawings import draw
from servers import CUT, FailingProxy, failing_proxy, s3_server
from twinpix import sources
from twinpix.errors import ImageError, UsageError
from twinpix.imaging.formats import png
from twinpix.model import Report
from twinpix.sources import storage, web
from twinpix.sources.kinds.arrow import Arrow
from twinpix.sources.kinds.parquet import Parquet
from twinpix.sources.kinds.tar import Tar
from twinpix.sources.kinds.zip import Zip
from twinpix.sources.pages import page_sizes

PNG = b"\x89PNG\r\n\x1a\n"
MEBIBYTE = 1 << 20


def encoded(image: Image.Image, form: str = "PNG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def one() -> bytes:
    return encoded(draw("scene", 1, (160, 120)))


@pytest.fixture(scope="module")
def copy() -> bytes:
    """A copy of `one`."""
    return encoded(draw("scene", 1, (160, 120)), "JPEG", quality=80)


def found(path: Any, **options: Any) -> Report:
    return twinpix.find(str(path), store=None, **{"method": "phash:size=16", "workers": 1, **options})


def grouped(report: Report) -> list[list[str]]:
    """The members of each group, without the path of their container."""
    return [sorted(_inside(member.path) for member in group.members) for group in report.groups]


def failed(report: Report) -> dict[str, str]:
    """The reason of each failure; "" stands for the container."""
    return {_inside(failure.path): failure.error for failure in report.failures}


def _inside(path: str) -> str:
    if "://" in path:
        return path.partition("://")[2].rpartition("::")[0]
    return path.partition("#")[2]


# -- archives of an attacker -------------------------------------------------------------------------------

NAMES = [
    *("new\nline.png", "escape\x1b[2J\x1b]0;title\x07.png", "../../up.png", "/absolute.png", "C:\\windows\\c.png"),
    *("a::b.tar::c.png", "#row=3", "\u202egnp.exe.png", f"{'d/' * 10_000}deep.png", f"{'x' * 65_000}.png"),
]


@pytest.mark.parametrize("kind", ["zip", "gnu", "pax"])
def test_members_with_hostile_names(kind: str, one: bytes, tmp_path: Path) -> None:
    path = tmp_path / ("a.zip" if kind == "zip" else "a.tar")
    if kind == "zip":
        Zip().write(str(path), dict.fromkeys(NAMES, one))
    else:
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT if kind == "gnu" else tarfile.PAX_FORMAT) as archive:
            for name in [*NAMES, "bytes\udcff\udcfe.png"]:
                info = tarfile.TarInfo(name)
                info.size = len(one)
                archive.addfile(info, io.BytesIO(one))
    names = NAMES if kind == "zip" else [*NAMES, "bytes\udcff\udcfe.png"]
    assert grouped(found(path)) == [sorted(names)]
    done = commands.run("find", path, "--fast", "--no-store")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == len(names) + 5  # no name begins a line
    assert os.listdir(tmp_path) == [path.name]


# The peak of a process counts the memory of the one that started it, so a small process starts the command.
LAUNCH = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(child.pid, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def in_child(path: Path) -> tuple[str, float, int]:
    """What `find` prints, and the seconds and bytes of memory that it takes."""
    begin = time.monotonic()
    words = [sys.executable, "-m", "twinpix", "find", str(path), "--fast", "--no-store", "--workers", "2"]
    done = subprocess.run([sys.executable, "-S", "-c", LAUNCH, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    text, _, peak = done.stdout.rstrip("\n").rpartition("\n")
    return text + "\n" + done.stderr, time.monotonic() - begin, int(peak) * (1 if sys.platform == "darwin" else 1024)


WRITE_BOMB = """
import gzip, io, sys, tarfile, zipfile
from pathlib import Path

import pyarrow as pa
from test_bad_sources import PNG, write_table

path, one, copy = (Path(each) for each in sys.argv[1:])
one, copy, bomb = one.read_bytes(), copy.read_bytes(), PNG + bytes(600 << 20)
if path.suffix == ".zip":
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (("1.png", one), ("2.jpg", copy), ("bomb.png", bomb)):
            archive.writestr(name, data)
elif path.suffix == ".gz":
    with gzip.open(path, "wb", 1) as file, tarfile.open(fileobj=file, mode="w|") as archive:
        for name, data in (("1.png", one), ("2.jpg", copy), ("bomb.png", bomb)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
else:
    table = pa.table({"image": pa.array([one, bomb, copy], pa.binary())})
    write_table(path, table, "snappy" if path.suffix == ".parquet" else "zstd", 1)
"""


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4")
@pytest.mark.parametrize("suffix", ["zip", "tar.gz", "parquet", "arrow"])
def test_a_decompression_bomb_takes_no_memory(suffix: str, one: bytes, copy: bytes, tmp_path: Path) -> None:
    """Two images, and 600 MB of zeros that claim to be one: `find` took gigabytes of memory and a minute."""
    path, first, second = tmp_path / f"bomb.{suffix}", tmp_path / "1.png", tmp_path / "2.jpg"
    first.write_bytes(one)
    second.write_bytes(copy)
    # In a process of its own: the peak of a process counts as one of its children.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    subprocess.run([sys.executable, "-c", WRITE_BOMB, path, first, second], env=environment, check=True)
    text, seconds, memory = in_child(path)
    assert "2 images" in text
    assert "may be a decompression bomb; if you trust it, decompress it and name the file" in text
    assert memory < max(1 << 29, 2 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    assert seconds < 60  # 2 to 10, and a machine that is busy


def write_table(path: Path, table: Any, compression: str, rows: int) -> None:
    if path.suffix == ".parquet":
        pq.write_table(
            *(table, path), compression=compression, row_group_size=rows, use_dictionary=False, write_statistics=False
        )
        return
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with open(path, "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)


def test_archives_in_an_archive_are_not_entered(one: bytes, tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("1.png", one)
    Zip().write(str(tmp_path / "a.zip"), {"1.png": one, "inner.zip": inner.getvalue(), "fake.png": inner.getvalue()})
    report = found(tmp_path / "a.zip")
    assert (report.counts.images, report.counts.other_files) == (1, 1)
    assert failed(report) == {"fake.png": "not an image that can be read"}


def test_a_png_of_endless_chunks_is_refused() -> None:
    """Of 2 GB of empty chunks, each of which took a microsecond in several loops."""
    data = PNG + b"\0\0\0\0aaaa\0\0\0\0" * (png._MOST_CHUNKS + 1)
    with pytest.raises(ImageError, match="more than 1,048,576 chunks"):
        png.mend(data)
    report = twinpix.find([("endless", data)], store=None, workers=1)
    assert [failure.error for failure in report.failures] == ["the PNG file has more than 1,048,576 chunks"]


# -- zip ---------------------------------------------------------------------------------------------------


@pytest.fixture
def packed(one: bytes, copy: bytes, tmp_path: Path) -> bytearray:
    Zip().write(str(tmp_path / "a.zip"), {"aaaa.png": one, "bbbb.jpg": copy})
    return bytearray((tmp_path / "a.zip").read_bytes())


def entry_of(data: bytes, number: int) -> int:
    """Where an entry of the central directory begins."""
    at = -1
    for _ in range(number + 1):
        at = data.index(b"PK\x01\x02", at + 1)
    return at


def changed(data: bytes, at: int, form: str, value: int) -> bytes:
    out = bytearray(data)
    struct.pack_into(form, out, at, value)
    return bytes(out)


DAMAGED = "the member is damaged or compressed in an unknown way: "


def test_a_zip_whose_parts_disagree(packed: bytes, tmp_path: Path) -> None:
    """Of two entries one is changed: the other image is found, and the changed one is a failure."""
    path, first, second = tmp_path / "a.zip", entry_of(packed, 0), entry_of(packed, 1)
    (offset,) = struct.unpack_from("<L", packed, second + 42)
    cases = {
        "another name": (packed[:first].replace(b"aaaa", b"evil") + packed[first:], "File name in directory"),
        "the place of another": (changed(packed, first + 42, "<L", offset), "File name in directory"),
        "a place behind the end": (changed(packed, first + 42, "<L", 1 << 30), "Truncated file header"),
        "unknown compression": (changed(packed, first + 10, "<H", 99), "That compression method is not supported"),
        "bzip2, which it is not": (changed(packed, first + 10, "<H", 12), "Invalid data stream"),
        "LZMA, which it is not": (changed(packed, first + 10, "<H", 14), ""),
        "another checksum": (changed(packed, first + 16, "<L", 1), "Bad CRC-32"),
        "fewer bytes": (changed(packed, first + 24, "<L", 600), "Bad CRC-32"),
        "patch data": (changed(packed, first + 8, "<H", 1 << 5), "compressed patched data"),
    }
    for case, (data, why) in cases.items():
        path.write_bytes(data)
        report = found(path)
        assert report.counts.images == 1, case
        assert list(failed(report)) == ["aaaa.png"], case
        assert failed(report)["aaaa.png"].startswith(DAMAGED + why), (case, failed(report))
    path.write_bytes(changed(packed, first + 24, "<L", 0x7FFFFFF0))
    assert "may be a decompression bomb" in failed(found(path))["aaaa.png"]
    path.write_bytes(changed(packed, first + 8, "<H", 1))
    assert failed(found(path)) == {"aaaa.png": "the member is encrypted"}


def test_a_member_that_a_damaged_directory_hides_is_noticed(packed: bytes, tmp_path: Path) -> None:
    """An entry with a longer name takes the next one in: zipfile lists one of two members, without an error."""
    path, first, second = tmp_path / "a.zip", entry_of(packed, 0), entry_of(packed, 1)
    path.write_bytes(changed(packed, first + 28, "<H", 8 + len(packed) - second - 22))
    error = failed(found(path))[""]
    assert error.startswith("the zip archive is damaged: its directory lists 1 member, and its end says 2;")
    path.write_bytes(bytes(packed[:first]) + b"\0" + bytes(packed[first + 1 :]))
    assert "Bad magic number for central directory" in failed(found(path))[""]
    path.write_bytes(packed[: len(packed) // 2])
    assert "not a zip archive, or its end is missing" in failed(found(path))[""]
    path.write_bytes(b"")
    assert "not a zip archive, or its end is missing" in failed(found(path))[""]


def test_months_that_do_not_exist(packed: bytes, tmp_path: Path) -> None:
    """The 15th month was a traceback."""
    path = tmp_path / "a.zip"
    for number, day in itertools.product(range(2), (0, 15 << 5 | 1, 10 << 9 | 15 << 5 | 31, 0xFFFF, 1 << 5 | 1)):
        path.write_bytes(changed(packed, entry_of(packed, number) + 12, "<L", day << 16))  # time and date
        assert [entry.modified_ns for entry in Zip().entries(str(path))][number] == 0
        assert found(path).counts.images == 2


def test_zip64_and_many_members(one: bytes, copy: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (("1.png", one), ("2.jpg", copy)):
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(data)
    assert grouped(found(path)) == [["1.png", "2.jpg"]]
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"a comment"
        for number in range(1 << 16):
            archive.writestr(f"{number}.txt", b"")
    assert len(list(Zip().entries(str(path)))) == 2 + (1 << 16)


# -- tar ---------------------------------------------------------------------------------------------------


def block_of(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // 512) * 512, b"\0")


def member(name: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf() + block_of(data)


def with_pax(fields: dict[str, object], data: bytes, claimed: int | None = None) -> bytes:
    """A member with an extended header; `claimed` is the size that this header says of itself."""
    body = b""
    for name, value in fields.items():
        line = f" {name}={value}\n".encode()
        length = next(n for n in itertools.count(len(line)) if n == len(line) + len(str(n)))  # with its own digits
        body += str(length).encode() + line
    info = tarfile.TarInfo("PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, len(body) if claimed is None else claimed
    return info.tobuf(tarfile.GNU_FORMAT) + block_of(body) + member("extended.png", data)


def long_name(claimed: int, body: bytes) -> bytes:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, claimed
    return info.tobuf(tarfile.GNU_FORMAT) + block_of(body)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (with_pax({"size": 1 << 63}, PNG), "ends in the middle"),
        (with_pax({"size": (1 << 63) - 1}, PNG), "ends in the middle"),
        (with_pax({"size": -1}, PNG), "damaged at byte"),
        (with_pax({"comment": "x"}, PNG, 1 << 40), "damaged at byte"),
        (with_pax({"GNU.sparse.map": "1,2,x", "GNU.sparse.size": "q"}, PNG), "damaged at byte"),
        (
            with_pax({"GNU.sparse.major": 1, "GNU.sparse.minor": 0, "GNU.sparse.realsize": 1 << 60}, b"9" * 600),
            "damaged",
        ),
        (long_name(1 << 40, b"x" * 512), "damaged at byte"),
        (long_name(300, b"x" * 300) * 2000, "damaged at byte"),
    ],
)
def test_headers_of_an_attacker_end_the_listing(bad: bytes, why: str, one: bytes, tmp_path: Path) -> None:
    """The member before them is found, and the archive is a failure, since members behind them may be missing."""
    path = tmp_path / "a.tar"
    path.write_bytes(member("1.png", one) + bad + member("2.png", one) + bytes(1024))
    report = found(path)
    assert report.counts.images == 1
    assert why in failed(report)[""]
    assert failed(report)[""].endswith("complete members before this point: 1")


def test_a_long_name_that_is_cut(one: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(member("1.png", one) + long_name(70_000, b"x" * 512))
    report = found(path)
    assert report.counts.images == 1
    assert "ends in the middle" in failed(report)[""]


def test_times_of_an_attacker(one: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    times = ("1e400", "nan", "-1", "9" * 400, "x")
    path.write_bytes(b"".join(with_pax({"mtime": t, "path": f"{t[:5]}.png"}, one) for t in times) + bytes(1024))
    assert {entry.modified_ns for entry in Tar().entries(str(path))} == {0}
    assert found(path).counts.images == len(times)


def test_links_of_a_tar_lead_nowhere(one: bytes, copy: bytes, tmp_path: Path) -> None:
    """Also absolute ones: nothing outside the archive is read."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(one)
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind, target in (
            ("soft.png", tarfile.SYMTYPE, str(secret)),
            ("hard.png", tarfile.LNKTYPE, str(secret)),
            ("folder", tarfile.SYMTYPE, str(tmp_path)),
            ("loop.png", tarfile.SYMTYPE, "loop.png"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
        info = tarfile.TarInfo("folder/secret.png")
        info.size = len(copy)
        archive.addfile(info, io.BytesIO(copy))
    report = found(path)
    assert [unique.path for unique in report.unique or ()] == [f"tar://folder/secret.png::{path}"]
    assert sources.read(f"tar://folder/secret.png::{path}").data == copy
    assert report.failures == []


# -- tables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_columns_of_one_name_are_a_failure(suffix: str, one: bytes, copy: bytes, tmp_path: Path) -> None:
    """pyarrow reads the first one only: the images of the second one were left out."""
    path = tmp_path / f"a.{suffix}"
    columns = [pa.array([one, one], pa.binary()), pa.array([copy, copy], pa.binary())]
    write_table(path, pa.Table.from_arrays(columns, names=["image", "image"]), "zstd", 2)
    report = found(path)
    assert report.counts.images == 0
    assert failed(report) == {"": "2 columns are called image; rename them"}


def test_a_damaged_row_group_does_not_hide_the_others(one: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [one] * 6}), path, row_group_size=2, compression="zstd", use_dictionary=False)
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset : chunk.data_page_offset + 8] = bytes(8)
    path.write_bytes(data)
    report = found(path)
    assert grouped(report) == [["row=0", "row=1", "row=4", "row=5"]]
    assert failed(report)[""].endswith("rows 2 to 3 are left out")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_sizes_of_pages(version: str, one: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    values = [one, bytes(3 * MEBIBYTE), None, one, b"x" * 2000]
    for dictionary in (False, True):
        table = pa.table({"n": range(5), "image": pa.array(values, pa.binary())})
        pq.write_table(
            *(table, path), data_page_version=version, use_dictionary=dictionary, data_page_size=1, write_batch_size=1
        )
        chunk = pq.ParquetFile(path).metadata.row_group(0).column(1)
        start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)))
        with open(path, "rb") as file:
            pages = list(page_sizes(file, start, chunk.total_compressed_size))
        assert len(pages) >= 2
        assert max(plain for _, plain in pages) >= 3 * MEBIBYTE
        headers = chunk.total_compressed_size - sum(packed for packed, _ in pages)
        assert 0 < headers < 8200 * len(pages)  # with the smallest and the largest value


def test_headers_of_pages_that_are_no_headers() -> None:
    for data in (b"", b"\x15", b"\xff" * 100, b"\x1c" * 70_000, b"\x19\xfb\xff\xff\xff\xff\x0f" * 10, bytes(100)):
        assert list(page_sizes(io.BytesIO(data), 0, 1 << 30)) == []


def test_a_table_that_claims_more_rows_than_it_has(one: bytes, tmp_path: Path) -> None:
    """The numbers of rows and values, 3 each, are changed in the footer to 2 to the power of 40."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [one] * 3}), path)
    data = path.read_bytes()
    (length,) = struct.unpack("<I", data[-8:-4])
    body, footer = data[: -8 - length], data[-8 - length : -8]
    number = bytes([0x80] * 5 + [64])  # a varint: 2 ** 41, zigzag-encoded
    places = [at for at in range(length) if footer[at : at + 2] == b"\x16\x06"]
    assert len(places) == 3
    for at in places:
        new = footer[: at + 1] + number + footer[at + 2 :]
        path.write_bytes(body + new + struct.pack("<I", len(new)) + b"PAR1")
        report = found(path)
        assert grouped(report) == [["row=0", "row=1", "row=2"]] or report.failures


def test_names_of_columns_are_shown_in_short(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"escape\x1b[2J\n": [1], "x" * 5000: [1]}), path)
    for words in (["find", "-v", "--fast"], ["encode"]):
        done = commands.run(*words, path, "--no-store")
        assert "\x1b" not in done.stdout + done.stderr
        assert f"escape\\x1b[2J\\n (int64), {'x' * 60}… (int64)\n" in done.stdout + done.stderr
    done = commands.run("compare", f"{path}#row=0&column=%1b", path)
    assert "no such column: \\x1b; it has" in done.stderr
    assert "\x1b" not in done.stderr


# -- stores ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket(one: bytes, copy: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, FailingProxy]]:
    """A bucket with two images, and with archives and a table of them; its server is behind a proxy."""
    folder = tmp_path_factory.mktemp("bucket")
    images = {"1.png": one, "2.jpg": copy}
    Tar().write(str(folder / "a.tar"), images)
    Zip().write(str(folder / "a.zip"), images)
    pq.write_table(pa.table({"image": list(images.values())}), folder / "a.parquet")
    with s3_server() as fs, failing_proxy() as proxy:
        fs.mkdir("bucket")
        for name, data in images.items():
            fs.pipe_file(f"bucket/images/{name}", data)
        for path in folder.iterdir():
            fs.put_file(str(path), f"bucket/{path.name}")
        os.environ["AWS_MAX_ATTEMPTS"] = "2"  # of botocore, whose five take ten seconds
        type(fs).clear_instance_cache()
        yield fs, proxy


KINDS = ["images", "a.tar", "a.zip", "a.parquet"]


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(storage, "_PAUSE", 0.01)
    return f"s3://bucket/{request.param}"


def is_data(method: str, path: str) -> bool:
    """True for a request for the bytes of an object."""
    return method == "GET" and path.partition("?")[0].count("/") >= 2


def test_a_store_that_answers_half_of_the_requests(bucket: tuple[Any, FailingProxy], url: str) -> None:
    count = itertools.count()
    bucket[1].answer = lambda method, path, headers: 503 if next(count) % 2 == 0 else 0
    report = found(url)
    assert [len(group) for group in grouped(report)] == [2]
    assert report.failures == []


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (403, "permission denied; check the credentials"),
        (503, "the store does not answer: please reduce your request rate"),
        (CUT, "the store does not answer: the connection was lost"),
    ],
)
def test_a_store_that_refuses_all_bytes(bucket: tuple[Any, FailingProxy], url: str, fault: int, why: str) -> None:
    """The reason is the same for objects, archives and tables; nothing is called damaged."""
    bucket[1].answer = lambda method, path, headers: fault if is_data(method, path) else 0
    report = found(url)
    bucket[1].answer = lambda method, path, headers: 0
    assert report.counts.images == 0
    # An archive that an earlier test has listed has members.
    assert [failure.error for failure in report.failures] in ([why], [why, why])
    assert all(url in failure.path for failure in report.failures)
    assert found(url).failures == []


@pytest.mark.parametrize("kind", ["b.tar", "b.zip", "b.parquet", "b.feather"])
def test_a_shard_that_is_replaced_while_it_is_read(
    bucket: tuple[Any, FailingProxy], one: bytes, copy: bytes, tmp_path: Path, kind: str
) -> None:
    """Its members are at other places then: their bytes would be taken for files that are no images."""
    fs, proxy = bucket
    proxy.answer = lambda method, path, headers: 0
    versions = []
    for number, first in enumerate((b"", b"x" * 2000)):
        images = {"0.txt": first, "1.png": one, "2.jpg": copy} if first else {"1.png": one, "2.jpg": copy}
        path = tmp_path / f"{number} {kind}"
        source: Any = {"b.tar": Tar, "b.zip": Zip, "b.parquet": Parquet, "b.feather": Arrow}[kind]()
        source.write(str(path), images)
        versions.append(path.read_bytes())
    fs.pipe_file(f"bucket/{kind}", versions[0])
    replaced = list[str]()

    def replace(stage: str, done: int, total: int) -> None:
        if stage == "read" and not replaced:
            replaced.append(stage)
            type(fs).clear_instance_cache()
            fs.pipe_file(f"bucket/{kind}", versions[1])

    report = found(f"s3://bucket/{kind}", progress=replace)
    assert replaced
    assert report.counts.images + len(report.failures) >= 2
    assert {failure.error for failure in report.failures} <= {"changed while it was read; run again"}
    assert found(f"s3://bucket/{kind}").counts.images == 2


def test_a_bucket_without_permission(bucket: tuple[Any, FailingProxy]) -> None:
    bucket[1].answer = lambda method, path, headers: 403
    report = found("s3://bucket/images")
    bucket[1].answer = lambda method, path, headers: 0
    assert [(failure.path, failure.error) for failure in report.failures] == [
        ("s3://bucket/images", "permission denied; check the credentials")
    ]


def test_user_and_password_of_a_bucket_are_not_shown(bucket: tuple[Any, FailingProxy], tmp_path: Path) -> None:
    out, store = tmp_path / "r.json", tmp_path / "store"
    done = commands.run("find", "s3://user:s3cr3t@bucket/images/1.png", "--store", store, "-o", out, "-v")
    texts = [done.stdout, done.stderr, *(path.read_bytes().decode("latin-1") for path in tmp_path.iterdir())]
    assert not any("s3cr3t" in text for text in texts)
    assert "s3://bucket/images/1.png: the URL is not valid; check the name of the bucket" in done.stdout


# -- web servers -------------------------------------------------------------------------------------------


class _Hostile(BaseHTTPRequestHandler):
    """Sends more than it announces, by the name of the object."""

    protocol_version = "HTTP/1.1"
    one = b""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        name, body = self.path.strip("/"), self.one
        self.send_response(200)
        self.send_header("ETag", '"1"')
        if name == "late.png":
            self.send_header("Last-Modified", "Fri, 31 Dec 9999 23:59:59 GMT")
        if name == "packed.png":
            body = gzip.compress(PNG + bytes(3 * MEBIBYTE))
            self.send_header("Content-Encoding", "gzip")
        if name in ("endless.png", "more.png"):
            if self.command == "HEAD" and name == "more.png":
                self.send_header("Content-Length", str(len(PNG)))
            else:
                self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(1 << 63) if name == "huge.png" else str(len(body)))
        self.end_headers()
        self.close_connection = True
        if self.command == "HEAD" or name == "huge.png":
            return
        try:
            if name not in ("endless.png", "more.png"):
                self.wfile.write(body)
                return
            while True:
                self.wfile.write(b"10000\r\n" + PNG.ljust(1 << 16, b"\0") + b"\r\n")
        except OSError:  # the other side has enough
            return

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def hostile(one: bytes) -> Iterator[str]:
    pytest.importorskip("aiohttp")
    _Hostile.one = one
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hostile)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    storage.end_thread()  # with its connections, which would be reported as not closed
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("endless.png", "larger than 2 MiB, and the server does not say its size"),
        ("packed.png", "larger than 2 MiB, and the server does not say its size"),
        ("more.png", "the server sends more bytes than it has announced"),
        ("huge.png", "larger than 2 GiB"),
    ],
)
def test_a_web_server_that_sends_too_much(hostile: str, name: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes without end filled the memory, and 2 to the power of 63 of them were a traceback."""
    monkeypatch.setattr(web, "BOMB_BYTES", 2 * MEBIBYTE)
    with pytest.raises(ImageError) as raised:
        sources.read(f"{hostile}/{name}")
    assert raised.value.reason == why
    if name in ("more.png", "huge.png"):
        report = found(f"{hostile}/{name}")
        assert [(failure.path, failure.error) for failure in report.failures] == [(f"{hostile}/{name}", why)]


def test_an_object_of_the_year_9999(hostile: str) -> None:
    """In nanoseconds it is larger than a number of 64 bits."""
    report = found(f"{hostile}/late.png")
    assert [unique.mtime_ns for unique in report.unique or ()] == [0]


def test_ranges_of_an_attacker(tmp_path: Path) -> None:
    """Their length is no number of 64 bits: a traceback."""
    for name in (f"a{{0..{10**30}}}.tar", f"a{{0..{'9' * 5000}}}.tar", f"a{{{10**40}..1}}.tar"):
        with pytest.raises(UsageError, match="no such file or folder"):
            found(tmp_path / name)


def test_an_lzma_member_that_names_a_huge_dictionary(one: bytes, copy: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", one, zipfile.ZIP_LZMA)
        archive.writestr("b.jpg", copy)
    data = path.read_bytes()
    at = data.index(b"a.png") + len(b"a.png") + 4  # behind the version and the size of the properties
    path.write_bytes(changed(data, at + 1, "<L", 0xFFFFFFFF))
    text, _, memory = in_child(path)
    assert "1 image (" in text or "2 images (" in text
    assert memory < 1 << 30


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.zst", "zip", "parquet", "arrow"])
def test_a_file_that_is_cut_names_itself(suffix: str, one: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    images = {f"{number}.png": one + bytes([number]) * 10 for number in range(6)}
    if suffix in ("parquet", "arrow"):
        write_table(path, pa.table({"image": list(images.values())}), "zstd", 2)
    else:
        (Zip() if suffix == "zip" else Tar()).write(str(path), images)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    done = commands.run("find", path, "--fast", "--no-store")
    assert done.returncode == (0 if suffix in ("tar", "tar.gz") else 11)
    assert f"  {path}: " in done.stdout
    assert "copy or download it again" in done.stdout
    if suffix == "tar":
        assert "4 images (" in done.stdout
