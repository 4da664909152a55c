"""The types of a plan that moves objects of a store."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from twinpix.act.steps import Skipped

if TYPE_CHECKING:
    from twinpix.model import DistanceUnit, Match


class ObjectStep(NamedTuple):
    """One object that is copied to its target and then deleted, with all that is needed to check and undo it."""

    number: int
    unit: int  # number of its unit
    source: str  # URL
    target: str  # URL
    size: int  # bytes
    digest: str  # xxh3-128 of its bytes
    version: str  # of the source when it was planned, in hexadecimal digits
    keeper: str = ""  # URL, absolute path or URI; of a companion object: the keeper's one with the same bytes, if any
    keeper_digest: str = ""
    companion: bool = False


class ObjectUnit(NamedTuple):
    """An image with its companion objects: all of them are moved, or none."""

    group: int  # number of the group
    steps: list[ObjectStep]
    match: "Match | None" = None  # with the keeper; None: a transitive match


class KeptImage(NamedTuple):
    """The keeper of a group."""

    group: int
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """What is moved within a store.

    Attributes:
        target: URL of the folder to which objects are moved.
        report: Path of the report; "" if unknown.
        roots: URLs of the scanned folders.
        kept: The keepers of the groups.
        units: Images with their companion objects.
        skipped: Images that are left alone, with the reason.
        already: Number of images that an earlier run has moved.
        distance_unit: Unit of the distances in the matches.
    """

    target: str
    report: str
    roots: list[str]
    kept: list[KeptImage]
    units: list[ObjectUnit]
    skipped: list[Skipped] = field(default_factory=list)
    already: int = 0
    distance_unit: "DistanceUnit" = "bits"

    @property
    def steps(self) -> list[ObjectStep]:
        return [step for unit in self.units for step in unit.steps]

    @property
    def bytes(self) -> int:
        return sum(step.size for step in self.steps)
