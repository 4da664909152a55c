"""Tests of images in tables (Parquet, Arrow, Feather) that the libraries themselves wrote."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from PIL import Image

import twinpix
from amounts import amount
from twinpix import sources
from twinpix.cli.app import run
from twinpix.errors import ImageError
from twinpix.model import Report, row_of
from twinpix.sources import columns, storage
from twinpix.sources.base import Source
from twinpix.sources.kinds import arrow as arrow_module
from twinpix.sources.kinds.arrow import Arrow
from twinpix.sources.kinds.parquet import Parquet
from twinpix.sources.uris import container, member_of, uri_of
from twinpix.versions import UNKNOWN

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries, when they are imported
Draw = Callable[..., Image.Image]
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture(scope="session")
def images(draw_image: Draw) -> list[bytes]:
    """Ten images: 0 and 1 are identical files, 2 is another encoding of them, 3 is resized; 4 to 9 have no copies."""
    first = draw_image(0)
    return [
        *[encoded(first, "PNG")] * 2,
        encoded(first, "JPEG", quality=85),
        encoded(first.resize((160, 120)), "PNG"),
        *(encoded(draw_image(seed), "JPEG") for seed in range(1, 7)),
    ]


def encoded(image: Image.Image, form: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def structs(images: Sequence[bytes | None]) -> Any:
    return pa.array([{"bytes": data, "path": f"{at}.jpg"} for at, data in enumerate(images)], STRUCT)


def found(*paths: Path, **options: Any) -> Report:
    return twinpix.find(list(paths), store=None, **{"method": "phash:size=16", "workers": 1, **options})


def groups_of(report: Report, base: Path) -> list[set[str]]:
    return sorted(({os.path.relpath(m.path, base) for m in group.members} for group in report.groups), key=sorted)


def source_of(path: Path) -> Source:
    made = container(str(path))
    assert made is not None
    return made


def require_rows(path: Path, images: Iterable[bytes]) -> None:
    """Assert that a file has these images, in this order, in the same versions when they are listed and read."""
    source = source_of(path)
    images, entries = list(images), list(source.entries(str(path)))
    assert [(entry.name, entry.size) for entry in entries] == [(f"row={at}", len(d)) for at, d in enumerate(images)]
    assert UNKNOWN not in {entry.version for entry in entries}
    for entry, data in zip(entries, images, strict=True):
        assert source.read(str(path), entry.name)[:2] == (data, entry.version)


# -- Hugging Face ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def datasets() -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"
    return pytest.importorskip("datasets")


def dataset_of(datasets: Any, images: Sequence[bytes]) -> Any:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = {"image": [{"bytes": data, "path": None} for data in images], "label": list(range(len(images)))}
    return datasets.Dataset.from_dict(rows, features=features)


def test_a_saved_dataset(datasets: Any, images: list[bytes], tmp_path: Path) -> None:
    dataset_of(datasets, images).save_to_disk(tmp_path / "set", num_shards=3)
    shards = sorted(path.name for path in tmp_path.glob("set/*.arrow"))
    assert len(shards) == 3
    report = found(tmp_path / "set")
    assert report.failures == []
    assert report.counts.images == 10
    assert groups_of(report, tmp_path) == [{f"set/{shards[0]}#row={row}" for row in range(4)}]


def test_a_dataset_of_two_splits(datasets: Any, images: list[bytes], tmp_path: Path) -> None:
    """An image of the test split that is also in the training split."""
    splits = {"train": images[1:6], "test": [images[0], images[7]]}
    made = datasets.DatasetDict({name: dataset_of(datasets, rows) for name, rows in splits.items()})
    made.save_to_disk(tmp_path / "set")
    report = found(tmp_path / "set")
    train, test = (f"set/{name}/data-00000-of-00001.arrow#row=" for name in ("train", "test"))
    assert groups_of(report, tmp_path) == [{f"{test}0", f"{train}0", f"{train}1", f"{train}2"}]


def test_caches_of_a_saved_dataset_are_no_part_of_it(datasets: Any, images: list[bytes], tmp_path: Path) -> None:
    folder = tmp_path / "set"
    dataset_of(datasets, images).save_to_disk(folder)
    before = found(folder)
    stale = folder / "cache-0123456789abcdef.arrow"
    stale.write_bytes((folder / "data-00000-of-00001.arrow").read_bytes())
    assert list(Arrow().entries(str(stale))) == []
    after = found(folder)
    assert (groups_of(after, folder), after.failures) == (groups_of(before, folder), [])
    for text in ("no JSON", "[]", "{}", json.dumps({"_data_files": [{"filename": stale.name}]})):
        (folder / "state.json").write_text(text)
        assert len(list(Arrow().entries(str(stale)))) == 10


def test_a_dataset_as_parquet(datasets: Any, images: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    dataset_of(datasets, images).to_parquet(path, batch_size=3)
    require_rows(path, images)
    assert groups_of(found(path), tmp_path) == [{f"set.parquet#row={row}" for row in range(4)}]


def test_columns_that_datasets_declares_as_images(images: list[bytes], tmp_path: Path) -> None:
    """Other columns of bytes are not listed, although they begin like images."""
    info = {"info": {"features": {"photo": {"_type": "Image"}, "gone": {"_type": "Image"}, "x": {"_type": "Value"}}}}
    table = pa.table({"x": images, "photo": images, "text": ["a"] * 10})
    for metadata, names in ((json.dumps(info), ["row=0"]), ("{", ["row=0&column=x", "row=0&column=photo"])):
        path = tmp_path / "a.parquet"
        pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), path)
        assert [e.name for e in Parquet().entries(str(path)) if e.name.partition("&")[0] == "row=0"] == names


# -- other libraries -------------------------------------------------------------------------------------


def test_tables_of_pandas(images: list[bytes], tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"name": [f"{at}.png" for at in range(10)], "content": images}, index=range(5, 15))
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=3)
    frame.reset_index().to_feather(tmp_path / "a.feather")
    for path in tmp_path.iterdir():
        require_rows(path, images)


def test_tables_of_polars(images: list[bytes], tmp_path: Path) -> None:
    """Values are views, and the schema of a file has no frame of a message."""
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"content": images, "kind": polars.Series(["a", "b"] * 5, dtype=polars.Categorical)})
    frame.write_parquet(tmp_path / "a.parquet", row_group_size=4)
    frame.write_ipc_stream(tmp_path / "a.arrow")
    for compression in ("uncompressed", "lz4", "zstd"):
        frame.write_ipc(tmp_path / f"{compression}.ipc", compression=compression)
    for path in tmp_path.iterdir():
        require_rows(path, images)


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather(compression: str, images: list[bytes], tmp_path: Path) -> None:
    table = pa.table({"kind": pa.array(["a", "b"] * 5).dictionary_encode(), "image": structs(images)})
    path = tmp_path / "a.feather"
    pa.feather.write_feather(table, path, compression=compression, chunksize=3)
    require_rows(path, images)
    stream = tmp_path / "a.arrow"
    codec = None if compression == "uncompressed" else compression
    with pa.ipc.new_stream(stream, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table, max_chunksize=3)
    require_rows(stream, images)
    stream.write_bytes(stream.read_bytes()[:-8])  # without the end mark rows may be missing
    with pytest.raises(ImageError, match="its end is missing"):
        list(Arrow().entries(str(stream)))


def test_feather_version_1(tmp_path: Path) -> None:
    path = tmp_path / "a.feather"
    path.write_bytes(b"FEA1" + bytes(40) + b"FEA1")
    with pytest.raises(ImageError, match="Feather version 1 is not supported; write it again"):
        list(Arrow().entries(str(path)))


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.struct([("bytes", pa.large_binary())])], ids=str
)
def test_types_of_bytes(kind: Any, images: list[bytes], tmp_path: Path) -> None:
    values: list[Any] = [{"bytes": data} for data in images] if pa.types.is_struct(kind) else images
    table = pa.table({"image": pa.array(values, kind)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=4)
    with pa.ipc.new_file(tmp_path / "a.ipc", table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    for path in tmp_path.iterdir():
        require_rows(path, images)


# -- columns ---------------------------------------------------------------------------------------------


def written(folder: Path, table: Any) -> list[Path]:
    """The table in each format."""
    pq.write_table(table, folder / "a.parquet", row_group_size=2)
    for name, new in (("a.arrow", pa.ipc.new_stream), ("a.ipc", pa.ipc.new_file)):
        with new(folder / name, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    return [folder / name for name in ("a.parquet", "a.arrow", "a.ipc")]


def test_several_columns_with_images(images: list[bytes], tmp_path: Path) -> None:
    """Their names may have characters with a meaning in URIs and paths."""
    table = pa.table({"photo": structs(images), "id": [b"no image"] * 10, "a&b#c/d ü%.x": images[::-1]})
    for path in written(tmp_path, table):
        source = source_of(path)
        entries = {entry.name: entry for entry in source.entries(str(path))}
        other = "a%26b%23c%2Fd ü%25.x"
        assert set(entries) == {f"row={row}&column={name}" for row in range(10) for name in ("photo", other)}
        for name, data in ((f"row=1&column={other}", images[8]), ("row=9&column=photo", images[9])):
            uri = uri_of(source, str(path), name)
            assert row_of(uri) == name
            assert sources.read(uri)[:2] == (data, entries[name].version)
        with pytest.raises(ImageError, match="several columns with images: name one as row=1&column=photo or row=1&"):
            source.read(str(path), "row=1")
        with pytest.raises(ImageError, match="no such column: x; it has the columns photo"):
            source.read(str(path), "row=1&column=x")
        report = found(path)
        assert report.counts.images == 20
        assert {len(group.members) for group in report.groups} == {2, 8}


@pytest.mark.parametrize("kind", [Parquet, Arrow])
def test_a_column_that_is_named(kind: Any, images: list[bytes], tmp_path: Path) -> None:
    table = pa.table({"photo": images, "thumb": images[::-1], "raw": [b"none"] * 10, "url": ["http://x"] * 10})
    path = str(next(path for path in written(tmp_path, table) if source_of(path) == kind()))
    entries = list(kind(column="thumb").entries(path))
    assert [entry.name for entry in entries] == [f"row={row}&column=thumb" for row in range(10)]
    assert kind(column="thumb").read(path, "row=2").data == images[7]
    assert kind().read(path, entries[2].name)[:2] == (images[7], entries[2].version)
    assert kind(column="raw").read(path, "row=2").data is None
    for column, why in (
        ("url", r"column url contains text, not images; it has the columns photo \(binary\), .*, url \(string\)$"),
        ("gone", r"no such column: gone; it has the columns photo \(binary\)"),
    ):
        with pytest.raises(ImageError, match=why):
            list(kind(column=column).entries(path))


def test_rows_of_the_only_column_are_named_without_it(images: list[bytes], tmp_path: Path) -> None:
    for path in written(tmp_path, pa.table({"a": [1] * 10, "image": images})):
        source: Any = source_of(path)
        assert [e.name for e in type(source)(column="image").entries(str(path))] == [f"row={row}" for row in range(10)]


def test_rows_without_bytes(images: list[bytes], tmp_path: Path) -> None:
    rows = [None, {"bytes": images[0], "path": "0.png"}, {"bytes": None, "path": "photos/1.png"}, {}, {"bytes": b""}]
    for path in written(tmp_path, pa.table({"image": pa.array(rows, STRUCT)})):
        source = source_of(path)
        assert {entry.name: entry.error for entry in source.entries(str(path))} == {
            "row=0": "the row has no image",
            "row=1": "",
            "row=2": "the row names a file by its path and has no bytes",
            "row=3": "the row has no image",
            "row=4": "",
        }
        report = found(path)
        assert report.counts.images == 1
        assert [(failure.path[len(str(path)) :], failure.error) for failure in report.failures] == [
            ("#row=0", "the row has no image"),
            ("#row=2", "the row names a file by its path and has no bytes"),
            ("#row=3", "the row has no image"),
            ("#row=4", "the row has no bytes"),
        ]
        for row, why in ((2, "by its path"), (3, "has no image"), (5, "no such row; the table has 5")):
            with pytest.raises(ImageError, match=why):
                source.read(str(path), f"row={row}")
        assert sources.scan([f"{path}#row=0"]).failures[0].error == "the row has no image"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"url": ["http://x/1.jpg"], "n": [1]}, "no column with images; it has the columns url (string), n (int64)"),
        ({"hash": [b"0123456789"]}, "no column with images; it has the columns hash (binary)"),
        ({f"c{at}": [at] for at in range(20)}, "c11 (int64), and 8 more"),
    ],
)
def test_tables_without_images(content: dict[str, list[Any]], why: str, tmp_path: Path) -> None:
    for path in written(tmp_path, pa.table(content)):
        (failure,) = found(path).failures
        assert (failure.path, failure.stage) == (str(path), "list")
        assert failure.error.endswith(why)


def test_empty_tables(tmp_path: Path) -> None:
    for path in written(tmp_path, pa.table({"image": structs([]), "n": pa.array([], pa.int64())})):
        report = found(path)
        assert (report.counts.images, report.failures) == (0, [])
    for path in written(tmp_path, pa.table({"n": pa.array([], pa.int64())})):
        assert "no column with images" in found(path).failures[0].error


def test_damaged_files_are_errors_in_words(images: list[bytes], tmp_path: Path) -> None:
    """A file that is cut anywhere, and one with changed bytes: no error of a library, and no end of the process."""
    for path in written(tmp_path, pa.table({"image": structs(images), "text": ["a"] * 10})):
        source, whole = source_of(path), path.read_bytes()
        for cut in (0, 1, 6, 8, 40, len(whole) // 2, len(whole) - 300, len(whole) - 9, len(whole) - 1):
            path.write_bytes(whole[:cut])
            with pytest.raises(ImageError, match="or its end is missing; copy or download it again"):
                list(source.entries(str(path)))
        step = amount(37, 5)
        ends = [*range(0, 1000, step), *range(len(whole) - 1000, len(whole), step)]
        places = [*ends, *range(0, len(whole), len(whole) // amount(20, 200))]
        for at in places:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x85]) + whole[at + 1 :])
            try:
                for entry in source.entries(str(path)):
                    source.read(str(path), entry.name)
            except ImageError:
                continue


def test_pyarrow_is_loaded_only_for_tables(photos: Path) -> None:
    program = (
        "import sys, twinpix\nfrom twinpix import plugins\n"
        "for name in plugins.names('sources'): plugins.load('sources', name)\n"
        f"twinpix.find([{str(photos)!r}], method='phash:size=16', store=None, workers=1)\n"
        "assert 'pyarrow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_pyarrow_is_not_installed(images: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = written(tmp_path, pa.table({"image": images}))
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    for path in paths:
        (failure,) = found(path).failures
        assert failure.error.endswith(" table needs pyarrow; install twinpix[tables]")


# -- rows that are decoded -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_rows_give_the_groups_of_a_folder(method: str, images: list[bytes], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for at, data in enumerate(images):
        (folder / f"row={at}").write_bytes(data)
    expected = groups_of(found(folder, method=method), folder)
    assert expected
    for path in written(tmp_path, pa.table({"image": structs(images)})):
        groups = groups_of(found(path, method=method), tmp_path)
        assert [{name.partition("#")[2] for name in group} for group in groups] == expected


def test_a_row_of_3_megabytes(draw_image: Draw, tmp_path: Path) -> None:
    data = encoded(Image.effect_noise((1200, 900), 90).convert("RGB"), "PNG", compress_level=0)
    assert len(data) > 3_000_000
    small = encoded(draw_image(1), "PNG")
    for path in written(tmp_path, pa.table({"image": [small, data, small]})):
        require_rows(path, [small, data, small])


@pytest.mark.parametrize("bound", [1, 60_000, 1 << 30])
def test_a_block_is_decoded_once_for_rows_in_order(
    bound: int, images: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the bound of the memory; rows in another order are the same images."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": structs(images * 5)}), path, row_group_size=20, use_dictionary=False)
    begun: list[int] = []
    pieces = columns.Table.pieces

    def noted(self: columns.Table, block: int, column: str) -> Any:
        begun.append(block)
        return pieces(self, block, column)

    monkeypatch.setattr(columns.Table, "pieces", noted)
    monkeypatch.setattr(columns, "CACHE_BYTES", bound)
    monkeypatch.setattr(columns, "PIECE_BYTES", bound)
    columns._window.cache_clear()
    source = Parquet()
    source.read(str(path), "row=0")  # which also finds the column
    begun.clear()
    names = [f"row={row}" for row in range(50)]
    for order in (names, names[::-1]):
        for name in order:
            assert source.read(str(path), name).data == images[int(name.removeprefix("row=")) % 10]
            window = columns._window(storage.process_key())
            assert len(window.kept) == 1 or window.bytes <= bound
            assert len(window.scans) <= 8
        assert order != names or begun == [1, 2]  # block 0 was begun before
    columns._window.cache_clear()


def test_equal_values_that_are_stored_once(draw_image: Draw, tmp_path: Path) -> None:
    """Their decoded size is not known before: few rows are decoded at once."""
    data = encoded(draw_image(1), "PNG")
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [data] * 3000}), path)
    assert path.stat().st_size < 20 * len(data)
    table: Any = Parquet().table(str(path), sources.storage.status_of(str(path)))
    assert {len(piece.values) for piece in table.pieces(0, "image")} <= set(range(1, columns.PIECE_ROWS + 1))
    require_rows(path, [data] * 3000)


FORKS = """
import sys, threading
import twinpix
from twinpix import sources
from twinpix.cli.app import run
from twinpix.executors import processes

