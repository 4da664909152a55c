"""One picture that explains a comparison: both images, the points that lie on each other, what both show, what differs.

Drawn with Pillow, so that it needs no optional library.
"""

import colorsys
import io
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps, features
from PIL.PngImagePlugin import PngInfo

from twinpix import outputs
from twinpix.errors import ImageError, OutputError
from twinpix.imaging import thumbnail
from twinpix.imaging.opencv import opencv
from twinpix.model import Relation
from twinpix.text import plural
from twinpix.ui import lettering
from twinpix.ui.figure import exif_mark
from twinpix.ui.lettering import Colour
from twinpix.usecases.compare import Comparison, Places, common_points, lying
from twinpix.verify import Look, Map, View
from twinpix.verify.alignment.affine import Side, chained, corners, inverse, placed, rescaled
from twinpix.verify.content.blocks import BLOCK, Agreement, Laid, agreement, laid
from twinpix.verify.light.photometric import evened

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
MARGIN, GAP = 32, 24  # pixels, as all that follows
_SIDE, _LEAST, _TALL = 640, 440, 480  # the most an image takes, the least a column has for its text, a part's height
_LARGER = 2.0  # times: no image is enlarged more
_ICON = 200  # but for one that would even so be smaller than this
_SOURCE = 1280  # of the images that parts are taken from
_LINES = 60  # that join points
_LEVELS = 64  # of grey, by which pixels differ that are drawn brightest
_FAR, _MUCH = 24.0, 0.15  # levels apart, and the part of a block that must be, to be outlined
_SMOOTH = 1.0  # the difference is that of pictures smoothed by so much, as their tones are
_EDGE = 2  # of the overlap, along which what lies beyond shines through
_WHOLE = 0.975  # of an image: so much is all of it, since a map is no more exact

INK, QUIET, LINE, GROUND = (26, 26, 26), (105, 105, 105), (205, 205, 205), (240, 240, 240)
SAME, UNSURE, OTHER = (0, 140, 100), (190, 115, 0), (200, 70, 10)
"""The colours of a verdict, and of the frame round what both show."""
MARK = (70, 200, 255)
"""Round places that differ."""
_HEAT = ((0, 0, 0), (70, 10, 100), (190, 50, 85), (245, 130, 30), (255, 225, 90), (255, 255, 255))

Mask = NDArray[np.bool_]
RGB = NDArray[np.uint8]  # (rows, columns, 3)


def write_explanation(comparison: Comparison, path: str, *, force: bool = False) -> None:
    """Draw a comparison in the format that the file's suffix names.

    Raises `OutputError` when it cannot be written, `UsageError` for a file that twinpix did not draw unless `force`
    is given; one of the two images is never replaced.
    """
    require_writable(path, (comparison.a, comparison.b), force=force)
    form, out = _format_of(path), io.BytesIO()
    explanation(comparison).save(out, form, **_options(form))
    outputs.write(path, [out.getvalue()], outputs.PICTURE, force=force)


def _options(form: str) -> dict[str, Any]:
    """How a picture is saved, with a mark that says who drew it."""
    if form == "PNG":
        marks = PngInfo()
        marks.add_text("Software", outputs.MARK.decode())
        return {"pnginfo": marks}
    return {"quality": 92, **({"comment": outputs.MARK} if form == "JPEG" else {"exif": exif_mark()})}


def require_writable(path: str, images: Sequence[str] = (), *, force: bool = False) -> None:
    """Raise what `write_explanation` would raise, before the work."""
    _format_of(path)
    for image in images:
        if os.path.exists(path) and os.path.exists(image) and os.path.samefile(path, image):
            raise OutputError(f"cannot write {path}: it is one of the images that are compared")
    outputs.require(path, outputs.PICTURE, force=force)


def _format_of(path: str) -> str:
    form = FORMATS.get(os.path.splitext(path)[1].lower().lstrip("."), "")
    if not form or (form == "WEBP" and not features.check("webp")):
        raise OutputError(f"a comparison is drawn as .png, .jpg or .webp, not to {path}")
    return form


