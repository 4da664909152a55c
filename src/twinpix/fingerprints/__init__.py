"""Methods that turn a picture into a code. One file a method; `base.py` holds what they share."""

from twinpix.fingerprints.base import (
    INFORMATION_FLOOR,
    TURNS,
    Fingerprint,
    codes_from,
    codes_of,
    decodes,
    information_of,
    make,
    matrices,
    relation_of_turn,
    spec_key,
    width_of,
)

__all__ = [
    "INFORMATION_FLOOR",
    "TURNS",
    "Fingerprint",
    "codes_from",
    "codes_of",
    "decodes",
    "information_of",
    "make",
    "matrices",
    "relation_of_turn",
    "spec_key",
    "width_of",
]
