"""CPU and memory limits of this process."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

SEES_MEMORY = sys.platform.startswith("linux")
"""Whether `memory_of` can read the memory of other processes."""

_is_worker = False

shared: dict[str, str] = {}
"""What worker processes take over from their parent: a forked one has it, a spawned one receives it as it starts."""


def become_worker() -> None:
    """Mark this process as a worker."""
    global _is_worker
    _is_worker = True


def is_worker() -> bool:
    """True in a worker process."""
    return _is_worker


def cores() -> int:
    """Return the number of processors that this process may use; a container or `taskset` may limit it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def return_memory() -> None:
    """Return freed memory to the system, where the C library keeps it for later (Linux)."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Suspend garbage collection while many long-lived objects are created: it would take most of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@cache
def memory() -> int:
    """Return the memory of this machine, or of this container, in bytes."""
    found = [_installed_memory()]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError), Path(path).open(encoding="ascii") as file:
            found.append(int(file.read()))  # "max", which is not a number, if there is no limit
    return min(found)


def _installed_memory() -> int:
    if sys.platform == "win32":
        import ctypes

        kilobytes = ctypes.c_ulonglong()
        if ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes)):
            return kilobytes.value << 10
        return 4 << 30
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def memory_of(pid: int) -> int:
    """Return the resident memory of a process in bytes, with shared memory; 0 if unknown."""
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", encoding="ascii") as file:  # noqa: PTH123 - `Path` is slower, and this runs ten times a second for each worker
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def own_memory() -> int:
    """Return the resident memory of this process in bytes; on macOS and other systems without /proc, its maximum."""
    if SEES_MEMORY:
        return memory_of(os.getpid())
    if sys.platform == "win32":
        return _own_memory_on_windows()
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10


def _own_memory_on_windows() -> int:
    if sys.platform == "win32":
        import ctypes

        # PROCESS_MEMORY_COUNTERS: two 32-bit numbers, then eight numbers of pointer size; the second of these is the
        # working set.
        counters = (ctypes.c_size_t * 10)()
        counters[0] = ctypes.sizeof(counters)
        kernel = ctypes.windll.kernel32
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        kernel.K32GetProcessMemoryInfo.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong)
        if kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), 72):
            return int(counters[2])
    return 0


_NO_MEMORY = ("bad_alloc", "bad alloc", "cannot allocate", "could not allocate", "failed to allocate", "memory allocat")
_LITTLE_MEMORY = ("insufficient memory", "unsufficient memory", "not enough memory", "out of memory")


def lacks_memory(error: BaseException) -> bool:
    """True if the message of an error, of any library, reports that memory could not be allocated."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY + _LITTLE_MEMORY)


def memory_is_limited() -> bool:
    """True if a limit of this process may make allocations fail, which decoders report in many ways."""
    if sys.platform == "win32":
        return False
    import resource

    for name in ("RLIMIT_AS", "RLIMIT_DATA"):
        if hasattr(resource, name) and resource.getrlimit(getattr(resource, name))[0] != resource.RLIM_INFINITY:
            return True
    with suppress(OSError, ValueError), Path("/proc/sys/vm/overcommit_memory").open(encoding="ascii") as file:
        return int(file.read()) == 2
    return False
