"""The two scripts' command lines: remove_duplicates.py over data sets, and the deduplication of a Nutch dump."""

import json
import math
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from commands import run
from libraries import contents, tree
from twinpix import ui
from twinpix.act.lock import acting
from twinpix.compat import remove_duplicates as front_end
from twinpix.compat.imagededup.methods import CNN, DHash
from twinpix.compat.imagededup.utils.general_utils import save_json
from twinpix.compat.remove_duplicates.encoders import ENCODERS
from twinpix.compat.remove_duplicates.jsonmaps import members
from twinpix.fingerprints import cnn
from twinpix.progress import Progress

Draw = Callable[..., Image.Image]
Done = subprocess.CompletedProcess[str]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="paths are spelled as on POSIX")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a separate current folder, and no display."""
    monkeypatch.chdir(tmp_path)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND"):
        monkeypatch.delenv(name, raising=False)


def remove(*args: str | Path, dhash: bool = True) -> Done:
    done = run("remove-duplicates", *(["--encoder", "DHash"] if dhash else []), *args)
    assert "Traceback" not in done.stderr
    return done


def dedupe(*args: str | Path) -> Done:
    done = run("dedupe-dump", *args)
    assert "Traceback" not in done.stderr
    return done


def names(folder: str | Path) -> list[str]:
    return list(tree(Path(folder)))


def undo_line(done: Done) -> list[str]:
    (line,) = {line for line in done.stdout.splitlines() if line.startswith("to undo: ")}
    return shlex.split(line.partition("twinpix undo ")[1] + line.partition("twinpix undo ")[2])[1:]


@pytest.fixture
def data_set(draw_image: Draw) -> Callable[..., Path]:
    """`data_set("a", 0, 2)` draws `a/data/images/0.png` with `a/data/annotations/0.xml`, and so on."""

    def drawn(name: str, *seeds: int, folder: str = "data/images", notes: str = "data/annotations") -> Path:
        top = Path(name)
        for seed in seeds:
            (top / folder).mkdir(parents=True, exist_ok=True)
            (top / notes).mkdir(parents=True, exist_ok=True)
            draw_image(seed).save(top / folder / f"{seed}.png")
            (top / notes / f"{seed}.xml").write_text(f"<note>{name} {seed}</note>")
        return top

    return drawn


@pytest.fixture
def pictures(draw_image: Draw) -> Path:
    """The plain folder `pictures`: three images, a small copy of the first in a sub-folder, and one file twice."""
    folder = Path("pictures")
    (folder / "sub").mkdir(parents=True)
    for seed in range(3):
        draw_image(seed).save(folder / f"{seed}.png")
    draw_image(0).resize((160, 120)).save(folder / "sub" / "small.png")
    shutil.copy(folder / "1.png", folder / "same.png")
    return folder


# -- remove-duplicates: moved files


def test_a_data_set(data_set: Callable[..., Path], draw_image: Draw) -> None:
    top = data_set("set", 0, 1)
    draw_image(0).resize((160, 120)).save(top / "data/images/small.jpg")
    (top / "data/images/small.txt").write_text("beside")
    (top / "data/annotations/small.json").write_text("{}")
    before = tree(top)
    done = remove("-d", "set")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    moved = ["set/data/annotations/small.json", "set/data/images/small.jpg", "set/data/images/small.txt"]
    assert names("duplicates") == moved
    assert not any((Path(name)).exists() for name in moved)
    assert "3 files moved" in done.stdout
    assert "-> duplicates/set/data/images/small.jpg" in done.stdout
    assert "journal: duplicates.journal.jsonl" in done.stdout
    assert undo_line(done) == ["undo", "duplicates.journal.jsonl"]
    assert run(*undo_line(done)).returncode == 0
    assert tree(top) == before
    assert not Path("duplicates").exists()


def test_only_folders_named_images_are_searched(data_set: Callable[..., Path], draw_image: Draw) -> None:
    """Of a data set only files below data/…images…, at any depth, are searched."""
    top = data_set("set", 0, folder="data/train/my_Images_2")
    (top / "data/other").mkdir()
    draw_image(0).save(top / "data/other/0.png")
    draw_image(0).save(top / "0.png")
    (top / "data/train/my_Images_2/deep").mkdir()
    draw_image(0).resize((100, 75)).save(top / "data/train/my_Images_2/deep/small.png")
    done = remove("-d", "set")
    assert names("duplicates") == ["set/data/train/my_Images_2/deep/small.png"], done.stdout


@pytest.mark.parametrize("spelling", [("-d", "a", "b"), ("--dirs", "a", "-d", "b"), ("--dirs=a", "--dirs=b")])
def test_between_data_sets(data_set: Callable[..., Path], spelling: tuple[str, ...]) -> None:
    data_set("a", 0, 1)
    data_set("b", 1, 2)
    done = remove(*spelling)
    assert done.returncode == 0, done.stderr
    assert names("duplicates") == ["b/data/annotations/1.xml", "b/data/images/1.png"]


def test_root_and_duplicates_dir(data_set: Callable[..., Path]) -> None:
    data_set("top/a", 0)
    data_set("top/b", 0)
    done = remove("-r", "top", "-d", "a", "b", "--duplicates_dir", "far/away/gone")
    assert done.returncode == 0, done.stderr
    assert names("far/away/gone") == ["b/data/annotations/0.xml", "b/data/images/0.png"]
    assert undo_line(done) == ["undo", "far/away/gone.journal.jsonl"]
    assert run(*undo_line(done)).returncode == 0
    assert (Path("top/b/data/images/0.png")).exists()


def test_data_sets_of_one_name_are_kept_separate(data_set: Callable[..., Path]) -> None:
    data_set("first/set", 0)
    data_set("second/set", 0)
    data_set("third/set", 0)
    done = remove("-d", "first/set", "second/set", "third/set")
    assert done.returncode == 0, done.stderr
    assert names("duplicates") == [
        *("set (2)/data/annotations/0.xml", "set (2)/data/images/0.png"),
        *("set (3)/data/annotations/0.xml", "set (3)/data/images/0.png"),
    ]
    assert "second/set" in Path("duplicates/set (2)/data/annotations/0.xml").read_text()


def test_a_second_run_overwrites_nothing(data_set: Callable[..., Path]) -> None:
    for number in range(2):
        data_set("a", 0)
        data_set("b", 0)
        Path("b/data/annotations/0.xml").write_text(f"note {number}")
        assert remove("-d", "a", "b").returncode == 0
    assert names("duplicates") == [
        *("b/data/annotations/0 (2).xml", "b/data/annotations/0.xml"),
        *("b/data/images/0 (2).png", "b/data/images/0.png"),
    ]
    assert Path("duplicates/b/data/annotations/0.xml").read_text() == "note 0"
    for journal in ("duplicates.journal.jsonl", "duplicates.journal-2.jsonl"):
        assert Path(journal).exists()


def test_no_data_dir_and_no_annot(pictures: Path) -> None:
    for note in ("same.txt", "sub/small.xml"):
        (pictures / note).write_text(note)
    before = tree(pictures)
    done = remove("-d", "pictures", "--no_data_dir", "--no_annot")
    assert names("duplicates") == ["pictures/same.png", "pictures/sub/small.png"], done.stderr
    assert run(*undo_line(done)).returncode == 0
    assert tree(pictures) == before
    remove("-d", "pictures", "--no-data-dir")
    assert names("duplicates") == [
        f"pictures/{name}" for name in ("same.png", "same.txt", "sub/small.png", "sub/small.xml")
    ]


def test_an_annotation_of_two_images_is_kept_with_the_other(data_set: Callable[..., Path], draw_image: Draw) -> None:
    top = data_set("set", 0)
    shutil.copy(top / "data/images/0.png", top / "data/images/1.png")
    draw_image(2).save(top / "data/images/1.jpg")
    (top / "data/annotations/1.xml").write_text("whose?")
    remove("-d", "set")
    assert names("duplicates") == ["set/data/images/1.png"]


def test_dry_run(pictures: Path) -> None:
    before = tree(Path())
    done = remove("-d", "pictures", "--no_data_dir", "--dry_run")
    assert done.returncode == 0
    assert "move  pictures/same.png" in done.stdout
    assert "-> duplicates/pictures/sub/small.png" in done.stdout
    assert "nothing was changed" in done.stdout
    assert tree(Path()) == before


def test_threshold(draw_image: Draw) -> None:
    """An image and one whose code differs in some bits."""
    Path("in").mkdir()
    draw_image(0).save("in/a.png")
    brush = draw_image(0)
    brush.paste(draw_image(1).crop((0, 0, 110, 110)), (0, 0))
    brush.save("in/b.png")
    codes = [DHash(verbose=False).encode_image(f"in/{name}.png") or "" for name in "ab"]
    distance = DHash.hamming_distance(*codes)
    assert 0 < distance < 64
    assert (
        "0 files to move" in remove("-d", "in", "--no_data_dir", "--dry_run", "--threshold", str(distance - 1)).stdout
    )
    assert "1 file to move" in remove("-d", "in", "--no_data_dir", "--dry_run", "--threshold", str(distance)).stdout
    for wrong in ("65", "-1", "0.85", "nan", "inf"):
        done = remove("-d", "in", "--no_data_dir", "--threshold", wrong)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "0 to 64" in done.stderr


def test_finds_what_imagededup_finds(pictures: Path, draw_image: Draw) -> None:
    """Also blank images: low detail is not checked here."""
    Image.new("RGB", (50, 50), "white").save(pictures / "white.png")
    Image.new("RGB", (60, 50), "black").save(pictures / "black.png")
    theirs = DHash(verbose=False).find_duplicates_to_remove(str(pictures), recursive=True)
    done = remove("-d", "pictures", "--no_data_dir", "--dry_run")
    assert f"{len(theirs)} files to move" in done.stdout


def test_display_without_a_display(pictures: Path) -> None:
    for number in ("", " (2)"):
        done = remove("-d", "pictures", "--no_data_dir", "--display_duplicates", "--dry_run")
        shown = [line.removeprefix("shown: ") for line in done.stdout.splitlines() if line.startswith("shown: ")]
        assert shown == [f"duplicates-groups{number}/group-0000{group}.png" for group in (1, 2)]
        for path in shown:
            with Image.open(path) as sheet:
                assert sheet.width > 300


def test_display_in_a_window(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(ui, "has_window", lambda: True)
    monkeypatch.setattr(ui, "show", drawn.append)
    options = front_end.Options(dirs=("pictures",), no_data_dir=True, encoder="DHash")
    nobody = Progress()
    found = front_end.find_duplicates(front_end.encode(options, nobody), options.radius, options.duplicates, nobody)
    assert list(front_end.show(found.report, "groups")) == []
    assert len(drawn) == 2
    assert not Path("groups").exists()


def test_a_window_needs_a_display_and_a_library_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert not ui.has_window()
    monkeypatch.setenv("DISPLAY", ":99")
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    assert not ui.has_window()


# -- remove-duplicates: encodings


def test_encodings_are_imagededups(pictures: Path) -> None:
    done = remove("-d", "pictures", "--no_data_dir", "--encodings_out", "enc", "--encodings_only")
    assert done.stdout == "encodings: enc.json\n"
    written = json.loads(Path("enc.json").read_text())
    theirs = DHash(verbose=False).encode_images(str(pictures), recursive=True)
    assert written == {f"pictures/{name}": text for name, text in theirs.items()}
    save_json({f"pictures/{name}": text for name, text in theirs.items()}, "theirs.json")
    assert Path("theirs.json").read_bytes() == Path("enc.json").read_bytes()
    near = DHash(verbose=False).find_duplicates(encoding_map=written)
    assert near["pictures/0.png"] == ["pictures/sub/small.png"]
    assert not Path("duplicates").exists()


def test_encodings_of_other_folders_have_absolute_names(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    remove("-d", tmp_path / "pictures", "--no_data_dir", "--encodings-out", "enc.json", "--encodings-only")
    written = json.loads(Path("enc.json").read_text())
    assert sorted(written) == [str(path) for path in sorted((tmp_path / "pictures").rglob("*.png"))]
    done = remove("--encodings-in", "enc")
    assert done.returncode == 0, done.stderr
    assert len(names("duplicates")) == 2
    assert run(*undo_line(done)).returncode == 0
    assert len(names("../pictures")) == 5


def test_encodings_in_act_like_the_data_set(data_set: Callable[..., Path]) -> None:
    data_set("a", 0, 1)
    data_set("b", 1, 2)
    remove("-d", "a", "b", "--encodings_out", "enc", "--encodings_only")
    before = tree(Path())
    done = remove("--encodings_in", "enc")
    assert names("duplicates") == ["b/data/annotations/1.xml", "b/data/images/1.png"]
    assert run(*undo_line(done)).returncode == 0
    Path("duplicates.journal.jsonl").unlink()
    assert tree(Path()) == before


def test_given_encodings_are_trusted(draw_image: Draw) -> None:
    """Images in a file of encodings are not encoded again; others are."""
    Path("in").mkdir()
    for seed in range(3):
        draw_image(seed).save(f"in/{seed}.png")
    Path("enc.json").write_text(json.dumps({"in/0.png": "0" * 16, "in/1.png": "0" * 15 + "F"}))
    done = remove("--encodings_in", "enc", "-d", "in", "--no_data_dir", "--encodings_out", "all", "--dry_run")
    assert "1 file to move" in done.stdout
    written = json.loads(Path("all.json").read_text())
    assert written["in/1.png"] == "0" * 15 + "f"
    assert written["in/2.png"] == DHash(verbose=False).encode_image("in/2.png")


def test_maps_that_imagededup_wrote(pictures: Path) -> None:
    """Their names start from the folder of images."""
    save_json(DHash(verbose=False).encode_images(str(pictures), recursive=True), "map.json")
    for where in (("-d", "pictures", "--no_data_dir"), ("-r", "pictures")):
        done = remove("--encodings_in", "map", *where)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert {Path(name).name for name in names("duplicates")} == {"same.png", "small.png"}
        assert run(*undo_line(done)).returncode == 0
    lost = remove("--encodings_in", "map")
    assert lost.returncode == 0
    assert lost.stderr.startswith(
        "twinpix: 5 files of the encodings could not be found and will not be moved:\n  0.png\n"
    )
    assert "nothing was done" in lost.stdout
    assert len(names(pictures)) == 5


def test_maps_of_the_folder_of_images_of_a_data_set(data_set: Callable[..., Path]) -> None:
    top = data_set("set", 0, 1)
    shutil.copy(top / "data/images/0.png", top / "data/images/9.png")
    save_json(DHash(verbose=False).encode_images(str(top / "data/images")), "map.json")
    assert remove("--encodings_in", "map", "-d", "set").stderr == ""
    assert names("duplicates") == ["set/data/images/9.png"]


def test_merging_needs_no_files() -> None:
    """The example of the script; missing files keep their name, and the last of two encodings wins."""
    Path("enc_1.json").write_text(json.dumps({"a.png": "0" * 16, "b.png": "1" * 16, "c.png": "2" * 16}))
    Path("enc_2.json").write_text(json.dumps({"b.png": "3" * 16, "c.png": "2" * 16}))
    done = remove("--encodings_in", "enc_1.json", "enc_2", "--encodings_out", "merged", "--encodings_only")
    assert done.returncode == 0
    assert json.loads(Path("merged.json").read_text()) == {"a.png": "0" * 16, "b.png": "3" * 16, "c.png": "2" * 16}
    assert "3 files of the encodings could not be found" in done.stderr
    assert "disagree on these files; the last one counts:\n  b.png" in done.stderr


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_one_name_in_two_maps(draw_image: Draw, order: tuple[str, str]) -> None:
    """Maps of two folders with common names are distinguished by the hashes of the files."""
    for folder, seed in (("one", 0), ("two", 1)):
        Path(folder).mkdir()
        draw_image(seed).save(f"{folder}/a.png")
        draw_image(seed).resize((160, 120)).save(f"{folder}/b.png")
        save_json(DHash(verbose=False).encode_images(folder), f"{folder}.json")
    done = remove("--encodings_in", *order, "-d", "one", "two", "--no_data_dir", "--encodings_out", "all")
    assert done.returncode == 0
    assert done.stderr == ""
    assert names("duplicates") == ["one/b.png", "two/b.png"]
    theirs = {
        f"{name}/{key}": text for name in order for key, text in json.loads(Path(f"{name}.json").read_text()).items()
    }
    assert json.loads(Path("all.json").read_text()) == theirs


def test_one_name_in_two_maps_for_equal_codes(draw_image: Draw) -> None:
    for folder in ("one", "two"):
        Path(folder).mkdir()
        draw_image(0).save(f"{folder}/a.png")
        save_json(DHash(verbose=False).encode_images(folder), f"{folder}.json")
    remove("--encodings_in", "one", "two", "-d", "one", "two", "--no_data_dir")
    assert names("duplicates") == ["two/a.png"]


def test_encodings_of_the_current_folder(draw_image: Draw) -> None:
    """It contains the folder for duplicates, so the files are not a data set of that folder."""
    for name in ("a", "b"):
        draw_image(0).save(f"{name}.png")
    save_json(DHash(verbose=False).encode_images("."), "map.json")
    done = remove("--encodings_in", "map")
    assert done.returncode == 0, done.stderr
    assert names("duplicates") == ["b.png"]
    assert run(*undo_line(done)).returncode == 0
    assert Path("b.png").exists()


def test_files_that_are_no_longer_images(pictures: Path) -> None:
    remove("-d", "pictures", "--no_data_dir", "--encodings_out", "enc", "--encodings_only")
    (pictures / "same.png").write_text("words now")
    (pictures / "1.png").unlink()
    done = remove("--encodings_in", "enc", "--dry_run")
    assert done.returncode == 0
    assert "pictures/1.png" in done.stderr
    assert "1 file to move" in done.stdout
    (pictures / "sub/small.png").write_bytes(b"")
    done = remove("--encodings_in", "enc", "--dry_run")
    assert "pictures/sub/small.png: " in done.stdout
    assert "0 files to move" in done.stdout


def test_links_are_not_moved(pictures: Path) -> None:
    os.symlink("0.png", pictures / "link.png")
    os.link(pictures / "0.png", pictures / "hard.png")
    remove("-d", "pictures", "--no_data_dir", "--encodings_out", "enc", "--encodings_only")
    enc = json.loads(Path("enc.json").read_text())
    enc["pictures/link.png"] = enc["pictures/hard.png"] = enc["pictures/0.png"]
    Path("enc.json").write_text(json.dumps(enc))
    assert remove("--encodings_in", "enc").returncode == 0
    assert (pictures / "link.png").is_symlink()
    assert (pictures / "0.png").exists() or (pictures / "hard.png").exists()
    assert sorted(Path(name).name for name in names("duplicates")) == ["same.png", "small.png"]


def test_documents_with_the_same_first_page_are_not_moved(pictures: Path, draw_image: Draw) -> None:
    for name, seed in (("a", 7), ("b", 8)):
        draw_image(1).save(pictures / f"{name}.tif", save_all=True, append_images=[draw_image(seed)])
    (pictures / "b.tif").write_bytes((pictures / "b.tif").read_bytes() + b"trailer")
    done = remove("-d", "pictures", "--no_data_dir")
    assert "has 2 frames or pages, of which only the first was compared" in done.stdout
    assert (pictures / "a.tif").exists()
    assert (pictures / "b.tif").exists()


def test_damaged_images_are_not_moved(pictures: Path) -> None:
    data = (pictures / "0.png").read_bytes()
    (pictures / "half.png").write_bytes(data[: len(data) * 3 // 4])
    done = remove("-d", "pictures", "--no_data_dir", "--encodings_out", "enc")
    assert "part of these images is missing; they are left alone:" in done.stderr
    assert (pictures / "half.png").exists()
    assert not any("half" in name for name in json.loads(Path("enc.json").read_text()))


def test_odd_names(draw_image: Draw) -> None:
    folder = Path(os.fsdecode(b"in \xff\n"))
    folder.mkdir()
    for name in ("a,b=c.png", "-d.png", os.fsdecode(b"\xfe.png")):
        draw_image(0).save(folder / name)
    done = remove("-d", folder, "--no_data_dir", "--encodings_out", "enc", "--duplicates_dir", "to,x=y z")
    assert done.returncode == 0, done.stderr
    assert len(names("to,x=y z")) == 2
    assert run(*undo_line(done)).returncode == 0
    assert len(names(folder)) == 3
    assert "3 images" in remove("--encodings_in", "enc", "--dry_run").stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("\udc80", "is no JSON"),
        ("[]", "holds no encodings"),
        ('{"a.png": "123"}', "16 hexadecimal digits"),
        ('{"a.png": "123456789abcdefg"}', "16 hexadecimal digits"),
        ('{"a.png": [0.1, 0.2]}', "16 hexadecimal digits"),
        ('{"a\\n.png": null}', r"a\n.png"),
    ],
)
def test_bad_encodings(text: str, message: str) -> None:
    Path("bad.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    done = remove("--encodings_in", "bad")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert message in done.stderr
    assert "bad.json" in done.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "name at least one data set"),
        (("-r", "in"), "name at least one data set"),
        (("-d",), "requires an argument"),
        (("-d", ""), "empty"),
        (("-d", "gone"), "no such folder"),
        (("-d", "in/file"), "not a folder"),
        (("-d", "in"), "--no-data-dir"),
        (("-r", "gone", "-d", "in"), "no such folder: gone"),
        (("-d", "in", "--no_data_dir", "--encodings-only"), "--encodings-out"),
        (("--encodings-in", "gone"), "gone (nor gone.json)"),
        (("--encodings-in", "gone.json"), "no such file: gone.json"),
        (("-d", "in", "--threshold", "many"), "many"),
        (("-d", "in", "--encoder", "VGG"), "VGG"),
        (("-d", "in", "--encodings", "out"), "--encodings"),
        (("in",), "in"),
    ],
)
def test_wrong_use(args: tuple[str, ...], message: str) -> None:
    Path("in").mkdir()
    Path("in/file").touch()
    done = remove(*args)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert message in done.stderr


# -- remove-duplicates: the network


own = pytest.mark.skipif(not cnn.OWN.is_file(), reason="the package's own network is not in this checkout")


def with_network(*args: str | Path) -> Done:
    pytest.importorskip("onnxruntime")
    done = remove(*args, dhash=False)
    assert done.returncode == 0, done.stderr
    return done


def plane(degrees: float) -> list[float]:
    """A vector with as many numbers as the network returns."""
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), *[0.0] * 1022]


def write_plane(name: str, **degrees: float) -> None:
    Path(name).write_text(json.dumps({f"in/{key}.png": plane(angle) for key, angle in degrees.items()}))


@own
def test_the_network_is_the_default_encoder(data_set: Callable[..., Path], draw_image: Draw) -> None:
    top = data_set("set", 0, 1)
    draw_image(0).resize((160, 120)).save(top / "data/images/small.jpg")
    (top / "data/annotations/small.json").write_text("{}")
    before = tree(top)
    done = with_network("-d", "set")
    assert names("duplicates") == ["set/data/annotations/small.json", "set/data/images/small.jpg"]
    assert run(*undo_line(done)).returncode == 0
    assert tree(top) == before
    assert "0 files to move" in with_network("-d", "set", "--threshold", "1", "--dry_run").stdout
    assert "1 file to move" in with_network("-d", "set", "--encoder", "cnn", "--no_annot", "--dry_run").stdout


@own
def test_encodings_of_the_network_are_those_of_the_library(pictures: Path) -> None:
    with_network("-d", "pictures", "--no_data_dir", "--encodings_out", "enc", "--encodings_only")
    written = json.loads(Path("enc.json").read_text())
    theirs = CNN(verbose=False).encode_images(str(pictures), recursive=True)
    assert list(written) == [f"pictures/{name}" for name in theirs]
    for name, row in theirs.items():
        assert np.array_equal(np.array(written[f"pictures/{name}"], np.float16), row.astype(np.float16))
    near = CNN().find_duplicates(encoding_map=written)
    assert near["pictures/0.png"] == ["pictures/sub/small.png"]
    Path("map.json").write_text(json.dumps({name: row.tolist() for name, row in theirs.items()}))
    for again in (("--encodings_in", "enc"), ("--encodings_in", "map", "-d", "pictures", "--no_data_dir")):
        done = with_network(*again, "--encodings_out", "again")
        assert done.stderr == ""
        assert Path("again.json").read_bytes() == Path("enc.json").read_bytes()
        assert names("duplicates") == ["pictures/same.png", "pictures/sub/small.png"]
        assert run(*undo_line(done)).returncode == 0


@own
def test_encodings_of_the_network_are_trusted_and_merged(draw_image: Draw) -> None:
    """By angles: 20 degrees are a cosine of 0.940, 40 of 0.766."""
    Path("in").mkdir()
    for name in "abc":
        draw_image("abc".index(name)).save(f"in/{name}.png")
    write_plane("one.json", a=0, b=90)
    write_plane("two.json", b=20, c=40, gone=5)
    done = with_network("--encodings_in", "one", "two.json", "--encodings_out", "both", "--threshold", "0.76")
    assert "1 file of the encodings could not be found" in done.stderr
    assert "in/gone.png" in done.stderr
    assert "encodings disagree on these files; the last one counts:\n  in/b.png" in done.stderr
    written = json.loads(Path("both.json").read_text())
    assert sorted(written) == [f"in/{name}.png" for name in ("a", "b", "c", "gone")]
    assert written["in/b.png"] == pytest.approx(plane(20), abs=1e-3)
    assert len(names("duplicates")) == 2
    assert run(*undo_line(done)).returncode == 0
    for threshold, moved in (((), 1), (("--threshold", "0.95"), 0), (("--threshold", "-1"), 2)):
        done = with_network("--encodings_in", "both", "--dry_run", *threshold)
        assert f"{moved} file{'' if moved == 1 else 's'} to move" in done.stdout


@own
def test_display_of_what_the_network_finds(pictures: Path) -> None:
    done = with_network("-d", "pictures", "--no_data_dir", "--display_duplicates", "--dry_run")
    shown = [line.removeprefix("shown: ") for line in done.stdout.splitlines() if line.startswith("shown: ")]
    assert shown == [f"duplicates-groups/group-0000{group}.png" for group in (1, 2)]
    assert all(Path(path).is_file() for path in shown)


@pytest.mark.parametrize("wrong", ["1.01", "-2", "10", "nan", "inf"])
def test_the_threshold_of_the_network_is_a_cosine(wrong: str) -> None:
    done = remove("-d", "in", "--threshold", wrong, dhash=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"a cosine from -1 to 1, not {wrong}" in done.stderr
    assert ("--encoder DHash" in done.stderr) == (wrong in ("1.01", "10", "inf"))


@pytest.mark.parametrize(
    "value",
    ['"0123456789abcdef"', "null", "[]", "[1.0, 2.0]", json.dumps([[1.0] * 1024]), json.dumps(["1"] * 1024)]
    + [json.dumps([number] * 1024) for number in (0.0, float("nan"), float("inf"), True)],
)
def test_bad_encodings_of_the_network(value: str) -> None:
    Path("bad.json").write_text(f'{{"a\\n.png": {value}}}')
    done = remove("--encodings_in", "bad", "--encodings_out", "out", "--encodings_only", dhash=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert r"the encoding of a\n.png is not a list of 1024 numbers" in done.stderr


def test_the_network_s_encodings_are_not_dhash_s() -> None:
    write_plane("enc.json", a=0)
    done = remove("--encodings_in", "enc")
    assert done.returncode == 2
    assert "16 hexadecimal digits" in done.stderr


def test_merging_numbers_needs_no_network() -> None:
    write_plane("enc.json", a=0, b=30)
    words = ["remove-duplicates", "--encodings-in", "enc", "--encodings-out", "out", "--encodings-only"]
    program = (
        f"import sys; from twinpix.cli import main\nsys.modules['onnxruntime'] = None; sys.argv[1:] = {words}\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "encodings: out.json\n"), done.stderr
    assert json.loads(Path("out.json").read_text())["in/b.png"] == pytest.approx(plane(30), abs=1e-3)


def test_numbers_in_files_are_exact_and_short() -> None:
    encoder = ENCODERS["CNN"]
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)].astype(np.float64)
    words = encoder.text(every.astype("<f2").tobytes()).strip("[]").split(", ")
    assert np.array_equal(np.array([float(word) for word in words]).astype(np.float16), every.astype(np.float16))
    assert max(map(len, words)) <= 11
    rng = np.random.default_rng(0)
    for _ in range(20):
        row = rng.normal(size=1024)
        code = encoder.code(row.tolist())
        assert code is not None
        assert encoder.code(json.loads(encoder.text(code))) == code
        for length in (1e-300, 1e9, 1e300):
            assert encoder.same(code, encoder.code((length * row).tolist()) or b"")
        assert not encoder.same(code, encoder.code((row + rng.normal(size=1024) / 4).tolist()) or b"")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(value=st.dictionaries(st.text(), json_values), indent=st.sampled_from([None, 0, 2]))
def test_maps_are_read_member_by_member(value: dict[str, Any], indent: int | None) -> None:
    assert list(members(json.dumps(value, indent=indent).encode())) == list(value.items())


@given(text=st.text(alphabet='{}[]":,1a \n\\', max_size=12))
def test_invalid_json_raises_the_errors_of_json(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - its words are those of the library, or near them
            dict(members(text.encode()))
    else:
        if isinstance(expected, dict):
            assert dict(members(text.encode())) == expected
        else:
            with pytest.raises(TypeError):
                dict(members(text.encode()))


# -- remove-duplicates: refusals


def test_nothing_is_moved_into_a_data_set(pictures: Path) -> None:
    done = remove("-d", "pictures", "--no_data_dir", "--duplicates_dir", "pictures/out")
    assert done.returncode == 3
    assert "--duplicates-dir" in done.stderr
    assert len(names(".")) == 5
    Path("file").touch()
    assert remove("-d", "pictures", "--no_data_dir", "--duplicates_dir", "file/out").returncode == 3
    assert remove("-d", "pictures", "--no_data_dir", "--encodings_out", "gone/enc").returncode == 3


@pytest.mark.parametrize("args", [("-d", "one"), ("-d", "one", "x/one"), ("--encodings_in", "enc")])
def test_nothing_is_moved_from_a_data_set_to_itself(args: tuple[str, ...], data_set: Callable[..., Path]) -> None:
    """The target folder for a set, next to the sets, is the set itself."""
    data_set("one", 0, 1)
    data_set("x/one", 0)
    shutil.copy("one/data/images/0.png", "one/data/images/copy.png")
    remove("-d", "one", "x/one", "--encodings_out", "enc", "--encodings_only")
    before = names(".")
    done = remove(*args, "--duplicates_dir", ".")
    assert done.returncode == 3
    assert "--duplicates-dir" in done.stderr
    assert names(".") == before


def test_only_one_run_acts(pictures: Path) -> None:
    with acting():
        done = remove("-d", "pictures", "--no_data_dir")
    assert done.returncode == 3
    assert "another run of twinpix is changing files" in done.stderr
    assert len(names(pictures)) == 5


def test_a_killed_run_is_recovered_by_the_next(pictures: Path) -> None:
    """The state after a kill between two steps: one file is staged, and its end is not in the journal."""
    before = tree(pictures)
    done = remove("-d", "pictures", "--no_data_dir")
    journal = Path("duplicates.journal.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"unit"' in line or '"journal"' in line))
    assert json.loads(lines[0])["action"] == "move"
    done = remove("-d", "pictures", "--no_data_dir")
    assert "nothing was done" in done.stdout
    assert '"recovered"' in journal.read_text()
    run("undo", journal)
    assert tree(pictures) == before


# -- dedupe-dump


@pytest.fixture
def dump(draw_image: Draw) -> Path:
    """The output of a crawler: meaningless names, hidden folders, and pages among the images."""
    folder = Path("dump")
    (folder / "ab/.hidden").mkdir(parents=True)
    draw_image(0).save(folder / "0cc175b9c0f1b6a831c399e269772661", format="PNG")
    draw_image(0).save(folder / "ab/92eb5ffee6ae2fec3ad71c777531578f.html", format="BMP")
    draw_image(0).resize((160, 120)).save(folder / "ab/.hidden/small", format="JPEG")
    draw_image(1).save(folder / "index.html", format="PNG")
    shutil.copy(folder / "index.html", folder / "ab/index.html")
    draw_image(2).save(folder / "ab/alone.cgi", format="GIF")
    (folder / "page.html").write_text("<html></html>")
    (folder / "ab/robots").write_text("words")
    return folder


def counts(done: Done) -> tuple[str, str]:
    first, second = done.stdout.splitlines()[:2]
    return first.removeprefix("Initial_Image_Count: "), second.removeprefix("Final_Image_Count: ")


@pytest.mark.parametrize(
    ("flags", "final"),
    [((), "3"), (("-n",), "3"), (("--near_duplicates",), "3"), (("-e",), "4"), (("--exact-duplicates",), "4")],
)
def test_counts(dump: Path, flags: tuple[str, ...], final: str) -> None:
    before = tree(Path())
    done = dedupe("dump", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Initial_Image_Count: 6\nFinal_Image_Count: {final}\n"
    assert tree(Path()) == before


def test_json(dump: Path) -> None:
    for flag, least in (("-e", 1), ("-n", 2)):
        assert dedupe("dump", flag, "--output_json", "out.json").returncode == 0
        rows = json.loads(Path("out.json").read_text())
        assert len(rows) == int(counts(dedupe("dump", flag))[1])
        assert [row["location"] for row in rows] == sorted(row["location"] for row in rows)
        places = [each["location"] for row in rows for each in (row, *row["duplicates"])]
        assert len(set(places)) == len(places) == 6
        assert all(Path(place).is_absolute() and Path(place).is_file() for place in places)
        assert all(each["hash"] for row in rows for each in (row, *row["duplicates"]))
        assert max(len(row["duplicates"]) for row in rows) == least
        if flag == "-e":
            assert all(each["hash"] == row["hash"] for row in rows for each in row["duplicates"])


def test_the_script_s_example(dump: Path) -> None:
    before = tree(dump)
    done = dedupe("dump", "-d", "out", "-s")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert counts(done) == ("6", "3")
    kept = names("out")
    assert len(kept) == 3
    assert "ab/alone.cgi" in kept
    repeats = {name.rpartition("/")[0]: name for name in names("out_duplicates")}
    assert len(names("out_duplicates")) == 3
    for name in names("out_duplicates"):
        assert any(name.startswith(f"{image}/") for image in kept), repeats
    assert contents(Path("out"), Path("out_duplicates")) == {
        (dump / name).read_bytes() for name in before if not name.endswith(("page.html", "robots"))
    }
    assert tree(dump) == before
    assert undo_line(done) == ["undo", "out.journal.jsonl"]
    assert run(*undo_line(done)).returncode == 0
    assert not Path("out").exists()
    assert not Path("out_duplicates").exists()
    assert tree(dump) == before


def test_without_show_duplicates_only_kept_images_are_copied(dump: Path) -> None:
    assert dedupe("dump", "--exact_duplicates", "--output_dir", "deep/out").returncode == 0
    assert len(names("deep/out")) == 4
    assert not Path("deep/out_duplicates").exists()


def test_existing_files_are_not_overwritten(dump: Path) -> None:
    for folder in ("out/ab", "out_duplicates/index.html"):
        Path(folder).mkdir(parents=True)
    Path("out/ab/alone.cgi").write_text("mine")
    (dump / "index.html").unlink()
    done = dedupe("dump", "-d", "out/", "-s")
    assert done.returncode == 0, done.stderr
    assert Path("out/ab/alone.cgi").read_text() == "mine"
    assert Path("out/ab/alone (2).cgi").exists()
    first = len(names("."))
    again = dedupe("dump", "-d", "out", "-s")
    assert again.returncode == 0
    assert undo_line(again) == ["undo", "out.journal-2.jsonl"]
    run(*undo_line(again))
    Path("out.journal-2.jsonl").unlink()
    assert len(names(".")) == first


def test_duplicates_with_equal_names_are_kept_separate(draw_image: Draw) -> None:
    for folder in ("a", "b", "c"):
        Path("dump", folder).mkdir(parents=True)
        draw_image(0).save(f"dump/{folder}/x", format="PNG")
    done = dedupe("dump", "-d", "out", "-s", "-e")
    assert names("out") == ["a/x"]
    assert names("out_duplicates") == ["a/x/b/x", "a/x/c/x"]
    assert done.stdout.count("to undo:") == 1


def test_failures_are_listed(dump: Path) -> None:
    (dump / "cut").write_bytes((dump / "index.html").read_bytes()[:100])
    (dump / "empty.png").touch()
    done = dedupe("dump", "-o", "out.json")
    assert done.returncode == 0
    first, *rows = done.stderr.splitlines()
    assert first == "twinpix: 2 files could not be used:"
    assert [Path(row.strip().partition(": ")[0]).name for row in rows] == ["cut", "empty.png"]
    assert counts(done) == ("6", "3")


def test_an_empty_dump() -> None:
    Path("dump").mkdir()
    done = dedupe("dump", "-o", "out.json", "-d", "out", "-s")
    assert done.returncode == 0
    assert counts(done) == ("0", "0")
    assert json.loads(Path("out.json").read_text()) == []
    assert not Path("out").exists()


def test_undecodable_names(draw_image: Draw) -> None:
    Path("dump").mkdir()
    for name in (b"\xff", b"\xfe\n"):
        draw_image(0).save(os.fsencode("dump/") + name, format="PNG")
    assert dedupe("dump", "-o", "out.json", "-d", "out", "-s").returncode == 0
    (row,) = json.loads(Path("out.json").read_text())
    assert os.path.isfile(row["location"])
    assert os.path.isfile(row["duplicates"][0]["location"])
    assert len(names("out")) == len(names("out_duplicates")) == 1


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ((), 2, "DUMP_DIR"),
        (("gone",), 2, "gone: no such file or folder; check the path"),
        (("file",), 2, "not a folder"),
        (("",), 2, "empty"),
        (("in", "-e", "-n"), 2, "not both"),
        (("in", "-s"), 2, "--output-dir"),
        (("in", "-d"), 2, "-d"),
        (("in", "-o", "gone/out.json"), 3, "there is no folder"),
        (("in", "-o", "in"), 3, "it is a folder"),
        (("in", "-d", "in/out"), 3, "outside"),
        (("in", "-d", "file/out"), 3, "is no folder"),
        (("in", "more"), 2, "more"),
    ],
)
def test_wrong_use_of_dedupe_dump(args: tuple[str, ...], code: int, message: str) -> None:
    Path("in").mkdir()
    Path("file").touch()
    done = dedupe(*args)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (code, "", 1)
    assert message in done.stderr
