"""Run a user's PyTorch model in this process, batch by batch, on the fastest device available."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinpix.compat.imagededup._cosines import Encodings
from twinpix.compat.imagededup._progress import progress
from twinpix.compat.imagededup.utils.general_utils import generate_files, generate_relative_names
from twinpix.compat.imagededup.utils.image_utils import invalid, load_image
from twinpix.compat.imagededup.utils.models import CustomModel, pytorch

_NOTHING = "the model gave no finite numbers for it"


class TorchNetwork:
    """The model and the transform of a `CustomModel`.

    At its first use the model is set to evaluation mode and moved to the fastest device. Axes of length 1 after the
    first are removed from its output, as in imagededup.
    """

    def __init__(self, config: CustomModel) -> None:
        self._config = config
        self._device: Any = None

    def prepare(self, image_array: NDArray[np.uint8]) -> Any:
        return _transform(self._config.transform, image_array)

    def vector(self, image_array: NDArray[np.uint8], name: str) -> NDArray[np.float32] | None:
        found = self._compute(self.prepare(image_array)[None])
        if np.isfinite(found).all():
            return found
        invalid(name, _NOTHING)
        return None

    def vectors(
        self, image_dir: Any, *, recursive: bool, num_enc_workers: int, batch_size: int, verbose: bool
    ) -> Encodings:
        files = list(map(os.fspath, generate_files(image_dir, recursive)))
        names, parts = list[str](), list[NDArray[np.float32]]()
        seen = progress(verbose)
        with seen.stage("read", len(files)):
            for batch in _batches(files, self._config.transform, batch_size, max(0, num_enc_workers)):
                if batch.names:
                    found = self._compute(batch.tensor)
                    sound: NDArray[np.bool_] = np.all(np.isfinite(found.reshape(len(found), -1)), axis=1)
                    for name, fine in zip(batch.names, sound.tolist(), strict=True):
                        if fine:
                            names.append(name)
                        else:
                            invalid(name, _NOTHING)
                    parts.append(found[sound])
                seen.advance(batch.files)
        vectors = np.concatenate(parts) if parts else np.empty((0, 1), dtype=np.float32)
        return Encodings(list(generate_relative_names(image_dir, names)), vectors)

    def _compute(self, batch: Any) -> NDArray[np.float32]:
        """Return the vectors `(n, d)` of a batch of tensors; with more axes if the model returns them."""
        torch, model = pytorch(), self._config.model
        if self._device is None:
            device = _best_device(torch)
            for change in ("eval", "to"):  # a plain function has neither
                act = getattr(model, change, None)
                if act is not None:
                    act(*([device] if change == "to" else []))
            self._device = device
        with torch.no_grad():
            out = model(batch.to(self._device))
        if not isinstance(out, torch.Tensor):
            raise TypeError(f"the model {self._config.name} gives {type(out).__name__}, not a tensor")
        found: NDArray[np.float32] = out.detach().to("cpu", torch.float32).numpy()
        if not found.ndim or len(found) != len(batch):
            shape = " × ".join(map(str, found.shape)) or "one number"
            raise ValueError(f"the model {self._config.name} gives {shape} for {len(batch)} images, not a row each")
        return found.reshape(len(found), *([side for side in found.shape[1:] if side != 1] or [1]))


def _best_device(torch: Any) -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _transform(transform: Any, image_array: NDArray[np.uint8]) -> Any:
    tensor = transform(Image.fromarray(image_array))
    if not isinstance(tensor, pytorch().Tensor):
        raise TypeError(f"the transform gives {type(tensor).__name__}, not a tensor")
    return tensor


# -- batches of files ----------------------------------------------------------------------


class _Batch(NamedTuple):
    """The tensors of the readable images among some files."""

    files: int
    names: list[str]
    tensor: Any  # (n, …); None without names


@dataclass(frozen=True, slots=True)
class _Images:
    """Data set for PyTorch's `DataLoader`: item i is the name and the tensor of file i; None if it cannot be read."""

    paths: Sequence[str]
    transform: Any

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, at: Any) -> Any:
        path = self.paths[at]
        image = load_image(path)
        try:
            return path, None if image is None else _transform(self.transform, image)
        except Exception as error:
            error.add_note(f"while preparing {path}")
            raise


def _batches(files: Sequence[str], transform: Any, batch_size: int, workers: int) -> Iterator[_Batch]:
    """Decode and transform files in this process or, on Linux (as in imagededup), in `workers` forked processes."""
    from torch.utils.data import DataLoader

    workers = workers if sys.platform.startswith("linux") and len(files) > batch_size else 0
    loader: Any = DataLoader(
        _Images(files, transform),
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=_stack,
        multiprocessing_context="fork" if workers else None,
    )
    return iter(loader)


def _stack(items: Sequence[tuple[str, Any]]) -> _Batch:
    read = [(name, tensor) for name, tensor in items if tensor is not None]
    if not read:
        return _Batch(len(items), [], None)
    first, shape = read[0][0], tuple(read[0][1].shape)
    for name, tensor in read:
        if tuple(tensor.shape) != shape:
            raise ValueError(
                f"the transform gives {tuple(tensor.shape)} for {name} and {shape} for {first}: a batch needs one shape"
            )
    return _Batch(len(items), [name for name, _ in read], pytorch().stack([tensor for _, tensor in read]))
