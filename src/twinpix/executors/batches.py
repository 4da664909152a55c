"""Batches of work of which some comes back."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Generic, NamedTuple, TypeVar

from twinpix.executors.lost import Lost

Item = TypeVar("Item")


class Given(NamedTuple, Generic[Item]):
    """An item that is given up, and why."""

    item: Item
    lost: Lost


class Batches(Generic[Item]):
    """Batches as they come; items that come back are tried again first, each alone."""

    def __init__(self, ahead: Iterator[list[Item]]) -> None:
        self._ahead, self._back = ahead, list[Item]()
        self._first = dict[Item, Lost]()  # how items were lost that are tried once more

    def lost(self, batch: Sequence[Item], lost: Lost) -> Given[Item] | None:
        """Try the rest of a lost batch again, and its item once; None unless the item is given up.

        What is given up has a `fault` only if both tries had.
        """
        item = batch[lost.index]
        self._back += [other for at, other in enumerate(batch) if at != lost.index]
        first = self._first.setdefault(item, lost)
        if first is lost and lost.again:
            self._back.append(item)
            return None
        return Given(item, replace(lost, fault=lost.fault and first.fault))

    def __iter__(self) -> Iterator[list[Item]]:
        return self

    def __next__(self) -> list[Item]:
        return [self._back.pop()] if self._back else next(self._ahead)
