"""The same images give the same groups, keepers, relations and failures, wherever they are stored."""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import commands
import twinpix
from drawings import KINDS, draw
from servers import s3_server
from twinpix.model import Report

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries, when they are imported
BROKEN, UNUSUAL = "000038.jpg", "000006.tga"
Result = tuple[frozenset[Any], frozenset[Any], frozenset[str]]


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def drawn(seed: int) -> Image.Image:
    return draw(KINDS[seed % len(KINDS)], seed, (240, 180))


def exif() -> Image.Exif:
    """The EXIF of a camera, which the rule `camera` prefers."""
    made = Image.Exif()
    made[0x010F], made[0x0110] = "Maker", "Model"
    return made


@pytest.fixture(scope="module")
def images() -> dict[str, bytes]:
    """Forty images with names as webdataset writes them; nine of them have copies, one is broken."""
    first = drawn(0)
    made = [
        ("png", encoded(first, "PNG")),
        ("png", encoded(first, "PNG")),  # an identical file
        ("jpg", encoded(first, "JPEG", quality=80)),
        ("jpg", encoded(first.resize((160, 120)), "JPEG", quality=85, exif=exif())),
        ("webp", encoded(drawn(1), "WEBP", quality=85)),
        ("png", encoded(drawn(1).transpose(Image.Transpose.ROTATE_90), "PNG")),
        ("tga", encoded(drawn(2), "TGA")),  # a format without a signature: its suffix names it
        ("png", encoded(drawn(2), "PNG")),
        ("gif", encoded(drawn(3), "GIF", save_all=True, append_images=[drawn(4)])),
        ("jpg", encoded(drawn(7), "JPEG", quality=90)),
        ("tif", encoded(drawn(5), "TIFF")),
        ("jpg", encoded(drawn(5).crop((20, 15, 230, 170)), "JPEG", quality=90)),
        *(("jpg", encoded(drawn(seed), "JPEG", quality=90)) for seed in range(8, 33)),
        ("png", encoded(drawn(3), "PNG")),
        ("jpg", encoded(drawn(33), "JPEG")[:900]),
        ("jpg", encoded(drawn(7), "JPEG", quality=90)),  # as 9: as texts, the row 39 would precede the row 9
    ]
    assert len(made) == 40
    return {f"{number:06}.{suffix}": data for number, (suffix, data) in enumerate(made)}


# -- where the images are ----------------------------------------------------------------------------------


def shards(folder: Path, images: Mapping[str, bytes], suffix: str) -> str:
    """Write two shards as webdataset does; return the range of their names."""
    webdataset = pytest.importorskip("webdataset")
    pytest.importorskip("zstandard")
    names = sorted(images)
    for number in range(2):
        plain = folder / f"train-{number:06}.tar"
        with webdataset.TarWriter(str(plain)) as writer:
            for name in names[20 * number : 20 * number + 20]:
                key, _, form = name.partition(".")
                writer.write({"__key__": key, form: images[name], "json": {"label": number}})
        if suffix != ".tar":
            from twinpix.sources.compression import compressor

            with open(folder / f"train-{number:06}{suffix}", "xb") as file:
                packed = compressor(suffix.rpartition(".")[2], file)
                packed.write(plain.read_bytes())
                packed.close()
            plain.unlink()
    return f"{folder}/train-{{000000..000001}}{suffix}"


def in_folder(folder: Path, images: Mapping[str, bytes]) -> str:
    for name, data in images.items():
        (folder / name).write_bytes(data)
    return str(folder)


def in_zip(folder: Path, images: Mapping[str, bytes]) -> str:
    from twinpix.sources.kinds.zip import Zip

    Zip().write(str(folder / "images.zip"), images)
    return str(folder / "images.zip")


def dataset_of(images: Mapping[str, bytes]) -> Any:
    datasets = pytest.importorskip("datasets")
    rows = {"image": [{"bytes": data, "path": name} for name, data in images.items()], "name": list(images)}
    features = datasets.Features({"image": datasets.Image(), "name": datasets.Value("string")})
    return datasets.Dataset.from_dict(rows, features=features)


def in_parquet(folder: Path, images: Mapping[str, bytes]) -> str:
    dataset_of(images).to_parquet(str(folder / "images.parquet"))
    return str(folder / "images.parquet")


def in_dataset(folder: Path, images: Mapping[str, bytes]) -> str:
    dataset_of(images).save_to_disk(str(folder / "data"))
    return str(folder / "data")


WHERE: dict[str, Callable[[Path, Mapping[str, bytes]], str]] = {
    "folder": in_folder,
    "zip": in_zip,
    "tar": lambda folder, images: shards(folder, images, ".tar"),
    "tar.gz": lambda folder, images: shards(folder, images, ".tar.gz"),
    "tar.zst": lambda folder, images: shards(folder, images, ".tar.zst"),
    "parquet": in_parquet,
    "arrow": in_dataset,
}
STORED = ["S3", "tar in S3"]


