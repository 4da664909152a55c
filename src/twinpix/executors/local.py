"""Run tasks in worker processes of this machine, which may crash or hang without ending the run.

A worker reports which item it is at (`begin`). When its process dies, or is killed because the item took longer than
the timeout or more memory than the limit, the item is known, and the rest of its batch is tried again. Messages
between parent and worker are Python objects on a private pipe; nothing of them is ever stored.
"""

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any

from twinpix import machine
from twinpix.errors import WorkerError
from twinpix.executors import lost, processes
from twinpix.executors.base import Task, mapped
from twinpix.executors.lost import Lost
from twinpix.machine import cores

_TICK = 1.0  # seconds after which the clocks are looked at again
_MEMORY_TICK = 0.1  # seconds after which memory is looked at again: a decoder fills some hundred MB in that time
_START_SECONDS = 60.0  # that a process may take to start
_END_SECONDS = 5.0  # that a process may take to end once its pipe is closed
_MISSES = 3  # workers that do not start, one after the other, before no more are started
_SHARE = 0.75  # of the machine's memory that all workers together may take
_LEAST_MEMORY = 6 << 30  # bytes that a worker may take where there are as many: the largest images need 4 GB


@dataclass(slots=True)
class _Worker:
    process: processes.Process
    pipe: Connection
    cell: Any  # shared: index of the item at work, when it was begun
    batch: Sequence[Any] | None = None
    ready: bool = False  # it has said that it runs
    memory: int = 0  # bytes it had when it was ready


