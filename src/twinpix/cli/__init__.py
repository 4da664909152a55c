"""The command line: parse, one pipeline call, one writer."""

import contextlib
import gc
import os
import signal
import sys

_INTERRUPTED = 130  # the exit code of `errors.Exit`, which is not loaded yet


def main() -> None:
    """Run the command line and end the process with its code."""
    quiet = _end_quietly()
    _open_streams()
    # Work is shared among processes and threads of our own; a linear algebra library that starts more only
    # makes the start slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()  # what is imported stays: looking for garbage among it takes a tenth of the start
    from twinpix.cli.app import run

    gc.freeze()
    gc.enable()
    try:
        if quiet:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # in the moment before or after what `run` looks after
        code = _INTERRUPTED
    if sys.platform != "linux":
        sys.exit(code)
    with contextlib.suppress(OSError):  # what can be said of that is said in `run`
        sys.stdout.flush()
    # Everything is written and every worker is gone. Tearing down the interpreter would take longer than a
    # small run takes.
    os._exit(code)


def _end_quietly() -> bool:
    """Until a command begins Ctrl-C ends the process at once, as nothing is begun; False where it is to be ignored."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(_INTERRUPTED))
    return True


def _open_streams() -> None:
    """Nothing in the place of the standard streams that were closed: else the next file opened gets their number.

    Then what a library says on stderr would end up in a journal, say.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
