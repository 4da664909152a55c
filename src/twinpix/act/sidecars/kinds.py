"""Which files belong to an image by their names: the table of companion files, and the rules for their names.

All functions work on names alone, in the form of `key`.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from twinpix.formats import IMAGE_SUFFIXES


class Kind(NamedTuple):
    """A kind of companion file: what it is, its suffixes, the programs that write it, and the folder it may be in."""

    what: str
    suffixes: tuple[str, ...]
    source: str
    folder: str = ""  # pattern of a sub-folder in which that program may keep it


# Files of these kinds belong to the image of the same stem (`photo.xmp`) or of the same name (`photo.jpg.xmp`).
KINDS = (
    Kind("metadata and edits", (".xmp",), "Lightroom, Camera Raw, Bridge, darktable (also photo_01.jpg.xmp), digiKam"),
    Kind("masks of edits", (".acr",), "Camera Raw 15 and later"),
    Kind("edits", (".aae",), "Apple Photos (IMG_1234.AAE is of IMG_1234 and IMG_E1234, IMG_O1234.AAE too)"),
    Kind("edits", (".pp3",), "RawTherapee"),
    Kind("edits", (".arp",), "ART"),
    Kind("edits", (".dop",), "DxO PhotoLab"),
    Kind("edits", (".vrd", ".dr4"), "Canon Digital Photo Professional"),
    Kind("edits", (".on1", ".onphoto"), "ON1 Photo RAW"),
    Kind("edits", (".cos", ".comask"), "Capture One", r"captureone/settings[0-9]*"),
    Kind("edits", (".nksc",), "Nikon NX Studio", r"nksc_param"),
    Kind("edits", (".spd",), "SILKYPIX", r"silkypix_ds"),
    Kind("edits", (".exposurex4", ".exposurex5", ".exposurex6", ".exposurex7"), "Exposure", r"exposure software/.*"),
    Kind("edits", (".phos",), "Hasselblad Phocus"),
    Kind("metadata", (".mie", ".exv"), "ExifTool, Exiv2"),
    Kind("thumbnail", (".thm",), "cameras"),
    Kind("small version", (".lrv", ".lrf"), "GoPro, DJI"),
    Kind("single exposure", (".ori",), "Olympus, OM System (high resolution shots)"),
    Kind("voice memo", (".wav",), "Canon, Nikon, Sony cameras"),
    Kind("live photo's video", (".mov", ".mp4"), "Apple (also IMG_1_HEIC.MOV of icloudpd), Samsung, Google (MVIMG_)"),
    Kind("motion photo's video", (".mp", ".mv"), "Google (PXL_1.MP of PXL_1.MP.jpg)"),
)
COMPANIONS = frozenset(suffix for kind in KINDS for suffix in kind.suffixes)
FOLDERS_OF_PROGRAMS = tuple(kind.folder for kind in KINDS if kind.folder)

PICTURES = frozenset({".thm", ".ori"})  # companion files that are images, and are found as images

# Data files belong to an image when their name contains the image's full name (`photo.jpg.json`), when their text names
# it, or when they are in a folder of annotations; never by their stem alone.
DATA = frozenset({".json", ".txt", ".xml", ".csv", ".yaml", ".yml"})
CAPTION = ".txt"
NAMING = frozenset({".json", ".xml"})  # formats of annotations that name their image (LabelMe, Pascal VOC)

# Files that may have a companion file, as images do.
VIDEOS = frozenset(
    f".{name}" for name in ("mov", "mp4", "m4v", "avi", "mkv", "mts", "m2ts", "mpg", "3gp", "webm", "wmv")
)
OTHER_OWNERS = VIDEOS | frozenset(
    f".{name}"
    for name in ("pdf", "ai", "eps", "indd", "psb", "mp3", "m4a", "flac", "doc", "docx", "odt", "htm", "html")
)
OWNED_BY_IMAGES = frozenset({".mov", ".mp4", ".mp", ".mv", ".wav"})  # never the companion file of another kind

_NOTES = "annotations?|annots?|anns?|labels?|labeltxt|bbox(?:es)?|captions?|xmls?|jsons?"
_DRAWN = (
    "masks?|segmentation(?:s|class|object|classaug)?|segs?|semantic|panoptic|instances|gts?|ground[_-]?truth|depths?|"
    "depth[_-]?maps?|disparit(?:y|ies)|normals|normal[_-]maps?|thumbs?|thumbnails?|trimaps?|mattes?|alphas|saliency|"
    "heatmaps?|parsing"
)
_IN_TWO_WORDS = (
    "masks?|segmentations?|labels?|annotations?|annots?|gt|groundtruth|depth|thumbs?|thumbnails?|trimaps?|mattes?"
)
_ANNOTATIONS = re.compile(
    rf"\.?(?:{_NOTES}|{_DRAWN}|[a-z0-9]+[_-](?:{_IN_TWO_WORDS})|(?:{_IN_TWO_WORDS})[_-][a-z0-9]+)"
)
_MASK_TAIL = re.compile(
    r"(.+)[_-](?:masks?|seg|segmentation|labels?|labelids|gt|matte|depth|trimap|thumb)(?:[_-]?[0-9]+)?"
)
_MASK_BESIDE = re.compile(r"(.+)[_-](?:masks?|seg|segmentation|matte|depth|trimap)(?:[_-]?[0-9]+)?")

_TAKEOUT, _TAKEOUT_LONGEST = "supplemental-metadata", 46  # Google Takeout cuts names, without .json, to this length
_NUMBER = re.compile(r"(.*?)(\([0-9]+\))$")
_EDITED = ("-edited", "-bearbeitet", "-modifié", "-editado", "-editada", "-modificato", "-bewerkt", "-edytowane")
_VERSION = re.compile(r"(.+)_[0-9]{2}(\.[^.]+)")  # darktable: photo_01.jpg.xmp is a second version of photo.jpg
_APPLE = re.compile(r"([a-z]{3}_)[eo]?([0-9]{4,})")
_ICLOUDPD = re.compile(r"(.+)_(heic|heif|jpe?g|png)")


def key(name: str) -> str:
    """Return a name in the form of file systems that ignore case, or normalise."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def stem_of(name: str) -> str:
    """Return a name up to its last dot; a name without a suffix is its own stem."""
    at = name.rfind(".")
    return name[:at] if at > 0 else name


