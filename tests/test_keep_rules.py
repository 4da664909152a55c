"""The keeper of a group: the image with the largest content, the fewest edits, and metadata."""

from __future__ import annotations

import io
import itertools
import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

import twinpix
from drawings import draw
from test_traits import camera_exif
from twinpix import keep
from twinpix.act.regroup import decide_again
from twinpix.encoding.alterations import mark_alterations
from twinpix.errors import ReportError
from twinpix.keep.files.plain import is_named_like_a_copy
from twinpix.model import Alteration, ContentId, Group, Match, Member, Traits, file_name, sort_key

METHODS = ("phash:size=16", "cascade")


def member(path: str, *altered: str, **facts: Any) -> Member:
    traits = Traits(**{name: facts.pop(name) for name in list(facts) if name in Traits.__slots__ and name != "frames"})
    base = {"size": 100_000, "width": 100, "height": 100, "mtime_ns": 0, "digest": ""}
    return Member(path, **{**base, **facts}, traits=traits, altered=tuple(map(Alteration, altered)))


PAIRS = [
    (member("b", frames=3), member("a", size=200_000), "most frames or pages (3)"),
    (member("b", width=300), member("a", "thumbnail", camera="Maker"), "far larger image (300×100)"),
    (member("b"), member("a", "padded", width=300), "unedited (the next best is padded)"),
    (member("b"), member("a", "enlarged", width=300), "unedited (the next best is enlarged)"),
    (member("b"), member("a", "blurred", "overlaid", size=200_000), "unedited (the next best is overlaid and blurred)"),
    (member("b"), member("a", "grey", size=200_000), "in colour"),
    (member("b", format="JPEG"), member("a", format="PNG", palette=256), "all colours (the next best has 256)"),
    (member("b", depth=16), member("a", size=200_000), "most bits a channel (16)"),
    (member("b", alpha=True), member("a", size=200_000), "with its transparency"),
    (
        member("b", format="JPEG"),
        member("a", "converted", format="PNG", size=200_000),
        "the original file (the PNG was converted from it)",
    ),
    (member("b", camera="Maker"), member("a", size=200_000), "has the camera's EXIF"),
    (member("b", captured="2019-05-05T10:00:00"), member("a", size=200_000), "has its capture date (EXIF)"),
    (member("b", gps=True), member("a", size=200_000), "has its GPS position"),
    (member("b", width=101), member("a"), "largest image (101×100)"),
    (member("IMG_1.jpg"), member("Copy of IMG_1.jpg", size=200_000), "plain name (the next best is named like a copy)"),
    (member("b", size=100_001), member("a"), "largest file"),
    (member("a"), member("b"), "first by path among equals"),
]


@pytest.mark.parametrize(("best", "other", "reason"), PAIRS, ids=[reason for *_, reason in PAIRS])
def test_each_default_rule_decides_and_is_named(best: Member, other: Member, reason: str) -> None:
    chain = keep.make_chain(keep.DEFAULT)
    assert chain.key(best) < chain.key(other)
    assert chain.explain(best, [other]).reason == reason


def test_a_drawing_of_few_colours_is_preferred_to_its_jpeg() -> None:
    chain = keep.make_chain(keep.DEFAULT)
    drawing, jpeg = member("b.png", format="PNG", palette=40, size=300), member("a.jpg", format="JPEG", size=200)
    assert chain.key(drawing) < chain.key(jpeg)


def test_damaged_is_last_and_a_reference_first_whatever_the_rules() -> None:
    chain = keep.make_chain(keep.DEFAULT)
    damaged = member("a", damaged=True, frames=9, camera="Maker", size=9**9)
    reference = member("b", "padded", reference=True)
    ranked = sorted([damaged, member("c"), reference], key=chain.key)
    assert [one.path for one in ranked] == ["b", "c", "a"]


def test_the_order_is_total_and_does_not_depend_on_the_order_of_the_files() -> None:
    chain = keep.make_chain(keep.DEFAULT)
    members = [one for at, pair in enumerate(PAIRS) for one in (member_at(pair[0], at, 0), member_at(pair[1], at, 1))]
    keys = [chain.key(one) for one in members]
    assert len(set(keys)) == len(keys)
    ranked = sorted(members, key=chain.key)
    for seed in range(5):
        shuffled = members[:]
        random.Random(seed).shuffle(shuffled)
        assert sorted(shuffled, key=chain.key) == ranked


