"""The types of a plan: steps, and files that an action leaves alone.

`twinpix.model` is imported for type checkers only: it imports numpy, which takes longer than to undo a few steps.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from twinpix.errors import SkipKind

if TYPE_CHECKING:
    from twinpix.model import DistanceUnit, Match


class Facts(NamedTuple):
    """The metadata that identify a file, and that undo restores."""

    device: int
    inode: int
    size: int  # bytes
    mtime_ns: int
    atime_ns: int
    mode: int
    uid: int
    gid: int

    def is_same_file(self, other: "Facts") -> bool:
        """True if the file was not written to in between, as far as its size and time show; renaming does not count."""
        return self[:4] == other[:4]


class Step(NamedTuple):
    """One operation on one file, with all that is needed to check and undo it."""

    number: int
    path: str  # absolute path of the file
    target: str  # path of the moved file or the copy; "" if the action has none
    facts: Facts
    digest: str  # of the file; "" if unknown (a companion file)
    keeper: str = ""  # the kept image; of a companion file: its companion file with the same bytes, if any
    staged: str = ""  # start of its temporary names, in its folder; set by `apply`


class Unit(NamedTuple):
    """An image and its companion files: all of them are changed, or none."""

    group: int  # number of the group; 0: none
    steps: list[Step]
    match: "Match | None" = None  # with the keeper; None: a transitive match, or no duplicate
    reason: str = ""  # why the image is copied, or why the keeper of the duplicate is kept; "" if unknown
    companions: int = 0  # how many of the steps, the last ones, are on companion files


class Skipped(NamedTuple):
    """A file that an action leaves alone, and why."""

    path: str
    reason: str
    group: int = 0
    refused: bool = False  # it was planned to be changed, and has changed or cannot be changed
    kind: SkipKind = SkipKind.OTHER


class Kept(NamedTuple):
    """A file of a group that is kept, and why."""

    group: int
    path: str  # absolute
    reason: str
    facts: Facts
    digest: str
    companion: bool = False  # whether it is a companion file of a keeper


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of an action on the duplicates of a report, before they are applied.

    Attributes:
        action: Name of the action.
        options: Options of the action.
        report: Path of the report; "" if unknown.
        roots: Absolute paths of the scanned folders.
        references: Absolute paths of the reference folders.
        kept: Files of groups that are kept.
        units: Images with their companion files; the steps of a unit are done all or none.
        skipped: Files that are left alone, with the reason.
        already: Number of images that an earlier run has processed.
        distance_unit: Unit of the distances in `Unit.match`.

    Example:
        >>> plan = twinpix.plan(twinpix.find("photos", store=None), "move:to=duplicates")
        >>> len(plan.steps), plan.bytes == os.path.getsize("photos/beach.jpg")
        (1, True)
    """

    action: str
    options: dict[str, str]
    report: str
    roots: list[str]
    references: list[str]
    kept: list[Kept]
    units: list[Unit]
    skipped: list[Skipped]
    already: int = 0
    distance_unit: "DistanceUnit" = "bits"

    @property
    def steps(self) -> list[Step]:
        return [step for unit in self.units for step in unit.steps]

    @property
    def bytes(self) -> int:
        return sum(step.facts.size for step in self.steps)
