"""The types of an export: which images go, from which files, and what was written."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from twinpix.sources.redundant import Left, Redundant
from twinpix.usecases.exporting.journal import Line


class Sample(NamedTuple):
    """Members of a container that are left out together: those of one webdataset key, or a row of a table.

    Of a table of locations all rows that name one image.
    """

    names: tuple[str, ...]
    images: tuple[Redundant, ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """A container, or a table of locations, that is written again.

    Attributes:
        source: Absolute path, or URL.
        target: Path below the target, with `/`.
        size: Bytes of the source.
        version: Version of the source when it was planned.
        images: Number of images of the report in it.
        samples: What is left out.
        column: Column of the locations; "" for a container.
    """

    source: str
    target: str
    size: int
    version: bytes
    images: int
    samples: tuple[Sample, ...] = ()
    column: str = ""

    @property
    def left_out(self) -> int:
        """The number of images that are left out."""
        return sum(len(sample.images) for sample in self.samples)

    @property
    def names(self) -> set[str]:
        """All members that are left out."""
        return {name for sample in self.samples for name in sample.names}

    @property
    def digest(self) -> str:
        """What identifies the choice of the members that are left out."""
        return digest_of_names(self.names)


class Description(NamedTuple):
    """A file beside tables that describes them, such as `state.json` of a saved data set; written after them."""

    source: str  # absolute path, or URL
    target: str  # path below the target, with `/`
    size: int  # bytes of the source
    version: bytes  # of the source
    tables: tuple[str, ...]  # targets of the tables that it describes


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What an export writes.

    Attributes:
        target: Absolute path of a folder, or URL of one in a store.
        report: Path of the report; "" if it was not read from a file.
        digest: What identifies the report.
        shards: The containers, by target.
        left: Redundant images that stay, with the reasons.
        unreadable: Containers that cannot be read, with the reasons.
        with_sample: Redundant images that stay because another image of their sample stays.
        linked: Redundant images that stay because a link in their container leads to a member of their sample.
        same_name: Redundant images that stay because several members of their container have one name.
        unnamed: Images that are left out with their sample although the report does not name them.
        not_exported: Images of the report that are files or objects of their own, and in no table of locations.
        references: Containers of references, which are not exported.
        relative: Whether a table of locations has relative paths.
        descriptions: Files of saved data sets beside their tables.
    """

    target: str
    report: str
    digest: str
    shards: list[Shard]
    left: list[Left] = field(default_factory=list)
    unreadable: list[Left] = field(default_factory=list)
    with_sample: int = 0
    linked: int = 0
    same_name: int = 0
    unnamed: int = 0
    not_exported: int = 0
    references: int = 0
    relative: bool = False
    descriptions: list[Description] = field(default_factory=list)

    @property
    def left_out(self) -> int:
        """The number of images that are left out."""
        return sum(shard.left_out for shard in self.shards)

    @property
    def bytes(self) -> int:
        """The size of all sources."""
        return sum(shard.size for shard in self.shards)


@dataclass(slots=True)
class Exported:
    """The result of an export.

    Attributes:
        journal: Path of the journal.
        written: The lines of the journal of the containers that this run wrote.
        already: The number of containers that an earlier run wrote.
        left: Images that stayed and containers that were not written, with the reasons; without those of the plan.
        stopped: Why the run ended early; "" if it did not.
        described: The lines of the journal of the descriptions that this run wrote.
        complete: Targets of the files that this run or an earlier one wrote.
    """

    journal: str
    written: list[Line] = field(default_factory=list)
    already: int = 0
    left: list[Left] = field(default_factory=list)
    stopped: str = ""
    described: list[Line] = field(default_factory=list)
    complete: set[str] = field(default_factory=set)


def digest_of_names(names: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(names):
        digest.update(name.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def key_of(name: str, *, rows: bool = False) -> str:
    """Return the key of the sample of a member: as in webdataset, its path up to the first dot of the file name.

    A file name that has no dot, or begins with one, is a sample by itself. Of a table it is the row.
    """
    if rows:
        return name.partition("&")[0]
    at = name.rfind("/") + 1
    stem, dot, _ = name[at:].partition(".")
    return name[:at] + stem if stem and dot else f"{name}/"  # no key ends with a slash
