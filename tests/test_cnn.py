"""Networks: that of the package, and any in ONNX; faults are reported, codes of different networks are not mixed."""

import io
import json
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import twinpix
from drawings import draw
from sessions import CountingStore, session_of
from twinpix import fingerprints, plugins, ui
from twinpix.act.regroup import decide_again
from twinpix.encoding.encode_task import EncodeItem, EncodeTask
from twinpix.encoding.encoder import Encoder
from twinpix.encoding.methods import method_of, methods_of, radius_of
from twinpix.encoding.options import Options
from twinpix.encoding.session import open_session, scan
from twinpix.errors import ImageError, UsageError
from twinpix.evaluation.copies import find_copies
from twinpix.evaluation.methods import measure
from twinpix.evaluation.rates import steps_of
from twinpix.fingerprints import _onnx, cnn
from twinpix.imaging import decode, picture_of
from twinpix.machine import memory
from twinpix.model import Decode, DistanceUnit, Match
from twinpix.progress import Progress
from twinpix.report import describe_difference
from twinpix.report.json import Json, read
from twinpix.report.text import Text, how
from twinpix.search import join
from twinpix.usecases.codes import Coded

pytest.importorskip("onnxruntime")

SIZE = 32
Shape = Sequence[int | str]


def network(
    path: Path,
    *,
    shape: Shape = ("n", 3, SIZE, SIZE),
    cells: int = 4,
    kind: int = TensorProto.FLOAT,
    nodes: Sequence[onnx.NodeProto] | None = None,
    inputs: int = 1,
    gain: float = 1.0,
    **described: Any,
) -> str:
    """An ONNX network that returns the means of `cells` × `cells` cells of each channel, and its description."""
    stride = SIZE // cells
    taken = [helper.make_tensor_value_info(f"x{k}", kind, list(shape)) for k in range(inputs)]
    given = helper.make_tensor_value_info("y", kind, None)
    channels_last = shape[-1] == 3
    before = [helper.make_node("Transpose", ["x0"], ["x"], perm=[0, 3, 1, 2])] if channels_last else []
    default = [
        *(before or [helper.make_node("Identity", ["x0"], ["x"])]),
        helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[stride, stride], strides=[stride, stride]),
        helper.make_node("Mul", ["p", "gain"], ["g"]),
        helper.make_node("Flatten", ["g"], ["y"]),
    ]
    dtype = np.float16 if kind == TensorProto.FLOAT16 else np.float32
    weights = [numpy_helper.from_array(np.array(gain, dtype), "gain")]
    graph = helper.make_graph(nodes or default, "test", taken, [given], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    path.write_bytes(model.SerializeToString())
    path.with_suffix(".json").write_text(json.dumps({"size": SIZE, "mean": [0.5] * 3, **described}))
    return str(path)


def codes(spec: str, images: Sequence[Image.Image], mode: Decode = "fast") -> NDArray[Any]:
    """Vectors `(n, dims)` of images."""
    method = fingerprints.make(spec)
    method.check()
    decoded = [picture_of(image, mode, *fingerprints.needs_of([method])) for image in images]
    return method.comparable(fingerprints.codes_of(method, decoded)[:, 0]).astype(np.float64)


@pytest.fixture
def folder(tmp_path: Path, draw_image: Callable[..., Image.Image]) -> Path:
    """Three images, each with a smaller copy of lower quality."""
    out = tmp_path / "pictures"
    out.mkdir()
    for seed in range(3):
        image = draw_image(seed)
        image.save(out / f"{seed}.png")
        image.resize((160, 120)).save(out / f"{seed}-small.jpg", quality=60)
    return out


def groups_of(report: Any) -> list[list[str]]:
    return sorted(sorted(Path(member.path).name for member in group.members) for group in report.groups)


PAIRS = [[f"{seed}-small.jpg", f"{seed}.png"] for seed in range(3)]


# -- the package network -------------------------------------------------------------------------------


def test_copies_are_near_and_other_images_far(draw_image: Callable[..., Image.Image]) -> None:
    images = [draw_image(seed) for seed in range(6)]
    held = io.BytesIO()
    edited = []
    for image in images:
        image.crop((10, 10, 300, 225)).save(held, "JPEG", quality=30)
        edited.append(Image.open(io.BytesIO(held.getvalue())).copy())
        held.seek(0)
        held.truncate()
    near = codes("cnn", images) @ codes("cnn", edited).T
    assert (near.argmax(axis=1) == np.arange(6)).all()
    method = fingerprints.make("cnn")
    assert (1 - np.diag(near) <= method.radii["loose"]).all()


def test_any_prefix_is_a_descriptor(draw_image: Callable[..., Image.Image]) -> None:
    images = [draw_image(seed) for seed in range(3)]
    whole = codes("cnn:dims=1024", images)
    assert whole.shape == (3, 1024)
    for dims in (1, 64, 256):
        part = codes(f"cnn:dims={dims}", images)
        expected = whole[:, :dims] / np.linalg.norm(whole[:, :dims], axis=1, keepdims=True)
        np.testing.assert_allclose(part, expected, atol=0.002)
    with pytest.raises(UsageError, match="gives 1024 numbers: dims=1025 is more"):
        codes("cnn:dims=1025", images)


def test_the_model_in_the_package_is_small_and_described() -> None:
    assert cnn.OWN.stat().st_size <= 8_000_000
    card = cnn.OWN.with_name("cnn.md").read_text(encoding="utf-8")
    for word in ("Data", "Recipe", "Scores", "Limits", "Licence"):
        assert f"## {word}" in card


def test_find_and_query_and_compare(folder: Path) -> None:
    report = twinpix.find([folder], method="cnn", strictness="loose", store=None)
    assert groups_of(report) == PAIRS
    assert isinstance(report.radius, float)
    assert all(isinstance(match.distance, float) for group in report.groups for match in group.matches)
    again = twinpix.find([folder], method="cnn", radius=report.radius, store=None)
    assert (groups_of(again), again.radius) == (PAIRS, report.radius)
    hits, _ = twinpix.query(folder / "1.png", [folder], method="cnn", strictness="loose", store=None)
    assert [Path(hit.path).name for hit in hits] == ["1-small.jpg"]
    comparison = twinpix.compare(folder / "1.png", folder / "1-small.jpg", method="cnn")
    assert comparison.relation == "edited"
    assert "of cosine distance" in comparison.verdict
    units = {row.method: row.unit for row in comparison.distances}
    assert (units["cnn"], units["phash"]) == ("cosine", "bits")


@pytest.mark.parametrize("size", [(40_000, 2), (2, 40_000)])
def test_a_crop_of_a_strip_takes_little_memory(tmp_path: Path, size: tuple[int, int]) -> None:
    """The part outside the crop is not resized first: of this strip it would have 50 million values."""
    model = network(tmp_path / "m.onnx", fit="crop")
    strip = Image.new("RGB", size, (200, 0, 0))
    strip.paste((0, 0, 200), (size[0] // 2, 0, size[0], size[1]) if size[0] > 2 else (0, size[1] // 2, *size))
    tracemalloc.start()
    matrix = fingerprints.make(f"cnn:model={model}").prepare(picture_of(strip, colour=SIZE))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 5_000_000
    matrix = matrix if size[0] > 2 else matrix.swapaxes(0, 1)
    assert (matrix[:, 0] == (200, 0, 0)).all()
    assert (matrix[:, -1] == (0, 0, 200)).all()


@pytest.mark.parametrize("wrong", ["nan", "inf", "-inf", "-0.1", "2.1"])
def test_an_invalid_radius(wrong: str) -> None:
    with pytest.raises(UsageError, match=f"not {wrong}"):
        radius_of(Options(method="cnn", radius=float(wrong)), fingerprints.make("cnn"))
    with pytest.raises(UsageError, match=r"between 0 and 256|0 or more"):
        radius_of(Options(radius=float(wrong) if wrong != "2.1" else 257), fingerprints.make("phash:size=16"))


def test_a_radius_has_the_type_of_its_unit_however_it_was_given(folder: Path) -> None:
    """The type distinguishes reports with distances in bits from those with cosine distances."""
    report = twinpix.find([folder], Options(method="cnn", radius=0, store=None))
    assert (report.radius, type(report.radius)) == (0, float)
    bits = decide_again(twinpix.find([folder], method="phash:size=16", store=None), stricter=4.0)
    assert (bits.radius, type(bits.radius)) == (4, int)
    with pytest.raises(UsageError, match="not nan"):
        decide_again(bits, stricter=float("nan"))


def test_distances_are_printed_in_the_unit_of_the_report() -> None:
    """The distance of equal codes is the integer 0 for every method."""
    words: dict[DistanceUnit, tuple[str, str]] = {
        "bits": ("0 bits apart", "2 bits apart"),
        "cosine": ("cosine 1.00", "cosine 0.93"),
        "share": ("100% alike", "93% alike"),
    }
    for unit, (equal, near) in words.items():
        for none in (0, 0.0):
            assert how(Match("a", "b", none, "mirrored", same_code=False), unit) == f"mirrored, {equal}"
        distance = 2 if unit == "bits" else 0.07
        assert how(Match("a", "b", distance, "edited", same_code=False), unit) == f"edited, {near}"


def test_equal_codes_of_different_pixels_have_distance_0(
    tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    """They differ in the last bit of one pixel; shown in the text, in a plan and on a sheet."""
    photos = tmp_path / "photos"
    photos.mkdir()
    image = draw_image(1)
    image.save(photos / "a.png")
    values = np.array(image)
    values[0, 0, 0] ^= 1
    Image.fromarray(values).save(photos / "b.png")
    found = twinpix.find([photos], method="cnn", store=None)
    (match,) = found.groups[0].matches
    assert (match.distance, type(match.distance), match.relation) == (0, int, "edited")
    saved = tmp_path / "report.json"
    saved.write_text("".join(Json().parts(found)))
    for report in (found, read(str(saved)), decide_again(found, stricter=0)):
        assert "edited, cosine 1.00" in "".join(Text().parts(report))
        (unit,) = twinpix.plan(report, f"move:to={tmp_path / 'out'}").units
        assert unit.match
        assert describe_difference(unit.match, report.unit) == "edited, cosine 1.00"
        _, other = ui.group_sheet(report.groups[0], report.unit).axes
        assert "edited, cosine 1.00" in other.get_xlabel()


def test_turned_copies_with_transforms(tmp_path: Path, draw_image: Callable[..., Image.Image]) -> None:
    for seed in range(2):
        draw_image(seed).save(tmp_path / f"{seed}.png")
        draw_image(seed).transpose(Image.Transpose.ROTATE_90).save(tmp_path / f"{seed}-turned.png")
    report = twinpix.find([tmp_path], method="cnn", transforms=True, radius=0.01, store=None)
    assert groups_of(report) == [[f"{seed}-turned.png", f"{seed}.png"] for seed in range(2)]


def test_blank_images_match_by_identity_alone(tmp_path: Path) -> None:
    for name, shade in (("white", 255), ("black", 0), ("grey", 128)):
        Image.new("RGB", (200, 150), (shade,) * 3).save(tmp_path / f"{name}.png")
    shutil.copy(tmp_path / "grey.png", tmp_path / "grey-too.png")
    report = twinpix.find([tmp_path], method="cnn", strictness="loose", store=None)
    assert groups_of(report) == [["grey-too.png", "grey.png"]]
    assert len(report.guarded) == 4


def test_naming_the_method_is_quick_and_loads_no_large_library() -> None:
    code = "import sys, twinpix; from twinpix import fingerprints; fingerprints.make('cnn'); "
    code += "print(sorted({'onnxruntime', 'torch', 'onnx', 'numba'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# -- user networks -------------------------------------------------------------------------------------


def test_a_user_network(tmp_path: Path, folder: Path) -> None:
    model = network(tmp_path / "means.onnx")
    report = twinpix.find([folder], method=f"cnn:model={model}", radius=0.02, store=None)
    assert groups_of(report) == PAIRS
    assert report.spec == f"cnn:model={model}"


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_the_input_of_a_network_follows_its_description(
    tmp_path: Path, layout: str, channels: str, kind: int, batch: int | str
) -> None:
    square = (3, SIZE, SIZE) if layout == "nchw" else (SIZE, SIZE, 3)
    described: dict[str, Any] = {
        "layout": layout,
        "channels": channels,
        "mean": [0.1, 0.2, 0.3],
        "std": [0.5, 1.0, 2.0],
    }
    model = network(tmp_path / "m.onnx", shape=(batch, *square), cells=1, kind=kind, **described)
    colours = np.array([[200, 100, 50], [10, 250, 30], [90, 90, 91], [0, 0, 200], [255, 1, 1]], np.uint8)
    images = [Image.new("RGB", (50, 40), tuple(map(int, colour))) for colour in colours]
    seen = colours if channels == "rgb" else colours[:, ::-1]
    wanted = (seen / 255 - [0.1, 0.2, 0.3]) / [0.5, 1.0, 2.0]
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(codes(f"cnn:model={model}", images), wanted, atol=0.004)


def test_a_centre_crop(tmp_path: Path) -> None:
    model = network(tmp_path / "m.onnx", cells=1, fit="crop", shorter=SIZE, mean=[0.0] * 3)
    image = Image.new("RGB", (3 * SIZE, SIZE), (255, 0, 0))
    image.paste((0, 255, 0), (SIZE, 0, 2 * SIZE, SIZE))
    np.testing.assert_allclose(codes(f"cnn:model={model}", [image])[0], [0, 1, 0], atol=0.03)


@pytest.mark.parametrize(("pool", "place"), [("first", 0), ("mean", None)])
def test_rows_of_tokens_are_pooled(tmp_path: Path, pool: str, place: int | None) -> None:
    tokens = [
        helper.make_node("AveragePool", ["x0"], ["p"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Constant", [], ["s"], value_ints=[0, 3, 4]),
        helper.make_node("Reshape", ["p", "s"], ["f"]),
        helper.make_node("Transpose", ["f"], ["y"], perm=[0, 2, 1]),  # (n, 4 positions, 3 channels)
    ]
    image = draw("scene", 1, (SIZE, SIZE))
    model = network(tmp_path / "m.onnx", nodes=tokens, pool=pool)
    quarters = np.asarray(image).reshape(2, 16, 2, 16, 3).mean(axis=(1, 3)).reshape(4, 3) / 255 - 0.5
    wanted = quarters[place] if place is not None else quarters.mean(axis=0)
    found = codes(f"cnn:model={model}", [image], "reference")[0]
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), atol=0.02)
    network(tmp_path / "none.onnx", nodes=tokens)
    with pytest.raises(UsageError, match='its JSON can say "pool"'):
        codes(f"cnn:model={tmp_path / 'none.onnx'}", [image])


def test_dims_only_for_nested_descriptors(tmp_path: Path) -> None:
    image = draw("scene", 1, (64, 64))
    network(tmp_path / "flat.onnx")
    with pytest.raises(UsageError, match="the first 8 of the 48 numbers"):
        codes(f"cnn:model={tmp_path / 'flat.onnx'},dims=8", [image])
    network(tmp_path / "flat.onnx", dims=8)
    with pytest.raises(UsageError, match="the first 8 of the 48 numbers"):
        codes(f"cnn:model={tmp_path / 'flat.onnx'}", [image])
    network(tmp_path / "flat.onnx", nested=True, dims=49)
    with pytest.raises(UsageError, match="gives 48 numbers: dims=49 is more"):
        codes(f"cnn:model={tmp_path / 'flat.onnx'}", [image])
    network(tmp_path / "nested.onnx", nested=True, dims=16)
    assert codes(f"cnn:model={tmp_path / 'nested.onnx'},dims=8", [image]).shape == (1, 8)
    assert codes(f"cnn:model={tmp_path / 'nested.onnx'}", [image]).shape == (1, 16)


# -- errors --------------------------------------------------------------------------------------------


def test_a_missing_model(tmp_path: Path) -> None:
    missing = f"cnn:model={tmp_path / 'nothing.onnx'}"
    with pytest.raises(UsageError, match=r"cannot read the model .*: no such file"):
        fingerprints.make(missing)
    (tmp_path / "nothing.json").write_text('{"size": 32}')
    with pytest.raises(UsageError, match=r"cannot read the model .*: no such file"):
        fingerprints.make(missing)
    (tmp_path / "nothing.onnx").write_bytes(b"junk")
    (tmp_path / "nothing.json").unlink()
    with pytest.raises(UsageError, match=r"needs its preprocessing beside it, in .*nothing\.json"):
        fingerprints.make(missing)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not describe a network"),
        ("{", "does not describe a network"),
        ("[]", "does not describe a network"),
        ("{}", "missing required field `size`"),
        ('{"size": "large"}', "does not describe a network"),
        ('{"size": 4}', "from 16 to 2048, not 4"),
        ('{"size": 32, "sise": 3}', "unknown field `sise`"),
        ('{"size": 32, "std": [1, 0, 1]}', "std not 0"),
        ('{"size": 32, "mean": [1, 1]}', "does not describe a network"),
        ('{"size": 32, "fit": "stretch"}', "does not describe a network"),
        ('{"size": 32, "shorter": 16}', "from size to 4096"),
        ('{"size": 32, "dims": -1}', "not -1"),
        ('{"size": 32, "radii": {"normal": -0.1}}', "from 0 to 2"),
        ('{"size": 32, "radii": {"normal": 2.1}}', "from 0 to 2"),
    ],
)
def test_an_invalid_description(tmp_path: Path, text: str, words: str) -> None:
    model = network(tmp_path / "m.onnx")
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(UsageError, match=words):
        fingerprints.make(f"cnn:model={model}")


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "text"])
def test_a_damaged_model(tmp_path: Path, folder: Path, damage: str) -> None:
    model = Path(network(tmp_path / "m.onnx"))
    whole = model.read_bytes()
    noise = np.random.default_rng(1).integers(0, 256, len(whole), dtype=np.uint8).tobytes()
    model.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "noise": noise, "text": b"hello"}[damage])
    with pytest.raises(UsageError, match=r"no network that can be run|wants 0 inputs|has no output"):
        twinpix.find([folder], method=f"cnn:model={model}", store=None)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"shape": ("n", 3, 64, 64)}, r"takes n × 3 × 64 × 64 .*; its JSON says n × 3 × 32 × 32"),
        ({"shape": ("n", 1, SIZE, SIZE)}, "its JSON says n × 3 × 32 × 32"),
        ({"shape": ("n", SIZE, SIZE, 3)}, "its JSON says n × 3 × 32 × 32"),
        ({"inputs": 2}, r"wants 2 inputs \(x0, x1\), not one image"),
        ({"output": "logits"}, "has no output 'logits'; it has: y"),
    ],
)
def test_a_network_of_another_shape(tmp_path: Path, how: dict[str, Any], words: str) -> None:
    model = network(tmp_path / "m.onnx", **how)
    with pytest.raises(UsageError, match=words):
        codes(f"cnn:model={model}", [draw("scene", 1, (64, 64))])


