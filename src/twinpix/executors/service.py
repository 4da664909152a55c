"""Worker processes that answer single requests, for a server: the most urgent request first."""

import itertools
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from twinpix.executors.base import Task
from twinpix.executors.local import Local

_LAST = float("inf")  # urgency of the mark that ends a thread


@dataclass(order=True)
class _Request:
    urgency: float
    number: int  # earlier requests of one urgency are answered first
    item: Any = field(compare=False)
    answer: "Future[Any]" = field(compare=False)


class Service:
    """Answers requests in `workers` processes, each started at its first request, with the limits of `Local`.

    The answer to a request that ended its worker, or exceeded a limit, is a `Lost`; all others are answered.
    """

    def __init__(self, task: Task, workers: int, timeout: float) -> None:
        self._task, self._timeout = task, timeout
        self._waiting: queue.PriorityQueue[_Request] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    @property
    def size(self) -> int:
        """The number of workers."""
        return len(self._threads)

    def ask(self, item: Any, urgency: float = 0.0) -> "Future[Any]":
        """Return the future answer to a request; a smaller `urgency` is answered earlier.

        A future that is cancelled before a worker begins its request takes no time.
        """
        request = _Request(urgency, next(self._numbers), item, Future())
        if self._closed:
            request.answer.cancel()
        else:
            self._waiting.put(request)
        return request.answer

    def close(self) -> None:
        """Cancel all requests that no worker has begun, and end the workers."""
        self._closed = True
        for request in self._drain():
            request.answer.cancel()
        for _ in self._threads:
            self._waiting.put(_Request(_LAST, next(self._numbers), None, Future()))
        for thread in self._threads:
            thread.join(self._timeout)

    def _drain(self) -> Iterator[_Request]:
        while True:
            try:
                yield self._waiting.get_nowait()
            except queue.Empty:
                return

    def _work(self) -> None:
        ended = False
        while not ended:
            current: list[_Request] = []
            try:
                executor = Local(workers=1, timeout=self._timeout)
                for _, answer in executor.map(self._task, self._batches(current)):
                    current.pop().answer.set_result(answer)
                ended = True
            except Exception as error:  # noqa: BLE001 - it is the answer to the request that raised it
                for request in current:
                    request.answer.set_exception(error)

    def _batches(self, current: list[_Request]) -> Iterator[list[Any]]:
        """Yield one request at a time; `current` has the one that is not answered yet."""
        while (request := self._waiting.get()).urgency != _LAST:
            if request.answer.set_running_or_notify_cancel():
                current.append(request)
                yield [request.item]
