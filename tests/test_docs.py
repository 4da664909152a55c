"""The documentation agrees with the code."""

import contextlib
import importlib.util
import pkgutil
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from twinpix import fingerprints, model, plugins
from twinpix.act import steps
from twinpix.keep import base as keep

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(("program", "page"), [("write_cli", "cli.md"), ("write_plugins", "plugins.md")])
def test_the_written_pages_are_those_of_the_code(program: str, page: str) -> None:
    spec = importlib.util.spec_from_file_location(program, ROOT / f"docs/{program}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == module.text(), f"run: python docs/{program}.py"


def test_the_radii_of_the_network_are_those_of_its_description() -> None:
    text = (ROOT / "docs/cnn.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `cnn` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", text, re.MULTILINE)
    radii = fingerprints.make("cnn").radii
    assert [float(radius) for radius in row] == [radii[s] for s in ("strict", "normal", "loose")]


def test_the_fields_of_a_description_are_documented() -> None:
    from twinpix.fingerprints._onnx import Description

    text = (ROOT / "docs/cnn.md").read_text(encoding="utf-8")
    named = [name for row in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", text, re.MULTILINE) for name in row.split(", ")]
    assert sorted(name.strip("`") for name in named if name != "`cnn`") == sorted(Description.__struct_fields__)


PAGES = ("resolve", "imgdupes", "scripts", "cnn", "search", "local", "tables")
DOCUMENTS = ["README.md", *(f"docs/{name}.md" for name in PAGES)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_documented_option_exists(name: str) -> None:
    known = set(re.findall(r"`(--?[a-zA-Z-]+)`", (ROOT / "docs/cli.md").read_text(encoding="utf-8")))
    used = re.findall(r"(?<![\w-])--[a-z][a-z_-]+", (ROOT / name).read_text(encoding="utf-8"))
    assert {option.replace("_", "-") for option in used} <= known, name


def test_the_readme_shows_what_the_demo_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from twinpix.cli.app import run

    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^\$ twinpix (.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    made = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ndemo:")[2].partition("\n\n")[0]
    assert re.findall(r"^\t\$\(BIN\)/twinpix (.*)$", made, re.MULTILINE) == commands
    for command in commands:
        assert run(command.split()) == 0
    printed = [shape(line) for line in capfd.readouterr().out.splitlines() if line.strip()]
    readme = [shape(line) for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]
    printed = [line.replace("python -m twinpix", "twinpix") for line in printed]
    missing = [line for line in printed if line not in readme]
    assert not missing, "run make demo and put its output into the README"


def test_the_page_on_verification_shows_what_compare_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    from twinpix.cli.app import run

    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "local.md").read_text(encoding="utf-8")
    assert run(["demo", "demo"]) == 0
    crop = re.search(r"\.crop\(\((\d+), (\d+), (\d+), (\d+)\)\)\.save", page)
    assert crop is not None
    left, top, right, bottom = map(int, crop.groups())
    with Image.open("demo/camera/canyon.jpg") as image:
        image.crop((left, top, right, bottom)).save("canyon-crop.webp")
    capfd.readouterr()
    commands = re.findall(r"^\$ twinpix (compare [^|\n]*)", page, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert run(command.split()) == 0
    printed = {shape(line) for line in capfd.readouterr().out.splitlines() if line.startswith(("verdict", "verif"))}
    assert len(printed) == 4
    assert printed <= {shape(line) for line in page.splitlines()}


def test_the_documents_count_the_edits_of_bench_copies() -> None:
    from twinpix.evaluation.edits import EDITS

    for name, words in (("README.md", "kinds of copies"), ("docs/cli.md", "edited copies")):
        assert f"{len(EDITS)} {words}" in (ROOT / name).read_text(encoding="utf-8")


def shape(line: str) -> str:
    """A line without the numbers that depend on the encoders' versions."""
    return re.sub(r"[\d.]+( (kB|MB|bits?)|%)", "N", " ".join(line.split()))


def test_the_default_keep_rules_are_documented_in_their_order() -> None:
    text = (ROOT / "docs/keep.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert rows == keep.DEFAULT.split(","), wrong_rows(rows)


def wrong_rows(rows: Sequence[str]) -> str:
    """What to change if the table of docs/keep.md is not the default chain."""
    if others := sorted(set(rows) - set(keep.DEFAULT.split(","))):
        return f"the table of docs/keep.md is the default chain: name {', '.join(others)} under *Other rules*"
    return f"the rows of the table of docs/keep.md are the rules of keep.DEFAULT, in this order: {keep.DEFAULT}"


def test_a_row_for_a_rule_outside_the_default_chain_is_explained() -> None:
    assert "name shortest under *Other rules*" in wrong_rows([*keep.DEFAULT.split(","), "shortest"])
    assert keep.DEFAULT in wrong_rows(["frames"])


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        (["methods"], set(plugins._KINDS)),
        (["find", "--help"], {"search", "linking", "report", "sources"}),
        (["--help"], set[str]()),
    ],
)
def test_the_commands_that_load_all_plugins_are_those_of_contributing(
    command: list[str], kinds: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """These commands refuse while a plugin of these kinds is incomplete; CONTRIBUTING.md names them."""
    from twinpix.cli.app import run

    loaded: dict[str, set[str]] = {}
    load = plugins.load

    def noting(kind: str, name: str) -> type:
        loaded.setdefault(kind, set()).add(name)
        return load(kind, name)

    monkeypatch.setattr(plugins, "load", noting)
    assert run(command) == 0
    assert {kind for kind, names in loaded.items() if names >= set(plugins.own(kind))} == kinds


DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
LINKED = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [path.name.partition("-")[0] for path in DECISIONS]
    assert numbers == [f"{number:03}" for number in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_four_headings_and_is_in_the_index(path: Path) -> None:
    text, number = path.read_text(encoding="utf-8"), path.name[:3]
    (title,) = re.findall(rf"\A# {number}\. (.+)$", text, re.MULTILINE)
    assert re.findall(r"^#+ (.+)$", text, re.MULTILINE)[1:] == ["Context", "Measured", "Decision", "Consequence"]
    assert all(part.strip() for part in re.split(r"^#+ .+$", text, flags=re.MULTILINE)[2:])
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8").splitlines()
    assert f"- [{number}]({path.name}) {title}" in index


@pytest.mark.parametrize("path", LINKED, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_to_files(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    for target in targets:
        name, _, heading = target.partition("#")
        found = path.parent / name if name else path
        assert found.exists(), target
        if heading:
            assert heading in map(anchor, found.read_text(encoding="utf-8").splitlines()), target


@pytest.mark.parametrize(
    "path", [*DECISIONS, ROOT / "docs/design.md", ROOT / "CONTRIBUTING.md"], ids=lambda path: path.stem
)
def test_the_names_in_decisions_exist(path: Path) -> None:
    """A name with a dot (`model.Refs`, `jpeg.py`, `counts.apart`) is defined in the code or in the standard library."""
    names = re.findall(r"`([A-Za-z_]\w*(?:\.\w+)+)(?:\(\))?`", path.read_text(encoding="utf-8"))
    assert [name for name in names if not (is_file(name) or is_in_code(name) or is_field(name))] == []


def is_file(name: str) -> bool:
    return (ROOT / name).is_file() or (ROOT / "tests" / name).is_file() or any((ROOT / "src").rglob(name))


def is_in_code(name: str) -> bool:
    """True for a name of a package, module or class below twinpix, or of the standard library."""
    for full in (f"twinpix.{name}", name):
        with contextlib.suppress(ImportError, AttributeError):
            pkgutil.resolve_name(full)
            return True
    return False


def is_field(name: str) -> bool:
    """True for a field of a type or of a report: `Counts.apart`, or `counts.apart` as in reports."""
    first, _, attribute = name.partition(".")
    kind = getattr(model, first.capitalize(), None) or getattr(steps, first.capitalize(), None)
    return attribute in getattr(kind, "__dataclass_fields__", ()) or hasattr(kind, attribute)


def anchor(line: str) -> str:
    """The fragment by which GitHub links to a heading; "" for any other line."""
    if not line.startswith("#"):
        return ""
    return re.sub(r"[^\w -]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
