"""One decoded image, and the small matrices, grey or in colour, that codes are computed from."""

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

_MANY = 32  # pixels a side
BASE = 160  # a fast decode keeps at least this many pixels along the shorter side, where there are as many


@dataclass
class Picture:
    """One decoded image: an upright 8-bit luma image (`fast`), or Pillow's own (`reference`)."""

    image: Image.Image
    width: int  # of the full picture, upright
    height: int
    format: str
    decode: Decode
    data: bytes  # of the file
    name: str = ""
    damaged: bool = False
    colours: Image.Image | None = None  # RGB, upright; only of a fast decode that was asked for them
    detail: Image.Image | None = None  # luma, upright, of more pixels; only of a fast decode that was asked for it
    traits: str = ""  # of what was decoded from a file, as `imaging.traits` writes them
    _luma: dict[tuple[int, int, str], Bytes2D] = field(default_factory=dict)

    def luma(self, width: int, height: int, flavour: Flavour = "imagehash") -> Bytes2D:
        """The picture shrunk to `(height, width)` uint8.

        In a reference decode `imagededup` resizes RGB and then turns it to luma, `imagehash` the other
        way round, both with Lanczos; in a fast decode there is only luma left to resize, so both are the same.
        """
        key = (width, height, flavour if self.decode == "reference" else "")
        if key not in self._luma:
            try:
                self._luma[key] = self._shrink(width, height, flavour)
            except (ValueError, OSError, MemoryError) as error:  # a mode without a way to luma
                raise ImageError("code", str(error) or type(error).__name__) from None
        return self._luma[key]

    def _shrink(self, width: int, height: int, flavour: Flavour) -> Bytes2D:
        size, lanczos = (width, height), Image.Resampling.LANCZOS
        if self.decode == "fast":
            # Where every pixel becomes a bit, sharpness counts; where frequencies are taken from many, a filter
            # that costs a third of it finds as many copies.
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
        """The picture in colour, squashed to `(height, width, 3)` uint8; of its width and height this middle part.

        A fast decode must have been asked for colours of that many pixels: see `decode`.
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
        """The picture's luma, its longer side shrunk to `side` pixels; a smaller one stays as it is.

        A fast decode must have been asked for that much detail: see `decode`.
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
        """The whole picture's luma as float32, by PDQ's weights when colours are at hand."""
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

    def transposed(self) -> "Picture":
        """The same picture with its axes swapped."""
        swap = Image.Transpose.TRANSPOSE
        colours = self.colours.transpose(swap) if self.colours is not None else None
        detail = self.detail.transpose(swap) if self.detail is not None else None
        image = self.image.transpose(swap)
        return replace(
            self, image=image, colours=colours, detail=detail, width=self.height, height=self.width, _luma={}
        )

    def file_digest(self) -> bytes:
        """16 bytes that name the file's content (xxh3-128)."""
        return xxhash.xxh3_128_digest(self.data)


def _without_alpha(image: Image.Image) -> Image.Image:
    """RGB as the reference libraries make it: alpha dropped."""
    return image if image.mode == "RGB" else image.convert("RGBA").convert("RGB")
