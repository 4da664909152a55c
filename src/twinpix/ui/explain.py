"""One image that explains a comparison: both images, their inlier keypoints, the overlap, and the differences.

Drawn with Pillow, so that no optional library is needed.
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
from twinpix.model import IDENTICAL, Relation
from twinpix.text import plural
from twinpix.ui import lettering
from twinpix.ui.figure import exif_mark
from twinpix.ui.lettering import Colour
from twinpix.usecases.compare import Comparison, describe_inliers
from twinpix.verify import (
    Affine,
    DifferenceMap,
    Places,
    Pyramid,
    Size,
    Verdict,
    common_points,
    compose,
    corners,
    difference_map,
    inverse,
    rescale,
    transform_points,
)

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
MARGIN, GAP = 32, 24  # pixels, as the following constants
_SIDE, _LEAST, _TALL = 640, 440, 480  # largest side of an image, smallest width of a column, largest height of a part
_LARGER = 2.0  # largest enlargement of an image
_ICON = 200  # smallest larger side of an enlarged image
_SOURCE = 1280  # of the images that parts are cut from
_LINES = 60  # largest number of drawn matches of keypoints
_LEVELS = 64  # grey levels of difference that are drawn brightest
_WHOLE = 0.975  # an overlap of this share counts as the whole image, because the transform is not more exact

INK, QUIET, LINE, GROUND = (26, 26, 26), (105, 105, 105), (205, 205, 205), (240, 240, 240)
SAME, UNSURE, OTHER = (0, 140, 100), (190, 115, 0), (200, 70, 10)
"""Colours of a verdict, and of the frame around the overlap."""
MARK = (70, 200, 255)
"""Outline of places that differ."""
_HEAT = ((0, 0, 0), (70, 10, 100), (190, 50, 85), (245, 130, 30), (255, 225, 90), (255, 255, 255))

Mask = NDArray[np.bool_]
RGB = NDArray[np.uint8]  # (rows, columns, 3)


def write_explanation(comparison: Comparison, path: str, *, force: bool = False) -> None:
    """Draw a comparison in the format of the file's suffix.

    Raises `OutputError` if it cannot be written, `UsageError` for a file that twinpix did not draw unless `force` is
    given; never replaces one of the two images.
    """
    require_writable(path, (comparison.a, comparison.b), force=force)
    form, out = _format_of(path), io.BytesIO()
    explanation(comparison).save(out, form, **_options(form))
    outputs.write(path, [out.getvalue()], outputs.DRAWING, force=force)


def _options(form: str) -> dict[str, Any]:
    """Return the options for saving an image, with the mark by which twinpix recognises its own files."""
    if form == "PNG":
        marks = PngInfo()
        marks.add_text("Software", outputs.MARK.decode())
        return {"pnginfo": marks}
    return {"quality": 92, **({"comment": outputs.MARK} if form == "JPEG" else {"exif": exif_mark()})}


def require_writable(path: str, images: Sequence[str] = (), *, force: bool = False) -> None:
    """Raise the errors of `write_explanation` before the comparison."""
    _format_of(path)
    for image in images:
        if os.path.exists(path) and os.path.exists(image) and os.path.samefile(path, image):
            raise OutputError(f"cannot write {path}: it is one of the images that are compared")
    outputs.require(path, outputs.DRAWING, force=force)


def _format_of(path: str) -> str:
    form = FORMATS.get(os.path.splitext(path)[1].lower().lstrip("."), "")
    if not form or (form == "WEBP" and not features.check("webp")):
        raise OutputError(f"a comparison is drawn as .png, .jpg or .webp, not to {path}")
    return form


def explanation(comparison: Comparison) -> Image.Image:
    """Return the explaining image, on white."""
    pair = _pair_of(comparison)
    column = max(_LEAST, pair.a.shown.width, pair.b.shown.width)
    width = 2 * column + GAP
    points = common_points(pair.a.view, pair.b.view, pair.a_to_b)
    rows = [_head(comparison, width), _images(pair, points, column), *_parts(pair, width)]
    return ImageOps.expand(lettering.stack(rows, width, GAP), MARGIN, "white")


# -- the pair -------------------------------------------------------------------------------------------


class _Drawn(NamedTuple):
    """One of the two images."""

    name: str
    view: Pyramid
    source: Image.Image
    shown: Image.Image  # at the size at which it is drawn


class _Pair(NamedTuple):
    """Both images and the transform between them."""

    a: _Drawn
    b: _Drawn
    verification: Verdict
    a_to_b: Affine  # between their pyramids
    colour: Colour  # of the frame around the overlap

    def between(self, a: Size, b: Size) -> Affine:
        """Return the transform between the images of other sizes."""
        return rescale(self.a_to_b, (self.a.view.size, a), (self.b.view.size, b))


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
    a_to_b = comparison.verification.a_to_b
    if a_to_b is None:
        raise ValueError("a comparison has a map in any case")
    verdict = comparison.verification
    return _Pair(drawn[0], drawn[1], verdict, a_to_b, _colour(verdict.relation, undecided=comparison.undecided))


def _larger(width: float, height: float) -> float:
    """Return the factor by which an image of this size may be enlarged."""
    return max(_LARGER, _ICON / max(width, height))


def _colour(relation: Relation | None, *, undecided: bool) -> Colour:
    """Return the colour of a verdict."""
    return SAME if relation and relation != "similar-scene" else UNSURE if relation or undecided else OTHER


# -- the verdict ----------------------------------------------------------------------------------------


def _head(comparison: Comparison, width: int) -> Image.Image:
    conclusion, numbers = comparison.conclusion, comparison.numbers
    colour = _colour(comparison.relation, undecided=comparison.undecided)
    parts = [lettering.badge(conclusion[:1].upper() + conclusion[1:], colour)]
    if numbers:
        parts.append(lettering.words(numbers[:1].upper() + numbers[1:], width, 19, INK))
    if comparison.seen and not comparison.by_pixels:
        parts.append(lettering.words(f"Verification: {comparison.seen}", width, 16, INK))
    if comparison.verification.relation and comparison.verification.relation not in IDENTICAL:
        both = " and ".join(map(_share, comparison.verification.overlap, "AB"))
        parts.append(lettering.words(f"Overlap: {both}", width, 16, QUIET))
    return lettering.stack(parts, width, 8)


def _share(share: float, name: str) -> str:
    return f"all of {name}" if share > 0.995 else f"{share:.0%} of {name}"


def _caption(letter: str, drawn: _Drawn, width: int) -> Image.Image:
    """Return the letter that identifies an image, its name and its size."""
    badge = lettering.badge(letter, INK)
    left = badge.width + 10
    name = lettering.fitting(drawn.name, width - left, 18)
    size = f"{drawn.view.width} × {drawn.view.height} pixels" + (", damaged" if drawn.view.damaged else "")
    lines = [lettering.words(name, width - left, 18, INK), lettering.words(size, width - left, 14, QUIET)]
    return lettering.beside([badge, lettering.stack(lines, width - left, 0)], 10)


# -- both images ----------------------------------------------------------------------------------------


def _images(pair: _Pair, points: tuple[Places, Places], column: int) -> Image.Image:
    """Return both images, with a frame around the overlap, and lines between inlier keypoints."""
    a_to_b = pair.between(pair.a.shown.size, pair.b.shown.size)
    masks = (
        _mask_covered(pair.b.shown.size, inverse(a_to_b), pair.a.shown.size),
        _mask_covered(pair.a.shown.size, a_to_b, pair.b.shown.size),
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
        out.paste(_draw_frame(drawn.shown, mask, pair.colour), corner)
        scale = np.array(drawn.shown.size) / np.array(drawn.view.size)
        ends.append((points[at] + 0.5) * scale - 0.5 + np.array(corner))
    joined = _draw_inliers(out, *ends)
    count = len(ends[0])
    note = describe_inliers(count)
    if count > _LINES:
        note += f", {_LINES} of them are joined"
    frame = "framed: the overlap" if pair.verification.same else "framed: A aligned with B"
    return lettering.stack([joined, lettering.words(f"{note}; {frame}", out.width, 14, QUIET)], out.width, 8)


def _mask_covered(inner: Size, a_to_b: Affine, size: Size) -> Mask:
    """Return which pixels of an image another image covers, given its transform."""
    mask = Image.new("L", (int(size[0]), int(size[1])), 0)
    ImageDraw.Draw(mask).polygon(
        [tuple(place) for place in transform_points(a_to_b, corners(inner)).tolist()], fill=255
    )
    covered = np.asarray(mask) > 0
    return np.ones_like(covered) if covered.mean() > _WHOLE else covered


def _draw_frame(image: Image.Image, mask: Mask, colour: Colour) -> Image.Image:
    """Return an image with a frame around a part of it, the rest faded."""
    pixels = np.array(image)
    pixels[~mask] = (pixels[~mask].astype(np.uint16) + 2 * 255) // 3
    pixels[_rim(mask, 5)] = 255
    pixels[_rim(mask, 4)] = colour
    return Image.fromarray(pixels)


def _rim(mask: Mask, width: int) -> Mask:
    """Return the outermost pixels of a part of an image."""
    cv2 = opencv()
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inner = cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(mask & (inner == 0))


def _draw_inliers(image: Image.Image, a: Places, b: Places) -> Image.Image:
    """Return an image with points marked in both halves, and lines between some of them."""
    if not len(a):
        return image
    fine = 2  # supersampling, for smooth lines
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
    """Return a colour for each point that varies along the image, so that lines can be followed."""
    span = np.maximum(np.ptp(places, axis=0), 1)
    order = np.argsort((places / span).sum(axis=1), kind="stable")
    rank = np.empty(len(places))
    rank[order] = np.arange(len(places)) / max(1, len(places) - 1)
    rows = [colorsys.hls_to_rgb(0.85 * share, 0.47, 0.95) for share in rank.tolist()]
    return [(round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in rows]


def _spread(places: Places, most: int) -> set[int]:
    """Return some of the points, each the farthest from those before it."""
    far = np.linalg.norm(places - places[0], axis=1)
    chosen = [0]
    while len(chosen) < min(most, len(places)):
        chosen.append(int(far.argmax()))
        far = np.minimum(far, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return set(chosen)


# -- the overlap ----------------------------------------------------------------------------------------


class _Part(NamedTuple):
    """The overlap, as a part of B."""

    size: tuple[int, int]
    a: Affine  # from places in the source of A to its pixels
    b: Affine  # from those in the source of B


def _part_of(pair: _Pair, width: int) -> _Part | None:
    """Return the part of B that A covers, at most this wide; None without an overlap."""
    a_to_b = pair.between(pair.a.source.size, pair.b.source.size)
    covered = _mask_covered(pair.a.source.size, a_to_b, pair.b.source.size)
    if not covered.any():
        return None
    ys, xs = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    left, top, wide, tall = int(xs[0]), int(ys[0]), int(xs[-1] - xs[0]) + 1, int(ys[-1] - ys[0]) + 1
    full = pair.between((pair.a.view.width, pair.a.view.height), (pair.b.view.width, pair.b.view.height))
    finer = max(1, 1 / float(np.sqrt(abs(np.linalg.det(full[:, :2])))))  # pixels of A's on one of B's, a side
    pixels = finer * pair.b.view.width / pair.b.source.width
    scale = min(width / wide, _TALL / tall, pixels * _larger(pixels * wide, pixels * tall))
    cut = np.array([[scale, 0, scale * (0.5 - left) - 0.5], [0, scale, scale * (0.5 - top) - 0.5]])
    return _Part((max(1, round(scale * wide)), max(1, round(scale * tall))), compose(a_to_b, cut), cut)


def _parts(pair: _Pair, width: int) -> list[Image.Image]:
    """Return the overlap in A, in B, and the differences; nothing without an overlap."""
    column = (width - 2 * GAP) // 3
    part = _part_of(pair, column)
    if part is None:
        return []
    a, common = _warp_image(pair.a.source, part.a, part.size)
    b, _ = _warp_image(pair.b.source, part.b, part.size)
    heat, unlike, found = _difference(pair, part)
    outlined = pair.verification.same and bool(unlike.any())
    heads = ("Overlap in A (aligned with B)", "Overlap in B") if pair.verification.same else ("A, aligned with B", "B")
    columns = []
    for head, pixels in zip((*heads, "What differs"), (a, b, heat), strict=True):
        pixels[~common] = GROUND
        if outlined:
            pixels[_rim(unlike & common, 2)] = MARK
        pixels[[0, -1]], pixels[:, [0, -1]] = LINE, LINE
        columns.append([lettering.words(head, column, 16, INK), Image.fromarray(pixels)])
    columns[-1] += _legend(found, column, outlined=outlined)
    images = [lettering.stack(rows, column, 8) for rows in columns]
    out = Image.new("RGB", (width, max(image.height for image in images)), "white")
    for at, image in enumerate(images):
        out.paste(image, (at * (column + GAP), 0))
    return [out]


def _warp_image(image: Image.Image, a_to_b: Affine, size: tuple[int, int]) -> tuple[RGB, Mask]:
    """Return a transformed image, and which pixels it covers."""
    scale = float(np.sqrt(abs(np.linalg.det(a_to_b[:, :2]))))
    if scale < 1:
        small = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
        a_to_b = rescale(a_to_b, (image.size, small), (size, size))
        image = image.resize(small, Image.Resampling.LANCZOS)
    cv2 = opencv()
    moved = cv2.warpAffine(np.asarray(image), a_to_b, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved, _warp_mask(np.ones((image.height, image.width), np.bool_), a_to_b, size)


def _warp_mask(mask: Mask, a_to_b: Affine, size: tuple[int, int]) -> Mask:
    """Return a transformed mask."""
    cv2 = opencv()
    return np.asarray(cv2.warpAffine(mask.astype(np.uint8), a_to_b, size, flags=cv2.INTER_NEAREST, borderValue=0) > 0)


def _difference(pair: _Pair, part: _Part) -> tuple[RGB, Mask, DifferenceMap]:
    """Return the difference in colours, the places that differ, and the agreement of the blocks."""
    cv2 = opencv()
    found = difference_map(pair.a.view, pair.b.view, pair.a_to_b)
    size = found.levels.shape[::-1]
    out = compose(rescale(found.to_b, (size, size), (pair.b.view.size, pair.b.source.size)), part.b)
    difference = cv2.warpAffine(found.levels, out, part.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return heat_colours(difference), _warp_mask(found.differs, out, part.size), found


def heat_colours(difference: NDArray[np.float32]) -> RGB:
    """Return levels as colours, from black to white."""
    stops = np.linspace(0, _LEVELS, len(_HEAT))
    channels = [np.interp(difference, stops, [colour[at] for colour in _HEAT]) for at in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _legend(found: DifferenceMap, width: int, *, outlined: bool) -> list[Image.Image]:
    """Return the legend of the colours and outlines of the difference."""
    bar = Image.fromarray(heat_colours(np.tile(np.linspace(0, _LEVELS, 90, dtype=np.float32), (12, 1))))
    ends = (lettering.words(words, width, 14, QUIET) for words in ("equal", f"{_LEVELS} levels or more"))
    blocks = plural(found.blocks, "block")
    none = f"all {blocks} agree" if found.blocks else "no texture"
    summary = f"{found.differing} of {blocks} do not agree" if found.differing else none
    lines = [
        [lettering.words("in grey, photometrically normalised", width, 14, QUIET)],
        [next(ends), bar, next(ends)],
        [lettering.words(summary, width, 14, QUIET)],
    ]
    if outlined:
        mark = Image.new("RGB", (14, 14), MARK)
        ImageDraw.Draw(mark).rectangle((2, 2, 11, 11), fill="white")
        lines.append([mark, lettering.words("where they differ", width, 14, QUIET)])
    return [lettering.beside(line, 8) for line in lines]
