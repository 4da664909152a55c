"""Images as the page shows them, and two images laid on each other; made by worker processes, which may crash."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms

from twinpix.errors import CompareError, ImageError, UsageError
from twinpix.executors import Begin
from twinpix.imaging import thumbnail
from twinpix.imaging.opening import open_image
from twinpix.machine import return_memory
from twinpix.model import Relation
from twinpix.sources import read
from twinpix.text import printable
from twinpix.ui.explain import heat_colours
from twinpix.usecases.compare import verify_files
from twinpix.verify import Affine, compose, difference_map, inverse, rescale

LARGEST_SIDE = 8192
"""Pixels of the longer side of an image at its full size; of larger ones a reduced copy is shown."""

_QUALITY = {True: 70, False: 92}  # of JPEG: of thumbnails, and of larger images
_THUMBNAIL = 400  # pixels of the longer side, up to which an image is a thumbnail
_TAGS, _VALUE = 200, 200  # EXIF tags that are shown, and characters of each
_STRUCTURE = frozenset({"ExifOffset", "GPSInfo", "InteroperabilityIFD"})  # tags that lead to other tags
_FAINT = 10.0  # grey levels of difference that are transparent: noise of an encoder


class View(NamedTuple):
    """A request for an image, at most `side` pixels wide and high."""

    path: str
    side: int


class Laid(NamedTuple):
    """A request for the transform between two images."""

    a: str
    b: str


class Differs(NamedTuple):
    """A request for the places at which two images differ."""

    a: str
    b: str


class Tags(NamedTuple):
    """A request for the EXIF tags of an image."""

    path: str


class Unreadable(NamedTuple):
    """The reason why a request has no answer."""

    reason: str


class Placed(NamedTuple):
    """How `b` is laid on `a`."""

    relation: Relation | None
    words: str
    b_to_a: tuple[float, ...]  # a, b, c, d, e, f of a CSS matrix, from edges of pixels of b to those of a
    agrees: float
    a_size: tuple[int, int]
    b_size: tuple[int, int]


class Difference(NamedTuple):
    """The places at which two images differ."""

    png: bytes
    to_a: tuple[float, ...]  # a CSS matrix, from its pixels to those of a
    blocks: int
    differing: int


Request = View | Laid | Differs | Tags
Answer = bytes | dict[str, str] | Placed | Difference | Unreadable


@dataclass(frozen=True, slots=True)
class Draw:
    """Answers requests in a worker process."""

    def __call__(self, batch: Sequence[Request], begin: Begin) -> list[Answer]:
        out: list[Answer] = []
        for at, request in enumerate(batch):
            begin(at)
            try:
                out.append(_answer(request))
            except ImageError as error:
                out.append(Unreadable(error.reason))
            except (UsageError, CompareError) as error:
                out.append(Unreadable(str(error)))
        return_memory()  # the worker may wait for hours for its next request
        return out


def _answer(request: Request) -> Answer:
    if isinstance(request, View):
        return _view(request)
    if isinstance(request, Tags):
        return _tags(request)
    if isinstance(request, Laid):
        return _placed(request)
    return _difference(request)


def _bytes(path: str) -> bytes:
    try:
        data = read(path).data
    except ValueError:  # a report of another machine may have any text: NUL characters, or lone surrogates
        raise ImageError("read", "not a valid file name on this system") from None
    if data is None:
        raise ImageError("read", "not an image")
    return data


def _tags(request: Tags) -> dict[str, str]:
    """Return the EXIF tags of an image by name, of those with a name; long values are cut."""
    image = open_image(_bytes(request.path), request.path)
    try:
        exif = image.getexif()
        parts = [exif, exif.get_ifd(ExifTags.IFD.Exif)]
    except (OSError, ValueError, SyntaxError, KeyError, TypeError):  # a damaged block has no tags
        return {}
    named = {ExifTags.TAGS[tag]: value for part in parts for tag, value in part.items() if tag in ExifTags.TAGS}
    shown = {name: _shorten(value) for name, value in named.items() if name not in _STRUCTURE}
    return dict(sorted(shown.items())[:_TAGS])


def _shorten(value: object) -> str:
    text = f"{len(value)} bytes" if isinstance(value, bytes) else printable(str(value))
    return text if len(text) <= _VALUE else text[:_VALUE] + "…"


def _view(request: View) -> bytes:
    data = _bytes(request.path)
    image = in_srgb(thumbnail(data, min(request.side, LARGEST_SIDE), request.path))
    out = io.BytesIO()
    small = request.side <= _THUMBNAIL
    image.save(out, "JPEG", quality=_QUALITY[small], subsampling="4:2:0" if small else "4:4:4")
    return out.getvalue()


def in_srgb(image: Image.Image) -> Image.Image:
    """Return an RGB image with its colour profile applied; one whose profile is damaged or of another kind as it is."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB":
            return image
        target = ImageCms.createProfile("sRGB")
        made = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image
    return made or image


def _placed(request: Laid) -> Placed:
    found = verify_files(request.a, request.b)
    a, b = found.views
    a_to_b = found.found.verdict.a_to_b
    assert a_to_b is not None  # an explanation has a transform in any case
    sizes = [(view.width, view.height) for view in (a, b)]
    matrix = _invert(rescale(a_to_b, (a.size, sizes[0]), (b.size, sizes[1])))
    return Placed(found.relation, str(found.words), css_matrix(matrix), found.found.verdict.agrees, sizes[0], sizes[1])


def _difference(request: Differs) -> Difference:
    verified = verify_files(request.a, request.b)
    a, b = verified.views
    a_to_b = verified.found.verdict.a_to_b
    assert a_to_b is not None
    found = difference_map(a, b, a_to_b)
    alpha = np.clip((found.levels - _FAINT) * 8, 0, 235).astype(np.uint8)
    pixels = np.dstack([heat_colours(found.levels), alpha])
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    size = found.levels.shape[::-1]
    to_a = rescale(compose(found.to_b, _invert(a_to_b)), (size, size), (a.size, (a.width, a.height)))
    return Difference(out.getvalue(), css_matrix(to_a), found.blocks, found.differing)


def _invert(a_to_b: Affine) -> Affine:
    try:
        return inverse(a_to_b)
    except np.linalg.LinAlgError:
        raise ImageError("compare", "one image cannot be laid on the other") from None


def css_matrix(transform: Affine) -> tuple[float, ...]:
    """Return the numbers of a CSS `matrix()`: there the corner of the first pixel is 0, 0, and not its centre."""
    shift = transform[:, 2] + 0.5 - transform[:, :2] @ np.array([0.5, 0.5])
    (a, c), (b, d) = transform[:, :2].tolist()
    e, f = shift.tolist()
    return (a, b, c, d, e, f)
