"""The table of thresholds gives a reason for each number, and no module of `evidence` or `verify` has thresholds."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from drawings import draw
from twinpix import fingerprints, thresholds
from twinpix.imaging import picture_of
from twinpix.thresholds import CONCERNS, DATA, DECISION, override_threshold
from twinpix.verify import COLOUR, DETAIL, orientation_transform, pyramid_of, verify_pair

TWINPIX = Path(thresholds.__file__).parent
TESTS = Path(__file__).parent
FLOATS = {0.0, 0.5, 1.0}  # not thresholds: none, the centre of a pixel, all
COUNTS = {
    0,
    1,
    2,
    3,
}  # a comparison with one of these asks whether there is anything, or enough for a line or a polygon
OF_CLASS = re.compile(r".+\. Data: (?P<data>[^.:]+)\. Test: (?P<test>\S+)")
OF_FIELD = re.compile(
    r"(?P<unit>[^:]+?\.) Why: (?P<why>(?:(?!Data:|Test:).)+\.)(?: Data: (?P<data>[^.:]+)\.)?(?: Test: (?P<test>\S+))?"
)


class Field(NamedTuple):
    """A threshold, with the data and the test of its class where it states none."""

    kind: str
    name: str
    text: str
    data: str
    test: str
    repeats: bool  # states what its class states


def text_of(node: ast.stmt | None) -> str:
    """A docstring on one line."""
    value = node.value if isinstance(node, ast.Expr) else None
    return " ".join(str(value.value).split()) if isinstance(value, ast.Constant) else ""


def fields() -> list[Field]:
    """Each field of the table; with unknown data and test (`?`) if its docstring has another form."""
    out = []
    for kind in ast.parse(Path(thresholds.__file__).read_text(encoding="utf-8")).body:
        if isinstance(kind, ast.ClassDef):
            shared = OF_CLASS.fullmatch(text_of(kind.body[0]))
            of_class = shared.groupdict() if shared else {"data": "", "test": ""}
            for field, following in zip(kind.body, [*kind.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    text = text_of(following)
                    found = OF_FIELD.fullmatch(text)
                    own = found.groupdict() if found else {"data": "?", "test": "?"}
                    data, test = (own[key] or of_class[key] for key in ("data", "test"))
                    repeats = any(own[key] == of_class[key] for key in of_class)
                    out.append(Field(kind.name, field.target.id, text, data, test, repeats))
    return out


def test_the_default_bound_of_agreement_is_that_of_local_features() -> None:
    assert pytest.approx(DECISION.min_agreement) == 1 - fingerprints.make("local").radii["normal"]


def functions_of(name: str) -> set[str]:
    found = ast.walk(ast.parse((TESTS / name).read_text(encoding="utf-8")))
    return {each.name for each in found if isinstance(each, ast.FunctionDef)}


def test_every_threshold_has_a_unit_a_reason_data_and_a_test() -> None:
    files = {path.name: functions_of(path.name) for path in TESTS.glob("test_*.py")}
    wrong = []
    for each in fields():
        file, _, test = each.test.partition("::")
        if not all(name in DATA for name in each.data.split(", ")) or test not in files.get(file, ()):
            wrong.append(f"{each.kind}.{each.name}: {each.text}")
    assert not wrong


def test_no_threshold_repeats_the_data_or_the_test_of_its_class() -> None:
    assert [f"{each.kind}.{each.name}" for each in fields() if each.repeats] == []


def test_the_table_has_every_concern_and_each_field_is_read_somewhere() -> None:
    kinds = {type(table).__name__: name for name, table in CONCERNS.items()}
    assert {each.kind for each in fields()} == set(kinds)
    source = "".join(path.read_text(encoding="utf-8") for path in TWINPIX.rglob("*.py"))
    read = set(re.findall(rf"\b(?:{'|'.join(CONCERNS)})\.\w+", source))
    assert {f"{kinds[each.kind]}.{each.name}" for each in fields()} - read == set()


def modules() -> list[Path]:
    return sorted(path for package in ("evidence", "verify") for path in (TWINPIX / package).rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(TWINPIX)))
def test_no_other_module_has_a_number_without_a_name(path: Path) -> None:
    tree, found = ast.parse(path.read_text(encoding="utf-8")), []
    for top in tree.body:
        if not isinstance(top, (ast.FunctionDef, ast.ClassDef)):
            continue
        for node in ast.walk(top):
            if isinstance(node, ast.Constant) and type(node.value) is float and node.value not in FLOATS:
                found.append(f"line {node.lineno}: {node.value}")
            if isinstance(node, ast.Compare):
                found += [f"line {node.lineno}: {ast.unparse(node)}" for each in sides(node) if is_threshold(each)]
    assert found == []


def sides(node: ast.Compare) -> list[ast.expr]:
    return [each.operand if isinstance(each, ast.UnaryOp) else each for each in (node.left, *node.comparators)]


def is_threshold(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value not in COUNTS


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(TWINPIX)))
def test_no_module_keeps_a_threshold_when_it_is_imported(path: Path) -> None:
    """Neither a constant nor a default argument: `override_threshold` would not reach it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    early: list[ast.AST] = [each for each in tree.body if isinstance(each, (ast.Assign, ast.AnnAssign))]
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            early += [each for each in (*node.args.defaults, *node.args.kw_defaults) if each is not None]
        if isinstance(node, ast.ClassDef):
            early += [each for each in node.body if isinstance(each, (ast.Assign, ast.AnnAssign))]
    names = {node.id for each in early for node in ast.walk(each) if isinstance(node, ast.Name)}
    assert not names & set(CONCERNS)


def test_a_threshold_is_overridden_within_the_block_alone() -> None:
    before = DECISION.min_agreement
    with override_threshold("DECISION", "min_agreement", 0.9):
        assert DECISION.min_agreement == 0.9
        assert CONCERNS["DECISION"].min_agreement == 0.9
    assert DECISION.min_agreement == before
    with pytest.raises(ZeroDivisionError), override_threshold("DECISION", "min_agreement", 0.9):
        _ = 1 / 0
    assert DECISION.min_agreement == before


def test_no_threshold_can_be_assigned() -> None:
    with pytest.raises(AttributeError):
        DECISION.min_agreement = 0.9  # type: ignore[misc]


def test_an_overridden_threshold_decides() -> None:
    image = draw("scene", 4, (320, 240))
    a, b = (pyramid_of(picture_of(each, "fast", COLOUR, DETAIL)) for each in (image, image.resize((240, 180))))
    guesses = [orientation_transform(0, a.size, b.size)]
    assert verify_pair(a, b, guesses).relation == "resized"
    with override_threshold("DESCRIBE", "same_scale", 0.5):
        assert verify_pair(a, b, guesses).relation == "re-encoded"
    with override_threshold("DECISION", "min_overlap", 2.0):
        assert not verify_pair(a, b, guesses).same
    assert verify_pair(a, b, guesses).relation == "resized"


def test_the_measured_thresholds_are_those_of_the_table() -> None:
    """`bench/thresholds.md` is written by `bench/thresholds.py`: run it again after a change of the table."""
    text = (TESTS.parent / "bench/thresholds.md").read_text(encoding="utf-8")
    concerns = {type(table).__name__: name.upper() for name, table in CONCERNS.items()}
    known = {f"{concerns[each.kind]}.{each.name}" for each in fields()}
    assert set(re.findall(r"\b[A-Z_]+\.[a-z_0-9]+", text)) == known
