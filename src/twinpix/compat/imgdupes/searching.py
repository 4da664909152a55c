"""Pairs of near codes: by twinpix's exact join, or among the candidates of faiss when that was asked for."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix import search
from twinpix.compat.imgdupes import saying
from twinpix.compat.imgdupes.options import Options
from twinpix.model import Bytes2D
from twinpix.search.base import Pairs, in_order

_BLOCK = 20_000  # codes whose candidates are compared at once


class Engine(NamedTuple):
    """A way to search: its name in the names of logs, and how many neighbours faiss gives (0: the exact join)."""

    name: str
    neighbours: int = 0


def engine(options: Options) -> Engine:
    """The engine that was asked for; the exact join, with a note, when faiss cannot be loaded.

    NGT's graph is not built: the exact join finds all that it finds, in less time.
    """
    if options.faiss_cuda or options.cuda_device >= 0:
        saying.note("there is no search on a GPU here; the processor is used")
    if options.hnsw:
        asked = Engine("hnsw", options.hnsw_k)
    elif options.faiss_flat:
        asked = Engine("faiss_flat", options.faiss_flat_k)
    else:
        return Engine("ngt" if options.ngt else "std")
    try:
        import faiss  # noqa: F401
    except ImportError:
        saying.note("faiss cannot be loaded; the exact search is used instead")
        return Engine("std")
    return asked


def self_join(codes: Bytes2D, options: Options, by: Engine) -> Pairs:
    """Pairs `i < j` of different codes within the distance, each with its exact distance."""
    found = _candidates(codes, codes, options, by)
    if found is None:
        return search.self_join(codes, options.hamming_distance)
    i, j, distance = found
    other = i != j
    low, high, distance = np.minimum(i, j)[other], np.maximum(i, j)[other], distance[other]
    _, once = np.unique(low * len(codes) + high, return_index=True)  # one may find the other, or both
    return low[once], high[once], distance[once]


def join(query: Bytes2D, codes: Bytes2D, options: Options, by: Engine) -> Pairs:
    """Pairs of a row of `query` and a row of `codes` within the distance."""
    found = _candidates(codes, query, options, by)
    return search.join(query, codes, options.hamming_distance) if found is None else in_order(*found)


def _candidates(gallery: Bytes2D, queries: Bytes2D, options: Options, by: Engine) -> Pairs | None:
    """The pairs of a query and a gallery code that faiss finds and that are near; None where it is not asked."""
    if not by.neighbours:
        return None
    try:
        labels = _neighbours(gallery, queries, options, by)
    except (RuntimeError, ValueError, MemoryError) as error:  # a setting that the library cannot work with
        saying.note(f"faiss failed ({error}); the exact search is used instead")
        return None
    starts = range(0, len(queries), _BLOCK)
    parts = [_near(gallery, queries, labels, slice(at, at + _BLOCK), options.hamming_distance) for at in starts]
    i, j, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    cut = int(np.count_nonzero(np.bincount(i, minlength=len(queries)) >= by.neighbours))
    if cut and by.neighbours < len(gallery):
        option = f"--{by.name.replace('_', '-')}-k"
        saying.note(f"{cut:,} hashes have {by.neighbours} neighbours or more: sets may lack some; raise {option}")
    return i, j, distance


def _neighbours(gallery: Bytes2D, queries: Bytes2D, options: Options, by: Engine) -> NDArray[np.int64]:
    """Rows `(queries, k)` of `gallery`, the nearest first; -1 where fewer are found."""
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
