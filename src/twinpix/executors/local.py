"""Run tasks in worker processes of this machine; a worker may crash or hang without ending the run.

A worker reports the item that it begins (`begin`). If its process ends, or is killed because the item exceeded the
timeout or the memory limit, the loss is attributed to this item, and the rest of the batch is retried. Parent and
worker exchange pickled Python objects on a private pipe; they are never stored.
"""

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any

from twinpix import machine
from twinpix.errors import WorkerError
from twinpix.executors import lost, processes
from twinpix.executors.base import Task, map_batches
from twinpix.executors.costs import Cost
from twinpix.executors.lost import Lost
from twinpix.machine import cores

_TICK = 1.0  # seconds between checks of the timeout
_MEMORY_TICK = 0.1  # seconds between checks of the memory: a decoder allocates a few hundred MB in that time
_START_SECONDS = 60.0  # within which a process must start
_END_SECONDS = 5.0  # within which a process must end once its pipe is closed
_MISSES = 3  # consecutive workers that fail to start, after which no more are started
_SHARE = 0.75  # of the machine's memory, for all workers together
_LEAST_MEMORY = 6 << 30  # bytes: smallest limit of one worker, if the machine has as much; the largest images need 4 GB


@dataclass(slots=True)
class _Worker:
    process: processes.Process
    pipe: Connection
    cell: Any  # shared memory: index of the current item, and when it began
    batch: Sequence[Any] | None = None
    ready: bool = False  # whether it reported that it has started
    memory: int = 0  # bytes in use when it was ready


