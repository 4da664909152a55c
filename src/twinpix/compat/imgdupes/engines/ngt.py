"""NGT: an approximate search in a graph of neighbours, by Hamming distance."""

import os
import tempfile

import numpy as np
from numpy.typing import NDArray

from twinpix.compat.imgdupes.options import Options
from twinpix.model import Bytes2D

LIBRARY = "ngtpy"


def neighbours(options: Options) -> int:
    """How many neighbours of a code are asked for."""
    return options.ngt_k


def candidates(gallery: Bytes2D, queries: Bytes2D, options: Options) -> NDArray[np.int64]:
    """Rows `(queries, k)` of `gallery` that may be near; -1 where fewer were found."""
    import ngtpy

    wanted = min(options.ngt_k, len(gallery))
    out = np.full((len(queries), wanted), -1, dtype=np.int64)
    with tempfile.TemporaryDirectory(prefix="twinpix-ngt-") as folder:
        path = os.path.join(folder, "index")
        ngtpy.create(
            path=path,
            dimension=gallery.shape[1],
            edge_size_for_creation=options.ngt_edges,
            edge_size_for_search=options.ngt_edges_for_search,
            object_type="Byte",
            distance_type="Hamming",
        )
        index = ngtpy.Index(path)
        try:
            index.batch_insert(gallery, options.threads)
            for row, code in enumerate(queries):
                found = index.search(code, size=wanted, epsilon=options.ngt_epsilon, with_distance=False)
                out[row, : len(found)] = found
        finally:
            index.close()
    return out
