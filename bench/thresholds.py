"""Measure how recall and false matches of verification depend on each threshold of `twinpix/thresholds.py`.

usage: thresholds.py [--photos FOLDER] [--natural TSV] [--only CONCERN[.field] ...] [--off] [-o FILE]

Builds labelled pairs once and decodes them once: edited copies of photos, natural copies and copies of documents; and
as pairs of different images hard negatives, documents of one design, photos of one source, photos with the same overlay
and gradients. Photos are drawn where the folder is missing. Then each threshold alone is replaced by 0.8 and by 1.2
times its value, and the pairs are verified again, as far as their steps read that threshold. Writes Markdown: recall,
false matches, and how many pairs get another relation or another description. `--off` then also switches off each
threshold within whose ±20 % no pair changes: 0, and 1,000 times its value (for widths of filters, quantiles and
divisors a half and twice of it). One process, 15 minutes of CPU time, with `--off` 30; the output is the same on every
run.
"""

import argparse
import io
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial, wraps
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from twinpix.errors import ImageError
from twinpix.evaluation.edits import EDITS, make_edit
from twinpix.evidence import edit_features
from twinpix.evidence.alignment import align, blocks, refinement, registration, warp
from twinpix.evidence.content import exclusive_content, ink, overlays, pages, spots
from twinpix.evidence.light import low_texture, normalize, photometric, tone_inversion
from twinpix.evidence.page_features import PageFeatures
from twinpix.imaging import decode
from twinpix.model import Bytes2D
from twinpix.thresholds import COARSE, CONCERNS, override_threshold
from twinpix.verify import (
    COLOUR,
    DETAIL,
    FULL,
    Pyramid,
    Via,
    describe,
    differing_places,
    hypothesis,
    orientation_transform,
    pyramid_of,
    verify_pair,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from documents import FAMILIES, HELD_OUT, document, scanned
from drawings import KINDS, clouds, draw
from hard_negatives import PAIRS, right

SHARED = Path(__file__).resolve().parents[2] / "shared" / "images" / "dev"
PHOTOS_AN_EDIT, SOURCES, NATURAL = 1, 48, 24  # pairs of each
_STAYS = (
    "This set is small. The table names a test of the cases that each of these thresholds is for; some of these tests "
    "pass without it too.\n"
)
MOVES = (0.8, 1.2)
WIDTHS = frozenset(
    {
        *("ALIGNMENT.match_ratio", "ALIGNMENT.inlier_distance", "REGISTRATION.deviation_floor"),
        *("PHOTOMETRIC.light_sigma", "PHOTOMETRIC.flow_sigma", "INK.solid_width", "INK.outline_gap", "INK.strip"),
        *("OVERLAYS.min_thickness", "SPOTS.noise_percentile", "DESCRIBE.colour_quantile", "TEXTURE.lightest"),
        *("TEXTURE.flat_range", "DESCRIBE.border_level", "DECISION.min_gain", "ALIGNMENT.similarity_distance"),
        *("INK.flattest", "DESCRIBE.grain_flattest", "DESCRIBE.box_quantile", "PHOTOMETRIC.extent_quantile"),
        "TEXTURE.background_levels",
    }
)
"""Thresholds that cannot be 0 or very large: widths of filters, quantiles, divisors, tolerances of a fit."""
AT_MOST = {
    "SPOTS.noise_percentile": 100,
    "DESCRIBE.colour_quantile": 1,
    "TEXTURE.lightest": 1,
    "TEXTURE.flat_range": 255,
    "DESCRIBE.border_level": 127,
}
DRAWN = 240  # images, where the folder of photos is missing
NAMED = 6  # kinds of pairs that a row of the table names

Change = Callable[[Image.Image], Image.Image]
Source = Path | tuple[str, int]  # a file, or the kind and seed of a drawing


class Pair(NamedTuple):
    """Two views, how they are compared, and the right answer."""

    kind: str
    copies: bool
    a: Pyramid
    b: Pyramid
    exact: bool = False
    joint: Via | None = None
    coarse: bool = False  # compared by `differing_places` alone
    judge: Callable[[str | None], bool] | None = None  # of the relation, if that is not "copies or not"


class Answer(NamedTuple):
    """The result of verification for a pair."""

    right: bool
    relation: str | None
    detail: str


STEPS: tuple[Callable[..., Any], ...] = (
    *(
        align.align_keypoints,
        warp.warp_pair,
        warp.warp_colours,
        blocks.agreement,
        refinement.refine,
        blocks.isotropy_of,
    ),
    *(
        blocks.coarse,
        refinement.is_exact,
        photometric.match_light,
        photometric.untextured_correlation,
        tone_inversion.undo_inversion,
    ),
    *(
        low_texture.is_level,
        normalize.match_sharpness,
        normalize.match_local_light,
        normalize.undo_bending,
        overlays.without_overlay,
    ),
    *(overlays.without_ink, overlays.overlay_mask, exclusive_content.is_exclusive, exclusive_content.share_of_agreeing),
    *(
        edit_features.edit_features,
        describe.describe_edit,
        pages.compare_pages,
        registration.warp_fine,
        registration.register,
    ),
    *(ink.compare_ink, ink.ink_differences, spots.find_spot, hypothesis.score_hypothesis),
)
"""Functions of verification that take time and depend on their arguments and thresholds alone."""

COLUMNS = ("threshold", "value", "recall", "false matches", "other relation", "other detail", "pairs that change")
HEAD = f"\n| {' | '.join(COLUMNS)} |\n{len(COLUMNS) * '|---'}|"
READ = set[str]()


# -- pairs ------------------------------------------------------------------------------------------------


def encoded(image: Image.Image, form: str = "PNG", quality: int = 88) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **({"quality": quality} if form == "JPEG" else {}))
    return file.getvalue()


