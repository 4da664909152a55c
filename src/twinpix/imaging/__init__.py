"""Decode images: detect the format by content, apply the orientation, scale modes and depths, measure damage."""

from twinpix.imaging.decode import decode, decoder_name, picture_of, read_header, thumbnail
from twinpix.imaging.identity import pixel_digest
from twinpix.imaging.limits import MAX_PIXELS
from twinpix.imaging.opening import extra_decoder, is_installed
from twinpix.imaging.picture import Flavour, Picture

__all__ = [
    "MAX_PIXELS",
    "Flavour",
    "Picture",
    "decode",
    "decoder_name",
    "extra_decoder",
    "is_installed",
    "picture_of",
    "pixel_digest",
    "read_header",
    "thumbnail",
]
