"""Hard negatives: pairs of different images that look alike, drawn by code, with the right answer for each.

The answers: `different` (no match, not in the report), `similar-scene` (not a match; may be among the similar pairs),
`edited` (one image in which something was inserted, removed or painted over: it may match, but never as
if only encoding, size or colours differed; `similar-scene` is right too). `right(pair, relation)` checks an answer.
Most pairs are `different`: they share a frame, a form or a pattern, and a user who deleted one of them would lose an
image. Several pairs are made of the same photos, so verify each pair separately.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from drawings import draw

Answer = Literal["different", "similar-scene", "edited"]
Rng = np.random.Generator
_SIZE = (480, 360)
_WORDS = (
    *("amber", "bridge", "candle", "delta", "engine", "forest", "garden", "harbour", "island", "jacket", "kettle"),
    *("ladder", "market", "needle", "orange", "pocket", "quartz", "river", "signal", "timber", "valley", "window"),
)


@dataclass(frozen=True)
class Pair:
    """Two images, the right answer for them, and the reason."""

    name: str
    answer: Answer
    reason: str
    a: Image.Image
    b: Image.Image


def right(pair: Pair, relation: str | None) -> bool:
    """True if a relation is a right answer for the pair; None: the pair is not in the report."""
    allowed: dict[Answer, set[str | None]] = {
        "different": {None},
        "similar-scene": {None, "similar-scene"},
        "edited": {None, "similar-scene", "edited"},
    }
    return relation in allowed[pair.answer]


# -- material ------------------------------------------------------------------------------------------


def _rng(name: str, number: int = 0) -> Rng:
    return np.random.default_rng([number, *name.encode()])


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _line(rng: Rng, words: int) -> str:
    return " ".join(_WORDS[int(at)] for at in rng.integers(0, len(_WORDS), words))


def _grained(image: Image.Image, rng: Rng, strength: float = 3) -> Image.Image:
    grain = rng.normal(0, strength, (image.height, image.width, 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def _photos() -> tuple[Image.Image, Image.Image]:
    return draw("landscape", 901, _SIZE), draw("street", 902, _SIZE)


# -- different: they share the surroundings of the image ------------------------------------------------


def same_frame() -> Pair:
    def framed(photo: Image.Image) -> Image.Image:
        carver = _rng("frame")
        out = Image.new("RGB", (640, 520), (110, 75, 35))
        pen = ImageDraw.Draw(out)
        for at in range(0, 640, 16):
            for y in (18, 502):
                r = carver.uniform(5, 14)
                pen.ellipse((at - r, y - r, at + r, y + r), fill=(190, 145, 70), outline=(70, 45, 15))
        for at in range(0, 520, 16):
            for x in (18, 622):
                r = carver.uniform(5, 14)
                pen.ellipse((x - r, at - r, x + r, at + r), fill=(190, 145, 70), outline=(70, 45, 15))
        out.paste(photo, (80, 80))
        return out

    a, b = _photos()
    why = "the same carved frame, with more detail than the two different photos in it"
    return Pair("same frame", "different", why, framed(a), framed(b))


def same_caption() -> Pair:
    def captioned(photo: Image.Image) -> Image.Image:
        out = Image.new("RGB", (480, 520), "white")
        out.paste(photo, (0, 160))
        text = "NOBODY HAS EVER SEEN\nANYTHING LIKE THIS\nbefore in this town"
        ImageDraw.Draw(out).text((16, 12), text, fill="black", font=_font(36), spacing=10)
        return out

    a, b = _photos()
    why = "a bar with the same caption above two different photos"
    return Pair("same caption", "different", why, captioned(a), captioned(b))


def same_words_on_plain_images() -> Pair:
    def announced(background: Image.Image) -> Image.Image:
        pen = ImageDraw.Draw(background)
        for text, y in (("BREAKING", 20), ("NEWS TODAY", 80)):
            pen.text((16, y), text, "yellow", _font(52), stroke_fill="black", stroke_width=4)
        return background

    a, b = (announced(draw("radial", seed, _SIZE)) for seed in (31, 36))
    why = (
        "the same words over two soft grounds: all that can be compared is the words, and beside them is another light"
    )
    return Pair("same words", "different", why, a, b)


def same_logo() -> Pair:
    def signed(photo: Image.Image) -> Image.Image:
        pen = ImageDraw.Draw(photo)
        pen.rounded_rectangle((300, 262, 470, 350), 14, fill=(20, 30, 60))
        pen.ellipse((310, 276, 370, 336), fill=(240, 180, 40))
        pen.polygon([(340, 282), (362, 328), (318, 328)], fill=(20, 30, 60))
        pen.text((380, 280), "NEWS 7", fill="white", font=_font(22))
        pen.text((380, 312), "live", fill=(240, 180, 40), font=_font(16))
        return photo

    a, b = map(signed, _photos())
    return Pair("same logo", "different", "a broadcaster's sign lies in the same corner of two photos", a, b)


def same_watermark() -> Pair:
    film = Image.new("RGBA", (800, 600), (0, 0, 0, 0))
    for row in range(12):
        for column in range(5):
            place = (column * 170 + row % 2 * 60, row * 52)
            ImageDraw.Draw(film).text(place, "© sample", fill=(255, 255, 255, 150), font=_font(32))
    film = film.rotate(18, Image.Resampling.BICUBIC).crop((160, 120, 640, 480))

    def marked(photo: Image.Image) -> Image.Image:
        photo.paste(film, (0, 0), film)
        return photo

    a, b = map(marked, _photos())
    return Pair("same watermark", "different", "strong letters at the same places all over two photos", a, b)


def same_inset() -> Pair:
    inset = ImageOps.expand(draw("portrait", 903, (160, 130)), 4, "white")

    def laid(photo: Image.Image, place: tuple[int, int]) -> Image.Image:
        photo.paste(inset, place)
        return photo

    a, b = _photos()
    why = "the same small portrait is pasted into two photos; it is a tenth of the image and not its subject"
    return Pair("same inset", "different", why, laid(a, (300, 210)), laid(b, (20, 30)))


# -- different: they share a pattern -----------------------------------------------------------------------


def bricks() -> Pair:
    def wall(number: int) -> Image.Image:
        rng = _rng("bricks", number)
        image = Image.new("RGB", _SIZE, (196, 190, 180))
        pen = ImageDraw.Draw(image)
        x, y = (0, 0) if number == 0 else (29, 11)
        for row in range(-1, 16):
            for column in range(-2, 10):
                left, top, shade = column * 60 + x + row % 2 * 30, row * 26 + y, rng.normal(0, 10)
                fill = (int(165 + shade), int(85 + shade), int(68 + shade))
                pen.rectangle((left, top, left + 56, top + 22), fill=fill)
        return _grained(image, rng, 5)

    why = "two walls laid of the same bricks: the pattern fits wherever one is put on the other, the shades do not"
    return Pair("bricks", "different", why, wall(0), wall(1))


def chessboards() -> Pair:
    def board(count: int) -> Image.Image:
        squares = (np.indices((count, count)).sum(axis=0) % 2 * 200 + 28).astype(np.uint8)
        image = Image.fromarray(squares).resize((360, 360), Image.Resampling.NEAREST).convert("RGB")
        return _grained(ImageOps.expand(image, 30, (120, 80, 50)), _rng("board", count))

    why = "boards of 8 and of 10 squares: every corner looks like every other, and no one zoom fits the whole"
    return Pair("chessboards", "different", why, board(8), board(10))


def squared_paper() -> Pair:
    def sheet(number: int) -> Image.Image:
        rng = _rng("paper", number)
        image = Image.new("RGB", (420, 560), (252, 252, 248))
        pen = ImageDraw.Draw(image)
        for at in range(0, 560, 14):
            pen.line((0, at, 420, at), fill=(170, 195, 225))
            pen.line((at, 0, at, 560), fill=(170, 195, 225))
        pen.line((56, 0, 56, 560), fill=(230, 120, 120), width=2)
        for row in range(16):
            pen.text((66 + rng.uniform(0, 30), 22 + 32 * row), _line(rng, 4), fill=(30, 40, 120), font=_font(21))
        return _grained(image, rng)

    why = "the same squared paper with different writing: the writing is the content"
    return Pair("squared paper", "different", why, sheet(0), sheet(1))


def codes() -> Pair:
    def code(number: int) -> Image.Image:
        rng = _rng("code", number)
        cells = rng.integers(0, 2, (29, 29)).astype(np.uint8)
        for y, x in ((0, 0), (0, 21), (21, 0)):
            cells[y : y + 8, x : x + 8] = 1
            eye = np.zeros((7, 7), np.uint8)
            eye[1:6, 1:6] = 1
            eye[2:5, 2:5] = 0
            cells[y + (y > 0) : y + (y > 0) + 7, x + (x > 0) : x + (x > 0) + 7] = eye
        image = Image.fromarray(cells * 255).resize((348, 348), Image.Resampling.NEAREST)
        return ImageOps.expand(image, 26, 255).convert("RGB")

    why = "square codes of one size with other contents: the three eyes are the same, and each corner is a corner"
    return Pair("square codes", "different", why, code(0), code(1))


def fabrics() -> Pair:
    def weave(number: int) -> Image.Image:
        y, x = np.mgrid[0:360, 0:480]
        share = 0.5 + 0.25 * np.sin(2 * np.pi * x / 15) + 0.25 * np.sin(2 * np.pi * y / 12)
        blot = np.zeros_like(share)
        rng = _rng("fabric", number)
        for _ in range(5):
            cx, cy, r = rng.uniform(40, 440), rng.uniform(40, 320), rng.uniform(20, 60)
            blot += np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / r**2)
        canvas = np.array([70.0, 110, 150]) + 90 * share[..., None]
        canvas = canvas * (1 - 0.6 * np.clip(blot, 0, 1))[..., None]
        return _grained(Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8)), rng, 4)

    return Pair("fabrics", "different", "two pieces of one cloth, with stains at other places", weave(0), weave(1))


# -- different: they share a form ----------------------------------------------------------------------------


def forms() -> Pair:
    def form(number: int) -> Image.Image:
        rng = _rng("form", number)
        image = Image.new("RGB", (480, 640), (250, 250, 247))
        pen = ImageDraw.Draw(image)
        pen.rectangle((24, 20, 456, 66), fill=(30, 90, 70))
        pen.text((36, 30), "Application   F-27", fill="white", font=_font(26))
        for row, label in enumerate(("Name", "First name", "Street", "Town", "Telephone", "Employer", "Income")):
            top = 90 + 66 * row
            pen.text((30, top), label, fill=(70, 70, 70), font=_font(14))
            pen.rectangle((24, top + 18, 456, top + 54), outline=(110, 110, 110))
            words = _line(rng, 2) if row < 4 else str(rng.integers(10**5, 10**8))
            pen.text((36 + rng.uniform(0, 12), top + 22), words, fill=(25, 35, 140), font=_font(24))
        return _grained(image, rng)

    why = "one printed form filled in by two people: two documents"
    return Pair("forms", "different", why, form(0), form(1))


def letters() -> Pair:
    def letter(number: int) -> Image.Image:
        rng = _rng("letter", number)
        image = Image.new("RGB", (480, 640), (248, 247, 243))
        pen = ImageDraw.Draw(image)
        pen.ellipse((30, 24, 80, 74), outline=(20, 60, 120), width=5)
        pen.text((94, 28), "Harbour Trust & Sons", fill=(20, 60, 120), font=_font(24))
        pen.line((30, 88, 450, 88), fill=(20, 60, 120), width=2)
        for row in range(24):
            pen.text((30, 120 + 20 * row), _line(rng, 7), fill=(40, 40, 50), font=_font(14))
        return _grained(image, rng)

    why = "two letters on one paper, of one length and in one font: the words differ"
    return Pair("letters", "different", why, letter(0), letter(1))


def maps() -> Pair:
    def town(number: int) -> Image.Image:
        rng = _rng("map", number)
        image = Image.new("RGB", (560, 400), (242, 239, 230))
        pen = ImageDraw.Draw(image)
        for _ in range(5):
            x, y = rng.uniform(0, 560), rng.uniform(0, 400)
            pen.ellipse((x - 60, y - 40, x + 60, y + 40), fill=(200, 225, 180))
        river = [
            (float(x), 200 + float(v)) for x, v in zip(range(0, 600, 40), np.cumsum(rng.normal(0, 25, 15)), strict=True)
        ]
        pen.line(river, fill=(150, 190, 230), width=14)
        for _ in range(22):
            (x, y), angle = rng.uniform((0, 0), (560, 400)), rng.uniform(0, np.pi)
            dx, dy = 300 * np.cos(angle), 300 * np.sin(angle)
            pen.line((x - dx, y - dy, x + dx, y + dy), fill=(255, 255, 255), width=6)
            pen.line((x - dx, y - dy, x + dx, y + dy), fill=(200, 170, 110), width=1)
        for _ in range(9):
            x, y = rng.uniform((20, 20), (460, 370))
            pen.text((x, y), _line(rng, 1).title(), fill=(60, 60, 60), font=_font(14))
        pen.rectangle((10, 250, 170, 390), fill="white", outline="black")
        for row, (label, fill) in enumerate(
            (("park", (200, 225, 180)), ("river", (150, 190, 230)), ("street", (200, 170, 110)), ("town", (60, 60, 60)))
        ):
            pen.rectangle((22, 264 + 30 * row, 50, 282 + 30 * row), fill=fill, outline=(90, 90, 90))
            pen.text((60, 263 + 30 * row), label, fill="black", font=_font(17))
        return image

    return Pair("maps", "different", "two towns with one legend in the corner", town(0), town(1))


def charts() -> Pair:
    def chart(number: int) -> Image.Image:
        rng = _rng("chart", number)
        image = Image.new("RGB", (560, 380), "white")
        pen = ImageDraw.Draw(image)
        pen.text((70, 12), "Sales by month, thousands", fill=(20, 20, 30), font=_font(20))
        for line in range(6):
            y = 330 - 56 * line
            pen.line((60, y, 540, y), fill=(215, 215, 220))
            pen.text((24, y - 9), str(20 * line), fill=(90, 90, 100), font=_font(14))
        for at, value in enumerate(rng.uniform(0.1, 1, 12)):
            pen.rectangle((70 + 39 * at, 330 - 270 * value, 98 + 39 * at, 330), fill=(60, 110, 180))
            pen.text((72 + 39 * at, 336), "JFMAMJJASOND"[at], fill=(90, 90, 100), font=_font(14))
        return image

    why = "two years in one chart: same axes, same title, other bars; the numbers are what it shows"
    return Pair("charts", "different", why, chart(0), chart(1))


def screens() -> Pair:
    def screen(number: int) -> Image.Image:
        rng = _rng("screen", number)
        image = Image.new("RGB", (720, 450), (250, 250, 252))
        pen = ImageDraw.Draw(image)
        pen.rectangle((0, 0, 720, 30), fill=(45, 52, 66))
        pen.text((12, 6), "Correspondence", fill="white", font=_font(15))
        pen.rectangle((0, 30, 720, 72), fill=(228, 231, 238))
        for at in range(9):
            pen.regular_polygon((34 + 60 * at, 51, 13), 3 + at % 5, fill=(70, 110, 190), outline=(40, 60, 120))
        pen.rectangle((0, 72, 130, 450), fill=(240, 242, 247))
        for at, label in enumerate(("Inbox", "Drafts", "Sent", "Archive", "Spam", "Bin", "Family", "Work")):
            pen.rectangle((12, 88 + 30 * at, 26, 102 + 30 * at), fill=(120, 150, 210))
            pen.text((36, 86 + 30 * at), label, fill=(50, 50, 60), font=_font(14))
        for row in range(17):
            pen.text((150, 86 + 21 * row), _line(rng, int(rng.integers(4, 9))), fill=(40, 40, 50), font=_font(14))
        return image

    why = "one program showing two letters: the window is the same, what was read is not"
    return Pair("screens of a program", "different", why, screen(0), screen(1))


def skies() -> Pair:
    def sky(number: int) -> Image.Image:
        share = np.linspace(0, 1, 360)[:, None, None]
        canvas = np.broadcast_to(np.array([70.0, 120, 200]) + share * np.array([130.0, 90, 30]), (360, 480, 3))
        image = _grained(Image.fromarray(canvas.astype(np.uint8)), _rng("sky", number), 2)
        pen = ImageDraw.Draw(image)
        if number == 0:  # a balloon
            pen.ellipse((190, 90, 290, 200), fill=(200, 50, 40))
            pen.line((215, 190, 228, 235), fill=(40, 30, 20), width=2)
            pen.line((265, 190, 252, 235), fill=(40, 30, 20), width=2)
            pen.rectangle((226, 235, 254, 255), fill=(110, 70, 30))
        else:  # a plane
            pen.polygon([(180, 170), (300, 150), (318, 160), (300, 172)], fill=(235, 235, 240))
            pen.polygon([(235, 163), (200, 215), (222, 215), (265, 160)], fill=(200, 200, 210))
            pen.polygon([(186, 168), (172, 135), (186, 135), (205, 164)], fill=(200, 60, 60))
        return image.filter(ImageFilter.GaussianBlur(0.6))

    why = "the same evening sky behind two things: nine tenths of the pixels are equal, and nobody looks at those"
    return Pair("skies", "different", why, sky(0), sky(1))


def dials() -> Pair:
    def dial(name: str, count: int) -> Image.Image:
        rng = _rng(name)
        image = Image.new("RGB", (400, 400), (235, 235, 230))
        pen = ImageDraw.Draw(image)
        pen.ellipse((20, 20, 380, 380), fill=(250, 250, 250), outline=(40, 40, 40), width=8)
        for at in range(count):
            angle = 2 * np.pi * at / count
            x, y = np.sin(angle), -np.cos(angle)
            pen.line((200 + 150 * x, 200 + 150 * y, 200 + 168 * x, 200 + 168 * y), fill=(30, 30, 30), width=3)
            text = str(int(rng.integers(10, 99)))
            pen.text((200 + 128 * x, 200 + 128 * y), text, fill=(30, 30, 30), font=_font(18), anchor="mm")
        return image

    why = "dials of two meters, with twelve and with ten other numbers around the same rim"
    return Pair("dials", "different", why, dial("dial a", 12), dial("dial b", 10))


# -- the same scene, not a copy ---------------------------------------------------------------------------------


def _wide() -> Image.Image:
    return draw("street", 904, (960, 480))


def hardly_overlapping() -> Pair:
    wide = _wide()
    why = "two crops of one wide image that overlap in an eighth: neither contains the other"
    return Pair("hardly overlapping", "similar-scene", why, wide.crop((0, 0, 510, 480)), wide.crop((450, 0, 960, 480)))


def disjoint_crops() -> Pair:
    wide = _wide()
    why = "two crops of one wide image that do not overlap"
    return Pair("cuts apart", "similar-scene", why, wide.crop((0, 0, 470, 480)), wide.crop((490, 0, 960, 480)))


def two_steps_aside() -> Pair:
    """Parallax: near objects move further than far ones, as for a camera that moves; no one transform fits both."""

    def seen(step: int) -> Image.Image:
        back = draw("landscape", 905, (640, 400)).crop((40 + step // 4, 20, 520 + step // 4, 380))
        for number, (kind, left, top, side) in enumerate(
            (("table", 60, 190, 110), ("scene", 210, 170, 130), ("portrait", 370, 180, 120))
        ):
            thing = draw(kind, 910 + number, (side, side))
            mask = Image.new("L", thing.size, 0)
            ImageDraw.Draw(mask).ellipse((2, 2, side - 2, side - 2), fill=255)
            back.paste(thing, (left - step * (number + 2) // 3, top), mask)
        return _grained(back, _rng("aside", step))

    why = "one place taken twice, a step apart: two photos of a user, of which both may be wanted"
    return Pair("a step aside", "similar-scene", why, seen(0), seen(45))


# -- one image with an edit, possibly disputed -----------------------------------------------------------------------


def clocks() -> Pair:
    def clock(hour: float) -> Image.Image:
        image = draw("texture", 906, (420, 420))
        pen = ImageDraw.Draw(image)
        pen.ellipse((50, 50, 370, 370), fill=(250, 250, 245), outline=(40, 40, 40), width=8)
        for at in range(12):
            x, y = np.sin(at * np.pi / 6), -np.cos(at * np.pi / 6)
            text = str(at or 12)
            pen.text((210 + 130 * x, 210 + 130 * y), text, fill=(30, 30, 30), font=_font(28), anchor="mm")
        for turns, reach, wide in ((hour / 12, 75, 10), (hour % 1, 110, 6)):
            angle = 2 * np.pi * turns
            end = (210 + reach * np.sin(angle), 210 - reach * np.cos(angle))
            pen.line((210, 210, *end), fill=(20, 20, 20), width=wide)
        return image

    why = "one clock at two times: all but the hands is the same, so it may pass for an edit, never for a re-encoding"
    return Pair("clocks", "edited", why, clock(10.15), clock(4.5))


def meme_of_one_template() -> Pair:
    def meme(top: str, bottom: str) -> Image.Image:
        image = draw("portrait", 907, _SIZE)
        pen = ImageDraw.Draw(image)
        for text, y in ((top, 34), (bottom, 326)):
            pen.text((240, y), text, "white", _font(34), "mm", stroke_fill="black", stroke_width=3)
        return image

    a, b = meme("WHEN IT COMPILES", "AT ONCE"), meme("MONDAY AGAIN", "WHO ASKED FOR IT")
    why = "the same photo with two captions: the image is the same, the text is not"
    return Pair("meme of one template", "edited", why, a, b)


def differences_to_find() -> Pair:
    a = draw("table", 908, _SIZE)
    b = a.copy()
    pen = ImageDraw.Draw(b)
    pen.ellipse((60, 60, 130, 130), fill=(230, 210, 40), outline=(60, 50, 10), width=3)
    pen.rectangle((330, 220, 420, 290), fill=(40, 90, 60))
    b.paste(a.crop((0, 280, 80, 350)), (230, 40))
    why = "an image in which three objects were changed, as in puzzles: an edit"
    return Pair("differences to find", "edited", why, a, b)


def dialog_over_a_screen() -> Pair:
    a = draw("screen", 909, (720, 450))
    b = a.copy()
    pen = ImageDraw.Draw(b)
    pen.rectangle((220, 150, 500, 300), fill="white", outline=(90, 90, 100), width=2)
    pen.rectangle((220, 150, 500, 176), fill=(45, 52, 66))
    pen.text((232, 154), "Delete 14 files?", fill="white", font=_font(15))
    pen.text((240, 200), "This cannot be undone.", fill=(40, 40, 50), font=_font(17))
    pen.rectangle((410, 258, 484, 286), fill=(70, 110, 190))
    why = "one screen without and with a dialog: something was laid over it"
    return Pair("dialog over a screen", "edited", why, a, b)


PAIRS: tuple[Callable[[], Pair], ...] = (
    same_frame,
    same_caption,
    same_words_on_plain_images,
    same_logo,
    same_watermark,
    same_inset,
    bricks,
    chessboards,
    squared_paper,
    codes,
    fabrics,
    forms,
    letters,
    maps,
    charts,
    screens,
    skies,
    dials,
    hardly_overlapping,
    disjoint_crops,
    two_steps_aside,
    clocks,
    meme_of_one_template,
    differences_to_find,
    dialog_over_a_screen,
)
