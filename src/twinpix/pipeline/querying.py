"""`query`: which images below some paths are the same picture as one given image."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from twinpix import search, sources
from twinpix.errors import UsageError
from twinpix.fingerprints import INFORMATION_FLOOR
from twinpix.model import Failure, Relation
from twinpix.pipeline import relate
from twinpix.pipeline.coding import Coder
from twinpix.pipeline.finding import gather, opened
from twinpix.pipeline.options import Options
from twinpix.pipeline.progress import Progress


class Hit(NamedTuple):
    """An image that is the same picture as the query."""

    path: str
    distance: int
    relation: Relation


def query(
    image: str | os.PathLike[str],
    paths: Sequence[str | os.PathLike[str]],
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    **changes: Any,
) -> tuple[list[Hit], list[Failure]]:
    """The images below `paths` within the radius of `image`, nearest first, and what could not be read.

    `image` itself, if it lies below `paths`, is not among them. Raises `UsageError` when `image` cannot
    be read.
    """
    options = replace(options or Options(), **changes)
    progress = progress or Progress()
    name = os.fspath(image)
    method = options.fingerprint()
    radius = options.radius_of(method)
    sources.require([name, *(os.fspath(path) for path in paths)])
    asked = sources.scan([name], recursive=False)
    listing = sources.scan(
        [os.fspath(path) for path in paths],
        recursive=options.recursive,
        hidden=options.hidden,
        follow_links=options.follow_links,
    )
    with opened(options, progress) as store:
        coder = Coder(store, (method,), options.decode, options.transforms, options.workers, options.timeout, progress)
        mine = gather(asked.refs, coder)
        if not len(mine.refs):
            failures = [*asked.failures, *coder.failures, *mine.failures]
            why = failures[0].error if failures else "not an image"
            raise UsageError(f"cannot use {name} as a query: {why}")
        images = gather(listing.refs, coder)
    question, digest = mine.contents[0], mine.contents.digest(0)
    width = method.bits // 8
    near = method.radii["strict"]
    exact_only = options.guard and question.information < INFORMATION_FLOOR
    found: dict[int, tuple[int, int]] = {}
    if len(images.contents):
        codes = images.contents.codes(width)
        flat = codes.reshape(-1, codes.shape[2])
        _, at, distance = search.join(mine.contents.codes(width)[:1, 0], flat, radius, options.search)
        for row, gap in zip(at.tolist(), distance.tolist(), strict=True):
            content, turn = divmod(row, codes.shape[1])
            found[content] = min(found.get(content, (gap, turn)), (gap, turn))
    hits = []
    own = {(ref.stamp.device, ref.stamp.inode) for ref in mine.refs}
    for ref, content in zip(images.refs, images.content.tolist(), strict=True):
        result = images.contents[content]
        if (ref.stamp.device, ref.stamp.inode) in own:
            continue
        same = relate.same_pixels(question, result)
        if images.contents.digest(content) == digest:
            hits.append(Hit(ref.uri, 0, "identical-file"))
        elif same:
            hits.append(Hit(ref.uri, 0, "identical-pixels"))
        elif content in found and not exact_only and not (options.guard and result.information < INFORMATION_FLOOR):
            gap, turn = found[content]
            hits.append(Hit(ref.uri, gap, relate.relation(question, result, gap, turn, near, same)))
    failures = sorted([*listing.failures, *coder.failures, *images.failures], key=lambda f: f.path)
    return sorted(hits, key=lambda hit: (hit.distance, hit.path)), failures
