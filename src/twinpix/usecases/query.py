"""`query`: which images below some paths are the same picture as one given image."""

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from twinpix import fingerprints, sources
from twinpix.encoding.images import Images, gather, look_at_pixels
from twinpix.encoding.options import Options, Paths, names_of
from twinpix.errors import UsageError
from twinpix.fingerprints import Fingerprint, width_of
from twinpix.match import relation as relate
from twinpix.match.classes import is_low
from twinpix.match.join import notes_of
from twinpix.match.stages import tiers_of, verified
from twinpix.match.verifier import Seen, Verifier, eye_of
from twinpix.model import Failure, Relation, numbers
from twinpix.progress import Progress, ProgressLike, progress_of
from twinpix.search import Search
from twinpix.store import Store


class Hit(NamedTuple):
    """An image that is the same picture as the query."""

    path: str
    distance: float
    relation: Relation
    detail: str = ""  # the relation with its numbers, where the pixels were looked at
    agrees: float | None = None  # share of what both show on which the pixels agree


def query(
    image: Paths,
    paths: Paths | Iterable[Paths],
    options: Options | None = None,
    *,
    progress: ProgressLike = None,
    **changes: Any,
) -> tuple[list[Hit], list[Failure]]:
    """The images below `paths` within the radius of `image`, nearest first, and what could not be read.

    `image` itself, if it lies below `paths`, is not among them. Raises `UsageError` when `image` cannot
    be read.
    """
    options = Options.of(options, changes)
    progress = progress_of(progress)
    name, names = names_of(image)[0], names_of(paths)
    method = options.fingerprint()
    radius = options.radius_of(method)
    options.check_search(method)
    sources.require([name, *names])
    if os.path.isdir(name):
        raise UsageError(f"{name} is a folder: a query is one image")
    asked = replace(options, exclude=(), min_size=0).scan(progress, [name])
    listing = options.scan(progress, names)
    with options.opened(progress) as store:
        coder = options.coder(store, [method], progress)
        mine = gather(asked.refs, coder)
        if not len(mine.refs):
            failures = [*asked.failures, *coder.failures, *mine.failures]
            why = failures[0].error if failures else "not an image"
            raise UsageError(f"cannot use {name} as a query: {why}")
        images, _ = gather(listing.refs, coder).without_small(options.min_pixels)
        seen: dict[tuple[int, int], Seen] = {}
        lost: list[Failure] = []
        if options.looks_at_pixels(method):
            near, eye = _near_by_pixels(mine, images, method, radius, options, store, progress)
            seen = eye.seen
            lost = [*eye.failures, *(Failure(pair.b, "verify", pair.reason) for pair in eye.unverified)]
        else:
            search = Search(options.search)
            near = _near(mine, images, method, radius, options.guard, search)
            for note in notes_of(search, 0.0):
                progress.note(note)
        most = relate.most_of_identical(method)
        alike = [number for number, (gap, turn) in near.items() if turn == 0 and gap <= most]
        for group, numbers in ((images, alike), (mine, [0] if alike else [])):
            look_at_pixels(group, numbers, options, store, progress)

    question, own = mine.contents[0], mine.refs[0].stamp[:2]
    hits = []
    for file in images.files_where(np.isin(np.arange(len(images.contents)), list(near))):
        number = int(images.content[file])
        if images.refs[file].stamp[:2] != own:
            gap, turn = near[number]
            same = images.contents.digest(number) == mine.contents.digest(0)
            relation = relate.relation(method, question, images.contents[number], gap, turn, same_file=same)
            look = seen[0, number + 1].look if (0, number + 1) in seen else None
            if look and look.relation and not relation.startswith("identical"):
                hits.append(Hit(images.refs.uris[file], gap, look.relation, look.detail, look.agrees))
            else:
                hits.append(Hit(images.refs.uris[file], gap, relation))
    failures = sorted([*listing.failures, *coder.failures, *images.failures, *lost], key=lambda f: f.path)
    return sorted(hits, key=lambda hit: (hit.distance, hit.path)), failures


def _near_by_pixels(
    mine: Images,
    images: Images,
    method: Fingerprint,
    radius: float,
    options: Options,
    store: Store,
    progress: Progress,
) -> tuple[dict[int, tuple[float, int]], Verifier]:
    """Distance of the contents whose pixels agree with the query's, which is content 0 for the eye."""
    contents, width = images.contents, width_of(method)
    files = [mine.of_each()[0], *images.of_each()]
    eye = eye_of(files, method, radius, options, store, progress)
    near = _same(mine, images)
    low = is_low(contents) if options.guard else np.zeros(len(contents), dtype=bool)
    if len(contents):
        codes = np.concatenate([mine.contents.codes(width)[:1], contents.codes(width)])
        sides = np.zeros(1, np.int64), np.arange(1, len(codes))
        plain = np.concatenate([is_low(mine.contents)[:1] & options.guard, low])
        tiers = tiers_of(method, codes, radius, sides, plain)
        matches, said = verified(range(len(codes)), tiers, options.search, eye)
        for note in said.notes:
            progress.note(note)
        for number, gap in zip((matches.j - 1).tolist(), numbers(matches.distance), strict=True):
            near.setdefault(number, (gap, 0))
    return near, eye


def _same(mine: Images, images: Images) -> dict[int, tuple[float, int]]:
    """The contents that are the query's, byte for byte or pixel for pixel, as far as is known."""
    pixels, digest = mine.contents.pixels(0), mine.contents.digest(0)
    return {
        number: (0, 0)
        for number in range(len(images.contents))
        if images.contents.digest(number) == digest or (pixels and images.contents.pixels(number) == pixels)
    }


def _near(
    mine: Images, images: Images, method: Fingerprint, radius: float, guard: bool, search: Search
) -> dict[int, tuple[float, int]]:
    """Distance and turn of the contents that match the query: by code, or by identity where codes mean nothing."""
    contents, width = images.contents, width_of(method)
    if not len(contents):
        return {}
    near: dict[int, tuple[float, int]] = {}
    guarded = guard and method.metric != "identity"
    low = is_low(contents) if guarded else np.zeros(len(contents), dtype=bool)
    if not (guarded and is_low(mine.contents)[0]):
        codes = fingerprints.comparable(method, contents.codes(width))
        asked = fingerprints.comparable(method, mine.contents.codes(width))[:1, 0]
        _, at, distance = search.join(asked, codes.reshape(-1, codes.shape[2]), radius)
        for row, gap in zip(at.tolist(), numbers(distance), strict=True):
            number, turn = divmod(row, codes.shape[1])
            if not low[number]:
                near[number] = min(near.get(number, (gap, turn)), (gap, turn))
    return near | _same(mine, images)
