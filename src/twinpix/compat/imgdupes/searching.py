"""Which codes are near: by twinpix's exact join, or among the candidates of a library that was asked for."""

import importlib
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix import search
from twinpix.compat.imgdupes import saying
from twinpix.compat.imgdupes.options import Options
from twinpix.model import Bytes2D
from twinpix.search.base import Pairs, in_order

_BLOCK = 20_000  # codes whose candidates are compared at once


class Engine(NamedTuple):
    """How to search: its name in the names of logs, and the library's module, or None for the exact join."""

    name: str
    module: ModuleType | None


EXACT = Engine("std", None)


def engine(options: Options) -> Engine:
    """The engine asked for, which falls back to the exact join when its library is missing, and says so."""
    if options.faiss_cuda or options.cuda_device >= 0:
        saying.note("there is no search on a GPU here; the processor is used")
    asked = {"hnsw": options.hnsw, "faiss_flat": options.faiss_flat, "ngt": options.ngt}
    name = next((name for name, wanted in asked.items() if wanted), None)
    if name is None:
        return EXACT
    module = importlib.import_module(f"twinpix.compat.imgdupes.engines.{name}")
    try:
        importlib.import_module(module.LIBRARY)
    except ImportError:
        saying.note(f"{module.LIBRARY} cannot be loaded; the exact search is used instead")
        return EXACT
    return Engine(name, module)


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
    """The pairs of a query and a gallery code that the library finds and that are near; None without library."""
    if by.module is None:
        return None
    try:
        labels = by.module.candidates(gallery, queries, options)
    except (RuntimeError, ValueError, MemoryError) as error:  # a setting that the library cannot work with
        saying.note(f"{by.module.LIBRARY} failed ({error}); the exact search is used instead")
        return None
    starts = range(0, len(queries), _BLOCK)
    parts = [_near(gallery, queries, labels, slice(at, at + _BLOCK), options.hamming_distance) for at in starts]
    i, j, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    _tell_if_cut(np.bincount(i, minlength=len(queries)), len(gallery), options, by)
    return i, j, distance


def _near(gallery: Bytes2D, queries: Bytes2D, labels: NDArray[np.int64], rows: slice, radius: int) -> Pairs:
    i, at = np.nonzero(labels[rows] >= 0)
    i += rows.start
    j = labels[i, at]
    distance = np.bitwise_count(queries[i] ^ gallery[j]).sum(axis=1, dtype=np.int32)
    near = distance <= radius
    return i[near], j[near], distance[near]


def _tell_if_cut(found: NDArray[np.int64], size: int, options: Options, by: Engine) -> None:
    """Say when codes had as many neighbours as the library was asked for: there may be more."""
    asked = by.module.neighbours(options) if by.module else size
    cut = int(np.count_nonzero(found >= asked)) if asked < size else 0
    if cut:
        option = f"--{by.name.replace('_', '-')}-k"
        saying.note(f"{cut:,} hashes have {asked} neighbours or more: sets may lack some; raise {option}")
