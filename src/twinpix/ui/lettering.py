"""Text as images on white, and compositions of images, with the font of Pillow."""

from collections.abc import Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from twinpix.text import printable
from twinpix.ui import figure

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "arial.ttf")  # for names in other scripts
_NONE = "\uffff"  # no font has it
_LONGEST = 160  # characters of a name on one line


def words(text: str, width: int, size: int, colour: Colour) -> Image.Image:
    """Return text in as many lines as it needs."""
    text = printable(text).replace("×", "x")  # the font lacks this character
    font = _font(size, text)
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    step = round(1.35 * size)
    wide = min(width, max(round(font.getlength(line)) for line in lines) + 2)
    out = Image.new("RGB", (wide, step * len(lines)), "white")
    pen = ImageDraw.Draw(out)
    for at, line in enumerate(lines):
        pen.text((0, at * step), line, colour, font)
    return out


def badge(text: str, colour: Colour) -> Image.Image:
    """Return white text on a colour."""
    font = _font(20, text)
    out = Image.new("RGB", (round(font.getlength(text)) + 24, 36), "white")
    pen = ImageDraw.Draw(out)
    pen.rounded_rectangle((0, 0, out.width - 1, out.height - 1), 7, fill=colour)
    pen.text((out.width // 2, out.height // 2), text, "white", font, anchor="mm")
    return out


def fitting(name: str, width: int, size: int) -> str:
    """Return a name on one line, without its middle if it is too long."""
    font = _font(size, printable(name))
    shorter = (figure.shorten(name, length) for length in range(_LONGEST, 0, -1))
    return next((short for short in shorter if font.getlength(short) <= width), "")


def stack(images: Sequence[Image.Image], width: int, gap: int) -> Image.Image:
    """Stack images vertically."""
    out = Image.new("RGB", (width, sum(image.height for image in images) + gap * (len(images) - 1)), "white")
    y = 0
    for image in images:
        out.paste(image, (0, y))
        y += image.height + gap
    return out


def beside(images: Sequence[Image.Image], gap: int) -> Image.Image:
    """Place images beside each other, vertically centred."""
    width = sum(image.width for image in images) + gap * (len(images) - 1)
    out = Image.new("RGB", (width, max(image.height for image in images)), "white")
    x = 0
    for image in images:
        out.paste(image, (x, (out.height - image.height) // 2))
        x += image.width + gap
    return out


def _font(size: int, text: str) -> Font:
    """Return the font of Pillow; for scripts that it lacks, a font of the system, if there is one."""
    return next((font for font in _fonts(size) if _has(font, text)), _fonts(size)[0])


@cache
def _fonts(size: int) -> tuple[Font, ...]:
    fonts: list[Font] = [ImageFont.load_default(size)]
    for name in _FONTS:
        try:
            fonts.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return tuple(fonts)


def _has(font: Font, text: str) -> bool:
    """True if a font has all characters of a text."""
    nothing = bytes(font.getmask(_NONE))
    return all(letter == " " or bytes(font.getmask(letter)) != nothing for letter in set(text))
