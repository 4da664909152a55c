"""faiss: an exact search of the nearest few; between bits, squared L2 is the Hamming distance."""

import numpy as np
from numpy.typing import NDArray

from twinpix.compat.imgdupes.options import Options
from twinpix.model import Bytes2D

LIBRARY = "faiss"


def neighbours(options: Options) -> int:
    """How many neighbours of a code are asked for."""
    return options.faiss_flat_k


def candidates(gallery: Bytes2D, queries: Bytes2D, options: Options) -> NDArray[np.int64]:
    """Rows `(queries, k)` of `gallery`."""
    import faiss

    points = np.unpackbits(gallery, axis=1).astype(np.float32)
    faiss.omp_set_num_threads(options.threads)
    index = faiss.IndexFlatL2(points.shape[1])
    index.add(points)
    _, labels = index.search(np.unpackbits(queries, axis=1).astype(np.float32), min(options.faiss_flat_k, len(points)))
    return np.asarray(labels, dtype=np.int64)
