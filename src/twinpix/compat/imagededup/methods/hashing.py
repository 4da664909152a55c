"""The hash classes of imagededup: 64 bits as 16 hexadecimal digits, row-major, most significant bit first."""

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from twinpix import fingerprints
from twinpix.compat.imagededup._arguments import CORES, check_input
from twinpix.compat.imagededup._encoding import encode_folder
from twinpix.compat.imagededup.handlers.search.retrieval import DEFAULT_SEARCH, SEARCH_METHODS, HashEval
from twinpix.compat.imagededup.utils.general_utils import (
    generate_files,
    generate_relative_names,
    get_files_to_remove,
    parallelise,
    save_json,
)
from twinpix.compat.imagededup.utils.image_utils import check_image_array_hash, load_image, preprocess_image
from twinpix.compat.imagededup.utils.logger import return_logger

__all__ = ["AHash", "DHash", "Hashing", "PHash", "WHash"]
_BITS = 64
_LEVELS = 5  # levels of the wavelet transform: 256 to 8 pixels a side

logger = return_logger(__name__)


def _hamming_distance(hash1: str, hash2: str) -> int:
    """Return the Hamming distance of two hexadecimal hashes."""
    return (int(hash1, 16) ^ int(hash2, 16)).bit_count()


_hamming_distance.counts_bits = True  # type: ignore[attr-defined]  # tells searches that the exact join computes the same


class Hashing:
    """Finds duplicates by a 64-bit hash; use a subclass, or derive one that overrides `_hash_algo`.

    Args:
        verbose: show progress on stderr.

    Attributes:
        target_size: width and height in pixels of the grey image that is passed to `_hash_algo`.
        encoding_map: the hashes of the last run, by name; `results`: its duplicates.
    """

    _spec: ClassVar[str] = ""  # the twinpix method with the same bits
    hamming_distance = staticmethod(_hamming_distance)

    def __init__(self, verbose: bool = True) -> None:
        self.target_size: tuple[int, int] = (8, 8)
        self.verbose = verbose
        self.encoding_map: dict[str, str] = {}
        self.results: dict[str, list[Any]] = {}

    def encode_image(self, image_file: Any = None, image_array: NDArray[Any] | None = None) -> str | None:
        """Hash an image file or an array `(rows, columns[, 3])`; None if it cannot be read.

        Raises `ValueError` if neither is given, `AssertionError` for another number of channels.
        """
        if isinstance(image_file, str | bytes | os.PathLike) and os.path.exists(image_file):
            small = load_image(image_file=image_file, target_size=self.target_size, grayscale=True)
        elif isinstance(image_array, np.ndarray):
            check_image_array_hash(image_array)
            small = preprocess_image(image=image_array, target_size=self.target_size, grayscale=True)
        else:
            raise ValueError("Please provide either image file path or image array!")
        return self._hash_func(small) if isinstance(small, np.ndarray) else None

    def encode_images(
        self, image_dir: Any = None, recursive: bool = False, num_enc_workers: int = CORES
    ) -> dict[str, str]:
        """Hash the images of a folder: hashes by name relative to it, without files that cannot be read.

        Hashes are kept in twinpix's store, so that a stopped run continues; those of a subclass that overrides the hash
        are not. Raises `ValueError` if the folder does not exist.
        """
        if self._is_standard():
            found = encode_folder(
                image_dir, self._spec, recursive=recursive, num_enc_workers=num_enc_workers, verbose=bool(self.verbose)
            )
            hashes = {name: code.tobytes().hex() for name, code in zip(found.names, found.codes, strict=True)}
        else:
            files = generate_files(image_dir, recursive)
            made = parallelise(
                function=self.encode_image, data=files, verbose=self.verbose, num_workers=num_enc_workers
            )
            names = generate_relative_names(image_dir, files)
            hashes = {name: code for name, code in zip(names, made, strict=False) if code}
        self.encoding_map = hashes
        return hashes

    def find_duplicates(
        self,
        image_dir: Any = None,
        encoding_map: Mapping[str, str] | None = None,
        max_distance_threshold: int = 10,
        scores: bool = False,
        outfile: str | None = None,
        search_method: str = DEFAULT_SEARCH,
        recursive: bool = False,
        num_enc_workers: int = CORES,
        num_dist_workers: int = CORES,
    ) -> dict[str, list[Any]]:
        """Find the duplicates of each image, the nearest first; with `scores`, as pairs of name and distance.

        Raises `TypeError` or `ValueError` for a threshold that is not an int from 0 to 64, `ValueError` if there are
        no images, the folder does not exist, or `search_method` is unknown.
        """
        self._check_hamming_distance_bounds(thresh=max_distance_threshold)
        if search_method not in SEARCH_METHODS:
            raise ValueError(f"search_method is one of {', '.join(SEARCH_METHODS)}, not {search_method!r}")
        check_input(image_dir, encoding_map, recursive=recursive, num_enc_workers=num_enc_workers)
        if image_dir:
            return self._find_duplicates_dir(
                image_dir=image_dir,
                max_distance_threshold=max_distance_threshold,
                scores=scores,
                outfile=outfile,
                search_method=search_method,
                recursive=recursive,
                num_enc_workers=num_enc_workers,
                num_dist_workers=num_dist_workers,
            )
        return self._find_duplicates_dict(
            encoding_map=encoding_map or {},
            max_distance_threshold=max_distance_threshold,
            scores=scores,
            outfile=outfile,
            search_method=search_method,
            num_dist_workers=num_dist_workers,
        )

    def find_duplicates_to_remove(
        self,
        image_dir: Any = None,
        encoding_map: Mapping[str, str] | None = None,
        max_distance_threshold: int = 10,
        outfile: str | None = None,
        recursive: bool = False,
        num_enc_workers: int = CORES,
        num_dist_workers: int = CORES,
    ) -> list[str]:
        """Return the names of duplicates to remove: in order, each duplicate of an image that is kept is removed.

        Every removed image is a duplicate of a kept one. Raises the errors of `find_duplicates`.
        """
        found = self.find_duplicates(
            image_dir=image_dir,
            encoding_map=encoding_map,
            max_distance_threshold=max_distance_threshold,
            scores=False,
            recursive=recursive,
            num_enc_workers=num_enc_workers,
            num_dist_workers=num_dist_workers,
        )
        spare = get_files_to_remove(found)
        if outfile:
            save_json(spare, outfile)
        return spare

    def _find_duplicates_dir(
        self,
        image_dir: Any,
        max_distance_threshold: int = 10,
        scores: bool = False,
        outfile: str | None = None,
        search_method: str = DEFAULT_SEARCH,
        recursive: bool = False,
        num_enc_workers: int = CORES,
        num_dist_workers: int = CORES,
    ) -> dict[str, list[Any]]:
        encoding_map = self.encode_images(image_dir, recursive=recursive, num_enc_workers=num_enc_workers)
        return self._find_duplicates_dict(
            encoding_map=encoding_map,
            max_distance_threshold=max_distance_threshold,
            scores=scores,
            outfile=outfile,
            search_method=search_method,
            num_dist_workers=num_dist_workers,
        )

    def _find_duplicates_dict(
        self,
        encoding_map: Mapping[str, str],
        max_distance_threshold: int = 10,
        scores: bool = False,
        outfile: str | None = None,
        search_method: str = DEFAULT_SEARCH,
        num_dist_workers: int = CORES,
    ) -> dict[str, list[Any]]:
        found = HashEval(
            test=encoding_map,
            queries=encoding_map,
            distance_function=self.hamming_distance,
            verbose=self.verbose,
            threshold=max_distance_threshold,
            search_method=search_method,
            num_dist_workers=num_dist_workers,
        )
        self.results = found.retrieve_results(scores=scores)
        if outfile:
            save_json(self.results, outfile)
        return self.results

    @staticmethod
    def _check_hamming_distance_bounds(thresh: int) -> None:
        if not isinstance(thresh, int):
            raise TypeError("Threshold must be an int between 0 and 64")
        if not 0 <= thresh <= _BITS:
            raise ValueError("Threshold must be an int between 0 and 64")

    @staticmethod
    def _array_to_hash(hash_mat: NDArray[Any]) -> str:
        """Convert a matrix of bits to hexadecimal digits."""
        return np.packbits(hash_mat).tobytes().hex()

    def _hash_func(self, image_array: NDArray[Any]) -> str:
        return self._array_to_hash(self._hash_algo(image_array))

    def _hash_algo(self, image_array: NDArray[Any]) -> NDArray[Any]:
        """Return the bits of a grey image `(rows, columns)` uint8 of `target_size`; subclasses override this."""
        raise TypeError(
            f"{type(self).__name__} has no hash of its own: use PHash, AHash, DHash or WHash, or override _hash_algo"
        )

    def _is_standard(self) -> bool:
        """True if no part of the hash is overridden, so that twinpix's method computes the same bits."""
        own = next((cls for cls in _STANDARD if isinstance(self, cls)), None)
        changed = own is None or any(
            getattr(type(self), name) is not getattr(own, name)
            for name in ("encode_image", "_hash_algo", "_hash_func", "_array_to_hash")
        )
        return not changed and own is not None and tuple(self.target_size) == _STANDARD[own]


