"""One file visible through two mounts: no action removes its last readable name."""

import os
from pathlib import Path

import pytest

import mounted
from libraries import content, group, report, save, write
from twinpix import mounts
from twinpix.act.actions import Scope
from twinpix.act.actions.base import Outside
from twinpix.cli.app import run
from twinpix.errors import RefusedError

# Prints the exit code of each action on a report that keeps one of the two names, and the readable files afterwards.
ACTIONS = """
import os, sys
from pathlib import Path
from libraries import content, contents, group, report, save, write
from twinpix.cli.app import run
base = Path.cwd()
for number, option in enumerate(sys.argv[1:] or OPTIONS):
    for first, second in (("branch", "merged"), ("merged", "branch")):
        folder = f"{option.strip('-').replace('=', '').replace('/', '')} {first}"
        for name in ("0.png", "1.png"):
            write(base, f"branch/{folder}/{name}", content(3 if "0" in name else 4))
        write(base, f"branch/{folder}/true copy.png", content(3))
        os.chmod("merged", 0o755)
        names = [f"{at}/{folder}/{name}" for name in ("0.png", "1.png") for at in (first, second)]
        groups = [group(base, 1, [*names[:2], f"{first}/{folder}/true copy.png"]), group(base, 2, names[2:])]
        path = save(report(base, groups, ("branch", "merged")), base / f"{folder}.json")
        code = run(["resolve", str(path), *option.split("="), "--yes", "--apply"])
        left = contents(base / "branch" / folder) & contents(base / "merged" / folder)
        print(f"RESULT {folder}: {code} {left == {content(3), content(4)}}")
        print(f"NAMES {sorted(os.listdir(base / 'branch' / folder))}")
        assert (base / "branch" / folder / "true copy.png").exists() == ("link" in option), "the true copy stays"
"""
OPTIONS = ["--delete", "--move=out", "--move=/dev/shm/twinpix-out", "--symlink", "--hardlink", "--trash"]


@pytest.mark.parametrize("kind", mounted.MOUNTS)
def test_no_action_removes_the_last_name(kind: str, tmp_path: Path) -> None:
    printed = mounted.run(kind, tmp_path, f"OPTIONS = {OPTIONS!r}\n{ACTIONS}")
    results = [line for line in printed.splitlines() if line.startswith("RESULT")]
    assert len(results) == 2 * len(OPTIONS), printed
    assert all(line.endswith(": 3 True") for line in results), printed
    for line in printed.splitlines():
        if line.startswith("NAMES"):  # and the true copy is removed or replaced by a link
            assert "'0.png', '1.png'" in line, printed
            assert ".twinpix" not in line, printed


CACHED = """
from twinpix.act.keepers import Keeper
Keeper._require_there = lambda keeper: None
"""


@pytest.mark.parametrize("kind", ["overlay", "mergerfs, numbers of paths"])
def test_a_cache_that_still_holds_the_name_does_not_matter(kind: str, tmp_path: Path) -> None:
    """As on a network file system: the keeper seems to exist although it has just been renamed."""
    printed = mounted.run(kind, tmp_path, f"OPTIONS = {OPTIONS!r}\n{CACHED}{ACTIONS}")
    results = [line for line in printed.splitlines() if line.startswith("RESULT")]
    assert len(results) == 2 * len(OPTIONS), printed
    assert all(line.endswith(": 3 True") for line in results), printed
    assert "is the same file as the keeper" in printed


FIND = """
import os
from PIL import Image
import numpy as np
os.mkdir("branch/sub")
for number in range(3):
    pixels = np.random.default_rng(number).integers(0, 255, (12, 16, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((320, 240), Image.BICUBIC).save(f"branch/sub/{number}.png")
from twinpix import sources
found = sources.scan(["branch", "merged"])
print(len(found.refs), found.links)
"""


@pytest.mark.parametrize("kind", ["overlay", "bindfs"])
def test_one_file_on_two_devices_is_listed_once(kind: str, tmp_path: Path) -> None:
    assert mounted.run(kind, tmp_path, FIND).startswith("3 3\n")


