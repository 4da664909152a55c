"""What an executor offers: apply a task to items, in any order; every item comes back, with its result or with `Lost`.

A plugin runs batches (`BatchRunner`); `mapped` turns that into items and holds the one loop of retries.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from twinpix.executors.lost import Lost

Item = TypeVar("Item")
Result = TypeVar("Result")

Begin = Callable[[int], None]
"""A task calls it with the index of the item of its batch at which it begins: a crash or a timeout is that item's."""

Task = Callable[[Sequence[Any], Begin], Any]
"""A pure function of a batch and `Begin`: one result for each item, in their order. It can be pickled."""

BatchRunner = Callable[[Iterator[list[Any]]], Generator[tuple[Sequence[Any], Any], None, None]]
"""Yields `(batch, results)` in any order, with a `Lost` instead of the results of a batch that was not finished."""


class Executor(Protocol):
    """Runs tasks: in processes of this machine, or elsewhere."""

    @property
    def size(self) -> int:
        """How many batches run at the same time at most."""

    def map(self, task: Task, batches: Iterable[Sequence[Any]]) -> Generator[tuple[Any, Any], None, None]:
        """Yield `(item, result)` in any order, `(item, Lost)` for an item that was given up after a second try.

        `batches` is advanced lazily, one batch whenever there is room for one. All work has ended when the generator
        ends or is closed. Raises what the task raises, and `WorkerError` when work cannot go on.
        """


def mapped(run: BatchRunner, batches: Iterable[Sequence[Item]]) -> Generator[tuple[Item, Any], None, None]:
    """Yield the items of batches with their results; retry the rest of a lost batch, and once the item that lost it."""
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
    """Batches as they come; items that come back are tried again before the next batch, each alone."""

    def __init__(self, batches: Iterable[Sequence[Any]]) -> None:
        self._ahead, self._back = iter(batches), list[Any]()
        self._first = dict[int, tuple[Any, Lost]]()  # items that are tried once more, and how they were lost, by id

    def lost(self, batch: Sequence[Any], lost: Lost) -> Lost | None:
        """Put back the rest of a lost batch, and its item if this was its first try; else return how it was lost.

        An item that is given up has a `fault` only if both tries had.
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
