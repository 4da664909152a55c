"""Why a worker process ended before its batch was done, and what that says of the item at work."""

import contextlib
import signal
from dataclasses import dataclass

# Exit statuses of a worker that ends itself: it has more memory than its limit, or the system gave it none.
OUT_OF_MEMORY, REFUSED_MEMORY = 77, 78

# A decoder that ran wild gets one of these from the processor. Every other signal comes from outside: from a user, from
# the system that shuts down, from a limit; SIGABRT also from a library that was refused memory.
_FAULTS = frozenset({"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL"})
_WINDOWS_FAULTS = {  # exit codes
    0xC0000005: "access violation",
    0xC000001D: "illegal instruction",
    0xC0000094: "integer division by zero",
    0xC0000096: "privileged instruction",
    0xC00000FD: "stack overflow",
    0xC0000374: "heap corruption",
}


@dataclass(frozen=True, slots=True)
class Lost:
    """A batch that was not finished because its item `index` crashed or hung its worker.

    `fault` is True when the processor stopped the worker: a decoder ran wild. Everything else may be the machine's
    doing. `again` is True when the item is worth a second try; a fault that repeats is the image's.
    """

    index: int
    reason: str
    fault: bool = False
    again: bool = False


def ended(index: int, code: int | None) -> Lost:
    """An item whose worker ended by itself with this exit code (negative: by that signal; None: not known)."""
    if code == REFUSED_MEMORY:
        return Lost(index, "needs more memory than is available")
    text = exit_text(code)
    name = text.partition(" ")[0]
    if name in _FAULTS or code in _WINDOWS_FAULTS:
        return Lost(index, f"crashed its decoder ({text})", fault=True, again=True)
    if name == "SIGABRT":
        return Lost(index, f"crashed its decoder ({text})", again=True)
    if code is None or code >= 0:
        return Lost(index, f"ended its worker process ({text})", again=True)
    return Lost(index, f"its worker process was stopped from outside ({text})", again=True)


def slow(index: int, seconds: float) -> Lost:
    """An item that took longer than the timeout."""
    return Lost(index, f"exceeded the time limit of {seconds:g} s")


def greedy(index: int, limit: int) -> Lost:
    """An item that needs more memory than a worker may take."""
    return Lost(index, f"needs more memory than the limit of {limit / (1 << 30):.3g} GB for one worker process")


def exit_text(code: int | None) -> str:
    """An exit code in words."""
    if code is None:
        return "exit status unknown"
    if code in _WINDOWS_FAULTS:
        return _WINDOWS_FAULTS[code]
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code}"
