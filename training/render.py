"""The compiled loops that render edited images: resample, recolour, draw overlays, blur."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

FLAT, SLOPE, IMAGE, SMEAR, STATIC = range(5)
"""The fill of the canvas around the image: a colour, a gradient of two colours, another image, the edge, noise."""
NOTHING, BOX, DISC, WORDS, PATCH = range(5)
"""The overlays on the image."""

jit: Any = numba.njit(nogil=True, fastmath=True, cache=True, boundscheck=False)


@jit
def _sample(level: Bytes, x: float, y: float, out: Floats) -> None:
    """`level` (side, side, 3) at a point of its unit square, by bilinear interpolation."""
    side = level.shape[0]
    fx = min(max(x * side - 0.5, 0.0), side - 1.0)
    fy = min(max(y * side - 0.5, 0.0), side - 1.0)
    x0, y0 = int(fx), int(fy)
    x1, y1 = min(x0 + 1, side - 1), min(y0 + 1, side - 1)
    ax, ay = np.float32(fx - x0), np.float32(fy - y0)
    bx, by = np.float32(1) - ax, np.float32(1) - ay
    for c in range(3):
        top = level[y0, x0, c] * bx + level[y0, x1, c] * ax
        low = level[y1, x0, c] * bx + level[y1, x1, c] * ax
        out[c] = top * by + low * ay


@jit
def fetch(
    level: Bytes,
    other: Bytes,
    back: NDArray[np.float64],
    seen: NDArray[np.float64],
    fill: int,
    colours: Floats,
    bars: Floats,
    seed: int,
    out: Floats,
) -> None:
    """Draw one transformed image into `out` (side, side, 3); `bars` (k, 4 + 3) are boxes drawn on its surroundings."""
    np.random.seed(seed)
    side = out.shape[0]
    for row in range(side):
        v = (row + 0.5) / side
        for column in range(side):
            u = (column + 0.5) / side
            w = back[2, 0] * u + back[2, 1] * v + back[2, 2]
            x = (back[0, 0] * u + back[0, 1] * v + back[0, 2]) / w
            y = (back[1, 0] * u + back[1, 1] * v + back[1, 2]) / w
            inside = w > 0 and seen[0] <= x <= seen[2] and seen[1] <= y <= seen[3]
            pixel = out[row, column]
            if inside or fill == SMEAR:
                _sample(level, min(max(x, seen[0]), seen[2]), min(max(y, seen[1]), seen[3]), pixel)
                continue
            if fill == IMAGE:
                _sample(other, u, v, pixel)
            else:
                for c in range(3):
                    pixel[c] = colours[0, c]
                    if fill == SLOPE:
                        pixel[c] += (colours[1, c] - colours[0, c]) * np.float32(v)
                    elif fill == STATIC:
                        pixel[c] += np.float32(np.random.normal(0.0, 40.0))
            for bar in bars:
                if bar[0] <= u < bar[2] and bar[1] <= v < bar[3]:
                    for c in range(3):
                        pixel[c] = bar[4 + c]


@jit
def recolour(out: Floats, matrix: Floats, gamma: float, steps: int, dusk: float) -> None:
    """A linear change of colours `matrix` (3, 4), a gamma, fewer levels (0: all), vignetting."""
    side = out.shape[0]
    r = np.empty(3, np.float32)
    for row in range(side):
        for column in range(side):
            p = out[row, column]
            for c in range(3):
                r[c] = matrix[c, 0] * p[0] + matrix[c, 1] * p[1] + matrix[c, 2] * p[2] + matrix[c, 3]
            shade = 1.0
            if dusk > 0:
                dy, dx = (row + 0.5) / side - 0.5, (column + 0.5) / side - 0.5
                shade = max(0.0, 1.0 - dusk * 2.0 * (dx * dx + dy * dy))
            for c in range(3):
                t = min(max(r[c], np.float32(0)), np.float32(255))
                if gamma != 1:
                    t = np.float32(255.0 * (t / 255.0) ** gamma)
                if steps > 0:
                    t = np.float32(math.floor(t * steps / 256.0) * 255.0 / (steps - 1))
                p[c] = np.float32(t * shade)


@jit
def cover(out: Floats, shapes: Floats, masks: Bytes, other: Bytes) -> None:
    """Draw `shapes` (k, 13): kind, x, y, half width, half height, cos, sin, opacity, colour (3), mask, outline."""
    side = out.shape[0]
    pixel = np.empty(3, np.float32)
    for s in shapes:
        kind = int(s[0])
        if kind == NOTHING:
            continue
        reach = math.hypot(s[3], s[4])
        r0, r1 = max(0, int((s[2] - reach) * side)), min(side, int((s[2] + reach) * side) + 2)
        c0, c1 = max(0, int((s[1] - reach) * side)), min(side, int((s[1] + reach) * side) + 2)
        for row in range(r0, r1):
            for column in range(c0, c1):
                dx, dy = (column + 0.5) / side - s[1], (row + 0.5) / side - s[2]
                a, b = (dx * s[5] + dy * s[6]) / s[3], (dy * s[5] - dx * s[6]) / s[4]
                if abs(a) >= 1 or abs(b) >= 1 or (kind == DISC and a * a + b * b > 1):
                    continue
                part = np.float32(s[7])
                pixel[0], pixel[1], pixel[2] = s[8], s[9], s[10]
                if kind == WORDS:
                    mask = masks[int(s[11])]
                    x, y = int((a + 1) / 2 * mask.shape[1]), int((b + 1) / 2 * mask.shape[0])
                    ink = mask[y, x]
                    if ink == 128 and s[12] > 0:
                        for c in range(3):
                            pixel[c] = np.float32(255) - pixel[c]
                    elif ink < 255:
                        continue
                elif kind == PATCH:
                    _sample(other, (a + 1) / 2, (b + 1) / 2, pixel)
                for c in range(3):
                    out[row, column, c] += (pixel[c] - out[row, column, c]) * part


@jit
def smooth(out: Floats, across: float, down: float, sharper: float) -> None:
    """Gaussian blur with sigmas `across` and `down` in pixels; with `sharper`, an unsharp mask of that strength."""
    side = out.shape[0]
    kept = out.copy()
    line = np.empty((side, 3), np.float32)
    for axis in range(2):
        sigma = across if axis == 0 else down
        if sigma <= 0.05:
            continue
        reach = math.ceil(2.5 * sigma)
        weights = np.empty(2 * reach + 1, np.float32)
        for k in range(-reach, reach + 1):
            weights[k + reach] = math.exp(-0.5 * (k / sigma) ** 2)
        weights /= weights.sum()
        for one in range(side):
            for k in range(side):
                line[k, 0] = line[k, 1] = line[k, 2] = 0
                for t in range(-reach, reach + 1):
                    j = min(max(k + t, 0), side - 1)
                    weight = weights[t + reach]
                    for c in range(3):
                        line[k, c] += weight * (out[one, j, c] if axis == 0 else out[j, one, c])
            for k in range(side):
                for c in range(3):
                    if axis == 0:
                        out[one, k, c] = line[k, c]
                    else:
                        out[k, one, c] = line[k, c]
    if sharper > 0:
        for row in range(side):
            for column in range(side):
                for c in range(3):
                    out[row, column, c] = kept[row, column, c] * (1 + sharper) - out[row, column, c] * sharper


@jit
def coarsen(out: Floats, cells: int, blocky: bool) -> None:
    """Downscale to `cells` × `cells` means and upscale again: as squares, or interpolated."""
    side = out.shape[0]
    small = np.zeros((cells, cells, 3), np.float32)
    count = np.zeros((cells, cells), np.float32)
    for row in range(side):
        for column in range(side):
            i, j = row * cells // side, column * cells // side
            count[i, j] += 1
            for c in range(3):
                small[i, j, c] += out[row, column, c]
    for row in range(side):
        for column in range(side):
            if blocky:
                i, j = row * cells // side, column * cells // side
                for c in range(3):
                    out[row, column, c] = small[i, j, c] / count[i, j]
                continue
            fy = min(max((row + 0.5) * cells / side - 0.5, 0.0), cells - 1.0)
            fx = min(max((column + 0.5) * cells / side - 0.5, 0.0), cells - 1.0)
            i, j = int(fy), int(fx)
            k, m = min(i + 1, cells - 1), min(j + 1, cells - 1)
            ay, ax = fy - i, fx - j
            for c in range(3):
                top = small[i, j, c] / count[i, j] * (1 - ax) + small[i, m, c] / count[i, m] * ax
                low = small[k, j, c] / count[k, j] * (1 - ax) + small[k, m, c] / count[k, m] * ax
                out[row, column, c] = top * (1 - ay) + low * ay


@jit
def grain(out: Floats, sigma: float, specks: float, grey: bool, seed: int) -> None:
    """Noise of `sigma` levels, in each channel or (`grey`) the same in all, and a share of black and white specks."""
    np.random.seed(seed)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            if specks > 0 and np.random.random() < specks:
                value = np.float32(255 if np.random.random() < 0.5 else 0)
                for c in range(3):
                    out[row, column, c] = value
            elif sigma > 0:
                shared = np.random.normal(0.0, sigma)
                for c in range(3):
                    out[row, column, c] += np.float32(shared if grey else np.random.normal(0.0, sigma))


@jit
def finish(drawn: Floats, out: Bytes) -> None:
    """Round and clip into `out`."""
    for row in range(drawn.shape[0]):
        for column in range(drawn.shape[1]):
            for c in range(3):
                out[row, column, c] = np.uint8(min(max(drawn[row, column, c] + 0.5, 0.0), 255.0))
