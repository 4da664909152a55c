"""Run ONNX networks with onnxruntime; a JSON file next to each model describes its input and output."""

import os
import stat
import threading
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinpix.errors import ImageError, UsageError, system_reason
from twinpix.executors import Begin, Local, Lost
from twinpix.imaging import Picture
from twinpix.model import Strictness

Vectors = NDArray[np.float32]

BATCH = 8
"""Images per batch: larger batches are not faster on a CPU, and only a little on a GPU."""

_MEASURE_SECONDS = 60.0  # maximum time to load a model and to compute one image
_LONGEST = 8  # maximum aspect ratio; the ends of a longer image are cut off before resizing, to limit the memory

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
DEVICES = ("auto", *_PROVIDERS)
_BEST_FIRST = ("cuda", "coreml", "directml", "cpu")
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_EXTERNAL = ("xternal data", "model_path must not be empty")  # in the error of onnxruntime: since 1.21, and before
_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Input and output of a network.

    The input is an image of `size` × `size` pixels, in the order of `layout` and `channels`, normalised per channel
    as (value / `scale` - `mean`) / `std`. `fit`: `squash` resizes the whole image to the square; `crop` resizes its
    shorter side to `shorter` pixels (0: `size`) and takes the centre. An output with a third axis is reduced by `pool`.
    `nested`: a prefix of an embedding is an embedding too, and the first `dims` numbers are used (0: all). `radii`:
    measured cosine distances by strictness.
    """

    size: int
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    scale: float = 255.0
    fit: Literal["squash", "crop"] = "squash"
    shorter: int = 0
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    layout: Literal["nchw", "nhwc"] = "nchw"
    channels: Literal["rgb", "bgr"] = "rgb"
    pool: Literal["", "first", "mean"] = ""
    output: str = ""
    nested: bool = False
    dims: int = 0
    radii: dict[Strictness, float] = {}

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        """Return the input image `(size, size, 3)` uint8 RGB of a `Picture` that was decoded with `colour`."""
        chosen = _FILTERS[self.interpolation]
        if self.fit == "squash":
            return picture.rgb(self.size, self.size, chosen)
        shorter = self.shorter or self.size
        scale = shorter / min(picture.width, picture.height)
        sides = [max(shorter, round(scale * side)) for side in (picture.width, picture.height)]
        width, height = (min(side, _LONGEST * shorter) for side in sides)
        left, top = (width - self.size) // 2, (height - self.size) // 2
        part = (width / sides[0], height / sides[1])
        return picture.rgb(width, height, chosen, part)[top : top + self.size, left : left + self.size]

    def tensor(self, batch: NDArray[np.uint8], dtype: Any) -> NDArray[Any]:
        """Return prepared images `(n, size, size, 3)` as a normalised input tensor in the layout of the network."""
        pictures: NDArray[Any] = batch[..., ::-1] if self.channels == "bgr" else batch
        if dtype is not np.uint8:
            factor = (1 / (self.scale * np.array(self.std))).astype(np.float32)
            offset = (np.array(self.mean) / np.array(self.std)).astype(np.float32)
            pictures = pictures * factor - offset
        if self.layout == "nchw":
            pictures = pictures.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(pictures, dtype=dtype)

    @property
    def pixels(self) -> int:
        """Pixels along the shorter side that a decoded image should have."""
        return self.shorter or self.size


def description_of(model: str) -> Description:
    """Read the JSON file next to a model. Raises `UsageError` if it is missing or not valid."""
    path = Path(model).with_suffix(".json")
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Description)
    except FileNotFoundError:
        if not Path(model).exists():
            raise UsageError(f"cannot read the model {model}: no such file") from None
        raise UsageError(
            f"{model} needs its preprocessing beside it, in {path}: at least "
            '{"size": 224, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}'
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {system_reason(error)}") from None
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} does not describe a network: {error}") from None
    wrong = _nonsense(found)
    if wrong:
        raise UsageError(f"{path} does not describe a network: {wrong}")
    return found


def _nonsense(found: Description) -> str:
    if not 16 <= found.size <= 2048:
        return f"size is a number of pixels from 16 to 2048, not {found.size}"
    if found.shorter and not found.size <= found.shorter <= 4096:
        return f"shorter is a number of pixels from size to 4096, not {found.shorter}"
    numbers = [found.scale, *found.mean, *found.std, *found.radii.values()]
    if not np.isfinite(numbers).all() or not found.scale or not all(found.std):
        return "scale, mean, std and radii are numbers, and scale and std not 0"
    if not all(0 <= radius <= 2 for radius in found.radii.values()):
        return "radii are cosine distances, from 0 to 2"
    return "" if found.dims >= 0 else f"dims is a number of dimensions, not {found.dims}"


def model_digest(model: str) -> str:
    """Return a digest of a model and its description, so that codes of different models are never compared.

    Raises `UsageError` if a file cannot be read.
    """
    return _digest(model, _bytes_of(model))


def _digest(model: str, data: bytes) -> str:
    import xxhash

    digest = xxhash.xxh3_128(data)
    digest.update(_bytes_of(str(Path(model).with_suffix(".json"))))
    return digest.hexdigest()[:16]


def _bytes_of(model: str) -> bytes:
    try:
        if not stat.S_ISREG(Path(model).stat().st_mode):  # a pipe or a device may never end
            raise UsageError(f"cannot read the model {model}: not a regular file")
        return Path(model).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the model {model}: {system_reason(error)}") from None


class Network:
    """A loaded model. It uses one thread, since there is one worker process per core."""

    def __init__(self, model: str, digest: str, description: Description, device: str) -> None:
        import onnxruntime

        data = _bytes_of(model)
        if _digest(model, data) != digest:
            raise ImageError("code", f"the model {model} was changed while it was used", lasting=False)
        self.model, self.description = model, description
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # Weights in other files are not in the digest: this folder does not exist, so onnxruntime cannot load them.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", model)
        try:
            providers = list(dict.fromkeys((_PROVIDERS[device], _PROVIDERS["cpu"])))
            self._session = onnxruntime.InferenceSession(data, options, providers=providers)
        except Exception as error:  # noqa: BLE001 - the exceptions of onnxruntime have no common base class
            raise UsageError(_why_not(model, error)) from None
        self._input, self._output = self._check()
        self._fixed: int = self._input.shape[0] if isinstance(self._input.shape[0], int) else 0
        blank = np.zeros((1, description.size, description.size, 3), np.uint8)
        try:
            self.width: int = self.vectors(blank).shape[1]
        except ImageError as error:  # it fails for a blank image, so it fails for every image
            raise UsageError(error.reason) from None
        if not self.width:
            raise UsageError(f"{model} has no numeric output")

    def _check(self) -> tuple[Any, str]:
        inputs, outputs = self._session.get_inputs(), [output.name for output in self._session.get_outputs()]
        size, name = self.description.size, self.model
        if len(inputs) != 1:
            names = ", ".join(i.name for i in inputs)
            raise UsageError(f"{name} wants {len(inputs)} inputs ({names}), not one image")
        (only,) = inputs
        square = (3, size, size) if self.description.layout == "nchw" else (size, size, 3)
        fits = len(only.shape) == 4 and all(
            not isinstance(have, int) or have == want for have, want in zip(only.shape[1:], square, strict=False)
        )
        if not fits or only.type not in _DTYPES or only.shape[0] == 0:
            wanted = " × ".join(str(part) for part in ("n", *square))
            have = " × ".join(str(part) for part in only.shape)
            raise UsageError(f"{name} takes {have} {only.type}; its JSON says {wanted}")
        chosen = self.description.output or outputs[0]
        if chosen not in outputs:
            raise UsageError(f"{name} has no output {chosen!r}; it has: {', '.join(outputs)}")
        return only, chosen

    def computes_on(self, device: str) -> bool:
        """False if onnxruntime fell back to the CPU because a driver or a library is missing."""
        return _PROVIDERS[device] in self._session.get_providers()

    def vectors(self, batch: NDArray[np.uint8]) -> Vectors:
        """Return the embeddings `(n, dims)` float32 of prepared images `(n, size, size, 3)`, not normalised."""
        step = 1 if len(batch) == 1 else self._at_once
        return np.concatenate([self._some(batch[at : at + step]) for at in range(0, len(batch), step)])

    @cached_property
    def _at_once(self) -> int:
        """The batch size: 1 if the result of an image depends on the other images of the batch.

        It does if an exporter fixed the batch size of its example although the axis is declared dynamic, or if a
        network uses statistics of the whole batch, for example dynamic quantisation. Then a code would depend on the
        order of the images. On a GPU the order of summation may depend on the batch size, so it is only required that
        a batch of two runs.
        """
        size = self.description.size
        pair = np.random.default_rng(1).integers(0, 256, (2, size, size, 3), np.uint8)
        try:
            together, alone = self._some(pair), [self._some(one) for one in (pair[:1], pair[1:])]
        except (ImageError, UsageError):
            return 1
        is_exact = self._session.get_providers()[0] == _PROVIDERS["cpu"]
        if is_exact and not np.array_equal(together, np.concatenate(alone), equal_nan=True):
            return 1
        return self._fixed or BATCH

    def _some(self, batch: NDArray[np.uint8]) -> Vectors:
        tensor = self.description.tensor(batch, _DTYPES[self._input.type])
        if len(tensor) < self._fixed:
            tensor = np.concatenate([tensor, np.repeat(tensor[-1:], self._fixed - len(tensor), axis=0)])
        try:
            (found,) = self._session.run([self._output], {self._input.name: tensor})
        except Exception as error:  # noqa: BLE001 - see above
            raise ImageError("code", f"{self.model}: {_first_line(error)}") from None
        try:
            out = np.asarray(found, dtype=np.float32)
        except (TypeError, ValueError):
            raise UsageError(f"{self.model} gives {type(found).__name__}, not an array of numbers") from None
        if out.ndim and len(out) == len(tensor):  # else there is not one row per image: rejected below
            out = out[: len(batch)]
        if out.ndim == 3 and self.description.pool:
            out = out[:, 0] if self.description.pool == "first" else out.mean(axis=1)
        out = out[:, :, 0, 0] if out.ndim == 4 and out.shape[2:] == (1, 1) else out
        if out.ndim != 2 or len(out) != len(batch):
            shape = " × ".join(map(str, out.shape)) or "a single number"
            hint = ': its JSON can say "pool": "first" or "mean"' if out.ndim == 3 else ""
            raise UsageError(f"{self.model} gives {shape} for {len(batch)} images, not a row of numbers each{hint}")
        return out


_ready: dict[tuple[Any, ...], Network] = {}
_lock = threading.Lock()


def network(model: str, digest: str, description: Description, device: str) -> Network:
    """Return the network of a model on a device; it is loaded once per process.

    Raises `UsageError` if it cannot run or the device is not available.
    """
    key = (os.getpid(), digest, device_of(device))
    with _lock:
        if key not in _ready:
            _ready[key] = Network(model, digest, description, device_of(device))
        found = _ready[key]
    if device != "auto" and not found.computes_on(device):
        raise UsageError(f"onnxruntime cannot start the device {device} here, and would compute on the processor")
    return found


def measure(model: str, digest: str, description: Description) -> int:
    """Return the dimension of a model's embedding; the model is run once, on the CPU, in a worker process.

    Raises `UsageError` if it cannot run, exceeds the time limit or needs too much memory.
    """
    if digest not in _widths:  # without the lock: a forked worker would inherit it locked
        _widths[digest] = _measure_width(model, digest, description)
    return _widths[digest]


_widths: dict[str, int] = {}


def _measure_width(model: str, digest: str, description: Description) -> int:
    ((_, found),) = Local(1, _MEASURE_SECONDS).map(_widths_of, [[(model, digest, description)]])
    if isinstance(found, Lost):
        raise UsageError(f"{model} cannot be run on a blank image: {found.reason}")
    return int(found)


def _widths_of(batch: Sequence[tuple[str, str, Description]], begin: Begin) -> list[int]:
    begin(0)
    return [network(model, digest, description, "cpu").width for model, digest, description in batch]


@cache
def device_of(wanted: str) -> str:
    """Return the device to use; for `auto` the fastest available one. Raises `UsageError` if it is not available."""
    try:
        import onnxruntime
    except ImportError:
        raise UsageError("networks need onnxruntime: pip install 'twinpix[cnn]'") from None
    there = cast("list[str]", onnxruntime.get_available_providers())
    have = [name for name in _BEST_FIRST if _PROVIDERS[name] in there]
    if wanted == "auto":
        return have[0]
    if wanted not in have:
        raise UsageError(f"this onnxruntime cannot use the device {wanted}; it has: {', '.join(have)}")
    return wanted


def _why_not(model: str, error: Exception) -> str:
    if any(words in str(error) for words in _EXTERNAL):
        return (
            f"{model} keeps its weights in other files; twinpix reads networks of one file. "
            f"Write one: onnx.save(onnx.load({model!r}), 'one-file.onnx', save_as_external_data=False)"
        )
    return f"{model} is no network that can be run: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0].rpartition(" : ")[2] or text[0] if text else type(error).__name__
