"""Ranks of nodes: which one has the better file to keep."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from twinpix import keep
from twinpix.encoding.images import Images
from twinpix.encoding.members import members_of
from twinpix.match.classes import CodeClasses


def ranks_of(images: Images, nodes: CodeClasses, chain: keep.Chain, wanted: Collection[int]) -> Mapping[int, Any]:
    """Return for each wanted node the sort key of its best file."""
    node = nodes.of[images.content]
    files: list[int] = np.flatnonzero(np.isin(node, np.array(sorted(wanted), dtype=np.int64))).tolist()
    out: dict[int, Any] = {}
    for file, member in members_of(images, files).items():
        key, place = chain.key(member), int(node[file])
        out[place] = min(out.get(place, key), key)
    return out
