"""Find pairs of codes within a radius: by twinpix's exact join or, if requested, among the candidates of faiss."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix import search
from twinpix.compat.imgdupes import messages
from twinpix.compat.imgdupes.options import Options
from twinpix.model import Bytes2D
from twinpix.search.base import Pairs, in_order

_BLOCK = 20_000  # codes whose candidates are compared at once


class Engine(NamedTuple):
    """A search engine: its name in log file names, and the number of neighbours from faiss (0: the exact join)."""

    name: str
    neighbours: int = 0


def engine(options: Options) -> Engine:
    """Return the requested engine; the exact join, with a message, if faiss cannot be imported.

    `--ngt` uses the exact join too: it finds every pair that NGT's graph finds, in less time.
    """
    if options.faiss_cuda or options.cuda_device >= 0:
        messages.note("there is no search on a GPU here; the processor is used")
    if options.hnsw:
        asked = Engine("hnsw", options.hnsw_k)
    elif options.faiss_flat:
        asked = Engine("faiss_flat", options.faiss_flat_k)
    else:
        return Engine("ngt" if options.ngt else "std")
    try:
        import faiss  # noqa: F401
    except ImportError:
        messages.note("faiss cannot be loaded; the exact search is used instead")
        return Engine("std")
    return asked


def self_join(codes: Bytes2D, options: Options, by: Engine) -> Pairs:
    """Return the pairs of rows `i < j` within the Hamming distance, with their exact distances."""
    found = _candidates(codes, codes, options, by)
    if found is None:
        return search.self_join(codes, options.hamming_distance)
    i, j, distance = found
    other = i != j
    low, high, distance = np.minimum(i, j)[other], np.maximum(i, j)[other], distance[other]
    _, once = np.unique(low * len(codes) + high, return_index=True)  # a pair may be found from one row or from both
    return low[once], high[once], distance[once]


def join(query: Bytes2D, codes: Bytes2D, options: Options, by: Engine) -> Pairs:
    """Return the pairs of a row of `query` and a row of `codes` within the Hamming distance."""
    found = _candidates(codes, query, options, by)
    return search.join(query, codes, options.hamming_distance) if found is None else in_order(*found)


def _candidates(gallery: Bytes2D, queries: Bytes2D, options: Options, by: Engine) -> Pairs | None:
    """Return the pairs of rows that faiss finds within the Hamming distance; None if the exact join must be used."""
    if not by.neighbours:
        return None
    try:
        labels = _neighbours(gallery, queries, options, by)
    except (RuntimeError, ValueError, MemoryError) as error:  # an option value that faiss does not accept
        messages.note(f"faiss failed ({error}); the exact search is used instead")
        return None
    starts = range(0, len(queries), _BLOCK)
    parts = [_near(gallery, queries, labels, slice(at, at + _BLOCK), options.hamming_distance) for at in starts]
    i, j, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    cut = int(np.count_nonzero(np.bincount(i, minlength=len(queries)) >= by.neighbours))
    if cut and by.neighbours < len(gallery):
        option = f"--{by.name.replace('_', '-')}-k"
        messages.note(f"{cut:,} hashes have {by.neighbours} neighbours or more: sets may lack some; raise {option}")
    return i, j, distance


def _neighbours(gallery: Bytes2D, queries: Bytes2D, options: Options, by: Engine) -> NDArray[np.int64]:
    """Return rows of `gallery` of shape `(queries, k)`, the nearest first; -1 if fewer are found."""
    import faiss

    faiss.omp_set_num_threads(options.threads)
    width, wanted = 8 * gallery.shape[1], min(by.neighbours, len(gallery))
    index: Any
    if by.name == "hnsw":
        index = faiss.IndexBinaryHNSW(width, options.hnsw_m)
        index.hnsw.efConstruction = options.hnsw_ef_construction
        index.hnsw.efSearch = max(options.hnsw_ef, wanted)
    else:
        index = faiss.IndexBinaryFlat(width)
    index.add(gallery)
    _, labels = index.search(queries, wanted)
    return np.asarray(labels, dtype=np.int64)


def _near(gallery: Bytes2D, queries: Bytes2D, labels: NDArray[np.int64], rows: slice, radius: int) -> Pairs:
    i, at = np.nonzero(labels[rows] >= 0)
    i += rows.start
    j = labels[i, at]
    distance = np.bitwise_count(queries[i] ^ gallery[j]).sum(axis=1, dtype=np.int32)
    near = distance <= radius
    return i[near], j[near], distance[near]
