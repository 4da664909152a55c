"""`find`: from paths to a report. Reads the user's files and changes none of them."""

import os
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from operator import eq
from typing import Any, NamedTuple, overload

import numpy as np

from twinpix import keep, linking, plugins, sources
from twinpix.encoding.alterations import evidence_reader
from twinpix.encoding.encoder import Encoder
from twinpix.encoding.images import Images, digest_pixels, gather
from twinpix.encoding.methods import MatchSettings, settings_of
from twinpix.encoding.options import Options, Paths, names_of
from twinpix.encoding.session import open_session, scan
from twinpix.errors import UsageError
from twinpix.fingerprints import Fingerprint
from twinpix.group import undecoded
from twinpix.group.groups import group, scenes
from twinpix.logs import logger
from twinpix.match import exclusions
from twinpix.match.classes import CodeClasses, is_low_detail
from twinpix.match.pairs import MatchedPairs, match_pairs
from twinpix.match.relation import most_of_identical
from twinpix.model import ContentId, Counts, Failure, FileRow, Group, Guarded, Match, Matches, Report, Unique
from twinpix.progress import ProgressLike, progress_of
from twinpix.report import describe_low_detail
from twinpix.sources import bit_rot
from twinpix.sources.credentials import show_url
from twinpix.sources.given import Given, split_kinds, write_given
from twinpix.sources.uris import file_of
from twinpix.text import plural, printable


def find(
    paths: Paths | Iterable[Paths] | Iterable[tuple[object, object]],
    options: Options | None = None,
    *,
    listed: Paths | Iterable[Paths] = (),
    progress: ProgressLike = None,
    **changes: Any,
) -> Report:
    """Find groups of images that are copies of each other. Reads files and changes none of them.

    The report does not depend on the order of the files or the number of workers.

    Args:
        paths: One or several folders, image files, archives, tables of images, and URLs of these; or pairs of an id
            and an image (bytes, Pillow image or array), which the report names `memory://ID`; or a
            `datasets.Dataset`, a pandas or polars data frame or an Arrow table, whose images are in the column
            `column` of the options ("image") and whose ids are the numbers of the rows or the column `id`.
        options: Options of the run; the default ones if None.
        listed: Further image files. A file that does not exist is reported as a failure, not raised.
        progress: True for a display on stderr, a function of (stage, done, total), or tqdm.
        **changes: Fields of `Options` that replace those in `options`.

    Returns:
        The groups with keepers and relations, and each image that could not be processed, with stage and reason.

    Raises:
        UsageError: A path does not exist, or an option is unknown or unsuitable.
        StoreError: `store` names a file that is no store of twinpix, or a store that cannot be used.
        WorkerError: The worker processes have ended and no more of them can be started.
        OutputError: The disk has no space for the temporary files of the search.

    Example:
        >>> report = twinpix.find("photos", store=None)
        >>> [(group.keeper, [member.path for member in group.discards]) for group in report.groups]
        [('photos/beach.png', ['photos/beach.jpg'])]
    """
    options = Options.of(options, changes)
    named, in_memory = split_kinds(paths, options.column, options.id)
    if in_memory is not None:
        options = replace(options, column="", id="")
        with write_given(in_memory) as given:
            return _name_as_given(find(given.path, options, listed=listed, progress=progress), given)
    tables = [] if options.table is None else [show_url(os.fspath(options.table))]
    request = _Request(names_of(named), names_of(listed), names_of(options.reference), tables)
    settings = settings_of(options)
    linking.make(options.link), keep.make_chain(options.keep)  # so that errors in them are raised before the work
    request.check(options.cross)
    with open_session(options, progress_of(progress)) as session:
        listing = scan(options, session.progress, request.names, request.references, request.listed, session.store)
        encoder = Encoder(session, [settings.method], options.decode, bool(options.transforms))
        images, small = gather(listing.refs, encoder).without_small(options.min_pixels)
        excluded = exclusions.excluded_pairs(images.contents, session.store)
        read_evidence = evidence_reader(session, images)
        pairs = match_pairs(session, images, settings, excluded, options, read_evidence)
        digest_pixels(session, images, _maybe_identical(images, pairs, settings.method))
        with session.progress.stage("group"):
            groups = bit_rot.mark_damaged_pairs(group(images, pairs, settings, options, read_evidence))
            groups += _group_undecoded(listing, images, options, after=len(groups))
        failures = _failures(listing.failures, encoder.failures, images.failures, pairs.failures)
        notes = [*pairs.notes.notes, *session.store.notes, *_notes(listing, small, len(excluded))]
        return _report(request, listing, images, settings, pairs, groups, failures, notes, len(excluded), options)


