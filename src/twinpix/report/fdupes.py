"""Groups as fdupes prints them: a path a line, an empty line between groups, the keeper first."""

from collections.abc import Iterator
from dataclasses import dataclass

from twinpix.model import Report


@dataclass(frozen=True, slots=True)
class Fdupes:
    """For scripts; paths stand as they are."""

    def parts(self, report: Report) -> Iterator[str]:
        for place, group in enumerate(report.groups):
            yield "\n" * (place > 0) + "".join(f"{member.path}\n" for member in group.members)
