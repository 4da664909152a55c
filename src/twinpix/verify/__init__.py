"""The second look at a pair: do its pixels agree where the pictures overlap, and how do they differ?"""

from twinpix.verify.alignment.affine import Map, Side, chained, inverse, rescaled, turning
from twinpix.verify.alignment.coarse import differing_places
from twinpix.verify.faults import faults, reason_of
from twinpix.verify.hypothesis import Joint
from twinpix.verify.pyramid import COLOUR, DETAIL, FULL, View, view_of
from twinpix.verify.verify_pair import AGREE, ALL_OVER, SCENE, VERSION, Look, as_seen, glance, look

__all__ = [
    "AGREE",
    "ALL_OVER",
    "COLOUR",
    "DETAIL",
    "FULL",
    "SCENE",
    "VERSION",
    "Joint",
    "Look",
    "Map",
    "Side",
    "View",
    "as_seen",
    "chained",
    "differing_places",
    "faults",
    "glance",
    "inverse",
    "look",
    "reason_of",
    "rescaled",
    "turning",
    "view_of",
]
