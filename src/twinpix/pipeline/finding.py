"""`find`: from paths to a report. Reads the user's files and touches none."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from twinpix import fingerprints, keep, linking, plugins, sources
from twinpix.errors import UsageError
from twinpix.fingerprints import INFORMATION_FLOOR, Fingerprint
from twinpix.linking.base import Kind
from twinpix.model import (
    Bytes2D,
    Counts,
    Failure,
    Group,
    Guarded,
    ImageRef,
    Match,
    Matches,
    Member,
    Relation,
    Report,
)
from twinpix.pipeline import relate
from twinpix.pipeline.coding import Coder
from twinpix.pipeline.matching import Neighbours, equal, match
from twinpix.pipeline.options import Options
from twinpix.pipeline.progress import Progress
from twinpix.store import Result, Store

MATCHES_LISTED = 10_000  # of one group, in the report


@dataclass
class Images:
    """The readable files and the distinct contents they hold."""

    refs: list[ImageRef]
    content: list[int]  # of each file
    digests: list[bytes]  # of each content
    results: list[Result]
    first: list[int]  # a file that holds it
    failures: list[Failure]  # of files that were read, but not decoded or coded
    other_files: int = 0  # that are no images

    def codes(self, method: Fingerprint) -> Bytes2D:
        """`(contents, turns, bytes)`."""
        width = method.bits // 8
        joined = b"".join(result.code or b"" for result in self.results)
        flat = np.frombuffer(joined, dtype=np.uint8)
        return flat.reshape(len(self.results), -1, width) if len(flat) else np.empty((0, 1, width), np.uint8)


def find(
    paths: Sequence[str | os.PathLike[str]],
    options: Options | None = None,
    *,
    listed: bool = False,
    progress: Progress | None = None,
    **changes: Any,
) -> Report:
    """Find the groups of images that are the same picture below `paths` (folders and files).

    With `listed`, a path that is not there is a failure like any other. `changes` are fields of `Options`.
    The same files give the same report, whatever their order and the number of workers. An image that
    cannot be read is a failure in the report, never an exception.
    Raises `UsageError` for a path that is not there or an option that does not fit.
    """
    options = replace(options or Options(), **changes)
    progress = progress or Progress()
    names = [os.fspath(path) for path in paths]
    method, linker, chain = options.fingerprint(), linking.make(options.link), keep.make_chain(options.keep)
    radius = options.radius_of(method)
    _check_paths(names, options, listed)

    progress.start("list", 0)
    listing = sources.scan(
        names,
        options.reference,
        recursive=options.recursive,
        hidden=options.hidden,
        follow_links=options.follow_links,
    )
    progress.finish()
    with opened(options, progress) as store:
        coder = Coder(store, (method,), options.decode, options.transforms, options.workers, options.timeout, progress)
        images = gather(listing.refs, coder)
        progress.start("compare", len(images.digests))
        matches = _matches(images, method, radius, options)
        progress.finish()
        _look_at_pixels(images, matches, method, store, options, progress)
        notes = list(store.notes)

    near = Neighbours(matches, len(images.digests))
    members = _members(images, near)
    order = sorted(members, key=lambda file: chain.key(members[file]))
    kinds = [_kind(ref, options.cross) for ref in images.refs]
    graph = linking.Graph(images.content, kinds, near, lambda a, b: _allowed(a, b, options.cross), order)
    groups = [
        _group(number, files, images, members, near, chain, method)
        for number, files in enumerate(_in_order(linker.groups(graph), images), start=1)
    ]
    failures = sorted([*listing.failures, *coder.failures, *images.failures], key=lambda f: (f.path, f.stage))
    guarded = _guarded(images) if options.guard else []
    damaged = [ref.uri for ref, c in zip(images.refs, images.content, strict=True) if images.results[c].damaged]
    if listing.folder_links:
        notes.append(_links_note(listing.folder_links))
    return Report(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        roots=names,
        base=os.getcwd(),
        spec=plugins.describe(method),
        radius=radius,
        link=options.link,
        counts=Counts(
            images=len(images.refs),
            unique=len(images.refs) - sum(len(group.members) for group in groups),
            groups=len(groups),
            discards=sum(len(group.discards) for group in groups),
            failures=len(failures),
            damaged=len(damaged),
            guarded=len(guarded),
            other_files=listing.other_files + images.other_files,
            links=listing.links,
            bytes=sum(ref.stamp.size for ref in images.refs),
            bytes_reclaimable=sum(group.bytes_reclaimable for group in groups),
        ),
        groups=groups,
        failures=failures,
        guarded=guarded,
        damaged=damaged,
        keep=options.keep,
        decode=options.decode,
        transforms=options.transforms,
        notes=notes,
    )


# -- stages, in order ----------------------------------------------------------------------------------


def _check_paths(names: Sequence[str], options: Options, listed: bool) -> None:
    if not names:
        raise UsageError("name at least one folder or image")
    sources.require([*(() if listed else names), *options.reference])
    if options.cross and len(names) < 2:
        raise UsageError("--cross compares between PATHs: name at least two")


@contextmanager
def opened(options: Options, progress: Progress) -> Iterator[Store]:
    """The store for the time of a run: what it has to say is said, what was computed is kept."""
    store = options.open_store()
    try:
        yield store
    finally:
        for note in store.notes:
            progress.note(note)
        store.close()


def gather(refs: list[ImageRef], coder: Coder) -> Images:
    """Code the files; gather those that are images, by content."""
    digests = coder.code(refs)
    failed = {failure.path for failure in coder.failures}
    images = Images([], [], [], [], [], [])
    place: dict[bytes, int] = {}
    for ref, digest in zip(refs, digests, strict=True):
        if not digest:
            images.other_files += ref.uri not in failed
            continue
        result = coder.result(digest)
        if result.code is None:
            images.failures.append(Failure(ref.uri, result.stage, result.error))
            continue
        number = place.setdefault(digest, len(images.digests))
        if number == len(images.digests):
            images.digests.append(digest)
            images.results.append(result)
            images.first.append(len(images.refs))
        images.refs.append(ref)
        images.content.append(number)
    coder.forget()
    return images


def _matches(images: Images, method: Fingerprint, radius: int, options: Options) -> Matches:
    """Pairs of contents: by hash where it means something, by identity of pixels everywhere else."""
    reference_only = np.ones(len(images.digests), dtype=bool)
    for ref, content in zip(images.refs, images.content, strict=True):
        reference_only[content] &= ref.reference
    low = np.array([_is_low(result) and options.guard for result in images.results], dtype=bool)
    if method.metric == "identity":
        by_code = equal([result.code for result in images.results])
    else:
        first, second = np.flatnonzero(~low & ~reference_only), np.flatnonzero(~low & reference_only)
        by_code = match(images.codes(method), first, second, radius, options.search)
    by_pixels = equal([result.pixels if low[n] else None for n, result in enumerate(images.results)])
    if not len(by_pixels):
        return by_code
    return Matches(
        *(np.concatenate([getattr(by_code, name), getattr(by_pixels, name)]) for name in ("i", "j", "distance", "turn"))
    )


def _is_low(result: Result) -> bool:
    return result.information < INFORMATION_FLOOR


def _look_at_pixels(
    images: Images, matches: Matches, method: Fingerprint, store: Store, options: Options, progress: Progress
) -> None:
    """Decode in full the few pairs whose pixels may well be identical, so that the report can say so."""
    if method.metric == "identity":
        return
    results = images.results
    wanted = set()
    for i, j, distance, turn in zip(
        matches.i.tolist(), matches.j.tolist(), matches.distance.tolist(), matches.turn.tolist(), strict=True
    ):
        a, b = results[i], results[j]
        if turn == 0 and distance <= method.bits // 25 and (a.width, a.height) == (b.width, b.height):
            wanted |= {c for c in (i, j) if results[c].pixels is None and not results[c].damaged}
    if not wanted:
        return
    chosen = sorted(wanted)
    coder = Coder(store, (fingerprints.make("pixels"),), "fast", False, options.workers, options.timeout, progress)
    digests = coder.code([images.refs[images.first[content]] for content in chosen])
    for content, digest in zip(chosen, digests, strict=True):
        if digest == images.digests[content]:  # else the file changed since: say nothing of its pixels
            results[content] = results[content]._replace(pixels=coder.result(digest).code)


def _members(images: Images, near: Neighbours) -> dict[int, Member]:
    """The files that can be in a group: with a copy, or with a match."""
    copies = np.bincount(np.array(images.content, dtype=np.int64), minlength=len(images.digests))
    linked = [copies[c] > 1 or bool(near.get(c)) for c in range(len(images.digests))]
    out = {}
    for file, (ref, content) in enumerate(zip(images.refs, images.content, strict=True)):
        if linked[content]:
            result = images.results[content]
            out[file] = Member(
                path=ref.uri,
                size=ref.stamp.size,
                width=result.width,
                height=result.height,
                mtime_ns=ref.stamp.mtime_ns,
                digest=images.digests[content].hex(),
                format=result.format,
                damaged=result.damaged,
                reference=ref.reference,
                link=ref.link,
                root=ref.root,
            )
    return out


def _kind(ref: ImageRef, cross: bool) -> Kind:
    return (ref.root if cross else 0), ref.reference


def _allowed(a: Kind, b: Kind, cross: bool) -> bool:
    """Two references are never paired; with `cross`, nor are two files of one PATH."""
    return not (a[1] and b[1]) and (not cross or a[0] != b[0])


def _in_order(groups: list[list[int]], images: Images) -> list[list[int]]:
    return sorted(groups, key=lambda files: images.refs[files[0]].uri)


def _group(
    number: int,
    files: list[int],
    images: Images,
    members: dict[int, Member],
    near: Neighbours,
    chain: keep.Chain,
    method: Fingerprint,
) -> Group:
    keeper, *others = files
    others.sort(key=lambda file: chain.key(members[file]))
    matches = _group_matches([keeper, *others], images, near, method)
    return Group(
        id=number,
        keeper=members[keeper].path,
        reason=chain.reason(members[keeper], [members[file] for file in others]),
        members=[members[file] for file in (keeper, *others)],
        matches=matches[:MATCHES_LISTED],
        matches_left_out=max(0, len(matches) - MATCHES_LISTED),
    )


def _group_matches(files: list[int], images: Images, near: Neighbours, method: Fingerprint) -> list[Match]:
    """The pairs inside a group, the keeper's first: copies with the first of their kind, contents with each other."""
    first: dict[int, int] = {}
    out = []
    for file in files:
        content = images.content[file]
        if content in first:
            out.append(Match(images.refs[first[content]].uri, images.refs[file].uri, 0, "identical-file"))
        else:
            first[content] = file
    limit = method.radii["strict"] if method.metric == "hamming" else 0
    place = {content: at for at, content in enumerate(first)}
    for content in first:
        for other, distance, turn in near.edges(content):
            if place.get(other, -1) > place[content]:
                name = _relation(images, content, other, distance, turn, limit)
                out.append(Match(images.refs[first[content]].uri, images.refs[first[other]].uri, distance, name))
    return out


def _relation(images: Images, i: int, j: int, distance: int, turn: int, near: int) -> Relation:
    a, b = images.results[i], images.results[j]
    return relate.relation(a, b, distance, turn, near, relate.same_pixels(a, b))


def _guarded(images: Images) -> list[Guarded]:
    why = "little stands out of it (blank, flat or softly graded): matched only when identical"
    return [
        Guarded(ref.uri, images.results[content].information, why)
        for ref, content in zip(images.refs, images.content, strict=True)
        if _is_low(images.results[content])
    ]


def _links_note(count: int) -> str:
    what = "1 symbolic link to a folder was" if count == 1 else f"{count} symbolic links to folders were"
    return f"{what} not followed (--follow-links)"
