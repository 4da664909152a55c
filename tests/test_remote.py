"""Images in object stores and on web servers: real servers on loopback, that also fail."""

import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import commands
import twinpix
from drawings import draw
from servers import s3_server
from twinpix import sources
from twinpix.cli.app import run
from twinpix.errors import ImageError
from twinpix.model import Report
from twinpix.sources import fetched, storage
from twinpix.sources.credentials import private_url, show_url
from twinpix.sources.kinds import tar
from twinpix.versions import UNKNOWN

pytest.importorskip("fsspec")


def encoded(image: Image.Image, form: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def images() -> dict[str, bytes]:
    first, second, third = (draw("scene", seed, (400, 300)) for seed in (1, 2, 3))
    return {
        "a/first.png": encoded(first, "PNG"),
        "a/again.png": encoded(first, "PNG"),
        "b/first.jpg": encoded(first, "JPEG", quality=80),
        "b/second.png": encoded(second, "PNG"),
        "b/half.jpg": encoded(second.resize((200, 150)), "JPEG", quality=85),
        "third.png": encoded(third, "PNG"),
        "broken.jpg": encoded(third, "JPEG")[:900],
        "notes.txt": b"no image",
    }


@pytest.fixture(scope="module")
def folder(images: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("folder")
    for name, data in images.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def groups_of(report: Report, root: str) -> list[tuple[str, set[str], set[str]]]:
    """Keepers, members and relations, by the names below `root`."""

    def inside(name: str) -> str:
        return name.removeprefix(root).strip("/")

    return sorted(
        (inside(group.keeper), {inside(m.path) for m in group.members}, {m.relation for m in group.matches})
        for group in report.groups
    )


# -- S3 ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3(images: dict[str, bytes]) -> Iterator[Any]:
    """An S3 server with the images in the bucket `photos`; the file system that writes to it."""
    with s3_server() as fs:
        fs.mkdir("photos")
        for name, data in images.items():
            fs.pipe_file(f"photos/{name}", data)
        yield fs


@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_a_bucket_gives_the_groups_of_a_folder(s3: Any, folder: Path, method: str) -> None:
    inside = twinpix.find("s3://photos", method=method, store=None, workers=1)
    local = twinpix.find(folder, method=method, store=None, workers=1)
    assert groups_of(inside, "s3://photos") == groups_of(local, str(folder))
    assert len(inside.groups) == 2
    assert [(f.path, f.stage) for f in inside.failures] == [("s3://photos/broken.jpg", "decode")]
    assert inside.counts.other_files == 1
    assert inside.counts.discards == 0  # nothing in a store is removed


def test_a_second_run_reads_no_object(s3: Any, tmp_path: Path) -> None:
    def read_again(store: Path) -> int:
        seen: list[int] = []
        twinpix.find(
            "s3://photos",
            store=store,
            workers=1,
            progress=lambda stage, done, total: seen.append(done) if stage == "read" else None,
        )
        return max(seen, default=0)

    assert read_again(tmp_path / "store") == 8
    assert read_again(tmp_path / "store") == 0


def test_a_replaced_object_is_read_again(s3: Any, images: dict[str, bytes], tmp_path: Path) -> None:
    s3.pipe_file("photos/more/x.png", images["third.png"])
    one = twinpix.find("s3://photos/more", store=tmp_path / "store", workers=1)
    s3.pipe_file("photos/more/x.png", images["b/second.png"])
    two = twinpix.find("s3://photos/more", store=tmp_path / "store", workers=1)
    s3.rm_file("photos/more/x.png")
    assert [u.digest for u in one.unique or ()] != [u.digest for u in two.unique or ()]


def test_a_pattern_and_one_object(s3: Any) -> None:
    report = twinpix.find("s3://photos/*/first.*", method="phash:size=16", store=None, workers=1)
    assert [{m.path for m in g.members} for g in report.groups] == [
        {"s3://photos/a/first.png", "s3://photos/b/first.jpg"}
    ]
    assert twinpix.find("s3://photos/third.png", store=None, workers=1).counts.images == 1
    compared = twinpix.compare("s3://photos/b/second.png", "s3://photos/b/half.jpg")
    assert compared.relation == "resized"


def test_an_archive_in_a_bucket(s3: Any, images: dict[str, bytes], folder: Path) -> None:
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in images.items():
            archive.writestr(name, data)
    s3.pipe_file("shards/part-0.zip", packed.getvalue()) if s3.exists("shards") else (
        s3.mkdir("shards"),
        s3.pipe_file("shards/part-0.zip", packed.getvalue()),
    )
    local = twinpix.find(folder, store=None, workers=1)
    for path in ("s3://shards/part-0.zip", "s3://shards", "s3://shards/part-{0..0}.zip"):
        report = twinpix.find(path, store=None, workers=1)
        renamed = [
            (k.removesuffix("::s3:"), members, relations)
            for k, members, relations in (
                (
                    g.keeper.removeprefix("zip://").partition("::")[0],
                    {m.path.removeprefix("zip://").partition("::")[0] for m in g.members},
                    {m.relation for m in g.matches},
                )
                for g in report.groups
            )
        ]
        assert sorted(renamed) == groups_of(local, str(folder))


def test_a_missing_bucket_and_object_are_failures_in_words(s3: Any) -> None:
    for url in ("s3://no-such-bucket", "s3://photos/none.jpg"):
        report = twinpix.find(url, store=None, workers=1)
        assert [(f.path, f.stage, f.error) for f in report.failures] == [(url, "list", "no such object; check the URL")]


def test_a_missing_shard_of_a_range_is_a_failure(s3: Any, images: dict[str, bytes]) -> None:
    report = twinpix.find("s3://photos/b/{first,x}.jpg", store=None, workers=1)
    assert report.counts.images == 0  # no range: numbers only
    for number in (0, 2):
        s3.pipe_file(f"photos/many/{number:03}.png", images["third.png"])
    report = twinpix.find("s3://photos/many/{000..002}.png", store=None, workers=1)
    s3.rm("photos/many", recursive=True)
    assert report.counts.images == 2
    assert [f.path for f in report.failures] == ["s3://photos/many/001.png"]


def test_no_action_changes_an_object(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    assert run(["find", "s3://photos", "--no-store", "-o", str(report)]) in (0, 1)
    before = s3.find("photos")
    capsys.readouterr()
    run(["resolve", str(report), "--trash", "--apply"])
    assert s3.find("photos") == before
    out = capsys.readouterr()
    assert out.err == ""
    assert "key-of-the-test" not in report.read_text(encoding="utf-8")
    assert "secret-of-the-test" not in report.read_text(encoding="utf-8")


def test_no_thread_is_left_after_a_listing(s3: Any) -> None:
    """With a second thread workers are not forked: each needs a second, and reads the indexes of archives again."""
    script = (
        "import sys, threading, twinpix\n"
        "report = twinpix.find('s3://photos', store=None, workers=1)\n"
        "assert len(report.groups) == 2, report.failures\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert twinpix.find('s3://photos', store=None, workers=1).groups == report.groups\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_thread_of_the_users_program_stays(s3: Any) -> None:
    """The fixture has started it, by `s3fs` in this process."""
    from fsspec import asyn

    before = asyn.iothread[0]
    assert before is not None
    twinpix.find("s3://photos/a", store=None, workers=1)
    assert asyn.iothread[0] is before
    assert s3.exists("photos/third.png")


# -- HTTP ----------------------------------------------------------------------------------------------


class _Server(ThreadingHTTPServer):
    def __init__(self, images: dict[str, bytes]) -> None:
        self.images, self.failing, self.asked = images, dict[str, int](), list[str]()
        self.fetched = 0
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    """Serves the images; `server.failing` says how often a path fails first, and its name says how."""

    server: _Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path, _, query = self.path.partition("?")
        self.server.asked.append(self.path)
        self.server.fetched += body
        kind, _, name = path.strip("/").partition("/")
        data = self.server.images.get(name)
        if kind in ("nginx", "apache") and path.endswith("/"):
            data = self._page(kind, name + "/" if name else "")
        if kind == "signed" and query != "signature=s3cr3t":
            self.send_error(403)
            return
        if data is None:
            self.send_error(404)
            return
        left = self.server.failing.get(path, 0)
        if body and left:
            self.server.failing[path] = left - 1
            if kind == "busy":
                self.send_error(503)
                return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{hash(data):x}"')
        if path.endswith("/"):
            self.send_header("Content-Type", "text/html")
        self.end_headers()
        if body:
            self.wfile.write(data[: len(data) // 2] if left and kind == "cut" else data)

    def _page(self, kind: str, folder: str) -> bytes | None:
        """Return the page that this server shows for a folder; None if there is no such folder."""
        below = [name.removeprefix(folder) for name in self.server.images if name.startswith(folder)]
        links = sorted({f"{name.split('/')[0]}/" if "/" in name else name for name in below})
        if kind == "nginx":
            links += ["../", "./", f"/{kind}/gone.png", f"http://127.0.0.2/{kind}/other.png"]
        else:  # an absolute link to the folder above, and links to the page in another order
            links += ["/" + f"{kind}/{folder}".rstrip("/").rpartition("/")[0] + "/", "?C=N;O=D", "?C=M;O=A"]
        if not folder:
            links.append("gone.png")
        text = "".join(f'<a href="{link}">{link}</a>' for link in links)
        return f"<html><body>{text}</body></html>".encode() if below else None

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web(images: dict[str, bytes]) -> Iterator[_Server]:
    pytest.importorskip("aiohttp")
    server = _Server(images)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def url(server: _Server, kind: str, name: str) -> str:
    return f"http://127.0.0.1:{server.server_port}/{kind}/{name}"


def test_images_of_a_web_server(web: _Server) -> None:
    names = [url(web, "ok", name) for name in ("a/first.png", "b/first.jpg", "third.png", "none.png")]
    report = twinpix.find(names, method="phash:size=16", store=None, workers=1)
    assert [{m.path for m in g.members} for g in report.groups] == [set(names[:2])]
    assert [(f.path, f.stage) for f in report.failures] == [(names[3], "list")]


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_the_pages_of_a_web_server_are_followed(web: _Server, kind: str, folder: Path) -> None:
    """Each page once, never one above the folder; images have their sizes, which decide about the keeper."""
    report = twinpix.find(url(web, kind, ""), method="phash:size=16", store=None, workers=1)
    local = twinpix.find(folder, method="phash:size=16", store=None, workers=1)
    at = len(url(web, kind, ""))
    assert report.counts.images == local.counts.images == len(web.images) - 2
    assert report.counts.bytes == local.counts.bytes
    assert [[(m.path[at:], m.size) for m in g.members] for g in report.groups] == [
        [(os.path.relpath(m.path, folder), m.size) for m in g.members] for g in local.groups
    ]
    assert [f.path[at:] for f in report.failures] == ["broken.jpg", "gone.png"]
    pages = [path for path in web.asked if path.endswith("/")]
    assert sorted(pages) == sorted(f"/{kind}/{name}" for name in ("", "a/", "b/"))


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.png", {"third.png", "gone.png"}),
        ("*/*.jpg", {"b/first.jpg", "b/half.jpg"}),
        ("b/*", {"b/first.jpg", "b/second.png", "b/half.jpg"}),
        ("**/*.jpg", {"broken.jpg", "b/first.jpg", "b/half.jpg"}),
    ],
)
def test_a_pattern_of_a_web_server(web: _Server, pattern: str, names: set[str]) -> None:
    found = storage.list_objects(url(web, "nginx", pattern))
    assert isinstance(found, list)
    assert [uri for uri, _ in found] == sorted(url(web, "nginx", name) for name in names)


def test_what_went_wrong_with_a_web_server_is_said(web: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/a.tar"
        said = {
            closed: "the store does not answer: no connection",
            url(web, "signed", "third.png"): "permission denied; check the credentials",
            url(web, "ok", "none.png"): "no such object; check the URL",
            url(web, "nginx", "none/"): "no such object; check the URL",
        }
        assert run(["find", *said, "--no-store"]) == 11
    out, err = capsys.readouterr()
    for name, why in said.items():
        assert f"  {name}: {why}\n" in out
    assert "no image was compared" in err


def test_an_image_is_fetched_once(web: _Server) -> None:
    """Codes, verification, evidence and digests need it, each in other processes."""
    names = [
        url(web, "ok", name) for name in ("a/first.png", "a/again.png", "b/first.jpg", "b/second.png", "b/half.jpg")
    ]
    report = twinpix.find(names, store=None, workers=2)
    assert len(report.groups) == 2
    assert web.fetched == len(names)


def test_fetched_images_are_removed_and_bounded(
    web: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: dict[str, bytes]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = tmp_path / f"twinpix-fetched-{2**22 + 1}-x"  # of a process that cannot exist
    gone.mkdir()
    mine = tmp_path / f"twinpix-fetched-{os.getpid()}-x"
    mine.mkdir()
    name = url(web, "ok", "third.png")
    with fetched.keep_fetched():
        assert not gone.exists()
        for _ in range(2):
            assert sources.read(name).data == images["third.png"]
        assert web.fetched == 1
        monkeypatch.setattr(fetched, "LARGEST", 10)
        for _ in range(2):
            assert sources.read(url(web, "ok", "b/second.png")).data == images["b/second.png"]
        assert web.fetched == 3
    assert [path.name for path in tmp_path.iterdir()] == [mine.name]


@pytest.mark.parametrize("kind", ["busy", "cut"])
def test_a_request_that_fails_twice_is_repeated(
    web: _Server, kind: str, images: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_PAUSE", 0.01)
    name = url(web, kind, "third.png")
    web.failing[f"/{kind}/third.png"] = 2
    assert sources.read(name).data == images["third.png"]


@pytest.mark.parametrize("kind", ["busy", "cut"])
def test_a_request_that_always_fails_is_an_error_in_words(
    web: _Server, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_PAUSE", 0.01)
    web.failing[f"/{kind}/third.png"] = 1000
    with pytest.raises(ImageError, match=r"the store does not answer|connection was lost") as raised:
        sources.read(url(web, kind, "third.png"))
    assert not raised.value.lasting
    assert "127.0.0.1" not in str(raised.value)


def test_credentials_in_a_url_are_used_and_never_shown(web: _Server, tmp_path: Path) -> None:
    at = f"http://user:pass@127.0.0.1:{web.server_port}"
    good, wrong = f"{at}/signed/third.png?signature=s3cr3t", f"{at}/signed/third.png?signature=s3cr3t2"
    out, store = tmp_path / "r.json", tmp_path / "store"
    paths = (good, wrong, url(web, "ok", "b/second.png"))
    printed = commands.run("find", *paths, "--store", store, "-o", out, "-v")
    report = out.read_text(encoding="utf-8")
    assert [len(json.loads(report)[name]) for name in ("unique", "failures")] == [2, 1]
    for text in (report, printed.stdout, printed.stderr, store.read_bytes().decode("latin-1")):
        assert "s3cr3t" not in text
        assert "pass@" not in text
    assert any("signature=s3cr3t" in asked for asked in web.asked)


def test_urls_that_differ_in_their_query_are_two_images() -> None:
    one, two = show_url("https://a.org/image?id=1"), show_url("https://a.org/image?id=2")
    assert one != two
    assert (private_url(one), private_url(two)) == ("https://a.org/image?id=1", "https://a.org/image?id=2")
    assert show_url(one) == one
    assert show_url("photos/a?b.jpg") == "photos/a?b.jpg"
    assert show_url("https://user:pass@a.org/x.jpg") == "https://a.org/x.jpg"


def test_missing_credentials_are_an_error_in_words(tmp_path: Path) -> None:
    pytest.importorskip("s3fs")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    script = "import twinpix; print(twinpix.find('s3://bucket/a.jpg', store=None).failures[0].error)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=plain | nowhere)
    assert done.stdout == "no credentials were found; set those of the store's library, such as AWS_PROFILE\n"


def test_an_unknown_scheme_and_a_missing_library_are_failures_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    report = twinpix.find("nothing://a/b.jpg", store=None, workers=1)
    assert "nothing:// cannot be read" in report.failures[0].error
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    report = twinpix.find("s3://a/b.jpg", store=None, workers=1)
    assert report.failures[0].error == "s3:// needs fsspec; install twinpix[s3]"


def test_requests_overlap(web: _Server) -> None:
    """Forty images of a server that takes 50 ms to answer: many are asked for at the same time."""
    lock, running, most = threading.Lock(), [0], [0]

    class Slow(_Handler):
        def _answer(self, *, body: bool) -> None:
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            time.sleep(0.05)
            with lock:
                running[0] -= 1
            super()._answer(body=body)

    web.RequestHandlerClass = Slow
    names = [url(web, "ok", "third.png")] + [url(web, "ok", f"../ok/third.png?n={n}") for n in range(39)]
    found = list(sources.read_each(show_url(name) for name in names))
    assert all(not isinstance(content, ImageError) for content in found)
    assert most[0] >= 8


def test_unchanged_shards_are_not_read_again(s3: Any, images: dict[str, bytes], tmp_path: Path) -> None:
    """Neither the images nor the headers of a tar archive in a store; a shard that was replaced is."""
    import tarfile

    def packed(*names: str) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = len(images[name])
                archive.addfile(info, io.BytesIO(images[name]))
        return out.getvalue()

    opened: list[str] = []
    real = storage.open_file

    def noting(location: str, version: bytes = UNKNOWN) -> Any:
        opened.append(location)
        return real(location, version)

    s3.mkdir("listed")
    s3.pipe_file("listed/a.tar", packed("a/first.png", "third.png"))
    s3.pipe_file("listed/b.tar", packed("b/second.png"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tar, "open_file", noting)
        for archives in (["s3://listed/a.tar", "s3://listed/b.tar"], [], ["s3://listed/b.tar"]):
            opened.clear()
            for cached in (tar._index, tar._open, tar._compression):
                cached.cache_clear()
            report = twinpix.find("s3://listed", store=tmp_path / "store", workers=1)
            assert report.counts.images == 3
            assert sorted(set(opened)) == archives
            if not archives:
                s3.pipe_file("listed/b.tar", packed("b/half.jpg"))
    assert "tar://b/half.jpg::s3://listed/b.tar" in {unique.path for unique in report.unique or ()}
