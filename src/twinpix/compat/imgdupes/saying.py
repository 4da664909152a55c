"""What is said on stderr, beside the results."""

import sys

from twinpix.text import printable

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"
_SHOWN = 10  # files named one by one


def note(text: str) -> None:
    """A line of twinpix's own."""
    print_line(f"twinpix: {text}")


def warn(text: str) -> None:
    """A line of imgdupes', in red on a terminal."""
    print_line(f"{_RED}{text}{_PLAIN}" if sys.stderr.isatty() else text)


def print_line(text: str) -> None:
    """A line as it is, after what was printed before."""
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def name_files(what: str, paths: list[str]) -> None:
    """A line on files that something is wrong with, and the first of them."""
    if paths:
        print_line("\n".join([f"twinpix: {what}", *(f"  {printable(path)}" for path in paths[:_SHOWN])]))
        if len(paths) > _SHOWN:
            print_line(f"  and {len(paths) - _SHOWN:,} more")
