"""From contents to nodes and their matches: by codes alone, or verified on the pixels."""

import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix import keep
from twinpix.encoding.alterations import Looking
from twinpix.encoding.images import Images
from twinpix.encoding.methods import MatchSettings
from twinpix.encoding.options import Options
from twinpix.encoding.session import Session
from twinpix.match import exclusions, hash_candidates, stages
from twinpix.match.calibrate import calibrated
from twinpix.match.classes import Nodes, nodes_of
from twinpix.match.join import Said, match
from twinpix.match.leaders import Rank
from twinpix.match.ranks import ranks_of
from twinpix.match.representatives import MATCHES_LISTED, MOST, Without, clusters
from twinpix.match.verifier import Seen, Verifier, verifier_of
from twinpix.model import Failure, Matches, Unverified
from twinpix.progress import Shares
from twinpix.search import Search, TooManyError
from twinpix.text import plural

_RANKED = 50_000  # nodes whose files are described together


@dataclass(frozen=True, slots=True)
class Paired:
    """Nodes and their matches."""

    nodes: Nodes
    matches: Matches
    seen: Mapping[tuple[int, int], Seen]  # verified pairs of contents, copies or not
    said: Said
    radius: float
    failures: list[Failure] = field(default_factory=list)  # of files that could not be read for verification
    unverified: list[Unverified] = field(default_factory=list)
    left_out: Mapping[int, int] | None = None  # None: `matches` has all; else see `Clusters`


def paired(
    session: Session,
    images: Images,
    settings: MatchSettings,
    apart: exclusions.Pairs,
    options: Options,
    look: Looking | None = None,
) -> Paired:
    """Return the matches of all contents without the pairs in `apart`, of which each content has its own node.

    `look` finds the pairs that codes alone do not decide; they are verified, unless the user turned verification off.
    """
    method = settings.method
    if options.precision is None and not settings.verified:
        found = _by_codes(session, images, settings, apart, options)
        if look and options.verify is None and not method.by_equality:
            eye = verifier_of(session, images.of_each(), settings, options.transforms)
            found = _with_candidates_verified(found, images, settings, apart, options, eye, look)
    else:
        eye = verifier_of(session, images.of_each(), settings, options.transforms)
        if options.precision is None:
            found = _by_pixels(images, settings, apart, options, eye)
        else:
            found = _calibrated(images, settings, options.precision, apart, options, eye)
    if not apart or found.left_out is not None:
        return found
    nodes = found.nodes
    equal = exclusions.between_equals(nodes, all_of_them=method.by_equality)
    matches = exclusions.without(Matches.joined([found.matches, equal]), nodes, apart)
    return replace(found, matches=matches)


def _by_codes(
    session: Session,
    images: Images,
    settings: MatchSettings,
    apart: exclusions.Pairs,
    options: Options,
    alone: Collection[int] = (),
) -> Paired:
    """Return the pairs whose codes match; each content in `alone` and in `apart` has a node of its own."""
    contents, method, radius = images.contents, settings.method, settings.radius.value
    with session.progress.stage("compare", len(contents)):
        nodes = nodes_of(contents, method, options.guard, {*alone, *exclusions.contents_of(apart)})
        if method.by_equality:  # the nodes are the result
            return Paired(nodes, Matches.none(), {}, Said([], []), radius)
        first, second = stages.detailed(_sides(images, nodes), nodes.guarded)
        codes = method.comparable(nodes.codes)
        rank = _rank(images, nodes, options) if options.link == "star" else None
        most = math.inf if rank is None else MOST
        tell = Shares(session.progress, len(contents), 2 if len(second) else 1)
        engine = Search(settings.search, tell, most)
        said, begun, left_out = Said([], []), time.monotonic(), None
        try:
            matches = match(codes, first, second, radius, engine)
        except TooManyError:
            assert rank is not None
            order = sorted(first.tolist(), key=_best_first(rank, first).__getitem__)
            matches, left_out = clusters(
                codes, order, radius, settings.search, MATCHES_LISTED, *_ruled_out(nodes, apart)
            )
        said.of(engine, time.monotonic() - begun)
        return Paired(nodes, matches, {}, said, radius, left_out=left_out)