def member_at(one: Member, *place: int) -> Member:
    return replace(one, path=f"{one.path}-{'-'.join(map(str, place))}")


def test_rules_accept_members_of_old_reports() -> None:
    old = [Member("b.jpg", 10, 8, 8, 5, ""), Member("a.jpg", 9, 8, 8, 4, "")]
    for rule in ("oldest", keep.DEFAULT):
        chain = keep.make_chain(rule)
        assert [one.path for one in sorted(old, key=chain.key)] == [["a.jpg", "b.jpg"], ["b.jpg", "a.jpg"]][
            rule != "oldest"
        ]


def test_the_oldest_is_the_first_by_capture_date_whatever_the_file_dates() -> None:
    chain = keep.make_chain("oldest")
    camera = member("b", captured="2019-05-05T10:00:00", mtime_ns=9)
    chat, later = member("a", mtime_ns=1), member("a", captured="2020-05-05T10:00:00", mtime_ns=1)
    assert chain.key(camera) < chain.key(chat)
    assert chain.key(camera) < chain.key(later)
    assert chain.explain(camera, [later]).reason == "taken first (2019-05-05)"


def test_an_image_without_a_time_is_neither_the_oldest_nor_the_newest() -> None:
    old, new, unknown = member("b", mtime_ns=1), member("c", mtime_ns=2), member("a", mtime_ns=0)
    for rule, first in (("oldest", old), ("newest", new)):
        ranked = sorted([unknown, new, old], key=keep.make_chain(rule).key)
        assert (ranked[0], ranked[-1]) == (first, unknown)


def test_rows_are_ordered_by_their_numbers() -> None:
    paths = ["a.parquet#row=9", "a.parquet#row=10", "a.parquet#row=10&column=b", "b.parquet#row=1"]
    ranked = sorted(map(member, reversed(paths)), key=keep.make_chain(keep.DEFAULT).key)
    assert [one.path for one in ranked] == paths
    assert sort_key("a#row=1/b.jpg") == "a#row=1/b.jpg"


@pytest.mark.parametrize(
    "name",
    [
        *("Copy of IMG_1.jpg", "IMG_1 copy.jpg", "IMG_1 copy 2.jpg", "IMG_1 - Copy.jpg", "IMG_1 - Copy (2).jpg"),
        *("IMG_1 (1).jpg", "IMG_1(2).jpg", "IMG_1 (copy).jpg", "IMG_1 - Kopie.jpg", "Kopie von IMG_1.jpg"),
        *("IMG_1 - Copie.jpg", "Copie de IMG_1.jpg", "IMG_1 - copia.jpg", "Copia di IMG_1.jpg", "Cópia de IMG_1.jpg"),
        *("IMG_1 — копия.jpg", "Копия IMG_1.jpg", "IMG_1 - コピー.jpg", "IMG_1のコピー.jpg", "IMG_1 - 副本.jpg"),
        *(
            "IMG_1的副本.jpg",
            "IMG_1 - 복사본.jpg",
            "IMG_1_copy.jpg",
            "IMG_1~2.jpg",
            "Kopia IMG_1.jpg",
            "IMG_1 kopi.jpg",
        ),
    ],
)
def test_names_that_programs_give_to_copies(name: str) -> None:
    assert is_named_like_a_copy(f"some (1)/folder copy/{name}")


@pytest.mark.parametrize(
    "name",
    [
        *("IMG_1.jpg", "copyright.jpg", "Copyshop.jpg", "photocopy machine.jpg", "xcopy.jpg", "IMG-2019 (Berlin).jpg"),
        *("copier 3.jpg", "2019-05-05 10.00.00.jpg", "IMG_1 2.jpg", "a~b.jpg", "Copiapó.jpg", "kopieerapparaat.jpg"),
    ],
)
def test_names_that_programs_do_not_give_to_copies(name: str) -> None:
    assert not is_named_like_a_copy(f"Copy of pictures/{name}")


