"""resolve --interactive in a real terminal; and the decisions that it stores."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import twinpix
from libraries import library, member, save, tree
from twinpix import plugins
from twinpix.act.decisions import Decisions, Verdict, files_in
from twinpix.act.decisions import decided as made
from twinpix.act.regroup import decide_again
from twinpix.cli import dialogue
from twinpix.cli.app import run
from twinpix.linking import chains, make
from twinpix.model import Group, Member, Report
from twinpix.store import Store

pexpect = pytest.importorskip("pexpect", reason="needs pexpect")
pyte = pytest.importorskip("pyte", reason="needs pyte")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")

COLUMNS, LINES = 110, 50


class Terminal:
    """A command in a terminal, and the text on its screen."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self._child = pexpect.spawn(
            sys.executable,
            ["-W", "error", "-m", "twinpix", *arguments],
            dimensions=(LINES, COLUMNS),
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environment},
            timeout=30,
        )

    def until(self, text: str) -> list[str]:
        """The lines of the screen once a question is asked that ends with a text, or has it somewhere above."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._more():
            asked = self._question()
            if asked.endswith(text) or (asked.endswith("?:") and any(text in line for line in self.screen.display)):
                break
        lines = [line.rstrip() for line in self.screen.display]
        assert any(text in line for line in lines), "\n".join(lines)
        return lines

    def _question(self) -> str:
        return str(self.screen.display[self.screen.cursor.y]).rstrip()

    def _more(self) -> bool:
        try:
            self._stream.feed(self._child.read_nonblocking(65536, timeout=0.05))
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        return True

    def type(self, text: str) -> None:
        """Type, and wait until the text is on the screen."""
        before, deadline = self.screen.display, time.monotonic() + 30
        self._child.send(text)
        while self.screen.display == before and time.monotonic() < deadline and self._more():
            pass

    def end(self) -> tuple[int, list[str]]:
        """The exit code, and the last screen."""
        deadline = time.monotonic() + 30
        while self._more() and time.monotonic() < deadline:
            pass
        self._child.close()
        return int(self._child.exitstatus), [line.rstrip() for line in self.screen.display if line.strip()]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of four groups with a report on it; it becomes the current folder."""
    monkeypatch.chdir(tmp_path)
    save(library(tmp_path, 4), tmp_path / "r.json")
    return tmp_path


MOVE = ("resolve", "r.json", "--interactive", "--move", "out", "--store", "store.sqlite")


def test_a_session(asked: Path) -> None:
    """Keep the marked image, keep another, go back, keep all, skip; then act, and continue with the skipped group."""
    terminal = Terminal(*MOVE, "--apply")
    screen = terminal.until("keep [1], other numbers, a)ll, n)ot duplicates, s)kip, b)ack, q)uit, ?:")
    assert screen[1].startswith("Group 1 of 4: 3 images, ")
    assert screen[3].split()[:4] == ["[1]", "keep", "8×8", "800"]
    assert screen[4].endswith("photos/0 copy.png  (re-encoded, 2 bits apart)")
    assert "2020-09-13" in screen[4]
    terminal.type("\r")
    terminal.until("Group 2 of 4")
    terminal.type("2\r")
    terminal.until("Group 3 of 4")
    terminal.type("b\r")
    screen = terminal.until("?:")
    assert [line.split()[1] for line in screen if line.startswith("  [2]") and "1 copy" in line][-1] == "keep"
    terminal.type("2-3\r")
    terminal.until("?:")
    terminal.type("a\r")
    terminal.until("Group 4 of 4")
    terminal.type("s\r")
    code, screen = terminal.end()
    assert code == 0
    text = "\n".join(screen)
    assert "no more groups" in text
    assert "3 groups of 4 decided" in text
    assert "3 files moved" in text
    assert sorted(tree(asked / "out")) == ["0 copy.png", "1.png", "sub/0 small.png"]

    terminal = Terminal(*MOVE, "--apply")
    screen = terminal.until("?:")
    assert screen[0] == "3 groups decided before"
    assert any(line.startswith("Group 4 of 4") for line in screen)
    terminal.type("q\r")
    code, screen = terminal.end()
    assert code == 0
    assert any("0 files to move" in line and "3 images processed before" in line for line in screen)


