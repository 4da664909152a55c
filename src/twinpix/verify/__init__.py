"""Geometric verification of a pair: is one image a copy of the other one, and how do they differ?

To learn why a pair was believed or rejected, read in this order:

1. `hypothesis._score`: the tests of one transform, in their order. The first one that fails is the `Rejection` of the
   transform; if none fails, the transform proves a copy.
2. `verify_pair._verify_once` and `_try_transforms`: which transforms are tried, and when no other one is tried.
3. `verify_pair._conclude`: the last test, for other text on a page, and the words for the differences (`describe`).

A test compares a measurement of `twinpix.evidence` with a field of `twinpix.thresholds`, whose docstring has the reason
for its value.
"""

from twinpix.evidence.alignment.affine import (
    Affine,
    Size,
    compose,
    corners,
    inverse,
    orientation_transform,
    rescale,
    transform_points,
)
from twinpix.evidence.alignment.coarse import differing_places
from twinpix.evidence.pyramid import COLOUR, DETAIL, FULL, Pyramid, pyramid_of
from twinpix.verify.explain import DifferenceMap, Explanation, Places, common_points, difference_map, explain_pair
from twinpix.verify.faults import faults, reason_of
from twinpix.verify.hypothesis import Rejection, Via
from twinpix.verify.verify_pair import VERSION, Verdict, as_compared, verify_pair, verify_quick

__all__ = [
    "COLOUR",
    "DETAIL",
    "FULL",
    "VERSION",
    "Affine",
    "DifferenceMap",
    "Explanation",
    "Places",
    "Pyramid",
    "Rejection",
    "Size",
    "Verdict",
    "Via",
    "as_compared",
    "common_points",
    "compose",
    "corners",
    "difference_map",
    "differing_places",
    "explain_pair",
    "faults",
    "inverse",
    "orientation_transform",
    "pyramid_of",
    "reason_of",
    "rescale",
    "transform_points",
    "verify_pair",
    "verify_quick",
]
