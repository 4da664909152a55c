"""The store: which files are not decoded again, which always are, and what is lost after a kill or damage."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import twinpix
from sessions import CountingStore, session_of
from stores import MANY, SLOW_COMMAND, held
from twinpix import fingerprints, mounts, sources
from twinpix.cli.app import run
from twinpix.encoding import encoder
from twinpix.encoding.encoder import Encoder
from twinpix.errors import StoreError
from twinpix.store import NOT_AN_IMAGE, Result, Store, default_path
from twinpix.versions import version_of_file


def decoded(folder: Path, store: Path, method: str = "phash", decode: str = "fast") -> int:
    """The number of contents that a run decodes."""
    opened = CountingStore(store)
    coder = Encoder(session_of(opened), [fingerprints.make(method)], decode="fast" if decode == "fast" else "reference")
    coder.encode(sources.scan([str(folder)]).refs)
    opened.close()
    return len(opened.encoded)


def settle() -> None:
    """Wait until a file's time stamp is old enough to be trusted."""
    time.sleep(0.12)


def test_what_is_and_is_not_decoded_again(photos: Path, tmp_path: Path, draw_image: Callable[..., Image.Image]) -> None:
    store = tmp_path / "store.sqlite"
    settle()
    assert decoded(photos, store) == 5  # six files, two of them equal
    assert decoded(photos, store) == 0
    (photos / "1.png").rename(photos / "renamed.png")
    shutil.copy(photos / "2.png", photos / "copied.png")
    settle()
    assert decoded(photos, store) == 0
    status = (photos / "2.png").stat()
    draw_image(9).save(photos / "2.png")
    edited = (photos / "2.png").read_bytes()[: status.st_size].ljust(status.st_size, b"\0")
    (photos / "2.png").write_bytes(edited)  # as long as before
    os.utime(photos / "2.png", ns=(status.st_atime_ns, status.st_mtime_ns))  # and as old
    settle()
    assert decoded(photos, store) == 1
    assert decoded(photos, store, "phash:size=16") == 6
    assert decoded(photos, store, "phash", "reference") == 6
    assert decoded(photos, store) == 0


