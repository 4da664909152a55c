"""`find`: from paths to a report. Reads the user's files and touches none."""

import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix import fingerprints, keep, linking, plugins, sources
from twinpix.errors import UsageError
from twinpix.fingerprints import INFORMATION_FLOOR, Fingerprint
from twinpix.linking.base import Kind
from twinpix.model import (
    Counts,
    Failure,
    Files,
    Group,
    Guarded,
    Match,
    Matches,
    Member,
    Report,
)
from twinpix.pipeline import relate
from twinpix.pipeline.coding import Coder
from twinpix.pipeline.contents import Contents
from twinpix.pipeline.matching import Neighbours, equal, match
from twinpix.pipeline.options import Options
from twinpix.pipeline.progress import Progress
from twinpix.store import Store

MATCHES_LISTED = 10_000  # of one group, in the report


@dataclass
class Images:
    """The readable files and the distinct contents they hold."""

    refs: Files
    content: NDArray[np.int64]  # number of each file's content
    contents: Contents
    failures: list[Failure]  # of files that were read, but not decoded or coded
    other_files: int  # that are no images

    def first(self) -> NDArray[np.int64]:
        """The first file of each content."""
        return np.unique(self.content, return_index=True)[1]


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
        progress.start("compare", len(images.contents))
        matches = _matches(images, method, radius, options)
        progress.finish()
        _look_at_pixels(images, matches, method, store, options, progress)
        notes = list(store.notes)

    near = Neighbours(matches, len(images.contents))
    members = _members(images, near)
    order = sorted(members, key=lambda file: chain.key(members[file]))
    kinds = _kinds(images.refs, options.cross)
    graph = linking.Graph(images.content.tolist(), kinds, near, lambda a, b: _allowed(a, b, options.cross), order)
    groups = [
        _group(number, files, images, members, near, chain, method)
        for number, files in enumerate(_in_order(linker.groups(graph), images), start=1)
    ]
    failures = sorted([*listing.failures, *coder.failures, *images.failures], key=lambda f: (f.path, f.stage))
    guarded = _guarded(images) if options.guard else []
    damaged = [images.refs.uris[file] for file in _files_where(images, images.contents.column("damaged") > 0)]
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
            bytes=int(images.refs.sizes.sum()),
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


def gather(refs: Files, coder: Coder) -> Images:
    """Code the files; gather those that are images, by content."""
    digests = coder.code(refs)
    failed = {failure.path for failure in coder.failures}
    rows, content = array("q"), array("q")
    contents, failures, other_files = Contents(), [], 0
    place: dict[bytes, int] = {}
    for row, digest in enumerate(digests):
        if not digest:
            other_files += refs.uris[row] not in failed
            continue
        number = place.get(digest)
        if number is None:
            result = coder.result(digest)
            if result.code is None:
                failures.append(Failure(refs.uris[row], result.stage, result.error))
                continue
            number = place[digest] = contents.add(digest, coder.take(digest))
        rows.append(row)
        content.append(number)
    return Images(refs.take(rows), np.array(content, dtype=np.int64), contents, failures, other_files)


