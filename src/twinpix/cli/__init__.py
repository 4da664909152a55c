"""The command line: parse, one pipeline call, one writer."""

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from twinpix.cli.app import run

    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
