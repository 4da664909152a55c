"""Compressed archives in a store: requests are counted by an S3 server on loopback."""

import io
import os
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from servers import s3_server
from twinpix.sources import copies, fetched, storage
from twinpix.sources.fetched import keep_fetched
from twinpix.sources.kinds import tar
from twinpix.sources.kinds.tar import Tar

SHARDS = 6  # more than a process keeps decompressed
HEAD = ("GET", "bytes=0-511")  # the bytes that show whether an archive is compressed
WHOLE = ("GET", "")

Requests = list[tuple[str, str, str]]


def encoded(seed: int, size: int) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def packed(kind: str, seeds: list[int], size: int = 64) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{kind}") as archive:  # type: ignore[call-overload]
        for seed in seeds:
            data = encoded(seed, size)
            info = tarfile.TarInfo(f"{seed}.png")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Any, Requests]]:
    requests: Requests = []
    with s3_server(requests) as fs:
        fs.mkdir("shards")
        yield fs, requests


@pytest.fixture(autouse=True)
def _nothing_is_cached() -> None:
    for cached in (tar._compression, tar._decompressed, tar._index, tar._open, storage._recent_status):
        cached.cache_clear()


def asked(requests: Requests, path: str) -> Counter[tuple[str, str]]:
    """How often each range of an object was asked for; "" is the whole object."""
    return Counter((method, part) for method, at, part in requests if at == path and method == "GET")


def find(path: str, method: str, workers: int) -> None:
    """Run in a process of its own, in which no server has a thread: workers are forked, as usual."""
    script = (
        "import sys, twinpix\n"
        "found = twinpix.find(sys.argv[1], method=sys.argv[2], workers=int(sys.argv[3]), store=None)\n"
        "print(found.counts.images, len(found.groups), len(found.failures))\n"
    )
    command = [sys.executable, "-W", "error", "-c", script, path, method, str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr) == (f"{2 * SHARDS} {SHARDS - 1} 0\n", "")


@pytest.mark.parametrize(("method", "workers"), [("digest", 1), ("cascade", 1), ("cascade", 2)])
def test_a_compressed_shard_is_fetched_once(
    method: str, workers: int, server: tuple[Any, Requests], tmp_path: Path
) -> None:
    fs, requests = server
    for number in range(SHARDS):
        fs.pipe_file(f"shards/once/{number}.tar.gz", packed("gz", [number, number + 1]))
    requests.clear()
    find(f"s3://shards/once/{{0..{SHARDS - 1}}}.tar.gz", method, workers)
    for number in range(SHARDS):
        counted = asked(requests, f"/shards/once/{number}.tar.gz")
        assert counted == {WHOLE: 1, HEAD: counted[HEAD]}
        assert counted[HEAD] <= 1 + workers


def test_shards_in_a_folder_are_not_read_as_images(server: tuple[Any, Requests]) -> None:
    """Each object in a folder may be an image; of these of more than 1 MB only the first bytes are read."""
    fs, requests = server
    for number in range(SHARDS):
        data = packed("gz", [number, number + 1], 500)
        assert len(data) > storage._LARGE
        fs.pipe_file(f"shards/folder/{number}.tar.gz", data)
    requests.clear()
    find("s3://shards/folder", "digest", 1)
    for number in range(SHARDS):
        counted = asked(requests, f"/shards/folder/{number}.tar.gz")
        assert counted[WHOLE] == 1
        assert all(int(part.rpartition("-")[2]) < 4096 for _, part in counted - Counter({WHOLE: 1}))


def listed(url: str) -> dict[str, bytes | None]:
    return {entry.name: Tar().read(url, entry.name).data for entry in Tar().entries(url)}


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_copy_is_kept_within_the_bound(
    kind: str, server: tuple[Any, Requests], monkeypatch: pytest.MonkeyPatch
) -> None:
    fs, requests = server
    data = packed(kind, [1, 2])
    fs.pipe_file(f"shards/bound/{kind}", data)
    url, path = f"s3://shards/bound/{kind}", f"/shards/bound/{kind}"
    images = {f"{seed}.png": encoded(seed, 64) for seed in (1, 2)}
    for largest, whole in ((2 * len(data), 1), (2 * len(data) - 1, 0)):
        monkeypatch.setattr(fetched, "LARGEST", largest)
        requests.clear()
        with keep_fetched():
            for _ in range(2):
                assert listed(url) == images
                tar._decompressed.cache_clear()
            assert len(os.listdir(copies.folder())) == whole
        assert asked(requests, path)[WHOLE] == whole
    requests.clear()
    assert listed(url) == images  # without a folder, as in an export
    assert asked(requests, path)[WHOLE] == 0


def test_a_shard_that_was_replaced_is_fetched_again(server: tuple[Any, Requests]) -> None:
    fs, requests = server
    url = "s3://shards/replaced.tar.gz"
    with keep_fetched():
        for seeds in ([1, 2], [3]):
            fs.pipe_file("shards/replaced.tar.gz", packed("gz", seeds))
            fs.invalidate_cache()
            storage._recent_status.cache_clear()
            assert list(listed(url)) == [f"{seed}.png" for seed in seeds]
    assert asked(requests, "/shards/replaced.tar.gz")[WHOLE] == 2


def test_without_its_folder_a_shard_is_read_in_parts(server: tuple[Any, Requests]) -> None:
    """The user, or a program that cleans the folder for temporary files, may remove it during the run."""
    fs, requests = server
    fs.pipe_file("shards/unwritten.tar.gz", packed("gz", [1, 2]))
    with keep_fetched():
        os.rmdir(copies.folder())
        assert list(listed("s3://shards/unwritten.tar.gz")) == ["1.png", "2.png"]
    assert asked(requests, "/shards/unwritten.tar.gz")[WHOLE] == 0


def test_the_status_of_an_object_is_the_same_in_a_listing(server: tuple[Any, Requests]) -> None:
    """Otherwise an archive would be indexed or decompressed again after it was listed."""
    fs, _ = server
    fs.pipe_file("shards/status/a.tar", b"x")
    ((name, status),) = storage.list_objects("s3://shards/status")  # type: ignore[misc]
    fs.invalidate_cache()
    assert storage.status_of(name) == status