def test_an_output_that_is_not_a_row_of_numbers(tmp_path: Path) -> None:
    maps = [helper.make_node("AveragePool", ["x0"], ["y"], kernel_shape=[8, 8], strides=[8, 8])]
    model = network(tmp_path / "m.onnx", nodes=maps)
    with pytest.raises(UsageError, match="gives 1 × 3 × 4 × 4 for 1 images"):
        codes(f"cnn:model={model}", [draw("scene", 1, (64, 64))])


_FLAT = [
    helper.make_node("AveragePool", ["x0"], ["p"], kernel_shape=[8, 8], strides=[8, 8]),
    helper.make_node("Flatten", ["p"], ["f"]),
]


def _shape(name: str, *numbers: int) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(numbers, np.int64)))


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ([helper.make_node("Transpose", ["f"], ["y"], perm=[1, 0])], "gives 48 × 1 for 1 images"),
        ([helper.make_node("ReduceMean", ["f"], ["y"], keepdims=0)], "gives a single number for 1 images"),
        ([_shape("s", -1, 3, 2, 2, 4), helper.make_node("Reshape", ["f", "s"], ["y"])], "gives 1 × 3 × 2 × 2 × 4"),
        ([_shape("s", 7, 7), helper.make_node("Reshape", ["f", "s"], ["y"])], "m.onnx: "),
        ([_shape("a", 0), _shape("b", 1), helper.make_node("Slice", list("faab"), ["y"])], "has no numeric output"),
    ],
)
def test_an_output_of_another_shape(tmp_path: Path, last: list[onnx.NodeProto], words: str) -> None:
    """Also if its first rows look like descriptors: the first axis must be the batch, with one row for each image."""
    model = network(tmp_path / "m.onnx", nodes=[*_FLAT, *last])
    with pytest.raises(UsageError, match=words):
        codes(f"cnn:model={model}", [draw("scene", 1, (64, 64))])


