"""Images that the tests draw: the same arguments give the same image.

The composition depends on kind and seed alone, so another size shows the same motif; only the
grain of the finest scale is drawn separately for each size.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Array = NDArray[np.float64]
Rng = np.random.Generator
Size = tuple[int, int]
Point = tuple[float, float]

_WORDS = (
    *("amber", "bridge", "candle", "delta", "engine", "forest", "garden", "harbor", "island"),
    *("jacket", "kettle", "ladder", "market", "needle", "orange", "pocket", "quartz", "river"),
    *("signal", "timber", "umbrella", "valley", "window", "yellow", "zebra", "and", "of", "the"),
    *("with", "from", "over", "under", "before", "after", "12", "345", "6.7", "2026"),
)


# -- material ------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _grid(size: Size) -> tuple[Array, Array]:
    """x and y of every pixel's centre, from 0 to 1, as arrays that cannot be written."""
    x = (np.arange(size[0]) + 0.5) / size[0]
    y = (np.arange(size[1]) + 0.5) / size[1]
    shape = (size[1], size[0])
    return np.broadcast_to(x, shape), np.broadcast_to(y[:, None], shape)


def _noise(rng: Rng, size: Size, cells: int, octaves: int = 4, fall: float = 0.55) -> Array:
    """Fractal noise about 0 with a deviation of 1."""
    total = np.zeros((size[1], size[0]))
    for k in range(octaves):
        n = cells * 2**k
        values = rng.standard_normal((n, n)).astype(np.float32)
        layer = Image.fromarray(values).resize(size, Image.Resampling.BICUBIC)
        total += np.multiply(np.asarray(layer), fall**k, dtype=np.float64)
    spread = float(total.std())
    total -= total.mean()
    total /= max(spread, 1e-12)
    return total


def _colour(rng: Rng, low: float = 20, high: float = 235) -> Array:
    return rng.uniform(low, high, 3)


class _Surface:
    """A lit, textured surface of about one colour. Each part can be computed without the others."""

    def __init__(self, colour: Array, light: tuple[Array, Array, float], grain: Array) -> None:
        self._colour, self._light, self._grain = colour, light, grain

    def __getitem__(self, box: tuple[slice, slice]) -> Array:
        across, down, strength = self._light
        light = across[None, box[1]] + down[box[0], None]
        light *= strength
        light += 1
        out: Array = self._colour * light[..., None]
        out += self._grain[box][..., None]
        return out


def _box_of(mask: Array) -> tuple[slice, slice]:
    """The smallest box with all non-zero pixels of a mask: pixels outside need not be computed."""
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(down):
        return slice(0), slice(0)
    return slice(int(down[0]), int(down[-1]) + 1), slice(int(across[0]), int(across[-1]) + 1)


def _blend(canvas: Array, mask: Array, paint: Array | _Surface) -> None:
    box = _box_of(mask)
    part = canvas[box]
    change = paint[box] - part
    change *= mask[box][..., None]
    part += change


def _darken(canvas: Array, mask: Array, strength: float) -> None:
    box = _box_of(mask)
    canvas[box] *= 1 - strength * mask[box][..., None]


def _polygon(size: Size, points: Sequence[Point]) -> Array:
    """Coverage of a polygon whose corners are given from 0 to 1, with soft edges."""
    w, h = size
    big = Image.new("L", (2 * w, 2 * h), 0)
    ImageDraw.Draw(big).polygon([(2 * w * x, 2 * h * y) for x, y in points], fill=255)
    out = np.zeros((h, w))
    box = big.getbbox()
    if box:
        left, top, right, bottom = box[0] // 2, box[1] // 2, (box[2] + 1) // 2, (box[3] + 1) // 2
        part = big.crop((2 * left, 2 * top, 2 * right, 2 * bottom))
        soft = part.resize((right - left, bottom - top), Image.Resampling.BOX)
        np.divide(np.asarray(soft), 255, out=out[top:bottom, left:right])
    return out


