"""The graph of matches, in which files of equal content stand together, and what a linking rule offers."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, cast

from twinpix import plugins

Kind = tuple[int, bool]  # root, reference: all that decides whether two files may be paired
Allowed = Callable[[Kind, Kind], bool]


class Near(Protocol):
    """The contents that match a content."""

    def get(self, content: int, default: Sequence[int], /) -> Sequence[int]: ...


class Graph:
    """Files, the content each holds, and which contents match.

    `content[f]` is the content of file `f`, `kinds[f]` its kind, `near[c]` the contents that match `c`.
    `allowed` says which kinds of files may be paired.
    """

    def __init__(
        self,
        content: Sequence[int],
        kinds: Sequence[Kind],
        near: Near,
        allowed: Allowed,
        order: Sequence[int],
    ) -> None:
        self.content, self.kinds, self.near, self.allowed = content, kinds, near, allowed
        self.order = order  # files from the best to keep downwards
        self._free: dict[int, dict[Kind, list[int]]] = {}
        for file in order:
            self._free.setdefault(content[file], {}).setdefault(kinds[file], []).append(file)
        self._taken: set[int] = set()

    def is_taken(self, file: int) -> bool:
        return file in self._taken

    def take(self, file: int) -> None:
        """Claim one file."""
        self._taken.add(file)

    def take_neighbours(self, file: int) -> list[int]:
        """Claim every free file that `file` may be paired with and whose content is the same or matches."""
        out = []
        for content in (self.content[file], *self.near.get(self.content[file], ())):
            for kind, files in self._free.get(content, {}).items():
                if files and self.allowed(self.kinds[file], kind):
                    out += [other for other in files if other not in self._taken]
                    files.clear()
        self._taken.update(out)
        return out

    def free_neighbours(self, file: int) -> Iterator[int]:
        """The free files that `file` may be paired with, claiming none."""
        for content in (self.content[file], *self.near.get(self.content[file], ())):
            for kind, files in self._free.get(content, {}).items():
                if self.allowed(self.kinds[file], kind):
                    files[:] = [other for other in files if other not in self._taken]
                    yield from files

    def paired(self, a: tuple[int, Kind], b: tuple[int, Kind]) -> bool:
        """True when files of these contents and kinds match."""
        return self.allowed(a[1], b[1]) and (a[0] == b[0] or b[0] in self.near.get(a[0], ()))


class Linking(Protocol):
    """A rule that makes groups of matches."""

    def groups(self, graph: Graph) -> list[list[int]]:
        """Groups of at least two files, each file in one at most, the best to keep first."""


def make(text: str) -> Linking:
    return cast(Linking, plugins.make("linking", text))