def test_without_apply_nothing_is_changed(asked: Path) -> None:
    before = tree(asked / "photos")
    terminal = Terminal(*MOVE)
    terminal.until("?:")
    terminal.type("\rq\r")
    code, screen = terminal.end()
    assert code == 0
    assert screen[-1] == "nothing was changed; add --apply to carry out the plan"
    assert tree(asked / "photos") == before


def test_keep_all_is_remembered_by_later_reports(asked: Path) -> None:
    """After another run of find the group is not asked about again."""
    terminal = Terminal(*MOVE)
    terminal.until("Group 1 of 4")
    terminal.type("a\r")
    terminal.until("Group 2 of 4")
    terminal.type("q\r")
    assert terminal.end()[0] == 0
    again = replace(library(asked, 4), created="2027-01-01T00:00:00+00:00")
    save(again, asked / "r.json")
    terminal = Terminal(*MOVE)
    screen = terminal.until("Group 2 of 4")
    assert screen[0] == "1 group decided before"
    terminal.type("b\r")
    screen = terminal.until("Group 1 of 4")
    assert [line.split()[1] for line in screen if line.startswith("  [") and "/0" in line] == ["keep"] * 3
    terminal.type("1\r")  # another answer revokes it
    terminal.until("Group 2 of 4")
    terminal.type("q\r")
    assert terminal.end()[0] == 0
    terminal = Terminal(*MOVE)
    screen = terminal.until("Group 2 of 4")
    assert screen[0] == "1 group decided before"
    terminal.type("q\r")
    terminal.end()


def test_a_group_kept_as_a_whole_is_asked_about_again_if_it_grows(tmp_path: Path) -> None:
    found = library(tmp_path, 2, equal=True)
    with closing(Decisions(str(tmp_path / "decisions.sqlite"))) as decisions:
        keep(decisions, found, 1, 0, 1, 2)
        assert kept(decisions, found) == {1: [member.path for member in found.groups[0].members]}
        fewer = replace(found.groups[0], members=found.groups[0].members[:2])
        assert list(kept(decisions, replace(found, groups=[fewer]))) == [1]
        (tmp_path / "photos/another.png").write_bytes(b"another")
        more = [*found.groups[0].members, member(tmp_path, "photos/another.png")]
        assert kept(decisions, replace(found, groups=[replace(found.groups[0], members=more)])) == {}
        keep(decisions, found, 1, 0)
        assert kept(decisions, found) == {1: [found.groups[0].keeper]}


def keep(decisions: Decisions, report: Report, number: int, *places: int) -> str:
    """Decide one group as the dialogue does."""
    choices = dialogue.Choices(report, decisions, stored=True)
    return choices.keep(next(group for group in report.groups if group.id == number), dialogue.Answer(keep=places))


def kept(decisions: Decisions, report: Report) -> dict[int, list[str]]:
    """What the dialogue knows when it is opened again."""
    return dialogue.Choices(report, decisions, stored=True).kept


def test_of_files_with_equal_bytes_the_chosen_ones_are_kept(tmp_path: Path) -> None:
    found = library(tmp_path, 1, equal=True)
    names = [member.path for member in found.groups[0].members]
    with closing(Decisions(str(tmp_path / "decisions.sqlite"))) as decisions:
        assert keep(decisions, found, 1, 1) == ""
        assert kept(decisions, found) == {1: [names[1]]}
        assert keep(decisions, found, 1, 0, 2).startswith("kept; files with equal bytes are always found together")
        assert kept(decisions, found) == {1: [names[0], names[2]]}
        moved = [replace(each, path=f"photos/new{at}.png") for at, each in enumerate(found.groups[0].members)]
        other = replace(found, groups=[replace(found.groups[0], members=moved, keeper=moved[0].path)])
        assert len(kept(decisions, other)[1]) == 3  # which of the new names is which cannot be known: all stay


