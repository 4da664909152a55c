"""Map a pure function over batches in worker processes that may crash or hang without ending the run.

A worker says which item it is at (`begin`), so that when its process dies, or is killed because the item
took longer than the timeout, the item is known and the rest of the batch can be tried again. It may put
one question to the parent (`ask`): that is how files with equal content are decoded once. Messages
between parent and worker are Python objects on a private pipe; nothing of them is ever stored.
"""

import contextlib
import mmap
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from twinpix.errors import WorkerError
from twinpix.machine import cores

Ask = Callable[[Any], Any]
Begin = Callable[[int], None]
Work = Callable[[Sequence[Any], Begin, Ask], Any]

_SIGKILL = -9  # the exit code of what was killed; also for want of memory
_TICK = 1.0  # seconds after which the clocks are looked at again
_START_SECONDS = 60.0  # that a process may take to start


@dataclass(frozen=True, slots=True)
class Lost:
    """A batch that was not finished because its item `index` crashed or hung its worker."""

    index: int
    lasting: bool  # False when it may do better another time: it was killed, by us or for want of memory
    reason: str


@dataclass(slots=True)
class _Worker:
    process: Any
    pipe: Connection
    cell: Any  # shared: index of the item at work, when it was begun
    batch: Sequence[Any] | None = None
    ready: bool = False  # it has said that it runs


