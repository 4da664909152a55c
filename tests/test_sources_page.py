"""The programs of docs/sources.md print what the page shows, and it names all sources."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from drawings import draw
from twinpix import plugins
from twinpix.sources.lists import _USUAL

PAGE = (Path(__file__).parents[1] / "docs" / "sources.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_the_programs_of_the_page_print_what_it_shows(number: int, tmp_path: Path) -> None:
    program, output = PROGRAMS[number]
    for name in re.findall(r"^import (\w+)|^from (\w+)", program, re.MULTILINE):
        pytest.importorskip("".join(name))
    (tmp_path / "photos").mkdir()
    beach = draw("scene", 0, (160, 120))
    beach.save(tmp_path / "photos" / "beach.png")
    beach.save(tmp_path / "photos" / "beach.jpg", quality=90)
    draw("scene", 1, (160, 120)).save(tmp_path / "photos" / "forest.png")
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "program.py"], capture_output=True, encoding="utf-8", env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert [line.strip() for line in done.stdout.splitlines() if line.strip()] == output.splitlines()


def test_every_program_has_its_output() -> None:
    assert len(PROGRAMS) == PAGE.count("```python") == 4


def test_the_page_names_all_suffixes_and_columns() -> None:
    for name in plugins.own("sources"):
        for suffix in plugins.load("sources", name).suffixes - {".pq", ".ipc", ".feather", ".arrow", ".parquet"}:
            assert f"`{suffix}`" in PAGE
    assert ", ".join(f"`{name}`" for name in _USUAL[:-1]) + f" and `{_USUAL[-1]}`" in PAGE
