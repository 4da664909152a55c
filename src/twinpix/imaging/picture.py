"""One decoded image, and the small grey or colour matrices from which fingerprints are computed."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import xxhash
from numpy.typing import NDArray
from PIL import Image

from twinpix.errors import ImageError
from twinpix.model import Bytes2D, Decode

Flavour = Literal["imagededup", "imagehash"]
Float2D = NDArray[np.float32]
Colours = NDArray[np.uint8]  # (rows, columns, 3)

_MANY = 32  # pixels along the shorter side of a matrix: from here on a faster filter is used
BASE = 160  # a fast decode keeps at least this many pixels along the shorter side, if the image has them


@dataclass
class Picture:
    """One decoded image: an upright 8-bit luma image (`fast`), or Pillow's own (`reference`)."""

    image: Image.Image
    width: int  # of the full image; upright in a fast decode
    height: int
    format: str
    decode: Decode
    data: bytes  # of the file
    name: str = ""
    damaged: bool = False
    colours: Image.Image | None = None  # RGB, upright; only if a fast decode was called with `colour`
    detail: Image.Image | None = None  # luma with more pixels, upright; only if a fast decode was called with `detail`
    traits: str = ""  # as `imaging.traits` writes them; "" if not decoded from a file
    _luma: dict[tuple[int, int, str], Bytes2D] = field(default_factory=dict)

    def luma(self, width: int, height: int, flavour: Flavour = "imagehash") -> Bytes2D:
        """Return the luma resized to `(height, width)` uint8, aspect ratio not kept.

        In a reference decode, `imagededup` resizes RGB and then converts it to luma; `imagehash` converts first. Both
        use Lanczos. A fast decode has only luma, so both give the same result. Raises `ImageError` for an image mode
        that cannot be converted to luma.
        """
        key = (width, height, flavour if self.decode == "reference" else "")
        if key not in self._luma:
            try:
                self._luma[key] = self._shrink(width, height, flavour)
            except (ValueError, OSError, MemoryError) as error:  # a mode that cannot be converted to luma
                raise ImageError("code", str(error) or type(error).__name__) from None
        return self._luma[key]

    def _shrink(self, width: int, height: int, flavour: Flavour) -> Bytes2D:
        size, lanczos = (width, height), Image.Resampling.LANCZOS
        if self.decode == "fast":
            # If every pixel becomes one bit, Lanczos gives better hashes. For hashes of the low frequencies of larger
            # matrices, bicubic takes a third of the time and finds as many copies.
            sharp = min(size) < _MANY
            return np.asarray(self.image.resize(size, lanczos if sharp else Image.Resampling.BICUBIC, reducing_gap=1.2))
        if flavour == "imagehash":
            return np.asarray(self.image.convert("L").resize(size, lanczos))
        return np.asarray(_without_alpha(self.image).resize(size, lanczos).convert("L"))

    def rgb(
        self,
        width: int,
        height: int,
        filter: Image.Resampling = Image.Resampling.BILINEAR,
        part: tuple[float, float] = (1, 1),
    ) -> Colours:
        """Return the image in RGB, resized to `(height, width, 3)` uint8, aspect ratio not kept.

        `part` is the central share of width and height that is used. A fast decode must have been called with `colour`
        of that many pixels (see `decode`); else `ValueError` is raised. Raises `ImageError` for an image mode that
        cannot be converted.
        """
        image = self.image if self.decode == "reference" else self.colours
        if image is None:
            raise ValueError("decoded without colours")
        try:
            rgb = _without_alpha(image)
            x, y = ((1 - share) / 2 * side for share, side in zip(part, rgb.size, strict=True))
            return np.asarray(rgb.resize((width, height), filter, (x, y, rgb.width - x, rgb.height - y), 2.0))
        except (ValueError, OSError, MemoryError) as error:
            raise ImageError("code", str(error) or type(error).__name__) from None

    def grey(self, side: int) -> Bytes2D:
        """Return the luma with its longer side shrunk to `side` pixels; a smaller image is not resized.

        A fast decode must have been called with `detail` of that many pixels (see `decode`); else `ValueError` is
        raised. Raises `ImageError` for an image mode that cannot be converted.
        """
        image = self.detail if self.decode == "fast" else self.image
        if image is None:
            raise ValueError("decoded without detail")
        try:
            grey = image if image.mode == "L" else image.convert("L")
            longer = max(grey.size)
            if longer <= side:
                return np.asarray(grey)
            size = (max(1, round(grey.width * side / longer)), max(1, round(grey.height * side / longer)))
            return np.asarray(grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
        except (ValueError, OSError, MemoryError) as error:
            raise ImageError("code", str(error) or type(error).__name__) from None

    def float_luma(self) -> Float2D:
        """Return the luma as float32: the decoded luma of a fast decode, else RGB weighted as in PDQ."""
        if self.decode == "fast":
            return np.asarray(self.image, dtype=np.float32)
        try:
            rgb = np.asarray(self.image.convert("RGB"), dtype=np.float32)
        except (ValueError, OSError, MemoryError) as error:
            raise ImageError("code", str(error) or type(error).__name__) from None
        r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
        weights = np.float32(0.299), np.float32(0.587), np.float32(0.114)
        luma: Float2D = weights[0] * r + weights[1] * g + weights[2] * b
        return luma

    def transpose(self) -> "Picture":
        """Return the image with its axes swapped."""
        swap = Image.Transpose.TRANSPOSE
        colours = self.colours.transpose(swap) if self.colours is not None else None
        detail = self.detail.transpose(swap) if self.detail is not None else None
        image = self.image.transpose(swap)
        return replace(
            self, image=image, colours=colours, detail=detail, width=self.height, height=self.width, _luma={}
        )

    def file_digest(self) -> bytes:
        """Return the xxh3-128 digest of the file's bytes (16 bytes)."""
        return xxhash.xxh3_128_digest(self.data)


def _without_alpha(image: Image.Image) -> Image.Image:
    """Convert to RGB as the reference libraries do: alpha is dropped."""
    return image if image.mode == "RGB" else image.convert("RGBA").convert("RGB")
