"""The command line: parse, one pipeline call, one writer."""

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # Work is shared among processes and threads of our own; a linear algebra library that starts more only
    # makes the start slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from twinpix.cli.app import run

    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
