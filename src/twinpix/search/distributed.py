"""Exact Hamming join on the workers of an executor: codes are exchanged by band, and joined where they arrive.

The codes of a band go to parts by the first bits of their keys; two parts are joined if their keys can be within the
band's slack, by the loops of `banded`. A pair is reported in the first band that admits it, so each pair is found once.
Equal codes are one code before anything is sent. A part that is too large is divided into chunks, and each chunk is
joined with each: a worker holds two chunks at once, whatever the number of codes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.errors import WorkerError
from twinpix.executors import Begin, Lost
from twinpix.search.bands import Bands, choose_bands, keys_of, masks_of, sort_by_bucket, steps
from twinpix.search.base import Codes, OnProgress, Pairs, Workers, no_pairs
from twinpix.search.unique import collapse, equals, expand_pairs

CHUNK = 1 << 18
"""Codes of a chunk, at most: all pairs of two chunks of 256 bits take eleven seconds of a core, which no limit ends."""

_LEAST = 1 << 12  # codes of a chunk, at least: with fewer, sending takes longer than comparing
_PER_WORKER = 4  # chunks of a band for each worker, so that all workers end together


class _Chunk(NamedTuple):
    codes: NDArray[np.uint64]  # (words, n)
    rows: NDArray[np.int32]  # (n,): their numbers


class _Job(NamedTuple):
    """Two chunks to join in a band; one chunk with itself if `right` is None."""

    band: int
    left: _Chunk
    right: _Chunk | None

    @property
    def size(self) -> int:
        """The number of codes that are sent."""
        return len(self.left.rows) + (0 if self.right is None else len(self.right.rows))


@dataclass(frozen=True, slots=True)
class JoinTask:
    """Joins the chunks of each job; returns pairs of the numbers of their codes, each pair once, in any order."""

    radius: int
    bands: Bands | None  # None: every code is compared with every other

    def __call__(self, batch: Sequence[_Job], begin: Begin) -> list[Pairs]:
        out = []
        for index, job in enumerate(batch):
            begin(index)
            blocks = [no_pairs(), *chain.from_iterable(self._blocks(job))]
            i, j, distance = (np.concatenate(column) for column in zip(*blocks, strict=True))
            right = job.left if job.right is None else job.right
            out.append((job.left.rows[i], right.rows[j], distance))
        return out

    def _blocks(self, job: _Job) -> Iterator[list[Pairs]]:
        from twinpix.search.kernels import hamming

        left, same = job.left.codes, job.right is None
        right = left if job.right is None else job.right.codes
        if self.bands is None:
            selective = hamming.selective_words(left.shape[0], self.radius)
            kernel = partial(hamming.compare_all, left, right, same, self.radius, selective)
            return steps(kernel, [0, 0, 0, 0, 0], left.shape[1])
        first, width, slack = (int(column[job.band]) for column in self.bands)
        a = sort_by_bucket(left, first, width)
        b = a if same else sort_by_bucket(right, first, width)
        selective = hamming.selective_words(left.shape[0], self.radius, (first + width - 1) // 64 + 1)
        masks = masks_of(width, slack)
        kernel = partial(hamming.compare_bands, *a, *b, masks, same, self.radius, *self.bands, job.band, selective)
        return steps(kernel, [0, 0, 0, 0, 0], 1 << width)


def join_on(
    workers: Workers, queries: Codes, gallery: Codes | None, radius: int, on_progress: OnProgress, chunk: int = 0
) -> Iterator[Pairs]:
    """Yield all pairs of a query and a gallery code within the radius; without a gallery, pairs `i < j` of queries.

    Each pair once, in any order. `chunk` is the number of codes of a chunk; 0: as many as keep the workers busy.
    Raises `WorkerError` if a worker cannot join two chunks.
    """
    left, left_group = collapse(queries)
    right, right_group = (None, left_group) if gallery is None else collapse(gallery)
    radius = min(radius, 64 * left.shape[0])
    bands, _ = choose_bands(left, left if right is None else right, radius)
    most = max(left.shape[1], 0 if right is None else right.shape[1])
    chunk = chunk or min(CHUNK, max(_LEAST, most // (_PER_WORKER * workers.size)))
    count = 1 if bands is None else len(bands.firsts)
    jobs = ([job] for band in range(count) for job in _jobs(left, right, bands, band, chunk))
    total = count * (most if right is None else left.shape[1] + right.shape[1])
    sent = 0
    for job, found in workers.map(JoinTask(radius, bands), jobs):
        if isinstance(found, Lost):
            raise WorkerError(f"two parts of the codes could not be compared: {found.reason}")
        sent += job.size
        on_progress(min(1.0, sent / total))
        if len(found[0]):
            yield from expand_pairs(found, left_group, right_group, half=right is None)
    if right is None:
        yield from equals(left_group)


def _jobs(
    left: NDArray[np.uint64], right: NDArray[np.uint64] | None, bands: Bands | None, band: int, chunk: int
) -> Iterator[_Job]:
    """Yield the jobs of a band: each two chunks whose codes may be within the radius, once."""
    first, width, slack = (0, 0, 0) if bands is None else (int(column[band]) for column in bands)
    most = max(left.shape[1], 0 if right is None else right.shape[1])
    bits = min(width, max(0, int(np.ceil(np.log2(max(1, most / chunk))))))
    mine = _parts(left, first, width, bits, chunk)
    theirs = mine if right is None else _parts(right, first, width, bits, chunk)
    for part, chunks in mine.items():
        for other in sorted(theirs):
            if (part ^ other).bit_count() > slack or (right is None and other < part):
                continue
            for at, one in enumerate(chunks):
                if right is None and other == part:
                    yield _Job(band, one, None)
                    yield from (_Job(band, one, two) for two in chunks[at + 1 :])
                else:
                    yield from (_Job(band, one, two) for two in theirs[other])


def _parts(codes: NDArray[np.uint64], first: int, width: int, bits: int, chunk: int) -> dict[int, list[_Chunk]]:
    """Return the chunks of each part that has codes, by the first `bits` bits of the keys of a band."""
    part = keys_of(codes, first, width) >> (width - bits) if bits else np.zeros(codes.shape[1], np.int32)
    order = np.argsort(part, kind="stable").astype(np.int32)
    ends = np.cumsum(np.bincount(part, minlength=1 << bits)).tolist()
    out, start = dict[int, list[_Chunk]](), 0
    for number, end in enumerate(ends):
        if end > start:
            places = range(start, end, chunk)
            rows = [order[at : min(at + chunk, end)] for at in places]
            out[number] = [_Chunk(np.ascontiguousarray(codes[:, some]), some) for some in rows]
        start = end
    return out
