"""Keep rules and report formats, found by discovery, the imports of plugins, and errors about incomplete plugins."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import io
import itertools
import os
import random
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import twinpix
from drawings import draw
from libraries import group, library, report, sample_of
from test_keep_rules import member
from twinpix import plugins
from twinpix.act.regroup import decide_again
from twinpix.cli.app import run
from twinpix.errors import ImageError, OutputError, UsageError
from twinpix.keep.base import Chain
from twinpix.model import Failure, Match, Member, Report, Traits
from twinpix.report.base import encode_text
from twinpix.sources import read

# -- keep rules

TAKEN = "2019-05-05T10:00:00"
MEMBERS = [  # every keep rule of twinpix distinguishes at least two of them
    Member("plain.jpg", 1000, 400, 300, 5, "aa", format="JPEG", traits=Traits()),
    Member("old.jpg", 1100, 400, 301, 3, "cc"),  # of a report of an earlier version: no traits
    Member("undecoded.heic", 70, 0, 0, 2, "dd", format="HEIF"),  # neither width nor height
    member("wide ü.png", size=900, width=4000, height=300, format="PNG", camera="Maker", captured=TAKEN),
    member("edited.jpg", "blurred", "padded", size=70, width=40, height=30, format="JPEG"),
    member("pages.gif", size=70, width=40, height=30, format="GIF", frames=3, alpha=True),
    member("converted.png", "converted", format="PNG", depth=16),
    member("small.jpg", "thumbnail", "grey", width=40, height=30, format="JPEG", fault="a wrong checksum"),
    member("few colours.png", format="PNG", palette=64, video=True),
    member("2019/05 Rome/1.jpg", format="JPEG", captured=TAKEN, gps=True),
    member("/photos/2018/1 (1).jpg", format="JPEG", captured=TAKEN),
    member("C:\\Photos\\2019\\1 - Copy.jpg", format="JPEG", captured=TAKEN),
    member("originals\\1.jpg", format="JPEG"),
    member("zip://a/x.jpg::d.zip", format="JPEG"),
    member("zip://2019/x copy.jpg::/photos/2018/d.zip", format="JPEG", captured=TAKEN),
    member("zip://third::1.png::C:\\2019\\d (1).zip", format="PNG", captured=TAKEN),
]


@pytest.mark.parametrize("name", plugins.names("keep"))
def test_a_keep_rule_orders_any_members_and_gives_a_reason(name: str) -> None:
    rule = sample_of("keep", name)
    chain = Chain([rule])
    example = getattr(rule, "example", ())  # of a rule that distinguishes no two of MEMBERS: the better member, another
    ordered = sorted([*MEMBERS, *example], key=chain.key)
    for seed in range(20):
        assert sorted(random.Random(seed).sample(ordered, len(ordered)), key=chain.key) == ordered
    distinguished = [pair for pair in itertools.combinations(ordered, 2) if rule.key(pair[0]) != rule.key(pair[1])]
    assert distinguished, f"{name} distinguishes no two members: give its class an `example`, see CONTRIBUTING.md"
    if example:
        assert example in distinguished
    for better, other in distinguished:
        reason = rule.reason(better, other)
        assert reason
        assert reason.isprintable()
        assert reason[0].islower() or not reason[0].isalpha()
        assert chain.explain(better, [other]) == (name, reason)


# -- report formats

FORMATS = plugins.names("report")
TEXTS = [name for name in FORMATS if not getattr(plugins.load("report", name), "binary", False)]
SYNTAX = "<&|`*[\\"  # of HTML and Markdown: how a format without `syntax` must not write a name


def odd(base: Path) -> Report:
    """A report with names that contain the syntax of a format, and with failures."""
    names = ["a|b `c`.png", "-dash.png", "ü\udcff.png", "# Group 1.png", "a,b;c.png", '"quoted".png']
    found = named(base, names)
    broken = [Failure("photos/broken2718.jpg", "decode", "truncated3141")]
    return replace(found, failures=broken, counts=replace(found.counts, failures=1, images=9))


def named(base: Path, names: list[str]) -> Report:
    """A report with a group, two images of one scene and failures of these names."""
    library(base, 2)
    for name in names:
        (base / "photos" / name).write_bytes(os.fsencode(name))
    paths = [f"photos/{name}" for name in names]
    found = report(base, [group(base, 1, ["photos/0.png", *paths])])
    return replace(
        found,
        similar=[Match(path, "photos/1.png", 2, "similar-scene", same_code=False) for path in paths],
        failures=[Failure(path, "decode", f"broken {name}") for path, name in zip(paths, names, strict=True)],
        counts=replace(found.counts, failures=len(paths), images=9),
    )


def encoded(name: str, found: Report) -> bytes:
    """A report in a format."""
    return b"".join(encode_text(sample_of("report", name).parts(found)))


def shown(name: str, found: Report) -> str:
    """What a report in a format shows: its text, or the values of its table, which other programs show."""
    data = encoded(name, found)
    if name in TEXTS:
        return data.decode("utf-8", "replace")
    import pyarrow.feather
    import pyarrow.parquet

    read = pyarrow.parquet.read_table if data.startswith(b"PAR1") else pyarrow.feather.read_table
    return "\n".join(str(value) for row in read(io.BytesIO(data)).to_pylist() for value in row.values())


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_writes_any_report_and_knows_its_own_files(name: str, tmp_path: Path) -> None:
    writer = sample_of("report", name)
    full = odd(tmp_path)
    for found in (full, replace(full, groups=[], failures=[]), replace(full, groups=full.groups * 2)):
        data = encoded(name, found)
        assert data == encoded(name, found)
        for suffix in writer.suffixes:
            assert writer.kind.is_ours(io.BytesIO(data)), suffix
    text = shown(name, full)
    assert "a|b" in text.replace("\\|", "|").replace("&#124;", "|")
    assert "dash.png" in text
    for foreign in (b"", b"\xff\xd8\xff\xe0", b"Dear diary,\n", b"# Notes\n\n- milk\n", b"[]", b"a,b\n1,2\n"):
        assert not writer.kind.is_ours(io.BytesIO(foreign))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_takes_no_file_of_another_format_for_its_own(name: str, tmp_path: Path) -> None:
    writer = sample_of("report", name)
    for other in FORMATS:
        if other != name and writer.suffixes and (theirs := if_written(other, odd(tmp_path / other))):
            assert not writer.kind.is_ours(io.BytesIO(theirs)), (
                f"the kind of {name} recognises a file of {other}: change the first bytes of the newer format"
            )


def if_written(name: str, found: Report) -> bytes:
    """A report in a format; nothing if the format fails, which its own test reports."""
    try:
        return encoded(name, found)
    except Exception:  # noqa: BLE001
        return b""


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_lists_failures_or_declares_that_it_does_not(name: str, tmp_path: Path) -> None:
    text = shown(name, odd(tmp_path))
    listed = getattr(plugins.load("report", name), "lists_failures", True)
    assert ["broken2718" in text, "truncated3141" in text] == [listed] * 2


@pytest.mark.parametrize("name", TEXTS)
def test_no_control_character_of_a_name_is_written(name: str, tmp_path: Path) -> None:
    """A format may refuse the report instead, with an error that shows the name escaped."""
    parts = ["a\nb", "a\rb", "a\tb", "a\x1b[2Jb", "a\x07b"]
    try:
        text = encoded(name, named(tmp_path, parts)).decode("utf-8", "replace")
    except OutputError as error:
        text = str(error)
    assert [part for part in parts if part in text] == []
    assert [char for char in text if char < " " and char not in "\n\r\t"] == []


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "json"])  # JSON is read again by other tests
def test_names_are_escaped_where_they_contain_the_syntax_of_a_format(name: str, tmp_path: Path) -> None:
    syntax = getattr(plugins.load("report", name), "syntax", SYNTAX)
    parts = [f"a{char}b" for char in syntax]
    text = encoded(name, named(tmp_path, parts)).decode("utf-8", "replace")
    assert [part for part in parts if part in text] == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_replaces_its_own_files_only(name: str, tmp_path: Path) -> None:
    found = odd(tmp_path)
    for suffix in plugins.load("report", name).suffixes:
        path = tmp_path / f"result{suffix}"
        found.save(str(path))
        found.save(str(path))
        foreign = tmp_path / f"foreign{suffix}"
        foreign.write_bytes(b"the only notes of a lifetime\n")
        with pytest.raises(UsageError):
            found.save(str(foreign))
        assert foreign.read_bytes() == b"the only notes of a lifetime\n"


@pytest.mark.parametrize("kind", ["report", "sources"])
def test_no_two_plugins_claim_one_suffix(kind: str) -> None:
    claimed = [suffix for name in plugins.names(kind) for suffix in plugins.load(kind, name).suffixes]
    assert len(claimed) == len(set(claimed))


# -- incomplete plugins


def complete(tmp_path: Path, kind: str, text: str) -> type:
    """Check a plugin module with this text as `plugins.load` does."""
    path = tmp_path / "incomplete.py"
    path.write_text(f"from dataclasses import dataclass\nfrom typing import ClassVar\n{text}")
    spec = importlib.util.spec_from_file_location("incomplete", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return plugins._complete(kind, plugins._class_of(module))


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("keep", "", "incomplete defines 0 dataclasses; a plugin module defines one"),
        (
            "keep",
            "@dataclass\nclass Rule:\n    def key(self, member): ...",
            "the keep rule incomplete.Rule lacks reason: see twinpix.keep.base.Rule",
        ),
        (
            "report",
            "@dataclass\nclass Format: ...",
            "the report format incomplete.Format lacks kind, parts, suffixes: see twinpix.report.base.Writer",
        ),
        (
            "report",
            '@dataclass\nclass Format:\n    kind = None\n    suffixes = ".md"\n    def parts(self, report): ...',
            "the report format incomplete.Format needs a tuple or set of lower-case suffixes with their dots, "
            "not '.md'",
        ),
        (
            "sources",
            "from twinpix.sources.base import Source\n@dataclass\nclass Tar(Source):\n    suffixes = frozenset()\n"
            "    def read(self, path, name): ...",
            "the source incomplete.Tar lacks entries, write: see twinpix.sources.base.Source",
        ),
        (
            "actions",
            "from twinpix.act.actions.base import Discarding\n@dataclass\nclass Shred(Discarding):\n"
            "    verb = done = ''",
            "the action incomplete.Shred lacks do, undo: see twinpix.act.actions.base.Action",
        ),
    ],
)
def test_the_error_about_an_incomplete_plugin_names_what_it_lacks(
    kind: str, text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as error:
        complete(tmp_path, kind, text)
    assert str(error.value) == message


def test_a_complete_plugin_is_accepted(tmp_path: Path) -> None:
    text = "@dataclass\nclass Widest:\n    def key(self, member): ...\n    def reason(self, member, other): ..."
    assert complete(tmp_path, "keep", text).__name__ == "Widest"


# -- imports


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in plugins._KINDS for name in plugins.own(kind)])
def test_a_plugin_imports_no_other_plugin_of_its_kind(kind: str, name: str) -> None:
    """A contract of import-linter keeps the kinds apart; it would need a list of the modules of one kind."""
    modules = plugins._own(kind)
    others = {module for other, module in modules.items() if other != name}
    assert imports_of(modules[name]) & others == set()


def imports_of(module: str) -> set[str]:
    """The modules that a module imports anywhere, and those that define what it imports from a package."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    found = set[str]()
    for node in ast.walk(ast.parse(Path(spec.origin).read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = importlib.util.resolve_name("." * node.level + (node.module or ""), module.rpartition(".")[0])
            found |= {package} | {f"{package}.{alias.name}" for alias in node.names}
            if package.startswith("twinpix"):
                values = (getattr(importlib.import_module(package), alias.name, None) for alias in node.names)
                found |= {getattr(value, "__module__", "") for value in values}
    return found


# -- keepers chosen again


def test_a_keeper_chosen_again_reverses_the_description(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An image that is `cropped` relative to the whole image: the whole image shows more relative to the crop."""
    photos = tmp_path / "photos"
    photos.mkdir()
    image = draw("scene", 3, (800, 600))
    image.save(photos / "whole.png")
    image.crop((80, 60, 720, 540)).save(photos / "crop.png")
    options = {"method": "cascade", "store": None}
    whole = twinpix.find(photos, keep="path:*whole*,path", **options)  # type: ignore[arg-type]
    crop = twinpix.find(photos, keep="path:*crop*,path", **options)  # type: ignore[arg-type]
    (first,), (second,) = whole.groups[0].matches, crop.groups[0].matches
    assert first.detail.startswith("cropped")
    assert second.detail.startswith("shows more")
    whole.save(str(tmp_path / "r.json"))
    again = decide_again(twinpix.Report.load(str(tmp_path / "r.json")), "path:*crop*,path")
    assert again.groups[0].matches == [second]
    assert (
        run(["resolve", str(tmp_path / "r.json"), "--keep", "path:*crop*,path", "--move", str(tmp_path / "out")]) == 0
    )
    assert "shows more" in capfd.readouterr().out


# -- odd containers


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_member_of_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(ImageError, match="a named pipe, not a regular file"):
        read(f"zip://a.png::{tmp_path}/pipe.zip")


def test_a_container_that_is_written_to_while_a_member_is_read_is_reported(tmp_path: Path) -> None:
    from twinpix.sources import uris

    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", b"\x89PNG\r\n\x1a\n")

    @dataclass(frozen=True)
    class Slow:
        """A source during whose reading another program writes."""

        def read(self, file: str, name: str) -> str:
            with path.open("ab") as written:
                written.write(b"x")
            return "stale"

    with pytest.raises(ImageError, match="changed while it was read"):
        uris.Member(Slow(), str(path), "a.png").read()  # type: ignore[arg-type]
