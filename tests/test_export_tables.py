"""resolve --export of tables of locations, and of data sets that other libraries load."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import twinpix
from drawings import draw
from killing import in_child
from libraries import save
from servers import s3_server
from twinpix.cli.app import run
from twinpix.errors import ImageError, RefusedError
from twinpix.journals import JournalFile
from twinpix.sources.lists import copy_without_rows, rows_of
from twinpix.usecases.exporting.plan import plan_export
from twinpix.usecases.exporting.tables import verify_table
from twinpix.usecases.exporting.write import write_export

pytestmark = pytest.mark.usefixtures("_here")

JOURNAL = "twinpix-export.jsonl"


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def encoded(seed: int, size: int = 80) -> bytes:
    out = io.BytesIO()
    draw("scene", seed, (size, size)).save(out, "PNG")
    return out.getvalue()


def write_images(folder: Path) -> None:
    """Four images; `a` and `b` have two copies and one."""
    folder.mkdir()
    for name, seed in {"a": 1, "a2": 1, "a3": 1, "b": 2, "b2": 2, "c": 3, "d": 4}.items():
        (folder / f"{name}.png").write_bytes(encoded(seed))


def found(table: str, **options: Any) -> Path:
    """The path of the report of a table, in the current folder."""
    report = twinpix.find([], table=table, method="digest", store=None, workers=1, **options)
    return save(report, Path("r.json"))


def export(*options: str, report: Path = Path("r.json")) -> int:
    return run(["resolve", str(report), "--export", "out", "--apply", *options])


# -- tables of locations ---------------------------------------------------------------------------------

CSV = (
    '\ufeffid,"url",note\r\n'
    '1,img/a.png,"kept, with ""quotes"""\r\n'
    '2,img/a2.png,"goes\r\non two lines"\r\n'
    "\r\n"
    '3,"img/b.png",\'\r\n'
    "4,img/b2.png\r\n"
    "5,img/gone.png,cannot be read\n"
    "6,,names nothing\r\n"
    "7,./img/a.png,the keeper again\r\n"
    "8,img/a2.png,a copy again\r\n"
    "8,img/z/../b2.png,a copy again\r\n"
    "9,img/c.png,unique,more,columns\r\n"
    "10,img/d.png,without an end"
)


def test_a_csv_table_is_written_without_the_rows_of_redundant_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path / "img")
    (tmp_path / "img/z").mkdir()
    (tmp_path / "t.csv").write_bytes(CSV.encode())
    found("t.csv", column="url", id="id")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(["resolve", "r.json", "--export", "out"]) == 0
    shown = capsys.readouterr().out
    assert "t.csv  (7 images, 2 left out with 4 rows" in shown  # one of the seven cannot be read
    assert "only rows of the table are left out: the images themselves are not touched" in shown
    assert "relative paths in the table begin at its own folder" in shown
    assert "nothing was written; add --apply to write the tables" in shown
    assert export() == 0
    assert "1 table written" in capsys.readouterr().out
    kept = CSV
    for row in (
        '2,img/a2.png,"goes\r\non two lines"',
        "4,img/b2.png",
        *(line for line in CSV.splitlines() if line.startswith("8")),
    ):
        kept = kept.replace(f"{row}\r\n", "")
    assert (tmp_path / "out/t.csv").read_bytes() == kept.encode()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert export() == 0
    assert "1 written before" in capsys.readouterr().out
    os.rename("out/t.csv", "clean.csv")
    again = twinpix.find([], table="clean.csv", column="url", method="digest", store=None, workers=1)
    assert again.counts.groups == 0


