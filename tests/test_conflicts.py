"""Images that verification found different are not grouped, whatever else is in the folder; distances have a unit."""

import csv
import io
import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image, ImageDraw, ImageFont

import twinpix
from libraries import group, report, save, write
from twinpix import plugins
from twinpix.act.regroup import decide_again
from twinpix.encoding.methods import settings_of
from twinpix.encoding.options import Options
from twinpix.errors import ReportError
from twinpix.model import Match, Report
from twinpix.report import read
from twinpix.report.json import schema

Star = tuple[str | tuple[int, int, int], float, int, list[float], float]  # colour, reach, folds, radii, direction


def sign(shapes: list[Star]) -> Image.Image:
    """Star-like shapes on white, each over the one before."""
    image = Image.new("RGB", (1024, 1024), "white")
    for paint, reach, folds, radii, turn in shapes:
        count = folds * len(radii)
        angles = [turn + 2 * math.pi * at / count for at in range(count)]
        lengths = [reach * radii[at % len(radii)] for at in range(count)]
        points = [
            (512 + length * math.cos(angle), 512 + length * math.sin(angle))
            for length, angle in zip(lengths, angles, strict=True)
        ]
        ImageDraw.Draw(image).polygon(points, fill=paint)
    return image.resize((256, 256), Image.Resampling.LANCZOS)


def test_two_signs_of_similar_outline_are_not_copies(tmp_path: Path) -> None:
    first: list[Star] = [
        ((92, 100, 139), 430.0, 4, [0.5832, 0.6885, 0.6979, 0.4228], 3.2368),
        ("white", 209.8471, 6, [0.6444, 0.6708], 2.9742),
    ]
    second: list[Star] = [
        ((72, 117, 172), 430.0, 4, [0.4844, 0.7621, 0.7464, 0.5922], 2.9475),
        ("white", 182.6173, 4, [0.9013, 0.8902], 5.9583),
        ((94, 146, 32), 112.0579, 4, [0.3943, 0.7128], 1.8931),
    ]
    sign(first).save(tmp_path / "0013.png")
    sign(second).save(tmp_path / "0108.png")
    assert twinpix.find(tmp_path, store=None).groups == []


def form(seed: int | None) -> Image.Image:
    """A form with eight fields, empty or with numbers chosen by the seed."""
    image = Image.new("RGB", (640, 800), "white")
    pen, rng = ImageDraw.Draw(image), random.Random(seed)
    pen.text((40, 30), "Application for a permit", fill="black", font=ImageFont.load_default(size=34))
    for at in range(8):
        top = 110 + at * 80
        pen.text((40, top), f"{at + 1}. Field and its reason", fill="black", font=ImageFont.load_default(size=22))
        pen.rectangle((380, top - 6, 600, top + 40), outline="black", width=2)
        if seed is not None:
            number = str(rng.randint(10**7, 10**8))
            pen.text((392, top), number, fill="black", font=ImageFont.load_default(size=26))
    return image


@pytest.mark.parametrize("link", plugins.names("linking"))
@pytest.mark.parametrize("options", [{"method": "cascade"}, {"method": "phash:size=16", "verify": True, "radius": 100}])
def test_an_empty_form_does_not_link_two_filled_ones(link: str, options: dict[str, Any], tmp_path: Path) -> None:
    form(1).save(tmp_path / "a.jpg", quality=90)
    form(2).save(tmp_path / "b.jpg", quality=90)
    assert twinpix.find(tmp_path, store=None, link=link, **options).groups == []
    form(None).save(tmp_path / "empty.jpg", quality=92)
    found = twinpix.find(tmp_path, store=None, link=link, **options)
    for each in found.groups:
        assert {Path(member.path).name for member in each.members} != {"a.jpg", "b.jpg"}
        assert len(each.members) == 2
        for match in each.matches:
            assert match.distance
            assert not match.same_code