def test_companion_files_are_shown(asked: Path) -> None:
    sides = {"0.xmp": b"one", "0.aae": b"one", "0 copy.xmp": b"two", "0 copy.aae": b"one", "0 copy.mov": b"film"}
    for name, data in sides.items():
        (asked / "photos" / name).write_bytes(data)
    (asked / "photos/0 copy.CR2").write_bytes(b"raw")
    terminal = Terminal(*MOVE)
    screen = terminal.until("Group 1 of 4")
    lines = [line.strip() for line in screen]
    assert "with 0.aae, 0.xmp" in lines
    assert "with 0 copy.CR2, 0 copy.aae, 0 copy.mov (only here), 0 copy.xmp (other bytes)" in lines
    terminal.type("q\r")
    terminal.end()


@pytest.mark.parametrize("answer", ["0", "4", "1,9", "x", "1-9", "3-1", "n 7", "1;2", "-1", "9" * 30])
def test_an_invalid_answer_is_asked_again(answer: str, asked: Path) -> None:
    terminal = Terminal(*MOVE)
    terminal.until("?:")
    terminal.type(answer + "\r")
    terminal.until("?:")
    screen = terminal.until("not understood: ")
    assert any(line.startswith(f"not understood: {answer} (? for help)") for line in screen)
    terminal.type("?\r")
    terminal.until("not duplicates: keep all")
    terminal.type("q\r")
    assert terminal.end()[0] == 0
    assert decided(asked / "store.sqlite") == 0


def test_ctrl_c_and_the_end_of_the_input(asked: Path) -> None:
    terminal = Terminal(*MOVE, "--apply")
    terminal.until("?:")
    terminal.type("\r")
    terminal.until("Group 2 of 4")
    terminal.type("\x03")
    code, screen = terminal.end()
    assert code == 130
    text = "".join(screen)
    # It may begin behind the question and go on in a second line.
    words = "twinpix: stopped; the decisions are stored: run the same command to continue"
    assert words.replace(" ", "") in text.replace(" ", "")
    assert not (asked / "out").exists()
    terminal = Terminal(*MOVE)
    terminal.until("1 group decided before")
    terminal.until("?:")
    terminal.type("\x04")
    assert terminal.end()[0] == 0


DELETE = ("resolve", "r.json", "--delete", "--apply")


@pytest.mark.parametrize(("leave", "what"), [("q\r", "quit"), ("\x04", "end")])
def test_leaving_a_dialogue_deletes_nothing(leave: str, what: str, asked: Path) -> None:
    before = tree(asked / "photos")
    terminal = Terminal(*DELETE, "-i", "--no-store")
    terminal.until("?:")
    terminal.type("\r")
    terminal.until("Group 2 of 4")
    terminal.type(leave)
    if what == "quit":
        terminal.until("Type delete to continue:")
        terminal.type("y\r")
    code, screen = terminal.end()
    assert code == 3
    assert "nothing was done" in "".join(screen)
    assert tree(asked / "photos") == before


def test_the_confirmation_word_deletes(asked: Path) -> None:
    terminal = Terminal(*DELETE)
    screen = terminal.until("Type delete to continue:")
    assert any(
        line.startswith("8 files (") and "would be deleted permanently: there is no undo." in line for line in screen
    )
    terminal.type("delete\r")
    code, screen = terminal.end()
    assert code == 0
    assert "8 files deleted" in "\n".join(screen)
    assert len(tree(asked / "photos")) == 5


@pytest.mark.parametrize("answer", ["y", "n", "end"])
def test_quitting_asks_whether_to_act(answer: str, asked: Path) -> None:
    terminal = Terminal(*MOVE, "--apply")
    terminal.until("?:")
    terminal.type("\r")
    terminal.until("Group 2 of 4")
    terminal.type("q\r")
    terminal.until("carry out this plan? [y/N]")
    terminal.type("\x04" if answer == "end" else f"{answer}\r")
    assert terminal.end()[0] == 0
    assert (asked / "out").exists() == (answer == "y")


