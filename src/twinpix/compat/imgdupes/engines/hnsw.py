"""hnswlib: an approximate search in layers of graphs; between bits, squared L2 is the Hamming distance."""

import numpy as np
from numpy.typing import NDArray

from twinpix.compat.imgdupes.options import Options
from twinpix.model import Bytes2D

LIBRARY = "hnswlib"


def neighbours(options: Options) -> int:
    """How many neighbours of a code are asked for."""
    return options.hnsw_k


def candidates(gallery: Bytes2D, queries: Bytes2D, options: Options) -> NDArray[np.int64]:
    """Rows `(queries, k)` of `gallery` that may be near."""
    import hnswlib

    points = np.unpackbits(gallery, axis=1).astype(np.float32)
    wanted = min(options.hnsw_k, len(points))  # it gives as many as it is asked for, or an error
    index = hnswlib.Index(space="l2", dim=points.shape[1])
    index.init_index(max_elements=len(points), ef_construction=options.hnsw_ef_construction, M=options.hnsw_m)
    index.set_ef(max(options.hnsw_ef, wanted))
    index.add_items(points, np.arange(len(points)), options.threads)
    asked = np.unpackbits(queries, axis=1).astype(np.float32)
    labels, _ = index.knn_query(asked, k=wanted, num_threads=options.threads)
    return np.asarray(labels, dtype=np.int64)
