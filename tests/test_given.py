"""Images that a table names, and images that a Python program gives."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import commands
import twinpix
from drawings import draw
from twinpix.errors import UsageError
from twinpix.sources.lists import read_locations
from twinpix.sources.uris import expand


def encoded(image: Image.Image, form: str = "PNG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


FIRST, SECOND, THIRD = (draw("scene", seed, (400, 300)) for seed in (1, 2, 3))
IMAGES = {
    "one": encoded(FIRST),
    "one again": encoded(FIRST),
    "one as jpeg": encoded(FIRST, "JPEG", quality=80),
    "two": encoded(SECOND),
    "half of two": encoded(SECOND.resize((200, 150)), "JPEG", quality=85),
    "three": encoded(THIRD),
    "broken": encoded(THIRD, "JPEG")[:900],
}
COPIES = [{"one", "one again", "one as jpeg"}, {"two", "half of two"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in IMAGES.items():
        (tmp_path / f"{name}.img").write_bytes(data)
    return tmp_path


def named_groups(report: twinpix.Report) -> list[set[str]]:
    """The ids of the members of each group."""
    return sorted(({report.ids[m.path] for m in group.members} for group in report.groups), key=len, reverse=True)


# -- tables of locations ---------------------------------------------------------------------------------


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    import pandas

    frame = pandas.DataFrame(rows)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".tsv":
        frame.to_csv(path, index=False, sep="\t")
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_feather(path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".feather"])
def test_a_table_names_images_and_their_ids(folder: Path, suffix: str) -> None:
    table = folder / f"images{suffix}"
    write_table(table, [{"id": f"№ {name}", "path": f"{name}.img"} for name in IMAGES])
    report = twinpix.find([], table=table, id="id", store=None, workers=1)
    assert named_groups(report) == [{f"№ {name}" for name in names} for names in COPIES]
    assert report.roots == [str(table), str(folder)]
    assert [f.path for f in report.failures] == [str(folder / "broken.img")]
    assert report.counts.images == 6
    assert twinpix.Report.load(_saved(report, folder)) == report


def _saved(report: twinpix.Report, folder: Path) -> Path:
    report.save(folder / "report.json")
    return folder / "report.json"


def test_rows_that_name_nothing_or_the_same_are_reported(folder: Path) -> None:
    table = folder / "t.csv"
    table.write_text("key,url\n1,one.img\n2,\n3,one.img\n1,two.img\n4,gone.img\n", encoding="utf-8")
    report = twinpix.find([], table=table, id="key", store=None, workers=1)
    assert [(f.path, f.error) for f in report.failures] == [
        (str(folder / "gone.img"), "no such file or directory"),
        (f"{table}#row=1", "the row names no image"),
    ]
    assert report.counts.images == 2
    assert f"{table}: 1 row with the image of an earlier row" in report.notes
    assert f"{table}: 1 row with the key of an earlier row" in report.notes


@pytest.mark.parametrize(
    ("name", "text", "options", "words"),
    [
        ("t.csv", "a,b\n1,2\n", {}, "which column of {} names the images? It has: a, b"),
        ("t.csv", "a,b\n1,2\n", {"column": "c"}, "{} has no column c; it has: a, b"),
        ("t.csv", "url,b\n1,2\n", {"id": "c"}, "{} has no column c; it has: url, b"),
        ("t.txt", "url\n", {}, "{} is no table: .csv, .tsv, .jsonl, .parquet, .arrow or .feather"),
        ("t.jsonl", '{"url": "a.png"}\nno\n', {}, "line 2 of {} is no JSON"),
        ("t.jsonl", "[1]\n", {}, "line 1 of {} is no JSON object"),
        ("t.parquet", "no", {}, "{} cannot be read"),
        ("gone.csv", None, {}, "cannot read the table {}: no such file or directory"),
    ],
)
def test_a_table_that_cannot_be_read_is_an_error_in_words(
    tmp_path: Path, name: str, text: str | None, options: dict[str, str], words: str
) -> None:
    table = tmp_path / name
    if text is not None:
        table.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        twinpix.find([], twinpix.Options(table=table, store=None, **options))  # type: ignore[arg-type]
    assert str(raised.value).startswith(words.format(table))


def test_a_table_on_the_command_line(folder: Path) -> None:
    write_table(folder / "t.csv", [{"n": number, "where": f"{name}.img"} for number, name in enumerate(IMAGES)])
    how = ("--table", "t.csv", "--column", "where", "--no-store")
    done = commands.run("find", *how, "--id", "n", "-o", "r.json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert report["ids"]["one.img"] == "0"
    csv = commands.run("find", *how, "--id", "n", "-f", "csv", cwd=folder).stdout.splitlines()
    assert sorted(line.rpartition(",")[2] for line in csv) == ["0", "1", "2", "3", "4", "id"]
    assert len(json.loads(commands.run("encode", *how, cwd=folder).stdout)["phash:size=16"]) == 6
    found = commands.run("query", "one.img", *how, cwd=folder).stdout
    assert "one again.img" in found
    assert commands.run("find", "--id", "n", cwd=folder).returncode == 2
    assert commands.run("encode", cwd=folder).returncode == 2


@pytest.mark.parametrize("paths", [["t.csv"], ["in/one{1..2}.png"]])
def test_files_of_a_table_and_of_a_range_can_be_moved(folder: Path, paths: list[str]) -> None:
    (folder / "in").mkdir()
    for number in (1, 2):
        (folder / "in" / f"one{number}.png").write_bytes(IMAGES["one"])
    (folder / "t.csv").write_text("path\nin/one1.png\nin/one2.png\n", encoding="utf-8")
    how = ("--table", *paths) if paths == ["t.csv"] else paths
    commands.run("find", *how, "--no-store", "-o", "r.json", cwd=folder)
    done = commands.run("resolve", "r.json", "--move", "out", "--apply", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in (folder / "out").rglob("*.png")] == ["one2.png"]
    assert (folder / "in" / "one1.png").exists()
    assert commands.run("undo", "r.journal.jsonl", cwd=folder).returncode == 0
    assert (folder / "in" / "one2.png").exists()


def test_a_table_may_have_a_byte_order_mark_and_absolute_paths(folder: Path) -> None:
    table = folder / "sub.csv"
    table.write_text(f"path,x\n{folder / 'one.img'},1\n", encoding="utf-8-sig")
    assert read_locations(str(table)).names == [str(folder / "one.img")]


def test_the_hits_of_a_query_have_ids(folder: Path) -> None:
    write_table(folder / "t.csv", [{"n": number, "path": f"{name}.img"} for number, name in enumerate(IMAGES)])
    how = {"method": "phash:size=16", "store": None, "workers": 1}
    hits, _ = twinpix.query(folder / "one.img", [], table=folder / "t.csv", id="n", **how)  # type: ignore[arg-type]
    assert {hit.id: Path(hit.path).stem for hit in hits} == {"1": "one again", "2": "one as jpeg"}
    hits, failures = twinpix.query(folder / "one.img", IMAGES.items(), **how)  # type: ignore[arg-type]
    assert {(hit.id, hit.path) for hit in hits} == {(name, f"memory://{name}") for name in COPIES[0]}
    assert [failure.path for failure in failures] == ["memory://broken"]
    assert [hit.relation for hit in hits] == ["identical-file", "identical-file", "re-encoded"]


def test_the_text_of_query_and_find_has_ids(folder: Path) -> None:
    write_table(folder / "t.csv", [{"n": f"№ {number}", "path": f"{name}.img"} for number, name in enumerate(IMAGES)])
    how = ("--table", "t.csv", "--id", "n", "--fast", "--no-store")
    shown = commands.run("query", "one.img", *how, cwd=folder).stdout.splitlines()
    assert [line.partition("(id ")[2] for line in shown] == ["№ 1)", "№ 2)"]
    found = json.loads(commands.run("query", "one.img", *how, "--json", cwd=folder).stdout)
    assert [(hit["path"], hit["id"]) for hit in found["hits"]] == [("one again.img", "№ 1"), ("one as jpeg.img", "№ 2")]
    text = commands.run("find", *how, cwd=folder).stdout
    assert "one again.img  (id № 1)" in text
    without = commands.run("query", "one.img", "--in", ".", "--fast", "--no-store", cwd=folder).stdout
    assert "(id" not in without


# -- ranges ----------------------------------------------------------------------------------------------


def test_ranges_stand_for_files(tmp_path: Path) -> None:
    assert expand("a-{08..11}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert expand("{0..1}/{1..2}.zip") == ["0/1.zip", "0/2.zip", "1/1.zip", "1/2.zip"]
    assert expand("a{b}.tar") == ["a{b}.tar"]
    assert expand("a-{2..1}.tar") == []
    (tmp_path / "a-{0..1}.png").write_bytes(b"")
    assert expand(str(tmp_path / "a-{0..1}.png")) == [str(tmp_path / "a-{0..1}.png")]
    with pytest.raises(UsageError, match="more than"):
        expand("{0..9999999}.tar")


def test_a_missing_file_of_a_range_is_a_failure(folder: Path) -> None:
    for number in (0, 2):
        (folder / f"{number}.png").write_bytes(IMAGES["three"])
    report = twinpix.find(str(folder / "{0..2}.png"), store=None, workers=1)
    assert report.counts.images == 2
    assert [(f.path, f.stage) for f in report.failures] == [(str(folder / "1.png"), "list")]
    with pytest.raises(UsageError, match="no such file"):
        twinpix.find(str(folder / "{5..6}.png"), store=None, workers=1)


# -- images of a program ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_images_in_memory_give_the_groups_of_their_files(method: str, folder: Path) -> None:
    files = twinpix.find(folder, method=method, store=None, workers=1)
    given = twinpix.find(IMAGES.items(), method=method, store=None, workers=1)
    assert named_groups(given) == [{Path(m.path).stem for m in g.members} for g in files.groups]
    assert [g.matches[0].relation for g in given.groups] == [g.matches[0].relation for g in files.groups]
    assert [f.path for f in given.failures] == ["memory://broken"]
    assert {u.path for u in given.unique or ()} == {"memory://three"}
    assert given.roots == ["memory://"]


def test_a_generator_is_read_once() -> None:
    def images() -> Any:
        yield from IMAGES.items()

    assert named_groups(twinpix.find(images(), store=None, workers=1)) == COPIES


def test_an_iterator_of_paths_is_read_as_before(folder: Path) -> None:
    paths = (folder / name for name in ("one.img", "one again.img"))
    assert twinpix.find(paths, store=None, workers=1).counts.images == 2


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_pixels_of_pillow_images_are_kept(mode: str) -> None:
    from twinpix.sources.given import _encode

    image = Image.fromarray(np.arange(4800, dtype=np.uint16).reshape(60, 80)) if mode == "I;16" else FIRST.convert(mode)
    with Image.open(io.BytesIO(_encode(image))) as read:
        assert np.array_equal(np.asarray(read.convert(image.mode) if read.mode != mode else read), np.asarray(image))


def test_pillow_images_and_arrays_are_images() -> None:
    images = [("a", FIRST), ("b", np.asarray(FIRST)), ("c", FIRST.resize((200, 150))), ("d", np.asarray(THIRD))]
    report = twinpix.find(images, store=None, workers=1)
    assert named_groups(report) == [{"a", "b", "c"}]


def test_what_is_no_image_is_a_failure() -> None:
    images = [
        ("none", None),
        ("text", "no image"),
        ("empty", b""),
        ("float", np.zeros((8, 8))),
        ("five", np.zeros((8, 8, 5), np.uint8)),
        ("rubbish", b"rubbish"),
        ("one", IMAGES["one"]),
        ("one", IMAGES["two"]),
    ]
    report = twinpix.find(images, store=None, workers=1)
    assert {f.path: f.error for f in report.failures} == {
        "memory://none": "no image; an image is bytes, a Pillow image or an array",
        "memory://text": "str; an image is bytes, a Pillow image or an array",
        "memory://empty": "the image has no bytes",
        "memory://float": "an array of float64; an image is bool, uint8 or uint16",
        "memory://five": "an array of shape (8, 8, 5) is no image",
        "memory://one": "an earlier image has the same id",
    }
    assert (report.counts.images, report.counts.other_files, report.counts.failures) == (1, 1, 6)


def test_no_action_takes_an_image_in_memory_for_a_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the user has the name of an id."""
    monkeypatch.chdir(folder)
    for name in ("a.png", "b.png"):
        Path(name).write_bytes(IMAGES["one"])
    report = twinpix.find([("a.png", IMAGES["one"]), ("b.png", IMAGES["one"])], store=None, workers=1)
    assert [len(g.redundant) for g in report.groups] == [1]
    assert report.counts.discards == 0
    report.save("r.json")
    commands.run("resolve", "r.json", "--delete", "--apply", "--yes", cwd=folder)
    assert Path("a.png").exists()
    assert Path("b.png").exists()


