"""Exact Hamming join on the workers of an executor: codes are exchanged by band, and joined where they arrive.

The codes of a band go to parts by the first bits of their keys; two parts are joined if their keys can be within the
band's slack, by the loops of `banded`. A pair is reported in the first band that admits it, so each pair is found once.
Equal codes are one code before anything is sent. A part that is too large is divided into chunks, and each chunk is
joined with each: a worker holds two chunks at once, whatever the number of codes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.errors import WorkerError
from twinpix.executors import Begin, Lost
from twinpix.search.bands import Bands, keys_of, masks_of, sort_by_bucket, steps
from twinpix.search.base import OnProgress, Pairs, Workers, no_pairs
from twinpix.search.unique import Equal, equals, expand_pairs

CHUNK = 1 << 18
"""Codes of a chunk, at most: all pairs of two chunks of 256 bits take eleven seconds of a core, which no limit ends."""

_LEAST = 1 << 12  # codes of a chunk, at least: with fewer, sending takes longer than comparing
_PER_WORKER = 4  # chunks of a band for each worker, so that all workers end together


class _Chunk(NamedTuple):
    """Codes of one part of a band, in the order of their keys."""

    codes: NDArray[np.uint64]  # (words, n)
    rows: NDArray[np.int32]  # (n,): their numbers


class _Job(NamedTuple):
    """Two chunks to join in a band; one chunk with itself if `right` is None."""

    left: Any  # a `_Chunk`, or what stands for it on the way to a worker
    right: Any
    band: int
    width: int  # of the keys within a part, in bits
    slack: int  # bits of them that may differ


@dataclass(frozen=True, slots=True)
class JoinTask:
    """Joins the chunks of each job; returns pairs of the numbers of their codes, each pair once, in any order."""

    isolated: ClassVar[bool] = False
    stage: ClassVar[str] = "compare"

    radius: int
    bands: Bands | None  # None: every code is compared with every other

    def __call__(self, batch: Sequence[_Job], begin: Begin) -> list[Pairs]:
        out = []
        for index, job in enumerate(batch):
            begin(index)
            blocks = [no_pairs(), *chain.from_iterable(self._blocks(job))]
            i, j, distance = (np.concatenate(column) for column in zip(*blocks, strict=True))
            out.append((i, j, distance))
        return out

    def _blocks(self, job: _Job) -> Iterator[list[Pairs]]:
        from twinpix.search.kernels import hamming

        left, same = _writable(job.left), job.right is None
        right = left if same else _writable(job.right)
        words = left.codes.shape[0]
        if self.bands is None:
            kernel = partial(
                hamming.compare_all,
                left.codes,
                right.codes,
                same,
                self.radius,
                hamming.selective_words(words, self.radius),
            )
            for blocks in steps(kernel, [0, 0, 0, 0, 0], left.codes.shape[1]):
                yield [(left.rows[i], right.rows[j], distance) for i, j, distance in blocks]
            return
        first, last = int(self.bands.firsts[job.band]), int(self.bands.firsts[job.band] + self.bands.widths[job.band])
        a = left.codes, _starts(left.codes, first, job.width), left.rows
        b = a if same else (right.codes, _starts(right.codes, first, job.width), right.rows)
        selective = hamming.selective_words(words, self.radius, (last - 1) // 64 + 1)
        masks = masks_of(job.width, job.slack)
        kernel = partial(hamming.compare_bands, *a, *b, masks, same, self.radius, *self.bands, job.band, selective)
        yield from steps(kernel, [0, 0, 0, 0, 0], 1 << job.width)


def _writable(chunk: _Chunk) -> _Chunk:
    """Return a chunk of this process: for arrays that cannot be written the kernels would be compiled once more."""
    return chunk if chunk.codes.flags.writeable else _Chunk(chunk.codes.copy(), chunk.rows.copy())


def _starts(codes: NDArray[np.uint64], first: int, width: int) -> NDArray[np.int64]:
    """Return the start of each bucket of codes that are sorted by their keys, and the end."""
    counts = np.bincount(keys_of(codes, first, width), minlength=1 << width)
    return np.concatenate([[0], np.cumsum(counts)])


class Collapsed(NamedTuple):
    """What `banded` has made of the codes of a search: distinct codes `(words, n)`, the rows of each, and the bands."""

    left: NDArray[np.uint64]
    right: NDArray[np.uint64] | None  # None: pairs among `left`
    left_group: Equal
    right_group: Equal
    radius: int
    bands: Bands | None


def join_on(codes: Collapsed, workers: Workers, on_progress: OnProgress, chunk: int = 0) -> Iterator[Pairs]:
    """Yield all pairs of rows within the radius, each once, in any order; among the rows of `left` with `i < j`.

    `chunk` is the number of codes of a chunk; 0: as many as keep the workers busy. Raises `WorkerError` if a worker
    cannot join two chunks.
    """
    left, right, left_group, right_group, radius, bands = codes
    most = max(left.shape[1], 0 if right is None else right.shape[1])
    chunk = chunk or min(CHUNK, max(_LEAST, most // (_PER_WORKER * workers.size)))
    count = 1 if bands is None else len(bands.firsts)
    jobs = ([job] for band in range(count) for job in _jobs(workers, left, right, bands, band, chunk))
    done = 0
    for job, found in workers.map(JoinTask(radius, bands), jobs):
        if isinstance(found, Lost):
            raise WorkerError(f"two parts of the codes could not be compared: {found.reason}")
        done += job.right is None or right is not None
        on_progress(min(1.0, done * chunk / (count * most)))
        if len(found[0]):
            yield from expand_pairs(found, left_group, right_group, half=right is None)
    if right is None:
        yield from equals(left_group)


def _jobs(
    workers: Workers,
    left: NDArray[np.uint64],
    right: NDArray[np.uint64] | None,
    bands: Bands | None,
    band: int,
    chunk: int,
) -> Iterator[_Job]:
    """Yield the jobs of a band: each two chunks whose codes may be within the radius, once."""
    first, width, slack = (0, 0, 0) if bands is None else (int(column[band]) for column in bands)
    most = max(left.shape[1], 0 if right is None else right.shape[1])
    bits = min(width, max(0, int(np.ceil(np.log2(max(1, most / chunk))))))
    mine = _parts(workers, left, first, width, bits, chunk)
    theirs = mine if right is None else _parts(workers, right, first, width, bits, chunk)
    for part, chunks in mine.items():
        for other in sorted(theirs):
            apart = (part ^ other).bit_count()
            if apart > slack or (right is None and other < part):
                continue
            job = partial(_Job, band=band, width=width - bits, slack=slack - apart)
            for at, one in enumerate(chunks):
                if right is None and other == part:
                    yield job(one, None)
                    yield from (job(one, two) for two in chunks[at + 1 :])
                else:
                    yield from (job(one, two) for two in theirs[other])


def _parts(
    workers: Workers, codes: NDArray[np.uint64], first: int, width: int, bits: int, chunk: int
) -> dict[int, list[Any]]:
    """Return what stands for the chunks of each part that has codes, by the first `bits` bits of the keys of a band."""
    ordered, starts, rows = sort_by_bucket(codes, first, width)
    edges = starts[:: 1 << (width - bits)].tolist()
    out = dict[int, list[Any]]()
    for number, (start, end) in enumerate(pairwise(edges)):
        if end > start:
            places = (slice(at, min(at + chunk, end)) for at in range(start, end, chunk))
            out[number] = [workers.share(_Chunk(np.ascontiguousarray(ordered[:, at]), rows[at])) for at in places]
    return out
