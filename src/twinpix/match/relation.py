"""Name the relation of two matched images: from stored facts, from the evidence of their pixels, from their verdict.

`find`, `query` and `compare` use the same functions, so they give a pair the same relation.
"""

from twinpix.fingerprints import Fingerprint, relation_of_turn
from twinpix.imaging.evidence import SMALL, Evidence, has_other_colours, has_other_light, has_other_place
from twinpix.imaging.traits import from_text
from twinpix.model import Relation, Traits
from twinpix.store import Result
from twinpix.verify import Verdict

_SAME_SHAPE = 0.02  # of the aspect ratio
_SAME_PIXELS = 25  # codes of identical pixels differ in at most one of this many bits, due to different fast decodes
_SAME_DIRECTION = 0.02  # largest cosine distance of identical pixels
_COMPARABLE = SMALL * 3 // 2  # pixels along a side from which positions in images of two sizes are comparable


def infer_relation(
    method: Fingerprint, a: Result, b: Result, distance: float | None, turn: int, *, same_file: bool = False
) -> Relation:
    """Return the relation of two images that match by `method` at this distance, in this orientation.

    A hash sees brightness at a low resolution only: `relation_by_evidence` corrects `re-encoded` and `resized`.
    """
    if same_file or not method.decodes:
        return "identical-file"
    if method.by_equality or (a.pixels is not None and a.pixels == b.pixels):
        return "identical-pixels"
    turned = relation_of_turn(turn)
    if turned:
        return turned
    if method.unit != "bits":
        return "edited"
    if explain_no_encoding(a, b):
        return "edited"
    if distance is None or distance > method.radii["strict"]:
        return "edited"  # a network that is invariant to edits cannot name them
    if (a.width, a.height) == (b.width, b.height):
        return "re-encoded"
    if abs(a.width * b.height - b.width * a.height) <= _SAME_SHAPE * a.width * b.height + max(a.width, b.width):
        return "resized"
    return "edited"


def is_encoding(relation: Relation | None) -> bool:
    """True for a relation of images that differ by their encoding or size only."""
    return relation in ("re-encoded", "resized")


def relation_by_evidence(
    relation: Relation, a: Evidence | None, b: Evidence | None, first: Result, second: Result
) -> Relation:
    """Return the relation of two images by their pixels too: an encoding changes neither colours, light nor a place.

    `relation` is that of `infer_relation`; relations that are no encodings are returned unchanged. `a` and `b` are the
    evidence of the two images, None if it could not be read; `first` and `second` have their sizes.
    """
    if a is None or b is None or not is_encoding(relation):
        return relation
    if has_other_colours(a, b) or has_other_light(a, b):
        return "recoloured"
    same_size = (first.width, first.height) == (second.width, second.height)
    comparable = same_size or min(first.width, first.height, second.width, second.height) >= _COMPARABLE
    return "edited" if comparable and has_other_place(a, b) else relation


def correct_verdict(verdict: Verdict, why: str) -> Verdict:
    """Return the verdict of a pair; as edited if `why`, which `explain_no_encoding` returns, is not empty."""
    if not why or not is_encoding(verdict.relation):
        return verdict
    detail, back = (", ".join(filter(None, (f"edited: {why}", each))) for each in (verdict.detail, verdict.back))
    return verdict._replace(relation="edited", detail=detail, back=back)


def explain_no_encoding(a: Result, b: Result) -> str:
    """Return why two images that are not identical are no encodings of each other, or "" if they may be.

    Of files with several frames or pages only the first ones were compared; shots of one scene differ in their times.
    """
    x, y = from_text(a.traits), from_text(b.traits)
    if max((traits.frames for traits in (x, y) if traits), default=1) > 1:
        return "only the first frames or pages were compared"
    if x and y and _are_two_shots(x, y):
        return "two shots, by EXIF"
    return ""


def _are_two_shots(a: Traits, b: Traits) -> bool:
    """True if both images have exposure times or settings, and they differ."""
    return _have_unlike_times(a.captured, b.captured) or _have_unlike_exposures(a.exposure, b.exposure)


def _have_unlike_times(a: str, b: str) -> bool:
    (day, _, part), (other_day, _, other_part) = a.partition("."), b.partition(".")
    if not (day and other_day):
        return False
    unlike_parts = bool(part and other_part) and float(f"0.{part}") != float(f"0.{other_part}")
    return day != other_day or unlike_parts


def _have_unlike_exposures(a: str, b: str) -> bool:
    """True if two exposures, such as `1/250 f/2.8 ISO100`, differ in a part that both have."""
    first, second = ({_kind(part): part for part in text.split()} for text in (a, b))
    return any(first[kind] != second[kind] for kind in first.keys() & second.keys())


def _kind(part: str) -> str:
    """Return what a part of an exposure is: an aperture, a sensitivity, or else the time."""
    return next((start for start in ("f/", "ISO") if part.startswith(start)), "time")


def most_of_identical(method: Fingerprint) -> float:
    """Return the largest distance of two images of one size with identical pixels."""
    if method.by_equality:
        return -1
    return method.bits // _SAME_PIXELS if method.unit == "bits" else _SAME_DIRECTION
