"""Fixtures: drawn images, a separate store for each test, and the shared images if they are available."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import amounts
import commands
from drawings import draw
from stores import MANY

# The trash library determines its folder once, when it is imported.
DATA = os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="twinpix-data-")
# Without stored bytecode, each command that a test starts would compile every module again, which takes a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
os.environ["MPLCONFIGDIR"] = f"{DATA}/matplotlib"  # otherwise each process searches for fonts again
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `training` is beside the package
SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="every case of every test; by default a part of them runs")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "covering: by default only so many cases that each value of a parameter occurs")
    config.addinivalue_line("markers", "full: a case that runs with --full only; another case of its kind runs always")
    amounts.choose(full=config.getoption("--full"))
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and not amounts.is_full() and hasattr(os, "sched_setaffinity"):
        # Each worker has a core: otherwise each run without a number of processes starts one for each core, and all
        # workers together many more processes than there are cores. Tests of several processes name their number.
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})
    commands.load_for_forks()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--full`, deselect the cases of amounts.py; a test that is named on the command line runs completely."""
    if amounts.is_full() or any("::" in argument for argument in config.args):
        return
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    chosen = set[pytest.Item]()
    for same in cases.values():
        always = [item for item in same if not item.get_closest_marker("full")]
        assert always, f"no case of {same[0].nodeid} runs without --full"
        if always[0].get_closest_marker("covering"):
            always = amounts.covering((item, _parameters(item)) for item in always)
        chosen.update(always)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = [item for item in items if item in chosen]


def _parameters(item: pytest.Item) -> dict[str, tuple[int, ...]]:
    """The values of each `parametrize` mark and of each fixture with parameters, identified by `id`.

    pytest creates the value of a parameter once and passes it to each case. `callspec.indices` cannot be used: from
    pytest 9.0 on they number the cases instead of the values, so that every case would be needed.
    """
    left = dict(item.callspec.params)  # type: ignore[attr-defined]
    parameters = {}
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0]
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        parameters[",".join(names)] = tuple(id(left.pop(name)) for name in names)
    return parameters | {name: (id(value),) for name, value in left.items()}


def pytest_unconfigure() -> None:
    commands.close()
    shutil.rmtree(DATA, ignore_errors=True)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's store, state or trash."""
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home if name == "HOME" else home / name.lower()))
    monkeypatch.setenv("XDG_DATA_HOME", DATA)


@pytest.fixture
def shared() -> Path:
    """The shared images; the test is skipped if they are missing."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared, which is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def draw_image() -> Callable[..., Image.Image]:
    """`draw_image(seed)` draws a detailed image, a different one for each seed."""
    kinds = ("scene", "landscape", "street", "table")

    def drawn(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
        return draw(kinds[seed % len(kinds)], seed, size)

    return drawn


@pytest.fixture
def many(tmp_path: Path, draw_image: Callable[..., Image.Image]) -> Path:
    """A folder of two hundred different files that show the same small image."""
    folder = tmp_path / "many"
    folder.mkdir()
    image = draw_image(1, (120, 90))
    for number in range(MANY):
        image.putpixel((number % 120, number // 120), (255, 0, 255))
        image.save(folder / f"{number}.png", compress_level=1)
    time.sleep(0.12)  # until the files' time stamps are old enough to be trusted
    return folder


@pytest.fixture
def photos(tmp_path: Path, draw_image: Callable[..., Image.Image]) -> Path:
    """A folder with three images, and an identical file, a smaller copy and another encoding of the first."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        draw_image(seed).save(folder / f"{seed}.png")
    (folder / "0 same.png").write_bytes((folder / "0.png").read_bytes())
    draw_image(0).resize((160, 120)).save(folder / "0 small.jpg", quality=85)
    draw_image(0).save(folder / "0 encoded.jpg", quality=60)
    return folder
