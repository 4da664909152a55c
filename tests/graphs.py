"""Graphs of matches between numbers, for the tests of linking rules."""

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from twinpix import linking
from twinpix.linking.base import Allowed, Kind, Near
from twinpix.model import ClassId, FileRow


def groups_of(
    rule: str,
    nodes: Sequence[int],
    kinds: Sequence[Kind],
    near: Near,
    allowed: Allowed,
    order: Sequence[int],
    conflicts: Mapping[int, Collection[int]] | None = None,
) -> list[list[int]]:
    """The groups that a linking rule forms of files; each file is given by the number of its class."""
    graph = linking.Graph(
        cast(Sequence[ClassId], nodes),
        kinds,
        near,
        allowed,
        cast(Sequence[FileRow], order),
        cast("Mapping[ClassId, Collection[ClassId]] | None", conflicts),
    )
    return [[int(file) for file in group] for group in linking.make(rule).groups(graph)]
