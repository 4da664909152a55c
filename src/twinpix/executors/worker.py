"""What runs in a worker process: take a batch, work, send the result; end with the parent."""

import contextlib
import gc
import mmap
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from twinpix import machine
from twinpix.errors import WorkerError
from twinpix.executors.base import Task
from twinpix.executors.lost import OUT_OF_MEMORY, REFUSED_MEMORY

CELL_BYTES = 16  # two numbers that both sides see: which item is at work, and when it was begun
_LOOK_SECONDS = 0.2  # between two looks whether the parent is there and how much memory this process has
_OPENMP = re.compile(r"/lib(?:gomp|iomp5|omp)[-.][^/]*$")  # of GCC, of Intel, of LLVM
_GONE = (EOFError, BrokenPipeError, ConnectionResetError)


def forked(task: Task, pipe: Connection, cell: Any, parent: int, memory: int) -> None:
    """Serve in a fork of the parent; never returns.

    Nothing of what the parent's program has made may run here: no signal handler, no finalizer, no exit handler.
    """
    code = 1
    try:
        gc.freeze()
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _prepare(pipe, parent, memory, is_main_thread=True)
        _leave_openmp_alone()
        _serve(task, pipe, cell)
        code = 0
    finally:
        os._exit(code)


def _leave_openmp_alone() -> None:
    """Let every OpenMP library that the parent had loaded use one thread.

    Its other threads do not survive a fork, and it waits for them for ever: where PyTorch had computed something, no
    RAW file was decoded any more (LibRaw uses OpenMP).
    """
    try:
        with Path("/proc/self/maps").open(encoding="utf-8", errors="surrogateescape") as file:
            paths = {line.split(maxsplit=5)[5].strip() for line in file if _OPENMP.search(line)}
    except OSError:
        return
    for path in sorted(paths):
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(path).omp_set_num_threads(1)


def started(pipe: Connection, cell: int | str, parent: int, memory: int, is_main_thread: bool) -> None:
    """Serve in a process that was started for it, with the work that the parent sends; never returns.

    `cell` is a handle of, or on Windows the name of, the shared memory of two numbers.
    """
    code = 1
    try:
        _prepare(pipe, parent, memory, is_main_thread=is_main_thread)
        numbers = memoryview(_shared(cell)).cast("d")
        try:
            task = pipe.recv()
        except _GONE:
            raise
        except Exception as error:  # noqa: BLE001 - whatever keeps the work from being made here is told to the parent
            pipe.send(("cannot", f"{type(error).__name__}: {error}"))
        else:
            _serve(task, pipe, numbers)
            code = 0
    finally:
        os._exit(code)


def _shared(cell: int | str) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(-1, CELL_BYTES, tagname=str(cell))
    return mmap.mmap(int(cell), CELL_BYTES)


def _serve(task: Task, pipe: Connection, cell: Any) -> None:
    pipe.send(("ready", None))

    def begin(index: int) -> None:
        cell[1] = time.monotonic()
        cell[0] = float(index)

    with contextlib.suppress(*_GONE):
        while True:
            batch = pipe.recv()
            try:
                answer = ("done", task(batch, begin))
            except _GONE:
                raise
            except Exception as error:  # noqa: BLE001 - a bug in the work is raised again in the parent
                if machine.lacks_memory(error):
                    os._exit(REFUSED_MEMORY)
                answer = ("error", _sendable(error))
            pipe.send(answer)


def _sendable(error: Exception) -> Exception:
    """The error, or what it says where it cannot be made again on the other side."""
    from multiprocessing.reduction import ForkingPickler

    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:  # noqa: BLE001 - an error's own methods may fail in any way
        return WorkerError(f"{type(error).__name__}: {error}")
    return error


def _prepare(pipe: Connection, parent: int, memory: int, *, is_main_thread: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    machine.become_worker()
    _silence(pipe.fileno())
    _no_core_files()
    _reuse_memory()
    if not (is_main_thread and _dies_with(parent)):
        threading.Thread(target=_watch, args=(parent, memory), daemon=True).start()


def _silence(pipe: int) -> None:
    """Decoders write their doubts straight to stderr; what matters comes back as a failure or a mark."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in {1, 2} - {pipe, null}:
        os.dup2(null, stream)
    if null > 2:
        os.close(null)


def _no_core_files() -> None:
    """A decoder that crashes leaves no file of the whole memory in the user's folder."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _dies_with(parent: int) -> bool:
    """Ask the system to kill this process when the thread ends that started it; False where it does not.

    That thread must be the parent's main one: others may end before their work is done.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    set_death_signal = 1
    try:
        done = bool(ctypes.CDLL(None).prctl(set_death_signal, int(signal.SIGKILL), 0, 0, 0) == 0)
    except (AttributeError, OSError):
        return False
    if os.getppid() != parent:  # it has ended in between
        os._exit(1)
    return done


def _watch(parent: int, memory: int) -> None:
    """End this process when its parent has ended, or it takes more memory than it may."""
    gone = _parent_gone(parent)
    start = machine.own_memory()
    while not gone(_LOOK_SECONDS):
        if machine.own_memory() - start > memory:
            os._exit(OUT_OF_MEMORY)
    os._exit(1)


def _parent_gone(parent: int) -> Callable[[float], bool]:
    """What waits so many seconds for the parent to end, and tells whether it has."""
    if sys.platform == "win32":
        import _winapi

        synchronize, signaled = 0x00100000, 0
        handle = _winapi.OpenProcess(synchronize, False, parent)
        return lambda seconds: _winapi.WaitForSingleObject(handle, int(1000 * seconds)) == signaled

    def has_other_parent(seconds: float) -> bool:
        time.sleep(seconds)
        return os.getppid() != parent

    return has_other_parent


def _reuse_memory() -> None:
    """Ask glibc to keep large blocks for the next picture: fresh pages cost a third of a large decode."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        mmap_threshold, trim_threshold = -3, -1
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, 256 << 20)