def test_a_file_written_just_now_is_not_trusted_by_its_time_stamp(
    tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    path = tmp_path / "a.png"
    draw_image(1).save(path)
    assert not sources.read(str(path)).settled
    settle()
    assert sources.read(str(path)).settled


def rows_of(*versions: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(versions), np.uint8).reshape(-1, 16)


def test_round_trip(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    versions = [version_of_file(1, n, 2, 3, 4) for n in range(1, 6)]
    store.put_version(versions[0], b"d" * 16)
    store.put_version(versions[1], NOT_AN_IMAGE)
    good = Result(b"code", 3, 4, "PNG", True, 7, b"pixels")
    bad = Result(None, stage="decode", error="broken")
    store.put_result(b"d" * 16, "spec", good)
    store.put_result(b"e" * 16, "spec", bad)
    store.close()
    again = Store(tmp_path / "s")
    changed = version_of_file(1, 1, 2, 9, 4)
    assert again.digests(rows_of(*versions[:3], changed)) == [b"d" * 16, NOT_AN_IMAGE, None, None]
    assert again.results([b"d" * 16, b"e" * 16, b"f" * 16], "spec") == {b"d" * 16: good, b"e" * 16: bad}
    assert again.results([b"d" * 16], "other") == {}
    info = again.info()
    assert (info.files, info.codes, info.failures, info.specs["spec"]) == (2, 1, 1, 2)
    again.clear()
    assert again.info().codes == 0
    again.close()


@pytest.mark.parametrize("damage", ["rubbish", "middle"])
def test_a_damaged_store_is_set_aside_and_rebuilt(photos: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "store.sqlite"
    settle()
    before = twinpix.find([photos], method="phash:size=16", store=path)
    data = bytearray(path.read_bytes())
    if damage == "rubbish":
        data[100:] = b"this is no database" * 500  # after the header, which has the signature
    else:
        data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    after = twinpix.find([photos], method="phash:size=16", store=path)
    assert after.groups == before.groups
    assert any("it was renamed to" in note for note in after.notes)
    assert list(tmp_path.glob("store.sqlite.damaged-*"))
    assert not twinpix.find([photos], method="phash:size=16", store=path).notes


def test_a_store_that_cannot_be_created_is_reported(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"):
        twinpix.find([photos], method="phash:size=16", store=tmp_path / "file" / "store")


def test_several_processes_at_once(photos: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    command = [
        sys.executable,
        "-m",
        "twinpix",
        "find",
        "--method=phash:size=16",
        str(photos),
        "--store",
        str(store),
        "--format",
        "fdupes",
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    outputs = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * 4, outputs
    assert len({out for out, _ in outputs}) == 1


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_run_loses_seconds(many: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    command = [
        sys.executable,
        "-c",
        SLOW_COMMAND,
        "find",
        "--method=phash:size=16",
        str(many),
        "--store",
        str(store),
        "--workers",
        "1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None and held(store) < 10:
        time.sleep(0.05)
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()
    kept = held(store)
    assert kept >= 10
    assert decoded(many, store, "phash:size=16") <= MANY - kept


@pytest.mark.parametrize("kind", ["photo", "database", "notes"])
def test_a_file_that_is_not_a_store_is_not_changed(photos: Path, tmp_path: Path, kind: str) -> None:
    path = {"photo": photos / "1.png", "database": tmp_path / "other.sqlite", "notes": tmp_path / "notes.txt"}[kind]
    if kind == "database":
        other = sqlite3.connect(path)
        other.executescript("CREATE TABLE files(name); INSERT INTO files VALUES('mine'); PRAGMA user_version=7")
        other.close()
    elif kind == "notes":
        path.write_text("my notes")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="no twinpix store"):
        twinpix.find([photos], method="phash:size=16", store=path)
    assert path.read_bytes() == before
    assert [name for name in os.listdir(path.parent) if "damaged" in name] == []


def test_a_cleared_store_does_not_mix_up_specs(tmp_path: Path) -> None:
    ours, theirs = Store(tmp_path / "s"), Store(tmp_path / "s")
    ours.results([b"d" * 16], "first")
    theirs.clear()
    theirs.put_result(b"d" * 16, "second", Result(b"second"))
    theirs.flush()
    ours.put_result(b"d" * 16, "first", Result(b"first"))
    ours.flush()
    assert theirs.results([b"d" * 16], "second")[b"d" * 16].code == b"second"
    assert theirs.results([b"d" * 16], "first")[b"d" * 16].code == b"first"
    ours.close()
    theirs.close()


def test_a_missing_library_is_not_stored_as_a_failure(tmp_path: Path, draw_image: Callable[..., Image.Image]) -> None:
    pytest.importorskip("pillow_jxl")
    draw_image(1).save(tmp_path / "a.jxl")
    settle()
    blocked = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['pillow_jxl'] = None\n" + RUN.format(str(tmp_path))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "pip install 'twinpix[formats]'" in blocked.stdout
    allowed = subprocess.run(
        [sys.executable, "-c", RUN.format(str(tmp_path))], capture_output=True, text=True, check=True
    )
    assert allowed.stdout == "1 []\n"


RUN = """
import twinpix
found = twinpix.find({0!r}, store={0!r} + "/store")
print(found.counts.images, [f.error for f in found.failures])
"""


@pytest.mark.parametrize("known", [1000, 0])
def test_a_known_content_is_not_decoded_again(
    known: int, tmp_path: Path, draw_image: Callable[..., Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known digests are passed along with files of their size; if there are too many, the digest is computed first."""
    monkeypatch.setattr(encoder, "_KNOWN_OF_A_SIZE", known)
    draw_image(1).save(tmp_path / "a.bmp")
    draw_image(2).save(tmp_path / "b.bmp")  # of the same size
    store = tmp_path / "store"
    assert decoded(tmp_path, store) == 2
    shutil.copy(tmp_path / "a.bmp", tmp_path / "c.bmp")
    draw_image(3).save(tmp_path / "d.bmp")
    assert decoded(tmp_path, store) == 1
    assert decoded(tmp_path, store) == 0


def test_a_store_of_layout_3_is_migrated(tmp_path: Path, draw_image: Callable[..., Image.Image]) -> None:
    """Early stores of layout 3 had no table of sizes; neither a known file nor a copy of it is decoded again."""
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.png"
    draw_image(1).save(path)
    settle()
    assert decoded(tmp_path / "in", tmp_path / "store") == 1
    status = path.stat()
    with closing(sqlite3.connect(tmp_path / "store")) as db, db:
        (digest,) = db.execute("SELECT digest FROM versions").fetchone()
        for table in ("sizes", "versions"):
            db.execute(f"DROP TABLE {table}")
        db.execute("CREATE TABLE files(device, inode, size, mtime, ctime, digest, PRIMARY KEY(device, inode))")
        stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        db.execute("INSERT INTO files VALUES(?,?,?,?,?,?)", (*stamp, digest))
        db.execute("PRAGMA user_version=3")
    shutil.copy(path, tmp_path / "in" / "b.png")
    with closing(Store(tmp_path / "store")) as store:
        assert store.digests(sources.scan([str(path)]).refs.versions) == [digest]
        assert not store.notes
    assert decoded(tmp_path / "in", tmp_path / "store") == 0


def test_a_removed_file_does_not_prevent_reading_its_copy(
    tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    draw_image(1).save(tmp_path / "a.png")
    shutil.copy(tmp_path / "a.png", tmp_path / "b.png")
    settle()
    store = Store(tmp_path / "store")
    listing = sources.scan([str(tmp_path / "a.png"), str(tmp_path / "b.png")])
    Encoder(session_of(store), [fingerprints.make("phash")]).encode(listing.refs)
    (tmp_path / "a.png").unlink()
    coder = Encoder(session_of(store), [fingerprints.make("dhash")])
    gone, there = coder.encode(listing.refs)
    store.close()
    assert gone == NOT_AN_IMAGE
    assert coder.result(there).code is not None
    assert [failure.path for failure in coder.failures] == [str(tmp_path / "a.png")]


def test_a_store_that_cannot_be_written_does_not_end_the_run(photos: Path, tmp_path: Path) -> None:
    settle()
    path = tmp_path / "store"
    Store(path).close()
    reader = sqlite3.connect(path, isolation_level=None)

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    done = subprocess.run(
        [sys.executable, "-m", "twinpix", "find", "-m", "phash:size=16", str(photos), "--store", str(path)],
        capture_output=True, text=True, preexec_fn=no_room, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    reader.close()
    assert (done.returncode, "1 group of copies" in done.stdout) == (0, True), done.stderr


# -- exclusions by users


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate home for each test, with the default store and the data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


PAIR = (b"a" * 16, b"b" * 16)


def test_not_duplicates_outlive_the_cache(places: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store = Store(default_path())
    store.put_exclusions([PAIR])
    store.close()
    shutil.rmtree(places / "cache")
    assert run(["store", "info"]) == 0
    assert "1 pair marked as not duplicates" in capfd.readouterr().out
    assert run(["store", "clear"]) == 0
    store = Store(default_path())
    assert store.exclusions() == [PAIR]
    store.clear(exclusions=True)
    assert (store.exclusions(), store.notes) == ([], [])
    store.close()


def test_exclusions_of_an_older_version_in_the_cache_are_moved(places: Path) -> None:
    (places / "cache/twinpix").mkdir(parents=True)
    older = Store(places / "s")
    older.put_exclusions([PAIR])
    older.close()
    shutil.copy(places / "s", default_path())
    Store(default_path()).close()
    shutil.rmtree(places / "cache")
    store = Store(default_path())
    assert store.exclusions() == [PAIR]
    store.close()


def test_not_duplicates_are_carried_to_another_machine(places: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = Store(places / "first")
    first.put_exclusions([PAIR])
    first.close()
    out, other = str(places / "pairs.json"), str(places / "other")
    assert run(["store", "export", out, "--store", str(places / "first")]) == 0
    assert run(["store", "import", out, "--store", other]) == 0
    assert run(["store", "import", out, "--store", other]) == 0
    capfd.readouterr()
    assert run(["store", "export", "-", "--store", other]) == 0
    assert capfd.readouterr().out == (places / "pairs.json").read_text()
    for text in ("", "[]", "{}", '{"schema": "twinpix.not-duplicates/1", "pairs": [["zz", "00"]]}', "\xff"):
        (places / "bad.json").write_text(text)
        assert run(["store", "import", str(places / "bad.json"), "--store", other]) == 2
    (places / "photo.json").write_text("mine")
    assert run(["store", "export", str(places / "photo.json"), "--store", other]) == 2
    assert (places / "photo.json").read_text() == "mine"


def test_file_systems_that_make_inode_numbers_up() -> None:
    table = b"""36 35 0:52 / /mnt/a rw,nosuid shared:1 - fuse.archivemount archivemount rw,user_id=0
37 35 0:53 / /mnt/b rw - fuse.mergerfs a:b rw
38 35 8:1 / / rw - ext4 /dev/sda1 rw
39 35 0:54 / /mnt/c rw - cifs //a/b rw,vers=3,noserverino
40 35 8:2 / /mnt/d rw - fuseblk /dev/sdb1 rw
41 35 0:55 / /mnt/e\\040f rw - fuse ratarmount rw
"""
    assert set(mounts._fleeting(table)) == {os.makedev(0, minor) for minor in (52, 54, 55)}


def test_time_stamps_are_not_trusted_where_inode_numbers_do_not_last(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle()
    twinpix.find([photos], method="phash:size=16", store=tmp_path / "s")
    settle()
    monkeypatch.setattr(mounts, "fleeting_devices", lambda: frozenset({photos.stat().st_dev}))
    path = photos / "1.png"
    old, store = path.stat(), Store(tmp_path / "s")
    version = sources.read(str(path)).version
    (known,) = store.digests(rows_of(version))
    assert known
    store.put_version(version, b"x" * 16)  # of another archive
    store.close()
    found = twinpix.find([photos], method="phash:size=16", store=tmp_path / "s")
    assert old.st_ino == path.stat().st_ino
    digests = {m.digest for g in found.groups for m in g.members} | {u.digest for u in found.unique or ()}
    assert known.hex() in digests
    assert (b"x" * 16).hex() not in digests
