"""The report of `find`, and the types of its parts."""

import importlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from twinpix.model.matches import IDENTICAL, DistanceUnit, Relation
from twinpix.model.refs import Failure, can_change

SCHEMA = "twinpix.report/2"
SCHEMAS = ("twinpix.report/1", SCHEMA)
"""The schemas that can be read. The first one lacks `unit` and `same_code`: see `twinpix.report.json`."""


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


class Alteration(StrEnum):
    """What was done to an image, found by comparison with the other members of its group."""

    BLURRED = "blurred"
    CONVERTED = "converted"  # stored in another format afterwards
    ENLARGED = "enlarged"
    GREY = "grey"  # without its colours, or in one tone
    OVERLAID = "overlaid"  # with a caption, watermark or other overlay
    PADDED = "padded"  # with a border
    THUMBNAIL = "thumbnail"  # far smaller than an unaltered member


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
    altered: tuple[Alteration, ...] = ()  # sorted

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def protected(self) -> bool:
        """True if this member is never removed."""
        return self.reference or self.link or not can_change(self.path)


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
    same_code: bool = field(kw_only=True)  # whether the codes are equal
    back: str = ""  # the detail from `b` to `a`; "" if the pair was not verified, or in older reports
    borders: tuple[bool, bool] = (False, False)  # whether `a` and `b` has a border that the other one lacks

    @property
    def identical(self) -> bool:
        """True if both members show the same pixels."""
        return self.relation in IDENTICAL

    def swap_images(self) -> "Match":
        """Return the match with `a` and `b` exchanged."""
        return replace(self, a=self.b, b=self.a, detail=self.back, back=self.detail, borders=self.borders[::-1])


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
        """The members that may be removed."""
        return [m for m in self.members if m.path != self.keeper and not m.protected]

    @property
    def bytes_reclaimable(self) -> int:
        return sum(m.size for m in self.discards)

    @property
    def to_keeper(self) -> dict[str, Match]:
        """The matches of the keeper with other members, by their paths; none for those matched via a third image."""
        return _matches_of(self.keeper, self.matches)


def _matches_of(keeper: str, matches: Iterable[Match]) -> dict[str, Match]:
    return {match.b: match for match in matches if match.a == keeper}


@dataclass(frozen=True, slots=True)
class Guarded:
    """An image with too little texture for a perceptual hash: it is matched only if it is identical."""

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
    other_files: int = 0  # files that are no images, by content and by name
    links: int = 0  # further names of counted files (hard links, symbolic links)
    bytes: int = 0  # of all readable images
    bytes_reclaimable: int = 0
    apart: int = 0  # excluded pairs: pairs of contents that the user marked as not duplicates


@dataclass(frozen=True, slots=True)
class Unique:
    """An image that is in no group."""

    path: str
    size: int  # bytes
    mtime_ns: int
    digest: str
    root: int = 0


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
    unit: DistanceUnit = field(kw_only=True)  # of all distances and the radius
    symlinks: dict[str, list[str]] = field(default_factory=dict)  # symbolic links to members, by member
    schema: str = SCHEMA

    def __post_init__(self) -> None:
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
        plain: dict[str, Any] = _files().to_plain(self)
        return plain


def related(keeper: str, members: Iterable[Member], matches: Iterable[Match]) -> list[Member]:
    """Return the members of a group with the relation and distance to the keeper of those that match it directly."""
    pairs, out = _matches_of(keeper, matches), list[Member]()
    for member in members:
        pair = pairs.get(member.path)
        relation, distance = (pair.relation, pair.distance) if pair else (None, None)
        out.append(replace(member, relation=relation, distance=distance))
    return out
