"""Every public name has an example in its docstring, and the examples run."""

from __future__ import annotations

import doctest
import inspect
import os
from pathlib import Path

import pytest

import twinpix
from drawings import draw

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
