"""What `CNN` may compute with: the package's own network, or a model of one's own."""

import os
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from twinpix import fingerprints
from twinpix.compat import _own
from twinpix.compat.imagededup._cosines import Encodings
from twinpix.compat.imagededup._encoding import coded
from twinpix.compat.imagededup.utils.image_utils import invalid, picture_of
from twinpix.errors import ImageError
from twinpix.fingerprints import Fingerprint


class Network(Protocol):
    """Pictures to rows of numbers. Arrays are `(rows, columns, 3)` uint8."""

    def prepared(self, image_array: NDArray[np.uint8]) -> Any:
        """What the network sees of a picture."""

    def vector(self, image_array: NDArray[np.uint8], name: str) -> NDArray[np.float32] | None:
        """`(1, d)`, or None when the network gives no finite numbers; `name` is what the log calls the picture."""

    def vectors(
        self, image_dir: Any, *, recursive: bool, num_enc_workers: int, batch_size: int, verbose: bool
    ) -> Encodings:
        """The images of a folder that can be read; raises `ValueError` when there is no such folder."""


class OwnNetwork:
    """The package's own network with all of its numbers, of length 1, computed and kept as twinpix does."""

    spec: ClassVar[str] = _own.SPEC

    @cached_property
    def method(self) -> Fingerprint:
        return fingerprints.make(self.spec)

    def prepared(self, image_array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        matrix: NDArray[np.uint8] = self.method.prepare(picture_of(image_array))
        return matrix

    def vector(self, image_array: NDArray[np.uint8], name: str) -> NDArray[np.float32] | None:
        self.method.check()
        try:
            codes = fingerprints.codes_of_one(self.method, picture_of(image_array))
        except ImageError as error:
            invalid(name, error.reason)
            return None
        return self.method.comparable(codes).astype(np.float32)

    def vectors(
        self, image_dir: Any, *, recursive: bool, num_enc_workers: int, batch_size: int, verbose: bool
    ) -> Encodings:
        found = coded(image_dir, self.spec, recursive=recursive, num_enc_workers=num_enc_workers, verbose=verbose)
        return Encodings(list(found.names), self.method.comparable(found.codes))


def name_of(image_file: Any) -> str:
    """What the log calls a picture: its path, or that it came as an array."""
    return "(an array)" if image_file is None else os.fspath(image_file)
