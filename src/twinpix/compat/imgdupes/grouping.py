"""Sets of images: the first image that is in none yet claims all that are near it and in none yet."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twinpix import linking
from twinpix.compat.imgdupes import searching
from twinpix.compat.imgdupes.hashing import Image
from twinpix.compat.imgdupes.options import Options
from twinpix.compat.imgdupes.searching import Engine
from twinpix.match.join import Neighbours
from twinpix.model import Bytes2D, FileRow, Matches

Set = list[Image]


def sets_of(images: Sequence[Image], codes: Bytes2D, options: Options, by: Engine) -> list[Set]:
    """Sets of at least two images, in imgdupes' order; every image of a set is near the one that claimed it."""
    distinct, content = _distinct(codes)
    i, j, distance = searching.self_join(distinct, options, by)
    near = Neighbours(Matches.between(np.stack([i, j], axis=1), distance), len(distinct))
    rows = [FileRow(row) for row in range(len(images))]
    graph = linking.Graph(content.tolist(), [(0, False)] * len(images), near, lambda a, b: True, rows)
    found = [_nearest_first(claimed, codes) for claimed in linking.make("star").groups(graph)]
    return _in_order([[images[row] for row in rows] for rows in found], options)


def like(query: Bytes2D, images: Sequence[Image], codes: Bytes2D, options: Options, by: Engine) -> list[Set]:
    """The set of all images that are near the query's hash; none when no image is."""
    distinct, content = _distinct(codes)
    _, hits, _ = searching.join(query, distinct, options, by)
    rows = np.flatnonzero(np.isin(content, hits))
    distance = np.bitwise_count(codes[rows] ^ query).sum(axis=1)
    found = [images[row] for row in rows[np.argsort(distance, kind="stable")]]
    return _in_order([found] if found else [], options)


def _distinct(codes: Bytes2D) -> tuple[Bytes2D, NDArray[np.int64]]:
    """The codes, each once, and which of them each image has: images of one hash are searched for once."""
    distinct, content = np.unique(codes, axis=0, return_inverse=True)
    return distinct, content.reshape(-1)


def _nearest_first(rows: list[FileRow], codes: Bytes2D) -> list[int]:
    """The one that claimed the others, then those by distance from it, as the search of imgdupes finds them."""
    first, others = rows[0], np.array(sorted(rows[1:]))
    distance = np.bitwise_count(codes[others] ^ codes[first]).sum(axis=1)
    return [first, *others[np.argsort(distance, kind="stable")].tolist()]


def _in_order(found: list[Set], options: Options) -> list[Set]:
    """Sets by their first path, and what is in them as asked; both as they were found for `none`."""
    if options.sort == "none":
        return found
    by_path = sorted(sorted(images) for images in found)
    return [_sorted(images, options) for images in by_path]


def _sorted(images: Set, options: Options) -> Set:
    """Images in the order asked for; equal ones stay in the order of their paths, whichever way it goes."""
    if options.sort == "filepath":
        return sorted(images, reverse=options.reverse)
    key = {
        "filesize": lambda image: image.bytes,
        "imagesize": lambda image: image.width + image.height,
        "width": lambda image: image.width,
        "height": lambda image: image.height,
    }[options.sort]
    return sorted(images, key=key, reverse=not options.reverse)
