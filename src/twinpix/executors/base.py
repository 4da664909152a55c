"""The interface of executors: apply a task to items, and return each item with its result or with `Lost`.

An executor implements a `BatchRunner`; `map_batches` converts its batches to items and retries lost ones.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from twinpix.executors.costs import Cost
from twinpix.executors.lost import Lost

Item = TypeVar("Item")

Begin = Callable[[int], None]
"""A task calls it with the index in the batch of the item that it begins; a crash or a timeout is attributed to it."""

Task = Callable[[Sequence[Any], Begin], Any]
"""A pure function of a batch and a `Begin`, which returns one result for each item, in order. It can be pickled.

Class variables say more of it: `stage`, its step in a run; `keeps_workers`, whether its processes may wait for a later
run of an equal task, with what they have in memory; `isolated`, whether it needs a process of its own (default: True).
"""

BatchRunner = Callable[[Iterator[list[Any]]], Generator[tuple[Sequence[Any], Any], None, None]]
"""Yields `(batch, results)` in any order; `results` is a `Lost` if the batch was not finished."""


class Executor(Protocol):
    """Runs tasks: in processes of this machine, or elsewhere."""

    @property
    def size(self) -> int:
        """The largest number of batches that run at the same time."""

    @property
    def remote(self) -> bool:
        """True if workers are on other machines: then long searches run there too."""

    @property
    def costs(self) -> Mapping[str, Cost]:
        """What the workers on other machines did, by the stage of the task (`stage`, a class variable of tasks)."""

    def map(self, task: Task, batches: Iterable[Sequence[Any]]) -> Generator[tuple[Any, Any], None, None]:
        """Yield `(item, result)` in any order; `(item, Lost)` for an item that was given up.

        `batches` is consumed lazily, one batch whenever a worker is free. All work has ended when the generator ends
        or is closed. Raises the exceptions of the task, and `WorkerError` if no worker can continue.
        """

    def share(self, value: Any) -> Any:
        """Return what stands for a value as a field of many items, so that it is sent once to each machine."""


def map_batches(run: BatchRunner, batches: Iterable[Sequence[Item]]) -> Generator[tuple[Item, Any], None, None]:
    """Yield the items of batches with their results.

    The item that caused the loss of a batch is retried once if `Lost.again`; the other items are always retried.
    """
    queue = _Queue(batches)
    running = run(queue)
    try:
        for batch, results in running:
            if not isinstance(results, Lost):
                yield from zip(batch, results, strict=True)
            elif (lost := queue.lost(batch, results)) is not None:
                yield batch[lost.index], lost
    finally:
        running.close()


class _Queue(Iterator[list[Any]]):
    """The batches, preceded by the items to retry, each in a batch of its own."""

    def __init__(self, batches: Iterable[Sequence[Any]]) -> None:
        self._ahead, self._back = iter(batches), list[Any]()
        self._first = dict[int, tuple[Any, Lost]]()  # by `id`: items that were lost, and their first loss

    def lost(self, batch: Sequence[Any], lost: Lost) -> Lost | None:
        """Queue the items of a lost batch for a retry, the item that caused it only once; return a final loss.

        The `fault` of a final loss is True only if it was True in all tries.
        """
        item = batch[lost.index]
        self._back += [other for at, other in enumerate(batch) if at != lost.index]
        _, first = self._first.setdefault(id(item), (item, lost))
        if first is lost and lost.again:
            self._back.append(item)
            return None
        return replace(lost, fault=lost.fault and first.fault)

    def __next__(self) -> list[Any]:
        return [self._back.pop()] if self._back else list(next(self._ahead))
