"""Find candidate pairs of images whose keypoints match in code and agree on one transform."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.errors import WorkerError
from twinpix.executors import Begin, Lost
from twinpix.machine import cores
from twinpix.search import joins
from twinpix.search.base import OnProgress, Workers, no_progress

RADIUS = 4
"""Maximum Hamming distance in bits between the codes of two matching keypoints."""

PROPOSING = 2.0
"""Minimum weight of keypoint matches that agree on a transform, before guided matching looks for more inliers.

A match counts 1; a match of a frequent code counts less.
"""

ENOUGH = 5
"""Minimum number of inlier keypoints of a candidate pair; fewer if an image has few keypoints."""

_PAIRS = 100_000_000  # maximum pairs of codes; above it the radius is reduced
_SAMPLE = 256  # codes sampled to estimate the number of pairs
_JOINED = 1 << 22  # codes of either side that are joined at once: a join takes 45 bytes for each code
_AT_ONCE = 64  # images per task
_ROOM = 1 << 16  # pairs of images per output buffer
# Of a core: a million beside other work, of a million keypoints with random geometry.
_VOTES_A_SECOND = 2e6
_SENT_AT_ONCE = 1024  # images of a job on another machine

Sets = tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.float32], NDArray[np.float32]]
"""The keypoints of many images: `starts` `(images + 1,)`; `codes` `(keypoints,)`; `geometry` `(keypoints, 4)`: x and y
in pixels, scale in octaves, orientation in radians; `image_sizes` `(images, 2)`: width and height in pixels."""


CodePairs = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Pairs of numbers of codes."""


class ImagePairs(NamedTuple):
    """Candidate pairs of images, sorted by `i`, then `j`."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]  # above i
    points: NDArray[np.int32]  # number of inlier keypoints
    weight: NDArray[np.float32]  # their total weight
    mirrored: NDArray[np.bool_]
    change: NDArray[np.float32]  # (n, 2, 3): affine transform from pixels of i to pixels of j


def find_pairs(
    sets: Sets,
    mirror: int,
    *,
    of: int | None = None,
    radius: int = RADIUS,
    enough: int = ENOUGH,
    on_progress: OnProgress = no_progress,
    workers: Workers | None = None,
) -> ImagePairs:
    """Return the pairs of images whose keypoints match in code and agree in scale, orientation and position.

    `of`: only pairs with an image among the first `of` are returned (None: all). `mirror` marks the bits of a code that
    are inverted in a mirrored image. `enough` is the minimum number of inliers. The radius is reduced if the pairs of
    codes within it would not fit in memory. Long searches run on the `workers` of other machines.
    """
    from twinpix.localfeatures import wgc_voting as loops

    starts, codes, geometry, image_sizes = sets
    if len(starts) < 3 or not len(codes) or of == 0:
        return _none()
    distinct, code, post, posts = _by_code(codes)
    of = len(starts) - 1 if of is None else of
    asked = np.zeros(len(distinct), bool)
    asked[code[: starts[of]]] = True
    links, linked = _link_codes(distinct, np.flatnonzero(asked), mirror, Join(radius, on_progress, workers))
    common = np.empty(len(distinct), np.float32)
    loops.count_matches(links, linked, posts, common)
    owner = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
    shape = np.ascontiguousarray(geometry), np.ascontiguousarray(image_sizes)
    keypoint_sets = *_read_only(starts, owner, code, *shape, codes), np.uint64(mirror)
    likes = _read_only(links, linked, posts, post, common)
    voters = _Voters(keypoint_sets, likes, (np.float32(PROPOSING - 0.01), enough))
    votes = float(np.dot(common, np.diff(posts)))
    if workers is not None and votes > joins.WORTH_SENDING * cores() * _VOTES_A_SECOND:
        parts = list(_vote_on(workers, voters, of, on_progress))
    else:
        parts = list(_votes(voters, of, on_progress))
    whole = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    i, j, agreeing, mirrored = whole[0].T
    order = np.lexsort((j, i))
    change = whole[1][order, 1:].reshape(-1, 2, 3)
    i, j = i[order].astype(np.int64), j[order].astype(np.int64)
    return ImagePairs(i, j, agreeing[order], whole[1][order, 0], mirrored[order].astype(bool), change)


def is_compiled() -> bool:
    """True if the loops of the voting need not be compiled."""
    from twinpix.localfeatures.wgc_voting import vote
    from twinpix.search.kernels import jit

    return jit.is_compiled(vote)


def load() -> None:
    """Load the compiled loops of the voting."""
    starts = np.array([0, ENOUGH, 2 * ENOUGH])
    codes = np.tile(np.arange(ENOUGH, dtype=np.uint64) * np.uint64(2**RADIUS - 1), 2)
    points = np.zeros((2 * ENOUGH, 4), np.float32)
    find_pairs((starts, codes, points, np.ones((2, 2), np.float32)), 0)


def _none() -> ImagePairs:
    empty = np.empty(0, np.int64)
    return ImagePairs(
        empty, empty, np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, bool), np.empty((0, 2, 3), np.float32)
    )


def _by_code(
    codes: NDArray[np.uint64],
) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Return the different codes, the number of each keypoint's code, and inverted lists.

    The keypoints of code `u` are `post[posts[u]:posts[u + 1]]`. It takes half the memory of `np.unique` and a sort.
    """
    order = np.argsort(codes, kind="stable").astype(np.int32)
    rising = codes[order]
    is_first = np.ones(len(codes), bool)
    np.not_equal(rising[1:], rising[:-1], out=is_first[1:])
    distinct = rising[is_first]
    posts = np.append(np.flatnonzero(is_first), len(codes))
    code = np.empty(len(codes), np.int32)
    code[order] = np.cumsum(is_first, dtype=np.int32) - 1
    return distinct, code, order, posts


