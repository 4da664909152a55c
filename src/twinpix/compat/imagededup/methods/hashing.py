"""imagededup's hash classes: 64 bits as 16 hexadecimal digits, row-major, most significant bit first."""

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from twinpix import fingerprints
from twinpix.compat.imagededup._arguments import CORES, check_input
from twinpix.compat.imagededup._encoding import coded
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
_LEVELS = 5  # of the wavelet, from 256 pixels a side to 8

logger = return_logger(__name__)


def _hamming_distance(hash1: str, hash2: str) -> int:
    """In how many bits two hexadecimal hashes differ."""
    return (int(hash1, 16) ^ int(hash2, 16)).bit_count()


_hamming_distance.counts_bits = True  # type: ignore[attr-defined]  # searches may use one exact join instead


class Hashing:
    """Finds duplicates by a 64-bit hash; use one of its subclasses, or a subclass with a `_hash_algo` of its own.

    Args:
        verbose: show progress on stderr.

    Attributes:
        target_size: width and height in pixels of the grey picture that `_hash_algo` is given.
        encoding_map: the hashes of the last run, by name; `results`: its duplicates.
    """

    _spec: ClassVar[str] = ""  # twinpix's method of the same bits
    hamming_distance = staticmethod(_hamming_distance)

    def __init__(self, verbose: bool = True) -> None:
        self.target_size: tuple[int, int] = (8, 8)
        self.verbose = verbose
        self.encoding_map: dict[str, str] = {}
        self.results: dict[str, list[Any]] = {}

    def encode_image(self, image_file: Any = None, image_array: NDArray[Any] | None = None) -> str | None:
        """The hash of an image file or of an array `(rows, columns[, 3])`, or None when it cannot be read.

        Raises `ValueError` when neither is given, `AssertionError` for an array of another number of channels.
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
        """The hash of each image in a folder, by name relative to it; what cannot be read has none.

        Codes are kept in twinpix's store, so that a run that was stopped goes on where it was; those of a subclass
        with a hash of its own are not. Raises `ValueError` when there is no such folder.
        """
        if self._is_standard():
            found = coded(
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
        """Each image's duplicates, nearest first, as names, or with `scores` as pairs of name and distance.

        Raises `TypeError` or `ValueError` for a threshold that is no int between 0 and 64, `ValueError`
        without images, without such a folder, or for an unknown `search_method`.
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
        """Names of images that may go: walking the images in order, what is near one that stays goes.

        Each image that goes is near one that stays, and one of each group stays. Raises like `find_duplicates`.
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
        """Bits as hexadecimal digits."""
        return np.packbits(hash_mat).tobytes().hex()

    def _hash_func(self, image_array: NDArray[Any]) -> str:
        return self._array_to_hash(self._hash_algo(image_array))

    def _hash_algo(self, image_array: NDArray[Any]) -> NDArray[Any]:
        """The bits of a grey picture `(rows, columns)` uint8 of `target_size`: what a subclass overrides."""
        raise TypeError(
            f"{type(self).__name__} has no hash of its own: use PHash, AHash, DHash or WHash, or override _hash_algo"
        )

    def _is_standard(self) -> bool:
        """True when nothing of the hash was changed, so that twinpix's own method gives the same bits."""
        own = next((cls for cls in _STANDARD if isinstance(self, cls)), None)
        changed = own is None or any(
            getattr(type(self), name) is not getattr(own, name)
            for name in ("encode_image", "_hash_algo", "_hash_func", "_array_to_hash")
        )
        return not changed and own is not None and tuple(self.target_size) == _STANDARD[own]


def _bits(spec: str, matrix: NDArray[Any]) -> NDArray[np.uint8]:
    """The bits of one matrix by a method of twinpix."""
    code: NDArray[np.uint8] = fingerprints.make(spec).compute(matrix[None], "reference")
    return np.unpackbits(code[0])


class PHash(Hashing):
    """Perceptual hash: low frequencies against their median."""

    _spec = "phash"

    def __init__(self, verbose: bool = True) -> None:
        super().__init__(verbose)
        self.target_size = (32, 32)

    def _hash_algo(self, image_array: NDArray[Any]) -> NDArray[Any]:
        return _bits(self._spec, image_array)


class AHash(Hashing):
    """Average hash: each pixel of a tiny copy against their mean."""

    _spec = "ahash"

    def _hash_algo(self, image_array: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(image_array >= np.mean(image_array))


class DHash(Hashing):
    """Difference hash: each pixel of a tiny copy against the one on its left."""

    _spec = "dhash"

    def __init__(self, verbose: bool = True) -> None:
        super().__init__(verbose)
        self.target_size = (9, 8)

    def _hash_algo(self, image_array: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(image_array[:, 1:] > image_array[:, :-1])


class WHash(Hashing):
    """Wavelet hash: the coarsest coefficients against their median."""

    _spec = "whash"

    def __init__(self, verbose: bool = True) -> None:
        super().__init__(verbose)
        self.target_size = (256, 256)

    def _hash_algo(self, image_array: NDArray[Any]) -> NDArray[Any]:
        import pywt

        averages = pywt.wavedec2(image_array / 255, "haar", level=_LEVELS)[0]
        return np.asarray(averages >= np.median(averages))


_STANDARD: dict[type[Hashing], tuple[int, int]] = {PHash: (32, 32), AHash: (8, 8), DHash: (9, 8), WHash: (256, 256)}
"""The classes whose hashes twinpix's methods compute, with the size of the picture."""