def is_annotations(folder: str) -> bool:
    """True if the name of a folder, in the form of `key`, is that of annotations of images in another folder."""
    return _ANNOTATIONS.fullmatch(folder) is not None


def mask_of(stem: str, *, beside: bool) -> str:
    """Return the stem of the image of a mask (`photo_mask`), or ""; beside the image fewer words count."""
    found = (_MASK_BESIDE if beside else _MASK_TAIL).fullmatch(stem)
    return found[1] if found else ""


def bases(name: str) -> Iterator[str]:
    """Return the stems and names of images that a companion file of this name may belong to, the plainest first."""
    base = stem_of(name)
    suffix = name[len(base) :]
    yield base
    if suffix == ".xmp" and (found := _VERSION.fullmatch(base)):
        yield found[1] + found[2]
    elif suffix == ".aae" and (found := _APPLE.fullmatch(base)):
        yield from {found[1] + found[2], f"{found[1]}e{found[2]}"} - {base}
    elif suffix in (".mov", ".mp4") and (found := _ICLOUDPD.fullmatch(base)):
        yield f"{found[1]}.{found[2]}"
    elif suffix in (".mp", ".mv"):
        yield name


def names_in_data(name: str) -> Iterator[str]:
    """Return the names of images that the name of a data file may contain as Google Takeout writes them."""
    base = stem_of(name)
    if not name.endswith(".json"):
        return
    numbered = _NUMBER.fullmatch(base)
    core, number = (numbered[1], numbered[2]) if numbered else (base, "")
    before, point, tail = core.rpartition(".")
    cores = [core, before] if point and _TAKEOUT.startswith(tail) else [core]
    for each in cores:
        if stem_of(each) != each:
            yield _with(each, number)
    if len(core) >= _TAKEOUT_LONGEST:
        yield _cut(core, number)


def names_for_data(name: str) -> Iterator[str]:
    """Return further names that Google Takeout's data may use for an image."""
    stem = stem_of(name)
    suffix = name[len(stem) :]
    numbered = _NUMBER.fullmatch(stem)
    core, number = (numbered[1], numbered[2]) if numbered else (stem, "")
    for end in _EDITED:
        if core.endswith(end):
            yield f"{core.removesuffix(end)}{number}{suffix}"
    if len(core + suffix) > _TAKEOUT_LONGEST:
        yield _cut(core + suffix, number)


def _with(name: str, number: str) -> str:
    """Return `photo(1).jpg` for `photo.jpg` and `(1)`."""
    stem = stem_of(name)
    return stem + number + name[len(stem) :]


def _cut(name: str, number: str) -> str:
    """Return a key of a truncated name; no file has it as its name, because it has a separator."""
    return f"/{name[:_TAKEOUT_LONGEST]}{number}"


def is_image(suffix: str) -> bool:
    return suffix in IMAGE_SUFFIXES
