"""The store: what is not decoded again, what always is, and what a kill or damage costs."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import twinpix
from twinpix import fingerprints, sources
from twinpix.errors import StoreError
from twinpix.model import Stamp
from twinpix.pipeline.coding import Coder
from twinpix.store import NOT_AN_IMAGE, Result, Store


def decoded(folder: Path, store: Path, method: str = "phash", decode: str = "fast") -> int:
    """How many contents a run decodes."""
    opened = Store(store)
    coder = Coder(opened, (fingerprints.make(method),), "fast" if decode == "fast" else "reference", workers=1)
    coder.code(sources.scan([str(folder)]).refs)
    opened.close()
    return coder.decoded


def settle() -> None:
    """Wait until a file's time stamp is old enough to be trusted."""
    time.sleep(0.12)


def test_what_is_and_is_not_decoded_again(photos: Path, tmp_path: Path, picture: Callable[..., Image.Image]) -> None:
    store = tmp_path / "store.sqlite"
    settle()
    assert decoded(photos, store) == 5  # six files, two of them equal
    assert decoded(photos, store) == 0
    (photos / "1.png").rename(photos / "renamed.png")
    shutil.copy(photos / "2.png", photos / "copied.png")
    settle()
    assert decoded(photos, store) == 0
    status = (photos / "2.png").stat()
    picture(9).save(photos / "2.png")
    edited = (photos / "2.png").read_bytes()[: status.st_size].ljust(status.st_size, b"\0")
    (photos / "2.png").write_bytes(edited)  # as long as before
    os.utime(photos / "2.png", ns=(status.st_atime_ns, status.st_mtime_ns))  # and as old
    settle()
    assert decoded(photos, store) == 1
    assert decoded(photos, store, "phash:size=16") == 6
    assert decoded(photos, store, "phash", "reference") == 6
    assert decoded(photos, store) == 0


def test_a_file_written_this_instant_is_not_trusted_by_its_stamp(
    tmp_path: Path, picture: Callable[..., Image.Image]
) -> None:
    path = tmp_path / "a.png"
    picture(1).save(path)
    assert not sources.read(str(path)).settled
    settle()
    assert sources.read(str(path)).settled


def test_round_trip(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    stamps = [Stamp(1, n, 2, 3, 4) for n in range(5)]
    store.put_file(stamps[0], b"d" * 16)
    store.put_file(stamps[1], NOT_AN_IMAGE)
    good = Result(b"code", 3, 4, "PNG", True, 7, b"pixels")
    bad = Result(None, stage="decode", error="broken")
    store.put_result(b"d" * 16, "spec", good)
    store.put_result(b"e" * 16, "spec", bad)
    store.close()
    again = Store(tmp_path / "s")
    changed = stamps[0]._replace(mtime_ns=9)
    assert again.digests(np.array([*stamps[:3], changed])) == [b"d" * 16, NOT_AN_IMAGE, None, None]
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
    before = twinpix.find([photos], store=path)
    data = bytearray(path.read_bytes())
    if damage == "rubbish":
        data = bytearray(b"this is no database" * 500)
    else:
        data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    after = twinpix.find([photos], store=path)
    assert after.groups == before.groups
    assert any("set aside" in note for note in after.notes)
    assert list(tmp_path.glob("store.sqlite.damaged-*"))
    assert not twinpix.find([photos], store=path).notes


def test_a_store_that_cannot_be_made_is_said(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"):
        twinpix.find([photos], store=tmp_path / "file" / "store")


def test_several_processes_at_once(photos: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    command = [sys.executable, "-m", "twinpix", "find", str(photos), "--store", str(store), "--format", "fdupes"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    outputs = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * 4, outputs
    assert len({out for out, _ in outputs}) == 1


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_run_loses_seconds(tmp_path: Path, picture: Callable[..., Image.Image]) -> None:
    folder, store = tmp_path / "many", tmp_path / "store.sqlite"
    folder.mkdir()
    image = picture(1, (2400, 1800))
    for number in range(60):
        image.putpixel((number, 0), (255, 0, 255))
        image.save(folder / f"{number}.png", compress_level=1)
    settle()
    command = [sys.executable, "-m", "twinpix", "find", str(folder), "--store", str(store), "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None and held(store) < 20:
        time.sleep(0.05)
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()
    kept = held(store)
    assert kept >= 20
    assert decoded(folder, store, "phash:size=16") <= 60 - kept


def held(store: Path) -> int:
    if not store.exists():
        return 0
    opened = Store(store)
    try:
        return opened.info().codes
    finally:
        opened.close()
