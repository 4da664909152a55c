"""Exclusion of files from a listing: by name or path, and by size."""

import os
import re
from collections.abc import Sequence
from fnmatch import translate
from typing import NamedTuple


class Filter(NamedTuple):
    """Excluded files and folders."""

    names: re.Pattern[str] | None = None  # compared with a name
    paths: re.Pattern[str] | None = None  # compared with a path as it is listed
    min_size: int = 0  # bytes

    @classmethod
    def of(cls, exclude: Sequence[str] = (), min_size: int = 0) -> "Filter":
        """Convert a pattern: without a slash it is compared with names, else with the end of paths.

        `*` matches any characters, `?` one character, `[abc]` one of these, as in a shell; on Windows upper and lower
        case are equal.
        """
        plain = [os.path.normcase(pattern) for pattern in exclude]
        return cls(
            _any([translate(pattern) for pattern in plain if os.sep not in pattern]),
            _any([translate(_anywhere(pattern)) for pattern in plain if os.sep in pattern]),
            min_size,
        )

    def leaves_out(self, path: str) -> bool:
        """True for a file or folder that a pattern matches."""
        path = os.path.normcase(path)
        if self.names is not None and self.names.match(os.path.basename(path)):
            return True
        return self.paths is not None and self.paths.match(path) is not None


def _anywhere(pattern: str) -> str:
    """Return a pattern of a path that may begin at any folder."""
    pattern = pattern.rstrip(os.sep)
    return pattern if pattern.startswith((os.sep, "*")) or os.path.isabs(pattern) else f"*{os.sep}{pattern}"


def _any(patterns: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None
