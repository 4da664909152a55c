"""Files as the members of groups, and which of them are better to keep."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twinpix import keep
from twinpix.imaging.traits import from_text
from twinpix.managed import in_library
from twinpix.model import Match, Member
from twinpix.pipeline.gathering import Images
from twinpix.pipeline.nodes import Nodes


def members_of(images: Images, files: Iterable[int]) -> dict[int, Member]:
    """These files as the report shows them."""
    out = {}
    for file in files:
        ref, number = images.refs[file], int(images.content[file])
        result = images.contents[number]
        traits = from_text(result.traits)
        out[file] = Member(
            path=ref.uri,
            size=ref.stamp.size,
            width=result.width,
            height=result.height,
            mtime_ns=ref.stamp.mtime_ns,
            digest=images.contents.digest(number).hex(),
            format=result.format,
            damaged=result.damaged,
            reference=ref.reference or in_library(ref.uri),
            link=ref.link,
            root=ref.root,
            frames=traits.frames if traits else 1,
            traits=traits,
        )
    return out


def related(members: Sequence[Member], matches: Iterable[Match]) -> list[Member]:
    """The members of a group, the keeper first, with the relation and distance to it, where they match it directly."""
    keeper, *others = members
    pairs = {match.b: match for match in matches if match.a == keeper.path}
    out = [replace(keeper, relation=None, distance=None)]
    for member in others:
        pair = pairs.get(member.path)
        relation, distance = (pair.relation, pair.distance) if pair else (None, None)
        out.append(replace(member, relation=relation, distance=distance))
    return out


def ranks_of(images: Images, nodes: Nodes, chain: keep.Chain, wanted: Collection[int]) -> Mapping[int, Any]:
    """Of each node wanted, what sorts it by its best file."""
    node = nodes.of[images.content]
    files: list[int] = np.flatnonzero(np.isin(node, np.array(sorted(wanted), dtype=np.int64))).tolist()
    out: dict[int, Any] = {}
    for file, member in members_of(images, files).items():
        key, place = chain.key(member), int(node[file])
        out[place] = min(out.get(place, key), key)
    return out
