"""`find`: from paths to a report. Reads the user's files and touches none."""

import os
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import eq
from typing import Any, overload

import numpy as np

from twinpix import fingerprints, keep, linking, plugins, sources
from twinpix.encoding.alterations import looking
from twinpix.encoding.images import Images, gather, look_at_pixels
from twinpix.encoding.options import Options, Paths, names_of
from twinpix.errors import UsageError
from twinpix.fingerprints import Fingerprint
from twinpix.group import undecoded
from twinpix.group.groups import group, scenes
from twinpix.logs import logger
from twinpix.match import exclusions, relation
from twinpix.match.classes import Nodes, is_low
from twinpix.match.pairs import Paired, paired
from twinpix.model import Counts, Group, Guarded, Matches, Report, Stamp, Unique
from twinpix.progress import ProgressLike, progress_of
from twinpix.report import matched_only
from twinpix.sources import bit_rot
from twinpix.text import plural, printable

_SIZE, _MTIME = Stamp._fields.index("size"), Stamp._fields.index("mtime_ns")


def find(
    paths: Paths | Iterable[Paths],
    options: Options | None = None,
    *,
    listed: Paths | Iterable[Paths] = (),
    progress: ProgressLike = None,
    **changes: Any,
) -> Report:
    """Find the groups of images that are the same picture below `paths` (folders and files) and among `listed`.

    A path in `listed` that is not there is a failure like any other. `changes` are fields of `Options`.
    The same files give the same report, whatever their order and the number of workers. An image that
    cannot be read is a failure in the report, never an exception.
    Raises `UsageError` for a path that is not there or an option that does not fit.
    """
    options = Options.of(options, changes)
    progress = progress_of(progress)
    names, names_listed, references = names_of(paths), names_of(listed), names_of(options.reference)
    method = options.fingerprint()
    radius = options.radius_of(method)
    linking.make(options.link), keep.make_chain(options.keep)  # that they are wrong is said before the work
    options.check_search(method)
    options.looks_at_pixels(method)
    _check_paths(names, names_listed, references, options)

    listing = options.scan(progress, names, references, names_listed)
    with options.opened(progress) as store:
        coder = options.coder(store, [method], progress)
        images, small = gather(listing.refs, coder).without_small(options.min_pixels)
        apart = exclusions.known_apart(images.contents, store)
        look = looking(images, options, store, progress)
        pairs = paired(images, method, radius, apart, options, store, progress, look)
        nodes, matches = pairs.nodes, pairs.matches
        maybe = _alike(images, nodes, matches, method) | _named_re_encoded(images, pairs)
        look_at_pixels(images, maybe, options, store, progress)
        groups = bit_rot.noted(group(images, pairs, method, options, look))
        notes = [*pairs.said.notes, *store.notes]
    unique = len(images.refs) - sum(len(group.members) for group in groups)
    if not options.min_pixels:  # the size of what cannot be decoded is not known
        chain = keep.make_chain(options.keep)
        groups += undecoded.identical(listing.refs, images.undecoded, chain, cross=options.cross, after=len(groups))
    if apart:
        notes.append(f"{plural(len(apart), 'pair')} held apart: marked as not duplicates")

    failures = sorted(
        [*listing.failures, *coder.failures, *images.failures, *pairs.failures], key=lambda f: (f.path, f.stage)
    )
    for failure in failures:
        logger.warning("%s: cannot %s: %s", printable(failure.path), failure.stage, failure.error)
    logger.info("found: %s in %s", plural(len(groups), "group"), plural(len(images.refs), "image"))
    guarded = _guarded(images, method) if options.guard and method.metric != "identity" else []
    damaged = [images.refs.uris[file] for file in images.files_where(images.contents.column("damaged") > 0)]
    notes += left_out_notes(listing.left_out, small)
    if listing.folder_links:
        notes.append(_links_note(listing.folder_links))
    if listing.libraries:
        notes.append(_libraries_note(listing.libraries))
    return Report(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        roots=[*names, *sorted({os.path.dirname(name) or os.curdir for name in names_listed})],
        base=os.getcwd(),
        spec=plugins.describe(method),
        radius=pairs.radius,
        link=options.link,
        counts=Counts(
            images=len(images.refs),
            unique=unique,
            groups=len(groups),
            discards=sum(len(group.discards) for group in groups),
            failures=len(failures),
            damaged=len(damaged),
            guarded=len(guarded),
            other_files=listing.other_files + images.other_files,
            links=listing.links,
            bytes=int(images.refs.sizes.sum()),
            bytes_reclaimable=sum(group.bytes_reclaimable for group in groups),
            apart=len(apart),
        ),
        groups=groups,
        failures=failures,
        guarded=guarded,
        damaged=damaged,
        keep=options.keep,
        decode=options.decode,
        transforms=bool(options.transforms),
        notes=notes,
        references=references,
        cross=options.cross,
        search=pairs.said.searches,
        unique=_uniques(images, groups),
        verified=options.looks_at_pixels(method),
        similar=scenes(images, pairs, method),
        unverified=pairs.unverified,
        unit=options.unit_of(method),
        symlinks=_symlinks(groups, listing.symlinks),
    )


