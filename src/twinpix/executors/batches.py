"""Batches of work of which some comes back."""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Batches(Generic[Item]):
    """Batches as they come; items that come back are tried again first, each alone."""

    def __init__(self, ahead: Iterator[list[Item]]) -> None:
        self._ahead, self._back = ahead, list[Item]()

    def again(self, items: Sequence[Item]) -> None:
        """Try these once more."""
        self._back += items

    def __iter__(self) -> Iterator[list[Item]]:
        return self

    def __next__(self) -> list[Item]:
        return [self._back.pop()] if self._back else next(self._ahead)
