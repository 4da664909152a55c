"""Listing files: skipped files, followed links, and names of every kind."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twinpix.errors import ImageError, UsageError
from twinpix.sources import names_from, read, scan

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX file system")


def touch(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def found(folder: Path, *paths: Path, **options: Any) -> list[str]:
    return [os.path.relpath(ref.uri, folder) for ref in scan([str(p) for p in paths or (folder,)], **options).refs]


def test_folders_are_listed_in_order_and_hidden_ones_skipped(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/c.jpg", ".git/d.jpg", "@eaDir/e.jpg", ".hidden.jpg", "a/.cache/f.jpg", "z"):
        touch(tmp_path / name)
    assert found(tmp_path) == ["a/c.jpg", "b.jpg", "z"]
    assert found(tmp_path, recursive=False) == ["b.jpg", "z"]
    assert len(found(tmp_path, hidden=True)) == 7


def test_a_file_given_twice_is_listed_once(tmp_path: Path) -> None:
    file = touch(tmp_path / "a.jpg")
    listing = scan([str(file), str(tmp_path), str(file)])
    assert [ref.uri for ref in listing.refs] == [str(file)]
    assert listing.links == 0


@needs_posix
def test_symbolic_links(tmp_path: Path) -> None:
    touch(tmp_path / "in/a.jpg")
    touch(tmp_path / "out/b.jpg")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/other").symlink_to(tmp_path / "out")
    (tmp_path / "in/0.jpg").symlink_to(tmp_path / "in/a.jpg")
    (tmp_path / "in/far.jpg").symlink_to(tmp_path / "out/b.jpg")
    (tmp_path / "in/gone.jpg").symlink_to(tmp_path / "nowhere")
    plain = scan([str(tmp_path / "in")])
    assert [(os.path.basename(r.uri), r.link) for r in plain.refs] == [("a.jpg", False), ("far.jpg", True)]
    assert (plain.folder_links, plain.links) == (2, 1)
    assert [(os.path.basename(f.path), f.stage) for f in plain.failures] == [("gone.jpg", "list")]
    followed = scan([str(tmp_path / "in")], follow_links=True)
    assert [(os.path.basename(r.uri), r.link) for r in followed.refs] == [("a.jpg", False), ("far.jpg", True)]
    (tmp_path / "in/far.jpg").unlink()
    reached = scan([str(tmp_path / "in")], follow_links=True).refs
    assert [(os.path.relpath(r.uri, tmp_path), r.link) for r in reached] == [
        ("in/a.jpg", False),
        ("in/other/b.jpg", True),
    ]
    both = scan([str(tmp_path / "in"), str(tmp_path / "out")], follow_links=True).refs
    assert [(os.path.relpath(r.uri, tmp_path), r.link) for r in both] == [("in/a.jpg", False), ("out/b.jpg", False)]


@needs_posix
def test_hard_links_are_one_file(tmp_path: Path) -> None:
    os.link(touch(tmp_path / "b.jpg"), tmp_path / "a.jpg")
    listing = scan([str(tmp_path)])
    assert [os.path.basename(ref.uri) for ref in listing.refs] == ["a.jpg"]
    assert listing.links == 1


@needs_posix
def test_files_in_both_belong_to_the_reference(tmp_path: Path) -> None:
    touch(tmp_path / "ref/a.jpg")
    listing = scan([str(tmp_path)], [str(tmp_path / "ref")])
    assert [(os.path.basename(ref.uri), ref.reference) for ref in listing.refs] == [("a.jpg", True)]


@needs_posix
def test_pipes_sockets_and_devices(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tmp_path)  # socket paths are short
        server.bind("socket.jpg")
        listing = scan([str(tmp_path), "/dev/null"])
    reasons = {os.path.basename(f.path): f.error for f in listing.failures}
    assert reasons == {
        "pipe.jpg": "a named pipe, not a regular file",
        "socket.jpg": "a socket, not a regular file",
        "null": "a device, not a regular file",
    }
    assert listing.other_files == 1
    with pytest.raises(ImageError, match="named pipe"):
        read(str(tmp_path / "pipe"))  # does not wait for a writer


@pytest.mark.skipif(sys.platform != "linux", reason="other systems forbid such names")
def test_names_of_any_bytes_and_long_paths(tmp_path: Path) -> None:
    names = [b"space here.jpg", b"line\nbreak.jpg", b"\xff\xfe latin.jpg", "schön 写真.jpg".encode()]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(b"x")
    deep = str(tmp_path)
    while len(deep) < 3700:
        deep = os.path.join(deep, "d" * 200)
    os.makedirs(deep)
    long = os.path.join(deep, "e" * (4000 - len(deep) - 5) + ".jpg")
    Path(long).write_bytes(b"x")
    assert len(long) == 4000
    uris = [ref.uri for ref in scan([str(tmp_path)]).refs]
    assert long in uris
    assert {os.fsencode(os.path.basename(uri)) for uri in uris} >= set(names)
    assert all(os.path.exists(uri) for uri in uris)


def test_an_unreachable_folder_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network folder that is no longer available; a broken link and a file that is not an image are other files."""
    for name in ("away", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_bytes(b"x")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    stat = os.stat

    def fails(path: Any, **options: Any) -> os.stat_result:
        if os.fspath(path) == str(tmp_path / "away"):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return stat(path, **options)

    monkeypatch.setattr("twinpix.sources.listing.os.stat", fails)
    listing = scan([str(tmp_path)])
    assert [ref.uri for ref in listing.refs] == [str(tmp_path / "there" / "a.jpg")]
    assert [(failure.path, failure.stage) for failure in listing.failures] == [(str(tmp_path / "away"), "list")]
    assert listing.other_files == 2


def test_lists_of_names(tmp_path: Path) -> None:
    lines, nul = tmp_path / "lines", tmp_path / "nul"
    lines.write_bytes(b"a.jpg\r\n\nb c.jpg\n\xff.jpg")
    nul.write_bytes(b"a.jpg\0line\nbreak.jpg\0")
    assert names_from(str(lines)) == ["a.jpg", "b c.jpg", os.fsdecode(b"\xff.jpg")]
    assert names_from(str(nul)) == ["a.jpg", "line\nbreak.jpg"]
    with pytest.raises(UsageError, match="no such file"):
        names_from(str(tmp_path / "missing"))


def test_an_invalid_list_is_refused(tmp_path: Path) -> None:
    long, empty = tmp_path / "long", tmp_path / "empty"
    long.write_bytes(b"a.jpg\n" + (1 << 21) * b"x")
    empty.write_bytes((3 << 20) * b"\0")
    for path, words in ((long, "line of more than 64 kB"), (empty, "no names")):
        with pytest.raises(UsageError, match=words):
            names_from(str(path))
    names = tmp_path / "names"
    names.write_bytes(b"".join(b"%d.jpg\n" % n for n in range(300_000)))  # more than is read at once
    assert names_from(str(names)) == [f"{n}.jpg" for n in range(300_000)]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_list_that_never_ends_is_refused() -> None:
    assert names_from("/dev/null") == []
    with pytest.raises(UsageError, match="/dev/zero is a device, not a list"):
        names_from("/dev/zero")
    command = [sys.executable, "-m", "twinpix", "find", "-m", "phash:size=16", "--no-store", "--files-from", "-"]
    with open("/dev/zero", "rb") as zeros, subprocess.Popen(["cat"], stdin=zeros, stdout=subprocess.PIPE) as cat:
        done = subprocess.run(command, stdin=cat.stdout, capture_output=True, text=True, timeout=60)
        cat.kill()
    assert (done.returncode, "has no names" in done.stderr) == (2, True)


@pytest.mark.skipif(os.name != "posix", reason="another program appends while the file is read")
def test_a_file_that_grows_is_not_read_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1 << 20))
    grow = "import sys\nwith open(sys.argv[1], 'ab', 0) as file:\n    for _ in range(2000): file.write(bytes(1 << 20))"
    with subprocess.Popen([sys.executable, "-c", grow, str(path)]) as writer:
        while path.stat().st_size < 4 << 20:
            pass
        reason = ""
        while not reason and writer.poll() is None:
            try:
                read(str(path))
            except ImageError as error:
                reason = error.reason
        writer.kill()
    assert reason == "grew while it was read; run again"


def test_read_stops_at_the_first_bytes_of_a_non_image(tmp_path: Path) -> None:
    assert read(str(touch(tmp_path / "movie.bin", b"\0" * 5000))).data is None
    assert read(str(touch(tmp_path / "empty.bin", b""))).data is None
    with pytest.raises(ImageError, match="empty"):
        read(str(touch(tmp_path / "empty.jpg", b"")))
    with pytest.raises(ImageError, match="no such file"):
        read(str(tmp_path / "missing.jpg"))
    assert read(str(touch(tmp_path / "text.jpg", b"hello"))).data == b"hello"
