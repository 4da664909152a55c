"""The network class of imagededup: images are encoded as vectors and compared by cosine similarity."""

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
    """Finds duplicates by the vectors that a network computes for images.

    Args:
        verbose: show progress on stderr.
        model_config: a PyTorch model of your own; None: twinpix's network with 1,024 dimensions.

    Attributes:
        model, transform: those of `model_config`; twinpix's network has none.
        encoding_map: the encodings of the last run, by name; `results`: its duplicates.

    Raises `ValueError` for a `model_config` without model or transform; warns if it has no name.
    """

    def __init__(self, verbose: bool = True, model_config: CustomModel | None = None) -> None:
        self.verbose = verbose
        self.model_config = model_config
        self.batch_size = _BATCH  # images in a batch of a PyTorch model
        self._network = _network_of(model_config)
        self.logger = return_logger(__name__)
        self.encoding_map: dict[str, Any] = {}
        self.results: dict[str, list[Any]] = {}
        self._encodings: Encodings | None = None  # the vectors of `encoding_map` in one array

    @property
    def model(self) -> Any:
        """The model of `model_config`; raises `AttributeError` for twinpix's network, which is not a PyTorch model."""
        return self._of_config("model")

    @property
    def transform(self) -> Any:
        """The transform of `model_config`; raises `AttributeError` for twinpix's network."""
        return self._of_config("transform")

    def _of_config(self, name: str) -> Any:
        if self.model_config is None:
            raise AttributeError(f"twinpix's network has no {name} of PyTorch: give model_config=CustomModel(...)")
        return getattr(self.model_config, name)

    def apply_preprocess(self, im_arr: NDArray[Any]) -> Any:
        """Return the network's input for an array `(rows, columns, 3)`: a tensor, or an array for twinpix's network."""
        return self._network.prepare(np.asarray(im_arr))

    def encode_image(self, image_file: Any = None, image_array: NDArray[Any] | None = None) -> Any:
        """Encode an image file or an array `(rows, columns[, 3])`: `(1, d)` float32, or None if it cannot be read.

        Raises `ValueError` if neither is given, `AssertionError` for another number of channels.
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
        """Encode the images of a folder: `(d,)` float32 by name relative to it.

        Files that cannot be read are logged and left out. Vectors of twinpix's network are kept in the store, so that
        a stopped run continues. Raises `ValueError` if the folder does not exist.
        """
        return self._get_cnn_features_batch(image_dir=image_dir, recursive=recursive, num_workers=num_enc_workers)

    def _get_cnn_features_single(self, image_array: NDArray[np.uint8], name: str = "(an array)") -> Any:
        """Encode an array `(rows, columns, 3)`: `(1, d)` float32, or None if the vector is not finite."""
        return self._network.vector(image_array, name)

    def _get_cnn_features_batch(
        self, image_dir: Any, recursive: bool = False, num_workers: int = NONE
    ) -> dict[str, NDArray[np.float32]]:
        self._encodings = self._network.vectors(
            image_dir,
            recursive=recursive,
            # By default twinpix's network runs in one process per core, and a PyTorch model in this process.
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
        """Find the duplicates of each image, in the order of the names; with `scores`, as pairs of name and cosine.

        A pair matches if its cosine is at least the threshold. Raises `TypeError` or `ValueError` for a threshold that
        is not a float from -1 to 1, `ValueError` if there are no images, the folder does not exist, or encodings
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
        """Return the names of duplicates to remove: in order, each duplicate of an image that is kept is removed.

        Every removed image is a duplicate of a kept one. Raises the errors of `find_duplicates`.
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
