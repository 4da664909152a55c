"""A BK-tree of hashes.

Source: W. A. Burkhard, R. M. Keller, "Some approaches to best-match file searching", CACM 16 (4), 1973.
"""

from collections.abc import Callable, Mapping

Distance = Callable[[str, str], int]


class BkTreeNode:
    """A node: name, hash, name of the parent, and names of the children with their distances."""

    def __init__(self, node_name: str, node_value: str, parent_name: str | None = None) -> None:
        self.node_name, self.node_value, self.parent_name = node_name, node_value, parent_name
        self.children: dict[str, int] = {}


class BKTree:
    """A BK-tree of the hashes of `hash_dict` (names to hashes) with the metric `distance_function`.

    The first name is the root. Neither building nor searching recurses, so many equal hashes cannot exceed the
    recursion limit.
    """

    def __init__(self, hash_dict: Mapping[str, str], distance_function: Distance) -> None:
        if not hash_dict:
            raise ValueError("a tree needs at least one hash")
        self.hash_dict, self.distance_function = hash_dict, distance_function
        self.all_keys = list(hash_dict)
        self.ROOT = self.all_keys[0]
        self.dict_all = {self.ROOT: BkTreeNode(self.ROOT, hash_dict[self.ROOT])}
        self._at: dict[tuple[str, int], str] = {}  # node and distance to child; it has one at most
        self.construct_tree()

    def construct_tree(self) -> None:
        """Insert every hash that is not in the tree."""
        for name in self.all_keys:
            if name not in self.dict_all:
                self._insert_in_tree(name, self.ROOT)

    def _insert_in_tree(self, k: str, current_node: str) -> int:
        """Insert a name below a node: as its child, or below the child at the same distance."""
        value = self.hash_dict[k]
        while True:
            distance = self.distance_function(self.dict_all[current_node].node_value, value)
            child = self._at.get((current_node, distance))
            if child is None:
                break
            current_node = child
        self._at[current_node, distance] = k
        self.dict_all[current_node].children[k] = distance
        self.dict_all[k] = BkTreeNode(k, value, current_node)
        return 0

    def _get_next_candidates(self, query: str, candidate_obj: BkTreeNode, tolerance: int) -> tuple[list[str], int, int]:
        """Return the children that may lead to matches, 1 if the node itself matches (else 0), and its distance."""
        distance = self.distance_function(candidate_obj.node_value, query)
        near = [name for name, gap in candidate_obj.children.items() if abs(gap - distance) <= tolerance]
        return near, int(distance <= tolerance), distance

    def search(self, query: str, tol: int = 5) -> list[tuple[str, int]]:
        """Return names and distances of the hashes within `tol` of the query."""
        found: list[tuple[str, int]] = []
        pending = [self.ROOT]
        while pending:
            name = pending.pop()
            more, valid, distance = self._get_next_candidates(query, self.dict_all[name], tol)
            if valid:
                found.append((name, distance))
            pending += more
        return found