@pytest.mark.parametrize(
    ("location", "name", "copy"),
    [
        ("zip://a/1 (1).jpg::b.zip", "1 (1).jpg", True),
        ("zip://a/1.jpg::/x/holiday copy.zip", "1.jpg", False),
        ("zip://Copy of a.jpg::b.zip", "Copy of a.jpg", True),
        ("zip://a copy/third::1.png::C:\\b (1).zip", "third::1.png", False),
        ("a copy\\1.jpg", "1.jpg", False),
        ("a copy/1.jpg", "1.jpg", False),
        ("1 copy.jpg", "1 copy.jpg", True),
    ],
)
def test_the_file_name_is_that_of_the_member_not_of_its_archive(location: str, name: str, copy: bool) -> None:
    assert file_name(location) == name
    assert is_named_like_a_copy(location) is copy


# -- images ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_shared_cases(shared: Path, method: str) -> None:
    cases = shared / "cases" / "keeper"
    if not cases.is_dir():
        pytest.skip("needs the cases of keepers")
    right = {
        "black_and_white": "colour.jpg",
        "gps_lost": "z_with_place.jpg",
        "oldest": "camera_exif2019.jpg",
        "png_of_the_jpeg": "camera.jpg",
        "resaved": "camera.jpg",
        "screenshot": "camera.jpg",
        "upscaled": "camera.jpg",
    }
    found = [twinpix.find(cases / name, method=method, store=None) for name in right]
    kept = {
        name: [Path(group.keeper).name for group in report.groups] for name, report in zip(right, found, strict=True)
    }
    assert kept == {name: [best] if method == "cascade" or name != "screenshot" else [] for name, best in right.items()}
    oldest = twinpix.find(cases / "oldest", method=method, store=None, keep="oldest")
    assert Path(oldest.groups[0].keeper).name == right["oldest"]
    assert oldest.groups[0].reason == "taken first (2019-05-05)"


def text(image: Image.Image, words: str, at: tuple[float, float], size: int, alpha: int = 255) -> Image.Image:
    layer = Image.new("RGBA", image.size, (255, 255, 255, 0))
    place = at[0] * image.width, at[1] * image.height
    ImageDraw.Draw(layer).text(
        place,
        words,
        font=ImageFont.load_default(size),
        fill=(255, 255, 255, alpha),
        stroke_width=1,
        stroke_fill=(0, 0, 0, alpha),
    )
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def sepia(image: Image.Image) -> Image.Image:
    grey = image.convert("L")
    return Image.merge("RGB", [grey.point([int(level * share) for level in range(256)]) for share in (1, 0.85, 0.6)])


def twice(image: Image.Image) -> Image.Image:
    return image.resize((image.width * 2, image.height * 2), Image.Resampling.LANCZOS)


EDITS: dict[str, tuple[Callable[[Image.Image], Image.Image], str]] = {
    "padded": (lambda image: ImageOps.expand(image, 6, (250, 250, 245)), "png"),
    "overlaid": (
        lambda image: text(text(image, "WHEN YOU FIND IT", (0.1, 0.03), 34), "AT LAST", (0.3, 0.84), 34),
        "png",
    ),
    "overlaid, faint": (lambda image: text(image, "(c) stock 2024", (0.5, 0.88), 24, 190), "png"),
    "blurred": (lambda image: image.filter(ImageFilter.GaussianBlur(1.5)), "png"),
    "enlarged": (twice, "png"),
    "grey": (lambda image: image.convert("L"), "png"),
    "grey, sepia": (sepia, "png"),
    "palette": (lambda image: image.quantize(256), "png"),
    "converted": (lambda image: image, "png"),
}


def test_a_soft_image_in_colour_is_preferred_to_a_grey_copy_of_half_the_size() -> None:
    """The soft image could be an enlarged one."""
    chain = keep.make_chain(keep.DEFAULT)
    soft, grey = member("b", "enlarged", width=200, height=200), member("a", "grey")
    assert chain.key(soft) < chain.key(grey)
    assert chain.explain(soft, [grey]).reason == "in colour"


def photo(seed: int) -> Image.Image:
    """A drawn photo with fine detail everywhere, as a JPEG decoder gives it."""
    image = draw("landscape", seed, (400, 300))
    noise = np.random.default_rng(seed).normal(0, 9, (300, 400, 1))
    grainy = Image.fromarray(np.clip(np.asarray(image, dtype=np.float64) + noise, 0, 255).astype(np.uint8))
    return Image.open(io.BytesIO(jpeg(grainy))).convert("RGB")


def jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()


