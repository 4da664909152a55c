"""Learn the embedding of keypoint descriptors in 64 bits: a linear discriminant, a rotation, thresholds.

Pairs of descriptors come from images and edited copies of them, whose geometry is known. The embedding is the linear
one with a large variance over all descriptors and a small one within pairs (Fisher's). The descriptors of a mirrored
image are a permutation of those of the image; the embedding has 32 directions that this permutation keeps and 32 that
it negates, so that a mirrored code is the code with 32 of its bits inverted.

Source: Y. Gong, S. Lazebnik, "Iterative quantization", CVPR 2011, https://doi.org/10.1109/CVPR.2011.5995432;
H. Jégou, M. Douze, C. Schmid, "Hamming embedding and weak geometric consistency", ECCV 2008.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from twinpix.localfeatures.keypoints import MIRROR, Keypoints, detect_keypoints

BITS, HALF = 64, 32
MOST = 150
SIDE = 256
NEAR = 2.0  # pixels between a keypoint and the transformed one of its copy
ALIKE = 1.3  # ratio of their sizes
ROUNDS = 60

Floats = NDArray[np.float64]


def learn(packed: Path, out: Path, images: int = 4000, seed: int = 1) -> dict[str, float]:
    """Learn from `images` of the packed images and write `out`, a NumPy archive; returns how well pairs agree."""
    left, right, every = _pairs(packed, images, np.random.default_rng(seed))
    mean = (every.mean(axis=0) + every.mean(axis=0)[MIRROR]) / 2
    within = _symmetric(np.cov((left - right).T) / 2)
    total = _symmetric(np.cov(every.T))
    parts = [_half(sign, within, total, every - mean) for sign in (1, -1)]
    matrix = np.concatenate(parts, axis=1)
    threshold = mean @ matrix
    np.savez(out, matrix=matrix.astype(np.float32), threshold=threshold.astype(np.float32))
    bits = [(one @ matrix > threshold) for one in (left, right, every)]
    gaps = (bits[0] != bits[1]).sum(axis=1)
    others = (bits[2] != np.roll(bits[2], 1000, axis=0)).sum(axis=1)
    facts = {"pairs": len(left), "descriptors": len(every), "balance": float(bits[2].mean(axis=0).std())}
    for most in (4, 6, 8, 10, 12):
        facts[f"pairs within {most}"] = float((gaps <= most).mean())
        facts[f"others within {most}"] = float((others <= most).mean())
    return facts


def _symmetric(matrix: Floats) -> Floats:
    """The mean of a covariance and that of the mirrored descriptors."""
    return (matrix + matrix[np.ix_(MIRROR, MIRROR)]) / 2


def _half(sign: int, within: Floats, total: Floats, centred: Floats) -> Floats:
    """Directions `(128, 32)` that mirroring keeps (1) or negates (-1), rotated so that signs keep most information."""
    swap = np.eye(128)[MIRROR]
    _, vectors = np.linalg.eigh(np.eye(128) + sign * swap)
    basis = vectors[:, np.linalg.eigvalsh(np.eye(128) + sign * swap) > 1]  # of the descriptors of that symmetry
    inside, spread = basis.T @ within @ basis, basis.T @ total @ basis
    inside += np.eye(len(inside)) * 0.05 * np.trace(inside) / len(inside)
    values, white = np.linalg.eigh(inside)
    white = white / np.sqrt(values)
    gains, turned = np.linalg.eigh(white.T @ spread @ white)
    chosen = basis @ white @ turned[:, np.argsort(-gains)[:HALF]]
    return np.asarray(chosen @ _rotation(centred @ chosen))


def _rotation(values: Floats) -> Floats:
    """The rotation after which the values are nearest to their signs (ITQ)."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(HALF, HALF)))[0]
    for _ in range(ROUNDS):
        signs = np.sign(values @ rotation)
        u, _, v = np.linalg.svd(signs.T @ values)
        rotation = (u @ v).T
    return rotation


def _pairs(packed: Path, images: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Descriptors of keypoints, of the same keypoints in edited copies, and of all keypoints."""
    stored = np.load(packed / "level0.npy", mmap_mode="r")
    left, right, every = [], [], []
    for number in rng.permutation(len(stored))[:images]:
        image = Image.fromarray(np.asarray(stored[number])).convert("L")
        image = image.resize((SIDE, round(SIDE * rng.uniform(0.6, 1))), Image.Resampling.BICUBIC)
        copy, there = _make_edit(image, rng)
        a, b = detect_keypoints(np.asarray(image), MOST), detect_keypoints(np.asarray(copy), MOST)
        i, j = _same(a, b, there)
        left.append(a.descriptors[i])
        right.append(b.descriptors[j])
        every.append(a.descriptors)
    return tuple(np.concatenate(each).astype(np.float64) for each in (left, right, every))  # type: ignore[return-value]


def _make_edit(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, Floats]:
    """A cropped, rotated, scaled, recoloured copy of an image, and the transform `(2, 3)` to it."""
    scale, angle = np.exp(rng.uniform(np.log(0.5), np.log(1.6))), rng.choice([0.0, rng.normal(0, 0.5)])
    stretch = np.exp(rng.choice([0.0, rng.normal(0, 0.15)]))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([scale * stretch, scale / stretch])
    w, h = image.size
    size = (max(96, min(SIDE, round(w * scale))), max(96, min(SIDE, round(h * scale))))
    middle = np.array([w - 1, h - 1]) * rng.uniform(0.35, 0.65, 2)
    there = np.column_stack([linear, (np.array(size) - 1) / 2 - linear @ middle])
    back = np.linalg.inv(linear)
    offset = -back @ there[:, 2]
    if scale < 1:
        image = image.filter(ImageFilter.GaussianBlur(float(0.4 / scale)))
    copy = image.transform(
        size, Image.Transform.AFFINE, (*back[0], offset[0], *back[1], offset[1]), Image.Resampling.BICUBIC
    )
    copy = ImageEnhance.Brightness(copy).enhance(rng.uniform(0.6, 1.4))
    copy = ImageEnhance.Contrast(copy).enhance(rng.uniform(0.6, 1.6))
    if rng.random() < 0.3:
        copy = copy.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    noisy = np.asarray(copy) + rng.normal(0, rng.choice([0, 0, 6.0]), copy.size[::-1])
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), there


def _same(a: Keypoints, b: Keypoints, there: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keypoints of `b` at the transformed position of keypoints of `a`, with the same scale and orientation."""
    empty = np.empty(0, np.int64)
    if not len(a.size) or not len(b.size):
        return empty, empty
    placed = a.place @ there[:, :2].T + there[:, 2]
    scale = np.sqrt(abs(np.linalg.det(there[:, :2])))
    angle = np.arctan2(there[1, 0], there[0, 0])
    far = np.linalg.norm(placed[:, None] - b.place[None], axis=2)
    larger = np.abs(np.log((a.size * scale)[:, None] / b.size[None]))
    aside = np.abs(np.mod(a.angle[:, None] + angle - b.angle[None] + np.pi, 2 * np.pi) - np.pi)
    fits = (far < NEAR) & (larger < np.log(ALIKE)) & (aside < 0.35)
    cost = np.where(fits, far + larger + aside, np.inf)
    i = np.flatnonzero(fits.any(axis=1))
    return i, cost[i].argmin(axis=1)