def test_a_transitive_match_has_no_distance_of_codes(tmp_path: Path) -> None:
    """The distance was 0, which means equal codes, within any radius."""
    names = [f"photos/{name}.png" for name in "abc"]
    for at, name in enumerate(names):
        write(tmp_path, name, bytes([at]) * 9)
    pairs = [
        Match(names[0], names[1], None, "edited", agrees=0.7, same_code=False),
        Match(names[0], names[2], 8, "re-encoded", same_code=False),
    ]
    found = report(tmp_path, [replace(group(tmp_path, 1, names), matches=pairs)])
    again = read(str(save(found, tmp_path / "r.json")))
    assert again.groups[0].matches[0].distance is None
    assert [len(each.members) for each in decide_again(again).groups] == [3]
    assert [len(each.members) for each in decide_again(again, stricter=8).groups] == [2]
    assert decide_again(again, stricter=0).groups == []
    for name in ("text", "csv"):
        assert "".join(twinpix.report.writer(name).parts(again))


def test_pairs_of_one_scene_are_in_a_csv_report(tmp_path: Path) -> None:
    names = [f"photos/{name}.png" for name in "abc"]
    for at, name in enumerate(names):
        write(tmp_path, name, bytes([at]) * 9)
    scene = Match("photos/x.png", "photos/y.png", None, "similar-scene", agrees=0.3, same_code=False)
    found = replace(report(tmp_path, [group(tmp_path, 1, names)]), similar=[scene])
    text = "".join(twinpix.report.writer("csv").parts(found))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["role"] for row in rows] == ["keep", "discard", "discard", "similar-scene", "similar-scene"]
    assert [(row["group"], row["path"], row["relation"]) for row in rows[3:]] == [
        ("", "photos/x.png", "similar-scene"),
        ("", "photos/y.png", "similar-scene"),
    ]
    assert "photos/y.png" in rows[3]["reason"]


# -- units --------------------------------------------------------------------------------------------


def near_ones(base: Path) -> Report:
    """Three images encoded by a network: the distance of a and b is 0.0, c is near b."""
    names = [f"photos/{name}.png" for name in "abc"]
    for at, name in enumerate(names):
        write(base, name, bytes([at]) * (9 - at))
    gaps = {(0, 1): 0.0, (1, 2): 0.2, (0, 2): 0.3}
    pairs = [Match(names[a], names[b], gap, "edited", same_code=False) for (a, b), gap in gaps.items()]
    made = report(base, [replace(group(base, 1, names), matches=pairs)])
    return replace(made, spec="cnn", radius=1.0, unit="cosine")


def as_other_programs(value: Any, kind: type) -> Any:
    """JSON as written by programs with a single type of number: 0.0 becomes 0, or 0 becomes 0.0."""
    if isinstance(value, dict):
        return {key: as_other_programs(each, kind) for key, each in value.items()}
    if isinstance(value, list):
        return [as_other_programs(each, kind) for each in value]
    return kind(value) if type(value) in (int, float) and value == int(value) else value


def members(found: Report) -> list[list[str]]:
    return [[Path(member.path).name for member in each.members] for each in found.groups]


@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize("stricter", [None, 0.0, 0.25])
def test_the_type_of_a_number_has_no_effect(stricter: float | None, kind: type, tmp_path: Path) -> None:
    found = near_ones(tmp_path)
    path = save(found, tmp_path / "r.json")
    path.write_text(json.dumps(as_other_programs(json.loads(path.read_text()), kind)))
    again = read(str(path))
    assert again.unit == "cosine"
    expected = members(decide_again(found, stricter=stricter))
    assert members(decide_again(again, stricter=stricter)) == expected
    assert expected == [["a.png", "b.png"] if stricter is not None else ["a.png", "b.png", "c.png"]]


def test_reports_of_the_first_schema_read_as_before(tmp_path: Path) -> None:
    path = save(near_ones(tmp_path), tmp_path / "r.json")
    old = json.loads(path.read_text())
    old["schema"] = "twinpix.report/1"
    del old["unit"], old["unverified"]
    for match in old["groups"][0]["matches"]:
        del match["same_code"]
    for member in old["groups"][0]["members"]:
        del member["relation"], member["distance"]
    path.write_text(json.dumps(old))
    again = read(str(path))
    pairs = again.groups[0].to_keeper
    keeper, *others = again.groups[0].members
    assert (keeper.relation, keeper.distance) == (None, None)
    assert pairs
    for member in others:
        known = pairs.get(member.path)
        assert (member.relation, member.distance) == ((known.relation, known.distance) if known else (None, None))
    assert (again.unit, [match.same_code for match in again.groups[0].matches]) == ("cosine", [False, False, False])
    assert read(str(save(again, tmp_path / "saved.json"))) == again
    jsonschema.validate(json.loads((tmp_path / "saved.json").read_text()), schema())


