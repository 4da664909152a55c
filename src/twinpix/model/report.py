"""The report of `find`, and the types of its parts."""

import importlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from twinpix.model.matches import IDENTICAL, DistanceUnit, Relation
from twinpix.model.refs import Failure, can_change

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

SCHEMA = "twinpix.report/2"
SCHEMAS = ("twinpix.report/1", SCHEMA)
"""The schemas that can be read. The first one lacks `unit` and `same_code`: see `twinpix.report.json`."""


@dataclass(frozen=True, slots=True)
class Traits:
    """Facts about a decoded image, for the keep rules.

    Attributes:
        frames: Frames or pages.
        video: A motion photo: the file also contains a video.
        depth: Bits per channel, as stored.
        mode: Channels as stored, in Pillow's names.
        colour: Whether it has colours; False: grey, or shades of one hue; None: unknown.
        palette: Number of colours if 256 or fewer and not lossily compressed; else 0.
        alpha: At least one pixel is not opaque.
        lossless: Pixels are stored losslessly.
        icc: Name of the colour profile.
        captured: Capture time by EXIF: 2019-07-01T12:30:00.25.
        exposure: Exposure by EXIF: 1/250 f/2.8 ISO100.
        camera: Maker and model, by EXIF.
        gps: EXIF has a GPS position.
        software: Program by EXIF.
        exif: Number of EXIF tags that describe the image.
        quality: Quality of a JPEG, 1 to 100, estimated from its tables; 0: unknown.
        subsampling: Chroma subsampling of a JPEG: 4:4:4, 4:2:2 or 4:2:0.
        fault: Defect of a readable file; "" for none.
    """

    frames: int = 1
    video: bool = False
    depth: int = 8
    mode: str = ""
    colour: bool | None = None
    palette: int = 0
    alpha: bool = False
    lossless: bool = False
    icc: str = ""
    captured: str = ""
    exposure: str = ""
    camera: str = ""
    gps: bool = False
    software: str = ""
    exif: int = 0
    quality: int = 0
    subsampling: str = ""
    fault: str = ""


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
    """One image of a group.

    Attributes:
        path: Path, relative to the report's `base` as the user named it, or a URI.
        size: Bytes.
        width: Pixels.
        height: Pixels.
        mtime_ns: Time of the last change, nanoseconds since 1970.
        digest: xxh3-128 of the file in hexadecimal digits.
        format: Format by content, as JPEG; "" if unknown.
        damaged: A part of the image is missing.
        reference: It is compared and never removed.
        link: It is a further name of a counted file.
        root: Index of its path in the report's `roots`.
        frames: Frames or pages.
        traits: Facts from decoding; None: not decoded, or written by an earlier version.
        relation: How it differs from the keeper; None: it is the keeper, or a transitive match.
        distance: Distance from the keeper; None if `relation` is None.
        altered: The edits found in it, sorted.
    """

    path: str
    size: int
    width: int
    height: int
    mtime_ns: int
    digest: str
    format: str = ""
    damaged: bool = False
    reference: bool = False
    link: bool = False
    root: int = 0
    frames: int = 1
    traits: Traits | None = None
    relation: Relation | None = None
    distance: int | float | None = None
    altered: tuple[Alteration, ...] = ()

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def protected(self) -> bool:
        """True if this member is never removed."""
        return self.reference or self.link or not can_change(self.path)


@dataclass(frozen=True, slots=True)
class Match:
    """Two members of a group with their distance and relation.

    Attributes:
        a: Path.
        b: Path.
        distance: In the unit of the report; shares and cosines with four decimals; None: not by codes.
        relation: What `b` is of `a`.
        detail: The relation with its parameters, if the pair was verified.
        tier: The method that proposed the pair, if there are several.
        agrees: Share of the overlap that agrees, 0 to 1; None: not verified.
        points: Number of inlier keypoints; 0 if a transform decided without them, which says nothing against the match.
        same_code: Whether the codes are equal.
        back: The detail from `b` to `a`; "" if the pair was not verified, or in older reports.
        borders: Whether `a` and `b` has a border that the other one lacks.
    """

    a: str
    b: str
    distance: int | float | None
    relation: Relation
    detail: str = ""
    tier: str = ""
    agrees: float | None = None
    points: int = 0
    same_code: bool = field(kw_only=True)
    back: str = ""
    borders: tuple[bool, bool] = (False, False)

    @property
    def identical(self) -> bool:
        """True if both members show the same pixels."""
        return self.relation in IDENTICAL

    def swap_images(self) -> "Match":
        """Return the match with `a` and `b` exchanged."""
        return replace(self, a=self.b, b=self.a, detail=self.back, back=self.detail, borders=self.borders[::-1])


