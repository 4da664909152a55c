"""`query`: find the copies of one image."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twinpix import sources
from twinpix.encoding.alterations import evidence_reader
from twinpix.encoding.encoder import Encoder
from twinpix.encoding.images import Images, digest_pixels, gather
from twinpix.encoding.methods import MatchSettings, settings_of
from twinpix.encoding.options import Options, Paths, names_of
from twinpix.encoding.session import Session, open_session, scan
from twinpix.errors import UsageError
from twinpix.fingerprints import Fingerprint, width_of
from twinpix.formats import claims_image
from twinpix.match.classes import is_low_detail
from twinpix.match.join import notes_of
from twinpix.match.relation import (
    correct_verdict,
    explain_no_encoding,
    is_encoding,
    most_of_identical,
    relation_by_evidence,
)
from twinpix.match.stages import candidate_stages, verify_candidates
from twinpix.match.verifier import PairVerdict, Verifier, verifier_of
from twinpix.model import IDENTICAL, ContentId, Failure, Ref, Relation, file_name, numbers
from twinpix.progress import ProgressLike, progress_of
from twinpix.search import Search
from twinpix.sources.given import Given, split_kinds, write_given
from twinpix.usecases.hits import Compared, Hit, hit_of, identical_rows, near_rows, sort_hits
from twinpix.versions import UNKNOWN


def query(
    image: Paths,
    paths: Paths | Iterable[Paths] | Iterable[tuple[object, object]],
    options: Options | None = None,
    *,
    progress: ProgressLike = None,
    **changes: Any,
) -> tuple[list[Hit], list[Failure]]:
    """Find the copies of one image.

    Args:
        image: Path of the image, or of an archive that holds only this image.
        paths: One or several folders and image files to search; or pairs of an id and an image, or a table in
            memory, as for `find`. `image` itself is not a result.
        options: Options of the run; the default ones if None.
        progress: As for `find`.
        **changes: Fields of `Options` that replace those in `options`.

    Returns:
        The copies, as `Hit` by increasing distance, and the images that could not be processed. A `Hit` has the id of
            its image, if a table (`table`, `id` of the options) or a pair gave one.

    Raises:
        UsageError: `image` cannot be read or is an archive of several images, a path does not exist, or an option is
            unknown or unsuitable.
        StoreError: `store` names a file that is no store of twinpix, or a store that cannot be used.
        WorkerError: The worker processes have ended and no more of them can be started.
        OutputError: The disk has no space for the temporary files of the search.

    Example:
        >>> hits, failures = twinpix.query("photos/beach.png", "photos", store=None)
        >>> [(hit.path, hit.relation) for hit in hits], failures
        ([('photos/beach.jpg', 're-encoded')], [])
    """
    options = Options.of(options, changes)
    named, in_memory = split_kinds(paths, options.column, options.id)
    if in_memory is not None:
        options = replace(options, column="", id="")
        with write_given(in_memory) as given:
            return _name_as_given(query(image, given.path, options, progress=progress), given)
    asked_for, names = names_of(image), names_of(named)
    if len(asked_for) != 1:
        raise UsageError(f"a query is one image, not {len(asked_for)}: call query once for each image")
    (name,) = asked_for
    settings = settings_of(options)
    sources.require([name, *names])
    if os.path.isdir(name):
        raise UsageError(f"{name} is a folder: a query is one image")
    with open_session(options, progress_of(progress)) as session:
        asked = scan(replace(options, exclude=(), min_size=0, table=None, id=""), session.progress, [name])
        _require_one_image(name, [uri for uri in asked.refs.uris if claims_image(file_name(uri))])
        listing = scan(options, session.progress, names, store=session.store)
        encoder = Encoder(session, [settings.method], options.decode, bool(options.transforms))
        mine = gather(asked.refs, encoder)
        if not len(mine.refs):
            failures = [*asked.failures, *encoder.failures, *mine.failures]
            why = failures[0].error if failures else sources.explain_no_image(name)
            raise UsageError(f"cannot use {name} as a query: {why}")
        _require_one_image(name, mine.refs.uris)
        images, _ = gather(listing.refs, encoder).without_small(options.min_pixels)
        near, seen, lost = _nearest(session, mine, images, settings, options)
        most = most_of_identical(settings.method)
        alike = [number for number, (gap, turn) in near.items() if turn == 0 and gap <= most]
        for group, numbers in ((images, alike), (mine, [_QUERY] if alike else [])):
            digest_pixels(session, group, numbers)
        hits = _by_evidence(session, mine, images, _hits(mine, images, near, seen, settings.method))
    hits = [hit._replace(id=listing.ids.get(hit.path, "")) for hit in hits]
    failures = sorted([*listing.failures, *encoder.failures, *images.failures, *lost], key=lambda f: f.path)
    return sort_hits(hits), failures


def _name_as_given(found: tuple[list[Hit], list[Failure]], given: Given) -> tuple[list[Hit], list[Failure]]:
    """Return the hits and failures in a temporary archive with the names of the images that the program gave."""
    hits = [(given.names[hit.path], hit) for hit in found[0]]
    failures = [replace(failure, path=given.names.get(failure.path, failure.path)) for failure in found[1]]
    return (
        sort_hits(hit._replace(path=name, id=given.ids[name]) for name, hit in hits),
        sorted([*given.failures, *failures], key=lambda failure: failure.path),
    )


def _require_one_image(name: str, images: Sequence[str]) -> None:
    """Raise `UsageError` for an archive of several images."""
    if len(images) > 1:
        how = f"name one of them as {sources.member_form(name)}"
        raise UsageError(f"{name} holds {len(images)} images, and a query is one image: {how}")


def _hits(
    mine: Images, images: Images, near: "NearContents", verdicts: "Verdicts", method: Fingerprint
) -> list[tuple[ContentId, Hit]]:
    """Return the files that match the query, except the query itself, each with its content."""
    question, own = mine.contents[_QUERY], mine.refs[0]
    hits = []
    for file in images.files_where(np.isin(np.arange(len(images.contents)), list(near))):
        number = images.content_of(file)
        if not _is_same_file(images.refs[file], own):
            uri, other = images.refs.uris[file], images.contents[number]
            same = images.contents.digest(number) == mine.contents.digest(_QUERY)
            hit = hit_of(method, uri, question, other, near[number], same_file=same)
            found = verdicts.get((_QUERY, _after_query(number)))
            if found and found.verdict.relation and hit.relation not in IDENTICAL:
                verdict = correct_verdict(found.verdict, explain_no_encoding(question, other))
                hit = hit._replace(relation=verdict.relation or "edited", detail=verdict.detail, agrees=verdict.agrees)
            hits.append((number, hit))
    return hits


def _by_evidence(session: Session, mine: Images, images: Images, hits: Sequence[tuple[ContentId, Hit]]) -> list[Hit]:
    """Return the hits; of those that were not verified, the pixels correct the relation, as in `find`."""
    wanted = sorted({number for number, hit in hits if hit.agrees is None and is_encoding(hit.relation)})
    if not wanted:
        return [hit for _, hit in hits]
    question, relations = mine.contents[_QUERY], dict[ContentId, Relation]()
    own, inferred = evidence_reader(session, mine)([_QUERY]).get(_QUERY), {number: hit.relation for number, hit in hits}
    read_evidence = evidence_reader(session, images)
    for at in range(0, len(wanted), _READ_AT_ONCE):
        some = wanted[at : at + _READ_AT_ONCE]
        evidence = read_evidence(some)
        for number in some:
            relations[number] = relation_by_evidence(
                inferred[number], own, evidence.get(number), question, images.contents[number]
            )
    return [hit._replace(relation=relations.get(number, hit.relation)) for number, hit in hits]


def _after_query(number: ContentId) -> ContentId:
    """Return the number that the verifier has for a content of the gallery."""
    return ContentId(number + 1)


def _is_same_file(a: Ref, b: Ref) -> bool:
    """True for two names of one file, as far as their versions show."""
    return a.version == b.version if a.version != UNKNOWN else os.path.abspath(a.uri) == os.path.abspath(b.uri)


_QUERY = ContentId(0)  # the query is its only content; for the verifier, those of the gallery follow it

_READ_AT_ONCE = 512  # contents that are compared with the query on the pixels together, 17 kB each

NearContents = dict[ContentId, tuple[float, int]]
"""Distance and orientation of the contents that match the query."""

Verdicts = Mapping[tuple[ContentId, ContentId], PairVerdict]
"""Verified pairs by the numbers that the verifier has for contents, the smaller one first."""


def _nearest(
    session: Session, mine: Images, images: Images, settings: MatchSettings, options: Options
) -> tuple[NearContents, Verdicts, list[Failure]]:
    """Return the contents that match the query, the verified pairs, and what could not be verified."""
    if settings.verified:
        near, verifier = _near_by_pixels(session, mine, images, settings, options)
        return (
            near,
            verifier.verdicts,
            [*verifier.failures, *(Failure(pair.b, "verify", pair.reason) for pair in verifier.unverified)],
        )
    search = Search(settings.search)
    near = _near_by_codes(mine, images, settings, options.guard, search)
    for note in notes_of(search, 0.0):
        session.progress.note(note)
    return near, {}, []


def _near_by_pixels(
    session: Session, mine: Images, images: Images, settings: MatchSettings, options: Options
) -> tuple[NearContents, Verifier]:
    """Return the contents that match the query on the pixels; the verifier numbers the query as content 0."""
    contents, width = images.contents, width_of(settings.method)
    verifier = verifier_of(session, [mine.of_each()[0], *images.of_each()], settings, options.transforms)
    near = _identical(mine, images)
    low = is_low_detail(contents) if options.guard else np.zeros(len(contents), dtype=bool)
    if len(contents):
        codes = np.concatenate([mine.contents.codes(width)[:1], contents.codes(width)])
        rows = np.zeros(1, np.int64), np.arange(1, len(codes))
        plain = np.concatenate([is_low_detail(mine.contents)[:1] & options.guard, low])
        stages = candidate_stages(settings, codes, rows, plain)
        matches, search_notes = verify_candidates(
            [ContentId(number) for number in range(len(codes))], stages, settings.search, verifier
        )
        for note in search_notes.notes:
            session.progress.note(note)
        for number, gap in zip(map(ContentId, (matches.j - 1).tolist()), numbers(matches.distance), strict=True):
            near.setdefault(number, (gap, 0))
    return near, verifier


def _identical(mine: Images, images: Images) -> NearContents:
    """Return the contents whose bytes or pixels are identical to the query's, as far as known."""
    every = ((images.contents.digest(number), images.contents.pixels(number)) for number in images.contents.numbers())
    rows = identical_rows((mine.contents.digest(_QUERY), mine.contents.pixels(_QUERY)), every)
    return {ContentId(row): (0, 0) for row in sorted(rows)}


def _near_by_codes(mine: Images, images: Images, settings: MatchSettings, guard: bool, search: Search) -> NearContents:
    """Return the contents that match the query by code, or by identity if it has too little texture."""
    width = width_of(settings.method)
    asked, gallery = (
        Compared(contents.codes(width), contents.column("detail_score"))
        for contents in (mine.contents, images.contents)
    )
    same = _identical(mine, images)
    near = near_rows(settings.method, asked, gallery, same, radius=settings.radius.value, guard=guard, search=search)
    return {ContentId(row): found for row, found in near.items()}