def _link_codes(
    distinct: NDArray[np.uint64], asked: NDArray[np.int64], mirror: int, join: "Join"
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the codes within the radius of each queried code, itself included, in CSR form.

    Those of code `u` are `linked[links[u]:links[u + 1]]`, each as `code << 1 | mirrored`; `links` is `(n + 1,)`.
    """
    from twinpix.localfeatures import wgc_voting as loops

    join.limit_radius(distinct)
    queries = distinct if len(asked) == len(distinct) else distinct[asked]
    mirrored = join.between(queries, distinct ^ np.uint64(mirror), asked)
    if len(asked) == len(distinct):
        pairs = join.among(distinct)
        each = asked.astype(np.int32)
        plain = [(each, each), *pairs, *((right, left) for left, right in pairs)]
    else:
        plain = join.between(queries, distinct, asked)
    links = np.zeros(len(distinct) + 1, np.int64)
    for left, _ in (*plain, *mirrored):
        loops.count_links(left, links)
    np.cumsum(links, out=links)
    linked, ends = np.empty(links[-1], np.int32), links[:-1].copy()
    for blocks, flag in ((plain, 0), (mirrored, 1)):
        for left, right in blocks:
            loops.append_links(left, right, flag, ends, linked)
    return links, linked


class Join:
    """Finds pairs of codes within a radius, of a part of the codes with a part at once, which bounds the memory.

    The pairs are in blocks of 32-bit numbers, as there may be a hundred million. Of one left code, the right ones rise.
    """

    def __init__(self, radius: int, on_progress: OnProgress, workers: Workers | None = None) -> None:
        self._radius, self._on_progress, self._workers = radius, on_progress, workers
        self._done = 0.0  # of the joins; they are the first half of the progress

    def limit_radius(self, codes: NDArray[np.uint64]) -> None:
        """Reduce the radius if the pairs of these codes within it would not fit in memory."""
        self._radius = _affordable_radius(codes, self._radius)

    def between(self, queries: NDArray[np.uint64], codes: NDArray[np.uint64], of: NDArray[np.int64]) -> list[CodePairs]:
        """Return the pairs of queries and codes; `of` has the number of each query."""
        out, steps = [], len(_parts(queries)) * len(_parts(codes))
        for left in _parts(queries):
            for right in _parts(codes):
                blocks = self._search(steps).join_blocks(_bytes(queries[left]), _bytes(codes[right]), self._radius)
                out += [(of[left][i].astype(np.int32), (j + right.start).astype(np.int32)) for i, j, _ in blocks]
        return out

    def among(self, codes: NDArray[np.uint64]) -> list[CodePairs]:
        """Return the pairs of different codes, each once, the smaller number first."""
        out, parts = [], _parts(codes)
        steps = len(parts) * (len(parts) + 1) // 2
        for at, left in enumerate(parts):
            mine = _bytes(codes[left])
            for right in parts[at:]:
                search = self._search(steps)
                blocks = (
                    search.self_join_blocks(mine, self._radius)
                    if right is left
                    else search.join_blocks(mine, _bytes(codes[right]), self._radius)
                )
                out += [((i + left.start).astype(np.int32), (j + right.start).astype(np.int32)) for i, j, _ in blocks]
        return out

    def _search(self, steps: int) -> joins.Search:
        """Return a search whose progress is one of `steps` equal parts of one of two joins."""
        begin = self._done
        self._done += 1 / steps
        return joins.Search(
            "auto", lambda share: self._on_progress(0.25 * (begin + share / steps)), workers=self._workers
        )


def _parts(codes: NDArray[np.uint64]) -> list[slice]:
    return [slice(start, min(start + _JOINED, len(codes))) for start in range(0, len(codes), _JOINED)]


def _affordable_radius(distinct: NDArray[np.uint64], radius: int) -> int:
    """Return the largest radius, at most `radius`, with an estimated number of pairs of at most `_PAIRS`."""
    some = distinct[:: max(1, len(distinct) // _SAMPLE)]
    counts = np.zeros(radius + 1, np.int64)
    for code in some:
        distances = np.bitwise_count(distinct ^ code)
        counts += np.bincount(distances[distances <= radius], minlength=radius + 1)
    share = len(distinct) / len(some)
    within = np.cumsum(counts)
    while radius and within[radius] * share > _PAIRS:
        radius -= 1
    return radius


def _bytes(codes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return codes.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)


# -- votes ---------------------------------------------------------------------------------------------

_Voted = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Pairs of images: `(n, 4)` and `(n, 7)`, as `wgc_voting.vote` writes them."""


class _Voters(NamedTuple):
    """The keypoints of all images, and which of them match: the arguments of `wgc_voting.vote`."""

    sets: tuple[Any, ...]
    likes: tuple[Any, ...]
    least: tuple[np.float32, int]


class _Job(NamedTuple):
    """The votes for the images `first` to `last`."""

    voters: Any  # `_Voters`, or what stands for them on the way to a worker
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class VoteTask:
    """Lets the keypoints of some images vote on another machine, which holds those of all images once."""

    isolated: ClassVar[bool] = False
    stage: ClassVar[str] = "compare"

    def __call__(self, batch: Sequence[_Job], begin: Begin) -> list[list[_Voted]]:
        out = []
        for index, job in enumerate(batch):
            begin(index)
            out.append(_vote(*job))
        return out


def _read_only(*arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Return views that cannot be written, as those of another machine: loops are compiled for one kind of arrays."""
    views = tuple(each.view() for each in arrays)
    for view in views:
        view.flags.writeable = False
    return views


def _vote(voters: _Voters, first: int, last: int) -> list[_Voted]:
    """Return the candidate pairs of the images `first` to `last` with later images."""
    from twinpix.localfeatures import wgc_voting as loops

    sets, likes, least = voters
    room, parts = max(_ROOM, len(sets[0])), list[_Voted]()
    most = loops.reach(first, last, sets[0], sets[2], likes[0], likes[1], likes[2])
    work = np.empty((3, most), np.int32), np.empty(most, np.int32)
    out = np.empty((room, 4), np.int32), np.empty((room, 7), np.float32)
    while first < last:
        first, found = loops.vote(first, last, sets, likes, least, work, out)
        parts.append((out[0][:found].copy(), out[1][:found].copy()))
    return parts


def _jobs(voters: Any, of: int, count: int) -> list[_Job]:
    """Return the jobs of the first `of` images, `count` images each."""
    return [_Job(voters, first, min(first + count, of)) for first in range(0, of, count)]


def _votes(voters: _Voters, of: int, on_progress: OnProgress) -> Iterator[_Voted]:
    """Yield the candidate pairs of the first `of` images, by the cores of this machine."""
    jobs = _jobs(voters, of, _AT_ONCE)
    with ThreadPoolExecutor(cores()) as pool:
        for number, parts in enumerate(pool.map(lambda job: _vote(*job), jobs), start=1):
            yield from parts
            on_progress(0.5 + 0.5 * number / len(jobs))


def _vote_on(workers: Workers, voters: _Voters, of: int, on_progress: OnProgress) -> Iterator[_Voted]:
    """Yield the same, in any order, by the cores of other machines; each machine gets the keypoints once."""
    jobs = _jobs(workers.share(voters), of, _SENT_AT_ONCE)
    for number, (_, found) in enumerate(workers.map(VoteTask(), ([job] for job in jobs)), start=1):
        if isinstance(found, Lost):
            raise WorkerError(f"the keypoints of some images could not be compared: {found.reason}")
        yield from found
        on_progress(0.5 + 0.5 * number / len(jobs))
