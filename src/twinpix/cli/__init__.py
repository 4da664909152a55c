"""The command line: parse, one pipeline call, one writer."""

import contextlib
import gc
import os
import sys


def main() -> None:
    """Run the command line and end the process with its code."""
    _open_streams()
    # Work is shared among processes and threads of our own; a linear algebra library that starts more only
    # makes the start slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()  # what is imported stays: looking for garbage among it takes a tenth of the start
    from twinpix.cli.app import run

    gc.freeze()
    gc.enable()
    code = run(sys.argv[1:])
    if sys.platform != "linux":
        sys.exit(code)
    with contextlib.suppress(OSError):  # what can be said of that is said in `run`
        sys.stdout.flush()
    # Everything is written and every worker is gone. Tearing down the interpreter would take longer than a
    # small run takes.
    os._exit(code)


def _open_streams() -> None:
    """Nothing in the place of the standard streams that were closed: else the next file opened gets their number.

    Then what a library says on stderr would end up in a journal, say.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
