"""Codes as a stream: the same codes as at once, rows that survive a kill, queries against them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import twinpix
from commands import run
from twinpix.errors import OutputError, UsageError
from twinpix.usecases import codes as streams
from twinpix.usecases.codes import Coded
from twinpix.usecases.hits import Hit

METHODS = ["phash", "dhash:size=16", "pdq"]


@pytest.mark.parametrize("transforms", [False, True])
def test_the_stream_equals_the_encoding(photos: Path, transforms: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 2)
    monkeypatch.setattr(streams, "_PER_WORKER", 0)
    (photos / "bad.jpg").write_text("no image")
    (photos / "notes.txt").write_text("hello")
    whole = twinpix.encode(photos, METHODS, transforms=transforms, store=None)
    rows = list(twinpix.encode_files_as_stream(photos, METHODS, transforms=transforms, store=None))
    assert [(os.path.basename(row.path), row.error) for row in rows if row.error] == [
        ("bad.jpg", "not an image that can be read")
    ]
    good = [row for row in rows if row.codes]
    for at, prints in enumerate(whole.values()):
        assert [row.path for row in good] == list(prints.refs.uris)
        assert [row.codes[at] for row in good] == [code.tobytes() for code in prints.codes]


@pytest.mark.parametrize("decode", ["fast", "reference"])
def test_images_in_memory_have_the_codes_of_their_files(photos: Path, decode: str) -> None:
    path = photos / "1.png"
    with Image.open(path) as opened:
        image = opened.convert("RGB")

    def images() -> Iterator[tuple[str, object]]:
        yield "path", path
        yield "bytes", path.read_bytes()
        yield "image", image
        yield "array", np.asarray(image)
        yield "broken", b"no image"
        yield "empty", np.zeros((0, 4, 3), np.uint8)

    rows = list(twinpix.encode_pictures(images(), METHODS, decode=decode))
    assert [bool(row.error) for row in rows] == [False] * 4 + [True] * 2
    expected = [
        prints.codes[0].tobytes() for prints in twinpix.encode(path, METHODS, decode=decode, store=None).values()
    ]
    assert [row.codes for row in rows[:4]] == [expected] * 4


def test_a_codes_file_survives_a_kill(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "codes.jsonl"
    header = twinpix.header_of(METHODS)
    rows = list(twinpix.encode_files_as_stream(photos, METHODS, store=None))
    odd = Coded("line\nbreak \udcff.jpg", [b"\0" * 8] * 3)
    assert twinpix.write_codes(str(path), header, [*rows, odd]) == 7
    again, read = twinpix.read_codes(str(path))
    assert (again, list(read)) == (header, [*rows, odd])
    path.write_bytes(path.read_bytes()[:-20])
    assert list(twinpix.read_codes(str(path))[1]) == rows

    def dies() -> Iterator[Coded]:
        yield rows[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        twinpix.write_codes(str(tmp_path / "new.jsonl"), header, dies())
    assert not (tmp_path / "new.jsonl").exists()
    assert set(os.listdir(tmp_path)) == {"codes.jsonl", "photos"}


def names(hits: list[Hit]) -> dict[str, str]:
    return {os.path.basename(hit.path): hit.relation for hit in hits}


def test_queries_against_codes(photos: Path, tmp_path: Path, draw_image: Callable[..., Image.Image]) -> None:
    path = tmp_path / "codes.jsonl"
    draw_image(0).transpose(Image.Transpose.ROTATE_90).save(photos / "0 turned.png")
    Image.new("RGB", (50, 50)).save(photos / "blank.png")
    done = run("encode", photos, "-o", path, "-m", "phash:size=16", "-m", "pdq", "-t")
    assert "8 images coded" in done.stderr
    expected = {
        "0.png": "identical-file",
        "0 same.png": "identical-file",
        "0 encoded.jpg": "re-encoded",
        "0 small.jpg": "resized",
        "0 turned.png": "rotated",
    }
    assert names(twinpix.query_codes(photos / "0.png", str(path))) == expected
    assert names(twinpix.query_codes(photos / "0.png", str(path), method="pdq")) == expected
    assert set(names(twinpix.query_codes(draw_image(0), str(path)))) == set(expected)
    assert names(twinpix.query_codes(photos / "blank.png", str(path))) == {"blank.png": "identical-file"}
    assert names(twinpix.query_codes(Image.new("L", (9, 9)), str(path))) == {}
    shown = run("query", photos / "0.png", "--codes", path)
    assert shown.stdout.count("identical-file") == 2
    for arguments in (("query", photos / "0.png"), ("query", photos / "0.png", "--codes", path, "-m", "ahash")):
        assert run(*arguments).returncode == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"method": "cascade"}, "holds codes of phash:size=16, not of cascade"),
        ({"verify": True}, "has no pixels to verify"),
        ({"exclude": ["*.png"]}, "exclude selects images"),
        ({"min_size": 1}, "min_size selects images"),
        ({"transforms": True}, "holds those of one"),
        ({"decode": "reference"}, "holds codes of the fast decode"),
    ],
)
def test_an_option_that_codes_cannot_follow_is_refused(
    options: dict[str, Any], reason: str, photos: Path, tmp_path: Path
) -> None:
    path = str(tmp_path / "codes.jsonl")
    rows = twinpix.encode_files_as_stream(photos, store=None)
    twinpix.write_codes(path, twinpix.header_of(), rows)
    assert twinpix.query_codes(photos / "0.png", path)
    with pytest.raises(UsageError, match=reason):
        twinpix.query_codes(photos / "0.png", path, **options)


def test_the_codes_of_a_named_method_are_those_of_this_method(photos: Path) -> None:
    for method, spec in ((None, "phash:size=16"), ("cascade", "cascade"), ("phash", "phash")):
        options = twinpix.Options(method=method, store=None)
        assert twinpix.header_of((), options).methods == [spec]
        (found,) = twinpix.encode(photos, options=options)
        assert found == spec


@pytest.mark.parametrize("method", ["phash:size=16", "pixels", "digest"])
def test_images_and_their_codes_have_the_same_hits(
    method: str, photos: Path, tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    """By equality, images without texture match too; by a hash they match only if they are identical."""
    path = str(tmp_path / "codes.jsonl")
    draw_image(0).transpose(Image.Transpose.ROTATE_90).save(photos / "0 turned.png")
    blank = Image.new("RGB", (50, 50), "navy")
    for name in ("blank.png", "blank 2.bmp"):
        blank.save(photos / name)
    (photos / "blank 3.png").write_bytes((photos / "blank.png").read_bytes())
    options = twinpix.Options(method=method, store=None, verify=False, transforms="size" in method)
    rows = twinpix.encode_files_as_stream(photos, [method], options)
    twinpix.write_codes(path, twinpix.header_of([method], options), rows)
    for name in ("0.png", "blank.png", "1.png"):
        hits, failures = twinpix.query(photos / name, photos, options)
        assert not failures
        own = Hit(str(photos / name), 0, "identical-file")
        found = {(hit.path, hit.distance) for hit in [own, *hits]}
        if method != "pixels" and name == "blank.png":  # a codes file has no pixel digests
            found.discard((str(photos / "blank 2.bmp"), 0))
        stored = twinpix.query_codes(photos / name, path, options)
        assert {(hit.path, hit.distance) for hit in stored} == found
        assert method != "pixels" or name != "blank.png" or len(found) == 3


@pytest.mark.parametrize("together", [1, 2, 3])
def test_a_codes_file_is_searched_to_its_last_row(
    together: int, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "codes.jsonl")
    twinpix.write_codes(file, twinpix.header_of(), twinpix.encode_files_as_stream(photos, store=None))
    hits = twinpix.query_codes(photos / "0.png", file)
    assert len(hits) == 4
    monkeypatch.setattr("twinpix.usecases.codes._TOGETHER", together)
    assert twinpix.query_codes(photos / "0.png", file) == hits


def test_files_without_codes(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "other").write_text('{"schema": "else", "methods": [], "decode": "fast", "transforms": false}\n')
    for name, words in (("text", "holds no codes"), ("other", "holds no codes"), ("none", "cannot read")):
        with pytest.raises(UsageError, match=words):
            twinpix.read_codes(str(tmp_path / name))
    twinpix.write_codes(str(tmp_path / "codes"), twinpix.header_of(), [])
    with (tmp_path / "codes").open("a") as file:
        file.write("rubbish\n")
    with pytest.raises(UsageError, match="line 2: not a row"):
        list(twinpix.read_codes(str(tmp_path / "codes"))[1])
    with pytest.raises(OutputError, match="there is no folder"):
        twinpix.write_codes(str(tmp_path / "no" / "codes"), twinpix.header_of(), [])