def test_an_output_that_is_not_an_array(tmp_path: Path) -> None:
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    model = network(tmp_path / "m.onnx", nodes=[*_FLAT, helper.make_node("SequenceConstruct", ["f", "p"], ["y"])])
    loaded = onnx.load(model)
    loaded.graph.output[0].CopyFrom(sequence)
    onnx.save(loaded, model)
    with pytest.raises(UsageError, match="gives list, not an array of numbers"):
        codes(f"cnn:model={model}", [draw("scene", 1, (64, 64))])


def test_an_empty_batch_is_refused(tmp_path: Path) -> None:
    model = network(tmp_path / "m.onnx", shape=(0, 3, SIZE, SIZE))
    with pytest.raises(UsageError, match="takes 0 × 3 × 32 × 32"):
        codes(f"cnn:model={model}", [draw("scene", 1, (64, 64))])


@pytest.mark.parametrize("shape", [(1, 48), (1, -1)])
def test_a_network_that_takes_one_image_whatever_it_declares(tmp_path: Path, shape: tuple[int, int]) -> None:
    """Exporters write the batch size of their example into inner nodes although the batch of the input is named."""
    images = [draw("scene", seed, (64, 64)) for seed in range(11)]
    last = [_shape("s", *shape), helper.make_node("Reshape", ["f", "s"], ["y"])]
    one = network(tmp_path / "one.onnx", nodes=[*_FLAT, *last])
    many = network(tmp_path / "many.onnx")
    np.testing.assert_array_equal(codes(f"cnn:model={one}", images), codes(f"cnn:model={many}", images))