def _ellipse(size: Size, centre: Point, radii: Point, turn: float = 0.0) -> Array:
    a = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    x, y = radii[0] * np.cos(a), radii[1] * np.sin(a)
    c, s = np.cos(turn), np.sin(turn)
    px, py = centre[0] + c * x - s * y, centre[1] + s * x + c * y
    return _polygon(size, [(float(u), float(v)) for u, v in zip(px, py, strict=True)])


def _blob(rng: Rng, size: Size, centre: Point, radius: float, corners: int) -> Array:
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = radius * rng.uniform(0.45, 1.3, corners)
    return _polygon(
        size,
        [
            (centre[0] + float(r * np.cos(a)), centre[1] + float(r * np.sin(a)))
            for a, r in zip(angles, reach, strict=True)
        ],
    )


def _paint(rng: Rng, size: Size, colour: Array, rough: float = 14) -> _Surface:
    """A lit, textured surface of about one colour."""
    xx, yy = _grid(size)
    way = rng.uniform(0, 2 * np.pi)
    light = np.cos(way) * (xx[0] - 0.5), np.sin(way) * (yy[:, 0] - 0.5), rng.uniform(0.15, 0.5)
    grain = _noise(rng, size, int(rng.integers(4, 24)))
    grain *= rough
    return _Surface(colour, light, grain)


_WHOLE = (slice(None), slice(None))


def _grain(canvas: Array, seed: int, strength: float) -> Array:
    rng = np.random.default_rng([seed, canvas.shape[0], canvas.shape[1]])
    return canvas + rng.normal(0, strength, (*canvas.shape[:2], 1))


def _image(canvas: Array) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(canvas), 0, 255).astype(np.uint8))


def _rgb(colour: Array) -> tuple[int, int, int]:
    r, g, b = (int(v) for v in np.clip(colour, 0, 255))
    return r, g, b


def _plain(size: Size, colour: Array) -> Array:
    """One colour everywhere, as an array that cannot be written."""
    return np.broadcast_to(colour, (size[1], size[0], 3))


def _flat(size: Size, colour: Array) -> Array:
    return _plain(size, colour).copy()


# -- detailed kinds ------------------------------------------------------------------------


