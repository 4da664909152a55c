"""The graph of matches, in which files of equal content are adjacent, and the interface of a linking rule."""

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import ClassVar, Protocol, cast

from twinpix import plugins

Kind = tuple[int, bool]  # root and reference: they decide whether two files may be paired
Allowed = Callable[[Kind, Kind], bool]


class Near(Protocol):
    """The contents that match a content."""

    def get(self, content: int, default: Sequence[int], /) -> Sequence[int]: ...


class Graph:
    """The files, their contents, and the matches between contents.

    `content[f]` is the content of file `f`, `kinds[f]` its kind, `near[c]` the contents that match `c`. `allowed` tells
    whether files of two kinds may be paired. `order` has the files that can be in a group, the best one first.
    `conflicts[c]` are contents that are never in a group with `c`, not even by a transitive match.
    """

    def __init__(
        self,
        content: Sequence[int],
        kinds: Sequence[Kind],
        near: Near,
        allowed: Allowed,
        order: Sequence[int],
        conflicts: Mapping[int, Collection[int]] | None = None,
    ) -> None:
        self.content, self.kinds, self.near, self.allowed, self.order = content, kinds, near, allowed, order
        self._conflicts = conflicts or {}
        self._rank = {file: place for place, file in enumerate(order)} if conflicts else {}
        self._taken = bytearray(len(content))
        # Files of one content and one kind form a block, best first. A block contains the files that are in no group
        # yet, and some that joined one since.
        self._files = array("q", sorted(order, key=lambda file: (content[file], kinds[file])))
        self._starts, self._stops, self._kinds = array("q"), array("q"), list[Kind]()
        self._blocks = array("q", [0]) * (max(content, default=-1) + 2)  # of content c: from [c] to [c + 1]
        previous: tuple[int, Kind] | None = None
        for at, (number, kind) in enumerate((content[file], kinds[file]) for file in self._files):
            if (number, kind) != previous:
                self._starts.append(at)
                self._stops.append(at)
                self._kinds.append(kind)
                self._blocks[number + 1] += 1
            self._stops[-1] = at + 1
            previous = number, kind
        for number in range(1, len(self._blocks)):
            self._blocks[number] += self._blocks[number - 1]

    def is_taken(self, file: int) -> bool:
        return bool(self._taken[file])

    def take(self, file: int) -> None:
        """Mark a file as a member of a group."""
        self._taken[file] = True

    def take_neighbours(self, file: int, group: set[int]) -> list[int]:
        """Take all free files that match `file` or have its content, and may be paired with it; returns them.

        `group` has the contents of the group so far, and receives those of the new files. Files in conflict with one of
        these contents are not taken.
        """
        if self._conflicts:
            return self._take_agreeing(file, group)
        out: list[int] = []
        for block in self._blocks_near(file):
            out += self._free(block)
            self._stops[block] = self._starts[block]
        for other in out:
            self._taken[other] = True
        return out

    def _take_agreeing(self, file: int, group: set[int]) -> list[int]:
        """Take matching files if there are conflicts, better files first."""
        group.add(self.content[file])
        out = []
        for other in sorted(self.free_neighbours(file), key=self._rank.__getitem__):
            if group.isdisjoint(self._conflicts.get(self.content[other], ())):
                group.add(self.content[other])
                self.take(other)
                out.append(other)
        return out

    def free_neighbours(self, file: int) -> Iterator[int]:
        """Yield the free files that match `file` and may be paired with it."""
        for block in self._blocks_near(file):
            yield from self._free(block)

    def is_paired_with_all(self, sort: tuple[int, Kind], others: Collection[tuple[int, Kind]]) -> bool:
        """True if files of this content and kind match files of all the others."""
        number, kind = sort
        matching = {number, *self.near.get(number, ())} if len(others) > 1 else (number, *self.near.get(number, ()))
        return all(other in matching and self.allowed(kind, its) for other, its in others)

    def _blocks_near(self, file: int) -> Iterator[int]:
        for number in (self.content[file], *self.near.get(self.content[file], ())):
            if number + 1 < len(self._blocks):
                for block in range(self._blocks[number], self._blocks[number + 1]):
                    if self.allowed(self.kinds[file], self._kinds[block]):
                        yield block

    def _free(self, block: int) -> "array[int]":
        """Return the free files of a block, and remove the others from it."""
        start = self._starts[block]
        free = array("q", (file for file in self._files[start : self._stops[block]] if not self._taken[file]))
        self._files[start : start + len(free)] = free
        self._stops[block] = start + len(free)
        return free


class Linking(Protocol):
    """A rule that forms groups from matches.

    A rule whose members need not match the keeper declares `chains: ClassVar[bool] = True`.
    """

    summary: ClassVar[str]  # which images of a group match each other, in a few words for the help

    def groups(self, graph: Graph) -> list[list[int]]:
        """Return disjoint groups of at least two files, the best file of each first."""


def make(text: str) -> Linking:
    return cast(Linking, plugins.make("linking", text))


def chains(rule: Linking) -> bool:
    """True if the members of a group need not match the keeper."""
    return bool(getattr(rule, "chains", False))


def is_allowed(a: Kind, b: Kind, *, cross: bool) -> bool:
    """Return whether two files may be paired: not two references, and with `cross` not two files of one path."""
    return not (a[1] and b[1]) and (not cross or a[0] != b[0])
