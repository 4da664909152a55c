"""Pairs marked as not duplicates, against a slow reference: a graph of all contents without those pairs."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

import twinpix
from graphs import groups_of
from twinpix import fingerprints, linking, plugins
from twinpix.encoding.content_table import ContentTable
from twinpix.linking.base import is_allowed
from twinpix.match import exclusions
from twinpix.match.classes import CodeClasses, code_classes_of
from twinpix.match.join import Neighbours, match
from twinpix.model import ContentId, Matches
from twinpix.search import Search
from twinpix.store import Result, Store

RADIUS = 3
PLAIN = 0  # detail score of a blank image
# An image: which of three codes it has, the bits that differ, whether it is blank, and its pixels.
IMAGES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 7), st.booleans(), st.integers(0, 1)), min_size=2, max_size=9
)


def made(images: list[tuple[int, int, bool, int]], width: int) -> ContentTable:
    contents = ContentTable()
    for number, (base, bits, blank, pixels) in enumerate(images):
        code = bytes([base * 85, bits, 0, 0, 0, 0, 0, base]).ljust(width, b"\0")
        result = Result(code, 8, 8, "PNG", False, PLAIN if blank else 200, bytes([pixels]) if blank else None)
        contents.add(number.to_bytes(16, "big"), result)
    return contents


def alike(a: tuple[int, int, bool, int], b: tuple[int, int, bool, int], method: str) -> bool:
    """Whether two images match: blank ones by their pixels, others by their codes."""
    if method == "pixels":
        return a[:2] == b[:2]
    if a[2] or b[2]:
        return a[2] and b[2] and a[3] == b[3]
    codes = [bytes([base * 85, bits, 0, 0, 0, 0, 0, base]) for base, bits, _, _ in (a, b)]
    distance: int = sum((x ^ y).bit_count() for x, y in zip(*codes, strict=True))
    return distance <= RADIUS


@pytest.mark.parametrize("link", plugins.names("linking"))
@pytest.mark.parametrize("method", ["phash", "pixels"])
@settings(deadline=None, max_examples=150)
@given(images=IMAGES, data=st.data())
def test_groups_match_the_graph_without_the_excluded_pairs(
    link: str, method: str, images: list[tuple[int, int, bool, int]], data: st.DataObject
) -> None:
    every = list(combinations(map(ContentId, range(len(images))), 2))
    pairs = frozenset(data.draw(st.lists(st.sampled_from(every), max_size=6)))
    kind = st.tuples(st.integers(0, 1), st.booleans())  # its PATH, and whether it is a reference
    kinds = data.draw(st.lists(kind, min_size=len(images), max_size=len(images)))
    cross = data.draw(st.booleans())
    near: dict[int, list[int]] = {number: [] for number in range(len(images))}
    for i, j in every:
        if (i, j) not in pairs and alike(images[i], images[j], method):
            near[i].append(j)
            near[j].append(i)
    slow = groups(link, list(range(len(images))), near, kinds, cross)
    classes, matches = found(method, images, pairs, [reference for _, reference in kinds])
    assert groups(link, classes.of.tolist(), Neighbours(matches, len(classes.codes)), kinds, cross) == slow


def found(
    method: str, images: list[tuple[int, int, bool, int]], pairs: exclusions.ExcludedPairs, references: list[bool]
) -> tuple[CodeClasses, Matches]:
    """The classes and matches of `find`."""
    way = fingerprints.make(method)
    contents = made(images, fingerprints.width_of(way))
    classes = code_classes_of(contents, way, guard=True, excluded=exclusions.contents_of(pairs))
    own = np.zeros(len(classes.codes), dtype=bool)
    own[classes.of[~np.array(references)]] = True
    first, second = np.flatnonzero(~classes.guarded & own), np.flatnonzero(~classes.guarded & ~own)
    identity = way.by_equality
    matches = Matches.none() if identity else match(classes.codes, first, second, RADIUS, Search())
    equal = exclusions.between_equals(classes, all_of_them=identity)
    return classes, exclusions.without(Matches.concatenate([matches, equal]), classes, pairs)


def groups(
    link: str, node: list[int], near: linking.base.Near, kinds: list[tuple[int, bool]], cross: bool
) -> list[list[int]]:
    found = groups_of(link, node, kinds, near, lambda a, b: is_allowed(a, b, cross=cross), range(len(node)))
    return sorted(map(sorted, found))


def test_an_excluded_pair_matches_in_no_orientation(tmp_path: Path, draw_image: Callable[..., Image.Image]) -> None:
    """Two mirrored copies of one image in two encodings, one of them marked."""
    folder, store = tmp_path / "p", tmp_path / "s.sqlite"
    folder.mkdir()
    draw_image(1).save(folder / "a.png")
    for level in (1, 9):
        ImageOps.mirror(draw_image(1)).save(folder / f"mirrored{level}.png", compress_level=level)
    (group,) = twinpix.find(folder, method="phash:size=16", store=store, transforms=True).groups
    digests = {Path(member.path).name: member.digest for member in group.members}
    opened = Store(store)
    a, b = sorted(bytes.fromhex(digests[name]) for name in ("a.png", "mirrored9.png"))
    opened.put_exclusions([(a, b)])
    opened.close()
    found = twinpix.find(
        folder, method="phash:size=16", store=store, transforms=True, link="complete", keep="path:*a.png"
    )
    assert [{Path(m.path).name for m in each.members} for each in found.groups] == [{"a.png", "mirrored1.png"}]