def _scene(rng: Rng, size: Size) -> Array:
    canvas = _paint(rng, size, _colour(rng), 20)[_WHOLE]
    for _ in range(int(rng.integers(9, 18))):
        centre = (float(rng.uniform(0, 1)), float(rng.uniform(0, 1)))
        radius = float(rng.uniform(0.06, 0.32))
        if rng.random() < 0.5:
            mask = _blob(rng, size, centre, radius, int(rng.integers(3, 9)))
        else:
            squash = float(rng.uniform(0.4, 1))
            turn = float(rng.uniform(0, np.pi))
            mask = _ellipse(size, centre, (radius, radius * squash), turn)
        shadow = np.roll(mask, (size[1] // 60 + 1, size[0] // 60 + 1), (0, 1))
        _darken(canvas, shadow, 0.45)
        _blend(canvas, mask, _paint(rng, size, _colour(rng)))
    return canvas


def _portrait(rng: Rng, size: Size) -> Array:
    canvas = _paint(rng, size, _colour(rng, 40, 220), 8)[_WHOLE]
    canvas += 25 * _noise(rng, size, 3, 2)[..., None]
    x, y = float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.34, 0.5))
    r = float(rng.uniform(0.13, 0.24))
    tilt = float(rng.normal(0, 0.2))
    skin = np.array([225.0, 175, 145]) * rng.uniform(0.35, 1.05)
    hair = _colour(rng, 10, 150)

    def at(dx: float, dy: float) -> Point:
        c, s = float(np.cos(tilt)), float(np.sin(tilt))
        return x + r * (c * dx - s * dy), y + r * (s * dx + c * dy)

    body = _ellipse(size, (x + float(rng.normal(0, 0.06)), 1.05), (2.1 * r, 0.62 - y / 2), tilt / 2)
    _blend(canvas, body, _paint(rng, size, _colour(rng), 18))
    for _ in range(int(rng.integers(0, 7))):
        _blend(
            canvas,
            body * _ellipse(size, at(*rng.uniform((-2, 2), (2, 3.5))), (0.05, 0.03), 0.5),
            _plain(size, _colour(rng)),
        )
    tall = float(rng.uniform(1.25, 1.7))
    _blend(canvas, _ellipse(size, at(0, -0.25), (1.2 * r, tall * r), tilt), _paint(rng, size, hair))
    _blend(canvas, _ellipse(size, at(0, 1.2), (0.5 * r, 0.7 * r), tilt), _plain(size, 0.85 * skin))
    _blend(canvas, _ellipse(size, at(0, 0.1), (0.9 * r, 1.25 * r), tilt), _paint(rng, size, skin, 6))
    for side in (-1, 1):
        eye = _ellipse(size, at(0.38 * side, -0.1), (0.17 * r, 0.09 * r), tilt)
        _blend(canvas, eye, _plain(size, np.array([240.0, 240, 235])))
        iris = _ellipse(size, at(0.38 * side, -0.1), (0.08 * r, 0.08 * r))
        _blend(canvas, iris, _plain(size, _colour(rng, 10, 110)))
        brow = _ellipse(size, at(0.38 * side, -0.32), (0.24 * r, 0.05 * r), tilt + 0.15 * side)
        _blend(canvas, brow, _plain(size, 0.6 * hair))
    _blend(canvas, _ellipse(size, at(0.05, 0.3), (0.1 * r, 0.26 * r), tilt), _plain(size, 0.8 * skin))
    mouth = _ellipse(size, at(0, 0.75), (0.34 * r, float(rng.uniform(0.05, 0.15)) * r), tilt)
    _blend(canvas, mouth, _plain(size, np.array([160.0, 60, 60])))
    return canvas


def _landscape(rng: Rng, size: Size) -> Array:
    xx, yy = _grid(size)
    top, low = _colour(rng, 60, 200), _colour(rng, 130, 250)
    canvas = top + (low - top) * yy[..., None]
    clouds = np.clip(_noise(rng, size, int(rng.integers(2, 5)), 5), 0, 2) / 2
    _blend(canvas, clouds * np.clip(1.1 - yy, 0, 1), _plain(size, np.array([250.0, 248, 245])))
    sun = (float(rng.uniform(0, 1)), float(rng.uniform(0.05, 0.35)))
    _blend(canvas, _ellipse(size, sun, (0.05, 0.06)), _plain(size, np.array([255.0, 240, 190])))
    base = float(rng.uniform(0.3, 0.5))
    for k in range(int(rng.integers(3, 6))):
        n = int(rng.integers(5, 24))
        edge = base + rng.normal(0, 0.09 / (1 + 0.4 * k), n)
        line = np.interp(xx[0], np.linspace(0, 1, n), edge)
        mask = np.clip((yy - line) * size[1], 0, 1)
        haze = 0.65 / (1 + k)
        ground = (1 - haze) * _colour(rng, 15, 160) + haze * low
        _blend(canvas, mask, _paint(rng, size, ground, 10 + 4 * k))
        base += float(rng.uniform(0.09, 0.2))
    for _ in range(int(rng.integers(2, 12))):
        x, y, r = (float(v) for v in rng.uniform((0, 0.6, 0.02), (1, 1, 0.09)))
        trunk = [(x - r / 9, y), (x + r / 9, y), (x + r / 12, y - 2 * r), (x - r / 12, y - 2 * r)]
        _blend(canvas, _polygon(size, trunk), _plain(size, np.array([70.0, 50, 35])))
        crown = _blob(rng, size, (x, y - 2.6 * r), 1.3 * r, 14)
        _blend(canvas, crown, _paint(rng, size, np.array([40.0, 95, 40]) * rng.uniform(0.4, 1.6), 22))
    return canvas


