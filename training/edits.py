"""Edited views of images, as people and programs make them: random, and the same for the same seed."""

from __future__ import annotations

import io
import string
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training import render
from training.geometry import Views

Bytes = NDArray[np.uint8]
Rng = np.random.Generator
Some = Callable[[float], NDArray[np.bool_]]
"""Chooses the images that get an edit; the argument is its probability at rate 1."""

MASKS = 400
"""Number of text masks, drawn once and laid over images."""


@dataclass(frozen=True)
class Batch:
    """`first` and `second`: two views (n, side, side, 3) of each image.

    `images` (n): their indices. `guest` (n): the position in the batch of the image that is mixed into the second
    view, or -1; `share` (n): the share of the second view that comes from its own image, 1 without a guest.
    """

    images: NDArray[np.int64]
    first: Bytes
    second: Bytes
    guest: NDArray[np.int64]
    share: NDArray[np.float32]


class Editor:
    """Makes batches of `side` pixels from packed `levels` (see `pack.load`)."""

    def __init__(self, levels: list[Bytes], side: int) -> None:
        self.levels = levels
        self.side = side
        self.masks = _words(np.random.default_rng(5))

    def batch(self, images: NDArray[np.int64], rng: Rng) -> Batch:
        """Two views of each of `images`: the first one unedited or nearly, sometimes edited, the second one edited."""
        n = len(images)
        kind = rng.random(n)
        first = np.where(kind < 0.45, 0.0, np.where(kind < 0.7, 0.25, 0.8))
        second = rng.choice([0.45, 0.8, 1.2], n, p=[0.35, 0.4, 0.25])
        left = self._views(images, first, rng)
        right = self._views(images, second, rng)
        guest, share = self._mix(right, rng)
        return Batch(images, left, right, guest, share)

    def _mix(self, views: Bytes, rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Blend or inlay another image of the batch into one view in eight, in place."""
        n, side = len(views), self.side
        guest, share = np.full(n, -1, np.int64), np.ones(n, np.float32)
        kept = views.copy()
        for k in np.flatnonzero(rng.random(n) < 0.12):
            j = int((k + rng.integers(1, n)) % n)
            blended, part = rng.random() < 0.4, rng.uniform(0.35, 0.65)
            if blended:
                views[k] = (kept[k] * part + kept[j] * (1 - part)).astype(np.uint8)
            else:
                edge = int(side * part)
                if rng.random() < 0.5:
                    views[k, :, edge:] = kept[j][:, edge:]
                else:
                    views[k, edge:] = kept[j][edge:]
            guest[k], share[k] = j, part
        return guest, share

    def _views(self, images: NDArray[np.int64], rate: NDArray[np.float64], rng: Rng) -> Bytes:
        n, side = len(images), self.side

        def some(chance: float) -> NDArray[np.bool_]:
            return rng.random(n) < chance * rate

        moved = _move(n, some, rng)
        back = moved.squashed()
        scale = np.sqrt(np.abs(np.linalg.det(back[:, :2, :2]))) * len(self.levels[0][0]) / side
        level = np.clip(np.round(np.log2(np.maximum(scale, 1e-6)) - 0.1), 0, len(self.levels) - 1).astype(int)
        fill = rng.choice(5, n, p=[0.5, 0.12, 0.26, 0.07, 0.05])
        colours = _colours(rng, 2 * n).reshape(n, 2, 3)
        bars = np.where((rng.random(n) < 0.35)[:, None, None], _bars(n, rng), 0).astype(np.float32)
        others = rng.integers(0, len(self.levels[0]), (n, 2))
        seeds = rng.integers(0, 2**31, (n, 2))

        coloured = some(0.8)
        matrix = _matrices(n, rng)
        gamma = np.where(some(0.3), np.exp(rng.normal(0, 0.4, n)), 1.0)
        steps = np.where(some(0.06), rng.integers(3, 9, n), 0)
        dusk = np.where(some(0.1), rng.uniform(0.3, 1.6, n), 0)
        shapes = _shapes(n, some, rng)
        cells = np.where(some(0.22), np.exp(rng.uniform(np.log(0.12), np.log(0.7), n)) * side, 0).astype(int)
        blocky = rng.random(n) < 0.25
        blurred, sharpened, streaked = some(0.18), some(0.12), some(0.04)
        sigma = np.exp(rng.uniform(np.log(0.4), np.log(2.2), n)) * side / 128
        across = np.where(blurred | sharpened | streaked, sigma * np.where(streaked, 1.6, 1), 0)
        down = np.where(blurred | sharpened, sigma, 0)
        sharper = np.where(sharpened, rng.uniform(0.5, 3.0, n), 0)
        noise = np.where(some(0.18), np.exp(rng.uniform(np.log(4), np.log(40), n)), 0)
        specks = np.where(some(0.03), rng.uniform(0.005, 0.08, n), 0)
        alike = rng.random(n) < 0.4
        quality = np.where(some(0.35), np.exp(rng.uniform(np.log(6), np.log(90), n)), 0).astype(int)

        out = np.empty((n, side, side, 3), np.uint8)
        drawn = np.empty((side, side, 3), np.float32)
        for k, image in enumerate(images):
            fine = self.levels[level[k]][image]
            guest = self.levels[0][others[k, 0]]
            render.fetch(fine, guest, back[k], moved.seen[k], fill[k], colours[k], bars[k], seeds[k, 0], drawn)
            if coloured[k] or gamma[k] != 1 or steps[k] or dusk[k]:
                render.recolour(drawn, matrix[k] if coloured[k] else _SAME, gamma[k], steps[k], dusk[k])
            if shapes[k, :, 0].any():
                render.cover(drawn, shapes[k], self.masks, self.levels[1][others[k, 1]])
            if cells[k]:
                render.coarsen(drawn, max(cells[k], 6), blocky[k])
            if across[k] or down[k]:
                render.smooth(drawn, across[k], down[k], sharper[k])
            if noise[k] or specks[k]:
                render.grain(drawn, noise[k], specks[k], alike[k], seeds[k, 1])
            render.finish(drawn, out[k])
            if quality[k]:
                out[k] = _jpeg(out[k], int(quality[k]))
        return out


def _move(n: int, some: Some, rng: Rng) -> Views:
    views = Views(np.exp(np.clip(rng.normal(0.15, 0.33, n), -0.9, 0.9)))
    area = np.exp(rng.uniform(np.log(0.22), 0, n))
    stretch = np.exp(rng.normal(0, 0.18, n))
    width, height = np.minimum(np.sqrt(area) * stretch, 1), np.minimum(np.sqrt(area) / stretch, 1)
    # half of the crops are anywhere, the others remove something from one or two sides
    left, top = rng.random(n) * (1 - width), rng.random(n) * (1 - height)
    corner = rng.random((2, n)) < 0.25
    left, top = (
        np.where(corner[0], np.round(rng.random(n)) * (1 - width), left),
        np.where(corner[1], np.round(rng.random(n)) * (1 - height), top),
    )
    views.cut(some(0.5), left, top, width, height)
    views.mirror(some(0.25))
    quarters = np.where(some(0.3), rng.choice([1, 2, 2, 3], n), 0)
    for k in (1, 2, 3):
        views.quarter(quarters >= k)
    free = rng.random(n)
    angle = np.where(
        free < 0.5, rng.normal(0, 6, n), np.where(free < 0.9, rng.uniform(-45, 45, n), rng.uniform(-180, 180, n))
    )
    grow = np.where(
        rng.random(n) < 0.45, 1.0, np.where(rng.random(n) < 0.6, 0.0, -0.35 * np.minimum(1, abs(angle) / 30))
    )
    views.turn(some(0.45), np.radians(angle), grow)
    views.tilt(some(0.14), rng.normal(0, 0.12, (n, 2)), rng.uniform(-0.4, 0.4, (n, 2)))
    views.frame(some(0.45), *_margins(n, rng))
    return views


_SAME = np.eye(3, 4, dtype=np.float32)


def _margins(n: int, rng: Rng) -> NDArray[np.float64]:
    """(4, n): left, top, right, bottom, as shares: an even frame, bars, a caption, or anywhere on a page."""
    kind = rng.random(n)
    even = np.exp(rng.uniform(np.log(0.02), np.log(0.35), n))
    page = rng.uniform(0.05, 1.3, n)
    x, y = rng.random(n), rng.random(n)
    anywhere = np.stack([page * x, page * y, page * (1 - x), page * (1 - y)])
    band = rng.uniform(0.05, 0.5, (2, n))
    side = rng.integers(0, 3, n)
    bands = np.stack([np.zeros(n), band[0] * (side != 1), np.zeros(n), band[1] * (side != 0)])
    bands = np.where(rng.random(n) < 0.2, bands[[1, 0, 3, 2]], bands)
    frame = np.tile(even, (4, 1)) * np.where(rng.random(n) < 0.7, 1, rng.random((4, n)))
    return np.where(kind < 0.35, frame, np.where(kind < 0.65, bands, anywhere))


def _colours(rng: Rng, n: int) -> NDArray[np.float32]:
    """Often black and white, greys, any colour."""
    kind = rng.random((n, 1))
    grey = np.repeat(rng.uniform(0, 255, (n, 1)), 3, axis=1)
    plain = np.repeat(np.where(rng.random((n, 1)) < 0.5, 0.0, 255.0), 3, axis=1)
    return np.where(kind < 0.45, plain, np.where(kind < 0.7, grey, rng.uniform(0, 255, (n, 3)))).astype(np.float32)


def _bars(n: int, rng: Rng) -> NDArray[np.float64]:
    """(n, 5, 7): bars and boxes around an image on a page: some across the whole page, some anywhere."""
    corner = rng.uniform(-0.1, 0.95, (n, 5, 2))
    extent = np.exp(rng.uniform(np.log(0.02), np.log(0.6), (n, 5, 2)))
    corner[:, 0] = np.where(rng.random((n, 1)) < 0.5, 0, corner[:, 0])
    extent[:, 0, 0] = np.where(rng.random(n) < 0.5, 1.2, extent[:, 0, 0])
    return np.concatenate([corner, corner + extent, _colours(rng, 5 * n).reshape(n, 5, 3)], axis=2)


def _matrices(n: int, rng: Rng) -> NDArray[np.float32]:
    """(n, 3, 4): brightness, contrast, saturation, hue, tint, grey, negative, in one linear step."""

    def chosen(chance: float, values: NDArray[np.float64], else_: float) -> NDArray[np.float64]:
        return np.where(rng.random(n) < chance, values, else_)

    luma = np.array([0.299, 0.587, 0.114])
    saturation = chosen(0.4, np.exp(rng.normal(0, 0.6, n)), 1.0)
    saturation = np.where(rng.random(n) < 0.25, 0.0, saturation)
    hue = chosen(0.25, rng.normal(0, 0.5, n), 0.0)
    axis = np.full(3, 3**-0.5)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = (
        np.cos(hue)[:, None, None] * np.eye(3)
        + np.sin(hue)[:, None, None] * cross
        + (1 - np.cos(hue))[:, None, None] * np.outer(axis, axis)
    )
    wash = saturation[:, None, None] * np.eye(3) + (1 - saturation)[:, None, None] * np.outer(np.ones(3), luma)
    gain = np.exp(rng.normal(0, 0.3, n)) * chosen(0.3, rng.uniform(0.4, 1.0, n), 1.0)
    contrast = np.exp(rng.normal(0, 0.3, n))
    tint = np.where((rng.random(n) < 0.3)[:, None], np.exp(rng.normal(0, 0.22, (n, 3))), 1.0)
    linear = (gain * contrast)[:, None, None] * tint[:, :, None] * (wash @ turn)
    lift = 128 * (1 - contrast) + chosen(0.4, rng.normal(0, 25, n), 0.0)
    negative = rng.random(n) < 0.03
    linear = np.where(negative[:, None, None], -linear, linear)
    lift = np.where(negative, 255 - lift, lift)
    return np.concatenate([linear, np.repeat(lift[:, None, None], 3, axis=1)], axis=2).astype(np.float32)


def _shapes(n: int, some: Some, rng: Rng) -> NDArray[np.float32]:
    """(n, 4, 13), see `render.cover`: boxes, discs, lines of text, patches of other images."""
    out = np.zeros((n, 4, 13), np.float32)
    any_ = some(0.45)[:, None] & (rng.random((n, 4)) < [1.0, 0.45, 0.25, 0.15])
    kind = rng.choice([render.BOX, render.DISC, render.WORDS, render.PATCH], (n, 4), p=[0.2, 0.2, 0.45, 0.15])
    out[..., 0] = np.where(any_, kind, render.NOTHING)
    out[..., 1:3] = rng.uniform(0.02, 0.98, (n, 4, 2))
    size = np.exp(rng.uniform(np.log(0.05), np.log(0.22), (n, 4, 2)))
    text = kind == render.WORDS
    wide = np.exp(rng.uniform(np.log(0.12), np.log(0.6), (n, 4)))
    out[..., 3] = np.where(text, wide, size[..., 0])
    out[..., 4] = np.where(text, wide * rng.uniform(0.08, 0.3, (n, 4)), size[..., 1])
    out[..., 1] = np.where(text, rng.normal(0.5, 0.15, (n, 4)), out[..., 1])
    angle = np.where(rng.random((n, 4)) < 0.3, rng.normal(0, 0.5, (n, 4)), 0)
    out[..., 5], out[..., 6] = np.cos(angle), np.sin(angle)
    out[..., 7] = np.where(rng.random((n, 4)) < 0.6, 1.0, rng.uniform(0.25, 0.9, (n, 4)))
    out[..., 8:11] = _colours(rng, 4 * n).reshape(n, 4, 3)
    out[..., 11] = rng.integers(0, MASKS, (n, 4))
    out[..., 12] = rng.random((n, 4)) < 0.7
    return out


def _words(rng: Rng) -> Bytes:
    """(MASKS, 48, 192): one or two lines of random words, ink 255, the outline around it 128."""
    out = np.zeros((MASKS, 48, 192), np.uint8)
    letters = list(string.ascii_letters + string.digits + "!?.,:-&%")
    for k in range(MASKS):
        lines = int(rng.integers(1, 3))
        text = "\n".join(
            " ".join("".join(rng.choice(letters, int(rng.integers(1, 9)))) for _ in range(int(rng.integers(1, 5))))
            for _ in range(lines)
        )
        font = ImageFont.load_default(size=40 // lines - 2)
        image = Image.new("L", (900, 120))
        draw = ImageDraw.Draw(image)
        draw.text((20, 20), text, fill=255, stroke_width=2, stroke_fill=128, font=font)
        box = image.getbbox()
        ink = np.asarray(image.crop(box).resize((192, 48), Image.Resampling.NEAREST))
        out[k] = ink
    return np.where(out > 191, 255, np.where(out > 63, 128, 0)).astype(np.uint8)


def _jpeg(view: Bytes, quality: int) -> Bytes:
    held = io.BytesIO()
    Image.fromarray(view).save(held, "JPEG", quality=quality)
    with Image.open(held) as image:
        return np.asarray(image.convert("RGB"))
