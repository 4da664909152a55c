"""The edits of generated copies, as they are common when images are shared: compression, scaling, overlays, crops."""

import io
import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Change = Callable[[Image.Image, random.Random], Image.Image]
_WORDS = ("holiday", "copy", "sample", "look at this", "2019", "do not share")


class Edit(NamedTuple):
    """A change of an image, and the format and quality in which the result is saved."""

    change: Change
    format: str = "JPEG"
    quality: int = 85


def _leave_unchanged(image: Image.Image, chance: random.Random) -> Image.Image:
    return image


def _scale(share_x: float, share_y: float) -> Change:
    def change(image: Image.Image, chance: random.Random) -> Image.Image:
        size = max(8, round(image.width * share_x)), max(8, round(image.height * share_y))
        return image.resize(size, Image.Resampling.BICUBIC)

    return change


def _enhance(kind: type[ImageEnhance.Color], share: float) -> Change:
    return lambda image, chance: kind(image).enhance(share)


def _apply_gamma(power: float) -> Change:
    table = [round(255 * (value / 255) ** power) for value in range(256)] * 3
    return lambda image, chance: image.point(table)


def _tint(red: float, green: float, blue: float) -> Change:
    table = [min(255, round(value * share)) for share in (red, green, blue) for value in range(256)]
    return lambda image, chance: image.point(table)


def _filter(kind: ImageFilter.Filter) -> Change:
    return lambda image, chance: image.filter(kind)


def _add_noise(strength: float) -> Change:
    def change(image: Image.Image, chance: random.Random) -> Image.Image:
        grain = np.random.default_rng(chance.getrandbits(32)).normal(0, strength, (image.height, image.width, 3))
        return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))

    return change


def _crop(share: float) -> Change:
    """Keep this share of each side, at a random position."""

    def change(image: Image.Image, chance: random.Random) -> Image.Image:
        width, height = round(image.width * share), round(image.height * share)
        left, top = chance.randint(0, image.width - width), chance.randint(0, image.height - height)
        return image.crop((left, top, left + width, top + height))

    return change


def _add_border(share: float, colour: str) -> Change:
    return lambda image, chance: ImageOps.expand(image, round(share * min(image.size)), fill=colour)


def _rotate(degrees: float) -> Change:
    """Rotate by a small angle, and crop the empty corners away."""

    def change(image: Image.Image, chance: random.Random) -> Image.Image:
        whole = image.rotate(degrees, Image.Resampling.BICUBIC)
        lost = abs(degrees) / 60
        x, y = round(image.width * lost), round(image.height * lost)
        return whole.crop((x, y, image.width - x, image.height - y))

    return change


def _transpose(method: Image.Transpose) -> Change:
    return lambda image, chance: image.transpose(method)


