"""Search for the bytes of a file that is not at its path in the journal: its folder may have been renamed."""

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from twinpix.act import filesystem
from twinpix.act.journal import JournalRun
from twinpix.act.steps import Step
from twinpix.errors import StepError, TwinpixError


class Seeker:
    """Finds files by their bytes in the folders of a session's report, and in the target folder.

    The folders are listed once, when the first file is requested.
    """

    def __init__(self, session: JournalRun) -> None:
        self._session = session
        self._digests: dict[str, str] = {}

    def find(self, step: Step) -> str:
        """Return the path of a file with the bytes of the step; "" if none is found."""
        if not step.digest:
            return ""
        names = self._by_size.get(step.facts.size, ())
        return next((path for path in names if path != step.path and self._digest(path) == step.digest), "")

    @cached_property
    def folders(self) -> list[str]:
        """Return where to search: the folders or, if one no longer exists, its parent."""
        found = self._session.roots or self._roots_of_report() or self._above_keepers()
        places = [*found, *filter(None, [self._session.options.get("to", "")])]
        there = (place if os.path.lexists(place) else os.path.dirname(place) for place in places)
        there = (place if os.path.isdir(place) else os.path.dirname(place) for place in there)
        return [place for place in dict.fromkeys(there) if os.path.isdir(place)]

    def _roots_of_report(self) -> list[str]:
        """Return the folders of a journal of an older version, which does not name them."""
        from twinpix import report

        try:
            found = report.read(self._session.report)
        except TwinpixError:
            return []
        return [os.path.normpath(os.path.join(found.base, root)) for root in found.roots]

    def _above_keepers(self) -> list[str]:
        keepers = {step.keeper for step in self._session.steps.values() if step.keeper}
        return sorted({os.path.dirname(os.path.dirname(keeper)) for keeper in keepers})

    @cached_property
    def _by_size(self) -> dict[int, list[str]]:
        wanted = {step.facts.size for step in self._session.steps.values()}
        found: dict[int, list[str]] = defaultdict(list)
        seen: set[str] = set()
        for folder in self.folders:
            for path, size in _files(folder, seen):
                if size in wanted:
                    found[size].append(path)
        return found

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            try:
                self._digests[path] = filesystem.digest_of(path, filesystem.facts_at(path))
            except StepError:
                self._digests[path] = ""
        return self._digests[path]


def _files(folder: str, seen: set[str]) -> Iterator[tuple[str, int]]:
    """Yield the regular files below a folder with their sizes; each folder once."""
    for place, folders, names in os.walk(folder):
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        for name in names:
            path = os.path.join(place, name)
            try:
                yield path, filesystem.facts_at(path).size
            except StepError:
                continue
