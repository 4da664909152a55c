"""The command line: parse the arguments, run one use case, write the result."""

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
    # Work is divided among our own processes and threads; further threads of a linear algebra library
    # only delay the start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()  # imported modules stay in memory: garbage collection during the imports takes a tenth of the start
    from twinpix.cli.app import run

    gc.freeze()
    gc.enable()
    try:
        if quiet:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # immediately before or after the part that `run` handles
        code = _INTERRUPTED
    if sys.platform != "linux":
        sys.exit(code)
    with contextlib.suppress(OSError):  # `run` reports this error
        sys.stdout.flush()
    # Everything is written and all workers have ended. An orderly end of the interpreter would take longer than a
    # small run.
    os._exit(code)


def _end_quietly() -> bool:
    """Let Ctrl-C end the process immediately until a command begins; returns False if SIGINT is ignored."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(_INTERRUPTED))
    return True


def _open_streams() -> None:
    """Open the null device for closed standard streams: else the next opened file would get their number.

    Messages of a library on stderr would then be written to a journal, for example.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
