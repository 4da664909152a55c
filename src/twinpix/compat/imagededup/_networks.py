"""The networks that `CNN` can use: the interface, and the network of the package."""

import os
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from twinpix import fingerprints
from twinpix.compat import _own
from twinpix.compat.imagededup._cosines import Encodings
from twinpix.compat.imagededup._encoding import encode_folder
from twinpix.compat.imagededup.utils.image_utils import invalid, picture_of
from twinpix.errors import ImageError
from twinpix.fingerprints import Fingerprint


class Network(Protocol):
    """A network that maps images to vectors. Arrays are `(rows, columns, 3)` uint8."""

    def prepare(self, image_array: NDArray[np.uint8]) -> Any:
        """Return the input of the network for an image."""

    def vector(self, image_array: NDArray[np.uint8], name: str) -> NDArray[np.float32] | None:
        """Return the vector `(1, d)`; None, with a warning that names `name`, if it is not finite."""

    def vectors(
        self, image_dir: Any, *, recursive: bool, num_enc_workers: int, batch_size: int, verbose: bool
    ) -> Encodings:
        """Encode the readable images of a folder; raises `ValueError` if the folder does not exist."""


class OwnNetwork:
    """The package's network with all of its dimensions, as unit vectors; the results are kept in the store."""

    spec: ClassVar[str] = _own.SPEC

    @cached_property
    def method(self) -> Fingerprint:
        return fingerprints.make(self.spec)

    def prepare(self, image_array: NDArray[np.uint8]) -> NDArray[np.uint8]:
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
        found = encode_folder(
            image_dir, self.spec, recursive=recursive, num_enc_workers=num_enc_workers, verbose=verbose
        )
        return Encodings(list(found.names), self.method.comparable(found.codes))


def name_of(image_file: Any) -> str:
    """Return the name of an image in the log: its path, or `(an array)`."""
    return "(an array)" if image_file is None else os.fspath(image_file)