@dataclass(frozen=True, slots=True)
class Unverified:
    """A candidate pair that verification could not compare; it is not grouped.

    Attributes:
        a: Path.
        b: Path.
        reason: Why it could not be compared.
    """

    a: str
    b: str
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """Copies of one image: the keeper first, then the others from best to worst.

    Attributes:
        id: Number, from 1.
        keeper: Path of the image that is kept.
        reason: Why it is kept, in words.
        members: The keeper first, then the others from best to worst.
        matches: The matches between members, those of the keeper first.
        matches_left_out: Number of matches that are not listed, in very large groups.
        rule: Name of the keep rule that chose the keeper; `intact`: the others are damaged; `reference`: it is in a
            reference folder; `order`: the first by path; `decision`: the user; "" in reports of earlier versions.
    """

    id: int
    keeper: str
    reason: str
    members: list[Member]
    matches: list[Match]
    matches_left_out: int = 0
    rule: str = ""

    @property
    def discards(self) -> list[Member]:
        """The members that may be removed: none if the keeper is inside an archive."""
        return [m for m in self.members if m.path != self.keeper and not self.stays(m)]

    @property
    def redundant(self) -> list[Member]:
        """The copies of the keeper without references, also those that no action removes: members of archives, rows."""
        return [m for m in self.members if m.path != self.keeper and not m.reference]

    def stays(self, member: Member) -> bool:
        """True for a member that no action removes: it is protected, or the keeper is inside an archive."""
        return member.protected or not can_change(self.keeper)

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
    """An image with too little texture for a hash: it is matched if it is identical, or by its keypoints.

    Attributes:
        path: Path.
        information: Number of low frequencies above the noise; a hash needs 26.
        reason: Why a hash does not compare it, and how it is matched.
        by_keypoints: Matched by its keypoints too.
    """

    path: str
    information: int
    reason: str
    by_keypoints: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """The totals of a report.

    Attributes:
        images: Readable images, each file once.
        unique: Images in no group.
        groups: Groups of copies.
        discards: Members that may be removed.
        failures: Images that could not be processed.
        damaged: Images with a missing part.
        guarded: Images with too little texture for a hash.
        other_files: Files that are no images, by content and by name.
        links: Further names of counted files (hard links, symbolic links).
        bytes: Size of all readable images.
        bytes_reclaimable: Size of the members that may be removed.
        apart: Excluded pairs: pairs of contents that the user marked as not duplicates.
    """

    images: int = 0
    unique: int = 0
    groups: int = 0
    discards: int = 0
    failures: int = 0
    damaged: int = 0
    guarded: int = 0
    other_files: int = 0
    links: int = 0
    bytes: int = 0
    bytes_reclaimable: int = 0
    apart: int = 0


@dataclass(frozen=True, slots=True)
class Unique:
    """An image that is in no group.

    Attributes:
        path: Path.
        size: Bytes.
        mtime_ns: Time of the last change, nanoseconds since 1970.
        digest: xxh3-128 of the file in hexadecimal digits.
        root: Index of its path in the report's `roots`.
    """

    path: str
    size: int
    mtime_ns: int
    digest: str
    root: int = 0


@dataclass(frozen=True, slots=True)
class LocationTable:
    """The table of locations that named images of a report.

    Attributes:
        path: Path or URL, as given.
        column: Column of the locations.
        digest: xxh3-128 of the locations of all rows in hexadecimal digits.
    """

    path: str
    column: str
    digest: str


def _files() -> Any:
    """Load the module of reports at first use, because the types import nothing of twinpix."""
    return importlib.import_module("twinpix.report")


