"""resolve and undo: plans, actions, and that undo restores everything."""

import ast
import json
import os
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

import twinpix
from drawings import draw
from libraries import (
    Tree,
    act_with,
    actions_where,
    content,
    contents,
    group,
    library,
    report,
    sample_of,
    sample_options,
    save,
    tree,
    write,
)
from twinpix import plugins
from twinpix.act import actions
from twinpix.act.lock import acting
from twinpix.act.steps import Plan, Skipped
from twinpix.cli.app import run
from twinpix.errors import RefusedError, ReportError, SkipKind, UsageError
from twinpix.model import Match, Report
from twinpix.sources import scan
from twinpix.ui import plan_text

pytestmark = pytest.mark.usefixtures("_here")


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def plan(found: Report, action: str = "move:to=/nowhere/else", **options: object) -> Plan:
    return twinpix.plan(found, action, **options)  # type: ignore[arg-type]


def apply(made: Plan, journal: Path) -> twinpix.Outcome:
    with acting():
        return twinpix.apply(made, str(journal))


def reasons(rows: list[Skipped], base: Path) -> dict[str, str]:
    return {os.path.relpath(row.path, base): row.reason for row in rows}


def kinds(rows: list[Skipped]) -> list[str]:
    return [row.kind for row in rows]


def going(made: Plan, base: Path) -> list[str]:
    return [os.path.relpath(step.path, base) for step in made.steps]


# -- every action