@pytest.mark.parametrize("options", [[], ["-i", "--no-store"], ["--json"]])
def test_nothing_is_deleted_permanently_without_confirmation(options: list[str], asked: Path) -> None:
    """Answers from a pipe, whatever they are, do not count as a confirmation on a terminal."""
    before = tree(asked / "photos")
    command = [sys.executable, "-m", "twinpix", *DELETE, *options]
    for text in ("", "\n" * 4, "\n" * 4 + "delete\nyes\ny\n"):
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        decided = bool(text) or "-i" not in options
        assert done.returncode == (3 if decided else 0)
        assert ("nothing was done" in done.stderr) == decided
        assert tree(asked / "photos") == before
    done = subprocess.run([*command, "--yes"], input="\n" * 4, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(tree(asked / "photos")) == 5


def test_end_of_input_is_not_a_confirmation(asked: Path) -> None:
    before = tree(asked / "photos")
    for option, known in (
        ("--yes", "; the decisions are stored: run the same command to continue"),
        ("--no-store", ""),
    ):
        for action in (["--delete"], ["--move", "out"]):
            command = [sys.executable, "-m", "twinpix", "resolve", "r.json", "-i", *action, "--apply", option]
            done = subprocess.run(command, input="\n\n", capture_output=True, text=True)
            assert done.returncode == 3
            assert f"the input ended before the last group: nothing was done{known}\n" in done.stderr
            assert tree(asked / "photos") == before
            subprocess.run([sys.executable, "-m", "twinpix", "store", "clear", "--exclusions"], check=True)


@pytest.mark.parametrize("protocol", ["blocks", "kitty", "iterm2", "sixel"])
def test_groups_are_drawn(protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["find", "-m", "phash:size=16", "photos", "-o", "r.json", "--no-store"]) == 0
    terminal = Terminal("resolve", "r.json", "-i", "--show", "--trash", "--no-store", TWINPIX_TERMINAL=protocol)
    terminal.until("?:")
    if protocol == "blocks":
        cells = [terminal.screen.buffer[line][column] for line in range(LINES) for column in range(COLUMNS)]
        assert len({cell.bg for cell in cells if cell.data == "▀"}) > 50
    terminal.type("q\r")
    assert terminal.end()[0] == 0


def test_show_needs_interactive(asked: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["resolve", "r.json", "--trash", "--show"]) == 2
    assert "--show needs --interactive: give both" in capfd.readouterr().err


# -- not duplicates


def decided(path: Path) -> int:
    """The number of decisions in a store."""
    with closing(Decisions(str(path))) as decisions:
        return len(decisions.all())


def groups(folder: Path, store: Path, **options: object) -> list[set[str]]:
    found = twinpix.find(folder, **{"method": "phash:size=16", "store": store, **options})  # type: ignore[arg-type]
    return [{Path(member.path).name for member in each.members} for each in found.groups]


def test_not_duplicates_are_not_found_again(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = tmp_path / "store.sqlite"
    assert groups(photos, store) == [{"0.png", "0 same.png", "0 small.jpg", "0 encoded.jpg"}]
    assert run(["find", "-m", "phash:size=16", "photos", "-o", "r.json", "--store", str(store)]) == 0
    terminal = Terminal("resolve", "r.json", "-i", "--move", "out", "--store", str(store))
    screen = terminal.until("?:")
    (number,) = [line.split("]")[0][-1] for line in screen if "0 small.jpg" in line]
    terminal.type(f"n {number}\r")
    code, screen = terminal.end()
    assert code == 0
    assert "  kept and remembered: 2 pairs will not be found together again" in screen
    assert any(line.startswith("2 files to move") for line in screen)
    assert groups(photos, store) == [{"0.png", "0 same.png", "0 encoded.jpg"}]
    assert groups(photos, store, link="components") == [{"0.png", "0 same.png", "0 encoded.jpg"}]
    (photos / "0 small.jpg").rename(photos / "renamed.jpg")
    assert groups(photos, store) == [{"0.png", "0 same.png", "0 encoded.jpg"}]
    found = twinpix.find(photos, method="phash:size=16", store=store)
    assert found.notes == ["2 pairs not matched: marked as not duplicates"]
    assert groups(photos, tmp_path / "other.sqlite")[0] >= {"renamed.jpg"}


def test_all_of_a_group_are_not_duplicates(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["find", "-m", "phash:size=16", "photos", "-o", "r.json", "--store", "s.sqlite"]) == 0
    terminal = Terminal("resolve", "r.json", "-i", "--move", "out", "--store", "s.sqlite")
    terminal.until("?:")
    terminal.type("n\r")
    code, screen = terminal.end()
    assert code == 0
    assert "  kept and remembered: 3 pairs will not be found together again" in screen
    assert groups(photos, tmp_path / "s.sqlite") == [{"0.png", "0 same.png"}]  # identical bytes


@pytest.mark.parametrize("option", ["--exclusions", "--verdicts"])  # the second is the old name of the first
def test_clearing_the_store_keeps_exclusions_unless_asked(
    option: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.sqlite"
    store = Store(path)
    store.put_exclusions([(b"a" * 16, b"b" * 16), (b"a" * 16, b"b" * 16)])
    store.close()
    assert run(["store", "info", "--store", str(path)]) == 0
    assert "1 pair marked as not duplicates" in capfd.readouterr().out
    assert run(["store", "clear", "--store", str(path)]) == 0
    assert "1 pair marked as not duplicates: kept (--exclusions deletes them)" in capfd.readouterr().out
    assert run(["store", "clear", option, "--store", str(path)]) == 0
    store = Store(path)
    assert store.exclusions() == []
    store.close()


@pytest.mark.parametrize("method", ["phash:size=16", "pixels"])
def test_exclusions_apply_to_equal_codes_too(
    method: str, tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    """Files with equal pixels and blank images match by identity and not by a search."""
    folder, store = tmp_path / "p", tmp_path / "s.sqlite"
    folder.mkdir()
    for kind, image in (("photo", draw_image(1)), ("blank", Image.new("RGB", (64, 64), "white"))):
        for level in (1, 5, 9):
            image.save(folder / f"{kind}{level}.png", compress_level=level)
    assert groups(folder, store, method=method) == [{f"{k}{n}.png" for n in (1, 5, 9)} for k in ("blank", "photo")]
    found = twinpix.find(folder, method="phash:size=16", store=store)
    digests = {Path(m.path).name: bytes.fromhex(m.digest) for each in found.groups for m in each.members}
    opened = Store(store)
    for kind in ("photo", "blank"):
        pair = sorted((digests[f"{kind}1.png"], digests[f"{kind}9.png"]))
        opened.put_exclusions([(pair[0], pair[1])])
    opened.close()
    held = groups(folder, store, method=method)
    assert all({f"{k}1.png", f"{k}9.png"} - group for group in held for k in ("photo", "blank")) or not held
    assert len(held) == 2
    assert all(len(group) == 2 for group in held)


# -- choices


@pytest.mark.parametrize("link", [name for name in plugins.names("linking") if not chains(make(name))])
def test_exclusions_apply_when_groups_are_decided_again(
    link: str, tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    """Two images with equal codes that match a third one but not each other."""
    folder, store = tmp_path / "p", tmp_path / "s.sqlite"
    folder.mkdir()
    for level in (1, 5, 9):
        draw_image(1).save(folder / f"{level}.png", compress_level=level)
    digests = {
        Path(member.path).name: member.digest
        for member in twinpix.find(folder, method="phash:size=16", store=store).groups[0].members
    }
    opened = Store(store)
    one, nine = sorted(bytes.fromhex(digests[name]) for name in ("1.png", "9.png"))
    opened.put_exclusions([(one, nine)])
    opened.close()
    found = twinpix.find(folder, method="phash:size=16", store=store, link=link, keep="path:*5.png")
    assert found.counts.apart == 1
    again = decide_again(found, "path:*1.png")
    assert [{Path(m.path).name for m in each.members} for each in again.groups] == [{"1.png", "5.png"}]
    assert groups(folder, store, link=link, keep="path:*1.png") == [{"1.png", "5.png"}]


def test_going_back_revokes_not_duplicates(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (7, 8):
        (photos / f"{number}.png").write_bytes((photos / "1.png").read_bytes())
    assert run(["find", "-m", "phash:size=16", "photos", "-o", "r.json", "--store", "s.sqlite"]) == 0
    terminal = Terminal("resolve", "r.json", "-i", "--move", "out", "--store", "s.sqlite")
    terminal.until("Group 1 of 2")
    terminal.type("n\r")
    terminal.until("Group 2 of 2")
    terminal.type("b\r")
    screen = terminal.until("Group 1 of 2")
    terminal.until("keep [1-4]")
    terminal.type("1\r")
    terminal.until("Group 2 of 2")
    terminal.type("s\r")
    code, screen = terminal.end()
    assert code == 0
    assert any(line.startswith("3 files to move") for line in screen)
    store = Store(tmp_path / "s.sqlite")
    assert store.exclusions() == []
    store.close()


def a_group(*digests: str) -> Group:
    members = [Member(f"{at}.png", 1, 1, 1, 0, digest) for at, digest in enumerate(digests, start=1)]
    return Group(1, "1.png", "largest file", members, [])


@pytest.mark.parametrize(
    ("given", "digests", "keep"),
    [
        ("", "abc", ["2.png"]),  # the marked image, and not the first proposal
        ("n 3", "abc", ["2.png", "3.png"]),
        ("n 2", "abc", ["1.png", "2.png"]),  # 3 is removed as a duplicate of 1; 2 is not a duplicate of 1
        ("n 2", "aba", ["1.png", "2.png"]),
        ("n 2", "bba", ["3.png", "2.png"]),  # 1 has the bytes of 2: 3 must be kept too
        ("n 2", "bbb", ["2.png"]),
        ("n", "abc", ["1.png", "2.png", "3.png"]),
        ("2-", "abc", None),
        ("3-3", "abc", ["3.png"]),
    ],
)
def test_what_an_answer_keeps_when_the_second_is_marked(given: str, digests: str, keep: list[str] | None) -> None:
    asked = a_group(*digests)
    answer = dialogue._understood(given, asked, [1])
    assert keep == (answer and [asked.members[at].path for at in answer.keep])


def test_an_excluded_keeper_does_not_justify_removals(tmp_path: Path) -> None:
    """`n 1` excludes the keeper: another image is kept, and the rest is removed as its duplicates."""
    found = library(tmp_path, 1)
    answer = dialogue._understood("n 1", found.groups[0], [0])
    assert answer is not None
    names = [found.groups[0].members[at].path for at in answer.keep]
    assert names == ["photos/0 copy.png", "photos/0.png"]
    made = twinpix.plan(found, "delete", choices={1: names})
    (step,) = made.steps
    assert (Path(step.path).name, Path(step.keeper).name) == ("0 small.png", "0 copy.png")


def test_a_step_forward_leads_to_the_next_undecided_group(asked: Path) -> None:
    found = library(asked, 4)
    save(found, asked / "r.json")
    Store(asked / "store.sqlite").close()
    with closing(Decisions("store.sqlite")) as decisions:
        keep(decisions, found, 2, 1)
        keep(decisions, found, 3, 0)
    terminal = Terminal(*MOVE)
    terminal.until("Group 1 of 4")
    terminal.type("s\r")
    terminal.until("Group 4 of 4")
    terminal.type("b\rb\r")
    terminal.until("Group 2 of 4")
    terminal.until("keep [2]")
    terminal.type("s\r")
    terminal.until("Group 4 of 4")
    terminal.type("q\r")
    assert terminal.end()[0] == 0
    with closing(Decisions("store.sqlite")) as decisions:
        assert set(kept(decisions, found)) == {3}


def test_too_many_pairs_are_not_remembered(tmp_path: Path) -> None:
    many = a_group(*(f"{number:032x}" for number in range(1500)))
    found = replace(library(tmp_path, 1), groups=[many])
    everything = range(1500)
    with closing(Decisions(":memory:")) as decisions:
        choices = dialogue.Choices(found, decisions, stored=True)
        message = choices.keep(many, dialogue.Answer(keep=everything, excluded=everything))
        assert message == "kept, but not remembered: 1,124,250 pairs are more than can be remembered (1,000,000)"
        assert len(choices.kept[1]) == 1500
        assert decisions.all() == {}
        forgetful = dialogue.Choices(found, decisions, stored=False)
        assert forgetful.keep(many, dialogue.Answer(keep=[0, 1])) == "kept; without a store this is not remembered"
        assert forgetful.how_to_continue == ""


def test_numbers_of_members_are_printed_as_they_are_typed() -> None:
    assert dialogue._ranges([4, 0, 2, 3]) == "1,3-5"
    assert dialogue._places("1,3-5", 5) == [0, 2, 3, 4]


@pytest.mark.parametrize("mtime", [-(10**18), 10**30])
def test_times_outside_the_calendar_are_shown(mtime: int) -> None:
    assert len(dialogue._when(mtime)) in (1, 16)


def test_choices_apply_to_the_groups_that_were_shown(tmp_path: Path) -> None:
    """Other rules or a smaller radius give other groups from the same report; those with a new image are undecided."""
    found = library(tmp_path, 3)
    first = found.groups[0]
    fewer = replace(found, groups=[replace(first, members=first.members[:2]), *found.groups[1:]])
    with closing(Decisions(":memory:")) as decisions:
        keep(decisions, fewer, 1, 0)
        assert kept(decisions, fewer) == {1: [first.keeper]}
        assert kept(decisions, found) == {}


def test_undecodable_input_is_not_accepted(asked: Path) -> None:
    terminal = Terminal(*MOVE, PYTHONIOENCODING="utf-8:strict")
    terminal.until("?:")
    terminal._child.send(b"\xff\n")
    terminal.until("not understood: ")
    terminal.type("q\r")
    assert terminal.end()[0] == 0


def test_resolve_acts_as_was_decided(asked: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without a dialogue too: another keeper, images that are kept, and a group for later."""
    found = library(asked, 4)
    save(found, asked / "r.json")
    Store(asked / "store.sqlite").close()
    with closing(Decisions("store.sqlite")) as decisions:
        keep(decisions, found, 1, 1)  # the second image
        keep(decisions, found, 2, 0, 1)  # two images
        files = files_in(found.groups[2], str(asked))
        later = made(files, 0, dict.fromkeys((1, 2), Verdict.LATER))
        decisions.decide([([file.digest for file in files], later)], "group 3")
    move = ["resolve", "r.json", "--move", "out", "--store", "store.sqlite", "--apply"]
    assert run(["resolve", "r.json", "--list", "-", "--store", "store.sqlite"]) == 0
    listed = set(capfd.readouterr().out.split("\n")) - {""}
    assert listed == {
        "photos/0.png",
        "photos/sub/0 small.png",
        "photos/sub/1 small.png",
        "photos/3 copy.png",
        "photos/sub/3 small.png",
    }
    assert run([*move[:-3], "--no-store"]) == 0
    assert "8 files to move" in capfd.readouterr().out
    assert run(move) == 0
    said = capfd.readouterr()
    assert "2 groups as you decided before, 1 left for later (--no-store: as the report proposes)" in said.err
    assert "your decision" in said.out
    names = {"0.png", "sub/0 small.png", "sub/1 small.png", "3 copy.png", "sub/3 small.png"}
    assert set(tree(asked / "out")) == names
    assert set(tree(asked / "photos")) == {
        "0 copy.png",
        "1.png",
        "1 copy.png",
        "2.png",
        "2 copy.png",
        "sub/2 small.png",
        "3.png",
        "alone.png",
    }
    (journal,) = asked.glob("*journal*")
    assert run(["undo", str(journal)]) == 0
    assert len(tree(asked / "photos")) == 13


def test_what_was_kept_is_copied(asked: Path) -> None:
    found = library(asked, 4)
    Store(asked / "store.sqlite").close()
    with closing(Decisions("store.sqlite")) as decisions:
        keep(decisions, found, 1, 1, 2)
    assert run(["resolve", "r.json", "--copy-kept", "out", "--store", "store.sqlite", "--apply"]) == 0
    assert {name.split("/", 1)[-1] for name in tree(asked / "out")} >= {"0 copy.png", "1.png", "alone.png"}
    assert len(tree(asked / "out")) == 6
