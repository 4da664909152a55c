"""Start and end worker processes, without running the user's program in them.

On Linux a process with one thread is forked. In all other cases a new interpreter is started, which receives the module
search path and imports what the task needs, but never `__main__`: that may be a script without a guard, a notebook or
standard input. `multiprocessing.Process` is not used, since daemonic processes may not have such children.
"""

import contextlib
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Protocol

from twinpix import machine
from twinpix.executors import worker
from twinpix.executors.base import Task

# The first modules are imported from the standard library: `-P` keeps the working directory off the search path.
_BOOT = """
import sys
from multiprocessing import connection
kind = connection.PipeConnection if sys.platform == "win32" else connection.Connection
pipe = kind(int(sys.argv[1]))
try:
    sys.path[:], arguments = pipe.recv()
    from twinpix.executors.worker import run_spawned
except Exception as error:
    pipe.send(("cannot", f"{type(error).__name__}: {error}"))
else:
    run_spawned(pipe, *arguments)
"""


@contextlib.contextmanager
def forkable() -> Iterator[None]:
    """Limit OpenCV, if it is loaded, to one thread during the block: its other threads do not survive a fork."""
    cv2 = sys.modules.get("cv2")
    if cv2 is None:
        yield
        return
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


class CannotStartError(Exception):
    """Raised with the reason if no worker process can be started."""


class Process(Protocol):
    """A worker process."""

    pid: int

    def kill(self) -> None:
        """Kill the process, if it still runs."""

    def code(self, seconds: float | None) -> int | None:
        """Wait up to `seconds` (None: without limit), and return the exit code (negative: the signal that ended it).

        Returns None if the process still runs, or if other code in this program has collected its exit code.
        """


class Started:
    """A worker process in a new interpreter."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process, self.pid = process, process.pid

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self._process.kill()

    def code(self, seconds: float | None) -> int | None:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


class Forked:
    """A worker process that is a fork of this process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None
        self._reaped = False

    def kill(self) -> None:
        if not self._reaped and self.code(0) is None and not self._reaped:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)

    def code(self, seconds: float | None) -> int | None:
        end = None if seconds is None else time.monotonic() + seconds
        pause = 0.0005
        while not self._reaped:
            self._reap(block=end is None)
            if self._reaped or (end is not None and time.monotonic() >= end):
                break
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        return self._code

    def _reap(self, *, block: bool) -> None:
        try:
            pid, status = os.waitpid(self.pid, 0 if block else os.WNOHANG)
        except ChildProcessError:  # other code has waited for all children
            self._reaped = True
            return
        if pid:
            self._reaped, self._code = True, os.waitstatus_to_exitcode(status)


def start(task: Task, others: Sequence[Connection], memory: int) -> tuple[Process, Connection, Any]:
    """Start a worker process; return it, the pipe to it, and shared memory of two numbers (see `worker.CELL_BYTES`).

    `others` are the pipes to other workers, `memory` is the limit in bytes. Raises `CannotStartError`.
    """
    if sys.platform.startswith("linux") and threading.active_count() == 1:
        return _fork(task, others, memory)
    return _spawn(task, memory)


def _fork(task: Task, others: Sequence[Connection], memory: int) -> tuple[Process, Connection, Any]:
    parent = os.getpid()
    ours, theirs = Pipe()
    cell = memoryview(mmap.mmap(-1, worker.CELL_BYTES)).cast("d")
    try:
        with warnings.catch_warnings():
            # Python warns of the sleeping threads of a linear algebra library, which survive a fork.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    except OSError as error:
        ours.close()
        theirs.close()
        raise CannotStartError(str(error)) from None
    if pid == 0:
        try:
            for other in (*others, ours):
                other.close()  # else it would keep other workers' pipes open after the parent has ended
            worker.run_forked(task, theirs, cell, parent, memory)
        finally:
            os._exit(1)
    theirs.close()
    return Forked(pid), ours, cell


def _spawn(task: Task, memory: int) -> tuple[Process, Connection, Any]:
    command = [*_interpreter(), "-P", *_flags(), "-c", _BOOT]
    try:
        pickled = ForkingPickler.dumps(task)
    except Exception as error:  # noqa: BLE001 - pickling may raise any exception
        raise CannotStartError(f"the task cannot be sent to another process: {error}") from None
    environment = dict.fromkeys(worker.THREADS, "1") | os.environ  # there is one process per core
    is_main_thread = threading.current_thread() is threading.main_thread()
    ours, theirs = Pipe()
    try:
        if sys.platform == "win32":
            process, cell, shared = _launch_on_windows(command, theirs, environment)
        else:
            process, cell, shared = _launch(command, theirs, environment)
    except OSError as error:
        ours.close()
        raise CannotStartError(str(error)) from None
    finally:
        theirs.close()
    with contextlib.suppress(OSError):  # `Local` notices a worker that has ended
        ours.send(([*sys.path, _home()], (cell, os.getpid(), memory, is_main_thread, machine.shared)))
        ours.send_bytes(pickled)
    return Started(process), ours, memoryview(shared).cast("d")


def _launch(command: list[str], pipe: Connection, environment: dict[str, str]) -> tuple[Any, int, mmap.mmap]:
    with tempfile.TemporaryFile() as file:
        file.truncate(worker.CELL_BYTES)
        process = subprocess.Popen(
            [*command, str(pipe.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            pass_fds=(pipe.fileno(), file.fileno()),
        )
        return process, file.fileno(), mmap.mmap(file.fileno(), worker.CELL_BYTES)


def _launch_on_windows(command: list[str], pipe: Any, environment: dict[str, str]) -> tuple[Any, str, mmap.mmap]:
    if sys.platform == "win32":
        name = f"twinpix-{os.urandom(16).hex()}"
        shared = mmap.mmap(-1, worker.CELL_BYTES, tagname=name)
        os.set_handle_inheritable(pipe.fileno(), True)
        process = subprocess.Popen(
            [*command, str(pipe.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            startupinfo=subprocess.STARTUPINFO(lpAttributeList={"handle_list": [pipe.fileno()]}),
            creationflags=subprocess.CREATE_NO_WINDOW,
        )
        return process, name, shared
    raise CannotStartError("this is not Windows")


def _interpreter() -> list[str]:
    """Return the command that starts this Python; raises `CannotStartError` in a frozen program."""
    if getattr(sys, "frozen", False) or not sys.executable:
        raise CannotStartError("this program has no Python interpreter beside it")
    return [sys.executable]


def _home() -> str:
    """Return the absolute folder or archive of this package: a relative path fails if the working directory changed."""
    return str(Path(__file__).absolute().parents[2])


def _flags() -> list[str]:
    """Return the interpreter flags for the encoding of file names and the module search path."""
    flags = [f"-Xutf8={sys.flags.utf8_mode}"]
    return [*flags, "-s"] if sys.flags.no_user_site else flags
