"""Compiled loops: the orientation of a keypoint, and its RootSIFT descriptor.

Source: D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004, sections 5 and 6; square roots:
R. Arandjelović, A. Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012. Other than
there, the pixels around a keypoint are resampled to an upright grid first, so that every keypoint costs the same.
"""

import math
from typing import Any

import numpy as np

from twinpix.localfeatures.scale_space import IMAGE, LEVEL, OCTAVE, SCALES, X, Y, first_sigma, images_of
from twinpix.search.kernels.jit import compiled

CELLS, BINS = 4, 8  # cells along a side, and orientation bins of a cell
GRID = 16  # samples along a side
_CELL = 3.0  # side of a cell in sigmas
_LARGEST = 0.2  # largest share of one bin in the length of a descriptor: a bright edge is not all of it
_DIRECTIONS = 36  # bins of the orientation histogram
_AROUND, _REACH = 1.5, 2.5  # sigma of its weights, in sigmas of the keypoint; its radius in those
_PEAK = 0.8  # a peak of at least this share of the highest one gives a keypoint of its own
_FARTHEST = 19  # pixels: the largest such radius
_SAMPLES = (2 * _FARTHEST + 1) ** 2  # of a histogram, at most; the grid has fewer
_RIM = CELLS + 2  # cells along a side with one around, so that no sample has to be tested

_f32 = np.float32


@compiled(error_model="numpy")
def describe(space: Any, sizes: Any, found: Any, order: Any, place: Any, size: Any, angle: Any, out: Any) -> Any:
    """Write position, diameter, orientation and descriptor of the keypoints of the extrema `found[order]`.

    `space`, `sizes` and `found` are those of `find_extrema`. Stops when the outputs are full; returns the number of
    keypoints.
    """
    samples = np.empty((4, _SAMPLES), np.float32)
    histogram, smooth = np.empty(_DIRECTIONS, np.float32), np.empty(_DIRECTIONS, np.float32)
    work = np.empty((GRID + 2, GRID + 2), np.float32), np.empty(_RIM * _RIM * BINS, np.float32)
    weights = _weights()
    count = 0
    for at in order:
        octave, image = int(found[at, OCTAVE]), int(found[at, IMAGE])
        pixels, x, y = images_of(space, sizes, octave)[image], found[at, X], found[at, Y]
        sigma = _f32(first_sigma(sizes, octave) * 2.0 ** (found[at, LEVEL] / SCALES))
        pitch = 2.0 ** sizes[octave, 3]
        highest = _directions(pixels, x, y, sigma, samples, histogram, smooth)
        for b in range(_DIRECTIONS):
            before, here, after = smooth[b - 1], smooth[b], smooth[(b + 1) % _DIRECTIONS]
            if here <= before or here <= after or here < _f32(_PEAK) * highest:
                continue
            if count == len(size):
                return count
            peak = (b + 0.5 * (before - after) / (before - 2 * here + after)) % _DIRECTIONS
            angle[count] = peak * (2 * math.pi / _DIRECTIONS)
            _describe(pixels, x, y, sigma, angle[count], samples, weights, work, out[count])
            place[count, 0], place[count, 1] = x * pitch, y * pitch
            size[count] = 2 * sigma * pitch
            count += 1
    return count


@compiled(error_model="numpy")
def _directions(pixels, x, y, sigma, samples, histogram, smooth):  # type: ignore[no-untyped-def]
    """Write the smoothed histogram of the gradients around a keypoint; returns its highest value."""
    height, width = pixels.shape
    dx, dy, length, bin_of = samples[0], samples[1], samples[2], samples[3]
    spread = _f32(_AROUND) * sigma
    reach = min(round(_f32(_REACH) * spread), _FARTHEST)
    fall = np.empty(reach + 1, np.float32)
    for k in range(reach + 1):
        fall[k] = math.exp(-0.5 * k * k / (spread * spread))
    column, row = round(x), round(y)
    n = 0
    for j in range(max(1, row - reach), min(height - 1, row + reach + 1)):
        above, here, below, weight = pixels[j - 1], pixels[j], pixels[j + 1], fall[abs(j - row)]
        for i in range(max(1, column - reach), min(width - 1, column + reach + 1)):
            dx[n], dy[n], length[n] = here[i + 1] - here[i - 1], below[i] - above[i], weight * fall[abs(i - column)]
            n += 1
    _polar(dx, dy, length, bin_of, n, _DIRECTIONS)
    histogram[:] = 0
    for k in range(n):
        b = int(bin_of[k] + _f32(0.5))
        histogram[b if b < _DIRECTIONS else 0] += length[k]
    highest = _f32(0)
    for b in range(_DIRECTIONS):
        next_two = histogram[(b + 1) % _DIRECTIONS], histogram[(b + 2) % _DIRECTIONS]
        smooth[b] = (
            (histogram[b - 2] + next_two[1]) * _f32(1 / 16)
            + (histogram[b - 1] + next_two[0]) * _f32(1 / 4)
            + histogram[b] * _f32(3 / 8)
        )
        highest = max(highest, smooth[b])
    return highest