@dataclass(slots=True)
class Local:
    """A pool of `workers` processes (0: one a core); an item may take `timeout` seconds and `memory` bytes.

    With a `memory` of 0 an item may take a core's share of three quarters of the machine's, and 6 GB at least; all
    workers together may take three quarters. `note`
    is told when no process can be started: the work is done in this one then, without these limits.
    """

    workers: int = 0
    timeout: float = 60.0
    memory: int = 0
    note: Callable[[str], None] = lambda text: None
    _pool: list[_Worker] = field(default_factory=list)
    _most: int = 0  # processes that can be started
    _back: list[Sequence[Any]] = field(default_factory=list)  # batches of workers that did not start
    _was_ready: bool = False
    _misses: int = 0  # workers that did not start, one after the other
    _why: str = ""
    _looked: float = 0.0  # when memory was looked at last

    @property
    def size(self) -> int:
        """How many processes there will be at most."""
        return self.workers or cores()

    @property
    def limit(self) -> int:
        """Bytes of memory that one worker may take."""
        most = int(_SHARE * machine.memory())
        return self.memory or min(most, max(_LEAST_MEMORY, most // cores()))

    def map(self, task: Task, batches: Iterable[Sequence[Any]]) -> Generator[tuple[Any, Any], None, None]:
        """See `Executor.map`; raises `WorkerError` when workers could be started, and later cannot.

        Where the task cannot be sent to a worker (its class is in `__main__`, say), or no process can be started, it
        runs in this process.
        """
        with processes.forkable():
            yield from mapped(partial(self._run, task), batches)

    def _run(
        self, task: Task, queue: Iterator[Sequence[Any]]
    ) -> Generator[tuple[Sequence[Any], Any | Lost], None, None]:
        """Yield `(batch, results)` as batches finish; `Lost` for one that was not."""
        self._most, self._misses, self._was_ready = self.size, 0, False
        try:
            while True:
                try:
                    self._feed(queue, task)
                except processes.CannotStartError as error:
                    self._give_up(str(error))
                    yield from self._here(queue, task)
                    return
                busy = [worker for worker in self._pool if worker.batch is not None]
                if not busy:
                    return
                for ready in self._wait(busy):
                    worker = next(w for w in busy if w.pipe is ready)
                    outcome = self._hear(worker)
                    if outcome is not None:
                        yield outcome
                for worker in busy:
                    if worker in self._pool and self._overdue(worker):
                        outcome = self._end(worker, self._slow)
                        if outcome is not None:
                            yield outcome
                if (greedy := self._greedy(busy)) and (outcome := self._end(greedy, self._over)):
                    yield outcome
        finally:
            self.close()

    def close(self) -> None:
        """End every worker now."""
        for worker in self._pool:
            worker.pipe.close()
            if worker.batch is not None or not worker.ready:
                worker.process.kill()
        for worker in self._pool:
            _reap(worker.process, _END_SECONDS)
        self._pool.clear()
        self._back.clear()

    def _feed(self, queue: Iterator[Sequence[Any]], task: Task) -> None:
        """Hand a batch to each worker that has none; start workers only while there is work for them."""
        while True:
            idle = next((w for w in self._pool if w.batch is None), None)
            if idle is None and len(self._pool) >= self._most > 0:
                return
            batch = self._back.pop() if self._back else next(queue, None)
            if batch is None:
                return
            if idle is None and (idle := self._start(task, batch)) is None:
                return
            idle.cell[0], idle.cell[1] = 0.0, time.monotonic()
            idle.batch = batch
            with contextlib.suppress(OSError):  # a worker that is gone is heard of in `_hear`
                idle.pipe.send(batch)

    def _start(self, task: Task, batch: Sequence[Any]) -> _Worker | None:
        """A new worker for this batch; None when that fails and others run; else raises `CannotStartError`."""
        try:
            if not self._most:
                raise processes.CannotStartError(self._why)
            worker = _Worker(*processes.start(task, [w.pipe for w in self._pool], self.limit))
        except processes.CannotStartError:
            self._back.append(batch)
            self._most = len(self._pool)
            if self._pool:
                return None
            raise
        self._pool.append(worker)
        return worker

    def _give_up(self, why: str) -> None:
        """Raise `WorkerError` when workers have run before: what ended them must not run in this process."""
        if self._was_ready:
            raise WorkerError(f"no more worker processes can be started: {why}")
        self.note(f"no worker processes can be started ({why}); images are read in this process, without a time limit")

    def _here(self, queue: Iterator[Sequence[Any]], task: Task) -> Iterator[tuple[Sequence[Any], Any]]:
        """Run the task in this process."""
        while (batch := self._back.pop() if self._back else next(queue, None)) is not None:
            yield batch, task(batch, lambda index: None)

    def _wait(self, busy: Sequence[_Worker]) -> list[Any]:
        """The pipes in which something waits; time in which all of us stood still (Ctrl-Z, sleep) does not count."""
        begun = time.monotonic()
        tick = _MEMORY_TICK if machine.SEES_MEMORY else _TICK
        ready = wait([worker.pipe for worker in busy], timeout=min(tick, self._patience(busy)))
        stood_still = time.monotonic() - begun - _TICK
        if stood_still > _TICK:
            for worker in busy:
                worker.cell[1] = float(worker.cell[1]) + stood_still
        return ready

    def _hear(self, worker: _Worker) -> tuple[Sequence[Any], Any | Lost] | None:
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError):
            return self._end(worker)
        if kind == "ready":
            worker.ready = self._was_ready = True
            self._misses = 0
            worker.memory = machine.memory_of(worker.process.pid)
            worker.cell[1] = time.monotonic()
            return None
        if kind == "cannot":
            self._pool.remove(worker)
            worker.pipe.close()
            _reap(worker.process, 1)
            self._not_started(worker, content, forever=True)
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

    def _greedy(self, busy: Sequence[_Worker]) -> _Worker | None:
        """The worker that has taken more memory than it may, or the largest when all together have."""
        now = time.monotonic()
        if not machine.SEES_MEMORY or now - self._looked < _MEMORY_TICK:
            return None
        self._looked = now
        # What a fork shares with this process is not its own.
        taken = [
            (machine.memory_of(worker.process.pid) - worker.memory, at)
            for at, worker in enumerate(busy)
            if worker.ready and worker.batch is not None and worker in self._pool
        ]
        most, at = max(taken, default=(0, 0))
        over = most > self.limit or sum(size for size, _ in taken) > max(self.limit, _SHARE * machine.memory())
        return busy[at] if taken and over else None

    def _slow(self, index: int) -> Lost:
        return lost.slow(index, self.timeout)

    def _over(self, index: int) -> Lost:
        return lost.greedy(index, self.limit)

    def _end(self, worker: _Worker, why: Callable[[int], Lost] | None = None) -> tuple[Sequence[Any], Lost] | None:
        """Remove a worker that has ended, or kill it for a reason; say which item it was at."""
        self._pool.remove(worker)
        if why is not None:
            worker.process.kill()
        code = _reap(worker.process, 1)  # it has closed its pipe, so it is ending
        worker.pipe.close()
        if not worker.ready:
            self._not_started(worker, lost.exit_text(code) if why is None else "it did not start in time")
            return None
        batch = worker.batch
        if batch is None:
            return None
        index = min(int(worker.cell[0]), len(batch) - 1)
        if why is not None:
            return batch, why(index)
        if code == lost.OUT_OF_MEMORY:
            return batch, lost.greedy(index, self.limit)
        return batch, lost.ended(index, code)

    def _not_started(self, worker: _Worker, why: str, *, forever: bool = False) -> None:
        """Give its batch to another worker; after some that have not started, start none any more."""
        self._why = why
        self._misses += 1
        if worker.batch is not None:
            self._back.append(worker.batch)
        if forever or self._misses >= _MISSES:
            self._most = len(self._pool)


def _reap(process: processes.Process, seconds: float) -> int | None:
    """The exit code of a process that is to end by itself, and is killed when it does not."""
    code = process.code(seconds)
    if code is None:
        process.kill()
        code = process.code(None)
    return code
