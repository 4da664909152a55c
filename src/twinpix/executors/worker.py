"""The main loop of a worker process: receive a batch, run the task, send the results; end with the parent."""

import contextlib
import gc
import mmap
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from twinpix import machine
from twinpix.errors import WorkerError
from twinpix.executors.base import Task
from twinpix.executors.lost import OUT_OF_MEMORY, REFUSED_MEMORY

CELL_BYTES = 16  # two shared numbers: index of the current item, and when it began
_CHECK_SECONDS = 0.2  # between checks of the parent and of this process's memory
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables with the number of threads of libraries for linear algebra."""

_GONE = (EOFError, BrokenPipeError, ConnectionResetError)


def run_forked(task: Task, pipe: Connection, cell: Any, parent: int, memory: int) -> None:
    """Run the main loop in a fork of the parent; never returns.

    No code that the parent's program has registered may run here: no signal handler, finalizer or exit handler.
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
        _use_one_thread()
        _serve(task, pipe, cell)
        code = 0
    finally:
        os._exit(code)


def _use_one_thread() -> None:
    """Limit the libraries for linear algebra and OpenMP to one thread: there is one process per core.

    The other threads of OpenMP do not survive a fork, and it would wait for them forever: after a computation with
    PyTorch, no RAW file could be decoded (LibRaw uses OpenMP). Those of OpenBLAS are started anew in each process, and
    spin on the cores of the other processes.
    """
    os.environ |= dict.fromkeys(THREADS, "1")  # for libraries that are loaded later
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of programs that have loaded two OpenMP libraries
        threadpool_limits(1)


def run_spawned(
    pipe: Connection, cell: int | str, parent: int, memory: int, is_main_thread: bool, shared: Mapping[str, str]
) -> None:
    """Run the main loop in a new interpreter, with the task that the parent sends; never returns.

    `cell` is the file descriptor of the shared memory of two numbers, or its name on Windows; `shared` is that of the
    parent's `machine`.
    """
    code = 1
    try:
        machine.shared.update(shared)
        _prepare(pipe, parent, memory, is_main_thread=is_main_thread)
        numbers = memoryview(_map_cell(cell)).cast("d")
        try:
            task = pipe.recv()
        except _GONE:
            raise
        except Exception as error:  # noqa: BLE001 - any exception while unpickling the task is sent to the parent
            pipe.send(("cannot", f"{type(error).__name__}: {error}"))
        else:
            _serve(task, pipe, numbers)
            code = 0
    finally:
        os._exit(code)


def _map_cell(cell: int | str) -> mmap.mmap:
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
            except Exception as error:  # noqa: BLE001 - an exception of the task is raised again in the parent
                if machine.lacks_memory(error):
                    os._exit(REFUSED_MEMORY)
                answer = ("error", _sendable(error))
            pipe.send(answer)


def _sendable(error: Exception) -> Exception:
    """Return the error, or a `WorkerError` with its text if it cannot be pickled."""
    from multiprocessing.reduction import ForkingPickler

    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:  # noqa: BLE001 - an error's own methods may fail in any way
        return WorkerError(f"{type(error).__name__}: {error}")
    return error


def _prepare(pipe: Connection, parent: int, memory: int, *, is_main_thread: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    machine.become_worker()
    _silence(pipe.fileno())
    _no_core_files()
    _reuse_memory()
    if not (is_main_thread and _dies_with(parent)):
        threading.Thread(target=_watch, args=(parent, memory), daemon=True).start()


def _silence(pipe: int) -> None:
    """Redirect stdout and stderr to the null device: decoders write warnings there.

    Damaged images are reported in the results.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for stream in {1, 2} - {pipe, null}:
        os.dup2(null, stream)
    if null > 2:
        os.close(null)


def _no_core_files() -> None:
    """Disable core dumps, so that a crash leaves no large file in the user's folder."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _dies_with(parent: int) -> bool:
    """Ask the system to kill this process when the thread that started it ends; False if it cannot.

    That thread must be the parent's main thread: other threads may end before the work is done.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    set_death_signal = 1
    try:
        done = bool(ctypes.CDLL(None).prctl(set_death_signal, int(signal.SIGKILL), 0, 0, 0) == 0)
    except (AttributeError, OSError):
        return False
    if os.getppid() != parent:  # the parent ended before the call
        os._exit(1)
    return done


def _watch(parent: int, memory: int) -> None:
    """End this process when its parent has ended, or when it exceeds the memory limit, in bytes."""
    gone = _parent_gone(parent)
    start = machine.own_memory()
    while not gone(_CHECK_SECONDS):
        if machine.own_memory() - start > memory:
            os._exit(OUT_OF_MEMORY)
    os._exit(1)


def _parent_gone(parent: int) -> Callable[[float], bool]:
    """Return a function that waits up to a number of seconds for the parent to end, and returns whether it has."""
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
    """Make glibc keep large blocks for the next image: new pages take a third of the time of a large decode."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        mmap_threshold, trim_threshold = -3, -1
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, 256 << 20)