@pytest.fixture(scope="module")
def siblings(tmp_path_factory: pytest.TempPathFactory) -> twinpix.Report:
    """A group for each edit: a JPEG without metadata, and a larger edited file whose name comes first."""
    folder = tmp_path_factory.mktemp("siblings")
    for seed, (name, (edit, form)) in enumerate(EDITS.items()):
        (folder / f"{name} z original.jpg").write_bytes(jpeg(photo(seed)))
        edit(Image.open(folder / f"{name} z original.jpg").convert("RGB")).save(folder / f"{name} a.{form}")
    return twinpix.find(folder, method="phash:size=16", store=None, strictness="loose", workers=1)


@pytest.mark.parametrize("name", EDITS)
def test_the_original_is_preferred_to_its_edits(siblings: twinpix.Report, name: str) -> None:
    groups = [group for group in siblings.groups if Path(group.keeper).name.startswith(f"{name} ")]
    assert [Path(group.keeper).name for group in groups] == [f"{name} z original.jpg"]
    (other,) = groups[0].members[1:]
    if name == "palette":
        assert groups[0].reason.startswith("all colours")
    else:
        assert name.partition(",")[0] in other.altered


def test_deciding_again_changes_nothing(siblings: twinpix.Report) -> None:
    again = decide_again(siblings)
    assert [plain_of(group) for group in again.groups] == [plain_of(group) for group in siblings.groups]


def test_alterations_are_a_list_in_a_report_and_a_text_of_an_earlier_version_is_read(
    siblings: twinpix.Report, tmp_path: Path
) -> None:
    path = tmp_path / "r.json"
    siblings.save(path)
    value = json.loads(path.read_text())
    lists = [member["altered"] for group in value["groups"] for member in group["members"]]
    assert ["padded"] in lists
    assert twinpix.Report.load(path) == siblings
    assert all(type(word) is str for words in lists for word in words)
    for group in value["groups"]:
        for member in group["members"]:
            member["altered"] = ", ".join(member["altered"])
    path.write_text(json.dumps(value))
    assert twinpix.Report.load(path) == siblings
    value["groups"][0]["members"][0]["altered"] = "prettified"
    path.write_text(json.dumps(value))
    with pytest.raises(ReportError, match=r"is no valid report: .*prettified"):
        twinpix.Report.load(path)


@pytest.mark.parametrize("turned", [False, True])
def test_a_border_is_known_by_the_verdict_and_not_by_its_text(turned: bool) -> None:
    match = Match("a", "b", 0.1, "padded", detail="in other words", same_code=False, borders=(False, True))
    match = match.swap_images() if turned else match
    a, b = mark_alterations([member("a"), member("b")], [match], [ContentId(0), ContentId(1)], {})
    assert (a.altered, b.altered) == ((), (Alteration.PADDED,))


def plain_of(group: Group) -> tuple[str, str, list[Member]]:
    return group.keeper, group.reason, group.members


def test_alpha_is_preferred_to_a_flattened_copy(tmp_path: Path) -> None:
    image = draw("scene", 3, (300, 200)).convert("RGBA")
    image.putalpha(Image.fromarray((np.indices((200, 300)).sum(axis=0) > 90).astype(np.uint8) * 255))
    image.save(tmp_path / "z.png")
    flat = Image.new("RGB", image.size, "white")
    flat.paste(image, mask=image)
    flat.save(tmp_path / "a.tif")
    group = twinpix.find(tmp_path, method="phash:size=16", store=None, workers=1).groups[0]
    assert (Path(group.keeper).name, group.reason) == ("z.png", "with its transparency")


