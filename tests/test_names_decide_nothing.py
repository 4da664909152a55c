"""Renamed and reordered files give the same groups, relations and numbers: pairs are oriented by content."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

import twinpix
from drawings import draw
from twinpix.model import Match, Report

_EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "same": lambda image: image,
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "crop": lambda image: image.crop((30, 20, image.width - 50, image.height - 40)),
    "flip": ImageOps.mirror,
    "turn": lambda image: image.rotate(90, expand=True),
    "grey": ImageOps.grayscale,
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "bright": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "frame": lambda image: ImageOps.expand(image, 25, "white"),
    "tilt": lambda image: image.rotate(4, Image.Resampling.BICUBIC, expand=True),
}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root, out = tmp_path_factory.mktemp("copies"), []
    for seed in range(4):
        image = draw("scene" if seed % 2 else "street", seed, (400, 300))
        for name, edit in _EDITS.items():
            out.append(root / f"{seed}-{name}.png")
            edit(image).save(out[-1])
    return out


def _found(copies: list[Path], folder: Path, seed: int, method: str) -> Report:
    """Find in a folder that has the files under other names."""
    folder.mkdir()
    numbers = list(range(len(copies)))
    random.Random(seed).shuffle(numbers)
    for number, path in zip(numbers, copies, strict=True):
        (folder / f"{number:03}.png").write_bytes(path.read_bytes())
    return twinpix.find(folder, method=method, store=None, workers=2)


def _by_content(report: Report) -> list[object]:
    """Return groups and matches by the digests of their images, each match in one direction."""
    digests = {member.path: member.digest for group in report.groups for member in group.members}
    digests |= {image.path: image.digest for image in report.unique or ()}

    def of(match: Match) -> tuple[object, ...]:
        one = match if digests[match.a] < digests[match.b] else match.swap_images()
        return (digests[one.a], digests[one.b], one.relation, one.detail, one.back, one.agrees, one.points, one.tier)

    groups = [(sorted(digests[m.path] for m in g.members), sorted(map(of, g.matches))) for g in report.groups]
    return [sorted(groups), sorted(map(of, report.similar))]


@pytest.mark.parametrize("method", ["cascade", "phash:size=16"])
def test_names_decide_nothing(copies: list[Path], tmp_path: Path, method: str) -> None:
    first, second = (_found(copies, tmp_path / str(seed), seed, method) for seed in (1, 2))
    assert len(first.groups) >= 4
    assert _by_content(first) == _by_content(second)