def _bits(spec: str, matrix: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bits of one matrix by a twinpix method."""
    code: NDArray[np.uint8] = fingerprints.make(spec).compute(matrix[None], "reference")
    return np.unpackbits(code[0])


class PHash(Hashing):
    """Perceptual hash: low DCT frequencies compared with their median."""

    _spec = "phash"

    def __init__(self, verbose: bool = True) -> None:
        super().__init__(verbose)
        self.target_size = (32, 32)

    def _hash_algo(self, image_array: NDArray[Any]) -> NDArray[Any]:
        return _bits(self._spec, image_array)


class AHash(Hashing):
    """Average hash: the pixels of an 8 × 8 image compared with their mean."""

    _spec = "ahash"

    def _hash_algo(self, image_array: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(image_array >= np.mean(image_array))


class DHash(Hashing):
    """Difference hash: each pixel of a 9 × 8 image compared with its left neighbour."""

    _spec = "dhash"

    def __init__(self, verbose: bool = True) -> None:
        super().__init__(verbose)
        self.target_size = (9, 8)

    def _hash_algo(self, image_array: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(image_array[:, 1:] > image_array[:, :-1])


class WHash(Hashing):
    """Wavelet hash: the coarsest Haar coefficients compared with their median."""

    _spec = "whash"

    def __init__(self, verbose: bool = True) -> None:
        super().__init__(verbose)
        self.target_size = (256, 256)

    def _hash_algo(self, image_array: NDArray[Any]) -> NDArray[Any]:
        import pywt

        averages = pywt.wavedec2(image_array / 255, "haar", level=_LEVELS)[0]
        return np.asarray(averages >= np.median(averages))


_STANDARD: dict[type[Hashing], tuple[int, int]] = {PHash: (32, 32), AHash: (8, 8), DHash: (9, 8), WHash: (256, 256)}
"""The classes whose hashes twinpix's methods compute, with their `target_size`."""