def test_json_lines_are_copied_unchanged(tmp_path: Path) -> None:
    write_images(tmp_path / "img")
    lines = [
        b'{"path": "img/a.png",  "n": 1.0}\n',
        b"\n",
        b'{"n": 2, "path": "img/a2.png"}\r\n',
        '{"path": "img/c.png", "text": "\u00fc"}\r\n'.encode(),
        b'{"n": 3}\n',
        b'{"path": "img/a3.png"}',
    ]
    (tmp_path / "t.jsonl").write_bytes(b"".join(lines))
    found("t.jsonl")
    assert export() == 0
    assert (tmp_path / "out/t.jsonl").read_bytes() == b"".join([*lines[:2], *lines[3:5]])


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".arrow"])
def test_a_parquet_table_keeps_its_schema_and_row_groups(suffix: str, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    write_images(tmp_path / "img")
    names = ["a", "b", "a2", "c", "b2", "d"]
    table = pa.table(
        {
            "url": [f"img/{name}.png" for name in names],
            "label": pa.array([1, None, 3, 4, 5, 6], pa.int16()),
            "tags": [["x"], [], None, ["y", "z"], [], []],
        }
    ).replace_schema_metadata({"owner": "me"})
    if suffix == ".parquet":
        parquet.write_table(table, "t.parquet", row_group_size=2, compression="zstd")
    else:
        feather.write_feather(table, f"t{suffix}", compression="zstd", chunksize=2)
    found(f"t{suffix}")
    assert export() == 0
    made = f"out/t{suffix}"
    old, new = (
        parquet.read_table(name) if suffix == ".parquet" else feather.read_table(name) for name in (f"t{suffix}", made)
    )
    assert new.schema.equals(old.schema, check_metadata=True)
    assert new.to_pylist() == [row for row, name in zip(table.to_pylist(), names, strict=True) if "2" not in name]
    if suffix == ".parquet":
        facts = parquet.ParquetFile(made).metadata
        assert [facts.row_group(at).num_rows for at in range(facts.num_row_groups)] == [2, 1, 1]
        assert facts.row_group(0).column(0).compression == "ZSTD"


def test_a_table_without_redundant_images_is_copied(tmp_path: Path) -> None:
    write_images(tmp_path / "img")
    (tmp_path / "t.tsv").write_bytes(b"url\tn\nimg/a.png\t1\nimg/c.png\t2\n")
    found("t.tsv")
    assert export() == 0
    assert (tmp_path / "out/t.tsv").read_bytes() == (tmp_path / "t.tsv").read_bytes()


@pytest.mark.parametrize("only", ["identical-file", "re-encoded"])
def test_relations_and_keep_rules_choose_the_rows(only: str, tmp_path: Path) -> None:
    write_images(tmp_path / "img")
    (tmp_path / "t.csv").write_text("url\nimg/a.png\nimg/a2.png\n", encoding="utf-8")
    found("t.csv")
    assert export("--only", only, "--keep", "path") == 0
    assert len(list(rows_of("out/t.csv"))) == (1 if only == "identical-file" else 2)


def test_images_of_paths_beside_the_table_are_not_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row goes if its image is a copy of one that no row names."""
    write_images(tmp_path / "img")
    (tmp_path / "0").mkdir()
    (tmp_path / "0/a.png").write_bytes(encoded(1))
    (tmp_path / "t.csv").write_text("url\nimg/a.png\nimg/c.png\n", encoding="utf-8")
    save(twinpix.find("0", table="t.csv", method="digest", keep="path", store=None, workers=1), tmp_path / "r.json")
    assert export() == 0
    shown = capsys.readouterr().out
    assert "1 image is a file or object of its own and is not exported" in shown
    assert [row.location for row in rows_of("out/t.csv")] == ["img/c.png"]


def test_a_table_of_members_leaves_their_archive_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the table is written again, unless PATH names the archive."""
    import zipfile

    with zipfile.ZipFile("a.zip", "w") as archive:
        for name, seed in {"1": 1, "2": 1, "3": 2}.items():
            archive.writestr(f"{name}.png", encoded(seed))
    (tmp_path / "t.csv").write_text("url\n" + "".join(f"zip://{n}.png::a.zip\n" for n in "123"), encoding="utf-8")
    found("t.csv")
    assert export() == 0
    assert sorted(os.listdir("out")) == ["t.csv", JOURNAL]
    assert [row.location for row in rows_of("out/t.csv")] == ["zip://1.png::a.zip", "zip://3.png::a.zip"]
    save(twinpix.find("a.zip", table="t.csv", method="digest", store=None, workers=1), tmp_path / "s.json")
    for target in ("new.csv", "new.zip"):
        assert run(["resolve", "s.json", "--export", target, "--apply"]) == 2
        assert f"{target} is named like one of them; name a folder, such as new" in capsys.readouterr().err
    assert run(["resolve", "s.json", "--export", "both", "--apply"]) == 0
    assert sorted(os.listdir("both")) == ["a.zip", "t.csv", JOURNAL]
    with zipfile.ZipFile("both/a.zip") as archive:
        assert archive.namelist() == ["1.png", "3.png"]


def test_a_table_that_names_other_images_than_in_find_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path / "img")
    (tmp_path / "t.csv").write_text("url,n\nimg/a.png,1\nimg/a2.png,2\n", encoding="utf-8")
    found("t.csv")
    (tmp_path / "t.csv").write_text("url,n\nimg/a2.png,2\nimg/a.png,1\n", encoding="utf-8")
    assert export() == 3
    assert "the column url has other values than find has read: restore the table" in capsys.readouterr().err
    (tmp_path / "t.csv").write_text("n,url\nother,img/a.png\ncolumns,img/a2.png\n", encoding="utf-8")
    assert export() == 0
    assert (tmp_path / "out/t.csv").read_text(encoding="utf-8") == "n,url\nother,img/a.png\n"
    os.unlink("t.csv")
    assert export() == 2
    assert "cannot read the table" in capsys.readouterr().err