def _matches(images: Images, method: Fingerprint, radius: int, options: Options) -> Matches:
    """Pairs of contents: by hash where it means something, by identity of pixels everywhere else."""
    contents = images.contents
    n = len(contents)
    low = _is_low(contents) if options.guard else np.zeros(n, dtype=bool)
    if method.metric == "identity":
        codes = contents.codes(method.bits // 8)
        by_code = equal([codes[number].tobytes() for number in range(n)])
    else:
        own = np.zeros(n, dtype=bool)
        own[images.content[~images.refs.references]] = True
        first, second = np.flatnonzero(~low & own), np.flatnonzero(~low & ~own)
        by_code = match(contents.codes(method.bits // 8), first, second, radius, options.search)
    by_pixels = equal([contents.pixels(number) if low[number] else None for number in range(n)])
    if not len(by_pixels):
        return by_code
    return Matches(
        *(np.concatenate([getattr(by_code, name), getattr(by_pixels, name)]) for name in ("i", "j", "distance", "turn"))
    )


def _is_low(contents: Contents) -> NDArray[np.bool_]:
    low: NDArray[np.bool_] = contents.column("information") < INFORMATION_FLOOR
    return low


def _look_at_pixels(
    images: Images, matches: Matches, method: Fingerprint, store: Store, options: Options, progress: Progress
) -> None:
    """Decode in full the few pairs whose pixels may well be identical, so that the report can say so."""
    if method.metric == "identity":
        return
    contents = images.contents
    i, j = matches.i, matches.j
    likely = (matches.turn == 0) & (matches.distance <= method.bits // 25)
    for name in ("width", "height"):
        likely &= contents.column(name)[i] == contents.column(name)[j]
    damaged = contents.column("damaged")
    wanted = np.unique(np.concatenate([i[likely], j[likely]])).tolist()
    chosen = [number for number in wanted if contents.pixels(number) is None and not damaged[number]]
    if not chosen:
        return
    coder = Coder(store, (fingerprints.make("pixels"),), "fast", False, options.workers, options.timeout, progress)
    digests = coder.code(images.refs.take(images.first()[chosen]))
    for number, digest in zip(chosen, digests, strict=True):
        if digest == contents.digest(number):  # else the file changed since: say nothing of its pixels
            contents.set_pixels(number, coder.result(digest).code)


def _members(images: Images, near: Neighbours) -> dict[int, Member]:
    """The files that can be in a group: with a copy, or with a match."""
    linked = (np.bincount(images.content, minlength=len(images.contents)) > 1) | near.has_any()
    out = {}
    for file in _files_where(images, linked):
        ref, number = images.refs[file], int(images.content[file])
        result = images.contents[number]
        out[file] = Member(
            path=ref.uri,
            size=ref.stamp.size,
            width=result.width,
            height=result.height,
            mtime_ns=ref.stamp.mtime_ns,
            digest=images.contents.digest(number).hex(),
            format=result.format,
            damaged=result.damaged,
            reference=ref.reference,
            link=ref.link,
            root=ref.root,
        )
    return out


def _files_where(images: Images, which: NDArray[np.bool_]) -> list[int]:
    """The files whose content is one of those marked."""
    files: list[int] = np.flatnonzero(which[images.content]).tolist()
    return files


def _kinds(refs: Files, cross: bool) -> list[Kind]:
    seen: dict[Kind, Kind] = {}  # one object a kind, not one a file
    pairs = zip(refs.roots.tolist() if cross else [0] * len(refs), refs.references.tolist(), strict=True)
    return [seen.setdefault(kind, kind) for kind in pairs]


def _allowed(a: Kind, b: Kind, cross: bool) -> bool:
    """Two references are never paired; with `cross`, nor are two files of one PATH."""
    return not (a[1] and b[1]) and (not cross or a[0] != b[0])


def _in_order(groups: list[list[int]], images: Images) -> list[list[int]]:
    return sorted(groups, key=lambda files: images.refs.uris[files[0]])


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
    uris = images.refs.uris
    first: dict[int, int] = {}
    out = []
    for file in files:
        number = int(images.content[file])
        if number in first:
            out.append(Match(uris[first[number]], uris[file], 0, "identical-file"))
        else:
            first[number] = file
    limit = method.radii["strict"] if method.metric == "hamming" else 0
    place = {number: at for at, number in enumerate(first)}
    for number in first:
        for other, distance, turn in near.edges(number):
            if place.get(other, -1) > place[number]:
                a, b = images.contents[number], images.contents[other]
                name = relate.relation(a, b, distance, turn, limit, relate.same_pixels(a, b))
                out.append(Match(uris[first[number]], uris[first[other]], distance, name))
    return out


def _guarded(images: Images) -> list[Guarded]:
    why = "little stands out of it (blank, flat or softly graded): matched only when identical"
    information = images.contents.column("information")
    return [
        Guarded(images.refs.uris[file], int(information[images.content[file]]), why)
        for file in _files_where(images, _is_low(images.contents))
    ]


def _links_note(count: int) -> str:
    what = "1 symbolic link to a folder was" if count == 1 else f"{count} symbolic links to folders were"
    return f"{what} not followed (--follow-links)"