@dataclass(slots=True)
class Local:
    """A pool of `workers` processes (0: one a core); an item may take `timeout` seconds."""

    workers: int = 0
    timeout: float = 60.0
    _pool: list[_Worker] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many processes there will be at most."""
        return self.workers or cores()

    def run(
        self, work: Work, batches: Iterable[Sequence[Any]], answer: Callable[[Any], Any]
    ) -> Generator[tuple[Sequence[Any], Any | Lost], None, None]:
        """Yield `(batch, result)` as batches finish, in no particular order; `Lost` for one that was not.

        `work(batch, begin, ask)` runs in a worker and must be importable there; `answer` answers its
        question here. All workers are gone when the iterator ends or is closed. Raises `WorkerError` when
        processes cannot be started.
        """
        queue = iter(batches)
        try:
            while True:
                self._feed(queue, work)
                busy = [worker for worker in self._pool if worker.batch is not None]
                if not busy:
                    return
                for ready in self._wait(busy):
                    worker = next(w for w in busy if w.pipe is ready)
                    outcome = self._hear(worker, answer)
                    if outcome is not None:
                        yield outcome
                for worker in busy:
                    if worker in self._pool and self._overdue(worker):
                        yield self._bury(worker, timed_out=True)
        finally:
            self.close()

    def close(self) -> None:
        """End every worker now."""
        for worker in self._pool:
            worker.pipe.close()
            if worker.batch is not None or not worker.ready:
                worker.process.kill()
        for worker in self._pool:
            worker.process.join()
            worker.process.close()
        self._pool.clear()

    def _feed(self, queue: Iterator[Sequence[Any]], work: Work) -> None:
        """Hand a batch to each worker that has none; start workers only while there is work for them."""
        while True:
            idle = next((w for w in self._pool if w.batch is None), None)
            if idle is None and len(self._pool) >= self.size:
                return
            batch = next(queue, None)
            if batch is None:
                return
            if idle is None:
                idle = _start(work, [w.pipe for w in self._pool])
                self._pool.append(idle)
            idle.cell[0], idle.cell[1] = 0.0, time.monotonic()
            idle.batch = batch
            with contextlib.suppress(OSError):  # a worker that is gone is heard of in `_hear`
                idle.pipe.send(batch)

    def _wait(self, busy: Sequence[_Worker]) -> list[Any]:
        """The pipes in which something waits; time in which all of us stood still (Ctrl-Z, sleep) does not count."""
        begun = time.monotonic()
        ready = wait([worker.pipe for worker in busy], timeout=min(_TICK, self._patience(busy)))
        stood_still = time.monotonic() - begun - _TICK
        if stood_still > _TICK:
            for worker in busy:
                worker.cell[1] = float(worker.cell[1]) + stood_still
        return ready

    def _hear(self, worker: _Worker, answer: Callable[[Any], Any]) -> tuple[Sequence[Any], Any | Lost] | None:
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError):
            return self._bury(worker, timed_out=False)
        if kind == "ready":
            worker.ready = True
            worker.cell[1] = time.monotonic()
            return None
        if kind == "ask":
            reply = answer(content)
            worker.cell[1] = time.monotonic()  # it waited for us, not for its decoder
            with contextlib.suppress(OSError):  # a worker that is gone is heard of at the next turn
                worker.pipe.send(reply)
            return None
        batch, worker.batch = worker.batch, None
        assert batch is not None
        if kind == "error":
            raise content
        return batch, content

    def _patience(self, busy: Sequence[_Worker]) -> float:
        now = time.monotonic()
        return max(0.01, min(float(worker.cell[1]) for worker in busy) + self.timeout - now)

    def _overdue(self, worker: _Worker) -> bool:
        """True when it is too long at one item, and has not told us something that we did not yet hear."""
        limit = self.timeout if worker.ready else max(self.timeout, _START_SECONDS)
        late = worker.batch is not None and time.monotonic() - float(worker.cell[1]) > limit
        return late and not worker.pipe.poll()

    def _bury(self, worker: _Worker, *, timed_out: bool) -> tuple[Sequence[Any], Lost]:
        """Remove a dead or hanging worker; say which item it was at."""
        self._pool.remove(worker)
        if not timed_out:
            worker.process.join(1)  # it has closed its pipe, so it is ending
        worker.process.kill()
        worker.process.join()
        code = worker.process.exitcode
        worker.pipe.close()
        worker.process.close()
        if not worker.ready:
            raise WorkerError(
                f"worker processes cannot start ({_exit_text(code)}); a script that is not guarded by "
                'if __name__ == "__main__": starts itself again in each of them'
            )
        batch = worker.batch
        assert batch is not None
        if timed_out:
            reason = f"gave no answer within {self.timeout:g} s (--timeout)"
        else:
            reason = f"crashed its decoder ({_exit_text(code)})"
        lasting = not timed_out and code != _SIGKILL
        return batch, Lost(min(int(worker.cell[0]), len(batch) - 1), lasting, reason)


def _exit_text(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code}"


def _start(work: Work, others: Sequence[Connection]) -> _Worker:
    """Start a worker: by fork where the system forks safely and this process has one thread, else by spawn."""
    forks = sys.platform.startswith("linux") and threading.active_count() == 1
    context: Any = multiprocessing.get_context("fork" if forks else "spawn")
    ours, theirs = context.Pipe()
    # Two numbers that both sides see: which item is at work, and when it was begun.
    cell = memoryview(mmap.mmap(-1, 16)).cast("d") if forks else context.RawArray("d", 2)
    inherited = [*others, ours] if forks else []
    process = context.Process(target=_serve, args=(work, theirs, cell, inherited), daemon=True)
    with warnings.catch_warnings():
        # Python counts the sleeping threads of a linear algebra library, which survive a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    theirs.close()
    return _Worker(process, ours, cell)


def _serve(work: Work, pipe: Connection, cell: Any, inherited: Sequence[Connection]) -> None:
    """A worker's life: take a batch, work, send the result; end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    for other in inherited:
        other.close()  # else a worker would keep its siblings' pipes open after the parent's death
    _silence()
    _reuse_memory()
    pipe.send(("ready", None))

    def begin(index: int) -> None:
        cell[1] = time.monotonic()
        cell[0] = float(index)

    def ask(question: Any) -> Any:
        pipe.send(("ask", question))
        return pipe.recv()

    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            batch = pipe.recv()
            try:
                answer = ("done", work(batch, begin, ask))
            except (EOFError, BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:  # noqa: BLE001 - a bug in the work is raised again in the parent
                answer = ("error", error)
            pipe.send(answer)


def _silence() -> None:
    """Decoders write their doubts straight to stderr; what matters comes back as a failure or a mark."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(null, stream)
    os.close(null)


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
