"""Methods that turn a picture into a code. One file a method; `base.py` holds what they share."""

from twinpix.fingerprints.base import TURNS, Fingerprint, codes_of, information_of, make, relation_of_turn, spec_key

__all__ = ["TURNS", "Fingerprint", "codes_of", "information_of", "make", "relation_of_turn", "spec_key"]
