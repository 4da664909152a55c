"""Name how two matched images differ, from what is known without opening them again."""

from twinpix import fingerprints
from twinpix.fingerprints import Fingerprint, decodes, relation_of_turn
from twinpix.imaging.traits import from_text
from twinpix.model import Relation
from twinpix.store import Result

_SAME_SHAPE = 0.02  # of the aspect ratio
_SAME_PIXELS = 25  # identical pixels differ in no more than one bit in so many, whatever the decoder drops
_SAME_DIRECTION = 0.02  # nor do their directions differ by more


def relation(
    method: Fingerprint, a: Result, b: Result, distance: float | None, turn: int, *, same_file: bool = False
) -> Relation:
    """The relation of two images that match by `method` at this distance, in this turn."""
    if same_file or not decodes(method):
        return "identical-file"
    if method.metric == "identity" or (a.pixels is not None and a.pixels == b.pixels):
        return "identical-pixels"
    turned = relation_of_turn(turn)
    if turned:
        return turned
    if method.metric == "cosine" or fingerprints.by_pixels(method):
        return "edited"
    if max(_frames(a), _frames(b)) > 1:
        return "edited"  # only the first frames were compared, and what is not identical differs somewhere
    if distance is None or distance > method.radii["strict"]:
        return "edited"  # a network that sees through edits cannot tell them apart either
    if (a.width, a.height) == (b.width, b.height):
        return "re-encoded"
    if abs(a.width * b.height - b.width * a.height) <= _SAME_SHAPE * a.width * b.height + max(a.width, b.width):
        return "resized"
    return "edited"


def _frames(result: Result) -> int:
    traits = from_text(result.traits)
    return traits.frames if traits else 1


def most_of_identical(method: Fingerprint) -> float:
    """How far apart two pictures of one size can be that have the same pixels."""
    share = _SAME_DIRECTION if fingerprints.by_pixels(method) else -1
    return {"hamming": method.bits // _SAME_PIXELS, "cosine": _SAME_DIRECTION}.get(method.metric, share)
