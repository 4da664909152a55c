"""imagededup's class for networks: rows of numbers, compared by cosine."""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix.compat.imagededup._arguments import CORES, NONE, Workers, check_input, threads_of
from twinpix.compat.imagededup._cosines import Encodings, encodings_of, neighbours
from twinpix.compat.imagededup._networks import Network, OwnNetwork, name_of
from twinpix.compat.imagededup.utils.general_utils import get_files_to_remove, save_json
from twinpix.compat.imagededup.utils.image_utils import expand_image_array_cnn, load_image, preprocess_image
from twinpix.compat.imagededup.utils.logger import return_logger
from twinpix.compat.imagededup.utils.models import DEFAULT_MODEL_NAME, CustomModel

_THRESHOLD = "Threshold must be a float between -1.0 and 1.0"
_BATCH = 64


class CNN:
    """Finds duplicates by the numbers that a network gives for each picture.

    Args:
        verbose: show progress on stderr.
        model_config: a PyTorch model of one's own; without it twinpix's network, which gives 1,024 numbers.

    Attributes:
        model, transform: of the `model_config`; there are none of twinpix's network.
        encoding_map: the encodings of the last run, by name; `results`: its duplicates.

    Raises `ValueError` for a `model_config` without model or transform, and warns of one without a name.
    """

    def __init__(self, verbose: bool = True, model_config: CustomModel | None = None) -> None:
        self.verbose = verbose
        self.model_config = model_config
        self.batch_size = _BATCH  # pictures that a model of one's own is given at once
        self._network = _network_of(model_config)
        self.logger = return_logger(__name__)
        self.encoding_map: dict[str, Any] = {}
        self.results: dict[str, list[Any]] = {}
        self._encodings: Encodings | None = None  # those of `encoding_map` in one array

    @property
    def model(self) -> Any:
        """The model that was handed over; raises `AttributeError` for twinpix's network, which is no PyTorch model."""
        return self._of_config("model")

    @property
    def transform(self) -> Any:
        """The transform that was handed over; raises `AttributeError` for twinpix's network."""
        return self._of_config("transform")

    def _of_config(self, name: str) -> Any:
        if self.model_config is None:
            raise AttributeError(f"twinpix's network has no {name} of PyTorch: give model_config=CustomModel(...)")
        return getattr(self.model_config, name)

    def apply_preprocess(self, im_arr: NDArray[Any]) -> Any:
        """What the network sees of an array `(rows, columns, 3)`: a tensor, or an array for twinpix's network."""
        return self._network.prepared(np.asarray(im_arr))

    def encode_image(self, image_file: Any = None, image_array: NDArray[Any] | None = None) -> Any:
        """`(1, d)` float32 of an image file or of an array `(rows, columns[, 3])`, or None when it cannot be read.

        Raises `ValueError` when neither is given, `AssertionError` for an array of another number of channels.
        """
        if isinstance(image_file, str | os.PathLike):
            if not os.path.isfile(image_file):
                raise ValueError("Please provide either image file path or image array!")
            image = load_image(image_file)
        elif isinstance(image_array, np.ndarray):
            image = preprocess_image(expand_image_array_cnn(image_array))
        else:
            raise ValueError("Please provide either image file path or image array!")
        return None if image is None else self._get_cnn_features_single(image, name_of(image_file or None))

    def encode_images(
        self, image_dir: Any = None, recursive: bool = False, num_enc_workers: int = NONE
    ) -> dict[str, NDArray[np.float32]]:
        """`(d,)` float32 of each image in a folder, by name relative to it; what cannot be read has none.

        The log says what has none, and why. What twinpix's network gives is kept in the store, so that a run
        that was stopped goes on where it was. Raises `ValueError` when there is no such folder.
        """
        return self._get_cnn_features_batch(image_dir=image_dir, recursive=recursive, num_workers=num_enc_workers)

    def _get_cnn_features_single(self, image_array: NDArray[np.uint8], name: str = "(an array)") -> Any:
        """`(1, d)` float32 of an array `(rows, columns, 3)`, or None when the network gives no finite numbers."""
        return self._network.vector(image_array, name)

    def _get_cnn_features_batch(
        self, image_dir: Any, recursive: bool = False, num_workers: int = NONE
    ) -> dict[str, NDArray[np.float32]]:
        self._encodings = self._network.vectors(
            image_dir,
            recursive=recursive,
            # twinpix's network is computed in processes unless their number was given; a model of PyTorch in this one
            num_enc_workers=CORES if isinstance(num_workers, Workers) and self.model_config is None else num_workers,
            batch_size=self.batch_size,
            verbose=bool(self.verbose),
        )
        self.encoding_map = self._encodings.as_map()
        return self.encoding_map

    def find_duplicates(
        self,
        image_dir: Any = None,
        encoding_map: Mapping[str, Any] | None = None,
        min_similarity_threshold: float = 0.9,
        scores: bool = False,
        outfile: str | None = None,
        recursive: bool = False,
        num_enc_workers: int = NONE,
        num_sim_workers: int = CORES,
    ) -> dict[str, list[Any]]:
        """Each image's duplicates in the order of the names, or with `scores` as pairs of name and cosine.

        A pair matches whose cosine is at least the threshold. Raises `TypeError` or `ValueError` for a threshold
        that is no float between -1 and 1, `ValueError` without images, without such a folder, or for encodings that
        cannot be compared.
        """
        self._check_threshold_bounds(min_similarity_threshold)
        check_input(image_dir, encoding_map, recursive=recursive, num_enc_workers=num_enc_workers)
        if image_dir:
            return self._find_duplicates_dir(
                image_dir=image_dir,
                min_similarity_threshold=min_similarity_threshold,
                scores=scores,
                outfile=outfile,
                recursive=recursive,
                num_enc_workers=num_enc_workers,
                num_sim_workers=num_sim_workers,
            )
        return self._find_duplicates_dict(
            encoding_map=encoding_map or {},
            min_similarity_threshold=min_similarity_threshold,
            scores=scores,
            outfile=outfile,
            num_sim_workers=num_sim_workers,
        )

    def find_duplicates_to_remove(
        self,
        image_dir: Any = None,
        encoding_map: Mapping[str, Any] | None = None,
        min_similarity_threshold: float = 0.9,
        outfile: str | None = None,
        recursive: bool = False,
        num_enc_workers: int = NONE,
        num_sim_workers: int = CORES,
    ) -> list[str]:
        """Names of images that may go: walking the images in order, what is near one that stays goes.

        Each image that goes is near one that stays, and one of each group stays. Raises like `find_duplicates`.
        """
        found = self.find_duplicates(
            image_dir=image_dir,
            encoding_map=encoding_map,
            min_similarity_threshold=min_similarity_threshold,
            scores=False,
            recursive=recursive,
            num_enc_workers=num_enc_workers,
            num_sim_workers=num_sim_workers,
        )
        spare = get_files_to_remove(found)
        if outfile:
            save_json(spare, outfile)
        return spare

    def _find_duplicates_dir(
        self,
        image_dir: Any,
        min_similarity_threshold: float,
        scores: bool,
        outfile: str | None = None,
        recursive: bool = False,
        num_enc_workers: int = NONE,
        num_sim_workers: int = CORES,
    ) -> dict[str, list[Any]]:
        self.encode_images(image_dir=image_dir, recursive=recursive, num_enc_workers=num_enc_workers)
        return self._find_duplicates_dict(
            encoding_map=self.encoding_map,
            min_similarity_threshold=min_similarity_threshold,
            scores=scores,
            outfile=outfile,
            num_sim_workers=num_sim_workers,
        )

    def _find_duplicates_dict(
        self,
        encoding_map: Mapping[str, Any],
        min_similarity_threshold: float,
        scores: bool,
        outfile: str | None = None,
        num_sim_workers: int = CORES,
    ) -> dict[str, list[Any]]:
        known = self._encodings if encoding_map is self.encoding_map else None
        encodings = known or encodings_of(encoding_map)
        threads = threads_of(num_sim_workers)
        self.results = neighbours(encodings, min_similarity_threshold, scores=scores, threads=threads)
        if outfile:
            save_json(results=self.results, filename=outfile, float_scores=scores)
        return self.results

    @staticmethod
    def _check_threshold_bounds(thresh: float) -> None:
        if not isinstance(thresh, float):
            raise TypeError(_THRESHOLD)
        if not -1.0 <= thresh <= 1.0:
            raise ValueError(_THRESHOLD)


def _network_of(config: CustomModel | None) -> Network:
    if config is None:
        return OwnNetwork()
    if config.model is None or config.transform is None:
        raise ValueError("No value provided for model and/or transform in model_config ..")
    if config.name == DEFAULT_MODEL_NAME:
        warnings.warn("Consider setting a custom model name in model_config ..", SyntaxWarning, stacklevel=3)
    from twinpix.compat.imagededup._torch import TorchNetwork

    return TorchNetwork(config)