@pytest.fixture(scope="module")
def s3(images: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An S3 server with the images in the bucket `photos`, and their tars in the bucket `shards`."""
    folder = tmp_path_factory.mktemp("shards")
    shards(folder, images, ".tar")
    with s3_server() as fs:
        fs.mkdir("photos")
        fs.mkdir("shards")
        for name, data in images.items():
            fs.pipe_file(f"photos/{name}", data)
        for path in folder.iterdir():
            fs.put_file(str(path), f"shards/{path.name}")
        yield


@pytest.fixture(scope="module", params=[*WHERE, *STORED])
def place(request: pytest.FixtureRequest, images: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path or URL of the images, by the name of where they are."""
    if request.param in STORED:
        request.getfixturevalue("s3")
        return {"S3": "s3://photos", "tar in S3": "s3://shards/train-{000000..000001}.tar"}[request.param]
    return WHERE[request.param](tmp_path_factory.mktemp("images"), images)


def name_of(path: str, images: Mapping[str, bytes]) -> str:
    """The name of the image that a report names by a path or URI."""
    if "#row=" in path:
        return list(images)[int(path.partition("#row=")[2])]
    return path.partition("://")[2].partition("::")[0].rpartition("/")[2] if "://" in path else Path(path).name


def result_of(report: Report, images: Mapping[str, bytes]) -> Result:
    """Groups with keeper, rule and relations, failures, and the images in no group, by the names of the images."""
    groups = frozenset(
        (
            name_of(group.keeper, images),
            group.rule,
            frozenset((name_of(member.path, images), member.relation) for member in group.members),
        )
        for group in report.groups
    )
    failures = frozenset((name_of(each.path, images), each.stage, each.error) for each in report.failures)
    return groups, failures, frozenset(name_of(each.path, images) for each in report.unique or ())


@pytest.fixture(scope="module")
def expected(images: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The result of the folder."""
    folder = in_folder(tmp_path_factory.mktemp("folder"), images)
    return result_of(twinpix.find(folder, store=None, workers=1), images)


def test_the_folder_has_the_groups_that_were_drawn(expected: Result) -> None:
    groups, failures, unique = expected
    assert {(keeper, rule, tuple(sorted(name for name, _ in members))) for keeper, rule, members in groups} == {
        ("000003.jpg", "camera", ("000000.png", "000001.png", "000002.jpg", "000003.jpg")),
        ("000005.png", "filesize", ("000004.webp", "000005.png")),
        (UNUSUAL, "filesize", (UNUSUAL, "000007.png")),
        ("000008.gif", "frames", ("000008.gif", "000037.png")),
        ("000009.jpg", "path", ("000009.jpg", "000039.jpg")),
        ("000010.tif", "resolution", ("000010.tif", "000011.jpg")),
    }
    assert failures == {(BROKEN, "decode", "truncated: nothing of the image is present")}
    assert len(unique) == 25


def test_find_gives_the_result_of_the_folder(place: str, images: dict[str, bytes], expected: Result) -> None:
    report = twinpix.find(place, store=None, workers=1)
    assert result_of(report, images) == expected
    assert report.counts.images == 39


def test_pairs_of_a_program_give_the_result_of_the_folder(images: dict[str, bytes], expected: Result) -> None:
    report = twinpix.find(images.items(), store=None, workers=1)
    assert result_of(report, images) == expected
    assert {member.mtime_ns for group in report.groups for member in group.members} == {0}


# -- commands ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(place: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report that the command writes."""
    path = tmp_path_factory.mktemp("report") / "r.json"
    done = commands.run("find", place, "--no-store", "--workers", 1, "-o", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def paths(saved: Path, images: dict[str, bytes]) -> dict[str, str]:
    """The path or URI of each image, by its name."""
    report = Report.load(saved)
    each = [member.path for group in report.groups for member in group.members]
    each += [unique.path for unique in report.unique or ()]
    return {name_of(path, images): path for path in each}


def test_the_command_find_gives_the_result_of_the_folder(
    saved: Path, images: dict[str, bytes], expected: Result
) -> None:
    assert result_of(Report.load(saved), images) == expected


def test_query_finds_the_copies(place: str, images: dict[str, bytes], paths: dict[str, str]) -> None:
    done = commands.run("query", paths["000002.jpg"], "--in", place, "--fast", "--no-store", "--json")
    assert {name_of(hit["path"], images): hit["relation"] for hit in json.loads(done.stdout)["hits"]} == {
        "000000.png": "re-encoded",
        "000001.png": "re-encoded",
        "000003.jpg": "resized",
    }
    assert re.fullmatch(
        r"twinpix: 1 file could not be used\n  .*000038.jpg.*: truncated: .*\n|"
        r"twinpix: 1 file could not be used\n  .*#row=38: truncated: .*\n",
        done.stderr,
    )


def test_encode_gives_the_codes_of_the_files(place: str, images: dict[str, bytes], codes: dict[str, str]) -> None:
    done = commands.run("encode", place, "--no-store", "--workers", 1)
    found = json.loads(done.stdout)["phash:size=16"]
    assert {name_of(path, images): code for path, code in found.items()} == codes
    assert "39 images coded, 1 file could not be used" in done.stderr


@pytest.fixture(scope="module")
def codes(images: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The codes of the images as files."""
    folder = in_folder(tmp_path_factory.mktemp("codes"), images)
    (found,) = twinpix.encode(folder, ["phash:size=16"], store=None, workers=1).values()
    return {Path(ref.uri).name: code.tobytes().hex() for ref, code in zip(found.refs, found.codes, strict=True)}


def test_compare_takes_two_images(paths: dict[str, str]) -> None:
    done = commands.run("compare", paths["000002.jpg"], paths["000003.jpg"], "--json")
    assert json.loads(done.stdout)["relation"] == "resized"
    done = commands.run("compare", paths[UNUSUAL], paths["000007.png"], "--json")
    assert json.loads(done.stdout)["relation"] == "identical-pixels"


def test_plot_shows_the_members_of_all_groups(saved: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = commands.run("plot", saved, "--html", page)
    assert (done.returncode, done.stderr) == (0, "")
    members = sum(len(group.members) for group in Report.load(saved).groups)
    assert page.read_text(encoding="utf-8").count("/9j/") == members  # how the base64 of a thumbnail begins