@compiled(error_model="numpy")
def _polar(dx, dy, length, bin_of, count, bins):  # type: ignore[no-untyped-def]
    """Multiply `length` by the lengths of vectors, and write their directions in bins, 0 to `bins`.

    The arc tangent is a polynomial with an error of at most 0.005 radians; no branches, so the loop is vectorised.
    """
    turn, half, quarter, unit = _f32(bins), _f32(bins / 2), _f32(bins / 4), _f32(bins / (2 * math.pi))
    for k in range(count):
        x, y = dx[k], dy[k]
        across, down = abs(x), abs(y)
        q = min(across, down) / (max(across, down) + _f32(1e-12))
        s = q * q
        a = (((_f32(-0.0464964749) * s + _f32(0.15931422)) * s - _f32(0.327622764)) * s * q + q) * unit
        a = quarter - a if down > across else a
        a = half - a if x < 0 else a
        a = turn - a if y < 0 else a
        bin_of[k] = a
        length[k] = length[k] * np.sqrt(x * x + y * y)


@compiled(error_model="numpy")
def _describe(pixels, x, y, sigma, angle, samples, weights, work, out):  # type: ignore[no-untyped-def]
    """Write the descriptor `(128,)`: rows, columns, bins, relative to the orientation of the keypoint."""
    dx, dy, length, bin_of = samples[0], samples[1], samples[2], samples[3]
    patch, cells = work
    _sample(pixels, x, y, _f32(_CELL * CELLS / GRID) * sigma, angle, patch)
    n = 0
    for j in range(1, GRID + 1):
        for i in range(1, GRID + 1):
            dx[n], dy[n] = patch[j, i + 1] - patch[j, i - 1], patch[j + 1, i] - patch[j - 1, i]
            length[n] = weights[n]
            n += 1
    _polar(dx, dy, length, bin_of, n, BINS)
    cells[:] = 0
    part = GRID // CELLS
    n = 0
    for j in range(GRID):
        row, down = (j + part // 2) // part, _f32((2 * (j + part // 2) + 1) % (2 * part)) / _f32(2 * part)
        for i in range(GRID):
            column = (i + part // 2) // part
            right = _f32((2 * (i + part // 2) + 1) % (2 * part)) / _f32(2 * part)
            low = int(bin_of[n])
            later = length[n] * (bin_of[n] - _f32(low))
            first, second = low % BINS, (low + 1) % BINS
            here = (row * _RIM + column) * BINS
            low_share = length[n] - later
            _add(cells, here + first, here + second, low_share, later, (1 - down) * (1 - right))
            _add(cells, here + BINS + first, here + BINS + second, low_share, later, (1 - down) * right)
            here += _RIM * BINS
            _add(cells, here + first, here + second, low_share, later, down * (1 - right))
            _add(cells, here + BINS + first, here + BINS + second, low_share, later, down * right)
            n += 1
    square = _f32(0)
    for j in range(CELLS):
        for i in range(CELLS):
            for b in range(BINS):
                value = cells[((j + 1) * _RIM + i + 1) * BINS + b]
                out[(j * CELLS + i) * BINS + b] = value
                square += value * value
    most, total = _f32(_LARGEST) * np.sqrt(square), _f32(1e-9)
    for k in range(len(out)):
        out[k] = min(out[k], most)
        total += out[k]
    for k in range(len(out)):
        out[k] = np.sqrt(out[k] / total)


@compiled(error_model="numpy")
def _add(cells, first, second, low_share, later, share):  # type: ignore[no-untyped-def]
    cells[first] += low_share * share
    cells[second] += later * share


@compiled(error_model="numpy")
def _sample(pixels, x, y, step, angle, patch):  # type: ignore[no-untyped-def]
    """Resample the pixels around a keypoint to an upright grid, bilinearly; the border is repeated outside."""
    height, width = pixels.shape
    c, s = _f32(math.cos(angle)) * step, _f32(math.sin(angle)) * step
    middle = _f32((len(patch) - 1) / 2)
    right, bottom = _f32(width) - _f32(1.001), _f32(height) - _f32(1.001)
    for j in range(len(patch)):
        down, row = _f32(j) - middle, patch[j]
        for i in range(len(patch)):
            across = _f32(i) - middle
            u = min(max(x + c * across - s * down, _f32(0)), right)
            v = min(max(y + s * across + c * down, _f32(0)), bottom)
            column, line = int(u), int(v)
            u, v = u - _f32(column), v - _f32(line)
            upper, lower = pixels[line], pixels[line + 1]
            top = upper[column] + u * (upper[column + 1] - upper[column])
            row[i] = top + v * (lower[column] + u * (lower[column + 1] - lower[column]) - top)


@compiled(error_model="numpy")
def _weights():  # type: ignore[no-untyped-def]
    """Return the Gaussian weights of the samples of the grid, with a sigma of half its side."""
    out = np.empty(GRID * GRID, np.float32)
    for j in range(GRID):
        for i in range(GRID):
            u, v = (i + 0.5) / GRID - 0.5, (j + 0.5) / GRID - 0.5
            out[j * GRID + i] = math.exp(-2 * (u * u + v * v))
    return out
