"""Every public name has an example in its docstring, and the examples run."""

from __future__ import annotations

import doctest
import inspect
import os
import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import twinpix
from drawings import draw
from twinpix import model

NAMES = [name for name in twinpix.__all__ if name != "__version__"]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three images in `photos`, two of them copies, in a temporary working folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    beach = draw("scene", 0, (160, 120))
    beach.save(folder / "beach.png")
    beach.save(folder / "beach.jpg", quality=90)
    draw("scene", 1, (160, 120)).save(folder / "forest.png")


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_public_name_runs(name: str) -> None:
    text = inspect.getdoc(getattr(twinpix, name)) or ""
    assert "\nExample:\n" in text, f"twinpix.{name} has no example"
    names = {"twinpix": twinpix, "os": os}
    example = doctest.DocTestParser().get_doctest(text, names, f"twinpix.{name}", None, None)
    assert any(name.lower() in each.source for each in example.examples), f"the example does not use twinpix.{name}"
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF).run(example, out=failures.append)
    assert not failures, "".join(failures)


CLASSES = [value for name in NAMES if is_dataclass(value := getattr(twinpix, name))]
PARTS = [model.Counts, model.Failure, model.Group, model.Guarded, model.Match, model.Member, model.Traits]


@pytest.mark.parametrize("public", [*CLASSES, *PARTS], ids=lambda each: each.__name__)
def test_each_field_of_a_public_class_is_explained(public: type) -> None:
    text = re.split(r"\n(?:Args|Attributes):\n", inspect.getdoc(public) or "")[1].partition("\n\n")[0]
    explained = re.findall(r"^    (\w+): \w|^    (\w+): [\"`]", text, re.MULTILINE)
    assert [first or second for first, second in explained] == [field.name for field in fields(public)]
