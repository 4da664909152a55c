"""Why a worker process ended before its batch was finished, and whether the current item caused it."""

import contextlib
import signal
from dataclasses import dataclass

# Exit statuses of a worker that ends itself: it exceeded its memory limit, or the system refused it memory.
OUT_OF_MEMORY, REFUSED_MEMORY = 77, 78

# Signals of a processor fault, such as an invalid memory access in a decoder. Other signals come from outside: from a
# user, a system that shuts down, a resource limit. SIGABRT also comes from a library that was refused memory.
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
    """A batch that was not finished, because its item `index` ended its worker or exceeded a limit.

    `fault` is True for a processor fault, such as an invalid memory access in a decoder; the machine may have caused
    everything else. `again` is True if the item should be retried once; the image causes a fault that repeats.
    """

    index: int
    reason: str
    fault: bool = False
    again: bool = False


def loss_of_worker(index: int, code: int | None) -> Lost:
    """Return the loss of an item whose worker ended with this exit code (negative: by that signal; None: unknown)."""
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
    """Return the loss of an item that exceeded the timeout."""
    return Lost(index, f"exceeded the time limit of {seconds:g} s")


def greedy(index: int, limit: int) -> Lost:
    """Return the loss of an item that exceeded the memory limit of a worker, in bytes."""
    return Lost(index, f"needs more memory than the limit of {limit / (1 << 30):.3g} GB for one worker process")


def exit_text(code: int | None) -> str:
    """Return an exit code in words."""
    if code is None:
        return "exit status unknown"
    if code in _WINDOWS_FAULTS:
        return _WINDOWS_FAULTS[code]
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code}"