def explanation(comparison: Comparison) -> Image.Image:
    """The picture, on white."""
    pair = _pair_of(comparison)
    column = max(_LEAST, pair.a.shown.width, pair.b.shown.width)
    width = 2 * column + GAP
    points = common_points(pair.a.view, pair.b.view, pair.there)
    rows = [_head(comparison, width), _images(pair, points, column), *_parts(pair, width)]
    return ImageOps.expand(lettering.stacked(rows, width, GAP), MARGIN, "white")


# -- the pair -------------------------------------------------------------------------------------------


class _Drawn(NamedTuple):
    """One of the two images."""

    name: str
    view: View
    source: Image.Image
    shown: Image.Image  # as large as it is drawn


class _Pair(NamedTuple):
    """Both images, and where the one lies on the other."""

    a: _Drawn
    b: _Drawn
    look: Look
    there: Map  # between their views
    colour: Colour  # of the frame round what both show

    def between(self, a: Side, b: Side) -> Map:
        """The map between the images of other sizes."""
        return rescaled(self.there, (self.a.view.sides, a), (self.b.view.sides, b))


def _pair_of(comparison: Comparison) -> _Pair:
    drawn = []
    for name, picture, view in zip((comparison.a, comparison.b), comparison.pictures, comparison.views, strict=True):
        try:
            source = thumbnail(picture.data, _SOURCE, picture.name)
        except ImageError as error:
            raise OutputError(f"cannot draw {name}: {error.reason}") from None
        scale = min(_SIDE / view.width, _SIDE / view.height, _larger(view.width, view.height))
        size = (max(1, round(view.width * scale)), max(1, round(view.height * scale)))
        drawn.append(_Drawn(name, view, source, source.resize(size, Image.Resampling.LANCZOS)))
    there = comparison.look.there
    if there is None:
        raise ValueError("a comparison has a map in any case")
    look = comparison.look
    return _Pair(drawn[0], drawn[1], look, there, _colour(look.relation, undecided=comparison.undecided))


def _larger(width: float, height: float) -> float:
    """How many times an image of so many pixels may be enlarged."""
    return max(_LARGER, _ICON / max(width, height))


def _colour(relation: Relation | None, *, undecided: bool) -> Colour:
    """The colour of a verdict."""
    return SAME if relation and relation != "similar-scene" else UNSURE if relation or undecided else OTHER


# -- what is said ---------------------------------------------------------------------------------------


def _head(comparison: Comparison, width: int) -> Image.Image:
    said, numbers = comparison.conclusion, comparison.numbers
    colour = _colour(comparison.relation, undecided=comparison.undecided)
    parts = [lettering.badge(said[:1].upper() + said[1:], colour)]
    if numbers:
        parts.append(lettering.words(numbers[:1].upper() + numbers[1:], width, 19, INK))
    if comparison.seen and not comparison.by_pixels:
        parts.append(lettering.words(f"Second look: {comparison.seen}", width, 16, INK))
    if comparison.look.relation and not comparison.look.relation.startswith("identical"):
        both = " and ".join(map(_share, comparison.look.overlap, "AB"))
        parts.append(lettering.words(f"Both show {both}", width, 16, QUIET))
    return lettering.stacked(parts, width, 8)


def _share(share: float, name: str) -> str:
    return f"all of {name}" if share > 0.995 else f"{share:.0%} of {name}"


def _caption(letter: str, drawn: _Drawn, width: int) -> Image.Image:
    """The letter by which an image is called, its name and its size."""
    badge = lettering.badge(letter, INK)
    left = badge.width + 10
    name = lettering.fitting(drawn.name, width - left, 18)
    size = f"{drawn.view.width} × {drawn.view.height} pixels" + (", damaged" if drawn.view.damaged else "")
    lines = [lettering.words(name, width - left, 18, INK), lettering.words(size, width - left, 14, QUIET)]
    return lettering.beside([badge, lettering.stacked(lines, width - left, 0)], 10)


