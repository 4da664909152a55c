"""Groups as fdupes prints them: a path a line, an empty line between groups, the keeper first."""

from dataclasses import dataclass

from twinpix.model import Report


@dataclass(frozen=True, slots=True)
class Fdupes:
    """For scripts; paths stand as they are."""

    def text(self, report: Report) -> str:
        return "\n".join("".join(f"{member.path}\n" for member in group.members) for group in report.groups)
