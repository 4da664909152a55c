"""Find first, for commands that take a report or what `find` takes; the report is in the user's own folder."""

import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import twinpix

if TYPE_CHECKING:
    from twinpix.encoding.options import Options
    from twinpix.progress import Progress


def is_report(paths: Sequence[str]) -> bool:
    """True for the path of one JSON report, False for images to find first: what exists and is no JSON file."""
    if len(paths) != 1:
        return False
    return paths[0].lower().endswith(".json") or not _is_searched(paths[0])


def _is_searched(path: str) -> bool:
    from twinpix.formats import claims_image
    from twinpix.model import is_uri
    from twinpix.sources.uris import container, expand

    names = expand(path)
    return not _is_table_of_find(path) and any(
        is_uri(name) or os.path.isdir(name) or claims_image(name) or container(name) is not None for name in names
    )


def _is_table_of_find(path: str) -> bool:
    """True for a report that was written as a table: to read it as one is an error that says what it is."""
    if not (os.path.isfile(path) and path.lower().endswith((".parquet", ".arrow"))):
        return False
    from twinpix import report

    with open(path, "rb") as file:
        return report.writer(report.format_of(path)).kind.is_ours(file)


def find_report(paths: Sequence[str], options: "Options", progress: "Progress") -> str:
    """Find the copies with the default options, print the summary, and return the path of the report."""
    import platformdirs

    from twinpix.report.text import summary

    found = twinpix.find(paths, options, progress=progress)
    print(summary(found), end="")
    mark = hashlib.blake2b("\0".join(found.roots).encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    folder = os.path.join(platformdirs.user_state_dir("twinpix", appauthor=False), "reports")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    report = os.path.join(folder, f"{os.path.basename(os.path.normpath(paths[0]))[:60]}-{mark}.json")
    found.save(report, force=True)
    print(f"report: {report}")
    return report