def _street(rng: Rng, size: Size) -> Array:
    xx, yy = _grid(size)
    sky = _colour(rng, 90, 230)
    canvas = sky + 40 * (0.5 - yy[..., None]) + 8 * _noise(rng, size, 3)[..., None]
    ground = float(rng.uniform(0.7, 0.88))
    x = float(rng.uniform(-0.15, 0))
    while x < 1:
        wide, roof = float(rng.uniform(0.1, 0.3)), float(rng.uniform(0.05, 0.5))
        wall = [(x, roof), (x + wide, roof), (x + wide, ground), (x, ground)]
        _blend(canvas, _polygon(size, wall), _paint(rng, size, _colour(rng, 40, 210), 10))
        pane = _colour(rng, 15, 90)
        columns, rows = int(rng.integers(2, 6)), int(rng.integers(3, 9))
        dx, dy = wide / columns, (ground - roof) / rows
        for i in range(columns):
            for j in range(rows):
                u, v = x + (i + 0.25) * dx, roof + (j + 0.25) * dy
                lit = 5.0 if rng.random() < 0.2 else float(rng.uniform(0.6, 1.6))
                across = (xx[0] > u) & (xx[0] < u + dx / 2)
                canvas[np.ix_((yy[:, 0] > v) & (yy[:, 0] < v + dy * 0.6), across)] = pane * lit
        x += wide + float(rng.uniform(-0.01, 0.06))
    road = np.clip((yy - ground) * size[1], 0, 1)
    _blend(canvas, road, _paint(rng, size, np.full(3, float(rng.uniform(50, 130))), 9))
    for _ in range(int(rng.integers(1, 5))):
        u, r = float(rng.uniform(0, 1)), float(rng.uniform(0.05, 0.11))
        v = float(rng.uniform(ground, 0.97))
        car = _ellipse(size, (u, v - r / 2), (r, r / 2))
        _blend(canvas, car, _paint(rng, size, _colour(rng), 6))
        for side in (-0.5, 0.5):
            wheel = _ellipse(size, (u + side * r, v), (r / 4, r / 3.5))
            _blend(canvas, wheel, _plain(size, np.full(3, 25.0)))
    return canvas


def _texture(rng: Rng, size: Size) -> Array:
    xx, yy = _grid(size)
    a, b, c = _colour(rng), _colour(rng), _colour(rng)
    warp = 0.08 * _noise(rng, size, 4)
    turn = float(rng.uniform(0, np.pi))
    along = np.cos(turn) * xx + np.sin(turn) * yy + warp
    across = -np.sin(turn) * xx + np.cos(turn) * yy + 0.08 * _noise(rng, size, 4)
    n, m = float(rng.uniform(4, 26)), float(rng.uniform(0, 20))
    weave = 0.5 + 0.25 * np.sin(2 * np.pi * n * along) + 0.25 * np.sin(2 * np.pi * m * across)
    canvas: Array = a + (b - a) * weave[..., None]
    stain = np.clip(_noise(rng, size, int(rng.integers(2, 8)), 5), 0, 1)
    _blend(canvas, 0.8 * stain, _plain(size, c))
    return np.asarray(canvas + 12 * _noise(rng, size, 48, 2)[..., None])


def _table(rng: Rng, size: Size) -> Array:
    """Objects on a table, seen from above."""
    xx, yy = _grid(size)
    wood = np.array([150.0, 105, 70]) * rng.uniform(0.5, 1.5) + rng.normal(0, 20, 3)
    planks = np.floor((yy if rng.random() < 0.5 else xx) * int(rng.integers(3, 8)))
    canvas = wood * (0.9 + 0.2 * np.sin(5.1 * planks))[..., None]
    canvas += 10 * _noise(rng, size, 12, 5)[..., None]
    for _ in range(int(rng.integers(4, 10))):
        centre = (float(rng.uniform(0.08, 0.92)), float(rng.uniform(0.08, 0.92)))
        r, colour = float(rng.uniform(0.05, 0.19)), _colour(rng)
        ring, turn = rng.random(), float(rng.uniform(0, np.pi))
        radii = (r, r * float(rng.uniform(0.35, 1.2)))
        shadow = _ellipse(size, (centre[0] + 0.02, centre[1] + 0.025), radii, turn)
        _darken(canvas, shadow, 0.5)
        _blend(canvas, _ellipse(size, centre, radii, turn), _paint(rng, size, colour, 8))
        if ring < 0.6:
            inner = (radii[0] * 0.7, radii[1] * 0.7)
            _blend(canvas, _ellipse(size, centre, inner, turn), _paint(rng, size, _colour(rng), 14))
        gloss = _ellipse(size, (centre[0] - r / 3, centre[1] - r / 3), (r / 6, r / 9), turn)
        _blend(canvas, 0.7 * gloss, _plain(size, np.full(3, 250.0)))
    return canvas


