"""Every member is within the radius of every other member."""

from dataclasses import dataclass
from typing import ClassVar

from twinpix.linking.base import Graph
from twinpix.model import FileRow


@dataclass(frozen=True, slots=True)
class Complete:
    """The strictest rule: a file joins a group only if it matches all members."""

    summary: ClassVar[str] = "all match each other"

    def groups(self, graph: Graph) -> list[list[FileRow]]:
        rank = {file: place for place, file in enumerate(graph.order)}
        out = []
        for file in graph.order:
            if graph.is_taken(file):
                continue
            graph.take(file)
            group = [file]
            sorts = {(graph.node[file], graph.kinds[file])}
            for other in sorted(graph.free_neighbours(file), key=rank.__getitem__):
                sort = (graph.node[other], graph.kinds[other])
                if graph.is_paired_with_all(sort, sorts):
                    graph.take(other)
                    group.append(other)
                    sorts.add(sort)
            if len(group) > 1:
                out.append(group)
        return out
