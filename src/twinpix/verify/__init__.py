"""Verification of a pair: do its pixels agree where the images overlap, and how do they differ?"""

from twinpix.verify.alignment.affine import Map, Side, chained, corners, inverse, placed, rescaled, turning
from twinpix.verify.alignment.coarse import differing_places
from twinpix.verify.explain import DifferenceMap, Explanation, Places, common_points, difference_map, explain_pair
from twinpix.verify.faults import faults, reason_of
from twinpix.verify.hypothesis import Joint
from twinpix.verify.pyramid import COLOUR, DETAIL, FULL, View, view_of
from twinpix.verify.thresholds import ALIGNMENT, COARSE, DECISION
from twinpix.verify.verify_pair import VERSION, Look, as_seen, glance, look

__all__ = [
    "ALIGNMENT",
    "COARSE",
    "COLOUR",
    "DECISION",
    "DETAIL",
    "FULL",
    "VERSION",
    "DifferenceMap",
    "Explanation",
    "Joint",
    "Look",
    "Map",
    "Places",
    "Side",
    "View",
    "as_seen",
    "chained",
    "common_points",
    "corners",
    "difference_map",
    "differing_places",
    "explain_pair",
    "faults",
    "glance",
    "inverse",
    "look",
    "placed",
    "reason_of",
    "rescaled",
    "turning",
    "view_of",
]
