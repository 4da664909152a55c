"""Geometric verification of a pair: whether its pixels agree where the images overlap, and how they differ."""

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