# -- stages, in order ----------------------------------------------------------------------------------


def _check_paths(names: Sequence[str], listed: Sequence[str], references: Sequence[str], options: Options) -> None:
    if not names and not listed:
        raise UsageError("name at least one folder or image")
    sources.require([*names, *references])
    if options.cross and len(names) + bool(listed) < 2:
        raise UsageError("--cross compares between PATHs: name at least two")


def _alike(images: Images, nodes: Nodes, matches: Matches, method: Fingerprint) -> set[int]:
    """Contents of one size whose codes are so near that their pixels may well be identical."""
    contents = images.contents
    width, height = contents.column("width"), contents.column("height")
    order, starts = nodes.contents()
    may = (matches.turn == 0) & (matches.distance >= 0) & (matches.distance <= relation.most_of_identical(method))
    near = zip(matches.i[may].tolist(), matches.j[may].tolist(), strict=True)
    crowded = np.flatnonzero((np.diff(starts) > 1) & ~nodes.guarded).tolist() if method.metric != "identity" else []
    wanted: set[int] = set()
    for i, j in [*near, *((node, node) for node in crowded)]:
        by_size: dict[tuple[int, int], set[int]] = {}
        for node in {i, j}:
            for number in order[starts[node] : starts[node + 1]].tolist():
                by_size.setdefault((int(width[number]), int(height[number])), set()).add(number)
        for numbers in by_size.values():
            wanted |= numbers if len(numbers) > 1 else set()
    return wanted


def _named_re_encoded(images: Images, pairs: Paired) -> set[int]:
    """Contents of one size between which verification saw nothing but encoding: identical pixels are named so.

    However much of two images with the same pixels agrees: fast decodes of two formats differ.
    """
    width, height = images.contents.column("width"), images.contents.column("height")
    found = [ends for ends, seen in pairs.seen.items() if seen.look.relation == "re-encoded"]
    return {end for a, b in found if width[a] == width[b] and height[a] == height[b] for end in (a, b)}


def _guarded(images: Images, method: Fingerprint) -> list[Guarded]:
    by_keypoints = fingerprints.by_pixels(method)
    why = f"little stands out of it (blank, flat or softly graded): {matched_only(by_keypoints)}"
    information = images.contents.column("information")
    return [
        Guarded(images.refs.uris[file], int(information[images.content[file]]), why, by_keypoints)
        for file in images.files_where(is_low(images.contents))
    ]


def _symlinks(groups: Sequence[Group], known: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The symbolic links to members of groups."""
    members = {member.path for group in groups for member in group.members} if known else set()
    return {path: names for path, names in known.items() if path in members}


def _uniques(images: Images, groups: Sequence[Group]) -> "Uniques":
    """The images in no group, references left out."""
    grouped = {member.path for group in groups for member in group.members}
    references = images.refs.references.tolist()
    rows = [row for row, uri in enumerate(images.refs.uris) if not references[row] and uri not in grouped]
    return Uniques(images, rows)


class Uniques(Sequence[Unique]):
    """A row is made when it is asked for, since millions would fill the memory."""

    def __init__(self, images: Images, rows: Sequence[int]) -> None:
        self._images, self._rows = images, array("q", rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, index: int) -> Unique: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Unique]: ...

    def __getitem__(self, index: int | slice) -> Unique | Sequence[Unique]:
        if isinstance(index, slice):
            return Uniques(self._images, self._rows[index])
        row = self._rows[index]
        refs, number = self._images.refs, int(self._images.content[row])
        stamp = refs.stamps[row]
        return Unique(
            refs.uris[row],
            int(stamp[_SIZE]),
            int(stamp[_MTIME]),
            self._images.contents.digest(number).hex(),
            int(refs.roots[row]),
        )


def left_out_notes(excluded: int, small: int) -> list[str]:
    """What the user chose to leave out, counted."""
    notes = [f"{plural(excluded, 'file or folder', 'files and folders')} left out (--exclude, --min-size)"] * bool(
        excluded
    )
    return notes + [f"{plural(small, 'image')} left out (--min-pixels)"] * bool(small)


def _links_note(count: int) -> str:
    what = "1 symbolic link to a folder was" if count == 1 else f"{count} symbolic links to folders were"
    return f"{what} not followed (--follow-links)"


def _libraries_note(count: int) -> str:
    what = "1 library of another program was" if count == 1 else f"{count} libraries of other programs were"
    return f"{what} not entered (name it to read it; its files are never changed)"
