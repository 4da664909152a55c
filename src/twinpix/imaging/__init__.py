"""Bytes to pixels: told by content, orientation applied, modes and depths scaled, damage measured."""

from twinpix.imaging.decode import decode, decoder_name, picture_of, thumbnail, undecoded
from twinpix.imaging.identity import pixel_digest
from twinpix.imaging.limits import MAX_PIXELS
from twinpix.imaging.opening import extra_decoder, is_installed
from twinpix.imaging.picture import Flavour, Picture
from twinpix.imaging.sniff import IMAGE_SUFFIXES, claims_image, claims_raw, sniff

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "Flavour",
    "Picture",
    "claims_image",
    "claims_raw",
    "decode",
    "decoder_name",
    "extra_decoder",
    "is_installed",
    "picture_of",
    "pixel_digest",
    "sniff",
    "thumbnail",
    "undecoded",
]
