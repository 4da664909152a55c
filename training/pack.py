"""Images to one array: tar files of images resized to a square, decoded once, without duplicates."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 176
"""Pixels on a side of a packed image; two coarser levels have 88 and 44."""
LEVELS = 3
COPY_RADIUS = 40
"""Bits of 256 (phash) up to which two images are duplicates: a copy among the negatives would be a wrong label."""

Bytes = NDArray[np.uint8]


def pack(tars: list[Path], folder: Path) -> int:
    """Write the images of `tars` as ``level0.npy`` (n, 176, 176, 3), ``level1.npy`` (n, 88, 88, 3), … into `folder`.

    Returns the number of images kept. The order is that of the tars and of their members, so the same input
    gives the same files.
    """
    images = np.stack(list(_images(tars)))
    images = np.ascontiguousarray(images[_firsts(images)])
    folder.mkdir(parents=True, exist_ok=True)
    for level in range(LEVELS):
        np.save(folder / f"level{level}.npy", images)
        images = _halve(images)
    return len(images)


def load(folder: Path) -> list[Bytes]:
    """The levels that `pack` wrote, finest first."""
    return [np.load(folder / f"level{level}.npy") for level in range(LEVELS)]


def _images(tars: list[Path]) -> Iterator[Bytes]:
    for path in sorted(tars):
        with tarfile.open(path) as tar:
            for member in tar:
                held = tar.extractfile(member) if member.isfile() else None
                if held is None:
                    continue
                with Image.open(io.BytesIO(held.read())) as image:
                    yield np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _firsts(images: Bytes) -> NDArray[np.intp]:
    """Indices of the images that are not copies of an earlier one, by phash of 256 bits, also mirrored."""
    from scipy.fft import dctn

    from twinpix.search import join, self_join

    def codes(turned: Bytes) -> Bytes:
        grey = np.stack([np.asarray(Image.fromarray(p).convert("L").resize((64, 64))) for p in turned]).astype("f4")
        low = dctn(grey, axes=(1, 2))[:, :16, :16].reshape(len(grey), 256)
        return np.packbits(low > np.median(low, axis=1, keepdims=True), axis=1)

    plain, mirrored = codes(images), codes(images[:, :, ::-1])
    first, second, _ = self_join(plain, COPY_RADIUS)
    dropped = np.zeros(len(images), bool)
    dropped[second] = True
    first, second, _ = join(mirrored, plain, COPY_RADIUS)
    dropped[second[first < second]] = True
    return np.flatnonzero(~dropped)


def _halve(images: Bytes) -> Bytes:
    n, side = len(images), images.shape[1] // 2
    out = np.empty((n, side, side, 3), np.uint8)
    for k in range(0, n, 1000):
        block = images[k : k + 1000].reshape(-1, side, 2, side, 2, 3).astype(np.uint16)
        out[k : k + 1000] = (block.sum(axis=(2, 4)) + 2) // 4
    return out