@dataclass(frozen=True, slots=True)
class Report:
    """The result of `find`; all commands and front ends exchange results in this form.

    Attributes:
        created: Time in UTC, ISO 8601.
        roots: The paths that were searched.
        base: Absolute folder that relative paths start from.
        spec: Method with its options.
        radius: Largest distance of a match.
        link: Linking rule.
        counts: Totals.
        groups: Groups of copies.
        failures: Images that could not be processed.
        guarded: Images with too little texture for a hash.
        damaged: Paths of images with a missing part.
        keep: Keep rules.
        decode: Fast or reference.
        transforms: Whether mirrored and rotated copies were matched.
        notes: What was excluded, and other remarks of the run.
        references: Folders whose images are never removed.
        cross: Whether only images of different paths were matched.
        search: Search back ends that ran, and why.
        unique: Images in no group; None: not listed.
        verified: Whether matches were verified on the pixels.
        similar: Pairs of one scene that are not copies; not grouped.
        unverified: Pairs that verification could not compare.
        unit: Of all distances and the radius.
        symlinks: Symbolic links to members, by member.
        ids: Ids of images by path, if a table or a program gave them.
        table: The table of locations; null: none.
        schema: Schema of the JSON report.

    Example:
        >>> report = twinpix.find("photos", store=None)
        >>> report.counts.images, report.counts.groups, report.counts.discards
        (3, 1, 1)
        >>> report.save("report.json")
        >>> twinpix.Report.load("report.json") == report
        True
    """

    created: str
    roots: list[str]
    base: str
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
    references: list[str] = field(default_factory=list)
    cross: bool = False
    search: list[str] = field(default_factory=list)
    unique: Sequence[Unique] | None = None
    verified: bool = False
    similar: list[Match] = field(default_factory=list)
    unverified: list[Unverified] = field(default_factory=list)
    unit: DistanceUnit = field(kw_only=True)
    symlinks: dict[str, list[str]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    table: LocationTable | None = None
    schema: str = SCHEMA

    def __post_init__(self) -> None:
        if self.unit == "bits":  # programs with one type of number write 10.0
            object.__setattr__(self, "radius", int(self.radius))

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the report as JSON, or in the format of the suffix (.csv, .txt, .parquet).

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

    def to_arrow(self) -> "pyarrow.Table":
        """Return a table with one row for each image; its schema describes the columns.

        A reference image that is in no group has no row, because the report does not list it. Needs pyarrow, as the
        following methods: raises `UsageError` without it.
        """
        return _files().to_arrow(self)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the same table for pandas; raises `UsageError` without pyarrow or pandas."""
        return _files().to_pandas(self)

    def to_polars(self) -> "polars.DataFrame":
        """Return the same table for polars; raises `UsageError` without pyarrow or polars."""
        return _files().to_polars(self)

    def matches_to_arrow(self) -> "pyarrow.Table":
        """Return a table with one row for each match, pair of one scene, and pair that could not be verified."""
        return _files().to_arrow(self, "matches")


def relate_to_keeper(keeper: str, members: Iterable[Member], matches: Iterable[Match]) -> list[Member]:
    """Return the members of a group with the relation and distance to the keeper of those that match it directly."""
    pairs, out = _matches_of(keeper, matches), list[Member]()
    for member in members:
        pair = pairs.get(member.path)
        relation, distance = (pair.relation, pair.distance) if pair else (None, None)
        out.append(replace(member, relation=relation, distance=distance))
    return out


def explain_partly_compared(member: Member, keeper: Member, match: Match | None) -> str:
    """Return why a duplicate is left alone because not all of it was compared with the keeper; "" if it was.

    An image with several frames or pages, or with a video, is removed only if all of it is identical. One with a single
    frame is not removed for a keeper with several: a photo is more than the first frame of an animation made of it.
    """
    if member.digest == keeper.digest or (match is not None and match.identical):
        return ""
    if member.frames > 1:
        return f"has {member.frames} frames or pages, of which only the first was compared"
    if member.traits and member.traits.video:
        return "holds a video, which was not compared"
    if keeper.frames > 1:
        return f"only the first of {keeper.frames} frames or pages of the keeper was compared"
    return ""
