"""The interface of search back ends, and helper functions that they share."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from twinpix.model import DIGITS

Codes = NDArray[np.uint8]
Vectors = NDArray[Any]  # (n, d), any floating-point dtype
Pairs = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Row indices `i` and `j` (any integer dtype) and distances: Hamming in bits, or cosine as float32."""

OnProgress = Callable[[float], None]
"""Progress callback. It receives the fraction done, 0 to 1, in the thread that requests the next block."""

AT_ONCE = 4096  # vectors per batch
FARTHEST = 2.0  # the largest cosine distance


class Plan(NamedTuple):
    """How a back end would run a search."""

    exact: bool  # False: the search may miss pairs; the distances of the pairs that it finds are exact
    seconds: float  # estimated duration on this machine
    how: str  # a description of the method for the user
    blocks: Callable[
        [OnProgress], Iterator[Pairs]
    ]  # runs the search; yields every pair once, in any order, in blocks of bounded size
    blocks_on: Callable[..., Iterator[Pairs]] | None = None  # the same, given workers of other machines before


class Workers(Protocol):
    """What a join on several machines needs of an executor; see `executors.Executor`."""

    @property
    def size(self) -> int:
        """The largest number of batches that run at the same time."""

    def map(self, task: Any, batches: Iterable[Sequence[Any]]) -> Generator[tuple[Any, Any], None, None]:
        """Yield each item with its result, or with `executors.Lost`, in any order."""

    def share(self, value: Any) -> Any:
        """Return what stands for a value as a field of many items, so that it is sent once to each machine."""


class Backend(Protocol):
    """A method that finds all pairs within an inclusive radius.

    Codes are `(n, bytes)` uint8, compared by Hamming distance, or `(n, d)` floats, compared by cosine distance.
    `metrics` names the metrics that the back end supports. The caller may stop before the last block; the back end
    then does not run the rest of the search.
    """

    metrics: ClassVar[tuple[str, ...]]
    exact: ClassVar[bool]  # whether all its searches are exact, for the help; `Plan.exact` is about one search

    def plan(self, queries: NDArray[Any], gallery: NDArray[Any] | None, radius: Any) -> Plan:
        """Plan the search for pairs of a row `i` of `queries` and a row `j` of `gallery`.

        Without a gallery, the pairs are `i < j` of rows of `queries`. Both inputs have at least one row.
        Raises `UsageError` for an option that is not valid for these inputs.
        """


def no_progress(share: float) -> None:
    """Ignore the progress; the default callback."""


def metric_of(codes: NDArray[Any]) -> str:
    """Return the metric for the dtype of these codes: `hamming` for uint8, else `cosine`."""
    return "hamming" if codes.dtype == np.uint8 else "cosine"


def kind_of_distances(codes: NDArray[Any]) -> type[np.generic]:
    """Return the dtype of the distances between these codes: int32 for Hamming, float32 for cosine."""
    return np.int32 if metric_of(codes) == "hamming" else np.float32


def in_order(i: NDArray[np.int64], j: NDArray[np.int64], distance: NDArray[Any]) -> Pairs:
    """Return the same pairs, sorted by `i`, then `j`."""
    order = np.lexsort((j, i))
    return i[order], j[order], distance[order]


def no_pairs(kind: type[np.generic] = np.int32) -> Pairs:
    """Return an empty result whose distances have the dtype `kind`."""
    return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, kind)


def words(codes: Codes) -> NDArray[np.uint64]:
    """Return codes `(..., bytes)` as `(..., words)` uint64, padded with zeros."""
    missing = -codes.shape[-1] % 8
    if missing:
        codes = np.pad(codes, [*[(0, 0)] * (codes.ndim - 1), (0, missing)])
    return np.ascontiguousarray(codes).view(np.uint64)


def unit(vectors: Vectors) -> NDArray[np.float32]:
    """Return the vectors scaled to unit length, as float32."""
    directions = np.empty(vectors.shape, dtype=np.float32)
    for at in range(0, len(vectors), AT_ONCE):
        real = vectors[at : at + AT_ONCE]
        wide = real.dtype.itemsize > 4  # float64, in either byte order: its values may overflow float32 before scaling
        scaled = scale_to_largest(real if wide else real.astype(np.float32)).astype(np.float32)
        directions[at : at + AT_ONCE] = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return directions


def radius_of_cosine(least: float) -> float:
    """Return the cosine distance that corresponds to a cosine similarity of `least`."""
    return round(1.0 - least, DIGITS)


def scale_to_largest(vectors: Vectors) -> Vectors:
    """Return each vector divided by its largest absolute component, so that squares neither underflow nor overflow."""
    sized: Vectors = vectors / np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    return sized


def cosine_distances(left: Vectors, right: Vectors) -> NDArray[np.float32]:
    """Return the distances between corresponding rows: 1 - cosine, at least 0, rounded to four decimals, `(n,)`."""
    a, b = scale_to_largest(left.astype(np.float64)), scale_to_largest(right.astype(np.float64))
    lengths = np.sqrt((a * a).sum(axis=1)) * np.sqrt((b * b).sum(axis=1))
    distances: NDArray[np.float64] = np.maximum(1 - (a * b).sum(axis=1) / lengths, 0)
    return np.round(distances, DIGITS).astype(np.float32)
