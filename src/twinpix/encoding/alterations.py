"""Detect how a member of a group was edited, from the other members and from the pixels.

The results are in `Member.altered`, which the keep rules read.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from twinpix.encoding.encoder import Encoder
from twinpix.encoding.images import Images
from twinpix.encoding.session import Session
from twinpix.fingerprints._evidence import PixelEvidence
from twinpix.imaging.evidence import BANDS, SMALL, TILE, Evidence, tone_spread, unpack
from twinpix.model import Alteration, ContentId, Match, Member

EvidenceReader = Callable[[Iterable[ContentId]], Mapping[ContentId, Evidence]]
"""Returns the pixel evidence of contents, by number. Contents that cannot be decoded are missing."""

_Found = set[Alteration]

_SAME_SIZE = 0.02  # largest relative difference between the longer sides of two images of one size
_LARGER = 1.2  # smallest ratio of the longer sides for an enlargement
_SAME_SHAPE = 0.03  # largest relative difference between the aspect ratios of an image and its copy
_THUMBNAIL = 2.5  # ratio of the longer sides from which the smaller image is a thumbnail, even with camera metadata
# Power just above the smaller image's Nyquist limit over that just below. Of 660 soft and sharp photos with a smaller
# copy 2 % are below, with `_LIGHTER` too 0.3 %, and of 1,980 enlarged ones 8 %: a photo taken for one would be lost.
_DEAD = 0.08
_OTHER_FRAMING = ("cropped", "padded", "rotated", "mirrored")  # relations of images that do not show the same part
_ALIGNED = 5.0  # grey levels: with a larger median difference two images do not show the same part of a scene
_LIGHTER = 0.55  # largest ratio of the bits per pixel, large image to small: an enlarged image compresses better
_BLURRED = 0.4  # a blurred image has less than this share of the other image's power of fine detail
_FRAME, _FRAME_SIDE = 0.02, 0.008  # shares of the image: smallest sum of a frame's four widths, and smallest width
_INSIDE = 0.1  # share by which the image inside a frame may be larger than the other image
_SMALLEST = 2 * SMALL  # pixels a side: smaller images would be enlarged, and so blurred, for the comparison
_MARK, _NOISE = 20.0, 6.0  # an overlay differs by this many grey levels, and this multiple of the median difference
_LEAST_MARKED, _MOST_MARKED = 0.003, 0.5  # share of the image that an overlay covers
_MORE_EDGES, _SURELY_MORE_EDGES = 1.2, 2.0  # ratios: an overlay has more edges than the area it covers
_COLOURED, _PALER = 4.0, 0.3  # chroma levels of a colour image, and the share of them below which a copy is grey
_SIGMAS = (0.5, 1.0, 2.0)  # Gaussian blurs that are tried, in pixels of the small version
_EXPLAINED = 0.5  # share of the mean difference: if blurring leaves less of it, one image is the other one blurred
_HUES = 2.0  # chroma levels, see `tone_spread`: an image of several hues has more; sepia images have up to 1
_ALL_PAIRS = 12  # members: in a larger group, each member is compared with the first one only


def evidence_reader(session: Session, images: Images) -> EvidenceReader:
    """Return a function that reads the pixel evidence of contents at full size, and keeps it in the store."""

    def read(numbers: Iterable[ContentId]) -> dict[ContentId, Evidence]:
        chosen, rows = images.in_order(numbers)
        encoder = Encoder(session, [PixelEvidence()])
        digests = encoder.encode(images.refs.take(rows))
        out = {}
        for number, digest in zip(chosen, digests, strict=True):
            if digest == images.contents.digest(number) and (code := encoder.result(digest).code):
                out[number] = unpack(code)  # else the file has changed, or cannot be decoded
        return out

    return read


def mark_alterations(
    members: Sequence[Member],
    matches: Sequence[Match],
    content: Sequence[ContentId],
    evidence: Mapping[ContentId, Evidence],
) -> list[Member]:
    """Return the members with `altered` filled in.

    `content` has the number of each member's content; `evidence` may lack contents.
    """
    place = {member.path: at for at, member in enumerate(members)}
    found: list[_Found] = [set() for _ in members]
    for match in matches:
        a, b = place[match.a], place[match.b]
        if match.relation == "padded":
            for at, has_border in zip((a, b), match.borders, strict=True):
                found[at] |= {Alteration.PADDED} if has_border else set()
        elif match.relation == "identical-pixels":
            _note_converted(members[a], members[b], found[a], found[b])
    other_framing = {frozenset((match.a, match.b)) for match in matches if match.relation in _OTHER_FRAMING}
    few = len(members) <= _ALL_PAIRS
    for a, b in combinations(range(len(members)), 2) if few else ((0, at) for at in range(1, len(members))):
        if content[a] != content[b]:
            one, two = members[a], members[b]
            evidence_a, evidence_b = evidence.get(content[a]), evidence.get(content[b])
            _compare_alone(one, two, evidence_a, evidence_b, found[a], found[b])
            if frozenset((one.path, two.path)) not in other_framing:
                _compare_places(one, two, evidence_a, evidence_b, found[a], found[b])
    _note_thumbnails(members, found)
    return [replace(member, altered=tuple(sorted(edits))) for member, edits in zip(members, found, strict=True)]


def _note_converted(a: Member, b: Member, found_a: _Found, found_b: _Found) -> None:
    """Mark a lossless file with the same pixels as a lossy one as converted: lossy encoding would change pixels."""
    if a.traits and b.traits and a.traits.lossless != b.traits.lossless and not (a.traits.alpha or b.traits.alpha):
        (found_a if a.traits.lossless else found_b).add(Alteration.CONVERTED)


def _compare_alone(
    a: Member, b: Member, evidence_a: Evidence | None, evidence_b: Evidence | None, found_a: _Found, found_b: _Found
) -> None:
    """Note edits that show without aligned images: exports and removed colours."""
    if _is_export(a, b):
        found_a.add(Alteration.CONVERTED)
    elif _is_export(b, a):
        found_b.add(Alteration.CONVERTED)
    if _is_grey_of(a, b, evidence_a, evidence_b):
        found_a.add(Alteration.GREY)
    elif _is_grey_of(b, a, evidence_b, evidence_a):
        found_b.add(Alteration.GREY)


def _compare_places(
    a: Member, b: Member, evidence_a: Evidence | None, evidence_b: Evidence | None, found_a: _Found, found_b: _Found
) -> None:
    """Note edits that show place by place in two images of the same part of a scene.

    These are frames, enlargements, overlays and blur.
    """
    if evidence_a is None or evidence_b is None or min(_side(a), _side(b)) < _SMALLEST:
        return
    if (framed := sum(evidence_a.frame) - sum(evidence_b.frame)) and abs(framed) > _FRAME:
        large, evidence, edits, other = (a, evidence_a, found_a, b) if framed > 0 else (b, evidence_b, found_b, a)
        if sum(side > _FRAME_SIDE for side in evidence.frame) >= 2 and _fits_inside(large, evidence, other):
            edits.add(Alteration.PADDED)
            return
    if abs(a.width * b.height - b.width * a.height) > _SAME_SHAPE * a.width * b.height:
        return  # one image shows a larger part: positions and frequencies are not comparable
    if not _has_side_of(a, b):
        found_a |= {Alteration.ENLARGED} if _is_enlarged(a, b, evidence_a) else set()
        found_b |= {Alteration.ENLARGED} if _is_enlarged(b, a, evidence_b) else set()
    for least in (_SURELY_MORE_EDGES, _MORE_EDGES):  # blur removes edges too, but fewer
        on_a, on_b = find_overlay(evidence_a.small, evidence_b.small, least)
        if (on_a and _is_blur_of(evidence_b.small, evidence_a.small)) or (
            on_b and _is_blur_of(evidence_a.small, evidence_b.small)
        ):
            on_a = on_b = False
        if on_a or on_b:
            (found_a if on_a else found_b).add(Alteration.OVERLAID)
            return
        if _has_side_of(a, b) and (_is_blurred(evidence_a, evidence_b) or _is_blurred(evidence_b, evidence_a)):
            (found_a if _is_blurred(evidence_a, evidence_b) else found_b).add(Alteration.BLURRED)
            return


def _fits_inside(framed: Member, evidence: Evidence, other: Member) -> bool:
    """True if the image inside a frame is no larger than the other image.

    Else the other image is a smaller copy whose own border was lost by resampling, and the larger one is not padded.
    """
    top, bottom, left, right = evidence.frame
    width, height = framed.width * (1 - left - right), framed.height * (1 - top - bottom)
    return max(width, height) <= (1 + _INSIDE) * _side(other)


def _is_grey_of(a: Member, b: Member, evidence_a: Evidence | None, evidence_b: Evidence | None) -> bool:
    """True if the first image is the second one without its colours: grey, or in one tone such as sepia."""
    if evidence_a is None or evidence_b is None:
        return bool(a.traits and b.traits and a.traits.colour is False and b.traits.colour)
    if evidence_b.chroma <= _COLOURED:
        return False
    tones = tone_spread(evidence_a), tone_spread(evidence_b)
    one_tone = tones[1] > _HUES and tones[0] < _PALER * tones[1]
    return evidence_a.chroma < _PALER * evidence_b.chroma or one_tone


def _is_blurred(a: Evidence, b: Evidence) -> bool:
    """True if the first of two images of one size has far less fine detail, in the more detailed half of the second.

    "Far less" is below `_BLURRED` in every tile of that half.
    """
    rich = b.fine >= np.median(b.fine)
    return bool((a.fine[rich] < _BLURRED * b.fine[rich]).all())


def _side(member: Member) -> int:
    return max(member.width, member.height)


def _has_side_of(a: Member, b: Member) -> bool:
    return abs(_side(a) - _side(b)) <= _SAME_SIZE * max(_side(a), _side(b))


def _is_export(a: Member, b: Member) -> bool:
    """True if `a` is a JPEG file made from `b`, a HEIC or RAW file of the same shot."""
    if a.format not in ("JPEG", "MPO") or b.format not in ("HEIF", "RAW") or not (a.traits and b.traits):
        return False
    if a.pixels > (1 + _SAME_SIZE) ** 2 * b.pixels:
        return False
    return not a.traits.captured or a.traits.captured[:19] == b.traits.captured[:19]


def _is_enlarged(large: Member, small: Member, evidence: Evidence) -> bool:
    """True if the larger image has almost no power at frequencies above the Nyquist limit of the smaller one.

    Always False for an image straight from a camera, since some of these are as soft.
    """
    if _side(large) < _LARGER * _side(small) or (large.traits and large.traits.camera):
        return False
    if large.traits and small.traits and large.traits.lossless == small.traits.lossless:
        bits = large.size / max(1, large.pixels), small.size / max(1, small.pixels)
        if bits[0] > _LIGHTER * bits[1]:
            return False
    limit = 0.5 * _side(small) / _side(large)  # the smaller image's Nyquist limit, in cycles per pixel of the larger
    frequency = np.arange(BANDS) / TILE
    above = evidence.power[(frequency >= 1.12 * limit) & (frequency <= min(0.5, 1.45 * limit))]
    below = evidence.power[(frequency >= 0.7 * limit) & (frequency <= 0.95 * limit)]
    if not above.size or not below.size or not float(below.mean()):
        return False
    return float(above.mean()) < _DEAD * float(below.mean())


def find_overlay(a: NDArray[np.uint8], b: NDArray[np.uint8], least: float) -> tuple[bool, bool]:
    """Return for each of two aligned images whether it has an overlay, such as a caption or a watermark.

    `a` and `b` are grey levels of the same shape. The image with the overlay is the one with more than `least` times
    as many edges where they differ strongly. At most one of the two is True.
    """
    one, two = a.astype(np.float32), b.astype(np.float32)
    difference = one - two
    difference -= np.median(difference)
    size = np.abs(difference)
    if float(np.median(size)) > _ALIGNED:
        return False, False
    marked = size > max(_MARK, _NOISE * float(np.median(size)))
    if not _LEAST_MARKED <= marked.mean() <= _MOST_MARKED:
        return False, False
    near = _dilate(marked)
    edges_a, edges_b = (float(_edges(values)[near].sum()) for values in (one, two))
    return edges_a > least * edges_b, edges_b > least * edges_a


def _is_blur_of(soft: NDArray[np.uint8], sharp: NDArray[np.uint8]) -> bool:
    """True if blurring `sharp` removes most of its difference from `soft`: then the sharp one has no overlay."""
    one, two = soft.astype(np.float32), sharp.astype(np.float32)
    mean_difference = float(np.abs(one - two - np.median(one - two)).mean())
    for sigma in _SIGMAS:
        off = one - _smooth(two, sigma)
        if float(np.abs(off - np.median(off)).mean()) < _EXPLAINED * mean_difference:
            return True
    return False


def _smooth(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Smooth with a Gaussian of `sigma` pixels along both axes."""
    reach = int(3 * sigma + 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for _ in range(2):
        wide = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
        values = sum(weight * wide[at : at + len(values)] for at, weight in enumerate(kernel)).T
    return np.asarray(values, dtype=np.float32)


def _edges(values: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.zeros_like(values)
    out[:, 1:] += np.abs(np.diff(values, axis=1))
    out[1:] += np.abs(np.diff(values, axis=0))
    return out


def _dilate(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Dilate a mask by one pixel in all eight directions."""
    wide = np.pad(marked, 1)
    out = np.zeros_like(marked)
    height, width = marked.shape
    for down in range(3):
        for across in range(3):
            out |= wide[down : down + height, across : across + width]
    return out


def _note_thumbnails(members: Sequence[Member], found: Sequence[_Found]) -> None:
    """Mark members that are far smaller than an unaltered, undamaged one as thumbnails."""
    whole = [_side(member) for member, edits in zip(members, found, strict=True) if not edits and not member.damaged]
    for member, edits in zip(members, found, strict=True):
        if whole and max(whole) > _THUMBNAIL * _side(member):
            edits.add(Alteration.THUMBNAIL)
