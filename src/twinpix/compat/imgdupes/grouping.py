"""Group images greedily: the first unassigned image takes all unassigned images within the radius into its set."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twinpix import linking
from twinpix.compat.imgdupes import engines
from twinpix.compat.imgdupes.engines import Engine
from twinpix.compat.imgdupes.hashing import Image
from twinpix.compat.imgdupes.options import Options
from twinpix.match.join import Neighbours
from twinpix.model import Bytes2D, FileRow, Matches

Set = list[Image]


def sets_of(images: Sequence[Image], codes: Bytes2D, options: Options, by: Engine) -> list[Set]:
    """Return the sets of at least two images in the order of imgdupes; see the module for their members."""
    distinct, content = _distinct(codes)
    i, j, distance = engines.self_join(distinct, options, by)
    near = Neighbours(Matches.between(np.stack([i, j], axis=1), distance), len(distinct))
    rows = [FileRow(row) for row in range(len(images))]
    graph = linking.Graph(content.tolist(), [(0, False)] * len(images), near, lambda a, b: True, rows)
    found = [_nearest_first(members, codes) for members in linking.make("star").groups(graph)]
    return _in_order([[images[row] for row in rows] for rows in found], options)


def query_set(query: Bytes2D, images: Sequence[Image], codes: Bytes2D, options: Options, by: Engine) -> list[Set]:
    """Return one set with all images within the radius of the query's hash; an empty list if there are none."""
    distinct, content = _distinct(codes)
    _, hits, _ = engines.join(query, distinct, options, by)
    rows = np.flatnonzero(np.isin(content, hits))
    distance = np.bitwise_count(codes[rows] ^ query).sum(axis=1)
    found = [images[row] for row in rows[np.argsort(distance, kind="stable")]]
    return _in_order([found] if found else [], options)


def _distinct(codes: Bytes2D) -> tuple[Bytes2D, NDArray[np.int64]]:
    """Return the distinct codes, and for each image the row of its code, so that equal hashes are searched once."""
    distinct, content = np.unique(codes, axis=0, return_inverse=True)
    return distinct, content.reshape(-1)


def _nearest_first(rows: list[FileRow], codes: Bytes2D) -> list[int]:
    """Return the first row, then the others by their distance from it, as the search of imgdupes returns them."""
    first, others = rows[0], np.array(sorted(rows[1:]))
    distance = np.bitwise_count(codes[others] ^ codes[first]).sum(axis=1)
    return [first, *others[np.argsort(distance, kind="stable")].tolist()]


def _in_order(found: list[Set], options: Options) -> list[Set]:
    """Sort the sets by their first path, and their images as requested; `none` keeps the order of the search."""
    if options.sort == "none":
        return found
    by_path = sorted(sorted(images) for images in found)
    return [_sort_images(images, options) for images in by_path]


def _sort_images(images: Set, options: Options) -> Set:
    """Sort images as requested; images with equal keys stay in the order of their paths, also if `reverse`."""
    if options.sort == "filepath":
        return sorted(images, reverse=options.reverse)
    key = {
        "filesize": lambda image: image.bytes,
        "imagesize": lambda image: image.width + image.height,
        "width": lambda image: image.width,
        "height": lambda image: image.height,
    }[options.sort]
    return sorted(images, key=key, reverse=not options.reverse)