def _with_candidates_verified(
    found: Paired,
    images: Images,
    settings: MatchSettings,
    apart: exclusions.Pairs,
    options: Options,
    eye: Verifier,
    look: Looking,
) -> Paired:
    pixels = hash_candidates.shown(images, found.nodes, found.matches, look)
    if unlike := stages.unlike_equals(found.nodes, eye, pixels.unlike):
        found = _by_codes(eye.session, images, settings, apart, options, alone=unlike)
    nodes, which = found.nodes, hash_candidates.candidates(found.nodes, found.matches, pixels, settings.method)
    rank = _rank(images, nodes, options) if found.left_out is None else None
    matches, left = hash_candidates.verified(nodes, found.matches, which, pixels, look, eye, rank)
    if left:
        found.said.notes.append(
            f"{plural(left, 'pair')} of similar images not verified and not matched: most closer pairs were not copies"
        )
    return replace(found, matches=matches, seen=eye.seen, failures=eye.failures, unverified=eye.unverified)


def _best_first(rank: Rank, nodes: NDArray[np.int64]) -> dict[int, Any]:
    """Return keys that sort nodes from the best to the worst."""
    keys: dict[int, Any] = {}
    for at in range(0, len(nodes), _RANKED):
        keys.update(rank(nodes[at : at + _RANKED].tolist()))
    return keys


def _ruled_out(nodes: Nodes, apart: exclusions.Pairs) -> tuple[Without, Matches]:
    """Return a filter for the pairs that the user marked as not duplicates, and the matches of equal codes."""

    def without(matches: Matches) -> Matches:
        return exclusions.without(matches, nodes, apart)

    return without, exclusions.between_equals(nodes, all_of_them=False) if apart else Matches.none()


def _by_pixels(
    images: Images, settings: MatchSettings, apart: exclusions.Pairs, options: Options, eye: Verifier
) -> Paired:
    method = settings.method
    alone = set(exclusions.contents_of(apart))
    nodes = nodes_of(images.contents, method, options.guard, alone)
    if unlike := stages.unlike_equals(nodes, eye):
        nodes = nodes_of(images.contents, method, options.guard, alone | unlike)
    proposing = stages.tiers_of(settings, nodes.codes, _sides(images, nodes), nodes.guarded)
    matches, said = stages.verified(nodes.first(), proposing, settings.search, eye, _rank(images, nodes, options))
    return Paired(nodes, matches, eye.seen, said, settings.radius.value, eye.failures, eye.unverified)


def _calibrated(
    images: Images,
    settings: MatchSettings,
    precision: float,
    apart: exclusions.Pairs,
    options: Options,
    eye: Verifier,
) -> Paired:
    """Return the matches within the radius whose estimated precision is at least the given one."""
    method = settings.method
    nodes = nodes_of(images.contents, method, options.guard, exclusions.contents_of(apart))
    rows = stages.detailed(_sides(images, nodes), nodes.guarded)
    found = calibrated(nodes, method, rows, precision, settings.search, eye)
    settings = replace(settings, radius=settings.radius._replace(value=found.radius))
    if settings.verified:  # verified pairs are not verified again
        out = _by_pixels(images, settings, apart, options, eye)
    else:
        out = _by_codes(eye.session, images, settings, apart, options)
    out.said.notes.insert(0, str(found))
    return replace(out, failures=eye.failures, unverified=eye.unverified)


def _rank(images: Images, nodes: Nodes, options: Options) -> Rank | None:
    """Return the rank of nodes, if a group is defined by its best member and any image may be in it; else None."""
    if options.link == "complete" or options.cross or images.refs.references.any():
        return None
    return partial(ranks_of, images, nodes, keep.make_chain(options.keep))


def _sides(images: Images, nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the nodes that are compared with each other, and those that only references have."""
    own = np.zeros(len(nodes.codes), dtype=bool)
    own[nodes.of[images.content[~images.refs.references]]] = True
    return np.flatnonzero(own), np.flatnonzero(~own)
