"""The types that all packages share. Imports nothing of twinpix but its errors."""

import importlib
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from twinpix.errors import SkipKind

SCHEMA = "twinpix.report/2"
SCHEMAS = ("twinpix.report/1", SCHEMA)
"""The schemas that can be read. The first says neither `unit` nor `same_code`: see `Report` and `Match`."""

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
"""How two pictures are related; those of one scene are no copies, and in no group."""

Strictness = Literal["exact", "strict", "normal", "loose"]
Decode = Literal["fast", "reference"]
DistanceUnit = Literal["bits", "cosine", "share"]
"""What a distance counts: bits, a cosine distance, or the share of what two images have in common that differs."""


DIGITS = 4  # decimals of a cosine distance


_URI = re.compile("[a-z][a-z0-9_]*://")


def is_uri(name: str) -> bool:
    """True for the URI of an image that is no file of its own, as `zip://MEMBER::FILE`: it is read, never changed."""
    return _URI.match(name) is not None


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
    """One image that could not be read or coded."""

    path: str
    stage: str  # list, read, decode, code
    error: str


@dataclass(frozen=True, slots=True)
class Matches:
    """Accepted pairs, columnar: indices i < j, their distance, and which turn of j lies on i (0 = none).

    There may be tens of millions: of 13 bytes each.
    """

    i: NDArray[np.int32]
    j: NDArray[np.int32]
    distance: NDArray[Any]  # int32 bits, or float32 cosine distances; UNKNOWN where the codes say nothing of a pair
    turn: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.i)

    def where(self, chosen: NDArray[Any]) -> "Matches":
        """Some of them: those marked, or those at these places in this order."""
        return Matches(self.i[chosen], self.j[chosen], self.distance[chosen], self.turn[chosen])

    @classmethod
    def none(cls) -> "Matches":
        """No pairs."""
        return cls.between(np.empty((0, 2), np.int64), np.empty(0, np.int32))

    @classmethod
    def between(cls, ends: NDArray[Any], distance: NDArray[Any]) -> "Matches":
        """Pairs `(n, 2)` that lie on each other as they are."""
        i, j = ends.astype(np.int32).T
        return cls(i, j, distance, np.zeros(len(ends), np.int8))

    @classmethod
    def joined(cls, parts: Sequence["Matches"]) -> "Matches":
        """The pairs of several; no copy where only one has any."""
        parts = [part for part in parts if len(part)] or list(parts[:1])
        if len(parts) == 1:
            return parts[0]
        columns = zip(*((part.i, part.j, part.distance, part.turn) for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


def numbers(distances: NDArray[Any]) -> list[float]:
    """Distances as plain numbers: whole ones, or with the four decimals that they have."""
    values: list[float] = distances.tolist()
    return values if distances.dtype.kind == "i" else [round(value, DIGITS) for value in values]


UNKNOWN = -1
"""The distance, in `Matches`, of a pair that matches by its pixels and not by its codes: None in a `Match`."""


def known(distances: NDArray[Any]) -> list[float | None]:
    """The same as `numbers`, with None for those that are unknown."""
    values = numbers(distances)
    return [None if value < 0 else value for value in values] if (distances < 0).any() else list(values)


def shown(distance: float) -> str:
    """A distance or radius for people: bits as they are, others with their decimals."""
    return f"{distance:.10g}" if distance % 1 == 0 or not math.isfinite(distance) else f"{distance:.4f}".rstrip("0")


@dataclass(frozen=True, slots=True)
class Traits:
    """Facts of an image that are known once it is decoded; the keep rules compare them."""

    frames: int = 1  # frames or pages
    video: bool = False  # a motion photo: the file holds a video too
    depth: int = 8  # bits a channel, as stored
    mode: str = ""  # the channels as stored, by Pillow's names
    colour: bool | None = None  # False: grey, or grey in one tone; None: not looked at
    palette: int = 0  # how many colours there are, where they are 256 or fewer and not lossily compressed; else 0
    alpha: bool = False  # some pixel is not opaque
    lossless: bool = False  # the file stores its pixels exactly
    icc: str = ""  # the name of the colour profile
    captured: str = ""  # when it was taken, by EXIF: 2019-07-01T12:30:00.25
    exposure: str = ""  # by EXIF: 1/250 f/2.8 ISO100
    camera: str = ""  # maker and model, by EXIF
    gps: bool = False  # EXIF says where it was taken
    software: str = ""  # by EXIF
    exif: int = 0  # tags that describe the picture
    quality: int = 0  # of a JPEG, 1 to 100, estimated by its tables; 0: not known
    subsampling: str = ""  # of a JPEG: 4:4:4, 4:2:2 or 4:2:0
    fault: str = ""  # what is wrong with the file, though it can be read; "" for nothing


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a group, as the report shows it."""

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
    relation: Relation | None = None  # to the keeper; None: it is the keeper, or linked through another
    distance: int | float | None = None  # to the keeper; None: as above
    altered: str = ""  # what was done to it, as the group shows: padded, overlaid, blurred, enlarged, converted, …

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def protected(self) -> bool:
        """True when this member may never be a discard."""
        return self.reference or self.link or is_uri(self.path)


@dataclass(frozen=True, slots=True)
class Match:
    """Two members of a group, how far apart they are and how they are related."""

    a: str
    b: str
    distance: int | float | None  # in the report's unit; shares and cosines with four decimals; None: not by codes
    relation: Relation
    detail: str = ""  # the relation with its numbers, where the pixels were looked at
    tier: str = ""  # the method that proposed the pair, where there are several
    agrees: float | None = None  # share of what both show on which the pixels agree; None: not looked at
    points: int = 0  # that lie on each other, where they were needed
    same_code: bool | None = None  # no search need tell them apart; as given, never by the type of `distance`

    def __post_init__(self) -> None:
        if self.same_code is None:  # as reports of the first schema said it: 0 for equal codes, 0.0 for near ones
            same = isinstance(self.distance, int) and self.distance == 0
            object.__setattr__(self, "same_code", same and self.relation not in ("rotated", "mirrored"))


@dataclass(frozen=True, slots=True)
class Unverified:
    """Two images that a method proposed as a match and that verification could not compare: they are not joined."""

    a: str
    b: str
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """Images that are the same picture: the keeper first, then the others from best to least."""

    id: int
    keeper: str
    reason: str
    members: list[Member]
    matches: list[Match]
    matches_left_out: int = 0  # pairs found but not listed, in groups of very many members

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

    images: int = 0  # readable images, other names of one file left out
    unique: int = 0  # images in no group
    groups: int = 0
    discards: int = 0
    failures: int = 0
    damaged: int = 0
    guarded: int = 0
    other_files: int = 0  # neither an image nor named like one
    links: int = 0  # further names of a file already counted (hard links, symbolic links)
    bytes: int = 0  # of all readable images
    bytes_reclaimable: int = 0
    apart: int = 0  # pairs of contents that its user has said are not duplicates


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
    """Reports as files: loaded at its first use, like all public names, since the types import nothing of twinpix."""
    return importlib.import_module("twinpix.report")


@dataclass(frozen=True, slots=True)
class Report:
    """Everything `find` found: the only contract between commands, front ends and pages."""

    created: str
    roots: list[str]
    base: str  # the folder that relative paths start from
    spec: str
    radius: int | float
    link: str
    counts: Counts
    groups: list[Group]
    failures: list[Failure]
    guarded: list[Guarded] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    keep: str = ""
    decode: str = "fast"
    transforms: bool = False
    notes: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)  # folders that are read-only
    cross: bool = False
    search: list[str] = field(default_factory=list)  # what compared the codes, and why
    unique: Sequence[Unique] | None = None  # None: not listed
    verified: bool = False  # whether pixels decided
    similar: list[Match] = field(default_factory=list)  # pairs of one scene, no copies, and in no group for it
    unverified: list[Unverified] = field(default_factory=list)  # pairs that verification could not compare
    unit: DistanceUnit = _NOT_SAID  # of its distances and its radius
    symlinks: dict[str, list[str]] = field(default_factory=dict)  # names of symbolic links to members, by member
    schema: str = SCHEMA

    def __post_init__(self) -> None:
        if self.unit == _NOT_SAID:  # as reports of the first schema said it: a whole radius counts bits
            by_pixels = self.spec.partition(":")[0] in ("local", "cascade")
            unit = "bits" if isinstance(self.radius, int) else "share" if by_pixels else "cosine"
            object.__setattr__(self, "unit", unit)
        if self.unit == "bits":  # programs that know one type of number write 10.0
            object.__setattr__(self, "radius", int(self.radius))

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write it, as JSON or in the format that the file's suffix names (.csv, .txt).

        Raises `UsageError` when the path holds a file that is no report and `force` is not given, `OutputError` when
        it cannot be written.
        """
        _files().save(self, os.fspath(path), force=force)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Report":
        """Read one that was saved as JSON; raises `UsageError` when there is none, `ReportError` for what is none."""
        found: Report = _files().read(os.fspath(path))
        return found

    def to_dict(self) -> dict[str, Any]:
        """What the JSON holds: objects, lists, texts and numbers."""
        plain: dict[str, Any] = _files().plain(self)
        return plain

    @property
    def in_bits(self) -> bool:
        """True when its distances count bits."""
        return self.unit == "bits"


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Codes of many images: refs and one array `(n, width)`, or `(n, 8, width)` with the eight orientations."""

    refs: Refs
    codes: NDArray[Any]
    spec: str
    failures: list[Failure]
    formats: list[str] = field(default_factory=list)  # of each image
    damaged: list[bool] = field(default_factory=list)  # whether part of it is missing
    sizes: list[tuple[int, int]] = field(default_factory=list)  # width and height
    digests: list[str] = field(default_factory=list)  # of the bytes that were coded, in hexadecimal digits
    traits: list[Traits | None] = field(default_factory=list)  # None: not known


class Facts(NamedTuple):
    """What a file is known by, and what it must have again when it is put back."""

    device: int
    inode: int
    size: int  # bytes
    mtime_ns: int
    atime_ns: int
    mode: int
    uid: int
    gid: int

    def is_same_file(self, other: "Facts") -> bool:
        """True when nobody wrote to it in between, as far as its stamp tells; a change of name does not count."""
        return self[:4] == other[:4]


class Step(NamedTuple):
    """One act on one file, with all that is needed to check it and to take it back."""

    number: int
    path: str  # absolute: the file that is acted on
    target: str  # where it, or its copy, goes; "" where the action knows of none
    facts: Facts
    digest: str  # of its bytes; "" when they are not known (a sidecar)
    keeper: str = ""  # the file that stays in its place
    aside: str = ""  # the start of the names, in its folder, that it may have for a moment; set when it is acted on


class Unit(NamedTuple):
    """An image and what belongs to it: all of it goes, or nothing."""

    group: int  # number of the group; 0: none
    steps: list[Step]
    match: Match | None = None  # with the keeper; None: matched through another image, or no duplicate
    reason: str = ""  # why an image that is no keeper is copied with the keepers; "" where that needs no reason
    companions: int = 0  # how many of the steps, the last ones, act on companion files


class Left(NamedTuple):
    """A file that an action leaves alone, and why."""

    path: str
    reason: str
    group: int = 0
    refused: bool = False  # it was to be acted on, and is not as it was or cannot be
    kind: SkipKind = SkipKind.OTHER


class Stays(NamedTuple):
    """A file of a group that stays, and why."""

    group: int
    path: str  # absolute
    reason: str
    facts: Facts
    digest: str
    companion: bool = False  # a companion file of a keeper


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do with a report's files; nothing is done yet."""

    action: str  # its name
    options: dict[str, str]  # its options
    report: str  # the file that the report was read from, or "" for none
    roots: list[str]  # absolute
    references: list[str]  # absolute
    stays: list[Stays]
    units: list[Unit]
    left: list[Left]
    already: int = 0  # files that an earlier run has dealt with
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
