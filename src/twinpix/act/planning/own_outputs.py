"""Recognise outputs of twinpix: a report beside photos is no companion file of an image."""

import re
from functools import cache

from twinpix import plugins
from twinpix.outputs import Kind

# Reports, journals, choices and codes begin with their schema; codes as CSV begin with these columns.
_MARK = re.compile(rb'\s*[{\[]\s*"(?:schema|journal)"\s*:\s*"twinpix\.|path,method,code\r?\n')
_EXAMINED = 4096  # bytes that are examined


def is_output(path: str) -> bool:
    """True for a file that twinpix wrote; also for an unreadable one."""
    try:
        with open(path, "rb") as file:
            return any(file.seek(0) == 0 and kind.is_ours(file) for kind in _kinds())
    except OSError:
        return True


@cache
def _kinds() -> tuple[Kind, ...]:
    marked = Kind("file of twinpix", lambda file: _MARK.match(file.read(_EXAMINED)) is not None)
    return (marked, *(plugins.load("report", name).kind for name in plugins.names("report")))
