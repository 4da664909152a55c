"""imgdupes' command line: its output equals that of imgdupes 0.1.3 byte for byte, except for errors of imgdupes."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import xxhash
from PIL import Image

from commands import run as run_twinpix
from drawings import draw
from imgdupes_cases import FOLDER, Case, cases, draw_folder, shape
from twinpix.compat.imgdupes import Options, command, deletion, hashing

GOLDEN = json.loads((Path(__file__).parent / "golden" / "imgdupes.json").read_text(encoding="utf-8"))
ENGINES = {  # the name of an engine in log names, and all its settings
    "ngt": "--ngt --ngt-k 9 --ngt-epsilon 0.2 --ngt-edges 8 --ngt-edges-for-search 20",
    "hnsw": "--hnsw --hnsw-k 9 --hnsw-ef-construction 50 --hnsw-m 8 --hnsw-ef 30",
    "faiss_flat": "--faiss-flat --faiss-flat-k 9 --faiss-cuda --cuda-device 0",
}


def run(*args: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return run_twinpix("imgdupes", *args, **options)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parent of the folder on which the output of imgdupes was recorded."""
    top = tmp_path_factory.mktemp("top")
    draw_folder(top)
    return top


@pytest.fixture
def copies(tmp_path: Path, draw_image: Callable[..., Image.Image], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a folder `in`: of two images a large file, a small one and one in a sub-folder."""
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    for seed in (0, 2):
        draw_image(seed).save(folder / f"{seed}.png")
        draw_image(seed).resize((160, 120)).save(folder / f"{seed} small.png")
        draw_image(seed).resize((80, 60)).save(folder / "below" / f"{seed}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.key)
def test_prints_what_imgdupes_prints(case: Case, drawn: Path) -> None:
    done = run(*case.arguments, cwd=drawn, input=case.typed)
    assert "Traceback" not in done.stderr
    assert shape(case, done.stdout) == GOLDEN[case.key]["stdout"]
    assert done.returncode == GOLDEN[case.key]["exit"], done.stderr


def test_phash_org_distinguishes_images(drawn: Path) -> None:
    """imgdupes fails for every image with Pillow 10 and later, so all images match."""
    done = run("-r", FOLDER, "phash_org", "4", "--sameline", "--no-cache", cwd=drawn)
    assert len(done.stdout.splitlines()) == 5
    assert "alone" not in done.stdout


# -- listed files


def test_images_are_recognised_by_content(copies: Path, draw_image: Callable[..., Image.Image]) -> None:
    draw_image(0).save(copies / "in" / "zero.webp")
    draw_image(0).convert("L").save(copies / "in" / "no suffix", format="PNG")
    (copies / "in" / "words.jpg").write_text("words")
    (copies / "in" / "empty.png").touch()
    (copies / "in" / "words.txt").write_text("words")
    done = run("in", "phash", "4", "--sort", "filepath")
    assert done.stdout == "in/0 small.png\nin/0.png\nin/no suffix\nin/zero.webp\n\nin/2 small.png\nin/2.png\n\n"
    assert done.stderr.splitlines() == [
        "twinpix: these files could not be used; they are in no set",
        "  in/empty.png: the file is empty",
        "  in/words.jpg: not an image that can be read",
    ]
    assert done.returncode == 0


def test_several_names_of_one_file_are_not_duplicates(copies: Path) -> None:
    os.link("in/0.png", "in/hard.png")
    os.symlink("0.png", "in/soft.png")
    os.symlink("below", "in/again")
    assert run("in", "-r", "phash", "0", "--sameline", "--sort", "filepath").stdout.splitlines() == [
        "in/0 small.png in/0.png in/below/0.png",
        "in/2 small.png in/2.png in/below/2.png",
    ]
    done = run("-T", "-", "phash", "0", input="in/0.png\nin/hard.png\nin/soft.png\n")
    assert (done.stdout, done.stderr) == ("", "")


def test_lists(copies: Path) -> None:
    Path("names").write_text("in/2.png\nin/2 small.png\nin/gone.png\nin\nin/2.png\n")
    done = run("-T", "names", "phash", "4", "--sort", "none")
    assert done.stdout == "in/2.png\nin/2 small.png\n\n"
    assert "in: a folder, not an image" in done.stderr
    assert "in/gone.png: no such file" in done.stderr
    both = run("in", "phash", "4", "-T", "names")
    assert both.stdout == done.stdout
    assert both.stderr.startswith("Both 'target_dir' and `--files-from` option are specified.")


def test_no_images_to_compare(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("words")
    done = run(tmp_path, "phash", "4")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("Image not found. To search the directory recursively")
    missing = run(tmp_path / "missing", "phash", "4")
    assert missing.returncode == 2
    assert missing.stderr == f"twinpix: {tmp_path / 'missing'}: no such file or folder; check the path\n"


def test_unreadable_files_match_nothing(copies: Path) -> None:
    for name in ("a", "b"):
        (copies / "in" / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    done = run("in", "phash", "64", "-dN", "--dry-run")
    assert "a.png" not in done.stdout
    assert "in/a.png: " in done.stderr
    query = run("in", "phash", "4", "--query", "in/a.png")
    assert (query.returncode, query.stdout) == (2, "")
    assert query.stderr.startswith("twinpix: cannot use in/a.png as a query: ")


def test_an_edited_file_gets_a_new_hash(copies: Path, draw_image: Callable[..., Image.Image]) -> None:
    assert run("in", "phash", "4", "--sameline").stdout == "in/0.png in/0 small.png\nin/2.png in/2 small.png\n"
    draw_image(3).save(copies / "in" / "0.png")
    assert run("in", "phash", "4", "--sameline").stdout == "in/2.png in/2 small.png\n"
    assert sorted(os.listdir()) == ["in"]  # no file is left in the current folder


# -- options


def test_radius_and_groups(copies: Path, draw_image: Callable[..., Image.Image]) -> None:
    """More than twenty files make one set; files farther from the first one are not in it."""
    for number in range(30):
        draw_image(0).resize((100 + number, 90)).save(copies / "in" / f"many {number:02d}.png")
    lines = run("in", "phash", "4", "--sameline").stdout.splitlines()
    assert [line.count("in/") for line in lines] == [32, 2]


def test_bits(copies: Path) -> None:
    for bits, message in (("70", "Use 64 as"), ("65", "Use 64 as"), ("81", ""), ("9", "")):
        done = run("in", "phash", "4", "--hash-bits", bits, "-m")
        assert done.returncode == 0, done.stderr
        assert message in done.stderr
        assert bool(message) == bool(done.stderr)
        assert "\x1b" not in done.stderr
    for method, bits, words in (("whash", "144", "power of two"), ("phash", "10000", "from 2 to 64")):
        done = run("in", method, "4", "--hash-bits", bits)
        assert done.returncode == 2
        assert words in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "in nohash 4",
        "in phash",
        "in phash 4.5",
        "in phash many",
        "a b phash 4",
        "in phash 4 --sort size",
        "in phash 4 --hash-bits few",
        "in phash 4 --ngt-k 0",
        "in phash 4 --num-proc 0",
        "in phash 4 --nonsense",
    ],
)
def test_wrong_use(arguments: str, copies: Path) -> None:
    done = run(*arguments.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("twinpix: ")
    assert "Traceback" not in done.stderr


def test_every_option_is_accepted(copies: Path) -> None:
    options = "--size 100x80 --space 2 --space-color red --tile-num 3 --interpolation INTER_AREA --no-keep-aspect"
    done = run("-rdcN", "in", "phash", "4", "--dry-run", "--num-proc", "2", "--no-subdir-warning", *options.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("[-]") == 4


def test_the_gpu_is_not_used(copies: Path) -> None:
    done = run("in", "phash", "4", "--faiss-cuda")
    assert done.returncode == 0
    assert "the processor is used" in done.stderr


def test_logs(copies: Path) -> None:
    os.rename("in", "in put.d")
    printed = run("in put.d/", "phash", "4", "--log", "--hash-bits", "70").stdout
    (name,) = set(os.listdir()) - {"in put.d"}
    assert re.fullmatch(r"\d{14}_dup_std_in_put.d_phash_64_4.log", name)
    assert Path(name).read_text() + "\n" == printed
    Path(name).unlink()
    Path("a list.txt").write_text("in put.d/0.png\nin put.d/0 small.png\n")
    printed = run("-T", "a list.txt", "dhash", "6", "--log", "--sameline", "--query", "in put.d/0.png").stdout
    (name,) = set(os.listdir()) - {"in put.d", "a list.txt"}
    assert re.fullmatch(r"\d{14}_dup_std_a_list_txt_dhash_64_6.log", name)
    assert Path(name).read_text() == printed


# -- deleting


def decisions(options: Options, monkeypatch: pytest.MonkeyPatch, typed: str = "") -> list[tuple[list[str], list[str]]]:
    """The decisions of the dialogue: the kept and the deleted files of each set."""
    made: list[tuple[list[str], list[str]]] = []

    def delete(kept: Sequence[hashing.Image], gone: Sequence[hashing.Image], folder: str | None) -> dict[str, str]:
        made.append(([image.path for image in kept], [image.path for image in gone]))
        return {}

    monkeypatch.setattr(command, "delete", delete)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
    assert command.run(options) == 0
    return made


def asked(**options: object) -> Options:
    return Options(target_dir="in", hash_method="phash", hamming_distance=4, delete=True, **options)  # type: ignore[arg-type]


ZERO, TWO = ["in/0.png", "in/0 small.png"], ["in/2.png", "in/2 small.png"]


def test_delete_without_asking(
    copies: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decisions(asked(noprompt=True), monkeypatch) == [(ZERO[:1], ZERO[1:]), (TWO[:1], TWO[1:])]
    assert "Set 2 of 2, \n   [+] in/2.png\n   [-] in/2 small.png\n\n" in capsys.readouterr().out
    assert decisions(asked(noprompt=True, dry_run=True), monkeypatch) == []


def test_answers(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decisions(asked(), monkeypatch, "2\nall\n") == [(ZERO[1:], ZERO[:1])]
    assert decisions(asked(), monkeypatch, "1,3\n0\n1\n\n1,2\n") == [(ZERO[:1], ZERO[1:])]


@pytest.mark.parametrize("word", ["none", "n", "No"])
def test_the_last_copy_is_deleted_only_after_confirmation(
    word: str, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = f"{word}\nyes\n{word}\ny\n"
    assert decisions(asked(), monkeypatch, typed) == [([], ZERO), (TWO[:1], TWO[1:])]


def test_files_kept_without_confirmation_are_reported(copies: Path) -> None:
    asked_for = run("in", "phash", "4", "-d", input="none\n").stdout
    assert "preserve files [1 - 2, all, none]: Delete every image" in asked_for
    assert "yes; anything else keeps the first: \n" in asked_for


def test_closed_input_is_not_an_answer(copies: Path) -> None:
    words = [sys.executable, "-m", "twinpix", "imgdupes", "in", "phash", "4", "-d"]
    done = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *words], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "[-]" not in done.stdout


@pytest.mark.parametrize("wrong", ["--size=0x1", "--space-color=none", "--interpolation=INTER_NONE"])
def test_invalid_tiles_are_reported_before_the_work(wrong: str, copies: Path) -> None:
    (copies / "in" / "broken.png").write_bytes(b"no image")
    done = run("in", "phash", "4", "-c", wrong)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("typed", ["", "1\n", "1\nnone\n"])
def test_without_an_answer_every_file_is_kept(
    typed: str, copies: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decisions(asked(), monkeypatch, typed) == ([(ZERO[:1], ZERO[1:])] if typed else [])
    assert capsys.readouterr().out.endswith("\n   [+] in/2.png\n   [+] in/2 small.png\n\n")


def test_end_of_input_in_the_program(copies: Path) -> None:
    done = run("in", "phash", "4", "-d", input="")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("[+]") == 4
    assert "[-]" not in done.stdout


def test_a_damaged_image_is_not_the_only_one_kept(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (copies / "in" / "0.png").read_bytes()
    (copies / "in" / "0 torn.png").write_bytes(data[: len(data) * 99 // 100])
    ((kept, gone), _) = decisions(asked(noprompt=True, reverse=True, sort="filepath"), monkeypatch)
    assert kept == ["in/0.png"]
    os.rename("in/0 torn.png", "in/1 torn.png")
    ((kept, gone), _) = decisions(asked(noprompt=True, reverse=True, sort="filepath"), monkeypatch)
    assert (kept, gone) == (["in/1 torn.png", "in/0.png"], ["in/0 small.png"])


def test_sets_across_folders_cause_a_warning(copies: Path) -> None:
    done = run("-rdN", "in", "phash", "4", "--dry-run")
    warning = "WARNING! Found similar images in different subdirectories.\nin\nin/below\n"
    assert done.stderr == 2 * warning
    assert run("-rdN", "in", "phash", "4", "--dry-run", "--no-subdir-warning").stderr == ""


def test_what_was_deleted_is_logged(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the run is interrupted."""
    decisions(asked(noprompt=True, log=True), monkeypatch)
    (name,) = (name for name in os.listdir() if "_del_" in name)
    assert re.fullmatch(r"\d{14}_del_std_in_phash_64_4.log", name)
    assert Path(name).read_text() == "in/0 small.png\nin/2 small.png\n"
    Path(name).unlink()

    def delete(kept: Sequence[hashing.Image], gone: Sequence[hashing.Image], folder: str | None) -> dict[str, str]:
        if kept[0].path == "in/2.png":
            raise KeyboardInterrupt
        return {}

    monkeypatch.setattr(command, "delete", delete)
    with pytest.raises(KeyboardInterrupt):
        command.run(asked(noprompt=True, log=True))
    (name,) = (name for name in os.listdir() if "_del_" in name)
    assert Path(name).read_text() == "in/0 small.png\n"


def test_delete_deletes(copies: Path) -> None:
    done = run("-rdN", "in", "phash", "4", "--no-subdir-warning")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (copies / "in" / "0 small.png").exists()
    assert not (copies / "in" / "2 small.png").exists()
    assert (copies / "in" / "0.png").exists()
    assert run("-r", "in", "phash", "4").stdout == ""


def test_none_and_yes_delete_the_last_copy_too(copies: Path) -> None:
    run("in", "phash", "4", "-d", input="none\nyes\nnone\nno\n")
    assert not (copies / "in" / "0.png").exists()
    assert not (copies / "in" / "0 small.png").exists()
    assert (copies / "in" / "2.png").exists()


def image_of(path: str, **changes: object) -> hashing.Image:
    """The facts about a file once its hash is computed."""
    data, status = Path(path).read_bytes(), os.stat(path)
    digest = xxhash.xxh3_128_hexdigest(data)
    return hashing.Image(path, status.st_size, status.st_mtime_ns, 8, 8, False, digest)._replace(**changes)  # type: ignore[arg-type]


def test_a_file_changed_meanwhile_is_not_deleted(copies: Path) -> None:
    image, other = image_of("in/0.png"), image_of("in/0 small.png", mtime_ns=1)
    assert deletion.delete([image], [other], "in") == {"in/0 small.png": "was changed since it was scanned"}
    (why,) = deletion.delete([other], [image], "in").values()
    assert why.endswith("in/0 small.png, was changed since it was scanned: no file of this group is changed")
    assert deletion.delete([], [other], "in") == {"in/0 small.png": "was changed since it was scanned"}
    os.link("in/0.png", "in/again.png")
    again = image._replace(path="in/again.png")
    assert deletion.delete([image], [again], None) == {
        "in/again.png": f"is another name of {os.path.realpath('in/0.png')}"
    }
    assert (copies / "in/0.png").exists()
    assert (copies / "in/0 small.png").exists()


@pytest.mark.parametrize("keep", [["in/0.png"], []], ids=["one stays", "every copy goes"])
def test_another_image_of_the_same_size_and_time_is_not_deleted(keep: list[str], copies: Path) -> None:
    """It was put there while the question was open: only the image that was shown is deleted."""
    Path("in/other.bmp").write_bytes(b"B" * 500)
    shown = image_of("in/other.bmp")
    Path("in/other.bmp").write_bytes(b"C" * 500)
    os.utime("in/other.bmp", ns=(shown.mtime_ns, shown.mtime_ns))
    assert list(deletion.delete([image_of(name) for name in keep], [shown], "in")) == ["in/other.bmp"]
    assert Path("in/other.bmp").read_bytes() == b"C" * 500


def saved(path: str, image: Image.Image, **options: Any) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def test_a_partly_compared_file_is_not_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, seed in (("a", 1), ("b", 2)):
        saved(
            f"in/{name}.tif",
            draw("portrait", 5, (320, 240)),
            save_all=True,
            append_images=[draw("street", seed, (320, 240))],
        )
    done = run("-dN", "in", "phash", "4")
    assert done.returncode == 3
    assert "has 2 frames or pages, of which only the first was compared" in done.stderr
    assert sorted(os.listdir("in")) == ["a.tif", "b.tif"]


def test_neither_of_two_is_deleted_if_one_may_be_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved("in/intact.bmp", draw("street", 5, (320, 240)))
    data = bytearray(Path("in/intact.bmp").read_bytes())
    data[20_000:20_512] = bytes(range(256)) * 2
    Path("in/a damaged.bmp").write_bytes(data)
    done = run("-dN", "in", "phash", "4")
    assert done.returncode == 3
    assert "one of the two is damaged" in done.stderr
    assert len(os.listdir("in")) == 2


def test_masks_companions_and_files_in_trash_folders_are_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with `resolve`: a mask is kept with its image, an image with its companion files."""
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        saved(f"set/images/{number}.jpg", draw("street", number, (320, 240)))
        saved(
            f"set/masks/{number}.png",
            draw("portrait", 9, (320, 240)).point(lambda level, n=number: min(255, level + n)),
        )
    saved("live/a/IMG_1.jpg", draw("street", 7, (320, 240)), quality=95)
    saved("live/b/IMG_1.jpg", draw("street", 7, (320, 240)), quality=80)
    Path("live/b/IMG_1.MOV").write_bytes(b"a film")
    saved("data/files/deer.jpg", draw("street", 8, (320, 240)), quality=80)
    saved("data/files_trashbin/deer.jpg", draw("street", 8, (320, 240)), quality=95)
    before = sorted(map(str, Path().rglob("*.*")))
    for folder in ("set", "live", "data"):
        done = run("-rdN", "--no-subdir-warning", folder, "phash", "4")
        assert done.returncode == 3, folder
        assert "[-]" not in done.stdout
    assert sorted(map(str, Path().rglob("*.*"))) == before


def test_files_staged_by_a_killed_run_are_restored_by_the_next(copies: Path) -> None:
    script = """
import os, signal, sys
from twinpix.act import filesystem
def die(old, path): os.kill(os.getpid(), signal.SIGKILL)
filesystem._unlink = die
from twinpix.cli import main
main()
"""
    words = [sys.executable, "-c", script, "imgdupes", "-dN", "in", "phash", "4"]
    assert subprocess.run(words, capture_output=True, timeout=120).returncode == -9
    assert any(name.startswith(".twinpix-") for name in os.listdir("in"))
    assert run("-dN", "in", "phash", "4").returncode == 0
    assert not any(name.startswith(".twinpix-") for name in os.listdir("in"))
    assert (copies / "in" / "0.png").exists()
    assert not (copies / "in" / "0 small.png").exists()


def test_failed_deletions_set_the_exit_code(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "delete", lambda kept, gone, folder: {gone[0].path: "permission denied"})
    assert command.run(asked(noprompt=True)) == 3
    assert command.run(asked(noprompt=True, dry_run=True)) == 0


# -- the libraries


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("query", ["", "table 2.png"])
def test_engines_find_the_same_sets(engine: str, query: str, drawn: Path, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    asked = [*("-r", drawn / FOLDER, "phash", "8"), *(("--query", drawn / FOLDER / query) if query else ())]
    logs, scratch = tmp_path / "logs", tmp_path / "scratch"
    logs.mkdir()
    scratch.mkdir()
    env = {**os.environ, "TMPDIR": str(scratch)}
    found = run(*asked, *ENGINES[engine].split(), "--log", cwd=logs, env=env)
    assert found.returncode == 0, found.stderr
    assert found.stdout == run(*asked, cwd=drawn).stdout
    assert found.stdout.count("\n") > 3
    assert os.listdir(scratch) == []
    (name,) = os.listdir(logs)
    assert f"_dup_{engine}_" in name


@pytest.mark.parametrize("engine", ["hnsw", "faiss_flat"])
def test_a_set_truncated_by_faiss_is_reported(engine: str, drawn: Path) -> None:
    """With k = 1, a code finds only itself."""
    pytest.importorskip("faiss")
    option = f"--{engine.replace('_', '-')}"
    cut = run("-r", FOLDER, "ahash", "12", option, f"{option}-k", "1", cwd=drawn)
    assert cut.returncode == 0
    assert f"raise {option}-k" in cut.stderr
    whole = run("-r", FOLDER, "ahash", "12", option, cwd=drawn)
    assert whole.stderr == ""
    assert cut.stdout != whole.stdout == run("-r", FOLDER, "ahash", "12", cwd=drawn).stdout


def test_ngt_truncates_no_set(drawn: Path) -> None:
    """The exact search runs, whatever the settings of the graph that is not built."""
    found = run("-r", FOLDER, "ahash", "12", "--ngt", "--ngt-k", "1", "--ngt-epsilon", "0", cwd=drawn)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == run("-r", FOLDER, "ahash", "12", cwd=drawn).stdout


def test_settings_reach_the_graph(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faiss = pytest.importorskip("faiss")
    seen = list[Any]()

    def made(*given: int) -> Any:
        seen.extend([given, graph(*given)])
        return seen[1]

    graph = faiss.IndexBinaryHNSW
    monkeypatch.setattr(faiss, "IndexBinaryHNSW", made)
    command.run(asked(dry_run=True, noprompt=True, hnsw=True, hnsw_ef_construction=70, hnsw_m=7, hnsw_ef=33))
    (width_and_links, index) = seen
    assert width_and_links == (64, 7)
    assert (index.hnsw.efConstruction, index.hnsw.efSearch) == (70, 33)


@pytest.mark.parametrize("engine", ["hnsw", "faiss_flat"])
def test_without_the_library_the_search_is_exact(engine: str, copies: Path) -> None:
    (copies / "broken").mkdir()
    (copies / "broken" / "faiss.py").write_text("raise ImportError")
    path = os.pathsep.join([str(copies / "broken"), os.environ.get("PYTHONPATH", "")])
    done = run("in", "phash", "4", *ENGINES[engine].split()[:1], "--log", env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0
    assert done.stderr == "twinpix: faiss cannot be loaded; the exact search is used instead\n"
    assert done.stdout.count("in/") == 4
    assert any("_dup_std_" in name for name in os.listdir())
