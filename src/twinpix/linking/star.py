"""Every member is within the radius of the keeper, the best image that is in no group yet."""

from dataclasses import dataclass
from typing import ClassVar

from twinpix.linking.base import Graph
from twinpix.model import FileRow


@dataclass(frozen=True, slots=True)
class Star:
    """Forms no chains: all members match the keeper."""

    summary: ClassVar[str] = "all match the keeper"

    def groups(self, graph: Graph) -> list[list[FileRow]]:
        out = []
        for file in graph.order:
            if graph.is_taken(file):
                continue
            graph.take(file)
            claimed = graph.take_neighbours(file, set())
            if claimed:
                out.append([file, *claimed])
        return out