ACTIONS = actions_where(permanent=False)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_can_be_undone(action: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The contract of all actions: a plan changes nothing, an action loses nothing, undo restores times and modes."""
    path = str(save(library(tmp_path, 3, equal=plugins.load("actions", action).identical), tmp_path / "r.json"))
    before = tree(tmp_path)
    inodes = {each: each.lstat().st_ino for each in (tmp_path / "photos").rglob("*.png")}
    assert run(["resolve", path, *act_with(action)]) == 0
    assert "nothing was changed; add --apply to carry out the plan" in capfd.readouterr().out
    assert tree(tmp_path) == before
    assert run(["resolve", path, *act_with(action), "--apply"]) == 0
    printed = capfd.readouterr().out
    assert printed.endswith("twinpix undo r.journal.jsonl\n")  # `python -m twinpix` if it was started like that
    assert state(action, tmp_path, inodes)
    assert contents(tmp_path / "photos") | contents(tmp_path, Path(os.environ["XDG_DATA_HOME"])) >= {
        data for data, _, _ in before.values()
    }
    again = ["resolve", path, *act_with(action), "--apply"]
    assert run(again) == 0
    assert "processed before" in capfd.readouterr().out
    assert run(["undo", "r.journal.jsonl"]) == 0
    assert ("removed 4 copies" if action == "copy" else "restored") in capfd.readouterr().out
    os.unlink("r.journal.jsonl")
    assert tree(tmp_path) == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("action", actions_where())
def test_the_next_find_lists_no_file_that_an_action_placed(
    action: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = library(tmp_path, 2, equal=plugins.load("actions", action).identical)
    before = listed(tmp_path / "photos")
    assert len(before) == 7
    path = str(save(found, tmp_path / "r.json"))
    assert run(["resolve", path, *act_with(action), "--yes", "--apply"]) == 0, capfd.readouterr().out
    assert listed(tmp_path / "photos") <= before


def listed(folder: Path) -> set[str]:
    """The files that `find` lists below a folder; links to them count as files."""
    found = scan([str(folder)])
    assert not found.failures
    return {*found.refs.uris, *(link for links in found.symlinks.values() for link in links)}


def state(action: str, base: Path, before: dict[Path, int]) -> bool:
    """Whether an action had its effect on the library; `before` are the inodes of its images."""
    discards = [base / "photos/1 copy.png", base / "photos/sub/2 small.png"]
    if action == "copy":
        return sorted(tree(base / "out")) == ["0.png", "1.png", "2.png", "alone.png"]
    if action == "symlink":
        return all(os.readlink(path) in ("1.png", "../2.png") for path in discards)
    if plugins.load("actions", action).leaves:
        return not any(os.path.lexists(path) for path in discards)
    return all(path.lstat().st_ino != before[path] for path in discards)


def test_delete_is_permanent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(save(library(tmp_path, 2), tmp_path / "r.json"))
    assert run(["resolve", path, "--delete", "--yes", "--apply"]) == 0
    assert "undo" not in capfd.readouterr().out
    assert sorted(tree(tmp_path / "photos")) == ["0.png", "1.png", "alone.png"]
    assert run(["undo", "r.journal.jsonl"]) == 3
    assert "was deleted permanently" in capfd.readouterr().out


def test_reflink_works_or_leaves_everything(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(save(library(tmp_path, 2, equal=True), tmp_path / "r.json"))
    before = tree(tmp_path / "photos")
    code = run(["resolve", path, "--reflink", "--apply"])
    printed = capfd.readouterr().out
    assert tree(tmp_path / "photos") == before
    assert (code, "4 files made to share bytes" in printed) in ((0, True), (3, False))
    assert code == 0 or "cannot share the bytes of two files" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": "re-encoded"}, "only is a list of relations, not the text 're-encoded'"),
        ({"only": ["re-encoded", "bogus"]}, "no relation is called 'bogus'; there are: identical-file, "),
        ({"only": ["similar-scene"]}, "no relation is called 'similar-scene'"),
        ({"sidecars": "bogus"}, "sidecars is one of keep, same, all, not 'bogus'"),
    ],
)
def test_wrong_options_of_a_plan_are_refused(options: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        plan(library(tmp_path, 1), **options)  # type: ignore[arg-type]


def test_links_are_made_of_identical_files_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(save(library(tmp_path, 1), tmp_path / "r.json"))
    for option in ("--hardlink", "--symlink", "--reflink"):
        assert run(["resolve", path, option, "--apply"]) == 0
        assert "2 duplicates are not byte-identical to the keeper: use --move or --trash" in capfd.readouterr().out
    assert not list(tmp_path.glob("*.jsonl"))


def test_exactly_one_action(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(save(library(tmp_path), tmp_path / "r.json"))
    assert run(["resolve", path]) == 2
    assert "choose an action for the duplicates: --trash, --move DIR" in capfd.readouterr().err
    assert run(["resolve", path, "--trash", "--delete"]) == 2
    assert run(["resolve", path, "--action", "shred"]) == 2
    assert f"there are: {', '.join(plugins.names('actions'))}" in capfd.readouterr().err
    assert run(["resolve", path, "--action", "move:to=else,where"]) == 2
    assert run(["resolve", path, "--action", "trash"]) == 0


def test_resolve_finds_first(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of images instead of a report; the second time, files of an earlier run are as they are now."""
    photos = tmp_path / "photos.d"
    photos.mkdir()
    for name, size in {"a.png": (300, 200), "b.png": (300, 200), "c.png": (150, 100)}.items():
        draw("scene", 1, (300, 200)).resize(size).save(photos / name)
    draw("scene", 2, (300, 200)).save(photos / "d.png")
    before = tree(photos)
    assert run(["resolve", "photos.d", "--move", "out"]) == 0
    assert "2 files to move" in capfd.readouterr().out
    assert tree(photos) == before
    assert run(["resolve", "photos.d", "--move", "out", "--apply", "--json"]) == 0
    out, err = capfd.readouterr()
    done = json.loads(out)["done"]
    assert done["files"] == 2
    assert "4 images (" in err
    assert sorted(os.listdir(photos)) == ["a.png", "d.png"]
    draw("scene", 2, (300, 200)).save(photos / "e.png")
    assert run(["resolve", str(photos), "--list", "-"]) == 0
    assert capfd.readouterr().out == f"{photos / 'e.png'}\n"
    (photos / "e.png").unlink()
    assert run(["undo", done["journal"]]) == 0
    assert {name: row[0] for name, row in tree(photos).items()} == {name: row[0] for name, row in before.items()}
    for name in ("none", "none.json"):
        assert run(["resolve", name, "--trash"]) == 2
        assert f"cannot read the report {name}" in capfd.readouterr().err


def test_a_plan_as_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(save(library(tmp_path, 1), tmp_path / "r.json"))
    assert run(["resolve", path, "--move", "out", "--json"]) == 0
    plain = json.loads(capfd.readouterr().out)
    assert (plain["action"], plain["files"], "done" in plain) == ("move", 2, False)
    assert plain["keep"] == [{"group": 1, "path": str(tmp_path / "photos/0.png"), "reason": "largest file"}]
    assert plain["units"][1]["files"][0]["target"] == str(tmp_path / "out/sub/0 small.png")
    (tmp_path / "photos/0 copy.png").write_bytes(b"edited")
    assert run(["resolve", path, "--move", "out", "--json", "--apply"]) == 3
    done = json.loads(capfd.readouterr().out)
    assert done["done"] == {"files": 1, "bytes": 800, "stopped": "", "journal": str(tmp_path / "r.journal.jsonl")}
    assert [row["reason"] for row in done["left"]] == ["was changed since it was scanned"]
    assert run(["resolve", path, "--trash", "--json", "-i"]) == 2


@pytest.mark.parametrize("name", ["a,b=c:d", "ünï", "with space", "x" * 200])
def test_a_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    path = str(save(library(tmp_path, 1), tmp_path / "r.json"))
    before = tree(tmp_path / "photos")
    assert run(["resolve", path, "--move", name, "--apply"]) == 0
    assert sorted(tree(tmp_path / name)) == ["0 copy.png", "sub/0 small.png"]
    assert run(["undo", "r.journal.jsonl"]) == 0
    assert tree(tmp_path / "photos") == before


def rounded(text: str) -> int:
    """A whole number as node and jq 1.6 write it: with the digits of a 64-bit floating-point number."""
    return int(Decimal(repr(float(text))))


@pytest.mark.parametrize("action", ["move", "copy"])
def test_a_report_that_another_program_wrote_again_can_be_acted_on(action: str, tmp_path: Path) -> None:
    found = library(tmp_path, 2)
    file = save(found, tmp_path / "r.json")
    expected = going(plan(found, f"{action}:to={tmp_path}/out"), tmp_path)
    file.write_text(json.dumps(json.loads(file.read_text(), parse_int=rounded)))
    again = Report.load(str(file))
    assert again.groups[0].members[0].mtime_ns != found.groups[0].members[0].mtime_ns
    made = plan(again, f"{action}:to={tmp_path}/out")
    assert (going(made, tmp_path), made.skipped) == (expected, [])
    outcome = apply(made, tmp_path / "j.jsonl")
    assert (outcome.done, outcome.skipped) == (len(expected), [])
    changed = found.groups[0].members[1]
    os.utime(tmp_path / found.groups[0].keeper, ns=(0, changed.mtime_ns + 1_000_000))
    assert "was changed since it was scanned" in str(plan(again, f"{action}:to={tmp_path}/out").skipped)


# -- names at the target


def test_names_that_are_taken_are_numbered(tmp_path: Path) -> None:
    for name in ("a/x.png", "a/y.png", "b/X.png", "b/y.png", "c/k.png"):
        write(tmp_path, name, name.encode())
    write(tmp_path, "out/a/y.png", b"was there before")
    found = report(
        tmp_path, [group(tmp_path, 1, ["c/k.png", "a/x.png", "a/y.png", "b/X.png", "b/y.png"])], ("a", "b", "c")
    )
    made = plan(found, f"move:to={tmp_path}/out")
    targets = [os.path.relpath(step.target, tmp_path / "out") for step in made.steps]
    assert targets == ["a/x.png", "a/y (2).png", "b/X.png", "b/y.png"]
    assert not apply(made, tmp_path / "j.jsonl").skipped
    assert (tmp_path / "out/a/y.png").read_bytes() == b"was there before"
    assert (tmp_path / "out/a/y (2).png").read_bytes() == b"a/y.png"


def test_names_that_differ_only_in_case_are_two_names_anywhere(tmp_path: Path) -> None:
    for name in ("photos/k.png", "photos/x.png", "photos/X.png", "photos/x.PNG"):
        write(tmp_path, name, name.encode())
    if len(list((tmp_path / "photos").iterdir())) < 4:
        pytest.skip("this file system does not tell such names apart")
    names = ["photos/k.png", "photos/x.png", "photos/X.png", "photos/x.PNG"]
    made = plan(report(tmp_path, [group(tmp_path, 1, names)]), f"move:to={tmp_path}/out")
    assert [Path(step.target).name for step in made.steps] == ["x.png", "X (2).png", "x (3).PNG"]


def test_roots_of_one_name_stay_apart(tmp_path: Path) -> None:
    for name in ("p/images/1.png", "q/images/1.png", "p/images/k.png"):
        write(tmp_path, name, name.encode())
    found = report(tmp_path, [group(tmp_path, 1, ["p/images/k.png", "p/images/1.png", "q/images/1.png"])])
    made = plan(replace(found, roots=["p/images", "q/images"]), f"move:to={tmp_path}/out")
    assert [os.path.relpath(step.target, tmp_path / "out") for step in made.steps] == [
        "images/1.png",
        "images (2)/1.png",
    ]


# -- deciding again


def chain(base: Path) -> Report:
    """Four files in a chain of distances 2, 4, 6 from the first; the last is the oldest."""
    names = [f"photos/{name}.png" for name in "abcd"]
    for at, name in enumerate(names):
        write(base, name, content(at), mtime=1_600_000_000 - at)
    found = group(base, 1, names)
    gaps = {("a", "b"): 2, ("a", "c"): 4, ("a", "d"): 6, ("b", "c"): 2, ("c", "d"): 2}
    pairs = [
        Match(f"photos/{a}.png", f"photos/{b}.png", gap, "re-encoded", same_code=False) for (a, b), gap in gaps.items()
    ]
    return report(base, [replace(found, matches=pairs)])


def test_other_rules_choose_another_keeper(tmp_path: Path) -> None:
    made = plan(chain(tmp_path), keep="oldest")
    assert [Path(stay.path).name for stay in made.kept] == ["d.png"]
    assert sorted(going(made, tmp_path)) == ["photos/a.png", "photos/c.png"]  # b is not within the radius of d
    with pytest.raises(UsageError, match="no keep rule is called 'prettiest'"):
        plan(chain(tmp_path), keep="prettiest")


def test_stricter_than_the_report(tmp_path: Path) -> None:
    assert going(plan(chain(tmp_path)), tmp_path) == ["photos/b.png", "photos/c.png", "photos/d.png"]
    assert going(plan(chain(tmp_path), stricter=4), tmp_path) == ["photos/b.png", "photos/c.png"]
    assert going(plan(chain(tmp_path), stricter=2), tmp_path) == ["photos/b.png", "photos/d.png"]
    assert going(plan(chain(tmp_path), stricter=0), tmp_path) == []
    assert {Path(s.path).name for s in plan(chain(tmp_path), "copy:to=/nowhere", stricter=4).steps} == {
        "a.png",
        "d.png",
    }
    with pytest.raises(UsageError, match="between 0 and the report's, 76, not 77"):
        plan(chain(tmp_path), stricter=77)


@pytest.mark.parametrize("link", plugins.names("linking"))
def test_deciding_again_gives_the_result_of_find(
    link: str, tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    """With other rules and a smaller radius, a report gives the result of a new search with them."""
    (tmp_path / "photos").mkdir()
    for seed in range(4):
        image = draw_image(seed)
        for at, quality in enumerate((95, 40, 12, 5)):
            image.resize((320 - 20 * at, 240 - 15 * at)).save(tmp_path / f"photos/{seed}-{at}.jpg", quality=quality)
            os.utime(tmp_path / f"photos/{seed}-{at}.jpg", (1e9 + 7 * at % 5, 1e9 + 7 * at % 5))
    from twinpix.act.regroup import decide_again

    wide = twinpix.find("photos", method="phash:size=16", radius=90, link=link, store=None)
    for rules, radius in (("oldest", 90), ("filesize", 12), ("shortest", 4)):
        fresh = twinpix.find("photos", method="phash:size=16", radius=radius, link=link, keep=rules, store=None)
        again = decide_again(wide, rules, radius)
        assert [[m.path for m in g.members] for g in again.groups] == [
            [m.path for m in g.members] for g in fresh.groups
        ]
        assert [g.reason for g in again.groups] == [g.reason for g in fresh.groups]
        assert (again.counts.discards, again.counts.unique) == (fresh.counts.discards, fresh.counts.unique)
        assert {one.path for one in again.unique or ()} == {one.path for one in fresh.unique or ()}


def test_choices(tmp_path: Path) -> None:
    """The files that an interactive user keeps; groups that are not named are not changed."""
    made = plan(library(tmp_path, 3), choices={2: ["photos/1 copy.png", "photos/sub/1 small.png"]})
    assert going(made, tmp_path) == ["photos/1.png"]
    assert [Path(stay.path).name for stay in made.kept] == ["1 copy.png", "1 small.png"]


def test_a_plan_for_many_folders_examines_each_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with --files-from, all with the same name; examining each folder for every folder would be quadratic."""
    names = [[f"{number}/images/{half}.png" for half in "ab"] for number in range(200)]
    for number, pair in enumerate(names):
        for name in pair:
            write(tmp_path, name, content(number))
    found = report(tmp_path, [group(tmp_path, at, pair) for at, pair in enumerate(names, start=1)])
    found = replace(found, roots=[os.path.dirname(pair[0]) for pair in names])
    looked, real = list[str](), os.path.realpath

    def realpath(path: str) -> str:
        looked.append(path)
        return real(path)

    monkeypatch.setattr(os.path, "realpath", realpath)
    made = plan(found)
    assert len(looked) < 10 * len(names)
    assert len({step.target for step in made.steps}) == 200
    assert made.steps[-1].target == "/nowhere/else/images (200)/b.png"


# -- companion files


def with_sides(base: Path, *sides: str) -> Report:
    """A library of one group with the keeper `photos/0.png`; it has the same companions as `0 copy.png`."""
    for side in sides:
        for name in (side, side.replace("0 copy", "0")):
            write(base, name, side.encode())
    return library(base, 1)


@pytest.mark.parametrize(
    "side",
    [
        *("photos/0 copy.xmp", "photos/0 copy.XMP", "photos/0 copy.png.xmp", "photos/0 copy.png.json"),
        *("photos/annotations/0 copy.xml", "photos/labels/0 copy.txt", "annotations/0 copy.json", "labels/0 copy.txt"),
        *("labels/0 copy.csv", "labels/0 copy.yaml"),
    ],
)
def test_sidecars_are_moved_with_their_image(side: str, tmp_path: Path) -> None:
    found = replace(with_sides(tmp_path, side), roots=["."], base=str(tmp_path))
    before = tree(tmp_path)
    made = plan(replace(found, roots=[str(tmp_path)]), "move:to=/nowhere")
    assert going(made, tmp_path) == ["photos/0 copy.png", side, "photos/sub/0 small.png"]
    assert made.steps[1].target == f"/nowhere/{side}"
    assert going(plan(found, sidecars=False), tmp_path) == ["photos/0 copy.png", "photos/sub/0 small.png"]
    assert tree(tmp_path) == before


def test_annotations_beside_the_scanned_folder_are_moved_too(tmp_path: Path) -> None:
    """Only the folder of images was scanned; its labels are beside it."""
    found = with_sides(tmp_path, "labels/0 copy.txt")
    made = plan(found, "move:to=/nowhere")
    assert going(made, tmp_path) == ["photos/0 copy.png", "labels/0 copy.txt", "photos/sub/0 small.png"]
    assert made.steps[1].target == "/nowhere/labels/0 copy.txt"


def test_a_sidecar_of_a_kept_image_is_kept(tmp_path: Path) -> None:
    found = with_sides(tmp_path, "photos/0 copy.xmp", "photos/0 copy.webp")
    assert going(plan(found), tmp_path) == ["photos/0 copy.png", "photos/sub/0 small.png"]
    found = with_sides(tmp_path, "annotations/0 copy.xml", "val/0 copy.jpg")
    assert "annotations/0 copy.xml" not in going(plan(found), tmp_path)


def test_kept_images_are_copied_with_their_sidecars(tmp_path: Path) -> None:
    made = plan(with_sides(tmp_path, "photos/0.xmp", "photos/alone.png.json"), "copy:to=/nowhere")
    assert [Path(step.path).name for step in made.steps] == ["0.png", "0.xmp", "alone.png", "alone.png.json"]


def pairs(base: Path, *extra: str) -> Report:
    """Two copies of a pair of RAW and JPEG: the JPEGs are a group, the RAWs are known only by their bytes."""
    for folder in ("a", "b"):
        write(base, f"photos/{folder}/1.jpg", b"jpeg")
        write(base, f"photos/{folder}/1.CR2", b"raw" if folder == "a" or "equal" in extra else b"other")
    return report(base, [group(base, 1, ["photos/a/1.jpg", "photos/b/1.jpg"])])


def test_raw_and_jpeg_are_removed_or_kept_together(tmp_path: Path) -> None:
    made = plan(pairs(tmp_path))
    assert reasons(made.skipped, tmp_path) == {"photos/b/1.jpg": "the other file of its pair, 1.CR2, stays"}
    assert kinds(made.skipped) == [SkipKind.WITH_PAIR]
    assert going(plan(pairs(tmp_path), sidecars=False), tmp_path) == ["photos/b/1.jpg"]
    made = plan(pairs(tmp_path, "equal"))
    assert going(made, tmp_path) == ["photos/b/1.jpg", "photos/b/1.CR2"]
    assert made.steps[1].keeper == str(tmp_path / "photos/a/1.CR2")
    own = report(tmp_path, [group(tmp_path, 1, ["photos/a/1.CR2", "photos/a/1.jpg"])])
    assert reasons(plan(own).skipped, tmp_path) == {"photos/a/1.jpg": "the other file of its pair, 1.CR2, stays"}
    both = [
        group(tmp_path, 1, ["photos/a/1.jpg", "photos/b/1.jpg"]),
        group(tmp_path, 2, ["photos/a/1.CR2", "photos/b/1.CR2"]),
    ]
    assert [len(unit.steps) for unit in plan(report(tmp_path, both)).units] == [2]


def test_an_image_and_its_sidecar_are_moved_both_or_not_at_all(tmp_path: Path) -> None:
    """If a sidecar is missing when its image is to be moved, neither is moved."""
    found = with_sides(tmp_path, "photos/0 copy.xmp")
    made = plan(found, f"move:to={tmp_path}/out")
    (tmp_path / "photos/0 copy.xmp").unlink()
    outcome = apply(made, tmp_path / "j.jsonl")
    assert reasons(outcome.skipped, tmp_path) == {"photos/0 copy.png": "no longer exists"}
    assert kinds(outcome.skipped) == [SkipKind.GONE]
    assert (tmp_path / "photos/0 copy.png").exists()
    assert sorted(tree(tmp_path / "out")) == ["sub/0 small.png"]


def test_a_unit_is_rolled_back_if_a_part_cannot_be_moved(tmp_path: Path) -> None:
    found = with_sides(tmp_path, "photos/0 copy.xmp")
    made = plan(found, f"move:to={tmp_path}/out")
    before = tree(tmp_path / "photos")
    image, side, other = made.steps
    write(tmp_path, "out/blocked", b"a file where a folder is to be")
    blocked = side._replace(target=str(tmp_path / "out/blocked/0 copy.xmp"))
    units = [made.units[0]._replace(steps=[image, blocked]), made.units[1]]
    outcome = apply(replace(made, units=units), tmp_path / "j.jsonl")
    assert outcome.done == 1
    assert len(outcome.skipped) == 1
    assert other.path not in tree(tmp_path)
    del before["sub/0 small.png"]
    assert tree(tmp_path / "photos") == before
    assert twinpix.undo(str(tmp_path / "j.jsonl")).done == 1


# -- undo


def moved(base: Path, groups: int = 2) -> tuple[Tree, Path]:
    """A library after a move, and its journal."""
    path = str(save(library(base, groups), base / "r.json"))
    before = tree(base / "photos")
    assert run(["resolve", path, "--move", "out", "--apply"]) == 0
    return before, base / "r.journal.jsonl"


UNDONE = actions_where(on="discards", permanent=False)
LEAVING = actions_where(on="discards", permanent=False, leaves=True)


def test_undo_twice(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before, journal = moved(tmp_path)
    assert run(["undo", str(journal)]) == 0
    assert "restored 4 files" in capfd.readouterr().out
    assert run(["undo", str(journal)]) == 0
    assert capfd.readouterr().out == "nothing to restore\n"
    assert tree(tmp_path / "photos") == before


def test_undo_reports_what_it_cannot_restore(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before, journal = moved(tmp_path)
    (tmp_path / "photos/0 copy.png").write_bytes(b"new")
    (tmp_path / "out/1 copy.png").write_bytes(b"edited")
    (tmp_path / "out/sub/1 small.png").unlink()
    assert run(["undo", str(journal)]) == 3
    printed = capfd.readouterr().out
    assert "restored 1 file," in printed
    assert "photos/0 copy.png: another file has its name; it is left at" in printed
    assert "photos/1 copy.png: was changed since; it is left at" in printed
    assert "photos/sub/1 small.png: is neither at its path nor at" in printed
    assert (tmp_path / "photos/0 copy.png").read_bytes() == b"new"
    assert (tmp_path / "out/1 copy.png").read_bytes() == b"edited"
    os.replace(tmp_path / "photos/0 copy.png", tmp_path / "elsewhere")
    assert run(["undo", str(journal)]) == 3
    assert (tmp_path / "photos/0 copy.png").read_bytes() == before["0 copy.png"][0]


@pytest.mark.parametrize("action", UNDONE)
def test_undo_leaves_a_file_alone_that_was_edited_since(action: str, tmp_path: Path) -> None:
    """The moved file or, of an action after which the name still exists, the file that replaced the link."""
    journal, place = acted(action, tmp_path)
    edited = b"edited %s" % os.fsencode(tmp_path)
    place.unlink()
    place.write_bytes(edited)
    assert run(["undo", str(journal)]) == 3
    assert files_with(edited, tmp_path) == [place]


@pytest.mark.parametrize("action", LEAVING)
def test_undo_leaves_a_file_alone_whose_name_is_taken(action: str, tmp_path: Path) -> None:
    journal, place = acted(action, tmp_path)
    taken = tmp_path / "photos/0 copy.png"
    taken.write_bytes(b"new")
    outcome = twinpix.undo(str(journal))
    assert kinds(outcome.skipped) == [SkipKind.NAME_TAKEN]
    assert str(place) in outcome.skipped[0].reason
    assert taken.read_bytes() == b"new"
    assert files_with(os.fsencode(tmp_path), tmp_path) == [place]


@pytest.mark.parametrize("action", LEAVING)
def test_only_an_action_that_moves_files_out_of_the_scanned_folders_frees_space(action: str, tmp_path: Path) -> None:
    _, place = acted(action, tmp_path)
    assert plugins.load("actions", action).frees is not place.is_relative_to(tmp_path / "photos")


def acted(action: str, base: Path) -> tuple[Path, Path]:
    """Act on `photos/0 copy.png`, whose bytes are the path of `base` or, for links, equal to those of its keeper.

    Returns the journal, and where the file is now.
    """
    identical = plugins.load("actions", action).identical
    write(base, "photos/0.png", content(0))
    write(base, "photos/0 copy.png", content(0) if identical else os.fsencode(base))
    path = str(save(report(base, [group(base, 1, ["photos/0.png", "photos/0 copy.png"])]), base / "r.json"))
    assert run(["resolve", path, *act_with(action), "--apply"]) == 0
    if not plugins.load("actions", action).leaves:
        return base / "r.journal.jsonl", base / "photos/0 copy.png"
    (place,) = files_with(os.fsencode(base), base)
    return base / "r.journal.jsonl", place


def files_with(data: bytes, base: Path) -> list[Path]:
    """The files below a folder and in the trash with this content."""
    files = (file for folder in (base, Path(os.environ["XDG_DATA_HOME"])) for file in folder.rglob("*"))
    return [file for file in files if file.is_file() and file.read_bytes() == data]


def test_undo_recreates_removed_folders(tmp_path: Path) -> None:
    before, journal = moved(tmp_path)
    (tmp_path / "photos/sub").rmdir()
    assert run(["undo", str(journal)]) == 0
    assert tree(tmp_path / "photos") == before


def test_a_folder_with_other_files_is_kept(tmp_path: Path) -> None:
    _, journal = moved(tmp_path)
    write(tmp_path, "out/sub/mine.txt", b"mine")
    assert run(["undo", str(journal)]) == 0
    assert sorted(tree(tmp_path / "out")) == ["sub/mine.txt"]


def test_an_edited_keeper_cannot_restore_linked_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(save(library(tmp_path, 1, equal=True), tmp_path / "r.json"))
    assert run(["resolve", path, "--hardlink", "--apply"]) == 0
    (tmp_path / "photos/0.png").write_bytes(b"edited")
    assert run(["undo", "r.journal.jsonl"]) == 3
    assert "was edited since; the link is left as it is" in capfd.readouterr().out


def test_journals_that_are_damaged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before, journal = moved(tmp_path)
    whole = journal.read_bytes()
    for text in (b"", b"no journal\n", b'{"journal":"twinpix.journal/2"}\n', b"[1,2]\n", b'{"schema":1}\n'):
        (tmp_path / "bad.jsonl").write_bytes(text)
        assert run(["undo", "bad.jsonl"]) == (3 if text else 0)
    assert run(["undo", "missing.jsonl"]) == 2
    assert "there is no journal" in capfd.readouterr().err
    lines = whole.splitlines(keepends=True)
    cut = b"".join(lines[:2]) + lines[2][:40]
    journal.write_bytes(cut)
    assert run(["undo", str(journal)]) == 3
    assert "line 3 cannot be read: its step is not undone" in capfd.readouterr().out
    assert (tmp_path / "photos/0 copy.png").exists()
    journal.write_bytes(whole.replace(lines[2], b'{"unit": "garbage"}\n'))
    assert run(["undo", str(journal)]) == 3
    assert "line 3 cannot be read" in capfd.readouterr().out
    journal.write_bytes(whole)
    assert run(["undo", str(journal)]) == 0
    assert tree(tmp_path / "photos") == before


@pytest.mark.parametrize(
    "line",
    [
        *('{"unit":[[0,"relative","",[1,1,1,1,1,1,1,1],"","",""]]}', '{"unit":[[0,"/a\\u0000","",[1],"","",""]]}'),
        *('{"done":7}', '{"undone":"x"}', '{"target":9,"to":"/x"}', "null", "[]", "{}", '{"unit":5}'),
    ],
)
def test_a_hostile_line_is_ignored(line: str, tmp_path: Path) -> None:
    before, journal = moved(tmp_path)
    with journal.open("a") as file:
        file.write(line + "\n")
    outcome = twinpix.undo(str(journal))
    assert (outcome.done, len(outcome.skipped)) == (4, 1)
    assert tree(tmp_path / "photos") == before


# -- invalid reports


def test_reports_that_cannot_be_applied_here(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = library(tmp_path, 1)
    path = save(found, tmp_path / "r.json")
    text = path.read_text()
    for bad in (text.replace("report/2", "report/3"), "{", "[]", '{"schema": 5}', text.replace('"groups"', '"gruops"')):
        path.write_text(bad)
        assert run(["resolve", str(path), "--trash", "--apply"]) == 3, bad[:50]
        assert capfd.readouterr().err.startswith("twinpix: ")
    path.write_text(text.replace("report/2", "report/3"))
    assert run(["resolve", str(path), "--trash"]) == 3
    assert (
        "is no report of schema twinpix.report/2 (its schema is twinpix.report/3): run find again"
        in capfd.readouterr().err
    )
    save(replace(found, base="/other/machine"), path)
    assert run(["resolve", str(path), "--trash", "--apply"]) == 3
    assert "names /other/machine/photos, which does not exist" in capfd.readouterr().err
    assert run(["resolve", "missing.json", "--trash"]) == 2
    assert len(tree(tmp_path / "photos")) == 4


@pytest.mark.parametrize(
    ("name", "kind"),
    [("r.csv", "CSV report of twinpix"), ("r.txt", "text report of twinpix"), ("r.html", "page of twinpix")],
)
def test_a_report_of_another_format_is_recognised(
    name: str, kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    library(tmp_path, 1)
    path = tmp_path / name
    assert run(["find", "--fast", str(tmp_path / "photos"), "--no-store", "-o", str(path)]) == 11
    capfd.readouterr()
    assert run(["resolve", str(path), "--trash"]) == 3
    message = f"twinpix: {path}: this {kind} cannot be read, only a JSON report can; save the result of find"
    assert capfd.readouterr().err.startswith(message)


def test_a_cut_json_report_is_not_called_one_of_another_format(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = save(library(tmp_path, 1), tmp_path / "r.json")
    path.write_bytes(path.read_bytes()[:-20])
    assert run(["resolve", str(path), "--trash"]) == 3
    assert f"{path} is no report: " in capfd.readouterr().err


def test_copying_needs_to_know_what_is_unique(tmp_path: Path) -> None:
    found = library(tmp_path, 1)
    with pytest.raises(ReportError, match="does not name the images that are in no group"):
        plan(replace(found, unique=None), "copy:to=/nowhere")


def test_the_target_must_not_be_in_a_scanned_folder(tmp_path: Path) -> None:
    found = library(tmp_path, 1)
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    for target in ("photos", "photos/out", "link/out"):
        for action in ("move", "copy"):
            with pytest.raises(RefusedError, match="is inside the scanned folder"):
                plan(found, f"{action}:to={tmp_path / target}")
    write(tmp_path, "lib/1.png", b"x")
    with pytest.raises(RefusedError, match="is inside the reference folder"):
        plan(replace(found, references=["lib"]), f"move:to={tmp_path}/lib/out")


def test_a_reference_is_kept_whatever_its_flag_says(tmp_path: Path) -> None:
    write(tmp_path, "lib/0.png", content(0))
    found = library(tmp_path, 1)
    shared = group(tmp_path, 1, ["photos/0.png", "lib/0.png", "photos/0 copy.png"])
    made = plan(replace(found, groups=[shared], references=["lib"]))
    assert going(made, tmp_path) == ["photos/0 copy.png"]
    assert reasons(made.skipped, tmp_path) == {"lib/0.png": "is in a reference folder"}
    assert kinds(made.skipped) == [SkipKind.IN_REFERENCE]


def test_find_writes_what_resolve_needs(photos: Path, tmp_path: Path) -> None:
    write(tmp_path, "lib/x.png", (photos / "1.png").read_bytes())
    assert run(["find", "-m", "phash:size=16", str(photos), "--reference", "lib", "-o", "r.json", "--no-store"]) == 0
    written = json.loads((tmp_path / "r.json").read_text())
    assert [Path(row["path"]).name for row in written["unique"]] == ["2.png"]
    assert (written["references"], written["cross"]) == (["lib"], False)
    before = tree(photos)
    assert run(["resolve", "r.json", "--move", "out", "--apply"]) == 0
    assert sorted(tree(photos)) == ["0 same.png", "2.png"] or sorted(tree(photos)) == ["0.png", "2.png"]
    assert run(["undo", "r.journal.jsonl"]) == 0
    assert tree(photos) == before


def test_every_action_can_be_made_again_from_its_options() -> None:
    from twinpix import plugins

    for name in plugins.names("actions"):
        made = sample_of("actions", name, "/x")
        options = actions.options_of(made)
        assert actions.make(name, options) == made
        assert options.items() >= sample_options(name, "/x").items()
        assert made.verb
        assert made.done
        assert made.on in ("discards", "kept")


@pytest.mark.parametrize("action", ["--delete", "--move=out", "--symlink"])
def test_the_target_of_symbolic_links_is_kept(
    action: str, tmp_path: Path, draw_image: Callable[..., Image.Image], capfd: pytest.CaptureFixture[str]
) -> None:
    """An earlier run made the link, and its undo needs the target; a link in its place would make a chain."""
    photos = tmp_path / "photos"
    photos.mkdir()
    draw_image(1).save(photos / "large.png")
    (photos / "a.png").write_bytes((photos / "large.png").read_bytes())
    (photos / "b.png").symlink_to("a.png")
    found = twinpix.find(photos, method="phash:size=16", store=None, keep="path:*large*,path")
    assert found.symlinks == {str(photos / "a.png"): [str(photos / "b.png")]}
    found.save(tmp_path / "r.json")
    assert twinpix.Report.load(tmp_path / "r.json") == found
    assert run(["resolve", str(tmp_path / "r.json"), action, "--apply", "--yes"]) == 0
    output = capfd.readouterr().out
    assert ("b.png leads to it and would be broken" in output) == (action != "--symlink")
    assert (photos / "b.png").read_bytes() == (photos / "large.png").read_bytes()


def test_images_without_a_suffix_are_counted_as_images(tmp_path: Path, draw_image: Callable[..., Image.Image]) -> None:
    for name in ("1", "2", "3.png_original"):
        draw_image(1).save(tmp_path / name, "PNG")
    Path(tmp_path / "2.xmp").write_text("<x/>")
    Path(tmp_path / "1.xmp").write_text("<x/>")
    made = twinpix.plan(twinpix.find(tmp_path, method="phash:size=16", store=None, keep="path:*/1,path"), "delete")
    assert list(plan_text.lines(made))[-1].startswith("3 files (2 images and 1 companion file) to delete")


# -- why a file is skipped, for programs


def test_every_skipped_file_has_a_kind() -> None:
    """No reason of the package is `OTHER`, so no program needs to parse the text."""
    package = Path(twinpix.__file__).parent
    raised: list[ast.Call] = []
    for file in [*(package / "act").rglob("*.py"), package / "compat/imgdupes/deletion.py"]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in ("StepError", "LostError", "_ByRuleError"):
                    assert len(node.args) == 2, f"{file.name}:{node.lineno}"
                    raised.append(node)
                elif node.func.id == "Skipped":
                    named = any(keyword.arg == "kind" for keyword in node.keywords)
                    assert named or len(node.args) == 5, f"{file.name}:{node.lineno}"
                    raised.append(node)
    assert len(raised) > 50
    texts = [ast.unparse(node) for node in raised]
    assert not [text for text in texts if "SkipKind.OTHER)" in text]
    used = {kind for kind in SkipKind if any(f"SkipKind.{kind.name}" in text for text in texts)}
    assert set(SkipKind) - used <= {SkipKind.OTHER, SkipKind.SYSTEM}  # of `kind_of`


def test_the_kinds_of_a_plan(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = library(tmp_path, 4)
    names = [group.members[1].path for group in found.groups]
    (tmp_path / names[0]).unlink()
    write(tmp_path, names[1], b"edited since")
    (tmp_path / found.groups[2].keeper).unlink()
    groups = list(found.groups)
    groups[3] = replace(groups[3], members=[replace(member, frames=2) for member in groups[3].members])
    made = plan(replace(found, groups=groups))
    of = {row.path: row.kind for row in made.skipped}
    assert [of[str(tmp_path / names[at])] for at in (0, 1, 3)] == ["gone", "changed", "partly-compared"]
    assert of[str(tmp_path / found.groups[2].keeper)] is SkipKind.KEEPER
    only = plan(found, only=["recoloured"])
    assert set(kinds([row for row in only.skipped if not row.refused])) == {SkipKind.RELATION}
    path = str(save(replace(found, groups=groups), tmp_path / "r.json"))
    assert run(["resolve", path, "--move", "out", "--json"]) in (0, 3)
    left = json.loads(capfd.readouterr().out)["left"]
    assert {row["path"]: row["kind"] for row in left} == of