def _sentence(rng: Rng, words: int) -> str:
    return " ".join(_WORDS[int(i)] for i in rng.integers(0, len(_WORDS), words))


def _text(rng: Rng, size: Size) -> Array:
    w, h = size
    paper = Image.new("RGB", size, _rgb(_colour(rng, 225, 255)))
    pen, ink = ImageDraw.Draw(paper), _rgb(_colour(rng, 0, 70))
    left, step = float(rng.uniform(0.05, 0.14)), float(rng.uniform(0.028, 0.05))
    small = ImageFont.load_default(size=max(5.0, step * h * 0.75))
    large = ImageFont.load_default(size=max(7.0, step * h * 1.5))
    y = float(rng.uniform(0.04, 0.1))
    pen.text((left * w, y * h), _sentence(rng, 3).title(), fill=ink, font=large)
    y += 2.6 * step
    while y < 0.93:
        what = rng.random()
        if what < 0.12:
            y += step
        elif what < 0.2:
            tall = float(rng.uniform(0.08, 0.2))
            box = (left * w, y * h, (left + rng.uniform(0.2, 0.7)) * w, min(0.97, y + tall) * h)
            pen.rectangle(box, fill=_rgb(_colour(rng)), outline=ink)
            y += tall + step / 2
        else:
            line = _sentence(rng, int(rng.integers(3, 14)))
            pen.text((left * w, y * h), line, fill=ink, font=small)
            y += step
    right = Image.new("RGB", (max(1, round(left * w)), h), paper.getpixel((0, 0)))
    paper.paste(right, (w - right.width, 0))
    return np.asarray(paper, dtype=np.float64)