UNITS = {"cascade": "share", "local": "share", "cnn:dims=256": "cosine", "phash:size=16": "bits", "digest": "bits"}


@pytest.mark.parametrize("spec", UNITS)
def test_the_type_of_a_number_has_no_effect_in_the_first_schema(spec: str, tmp_path: Path) -> None:
    """`jq .` moved two files instead of one within a smaller radius, because it writes 0.0 as 0."""
    unit, made = UNITS[spec], near_ones(tmp_path)
    write(tmp_path, "photos/d.png", bytes(9))  # the bytes of a
    matches = made.groups[0].matches
    if unit == "bits":
        matches = [replace(match, distance=int(10 * (match.distance or 0))) for match in matches]
    same = Match("photos/a.png", "photos/d.png", 0, "identical-file", same_code=True)
    listed = group(tmp_path, 1, [f"photos/{name}.png" for name in "abcd"]).members
    listed = [replace(member, mtime_ns=1_600_000_000 * 10**9) for member in listed]  # exact as a 64-bit float
    made = replace(made, groups=[replace(made.groups[0], members=listed, matches=[same, *matches])])
    old = made.to_dict() | {"schema": "twinpix.report/1", "spec": spec, "radius": 10 if unit == "bits" else 1.0}
    del old["unit"]
    for match in old["groups"][0]["matches"]:
        del match["same_code"]
    path, found = tmp_path / "s1.json", []
    for write_number in (None, int, float):
        path.write_text(json.dumps(old if write_number is None else as_other_programs(old, write_number)))
        found.append(read(str(path)))
    assert found[0] == found[1] == found[2]
    assert found[0].unit == unit
    assert [match.same_code for match in found[0].groups[0].matches] == [True, unit == "bits", False, False]
    smaller = 2.5 if unit == "bits" else 0.25
    for each in found:
        again = members(decide_again(each, stricter=smaller))
        assert again == [["a.png", "d.png", "b.png", "c.png"] if unit == "bits" else ["a.png", "d.png", "b.png"]]


def test_a_report_of_the_second_schema_that_lacks_a_unit_or_same_code_is_refused(tmp_path: Path) -> None:
    path = save(near_ones(tmp_path), tmp_path / "r.json")
    text = path.read_text()
    for missing in ("unit", "same_code"):
        lacking = json.loads(text)
        del (lacking if missing == "unit" else lacking["groups"][0]["matches"][1])[missing]
        path.write_text(json.dumps(lacking))
        with pytest.raises(ReportError, match=rf"is no valid report: .*required field `{missing}`"):
            read(str(path))


@pytest.mark.parametrize("change", [{"groups": {}}, {"groups": [3]}, {"groups": None}, {"radius": "x"}, {"spec": 3}])
def test_a_malformed_report_of_the_first_schema_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    path = save(near_ones(tmp_path), tmp_path / "r.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": "twinpix.report/1"} | change))
    with pytest.raises(ReportError, match="is no valid report"):
        read(str(path))


@pytest.mark.parametrize(("method", "unit"), [("phash", "bits"), ("digest", "bits"), ("local", "share")])
def test_a_report_states_the_unit_of_its_distances(method: str, unit: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        form(1).save(tmp_path / f"{name}.png")
    found = twinpix.find(tmp_path, store=None, method=method)
    assert found.unit == unit == settings_of(Options(method=method)).radius.unit
    assert [match.same_code for match in found.groups[0].matches] == [True]


def test_identical_pixels_are_named_so_even_if_the_fast_decodes_differ(tmp_path: Path) -> None:
    image = Image.effect_mandelbrot((900, 700), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    image.save(tmp_path / "a.jpg", quality=12)
    Image.open(tmp_path / "a.jpg").save(tmp_path / "b.png")
    (found,) = twinpix.find(tmp_path, store=None, workers=1, method="cascade").groups
    assert [match.relation for match in found.matches] == ["identical-pixels"]
