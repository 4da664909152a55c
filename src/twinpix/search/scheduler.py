"""Tasks that take turns on a few threads, each a generator, so that none finds more than there is room for."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import NamedTuple, TypeVar

from twinpix.search.base import OnProgress

Found = TypeVar("Found")


class Turns(NamedTuple):
    """Runs tasks on a pool's threads; `tell` is told from which share to which it gets on meanwhile."""

    pool: Executor
    threads: int
    on_progress: OnProgress
    begin: float
    end: float

    def of(self, tasks: Iterator[tuple[float, Iterator[Found]]]) -> Iterator[Found]:
        """What the tasks yield, in any order; each comes with its share of the work.

        No more run, or wait with what they found, than keep the threads busy. Whoever stops asking, or whose
        `tell` raises, waits for no more than a step of those that run.
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
