"""Messages on stderr; results go to stdout."""

import sys

from twinpix.text import printable

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"
_MAX_LISTED = 10  # paths printed at most


def note(text: str) -> None:
    """Print a message of twinpix."""
    print_line(f"twinpix: {text}")


def warn(text: str) -> None:
    """Print a warning of imgdupes, in red on a terminal."""
    print_line(f"{_RED}{text}{_PLAIN}" if sys.stderr.isatty() else text)


def print_line(text: str) -> None:
    """Print a line unchanged; stdout is flushed first, so that the order is kept."""
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def name_files(what: str, paths: list[str]) -> None:
    """Print a line about files with a problem, and the first ten of their paths."""
    if paths:
        print_line("\n".join([f"twinpix: {what}", *(f"  {printable(path)}" for path in paths[:_MAX_LISTED])]))
        if len(paths) > _MAX_LISTED:
            print_line(f"  and {len(paths) - _MAX_LISTED:,} more")