def test_the_row_of_an_image_that_changed_since_find_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(tmp_path / "img")
    (tmp_path / "t.csv").write_text("url\nimg/a.png\nimg/a2.png\nimg/a3.png\n", encoding="utf-8")
    found("t.csv")
    (tmp_path / "img/a3.png").write_bytes(encoded(9))
    assert export() == 3
    assert "stays: changed since find; run find again" in capsys.readouterr().out
    assert [row.location for row in rows_of("out/t.csv")] == ["img/a.png", "img/a3.png"]


def test_the_table_itself_is_never_replaced(tmp_path: Path) -> None:
    write_images(tmp_path / "img")
    (tmp_path / "t.csv").write_text("url\nimg/a.png\nimg/a2.png\n", encoding="utf-8")
    found("t.csv")
    with pytest.raises(RefusedError, match=r"has the source t\.csv, which is never replaced"):
        plan_export(twinpix.Report.load("r.json"), ".")


def test_a_written_table_is_compared_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("url,n\na,1\nb,2\nc,3\n", encoding="utf-8")
    out = io.BytesIO()
    copy_without_rows("t.csv", {1}, out)
    (tmp_path / "made").write_bytes(out.getvalue())
    assert verify_table("t.csv", "made", "url", {"1"}) == 2
    for drop in ({"0"}, {"1", "2"}, set[str]()):
        with pytest.raises(ImageError, match="other rows than planned"):
            verify_table("t.csv", "made", "url", drop)


def test_records_are_those_of_the_csv_library(tmp_path: Path) -> None:
    """Whatever is left out, the other records are the same for a reader of CSV."""
    (tmp_path / "t.csv").write_bytes(CSV.encode())
    with open("t.csv", encoding="utf-8-sig", newline="") as file:
        whole = list(csv.reader(file))
    header, rows = whole[0], [record for record in whole[1:] if record]
    assert [row.location for row in rows_of("t.csv", "url")] == [record[1] for record in rows]
    for number in range(len(rows)):
        out = io.BytesIO()
        copy_without_rows("t.csv", {number}, out)
        left = [record for record in csv.reader(io.StringIO(out.getvalue().decode("utf-8-sig"), newline="")) if record]
        assert left == [header, *rows[:number], *rows[number + 1 :]]


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with s3_server() as fs:
        fs.mkdir("images")
        yield fs


