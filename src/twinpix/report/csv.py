"""CSV with one row for each member, for spreadsheets."""

import csv as stdlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from twinpix.model import Report
from twinpix.outputs import Kind, starts
from twinpix.text import printable

COLUMNS = (
    *("group", "role", "path", "bytes", "width", "height", "format"),
    *("distance", "relation", "reason", "damaged", "modified_ns", "digest", "id"),
)


@dataclass(frozen=True, slots=True)
class Csv:
    """Distance and relation are to the keeper, if known; pairs of one scene, which are not grouped, follow.

    The file is always valid UTF-8: other bytes and control characters in names are written as escapes (`\\xff`, `\\n`).
    The JSON report has the exact names.
    """

    kind: ClassVar[Kind] = starts("CSV report of twinpix", b"group,role,path,")
    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    lists_failures: ClassVar[bool] = False
    syntax: ClassVar[str] = '"'

    def parts(self, report: Report) -> Iterator[str]:
        out = io.StringIO()
        rows = stdlib.writer(out, lineterminator="\n")
        rows.writerow(COLUMNS)
        for group in report.groups:
            pairs = group.to_keeper
            for m in group.members:
                pair = pairs.get(m.path)
                keeps = m.path == group.keeper
                rows.writerow(
                    [
                        group.id,
                        "keep" if keeps else "protected" if group.stays(m) else "discard",
                        printable(m.path),
                        m.size,
                        m.width,
                        m.height,
                        m.format,
                        pair.distance if pair else "",
                        pair.relation if pair else "",
                        group.reason if keeps else "",
                        "yes" if m.damaged else "",
                        m.mtime_ns,
                        m.digest,
                        printable(report.ids.get(m.path, "")),
                    ]
                )
            yield out.getvalue()
            out.seek(0)
            out.truncate()
        for pair in report.similar:
            for path, other in ((pair.a, pair.b), (pair.b, pair.a)):
                known = {"role": "similar-scene", "path": printable(path), "relation": pair.relation}
                known["id"] = printable(report.ids.get(path, ""))
                known["reason"] = f"the same scene as {printable(other)}, not a copy"
                rows.writerow([known.get(column, "") for column in COLUMNS])
        yield out.getvalue()
