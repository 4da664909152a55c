"""Compiled loops: the scale space of an image, and the extrema of its differences of Gaussians.

Source: D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004, sections 3 and 4,
https://doi.org/10.1023/B:VISI.0000029664.99615.94. Other than there, the image is not enlarged first: the first scale
is small instead, which costs a quarter.

All sums are in float32 and in one order, so that a picture has the same keypoints on every machine.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix.search.kernels.jit import compiled

FIRST = 1.0  # sigma of the first scale of an octave, in its pixels
SCALES = 3  # scales per octave at which extrema are searched
_CAMERA = 0.5  # sigma that images are assumed to have
_REACH = 3.0  # radius of a kernel in sigmas
_LEAST_SIDE = 10  # pixels of the shorter side of the last octave
_OCTAVES = 7  # at most
_FINE = 2  # from this octave on, octaves have twice the pixels: the large blobs of a gradient need a better position
_MOVES = 4  # steps of the refinement, at most
_FAR = 100.0  # pixels: a step that is longer comes from a degenerate fit

X, Y, LEVEL, OCTAVE, RESPONSE, IMAGE = range(6)  # columns of the extrema; IMAGE: the scale whose pixels describe it

_f32 = np.float32


def octaves(height: int, width: int) -> NDArray[np.int64]:
    """Return the octaves of an image, `(n, 4)`: rows, columns, place in a scale space, and halvings of the image.

    The place is that of the first pixel. The last row is no octave: its place is the size of the whole scale space.
    """
    rows = []
    place = 0
    for octave in range(_OCTAVES):
        halvings = octave if octave < _FINE else octave - 1
        size = [(length - 1 >> halvings) + 1 for length in (height, width)]
        if octave and min(size) < _LEAST_SIDE:
            break
        rows.append((*size, place, halvings))
        place += (SCALES + 3) * math.prod(size)
    return np.array([*rows, (0, 0, place, 0)], np.int64)


@compiled(error_model="numpy")
def first_sigma(sizes: Any, octave: Any) -> Any:
    """Return the sigma of the first scale of an octave, in its pixels."""
    return FIRST * 2.0 ** (octave - sizes[octave, 3])


@compiled(error_model="numpy")
def images_of(space: Any, sizes: Any, octave: Any) -> Any:
    """Return the Gaussian images of an octave, `(SCALES + 3, rows, columns)`, a part of the flat scale space."""
    height, width, place, _ = sizes[octave]
    return space[place : place + (SCALES + 3) * height * width].reshape((SCALES + 3, height, width))


@compiled(error_model="numpy")
def find_extrema(grey: Any, sizes: Any, contrast: Any, edge: Any, space: Any, found: Any) -> Any:
    """Write the scale space of a grey image to `space`, and its extrema to `found` `(most, 6)`; returns their number.

    `sizes` is that of `octaves`, and the last row of it the length of `space` `(n,)`. Positions are in pixels of the
    octave. `contrast` is the least response in grey levels, `edge` the largest ratio of principal curvatures.
    """
    height, width = grey.shape
    line = np.empty(width + 2 * len(_kernel(8.0)), np.float32)
    marks = np.zeros(width, np.bool_)
    differences = np.empty((SCALES + 2) * height * width, np.float32)
    step = 2.0 ** (1.0 / SCALES)
    count = 0
    for octave in range(len(sizes) - 1):
        height, width, _, halvings = sizes[octave]
        images = images_of(space, sizes, octave)
        if octave == 0:
            _copy(grey, 1, images[1])
            _blur(images[1], images[0], _kernel(math.sqrt(FIRST * FIRST - _CAMERA * _CAMERA)), line)
        else:
            _copy(images_of(space, sizes, octave - 1)[SCALES], 1 + halvings - sizes[octave - 1, 3], images[0])
        layers = differences[: (SCALES + 2) * height * width].reshape((SCALES + 2, height, width))
        sigma = first_sigma(sizes, octave)
        for level in range(1, SCALES + 3):
            _blur(images[level - 1], images[level], _kernel(sigma * math.sqrt(step * step - 1)), line)
            sigma *= step
            _subtract(images[level], images[level - 1], layers[level - 1])
        count = _extrema(layers, contrast, edge, octave, found, count, marks)
    return count


@compiled(error_model="numpy")
def _kernel(sigma):  # type: ignore[no-untyped-def]
    """Return the right half of a Gaussian kernel; the first value is its middle."""
    reach = max(1, math.ceil(_REACH * sigma))
    out = np.empty(reach + 1, np.float32)
    total = 0.0
    for at in range(reach + 1):
        out[at] = math.exp(-0.5 * (at / sigma) ** 2)
        total += out[at] if at == 0 else 2 * out[at]
    for at in range(reach + 1):
        out[at] = out[at] / total
    return out


@compiled(error_model="numpy")
def _blur(image, out, kernel, line):  # type: ignore[no-untyped-def]
    """Blur an image by a symmetric kernel, mirrored at its borders; two taps at a time, which halves the writes."""
    height, width = image.shape
    reach = len(kernel) - 1
    middle = line[reach : reach + width]
    for y in range(height):
        source, weight = image[y], kernel[0]
        for x in range(width):
            middle[x] = weight * source[x]
        for at in range(1, reach, 2):
            above, below = image[_mirror_index(y - at, height)], image[_mirror_index(y + at, height)]
            higher, lower = image[_mirror_index(y - at - 1, height)], image[_mirror_index(y + at + 1, height)]
            weight, next_weight = kernel[at], kernel[at + 1]
            for x in range(width):
                middle[x] += weight * (above[x] + below[x]) + next_weight * (higher[x] + lower[x])
        if reach % 2:
            above, below = image[_mirror_index(y - reach, height)], image[_mirror_index(y + reach, height)]
            weight = kernel[reach]
            for x in range(width):
                middle[x] += weight * (above[x] + below[x])
        for at in range(1, reach + 1):
            line[reach - at] = middle[_mirror_index(-at, width)]
            line[reach + width - 1 + at] = middle[_mirror_index(width - 1 + at, width)]
        target, weight = out[y], kernel[0]
        for x in range(width):
            target[x] = weight * middle[x]
        for at in range(1, reach, 2):
            left, right = line[reach - at : reach - at + width], line[reach + at : reach + at + width]
            lefter, righter = (
                line[reach - at - 1 : reach - at - 1 + width],
                line[reach + at + 1 : reach + at + 1 + width],
            )
            weight, next_weight = kernel[at], kernel[at + 1]
            for x in range(width):
                target[x] += weight * (left[x] + right[x]) + next_weight * (lefter[x] + righter[x])
        if reach % 2:
            left, right = line[:width], line[2 * reach : 2 * reach + width]
            weight = kernel[reach]
            for x in range(width):
                target[x] += weight * (left[x] + right[x])


@compiled(error_model="numpy")
def _mirror_index(at, length):  # type: ignore[no-untyped-def]
    """Return the index that a position outside of an axis is mirrored to, without repeating the border."""
    if 0 <= at < length:
        return at
    if length == 1:
        return 0
    at %= 2 * length - 2
    return at if at < length else 2 * length - 2 - at


@compiled(error_model="numpy")
def _subtract(image, other, out):  # type: ignore[no-untyped-def]
    for y in range(image.shape[0]):
        one, two, target = image[y], other[y], out[y]
        for x in range(image.shape[1]):
            target[x] = one[x] - two[x]


@compiled(error_model="numpy")
def _copy(image, step, out):  # type: ignore[no-untyped-def]
    """Copy every pixel, or every second one with a step of 2."""
    for y in range(out.shape[0]):
        source, target = image[y * step], out[y]
        for x in range(out.shape[1]):
            target[x] = source[x * step]


@compiled(error_model="numpy")
def _extrema(differences, contrast, edge, octave, found, count, marks):  # type: ignore[no-untyped-def]
    """Append the refined extrema of one octave to `found`; returns the new number of them."""
    _, height, width = differences.shape
    for level in range(1, SCALES + 1):
        for y in range(1, height - 1):
            _mark(differences[level], y, contrast * _f32(0.5), marks)
            for x in range(1, width - 1):
                if (
                    marks[x]
                    and count < len(found)
                    and _beats_other_scales(differences, level, y, x)
                    and _refine(differences, level, y, x, contrast, edge, found[count])
                ):
                    found[count, OCTAVE] = octave
                    count += 1
    return count


@compiled(error_model="numpy")
def _mark(layer, y, least, marks):  # type: ignore[no-untyped-def]
    """Mark the pixels of a row that are larger or smaller than all 8 neighbours; no branches, so vectorised."""
    above, row, below = layer[y - 1], layer[y], layer[y + 1]
    for x in range(1, layer.shape[1] - 1):
        value = row[x]
        highest = max(
            max(max(above[x - 1], above[x]), max(above[x + 1], row[x - 1])),
            max(max(row[x + 1], below[x - 1]), max(below[x], below[x + 1])),
        )
        lowest = min(
            min(min(above[x - 1], above[x]), min(above[x + 1], row[x - 1])),
            min(min(row[x + 1], below[x - 1]), min(below[x], below[x + 1])),
        )
        marks[x] = ((value > highest) & (value >= least)) | ((value < lowest) & (value <= -least))


@compiled(error_model="numpy")
def _beats_other_scales(differences, level, y, x):  # type: ignore[no-untyped-def]
    """True if a pixel is larger, or smaller, than the 9 pixels of the scale below and of the scale above."""
    value = differences[level, y, x]
    for other in (level - 1, level + 1):
        for j in range(y - 1, y + 2):
            for i in range(x - 1, x + 2):
                if (differences[other, j, i] >= value) if value > 0 else (differences[other, j, i] <= value):
                    return False
    return True


@compiled(error_model="numpy")
def _refine(d, level, y, x, contrast, edge, row):  # type: ignore[no-untyped-def]
    """Write the position of an extremum between pixels and scales to `row`.

    False if its response is below `contrast`, if it lies on an edge, or if no quadratic fits.
    """
    _, height, width = d.shape
    half, quarter = _f32(0.5), _f32(0.25)
    for _ in range(_MOVES):
        v = d[level, y, x]
        gx = (d[level, y, x + 1] - d[level, y, x - 1]) * half
        gy = (d[level, y + 1, x] - d[level, y - 1, x]) * half
        gs = (d[level + 1, y, x] - d[level - 1, y, x]) * half
        xx = d[level, y, x + 1] + d[level, y, x - 1] - 2 * v
        yy = d[level, y + 1, x] + d[level, y - 1, x] - 2 * v
        ss = d[level + 1, y, x] + d[level - 1, y, x] - 2 * v
        xy = d[level, y + 1, x + 1] - d[level, y + 1, x - 1] - d[level, y - 1, x + 1] + d[level, y - 1, x - 1]
        xs = d[level + 1, y, x + 1] - d[level + 1, y, x - 1] - d[level - 1, y, x + 1] + d[level - 1, y, x - 1]
        ys = d[level + 1, y + 1, x] - d[level + 1, y - 1, x] - d[level - 1, y + 1, x] + d[level - 1, y - 1, x]
        xy, xs, ys = xy * quarter, xs * quarter, ys * quarter
        det = xx * (yy * ss - ys * ys) - xy * (xy * ss - ys * xs) + xs * (xy * ys - yy * xs)
        if det == 0:
            return False
        dx = -((yy * ss - ys * ys) * gx + (xs * ys - xy * ss) * gy + (xy * ys - xs * yy) * gs) / det
        dy = -((xs * ys - xy * ss) * gx + (xx * ss - xs * xs) * gy + (xs * xy - xx * ys) * gs) / det
        ds = -((xy * ys - xs * yy) * gx + (xy * xs - xx * ys) * gy + (xx * yy - xy * xy) * gs) / det
        if abs(dx) <= half and abs(dy) <= half and abs(ds) <= half:
            response = abs(v + half * (gx * dx + gy * dy + gs * ds))
            area, trace = xx * yy - xy * xy, xx + yy
            if response < contrast or area <= 0 or trace * trace * edge >= (edge + 1) * (edge + 1) * area:
                return False
            row[X], row[Y], row[LEVEL], row[RESPONSE], row[IMAGE] = x + dx, y + dy, level + ds, response, level
            return True
        if not (abs(dx) < _FAR and abs(dy) < _FAR and abs(ds) < _FAR):
            return False
        x, y, level = x + round(dx), y + round(dy), level + round(ds)
        if not (1 <= level <= SCALES and 1 <= y < height - 1 and 1 <= x < width - 1):
            return False
    return False
