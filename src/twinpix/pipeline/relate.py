"""Name how two matched images differ, from what is known without opening them again."""

from twinpix.fingerprints import relation_of_turn
from twinpix.model import Relation
from twinpix.store import Result

_SAME_SHAPE = 0.02  # of the aspect ratio


def relation(a: Result, b: Result, distance: int, turn: int, near: int, same_pixels: bool) -> Relation:
    """The relation of two contents; `near` is the radius below which only encoding or size can differ."""
    if same_pixels:
        return "identical-pixels"
    turned = relation_of_turn(turn)
    if turned:
        return turned
    if distance > near:
        return "edited"
    if (a.width, a.height) == (b.width, b.height):
        return "re-encoded"
    if abs(a.width * b.height - b.width * a.height) <= _SAME_SHAPE * a.width * b.height + max(a.width, b.width):
        return "resized"
    return "edited"


def same_pixels(a: Result, b: Result) -> bool:
    """True when both pictures' pixels were looked at and are equal."""
    return a.pixels is not None and a.pixels == b.pixels
