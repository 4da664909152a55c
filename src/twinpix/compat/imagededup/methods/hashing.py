"""imagededup's hash classes: 64 bits as 16 hexadecimal digits, row-major, most significant bit first."""

import os
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from twinpix import fingerprints, search
from twinpix.compat.imagededup._encoding import UNSET, check_input, coded, threads_of
from twinpix.compat.imagededup._maps import codes_of, neighbour_map
from twinpix.compat.imagededup.utils.general_utils import get_files_to_remove, saved
from twinpix.compat.imagededup.utils.image_utils import is_image_array, load_image, picture_of

DEFAULT_SEARCH = "brute_force_cython"
SEARCH_METHODS = (DEFAULT_SEARCH, "brute_force", "bktree")  # all find the same pairs, here by one exact join
_BITS = 64


class Hashing:
    """Finds duplicates by a 64-bit hash; use one of its subclasses.

    Args:
        verbose: show progress on a terminal.
    """

    _spec: ClassVar[str] = "phash"
    target_size: tuple[int, int] = (8, 8)

    def __init__(self, verbose: bool = True) -> None:
        self.verbose = verbose

    @staticmethod
    def hamming_distance(hash1: str, hash2: str) -> int:
        """In how many bits two hexadecimal hashes differ."""
        return (int(hash1, 16) ^ int(hash2, 16)).bit_count()

    def encode_image(self, image_file: Any = None, image_array: NDArray[Any] | None = None) -> str | None:
        """The hash of an image file or of an array `(rows, columns[, 3])`, or None when it cannot be read.

        Raises `ValueError` when neither is given, `AssertionError` for an array of another number of channels.
        """
        if image_file is not None and os.path.exists(image_file):
            image = load_image(image_file)
            return None if image is None else self._hash_func(image)
        if is_image_array(image_array):
            return self._hash_func(cast("NDArray[Any]", image_array))
        raise ValueError("Please provide either image file path or image array!")

    def encode_images(
        self, image_dir: Any = None, recursive: bool = False, num_enc_workers: int = UNSET
    ) -> dict[str, str]:
        """The hash of each image in a folder, by name relative to it; what cannot be read has none.

        Codes are kept in twinpix's store, so that a run that was stopped goes on where it was. Raises
        `ValueError` when there is no such folder.
        """
        found = coded(image_dir, self._spec, recursive=recursive, num_enc_workers=num_enc_workers, verbose=self.verbose)
        return {name: code.tobytes().hex() for name, code in zip(found.names, found.codes, strict=True)}

    def find_duplicates(
        self,
        image_dir: Any = None,
        encoding_map: Mapping[str, str] | None = None,
        max_distance_threshold: int = 10,
        scores: bool = False,
        outfile: str | None = None,
        search_method: str = DEFAULT_SEARCH,
        recursive: bool = False,
        num_enc_workers: int = UNSET,
        num_dist_workers: int = UNSET,
    ) -> dict[str, list[Any]]:
        """Each image's duplicates, nearest first, as names, or with `scores` as pairs of name and distance.

        Raises `TypeError` or `ValueError` for a threshold that is no int between 0 and 64, `ValueError`
        without images, without such a folder, or for an unknown `search_method`.
        """
        self._check_hamming_distance_bounds(max_distance_threshold)
        if search_method not in SEARCH_METHODS:
            raise ValueError(f"search_method is one of {', '.join(SEARCH_METHODS)}, not {search_method!r}")
        check_input(image_dir, encoding_map, recursive=recursive, num_enc_workers=num_enc_workers)
        if image_dir:
            encoding_map = self.encode_images(image_dir, recursive, num_enc_workers)
        threads = threads_of(num_dist_workers)
        found = self._neighbours(encoding_map or {}, max_distance_threshold, scores, threads)
        return saved(found, outfile)

    def find_duplicates_to_remove(
        self,
        image_dir: Any = None,
        encoding_map: Mapping[str, str] | None = None,
        max_distance_threshold: int = 10,
        outfile: str | None = None,
        recursive: bool = False,
        num_enc_workers: int = UNSET,
        num_dist_workers: int = UNSET,
    ) -> list[str]:
        """Names of images that may go: walking the images in order, what is near one that stays goes.

        Each image that goes is near one that stays, and one of each family stays. Raises like
        `find_duplicates`.
        """
        found = self.find_duplicates(
            image_dir=image_dir,
            encoding_map=encoding_map,
            max_distance_threshold=max_distance_threshold,
            recursive=recursive,
            num_enc_workers=num_enc_workers,
            num_dist_workers=num_dist_workers,
        )
        return saved(get_files_to_remove(found), outfile)

    @staticmethod
    def _neighbours(encoding_map: Mapping[str, str], radius: int, scores: bool, threads: int) -> dict[str, list[Any]]:
        backend = f"banded:threads={threads}" if threads > 1 else "auto"
        pairs = search.self_join(codes_of(encoding_map), radius, backend)
        return neighbour_map(list(encoding_map), *pairs, scores=scores)

    @staticmethod
    def _check_hamming_distance_bounds(thresh: int) -> None:
        if not isinstance(thresh, int):
            raise TypeError("Threshold must be an int between 0 and 64")
        if not 0 <= thresh <= _BITS:
            raise ValueError("Threshold must be an int between 0 and 64")

    @staticmethod
    def _array_to_hash(hash_mat: NDArray[Any]) -> str:
        return np.packbits(hash_mat).tobytes().hex()

    def _hash_func(self, image_array: NDArray[Any]) -> str:
        method = fingerprints.make(self._spec)
        code: bytes = fingerprints.codes_of(method, [picture_of(image_array)])[0, 0].tobytes()
        return code.hex()


class PHash(Hashing):
    """Perceptual hash: low frequencies against their median."""

    _spec = "phash"
    target_size = (32, 32)


class AHash(Hashing):
    """Average hash: each pixel of a tiny copy against their mean."""

    _spec = "ahash"
    target_size = (8, 8)


class DHash(Hashing):
    """Difference hash: each pixel of a tiny copy against the one on its left."""

    _spec = "dhash"
    target_size = (9, 8)


class WHash(Hashing):
    """Wavelet hash: the coarsest coefficients against their median."""

    _spec = "whash"
    target_size = (256, 256)
