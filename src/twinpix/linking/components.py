"""Connected components: members are linked over any number of matches."""

from dataclasses import dataclass
from typing import ClassVar

from twinpix.linking.base import Graph
from twinpix.model import ClassId, FileRow


@dataclass(frozen=True, slots=True)
class Components:
    """Finds the most, but chains: two members of a group may not be alike."""

    chains: ClassVar[bool] = True
    summary: ClassVar[str] = "chains of matches"

    def groups(self, graph: Graph) -> list[list[FileRow]]:
        out = []
        for file in graph.order:
            if graph.is_taken(file):
                continue
            graph.take(file)
            group, at, contents = [file], 0, set[ClassId]()
            while at < len(group):
                group += graph.take_neighbours(group[at], contents)
                at += 1
            if len(group) > 1:
                out.append(group)
        return out
