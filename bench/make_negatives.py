"""Draw folders of hard negatives, images that look alike and are not copies; the same seed gives the same images.

usage: make_negatives.py INTO [--photos DIR] [--only NAME ...] [--share S] [--seed N]

For each name of FAMILIES a folder is made below INTO: gradients, scanned pages, screenshots of one program,
memes, charts, icons, photos in one frame, slides, forms. Where photos are needed they are drawn, or taken
from DIR, each once at most: no image may occur twice there. `--share 0.1` draws a tenth.

In a folder with a file `negatives.json`, the images of one sub-folder are variants of one template: a meme with two
captions, a screen with two dialogs. Whether these are one image with an edit is disputed, so they may match with the
relations that the file names, but not as if only size or encoding differed. All other matches are false.
`verified.py negatives INTO/*` counts them.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from drawings import draw

Rng = np.random.Generator
Colour = tuple[int, int, int]
_VOCABULARY = (
    "account address agreement amount annual answer april balance before board branch budget building card "
    "centre change client committee company contract costs council court customer date delivery department "
    "design district document due east email engine estate event february figure form friday garden general "
    "goods green group harbour health holiday hotel house income invoice island january july kitchen label "
    "letter library list market meeting member model monday month music never notice number october office "
    "open order other page paper parcel park part payment people phone place plan please policy postal price "
    "printer product project public quarter question rate reader record reference refund repair report result "
    "return river room sales sample school second section september service seven ship shop signed site small "
    "south spring staff station statement stock street student summer supply system table tax term ticket "
    "title today total town train transfer travel tuesday union until update valley value village visit water "
    "week west winter work yearly yellow zone"
)
_WORDS = _VOCABULARY.split()
_JOKES = (
    "when the build is green", "monday again", "one does not simply", "nobody: absolutely nobody", "me at 3 am",
    "that moment", "my code in review", "it works here", "no more meetings", "when the cat sits on it", "send help",
    "the deadline was yesterday", "who broke it", "still waiting", "this is fine", "friday, 16:59", "not my job",
    "trust me", "ship it", "have you tried turning it off", "plot twist", "expectation", "reality", "why not both",
)  # fmt: skip


@dataclass(frozen=True)
class Photos:
    """Photos by number: drawn ones, or files; each is a different image."""

    files: tuple[Path, ...]

    def __call__(self, number: int, size: tuple[int, int]) -> Image.Image:
        if not self.files:
            kinds = ("scene", "portrait", "landscape", "street", "table")
            return draw(kinds[number % len(kinds)], 10_000 + number, size)
        if number >= len(self.files):
            raise SystemExit(f"--photos has {len(self.files)} images, number {number} is needed")
        with Image.open(self.files[number]) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
        return ImageOps.fit(image, size, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Family:
    """Similar images: number of images, drawing function, path, and the relations with which variants may match."""

    count: int
    draw: Callable[[Rng, int, Photos], Image.Image]
    place: Callable[[int], str] = "{:04d}".format  # below the folder, without a suffix
    kin: tuple[str, ...] = ()
    png: bool = False  # saved without loss; otherwise as JPEG


# -- material -----------------------------------------------------------------------------------------


def _colour(rng: Rng, low: int = 20, high: int = 235) -> Colour:
    r, g, b = (int(v) for v in rng.integers(low, high + 1, 3))
    return r, g, b


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=max(6.0, size))


def _words(rng: Rng, count: int) -> str:
    return " ".join(_WORDS[int(at)] for at in rng.integers(0, len(_WORDS), count))


def _wrap(pen: ImageDraw.ImageDraw, text: str, wide: float, size: float) -> list[str]:
    lines, font = [""], _font(size)
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and pen.textlength(longer, font=font) > wide:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _paragraph(
    pen: ImageDraw.ImageDraw, rng: Rng, box: tuple[float, float, float, float], size: float, fill: Colour | str
) -> None:
    """Fill the box with words."""
    left, top, right, bottom = box
    while top + size < bottom:
        for line in _wrap(pen, _words(rng, int(rng.integers(15, 70))), right - left, size):
            if top + size < bottom:
                pen.text((left, top), line, fill=fill, font=_font(size))
            top += size * 1.35
        top += size * 0.7


def _noisy(image: Image.Image, rng: Rng, strength: float) -> Image.Image:
    grain = rng.normal(0, strength, (image.height, image.width, 1))
    return Image.fromarray(np.clip(np.rint(np.asarray(image) + grain), 0, 255).astype(np.uint8))


def _kin(number: int, size: int, name: str) -> str:
    return f"{name}-{number // size:02d}/{number % size:02d}"


# -- little detail ------------------------------------------------------------------------------------


def _plain(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """Flat, a linear or a radial gradient, a soft edge, a horizon; noise on some, a vignette on some."""
    width, height = ((640, 480), (480, 640), (800, 600), (512, 512), (1280, 720), (300, 200))[int(rng.integers(6))]
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    kind = number % 5
    # Flat images have the colours of a grid, so that no two are the same.
    step = number // 5
    one = np.array([step % 5 * 50 + 20, step // 5 % 5 * 50 + 20, step // 25 % 5 * 50 + 20], float)
    one += rng.uniform(-8, 8, 3)
    other = rng.uniform(0, 255, 3)
    angle = rng.uniform(0, 2 * np.pi)
    along = 0.5 + (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)) / np.sqrt(2)
    if kind == 0:
        share = np.zeros_like(x)
    elif kind == 1:
        share = along
    elif kind == 2:
        share = np.clip(np.hypot(x - rng.uniform(0.2, 0.8), y - rng.uniform(0.2, 0.8)) / rng.uniform(0.4, 1), 0, 1)
    elif kind == 3:
        share = 1 / (1 + np.exp(-rng.uniform(6, 40) * (along - rng.uniform(0.3, 0.7))))
    else:  # sky over a plain, or over the sea
        share = np.where(y < rng.uniform(0.3, 0.7), 0.6 * y, 1 - 0.3 * y)
    canvas = one + (other - one) * share[..., None]
    if rng.random() < 0.3:
        canvas *= (1 - rng.uniform(0.1, 0.5) * ((x - 0.5) ** 2 + (y - 0.5) ** 2) * 2)[..., None]
    if rng.random() < 0.5:
        canvas += rng.normal(0, rng.uniform(0.5, 6), (*x.shape, 3 if rng.random() < 0.5 else 1))
    return Image.fromarray(np.clip(np.rint(canvas), 0, 255).astype(np.uint8))


# -- paper --------------------------------------------------------------------------------------------

_INK = (35, 35, 45)


def _scan(page: Image.Image, rng: Rng) -> Image.Image:
    """As a scan: slightly rotated, unevenly lit, with the grain of paper."""
    page = page.rotate(rng.normal(0, 0.5), Image.Resampling.BICUBIC, fillcolor=(248, 247, 243))
    page = page.filter(ImageFilter.GaussianBlur(0.5))
    y, x = np.mgrid[-1 : 1 : page.height * 1j, -1 : 1 : page.width * 1j]
    light = 1 - rng.uniform(0, 0.05) * (x + rng.uniform(-1, 1)) ** 2 - rng.uniform(0, 0.05) * y**2
    pixels = np.asarray(page) * light[..., None] + rng.normal(0, 2.5, (page.height, page.width, 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _letterhead(pen: ImageDraw.ImageDraw, width: int) -> None:
    pen.ellipse((50, 36, 110, 96), outline=(20, 60, 120), width=6)
    pen.polygon([(80, 44), (100, 88), (60, 88)], fill=(20, 60, 120))
    pen.text((126, 44), "Harbour Trust & Sons", fill=(20, 60, 120), font=_font(26))
    pen.text((126, 78), "12 Quay Street – tel. 555 0100", fill=(90, 90, 100), font=_font(12))
    pen.line((50, 112, width - 50, 112), fill=(20, 60, 120), width=2)


def _page(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """A letter with one letterhead; some with stamps."""
    page = Image.new("RGB", (744, 1052), (248, 247, 243))
    pen = ImageDraw.Draw(page)
    _letterhead(pen, page.width)
    pen.text(
        (50, 150), f"{_words(rng, 2).title()}\n{rng.integers(1, 200)} {_words(rng, 1).title()} Street", _INK, _font(15)
    )
    pen.text((560, 150), f"{rng.integers(1, 29)}. {rng.integers(1, 13)}. 2024", _INK, _font(15))
    pen.text((50, 230), _words(rng, 5).capitalize(), _INK, _font(19))
    _paragraph(pen, rng, (50, 275, 694, rng.uniform(560, 930)), 15, _INK)
    pen.text(
        (50, 985),
        f"Page {number + 1} – Harbour Trust & Sons – registered in Southport 4711",
        (120, 120, 130),
        _font(11),
    )
    if rng.random() < 0.4:
        stamp = Image.new("RGBA", (220, 90), (0, 0, 0, 0))
        ink = (*[(170, 30, 30), (30, 40, 150)][int(rng.integers(2))], 170)
        ImageDraw.Draw(stamp).rectangle((3, 3, 216, 86), outline=ink, width=5)
        words = ("RECEIVED", "PAID", "COPY", "APPROVED")[int(rng.integers(4))]
        ImageDraw.Draw(stamp).text((24, 24), words, fill=ink, font=_font(34))
        stamp = stamp.rotate(rng.uniform(-25, 25), Image.Resampling.BICUBIC, expand=True)
        page.paste(stamp, (int(rng.integers(60, 460)), int(rng.integers(300, 850))), stamp)
    return _scan(page, rng)


def _form(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """One printed form, filled in by hand."""
    page = Image.new("RGB", (744, 1052), (250, 250, 247))
    pen = ImageDraw.Draw(page)
    pen.rectangle((50, 40, 694, 100), fill=(30, 90, 70))
    pen.text((66, 52), "Application for a permit   F-27", fill="white", font=_font(30))
    labels = ("Name", "First name", "Born on", "Street", "Town", "Telephone", "E-mail", "Employer", "Income", "Remarks")
    for row, label in enumerate(labels):
        top = 140 + 66 * row
        pen.text((56, top), label, fill=(60, 60, 60), font=_font(13))
        pen.rectangle((50, top + 18, 694, top + 54), outline=(120, 120, 120))
        words = str(rng.integers(10**4, 10**9)) if label in ("Born on", "Telephone", "Income") else _words(rng, 2)
        ink = (25, 35, 140)
        pen.text((62 + rng.uniform(0, 20), top + 22 + rng.uniform(-3, 3)), words, ink, _font(rng.uniform(19, 25)))
    for column in range(3):
        for row in range(5):
            left, top = 56 + 215 * column, 820 + 30 * row
            pen.rectangle((left, top, left + 16, top + 16), outline=(60, 60, 60))
            text = _WORDS[(column * 5 + row) * 7 % len(_WORDS)]
            pen.text((left + 26, top), text, fill=(60, 60, 60), font=_font(13))
            if rng.random() < 0.4:
                pen.line((left, top, left + 16, top + 16), fill=(25, 35, 140), width=3)
                pen.line((left + 16, top, left, top + 16), fill=(25, 35, 140), width=3)
    pen.text((56, 1000), "Signature", fill=(60, 60, 60), font=_font(13))
    curve = np.cumsum(rng.normal(0, 5, 60)) * 0.6
    strokes = [(150 + 4.0 * at, 995 + float(np.clip(v, -25, 25))) for at, v in enumerate(curve)]
    pen.line(strokes, fill=(25, 35, 140), width=2)
    return _scan(page, rng)


# -- screens ------------------------------------------------------------------------------------------


def _window(content: Rng, detail: Rng, variant: int) -> Image.Image:
    """A mail program: the same interface, different lists and letters; variant 1 has a dialog, 2 another list."""
    size = width, height = 1280, 800
    image = Image.new("RGB", size, (250, 250, 252))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, width, 36), fill=(45, 52, 66))
    pen.text((16, 8), "Correspondence 4.2", fill=(230, 230, 235), font=_font(16))
    for at, colour in enumerate(((236, 95, 87), (246, 190, 79), (98, 197, 84))):
        pen.ellipse((width - 84 + 26 * at, 11, width - 70 + 26 * at, 25), fill=colour)
    pen.rectangle((0, 36, width, 92), fill=(228, 231, 238))
    for at, label in enumerate(("New", "Reply", "Forward", "Delete", "Archive", "Search", "Print", "Help")):
        left = 20 + 84 * at
        corners = [(left + 22 + 14 * math.cos(k * 1.256), 58 + 14 * math.sin(k * 1.256 * (at + 1))) for k in range(5)]
        pen.polygon(corners, fill=(70, 110, 190), outline=(40, 60, 120))
        pen.text((left + 4, 75), label, fill=(60, 60, 70), font=_font(12))
    pen.rectangle((0, 92, 190, height), fill=(240, 242, 247))
    for at, label in enumerate(("Inbox", "Drafts", "Sent", "Archive", "Spam", "Bin", "Family", "Work", "Bills")):
        pen.rectangle((16, 112 + 34 * at, 34, 128 + 34 * at), fill=(120, 150, 210))
        pen.text((44, 111 + 34 * at), label, fill=(50, 50, 60), font=_font(14))
    rows = detail if variant == 2 else content
    chosen = int(content.integers(0, 14))
    for at in range(14):
        top = 96 + 50 * at
        if at == chosen:
            pen.rectangle((191, top, 520, top + 48), fill=(205, 220, 250))
        pen.text((202, top + 5), _words(rows, 2).title(), fill=(30, 30, 40), font=_font(14))
        pen.text((202, top + 25), _words(rows, 5), fill=(110, 110, 120), font=_font(12))
        pen.line((191, top + 49, 520, top + 49), fill=(225, 225, 230))
    pen.line((521, 92, 521, height), fill=(200, 200, 208))
    pen.text((545, 110), _words(content, 5).capitalize(), fill=(20, 20, 30), font=_font(22))
    pen.text((545, 144), f"From: {_words(content, 2).title()}", fill=(110, 110, 120), font=_font(13))
    _paragraph(pen, content, (545, 180, 1250, content.uniform(350, 740)), 15, (40, 40, 50))
    pen.rectangle((0, height - 24, width, height), fill=(228, 231, 238))
    pen.text((12, height - 21), f"{content.integers(2, 999)} messages", fill=(60, 60, 70), font=_font(12))
    if variant == 1:
        pen.rectangle((440, 280, 840, 500), fill=(255, 255, 255), outline=(90, 90, 100), width=2)
        pen.rectangle((440, 280, 840, 312), fill=(45, 52, 66))
        pen.text((456, 286), _words(detail, 2).title(), fill="white", font=_font(16))
        _paragraph(pen, detail, (460, 330, 820, 430), 15, (40, 40, 50))
        pen.rectangle((720, 455, 820, 486), fill=(70, 110, 190))
        pen.text((752, 461), "OK", fill="white", font=_font(16))
    return image


def _screen(rng: Rng, number: int, photos: Photos) -> Image.Image:
    return _window(rng, rng, 0)


def _near_screen(rng: Rng, number: int, photos: Photos) -> Image.Image:
    return _window(np.random.default_rng([77, number // 3]), rng, number % 3)


def _slide(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """A slide of one design."""
    image = Image.new("RGB", (960, 540), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 960, 84), fill=(25, 60, 110))
    pen.polygon([(820, 0), (960, 0), (960, 84), (880, 84)], fill=(240, 150, 40))
    pen.text((40, 22), _words(rng, int(rng.integers(2, 5))).capitalize(), fill="white", font=_font(36))
    pen.line((40, 500, 920, 500), fill=(25, 60, 110), width=2)
    pen.text((40, 508), "Annual review – confidential", fill=(120, 120, 130), font=_font(14))
    pen.text((890, 508), str(number + 1), fill=(120, 120, 130), font=_font(14))
    kind = int(rng.integers(0, 3))
    if kind == 2:
        _bars(pen, rng, (500, 120, 920, 470), (25, 60, 110))
    for row in range(int(rng.integers(3, 7))):
        top = 120 + 56 * row
        pen.ellipse((50, top + 8, 62, top + 20), fill=(240, 150, 40))
        text = _wrap(pen, _words(rng, int(rng.integers(3, 12))), 400 if kind else 820, 22)[0]
        pen.text((80, top), text, fill=(40, 40, 50), font=_font(22))
    if kind == 1:
        for at in range(3):
            left, top = 520 + 130 * at, int(rng.integers(140, 340))
            pen.rectangle(
                (left, top, left + 110, top + 80), fill=_colour(rng, 120, 230), outline=(25, 60, 110), width=2
            )
            pen.text((left + 8, top + 30), _words(rng, 1), fill=(20, 20, 30), font=_font(16))
    return image


def _built_slide(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """A slide on which one line after the other appears."""
    same = np.random.default_rng([78, number // 4])
    image = _slide(np.random.default_rng([79, number // 4]), number // 4, photos)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 90, 960, 495), fill="white")
    for row in range(2 + number % 4):
        pen.ellipse((50, 138 + 70 * row, 64, 152 + 70 * row), fill=(240, 150, 40))
        text = _wrap(pen, _words(same, 9), 820, 26)[0]
        pen.text((84, 128 + 70 * row), text, fill=(40, 40, 50), font=_font(26))
    return image


# -- drawings -----------------------------------------------------------------------------------------


def _lines(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    for line in range(6):
        y = bottom - (bottom - top) * line / 5
        pen.line((left, y, right, y), fill=(215, 215, 220))
        pen.text((left - 34, y - 8), str(line * 20), fill=(90, 90, 100), font=_font(13))


def _bars(pen: ImageDraw.ImageDraw, rng: Rng, box: tuple[int, int, int, int], fill: Colour) -> None:
    left, top, right, bottom = box
    _lines(pen, box)
    count = int(rng.integers(5, 13))
    wide = (right - left) / count
    for at, value in enumerate(rng.uniform(0.08, 1, count)):
        x = left + wide * (at + 0.15)
        pen.rectangle((x, bottom - (bottom - top) * value, x + 0.7 * wide, bottom), fill=fill)
        pen.text((x, bottom + 5), _words(rng, 1)[:3], fill=(90, 90, 100), font=_font(12))


def _chart(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """Bars and lines in one style, with different numbers."""
    image = Image.new("RGB", (720, 480), "white")
    pen = ImageDraw.Draw(image)
    pen.text((80, 18), _words(rng, 4).capitalize(), fill=(20, 20, 30), font=_font(22))
    box = left, top, right, bottom = (80, 70, 690, 420)
    if number % 2:
        _bars(pen, rng, box, (60, 110, 180))
        return image
    _lines(pen, box)
    colours = ((60, 110, 180), (230, 130, 40), (70, 160, 90))
    for at, colour in enumerate(colours):
        walk = np.cumsum(rng.normal(0, 1, 50))
        walk = (walk - walk.min()) / np.ptp(walk)
        points = [
            (left + (right - left) * k / 49, bottom - (bottom - top) * (0.05 + 0.9 * v)) for k, v in enumerate(walk)
        ]
        pen.line(points, fill=colour, width=3)
        pen.rectangle((470 + 76 * at, 448, 484 + 76 * at, 462), fill=colour)
        pen.text((490 + 76 * at, 445), f"Plan {'ABC'[at]}", fill=(60, 60, 70), font=_font(14))
    return image


def _icon(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """A sign in the middle of white: a star-like shape with another cut out, or two letters in a disc."""
    side = 1024  # drawn large and scaled down: smooth edges
    image = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(image)
    fill = _colour(rng, 0, 190)
    if number % 3 == 2:
        pen.ellipse((140, 140, 884, 884), fill=fill)
        at = number // 3  # no pair of letters occurs twice
        letters = chr(65 + at % 26) + chr(65 + (at * 7 + at // 26 + 3) % 26)
        pen.text((512, 500), letters, fill="white", font=_font(360), anchor="mm")
        return image.resize((256, 256), Image.Resampling.LANCZOS)

    def shape(reach: float, paint: Colour | str) -> None:
        fold, radii = int(rng.integers(2, 7)), rng.uniform(0.35, 1, int(rng.integers(2, 6)))
        turn, count = rng.uniform(0, 2 * np.pi), fold * len(radii)
        pen.polygon(
            [
                (
                    512 + reach * radii[at % len(radii)] * math.cos(turn + 2 * np.pi * at / count),
                    512 + reach * radii[at % len(radii)] * math.sin(turn + 2 * np.pi * at / count),
                )
                for at in range(count)
            ],
            fill=paint,
        )

    shape(430, fill)
    shape(rng.uniform(150, 260), "white")
    if rng.random() < 0.6:
        shape(rng.uniform(60, 130), _colour(rng, 0, 190))
    return image.resize((256, 256), Image.Resampling.LANCZOS)


def _tiles(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """Walls of one kind of brick, each with a different pattern; a window, a door or a plant on it."""
    width, height = 640, 480
    image = Image.new("RGB", (width, height), (196, 190, 180))
    pen = ImageDraw.Draw(image)
    x0, y0 = int(rng.integers(0, 64)), int(rng.integers(0, 28))
    for row in range(-1, height // 28 + 2):
        for column in range(-2, width // 64 + 2):
            left, top = column * 64 + x0 + row % 2 * 32, row * 28 + y0
            shade = rng.normal(0, 9)
            fill = (int(165 + shade), int(85 + shade), int(68 + shade))
            pen.rectangle((left, top, left + 60, top + 24), fill=fill)
    left, top = int(rng.integers(30, 440)), int(rng.integers(20, 250))
    kind = number % 3
    if kind == 0:
        pen.rectangle((left, top, left + 130, top + 170), fill=(235, 235, 230))
        for pane in range(4):
            x, y = left + 8 + pane % 2 * 60, top + 8 + pane // 2 * 80
            pen.rectangle((x, y, x + 54, y + 74), fill=_colour(rng, 60, 160))
    elif kind == 1:
        pen.rectangle((left, 160, left + 140, height), fill=_colour(rng, 30, 140))
        pen.ellipse((left + 112, 320, left + 126, 334), fill=(220, 190, 80))
    else:
        for _ in range(220):
            u, v = left + rng.normal(60, 45), top + rng.normal(80, 55)
            pen.ellipse((u - 9, v - 6, u + 9, v + 6), fill=(int(rng.integers(20, 60)), int(rng.integers(80, 150)), 40))
    return _noisy(image, rng, 5)


# -- photos with common content -----------------------------------------------------------------------


def _caption(pen: ImageDraw.ImageDraw, text: str, middle: tuple[float, float], size: float) -> None:
    pen.text(middle, text, fill="white", stroke_fill="black", stroke_width=3, font=_font(size), anchor="mm")


def _meme(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """Ten captions on each of thirty photos: on the photo, or in a bar above it. Some are smaller."""
    template = number // 10
    image = photos(_PHOTOS["memes"] + template, (600, 450))
    chance = np.random.default_rng([80, template])  # the order of the captions, different for each template
    jokes = chance.permutation(len(_JOKES))
    one, two = (_JOKES[jokes[(2 * number + at) % 20]].upper() for at in (0, 1))
    if template % 3 == 2:
        out = Image.new("RGB", (600, 570), "white")
        out.paste(image, (0, 120))
        ImageDraw.Draw(out).text((20, 16), f"{one}\n{two}", fill="black", font=_font(36), spacing=10)
    else:
        out = image
        _caption(ImageDraw.Draw(out), one, (300, 40), 38)
        _caption(ImageDraw.Draw(out), two, (300, 410), 38)
    return out.resize((out.width * 4 // 5, out.height * 4 // 5), Image.Resampling.LANCZOS) if number % 10 > 6 else out


def _draw_framed_photo(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """In turn: the same carved frame, tiled watermark, logo in the corner, instant film."""
    photo = photos(_PHOTOS["frames"] + number, (560, 420))
    kind = number % 4
    if kind == 0:
        out = Image.new("RGB", (720, 580), (120, 82, 40))
        pen = ImageDraw.Draw(out)
        carver = np.random.default_rng(81)
        for at in range(0, 720, 20):
            for y in (20, 560):
                r = carver.uniform(5, 16)
                pen.ellipse((at - r, y - r, at + r, y + r), fill=(190, 145, 70), outline=(80, 50, 20))
        for at in range(0, 580, 20):
            for x in (20, 700):
                r = carver.uniform(5, 16)
                pen.ellipse((x - r, at - r, x + r, at + r), fill=(190, 145, 70), outline=(80, 50, 20))
        pen.rectangle((70, 70, 650, 510), fill=(235, 230, 215))
        out.paste(photo, (80, 80))
        return out
    if kind == 1:
        film = Image.new("RGBA", photo.size, (0, 0, 0, 0))
        for row in range(-2, 8):
            for column in range(-1, 4):
                ImageDraw.Draw(film).text(
                    (column * 190 + row * 40, row * 62), "© stock", fill=(255, 255, 255, 110), font=_font(34)
                )
        film = film.rotate(20, Image.Resampling.BICUBIC)
        photo.paste(film, (0, 0), film)
        return photo
    if kind == 2:
        pen = ImageDraw.Draw(photo)
        pen.rounded_rectangle((370, 320, 545, 405), 16, fill=(20, 30, 60))
        pen.ellipse((382, 334, 438, 390), fill=(240, 180, 40))
        pen.polygon([(410, 340), (430, 384), (390, 384)], fill=(20, 30, 60))
        pen.text((448, 345), "NEWS 7", fill="white", font=_font(25))
        pen.text((448, 375), "live", fill=(240, 180, 40), font=_font(16))
        return photo
    out = Image.new("RGB", (600, 560), (246, 245, 240))
    out.paste(photo, (20, 20))
    ImageDraw.Draw(out).text((300, 500), "summer 2019", fill=(60, 60, 90), font=_font(40), anchor="mm")
    return out


def _draw_captioned_photo(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """The same bar with the same caption below every photo."""
    out = Image.new("RGB", (600, 560), "black")
    out.paste(photos(_PHOTOS["captions"] + number, (600, 400)), (0, 0))
    pen = ImageDraw.Draw(out)
    pen.text(
        (20, 420), "THINGS YOU SEE WHEN YOU\nGO OUT FOR A WALK: part one", fill="white", font=_font(38), spacing=12
    )
    pen.text((480, 530), "@harbourwalks", fill=(160, 160, 160), font=_font(16))
    return out


def _draw_photo_with_sticker(rng: Rng, number: int, photos: Photos) -> Image.Image:
    """The same small image pasted into every photo, at the same place in half of them."""
    photo = photos(_PHOTOS["stickers"] + number, (640, 480))
    sticker = ImageOps.expand(draw("portrait", 4711, (200, 150)), 4, "white")
    place = (420, 310) if number % 2 else (int(rng.integers(0, 430)), int(rng.integers(0, 320)))
    photo.paste(sticker, place)
    return photo


# -- folders ------------------------------------------------------------------------------------------

_PHOTOS = {"memes": 0, "frames": 30, "captions": 190, "stickers": 270}  # the first photo of each; 350 are used

FAMILIES: dict[str, Family] = {
    "plain": Family(500, _plain),
    "pages": Family(200, _page),
    "forms": Family(120, _form),
    "screens": Family(90, _screen, png=True),
    "screens-near": Family(30, _near_screen, partial(_kin, size=3, name="screen"), ("edited",), png=True),
    "slides": Family(100, _slide, png=True),
    "slides-built": Family(40, _built_slide, partial(_kin, size=4, name="slide"), ("edited",), png=True),
    "charts": Family(120, _chart, png=True),
    "icons": Family(150, _icon, png=True),
    "walls": Family(90, _tiles),
    "memes": Family(300, _meme, partial(_kin, size=10, name="template"), ("edited",)),
    "frames": Family(160, _draw_framed_photo),
    "captions": Family(80, _draw_captioned_photo),
    "stickers": Family(80, _draw_photo_with_sticker),
}


def images(asked: argparse.Namespace) -> Iterator[tuple[str, int]]:
    for name in asked.only or FAMILIES:
        for number in range(max(2, round(FAMILIES[name].count * asked.share))):
            yield name, number


def write(into: Path, photos: Photos, seed: int, name: str, number: int) -> None:
    family = FAMILIES[name]
    rng = np.random.default_rng([seed, list(FAMILIES).index(name), number])
    image = family.draw(rng, number, photos)
    quality = int(rng.integers(75, 96))
    file = into / name / f"{family.place(number)}{'.png' if family.png else '.jpg'}"
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, quality=quality)  # PNG ignores it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("into", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--only", nargs="+", choices=FAMILIES)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int)
    asked = parser.parse_args()
    files = sorted(path for path in asked.photos.rglob("*") if path.is_file()) if asked.photos else []
    names, numbers = zip(*images(asked), strict=True)
    with ProcessPoolExecutor(asked.workers) as pool:
        work = partial(write, asked.into, Photos(tuple(files)), asked.seed)
        list(pool.map(work, names, numbers, chunksize=10))
    for name in dict.fromkeys(names):
        if kin := FAMILIES[name].kin:
            (asked.into / name / "negatives.json").write_text(json.dumps({"kin": list(kin)}) + "\n")
        print(f"{asked.into / name}: {names.count(name)} images")


if __name__ == "__main__":
    main()
