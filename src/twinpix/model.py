"""The types that all packages share. Imports nothing of twinpix but its errors."""

import importlib
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, NewType, overload

import numpy as np
from numpy.typing import NDArray

from twinpix.errors import SkipKind

SCHEMA = "twinpix.report/2"
SCHEMAS = ("twinpix.report/1", SCHEMA)
"""The schemas that can be read. The first one lacks `unit` and `same_code`: see `Report` and `Match`."""

Bytes2D = NDArray[np.uint8]  # codes, one row each
Relation = Literal[
    "identical-file",
    "identical-pixels",
    "re-encoded",
    "resized",
    "cropped",
    "padded",
    "rotated",
    "mirrored",
    "recoloured",
    "edited",
    "similar-scene",
]
"""How two images differ; images of a `similar-scene` are not copies, and are not grouped."""

Strictness = Literal["exact", "strict", "normal", "loose"]
Decode = Literal["fast", "reference"]
DistanceUnit = Literal["bits", "cosine", "share"]
"""The unit of a distance: bits, a cosine distance, or the share of the overlap that differs."""


DIGITS = 4  # decimals of a cosine distance


_URI = re.compile("[a-z][a-z0-9_]*://")


def is_uri(name: str) -> bool:
    """True for the URI of an image that is no file of its own, as `zip://MEMBER::FILE`: it is read, never changed."""
    return _URI.match(name) is not None


def located(base: str, name: str) -> str:
    """Return where the image of a report can be read: its path from the folder `base`, or its URI."""
    return name if is_uri(name) else os.path.join(base, name)  # noqa: PTH118 - a text, as given


FileRow = NewType("FileRow", int)
"""The number of a listed image: its row in `Refs`."""
ContentId = NewType("ContentId", int)
"""The number of a distinct content: its row in the content table."""
ClassId = NewType("ClassId", int)
"""The number of a class of contents that no search needs to tell apart: a node of the graph of matches."""


class Ref(NamedTuple):
    """Where one image can be read, and what says whether it changed since it was listed."""

    uri: str  # a path as its user wrote it, or the URI of a member of a container
    version: bytes  # 16 bytes, see `twinpix.versions`
    size: int  # bytes
    modified_ns: int = 0  # since 1970; 0 where its source does not say
    root: int = 0  # index of the PATH argument that it was found below
    reference: bool = False  # below --reference: read-only, never a discard
    link: bool = False  # reached through a symbolic link: never a discard


class Refs(Sequence[Ref]):
    """Listed images in columns; a `Ref` is made when one is asked for, since millions would fill the memory.

    `uris` are texts, `versions` `(n, 16)` uint8; `sizes` and `times` `(n,)` int64 (bytes, nanoseconds since 1970);
    `roots`, `references` and `links` `(n,)` with the fields of `Ref` of that meaning.
    """

    __slots__ = ("links", "references", "roots", "sizes", "times", "uris", "versions")

    def __init__(
        self,
        uris: Sequence[str],
        versions: NDArray[np.uint8],
        sizes: NDArray[np.int64],
        times: NDArray[np.int64],
        roots: NDArray[np.int32],
        references: NDArray[np.bool_],
        links: NDArray[np.bool_],
    ) -> None:
        self.uris, self.versions, self.sizes, self.times = uris, versions, sizes, times
        self.roots, self.references, self.links = roots, references, links

    def __len__(self) -> int:
        return len(self.uris)

    @overload
    def __getitem__(self, index: int) -> Ref: ...

    @overload
    def __getitem__(self, index: slice) -> "Refs": ...

    def __getitem__(self, index: int | slice) -> "Ref | Refs":
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        return Ref(
            self.uris[index],
            self.versions[index].tobytes(),
            int(self.sizes[index]),
            int(self.times[index]),
            int(self.roots[index]),
            bool(self.references[index]),
            bool(self.links[index]),
        )

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "Refs":
        """These images, in this order."""
        at = np.asarray(rows, dtype=np.int64)
        uris = [self.uris[row] for row in at.tolist()]
        return Refs(
            uris,
            *(self.versions[at], self.sizes[at], self.times[at]),
            *(self.roots[at], self.references[at], self.links[at]),
        )

    def with_roots(self, roots: NDArray[np.int32]) -> "Refs":
        """The same images, found below other PATH arguments."""
        return Refs(self.uris, self.versions, self.sizes, self.times, roots, self.references, self.links)


@dataclass(frozen=True, slots=True)
class Failure:
    """One image that could not be processed."""

    path: str
    stage: str  # list, read, decode, code, verify
    error: str


