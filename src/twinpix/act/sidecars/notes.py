"""The companion files of the members of a group, compared with those of the images to keep."""

import os
from collections.abc import Iterable
from functools import cache

from twinpix.act import filesystem
from twinpix.act.sidecars.folders import Folders
from twinpix.errors import StepError


class CompanionNotes:
    """Describes the companion files of images; each folder is listed once."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._of = cache(Folders().of)

    def of(self, path: str, kept: Iterable[str]) -> list[str]:
        """Return the names of an image's companion files, each with how it differs from those of the images to keep."""
        mine = self._files(path)
        others = [other for each in kept if each != path for other in self._files(each)]
        names = [self._describe(side, others) if path not in kept else os.path.basename(side) for side in mine]
        pair = self._of(self._place(path)).pair
        return [*map(os.path.basename, pair), *names]

    def _files(self, path: str) -> list[str]:
        return list(self._of(self._place(path)).sidecars)

    def _place(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._base, path))

    def _describe(self, side: str, others: list[str]) -> str:
        suffix = os.path.splitext(side)[1].lower()
        alike = [other for other in others if os.path.splitext(other)[1].lower() == suffix]
        if any(_same_bytes(side, other) for other in alike):
            return os.path.basename(side)
        return f"{os.path.basename(side)} ({'other bytes' if alike else 'only here'})"


def _same_bytes(a: str, b: str) -> bool:
    try:
        first, second = filesystem.facts_at(a), filesystem.facts_at(b)
        return first.size == second.size and (
            a == b or filesystem.digest_of(a, first) == filesystem.digest_of(b, second)
        )
    except StepError:
        return False