class _Request(NamedTuple):
    """The paths and reference folders of a run."""

    names: list[str]
    listed: list[str]
    references: list[str]
    tables: list[str]

    def roots(self, located: Sequence[str]) -> list[str]:
        """Return the paths, then the table, then the folders of the listed files and of those that the table names."""
        folders = {os.path.dirname(file_of(name)) or os.curdir for name in (*self.listed, *located)}
        return [*self.names, *self.tables, *sorted(folders)]

    def check(self, cross: bool) -> None:
        """Raise `UsageError` for a path that does not exist, or if there are too few paths."""
        if not self.names and not self.listed and not self.tables:
            raise UsageError("name at least one folder or image")
        sources.require([*self.names, *self.references])
        if cross and len(self.names) + bool(self.listed or self.tables) < 2:
            raise UsageError("cross compares images of different paths: name at least two paths", field="cross")


# -- stages, in order ----------------------------------------------------------------------------------


def _maybe_identical(images: Images, pairs: MatchedPairs, method: Fingerprint) -> set[ContentId]:
    """Return contents whose pixels may be identical to another's, which only a full decode can show."""
    return _with_near_codes(images, pairs.classes, pairs.matches, method) | _find_re_encoded(images, pairs)


def _with_near_codes(images: Images, classes: CodeClasses, matches: Matches, method: Fingerprint) -> set[ContentId]:
    """Return contents of one size whose codes are so close that their pixels may be identical."""
    contents = images.contents
    width, height = contents.column("width"), contents.column("height")
    order, starts = classes.contents()
    may = (matches.turn == 0) & (matches.distance >= 0) & (matches.distance <= most_of_identical(method))
    near = zip(matches.i[may].tolist(), matches.j[may].tolist(), strict=True)
    crowded = np.flatnonzero((np.diff(starts) > 1) & ~classes.guarded).tolist() if not method.by_equality else []
    wanted: set[ContentId] = set()
    for i, j in [*near, *((class_, class_) for class_ in crowded)]:
        by_size: dict[tuple[int, int], set[ContentId]] = {}
        for class_ in {i, j}:
            for number in order[starts[class_] : starts[class_ + 1]].tolist():
                by_size.setdefault((int(width[number]), int(height[number])), set()).add(ContentId(number))
        for numbers in by_size.values():
            wanted |= numbers if len(numbers) > 1 else set()
    return wanted


def _find_re_encoded(images: Images, pairs: MatchedPairs) -> set[ContentId]:
    """Return contents of one size that verification called re-encoded, whose pixels may therefore be identical.

    Identical pixels need not agree completely, because the fast decodes of two formats differ.
    """
    width, height = images.contents.column("width"), images.contents.column("height")
    found = [ends for ends, verified in pairs.verdicts.items() if verified.verdict.relation == "re-encoded"]
    return {end for a, b in found if width[a] == width[b] and height[a] == height[b] for end in (a, b)}


def _list_guarded(images: Images, method: Fingerprint) -> list[Guarded]:
    by_keypoints = method.proposes
    why = f"too little texture (blank, flat or a smooth gradient): {describe_low_detail(by_keypoints)}"
    scores = images.contents.column("detail_score")
    return [
        Guarded(images.refs.uris[file], int(scores[images.content[file]]), why, by_keypoints)
        for file in images.files_where(is_low_detail(images.contents))
    ]