def test_a_heic_is_preferred_to_its_export(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    image, exif = photo(5).convert("RGB"), camera_exif(place=True).tobytes()
    image.save(tmp_path / "z.heic", quality=60, exif=exif)
    image.save(tmp_path / "a.jpg", quality=95, exif=exif)
    group = twinpix.find(tmp_path, method="phash:size=16", store=None, workers=1).groups[0]
    assert Path(group.keeper).name == "z.heic"
    assert group.reason == "the original file (the JPEG was converted from it)"


def test_a_copy_is_recognised_by_its_name_if_all_else_is_equal(tmp_path: Path) -> None:
    data = jpeg(photo(6))
    for name in ("Copy of x.jpg", "x (1).jpg", "x.jpg"):
        (tmp_path / name).write_bytes(data)
        os.utime(tmp_path / name, (1, 1))
    group = twinpix.find(tmp_path, method="phash:size=16", store=None, workers=1).groups[0]
    assert (Path(group.keeper).name, group.reason) == ("x.jpg", "plain name (the next best is named like a copy)")


def test_the_keeper_does_not_depend_on_the_names(tmp_path: Path) -> None:
    image = photo(7).convert("RGB")
    versions = {
        "camera": lambda path: image.save(path, "JPEG", quality=80, exif=camera_exif()),
        "chat": lambda path: image.resize((200, 150)).save(path, "JPEG", quality=60),
        "saved": lambda path: image.save(path, "JPEG", quality=98),
    }
    kept = set()
    for number, names in enumerate(itertools.permutations("abc")):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = dict(zip(names, versions, strict=True))
        for name, version in place.items():
            versions[version](folder / f"{name}.jpg")
        group = twinpix.find(folder, method="phash:size=16", store=None, workers=1).groups[0]
        kept.add(place[Path(group.keeper).stem])
    assert kept == {"camera"}


def test_a_smaller_copy_of_an_image_with_its_own_border_is_not_kept(tmp_path: Path) -> None:
    """The border is part of the original; in a small copy of low quality it is no longer of one colour."""
    image = draw("scene", 3, (600, 450))
    framed = Image.new("RGB", (640, 490), (240, 232, 220))
    framed.paste(image, (20, 20))
    framed.save(tmp_path / "original.jpg", quality=93)
    for share, name in ((2, "half.jpg"), (5, "fifth.jpg")):
        framed.resize((640 // share, 490 // share)).save(tmp_path / name, quality=55)
    small = draw("portrait", 4, (128, 128))
    small.save(tmp_path / "icon.jpg", quality=93)
    small.resize((64, 64)).save(tmp_path / "icon small.jpg", quality=60)
    report = twinpix.find(tmp_path, method="phash:size=16", store=None)
    assert {os.path.basename(group.keeper) for group in report.groups} == {"original.jpg", "icon.jpg"}


def test_only_the_best_members_of_a_very_large_group_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinpix.group.groups._READ_OF_ONE", 3)
    image = photo(8).resize((160, 120))
    for number in range(9):
        image.save(tmp_path / f"{number}.jpg", quality=70 + number)
    image.resize((320, 240)).save(tmp_path / "9.jpg", quality=90, exif=camera_exif())
    states: list[tuple[str, int, int]] = []
    report = twinpix.find(
        tmp_path,
        method="phash:size=16",
        store=tmp_path / "s.sqlite",
        verify=True,
        progress=lambda *state: states.append(state),
    )
    assert [total for stage, done, total in states if stage == "read" and not done][-1] == 3
    assert Path(report.groups[0].keeper).name == "9.jpg"


@pytest.mark.parametrize("method", ["phash:size=16", "local", "cascade"])
def test_the_whole_image_is_preferred_to_a_crop_of_the_same_shape(method: str, tmp_path: Path) -> None:
    """Resized to one size, a crop differs from the whole image in places, as if one had an overlay."""
    for seed, kind in enumerate(("street", "scene", "portrait")):
        image = draw(kind, 3 + seed, (400, 300))
        image.save(tmp_path / f"{seed} whole.png")
        image.crop((40, 30, 360, 270)).save(tmp_path / f"{seed} part.png")
        image.crop((6, 4, 396, 297)).save(tmp_path / f"{seed} nearly.png")
    report = twinpix.find(tmp_path, store=None, method=method)
    assert report.groups
    assert {os.path.basename(group.keeper)[2:] for group in report.groups} == {"whole.png"}


@pytest.mark.parametrize("seed", range(4))
def test_a_soft_photo_is_preferred_to_a_copy_of_half_the_size(seed: int, tmp_path: Path) -> None:
    """It has little detail that the copy lacks, as an enlarged image has; the larger one is kept when in doubt."""
    soft = photo(seed).resize((800, 600), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(0.8))
    grain = np.random.default_rng(seed).normal(0, 2.5, (600, 800, 1))
    soft = Image.fromarray(np.clip(np.asarray(soft, dtype=np.float64) + grain, 0, 255).astype(np.uint8))
    soft.save(tmp_path / "z soft.jpg", quality=85)
    soft.resize((400, 300), Image.Resampling.LANCZOS).save(tmp_path / "a half.jpg", quality=90)
    report = twinpix.find(tmp_path, store=None, workers=1)
    assert [Path(group.keeper).name for group in report.groups] == ["z soft.jpg"]