def test_a_table_of_urls_in_a_store(s3: Any, tmp_path: Path) -> None:
    for name, seed in {"a": 1, "a2": 1, "b": 2}.items():
        s3.pipe_file(f"images/{name}.png", encoded(seed))
    lines = ["id,url", *(f"{n},s3://images/{name}.png" for n, name in enumerate(["a", "a2", "b", "a2"])), ""]
    s3.pipe_file("images/t.csv", "\n".join(lines).encode())
    save(twinpix.find([], table="s3://images/t.csv", method="digest", store=None, workers=1), tmp_path / "r.json")
    assert run(["resolve", "r.json", "--export", "s3://images/new", "--apply"]) == 0
    assert s3.cat_file("images/new/t.csv").decode().splitlines() == ["id,url", *(lines[at] for at in (1, 3))]
    done = write_export(plan_export(twinpix.Report.load("r.json"), "out"))
    assert (done.left, len(done.written), done.written[0].kept) == ([], 1, 2)
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["table"]["column"] == "url"


# -- data sets that Hugging Face datasets and webdataset load ----------------------------------------------

SEEDS = [1, 2, 1, 3, 4, 2, 5, 6, 1]  # of the images; equal ones are copies


@pytest.fixture
def datasets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    found = pytest.importorskip("datasets")
    found.disable_progress_bars()
    monkeypatch.setattr(found.config, "HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr(found.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return found


def data_set(datasets: Any, seeds: list[int] = SEEDS, **options: Any) -> Any:
    """Images with labels, boxes and captions; every column tells the rows apart."""
    features = datasets.Features(
        {
            "caption": datasets.Value("string"),
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "boxes": datasets.Sequence(datasets.Sequence(datasets.Value("float32"), length=4)),
        }
    )
    rows = {
        "caption": [f"№ {number}" for number in range(len(seeds))],
        "image": [{"bytes": encoded(seed), "path": f"{number}.png"} for number, seed in enumerate(seeds)],
        "label": [seed % 2 for seed in seeds],
        "boxes": [[[number, 1, 2, 3]] * (number % 3) for number in range(len(seeds))],
    }
    return datasets.Dataset.from_dict(rows, features=features, **options)


def plain_rows(data: Any) -> list[dict[str, Any]]:
    """All columns of all rows, images as their bytes."""
    table: list[dict[str, Any]] = data.with_format("arrow")[:].to_pylist() if len(data) else []
    return table


def first_of_each(data: Any, before: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """The rows of the first image of each content; `before` are seeds of images in other splits."""
    seen, out = {encoded(seed) for seed in before}, []
    for row in plain_rows(data):
        if row["image"]["bytes"] not in seen:
            seen.add(row["image"]["bytes"])
            out.append(row)
    return out


def exported_set(path: str, target: str = "out") -> None:
    save(twinpix.find(path, method="digest", keep="path", store=None, workers=1), Path("r.json"))
    done = write_export(plan_export(twinpix.Report.load("r.json"), target))
    assert done.left == []


@pytest.mark.parametrize("shards", [1, 3, 9])
def test_a_saved_data_set_loads_without_its_redundant_rows(shards: int, datasets: Any, tmp_path: Path) -> None:
    """With nine shards some have no row left."""
    data = data_set(datasets, split="train").with_format("numpy", columns=["label"])
    data.save_to_disk("saved", num_shards=shards)
    exported_set("saved")
    new, old = datasets.load_from_disk("out"), datasets.load_from_disk("saved")
    assert plain_rows(new) == first_of_each(old)
    assert len(new) == 6
    assert new.features == old.features
    assert (new.split, new.format) == (old.split, old.format)
    assert new._fingerprint != old._fingerprint  # the library would take results for all rows from its cache
    assert [set(row) for row in new] == [{"label"}] * 6
    done = write_export(plan_export(twinpix.Report.load("r.json"), "out"))
    assert (done.left, done.written, done.described) == ([], [], [])
    assert new.map(lambda row: {"n": 1}).num_rows == 6


def test_a_data_set_that_was_selected_from_another_is_flattened(datasets: Any) -> None:
    """The library writes the rows in their new order, and no mapping of indices."""
    data = data_set(datasets).select([8, 3, 1, 0, 5])
    data.save_to_disk("saved")
    exported_set("saved")
    assert plain_rows(datasets.load_from_disk("out")) == first_of_each(data)


@pytest.mark.parametrize("path", ["saved", "saved/train"])
def test_a_saved_dictionary_loads_with_its_splits(path: str, datasets: Any) -> None:
    splits = {"test": data_set(datasets, [7, 8]), "train": data_set(datasets), "validation": data_set(datasets, [])}
    old = datasets.DatasetDict(splits)
    old.save_to_disk("saved", num_shards=dict.fromkeys(splits, 1))  # by default it writes none for a split without rows
    exported_set(path)
    new = datasets.load_from_disk("out")
    assert list(new) == (["test", "train", "validation"] if path == "saved" else ["train", "validation"])
    assert plain_rows(new["train"]) == first_of_each(old["train"])
    for name in new:
        assert new[name].features == old[name].features
        assert name == "train" or plain_rows(new[name]) == plain_rows(old[name])
    assert len(new["validation"]) == 0


def test_the_sizes_of_a_split_are_those_of_the_written_rows(datasets: Any, tmp_path: Path) -> None:
    data_set(datasets).to_parquet("set/train.parquet")
    loaded = datasets.load_dataset("parquet", data_dir="set", split="train")
    assert loaded.info.splits["train"].num_examples == 9
    loaded.save_to_disk("saved")
    exported_set("saved")
    new = datasets.load_from_disk("out")
    table = (tmp_path / "out/data-00000-of-00001.arrow").stat().st_size
    assert (new.info.splits["train"].num_examples, new.info.splits["train"].num_bytes) == (6, table)
    assert new.info.dataset_size == table


def test_a_data_set_with_a_table_that_cannot_be_written_has_no_description(datasets: Any, tmp_path: Path) -> None:
    """Otherwise the library would load it without the rows of that table, or not at all."""
    data_set(datasets).save_to_disk("saved", num_shards=3)
    save(twinpix.find("saved", method="digest", keep="path", store=None, workers=1), Path("r.json"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/data-00001-of-00003.arrow").write_bytes(b"mine")
    plan = plan_export(twinpix.Report.load("r.json"), "out")
    done = write_export(plan)
    assert [os.path.basename(row.path) for row in done.left] == [
        "data-00001-of-00003.arrow",
        "state.json",
        "dataset_info.json",
    ]
    assert not (tmp_path / "out/state.json").exists()
    (tmp_path / "out/data-00001-of-00003.arrow").unlink()
    assert write_export(plan).left == []
    assert len(datasets.load_from_disk("out")) == 6


def test_an_export_of_a_data_set_that_was_killed_is_continued(
    datasets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, between and after its files; then the same files as without a kill."""
    from twinpix.usecases.exporting import targets

    data_set(datasets).save_to_disk("saved", num_shards=2)
    exported_set("saved", "whole")
    expected = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir() if path.name != JOURNAL}
    assert len(expected) == 4
    plan = plan_export(twinpix.Report.load("r.json"), "out")
    kills = 0
    for at in range(1, 100):
        count = iter(range(at))

        def work(plan: Any = plan, count: Iterator[int] = count) -> None:
            for place, name in ((JournalFile, "_write"), (targets, "rename_new"), (targets.Output, "sync")):
                setattr(place, name, killing(getattr(place, name), count))
            assert write_export(plan).left == []

        killed = in_child(work) == signal.SIGKILL
        kills += killed
        done = write_export(plan)
        assert done.left == []
        made = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.name != JOURNAL}
        assert made == expected
        shutil.rmtree("out")
        if not killed:
            break
    assert kills > 20


def killing(call: Any, count: Iterator[int]) -> Any:
    """The function, which ends the process with SIGKILL before or after it as soon as `count` is at its end."""

    def counting(*arguments: Any) -> Any:
        if next(count, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        value = call(*arguments)
        if next(count, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return value

    return counting


def test_one_table_of_a_data_set_is_a_data_set(datasets: Any) -> None:
    data_set(datasets).save_to_disk("saved", num_shards=3)
    exported_set("saved/data-00000-of-00003.arrow")
    assert [row["caption"] for row in datasets.load_from_disk("out")] == ["№ 0", "№ 1"]


def test_a_saved_data_set_in_a_store(datasets: Any, s3: Any) -> None:
    old = datasets.DatasetDict({"test": data_set(datasets, [7]), "train": data_set(datasets)})
    old.save_to_disk("saved")
    s3.put("saved", "images/saved", recursive=True)
    for target in ("out", "s3://images/clean"):
        exported_set("s3://images/saved", target)
        new = datasets.load_from_disk(target)
        assert plain_rows(new["train"]) == first_of_each(old["train"])
        assert plain_rows(new["test"]) == plain_rows(old["test"])


@pytest.mark.parametrize("shards", [3, 9])
def test_a_folder_of_parquet_loads_without_its_redundant_rows(shards: int, datasets: Any, tmp_path: Path) -> None:
    """With nine files some have no row left."""
    data = data_set(datasets)
    for number in range(shards):
        part = data.shard(shards, number, contiguous=True)
        part.to_parquet(f"set/data/train-{number:05}-of-{shards:05}.parquet")
    data_set(datasets, [11, 11, 12]).to_parquet("set/data/test-00000-of-00001.parquet")
    exported_set("set")
    old, new = (datasets.load_dataset("parquet", data_dir=name) for name in ("set", "out"))
    assert plain_rows(new["train"]) == first_of_each(old["train"])
    assert plain_rows(new["test"]) == first_of_each(old["test"])
    assert {name: new[name].features for name in new} == {name: old[name].features for name in old}
    assert new["train"].features == data.features


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_shards_of_webdataset_load_without_their_redundant_samples(kind: str, datasets: Any, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    (tmp_path / "set").mkdir()
    for shard in range(3):
        with webdataset.TarWriter(f"set/train-{shard:05}.{kind}") as out:
            for number in range(shard * 3, shard * 3 + 3):
                sample = {"__key__": f"{number:06}", "png": encoded(SEEDS[number]), "json": {"n": number}}
                out.write(sample | {"cls": number})
    exported_set("set")
    files = sorted(str(path) for path in (tmp_path / "out").glob(f"*.{kind}"))
    assert len(files) == 3
    # In a process of its own: the library leaves files open, and warnings are errors here.
    script = (
        "import json, sys, webdataset\n"
        "loaded = webdataset.WebDataset(sys.argv[1:], shardshuffle=False, empty_check=False).decode()\n"
        "print(json.dumps([[row['__key__'], row['json']['n'], row['cls']] for row in loaded]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *files], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [[f"{number:06}", number, number] for number in (0, 1, 3, 4, 6, 7)]
    if kind == "tar":
        old, new = (
            datasets.load_dataset("webdataset", data_files={"train": f"{name}/*.tar"}, split="train")
            for name in ("set", "out")
        )
        assert [row["json"] for row in new] == [{"n": number} for number in (0, 1, 3, 4, 6, 7)]
        assert new.features == old.features