def _symlinks(groups: Sequence[Group], known: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the symbolic links to members of groups."""
    members = {member.path for group in groups for member in group.members} if known else set()
    return {path: names for path, names in known.items() if path in members}


def _uniques(images: Images, grouped: Collection[str]) -> "UniqueRows":
    """Return the images in no group, without references."""
    references = images.refs.references.tolist()
    rows = [row for row, uri in enumerate(images.refs.uris) if not references[row] and uri not in grouped]
    return UniqueRows(images, rows)


class UniqueRows(Sequence[Unique]):
    """A sequence that makes each row on access, because millions of rows would fill the memory."""

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
            return UniqueRows(self._images, self._rows[index])
        row = self._rows[index]
        refs, number = self._images.refs, self._images.content_of(FileRow(row))
        return Unique(
            refs.uris[row],
            int(refs.sizes[row]),
            int(refs.times[row]),
            self._images.contents.digest(number).hex(),
            int(refs.roots[row]),
        )


def _group_undecoded(listing: sources.Listing, images: Images, options: Options, *, after: int) -> list[Group]:
    """Return groups of identical undecodable files; none with `min_pixels`, because their size is unknown."""
    if options.min_pixels:
        return []
    chain = keep.make_chain(options.keep)
    return undecoded.identical(listing.refs, images.undecoded, chain, cross=options.cross, after=after)


def _failures(*parts: Sequence[Failure]) -> list[Failure]:
    """Return all failures by path and stage, and log each."""
    failures = sorted((failure for part in parts for failure in part), key=lambda f: (f.path, f.stage))
    for failure in failures:
        logger.warning("%s: cannot %s: %s", printable(failure.path), failure.stage, failure.error)
    return failures


def _notes(listing: sources.Listing, small: int, excluded: int) -> list[str]:
    """Return notes on what was excluded, and why."""
    notes = [f"{plural(excluded, 'pair')} not matched: marked as not duplicates"] * bool(excluded)
    notes += [*listing.notes, *left_out_notes(listing.left_out, small)]
    notes += [_links_note(listing.folder_links)] * bool(listing.folder_links)
    return notes + [_libraries_note(listing.libraries)] * bool(listing.libraries)


def left_out_notes(excluded: int, small: int) -> list[str]:
    """Return notes on what the user chose to exclude."""
    notes = [f"{plural(excluded, 'file or folder', 'files and folders')} excluded by name or size"] * bool(excluded)
    return notes + [f"{plural(small, 'image')} excluded by the number of pixels"] * bool(small)


def _links_note(count: int) -> str:
    what = "1 symbolic link to a folder was" if count == 1 else f"{count} symbolic links to folders were"
    return f"{what} not followed (--follow-links, in Python follow_links=True, follows them)"


def _libraries_note(count: int) -> str:
    what = "1 library of another program was" if count == 1 else f"{count} libraries of other programs were"
    return f"{what} not entered (name it to read it; its files are never changed)"


# -- the report ----------------------------------------------------------------------------------------


def _report(
    request: _Request,
    listing: sources.Listing,
    images: Images,
    settings: MatchSettings,
    pairs: MatchedPairs,
    groups: list[Group],
    failures: list[Failure],
    notes: list[str],
    excluded: int,
    options: Options,
) -> Report:
    method = settings.method
    logger.info("found: %s in %s", plural(len(groups), "group"), plural(len(images.refs), "image"))
    guarded = _list_guarded(images, method) if options.guard and not method.by_equality else []
    damaged = [images.refs.uris[file] for file in images.files_where(images.contents.column("damaged") > 0)]
    grouped = {member.path for group in groups for member in group.members}
    return Report(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        roots=request.roots(listing.located),
        base=os.getcwd(),
        spec=plugins.describe(method),
        radius=pairs.radius,
        link=options.link,
        counts=Counts(
            images=len(images.refs),
            unique=sum(uri not in grouped for uri in images.refs.uris),
            groups=len(groups),
            discards=sum(len(group.discards) for group in groups),
            failures=len(failures),
            damaged=len(damaged),
            guarded=len(guarded),
            other_files=listing.other_files + images.other_files,
            links=listing.links,
            bytes=int(images.refs.sizes.sum()),
            bytes_reclaimable=sum(group.bytes_reclaimable for group in groups),
            apart=excluded,
        ),
        groups=groups,
        failures=failures,
        guarded=guarded,
        damaged=damaged,
        keep=options.keep,
        decode=options.decode,
        transforms=method.proposes if options.transforms is None else options.transforms,
        notes=notes,
        references=request.references,
        cross=options.cross,
        search=pairs.notes.searches,
        unique=_uniques(images, grouped),
        verified=settings.verified,
        similar=scenes(images, pairs, method),
        unverified=pairs.unverified,
        unit=settings.radius.unit,
        symlinks=_symlinks(groups, listing.symlinks),
        ids=dict(listing.ids),
        table=listing.table,
    )


def _name_as_given(report: Report, given: Given) -> Report:
    """Return the report of a temporary archive with the names of the images that the program gave."""

    def name(path: str) -> str:
        return given.names.get(path, path)

    def named(matches: Iterable[Match]) -> list[Match]:
        return [replace(match, a=name(match.a), b=name(match.b)) for match in matches]

    failures = [*given.failures, *(replace(failure, path=name(failure.path)) for failure in report.failures)]
    return replace(
        report,
        roots=["memory://"],
        groups=[
            replace(
                group,
                keeper=name(group.keeper),
                members=[replace(member, path=name(member.path)) for member in group.members],
                matches=named(group.matches),
            )
            for group in report.groups
        ],
        counts=replace(report.counts, failures=len(failures)),
        failures=sorted(failures, key=lambda failure: failure.path),
        guarded=[replace(each, path=name(each.path)) for each in report.guarded],
        damaged=[name(path) for path in report.damaged],
        unique=[replace(each, path=name(each.path)) for each in report.unique or ()],
        similar=named(report.similar),
        unverified=[replace(pair, a=name(pair.a), b=name(pair.b)) for pair in report.unverified],
        ids=given.ids,
    )
