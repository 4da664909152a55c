"""A tree of hashes by their distances.

Source: W. A. Burkhard, R. M. Keller, "Some approaches to best-match file searching", CACM 16 (4), 1973.
"""

from collections.abc import Callable, Mapping

Distance = Callable[[str, str], int]


class BkTreeNode:
    """One hash: its name, its value, its parent's name, and its children's names with their distances."""

    def __init__(self, node_name: str, node_value: str, parent_name: str | None = None) -> None:
        self.node_name, self.node_value, self.parent_name = node_name, node_value, parent_name
        self.children: dict[str, int] = {}


class BKTree:
    """A tree of the hashes of `hash_dict`, a map from names to hashes, by a metric `distance_function`.

    The first name is the root. Neither building nor searching recurses, so that no number of equal hashes is too many.
    """

    def __init__(self, hash_dict: Mapping[str, str], distance_function: Distance) -> None:
        if not hash_dict:
            raise ValueError("a tree needs at least one hash")
        self.hash_dict, self.distance_function = hash_dict, distance_function
        self.all_keys = list(hash_dict)
        self.ROOT = self.all_keys[0]
        self.dict_all = {self.ROOT: BkTreeNode(self.ROOT, hash_dict[self.ROOT])}
        self._at: dict[tuple[str, int], str] = {}  # the child of a node at a distance, of which there is one
        self.construct_tree()

    def construct_tree(self) -> None:
        """Put every hash that is not in the tree into it."""
        for name in self.all_keys:
            if name not in self.dict_all:
                self._insert_in_tree(name, self.ROOT)

    def _insert_in_tree(self, k: str, current_node: str) -> int:
        """Put a name below a node: at its distance, or below the child that has this distance already."""
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
        """The children that may hold matches, 1 if the node itself is one else 0, and its distance."""
        distance = self.distance_function(candidate_obj.node_value, query)
        near = [name for name, gap in candidate_obj.children.items() if abs(gap - distance) <= tolerance]
        return near, int(distance <= tolerance), distance

    def search(self, query: str, tol: int = 5) -> list[tuple[str, int]]:
        """Names and distances of the hashes at most `tol` from the query."""
        found: list[tuple[str, int]] = []
        pending = [self.ROOT]
        while pending:
            name = pending.pop()
            more, valid, distance = self._get_next_candidates(query, self.dict_all[name], tol)
            if valid:
                found.append((name, distance))
            pending += more
        return found