FRONT_ENDS = """
import os, subprocess, sys
from pathlib import Path
from PIL import Image
import numpy as np
from libraries import contents
for name in ("one", "two"):
    os.makedirs(f"branch/{name}")
pixels = np.random.default_rng(1).integers(0, 255, (12, 16, 3)).astype(np.uint8)
Image.fromarray(pixels).resize((320, 240), Image.BICUBIC).save("branch/one/x.png")
before = contents(Path("branch"))
Path("list").write_text("branch/one/x.png\\nmerged/one/x.png\\n")
from twinpix.cli.app import run
import twinpix.sources.names as names
names._files_of = lambda stamps: stamps[:, :2]  # as where inode numbers are made up
print("CODE", run(["imgdupes", "--files-from", "list", "phash", "4", "-dN"]))
print("CODE", run(["remove-duplicates", "-d", "branch/one", "merged/one", "--no-data-dir", "--duplicates-dir", "away"]))
assert contents(Path("branch/one")) == contents(Path("merged/one")) == before
"""


@pytest.mark.parametrize("kind", ["overlay", "mergerfs"])
def test_the_front_ends_do_not_remove_the_last_name_either(kind: str, tmp_path: Path) -> None:
    printed = mounted.run(kind, tmp_path, FRONT_ENDS)
    print(printed)
    assert printed.count("CODE 3") == 2


# -- targets ------------------------------------------------------------------------------------------------


TARGETS = """
import os
from pathlib import Path
from twinpix.act.actions import Scope
from twinpix.act.actions.base import Outside
from twinpix.errors import RefusedError
os.makedirs("branch/deep/er")
for roots, target in ((["branch"], "merged/deep/out"), (["branch"], "merged/out"), (["merged"], "branch/out"),
                      (["merged/deep/er", "merged/deep"], "branch/deep/er/out")):
    try:
        Outside(Scope([os.path.abspath(root) for root in roots], [])).require(os.path.abspath(target))
        print("TAKEN", roots, target)
    except RefusedError as error:
        print("REFUSED")
Outside(Scope([os.path.abspath("branch/deep")], [])).require(os.path.abspath("merged/out"))
print("END")
"""


def test_a_target_behind_a_bind_mount_is_in_the_scanned_folder(tmp_path: Path) -> None:
    assert mounted.run("bind", tmp_path, TARGETS) == "REFUSED\n" * 4 + "END\n"


def test_a_target_above_several_roots_is_in_them(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each root gets a folder with its name in the target: if the target is the parent, this folder is the root."""
    for name in ("photos/a/0.png", "photos/a/1.png", "photos/b/2.png"):
        write(tmp_path, name, content(int(name[-5])))
    found = report(tmp_path, [group(tmp_path, 1, ["photos/b/2.png", "photos/a/0.png"])], ("photos/a", "photos/b"))
    path = save(found, tmp_path / "r.json")
    os.symlink("photos/b", tmp_path / "linked")
    (tmp_path / "elsewhere").mkdir()
    os.symlink("../photos/b", tmp_path / "elsewhere/a")
    for target in ("photos", "linked/deep", "elsewhere"):
        assert run(["resolve", str(path), "--move", str(tmp_path / target), "--apply"]) == 3
        assert "name a folder outside of it" in capfd.readouterr().err
    assert run(["resolve", str(path), "--move", str(tmp_path / "out"), "--apply"]) == 0
    assert (tmp_path / "out/a/0.png").exists()


def test_the_table_of_mounts_is_read(tmp_path: Path) -> None:
    known = mounts.read()
    if not known:
        pytest.skip("no table of mounts here")
    assert known[-1].point == "/"
    table = [mounts.Mount("/a b/c", "0:1", "/x"), mounts.Mount("/", "0:2", "/")]
    assert mounts.place("/a b/c/d", table) == ("0:1", "/x/d")
    assert mounts.place("/a b/cc/d", table) == ("0:2", "/a b/cc/d")
    assert mounts.place("/", table) == ("0:2", "/")
    with pytest.raises(RefusedError, match="scanned"):
        Outside(Scope([str(tmp_path)], [])).require(str(tmp_path / "x/y"))
