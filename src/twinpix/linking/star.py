"""Every discard is within the radius of what stays: the best free image claims its free neighbours."""

from dataclasses import dataclass

from twinpix.linking.base import Graph


@dataclass(frozen=True, slots=True)
class Star:
    """No chains: a group's members match its keeper, not only one another."""

    def groups(self, graph: Graph) -> list[list[int]]:
        out = []
        for file in graph.order:
            if graph.is_taken(file):
                continue
            graph.take(file)
            claimed = graph.take_neighbours(file, set())
            if claimed:
                out.append([file, *claimed])
        return out