def _chart(rng: Rng, size: Size) -> Array:
    w, h = size
    image = Image.new("RGB", size, (255, 255, 255))
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(5.0, h * 0.035))
    pen.text((w * 0.3, h * 0.03), _sentence(rng, 3), fill=(20, 20, 20), font=font)
    x0, x1, y0, y1 = w * 0.1, w * 0.95, h * 0.12, h * 0.88
    colours = [_rgb(_colour(rng, 20, 220)) for _ in range(4)]
    what = int(rng.integers(0, 4))
    if what < 3:
        for k in range(6):
            y = y1 + (y0 - y1) * k / 5
            pen.line((x0, y, x1, y), fill=(215, 215, 215))
            pen.text((w * 0.02, y - h * 0.02), str(k * 20), fill=(60, 60, 60), font=font)
        pen.line((x0, y0, x0, y1, x1, y1), fill=(0, 0, 0), width=max(1, w // 250))
    if what == 0:
        n = int(rng.integers(4, 13))
        for k, v in enumerate(rng.uniform(0.1, 1, n)):
            a = x0 + (x1 - x0) * (k + 0.15) / n
            b = x0 + (x1 - x0) * (k + 0.85) / n
            pen.rectangle((a, y1 + (y0 - y1) * v, b, y1), fill=colours[k % 2])
    elif what == 1:
        for colour in colours[: int(rng.integers(2, 5))]:
            walk = np.cumsum(rng.normal(0, 1, 40))
            walk = (walk - walk.min()) / max(1e-9, float(np.ptp(walk)))
            px = np.linspace(x0, x1, 40)
            py = y1 + (y0 - y1) * (0.08 + 0.84 * walk)
            line = [(float(u), float(v)) for u, v in zip(px, py, strict=True)]
            pen.line(line, fill=colour, width=max(1, w // 150))
    elif what == 2:
        for colour in colours[:3]:
            at = rng.uniform(0.15, 0.85, 2)
            for u, v in at + rng.normal(0, 0.09, (45, 2)):
                x, y, r = x0 + (x1 - x0) * u, y1 + (y0 - y1) * v, max(1.0, w / 110)
                pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    else:
        cuts = np.concatenate([[0], np.sort(rng.uniform(20, 360, 3)), [360]])
        r = min(w, h) * 0.37
        for k in range(4):
            box = (w / 2 - r, h * 0.53 - r, w / 2 + r, h * 0.53 + r)
            pen.pieslice(box, float(cuts[k]), float(cuts[k + 1]), fill=colours[k])
    return np.asarray(image, dtype=np.float64)


def _screen(rng: Rng, size: Size) -> Array:
    """A program's window: bars, panels, lines of text, a small image."""
    w, h = size
    dark = rng.random() < 0.5
    back = _colour(rng, 15, 60) if dark else _colour(rng, 200, 250)
    ink = (225, 225, 225) if dark else (35, 35, 35)
    image = Image.new("RGB", size, _rgb(back))
    pen = ImageDraw.Draw(image)
    bar, side = float(rng.uniform(0.05, 0.11)), float(rng.uniform(0.12, 0.3))
    pen.rectangle((0, 0, w, h * bar), fill=_rgb(_colour(rng)))
    on_left = rng.random() < 0.6
    panel = (0, h * bar, w * side, h) if on_left else (w * (1 - side), h * bar, w, h)
    pen.rectangle(panel, fill=_rgb(back * 0.8 + 15))
    font = ImageFont.load_default(size=max(5.0, h * 0.032))
    pen.text((w * 0.02, h * bar * 0.25), _sentence(rng, 4), fill=(250, 250, 250), font=font)
    for k in range(int(rng.integers(4, 12))):
        y = h * (bar + 0.04 + 0.07 * k)
        pen.ellipse((panel[0] + w * 0.01, y, panel[0] + w * 0.03, y + w * 0.02), fill=ink)
        pen.text((panel[0] + w * 0.04, y), _sentence(rng, 1), fill=ink, font=font)
    a = w * (side + 0.03) if on_left else w * 0.03
    b = w * 0.97 if on_left else w * (0.97 - side)
    y = h * (bar + 0.05)
    while y < h * 0.95:
        if rng.random() < 0.3:
            tall = h * float(rng.uniform(0.08, 0.3))
            wide = (b - a) * float(rng.uniform(0.3, 1))
            inner = (max(1, round(wide)), max(1, round(tall)))
            image.paste(_image(_landscape(rng, inner)), (round(a), round(y)))
            y += tall + h * 0.02
        else:
            line = _sentence(rng, int(rng.integers(2, 9)))
            pen.text((a, y), line, fill=ink, font=font)
            y += h * 0.05
    return np.asarray(image, dtype=np.float64)


# -- kinds with low detail -------------------------------------------------------------------


def _white(rng: Rng, size: Size) -> Array:
    return _flat(size, np.full(3, 255.0))


def _black(rng: Rng, size: Size) -> Array:
    return _flat(size, np.zeros(3))


def _one_colour(rng: Rng, size: Size) -> Array:
    return _flat(size, _colour(rng, 0, 255))


def _linear(rng: Rng, size: Size) -> Array:
    xx, yy = _grid(size)
    a, b = _colour(rng, 0, 255), _colour(rng, 0, 255)
    turn = float(rng.uniform(0, 2 * np.pi))
    t = 0.5 + (np.cos(turn) * (xx - 0.5) + np.sin(turn) * (yy - 0.5)) / np.sqrt(2)
    return np.asarray(a + (b - a) * t[..., None])


def _radial(rng: Rng, size: Size) -> Array:
    xx, yy = _grid(size)
    a, b = _colour(rng, 0, 255), _colour(rng, 0, 255)
    x, y = rng.uniform(0.3, 0.7, 2)
    t = np.clip(np.hypot(xx - x, yy - y) / float(rng.uniform(0.5, 0.9)), 0, 1)
    return np.asarray(a + (b - a) * t[..., None])


def _sky(rng: Rng, size: Size) -> Array:
    _, yy = _grid(size)
    top = np.array([90.0, 140, 210]) + rng.normal(0, 15, 3)
    low = np.array([185.0, 210, 235]) + rng.normal(0, 12, 3)
    canvas = top + (low - top) * yy[..., None]
    return canvas + 1.5 * _noise(rng, size, 3, 2)[..., None] + rng.normal(0, 1, canvas.shape)


def _dark_frame(rng: Rng, size: Size) -> Array:
    shape = (size[1], size[0], 3)
    frame = float(rng.uniform(1, 5)) + rng.normal(0, float(rng.uniform(1.5, 4)), shape)
    hot = rng.random(shape[:2]) < 2e-4
    frame[hot] += rng.uniform(40, 200)
    return frame


def _empty_scan(rng: Rng, size: Size) -> Array:
    xx, yy = _grid(size)
    paper = np.array([246.0, 244, 238]) + rng.normal(0, 3, 3)
    edge = (xx - 0.5) ** 2 + (yy - 0.5) ** 2
    canvas = paper * (1 - float(rng.uniform(0.03, 0.12)) * edge[..., None])
    fibre = 1.2 * _noise(rng, size, 40, 3) + rng.normal(0, 1.2, xx.shape)
    return np.asarray(canvas + fibre[..., None])


def _sigmoid(rng: Rng, size: Size) -> Array:
    _, yy = _grid(size)
    a, b = _colour(rng, 0, 255), _colour(rng, 0, 255)
    steep, middle = float(rng.uniform(6, 25)), float(rng.uniform(0.3, 0.7))
    t = 1 / (1 + np.exp(-steep * (yy - middle)))
    return np.asarray(a + (b - a) * t[..., None])


_Drawer = Callable[[Rng, Size], Array]
_DETAILED: dict[str, tuple[_Drawer, float]] = {  # how to draw it, grain of the camera
    "scene": (_scene, 4),
    "portrait": (_portrait, 3),
    "landscape": (_landscape, 3),
    "street": (_street, 3),
    "table": (_table, 4),
    "texture": (_texture, 5),
    "text": (_text, 1.5),
    "chart": (_chart, 0),
    "screen": (_screen, 0),
}
_LOW: dict[str, _Drawer] = {
    "white": _white,
    "black": _black,
    "flat": _one_colour,
    "linear": _linear,
    "radial": _radial,
    "sky": _sky,
    "dark_frame": _dark_frame,
    "empty_scan": _empty_scan,
    "sigmoid": _sigmoid,
}
KINDS: tuple[str, ...] = tuple(_DETAILED)
LOW_KINDS: tuple[str, ...] = tuple(_LOW)


def draw(kind: str, seed: int, size: Size) -> Image.Image:
    """An RGB image of one of KINDS or LOW_KINDS; size is (width, height)."""
    return _drawn(kind, seed, size).copy()


@lru_cache(maxsize=64)  # many tests draw the same ones
def _drawn(kind: str, seed: int, size: Size) -> Image.Image:
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    if kind in _LOW:
        return _image(_LOW[kind](rng, size))
    drawer, grain = _DETAILED[kind]
    return _image(_grain(drawer(rng, size), seed, grain))


# -- files -----------------------------------------------------------------------------------


def clouds(seed: int, size: Size, cells: Size, blur: float) -> Image.Image:
    """Soft clouds of colour, with few keypoints."""
    rng = np.random.default_rng(seed)
    few = Image.fromarray(rng.integers(0, 256, (cells[1], cells[0], 3), dtype=np.uint8))
    return few.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(blur))


def on_plain_background(seed: int, size: Size, thing: Size, at: Size, background: tuple[int, int, int]) -> Image.Image:
    """A small object on a plain background."""
    out = Image.new("RGB", size, background)
    out.paste(draw("scene", seed, thing), at)
    return out


def save_modes(folder: Path) -> list[Path]:
    """Images in many formats and pixel modes, saved in `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    saved: list[Path] = []

    def save(image: Image.Image, name: str, **options: Any) -> None:
        path = folder / name
        image.save(path, **options)
        saved.append(path)

    def drawn(kind: str, seed: int) -> Image.Image:
        return draw(kind, seed, (161, 120))

    def alpha(seed: int) -> Image.Image:
        return draw("radial", seed, (161, 120)).convert("L")

    def deep(seed: int) -> NDArray[np.uint16]:
        gray = np.asarray(drawn("landscape", seed).convert("L")).astype(np.uint16)
        return gray * 257

    rgb = drawn("scene", 1)
    save(rgb, "rgb.jpg", quality=90)
    save(rgb, "rgb_444.jpg", quality=95, subsampling=0)
    save(drawn("table", 2), "progressive.jpg", quality=80, progressive=True)
    save(drawn("portrait", 3).convert("L"), "gray.jpg", quality=85)
    save(drawn("street", 4).convert("CMYK"), "cmyk.jpg", quality=90)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        save(drawn("landscape", 5), f"orientation_{turn}.jpg", quality=88, exif=exif)

    save(drawn("scene", 6), "rgb.png")
    save(drawn("texture", 7).convert("L"), "l.png")
    la = drawn("portrait", 8).convert("LA")
    la.putalpha(alpha(8))
    save(la, "la.png")
    palette = drawn("chart", 9).quantize(64)
    save(palette, "p.png")
    save(palette, "p_transparent.png", transparency=3)
    save(palette, "p_transparent_bytes.png", transparency=bytes(range(0, 256, 4)))
    rgba = drawn("table", 10).convert("RGBA")
    rgba.putalpha(alpha(10))
    save(rgba, "rgba.png")
    save(rgb, "rgb_transparent.png", transparency=rgb.getpixel((0, 0)))
    save(Image.fromarray(deep(11)), "deep.png")
    save(drawn("text", 12).convert("1"), "one_bit.png")
    save(drawn("screen", 13).quantize(4), "p_2bit.png", bits=2)

    save(drawn("landscape", 14).quantize(128), "p.gif")
    save(palette, "p_transparent.gif", transparency=3)
    frames = [drawn("scene", 20 + k).quantize(64) for k in range(3)]
    save(frames[0], "animated.gif", save_all=True, append_images=frames[1:], duration=80)
    save(drawn("street", 15), "rgb.bmp")
    save(drawn("street", 16).convert("L"), "l.bmp")
    save(drawn("text", 17).convert("1"), "one_bit.bmp")
    save(drawn("texture", 18), "rgb.ppm")

    save(drawn("portrait", 19), "rgb.tiff")
    save(drawn("chart", 23), "rgb_lzw.tiff", compression="tiff_lzw")
    save(drawn("scene", 24).convert("CMYK"), "cmyk.tiff")
    save(Image.fromarray(deep(25)), "i16.tiff")
    unit = deep(26).astype(np.float32) / 65535
    save(Image.fromarray(unit), "float_unit.tiff")
    save(Image.fromarray(unit * 255), "float_bytes.tiff")
    save(Image.fromarray(deep(27).astype(np.int32) - 20000), "int32.tiff")

    save(drawn("scene", 28), "lossy.webp", quality=80)
    save(drawn("chart", 29), "lossless.webp", lossless=True)
    save(rgba, "alpha.webp", quality=85)
    save(rgba, "alpha_lossless.webp", lossless=True)
    save(rgb, "looks_like_png.png", format="JPEG", quality=75)
    return saved
