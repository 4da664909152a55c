"""Tasks that take turns on a few threads, each a generator, so that none finds more than there is room for."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from typing import NamedTuple, TypeVar

from twinpix.search.base import Tell

Found = TypeVar("Found")


class Turns(NamedTuple):
    """Runs tasks on a pool's threads; `tell` is told from which share to which it gets on meanwhile."""

    pool: Executor
    threads: int
    tell: Tell
    begin: float
    end: float

    def of(self, tasks: Iterator[tuple[float, Iterator[Found]]]) -> Iterator[Found]:
        """What the tasks yield; each comes with the share of all of them that is done after it.

        No more run, or wait with what they found, than keep the threads busy. Whoever stops asking, or whose
        `tell` raises, waits for no more than a step of those that run.
        """
        running: deque[tuple[Future[Found | None], float, Iterator[Found]]] = deque()
        done = 0.0
        try:
            while True:
                while len(running) < 2 * self.threads and (task := next(tasks, None)) is not None:
                    running.append((self.pool.submit(next, task[1], None), *task))
                if not running:
                    return
                step, share, task_itself = running.popleft()
                found = step.result()
                if found is None:
                    done = share
                else:
                    running.appendleft((self.pool.submit(next, task_itself, None), share, task_itself))
                    yield found
                self.tell(self.begin + done * (self.end - self.begin))
        finally:
            for step, _, _ in running:
                step.cancel()
