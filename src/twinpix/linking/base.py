"""The graph of matches, in which files of one class are adjacent, and the interface of a linking rule."""

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import ClassVar, NewType, Protocol, cast

from twinpix import plugins
from twinpix.model import ClassId, FileRow

Kind = tuple[int, bool]  # root and reference: they decide whether two files may be paired
Allowed = Callable[[Kind, Kind], bool]


_Block = NewType("_Block", int)
"""The number of a block: files of one class and one kind."""


class Near(Protocol):
    """The classes that match a class."""

    def get(self, node: ClassId, default: Sequence[ClassId], /) -> Sequence[int]: ...


class Graph:
    """The files, their classes of equal codes, and the matches between classes.

    `node[f]` is the class of file `f`, `kinds[f]` its kind, `near[c]` the classes that match class `c`. `allowed` tells
    whether files of two kinds may be paired. `order` has the files that can be in a group, the best one first.
    `conflicts[c]` are classes that are never in a group with `c`, not even by a transitive match.
    """

    def __init__(
        self,
        node: Sequence[ClassId],
        kinds: Sequence[Kind],
        near: Near,
        allowed: Allowed,
        order: Sequence[FileRow],
        conflicts: Mapping[ClassId, Collection[ClassId]] | None = None,
    ) -> None:
        self.node, self.kinds, self.near, self.allowed, self.order = node, kinds, near, allowed, order
        self._conflicts = conflicts or {}
        self._rank = {file: place for place, file in enumerate(order)} if conflicts else {}
        self._taken = bytearray(len(node))
        # Files of one class and one kind form a block, best first. A block contains the files that are in no group
        # yet, and some that joined one since.
        self._files = array("q", sorted(order, key=lambda file: (node[file], kinds[file])))
        self._starts, self._stops, self._kinds = array("q"), array("q"), list[Kind]()
        self._blocks = array("q", [0]) * (max(node, default=-1) + 2)  # of class c: from [c] to [c + 1]
        previous: tuple[int, Kind] | None = None
        for at, (its, kind) in enumerate((node[file], kinds[file]) for file in self._files):
            if (its, kind) != previous:
                self._starts.append(at)
                self._stops.append(at)
                self._kinds.append(kind)
                self._blocks[its + 1] += 1
            self._stops[-1] = at + 1
            previous = its, kind
        for at in range(1, len(self._blocks)):
            self._blocks[at] += self._blocks[at - 1]

    def is_taken(self, file: FileRow) -> bool:
        return bool(self._taken[file])

    def take(self, file: FileRow) -> None:
        """Mark a file as a member of a group."""
        self._taken[file] = True

    def take_neighbours(self, file: FileRow, group: set[ClassId]) -> list[FileRow]:
        """Take all free files that match `file` or have its class, and may be paired with it; returns them.

        `group` has the classes of the group so far, and receives those of the new files. Files in conflict with one of
        these classes are not taken.
        """
        if self._conflicts:
            return self._take_agreeing(file, group)
        out: list[FileRow] = []
        for block in self._blocks_near(file):
            out += self._free(block)
            self._stops[block] = self._starts[block]
        for other in out:
            self._taken[other] = True
        return out

    def _take_agreeing(self, file: FileRow, group: set[ClassId]) -> list[FileRow]:
        """Take matching files if there are conflicts, better files first."""
        group.add(self.node[file])
        out = []
        for other in sorted(self.free_neighbours(file), key=self._rank.__getitem__):
            if group.isdisjoint(self._conflicts.get(self.node[other], ())):
                group.add(self.node[other])
                self.take(other)
                out.append(other)
        return out

    def free_neighbours(self, file: FileRow) -> Iterator[FileRow]:
        """Yield the free files that match `file` and may be paired with it."""
        for block in self._blocks_near(file):
            yield from self._free(block)

    def is_paired_with_all(self, sort: tuple[ClassId, Kind], others: Collection[tuple[ClassId, Kind]]) -> bool:
        """True if files of this class and kind match files of all the others."""
        node, kind = sort
        matching = set(self._matching(node)) if len(others) > 1 else self._matching(node)
        return all(other in matching and self.allowed(kind, its) for other, its in others)

    def _matching(self, node: ClassId) -> Sequence[ClassId]:
        """Return a class and those that match it; `Near` has plain integers, as they come from arrays."""
        return cast(Sequence[ClassId], (node, *self.near.get(node, ())))

    def _blocks_near(self, file: FileRow) -> Iterator[_Block]:
        for node in self._matching(self.node[file]):
            if node + 1 < len(self._blocks):
                for block in range(self._blocks[node], self._blocks[node + 1]):
                    if self.allowed(self.kinds[file], self._kinds[block]):
                        yield _Block(block)

    def _free(self, block: _Block) -> Sequence[FileRow]:
        """Return the free files of a block, and remove the others from it."""
        start = self._starts[block]
        free = array("q", (file for file in self._files[start : self._stops[block]] if not self._taken[file]))
        self._files[start : start + len(free)] = free
        self._stops[block] = start + len(free)
        return cast(Sequence[FileRow], free)


class Linking(Protocol):
    """A rule that forms groups from matches.

    A rule whose members need not match the keeper declares `chains: ClassVar[bool] = True`.
    """

    summary: ClassVar[str]  # which images of a group match each other, in a few words for the help

    def groups(self, graph: Graph) -> list[list[FileRow]]:
        """Return disjoint groups of at least two files, the best file of each first."""


def make(text: str) -> Linking:
    return cast(Linking, plugins.make("linking", text))


def chains(rule: Linking) -> bool:
    """True if the members of a group need not match the keeper."""
    return bool(getattr(rule, "chains", False))


def is_allowed(a: Kind, b: Kind, *, cross: bool) -> bool:
    """Return whether two files may be paired: not two references, and with `cross` not two files of one path."""
    return not (a[1] and b[1]) and (not cross or a[0] != b[0])