# -- dedupe ----------------------------------------------------------------------------------------------


def kept_of(library: str, folder: Path) -> tuple[Any, Any]:
    """A table of the images and of their names, and its rows without the copies."""
    if library == "datasets":
        import datasets

        data = datasets.Dataset.from_dict(
            {"image": [{"bytes": data, "path": None} for data in IMAGES.values()], "name": list(IMAGES)},
            features=datasets.Features({"image": datasets.Image(), "name": datasets.Value("string")}),
        )
        return data, list(twinpix.dedupe(data, store=None, workers=1)["name"])
    columns = {"image": list(IMAGES.values()), "name": list(IMAGES)}
    if library == "pandas":
        import pandas

        frame = pandas.DataFrame(columns, index=range(100, 107))
        return frame, list(twinpix.dedupe(frame, store=None, workers=1)["name"])
    if library == "polars":
        import polars

        polar = polars.DataFrame(columns)
        return polar, twinpix.dedupe(polar, store=None, workers=1)["name"].to_list()
    import pyarrow

    columns["image"] = [str(folder / f"{name}.img") for name in IMAGES]
    arrow = pyarrow.table(columns)
    return arrow, twinpix.dedupe(arrow, store=None, workers=1)["name"].to_pylist()


@pytest.mark.parametrize("library", ["datasets", "pandas", "polars", "pyarrow"])
def test_a_table_without_its_copies(library: str, folder: Path) -> None:
    pytest.importorskip(library)
    data, names = kept_of(library, folder)
    assert names == ["one", "two", "three", "broken"]
    assert len(data) == len(IMAGES)


