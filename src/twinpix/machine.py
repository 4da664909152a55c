"""What this process may use of the machine."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

SEES_MEMORY = sys.platform.startswith("linux")
"""Whether `memory_of` can look at other processes."""

_is_worker = False


def become_worker() -> None:
    """Note that this is one of several processes that share the work."""
    global _is_worker
    _is_worker = True


def is_worker() -> bool:
    """True in a process that works for another one."""
    return _is_worker


def cores() -> int:
    """How many processors this process may run on; fewer than there are in a container or under `taskset`."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """While millions of objects are made that all stay, looking for garbage among them takes most of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@cache
def memory() -> int:
    """Bytes of memory that this machine, or this container, has."""
    found = [_installed_memory()]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError), Path(path).open(encoding="ascii") as file:
            found.append(int(file.read()))  # "max" where there is no limit
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
    """Bytes of memory that a process has, those that it shares included; 0 where that is not known."""
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", encoding="ascii") as file:  # noqa: PTH123 - ten times a second for each worker
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def own_memory() -> int:
    """Bytes of memory that this process has, or the most that it ever had."""
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

        # PROCESS_MEMORY_COUNTERS: two 32-bit numbers, then eight of the size of a pointer, of which the second is the
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
    """True when an error says that memory was refused, in the words of any library."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY + _LITTLE_MEMORY)


def memory_is_limited() -> bool:
    """True where a limit of this process, not the machine, may refuse it memory: decoders report that in many ways."""
    if sys.platform == "win32":
        return False
    import resource

    for name in ("RLIMIT_AS", "RLIMIT_DATA"):
        if hasattr(resource, name) and resource.getrlimit(getattr(resource, name))[0] != resource.RLIM_INFINITY:
            return True
    with suppress(OSError, ValueError), Path("/proc/sys/vm/overcommit_memory").open(encoding="ascii") as file:
        return int(file.read()) == 2
    return False