@dataclass(frozen=True, slots=True)
class Matches:
    """Accepted pairs in columns: indices i < j, distance, and orientation of j under which it matches i (0: unchanged).

    A match takes 13 bytes, because there may be tens of millions.
    """

    i: NDArray[np.int32]
    j: NDArray[np.int32]
    distance: NDArray[Any]  # int32 bits, or float32 cosine distances; UNKNOWN if the codes have no distance
    turn: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.i)

    def where(self, chosen: NDArray[Any]) -> "Matches":
        """Return the matches of a mask, or at these indices in this order."""
        return Matches(self.i[chosen], self.j[chosen], self.distance[chosen], self.turn[chosen])

    @classmethod
    def none(cls) -> "Matches":
        """Return no matches."""
        return cls.between(np.empty((0, 2), np.int64), np.empty(0, np.int32))

    @classmethod
    def between(cls, ends: NDArray[Any], distance: NDArray[Any]) -> "Matches":
        """Return matches of pairs `(n, 2)` without rotation or mirroring."""
        i, j = ends.astype(np.int32).T
        return cls(i, j, distance, np.zeros(len(ends), np.int8))

    @classmethod
    def joined(cls, parts: Sequence["Matches"]) -> "Matches":
        """Concatenate matches; copies nothing if only one part has any."""
        parts = [part for part in parts if len(part)] or list(parts[:1])
        if len(parts) == 1:
            return parts[0]
        columns = zip(*((part.i, part.j, part.distance, part.turn) for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


def numbers(distances: NDArray[Any]) -> list[float]:
    """Return distances as Python numbers: integers, or floats with four decimals."""
    values: list[float] = distances.tolist()
    return values if distances.dtype.kind == "i" else [round(value, DIGITS) for value in values]


UNKNOWN = -1
"""The distance in `Matches` of a pair that matches on the pixels and not by its codes; None in a `Match`."""


def known(distances: NDArray[Any]) -> list[float | None]:
    """Return the same as `numbers`, with None for unknown distances."""
    values = numbers(distances)
    return [None if value < 0 else value for value in values] if (distances < 0).any() else list(values)


def shown(distance: float) -> str:
    """Return a distance or radius as text: bits as integers, others with up to four decimals."""
    return f"{distance:.10g}" if distance % 1 == 0 or not math.isfinite(distance) else f"{distance:.4f}".rstrip("0")


@dataclass(frozen=True, slots=True)
class Traits:
    """Facts about a decoded image, for the keep rules."""

    frames: int = 1  # frames or pages
    video: bool = False  # a motion photo: the file also contains a video
    depth: int = 8  # bits per channel, as stored
    mode: str = ""  # channels as stored, in Pillow's names
    colour: bool | None = None  # False: grey, or shades of one hue; None: unknown
    palette: int = 0  # number of colours, if 256 or fewer and not lossily compressed; else 0
    alpha: bool = False  # at least one pixel is not opaque
    lossless: bool = False  # pixels are stored losslessly
    icc: str = ""  # name of the colour profile
    captured: str = ""  # capture time by EXIF: 2019-07-01T12:30:00.25
    exposure: str = ""  # by EXIF: 1/250 f/2.8 ISO100
    camera: str = ""  # maker and model, by EXIF
    gps: bool = False  # EXIF has a GPS position
    software: str = ""  # program by EXIF
    exif: int = 0  # number of EXIF tags that describe the image
    quality: int = 0  # of a JPEG, 1 to 100, estimated from its tables; 0: unknown
    subsampling: str = ""  # of a JPEG: 4:4:4, 4:2:2 or 4:2:0
    fault: str = ""  # defect of a readable file; "" for none


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a group."""

    path: str
    size: int  # bytes
    width: int
    height: int
    mtime_ns: int
    digest: str
    format: str = ""
    damaged: bool = False
    reference: bool = False
    link: bool = False
    root: int = 0
    frames: int = 1  # frames or pages
    traits: Traits | None = None  # None: not decoded, or written by an earlier version
    relation: Relation | None = None  # to the keeper; None: it is the keeper, or a transitive match
    distance: int | float | None = None  # to the keeper; None: as above
    altered: str = (
        ""  # alterations found by comparison with the group: padded, overlaid, blurred, enlarged, converted, …
    )

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def protected(self) -> bool:
        """True when this member may never be a discard."""
        return self.reference or self.link or is_uri(self.path)


@dataclass(frozen=True, slots=True)
class Match:
    """Two members of a group with their distance and relation."""

    a: str
    b: str
    distance: int | float | None  # in the unit of the report; shares and cosines with four decimals; None: not by codes
    relation: Relation
    detail: str = ""  # the relation with its parameters, if the pair was verified
    tier: str = ""  # the method that proposed the pair, if there are several
    agrees: float | None = None  # share of the overlap that agrees, 0 to 1; None: not verified
    points: int = 0  # number of inlier keypoints, if they were computed
    same_code: bool | None = None  # whether the codes are equal; as given, never derived from the type of `distance`

    def __post_init__(self) -> None:
        if self.same_code is None:  # reports of the first schema: 0 for equal codes, 0.0 for near ones
            same = isinstance(self.distance, int) and self.distance == 0
            object.__setattr__(self, "same_code", same and self.relation not in ("rotated", "mirrored"))


@dataclass(frozen=True, slots=True)
class Unverified:
    """A candidate pair that verification could not compare; it is not grouped."""

    a: str
    b: str
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """Copies of one image: the keeper first, then the others from best to worst."""

    id: int
    keeper: str
    reason: str
    members: list[Member]
    matches: list[Match]
    matches_left_out: int = 0  # number of matches that are not listed, in very large groups

    @property
    def discards(self) -> list[Member]:
        """The members that may go."""
        return [m for m in self.members if m.path != self.keeper and not m.protected]

    @property
    def bytes_reclaimable(self) -> int:
        return sum(m.size for m in self.discards)


@dataclass(frozen=True, slots=True)
class Guarded:
    """An image with too little detail for its hash to mean anything: matched only by identity."""

    path: str
    information: int
    reason: str
    by_keypoints: bool = False  # matched by its keypoints too


@dataclass(frozen=True, slots=True)
class Counts:
    """The totals of a report."""

    images: int = 0  # readable images, each file once
    unique: int = 0  # images in no group
    groups: int = 0
    discards: int = 0
    failures: int = 0
    damaged: int = 0
    guarded: int = 0
    other_files: int = 0  # neither an image nor named like one
    links: int = 0  # further names of counted files (hard links, symbolic links)
    bytes: int = 0  # of all readable images
    bytes_reclaimable: int = 0
    apart: int = 0  # pairs of contents that the user marked as not duplicates


@dataclass(frozen=True, slots=True)
class Unique:
    """An image that is in no group."""

    path: str
    size: int  # bytes
    mtime_ns: int
    digest: str
    root: int = 0


_NOT_SAID: Any = ""  # the unit in reports of the first schema


def _files() -> Any:
    """Load the module of reports at first use, because the types import nothing of twinpix."""
    return importlib.import_module("twinpix.report")


@dataclass(frozen=True, slots=True)
class Report:
    """The result of `find`; all commands and front ends exchange results in this form.

    Example:
        >>> report = twinpix.find("photos", store=None)
        >>> report.counts.images, report.counts.groups, report.counts.discards
        (3, 1, 1)
        >>> report.save("report.json")
        >>> twinpix.Report.load("report.json") == report
        True
    """

    created: str  # time in UTC, ISO 8601
    roots: list[str]  # the paths that were searched
    base: str  # absolute folder that relative paths start from
    spec: str  # method with its options
    radius: int | float  # largest distance of a match
    link: str  # linking rule
    counts: Counts
    groups: list[Group]
    failures: list[Failure]  # images that could not be processed
    guarded: list[Guarded] = field(default_factory=list)  # images with too little texture for a hash
    damaged: list[str] = field(default_factory=list)  # paths of images of which a part is missing
    keep: str = ""  # keep rules
    decode: str = "fast"  # fast or reference
    transforms: bool = False  # whether eight orientations were compared
    notes: list[str] = field(default_factory=list)  # what was excluded, and other remarks of the run
    references: list[str] = field(default_factory=list)  # folders whose images are never removed
    cross: bool = False  # whether only images of different paths were matched
    search: list[str] = field(default_factory=list)  # search back ends that ran, and why
    unique: Sequence[Unique] | None = None  # images in no group; None: not listed
    verified: bool = False  # whether matches were verified on the pixels
    similar: list[Match] = field(default_factory=list)  # pairs of one scene that are not copies; not grouped
    unverified: list[Unverified] = field(default_factory=list)  # pairs that verification could not compare
    unit: DistanceUnit = _NOT_SAID  # of all distances and the radius
    symlinks: dict[str, list[str]] = field(default_factory=dict)  # symbolic links to members, by member
    schema: str = SCHEMA

    def __post_init__(self) -> None:
        if self.unit == _NOT_SAID:  # reports of the first schema: a whole radius counts bits
            by_pixels = self.spec.partition(":")[0] in ("local", "cascade")
            unit = "bits" if isinstance(self.radius, int) else "share" if by_pixels else "cosine"
            object.__setattr__(self, "unit", unit)
        if self.unit == "bits":  # programs with one type of number write 10.0
            object.__setattr__(self, "radius", int(self.radius))

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the report as JSON, or in the format of the suffix (.csv, .txt).

        Raises `UsageError` if the file exists and is no report, unless `force` is given, and `OutputError` if it cannot
        be written.
        """
        _files().save(self, os.fspath(path), force=force)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Report":
        """Read a JSON report; raises `UsageError` if there is no such file, `ReportError` if it is no valid report."""
        found: Report = _files().read(os.fspath(path))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the contents of the JSON report: dictionaries, lists, strings and numbers."""
        plain: dict[str, Any] = _files().plain(self)
        return plain

    @property
    def in_bits(self) -> bool:
        """True if distances are numbers of bits."""
        return self.unit == "bits"


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Fingerprints of many images: `codes` is uint8 `(n, bytes)`, or `(n, 8, bytes)` with the eight orientations."""

    refs: Refs
    codes: NDArray[Any]
    spec: str
    failures: list[Failure]
    formats: list[str] = field(default_factory=list)  # of each image
    damaged: list[bool] = field(default_factory=list)  # whether part of it is missing
    sizes: list[tuple[int, int]] = field(default_factory=list)  # width and height
    digests: list[str] = field(default_factory=list)  # of the encoded files, in hexadecimal digits
    traits: list[Traits | None] = field(default_factory=list)  # None: not known


class Facts(NamedTuple):
    """What identifies a file, and what undo restores."""

    device: int
    inode: int
    size: int  # bytes
    mtime_ns: int
    atime_ns: int
    mode: int
    uid: int
    gid: int

    def is_same_file(self, other: "Facts") -> bool:
        """True if the file was not written to in between, as far as its stamp shows; renaming does not count."""
        return self[:4] == other[:4]


class Step(NamedTuple):
    """One operation on one file, with all that is needed to check and undo it."""

    number: int
    path: str  # absolute path of the file
    target: str  # path of the moved file or the copy; "" if the action has none
    facts: Facts
    digest: str  # of the file; "" if unknown (a companion file)
    keeper: str = ""  # the keeper of the file
    staged: str = ""  # start of its temporary names, in its folder; set by `apply`


class Unit(NamedTuple):
    """An image and its companion files: all of them are changed, or none."""

    group: int  # number of the group; 0: none
    steps: list[Step]
    match: Match | None = None  # with the keeper; None: a transitive match, or no duplicate
    reason: str = ""  # why an image that is no keeper is copied; "" if it needs no reason
    companions: int = 0  # how many of the steps, the last ones, are on companion files


class Skipped(NamedTuple):
    """A file that an action leaves alone, and why."""

    path: str
    reason: str
    group: int = 0
    refused: bool = False  # it was planned to be changed, and has changed or cannot be changed
    kind: SkipKind = SkipKind.OTHER


class Kept(NamedTuple):
    """A file of a group that stays, and why."""

    group: int
    path: str  # absolute
    reason: str
    facts: Facts
    digest: str
    companion: bool = False  # whether it is a companion file of a keeper


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of an action on the duplicates of a report, before they are applied.

    Example:
        >>> plan = twinpix.plan(twinpix.find("photos", store=None), "move:to=duplicates")
        >>> len(plan.steps), plan.bytes == os.path.getsize("photos/beach.jpg")
        (1, True)
    """

    action: str  # name of the action
    options: dict[str, str]  # options of the action
    report: str  # path of the report; "" if unknown
    roots: list[str]  # absolute paths of the scanned folders
    references: list[str]  # absolute paths of the reference folders
    stays: list[Kept]  # files of groups that stay
    units: list[Unit]  # images with their companion files; the steps of a unit are done all or none
    left: list[Skipped]  # files that are left alone, with the reason
    already: int = 0  # number of images that an earlier run has processed
    unit: DistanceUnit = "bits"  # of the distances in `Unit.match`

    @property
    def steps(self) -> list[Step]:
        return [step for unit in self.units for step in unit.steps]

    @property
    def bytes(self) -> int:
        return sum(step.facts.size for step in self.steps)


def related(members: Sequence[Member], matches: Iterable[Match]) -> list[Member]:
    """The members of a group, the keeper first, with the relation and distance to it, where they match it directly."""
    keeper, *others = members
    pairs = {match.b: match for match in matches if match.a == keeper.path}
    out = [replace(keeper, relation=None, distance=None)]
    for member in others:
        pair = pairs.get(member.path)
        relation, distance = (pair.relation, pair.distance) if pair else (None, None)
        out.append(replace(member, relation=relation, distance=distance))
    return out
