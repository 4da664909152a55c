"""Descriptors of a network trained for edited copies, or of your own network in ONNX, compared by cosine distance.

The package's own network was trained by self-supervision on edited images (training/README.md in the
repository; its model card is in the same folder). Source: E. Pizzi et al., "A self-supervised descriptor for image
copy detection", CVPR 2022, https://arxiv.org/abs/2202.10261; nested descriptors: A. Kusupati et al.,
"Matryoshka representation learning", https://arxiv.org/abs/2205.13147
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from twinpix.errors import UsageError
from twinpix.fingerprints import _onnx
from twinpix.fingerprints.base import Array, Embedding
from twinpix.imaging import Picture
from twinpix.machine import is_worker
from twinpix.model import Bytes2D, Decode, Strictness

OWN = Path(__file__).parent / "models" / "cnn.onnx"
_UNMEASURED: Mapping[Strictness, float] = {"strict": 0.05, "normal": 0.1, "loose": 0.2}


@dataclass(frozen=True, slots=True)
class CNN(Embedding):
    """Descriptors of `dims` numbers (0: as many as were measured to be enough), kept as float16.

    `model` is the path of an ONNX file with a JSON file in the same folder (docs/cnn.md); "": the package's own.
    """

    dims: int = 0
    model: str = ""
    device: str = field(default="auto", metadata={"where": True})  # the device does not change the codes
    description: _onnx.Description = field(init=False, repr=False)
    digest: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.device not in _onnx.DEVICES:
            raise ValueError(f"device is one of {', '.join(_onnx.DEVICES)}")
        if self.model:
            object.__setattr__(self, "model", os.path.abspath(os.path.expanduser(self.model)))  # noqa: PTH100, PTH111
            if "," in self.model:
                raise ValueError(f"a comma in {self.model} would end the option: rename the file or folder")
        if self.dims < 0:
            raise ValueError("dims is a number of dimensions, or 0 for the default")
        object.__setattr__(self, "description", _onnx.description_of(self.path))
        object.__setattr__(self, "digest", _onnx.model_digest(self.path))

    @property
    def path(self) -> str:
        """The path of the model file."""
        return self.model or str(OWN)

    @property
    def colour(self) -> int:
        """The RGB resolution that it needs, in pixels along the shorter side."""
        return self.description.pixels

    @property
    def variant(self) -> str:
        """The digest of the model: codes of different models are not comparable."""
        return self.digest

    @property
    def width(self) -> int:
        """The dimension of an embedding."""
        return self.dims or self.description.dims or self._all()

    @property
    def bits(self) -> int:
        return 16 * self.width

    @property
    def radii(self) -> Mapping[Strictness, float]:
        return {"exact": 0.0, **_UNMEASURED, **self.description.radii}

    def check(self) -> None:
        """Raise `UsageError` if the network cannot run on this machine or its output does not fit `dims`."""
        _onnx.device_of(self.device)
        found = self._all()
        if self.width > found:
            raise UsageError(f"{self.path} gives {found} numbers: dims={self.width} is more")
        if self.width < found and not self.description.nested:
            raise UsageError(
                f"the first {self.width} of the {found} numbers of {self.path} are no descriptor: "
                'its JSON does not say "nested": true'
            )

    def prepare(self, picture: Picture) -> Array:
        return self.description.prepare(picture)

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        """Return the codes `(n, 2 × dims)`: float16 unit vectors, little-endian; not finite if the output is not."""
        vectors = self.vectors(batch)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.ascontiguousarray(unit, dtype="<f2").view(np.uint8)

    def vectors(self, batch: Array) -> Array:
        """Return the embeddings `(n, dims)` float32 of prepared images, not normalised."""
        found = _onnx.network(self.path, self.digest, self.description, self.device).vectors(batch)
        return found[:, : self.dims or self.description.dims or found.shape[1]]

    def _all(self) -> int:
        """Return the output dimension of the network, measured on the CPU: GPU state does not survive a fork.

        A user's model may not terminate or may exhaust the memory, so it runs in worker processes only.
        """
        if self.model and not is_worker():
            return _onnx.measure(self.path, self.digest, self.description)
        return _onnx.network(self.path, self.digest, self.description, "cpu").width
