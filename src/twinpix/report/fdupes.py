"""Groups in the format of fdupes: one path per line, an empty line between groups, the keeper first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from twinpix.errors import OutputError
from twinpix.model import Report
from twinpix.outputs import UNMARKED, Kind
from twinpix.text import plural, printable


@dataclass(frozen=True, slots=True)
class Fdupes:
    """For scripts: paths are written unchanged.

    With `null`, each path ends with a NUL byte, and each group with another one. Without it, a name with a control
    character is refused, because a line break in a name would look like two paths.
    """

    null: bool = False

    kind: ClassVar[Kind] = UNMARKED
    suffixes: ClassVar[tuple[str, ...]] = ()
    lists_failures: ClassVar[bool] = False
    syntax: ClassVar[str] = ""

    def parts(self, report: Report) -> Iterator[str]:
        if self.null:
            for group in report.groups:
                yield "".join(f"{member.path}\0" for member in group.members) + "\0"
            return
        unsafe = [m.path for group in report.groups for m in group.members if any(map(_is_control, m.path))]
        if unsafe:
            raise OutputError(
                f"{plural(len(unsafe), 'name')} with control characters cannot be written a line each "
                f"({printable(unsafe[0])}): use -f fdupes -0, or -f json"
            )
        for place, group in enumerate(report.groups):
            yield "\n" * (place > 0) + "".join(f"{member.path}\n" for member in group.members)


def _is_control(char: str) -> bool:
    return char < " " or "\x7f" <= char <= "\x9f"
