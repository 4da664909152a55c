"""From matches to groups: which files can be grouped, the keeper, and the relation of every pair."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix import keep, linking
from twinpix.encoding.alterations import EvidenceReader, mark_alterations
from twinpix.encoding.images import Images
from twinpix.encoding.members import members_of
from twinpix.encoding.methods import MatchSettings
from twinpix.encoding.options import Options
from twinpix.fingerprints import Fingerprint
from twinpix.imaging.evidence import Evidence, has_other_colours
from twinpix.linking.base import Kind, is_allowed
from twinpix.match.join import Neighbours
from twinpix.match.pairs import MatchedPairs
from twinpix.match.relation import correct_verdict, explain_no_encoding, infer_relation, relation_by_evidence
from twinpix.match.representatives import MATCHES_LISTED
from twinpix.match.verifier import PairVerdict
from twinpix.model import DIGITS, IDENTICAL, ClassId, ContentId, FileRow, Group, Match, Member, Refs, relate_to_keeper
from twinpix.verify import Verdict

_READ_AT_ONCE = 512  # contents that are compared on the pixels together, 17 kB each
_READ_OF_ONE = 64  # contents of one group, the best ones by metadata: a fixed camera may have thousands in one group

Pair = tuple[FileRow, FileRow, float | None, int]
"""Two files, their distance, and the orientation of the second under which they match."""


def group(
    images: Images,
    pairs: MatchedPairs,
    settings: MatchSettings,
    options: Options,
    read_evidence: EvidenceReader | None = None,
) -> list[Group]:
    """Form groups by the linking rule; the keeper of each is first, groups are sorted by its path.

    Groups are linked in the order of metadata alone. Within each, the keep rules decide again with the relations of its
    pairs and, by `read_evidence`, the pixels. That keeper must match all other members, unless the rule forms chains.
    """
    linker, chain = linking.make(options.link), keep.make_chain(options.keep)
    classes, method = pairs.classes, settings.method
    near = Neighbours(pairs.matches, len(classes.codes))
    class_of = classes.of[images.content]
    linked = (np.bincount(class_of, minlength=len(classes.codes))[class_of] > 1) | near.has_any()[class_of]
    members = members_of(images, [FileRow(row) for row in np.flatnonzero(linked).tolist()])  # can be in a group
    order = sorted(members, key=lambda file: chain.key(members[file]))
    kinds = _kinds(images.refs, options.cross)
    conflicts = _conflicts(pairs)
    graph = linking.Graph(
        class_of.tolist(), kinds, near, lambda a, b: is_allowed(a, b, cross=options.cross), order, conflicts
    )
    found = sorted(linker.groups(graph), key=lambda files: images.refs.uris[files[0]])
    places = np.full(len(classes.codes), -1, np.int32)
    writer = _Grouper(
        *(
            images,
            class_of.tolist(),
            members,
            near,
            places,
            chain,
            method,
            pairs.verdicts,
            classes.first(),
            kinds,
            options.cross,
        ),
        chains=linking.chains(linker),
        left_out=pairs.left_out or {},
    )
    by_codes = not settings.verified  # else verification has named the relations
    reader = read_evidence if method.decodes and not method.by_equality and (chain.reads_pixels or by_codes) else None
    parts = writer.of_one_colour if by_codes and _is_strict(options) else _whole_group
    place = {file: at for at, file in enumerate(order)}
    found = [[files[0], *sorted(files[1:], key=place.__getitem__)] for files in found]
    most = None if by_codes else _READ_OF_ONE  # colours are part of the relation: all must be read
    groups = [
        writer.group(part, evidence)
        for files, evidence in _with_evidence(found, images, reader, most)
        for part in parts(files, evidence)
    ]
    groups.sort(key=lambda group: group.keeper)
    return [replace(group, id=number) for number, group in enumerate(groups, start=1)]


def _is_strict(options: Options) -> bool:
    """True for copies that differ only in their encoding."""
    asked = options.radius is None and options.precision is None
    return asked and options.strictness in ("exact", "strict")


def _whole_group(files: list[FileRow], evidence: Mapping[ContentId, Evidence]) -> list[list[FileRow]]:
    return [files]


def _with_evidence(
    found: Sequence[list[FileRow]], images: Images, read_evidence: EvidenceReader | None, most: int | None
) -> Iterator[tuple[list[FileRow], Mapping[ContentId, Evidence]]]:
    """Yield groups with the pixel evidence of their contents, if these differ; several groups are read together."""
    waiting: list[list[FileRow]] = []
    wanted: set[ContentId] = set()
    for at, files in enumerate(found, start=1):
        waiting.append(files)
        wanted |= _contents_to_read(images, files, most) if read_evidence else set()
        if len(wanted) >= _READ_AT_ONCE or at == len(found):
            evidence = read_evidence(wanted) if read_evidence and wanted else {}
            yield from ((each, evidence) for each in waiting)
            waiting, wanted = [], set()


def _contents_to_read(images: Images, files: Sequence[FileRow], most: int | None) -> set[ContentId]:
    """Return the contents of the best files, a limited number, unless all have the same pixels."""
    contents = list(dict.fromkeys(images.content[files].tolist()))
    pixels = {images.contents.pixels(number) for number in contents}
    same = len(contents) == 1 or (len(pixels) == 1 and None not in pixels)
    return set() if same else set(contents[:most])


def _conflicts(pairs: MatchedPairs) -> dict[ClassId, set[ClassId]]:
    """Return for each class the classes that verification found to be in conflict with it, without a third image."""
    out: dict[ClassId, set[ClassId]] = {}
    of: list[ClassId] = pairs.classes.of.tolist()
    for (a, b), verified in pairs.verdicts.items():
        if verified.verdict.conflict and of[a] != of[b]:
            out.setdefault(of[a], set()).add(of[b])
            out.setdefault(of[b], set()).add(of[a])
    return out


def _kinds(refs: Refs, cross: bool) -> list[Kind]:
    seen: dict[Kind, Kind] = {}  # one object for each kind, not for each file
    pairs = zip(refs.roots.tolist() if cross else [0] * len(refs), refs.references.tolist(), strict=True)
    return [seen.setdefault(kind, kind) for kind in pairs]


class _Grouper(NamedTuple):
    """Converts groups of files to groups of a report."""

    images: Images
    class_of: list[ClassId]  # of each file
    members: dict[FileRow, Member]
    near: Neighbours
    places: NDArray[np.int32]  # of each class in the current group; -1: not in it
    chain: keep.Chain
    method: Fingerprint
    verdicts: Mapping[tuple[ContentId, ContentId], PairVerdict]
    first: list[ContentId]  # the representative content of each class
    kinds: list[Kind]  # of each file
    cross: bool
    chains: bool  # whether members need not match the keeper
    left_out: Mapping[int, int]  # of each keeper's class, how many matches of its group are not listed

    def of_one_colour(self, files: list[FileRow], evidence: Mapping[ContentId, Evidence]) -> list[list[FileRow]]:
        """Split a group by colours: files with other colours than the best one form groups of their own.

        Every member of such a group matches its first one.
        """
        out, left = [], files
        while len(left) > 1:
            head, *others = left
            near = {self.class_of[head], *self.near.row(self.class_of[head])[0].tolist()}
            fits = [
                file
                for file in others
                if (self.chains or self.class_of[file] in near) and not self._has_other_colours(head, file, evidence)
            ]
            if fits:
                out.append([head, *fits])
            taken = set(fits)
            left = [file for file in others if file not in taken]
        return out

    def _has_other_colours(self, a: FileRow, b: FileRow, evidence: Mapping[ContentId, Evidence]) -> bool:
        x, y = (evidence.get(self.images.content_of(file)) for file in (a, b))
        return x is not None and y is not None and has_other_colours(x, y)

    def group(self, files: list[FileRow], evidence: Mapping[ContentId, Evidence]) -> Group:
        """Return the group of these files, of which the first matches all others; its number is assigned later."""
        made = self._make_group(files, evidence)
        content = self.images.content[files].tolist()
        if len(set(content)) == 1:  # the same file in several places
            return made
        place = {self.members[file].path: file for file in files}
        listed = [place[member.path] for member in made.members]
        changed = mark_alterations(made.members, made.matches, self.images.content[listed].tolist(), evidence)
        self.members.update(zip(listed, changed, strict=True))
        ordered = sorted(listed, key=lambda file: self.chain.key(self.members[file]))
        head = next((file for file in ordered if self.chains or self._matches_all(file, ordered)), listed[0])
        ordered = [head, *(file for file in ordered if file != head)]
        if ordered != listed:
            return self._make_group(ordered, evidence)
        keeper, *others = changed
        return replace(made, members=changed, **self.chain.explain(keeper, others)._asdict())

    def _matches_all(self, file: FileRow, files: Sequence[FileRow]) -> bool:
        near = {self.class_of[file], *self.near.row(self.class_of[file])[0].tolist()}
        return all(
            other == file
            or (self.class_of[other] in near and is_allowed(self.kinds[file], self.kinds[other], cross=self.cross))
            for other in files
        )

    def _make_group(self, files: list[FileRow], evidence: Mapping[ContentId, Evidence]) -> Group:
        keeper, *others = files
        others.sort(key=lambda file: self.chain.key(self.members[file]))
        direct = list(self._with_keeper(keeper, others))
        pairs, left_out = self._pairs(keeper, others, direct)
        matches = [self._match(*pair, evidence) for pair in direct]
        return Group(
            id=0,
            keeper=self.members[keeper].path,
            **self.chain.explain(self.members[keeper], [self.members[file] for file in others])._asdict(),
            members=relate_to_keeper(
                self.members[keeper].path, [self.members[file] for file in (keeper, *others)], matches
            ),
            matches=[*matches, *(self._match(*pair, evidence) for pair in pairs[len(direct) :])][: len(pairs)],
            matches_left_out=left_out
            + sum(self.left_out.get(class_, 0) for class_ in {self.class_of[file] for file in files}),
        )

    def _pairs(self, keeper: FileRow, others: list[FileRow], direct: list[Pair]) -> tuple[list[Pair], int]:
        """Return pairs of files, those with the keeper first, and how many more there are.

        Of the others, files of one class are paired with the first of them, and classes by their first files.
        """
        first = {self.class_of[keeper]: keeper}
        for file in others:
            first.setdefault(self.class_of[file], file)
        pairs = [*direct, *self._of_equals(first, keeper, others)]
        classes = list(first)
        self.places[classes] = np.arange(len(classes))
        left_out = 0
        for class_, file in first.items():
            if file == keeper:
                continue
            near, at = self.near.row(class_)
            later = self.places[near] > self.places[class_]
            if len(pairs) < MATCHES_LISTED:
                edges = self.near.edges_to(near[later], at[later])
                pairs += [(file, first[ClassId(other)], distance, turn) for other, distance, turn in edges]
            else:
                left_out += int(np.count_nonzero(later))
        self.places[classes] = -1
        return pairs[:MATCHES_LISTED], left_out + len(pairs[MATCHES_LISTED:])

    def _with_keeper(self, keeper: FileRow, others: list[FileRow]) -> Iterator[Pair]:
        own = self.class_of[keeper]
        edges: dict[ClassId, tuple[float | None, int]] = {
            own: (0, 0),
            **{ClassId(other): (gap, turn) for other, gap, turn in self.near.edges(own)},
        }
        for file in others:
            if self.class_of[file] in edges:
                yield keeper, file, *edges[self.class_of[file]]

    def _of_equals(self, first: Mapping[ClassId, FileRow], keeper: FileRow, others: list[FileRow]) -> Iterator[Pair]:
        for file in others:
            head = first[self.class_of[file]]
            if head not in (file, keeper):
                yield head, file, 0, 0

    def _match(
        self, a: FileRow, b: FileRow, distance: float | None, turn: int, evidence: Mapping[ContentId, Evidence]
    ) -> Match:
        x, y = self.images.content_of(a), self.images.content_of(b)
        contents, uris = self.images.contents, self.images.refs.uris
        first, second = contents[x], contents[y]
        name = infer_relation(self.method, first, second, distance, turn, same_file=x == y)
        of_a, of_b = evidence.get(x), evidence.get(y)
        same_code = self.class_of[a] == self.class_of[b]
        if not same_code:
            x, y = self.first[self.class_of[a]], self.first[self.class_of[b]]
        verified = self.verdicts.get((min(x, y), max(x, y)))
        if verified is None or name in IDENTICAL:
            name = relation_by_evidence(name, of_a, of_b, first, second)
            why = explain_no_encoding(first, second) if name == "edited" else ""
            detail = f"edited: {why}" if why else ""
            return Match(uris[a], uris[b], distance, name, detail, same_code=same_code, back=detail)
        verdict = correct_verdict(
            verified.verdict if x < y else verified.verdict.swap_images(), explain_no_encoding(first, second)
        )
        return _match(uris[a], uris[b], distance, verdict, verified.stage, same_code=same_code)


def _match(a: str, b: str, distance: float | None, verdict: Verdict, tier: str, *, same_code: bool) -> Match:
    """A verified pair."""
    relation, agrees = verdict.relation or "edited", round(verdict.agrees, DIGITS)
    detail, inliers, back = verdict.detail, verdict.inliers, verdict.back
    return Match(
        a, b, distance, relation, detail, tier, agrees, inliers, same_code=same_code, back=back, borders=verdict.borders
    )


def scenes(images: Images, pairs: MatchedPairs, method: Fingerprint) -> list[Match]:
    """Return pairs of one scene that are not copies, by their first files; the distance is a share, or unknown."""
    first, out = images.first(), []
    for (i, j), verified in sorted(pairs.verdicts.items()):
        if verified.verdict.relation == "similar-scene":
            a, b = images.refs.uris[first[i]], images.refs.uris[first[j]]
            gap = round(1 - verified.verdict.agrees, DIGITS) if method.proposes else None
            one = _match(a, b, gap, verified.verdict, verified.stage, same_code=False)
            out.append(one if first[i] < first[j] else one.swap_images())
    return sorted(out, key=lambda match: (match.a, match.b))