def view(data: bytes) -> Pyramid:
    full: Bytes2D | None = None

    def finest() -> Bytes2D:  # decoded once
        nonlocal full
        if full is None:
            full = np.ascontiguousarray(decode(data, "fast", "", 0, FULL).grey(FULL))
        return full

    return pyramid_of(decode(data, "fast", "", COLOUR, DETAIL), finest)


def stickers(image: Image.Image) -> Image.Image:
    out, unit = image.copy(), min(image.size) // 6
    for x, y in ((0.1, 0.15), (0.5, 0.55), (0.75, 0.1)):
        left, top = round(x * image.width), round(y * image.height)
        ImageDraw.Draw(out).ellipse((left, top, left + unit, top + unit), (250, 210, 40), (60, 40, 0), 3)
    return out


def lines(image: Image.Image) -> Image.Image:
    out, step = image.copy(), max(12, image.height // 6)
    for left in range(-out.height, out.width, step):
        ImageDraw.Draw(out).line((left, 0, left + out.height, out.height), (200, 200, 200), max(2, step // 9))
    return out


def band(image: Image.Image) -> Image.Image:
    out, top = image.copy(), round(0.8 * image.height)
    ImageDraw.Draw(out).rectangle((0, top, out.width, out.height), (20, 20, 120))
    ImageDraw.Draw(out).text((out.width // 20, top + 4), "LATE NEWS", "white", font_size=max(8, image.height // 9))
    return out


def veil(image: Image.Image) -> Image.Image:
    return Image.blend(image, clouds(7, image.size, (5, 4), 20), 0.35)


def distorted(image: Image.Image) -> Image.Image:
    """Rows shifted by up to a hundredth of the width, as by a lens."""
    y, x = np.mgrid[: image.height, : image.width]
    at = np.clip(x + 0.01 * image.width * np.sin(y / image.height * 4 * np.pi), 0, image.width - 1).astype(int)
    return Image.fromarray(np.asarray(image)[y, at])


def drawn_over(image: Image.Image) -> Image.Image:
    """With patches over an eighth of the image."""
    out, chance = image.copy(), random.Random(image.width)
    for _ in range(7):
        left, top = chance.uniform(0, 0.85) * image.width, chance.uniform(0, 0.85) * image.height
        ImageDraw.Draw(out).rectangle((left, top, left + image.width / 7, top + image.height / 7), "black")
    return out


def half(image: Image.Image) -> Image.Image:
    return image.resize((max(8, image.width // 2), max(8, image.height // 2)))


def collage(image: Image.Image) -> Image.Image:
    """Beside another image of half its width."""
    out = Image.new("RGB", (round(1.5 * image.width), image.height))
    out.paste(image, (0, 0))
    out.paste(draw("portrait", image.width, (max(8, image.width // 2), image.height)), (image.width, 0))
    return out


def meme(image: Image.Image) -> Image.Image:
    """With large letters above and below."""
    out, size = image.copy(), max(12, image.height // 7)
    for text, y in (("WHEN IT COMPILES", 0), ("AT ONCE", out.height - 1.4 * size)):
        place = (out.width // 20, y)
        ImageDraw.Draw(out).text(place, text, "white", font_size=size, stroke_fill="black", stroke_width=3)
    return out


def part(image: Image.Image) -> Image.Image:
    """A third of the image, with a frame, darker, with grain."""
    out = image.crop((image.width // 4, image.height // 4, round(0.83 * image.width), round(0.83 * image.height)))
    grain = np.random.default_rng(1).normal(0, 12, (out.height, out.width, 1))
    dark = Image.fromarray(np.clip(0.7 * np.asarray(out) + grain, 0, 255).astype(np.uint8))
    return ImageOps.expand(dark, 25, "white")


def tilted(image: Image.Image) -> Image.Image:
    """Seen at an angle: the lower edge shows a tenth less."""
    w, h = image.size
    ends = (0, 0, 0.05 * w, h, 0.95 * w, h, w, 0)
    return image.transform((w, h), Image.Transform.QUAD, ends, Image.Resampling.BICUBIC)


MORE: dict[str, Change] = {
    "collage": collage,
    "meme": meme,
    "a third of it, dark, in a frame": part,
    "tilted": tilted,
    "negative": lambda image: half(ImageOps.invert(image)),
    "solarised": lambda image: ImageOps.solarize(image, 128),
    "stickers": stickers,
    "lines all over": lines,
    "band with words": band,
    "veil of light": veil,
    "distorted": distorted,
    "patches": drawn_over,
    "blurred by 5": lambda image: image.filter(ImageFilter.GaussianBlur(5)),
    "turned by 12°, then a frame": lambda image: ImageOps.expand(image.rotate(12, Image.Resampling.BICUBIC), 20),
}


def photos(folder: Path) -> list[Source]:
    """The held-out part: every seventh file by name; drawn images if there are none."""
    found = [path for path in sorted(folder.rglob("*.*")) if path.is_file()][3::7]
    return [*found] or [(KINDS[number % len(KINDS)], number) for number in range(DRAWN)]


def opened(source: Source) -> Image.Image | None:
    """The image in RGB, if it can be decoded and is not too small."""
    if isinstance(source, tuple):
        return draw(*source, (640, 480))
    try:
        with Image.open(source) as image:
            image.thumbnail((1200, 1200))
            return image.convert("RGB") if min(image.size) >= 200 else None
    except (OSError, ValueError):
        return None


def as_jpeg(image: Image.Image, change: Change) -> bytes:
    return encoded(change(image), "JPEG")


def photo_copies(paths: Sequence[Source]) -> Iterator[Pair]:
    changes: list[tuple[str, Callable[[Image.Image], bytes]]] = [
        (name, partial(make_edit, name=name, seed="thresholds")) for name in EDITS
    ]
    changes += [(name, partial(as_jpeg, change=change)) for name, change in MORE.items()]
    images = (image for image in map(opened, paths) if image is not None)
    for _ in range(PHOTOS_AN_EDIT):
        for name, change in changes:
            image = next(images)
            yield Pair(f"photo: {name}", True, view(encoded(image)), view(change(image)))
    for light in (0.06, 0.12):
        levels = np.asarray(next(images), np.float32) * light
        dark = Image.fromarray(levels.round().astype(np.uint8))
        yield Pair("photo: dark, half the size", True, view(encoded(dark)), view(encoded(half(dark))))


def unrelated(paths: Sequence[Source]) -> Iterator[Pair]:
    """Neighbours by name, most of one source: product photos, frames, charts of one style."""
    images = [image for path in paths[1::2] if (image := opened(path)) is not None]
    for at in np.linspace(0, len(images) - 2, SOURCES).astype(int).tolist():
        yield Pair("photos of one source", False, view(encoded(images[at])), view(encoded(images[at + 1])))


def overlaid(paths: Sequence[Source]) -> Iterator[Pair]:
    """Different photos with the same caption, letters, patches, lines, or beside the same image."""
    images = [image for path in paths[2::4] if (image := opened(path)) is not None]
    for at, change in enumerate((band, meme, collage, drawn_over, lines, part) * 2):
        one, other = images[2 * at], images[2 * at + 1].resize(images[2 * at].size)
        yield Pair("photos with the same overlay", False, view(encoded(change(one))), view(encoded(change(other))))
    for image in images[24:30]:
        w, h = image.size
        left, right_side = image.crop((0, 0, round(0.55 * w), h)), image.crop((round(0.45 * w), 0, w, h))
        yield Pair("parts that share a strip", False, view(encoded(left)), view(encoded(right_side)))


def natural(table: Path) -> Iterator[Pair]:
    if not table.exists():
        return
    rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    copies = [row for row in rows if row[0] == "copy"]
    for at in np.linspace(0, len(copies) - 1, NATURAL).astype(int).tolist():
        first, second = (view((table.parent / name).read_bytes()) for name in copies[at][1:3])
        yield Pair("natural copies", True, first, second)


def documents() -> Iterator[Pair]:
    for at, family in enumerate([*FAMILIES, *HELD_OUT]):
        one, other = (document(family, 31, number, 2, side=900) for number in (0, 1 + at % 3))
        if at % 2:
            first, second = (view(encoded(scanned(each, 10 + n), "JPEG", 60)) for n, each in enumerate((one, other)))
            copy = view(encoded(half(one), "JPEG", 70))
        else:
            first, second = view(encoded(one)), view(encoded(other))
            copy = view(encoded(scanned(one, 7), "JPEG", 60))
        yield Pair("documents of one design", False, first, second)
        yield Pair("document: copy", True, view(encoded(one)), copy)
        if at % 4 == 0:
            stamped, (w, h) = one.copy(), one.size
            stamped.paste((220, 30, 40), (w // 2, h // 3, w * 3 // 4, h // 2))
            yield Pair("document: something drawn over it", True, view(encoded(one)), view(encoded(stamped, "JPEG")))


def hard_negatives() -> Iterator[Pair]:
    for make in PAIRS:
        pair = make()

        def judge(relation: str | None, pair: Any = pair) -> bool:
            scene = pair.answer == "different" and relation == "similar-scene"
            return right(pair, None if scene else relation)

        yield Pair("hard negatives", False, view(encoded(pair.a)), view(encoded(pair.b)), judge=judge)


def gradients() -> Iterator[Pair]:
    for kind in ("linear", "radial", "sigmoid", "sky"):
        one, other = (draw(kind, seed, (480, 360)) for seed in (13, 14))
        yield Pair("gradient: copy", True, view(encoded(one)), view(encoded(half(one), "JPEG", 60)))
        yield Pair("gradients", False, view(encoded(one)), view(encoded(other)))
    one, other = (clouds(seed, (480, 360), (5, 4), 20) for seed in (11, 12))
    yield Pair("gradients", False, view(encoded(one)), view(encoded(other.crop((60, 40, 400, 320)))))


def transitive() -> Iterator[Pair]:
    """Two edits of one image, and two pages, each with a third image."""
    for seed in range(4):
        image = draw("scene" if seed % 2 else "street", 20 + seed, (480, 360))
        edits = drawn_over(image), ImageOps.mirror(drawn_over(ImageOps.mirror(image)))
        a, b, whole = (view(encoded(each)) for each in (*edits, image))
        joint = Via(0.8, orientation_transform(0, whole.size, whole.size), whole.size)
        yield Pair("via a third image", True, a, b, True, joint)
    for family in ("form", "table", "calendar", "page"):
        a, b = (view(encoded(document(family, 33, number, 6, side=900))) for number in (0, 1))
        yield Pair(
            "pages via a third image", False, a, b, True, Via(0.93, orientation_transform(0, a.size, a.size), a.size)
        )


def coarse(pairs: Sequence[Pair]) -> Iterator[Pair]:
    """The cheap comparison of some of the pairs."""
    some = ("a caption above", "cropped to 90 %", "turned by 1°", "turned by 4°", "thin frame", "JPEG 30")
    for pair in pairs:
        if pair.kind.removeprefix("photo: ") in some:
            yield pair._replace(kind="coarse: copies", coarse=True)
        elif pair.kind == "photos of one source":
            yield pair._replace(kind="coarse: photos of one source", coarse=True)


def built(folder: Path, table: Path) -> list[Pair]:
    paths = photos(folder)
    pairs = [*photo_copies(paths), *natural(table), *documents(), *gradients(), *transitive()]
    pairs += [*hard_negatives(), *unrelated(paths), *overlaid(paths)]
    return [*pairs, *coarse(pairs)]


# -- verification -------------------------------------------------------------------------------------------


class Memory:
    """Results of the steps of verification for one pair, each with the thresholds that it read.

    While a pair is `learned`, steps store their results. Afterwards, while one threshold is overridden, a step whose
    arguments are the same and which did not read that threshold returns its stored result. Without this a run takes
    hours instead of minutes.
    """

    def __init__(self) -> None:
        self.learned: dict[Any, tuple[Any, Any, frozenset[str]]] = {}  # result, arguments (kept alive), thresholds
        self.active: list[set[str]] = []  # thresholds read by each step that runs, while learning
        self.overridden: str | None = None

    def read(self, name: str) -> None:
        for each in self.active:
            each.add(name)

    def step(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a step."""

        @wraps(function)
        def stored(*args: Any, **options: Any) -> Any:
            key = (function, keyed(args), keyed(tuple(sorted(options.items()))))
            known = self.learned.get(key)
            if self.active:
                if known is None:
                    self.active.append(set())
                    try:
                        result = function(*args, **options)
                    finally:
                        reads = self.active.pop()
                    known = self.learned[key] = result, (args, options), frozenset(reads)
                for each in self.active:
                    each |= known[2]
                return known[0]
            if known is not None and self.overridden not in known[2]:
                return known[0]
            return function(*args, **options)

        return stored

    def install(self) -> None:
        """Wrap the steps of verification, wherever they are imported, and watch the table."""
        modules = [
            value for name, value in sys.modules.items() if name.startswith(("twinpix.verify", "twinpix.evidence"))
        ]
        for function in STEPS:
            for module in modules:
                for name, value in list(vars(module).items()):
                    if value is function:
                        setattr(module, name, self.step(function))
        for kind in (Pyramid, PageFeatures):
            for name, value in list(vars(kind).items()):
                if isinstance(value, cached_property) and name not in ("finer", "keypoints", "page"):  # these read none
                    setattr(kind, name, property(self.step(value.func)))
        for name, table in CONCERNS.items():
            object.__setattr__(table, "__class__", watched(name, type(table), self.read))


def keyed(value: Any) -> Any:
    """A key for an argument: small arrays (transforms) and numbers by value, images by identity."""
    if isinstance(value, tuple):
        return tuple(keyed(each) for each in value)
    if isinstance(value, np.ndarray):
        return value.tobytes() if value.nbytes <= 64 else id(value)
    return value if isinstance(value, (int, float, str)) or value is None else id(value)


def watched(name: str, kind: Any, read: Callable[[str], None]) -> Any:
    """A class of thresholds that records which of them are read."""

    def get(self: Any, field: str) -> Any:
        if field in kind.__dataclass_fields__:
            read(f"{name}.{field}")
        return object.__getattribute__(self, field)

    return type(kind.__name__, (kind,), {"__slots__": (), "__getattribute__": get})


def answer(pair: Pair) -> Answer:
    """The answer; a pair whose verification fails is right if it is not a pair of copies."""
    a, b = pair.a, pair.b
    try:
        if pair.coarse:
            small = [cv2.resize(each.grey, (COLOUR, COLOUR), interpolation=cv2.INTER_AREA) for each in (a, b)]
            same = differing_places(*small) <= COARSE.max_differing
            return Answer(same == pair.copies, str(same), "")
        verdict = verify_pair(a, b, [orientation_transform(0, a.size, b.size)], exact=pair.exact, via=pair.joint)
    except (cv2.error, ValueError, ArithmeticError, IndexError, ImageError) as error:
        return Answer(not pair.copies, type(error).__name__, "")
    good = pair.judge(verdict.relation) if pair.judge else verdict.same == pair.copies
    return Answer(good, verdict.relation, verdict.detail)


def moved(name: str, factor: float) -> float:
    """The value of a threshold times a factor; whole numbers stay whole and change by at least 1."""
    concern, field = name.split(".")
    value = getattr(CONCERNS[concern], field)
    new = min(value * factor, AT_MOST.get(name, np.inf))
    if isinstance(value, int):
        rounded = round(new)
        return rounded if rounded != value or name in AT_MOST else value + (1 if factor > 1 else -1)
    return float(new)


def off(name: str) -> tuple[float, float]:
    """The factors that switch a threshold off."""
    return (0.5, 2) if name in WIDTHS else (0, 1000)


def measured(
    pair: Pair, names: Sequence[str], factors: Callable[[str], Sequence[float]]
) -> tuple[Answer, dict[tuple[str, float], Answer]]:
    """The answer for a pair, and the answers that differ from it: by threshold and factor."""
    MEMORY.learned.clear()
    MEMORY.active = [set()]
    base = answer(pair)
    reads, MEMORY.active = MEMORY.active[0], []
    READ.update(reads)
    others = {}
    for name in names:
        if name not in reads:
            continue
        concern, field = name.split(".")
        MEMORY.overridden = name
        for factor in factors(name):
            with override_threshold(concern, field, moved(name, factor)):
                now = answer(pair)
            if now != base:
                others[name, factor] = now
    MEMORY.overridden = None
    return base, others


MEMORY = Memory()


# -- output -------------------------------------------------------------------------------------------------


class Sweep(NamedTuple):
    """Answers for all pairs with the table as it is, and those that another value changes."""

    base: list[Answer]
    moves: dict[tuple[str, float], dict[int, Answer]]  # by threshold and factor: by number of the pair


def swept(pairs: Sequence[Pair], names: Sequence[str], factors: Callable[[str], Sequence[float]]) -> Sweep:
    out = Sweep([], {})
    for at, pair in enumerate(pairs):
        first, others = measured(pair, names, factors)
        out.base.append(first)
        for move, other in others.items():
            out.moves.setdefault(move, {})[at] = other
        print(f"{at + 1} of {len(pairs)}: {time.process_time():.0f} s of CPU time", end="\r", file=sys.stderr)
    return out


def counted(kinds: Sequence[str]) -> str:
    numbers = {kind: kinds.count(kind) for kind in kinds}
    named = [kind if number == 1 else f"{kind} ×{number}" for kind, number in numbers.items()]
    rest = sum(list(numbers.values())[NAMED:])
    return ", ".join(named[:NAMED]) + (f" and {rest} others" if rest else "")


def listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) + "." if names else "None."


def rates(pairs: Sequence[Pair], answers: Sequence[Answer]) -> tuple[str, int]:
    """Recall, and the number of false matches."""
    copies = [each.right for each, pair in zip(answers, pairs, strict=True) if pair.copies]
    false = sum(not each.right for each, pair in zip(answers, pairs, strict=True) if not pair.copies)
    return f"{sum(copies) / len(copies):.3f}", false


def summary(pairs: Sequence[Pair], base: Sequence[Answer]) -> str:
    copies = [each.right for each, pair in zip(base, pairs, strict=True) if pair.copies]
    recall, false = rates(pairs, base)
    out = [
        "# Sensitivity of verification to its thresholds",
        "",
        "Written by `bench/thresholds.py`, whose docstring says how the pairs are made. Each threshold of "
        "`src/twinpix/thresholds.py` alone is replaced by 0.8 and by 1.2 times its value (whole numbers differ "
        "by at least 1). A share that becomes larger than 1 is never reached: that switches its comparison off.",
        "",
        f"{len(pairs)} pairs: {len(copies)} of copies, {len(pairs) - len(copies)} of different images. With all "
        f"thresholds as they are, {sum(copies)} of the copies are found (recall {recall}), and {false} of the others "
        f"are false matches. There is {PHOTOS_AN_EDIT} photo for each edit, and {SOURCES} pairs of one source and "
        f"{NATURAL} of the 108 natural copies are compared, so that a run takes 15 minutes of CPU time.",
        "",
        "| pairs | number | right |",
        "|---|---|---|",
    ]
    for kind in dict.fromkeys(pair.kind for pair in pairs):
        of_kind = [each.right for each, pair in zip(base, pairs, strict=True) if pair.kind == kind]
        out.append(f"| {kind} | {len(of_kind)} | {sum(of_kind)} |")
    return "\n".join(out)


def line(name: str, factor: float, pairs: Sequence[Pair], sweep: Sweep) -> str:
    """A row of the table: one threshold at one other value."""
    now = sweep.moves.get((name, factor), {})
    recall, false = rates(pairs, [now.get(at, first) for at, first in enumerate(sweep.base)])
    renamed = sum(each.relation != sweep.base[at].relation for at, each in now.items())
    wrong = [at for at in sorted(now) if now[at].right != sweep.base[at].right]
    kinds = counted([("+" if now[at].right else "−") + pairs[at].kind for at in wrong])
    value = f"{moved(name, factor):.4g}"
    return f"| {name} | {value} | {recall} | {false} | {renamed} | {len(now) - renamed} | {kinds} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=SHARED / "photos")
    parser.add_argument("--natural", type=Path, default=SHARED / "natural_pairs.tsv")
    parser.add_argument("--only", nargs="+", default=[""], help="concerns or thresholds, such as DECISION.min_blocks")
    parser.add_argument("--off", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    names = [f"{concern}.{field}" for concern, table in CONCERNS.items() for field in table.__dataclass_fields__]
    names = [name for name in names if name.startswith(tuple(options.only))]
    MEMORY.install()
    pairs = built(options.photos, options.natural)
    sweep = swept(pairs, names, lambda name: MOVES)

    changing = [(name, factor) for name in names for factor in MOVES if (name, factor) in sweep.moves]
    same = [name for name in names if name in READ and not any((name, factor) in sweep.moves for factor in MOVES)]
    unread = [name for name in names if name not in READ]
    note = "`−` before a kind of pair: now wrong; `+`: now right. Other pairs keep their relation and their detail."
    parts = [summary(pairs, sweep.base), "\n## What changes within ±20 %\n", note, HEAD]
    parts += [line(*each, pairs, sweep) for each in changing]
    parts += ["\n## No pair changes within ±20 %\n", _STAYS, listed(same)]
    parts += ["\n## No pair reads it\n", listed(unread)]
    written(parts, options.output)
    if options.off:
        parts += of_off(pairs, same)
        written(parts, options.output)


def of_off(pairs: Sequence[Pair], names: Sequence[str]) -> list[str]:
    """The changes if thresholds that make no difference within ±20 % are switched off."""
    sweep = swept(pairs, names, off)
    changing = [(name, factor) for name in names for factor in off(name) if (name, factor) in sweep.moves]
    never = [name for name in names if not any((name, factor) in sweep.moves for factor in off(name))]
    note = "Of the thresholds that change no pair within ±20 %. Widths, quantiles and divisors: a half and twice."
    parts = ["\n## What changes when switched off\n", note, HEAD, *(line(*each, pairs, sweep) for each in changing)]
    return [*parts, "\n## No pair changes even then\n", listed(never)]


def written(parts: Sequence[str], output: Path | None) -> None:
    text = "\n".join(parts) + "\n"
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