def quantised(path: Path, batch: int | str = "n") -> str:
    """A network with dynamic quantisation: it scales values to bytes by the minimum and maximum of a whole batch."""
    nodes = [
        *_FLAT,
        helper.make_node("DynamicQuantizeLinear", ["f"], ["q", "scale", "zero"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    return network(path, nodes=nodes, shape=(batch, 3, SIZE, SIZE))


def test_a_code_does_not_depend_on_the_other_images_of_its_batch(
    tmp_path: Path, draw_image: Callable[..., Image.Image]
) -> None:
    """Bit for bit, whatever the others are: the batches depend on the order, the workers and the store."""
    models = [quantised(tmp_path / f"q{batch}.onnx", batch) for batch in ("n", 1, 4)]
    images = [draw_image(seed) for seed in range(9)]
    for spec in ("cnn:dims=1024", *(f"cnn:model={model}" for model in models)):
        alone = np.concatenate([codes(spec, [image]) for image in images])
        for count in range(2, 10):
            order = np.random.default_rng(count).permutation(9)
            for some in (order[:count], order[-count:]):
                np.testing.assert_array_equal(codes(spec, [images[at] for at in some]), alone[some], f"{spec} {count}")


@pytest.mark.parametrize(("batch", "at_once"), [("n", _onnx.BATCH), (1, 1), (4, 4)])
def test_images_are_batched_where_the_network_allows_it(tmp_path: Path, batch: int | str, at_once: int) -> None:
    plain = network(tmp_path / "m.onnx", shape=(batch, 3, SIZE, SIZE), gain=1.5)
    for model, wanted in ((plain, at_once), (quantised(tmp_path / "q.onnx", batch), 1), (str(cnn.OWN), _onnx.BATCH)):
        of = fingerprints.make(f"cnn:model={model}")
        assert isinstance(of, cnn.CNN)
        assert _onnx.network(of.path, of.digest, of.description, "cpu")._at_once == wanted


@pytest.mark.parametrize("gain", [np.nan, np.inf, 0.0])
def test_non_finite_numbers_become_failures(tmp_path: Path, folder: Path, gain: float) -> None:
    model = network(tmp_path / "m.onnx", gain=gain)
    report = twinpix.find([folder], method=f"cnn:model={model}", store=None)
    assert {(failure.stage, failure.error) for failure in report.failures} == {("code", fingerprints.NOTHING)}
    assert len(report.failures) == 6
    (row, *_) = twinpix.encode_pictures([("a", draw("scene", 1, (64, 64)))], [f"cnn:model={model}"])
    assert row.error == fingerprints.NOTHING


def test_non_finite_numbers_are_not_compared(tmp_path: Path, folder: Path) -> None:
    spec = f"cnn:model={network(tmp_path / 'm.onnx', gain=np.nan)}"
    with pytest.raises(UsageError, match="cannot compare them: the network gave no finite numbers"):
        twinpix.compare(folder / "0.png", folder / "1.png", method=spec)
    with pytest.raises(UsageError, match="at least two images"):
        find_copies([folder], [spec], count=1, options=Options(store=None, workers=1))


def test_the_curve_reaches_the_usual_radius(tmp_path: Path, folder: Path) -> None:
    """Also if the description has a large usual radius."""
    spec = f"cnn:model={network(tmp_path / 'm.onnx', radii={'normal': 1.0})}"
    truth = {"0.png": ["0-small.jpg"], "0-small.jpg": [], "1.png": []}
    found = measure(truth, str(folder), [spec], Options(store=None))
    assert found.methods[0].usual[1] == 1


def test_distances_in_thousandths() -> None:
    """Whole ones are exact despite the rounding of 32-bit floats; others are rounded up."""
    distances = np.round(np.arange(0, 2, 0.0001), 4).astype(np.float32)
    assert steps_of(fingerprints.make("cnn"), distances).tolist() == (-(-np.arange(20_000) // 10)).tolist()


@pytest.mark.parametrize(("transforms", "clocks"), [(False, 1), (True, 6)])
def test_the_time_limit_is_set_anew_within_a_batch(tmp_path: Path, folder: Path, transforms: bool, clocks: int) -> None:
    """A large network takes seconds for each image: with one limit for all, the first image would time out."""
    method = fingerprints.make(f"cnn:model={network(tmp_path / 'm.onnx')}")
    batch = [EncodeItem(number, str(path), ()) for number, path in enumerate(sorted(folder.iterdir()))]
    set_at: list[int] = []
    outcomes = EncodeTask((method,), "fast", transforms)(batch, set_at.append)
    assert all(outcome.results[0].code for outcome in outcomes)
    assert len(set_at) == 2 * len(batch) + clocks  # for reading, for decoding, and for the network


def test_one_bad_image_does_not_affect_the_others_of_its_batch(tmp_path: Path, folder: Path) -> None:
    """A network that divides by the mean, which is 0 for a black image."""
    ratio = [
        helper.make_node("GlobalAveragePool", ["x0"], ["m"]),
        helper.make_node("AveragePool", ["x0"], ["p"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Div", ["p", "m"], ["d"]),
        helper.make_node("Flatten", ["d"], ["y"]),
    ]
    model = network(tmp_path / "m.onnx", nodes=ratio, mean=[0.0] * 3)
    black = Image.new("RGB", (100, 100))
    black.save(folder / "black.png")
    report = twinpix.find([folder], method=f"cnn:model={model}", radius=0.1, store=None)
    assert [Path(failure.path).name for failure in report.failures] == ["black.png"]
    assert report.counts.images == 6


def test_a_folder_of_broken_images_alone(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    report = twinpix.find([tmp_path], method="cnn", store=None)
    assert (report.counts.images, report.counts.failures) == (0, 5)


def test_a_model_swapped_between_two_runs(tmp_path: Path, folder: Path) -> None:
    """Stored codes of one model are not used for the other."""
    store, model = tmp_path / "store.sqlite", tmp_path / "m.onnx"
    network(model, cells=4)
    (before,) = twinpix.encode([folder], [f"cnn:model={model}"], store=store).values()
    network(model, cells=4, gain=-1.0)
    (after,) = twinpix.encode([folder], [f"cnn:model={model}"], store=store).values()
    np.testing.assert_array_equal(after.codes.view("<f2"), -before.codes.view("<f2"))
    described = json.loads(model.with_suffix(".json").read_text())
    model.with_suffix(".json").write_text(json.dumps(described | {"mean": [0.0] * 3}))
    (third,) = twinpix.encode([folder], [f"cnn:model={model}"], store=store).values()
    assert not np.array_equal(third.codes, after.codes)
    network(model, cells=4)
    (back,) = twinpix.encode([folder], [f"cnn:model={model}"], store=store).values()
    np.testing.assert_array_equal(back.codes, before.codes)


def test_codes_in_a_file_are_of_one_model(tmp_path: Path, folder: Path) -> None:
    model, path = tmp_path / "m.onnx", str(tmp_path / "codes.jsonl")
    network(model)
    options = Options(method=f"cnn:model={model}", store=None)
    twinpix.write_codes(
        path, twinpix.header_of(options=options), twinpix.encode_files_as_stream(folder, options=options)
    )
    hits = twinpix.query_codes(folder / "1.png", path, options)
    assert [Path(hit.path).name for hit in hits] == ["1.png", "1-small.jpg"]
    for cells in (8, 4):
        network(model, cells=cells, mean=[0.25] * 3)
        with pytest.raises(UsageError, match="holds codes of another network"):
            twinpix.query_codes(folder / "1.png", path, options)


@pytest.mark.parametrize("code", ["", "00", "00" * 96, "ff" * 96, "3c" * 192])
def test_invalid_codes_in_a_file(tmp_path: Path, folder: Path, code: str) -> None:
    path, options = str(tmp_path / "codes"), Options(method=f"cnn:model={network(tmp_path / 'm.onnx')}", store=None)
    row = Coded("x.png", [bytes.fromhex(code)], 9, 9, 99)
    twinpix.write_codes(path, twinpix.header_of(options=options), [row])
    with pytest.raises(UsageError, match="holds codes that are none of cnn:model="):
        twinpix.query_codes(folder / "1.png", path, options)


@pytest.mark.parametrize("location", ["m.onnx.data", None])
@pytest.mark.parametrize("is_there", [True, False])
def test_weights_in_other_files_are_refused(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, location: str | None, is_there: bool
) -> None:
    """The digest covers one file: weights in others could change unnoticed. The error says how to write one file."""
    rows = numpy_helper.from_array(np.eye(48, dtype=np.float32), "rows")
    nodes = [*_FLAT, helper.make_node("MatMul", ["f", "rows"], ["r"]), helper.make_node("Mul", ["r", "gain"], ["y"])]
    model = Path(network(tmp_path / "m.onnx", nodes=nodes))
    loaded = onnx.load(model)
    loaded.graph.initializer.append(rows)
    one = bool(location)
    onnx.save(
        loaded, model, save_as_external_data=True, all_tensors_to_one_file=one, location=location, size_threshold=0
    )
    monkeypatch.chdir(tmp_path)  # onnxruntime also searches weights in the current folder
    if is_there:
        onnx.save(onnx.load(model), tmp_path / "whole.onnx", save_as_external_data=False)
        shutil.copy(tmp_path / "m.json", tmp_path / "whole.json")
    else:
        for name in [location] if location else ["rows", "gain"]:
            (tmp_path / name).unlink()
    with pytest.raises(UsageError, match=r"m\.onnx keeps its weights in other files; .*save_as_external_data=False"):
        twinpix.find([folder], method=f"cnn:model={model}", store=None)
    if is_there:
        images = [draw("scene", seed, (64, 64)) for seed in range(3)]
        wanted = codes(f"cnn:model={network(tmp_path / 'plain.onnx')}", images)
        np.testing.assert_array_equal(codes("cnn:model=whole.onnx", images), wanted)


def test_a_model_swapped_while_it_is_used(tmp_path: Path) -> None:
    model = network(tmp_path / "m.onnx", gain=1.125)
    method = fingerprints.make(f"cnn:model={model}")
    network(tmp_path / "m.onnx", gain=2.125)
    with pytest.raises(ImageError, match="was changed while it was used"):
        fingerprints.codes_of(method, [picture_of(draw("scene", 1, (64, 64)), colour=SIZE)])


def test_a_model_swapped_in_the_middle_of_a_run(tmp_path: Path, folder: Path) -> None:
    """The remaining images are failures, which are not stored; the run ends normally."""
    model, store, progress = tmp_path / "m.onnx", tmp_path / "store.sqlite", Progress()
    network(model, gain=1.375)
    options = Options(method=f"cnn:model={model}", store=store)
    method, refs = method_of(options), scan(options, progress, [str(folder)]).refs
    network(model, gain=2.375)
    with open_session(options, progress) as session:
        encoder = Encoder(session, [method])
        results = [encoder.result(digest) for digest in encoder.encode(refs)]
        assert [(result.code, result.stage) for result in results] == [(None, "code")] * 6
        assert all("was changed while it was used" in result.error for result in results)
        assert session.store.info().failures == 0
    network(model, gain=1.375)
    assert twinpix.find([folder], options).counts.failures == 0


def test_the_device_is_not_part_of_the_code(tmp_path: Path, folder: Path) -> None:
    assert plugins.describe(fingerprints.make("cnn:device=cpu,dims=64")) == "cnn:dims=64"
    report = twinpix.find([folder], method="cnn", device="cpu", strictness="loose", store=None)
    assert (report.spec, groups_of(report)) == ("cnn", PAIRS)
    with pytest.raises(UsageError, match="device is one of auto, cpu"):
        method_of(Options(method="cnn", device="abacus"))
    if "CUDAExecutionProvider" not in __import__("onnxruntime").get_available_providers():
        with pytest.raises(UsageError, match="cannot use the device cuda; it has: cpu"):
            method_of(Options(method="cnn", device="cuda"))


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_device_that_is_listed_but_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime silently falls back to the CPU, which is right unless the user asked for the device."""
    onnxruntime = __import__("onnxruntime")
    offered = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("needs an onnxruntime without CUDA")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    spec = f"cnn:model={network(tmp_path / 'm.onnx', gain=1.625)}"
    _onnx.device_of.cache_clear()
    try:
        image = picture_of(draw("scene", 1, (64, 64)), colour=SIZE)
        fingerprints.codes_of(method_of(Options(method=spec)), [image])
        with pytest.raises(UsageError, match="cannot start the device cuda here"):
            fingerprints.codes_of(method_of(Options(method=spec, device="cuda")), [image])
    finally:
        _onnx.device_of.cache_clear()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices for which networks are created, on a machine that seems to have one; without the package network."""
    out: list[str] = []
    real = _onnx.Network

    def made(model: str, digest: str, description: Any, device: str) -> _onnx.Network:
        if model.endswith("m.onnx"):
            out.append(device)
        return real(model, digest, description, "cpu")

    monkeypatch.setattr(_onnx, "Network", made)
    monkeypatch.setattr(_onnx, "device_of", lambda wanted: {"auto": "cuda"}.get(wanted, wanted))
    return out


def test_the_device_option_applies_to_the_networks_of_a_run(tmp_path: Path) -> None:
    methods = methods_of(Options(device="cpu"), ["phash", "cnn", "dhash"])
    assert [getattr(method, "device", "") for method in methods] == ["", "cpu", ""]
    with pytest.raises(UsageError, match="no device can be chosen for phash, dhash: only networks"):
        methods_of(Options(device="cpu"), ["phash", "dhash"])


def test_a_method_computes_on_its_device(tmp_path: Path, folder: Path, started: list[str]) -> None:
    """Also if it is created from its description, which does not contain the device."""
    spec = f"cnn:model={network(tmp_path / 'm.onnx', gain=1.75)},device=cpu"
    twinpix.compare(folder / "0.png", folder / "1.png", method=spec)
    path, options = str(tmp_path / "codes"), Options(method=spec, store=None)
    twinpix.write_codes(path, twinpix.header_of(options=options), [])
    assert twinpix.query_codes(folder / "1.png", path, options) == []
    assert started == ["cpu"]


def test_the_parent_process_does_not_start_the_device(tmp_path: Path, started: list[str]) -> None:
    """A device that was started in the parent does not work in workers that are forked from it."""
    method = method_of(Options(method=f"cnn:model={network(tmp_path / 'm.onnx', gain=1.875)}"))
    assert (fingerprints.width_of(method), started) == (96, [])  # determined in a worker
    fingerprints.codes_of(method, [picture_of(draw("scene", 1, (64, 64)), colour=SIZE)])
    assert started == ["cuda"]


@pytest.mark.parametrize("folder_of_model", ["a,b", "with space", "ünï", "back\\slash", "a=b", "a:b"])
def test_valid_paths_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder_of_model: str) -> None:
    """Its path is written to reports, codes files and the store, and is read again as an option."""
    if sys.platform == "win32" and set(folder_of_model) & set("\\:"):
        pytest.skip("no name there")
    (tmp_path / folder_of_model).mkdir()
    network(tmp_path / folder_of_model / "m.onnx")
    monkeypatch.chdir(tmp_path / folder_of_model)
    if "," in folder_of_model:
        with pytest.raises(UsageError, match=r"a comma in .*a,b.m\.onnx would end the option"):
            fingerprints.make("cnn:model=m.onnx")
    else:
        method = fingerprints.make("cnn:model=m.onnx")
        assert fingerprints.make(plugins.describe(method)) == method


def test_without_onnxruntime_the_error_names_the_package(tmp_path: Path, folder: Path) -> None:
    code = "import sys; sys.modules['onnxruntime'] = None; from twinpix.cli import main; "
    code += f"sys.argv = ['twinpix', 'find', {str(folder)!r}, '--method', 'cnn', '--no-store']; sys.exit(main())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert out.returncode == 2
    assert "pip install 'twinpix[cnn]'" in out.stderr


def test_stored_codes_are_not_computed_again(tmp_path: Path, folder: Path) -> None:
    store = tmp_path / "store.sqlite"
    first = twinpix.find([folder], method="cnn", strictness="loose", store=store)
    for path in folder.iterdir():
        data = path.read_bytes()
        path.write_bytes(data)  # another time stamp, the same content: read, and not encoded again
    opened = CountingStore(store)
    with closing(opened):
        refs = scan(Options(), Progress(), [str(folder)]).refs
        Encoder(session_of(opened), [fingerprints.make("cnn")]).encode(refs)
        assert opened.encoded == set()
    again = twinpix.find([folder], method="cnn", strictness="loose", store=store)
    assert groups_of(again) == groups_of(first)


def test_the_join_of_codes_is_the_join_of_their_vectors(draw_image: Callable[..., Image.Image]) -> None:
    method = fingerprints.make("cnn")
    image = decode(_png(draw_image(1)), colour=method.colour)
    code = fingerprints.codes_of(method, [image])[:, 0]
    vector = method.comparable(code)
    assert vector.dtype == np.float16
    assert join(vector, -vector, 2)[2].tolist() == [2.0]
    assert _onnx.BATCH >= 1


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.skipif(sys.platform == "win32", reason="a thread that looks at its own memory needs no test of its own")
@pytest.mark.parametrize(
    ("greedy", "words"), [(False, "exceeded the time limit of 2 s"), (True, "needs more memory than")]
)
def test_a_model_that_never_ends_or_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, greedy: bool, words: str
) -> None:
    """The model runs in a worker, never in the user's process."""
    monkeypatch.setattr(_onnx, "_MEASURE_SECONDS", 30.0 if greedy else 2.0)
    if greedy:
        monkeypatch.setattr("twinpix.executors.local._SHARE", (300 << 20) / memory())
    state = helper.make_tensor_value_info("v", TensorProto.FLOAT, [1])
    held = helper.make_tensor_value_info("w", TensorProto.FLOAT, [1])
    count = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    before, after = (helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("c", "d"))
    size = _shape("s", (1 << 28) if greedy else 16)
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["c"], ["d"]),
            size,
            helper.make_node("ConstantOfShape", ["s"], ["z"]),
            helper.make_node("ReduceSum", ["z"], ["r"], keepdims=1),
            helper.make_node("Add", ["v", "r"], ["w"]),
        ],
        "body",
        [count, before, state],
        [after, held],
    )
    nodes = [
        helper.make_node("AveragePool", ["x0"], ["p"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Constant", [], ["t"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("Constant", [], ["one"], value=numpy_helper.from_array(np.zeros(1, np.float32))),
        helper.make_node("Loop", ["", "t", "one"], ["l"], body=body),
        helper.make_node("Add", ["f", "l"], ["y"]),
    ]
    model = network(tmp_path / "m.onnx", nodes=nodes)
    with pytest.raises(UsageError, match=words):
        fingerprints.make(f"cnn:model={model}").check()