@dataclass(slots=True)
class Local:
    """A pool of `workers` processes (0: one per core); an item may take `timeout` seconds and `memory` bytes.

    With `memory` 0 the limit of a worker is three quarters of the machine's memory divided by the cores, but at least
    6 GB if these quarters are as much; all workers together may take these quarters. If no process can be started, the
    work is done in the calling process without these limits, and `note` is called with the reason.

    Workers end with the run. With `keeps`, those of a task with `keeps_workers` wait for a later run of an equal task,
    with what they have in memory, such as decoded images: call `close` at the end.
    """

    workers: int = 0
    timeout: float = 60.0
    memory: int = 0
    note: Callable[[str], None] = lambda text: None
    keeps: bool = False
    _task: Task | None = None  # of the workers in the pool
    _pool: list[_Worker] = field(default_factory=list)
    _most: int = 0  # largest number of processes
    _back: list[Sequence[Any]] = field(default_factory=list)  # batches of workers that failed to start
    _was_ready: bool = False
    _misses: int = 0  # consecutive workers that failed to start
    _why: str = ""
    _checked: float = 0.0  # time of the last check of the memory

    @property
    def remote(self) -> bool:
        """False: a search uses the cores of this machine by threads."""
        return False

    @property
    def costs(self) -> Mapping[str, Cost]:
        """Empty: the workers are on this machine."""
        return {}

    def share(self, value: Any) -> Any:
        """Return the value."""
        return value

    @property
    def size(self) -> int:
        """The largest number of processes."""
        return self.workers or cores()

    @property
    def limit(self) -> int:
        """The number of bytes of memory that one worker may take."""
        most = int(_SHARE * machine.memory())
        return self.memory or min(most, max(_LEAST_MEMORY, most // cores()))

    def map(self, task: Task, batches: Iterable[Sequence[Any]]) -> Generator[tuple[Any, Any], None, None]:
        """See `Executor.map`; raises `WorkerError` if workers were started before, but no more can be.

        The task runs in the calling process if it cannot be sent to a worker (for example because its class is in
        `__main__`), or if no process can be started.
        """
        with processes.forkable():
            yield from map_batches(partial(self._run, task), batches)

    def _run(
        self, task: Task, queue: Iterator[Sequence[Any]]
    ) -> Generator[tuple[Sequence[Any], Any | Lost], None, None]:
        """Yield `(batch, results)` as batches finish, and `(batch, Lost)` for unfinished ones."""
        self._most, self._misses, self._was_ready = self.size, 0, False
        self._reuse(task)
        whole = False
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
                    whole = True
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
            if not (whole and self.keeps and getattr(task, "keeps_workers", False)):
                self.close()

    def _reuse(self, task: Task) -> None:
        """Keep the workers of an earlier run of an equal task that still run, and stop all others."""
        if self._pool and task != self._task:
            self.close()
        self._task = task
        for worker in [each for each in self._pool if each.process.code(0) is not None]:
            self._pool.remove(worker)
            worker.pipe.close()

    def close(self) -> None:
        """Stop all workers; kill those that have not finished."""
        for worker in self._pool:
            worker.pipe.close()
            if worker.batch is not None or not worker.ready:
                worker.process.kill()
        for worker in self._pool:
            _reap(worker.process, _END_SECONDS)
        self._pool.clear()
        self._back.clear()

    def _feed(self, queue: Iterator[Sequence[Any]], task: Task) -> None:
        """Send a batch to each idle worker, and start workers while there are batches for them."""
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
            with contextlib.suppress(OSError):  # `_hear` notices a worker that has ended
                idle.pipe.send(batch)

    def _start(self, task: Task, batch: Sequence[Any]) -> _Worker | None:
        """Start a worker for this batch; return None if that fails while others run.

        Raises `CannotStartError` if it fails and no worker runs.
        """
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
        """Note that the work continues in this process.

        Raises `WorkerError` if workers have run before: the item that ended them could end this process too.
        """
        if self._was_ready:
            raise WorkerError(f"no more worker processes can be started: {why}")
        self.note(f"no worker processes can be started ({why}); images are read in this process, without a time limit")

    def _here(self, queue: Iterator[Sequence[Any]], task: Task) -> Iterator[tuple[Sequence[Any], Any]]:
        """Run the task in this process."""
        while (batch := self._back.pop() if self._back else next(queue, None)) is not None:
            yield batch, task(batch, lambda index: None)

    def _wait(self, busy: Sequence[_Worker]) -> list[Any]:
        """Wait for messages; return the pipes that have one.

        If this process was suspended meanwhile (Ctrl-Z, sleep), that time does not count for the timeout of the items.
        """
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
        """True if a worker has exceeded the timeout of its item, and no message of it waits to be received."""
        limit = self.timeout if worker.ready else max(self.timeout, _START_SECONDS)
        late = worker.batch is not None and time.monotonic() - float(worker.cell[1]) > limit
        return late and not worker.pipe.poll()

    def _greedy(self, busy: Sequence[_Worker]) -> _Worker | None:
        """Return a worker that exceeds its memory limit, or the largest one if all together exceed theirs."""
        now = time.monotonic()
        if not machine.SEES_MEMORY or now - self._checked < _MEMORY_TICK:
            return None
        self._checked = now
        # Memory that a fork shares with this process does not count.
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
        """Remove a worker that has ended, or kill it for the reason `why`; return its batch with the loss."""
        self._pool.remove(worker)
        if why is not None:
            worker.process.kill()
        code = _reap(worker.process, 1)  # its pipe is closed or it was killed, so it ends soon
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
        return batch, lost.loss_of_worker(index, code)

    def _not_started(self, worker: _Worker, why: str, *, forever: bool = False) -> None:
        """Queue the batch of a worker that failed to start; after `_MISSES` of them, or `forever`, start no more."""
        self._why = why
        self._misses += 1
        if worker.batch is not None:
            self._back.append(worker.batch)
        if forever or self._misses >= _MISSES:
            self._most = len(self._pool)


def _reap(process: processes.Process, seconds: float) -> int | None:
    """Return the exit code of a process; kill it if it does not end within `seconds`."""
    code = process.code(seconds)
    if code is None:
        process.kill()
        code = process.code(None)
    return code
