"""Run generator tasks step by step on a thread pool, so that the number of buffered results is bounded."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import NamedTuple, TypeVar

from twinpix.search.base import OnProgress

Found = TypeVar("Found")


class TaskScheduler(NamedTuple):
    """Runs tasks on the threads of a pool. `on_progress` receives values from `begin` to `end` meanwhile."""

    pool: Executor
    threads: int
    on_progress: OnProgress
    begin: float
    end: float

    def of(self, tasks: Iterator[tuple[float, Iterator[Found]]]) -> Iterator[Found]:
        """Yield the results of the tasks, in any order. Each task is given as (fraction of the work, generator).

        At most `2 * threads` tasks are active, which keeps the threads busy and bounds the memory. If the caller stops
        or `on_progress` raises, the tasks not yet started are cancelled; at most one step of each running task is
        waited for.
        """
        running: dict[Future[Found | None], tuple[float, Iterator[Found]]] = {}
        done = 0.0
        try:
            while True:
                while len(running) < 2 * self.threads and (task := next(tasks, None)) is not None:
                    running[self.pool.submit(next, task[1], None)] = task
                if not running:
                    self.on_progress(self.end)
                    return
                for step in wait(running, return_when=FIRST_COMPLETED).done:
                    task, found = running.pop(step), step.result()
                    if found is None:
                        done += task[0] * (self.end - self.begin)
                    else:
                        running[self.pool.submit(next, task[1], None)] = task
                        yield found
                self.on_progress(min(self.end, self.begin + done))
        finally:
            for step in running:
                step.cancel()