def _add_text(image: Image.Image, chance: random.Random) -> Image.Image:
    out = image.copy()
    size = max(10, image.height // 10)
    place = chance.randint(0, image.width // 2), chance.randint(0, max(1, image.height - 2 * size))
    ImageDraw.Draw(out).text(
        place, chance.choice(_WORDS), fill="white", stroke_fill="black", stroke_width=2, font_size=size
    )
    return out


def _add_badge(image: Image.Image, chance: random.Random) -> Image.Image:
    out = image.copy()
    side = min(image.size) // 6
    left, top = image.width - side - side // 3, image.height - side - side // 3
    ImageDraw.Draw(out).ellipse((left, top, left + side, top + side), fill=(200, 30, 40), outline="white", width=3)
    return out


def _add_caption(image: Image.Image, chance: random.Random) -> Image.Image:
    bar = max(12, image.height // 6)
    out = Image.new("RGB", (image.width, image.height + bar), "white")
    out.paste(image, (0, bar))
    ImageDraw.Draw(out).text((bar // 4, bar // 6), chance.choice(_WORDS).upper(), fill="black", font_size=bar * 2 // 3)
    return out


def _imitate_screenshot(image: Image.Image, chance: random.Random) -> Image.Image:
    """Imitate a phone's screenshot of the image: bars above and below it."""
    out = Image.new("RGB", (image.width, round(image.height * 1.5)), (18, 18, 20))
    out.paste(image, (0, image.height // 4))
    pen = ImageDraw.Draw(out)
    pen.text((10, 6), "12:34", fill="white", font_size=max(10, image.height // 20))
    pen.rectangle((0, out.height - image.height // 10, out.width, out.height), fill=(40, 40, 44))
    return out


def _add_vignette(image: Image.Image, chance: random.Random) -> Image.Image:
    y, x = np.mgrid[-1 : 1 : image.height * 1j, -1 : 1 : image.width * 1j]
    gain = Image.fromarray((255 * np.clip(1.15 - 0.55 * (x**2 + y**2), 0, 1)).astype(np.uint8))
    return ImageChops.multiply(image, Image.merge("RGB", (gain,) * 3))


def _remove_colour(image: Image.Image, chance: random.Random) -> Image.Image:
    return ImageOps.grayscale(image).convert("RGB")


def _quantize(image: Image.Image, chance: random.Random) -> Image.Image:
    return image.quantize(32).convert("RGB")


EDITS: dict[str, Edit] = {
    "JPEG 90": Edit(_leave_unchanged, quality=90),
    "JPEG 60": Edit(_leave_unchanged, quality=60),
    "JPEG 30": Edit(_leave_unchanged, quality=30),
    "JPEG 10": Edit(_leave_unchanged, quality=10),
    "WebP 50": Edit(_leave_unchanged, "WEBP", 50),
    "PNG": Edit(_leave_unchanged, "PNG"),
    "32 colours": Edit(_quantize, "PNG"),
    "3/4 of the size": Edit(_scale(0.75, 0.75)),
    "half the size": Edit(_scale(0.5, 0.5)),
    "a sixth of the size": Edit(_scale(1 / 6, 1 / 6)),
    "wider by a fifth": Edit(_scale(1.2, 1.0)),
    "higher by a third": Edit(_scale(1.0, 4 / 3)),
    "brighter": Edit(_enhance(ImageEnhance.Brightness, 1.35)),  # type: ignore[arg-type]
    "darker": Edit(_enhance(ImageEnhance.Brightness, 0.65)),  # type: ignore[arg-type]
    "more contrast": Edit(_enhance(ImageEnhance.Contrast, 1.5)),  # type: ignore[arg-type]
    "less contrast": Edit(_enhance(ImageEnhance.Contrast, 0.6)),  # type: ignore[arg-type]
    "stronger colours": Edit(_enhance(ImageEnhance.Color, 1.8)),
    "lighter shadows": Edit(_apply_gamma(0.65)),
    "deeper shadows": Edit(_apply_gamma(1.5)),
    "warmer": Edit(_tint(1.15, 1.0, 0.8)),
    "grey": Edit(_remove_colour),
    "vignette": Edit(_add_vignette),
    "blurred": Edit(_filter(ImageFilter.GaussianBlur(2))),
    "sharpened": Edit(_filter(ImageFilter.UnsharpMask(3, 180, 2))),
    "grain": Edit(_add_noise(14)),
    "a word on it": Edit(_add_text),
    "a badge in the corner": Edit(_add_badge),
    "a caption above": Edit(_add_caption),
    "screenshot": Edit(_imitate_screenshot),
    "thin frame": Edit(_add_border(0.03, "black")),
    "thick frame": Edit(_add_border(0.12, "white")),
    "cropped to 97 %": Edit(_crop(0.97)),
    "cropped to 90 %": Edit(_crop(0.9)),
    "cropped to 75 %": Edit(_crop(0.75)),
    "cropped to half": Edit(_crop(0.5)),
    "turned by 1°": Edit(_rotate(1)),
    "turned by 4°": Edit(_rotate(4)),
    "turned by 90°": Edit(_transpose(Image.Transpose.ROTATE_90)),
    "turned by 180°": Edit(_transpose(Image.Transpose.ROTATE_180)),
    "mirrored": Edit(_transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
}


def make_edit(image: Image.Image, name: str, seed: str) -> bytes:
    """Return the encoded file of an edited copy of an RGB image; the same bytes for the same seed."""
    edit = EDITS[name]
    out = io.BytesIO()
    options = {} if edit.format == "PNG" else {"quality": edit.quality}
    chance = random.Random(f"{seed}/{name}".encode("utf-8", "surrogateescape"))
    edit.change(image, chance).save(out, edit.format, **options)
    return out.getvalue()