forks = []
fork = processes._fork
processes._fork = lambda *arguments: forks.append(1) or fork(*arguments)
for path in sys.argv[1:]:
    assert sources.read(f"{path}#row=1").data
    assert threading.active_count() == 1
    report = twinpix.find([path], method="phash:size=16", store=None, workers=2)
    assert (report.counts.images, report.failures) == (40, [])
    assert sorted(len(group.members) for group in report.groups) == [4] * 6 + [16]
    assert len(forks) >= 2, forks
    forks.clear()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not fork workers")
def test_forked_workers_read_rows_after_their_parent(images: list[bytes], tmp_path: Path) -> None:
    """The parent has pyarrow loaded, a block decoded in part, and its file open."""
    table = pa.table({"image": structs(images * 4)})
    paths = [*written(tmp_path, table), tmp_path / "a.feather", tmp_path / "one.parquet"]
    pa.feather.write_feather(table, tmp_path / "a.feather", compression="zstd")
    pq.write_table(table, tmp_path / "one.parquet")
    done = subprocess.run([sys.executable, "-c", FORKS, *paths], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("compression", ["uncompressed", "zstd"])
def test_tables_in_a_store(compression: str, images: list[bytes], tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    paths = [*written(tmp_path, pa.table({"image": structs(images)})), tmp_path / "a.feather"]
    pa.feather.write_feather(pa.table({"image": images}), paths[-1], compression=compression, chunksize=3)
    import fsspec

    store = fsspec.filesystem("memory")  # in this process: workers are tested with S3
    for path in paths:
        url, source = f"memory://{path.name}", source_of(path)
        store.pipe_file(url, path.read_bytes())
        entries = list(source.entries(url))
        assert [entry.size for entry in entries] == [len(data) for data in images]
        for entry, data in zip(entries, images, strict=True):
            assert source.read(url, entry.name)[:2] == (data, entry.version)


def test_rows_are_listed_in_their_order(images: list[bytes], tmp_path: Path) -> None:
    """In the order of names `row=10` was before `row=2`, and a row group was decoded for almost every row."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": images * 2, "b": images * 2}), path)
    names = [f"{path}#row={row}&column={column}" for row in range(20) for column in "ab"]
    assert sources.scan([str(path)]).refs.uris == names
    assert sources.scan([], listed=names[::-1]).refs.uris == names


def test_rows_that_are_named_list_their_table_once(
    images: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": images}), path)
    listed: list[str] = []
    entries = Parquet.entries

    def noted(self: Parquet, path: str) -> Any:
        listed.append(path)
        return entries(self, path)

    monkeypatch.setattr(Parquet, "entries", noted)
    listing = sources.list_named([f"{path}#row={row}" for row in (7, 3, 99)])
    assert listing.refs.uris == [f"{path}#row=7", f"{path}#row=3"]
    assert [failure.error for failure in listing.failures] == ["there is no such member"]
    assert listed == [str(path)]


def test_a_file_whose_name_ends_like_a_row(draw_image: Draw, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a#row=1", "b#row=1"):
        draw_image(1).save(folder / name, "PNG")
    saved = tmp_path / "r.json"
    assert run(["find", "--fast", str(folder), "--no-store", "-o", str(saved)]) == 0
    assert groups_of(Report.load(saved), folder) == [{"a#row=1", "b#row=1"}]
    assert run(["resolve", str(saved), "--move", str(tmp_path / "out")]) == 0  # the report is not refused
    assert member_of(str(folder / "a#row=1")) is None


def test_a_column_is_chosen_by_name(images: list[bytes], tmp_path: Path) -> None:
    """The chosen column is a part of the URIs, so that every process and every later command reads it."""
    path = tmp_path / "a.parquet"
    other = images[::-1]
    pq.write_table(pa.table({"image": structs(images), "thumb": other, "text": ["x"] * len(images)}), path)
    report = twinpix.find(path, column="thumb", method="phash:size=16", store=None, workers=1)
    assert {m.path.rpartition("&")[2] for group in report.groups for m in group.members} == {"column=thumb"}
    assert report.counts.images == len(images)
    assert sources.read(report.groups[0].keeper).data in other
    wrong = twinpix.find(path, column="text", store=None, workers=1)
    assert "contains text, not images" in wrong.failures[0].error
    missing = twinpix.find(path, column="none", store=None, workers=1)
    assert "no such column: none" in missing.failures[0].error


# -- tables written again ---------------------------------------------------------------------------------


def export(folder: Path, *paths: Path) -> Path:
    """Find the copies and write the tables again without them, by the command line."""
    assert run(["find", *map(str, paths), "--fast", "--no-store", "-o", str(folder / "r.json")]) == 0
    assert run(["resolve", str(folder / "r.json"), "--export", str(folder / "out"), "--apply"]) == 0
    return folder / "out"


@pytest.mark.parametrize("compression", ["NONE", "SNAPPY", "ZSTD", "GZIP"])
def test_a_parquet_file_is_written_again_without_copies(compression: str, images: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    whole = pa.table(
        {"image": structs(images), "text": [f"№ {n}" for n in range(10)], "list": [[n, None] for n in range(10)]}
    ).replace_schema_metadata({"mine": "yes", "huggingface": '{"info": {}}'})
    pq.write_table(whole, path, compression=compression, row_group_size=3, use_dictionary=["text"])
    before = path.read_bytes()
    out = export(tmp_path, path) / "a.parquet"
    assert path.read_bytes() == before
    kept = [row for row in range(10) if row not in (1, 2, 3)]
    assert pq.read_table(out).to_pylist() == whole.take(kept).to_pylist()
    assert pq.read_schema(out).equals(pq.read_schema(path), check_metadata=True)
    old, new = pq.ParquetFile(path).metadata, pq.ParquetFile(out).metadata
    assert [new.row_group(at).num_rows for at in range(new.num_row_groups)] == [1, 2, 3, 1]
    for at in range(old.num_columns):
        a, b = old.row_group(0).column(at), new.row_group(0).column(at)
        assert (b.path_in_schema, b.compression) == (a.path_in_schema, a.compression)
        assert ("RLE_DICTIONARY" in b.encodings) == ("RLE_DICTIONARY" in a.encodings)


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("form", ["file", "stream"])
def test_an_arrow_file_is_written_again_without_copies(
    form: str, compression: str | None, images: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / ("a.arrow" if form == "stream" else "a.feather")
    whole = pa.table({"image": images, "label": range(10)}).replace_schema_metadata({"mine": "yes"})
    new = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
    with new(path, whole.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(whole, max_chunksize=4)
    out = export(tmp_path, path) / path.name
    with (pa.ipc.open_stream if form == "stream" else pa.ipc.open_file)(out) as reader:
        table = reader.read_all()
    assert table.equals(whole.take([row for row in range(10) if row not in (1, 2, 3)]))
    assert table.schema.metadata == {b"mine": b"yes"}
    assert [len(batch) for batch in table["label"].chunks] == [1, 4, 2]
    assert arrow_module._codec(str(out)) == (compression or "")


def test_a_row_stays_if_one_of_its_images_stays(images: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": images[:3], "b": [images[0], images[5], images[0]]}), path)
    table = pq.read_table(export(tmp_path, path) / "a.parquet")
    assert table["b"].to_pylist()[:2] == [images[0], images[5]]
    assert len(table) == 2


def test_a_data_set_without_its_copies_is_read_by_its_library(images: list[bytes], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "n": datasets.Value("int64")})
    rows = {"image": [{"bytes": data, "path": None} for data in images], "n": list(range(10))}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "a.parquet")
    out = export(tmp_path, tmp_path / "a.parquet")
    loaded = datasets.load_dataset(
        "parquet", data_files=str(out / "a.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.features == features
    assert loaded["n"] == [0, 4, 5, 6, 7, 8, 9]
    assert loaded[0]["image"].size[0] > 0