# -- both images ----------------------------------------------------------------------------------------


def _images(pair: _Pair, points: tuple[Places, Places], column: int) -> Image.Image:
    """Both images, framed where both show the same, and the points that lie on each other joined."""
    there = pair.between(pair.a.shown.size, pair.b.shown.size)
    masks = (
        _covered(pair.b.shown.size, inverse(there), pair.a.shown.size),
        _covered(pair.a.shown.size, there, pair.b.shown.size),
    )
    captions = [_caption(letter, drawn, column) for letter, drawn in zip("AB", (pair.a, pair.b), strict=True)]
    top = max(caption.height for caption in captions) + 8
    height = max(pair.a.shown.height, pair.b.shown.height)
    out = Image.new("RGB", (2 * column + GAP, top + height), "white")
    ends = []
    for at, (drawn, mask) in enumerate(zip((pair.a, pair.b), masks, strict=True)):
        left = at * (column + GAP)
        out.paste(captions[at], (left, 0))
        corner = (left + (column - drawn.shown.width) // 2, top + (height - drawn.shown.height) // 2)
        ImageDraw.Draw(out).rectangle((*(np.array(corner) - 1), *(np.array(corner) + drawn.shown.size)), outline=LINE)
        out.paste(_framed(drawn.shown, mask, pair.colour), corner)
        scale = np.array(drawn.shown.size) / np.array(drawn.view.sides)
        ends.append((points[at] + 0.5) * scale - 0.5 + np.array(corner))
    joined = _joined(out, *ends)
    count = len(ends[0])
    note = lying(count)
    if count > _LINES:
        note += f", {_LINES} of them are joined"
    frame = "framed: what both show" if pair.look.same else "framed: where A is laid on B"
    return lettering.stacked([joined, lettering.words(f"{note}; {frame}", out.width, 14, QUIET)], out.width, 8)


def _covered(inner: Side, there: Map, sides: Side) -> Mask:
    """Which pixels of an image of these sides another image covers, given where its places lie there."""
    mask = Image.new("L", (int(sides[0]), int(sides[1])), 0)
    ImageDraw.Draw(mask).polygon([tuple(place) for place in placed(there, corners(inner)).tolist()], fill=255)
    covered = np.asarray(mask) > 0
    return np.ones_like(covered) if covered.mean() > _WHOLE else covered


def _framed(image: Image.Image, mask: Mask, colour: Colour) -> Image.Image:
    """An image with a frame round a part of it, all else faded."""
    pixels = np.array(image)
    pixels[~mask] = (pixels[~mask].astype(np.uint16) + 2 * 255) // 3
    pixels[_rim(mask, 5)] = 255
    pixels[_rim(mask, 4)] = colour
    return Image.fromarray(pixels)


def _rim(mask: Mask, width: int) -> Mask:
    """The outermost pixels of a part of an image."""
    cv2 = opencv()
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inner = cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(mask & (inner == 0))


def _joined(image: Image.Image, a: Places, b: Places) -> Image.Image:
    """An image with points marked in both of its halves, and lines between some of them."""
    if not len(a):
        return image
    fine = 2  # times as many pixels: lines without steps
    marks = Image.new("RGBA", (fine * image.width, fine * image.height), (255, 255, 255, 0))
    pen = ImageDraw.Draw(marks)
    colours = _hues(a)
    a, b = fine * a, fine * b
    chosen = _spread(a, _LINES)
    for at in chosen:
        pen.line([*a[at], *b[at]], fill=(*colours[at], 150), width=fine + 1)
    for at in range(len(a)):
        for x, y in (a[at], b[at]):
            radius = fine * (4 if at in chosen else 2.5)
            pen.ellipse(
                (x - radius, y - radius, x + radius, y + radius), fill=(*colours[at], 255), outline="white", width=2
            )
    marks = marks.resize(image.size, Image.Resampling.BOX)
    return Image.alpha_composite(image.convert("RGBA"), marks).convert("RGB")


def _hues(places: Places) -> list[Colour]:
    """A colour for each place, changing along the picture from its top left: the eye can follow lines by it."""
    span = np.maximum(np.ptp(places, axis=0), 1)
    order = np.argsort((places / span).sum(axis=1), kind="stable")
    rank = np.empty(len(places))
    rank[order] = np.arange(len(places)) / max(1, len(places) - 1)
    rows = [colorsys.hls_to_rgb(0.85 * share, 0.47, 0.95) for share in rank.tolist()]
    return [(round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in rows]


def _spread(places: Places, most: int) -> set[int]:
    """Some of the places, far from each other: each is the farthest from those before it."""
    far = np.linalg.norm(places - places[0], axis=1)
    chosen = [0]
    while len(chosen) < min(most, len(places)):
        chosen.append(int(far.argmax()))
        far = np.minimum(far, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return set(chosen)


# -- what both show -------------------------------------------------------------------------------------


class _Part(NamedTuple):
    """What both show, as a part of B."""

    size: tuple[int, int]
    a: Map  # from places in the source of A to its pixels
    b: Map  # from those in the source of B


def _part_of(pair: _Pair, width: int) -> _Part | None:
    """The part of B that A covers, at most so wide; None where they do not meet."""
    there = pair.between(pair.a.source.size, pair.b.source.size)
    covered = _covered(pair.a.source.size, there, pair.b.source.size)
    if not covered.any():
        return None
    ys, xs = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    left, top, wide, tall = int(xs[0]), int(ys[0]), int(xs[-1] - xs[0]) + 1, int(ys[-1] - ys[0]) + 1
    full = pair.between((pair.a.view.width, pair.a.view.height), (pair.b.view.width, pair.b.view.height))
    finer = max(1, 1 / float(np.sqrt(abs(np.linalg.det(full[:, :2])))))  # pixels of A's on one of B's, a side
    pixels = finer * pair.b.view.width / pair.b.source.width
    scale = min(width / wide, _TALL / tall, pixels * _larger(pixels * wide, pixels * tall))
    cut = np.array([[scale, 0, scale * (0.5 - left) - 0.5], [0, scale, scale * (0.5 - top) - 0.5]])
    return _Part((max(1, round(scale * wide)), max(1, round(scale * tall))), chained(there, cut), cut)


def _parts(pair: _Pair, width: int) -> list[Image.Image]:
    """What both show: from A, from B, and how it differs; nothing where they do not meet."""
    column = (width - 2 * GAP) // 3
    part = _part_of(pair, column)
    if part is None:
        return []
    a, common = _moved(pair.a.source, part.a, part.size)
    b, _ = _moved(pair.b.source, part.b, part.size)
    heat, unlike, agrees = _difference(pair, part)
    outlined = pair.look.same and bool(unlike.any())
    heads = ("What both show, in A (laid on B)", "What both show, in B") if pair.look.same else ("A, laid on B", "B")
    columns = []
    for head, pixels in zip((*heads, "What differs"), (a, b, heat), strict=True):
        pixels[~common] = GROUND
        if outlined:
            pixels[_rim(unlike & common, 2)] = MARK
        pixels[[0, -1]], pixels[:, [0, -1]] = LINE, LINE
        columns.append([lettering.words(head, column, 16, INK), Image.fromarray(pixels)])
    columns[-1] += _legend(agrees, column, outlined=outlined)
    images = [lettering.stacked(rows, column, 8) for rows in columns]
    out = Image.new("RGB", (width, max(image.height for image in images)), "white")
    for at, image in enumerate(images):
        out.paste(image, (at * (column + GAP), 0))
    return [out]


def _moved(image: Image.Image, there: Map, size: tuple[int, int]) -> tuple[RGB, Mask]:
    """An image moved by a map, and which pixels it covers."""
    scale = float(np.sqrt(abs(np.linalg.det(there[:, :2]))))
    if scale < 1:
        small = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
        there = rescaled(there, (image.size, small), (size, size))
        image = image.resize(small, Image.Resampling.LANCZOS)
    cv2 = opencv()
    moved = cv2.warpAffine(np.asarray(image), there, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved, _flat(np.ones((image.height, image.width), np.bool_), there, size)


def _flat(mask: Mask, there: Map, size: tuple[int, int]) -> Mask:
    """A part of an image moved by a map."""
    cv2 = opencv()
    return np.asarray(cv2.warpAffine(mask.astype(np.uint8), there, size, flags=cv2.INTER_NEAREST, borderValue=0) > 0)


def _difference(pair: _Pair, part: _Part) -> tuple[RGB, Mask, Agreement]:
    """How far the two are apart, in colours; where they do not agree; and how many blocks do."""
    cv2 = opencv()
    on = laid(pair.a.view, pair.b.view, pair.there)
    agrees = agreement(on)
    tones = evened(on, agrees)
    first, second = (cv2.GaussianBlur(grey, (0, 0), _SMOOTH) for grey in (tones.a, tones.b))
    sides = (on.a.shape[1], on.a.shape[0])
    to_b = chained(inverse(on.there), pair.there)
    out = chained(rescaled(to_b, (sides, sides), (pair.b.view.sides, pair.b.source.size)), part.b)
    apart = np.abs(first - second)
    apart[cv2.erode(on.common.astype(np.uint8), np.ones((2 * _EDGE + 1, 2 * _EDGE + 1), np.uint8)) == 0] = 0
    unlike = _unlike(on, agrees, apart)
    apart = cv2.warpAffine(apart, out, part.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _heated(apart), _flat(unlike, out, part.size), agrees


def _heated(apart: NDArray[np.float32]) -> RGB:
    """Levels as colours, from black to white."""
    stops = np.linspace(0, _LEVELS, len(_HEAT))
    channels = [np.interp(apart, stops, [colour[at] for colour in _HEAT]) for at in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _unlike(on: Laid, agrees: Agreement, apart: NDArray[np.float32]) -> Mask:
    """Which pixels lie in blocks that do not agree, or are far apart: of a flat thing only the edge would not agree."""
    cv2 = opencv()
    side = next((side for side in (BLOCK, BLOCK // 2) if on.a.shape[0] // side == agrees.fits.shape[0]), BLOCK)
    rows, columns = agrees.fits.shape
    far = (apart > _FAR).astype(np.float32)[: side * rows, : side * columns]
    blocks = (agrees.fits == 0) | (cv2.resize(far, (columns, rows), interpolation=cv2.INTER_AREA) > _MUCH)
    marked = np.kron(blocks, np.ones((side, side), np.bool_))[: on.a.shape[0], : on.a.shape[1]]
    out = np.zeros(on.a.shape, np.bool_)
    out[: marked.shape[0], : marked.shape[1]] = marked
    return out & on.common


def _legend(agrees: Agreement, width: int, *, outlined: bool) -> list[Image.Image]:
    """What the colours and the outlines of the difference mean."""
    bar = Image.fromarray(_heated(np.tile(np.linspace(0, _LEVELS, 90, dtype=np.float32), (12, 1))))
    ends = (lettering.words(words, width, 14, QUIET) for words in ("equal", f"{_LEVELS} levels or more"))
    apart = agrees.blocks - round(agrees.share * agrees.blocks)
    blocks = plural(agrees.blocks, "block")
    none = f"all {blocks} agree" if agrees.blocks else "nothing stands out"
    told = f"{apart} of {blocks} do not agree" if apart else none
    lines = [
        [lettering.words("in grey, light and dark evened out", width, 14, QUIET)],
        [next(ends), bar, next(ends)],
        [lettering.words(told, width, 14, QUIET)],
    ]
    if outlined:
        mark = Image.new("RGB", (14, 14), MARK)
        ImageDraw.Draw(mark).rectangle((2, 2, 11, 11), fill="white")
        lines.append([mark, lettering.words("where they differ", width, 14, QUIET)])
    return [lettering.beside(line, 8) for line in lines]