@pytest.mark.parametrize("library", ["datasets", "pandas", "polars", "pyarrow"])
def test_a_table_in_memory_is_found_and_queried_with_its_ids(library: str, folder: Path) -> None:
    pytest.importorskip(library)
    data, _ = kept_of(library, folder)
    by_row = twinpix.find(data, store=None, workers=1)
    names = list(IMAGES)
    found = [{names[int(by_row.ids[member.path])] for member in group.members} for group in by_row.groups]
    assert sorted(found, key=min) == sorted(COPIES, key=min)
    by_name = twinpix.find(data, column="image", id="name", store=None, workers=1)
    assert [{by_name.ids[member.path] for member in group.members} for group in by_name.groups] == found
    (folder / "query.png").write_bytes(IMAGES["half of two"])
    hits, _ = twinpix.query(folder / "query.png", data, id="name", store=None, workers=1)
    assert {hit.id for hit in hits} == {"two", "half of two"}


def test_ids_need_a_table(folder: Path) -> None:
    with pytest.raises(UsageError, match="give the table"):
        twinpix.find(folder, id="name", store=None)
    with pytest.raises(UsageError, match="give the table"):
        twinpix.query(next(folder.glob("*.img")), folder, id="name", store=None)


def test_dedupe_names_the_columns_and_types_that_it_takes() -> None:
    import pyarrow

    with pytest.raises(UsageError, match="no column 'image'; there are: a"):
        twinpix.dedupe(pyarrow.table({"a": [1]}))
    with pytest.raises(UsageError, match="not list"):
        twinpix.dedupe([1, 2])
    datasets = pytest.importorskip("datasets")
    with pytest.raises(UsageError, match="has the splits train, test: give one of them"):
        twinpix.dedupe(
            datasets.DatasetDict({name: datasets.Dataset.from_dict({"image": []}) for name in ("train", "test")})
        )
